"""Texts out of a command line or a file, drawn: each word (or token) on the colour of its value; and what a model wrote
after a text token by token, as a matrix of each token on all before it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from jaxtyping import Float

from attar.adapters.tokens import PART, Tokens
from attar.core.attribution import Attribution
from attar.core.errors import InputError
from attar.core.examples import Examples
from attar.core.heat import AGAINST, INK, SUPPORTS, ZERO, colour, coloured
from attar.core.show import signed
from attar.domains.text.parts import Pieces

FILES: Mapping[str, Callable[[Examples, Attribution], bytes]] = {}
_COLUMNS = 44  # letters in a line of a picture
_TALL = 0.13  # of a panel, a line
_SHOWN = 40  # tokens that a matrix names in a picture
_SPAN = "padding:1px 0;border-radius:2px;white-space:pre-wrap;background:{};color:{}"


@dataclass(frozen=True)
class Marked:
    """Pieces of one text as they stand, and the value of each."""

    pieces: tuple[str, ...]
    names: tuple[str, ...]
    values: tuple[float, ...]
    special: tuple[bool, ...]


def named(examples: Examples, found: Attribution) -> Attribution:
    """The same answer by the parts of the texts, words or tokens."""
    parts = _parts(examples, found)
    return found if parts.by in found.parts and PART not in found.parts else found.carried(parts(_tokens(examples)))


def marked(examples: Examples, found: Attribution) -> list[Marked]:
    """Each text in pieces with their values."""
    inputs, carried = _tokens(examples), named(examples, found)
    parts = _parts(examples, found)(inputs)
    share = parts.shares[PART]
    values = next(iter(carried.parts.values())).detach().cpu().double().numpy()
    of_row = np.zeros(len(inputs.ids), dtype=int)
    of_row[share.row.cpu().numpy()] = share.feature.cpu().numpy()
    owner, special = inputs.row_owner.cpu().numpy(), inputs.special.cpu().numpy()
    names, texts = parts.names or (), []
    for example in range(len(inputs)):
        groups: list[tuple[int, str, bool]] = []
        for row in np.flatnonzero(owner == example):
            if groups and groups[-1][0] == of_row[row]:
                groups[-1] = (groups[-1][0], groups[-1][1] + inputs.pieces[row], groups[-1][2])
            else:
                groups.append((int(of_row[row]), inputs.pieces[row], bool(special[row])))
        texts.append(
            Marked(
                pieces=tuple(piece for _, piece, _ in groups),
                names=tuple(names[k] for k, _, _ in groups),
                values=tuple(float(values[k]) for k, _, _ in groups),
                special=tuple(odd for _, _, odd in groups),
            )
        )
    return texts


def _parts(examples: Examples, found: Attribution) -> Pieces:
    known = [part for part in found.parts if part in ("words",)]
    if known:
        return Pieces(by=known[0])
    return examples.features if isinstance(examples.features, Pieces) else Pieces()


def _tokens(examples: Examples) -> Tokens:
    if not isinstance(examples.inputs, Tokens):
        raise InputError(f"these are {type(examples.inputs).__name__}, expected the tokens of texts")
    return examples.inputs


def is_written(examples: Examples) -> bool:
    """Whether the examples are one text, each with one more of the tokens that the model wrote after it."""
    return len(examples.raw) > 1 and all(each.next is not None for each in examples.raw)


# --- a page ---


def markup(examples: Examples, found: Attribution) -> str:
    """The texts as HTML: pieces coloured, their values on hover; of what was written after a text the matrix."""
    texts = marked(examples, found)
    scale = max((abs(v) for text in texts for v in text.values), default=0.0)
    if is_written(examples):
        return _matrix_markup(examples, texts, scale) + _legend(scale)
    blocks = []
    for name, text in zip(examples.names, texts, strict=True):
        spans = "".join(
            _span(piece, title, value, scale, odd)
            for piece, title, value, odd in zip(text.pieces, text.names, text.values, text.special, strict=True)
        )
        heading = f'<div style="opacity:.75;font-size:12px">{escape(name)}</div>' if len(texts) > 1 else ""
        blocks.append(f'{heading}<p style="font-size:17px;line-height:2;margin:.3em 0">{spans}</p>')
    return "".join(blocks) + _legend(scale)


def _span(piece: str, name: str, value: float, scale: float, odd: bool) -> str:
    style = _SPAN.format(colour(value, scale), INK) + (";font-size:70%;opacity:.8" if odd else "")
    return f'<span style="{style}" title="{escape(name)}: {signed(value)}">{escape(piece)}</span>'


def _matrix_markup(examples: Examples, texts: Sequence[Marked], scale: float) -> str:
    columns = texts[-1].names
    heads = "".join(
        f'<th style="writing-mode:vertical-rl;transform:rotate(180deg);font-weight:400;padding:2px">{escape(name)}</th>'
        for name in columns
    )
    rows = []
    for name, text in zip(examples.names, texts, strict=True):
        cells = "".join(
            f'<td style="min-width:16px;height:20px;background:{colour(value, scale)}" '
            f'title="{escape(title)}: {signed(value)}"></td>'
            for title, value in zip(text.names, text.values, strict=True)
        )
        rows.append(f'<tr><th style="text-align:right;font-weight:400;padding:0 8px">{escape(name)}</th>{cells}</tr>')
    return (
        "<p>Each row is a token that the model wrote; each column a token before it, and what it counted for that.</p>"
        '<div style="overflow-x:auto"><table style="border-collapse:separate;border-spacing:1px;font:inherit">'
        f"<tr><th></th>{heads}</tr>{''.join(rows)}</table></div>"
    )


def _legend(scale: float) -> str:
    blend = f"linear-gradient(to right,{AGAINST},{ZERO},{SUPPORTS})"
    return (
        '<div style="display:flex;gap:6px;align-items:center;margin:6px 0;font-size:13px">'
        f"<span>{signed(-scale)}</span>"
        f'<span style="width:140px;height:12px;border:1px solid #999;background:{blend}"></span>'
        f"<span>{signed(scale)}</span><span>units of the target; hover for numbers</span></div>"
    )


# --- a picture ---


def panel(axes: Any, examples: Examples, found: Attribution, example: int) -> None:
    """One text in lines on axes of matplotlib, its pieces on their colours; the first lines of a long one."""
    text = marked(examples, found)[example]
    scale = max((abs(v) for v in text.values), default=0.0)
    x = line = 0
    for piece, value in zip(text.pieces, text.values, strict=True):
        shown = piece.replace("\n", "⏎")
        if x and x + len(shown) > _COLUMNS:
            x, line = 0, line + 1
        place = (0.01 + x / (_COLUMNS + 2), 0.97 - line * _TALL)
        if place[1] < _TALL:
            axes.text(*place, "…", transform=axes.transAxes, family="monospace", fontsize=7, va="top")
            break
        box = {"boxstyle": "square,pad=0.12", "facecolor": colour(value, scale), "edgecolor": "none"}
        axes.text(
            *place, shown, transform=axes.transAxes, family="monospace", fontsize=6.5, va="top", color=INK, bbox=box
        )
        x += len(shown)
    _bare(axes)
    axes.set_xlabel(f"white 0, full colours ±{signed(scale).lstrip('+')} (units of the target)", fontsize=7)


def whole(examples: Examples, found: Attribution) -> Callable[[Any], None] | None:
    """How all examples are drawn in one panel: the matrix of what was written after a text; None for others."""
    if not is_written(examples):
        return None
    texts = marked(examples, found)

    def draw(axes: Any) -> None:
        values = matrix(texts)
        scale = float(np.nanmax(np.abs(values), initial=0.0))
        pixels = coloured(np.nan_to_num(values), scale).astype(float) / 255
        pixels[np.isnan(values)] = 0.93
        axes.imshow(pixels, aspect="auto", interpolation="nearest")
        axes.set_yticks(range(len(texts)), examples.names, fontsize=7)
        columns = texts[-1].names
        some = range(0, len(columns), -(-len(columns) // _SHOWN))
        axes.set_xticks(some, [columns[k] for k in some], rotation=90, fontsize=7)
        axes.set_xlabel(f"tokens before; white 0, full colours ±{signed(scale).lstrip('+')}", fontsize=7)

    return draw


def matrix(texts: Sequence[Marked]) -> Float[np.ndarray, "written before"]:
    """A row for each token that was written, a column for each piece before the last of them; NaN where none was."""
    found = np.full((len(texts), len(texts[-1].values)), np.nan)
    for row, text in enumerate(texts):
        found[row, : len(text.values)] = text.values
    return found


def _bare(axes: Any) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
