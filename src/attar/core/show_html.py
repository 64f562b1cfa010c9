"""An attribution in a notebook or a page: maps, leading parts, error and provenance as HTML that fetches nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from attar.core.heat import AGAINST, SATURATED, SUPPORTS, ZERO, coloured
from attar.core.show import (
    EXAMPLES,
    PARTS,
    Leading,
    changes_of,
    facts_of,
    leading,
    meaning,
    part_count,
    question_of,
    signed,
    unreached,
)
from attar.core.svg import png

if TYPE_CHECKING:
    from attar.core.attribution import Attribution


def as_html(found: "Attribution", *, names: Sequence[str] | None = None, pictures: bool = True) -> str:
    """The same for a notebook or a page, with a map for each picture or signal. No scripts; nothing is fetched."""
    maps = heat_maps(found) if pictures else []
    blocks = [_example_block(found, k, names, maps) for k in range(min(len(found), EXAMPLES))]
    rest = len(found) - len(blocks)
    more = f"<p>and {rest:,} more</p>" if rest > 0 else ""
    late = f"<p>{escape(said)}</p>" if (said := unreached(found)) else ""
    method, target = question_of(found)
    return (
        '<div style="font:13px/1.45 system-ui,sans-serif;max-width:60em">'
        f"<p><b>{escape(method)}</b> of <b>{escape(target)}</b></p>"
        f'<div style="display:flex;flex-wrap:wrap;gap:12px 28px">{"".join(blocks)}</div>{more}{_legend(maps)}{late}'
        f'<p style="opacity:.75">Error: {escape(meaning(found))}. Warm supports the target, cool speaks against it.</p>'
        "</div>"
    )


@dataclass(frozen=True, kw_only=True)
class HeatMaps:
    """The map of every example in one part, `Float[ndarray, "examples height width"]`, and what was summed over."""

    part: str
    values: np.ndarray
    summed: str

    @property
    def scale(self) -> float:
        """The value of the full colours: a few extreme positions would leave all others white."""
        return scale_of(self.values[:EXAMPLES])


def scale_of(values: np.ndarray) -> float:
    """What lies at the ends of the colours: the magnitude that 99.5% of the values stay below."""
    size = np.abs(values[values != 0])
    return float(np.quantile(size, SATURATED)) if size.size else 0.0


def heat_maps(found: "Attribution") -> list[HeatMaps]:
    """The parts that can be drawn as a map: one row per example, with two axes or more."""
    maps = []
    for part, array in found.parts.items():
        if array.ndim < 3 or len(array) != len(found) or not array.numel():
            continue
        values = array.detach().cpu().double().numpy()
        channels_last = values.ndim == 4 and values.shape[3] <= 4 < values.shape[1]
        summed = (3,) if channels_last else tuple(range(1, values.ndim - 2))
        said = {0: "", 1: "summed over channels"}.get(len(summed), "summed over channels and depth")
        maps.append(HeatMaps(part=part, values=values.sum(summed), summed=said))
    return maps


def _example_block(found: "Attribution", example: int, names: Sequence[str] | None, maps: list[HeatMaps]) -> str:
    title = (
        f"<b>{escape(f'example {example}' if names is None else names[example])}</b>" if len(found) > 1 or names else ""
    )
    facts = " · ".join(f"{name} {value}" for name, value in facts_of(found, example).items() if value)
    kept = f"<div>keeps: {escape(found.rules[example])}</div>" if found.rules else ""
    kept += "".join(f"<div>{escape(f'{name}: {said}')}</div>" for name, said in changes_of(found, example).items())
    pictures = "".join(_map_image(each, example) for each in maps)
    return f"<div>{title}<div>{escape(facts)}</div>{kept}{pictures}{_part_table(found, example)}</div>"


def _map_image(each: HeatMaps, example: int) -> str:
    values = each.values[example]
    height, width = values.shape
    tall = max(36, round(260 * height / width))
    wide, tall = (260, tall) if tall <= 320 else (max(36, round(320 * width / height)), 320)
    said = escape(f"attribution of {each.part}, {height} by {width}, {each.summed}".rstrip(", "))
    return (
        f'<img alt="{said}" title="{said}" width="{wide}" height="{tall}" src="{png(coloured(values, each.scale))}" '
        'style="image-rendering:pixelated;display:block;border:1px solid #999;margin:4px 0">'
    )


def _part_table(found: "Attribution", example: int) -> str:
    parts = leading(found, example, PARTS)
    largest = max((abs(part.value) for part in parts), default=0.0)
    rows = "".join(_part_row(part, largest) for part in parts)
    rest = part_count(found, example) - len(parts)
    more = f'<tr><td colspan="3" style="opacity:.75">and {rest:,} more</td></tr>' if rest > 0 else ""
    return (
        f'<table style="border-collapse:collapse;font:inherit;font-variant-numeric:tabular-nums">{rows}{more}</table>'
    )


def _part_row(part: Leading, largest: float) -> str:
    share = 0 if largest == 0 else 50 * abs(part.value) / largest
    side = f"left:50%;background:{SUPPORTS}" if part.value > 0 else f"right:50%;background:{AGAINST}"
    spread = "" if part.standard_error is None else f" ± {part.standard_error:.2g}"
    cell = 'style="padding:1px 8px 1px 0;text-align:right"'
    return (
        f'<tr><td style="padding:1px 8px 1px 0;text-align:left">{escape(part.title)}</td>'
        f"<td {cell}>{signed(part.value)}{spread}</td>"
        '<td style="width:120px;padding:0"><div style="position:relative;height:12px">'
        f'<div style="position:absolute;top:0;bottom:0;width:{share:.1f}%;{side}"></div>'
        '<div style="position:absolute;top:-2px;bottom:-2px;left:50%;border-left:1px solid #888"></div>'
        "</div></td></tr>"
    )


def _legend(maps: list[HeatMaps]) -> str:
    """One scale for each kind of map."""
    shown = []
    for each in maps:
        ends = f"{signed(-each.scale)}", f"{signed(each.scale)}"
        blend = f"linear-gradient(to right,{AGAINST},{ZERO},{SUPPORTS})"
        what = ", ".join(text for text in (each.part, each.summed, "units of the target") if text)
        shown.append(
            f'<div style="display:flex;gap:6px;align-items:center;margin:6px 0"><span>{ends[0]}</span>'
            f'<span style="width:140px;height:12px;border:1px solid #999;background:{blend}"></span>'
            f"<span>{ends[1]}</span><span>{escape(what)}</span></div>"
        )
    return "".join(shown)
