"""Pipelines and functions over mixed frames: methods that only ask speak of raw columns, as loops over frames do."""

import warnings
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    Normalizer,
    OneHotEncoder,
    SplineTransformer,
    StandardScaler,
)
from sklearn.tree import DecisionTreeClassifier

from attar import InputError, Logit, Tensors, UnsupportedError, attribute
from attar.adapters import adapt
from attar.adapters.pipeline import LinearPipeline, TreePipeline, sources
from attar.adapters.sklearn import Estimator
from attar.core.baseline import Rows, Typical
from attar.estimation.shapley_estimators import Permutations
from attar.methods.anchors import Anchors
from attar.methods.counterfactual import Counterfactual
from attar.methods.expected_gradients import ExpectedGradients
from attar.methods.lime import Lime
from attar.methods.occlusion import Occlusion
from attar.methods.random_values import RandomValues
from attar.methods.rise import Rise
from attar.methods.shapley import Shapley
from attar.methods.tree_paths import TreePaths
from attar.methods.tree_shap import TreeSHAP
from attar.methods.weight_times_input import WeightTimesInput
from mixed_table import COLUMNS, MODELS, boosted, labels, logistic, mixed, one_hot
from models import frame as of_numbers
from reference.frame_coalitions import mean_with_and_without, mixed_row, precision, shapley

every_model = pytest.mark.parametrize("model", [make() for make in MODELS.values()], ids=list(MODELS))


def log_odds(model: Any) -> Any:
    def ask(frame: pd.DataFrame) -> np.ndarray:
        share = model.predict_proba(frame)[:, 1]
        return np.log(share) - np.log1p(-share)

    return ask


def rows_with_gaps() -> pd.DataFrame:
    """Three rows: one without its age, one without its colour, one with both."""
    frame = mixed(80, seed=3)
    age, colour = frame["age (years)"].isna(), frame["colour"].isna()
    places = [np.flatnonzero(which)[0] for which in (age & ~colour, colour & ~age, ~age & ~colour)]
    return frame.iloc[places].reset_index(drop=True)


# --- against loops over frames ---


@every_model
def test_shapley_values_are_those_of_loops_over_frames(model: Any) -> None:
    x, background = rows_with_gaps(), mixed(4, seed=8)
    found = attribute(model, x, Shapley(background=Rows(background)), Logit(1))
    for k in range(len(x)):
        expected = shapley(log_odds(model), x.iloc[[k]], background, COLUMNS)
        np.testing.assert_allclose(found.values[k], list(expected.values()), atol=1e-9)
    np.testing.assert_allclose(found.residual(), 0, atol=1e-12)


def test_a_category_that_the_model_never_looks_at_is_worth_nothing() -> None:
    """To rounding where every coalition is asked, and within its interval where they are drawn."""
    x, background = rows_with_gaps(), mixed(12, seed=8)
    found = attribute(boosted(), x, Shapley(background=Rows(background)), Logit(1))
    place = COLUMNS.index("useless")
    assert found.values[:, place].abs().max() < 1e-14
    assert found.error.bound.tolist() == [0, 0, 0]
    drawn = attribute(
        boosted(), x, Shapley(background=Rows(background), exact_up_to=2, estimator=Permutations()), Logit(1)
    )
    assert drawn.values[:, place].abs().max() < 1e-14
    np.testing.assert_allclose(drawn.residual(), 0, atol=1e-9)
    off = (drawn.values - found.values).abs().sum(1)
    assert bool((off <= drawn.error.bound).all())


@every_model
def test_occlusion_and_rise_are_those_of_loops_over_frames(model: Any) -> None:
    x, background = rows_with_gaps(), mixed(30, seed=8)
    typical = Typical(background)
    table = Tensors.of_frame(x).beside([typical.columns])  # type: ignore[list-item]
    away = table.replace(typical(table)).frame()
    occluded = attribute(model, x, Occlusion(baseline=typical), Logit(1))
    masked = attribute(model, x, Rise(baseline=typical), Logit(1))
    ask = log_odds(model)
    for k in range(len(x)):
        here, gone = x.iloc[[k]], away.iloc[[k]]
        without = [ask(mixed_row(here, gone, [n for n in COLUMNS if n != name]))[0] for name in COLUMNS]
        np.testing.assert_allclose(occluded.values[k], ask(here)[0] - np.array(without), atol=1e-9)
        means = mean_with_and_without(ask, here, gone, COLUMNS)
        np.testing.assert_allclose(masked.values[k], list(means.values()), atol=1e-9)


