"""A model that explains itself in place of one that does not, and how far it can stand for it."""

from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from numpy import ndarray

from attar.core.note import counted


@dataclass(frozen=True)
class Fidelity:
    """How well a stand-in answers as the model does, on rows that it did not learn from: the figure and its 95%
    interval.

    `measure` says which: the share of the variance of the model's answers that it accounts for (R²), or the share of
    rows in which both say the same class.
    """

    measure: str
    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.measure} {self.value:.3f} (95%: {self.low:.3f} to {self.high:.3f})"


@dataclass(frozen=True, eq=False, kw_only=True)
class Surrogate:
    """`model` was fitted to the answers of another model: what it says of itself is true of the other as far as
    `fidelity` goes, and no further.

    `columns` are those that it was fitted to, in which a category is a column of 0 and 1 for each level. `table` turns
    rows like the given ones into them. `worst` are the rows, in words, where the two part most, with how far they part
    there and elsewhere (None: nowhere more than elsewhere). `off` is how far they part in each held-out row.
    """

    model: Any
    columns: tuple[str, ...]
    fidelity: tuple[Fidelity, ...]
    learnt: int
    held_out: int
    off: Float[ndarray, " held_out"]
    worst: str | None
    target: str

    def reading(self) -> str:
        """What the stand-in says of itself, with how far it is to be believed before it."""
        lines = [
            f"A {type(self.model).__name__} in place of the model, for {self.target}: learnt from "
            f"{counted(self.learnt, 'row')}, tried on {self.held_out:,} others.",
            *(f"  {each}" for each in self.fidelity),
            f"They part most where {self.worst}." if self.worst else "They part nowhere more than elsewhere.",
        ]
        if (own := getattr(self.model, "reading", None)) is not None:
            lines += ["What it says is true of the model only as far as that:", own(list(self.columns))]
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.reading()
