"""The answers of `attar explain`: in a terminal, and as a picture, a page, a long table, JSON or safetensors."""

import io
import json
import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from attar.core.attribution import Attribution
from attar.core.errors import InputError
from attar.core.examples import Examples
from attar.core.features import Features
from attar.core.heat import AGAINST, SUPPORTS, ZERO, channels, coloured
from attar.core.inputs import Tensors
from attar.core.show import as_text, changes_of, index_name, leading, signed
from attar.core.show_html import HeatMaps, as_html, heat_maps
from attar.core.surface import GREY, INK, STYLE
from attar.core.svg import png
from attar.experiments.explain import Explained
from attar.report.pictures import beside, files, markup, named, panel, whole

_OF_DOMAINS: dict[str, str] = {  # endings that one domain writes, and what they need
    ".wav": "only what is said of a signal, read from a WAV, CSV or EDF file, is a stretch of sound",
    ".nii.gz": "only what is said of a volume, read from a NIfTI file, lies on voxels",
    ".nii": "only what is said of a volume, read from a NIfTI file, lies on voxels",
}
_DRAWN = 4  # examples in a picture
_BARS = 12  # parts that are drawn as bars
_LISTED = 10_000  # parts of one example in JSON
_CHANNELS = 4  # at most so many, or it is another axis
_WIDE = 2.8  # inches of one panel
_DPI = 150


def terminal(explained: Explained) -> str:
    """What was opened, how, and a short table for each method; of a loss, what each column is worth over all rows."""
    examples = explained.opened.examples
    names = examples.names
    tables = [
        str(found.importance())
        if found.loss and len(found) > 1
        else "\n".join([as_text(named(examples, found), names=names), *beside(examples, found)])
        for found in explained.found.values()
    ]
    return "\n\n".join(["\n".join(explained.said), *tables])


def written(explained: Explained, path: Path) -> str | bytes:
    """The contents of a file of the kind that the name of `path` ends in. Raises `InputError` for a kind that only
    another domain writes, and for several methods where one file holds one."""
    ending = suffix(path)
    if ending in WRITERS:
        return WRITERS[ending](explained)
    examples = explained.opened.examples
    if ending not in (kinds := files(examples)):
        raise InputError(f"cannot write {path}: {_OF_DOMAINS[ending]}")
    if len(explained.found) > 1:
        raise InputError(f"{path} can hold one attribution; name one method")
    return kinds[ending](examples, next(iter(explained.found.values())))


def suffix(path: Path) -> str:
    """The ending of a file that can be written. Raises `InputError` for another."""
    name = path.name.lower()
    for ending in (*_OF_DOMAINS, *WRITERS):
        if name.endswith(ending):
            return ending
    raise InputError(f"cannot write {path}: expected a name that ends in {', '.join((*WRITERS, *_OF_DOMAINS))}")


# --- pictures ---


def picture(explained: Explained, kind: str) -> bytes:
    """A panel for each method (column) and each of the first examples (row), in `kind`: png or svg.

    Warm supports the target, cool speaks against it, white is 0; the ends of a scale lie equally far from it. What is
    seen of a picture stands first.
    """
    from matplotlib import style
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    seen = explained.opened.examples.seen
    names = explained.opened.examples.names
    together = {name: whole(explained.opened.examples, found) for name, found in explained.found.items()}
    rows = 1 if all(together.values()) else min(len(names), _DRAWN)
    first = int(seen is not None)
    columns = len(explained.found) + first
    tall = _WIDE if seen is None else _WIDE * float(np.clip(seen.shape[1] / seen.shape[2], 0.4, 2.0))
    ours: Any = {**STYLE, "font.size": 9, "svg.hashsalt": "attar"}
    with style.context(["default", ours]):
        figure = Figure(figsize=((_WIDE + 0.9) * columns - 0.7 * first, (tall + 0.6) * rows), layout="constrained")
        FigureCanvasAgg(figure)
        panels = figure.subplots(rows, columns, squeeze=False)
        for row, pixels in enumerate([] if seen is None else seen[:rows]):
            panels[row, 0].imshow(pixels)
            _bare(panels[row, 0])
            panels[row, 0].set_title(f"{names[row]}\nas it was read", loc="left", fontsize=9, color=INK)
        for column, (name, found) in enumerate(explained.found.items()):
            if (draw_all := together[name]) is not None:
                draw_all(panels[0, column])
                panels[0, column].set_title(name, loc="left", fontsize=9, color=INK)
                continue
            draw = _drawing(name, explained)
            for row in range(rows):
                axes = panels[row, column + first]
                draw(axes, row)
                axes.set_title(_title(name, found, row, names), loc="left", fontsize=9, color=INK)
        if rest := 0 if all(together.values()) else len(names) - rows:
            figure.supxlabel(f"and {rest:,} more", fontsize=9, color=GREY)
        file = io.BytesIO()
        still = {"Date": None} if kind == "svg" else {"Software": None}
        figure.savefig(file, format=kind, dpi=_DPI, facecolor="white", metadata=still)
    return file.getvalue()