@every_model
def test_an_anchor_is_as_precise_as_loops_over_frames_say(model: Any) -> None:
    """And no shorter rule is precise enough."""
    x, background = rows_with_gaps(), mixed(16, seed=8)
    found = attribute(model, x, Anchors(background=Rows(background), precision=0.9, widen=False), Logit(1))
    ask = log_odds(model)

    def inside(name: str, here: Any, row: Any) -> bool:
        if pd.isna(here) or pd.isna(row):
            return bool(pd.isna(here) and pd.isna(row))
        if isinstance(here, str | bool | np.bool_):
            return bool(here == row)
        values = np.sort(background[name].dropna().to_numpy(dtype=float))
        edges = np.sort(values)[[int(np.ceil(k * len(values) / 4)) - 1 for k in (1, 2, 3)]]
        edges = np.sort(np.where(edges == values[-1], values[values < values[-1]].max(), edges))
        return bool(np.searchsorted(edges, here) == np.searchsorted(edges, row))

    for k in range(len(x)):
        own = x.iloc[[k]]

        def same(name: str, row: Any, own: pd.DataFrame = own) -> bool:
            return inside(name, own[name].iloc[0], row[name])

        kept = [name for name in COLUMNS if f"{name} =" in found.rules[k] or f"{name} is" in found.rules[k]]
        kept += [name for name in COLUMNS if name not in kept and name in found.rules[k]]
        assert len(kept) == int(found.measured["size"][k])
        assert precision(ask, own, background, same, kept) == pytest.approx(float(found.measured["precision"][k]))
        for shorter in combinations(COLUMNS, len(kept) - 1) if kept else ():
            assert precision(ask, own, background, same, shorter) < 0.9


def test_an_anchor_says_levels_and_gaps() -> None:
    def said(frame: pd.DataFrame) -> Any:
        return np.where(frame["age (years)"].isna(), 1.0, np.where(frame["colour"] == "red", 1.0, -1.0))

    frame = mixed(80, seed=3)
    gap, red = frame[frame["age (years)"].isna() & (frame["colour"] != "red")], frame[frame["colour"] == "red"]
    x = pd.concat([gap.head(1), red.dropna().head(1)])
    found = attribute(said, x, Anchors(background=Rows(mixed(60, seed=4))), Logit(0))
    assert found.rules == ("age (years) is missing", "colour = red")
    as_it_is = attribute(said, x, Anchors(background=Typical(mixed(60, seed=4)), bins=None), Logit(0))
    assert as_it_is.rules[0] == "age (years) is missing"


# --- LIME ---


def additive(frame: pd.DataFrame) -> Any:
    """Each column by itself, a step for each level and a line in each number: all that LIME's control variate knows."""
    age = (frame["age (years)"] / 20).fillna(0.7)
    colour = frame["colour"].map({"red": 2.0, "green": -1.0, "blue": 0.5}).fillna(0.3).astype(float)
    return age + colour + 0.5 * frame["visits"] + frame["dose"] / 3 + 1.5 * frame["member"]


def test_lime_of_a_sum_is_known() -> None:
    """The mean of a column's own part over the rows in the example's bin, less that over the rows outside."""
    x, background = rows_with_gaps(), mixed(150, seed=9)
    found = attribute(additive, x, Lime(background=Rows(background)))
    one = pd.concat([x.iloc[[0]]] * len(background), ignore_index=True)
    for place, name in enumerate(COLUMNS):
        part = additive(one.assign(**{name: background[name]})) - additive(x.iloc[[0]]).iloc[0]
        values = background[name]
        for k in range(len(x)):
            own = x[name].iloc[k]
            if pd.isna(own):
                inside = values.isna()
            elif isinstance(own, str | bool | np.bool_):
                inside = values == own
            else:
                edges = np.quantile(values.dropna(), [0.25, 0.5, 0.75])
                inside = pd.Series(np.searchsorted(edges, values) == np.searchsorted(edges, own)) & values.notna()
            expected = part[inside].mean() - part[~inside].mean()
            assert float(found.values[k, place]) == pytest.approx(expected, abs=1e-6)
    assert bool((found.error.bound < 1e-6).all())
    assert found.evaluations.tolist() == [513] * 3


