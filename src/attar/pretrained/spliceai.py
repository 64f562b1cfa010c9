"""SpliceAI-10k: where splicing begins and ends in a human gene, with the weights of its authors' training.

Jaganathan et al. 2019, doi:10.1016/j.cell.2018.12.015. Five networks whose probabilities are averaged; what is
explained is the log-odds of that average, so that it is the published answer that is explained and not five others.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from attar.adapters.torch import TorchModel
from attar.core.errors import InputError
from attar.core.examples import Examples
from attar.core.inputs import Inputs
from attar.core.note import listed
from attar.core.target import Target
from attar.domains.sequences.read import read_sequences
from attar.domains.sequences.record import Record
from attar.pretrained.card import Pretrained
from attar.pretrained.spliceai_network import OUTPUTS, SpliceAI
from attar.pretrained.spliceai_weights import NETWORKS, network

SITES = {"acceptor": 1, "donor": 2}
SURE = 0.5  # a probability from which on a position is called a site
MOVED = 0.1  # of a site's probability by a variant, from which on it is said
_SAID = 12  # sites of one sequence that are said


@dataclass(frozen=True)
class SpliceSite(Target):
    """The log-odds of a donor (the last letter of an exon) or an acceptor (the first one) at a position, from the
    networks' mean probability. `place` counts letters from 0, one for all examples or one for each; `position` is
    where that is in the sequence as given, from 1."""

    kind: str
    place: int | tuple[int, ...]
    position: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in SITES:
            raise InputError(f"there is no site {self.kind!r}: name a donor or an acceptor")

    def __call__(self, outputs: Float[Tensor, "batch 3 *length"]) -> Float[Tensor, " batch"]:
        """Of the logs of probabilities, at all positions or at this one alone."""
        if outputs.ndim == 3:
            place = torch.as_tensor(self.place, device=outputs.device).expand(len(outputs))
            if int(place.max()) >= outputs.shape[2] or int(place.min()) < 0:
                raise InputError(f"{self!r} asks for place {int(place.max())}, the sequence has {outputs.shape[2]}")
            outputs = outputs[torch.arange(len(outputs), device=outputs.device), :, place]
        which = SITES[self.kind]
        others = [k for k in range(len(OUTPUTS)) if k != which]
        return outputs[:, which] - outputs[:, others].logsumexp(1)

    def take(self, index: Int[Tensor, " examples"]) -> "SpliceSite":
        if isinstance(self.place, int):
            return self
        return replace(self, place=tuple(self.place[k] for k in index.tolist()))


@dataclass(frozen=True, eq=False)
class SpliceSiteModel(TorchModel):
    """SpliceAI about one position, which shares the work between sequences that differ in one letter."""

    def exchanged(
        self,
        inputs: Inputs,
        owner: Int[Tensor, " changes"],
        place: Int[Tensor, " changes"],
        other: Int[Tensor, " changes"],
    ) -> Float[Tensor, "changes 3"]:
        module: Any = self.module
        letters = next(iter(inputs.parts.values()))
        found = letters.new_zeros(len(owner), len(OUTPUTS))
        with self.resting(), torch.no_grad():
            for example in owner.unique().tolist():
                mine = (owner == example).nonzero()[:, 0]
                others = torch.eye(letters.shape[1]).to(letters)[other[mine]]
                found[mine] = module.changed(letters[example : example + 1], others, place[mine])
        return found


def load(networks: Sequence[int] = tuple(range(1, NETWORKS + 1)), name: str = "spliceai") -> Pretrained:
    """Sequences of any length, read as the transcribed strand; 5,000 N are set to either side."""
    found = [network(number) for number in networks]
    whole = SpliceAI(found).eval()
    model = TorchModel(whole)

    def named(text: str, examples: Examples) -> Target | None:
        return site(text, examples.raw, lambda: probabilities(model, examples.inputs))

    def narrowed(target: Target) -> TorchModel:
        if not isinstance(target, SpliceSite):
            return model
        place = target.place if isinstance(target.place, int) else target.place[0]
        return SpliceSiteModel(SpliceAI(found, place).eval())

    return Pretrained(
        name=name,
        model=model,
        read=read_sequences,
        outputs=OUTPUTS,
        named_target=named,
        narrowed=narrowed,
        remarks=lambda examples, outputs: remarks(examples.raw, outputs.softmax(1).cpu().numpy()),
    )


def load_one() -> Pretrained:
    """The first of the five networks alone, at a fifth of the cost."""
    return load((1,), "spliceai-1")


def probabilities(model: TorchModel, inputs: Inputs) -> Float[np.ndarray, "batch 3 length"]:
    """Of none, acceptor and donor at every position, one sequence after another."""
    each = [model.predict(inputs.take(torch.tensor([k]))) for k in range(len(inputs))]
    return torch.cat(each).softmax(1).cpu().numpy()


def site(
    text: str, records: Sequence[Record], answers: Callable[[], Float[np.ndarray, "batch 3 length"]]
) -> SpliceSite:
    """`donor@567` and `acceptor@698` by positions as given; `donor`, `acceptor` and `predicted`: the one that variants
    move most, or without any that moves where the first sequence has the likeliest. The same letter in every sequence.
    Raises `InputError` for other words and for positions that are not there."""
    words = re.fullmatch(r"(donor|acceptor|predicted)(?:@([\d,_]+))?", text.strip().lower())
    if words is None or (words[1] == "predicted" and words[2]):
        raise InputError(
            f"--target is {text!r}, expected donor@120, acceptor@431 (positions from 1), donor or acceptor"
        )
    first = records[0]
    if words[2]:
        kind, position = words[1], int(re.sub("[,_]", "", words[2]))
    else:
        kinds, chances = list(SITES) if words[1] == "predicted" else [words[1]], answers()
        there = chances[0][[SITES[kind] for kind in kinds], : len(first)]
        row, column = np.unravel_index(int(there.argmax()), there.shape)
        likeliest = kinds[row], int(first.positions[column])
        kind, position = _most_moved(records, chances, kinds) or likeliest
    places = tuple(record.place(position) for record in records)
    return SpliceSite(kind, places[0] if len(set(places)) == 1 else places, position)


def remarks(records: Sequence[Record], chances: Float[np.ndarray, "batch 3 length"]) -> list[str]:
    """The sites of each sequence that was given, and which of them each variant makes likelier or less likely."""
    said, before = [], 0
    for k, record in enumerate(records):
        if k == 0 or not _made_of(record, records[before]):
            before = k
            found = [
                f"{kind} {_at(record, place)} {chances[k, row, place]:.2f}"
                for place, kind, row in _sites(record, chances[k])
            ]
            more = f" and {len(found) - _SAID} more" if len(found) > _SAID else ""
            said.append(f"{record.name}: {', '.join(found[:_SAID]) or f'no site of {SURE:g} or more'}{more}")
        else:
            moves = moved(records[before], record, chances[before], chances[k])
            told = [f"{kind} {where} {was:.2f} → {now:.2f}" for kind, where, was, now in moves]
            said.append(f"{record.name}: {listed(told) if told else f'no site moves by more than {MOVED:g}'}")
    return said


def moved(
    one: Record, other: Record, before: Float[np.ndarray, "3 length"], after: Float[np.ndarray, "3 length"]
) -> list[tuple[str, str, float, float]]:
    """Where a variant moves the probability of a site by more than 0.1: the kind, the position, before and after. A
    letter that only one of them has is no site in the other."""
    there = {one.key(place): place for place in range(len(one))}
    found = []
    seen = set()
    for place in range(len(other)):
        key = other.key(place)
        seen.add(key)
        for kind, row in SITES.items():
            was = float(before[row, there[key]]) if key in there else 0.0
            now = float(after[row, place])
            if abs(now - was) > MOVED:
                found.append((key, (kind, _at(other, place), was, now)))
    for place in range(len(one)):
        for kind, row in SITES.items():
            if one.key(place) not in seen and before[row, place] > MOVED:
                found.append((one.key(place), (kind, f"{_at(one, place)} (taken out)", float(before[row, place]), 0.0)))
    return [each for _, each in sorted(found)]


def _most_moved(
    records: Sequence[Record], chances: Float[np.ndarray, "batch 3 length"], kinds: Sequence[str]
) -> tuple[str, int] | None:
    """The kind and position of the site, there in every sequence, that variants of the first one move most."""
    shared = set.intersection(*(set(map(record.key, range(len(record)))) for record in records))
    found = []
    for k, record in enumerate(records):
        if _made_of(record, records[0]):
            for kind, where, was, now in moved(records[0], record, chances[0], chances[k]):
                if kind in kinds and where.isdecimal() and (int(where), 0) in shared:
                    found.append((abs(now - was), kind, int(where)))
    return max(found)[1:] if found else None


def _sites(record: Record, chances: Float[np.ndarray, "3 length"]) -> list[tuple[int, str, int]]:
    found = [
        (int(place), kind, row)
        for kind, row in SITES.items()
        for place in np.flatnonzero(chances[row, : len(record)] >= SURE)
    ]
    return sorted(found)


def _at(record: Record, place: int) -> str:
    return record.title(place)[1:]


def _made_of(record: Record, given: Record) -> bool:
    return record.name.startswith(f"{given.name} ")
