"""Charts draw the numbers that they are given, with their errors, on the axes that they are given."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from sklearn.datasets import load_diabetes, load_iris

import attar
from attar import Difference, InputError, Logit, Probability, charts
from attar.core.baseline import Rows
from attar.core.effect import Effect, Region
from attar.core.heat import AGAINST, SUPPORTS
from attar.core.importance import Importance
from attar.core.show import leading
from attar.core.target import Predicted
from attar.design.pruned_tree import PrunedTreeClassifier, PrunedTreeRegressor
from attar.design.rule_list import RuleListClassifier
from attar.methods.counterfactual import Counterfactual
from attar.methods.gradient import Gradient
from attar.methods.shapley import Shapley


def line(x: torch.Tensor) -> torch.Tensor:
    return x @ torch.tensor([3.0, -2.0, 0.5, 0.0], dtype=torch.float64) + 1


def frame(rows: int = 30) -> pd.DataFrame:
    random = np.random.default_rng(0)
    return pd.DataFrame(random.standard_normal((rows, 4)), columns=["height", "weight", "depth", "idle"])


def found(rows: int = 30) -> attar.Attribution:
    given = frame(rows)
    method = Shapley(background=Rows(given))  # type: ignore[arg-type]
    return attar.attribute(lambda f: line(torch.from_numpy(f.to_numpy())), given, method)


def importance(values: list[float], errors: list[float]) -> Importance:
    names = [f"c{k}" for k in range(len(values))]
    arrays = np.array(values), np.array(errors)
    return Importance.of_means(names, *arrays, rows=50, unit="nats", how="what a column takes off the loss")


def names(axes: Axes) -> list[str]:
    return [label.get_text() for label in axes.get_yticklabels()]


def said(axes: Axes) -> str:
    return "\n".join(text.get_text() for text in axes.texts)


def widths(axes: Axes) -> list[float]:
    return [float(bar.get_width()) for bar in axes.patches]  # type: ignore[attr-defined]


def test_bars_stand_in_order_with_their_intervals_and_are_pale_where_they_hold_0() -> None:
    given = importance([0.1, 0.5, -0.02, 0.3], [0.02, 0.1, 0.05, 0.4])
    axes = charts.bars(given, limit=3)
    assert names(axes) == ["c1", "c3", "c0"]
    assert widths(axes) == [0.5, 0.3, 0.1]
    segments = axes.collections[0].get_segments()  # type: ignore[attr-defined]
    assert [s[0][0] for s in segments] == pytest.approx([given.low[k] for k in (1, 3, 0)])
    assert [s[1][0] for s in segments] == pytest.approx([given.high[k] for k in (1, 3, 0)])
    paints = [to_hex(bar.get_facecolor()) for bar in axes.patches]
    assert paints[0] == paints[2] != paints[1]
    of_harm = charts.bars(importance([0.5, -0.4], [0.1, 0.05]))  # told from 0, on the other side of it
    assert [to_hex(bar.get_facecolor()) for bar in of_harm.patches] == [paints[0]] * 2
    assert "and 1 more column" in axes.get_title("left")
    assert "nats" in axes.get_xlabel()


def test_a_waterfall_goes_from_the_reference_to_the_output() -> None:
    answer = found()
    axes = charts.waterfall(answer, 3, limit=2)
    shown = answer.ranked(3)
    assert widths(axes)[:2] == pytest.approx([value for _, value in shown[:2]])
    assert widths(axes)[2] == pytest.approx(sum(value for _, value in shown[2:]))
    paints = [to_hex(bar.get_facecolor()) for bar in axes.patches]
    assert paints == [SUPPORTS if width > 0 else AGAINST for width in widths(axes)]
    start, end = axes.lines[-1].get_xdata()
    assert start == pytest.approx(float(answer.reference[3]))  # type: ignore[index]
    assert end == pytest.approx(float(answer.output[3]))
    last = axes.patches[-1]
    assert last.get_x() + last.get_width() == pytest.approx(end)  # type: ignore[attr-defined]
    assert names(axes)[0] == "reference"
    assert names(axes)[-2:] == ["2 others", "output"]
    assert names(axes)[1].startswith(f"{shown[0][0]} = ")


def test_a_waterfall_shows_what_acts_together_and_how_sure_a_step_is() -> None:
    answer = found()
    axes = charts.waterfall(replace(answer, output=answer.output + 5))
    assert names(axes)[-2] == "acting together, or left over"
    assert widths(axes)[-1] == pytest.approx(5)
    background = Rows(torch.from_numpy(np.random.default_rng(0).standard_normal((50, 16))))
    sampled = attar.attribute(
        lambda x: torch.sin(x).prod(1) + x[:, 0], background.values[:2], Shapley(background=background, budget=4000)
    )
    assert sampled.standard_error is not None
    error = float(sampled.standard_error["input"][0].max())
    axes = charts.waterfall(sampled, 0, limit=16)
    spans = [s[1][0] - s[0][0] for s in axes.collections[0].get_segments()]  # type: ignore[attr-defined]
    assert max(spans) == pytest.approx(2 * 1.96 * error)
    assert "±" in said(axes)
    parts = leading(sampled, 0)
    rest = float(np.sqrt(sum((part.standard_error or 0.0) ** 2 for part in parts[5:])))
    axes = charts.waterfall(sampled, 0, limit=5)
    spans = [s[1][0] - s[0][0] for s in axes.collections[0].get_segments()]  # type: ignore[attr-defined]
    assert spans[-1] == pytest.approx(2 * 1.96 * rest)
    swarm = charts.beeswarm(sampled, limit=3)
    medians = np.median(sampled.standard_error["input"].numpy(), 0)
    for name in names(swarm):
        column = int(name.partition("[")[2].partition("]")[0])
        assert name.endswith(f"(± {medians[column]:.3g})".replace("-", "−"))


def test_the_labels_of_a_waterfall_end_inside_its_axes() -> None:
    """However long they are, and wherever the last step ends."""
    answer = found()
    example = int(answer.output.argmax())
    errors = answer.parts.map(lambda values: 1e-3 * torch.ones_like(values))
    figure = Figure(figsize=(2.5, 2.5))
    axes = charts.waterfall(replace(answer, standard_error=errors), example, ax=figure.add_subplot())
    figure.canvas.draw()
    edge = axes.get_window_extent().x1
    assert max(text.get_window_extent().x1 for text in axes.texts) <= edge + 1


def test_a_waterfall_needs_a_reference_and_an_example() -> None:
    with pytest.raises(InputError, match="example is 30, expected 0 to 29"):
        charts.waterfall(found(), 30)
    slopes = attar.attribute(torch.nn.Linear(3, 1), torch.ones(1, 3), Gradient())
    with pytest.raises(InputError, match="has no reference that its values are counted from"):
        charts.waterfall(slopes)


def dots(axes: Axes) -> list[PathCollection]:
    return [each for each in axes.collections if isinstance(each, PathCollection)]


def test_a_swarm_has_every_value_and_is_dark_where_the_column_is_large() -> None:
    answer = found()
    axes = charts.beeswarm(answer, limit=3)
    assert names(axes) == ["height", "weight", "depth"]
    values, table = answer.values, frame().to_numpy()
    assert isinstance(values, torch.Tensor)
    known = dots(axes)[1::2]
    for row, column in enumerate((0, 1, 2)):
        offsets = np.asarray(known[row].get_offsets())
        assert offsets[:, 0] == pytest.approx(values[:, column].numpy())
        assert np.abs(offsets[:, 1] - row).max() <= 0.4
        ranks = np.asarray(known[row].get_array())
        assert np.argsort(ranks).tolist() == np.argsort(table[:, column]).tolist()
        assert (ranks.min(), ranks.max()) == (0, 1)
    assert "30 rows (and 1 more column)" in axes.get_title("left")


def test_of_a_category_dots_are_hollow() -> None:
    given = frame().assign(idle=pd.Series(["red", "blue"] * 15, dtype="category"))
    answer = attar.attribute(
        lambda f: torch.from_numpy(f["height"].to_numpy() + (f["idle"] == "red").to_numpy()),
        given,
        Shapley(background=Rows(given)),  # type: ignore[arg-type]
    )
    axes = charts.beeswarm(answer)
    row = names(axes).index("idle")
    hollow, filled = dots(axes)[2 * row : 2 * row + 2]
    assert len(hollow.get_offsets()) == 30
    assert len(filled.get_offsets()) == 0


def test_dots_of_missing_values_are_hollow() -> None:
    given = frame().assign(height=frame()["height"].mask(frame().index < 7))
    answer = attar.attribute(
        lambda f: torch.from_numpy(f["height"].fillna(0.5).to_numpy()),
        given,
        Shapley(background=Rows(given)),  # type: ignore[arg-type]
    )
    axes = charts.beeswarm(answer)
    row = names(axes).index("height")
    hollow, filled = dots(axes)[2 * row : 2 * row + 2]
    assert (len(hollow.get_offsets()), len(filled.get_offsets())) == (7, 23)


def curve(points: tuple[str, ...], grid: list[float], **more: Any) -> Effect:
    values = np.arange(len(grid), dtype=float)
    curves = values + np.random.default_rng(0).standard_normal((40, 1))
    return Effect(
        kind="partial dependence",
        columns=("age",),
        grid=(np.array(grid),),
        points=(points,),
        values=values,
        standard_error=np.full(len(grid), 0.1),
        rows=40,
        target=repr(Logit(1)),
        **({"curves": curves} | more),
    )


def test_a_curve_has_its_interval_and_the_rows_behind_it() -> None:
    effect = curve(("1", "2", "4"), [1.0, 2.0, 4.0])
    axes = charts.dependence(effect, fan=10)
    own = axes.lines[-1]
    assert np.asarray(own.get_xdata()).tolist() == [1, 2, 4]
    assert np.asarray(own.get_ydata()).tolist() == [0, 1, 2]
    band = axes.collections[-1].get_paths()[0].vertices
    assert band[:, 1].min() == pytest.approx(effect.low[0])
    assert band[:, 1].max() == pytest.approx(effect.high[2])
    behind = [each for each in axes.lines if each.get_linewidth() < 1 and len(np.asarray(each.get_xdata())) == 3]
    assert len(behind) == 10
    assert axes.get_xlabel() == "age"
    assert axes.get_ylabel() == "output 1"


def test_dashes_say_how_much_rows_differ_where_no_rows_are_drawn() -> None:
    spread = np.array([0.5, 1.5, 0.25])
    axes = charts.dependence(curve(("1", "2", "4"), [1.0, 2.0, 4.0], curves=None, spread=spread))
    low, high = (np.asarray(each.get_ydata()) for each in axes.lines if each.get_linestyle() == "--")
    np.testing.assert_allclose(low, np.arange(3) - spread)
    np.testing.assert_allclose(high, np.arange(3) + spread)
    assert "dashed: how much rows differ" in axes.get_title("left")


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (Logit(2), "output 2"),
        (Probability(0), "probability of class 0"),
        (Predicted(), "the predicted output"),
        (Difference(Logit(1), Logit(0)), repr(Difference(Logit(1), Logit(0)))),
        ("", "the target"),
    ],
)
def test_axes_say_what_is_explained(target: Any, words: str) -> None:
    effect = replace(curve(("1", "2"), [1.0, 2.0]), target=target if isinstance(target, str) else repr(target))
    assert charts.dependence(effect).get_ylabel() == words


def test_levels_stand_side_by_side_and_what_is_missing_stands_apart() -> None:
    axes = charts.dependence(curve(("red", "green", "missing"), [0.0, 1.0, 2.0**100], curves=None))
    assert [label.get_text() for label in axes.get_xticklabels()] == ["red", "green", "missing"]
    axes = charts.dependence(curve(("1", "2", "11", "missing"), [1.0, 2.0, 11.0, 2.0**100]))
    labels = {label.get_text(): place for label, place in zip(axes.get_xticklabels(), axes.get_xticks(), strict=True)}
    assert 11 < labels["missing"] < 13
    apart = [np.asarray(each.get_xdata()).tolist() for each in axes.lines if each.get_marker() == "o"]
    assert apart == [[labels["missing"]]]


def test_regions_are_lines_of_their_own_in_words() -> None:
    inner = curve(("1", "2", "4"), [1.0, 2.0, 4.0], curves=None)
    effect = curve(("1", "2", "4"), [1.0, 2.0, 4.0], regions=(Region(where="sex = F", rows=20, effect=inner),))
    assert "where sex = F" in said(charts.dependence(effect))


def test_of_two_columns_it_is_a_map_around_the_mean() -> None:
    values = np.array([[0.0, 1.0, 2.0], [3.0, 4.0, 8.0]])
    effect = Effect(
        kind="partial dependence",
        columns=("age", "dose"),
        grid=(np.arange(2.0), np.arange(3.0)),
        points=(("0", "1"), ("0", "1", "2")),
        values=values,
        standard_error=np.full((2, 3), 0.1),
        rows=40,
    )
    axes = charts.dependence(effect)
    (drawn,) = axes.collections
    assert np.asarray(drawn.get_array()).T.tolist() == values.tolist()
    assert drawn.get_clim() == pytest.approx((3 - 5, 3 + 5))
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("age", "dose")


def test_a_tree_asks_its_questions_and_ends_in_its_rules() -> None:
    x, y = load_iris(return_X_y=True, as_frame=True)
    model = PrunedTreeClassifier().fit(x, y)
    text = said(charts.tree(model)).replace("\n", " ")
    for rule in model.rules():
        assert f"{rule.prediction}: {100 * rule.estimate:.0f}% of {rule.n:.0f}" in text
    inner = model.tree_
    assert text.count("?") == int((inner.children_left >= 0).sum())
    numbers, labels = load_diabetes(return_X_y=True, as_frame=True)
    regression = said(charts.tree(PrunedTreeRegressor(leaves=4).fit(numbers, labels)))
    assert "mean of" in regression


def test_in_a_tree_yes_is_above() -> None:
    x = np.arange(100.0)[:, None]
    axes = charts.tree(PrunedTreeClassifier().fit(x, x[:, 0] > 49))
    height = {text.get_text().split(":")[0]: float(text.get_position()[1]) for text in axes.texts}
    assert height["True"] > height["False"]


def test_a_list_shows_held_out_shares() -> None:
    x, y = load_iris(return_X_y=True, as_frame=True)
    model = RuleListClassifier().fit(x, y)
    axes = charts.rule_list(model)
    assert len(names(axes)) == len(model.rules_)
    assert names(axes)[-1].startswith("otherwise")
    at = [float(np.asarray(each.get_xdata())[0]) for each in axes.lines if each.get_marker() == "o"]
    assert at == pytest.approx([rule.share for rule in model.rules_ if rule.n])


def test_changes_say_from_what_to_what_and_what_each_is_worth() -> None:
    given = frame(200).round(2)
    near = attar.attribute(
        lambda f: line(torch.from_numpy(f.to_numpy())),
        given.head(3),
        Counterfactual(background=Rows(given), several=2),  # type: ignore[arg-type]
    )
    axes = charts.changes(near, 1)
    there = near.measured["counterfactual"][1].numpy()
    own = given.to_numpy()[1]
    changed = np.flatnonzero(there != own)
    assert len(names(axes)) == len(changed)
    assert isinstance(near.values, torch.Tensor)
    expected = near.values[1].numpy()[changed]
    assert sorted(widths(axes)) == pytest.approx(sorted(expected))
    column = int(changed[np.abs(expected).argmax()])
    assert names(axes)[0] == f"{given.columns[column]}\n{own[column]:.4g} → {there[column]:.4g}"
    assert "\nor: " in axes.get_xlabel()


def test_changes_stand_by_size_and_in_the_colour_of_their_side() -> None:
    def gate(f: pd.DataFrame) -> torch.Tensor:
        """Three columns must be large, each in its own measure."""
        sides = [2 * (f["height"] - 0.5), f["weight"] - 0.5, 0.5 * (f["depth"] - 0.5)]
        return torch.from_numpy(np.min(sides, axis=0))

    known = pd.DataFrame(np.random.default_rng(0).uniform(-2, 2, (400, 4)), columns=frame().columns)
    given = pd.DataFrame([[-1.0, -1.5, -0.5, 0.0], [1.0, 1.5, 1.7, 0.0]], columns=frame().columns)
    near = attar.attribute(gate, given, Counterfactual(background=Rows(known)))  # type: ignore[arg-type]
    closed, opened = charts.changes(near, 0), charts.changes(near, 1)
    assert len(widths(closed)) == 3
    assert widths(closed) == sorted(widths(closed), key=abs, reverse=True)
    assert len({round(abs(width), 6) for width in widths(closed)}) > 1
    for axes, side in ((closed, AGAINST), (opened, SUPPORTS)):
        assert {to_hex(bar.get_facecolor()) for bar in axes.patches} == {side}


def test_changes_need_a_counterfactual() -> None:
    with pytest.raises(InputError, match=r"has no counterfactual: attribute with Counterfactual\("):
        charts.changes(found())
    alike = frame(20)
    none = attar.attribute(
        lambda f: torch.ones(len(f)),
        alike,
        Counterfactual(background=Rows(alike)),  # type: ignore[arg-type]
    )
    with pytest.raises(InputError, match="no counterfactual was found for example 0"):
        charts.changes(none)


def every_chart() -> dict[str, Callable[..., Axes]]:
    x, y = load_iris(return_X_y=True, as_frame=True)
    given = frame(60)
    near = attar.attribute(
        lambda f: line(torch.from_numpy(f.to_numpy())),
        given.head(2),
        Counterfactual(background=Rows(given)),  # type: ignore[arg-type]
    )
    return {
        "bars": lambda **o: charts.bars(importance([0.2, 0.1], [0.01, 0.2]), **o),
        "waterfall": lambda **o: charts.waterfall(found(), **o),
        "beeswarm": lambda **o: charts.beeswarm(found(), **o),
        "dependence": lambda **o: charts.dependence(curve(("1", "2"), [1.0, 2.0]), **o),
        "tree": lambda **o: charts.tree(PrunedTreeClassifier().fit(x, y), **o),
        "rule_list": lambda **o: charts.rule_list(RuleListClassifier().fit(x, y), **o),
        "changes": lambda **o: charts.changes(near, **o),
    }


def test_every_chart_takes_axes_and_makes_its_own() -> None:
    known = every_chart()
    assert sorted(known) == sorted(charts.__all__)
    figure = Figure(figsize=(20, 30))
    panels = figure.subplots(len(known), 1)
    for panel, (name, draw) in zip(panels, known.items(), strict=True):
        assert draw(ax=panel) is panel, name
        assert panel.get_title("left"), name
        own = draw()
        assert own.figure is not figure, name
        assert isinstance(own.figure, Figure)
        own.figure.canvas.draw()
    figure.canvas.draw()