def test_lime_on_plain_columns_is_linear_in_numbers_and_a_step_for_levels() -> None:
    def linear(frame: pd.DataFrame) -> Any:
        return 2.0 * frame["dose"] + 3.0 * (frame["colour"] == "red") + frame["age (years)"].isna() * 0.7

    x, background = rows_with_gaps(), mixed(150, seed=9)
    found = attribute(linear, x, Lime(background=Rows(background), bins=None))
    np.testing.assert_allclose(found.values[:, 2], 2 * (x["dose"] - background["dose"].mean()), rtol=0.02)
    red = background["colour"] == "red"
    for k in range(len(x)):
        own = x["colour"].iloc[k]
        inside = background["colour"].isna() if pd.isna(own) else background["colour"] == own
        expected = 3.0 * (red[inside].mean() - red[~inside].mean())
        assert float(found.values[k, 3]) == pytest.approx(expected, abs=0.05)
        assert float(found.values[k, 0]) == pytest.approx(0.7 if pd.isna(x["age (years)"].iloc[k]) else 0, abs=0.1)


def test_lime_of_very_many_levels_stays_right() -> None:
    """More than the control variate tells apart: the limit is the same, and the interval holds it."""
    draw = np.random.default_rng(0)
    towns = np.array([f"t{k}" for k in range(60)], dtype=object)
    background = pd.DataFrame({"town": draw.choice(towns, 600), "dose": draw.standard_normal(600)})
    worth = dict(zip(towns, draw.standard_normal(60), strict=True))

    def risk(frame: pd.DataFrame) -> Any:
        return frame["town"].map(worth).astype(float) + frame["dose"]

    x = background.head(3)
    found = attribute(risk, x, Lime(background=Rows(background), budget=20_000))
    for k in range(3):
        inside = background["town"] == x["town"].iloc[k]
        mean = background["town"].map(worth)
        expected = mean[inside].mean() - mean[~inside].mean()
        error = float(found.standard_error["input"][k, 0])  # type: ignore[index]
        assert abs(float(found.values[k, 0]) - expected) < max(4 * error, 1e-6)


def test_lime_of_a_frame_of_numbers_is_lime_of_its_array() -> None:
    background, x = of_numbers(80, seed=3), of_numbers(3)
    for bins in (4, None):
        framed = attribute(lambda f: f["a"] * f["b"] + f["c"], x, Lime(background=Rows(background), bins=bins))
        plain = attribute(
            lambda v: v[:, 0] * v[:, 1] + v[:, 2],
            x.to_numpy(),
            Lime(background=Rows(background.to_numpy()), bins=bins),
        )
        np.testing.assert_allclose(framed.values, plain.values, atol=1e-10)


# --- counterfactuals ---


