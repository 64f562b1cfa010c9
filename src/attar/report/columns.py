"""What the columns of a table are worth to a model, for its page: numbers with intervals, and the leading curves."""

from collections.abc import Mapping, Sequence
from math import floor, log10
from typing import Any

import numpy as np

from attar.core.svg import letters, svg

WIDE, TALL, LEFT, RIGHT, TOP, FOOT = 330, 190, 46, 12, 10, 34  # pixels; what stands around the curve
MOST = 20  # columns in the table
_LINE, _BAND, _ZERO, _FAINT = "#1f5fa8", "#cfe0f3", "#8a8a8a", "#555555"


def shown(found: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that are listed, how many are not, and a curve for each effect; for a template to lay out."""
    largest = max((abs(each["value"] or 0.0) for each in found["importance"]), default=0.0)
    digits = int(np.clip(2 - floor(log10(largest)), 0, 6)) if largest > 0 else 2
    rows = [_row(each, digits) for each in found["importance"]]
    return {
        "listed": rows[:MOST],
        "more": max(0, len(rows) - MOST),
        "effects": [{"column": each["column"], "picture": curve(each)} for each in found["effects"]],
    }


def _row(each: Mapping[str, Any], digits: int) -> dict[str, Any]:
    """With so many decimals as the largest has in three digits."""
    low, high = each["interval"] or (None, None)
    around = "" if low is None or high is None else f"[{_written(low, digits)}, {_written(high, digits)}]"
    return {
        **each,
        "weight": each["value"],
        "low": low,
        "high": high,
        "surely": low is not None and low > 0,
        "text": "–" if each["value"] is None else _written(each["value"], digits),
        "around": around,
    }


def _written(value: float, digits: int) -> str:
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")  # + 0: no minus before a zero


def curve(effect: Mapping[str, Any]) -> str:
    """The effect at each point with its interval: a line over numbers, dots over levels."""
    values, low, high = ([float(v) if v is not None else 0.0 for v in effect[key]] for key in ("values", "low", "high"))
    named = [not _is_number(point) for point in effect["points"]]
    places = list(range(len(values))) if any(named) else [float(g) for g in effect["grid"]]
    bottom, top = min([*low, 0.0]), max([*high, 0.0])
    x, y = _scale(min(places), max(places), LEFT, WIDE - RIGHT), _scale(bottom, top, TALL - FOOT, TOP)
    drawn = [f'<path d="M{LEFT} {y(0.0):.1f}H{WIDE - RIGHT}" stroke="{_ZERO}" stroke-dasharray="3 3" fill="none"/>']
    if any(named):
        for place, value, least, most in zip(places, values, low, high, strict=True):
            ends = f"M{x(place):.1f} {y(least):.1f}V{y(most):.1f}"
            drawn.append(f'<path d="{ends}" stroke="{_LINE}" stroke-width="2" fill="none"/>')
            drawn.append(f'<circle cx="{x(place):.1f}" cy="{y(value):.1f}" r="4" fill="{_LINE}"/>')
    else:
        there = [f"{x(p):.1f} {y(v):.1f}" for p, v in zip(places, high, strict=True)]
        back = [f"{x(p):.1f} {y(v):.1f}" for p, v in zip(places[::-1], low[::-1], strict=True)]
        line = " L".join(f"{x(p):.1f} {y(v):.1f}" for p, v in zip(places, values, strict=True))
        drawn.append(f'<path d="M{" L".join([*there, *back])}Z" fill="{_BAND}"/>')
        drawn.append(f'<path d="M{line}" stroke="{_LINE}" stroke-width="2" fill="none"/>')
    drawn += [_at(LEFT - 5, y(v) + 4, f"{v:+.2g}".replace("-", "−"), "end") for v in (bottom, top)]
    drawn += [
        _at(x(places[k]), TALL - FOOT + 18, _short(effect["points"][k]), anchor)
        for k, anchor in _ticks(len(places), named=any(named))
    ]
    said = f"Effect of {effect['column']}: from {values[0]:+.2g} at {effect['points'][0]} to {values[-1]:+.2g} at "
    return svg(drawn, (0, 0, WIDE, TALL), said + effect["points"][-1])


def _ticks(count: int, *, named: bool) -> list[tuple[int, str]]:
    if named and count <= 5:
        return [(k, "middle" if 0 < k < count - 1 else "start" if k == 0 else "end") for k in range(count)]
    return [(0, "start"), (count - 1, "end")] if count > 1 else [(0, "start")]


def _at(x: float, y: float, said: str, anchor: str) -> str:
    return letters(x, y, said, size=12, paint=_FAINT, anchor=anchor)


def _scale(low: float, high: float, first: float, last: float) -> Any:
    reach = high - low if high > low else 1.0
    return lambda value: first + (value - low) / reach * (last - first)


def _is_number(text: str) -> bool:
    try:
        float(text.split()[0] if text.split() else text)
    except ValueError:
        return False
    return True


def _short(text: str, most: int = 12) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def leading(found: Mapping[str, Any], most: int = 5) -> Sequence[str]:
    """The columns that count most, as lines for a terminal."""
    rows = found["importance"][:most]
    wide = max((len(each["column"]) for each in rows), default=0)
    lines = [f"Columns that count most, by what a held-out row's {found['unit']} gains without them:"]
    for each in rows:
        low, high = each["interval"] or (None, None)
        around = "" if low is None or high is None else f"  [{low:.3g}, {high:.3g}]"
        lines.append(f"  {each['column']:<{wide}}  {each['value']:>8.3g}{around}")
    return lines
