"""How a model's output goes with one column, or with two: a curve with its interval."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float
from scipy.special import stdtrit

from attar.core.errors import InputError
from attar.core.inputs import Tensors
from attar.core.model import Chunked
from attar.core.note import Note, counted
from attar.core.target import Target

_SHOWN, _BAR = 24, 20  # points in a text, blocks


class EffectMethod(Protocol):
    """A way to say how the target goes with the columns at `places`. Its repr is the provenance."""

    def __call__(self, model: Chunked, table: Tensors, places: tuple[int, ...], target: Target) -> "Effect": ...


@dataclass(frozen=True, eq=False, kw_only=True)
class Region:
    """Rows where the effect is another than elsewhere: where they are, in words, how many, and the effect there."""

    where: str
    rows: int
    effect: "Effect"


@dataclass(frozen=True, eq=False, kw_only=True)
class Effect:
    """The target at each point of `grid`, one axis for each column, as `kind` defines it, in units of the target.

    `standard_error` is that over samples of rows, with this model; `low` and `high` are the 95% interval of each point
    for itself. `curves` are those of the rows one by one, which the values are the means of (ICE; None: not kept, or
    the kind has none). `spread` is how much rows differ at a point: the standard deviation of the curves, or of the
    local differences that end there; where it is large one curve does not say it, and `regions`, where they were asked
    for, are where it would. Of a category a point is a level, `points` are their names.
    """

    kind: str
    columns: tuple[str, ...]
    grid: tuple[Float[np.ndarray, " points"], ...]
    points: tuple[tuple[str, ...], ...]
    values: Float[np.ndarray, "*points"]
    standard_error: Float[np.ndarray, "*points"]
    rows: int
    curves: Float[np.ndarray, "rows *points"] | None = None
    spread: Float[np.ndarray, "*points"] | None = None
    method: str = ""
    target: str = ""
    notes: tuple[Note, ...] = ()
    regions: tuple[Region, ...] = ()

    @property
    def low(self) -> Float[np.ndarray, "*points"]:
        return self.values - self._half()

    @property
    def high(self) -> Float[np.ndarray, "*points"]:
        return self.values + self._half()

    def _half(self) -> np.ndarray:
        if self.rows < 2:
            return np.full_like(self.values, np.inf)
        return stdtrit(self.rows - 1, 0.975) * self.standard_error

    def centred(self) -> "Effect":
        """Every curve counted from where it starts, so that their shapes can be compared: c-ICE.

        An effect that counts from its own mean is centred already, and comes back as it is. Raises `InputError` where
        the curves were not kept. Source: Goldstein et al. 2015, arXiv:1309.6392, section 3.2.
        """
        if self.curves is None:
            if "accumulated" in self.kind:
                return self
            raise InputError("the rows' curves were not kept: ask with curves=True")
        start = self.curves.reshape(len(self.curves), -1)[:, 0]
        curves = self.curves - start.reshape(-1, *[1] * (self.curves.ndim - 1))
        return replace(self.of_curves(curves), kind=f"{self.kind}, from its start")

    def of_curves(self, curves: Float[np.ndarray, "rows *points"]) -> "Effect":
        """The same question with other curves: their mean, its error and their spread."""
        values, error, spread = mean_of(curves)
        return replace(self, curves=curves, values=values, standard_error=error, spread=spread, rows=len(curves))

    def as_frame(self, library: Any = "pandas") -> Any:
        """A data frame with a row for each point: the columns, effect, standard_error, low, high, spread. `library` is
        any that narwhals knows: pandas, polars, pyarrow."""
        import narwhals as nw

        shape = self.values.shape
        arrays: dict[str, Any] = {}
        for axis, name in enumerate(self.columns):
            place = np.indices(shape)[axis].ravel()
            plain = self.grid[axis][place]
            named = [self.points[axis][k] for k in place.tolist()]
            arrays[name] = plain if all(_is_number(each) for each in self.points[axis]) else named
        taken = {"effect": self.values, "standard_error": self.standard_error, "low": self.low, "high": self.high}
        taken |= {} if self.spread is None else {"spread": self.spread}
        return nw.from_dict(arrays | {n: each.ravel() for n, each in taken.items()}, backend=library).to_native()

    def __str__(self) -> str:
        title = f"{self.kind} of {' and '.join(self.columns)} on {self.target or 'the target'}"
        lines = [f"{title}; {counted(self.rows, 'row')}"]
        if self.values.ndim == 1:
            lines += self._curve()
        else:
            size = " x ".join(map(str, self.values.shape))
            least, most = float(self.values.min()), float(self.values.max())
            lines.append(
                f"  {size} points, {least:.3g} to {most:.3g}; standard error ≤ {self.standard_error.max():.2g}"
            )
        for region in self.regions:
            lines.append(f"where {region.where} ({counted(region.rows, 'row')}):")
            lines += region.effect._curve() if region.effect.values.ndim == 1 else []
        for note in self.notes:
            lines += textwrap.wrap(f"note: {note.sentence}", 100, subsequent_indent=" " * 6)
        return "\n".join(lines)

    def _curve(self) -> list[str]:
        names = self.points[0]
        wide = max(len(each) for each in names)
        least, reach = float(self.values.min()), float(np.ptp(self.values)) or 1.0
        lines = []
        for k in _some(len(names)):
            bar = "█" * round((float(self.values[k]) - least) / reach * _BAR)
            around = f"[{self.low[k]:.3g}, {self.high[k]:.3g}]"
            lines.append(f"  {names[k]:>{wide}} {self.values[k]:>9.3g}  {around:<20} {bar}".rstrip())
        return lines


def mean_of(curves: Float[np.ndarray, "rows *points"]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The mean of curves, its standard error and their standard deviation (unknown of one: infinite)."""
    if len(curves) < 2:
        unknown = np.full(curves.shape[1:], np.inf)
        return curves.mean(0), unknown, unknown
    spread = curves.std(0, ddof=1)
    return curves.mean(0), spread / np.sqrt(len(curves)), spread


def _some(count: int) -> Sequence[int]:
    """All, or so many from first to last."""
    return range(count) if count <= _SHOWN else np.linspace(0, count - 1, _SHOWN).round().astype(int).tolist()


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
