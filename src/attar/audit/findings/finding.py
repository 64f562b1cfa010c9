"""What an audit found: one sentence of evidence, what it means for the verdict and what to do about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from attar.evaluation.intervals import Interval

Status = Literal["ok", "note", "caution", "distrust"]


@dataclass(frozen=True)
class Finding:
    """`question` says what was asked ("true of the phenomenon", "true of the model", "the data"); `status` is what
    it means for the verdict; `note` never counts."""

    name: str
    pitfall: str
    question: str
    status: Status
    evidence: str
    remedy: str
    value: float | None = None
    interval: tuple[float, float] | None = None
    chance: float | None = None
    control: float | None = None


def interval_text(i: Interval) -> str:
    return f"{number(i.score)} [{number(i.low)}, {number(i.high)}]"


def number(x: float) -> str:
    """With a true minus, and none before a 0 that is left by rounding."""
    return f"{x:.2f}".replace("-0.00", "0.00").replace("-", "−")


def signed(x: float) -> str:
    return f"{x:+.3f}".replace("-", "−")


def joined(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
