"""An attribution in a terminal: one short table; and its leading parts, which every way of showing it needs."""

import textwrap
from bisect import bisect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isnan, prod
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from attar.core.parts import Parts

if TYPE_CHECKING:
    from attar.core.attribution import Attribution

EXAMPLES, PARTS = 5, 8  # at most so many are shown
_WIDTH = 100  # columns of a terminal
_BAR = 12  # blocks on either side of 0


@dataclass(frozen=True, kw_only=True)
class Leading:
    """One part of an example: its name, its value, and its standard error where the method gives one."""

    name: str
    value: float
    standard_error: float | None
    said: str = ""  # what a column of a data frame is in the example

    @property
    def title(self) -> str:
        if not self.said:
            return self.name
        return f"{self.name} is missing" if self.said == "missing" else f"{self.name} = {self.said}"


def leading(found: "Attribution", example: int, limit: int | None = None) -> list[Leading]:
    """The parts of one example, the largest magnitude first; of equal ones the first comes first.

    For a single tensor they are its entries, otherwise rows, summed over features. The sum has a standard error only
    where it is of one entry.
    """
    values, spreads, namers, ends = [], [], [], [0]
    for part, array in found.parts.items():
        mine = (found.owners[part] == example).nonzero()[:, 0]
        flat = array[mine].flatten() if found.single else Parts({part: array[mine]}).per_row()[part]
        spread = torch.full_like(flat, torch.nan)
        if found.standard_error is not None and found.standard_error[part][mine].numel() == len(flat):
            spread = found.standard_error[part][mine].flatten().to(flat)
        values.append(flat)
        spreads.append(spread)
        namers.append(_namer(found, part, mine, tuple(array.shape[1:])))
        ends.append(ends[-1] + len(flat))
    every, spread = torch.cat(values), torch.cat(spreads)
    order = every.abs().argsort(descending=True, stable=True)[:limit]
    shown = []
    for place, value, error in zip(order.tolist(), every[order].tolist(), spread[order].tolist(), strict=True):
        k = bisect(ends, place) - 1
        name = namers[k](place - ends[k])
        said = _said(found, example, place)
        shown.append(Leading(name=name, value=value, standard_error=None if isnan(error) else error, said=said))
    return shown


def _said(found: "Attribution", example: int, entry: int) -> str:
    """What an entry of the example is in words, where it is a column of a data frame."""
    columns = None if found.table is None else found.table.columns
    if columns is None or found.table is None or not found.single:
        return ""
    return columns[entry].said(float(found.table.values[example, entry]))


def changes_of(found: "Attribution", example: int) -> dict[str, str]:
    """What was measured of the columns of a data frame, such as a counterfactual: where it differs, in words. Of
    several rows for an example, the first of which stands by itself, the others that differ."""
    columns = None if found.table is None else found.table.columns
    if columns is None or found.table is None or not found.single:
        return {}
    here, shape, changes = found.table.values[example].tolist(), found.table.values.shape, {}

    def said(there: Tensor) -> str:
        pairs = zip(columns.each, here, there.tolist(), strict=True)
        return ", ".join(
            f"{each.name} {each.said(own)} → {each.said(other)}" for each, own, other in pairs if own != other
        )

    for name, there in found.measured.items():
        if name == "bounds":  # of a rule, which is put into words
            continue
        if there.shape == shape:
            changes[name] = said(there[example]) or "no change"
        elif there.ndim == 3 and (len(there), there.shape[2]) == tuple(shape):
            others = {f"{name} {k}": said(row) for k, row in enumerate(there[example][1:], 2)}
            changes |= {title: change for title, change in others.items() if change}
    return changes


def _namer(found: "Attribution", part: str, mine: Tensor, shape: tuple[int, ...]) -> Callable[[int], str]:
    if found.single:
        names = found.entry_names
        return lambda k: names[k] if names is not None else index_name(k, shape)
    known = found.names.get(part)
    return lambda k: f"{part} {k}" if known is None else known[int(mine[k])]


def index_name(flat: int, shape: tuple[int, ...]) -> str:
    """The index of an entry as numpy would write it: `[2, 0]`."""
    return "[" + ", ".join(str(int(k)) for k in np.unravel_index(flat, shape)) + "]"


def as_text(found: "Attribution", *, names: Sequence[str] | None = None) -> str:
    """One short table: of one example its leading parts, of several a line each. `names` are what to call examples."""
    count = len(found)
    title = textwrap.wrap(" of ".join(question_of(found)), _WIDTH)
    body = _one_example(found) if count == 1 else _examples(found, names)
    error = textwrap.wrap(f"error: {meaning(found)}", _WIDTH, subsequent_indent=" " * 7)
    notes = [] if found.overall is None else [f"note: {note.sentence}" for note in found.overall.notes]
    said = [line for note in notes for line in textwrap.wrap(note, _WIDTH, subsequent_indent=" " * 6)]
    return "\n".join([*title, *body, *filter(None, [unreached(found)]), *error, *said])