@every_model
def test_a_counterfactual_is_a_row_that_could_be(model: Any) -> None:
    x, background = mixed(12, seed=3), mixed(80, seed=9)
    found = attribute(model, x, Counterfactual(background=Rows(background)), Logit(1))
    there = found.frame("counterfactual")
    assert there.dtypes.equals(x.dtypes)
    assert bool((model.predict(there) != model.predict(x)).all())
    assert set(there["colour"].dropna()) <= {"red", "green", "blue"}
    changed = pd.DataFrame({name: ~((there[name] == x[name]) | (there[name].isna() & x[name].isna())) for name in x})
    assert not found.values.numpy()[~changed].any()

    def middle(values: pd.Series) -> float:
        return float(np.sort(values.dropna())[(values.count() - 1) // 2])

    numbers = background[["age (years)", "visits", "dose"]]
    scale = {name: middle((each - middle(each)).abs()) for name, each in numbers.items()}
    for k in range(len(x)):
        steps = 0.0
        for name in x:
            here, now = x[name].iloc[k], there[name].iloc[k]
            if name in scale and not (pd.isna(here) or pd.isna(now)):
                steps += abs(now - here) / scale[name]
            else:
                steps += float(changed[name].iloc[k])
        assert float(found.measured["distance"][k]) == pytest.approx(steps)
        for name in x.columns[changed.iloc[k]]:  # each change is needed
            back = there.iloc[[k]].assign(**{name: x[name].iloc[[k]].to_numpy()}).astype(x.dtypes)
            assert model.predict(back)[0] == model.predict(x.iloc[[k]])[0]


def test_a_change_of_category_costs_what_is_said() -> None:
    def either(frame: pd.DataFrame) -> Any:
        return np.where((frame["colour"] == "red") | (frame["dose"] > 2.0), 1.0, -1.0)

    x = mixed(200, seed=3).query("colour == 'red' and dose < 2").head(5)
    background = Rows(mixed(80, seed=9))
    cheap = attribute(either, x, Counterfactual(background=background, per_change=0.5), Logit(0))
    assert bool(cheap.error.reached.all())
    assert (cheap.frame("counterfactual")["colour"].to_numpy() != "red").all()
    np.testing.assert_allclose(cheap.measured["distance"], 0.5)
    with pytest.raises(InputError, match="per_change is 0, expected more than 0"):
        Counterfactual(background=background, per_change=0)


def test_a_number_comes_near_while_another_column_stops_being_missing() -> None:
    """Both must change: the dose goes no further than it must, although there is no way half out of missing."""

    def said(frame: pd.DataFrame) -> Any:
        return np.where(frame["age"].notna() & (frame["dose"] < 2.0), 1.0, -1.0)

    x, background = pd.DataFrame({"age": [np.nan], "dose": [5.0]}), pd.DataFrame({"age": [40.5], "dose": [0.5]})
    there = attribute(said, x, Counterfactual(background=Rows(background), bisections=20)).frame("counterfactual")
    assert there["age"].tolist() == [40.5]
    assert 1.99 < there["dose"][0] < 2.0


# --- order, batches, precision ---


@every_model
@pytest.mark.parametrize(
    "method",
    [Shapley(background=Rows(mixed(2, seed=8))), Lime(background=Rows(mixed(60, seed=8)), budget=120)],
    ids=lambda method: type(method).__name__,
)
def test_order_and_company_change_nothing(model: Any, method: Any) -> None:
    x = mixed(5, seed=3)
    whole = attribute(model, x, method, Logit(1))
    few = attribute(model, x, method, Logit(1), batch_size=3)
    torch.testing.assert_close(few.values, whole.values, atol=1e-7, rtol=0)
    order = [4, 0, 2]
    some = attribute(model, x.iloc[order], method, Logit(1))
    torch.testing.assert_close(some.values, whole.values[order], atol=1e-7, rtol=0)
    if isinstance(method, Shapley):  # LIME draws column by column
        turned = attribute(model, x[x.columns[::-1]], method, Logit(1))
        torch.testing.assert_close(turned.values.flip(1), whole.values, atol=1e-7, rtol=0)


def test_a_pipeline_that_was_fitted_on_polars_is_asked_with_polars() -> None:
    pl = pytest.importorskip("polars", reason="polars is not installed")
    x, background = mixed(3, seed=3).dropna(), mixed(6, seed=8).dropna()
    seen = []

    def watched(frame: Any) -> Any:
        seen.append(type(frame))
        return frame

    fitted = mixed(300, seed=7).dropna()
    model = make_pipeline(FunctionTransformer(watched), one_hot(), LogisticRegression(max_iter=500))
    model.fit(pl.from_pandas(fitted), labels(fitted))
    seen.clear()
    method = Shapley(background=Rows(pl.from_pandas(background)))
    found = attribute(model, pl.from_pandas(x), method, Logit(1))
    assert set(seen) == {pl.DataFrame}
    assert isinstance(found.frame(), pl.DataFrame)
    same = make_pipeline(one_hot(), LogisticRegression(max_iter=500)).fit(fitted, labels(fitted))
    expected = attribute(same, x, Shapley(background=Rows(background)), Logit(1))
    torch.testing.assert_close(found.values, expected.values, atol=1e-9, rtol=0)


def test_native_categories_and_nullable_types_reach_the_model() -> None:
    frame = mixed(200, seed=7).astype({"colour": "category", "useless": "category", "visits": "Int64"})
    model = HistGradientBoostingClassifier(max_iter=10, categorical_features="from_dtype", random_state=0)
    model.fit(frame, labels(mixed(200, seed=7)))
    x, background = frame.head(2), frame.tail(4)
    found = attribute(model, x, Shapley(background=Rows(background)), Logit(1))
    for k in range(2):
        expected = shapley(log_odds(model), x.iloc[[k]], background, COLUMNS)
        np.testing.assert_allclose(found.values[k], list(expected.values()), atol=1e-9)


# --- what an estimator is asked with ---


def test_an_estimator_that_was_fitted_on_an_array_is_asked_with_one() -> None:
    x = of_numbers(40, seed=2)
    y = (x["a"] > x["b"]).to_numpy()
    for model in (
        LogisticRegression().fit(x.to_numpy(), y),
        make_pipeline(StandardScaler(), LogisticRegression()).fit(x.to_numpy(), y),
        HistGradientBoostingClassifier(max_iter=5).fit(x.to_numpy(), y),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = attribute(model, x.head(4), Occlusion(), Logit(1))
        plain = attribute(model, x.head(4).to_numpy(), Occlusion(), Logit(1))
        torch.testing.assert_close(found.values, plain.values)
    gaps = x.mask(x > 1.5)
    model = HistGradientBoostingClassifier(max_iter=5).fit(gaps.to_numpy(), y)
    found = attribute(model, gaps.head(8), Occlusion(baseline=Typical(x)), Logit(1))
    assert float(found.output[0]) == pytest.approx(log_odds(model)(gaps.head(1).to_numpy())[0])
    with pytest.raises(InputError, match=r"column 'f' is a category .*was fitted on an array without names"):
        attribute(model, gaps.assign(f="x"), RandomValues())


@pytest.mark.parametrize("last", [LogisticRegression(), DecisionTreeClassifier(max_depth=3, random_state=0)])
def test_columns_in_another_order_are_put_right_for_models_that_go_by_position(last: Any) -> None:
    x = of_numbers(60, seed=2)
    model = last.fit(x, x["a"] > x["b"])
    method = WeightTimesInput() if isinstance(last, LogisticRegression) else TreePaths()
    found = attribute(model, x.head(5), method, Logit(1))
    turned = attribute(model, x.head(5)[list("ecabd")], method, Logit(1))
    torch.testing.assert_close(turned.values[:, [2, 3, 1, 4, 0]], found.values)
    torch.testing.assert_close(turned.output, found.output)


def test_tree_shap_takes_gaps_and_order_and_refuses_categories() -> None:
    pytest.importorskip("shap", reason="the extra trees is not installed")
    x = of_numbers(120, seed=2)
    gaps = x.mask(x > 1.2)
    model = HistGradientBoostingRegressor(max_iter=6, random_state=0).fit(gaps, x["a"] + x["b"] * x["c"])
    found = attribute(model, gaps.head(5), TreeSHAP(), Logit(0))
    np.testing.assert_allclose(found.residual(), 0, atol=1e-5)
    turned = attribute(model, gaps.head(5)[list("ecabd")], TreeSHAP(), Logit(0))
    torch.testing.assert_close(turned.values[:, [2, 3, 1, 4, 0]], found.values)
    categories = gaps.assign(a=np.where(x["a"] > 0, "up", "down")).astype({"a": "category"})
    other = HistGradientBoostingRegressor(max_iter=3, categorical_features="from_dtype").fit(categories, x["b"])
    with pytest.raises(UnsupportedError, match=r"TreeSHAP takes numbers, and column 'a' is a category .*Shapley"):
        attribute(other, categories.head(3), TreeSHAP(), Logit(0))


def test_a_function_over_a_frame() -> None:
    x = rows_with_gaps()
    found = attribute(lambda frame: (frame["colour"] == "red") * frame["dose"], x, Shapley(background=Rows(mixed(5))))
    expected = shapley(lambda f: ((f["colour"] == "red") * f["dose"]).to_numpy(), x.iloc[[2]], mixed(5), COLUMNS)
    np.testing.assert_allclose(found.values[2], list(expected.values()), atol=1e-12)


# --- what a model refuses ---


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: f.assign(extra=1), r"have column 'extra', which the model was not fitted on.*feature_names_in_\)\]"),
        (lambda f: f.drop(columns="dose"), r"fitted on column 'dose', which the rows lack.*\(dose is missing\)"),
        (lambda f: f.assign(useless="east"), "refuses these rows, for 'east' in column 'useless': Found unknown"),
        (lambda f: f.assign(visits="many"), "Pipeline refuses these rows|LogisticRegression refuses these rows"),
    ],
)
def test_what_a_pipeline_refuses_is_one_line(change: Any, said: str) -> None:
    with pytest.raises(InputError, match=said) as problem:
        attribute(logistic(), change(mixed(4)), RandomValues(), Logit(1))
    assert "\n" not in str(problem.value)


