"""What every domain's pictures keep: they stand alone in a page, say what they show, and colours mean what they do."""

import json
import re
from functools import cache
from typing import Any

import numpy as np
import pytest

from attar.core.columns import Columns
from attar.core.domain import Domain
from attar.core.errors import InputError
from attar.core.heat import AGAINST, OUTLINE, SUPPORTS, channels
from attar.core.svg import PNG, unpacked
from attar.domains.molecules.domain import Molecules
from attar.domains.molecules.molecule import Molecule
from attar.domains.raw_tables.domain import RawTables
from attar.experiments.benchmarks import MADE, made_domain
from attar.report.pictures import DRAWN, Drawing, drawing, strongest
from mixed_table import mixed

NAMES = ("molecules", "rows", *MADE)
EVERY = pytest.mark.parametrize("name", NAMES)


@cache
def case(name: str) -> tuple[Domain, Drawing, Any, int]:
    """A domain, its drawing, an example as a record holds it, and how many parts it has."""
    if name == "molecules":
        domain: Domain = Molecules()
        example: Any = Molecule.of("OCCc1ccccc1")
    elif name == "rows":
        columns, codes = Columns.encoded(mixed(60))
        domain, example = RawTables.of(columns, codes), tuple(codes[0].tolist())
    else:
        made = made_domain(name)
        domain, example = made, made.planter.background(np.random.default_rng(3))
    drawn = drawing(domain.name)
    assert drawn is not None
    return domain, drawn, json.loads(json.dumps(domain.as_json(example))), domain.size(example)


def picture(name: str, values: list[float], *, outlined: tuple[int, ...] = (), describe: str = "") -> str:
    _, drawn, example, _ = case(name)
    return drawn.heat_map(example, values, scale=1.0, outlined=outlined, describe=describe)


def paints(svg: str) -> set[tuple[int, ...]]:
    """Every colour in it, that of pixels too."""
    found = {channels(paint) for paint in re.findall(r'fill="(#\w{6})"', svg)}
    for address in re.findall(rf'href="({PNG}[^"]*)"', svg):
        found |= {tuple(pixel) for pixel in unpacked(address).reshape(-1, 3).tolist()}
    return found


def test_every_domain_is_drawn() -> None:
    assert {case(name)[0].name for name in NAMES} == set(DRAWN)
    assert drawing("smells") is None


@EVERY
def test_a_picture_stands_alone(name: str) -> None:
    svg = picture(name, [0.5] * case(name)[3], outlined=(0,), describe='a <b> & "c"')
    assert svg.startswith("<svg ")
    assert svg.endswith("</svg>")
    assert 'aria-label="a &lt;b&gt; &amp; &quot;c&quot;"' in svg
    assert not re.search(r"http|<\?xml| id=|<script|<style|nan", svg)
    assert all(address.startswith(PNG) for address in re.findall(r'href="([^"]*)', svg))
    assert picture(name, [0.5] * case(name)[3], outlined=(0,), describe='a <b> & "c"') == svg


@EVERY
def test_it_says_something_without_being_told(name: str) -> None:
    said = re.search(r'aria-label="([^"]*)"', picture(name, [0.0] * case(name)[3]))
    assert said is not None
    assert said.group(1)


@EVERY
def test_another_number_of_values_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="there are 2 values for the "):
        picture(name, [0.0, 1.0])


@EVERY
def test_warm_supports_and_cool_speaks_against(name: str) -> None:
    """The first part against, the second for: both full colours are there, and neither without its value."""
    rest = [0.0] * (case(name)[3] - 2)
    warm, cool = channels(SUPPORTS), channels(AGAINST)
    for values, there in (([-1.0, 1.0], {warm, cool}), ([0.0, 1.0], {warm}), ([-1.0, 0.0], {cool})):
        assert paints(picture(name, values + rest)) & {warm, cool} == there


@EVERY
def test_what_the_rule_names_is_marked_and_nothing_else(name: str) -> None:
    size = case(name)[3]
    assert f'stroke="{OUTLINE}"' in picture(name, [0.0] * size, outlined=(0,))
    assert f'stroke="{OUTLINE}"' not in picture(name, [0.0] * size)


@EVERY
def test_nothing_is_drawn_beside_the_picture(name: str) -> None:
    """Boxes, letters and pixels begin inside the window; a wide picture would be cut."""
    svg = picture(name, [1.0] * case(name)[3], outlined=(0,))
    wide, tall = map(float, re.search(r'viewBox="0.0 0.0 ([\d.]+) ([\d.]+)"', svg).groups())
    assert wide == case(name)[1].LEGEND.wide
    for at, limit in (("x", wide), ("y", tall)):
        places = [float(n) for each in re.findall(rf' {at}="([^"]*)"', svg) for n in each.split()]
        assert all(-0.1 <= place <= limit for place in places)


@EVERY
def test_parts_have_names_of_their_own(name: str) -> None:
    _, drawn, example, size = case(name)
    names = [drawn.part_name(example, k) for k in range(size)]
    assert len(set(names)) == size


@EVERY
def test_the_strongest_parts_are_named_first(name: str) -> None:
    _, drawn, example, size = case(name)
    values = [0.1] * (size - 2) + [-3.0, 2.0]
    first, second, third = strongest(drawn, example, values)
    assert first == (drawn.part_name(example, size - 2), -3.0)
    assert second == (drawn.part_name(example, size - 1), 2.0)
    assert third[1] == 0.1
