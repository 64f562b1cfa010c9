"""What a part does for an answer: what the answer loses when the part says what it would have said elsewhere.

The parts are the heads and the perceptrons of a transformer. What stands in a part's place is a choice that decides
more than the method does, so it is always said: `Counterfactual` (the same part on another text), `Mean` (its mean over
texts and tokens), `Zero`. A part that says the same in both is inactive there, and its effect is exactly 0.
Sources: Vig et al. 2020, arXiv:2004.12265; Meng et al. 2022, arXiv:2202.05262; Nanda 2023 (attribution patching);
Hanna et al. 2024, arXiv:2403.17806 (integrated gradients over inputs).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from attar.core.errors import InputError
from attar.core.target import Target
from attar.mechanistic.record import Edit, edited, logits, recorded
from attar.mechanistic.transformer import Transformer

_TOGETHER = 64  # copies of texts in one call
Seen = Mapping[str, Tensor]


class Instead(Protocol):
    """What stands in the place of a part that is taken away: what would be at each site, of what is there."""

    def __call__(self, of: Transformer, sites: Sequence[str], seen: Seen) -> Seen: ...


@dataclass(frozen=True, eq=False)
class Counterfactual:
    """What the parts say of other texts, one for each and as long: `ids`, `Int[Tensor, "batch tokens"]`."""

    ids: Int[Tensor, "batch tokens"]

    def __call__(self, of: Transformer, sites: Sequence[str], seen: Seen) -> Seen:
        there = next(iter(seen.values())).shape[:2]
        if self.ids.shape != there:
            raise InputError(
                f"the other texts are {tuple(self.ids.shape)}, expected one as long for each text: {tuple(there)}"
            )
        return states(of, self.ids, sites)[1]

    def __repr__(self) -> str:
        return f"Counterfactual({' x '.join(map(str, self.ids.shape))})"


@dataclass(frozen=True)
class Mean:
    """What each part says on average over the texts and their tokens."""

    def __call__(self, of: Transformer, sites: Sequence[str], seen: Seen) -> Seen:  # noqa: ARG002
        return {name: array.mean((0, 1), keepdim=True).expand_as(array) for name, array in seen.items()}


@dataclass(frozen=True)
class Zero:
    """Nothing: what no part ever says."""

    def __call__(self, of: Transformer, sites: Sequence[str], seen: Seen) -> Seen:  # noqa: ARG002
        return {name: torch.zeros_like(array) for name, array in seen.items()}


@dataclass(frozen=True, eq=False, kw_only=True)
class PartEffects:
    """What the answer about each text loses without a part: `values`, by `names` (`3.head.5`, `3.mlp`).

    In units of the target; positive: the part supports it. `instead` is what stood in its place, `output` the target
    with all parts as they are. `inactive` are the parts that say the same either way. `exact` says whether every part
    was taken away by itself; else values are estimates, and `verified` holds the exact ones of some.
    """

    names: tuple[str, ...]
    values: Float[Tensor, "batch parts"]
    output: Float[Tensor, " batch"]
    instead: str
    exact: bool
    inactive: tuple[str, ...]
    verified: Mapping[str, Float[Tensor, " batch"]] = field(default_factory=dict)

    def ranked(self, limit: int | None = None) -> list[tuple[str, float]]:
        """Parts with their mean over texts, the largest magnitude first."""
        mean = self.values.double().mean(0)
        order = mean.abs().argsort(descending=True, stable=True)[:limit].tolist()
        return [(self.names[k], float(mean[k])) for k in order]

    @property
    def agreement(self) -> tuple[float, float] | None:
        """Of the parts that were verified: Pearson's correlation of estimate and exact effect (means over texts), and
        the share whose sign is the same. None where fewer than three were."""
        if len(self.verified) < 3:
            return None
        mean = self.values.double().mean(0)
        said = np.array([float(mean[self.names.index(name)]) for name in self.verified])
        true = np.array([float(each.double().mean()) for each in self.verified.values()])
        if not said.std() or not true.std():
            return None
        return float(np.corrcoef(said, true)[0, 1]), float((np.sign(said) == np.sign(true)).mean())


def part_names(of: Transformer) -> tuple[str, ...]:
    """Every head and every perceptron, block by block."""
    return tuple(
        name for k in range(len(of.blocks)) for name in (*(f"{k}.head.{h}" for h in range(of.heads)), f"{k}.mlp")
    )


def states(of: Transformer, ids: Int[Tensor, "batch tokens"], sites: Sequence[str]) -> tuple[Tensor, Seen]:
    """The logits of the token that follows, and what stands at the sites."""
    with torch.no_grad(), recorded(of, sites) as seen:
        answers = logits(of, ids)[:, -1]
    return answers, seen


def patched(
    of: Transformer,
    ids: Int[Tensor, "batch tokens"],
    target: Target,
    instead: Instead,
    parts: Collection[str] | None = None,
) -> PartEffects:
    """The effect of each part (of `parts`; left out: of all), exactly: one answer without each. Raises `InputError` for
    a name that is no part."""
    known = part_names(of)
    names = known if parts is None else tuple(name for name in known if name in set(parts))
    if strange := sorted(set(parts or ()) - set(known)):
        raise InputError(f"there is no part {strange[0]!r}; there is 0.head.0 to {known[-1]}")
    sites = _sites(names)
    answers, seen = states(of, ids, sites)
    there = instead(of, sites, seen)
    target = target.resolve(answers)
    output = target(answers)
    active = [name for name in names if not torch.equal(_of(seen, name), _of(there, name))]
    values = torch.zeros(len(ids), len(names), dtype=output.dtype)
    each = max(1, _TOGETHER // len(ids))
    for first in range(0, len(active), each):
        some = active[first : first + each]
        lost = output - _without(of, ids, target, there, [[name] for name in some])
        values[:, [names.index(name) for name in some]] = lost.T
    inactive = tuple(name for name in names if name not in set(active))
    return PartEffects(names=names, values=values, output=output, instead=repr(instead), exact=True, inactive=inactive)


def attributed(
    of: Transformer,
    ids: Int[Tensor, "batch tokens"],
    target: Target,
    instead: Counterfactual,
    *,
    steps: int = 5,
    verify: int = 10,
    seed: int = 0,
) -> PartEffects:
    """The effect of every part estimated by gradients, on the way from the other texts' embeddings to these: what a
    part says here less what it says there, times the gradient at it, averaged over `steps` (1: in the middle only;
    plain attribution patching has one, at the end, and fails where attention is saturated). The `verify` largest and as
    many drawn at random with `seed` are taken away exactly: `PartEffects.verified`, `agreement`.
    """
    if steps < 1 or verify < 0:
        raise InputError(f"steps is {steps} and verify {verify}, expected 1 or more and 0 or more")
    names, sites = part_names(of), _sites(part_names(of))
    answers, seen = states(of, ids, ["embed", *sites])
    there = instead(of, ["embed", *sites], seen)
    target = target.resolve(answers)
    total = {name: torch.zeros_like(seen[name]) for name in sites}
    for step in range(steps):
        share = (step + 0.5) / steps
        start = (there["embed"] + share * (seen["embed"] - there["embed"])).requires_grad_()
        with torch.enable_grad(), edited(of, {"embed": start}), recorded(of, sites) as felt:
            asked = target(logits(of, ids)[:, -1])
        for name, gradient in zip(sites, torch.autograd.grad(asked.sum(), [felt[name] for name in sites]), strict=True):
            total[name] += gradient / steps
    products = {name: (seen[name] - there[name]) * total[name] for name in sites}
    values = torch.stack([_of(products, name).flatten(1).sum(1) for name in names], 1)
    inactive = tuple(name for name in names if torch.equal(_of(seen, name), _of(there, name)))
    order = values.double().mean(0).abs().argsort(descending=True, stable=True).tolist()
    drawn = np.random.default_rng(seed).permutation(len(names))[:verify].tolist()
    chosen = list(dict.fromkeys(names[k] for k in [*order[:verify], *drawn])) if verify else []
    exact = patched(of, ids, target, instead, chosen) if chosen else None
    verified = {} if exact is None else {name: exact.values[:, exact.names.index(name)] for name in exact.names}
    return PartEffects(
        names=names,
        values=values,
        output=target(answers),
        instead=repr(instead),
        exact=False,
        inactive=inactive,
        verified=verified,
    )


def faithfulness(
    of: Transformer, ids: Int[Tensor, "batch tokens"], target: Target, instead: Instead, kept: Collection[str]
) -> Float[Tensor, " batch"]:
    """How much of the answer the heads in `kept` carry: 1 where the target is as with all of them, 0 as with none; all
    other heads say what stands in their place, perceptrons stay. Source: Wang et al. 2022, arXiv:2211.00593."""
    heads = [name for name in part_names(of) if ".head." in name]
    if strange := sorted(set(kept) - set(heads)):
        raise InputError(f"there is no head {strange[0]!r}; there is 0.head.0 to {heads[-1]}")
    sites = _sites(heads)
    answers, seen = states(of, ids, sites)
    there = instead(of, sites, seen)
    target = target.resolve(answers)
    none, some = _without(of, ids, target, there, [heads, [name for name in heads if name not in set(kept)]])
    return (some - none) / (target(answers) - none)


def _without(
    of: Transformer, ids: Int[Tensor, "batch tokens"], target: Target, there: Seen, groups: Sequence[Sequence[str]]
) -> Float[Tensor, "groups batch"]:
    """The target without each group of parts, all groups in one call."""
    count = len(ids)
    by_site: dict[str, list[tuple[int, str]]] = {}
    for place, group in enumerate(groups):
        for name in group:
            by_site.setdefault(_site(name), []).append((place, name))

    def changed(site: str) -> Edit:
        def edit(array: Tensor) -> Tensor:
            array = array.clone()
            for place, name in by_site[site]:
                mine = slice(place * count, (place + 1) * count)
                if ".head." in name:
                    array[mine, :, _head(name)] = _of(there, name)
                else:
                    array[mine] = _of(there, name)
            return array

        return edit

    rows = torch.arange(count).repeat(len(groups))
    with torch.no_grad(), edited(of, {site: changed(site) for site in by_site}):
        answers = logits(of, ids.repeat(len(groups), 1))[:, -1]
    return target.take(rows)(answers).reshape(len(groups), count)


def _sites(names: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(_site(name) for name in names))


def _site(name: str) -> str:
    return f"{name.split('.')[0]}.heads" if ".head." in name else name


def _head(name: str) -> int:
    return int(name.rpartition(".")[2])


def _of(seen: Seen, name: str) -> Tensor:
    array = seen[_site(name)]
    return array[:, :, _head(name)] if ".head." in name else array
