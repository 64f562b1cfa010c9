"""Batches of every kind: what is taken, replaced and refused."""

from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from attar import InputError
from attar.core.baseline import Constant, Rows
from attar.core.draws import draw
from attar.core.inputs import Entries, Inputs, Named, Tensors, owned, starts
from attar.core.parts import Parts, joined
from models import case, frame, graphs, images, numbers, picture_and_words, sparse, table

KINDS: dict[str, Inputs] = {
    "table": Tensors(table()),
    "images": Tensors(images()),
    "entries": Entries(Tensors(images())),
    "rows": sparse(),
    "graphs": graphs(),
    "named": picture_and_words(),
    "frame": Tensors.of_frame(frame()),
}
every = pytest.mark.parametrize("inputs", KINDS.values(), ids=KINDS)


def of_example(inputs: Inputs, example: int) -> dict[str, Tensor]:
    return {name: array[inputs.owners[name] == example] for name, array in inputs.parts.items()}


# --- what every kind promises ---


@every
def test_owners_are_ascending_and_name_every_row(inputs: Inputs) -> None:
    for name, array in inputs.parts.items():
        owner = inputs.owners[name]
        assert len(owner) == len(array)
        assert owner.tolist() == sorted(owner.tolist())
        assert set(owner.tolist()) <= set(range(len(inputs)))


@every
@pytest.mark.parametrize("index", [[0, 1, 2, 3], [3, 1], [2, 2, 2], [1, 3, 1, 0], []])
def test_an_example_is_taken_whole_and_in_the_order_asked(inputs: Inputs, index: list[int]) -> None:
    taken = inputs.take(torch.tensor(index, dtype=torch.long))
    assert len(taken) == len(index)
    assert type(taken) is type(inputs)
    for place, example in enumerate(index):
        here, there = of_example(taken, place), of_example(inputs, example)
        assert all(torch.equal(here[name], there[name]) for name in there)


