"""Logos: letters as tall as their values, of the stretch that holds the most."""

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from attar import attribute
from attar.core.examples import Examples
from attar.core.inputs import Tensors
from attar.domains.sequences.logo import heights_of, logo, named, panel, shown
from attar.domains.sequences.parts import Stretches
from attar.domains.sequences.record import Record, one_hot, variant
from attar.methods.grad_input import GradInput
from attar.methods.occlusion import Occlusion
from models import Formula

WEIGHTS = torch.linspace(-1, 1, 40).repeat(4, 1)


def examples(*records: Record) -> Examples:
    return Examples(
        inputs=Tensors(one_hot(records)),
        names=tuple(r.name for r in records),
        said="",
        domain="sequences",
        raw=records,
        features=Stretches(length=10, records=records),
    )


@pytest.fixture
def gene() -> Examples:
    record = Record.of("g", "ACGTN" * 8)
    return examples(record, variant("g.1del", [record])[1].on(record))


def model(x: torch.Tensor) -> torch.Tensor:
    return (x * WEIGHTS).sum((1, 2))[:, None]


def axes():
    figure = Figure()
    FigureCanvasAgg(figure)
    return figure.subplots()


def test_heights_are_the_letters_values(gene: Examples) -> None:
    found = attribute(Formula(model), gene.inputs, GradInput())
    there = one_hot(gene.raw)[0].sum(0).numpy()
    np.testing.assert_allclose(heights_of(gene, found, 0), there * WEIGHTS[0].numpy(), rtol=1e-6)
    assert len(heights_of(gene, found, 1)) == 39


def test_heights_of_stretches_are_those_of_the_stretch(gene: Examples) -> None:
    found = attribute(Formula(model), gene.inputs, Occlusion(by=gene.features))
    heights = heights_of(gene, found, 0)
    assert len(heights) == 40
    assert len(set(heights[:10].tolist())) == 1
    expected = float((one_hot(gene.raw)[0] * WEIGHTS)[:, :10].sum())
    assert heights[0] == pytest.approx(expected, abs=1e-5)


def test_each_letter_is_as_tall_as_its_value_and_below_where_it_is_against() -> None:
    drawn = axes()
    record = Record.of("g", "ACGT")
    logo(drawn, record, np.array([1.0, -2.0, 0.5, 3.0]), 0, 4)
    boxes = [patch.get_path().get_extents() for patch in drawn.patches]
    assert [round(box.y1, 6) for box in boxes] == [1, 0, 0.5, 3]
    assert [round(box.y0, 6) for box in boxes] == [0, -2, 0, 0]
    assert [round((box.x0 + box.x1) / 2, 6) for box in boxes] == [0, 1, 2, 3]
    low, high = drawn.get_ylim()
    assert low < -2
    assert high > 3


def test_the_letters_with_the_most_are_drawn_with_their_positions() -> None:
    heights = np.zeros(300)
    heights[200:205] = (3, -9, 1, 2, 1)
    first = shown(heights)
    assert first <= 200
    assert first + 41 >= 205
    record = Record.of("long", "ACGT" * 75)
    drawn = axes()
    logo(drawn, record, heights, first, first + 41)
    ticks = {
        int(label.get_text()): place for place, label in zip(drawn.get_xticks(), drawn.get_xticklabels(), strict=True)
    }
    assert ticks
    assert all(position - 1 - first == place for position, place in ticks.items())


def test_a_panel_is_drawn_of_a_short_sequence_and_of_zeros(gene: Examples) -> None:
    found = attribute(Formula(lambda x: 0 * model(x)), gene.inputs, GradInput())
    for example in (0, 1):
        drawn = axes()
        panel(drawn, gene, found, example)
        assert len(drawn.patches) == len(gene.raw[example])
        drawn.figure.canvas.draw()


def test_in_a_list_letters_are_called_by_their_positions_as_given(gene: Examples) -> None:
    found = named(gene, attribute(Formula(model), gene.inputs, GradInput()))
    assert [name for name, _ in found.ranked(0, 3)] == ["A1", "C2", "T39"]
    assert [name for name, _ in found.ranked(1, 2)] == ["C2", "G3"]
    assert len(found.by_example("letters")[1]) == 40
    by_stretch = attribute(Formula(model), gene.inputs, Occlusion(by=gene.features))
    assert named(gene, by_stretch) is by_stretch
