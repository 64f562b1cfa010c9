"""Chance, measured: what values that know nothing score, and that they score it again."""

import numpy as np
import pytest
import torch

from attar import attribute
from attar.core.features import Features, Share
from attar.core.parts import Parts
from attar.domains.molecules.graphs import molecule_graphs
from attar.domains.molecules.perturb import AtomsOnly, Receivers
from attar.evaluation.accuracy import Accuracy, accuracies
from attar.evaluation.chance import chance, mean_accuracy
from attar.evaluation.truth import TruthMasks
from attar.methods.random_values import RandomValues
from models import nci

GENERATOR_SEED = 0


def truths(count: int, size: int = 20, inside: int = 4, answers: int = 1) -> list[TruthMasks]:
    generator = np.random.default_rng(GENERATOR_SEED)
    found = []
    for _ in range(count):
        masks = np.zeros((answers, size), dtype=bool)
        for row in masks:
            row[generator.permutation(size)[:inside]] = True
        found.append(TruthMasks(masks, masks.any(0), {"first": masks[0]}))
    return found


def test_chance_is_one_half_where_one_answer_is_legal() -> None:
    found = chance(truths(60), draws=40)
    assert [found.best, found.union, found.named["first"]] == pytest.approx([0.5] * 3, abs=0.01)


def test_chance_does_not_know_where_in_an_example_the_answer_lies() -> None:
    first = np.arange(20) < 4
    for mask in (first, ~first, first[::-1]):
        assert chance([TruthMasks(mask[None], mask, {})] * 60, draws=40).union == pytest.approx(0.5, abs=0.015)


def test_chance_is_above_one_half_where_the_best_of_many_counts() -> None:
    found = chance(truths(60, answers=6), draws=40)
    assert found.union == pytest.approx(0.5, abs=0.01)
    assert found.best > 0.65


def test_random_attributions_score_what_chance_says() -> None:
    """The best of several answers, from outside: 150 runs of unrelated numbers, within three standard errors."""
    known = truths(40, answers=4)
    said = chance(known, draws=100)
    generator = np.random.default_rng(9)
    runs = [mean_accuracy(accuracies([generator.standard_normal(20) for _ in known], known)).best for _ in range(150)]
    error = np.std(runs) / 150**0.5 + np.std(runs) / 100**0.5
    assert said.best == pytest.approx(np.mean(runs), abs=3 * error)


def test_chance_depends_on_its_seed_alone() -> None:
    known = truths(5)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    assert chance(known, seed=2) == chance(known, seed=2)
    assert chance(known, seed=2) != chance(known, seed=3)
    assert torch.equal(torch.get_rng_state(), before[0])
    np.testing.assert_array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002


def test_examples_of_different_size_are_cut_apart() -> None:
    known = truths(30, size=6, inside=2) + truths(30, size=25, inside=5)
    assert chance(known, draws=40).union == pytest.approx(0.5, abs=0.02)


def _uneven(examples: int, size: int, rows: int) -> tuple[Parts, Features]:
    """Features that get one row each, but the first of every example, which gets the sum of many."""
    each = [0] * rows + list(range(1, size))
    feature = torch.tensor([size * k + f for k in range(examples) for f in each])
    members = Share(feature, torch.arange(len(feature)), torch.ones(len(feature)))
    owner = torch.arange(examples).repeat_interleave(size)
    features = Features("atoms", "by hand", owner, {"rows": members})
    return Parts({"rows": torch.zeros(len(feature))}), features


def test_carrying_moves_the_spread_and_not_the_middle_of_chance() -> None:
    """A feature that gets many rows is more often at an end of the ranking, at either: it is first with almost even
    odds, where any one of the others is first with a chance of one in twenty."""
    first = np.zeros((1, 20), dtype=bool)
    first[0, 0] = True
    parts, features = _uneven(200, 20, rows=400)
    known = [TruthMasks(first, first[0], {})] * 200
    assert chance(known, parts=parts, features=features).union == pytest.approx(0.5, abs=0.05)
    two_answers = np.zeros((2, 20), dtype=bool)
    two_answers[0, 0] = two_answers[1, 1] = True
    uneven = chance([TruthMasks(two_answers, first[0], {})] * 200, parts=parts, features=features).best
    even = chance([TruthMasks(two_answers, first[0], {})] * 200).best
    assert uneven > even + 0.03


def test_chance_of_a_molecule_is_that_of_the_random_method() -> None:
    """On the same parts, carried in the same way; how many features a number is summed over matters little."""
    molecules = list(nci(40))
    graphs = molecule_graphs(molecules)
    generator = np.random.default_rng(GENERATOR_SEED)
    known = []
    for molecule in molecules:
        masks = np.zeros((3, molecule.size), dtype=bool)
        for row in masks:
            row[generator.permutation(molecule.size)[: max(1, molecule.size // 4)]] = True
        known.append(TruthMasks(masks, masks.any(0), {}))
    for rule in (Receivers(), AtomsOnly()):
        features = rule(graphs)
        said = chance(known, parts=graphs.parts, features=features, draws=40)
        runs = []
        for seed in range(16):
            found = attribute(_nothing, graphs, RandomValues(seed=seed)).carried(features)
            runs.append(mean_accuracy(accuracies([v.numpy() for v in found.by_example("atoms")], known)).best)
        assert said.best == pytest.approx(np.mean(runs), abs=3 * np.std(runs) / 4 + 0.005)


def _nothing(inputs: object) -> torch.Tensor:
    return torch.zeros(len(inputs))


# --- means ---


def test_the_mean_leaves_out_examples_without_a_score() -> None:
    known = [Accuracy(1.0, 0.5, {"X": 1.0}), Accuracy(np.nan, 0.7, {"X": 0.5, "F": 0.25}), Accuracy(0.5, np.nan, {})]
    assert mean_accuracy(known) == Accuracy(0.75, pytest.approx(0.6), {"F": 0.25, "X": 0.75})


def test_the_mean_of_nothing_is_not_a_number() -> None:
    for empty in ([], [Accuracy(np.nan, np.nan, {})]):
        found = mean_accuracy(empty)
        assert np.isnan([found.best, found.union]).all()
        assert found.named == {}
