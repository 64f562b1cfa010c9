"""Models that answer again and again as a signal goes on: targets that name a time, answers as stretches of it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from attar.core.errors import InputError
from attar.core.examples import Examples
from attar.core.note import listed
from attar.core.target import Logit, Target

_TOLD = 6  # stretches that are listed


@dataclass(frozen=True)
class Throughout(Target):
    """The mean of outputs `first` to `last`, counted from 0: those from one time to another."""

    first: int
    last: int

    def __call__(self, outputs: Float[Tensor, "batch outputs"]) -> Float[Tensor, " batch"]:
        if outputs.ndim != 2 or not 0 <= self.first <= self.last < outputs.shape[1]:
            raise InputError(f"{self!r} are not among the outputs {tuple(outputs.shape[1:])}")
        return outputs[:, self.first : self.last + 1].mean(1)


@dataclass(frozen=True, kw_only=True)
class Timed:
    """An answer called `word` for every `each` samples of `rate` per second; `partly`: the last may have fewer.

    What `target` and `remarks` of a `Pretrained` are made of.
    """

    word: str
    each: int
    rate: float
    partly: bool = False

    def named(self, text: str, examples: Examples) -> Target | None:
        """`voice@1.2s`: the answer at that time; `voice@1.2-3.4s`: the mean over these; `voice`: over all. None for
        what is no name; raises `InputError` for other names and for times that the signal does not have."""
        words = text.strip()
        if words.lower() == "predicted" or words[:1].isdecimal():
            return None
        found = re.fullmatch(rf"{self.word}(?:\s*@\s*([\d.]+)\s*(?:-\s*([\d.]+)\s*)?s?)?", words, re.IGNORECASE)
        ends = [] if found is None else [_seconds(word) for word in found.groups() if word is not None]
        if found is None or None in ends:
            raise InputError(f"the target is {text!r}, expected {self.word}, {self.word}@1.2s or {self.word}@1.2-3.4s")
        samples = examples.inputs.parts["input"].shape[-1]
        count = -(-samples // self.each) if self.partly else samples // self.each
        if not ends:
            return Throughout(0, count - 1)
        places = [int(second * self.rate) // self.each for second in ends if second is not None]
        if max(places) >= count or places != sorted(places):
            lasts = (samples if self.partly else count * self.each) / self.rate
            raise InputError(f"the target is {text!r}, and there are answers from 0 to {lasts:.4g} s")
        return Logit(places[0]) if len(places) == 1 else Throughout(places[0], places[1])

    def spans(self, outputs: Float[Tensor, " outputs"]) -> list[tuple[float, float]]:
        """The seconds from which to which the answer is likelier than not: its log-odds above 0."""
        likely = torch.cat([outputs.new_zeros(1), (outputs > 0).to(outputs), outputs.new_zeros(1)])
        change = likely.diff()
        first, last = ((change == sign).nonzero()[:, 0].tolist() for sign in (1, -1))
        seconds = self.each / self.rate
        return [(a * seconds, b * seconds) for a, b in zip(first, last, strict=True)]

    def remarks(self, examples: Examples, outputs: Float[Tensor, "batch outputs"]) -> Sequence[str]:  # noqa: ARG002
        spans = [f"{a:.1f}-{b:.1f} s" for a, b in self.spans(outputs[0])]
        share = float((outputs[0] > 0).double().mean())
        where = f" ({listed(spans, most=_TOLD)})" if spans else ""
        lasts = self.each / self.rate
        said = f"{1000 * lasts:.0f} ms" if lasts < 1 else f"{lasts:g} s"
        return [f"it says: {self.word} in {share:.0%} of {outputs.shape[1]} times {said}{where}"]


def _seconds(word: str) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None