def _title(name: str, found: Attribution, example: int, names: Sequence[str]) -> str:
    late = found.error.reached is not None and not bool(found.error.reached[example])
    return (
        f"{names[example]} · {name}\noutput {signed(float(found.output[example]))}, "
        f"error (L1) {float(found.error.bound[example]):.2g}{' *' if late else ''}"
    )


def _drawing(name: str, explained: Explained) -> Callable[[Any, int], None]:
    """How one example of this answer is drawn: as a map, as a signal, or as bars."""
    domain = panel(explained.opened.examples)
    if domain is not None:
        examples, found = explained.opened.examples, explained.found[name]
        return lambda axes, example: domain(axes, examples, found, example)
    found, inputs, seen = explained.found[name], explained.opened.examples.inputs, explained.opened.examples.seen
    by = getattr(explained.methods[name], "by", None)
    if by is not None and isinstance(inputs, Tensors) and inputs.values.ndim == 4:
        painted = _painted(found, by(inputs.by_entry()), inputs)
        return lambda axes, example: _map(axes, painted, None if seen is None else seen[example], example)
    maps = heat_maps(found)
    if not found.single or len(maps) != 1:
        return lambda axes, example: _bars(axes, found, example)
    if isinstance(inputs, Tensors) and inputs.values.ndim == 3 and min(inputs.values.shape[1:]) <= _CHANNELS:
        return lambda axes, example: _signal(axes, found, inputs.values, example)
    return lambda axes, example: _map(axes, maps[0], None if seen is None else seen[example], example)


def _painted(found: Attribution, features: Features, inputs: Tensors) -> HeatMaps:
    """The value of a window on each of its pixels; the mean where windows overlap."""
    share, values = features.shares["input"], found.parts[features.name]
    flat = values.new_zeros(inputs.values.numel())
    total = flat.index_add(0, share.row, values[share.feature])
    times = flat.index_add(0, share.row, torch.ones_like(values)[share.feature])
    laid_out = (total / times.clamp(min=1)).reshape(inputs.values.shape)
    axis = 3 if laid_out.shape[3] <= _CHANNELS < laid_out.shape[1] else 1
    return HeatMaps(part="input", values=_numpy(laid_out.mean(axis)), summed=features.rule)


def _map(axes: Any, maps: HeatMaps, seen: np.ndarray | None, example: int) -> None:
    """Colours, the stronger the less is seen of the picture below, which is grey."""
    values = maps.values[example]
    pixels = coloured(values, maps.scale) / 255
    extent = (0, values.shape[1], values.shape[0], 0)
    if seen is not None:
        grey = 0.65 + 0.35 * seen.mean(2, keepdims=True)
        axes.imshow(np.broadcast_to(grey, (*grey.shape[:2], 3)), extent=extent, interpolation="nearest")
        strength = np.clip(np.abs(values) / maps.scale, 0, 1) if maps.scale else np.zeros(values.shape)
        full = np.where((values > 0)[..., None], channels(SUPPORTS), channels(AGAINST)) / 255
        pixels = np.concatenate([full, strength[..., None]], 2)
    axes.imshow(pixels, extent=extent, interpolation="nearest", aspect="auto" if _flat(values) else "equal")
    _bare(axes)
    _scale_bar(axes, maps.scale, maps.summed)


def _bare(axes: Any) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def _flat(values: np.ndarray) -> bool:
    return not 0.2 < values.shape[0] / values.shape[1] < 5


def _scale_bar(axes: Any, scale: float, summed: str) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LinearSegmentedColormap, Normalize

    blend = LinearSegmentedColormap.from_list("attar", [AGAINST, ZERO, SUPPORTS])
    span = scale or 1.0
    bar = axes.figure.colorbar(ScalarMappable(Normalize(-span, span), blend), ax=axes, aspect=25, pad=0.02)
    bar.set_ticks([-span, 0, span], labels=[signed(-span), "0", signed(span)] if scale else ["", "0", ""])
    bar.set_label("\n".join(filter(None, ["units of the target", summed])), fontsize=8)


