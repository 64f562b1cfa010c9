"""What is said of molecules out of a file, by atoms and by groups: each value where it belongs, in its colour."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pytest
import torch
from matplotlib.colors import to_hex
from matplotlib.patches import Circle

from attar.core.attribution import Attribution
from attar.core.errors import InputError
from attar.core.examples import Examples
from attar.core.heat import AGAINST, SUPPORTS, ZERO, colour
from attar.core.parts import Parts
from attar.domains.molecules.coloured import beside, by_group, groups_said, markup, named, on_atoms, panel
from attar.domains.molecules.examples import molecule_examples
from attar.domains.molecules.graphs import molecule_graphs
from attar.domains.molecules.parts import Groups
from attar.methods.occlusion import Occlusion
from attar.report.pictures import beside as beside_of_domain
from attar.verb import attribute


class Total(torch.nn.Module):
    """The sum of all features of a molecule's atoms."""

    def forward(
        self, x: torch.Tensor, edge_index: torch.Tensor, edge_attr: torch.Tensor, batch: torch.Tensor
    ) -> torch.Tensor:
        return x.new_zeros(int(batch.max()) + 1, 1).index_add(0, batch, x.sum(1, keepdim=True))


def said(examples: Examples, atoms: list[float], bond: float = 0.0) -> Attribution:
    """An answer with these values of atoms, and one for every directed bond."""
    found = attribute(Total(), examples.inputs, Occlusion())
    parts = found.parts.map(torch.zeros_like)
    parts["atoms"][:] = torch.tensor(atoms)
    parts["bonds"][:] = bond
    return replace(found, parts=parts)


@pytest.fixture
def anilines(tmp_path: Path) -> Examples:
    """Aniline (nitrogen, six carbons) and chloroethanol (oxygen, two carbons, chlorine) out of a file."""
    (tmp_path / "two.smi").write_text("Nc1ccccc1\nOCCCl\n")
    return molecule_examples(tmp_path / "two.smi", molecule_graphs)


VALUES = [2.0, 0, 0, 0, 0, 0, -1.0, -4.0, 0, 0, 1.0]


def test_atoms_are_called_by_element_number_and_group(anilines: Examples) -> None:
    found = named(anilines, said(anilines, VALUES))
    assert [name for name, _ in found.ranked(0)][:2] == ["N, atom 0 (amino)", "C, atom 6 (benzene)"]
    assert found.ranked(1)[0] == ("O, atom 0 (hydroxy)", -4.0)


def test_a_bond_counts_half_to_either_end_of_it(anilines: Examples) -> None:
    of_atoms = on_atoms(anilines, said(anilines, [0.0] * 11, bond=1.0))
    assert of_atoms[0].tolist() == [1, 3, 2, 2, 2, 2, 2]  # as many as it has neighbours, once there and once back
    assert of_atoms[1].tolist() == [1, 2, 2, 1]
    found = said(anilines, [0.0] * 11)
    found.parts["bonds"][-1] = 1.0  # from chlorine back to its carbon
    assert on_atoms(anilines, found)[1].tolist() == [0, 0, 0.5, 0.5]
    assert not on_atoms(anilines, found)[0].any()
    assert by_group(anilines, found).parts["groups"].flatten().tolist() == [0, 0, 0, 0.5, 0.5]


def test_a_bond_between_groups_counts_half_to_either(anilines: Examples) -> None:
    groups = by_group(anilines, said(anilines, [0.0] * 11, bond=1.0))
    assert groups.parts["groups"].flatten().tolist() == [1, 13, 1, 4, 1]


def test_values_of_a_layer_are_left_as_they_are(anilines: Examples) -> None:
    found = said(anilines, VALUES)
    of_layer = replace(found, parts=Parts({"layer": found.parts["atoms"]}), owners={"layer": found.owners["atoms"]})
    assert named(anilines, of_layer) is of_layer