@every
def test_repeated_examples_stand_side_by_side(inputs: Inputs) -> None:
    repeated = inputs.repeat(3)
    assert len(repeated) == 3 * len(inputs)
    for place in range(len(repeated)):
        here, there = of_example(repeated, place), of_example(inputs, place // 3)
        assert all(torch.equal(here[name], there[name]) for name in there)


@every
def test_replaced_values_are_the_parts_and_the_first_are_untouched(inputs: Inputs) -> None:
    before = inputs.parts.map(Tensor.clone)
    other = inputs.replace(inputs.parts * 2 + 1)
    for name in before:
        assert torch.equal(other.parts[name], before[name] * 2 + 1)
        assert torch.equal(inputs.parts[name], before[name])


@every
def test_drawn_numbers_belong_to_the_example_and_not_to_the_batch(inputs: Inputs) -> None:
    whole = inputs.replace(draw(inputs, seed=(7,), law="normal"))
    order = torch.tensor([3, 0, 3])
    taken = inputs.take(order)
    again = taken.replace(draw(taken, seed=(7,), law="normal"))
    for place, example in enumerate(order.tolist()):
        here, there = of_example(again, place), of_example(whole, example)
        assert all(torch.equal(here[name], there[name]) for name in there)


@every
def test_a_sum_per_example_is_the_sum_of_what_it_owns(inputs: Inputs) -> None:
    found = inputs.parts.per_example(inputs.owners, len(inputs))
    for example in range(len(inputs)):
        expected = sum(float(rows.sum()) for rows in of_example(inputs, example).values())
        assert float(found[example]) == pytest.approx(expected, abs=1e-12)


@every
def test_only_a_tensor_is_single(inputs: Inputs) -> None:
    assert inputs.single == isinstance(inputs, Tensors)


def test_sums_are_exact_where_single_precision_is_not() -> None:
    """A hundred thousand numbers of 0.1: added up in single precision they are off in the third place."""
    tenth = Parts({"input": torch.full((1, 100_000), 0.1)})
    total = tenth.per_example({"input": torch.zeros(1, dtype=torch.long)}, 1)
    assert float(total) == pytest.approx(100_000 * float(torch.tensor(0.1)), rel=1e-12)


# --- rows and owners ---


def test_the_first_row_of_each_example() -> None:
    assert starts(torch.tensor([0, 0, 2, 2, 2]), 4).tolist() == [0, 2, 2, 5]


def test_the_rows_that_examples_own() -> None:
    owner = torch.tensor([0, 0, 2, 2, 2, 3])
    rows, place = owned(owner, torch.tensor([2, 1, 0, 2]))
    assert rows.tolist() == [2, 3, 4, 0, 1, 2, 3, 4]
    assert place.tolist() == [0, 0, 0, 2, 2, 3, 3, 3]


def test_parts_are_joined_row_after_row() -> None:
    one, other = Parts({"a": torch.ones(2, 3), "b": torch.ones(1)}), Parts({"a": torch.zeros(1, 3), "b": torch.ones(4)})
    both = joined([one, other])
    assert both["a"].shape == (3, 3)
    assert both["b"].shape == (5,)


def test_entries_of_a_table_keep_its_names_and_its_library() -> None:
    entries = Tensors.of_frame(frame()).by_entry()
    given = entries.replace(entries.parts * 2).given
    assert isinstance(given, Tensors)
    assert given.names == tuple("abcde")
    assert isinstance(given.frame(), pd.DataFrame)
    assert entries.owners["input"].tolist() == [row for row in range(6) for _ in range(5)]


# --- several inputs by name ---


def test_floats_are_parts_and_all_else_travels() -> None:
    given = picture_and_words()
    assert list(given.parts) == ["picture", "age"]
    taken = given.take(torch.tensor([2, 0]))
    assert taken.arrays["words"].tolist() == [[2, 0, 0], [1, 2, 0]]
    assert taken.arrays["keep"].dtype == torch.bool
    assert taken.arrays["scale"] is None
    assert list(taken.arrays) == list(given.arrays)


def test_only_the_parts_that_are_named() -> None:
    given = picture_and_words()
    chosen = Named(given.arrays, only=("age",))
    assert list(chosen.parts) == ["age"]
    assert torch.equal(chosen.take(torch.tensor([1])).arrays["picture"], given.arrays["picture"][1:2])
    assert list(chosen.take(torch.tensor([1])).parts) == ["age"]
    with pytest.raises(InputError, match="no input tensor 'size'; there are picture, words, keep, age"):
        Named(given.arrays, only=("size",))


def test_a_single_number_is_nobodys_row() -> None:
    given = Named({"x": numbers(3, 2), "temperature": torch.tensor(0.5)})
    assert list(given.parts) == ["x"]
    assert given.take(torch.tensor([2, 1])).arrays["temperature"] == 0.5


def test_inputs_of_different_lengths_are_refused() -> None:
    with pytest.raises(InputError, match=r"\{'a': 2, 'b': 3\} examples, expected the same number in each"):
        Named({"a": torch.ones(2, 1), "b": torch.ones(3)})
    with pytest.raises(InputError, match="expected the same number in each"):
        Named({"flag": True})


def _by_name(age: Any, picture: Any, **rest: Any) -> Any:
    return age, picture, sorted(rest)


def _as_one(batch: dict[str, Any]) -> Any:
    return batch["age"], batch["picture"], sorted(set(batch) - {"age", "picture"})


@pytest.mark.parametrize("function", [_by_name, _as_one, lambda **all_: _by_name(**all_)])
def test_a_model_is_called_by_name_or_with_the_whole_dict(function: Any) -> None:
    given = picture_and_words()
    age, picture, rest = given.call(function)
    assert age is given.arrays["age"]
    assert picture is given.arrays["picture"]
    assert rest == ["keep", "scale", "words"]


def test_an_only_argument_that_has_the_name_is_meant() -> None:
    x = numbers(3, 2)
    assert Named({"x": x}).call(lambda x: x) is x
    assert Named({"x": x}, in_order=True).call(lambda anything: anything) is x


def test_inputs_in_order_are_called_in_order() -> None:
    given = case("two-in-order").inputs
    assert given.call(lambda one, other: (one, other)) == given.arguments()


# --- data frames ---


@pytest.mark.parametrize("make", [pd.DataFrame, lambda d: nw.from_dict(d, backend="pyarrow").to_native()])
def test_a_frame_keeps_its_columns_and_goes_back_to_its_library(make: Any) -> None:
    columns = {"age": [30, 40, 50], "height": [1.5, 1.75, 2.0], "smokes": [True, False, True]}
    native = make(columns)
    given = Tensors.of_frame(native)
    assert given.entry_names == ("age", "height", "smokes")
    assert given.values.tolist() == [[30, 1.5, 1], [40, 1.75, 0], [50, 2, 1]]
    assert given.values.is_contiguous()
    back = given.take(torch.tensor([2, 0])).frame()
    assert type(back) is type(native)
    assert nw.from_native(back).columns == ["age", "height", "smokes"]
    assert nw.from_native(back).to_numpy().tolist() == [[50, 2, 1], [30, 1.5, 1]]


def test_column_names_that_are_numbers_become_words() -> None:
    assert Tensors.of_frame(pd.DataFrame(np.ones((2, 2)), columns=[0, 1])).names == ("0", "1")


# --- baselines ---


def test_a_constant_baseline_needs_a_row_for_each_part() -> None:
    given = graphs()
    rows = {"nodes": torch.tensor([1.0, 2.0, 3.0]), "edges": torch.tensor([0.5, 0.0])}
    found = Constant(rows)(given)
    assert found["nodes"].tolist() == [[1, 2, 3]] * len(given.nodes)
    assert found["nodes"].dtype == torch.float64
    with pytest.raises(InputError, match="the baseline has no value for edges; give one row for each part"):
        Constant({"nodes": rows["nodes"]})(given)


def test_a_background_frame_is_matched_by_name() -> None:
    given = Tensors.of_frame(frame())
    other = frame().assign(extra=1.0)[["extra", "e", "d", "c", "b", "a"]]
    assert torch.equal(Rows(other).like(given), given.values)
    assert torch.equal(Rows(frame()).like(Tensors(given.values)), given.values)  # no names to match: as they stand
    with pytest.raises(InputError, match="the background has no column 'b'; it has a, c, d, e"):
        Rows(frame().drop(columns="b")).like(given)
    with pytest.raises(InputError, match=r"a background row has shape \(6,\), an example \(5,\)"):
        Rows(other.to_numpy()).like(given)