def _signal(axes: Any, found: Attribution, signal: Tensor, example: int) -> None:
    """The signal as a line for each channel, the attribution as coloured steps behind it, on its own scale."""
    values, lines = _numpy(next(iter(found.parts.values()))[example]), _numpy(signal[example])
    if lines.shape[0] > lines.shape[1]:  # the longer axis runs along the signal
        lines = lines.T
    values = values.sum(values.shape.index(min(values.shape))) if values.ndim > 1 else values
    behind = axes.twinx()
    behind.fill_between(range(len(values)), values.clip(min=0), step="mid", color=SUPPORTS, linewidth=0)
    behind.fill_between(range(len(values)), values.clip(max=0), step="mid", color=AGAINST, linewidth=0)
    span = float(np.abs(values).max()) or 1.0
    behind.set_ylim(-1.1 * span, 1.1 * span)
    behind.set_ylabel("attribution, units of the target", fontsize=8)
    axes.set_zorder(behind.get_zorder() + 1)
    axes.patch.set_visible(False)
    axes.plot(lines.T, color=INK, linewidth=0.9)
    axes.set_ylabel("signal", fontsize=8)


def _bars(axes: Any, found: Attribution, example: int) -> None:
    """The leading parts, the largest above, with a whisker of 1.96 standard errors where the method has them."""
    parts = leading(found, example, _BARS)
    values = [part.value for part in parts]
    paint = [SUPPORTS if value > 0 else AGAINST for value in values]
    whiskers = [1.96 * (part.standard_error or 0.0) for part in parts]
    shown = whiskers if any(part.standard_error is not None for part in parts) else None
    axes.barh(range(len(parts)), values, xerr=shown, color=paint, ecolor=INK, capsize=2)
    axes.set_yticks(range(len(parts)), [part.title for part in parts])
    axes.invert_yaxis()
    axes.axvline(0, color=GREY, linewidth=0.8)
    axes.set_xlabel("units of the target" + ("; whiskers: 95%" if shown else ""), fontsize=8)


# --- a page ---


def page(explained: Explained) -> str:
    """One HTML page: what was opened and how, and each answer as a notebook shows it. Nothing is fetched."""
    opened = explained.opened
    seen = [] if opened.examples.seen is None else list(opened.examples.seen[:_DRAWN])
    style = 'height="200" style="image-rendering:pixelated"'
    pictures = "".join(
        f'<img alt="the input" {style} src="{png(np.rint(255 * pixels).astype(np.uint8))}">' for pixels in seen
    )
    said = "".join(f"<li>{escape(line)}</li>" for line in explained.said)
    answers = "".join(_answer(opened.examples, found) for found in explained.found.values())
    title = f"{opened.question.model.name} about {opened.question.about}"
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
        '<body style="font:14px/1.5 system-ui,sans-serif;margin:2em auto;max-width:62em;padding:0 1em">'
        f"<h1>{escape(title)}</h1><ul>{said}</ul>{pictures}{answers}</body></html>\n"
    )


def _answer(examples: Examples, found: Attribution) -> str:
    shown = markup(examples, found)
    return shown + as_html(named(examples, found) if shown else found, names=examples.names)


# --- for programs ---


def long_table(explained: Explained) -> bytes:
    """Parquet: a row for every number of every example and method. What is one for an example is repeated."""
    import pyarrow
    from pyarrow import parquet

    columns: dict[str, list[Any]] = {}
    for name, found in explained.found.items():
        for column, cells in _rows(name, found, explained.opened.examples.names).items():
            columns.setdefault(column, []).append(cells)
    table = pyarrow.table({column: np.concatenate(cells) for column, cells in columns.items()})
    said: Mapping[bytes, bytes] = {b"attar": json.dumps(_provenance(explained)).encode()}
    file = io.BytesIO()
    parquet.write_table(table.replace_schema_metadata({**(table.schema.metadata or {}), **said}), file)
    return file.getvalue()


