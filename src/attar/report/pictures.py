"""Which drawing belongs to which domain; only that of the record's own is imported."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, cast

from attar.core.heat import Legend

if TYPE_CHECKING:  # a page of a record needs no torch
    from attar.core.attribution import Attribution
    from attar.core.examples import Examples

DRAWN = {
    "molecules": "attar.domains.molecules.draw",
    "images": "attar.domains.images.draw",
    "sequences": "attar.domains.sequences.draw",
    "waveforms": "attar.domains.waveforms.draw",
    "volumes": "attar.domains.volumes.draw",
    "tables": "attar.domains.tables.draw",
    "rows": "attar.domains.raw_tables.draw",
    "texts": "attar.domains.text.draw",
}
# Domains whose examples out of files are drawn by them: `panel(axes, examples, found, example)` in that module, and
# `FILES`, what else an attribution can be written as there, by the ending of the name.
OF_FILES: dict[str, str] = {
    "molecules": "attar.domains.molecules.coloured",
    "sequences": "attar.domains.sequences.logo",
    "text": "attar.domains.text.marked",
    "volumes": "attar.domains.volumes.planes",
    "waveforms": "attar.domains.waveforms.traces",
}
STRONGEST = 3  # parts that a screen reader is told by name


class Drawing(Protocol):
    """A domain's `draw` module. An example is as its domain's `as_json` says."""

    LEGEND: Legend

    def heat_map(
        self, example: Any, values: Sequence[float], *, scale: float, outlined: Collection[int], describe: str
    ) -> str:
        """The example as SVG, its parts in the colours of their values, the `outlined` ones marked."""
        ...

    def part_name(self, example: Any, part: int, /) -> str: ...

    def written(self, example: Any, /) -> str:
        """The example as text that can be copied; "" where there is none."""
        ...


def drawing(domain: str) -> Drawing | None:
    """None for a domain that nobody draws."""
    return cast(Drawing, import_module(DRAWN[domain])) if domain in DRAWN else None


class Panel(Protocol):
    """Draws one example and its attribution on axes of matplotlib."""

    def __call__(self, axes: Any, examples: Examples, found: Attribution, example: int) -> None: ...


def panel(examples: Examples) -> Panel | None:
    """How examples out of a file are drawn; None where their domain leaves that to their shape."""
    return import_module(OF_FILES[examples.domain]).panel if examples.domain in OF_FILES else None


def named(examples: Examples, found: Attribution) -> Attribution:
    """The same answer by the parts that the domain names, where it names any for a list in a terminal."""
    module: Any = import_module(OF_FILES[examples.domain]) if examples.domain in OF_FILES else None
    return module.named(examples, found) if hasattr(module, "named") else found


def whole(examples: Examples, found: Attribution) -> Callable[[Any], None] | None:
    """How all examples are drawn in one panel, where their domain has them belong together; else None."""
    module: Any = import_module(OF_FILES[examples.domain]) if examples.domain in OF_FILES else None
    return module.whole(examples, found) if hasattr(module, "whole") else None


def beside(examples: Examples, found: Attribution) -> list[str]:
    """Lines that a terminal shows below the leading parts, where the domain has any."""
    module: Any = import_module(OF_FILES[examples.domain]) if examples.domain in OF_FILES else None
    return module.beside(examples, found) if hasattr(module, "beside") else []


def markup(examples: Examples, found: Attribution) -> str:
    """What a page shows above the leading parts, where the domain has more to show than pictures; else nothing."""
    module: Any = import_module(OF_FILES[examples.domain]) if examples.domain in OF_FILES else None
    return module.markup(examples, found) if hasattr(module, "markup") else ""


def files(examples: Examples) -> Mapping[str, Callable[[Examples, Attribution], bytes]]:
    """What else an attribution of these examples can be written as, by the ending of the file's name."""
    return import_module(OF_FILES[examples.domain]).FILES if examples.domain in OF_FILES else {}


def strongest(drawn: Drawing, example: Any, values: Sequence[float | None]) -> list[tuple[str, float]]:
    """The parts farthest from 0, by name."""
    known = sorted(((v, k) for k, v in enumerate(values) if v), key=lambda pair: -abs(pair[0]))
    return [(drawn.part_name(example, k), v) for v, k in known[:STRONGEST]]
