"""Importance: what the mean over rows is of, its interval, and its ways to be shown."""

import numpy as np
import pytest
import torch

from attar import InputError, attribute
from attar.core.features import ColumnGroups
from attar.core.importance import Importance
from attar.core.inputs import Tensors
from attar.methods.grad_input import GradInput
from attar.methods.occlusion import Occlusion
from attar.methods.shapley import Shapley
from models import graphs, images


def test_of_an_attribution_it_is_the_mean_size_of_a_columns_values() -> None:
    x = np.random.default_rng(0).standard_normal((50, 3))
    found = attribute(lambda t: 2 * t[:, 0] - t[:, 1], x, Occlusion()).importance()
    size = np.abs(x * [2, -1, 0])
    np.testing.assert_allclose(found.values, size.mean(0))
    np.testing.assert_allclose(found.standard_error, size.std(0, ddof=1) / np.sqrt(50))
    assert found.how == "mean size of each column's value"
    assert found.unit == "Predicted()"
    assert found.low[2] == found.high[2] == 0
    assert [name for name, _ in found.ranked()] == ["[0]", "[1]", "[2]"]


def test_its_interval_holds_the_mean_of_all_rows_there_could_be() -> None:
    """E|2 x| of a standard normal x is 2 √(2/π)."""
    held = 0
    for seed in range(300):
        x = np.random.default_rng(seed).standard_normal((80, 2))
        found = attribute(lambda t: 2 * t[:, 0] + t[:, 1], x, Occlusion()).importance()
        held += found.low[0] <= 2 * np.sqrt(2 / np.pi) <= found.high[0]
    assert 276 <= held <= 294, held


def test_what_was_drawn_is_said_to_add_to_it() -> None:
    x = np.random.default_rng(0).standard_normal((4, 14))
    found = attribute(lambda t: torch.tanh(t.sum(1)) * t[:, 0], x, Shapley(budget=600, tolerance=0.5)).importance()
    assert "what was drawn adds up to" in found.how


def test_groups_of_columns_and_names() -> None:
    x = np.random.default_rng(0).standard_normal((20, 3))
    table = Tensors(torch.from_numpy(x), ("a", "b", "c"))
    found = attribute(lambda t: t.sum(1), table, Occlusion(by=ColumnGroups(groups={"both": ["a", "c"]}))).importance()
    assert found.names == ("both", "b")
    np.testing.assert_allclose(found.values, [np.abs(x[:, 0] + x[:, 2]).mean(), np.abs(x[:, 1]).mean()])


def test_one_row_has_no_interval_and_says_so() -> None:
    found = attribute(lambda t: t.sum(1), np.ones((1, 2)), Occlusion()).importance()
    assert np.isinf(found.standard_error).all()
    assert (found.low == 0).all()
    assert np.isinf(found.high).all()


def test_ragged_examples_have_no_columns_to_take_a_mean_of() -> None:
    from models import case

    found = attribute(case("gcn").model, graphs(), GradInput())
    with pytest.raises(InputError, match="rows of the same columns"):
        found.importance()
    pictures = attribute(lambda t: t.flatten(1).sum(1), images(), Occlusion()).importance()
    assert len(pictures) == 2 * 5 * 4


def test_a_frame_and_a_text_put_the_largest_first() -> None:
    found = Importance.of_means(
        ("a", "b", "c"), np.array([0.1, 2.0, -0.5]), np.array([0.1, 0.2, 0.1]), rows=9, unit="nats", how="a mean"
    )
    for library in ("pandas", "polars", "pyarrow"):
        frame = found.as_frame(library)
        assert list(frame["column"].to_pylist() if library == "pyarrow" else frame["column"]) == ["b", "a", "c"]
    lines = str(found).splitlines()
    assert lines[0] == "a mean (nats); 9 rows"
    assert lines[1].split()[:2] == ["b", "2"]
    assert lines[1].endswith("█" * 20)
    assert "█" not in lines[3]
    assert found.ranked(1) == [("b", 2.0)]
