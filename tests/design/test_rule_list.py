"""Rule lists: planted lists are found, the proof is right, and what is measured had no part in the choice."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from attar import InputError, Logit, attribute
from attar.design.folds import folds
from attar.design.rule_candidates import candidates, holds, single_conditions
from attar.design.rule_list import RuleListClassifier
from attar.design.rule_search import best_list
from attar.design.shares import wilson
from attar.methods.tree_paths import TreePaths
from reference.rule_list_enumeration import least_objective


def planted(rows: int = 600, noise: float = 0.0, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """red and large: stop; else heavy: wait; else go."""
    generator = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "size": generator.integers(0, 3, rows).astype(float),
            "weight": generator.uniform(0, 100, rows),
            "colour": generator.choice(["red", "green", "blue"], rows),
            "idle": generator.standard_normal(rows),
        }
    )
    stop = (table["colour"] == "red") & (table["size"] == 2)
    label = np.where(stop, "stop", np.where(table["weight"] > 50, "wait", "go"))
    other = generator.uniform(size=rows) < noise
    return table, np.where(other, generator.choice(["stop", "wait", "go"], rows), label)


def test_a_planted_list_is_found_and_proved() -> None:
    x, y = planted()
    model = RuleListClassifier(most=3, bins=2).fit(x, y)
    assert model.certificate_.optimal
    first, second, last = model.rules_
    assert {str(condition) for condition in first.conditions} == {"size is 2", "colour is 'red'"}
    assert first.prediction == "stop"
    (halves,) = second.conditions
    assert halves.name == "weight"
    assert min(abs(halves.low - 50), abs(halves.high - 50)) < 4
    assert {second.prediction, last.prediction} == {"wait", "go"}
    assert model.score(x, y) > 0.93


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("classes", [2, 3])
def test_the_best_of_all_lists_is_found(seed: int, classes: int) -> None:
    generator = np.random.default_rng(seed)
    captures = generator.uniform(size=(7, 40)) < generator.uniform(0.1, 0.6, (7, 1))
    captures[3] = captures[1]  # a rule that says what another says
    of_class = np.eye(classes)[generator.integers(0, classes, 40)] * generator.integers(1, 4, (40, 1))
    chosen, proof = best_list(captures, of_class, most=3, price=0.02, nodes=10_000)
    wanted = least_objective(captures, of_class, 3, 0.02)
    assert proof.optimal
    assert proof.objective == pytest.approx(wanted)
    assert proof.bound == pytest.approx(wanted)
    assert least_objective(captures[list(chosen)], of_class, len(chosen), 0.02) <= wanted + 1e-12


@pytest.mark.parametrize("nodes", [1, 2, 5, 20])
def test_a_search_that_ends_early_says_how_far_off_it_may_be(nodes: int) -> None:
    for seed in range(5):
        generator = np.random.default_rng([seed, 1])
        captures = generator.uniform(size=(8, 60)) < 0.3
        of_class = np.eye(2)[generator.integers(0, 2, 60)]
        _, proof = best_list(captures, of_class, most=3, price=0.005, nodes=nodes)
        wanted = least_objective(captures, of_class, 3, 0.005)
        assert proof.bound <= wanted + 1e-12
        assert proof.objective >= wanted - 1e-12
        assert proof.nodes <= nodes


def test_every_pair_of_conditions_is_a_candidate() -> None:
    x, y = planted(80)
    table = np.column_stack([x["size"], x["weight"]])
    single = single_conditions(table, np.ones(80), ["size", "weight"], {0: np.arange(3.0)}, bins=3)
    assert [str(one) for one in single[:3]] == ["size is 0", "size is 1", "size is 2"]
    of_class = np.eye(3)[np.unique(y, return_inverse=True)[1]]
    found = candidates(table, of_class, single, conditions=2, most=10_000, at_least=1)
    seen = {rows.tobytes() for rows in found.captures}
    assert len(seen) == len(found.rules), "of rules that capture the same rows one is kept"
    for one in single:
        for other in single:
            both = holds(table, (one, other))
            assert not both.any() or both.tobytes() in seen
    for rule, rows in zip(found.rules, found.captures, strict=True):
        assert (holds(table, rule) == rows).all()
        assert len({condition.column for condition in rule}) == len(rule), "two bounds of one column are one condition"


def test_rules_are_measured_on_rows_that_did_not_choose_them() -> None:
    x, y = planted(400, noise=0.2)
    model = RuleListClassifier().fit(x, y)
    place = np.unique(y, return_inverse=True)[1]
    codes = x.assign(colour=x["colour"].map({"blue": 0.0, "green": 1.0, "red": 2.0})).to_numpy()
    apart = folds(codes, place, 4, stratified=True, seed=0) == 0
    assert sum(rule.n for rule in model.rules_) == apart.sum()
    answered = np.full(len(x), -1)
    for k, rule in reversed(list(enumerate(model.conditions_))):
        answered[holds(codes, rule)] = k
    for k, rule in enumerate(model.rules_):
        here = apart & (answered == (k if k < len(model.conditions_) else -1))
        right = (y[here] == rule.prediction).sum()
        assert (rule.n, rule.share) == (here.sum(), pytest.approx(right / here.sum()))
        assert (rule.low, rule.high) == wilson(float(right), float(here.sum()))


def test_an_interval_of_a_share_is_wilsons() -> None:
    np.testing.assert_allclose(wilson(8, 10), (0.490162, 0.943318), atol=1e-6)
    assert wilson(0, 5)[0] == 0
    assert wilson(5, 5)[1] == 1
    assert wilson(0, 0) == (0, 1)


def test_paths_follow_the_list_condition_by_condition() -> None:
    """Against a walk that is written out: who is left after each condition, and what it did to the log-odds."""
    x, y = planted(300, noise=0.1)
    numbers = x.drop(columns="colour")
    both = (x["size"] == 2) & (x["weight"] > 40)
    y = np.where(both, "stop", np.where(x["idle"] > 0, y, "go"))
    model = RuleListClassifier(most=3).fit(numbers, y)
    assert max(len(rule) for rule in model.conditions_) == 2
    assert len(model.conditions_) > 1
    table = numbers.to_numpy()
    place = np.unique(y, return_inverse=True)[1]
    learnt = folds(table, place, 4, stratified=True, seed=0) != 0

    def odds(rows: np.ndarray) -> float:
        counts = np.bincount(place[rows & learnt], minlength=3) + 0.5
        return float(np.log(counts[1] / (counts.sum() - counts[1])))

    found = attribute(model, numbers.iloc[:20], TreePaths(), Logit(1))
    for row in range(20):
        left, gains = np.ones(len(table), dtype=bool), np.zeros(3)
        now = odds(left)
        for rule in model.conditions_:
            inside, whole = left.copy(), True
            for condition in rule:
                met = holds(table, (condition,))
                whole = bool(met[row])
                inside = inside & met
                after = odds(inside) if whole else odds(left & ~holds(table, rule))
                gains[condition.column] += after - now
                now = after
                if not whole:
                    break
            if whole:
                break
            left = left & ~holds(table, rule)
        np.testing.assert_allclose(found.values[row].numpy(), gains, atol=1e-9)
        assert float(found.output[row]) == pytest.approx(now)


def test_labels_without_a_pattern_get_no_rule() -> None:
    x, _ = planted(300)
    model = RuleListClassifier(price=0.1).fit(x, np.random.default_rng(3).integers(0, 2, 300))
    assert len(model.rules_) == 1
    assert model.reading().startswith("Read from the top; the first line that holds answers:\n  1. otherwise: ")


def test_a_reading_in_full() -> None:
    x = pd.DataFrame({"dose": np.repeat([1.0, 2.0], 40), "colour": ["red", "blue"] * 40})
    y = np.where((x["dose"] == 2) & (x["colour"] == "red"), "ill", "well")
    x, y = pd.concat([x, x]), np.concatenate([y, y])
    x["time"] = np.arange(160.0)  # else a row and its copies would be one
    model = RuleListClassifier(most=1).fit(x, y)
    assert model.reading(units={"dose": "mg"}) == (
        "Read from the top; the first line that holds answers:\n"
        "  1. if dose is 2 mg and colour is 'red': 'ill', 100% of 10 held-out rows (95%: 72% to 100%)\n"
        "  2. otherwise: 'well', 100% of 30 held-out rows (95%: 89% to 100%)\n"
        "Right for 100% of 40 rows that had no part in choosing the rules (95%: 91% to 100%).\n"
        f"Proved: no list of at most 1 of {model.candidates_} candidate rules, at 0.01 per rule, errs less on the rows "
        "it was learnt from.\n"
        "What it cannot tell: whether a column causes anything; a line by itself, for it is about the rows that the "
        "lines before it left; small effects, which a short list leaves out."
    )


def test_a_search_that_ended_early_is_no_proof_in_the_reading() -> None:
    x, y = planted(200, noise=0.3)
    said = RuleListClassifier(nodes=2, price=0.002).fit(x, y).reading()
    assert "Not proved the best: another list of at most 4" in said
    assert "(the search ended after 2 lists)" in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"most": 0}, "most is 0, expected at least 1 rule"),
        ({"conditions": 4}, "conditions is 4, expected 1 to 3"),
        ({"price": 0.0}, "price is 0.0, expected a share"),
        ({"held_out": 0.0}, "held_out is 0.0, expected a share above 0"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], said: str) -> None:
    x, y = planted(30)
    with pytest.raises(InputError, match=said):
        RuleListClassifier(**options).fit(x, y)


def test_gaps_are_refused_by_name() -> None:
    x, y = planted(30)
    x.loc[3, "colour"] = None
    with pytest.raises(InputError, match="column 'colour' is missing in row 3"):
        RuleListClassifier().fit(x, y)