def test_a_level_of_the_background_that_the_model_does_not_know_is_named() -> None:
    background = mixed(20).assign(useless="east")
    with pytest.raises(InputError, match="refuses these rows, for 'east' in column 'useless'"):
        attribute(logistic(), mixed(4), Shapley(background=Rows(background)), Logit(1))
    found = attribute(boosted(), mixed(4).assign(colour="pink"), Shapley(background=Rows(mixed(5))), Logit(1))
    assert bool(torch.isfinite(found.values).all())  # which takes an unknown level, and so do we


def test_missing_values_that_the_model_does_not_take_are_named() -> None:
    x = mixed(40)[["dose", "age (years)"]]
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(x.dropna(), x.dropna()["dose"] > 2)
    with pytest.raises(
        InputError, match=r"refuses these rows, for missing values in 'age \(years\)': Input X contains"
    ):
        attribute(model, x, RandomValues())
    linear = LinearRegression().fit(x.dropna(), x.dropna()["dose"])
    with pytest.raises(InputError, match=r"column 'age \(years\)' is missing in row \d+, and this model takes numbers"):
        attribute(linear, x, WeightTimesInput())


def test_what_is_wrong_in_a_function_of_arrays_is_said_as_it_is() -> None:
    with pytest.raises(KeyError, match="oops"):
        attribute(lambda x: {}["oops"], torch.ones(2, 2), RandomValues())