def test_groups_have_the_sums_of_their_own_molecule(anilines: Examples) -> None:
    lines = groups_said(anilines, said(anilines, VALUES))
    assert lines[0].startswith("amino (atom 0) +2")
    assert "benzene (atoms 1-6) −1" in lines[0].replace("-1", "−1")
    assert lines[1].startswith("hydroxy (atom 0) ")
    assert "chloro (atom 3) +1" in lines[1]


def test_a_groups_value_stands_on_all_of_its_atoms(anilines: Examples) -> None:
    assert anilines.features == Groups()  # taken away whole, not shared out
    found = attribute(Total(), anilines.inputs, Occlusion(by=anilines.features))
    assert by_group(anilines, found) is found
    assert named(anilines, found) is found
    each = on_atoms(anilines, found)
    values = found.parts["groups"].flatten().tolist()
    assert each[0].tolist() == pytest.approx([values[0], *[values[1]] * 6])
    assert each[1].tolist() == pytest.approx([values[2], values[3], values[3], values[4]])


def drawn(examples: Examples, found: Attribution, example: int) -> Any:
    figure, axes = plt.subplots()
    panel(axes, examples, found, example)
    plt.close(figure)
    return axes


def test_a_panel_has_the_colours_of_its_own_molecule(anilines: Examples) -> None:
    found = said(anilines, VALUES)
    for example, expected in ((0, [2.0, 0, 0, 0, 0, 0, -1.0]), (1, [-4.0, 0, 0, 1.0])):
        axes = drawn(anilines, found, example)
        largest = max(map(abs, expected))
        discs = [to_hex(each.get_facecolor()) for each in axes.patches if isinstance(each, Circle)]
        assert discs == [colour(value, largest) for value in expected]
        assert discs[0] == (SUPPORTS if example == 0 else AGAINST)
    assert discs[1] == ZERO


def test_letters_stand_on_what_is_no_carbon_in_its_colour(anilines: Examples) -> None:
    axes = drawn(anilines, said(anilines, VALUES), 1)
    letters = {text.get_text(): to_hex(text.get_bbox_patch().get_facecolor()) for text in axes.texts}
    assert letters == {"OH": colour(-4.0, 4.0), "Cl": colour(1.0, 4.0)}
    nitro = molecule_examples("O=[N+]([O-])c1ccccc1", molecule_graphs)
    axes = drawn(nitro, said(nitro, [0.0] * 9), 0)
    assert [text.get_text() for text in axes.texts] == ["O", "N+", "O−"]
    amino = drawn(anilines, said(anilines, VALUES), 0)
    assert [text.get_text() for text in amino.texts] == ["NH$_2$"]


def test_double_bonds_are_two_lines_and_rings_are_drawn_with_them(anilines: Examples) -> None:
    """Aniline: seven bonds, three of them double."""
    assert len(drawn(anilines, said(anilines, VALUES), 0).lines) == 7 + 3
    assert len(drawn(anilines, said(anilines, VALUES), 1).lines) == 3


def test_a_page_has_every_molecule_on_one_scale(anilines: Examples) -> None:
    page = markup(anilines, said(anilines, VALUES))
    assert page.count("<figure>") == 2
    discs = re.findall(r'<circle [^>]*fill="(#\w+)"', page)
    assert discs == [colour(value, 4.0) for value in VALUES]


def test_groups_are_told_of_a_single_molecule_that_was_answered_by_atoms(anilines: Examples) -> None:
    one = anilines.only(2)
    found = said(one, VALUES[7:])
    assert beside(one, found) == [f"by group: {groups_said(one, found)[0]}"] == beside_of_domain(one, found)
    assert beside(anilines, said(anilines, VALUES)) == []
    assert beside(one, attribute(Total(), one.inputs, Occlusion(by=Groups()))) == []


def test_what_is_no_molecule_is_not_drawn(anilines: Examples) -> None:
    with pytest.raises(InputError, match="no molecules"):
        on_atoms(replace(anilines, raw=("it", "that")), attribute(Total(), anilines.inputs, Occlusion(by=Groups())))