def _rows(name: str, found: Attribution, names: Sequence[str]) -> dict[str, np.ndarray]:
    pieces: dict[str, list[np.ndarray]] = {}
    for part, array in found.parts.items():
        owner = _numpy(found.owners[part]).astype(int)
        first = np.searchsorted(owner, owner)  # rows are in the order of their examples
        row = np.arange(len(owner)) - first
        shape = tuple(array.shape[1:])
        each = int(np.prod(shape))
        entry = [index_name(k, shape) for k in range(each)]
        entry = list(found.entry_names) if found.single and found.entry_names is not None else entry
        known = found.names.get(part)
        labels = [f"{part} {k}" for k in row] if known is None else list(known)
        spread = found.standard_error[part] if found.standard_error is not None else None
        cells = {
            "example": owner,
            "name": np.array([names[k] for k in owner], dtype=object),
            "part": np.array([part] * len(owner), dtype=object),
            "row": row,
            "row_name": np.array(labels, dtype=object),
        }
        repeated = {column: np.repeat(held, each) for column, held in cells.items()}
        repeated["entry"] = np.tile(np.array(entry, dtype=object), len(owner))
        repeated["value"] = _numpy(array).reshape(-1)
        repeated["standard_error"] = (
            np.full(len(owner) * each, np.nan) if spread is None else _numpy(spread).reshape(-1)
        )
        for column, numbers in (("output", found.output), ("error", found.error.bound)):
            repeated[column] = np.repeat(_numpy(numbers)[owner], each)
        repeated["method"] = np.array([name] * len(owner) * each, dtype=object)
        for column, held in repeated.items():
            pieces.setdefault(column, []).append(held)
    return {column: np.concatenate(held) for column, held in pieces.items()}


def as_json(explained: Explained) -> str:
    """The answers as JSON, parts ranked by magnitude; of an example with very many the first ones."""
    answers = [
        {"name": name, **_of_method(found), "examples": _of_examples(found, explained.opened.examples.names)}
        for name, found in explained.found.items()
    ]
    return json.dumps({**_provenance(explained), "attributions": answers}, indent=1, ensure_ascii=False) + "\n"


def _provenance(explained: Explained) -> dict[str, Any]:
    from attar import __version__

    question = explained.opened.question
    return {
        "attar": __version__,
        "model": str(question.model),
        "input": str(question.input),
        "said": list(explained.said),
        "methods": {name: _of_method(found) for name, found in explained.found.items()},
    }


def _of_method(found: Attribution) -> dict[str, str]:
    return {"method": found.method, "target": found.target, "error_is": found.error.how}


def _numbers(held: Any) -> Any:
    """JSON knows neither infinity nor NaN: null."""
    if isinstance(held, list):
        return [_numbers(each) for each in held]
    return held if math.isfinite(held) else None


def _of_examples(found: Attribution, names: Sequence[str]) -> list[dict[str, Any]]:
    residual = found.residual()
    listed = []
    for k, name in enumerate(names):
        parts = leading(found, k)
        listed.append(
            {
                "name": name,
                "output": float(found.output[k]),
                "reference": None if found.reference is None else float(found.reference[k]),
                "left_over": None if residual is None else float(residual[k]),
                "error": float(found.error.bound[k]),
                "tolerance_reached": None if found.error.reached is None else bool(found.error.reached[k]),
                "evaluations": int(found.evaluations[k]),
                "measured": {each: _numbers(array[k].tolist()) for each, array in found.measured.items()},
                **({"keeps": found.rules[k]} if found.rules else {}),
                **({"changes": changes} if (changes := changes_of(found, k)) else {}),
                "parts": [
                    {"name": part.name, "value": part.value, "standard_error": part.standard_error}
                    | ({"is": part.said} if part.said else {})
                    for part in parts[:_LISTED]
                ],
                "parts_left_out": max(0, len(parts) - _LISTED),
            }
        )
    return listed


def saved(explained: Explained) -> bytes:
    """Safetensors, for `attar.Attribution.load`: one method."""
    if len(explained.found) > 1:
        raise InputError("a safetensors file holds one attribution; name one method, or write .parquet")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "found.safetensors"
        next(iter(explained.found.values())).save(path)
        return path.read_bytes()


def _numpy(array: Tensor) -> np.ndarray:
    return array.detach().cpu().double().numpy()


WRITERS: dict[str, Callable[[Explained], str | bytes]] = {
    ".png": lambda explained: picture(explained, "png"),
    ".svg": lambda explained: picture(explained, "svg"),
    ".html": page,
    ".parquet": long_table,
    ".json": as_json,
    ".safetensors": saved,
}
