"""Pictures of molecules: the colours mean what the legend says, and sit on the atoms they belong to."""

import re
from typing import Any

import pytest
from rdkit import Chem

from attar.core.errors import InputError
from attar.core.heat import AGAINST, AROUND, INK, OUTLINE, SUPPORTS, ZERO, colour
from attar.domains.molecules.draw import fragment, heat_map, structure


def discs(svg: str) -> list[tuple[float, float, str]]:
    """Where each atom's disc is, and its colour."""
    found = re.findall(r'<circle cx="([\d.-]+)" cy="([\d.-]+)" r="[\d.]+" fill="(#\w+)">', svg)
    return [(float(x), float(y), paint) for x, y, paint in found]


# --- the heat map ---


def test_a_disc_has_the_colour_of_its_atom() -> None:
    """Chloroethane from its chlorine: the disc of the chlorine is where RDKit writes Cl."""
    svg = heat_map("ClCC", [1.0, 0.0, -1.0], scale=1.0)
    assert [paint for _, _, paint in discs(svg)] == [SUPPORTS, ZERO, AGAINST]
    x, y, _ = discs(svg)[0]
    letters = re.findall(r'<path d="M([\d.-]+) ([\d.-]+)[^"]*" fill="#111111"/>', svg)
    assert letters
    assert all(abs(float(a) - x) < 15 and abs(float(b) - y) < 15 for a, b in letters)
    assert "Cl, atom 0: +1.00" in svg
    assert "C, atom 2: −1.00" in svg


def test_equal_values_on_one_scale_are_equal_in_every_molecule() -> None:
    small, large = heat_map("CO", [0.5, 0.1], scale=2.0), heat_map("CCCCO", [0.5, 0, 0, 0, 2.0], scale=2.0)
    assert discs(small)[0][2] == discs(large)[0][2] == colour(0.5, 2.0)


def test_the_rules_atoms_are_outlined_and_no_others() -> None:
    svg = heat_map("CCO", [0.0] * 3, scale=1.0, outlined=[1, 2])
    band = re.search(rf'<path d="([^"]*)" fill="none" stroke="{OUTLINE}"', svg)
    assert band is not None
    dots = [(float(x), float(y)) for x, y in re.findall(r"M([\d.-]+) ([\d.-]+)h0", band.group(1))]
    assert dots == [(x, y) for x, y, _ in discs(svg)[1:]]
    assert OUTLINE not in heat_map("CCO", [0.0] * 3, scale=1.0)


def test_an_outlined_ring_is_one_area() -> None:
    svg = heat_map("Cc1ccccc1", [0.0] * 7, scale=1.0, outlined=range(1, 7))
    assert f'Z" fill="{OUTLINE}"' in svg
    assert f'Z" fill="{OUTLINE}"' not in heat_map("Cc1ccccc1", [0.0] * 7, scale=1.0, outlined=range(1, 6))


def test_an_atom_without_a_value_stays_bare() -> None:
    assert len(discs(heat_map("CCO", [1.0, None, None], scale=1.0))) == 1


def test_another_number_of_values_is_refused() -> None:
    with pytest.raises(InputError, match="2 values for the 3 atoms of CCO"):
        heat_map("CCO", [1.0, 2.0], scale=1.0)


# --- fragments ---


def paths(svg: str, paint: str) -> int:
    return svg.count(f'"{paint}"')


def test_a_fragment_is_black_and_what_is_around_it_grey() -> None:
    """Of propanol's oxygen with radius 1 the bond C–O and the letters are black, one bond is grey, one dotted."""
    svg = fragment("CCCO", 3, 1)
    lines = re.findall(r'<path [^>]*stroke-width="1.4"[^>]*>', svg)
    assert [INK in line for line in lines] == [False, False, True]
    assert ["dasharray" in line for line in lines] == [True, False, False]
    assert paths(svg, AROUND) == 2
    assert colour(0.45, 1) in svg
    assert colour(-0.45, 1) in fragment("CCCO", 3, 1, supports=False)


def test_a_fragment_of_one_atom_has_no_bond() -> None:
    lines = re.findall(r'<path [^>]*stroke-width="1.4"[^>]*>', fragment("CCCO", 3, 0))
    assert lines
    assert not [line for line in lines if INK in line]


def test_a_closing_bond_that_is_not_in_the_fragment_is_grey() -> None:
    """Radius 1 in cyclopropane holds all three atoms but not the bond across from the centre."""
    lines = re.findall(r'<path [^>]*stroke-width="1.4"[^>]*>', fragment("C1CC1", 0, 1))
    assert sorted(INK in line for line in lines) == [False, True, True]


def test_a_fragment_that_reaches_past_the_end_is_all_black() -> None:
    assert AROUND not in fragment("CO", 0, 3)


def test_a_large_example_is_cut_down_to_the_fragment() -> None:
    width = float(re.search(r'width="(\d+)"', fragment("CCO" + "C" * 40, 2, 1)).group(1))
    assert width < 160


def test_an_atom_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match="no atom 9 in CCO"):
        fragment("CCO", 9, 1)


# --- every picture ---


def coloured(smiles: str, describe: str) -> str:
    values = [0.1] * Chem.MolFromSmiles(smiles).GetNumAtoms()
    return heat_map(smiles, values, scale=1.0, outlined=[0], describe=describe)


DRAWN: dict[str, Any] = {
    "heat map": coloured,
    "fragment": lambda s, d: fragment(s, 0, 2, describe=d),
    "structure": lambda s, d: structure(s, describe=d),
}


@pytest.mark.parametrize("kind", DRAWN)
@pytest.mark.parametrize("smiles", ["C", "[Na+].[Cl-]", "C/C=C/[C@H](O)Cl", "*N1CCOCC1", "C" * 60])
def test_a_picture_stands_alone(kind: str, smiles: str) -> None:
    svg = DRAWN[kind](smiles, 'a <b> & "c"')
    assert svg.startswith("<svg ")
    assert svg.endswith("</svg>")
    assert 'aria-label="a &lt;b&gt; &amp; &quot;c&quot;"' in svg
    assert "<?xml" not in svg
    assert "http" not in svg
    assert " id=" not in svg
    assert "nan" not in svg
    assert DRAWN[kind](smiles, 'a <b> & "c"') == svg


@pytest.mark.parametrize("kind", ["fragment", "structure"])
def test_what_is_no_smiles_is_refused(kind: str) -> None:
    with pytest.raises(InputError, match="not a SMILES"):
        DRAWN[kind]("C(", "")