# --- linear models and trees behind transformers ---


def of_two_kinds(last: Any) -> Any:
    """Every kind of transformer whose columns can be followed."""
    numbers = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())
    return make_pipeline(
        ColumnTransformer(
            [
                ("filled", numbers, ["visits", "age (years)"]),
                ("curve", SplineTransformer(n_knots=4), ["dose"]),
                ("bins", KBinsDiscretizer(3, quantile_method="averaged_inverted_cdf"), [2, 1]),
                ("words", OneHotEncoder(drop="first", handle_unknown="ignore"), ["useless", "colour"]),
            ],
            remainder="passthrough",
        ),
        last,
    )


@pytest.mark.parametrize("target", [Logit(0), Logit(1)])
def test_a_linear_pipeline_is_a_sum_over_raw_columns(target: Logit) -> None:
    """What changes when one column becomes another row's is the difference of that column's terms, no other's."""
    frame = mixed(200, seed=7)
    model = of_two_kinds(LogisticRegression(max_iter=2000)).fit(frame, labels(frame))
    adapted = adapt(model)
    assert isinstance(adapted, LinearPipeline)
    x = mixed(12, seed=3)
    found = adapted.terms(Tensors.of_frame(x))
    sign = 2 * target.index - 1  # type: ignore[operator]
    margin = sign * model.decision_function(x)
    total = found.reference[target.index] + found.values[..., target.index].sum(1)  # type: ignore[index]
    np.testing.assert_allclose(total, margin, atol=1e-9)
    assert found.columns == tuple((k,) for k in range(6))
    for place, name in enumerate(COLUMNS):
        other = x.assign(**{name: x[name].to_numpy()[::-1]}).astype(x.dtypes)
        change = found.values.flip(0)[:, place] - found.values[:, place]
        moved = sign * model.decision_function(other) - margin
        np.testing.assert_allclose(change[:, target.index], moved, atol=1e-9)  # type: ignore[index]


