"""An additive model in plain words."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from attar.design.labelled import plain
from attar.design.wording import Wording, short, signed

_POINTS = 50
_MOST = 6  # levels of a category that are put into words
_WHAT = {
    "binomial": "the log-odds of {one}",
    "multinomial": "the logit of {one}",
    "gaussian": "the value",
    "poisson": "the log of the expected count",
    "gamma": "the log of the expected value",
}


def reading_of(model: Any, names: Sequence[str] | None, units: Mapping[str, str] | None) -> str:
    words = Wording.of(model, names, units)
    lines = []
    classes = getattr(model, "classes_", None)
    for output in range(len(model.intercept_)):
        family = model.family if classes is None else ("binomial" if len(model.intercept_) == 1 else "multinomial")
        one = "" if classes is None else repr(plain(classes[1 if len(model.intercept_) == 1 else output]))
        what = _WHAT[family].format(one=one)
        lines.append(
            f"{what[0].upper()}{what[1:]} is {short(model.intercept_[output])} on average, plus what each column's "
            "curve says; what counts most first:"
        )
        order = np.argsort(-model.spread_[:, output], kind="stable").tolist()
        said = [_column(model, words, k, output) for k in order]
        lines += [f"  {line}" for line in said if line]
        if flat := [words.name(k) for k, line in zip(order, said, strict=True) if not line]:
            lines.append(f"Not told from a flat line: {', '.join(flat)}.")
        lines += [f"  {line}" for line in _joint(model, words, output)]
        lines.append("")
    lines.append(
        f"Ranges in brackets are {model.band}; a curve that cannot be told from a flat line is one whose band holds 0 "
        "everywhere."
    )
    lines += model.alike_.sentences(words.name)
    lines.append(
        f"What it cannot tell: whether a column causes anything; columns that act together, but for {_together(model)};"
        f" values beyond those of its {short(model.n_rows_)} rows, where curves go on as {model.beyond}."
    )
    return "\n".join(lines)


def _joint(model: Any, words: Wording, output: int) -> list[str]:
    """Terms of several columns, which no curve shows."""
    return [
        f"{' and '.join(words.name(k) for k in columns)} together: {short(model.term_spread_[term, output])} (standard "
        "deviation over the rows), shared evenly in attributions"
        for term, columns in enumerate(model.term_columns_)
        if len(columns) > 1
    ]


def _together(model: Any) -> str:
    pairs = any(len(columns) > 1 for columns in model.term_columns_)
    return "those listed" if pairs else "none: each has its curve whatever the others are"


def _column(model: Any, words: Wording, k: int, output: int) -> str:
    """What the curve does, or nothing where its band holds 0 everywhere."""
    curve = model.shape(k, points=_POINTS)
    value, low, high = (a if a.ndim == 1 else a[:, output] for a in (curve.value, curve.low, curve.high))
    if not len(value) or not ((low > 0) | (high < 0)).any():
        return ""
    if model.steps(k):
        order = np.argsort(-value, kind="stable")[:_MOST].tolist()
        shown = [
            f"{_level(curve.grid[j], words, k)} {signed(value[j])} ({short(low[j])} to {short(high[j])})" for j in order
        ]
        more = len(value) - len(shown)
        return f"{words.name(k)}: {', '.join(shown)}{f', and {more} more' if more else ''}"
    at = curve.grid
    start, end = words.value(k, at[0]), words.value(k, at[-1])
    first, last = (f"{signed(value[j])} ({short(low[j])} to {short(high[j])})" for j in (0, -1))
    return f"{words.name(k)}: {_course(at, value, words, k)}, {first} at {start}, {last} at {end}"


def _level(level: Any, words: Wording, k: int) -> str:
    return words.value(k, float(level)) if isinstance(level, float | int | np.number) else repr(str(level))


def _course(at: np.ndarray, value: np.ndarray, words: Wording, k: int) -> str:
    """`rises`, `falls`, `rises until 3, then falls`: turns that are a tenth of the way or more."""
    enough = 0.1 * float(np.ptp(value))
    turns, way, extreme = [], 0, 0
    for j in range(1, len(value)):
        if way == 0:
            if abs(value[j] - value[0]) >= enough:
                way, extreme = (1 if value[j] > value[0] else -1), j
        elif way * (value[j] - value[extreme]) >= 0:
            extreme = j
        elif way * (value[extreme] - value[j]) >= enough:
            turns.append((way, extreme))
            way, extreme = -way, j
    turns.append((way, len(value) - 1))
    said = [
        f"{'rises' if way > 0 else 'falls'}" + ("" if j == len(value) - 1 else f" until {words.value(k, float(at[j]))}")
        for way, j in turns
    ]
    return ", then ".join(said)