def question_of(found: "Attribution") -> tuple[str, str]:
    """The method, with the layers it read, and the target."""
    read = f" from {', '.join(found.layers)}" if found.layers else ""
    return f"{found.method or 'an attribution'}{read}", found.target or "a target"


def _one_example(found: "Attribution") -> list[str]:
    facts = [f"{name} {value}" for name, value in facts_of(found, 0).items() if value]
    parts = leading(found, 0, PARTS)
    wide = max((len(part.title) for part in parts), default=0)
    largest = max((abs(part.value) for part in parts), default=0.0)
    said = textwrap.wrap(f"keeps: {found.rules[0]}", _WIDTH, subsequent_indent=" " * 7) if found.rules else []
    for name, change in changes_of(found, 0).items():
        said += textwrap.wrap(f"{name}: {change}", _WIDTH, subsequent_indent=" " * 7)
    lines = [*_side_by_side(facts), *said]
    spreads = ["" if part.standard_error is None else f" ± {part.standard_error:.2g}" for part in parts]
    beside = max(map(len, spreads), default=0)
    for part, spread in zip(parts, spreads, strict=True):
        value = f"{signed(part.value):>10}{spread:<{beside}}"
        lines.append(f"  {part.title:<{wide}} {value}  {_bar(part.value, largest)}".rstrip())
    rest = part_count(found, 0) - len(parts)
    return [*lines, f"  and {rest:,} more"] if rest > 0 else lines


def _side_by_side(facts: Sequence[str]) -> list[str]:
    """Facts with dots between them, on as many lines as they need; none is broken."""
    held = "\u00a0· ".join(fact.replace(" ", "\u00a0") for fact in facts)
    return [line.replace("\u00a0", " ") for line in textwrap.wrap(held, _WIDTH)]


def _examples(found: "Attribution", names: Sequence[str] | None) -> list[str]:
    shown = min(len(found), EXAMPLES)
    facts = [{"example": called(names, k)} | facts_of(found, k) for k in range(shown)]
    columns = [column for column in (facts[0] if facts else {}) if any(row[column] for row in facts)]
    wide = {column: max(len(column), *(len(row[column]) for row in facts)) for column in columns}
    last = "keeps" if found.rules else "counts most"
    lines = ["  ".join([*(f"{column:>{wide[column]}}" for column in columns), last])] if facts else []
    for k, row in enumerate(facts):
        most = ", ".join(f"{part.title} {signed(part.value)}" for part in leading(found, k, 3))
        most = found.rules[k] if found.rules else most
        lines.append("  ".join([*(f"{row[column]:>{wide[column]}}" for column in columns), most]))
    rest = len(found) - shown
    return [*lines, f"and {rest:,} more"] if rest > 0 else lines or ["no examples"]


def facts_of(found: "Attribution", example: int) -> dict[str, str]:
    """What is known of one example besides its values; the empty text where a thing is not."""
    residual = found.residual()
    return {
        "output": signed(float(found.output[example])),
        "reference": "" if found.reference is None else signed(float(found.reference[example])),
        "left over": "" if residual is None else f"{float(residual[example]):+.1e}",
        "error": f"{float(found.error.bound[example]):.2g}{'' if _reached(found, example) else '*'}",
        "evaluations": f"{int(found.evaluations[example]):,}",
        **{name: signed(float(each[example])) for name, each in found.measured.items() if each.ndim == 1},
    }


def meaning(found: "Attribution") -> str:
    return f"over all values of an example (L1), in units of the target; {found.error.how}"


def _bar(value: float, largest: float) -> str:
    blocks = 0 if largest == 0 else round(abs(value) / largest * _BAR)
    filled = "█" * blocks
    return f"{filled if value < 0 else '':>{_BAR}}│{filled if value > 0 else ''}"


def called(names: Sequence[str] | None, example: int) -> str:
    return str(example) if names is None else names[example]


def _reached(found: "Attribution", example: int) -> bool:
    return found.error.reached is None or bool(found.error.reached[example])


def unreached(found: "Attribution") -> str:
    """What the star beside an error says; empty where every example reached its tolerance."""
    late = 0 if found.error.reached is None else int((~found.error.reached).sum())
    if not late:
        return ""
    where = "" if len(found) == 1 else f"in {late:,} of {len(found):,} examples "
    return f"* {where}{found.error.otherwise}"


def part_count(found: "Attribution", example: int) -> int:
    """How many parts an example has."""
    rows = {part: int((owner == example).sum()) for part, owner in found.owners.items()}
    return sum(n * prod(found.parts[part].shape[1:]) if found.single else n for part, n in rows.items())


def signed(value: float) -> str:
    """Three digits and always a sign."""
    return f"{value:+.3g}" if value else "0"
