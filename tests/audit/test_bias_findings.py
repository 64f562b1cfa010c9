"""Findings about the examples: each threshold from both sides, and planted faults named in made tasks."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from attar.audit.findings import (
    Finding,
    alternatives_finding,
    copies_finding,
    label_noise_finding,
    population_finding,
    slice_finding,
)
from attar.audit.plan import MadePlan
from attar.audit.trials import bias, first_trial
from attar.core.note import Note
from attar.evaluation.intervals import Interval
from attar.experiments.benchmarks import made_domain
from attar.experiments.made_task import made_task
from attar.experiments.problems import with_biased_slice, with_noise
from attar.experiments.task import Task
from attar.pitfalls.coverage import Alternative
from attar.pitfalls.duplicates import Duplicates
from attar.pitfalls.label_noise import LabelNoise, label_noise
from attar.pitfalls.population import Difference, TwoSample
from attar.pitfalls.slices import Slice

TABLES = made_domain("tables")
PLAN = MadePlan(domain=TABLES, models=("glm",), methods=("weight-times-input",), flips=(), seeds=1, workers=1)


@cache
def clean(seed: int = 0, count: int = 400) -> Task:
    return made_task(TABLES, "threshold", count=count, seed=seed)


def judged(task: Task) -> list[Finding]:
    """Everything that an audit says of the examples."""
    first, found = first_trial(task, PLAN), bias(task, PLAN)
    noise = label_noise(first.trial.labels, first.trial.predictions)
    findings = [
        population_finding(task, found.told_apart),
        slice_finding(task, first.slices),
        copies_finding(task, found.copies, found.near),
        alternatives_finding(found.alternatives),
        label_noise_finding(task, noise, np.flatnonzero(task.test)),
    ]
    return [f for f in findings if f is not None]


@pytest.mark.parametrize("seed", range(4))
def test_a_clean_task_has_no_caution(seed: int) -> None:
    assert {f.status for f in judged(clean(seed))} == {"ok"}


@pytest.mark.parametrize("seed", [0, 1])
def test_a_biased_slice_is_named(seed: int) -> None:
    task = with_biased_slice(clean(seed, 800), "x9 > 1.5", 0.3, seed=seed)
    (found,) = (f for f in judged(task) if f.name == "slices")
    assert found.status == "caution"
    assert "x9" in found.evidence


def test_labels_of_which_three_in_ten_are_turned_are_a_caution() -> None:
    (found,) = (f for f in judged(with_noise(clean(0, 800), 0.3)) if f.name == "label noise")
    assert found.status == "caution"
    assert "most likely rows" in found.evidence


def told(auroc: float, p: float) -> TwoSample:
    return TwoSample(Interval(auroc, 0.5, 0.9, 100), p, (Difference("mass", 1.0, 2.5, 0.8, 0.4, 1.2, 0.001, 1.0),))


@pytest.mark.parametrize(
    ("auroc", "p", "status"), [(0.61, 0.005, "caution"), (0.60, 0.005, "ok"), (0.9, 0.01, "ok"), (0.5, 0.5, "ok")]
)
def test_training_told_from_test(auroc: float, p: float, status: str) -> None:
    found = population_finding(clean(), told(auroc, p))
    assert found is not None
    assert found.status == status
    assert ("mass (1 in training, 2.5 in test)" in found.evidence) == (status == "caution")
    assert population_finding(clean(), None) is None


@pytest.mark.parametrize(("quality", "status"), [(0.79, "caution"), (0.81, "ok")])
def test_a_slice_is_held_against_the_rest(quality: float, status: str) -> None:
    one = Slice("with so warm", "positives", 61, Interval(quality, 0.4, 0.9, 250), 0.90, 1e-4)
    found = slice_finding(clean(), [one, replace(one, name="with red")])
    assert found.status == status
    assert ("61 held-out positives “with so warm”" in found.evidence) == (status == "caution")
    assert ("positives “with red”" in found.evidence) == (status == "caution")


def test_copies_count_unless_reading_the_file_has_said_so() -> None:
    task = clean()  # 100 of them held out
    one, two = Duplicates((5,), (), ()), Duplicates((5, 6), (), ())
    told = replace(task, notes=(Note("leak across split", 2, (5, 6), "leak"),))
    assert [copies_finding(t, d, {}).status for t, d in ((task, one), (task, two), (told, two))] == [
        "ok", "caution", "ok"
    ]  # fmt: skip
    assert copies_finding(task, Duplicates((), (), tuple(range(5))), {}).status == "caution"
    assert "1 more" in copies_finding(task, one, {5: 1, 7: 2}).evidence


@pytest.mark.parametrize(
    ("low", "ruled", "status"), [(0.06, False, "caution"), (0.05, False, "ok"), (0.2, True, "note")]
)
def test_wrong_labels_count_where_no_rule_says_that_they_are_right(low: float, ruled: bool, status: str) -> None:
    task = clean() if ruled else replace(clean(), rule=None)
    noise = LabelNoise(
        share=Interval(0.3, low, 0.4, 50), joint=np.eye(2) / 2, rows=np.array([1]), told=Interval(0.7, 0.6, 0.8, 100)
    )
    found = label_noise_finding(task, noise, np.array([7, 11]))
    assert found.status == status
    assert ("most likely rows 12 " in found.evidence) == (status == "caution")
    unknown = label_noise_finding(task, replace(noise, told=Interval(0.5, 0.4, 0.6, 100)), np.array([7, 11]))
    assert ("its fault alone" in unknown.evidence) == (status == "caution")


def test_an_alternative_that_hardly_any_shows_is_named() -> None:
    usual, rare = Alternative("a or b", 1, "a", 10, 8), Alternative("a or b", 2, "b", 9, 9)
    found, fine = alternatives_finding([usual, rare]), alternatives_finding([usual])
    assert found is not None
    assert fine is not None
    assert (found.status, found.value, fine.status) == ("caution", 9.0, "ok")
    assert "b is in 9 training positives" in found.evidence
    assert "a is in" not in found.evidence
    assert alternatives_finding([]) is None
