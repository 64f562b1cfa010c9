"""The examples that a report shows: which are chosen, in which order, and that they hold what a picture needs."""

import json
from dataclasses import asdict, replace
from functools import cache

import numpy as np
import pytest

from attar.audit.pictures import Picture, pictures
from attar.core.domain import MadeDomain
from attar.core.recipe import Fitted
from attar.domains.tables.domain import Tables
from attar.experiments.benchmarks import MADE, made_domain
from attar.experiments.made_models import MadeRecipe
from attar.experiments.made_task import made_task
from attar.experiments.task import Task

TABLES, METHOD = Tables(), "weight-times-input"


def fit(question: Task, domain: MadeDomain = TABLES) -> Fitted:
    recipe = MadeRecipe(domain=domain, kind="glm", task=question.task)
    return recipe.fit(*question.part(question.train), 0)


@cache
def task() -> Task:
    return made_task(TABLES, "threshold", count=200)


@cache
def shown() -> list[Picture]:
    return pictures(task(), fit(task()), METHOD)


def logit(p: Picture) -> float:
    return float(np.log(p.prediction / (1 - p.prediction)))


def test_positives_from_sure_to_doubtful_then_negatives_from_the_most_wrong() -> None:
    labels = [p.label for p in shown()]
    assert labels == [1.0] * 9 + [0.0] * 3
    predictions = [p.prediction for p in shown()]
    assert predictions[:9] == sorted(predictions[:9], reverse=True)
    assert predictions[9:] == sorted(predictions[9:], reverse=True)


def test_the_ends_are_the_surest_and_the_most_doubtful_of_all() -> None:
    examples, labels = task().part(task().test)
    said = fit(task()).predict(examples)
    assert logit(shown()[0]) == pytest.approx(said[labels > 0.5].max(), abs=1e-6)
    assert logit(shown()[8]) == pytest.approx(said[labels > 0.5].min(), abs=1e-6)
    assert logit(shown()[9]) == pytest.approx(said[labels < 0.5].max(), abs=1e-6)


def test_they_hold_the_columns_the_values_and_what_the_rule_names() -> None:
    """A GLM's values with its intercept are its logit, so values and prediction belong to the same row."""
    first, last = shown()[0], shown()[-1]
    assert [cell["column"] for cell in first.example] == list(TABLES.layout.names)
    assert (first.true_parts, last.true_parts) == ([0], [])
    assert all((p.example[0]["value"] > 0.5) == (p.true_parts == [0]) for p in shown())
    rest = [logit(p) - sum(p.values) for p in shown()]
    assert rest == pytest.approx([rest[0]] * len(rest), abs=0.01)
    assert all(float(f"{v:.4g}") == v for p in shown() for v in p.values)


def test_of_numbers_without_a_rule_all_are_shown_from_large_to_small() -> None:
    labels = np.array([e[0] + 0.1 * e[1] for e in task().examples])
    numbers = replace(task(), labels=labels, task="regression", rule=None, rule_name=None)
    found = pictures(numbers, fit(numbers), METHOD)
    assert len(found) == 12
    assert [p.prediction for p in found] == sorted((p.prediction for p in found), reverse=True)
    assert {tuple(p.true_parts) for p in found} == {()}


@pytest.mark.parametrize("name", MADE)
def test_every_domain_fits_into_json(name: str) -> None:
    domain = made_domain(name)
    question = made_task(domain, next(iter(domain.rules)), count=24)
    found = pictures(question, fit(question, domain), METHOD)
    written = json.dumps([asdict(p) for p in found], allow_nan=False)
    assert json.loads(written) == [asdict(p) for p in found]
    assert len(written) < 100_000 * len(found)
    assert {len(p.values) for p in found} == {domain.size(question.examples[0])}