def test_a_level_is_given_what_its_one_hot_column_has() -> None:
    frame = mixed(200, seed=7).dropna()
    model = make_pipeline(one_hot(), LogisticRegression()).fit(frame, labels(frame))
    names = model[0].get_feature_names_out().tolist()
    x = mixed(5, seed=3).dropna()
    terms = adapt(model).terms(Tensors.of_frame(x)).values[..., 1]  # type: ignore[attr-defined]
    weights = dict(zip(names, model[-1].coef_[0], strict=True))
    expected = [weights[f"words__colour_{level}"] for level in x["colour"]]
    np.testing.assert_allclose(terms[:, 3], expected, atol=1e-12)


def test_shape_functions_read_a_linear_pipeline_exactly() -> None:
    methods = pytest.importorskip("attar.methods.shape_functions", reason="there is no such method")
    x = mixed(6, seed=3)
    found = attribute(logistic(), x, methods.ShapeFunctions(), Logit(1))
    np.testing.assert_allclose(found.residual(), 0, atol=1e-12)
    np.testing.assert_allclose(found.output, logistic().decision_function(x), atol=1e-12)


def test_a_tree_behind_transformers_walks_in_raw_columns() -> None:
    """The path of the tree itself, each split at the raw column that its column is made of."""
    frame = mixed(300, seed=7)
    model = of_two_kinds(DecisionTreeClassifier(max_depth=5, random_state=0)).fit(frame, labels(frame))
    assert isinstance(adapt(model), TreePipeline)
    x = mixed(8, seed=3)
    found = attribute(model, x, TreePaths(), Logit(1))
    np.testing.assert_allclose(found.residual(), 0, atol=1e-12)
    names = model[0].get_feature_names_out()
    inside = attribute(model[-1], np.asarray(model[0].transform(x), dtype=float), TreePaths(), Logit(1))
    by_name = np.zeros((len(x), len(COLUMNS)))
    for k, made in enumerate(names):
        raw = next(place for place, name in enumerate(COLUMNS) if f"__{name}" in made or f"_{name}" in made)
        by_name[:, raw] += inside.values[:, k].numpy()
    np.testing.assert_allclose(found.values, by_name, atol=1e-12)


@pytest.mark.parametrize("mixing", [PCA(2), Normalizer(), FunctionTransformer(lambda x: x[:, ::-1])])
def test_transformers_that_mix_columns_are_not_followed(mixing: Any) -> None:
    x = of_numbers(40, seed=2)
    fitted = mixing.fit(x.to_numpy())
    with pytest.raises(UnsupportedError, match=f"{type(mixing).__name__} may make one column of several"):
        sources(fitted, 5)
    model = make_pipeline(StandardScaler(), mixing, LogisticRegression()).fit(x.to_numpy(), x["a"] > 0)
    assert isinstance(adapt(model), Estimator)
    with pytest.raises(UnsupportedError, match="a Pipeline's raw columns are explained by methods that only ask"):
        attribute(model, x.to_numpy(), WeightTimesInput())


def test_ways_out_are_named() -> None:
    frame = mixed(200, seed=7)
    tree = of_two_kinds(DecisionTreeClassifier(max_depth=3)).fit(frame, labels(frame))
    for model, method, said in (
        (logistic(), WeightTimesInput(), "it is a sum over its raw columns, which ShapeFunctions reads off"),
        (tree, TreeSHAP(), "does not sum to the category's: take Shapley"),
        (logistic(), ExpectedGradients(background=Rows(mixed(5))), "follows a gradient, and column 'age"),
    ):
        with pytest.raises(UnsupportedError, match=said):
            attribute(model, mixed(20), method)


def test_a_pipeline_of_three_classes_answers_log_odds_as_before() -> None:
    """Three logits share one softmax, and no sum over columns is the log-odds of one class."""
    frame = mixed(200, seed=7)
    model = make_pipeline(one_hot(), LogisticRegression(max_iter=500)).fit(frame, frame["visits"].clip(upper=2))
    assert isinstance(adapt(model), Estimator)
