"""How much each column counts over all rows, with its interval."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float
from scipy.special import stdtrit

from attar.core.errors import InputError
from attar.core.note import Note, counted

if TYPE_CHECKING:
    from attar.core.attribution import Attribution

_SHOWN = 20  # columns in a text
_BAR, _WIDTH = 20, 100  # blocks, columns of a terminal


@dataclass(frozen=True, eq=False, kw_only=True)
class Importance:
    """A number for each column, its standard error and its 95% interval, over `rows` rows.

    `how` says which number it is: the mean over rows of what a loss would gain without the column (signed: the interval
    of a column that says nothing holds 0), or the mean size of a column's attribution (never negative, and never 0 for
    a column that moves the output at all). `unit` is that of the loss or of the target. `total` is what all columns
    together are worth, where the values sum to it. Intervals are for other rows like these, with this model.
    """

    names: tuple[str, ...]
    values: Float[np.ndarray, " columns"]
    standard_error: Float[np.ndarray, " columns"]
    low: Float[np.ndarray, " columns"]
    high: Float[np.ndarray, " columns"]
    rows: int
    unit: str
    how: str
    total: float | None = None
    notes: tuple[Note, ...] = ()

    @classmethod
    def of_means(
        cls,
        names: Sequence[str],
        values: Float[np.ndarray, " columns"],
        standard_error: Float[np.ndarray, " columns"],
        *,
        rows: int,
        unit: str,
        how: str,
        least: float = -np.inf,
        total: float | None = None,
        notes: tuple[Note, ...] = (),
    ) -> "Importance":
        """Means over rows with these standard errors; the interval is Student's t, and unbounded for a single row."""
        half = np.full_like(values, np.inf) if rows < 2 else stdtrit(rows - 1, 0.975) * standard_error
        return cls(
            names=tuple(names),
            values=values,
            standard_error=standard_error if rows > 1 else np.full_like(values, np.inf),
            low=np.maximum(values - half, least),
            high=values + half,
            rows=rows,
            unit=unit,
            how=how,
            total=total,
            notes=notes,
        )

    def __len__(self) -> int:
        return len(self.names)

    def ranked(self, limit: int | None = None) -> list[tuple[str, float]]:
        """The columns with their values, the largest first; of equal ones the first comes first."""
        return [(self.names[k], float(self.values[k])) for k in self._order()[:limit]]

    def as_frame(self, library: Any = "pandas") -> Any:
        """A data frame, the most important column first: column, importance, standard_error, low, high. `library` is
        any that narwhals knows: pandas, polars, pyarrow."""
        import narwhals as nw

        order = self._order()
        arrays = {
            "column": [self.names[k] for k in order],
            "importance": self.values[order],
            "standard_error": self.standard_error[order],
            "low": self.low[order],
            "high": self.high[order],
        }
        return nw.from_dict(arrays, backend=library).to_native()

    def _order(self) -> list[int]:
        return np.argsort(-self.values, kind="stable").tolist()

    def __str__(self) -> str:
        order = self._order()
        wide = max((len(self.names[k]) for k in order[:_SHOWN]), default=0)
        largest = max((abs(float(value)) for value in self.values), default=0.0)
        unit = f" ({self.unit})" if self.unit else ""
        lines = [f"{self.how}{unit}; {counted(self.rows, 'row')}"]
        for k in order[:_SHOWN]:
            bar = "█" * (0 if largest == 0 else round(max(float(self.values[k]), 0.0) / largest * _BAR))
            around = f"[{_short(self.low[k])}, {_short(self.high[k])}]"
            lines.append(f"  {self.names[k]:<{wide}} {_short(self.values[k]):>9}  {around:<20} {bar}".rstrip())
        if len(self) > _SHOWN:
            lines.append(f"  and {len(self) - _SHOWN:,} more")
        if self.total is not None:
            lines.append(f"  together they are worth {_short(self.total)}")
        for note in self.notes:
            lines += textwrap.wrap(f"note: {note.sentence}", _WIDTH, subsequent_indent=" " * 6)
        return "\n".join(lines)

    def described(self) -> dict[str, Any]:
        """For a file; `of_description` reads it."""
        arrays = {name: getattr(self, name).tolist() for name in ("values", "standard_error", "low", "high")}
        said = {name: getattr(self, name) for name in ("names", "rows", "unit", "how", "total")}
        return {**said, **arrays, "notes": [asdict(note) for note in self.notes]}

    @classmethod
    def of_description(cls, told: Mapping[str, Any]) -> "Importance":
        said: dict[str, Any] = {name: told[name] for name in ("rows", "unit", "how", "total")}
        said |= {name: np.array(told[name], dtype=float) for name in ("values", "standard_error", "low", "high")}
        notes = tuple(Note(**{**each, "rows": tuple(each["rows"])}) for each in told["notes"])
        return cls(**said, names=tuple(told["names"]), notes=notes)


def importance_of(found: "Attribution") -> Importance:
    """What `Attribution.importance` says."""
    if found.overall is not None:
        return found.overall
    values, errors, names = by_column(found)
    rows = len(values)
    signed = bool(found.loss)
    said = values if signed else np.abs(values)
    how = "mean over rows of what each column takes off the loss" if signed else "mean size of each column's value"
    if not signed and errors is not None and errors.any():
        how += f" (what was drawn adds up to {_short(errors.mean(0).max())} to it)"
    error = said.std(0, ddof=1) / np.sqrt(rows) if rows > 1 else np.full(said.shape[1], np.inf)
    least = -np.inf if signed else 0.0
    unit = found.loss or found.target
    return Importance.of_means(names, said.mean(0), error, rows=rows, unit=unit, how=how, least=least)


def by_column(
    found: "Attribution",
) -> tuple[Float[np.ndarray, "rows columns"], Float[np.ndarray, "rows columns"] | None, tuple[str, ...]]:
    """Values (and their standard errors) with a row for each example. Raises `InputError` where examples do not have
    the same columns."""
    count, (part, array) = len(found), next(iter(found.parts.items()))
    own = found.owners[part].bincount(minlength=count).tolist() if count else []
    if not count or len(found.parts) > 1 or len({*own}) > 1:
        raise InputError("an importance is a mean over rows of the same columns: attribute the rows of one table")
    values = array.reshape(count, -1)
    if found.single:
        names = found.entry_names or tuple(f"[{k}]" for k in range(values.shape[1]))
    else:
        known = found.names.get(part)
        each = values.shape[1]
        names = tuple(known[:each]) if known is not None else tuple(f"{part} {k}" for k in range(each))
        if known is not None and any(tuple(known[k * each : (k + 1) * each]) != names for k in range(count)):
            raise InputError("an importance is a mean over rows of the same columns, and these rows' differ in name")
    errors = None if found.standard_error is None else found.standard_error[part].reshape(count, -1)
    return (
        values.detach().cpu().double().numpy(),
        None if errors is None else errors.detach().cpu().double().numpy(),
        tuple(names),
    )


def _short(value: float) -> str:
    return f"{float(value):.3g}"
