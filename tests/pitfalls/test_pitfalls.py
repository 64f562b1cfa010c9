"""The three pitfalls, each on data where the answer was put in by hand."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csc_matrix
from scipy.stats import fisher_exact, ks_2samp
from scipy.stats import t as student_t
from sklearn.linear_model import LogisticRegression

from attar.core.editor import Group
from attar.core.errors import InputError
from attar.core.rule import explanations, holds
from attar.core.split import random_split
from attar.domains.molecules.edit import MoleculeEditor, attach, places
from attar.domains.molecules.molecule import Molecule
from attar.domains.molecules.truth import SmartsFinder, read_rule
from attar.evaluation.intervals import Interval, auroc
from attar.evaluation.truth import TruthMasks
from attar.experiments.molecule_models import FittedMolecules, MoleculeRecipe
from attar.pitfalls.dataset_bias import co_occurring, shifts, unseen_share
from attar.pitfalls.imperfect_model import Rung, expected, flipped, rung
from attar.pitfalls.mend import Augmented, Balanced, Masked, mended
from attar.pitfalls.shortcut_search import Shortcut, shortcuts
from attar.pitfalls.spurious_correlation import DecoyRung, Mixture, confounded, decoyed, with_group
from models import nci

# --- the imperfect model: flipped labels ---

LABELS = (np.arange(201) % 3 == 0).astype(float)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.25, 0.33, 0.5, 1.0])
def test_exactly_that_share_of_labels_is_turned_round(share: float) -> None:
    noisy = flipped(LABELS, share, seed=0)
    assert (noisy != LABELS).sum() == round(share * 201)
    assert set(noisy) <= {0.0, 1.0}


def test_labels_that_are_half_turned_round_say_nothing() -> None:
    labels = (np.arange(4000) % 4 == 0).astype(float)
    assert np.corrcoef(labels, flipped(labels, 0.5, seed=0))[0, 1] == pytest.approx(0, abs=0.05)


def test_numbers_are_shuffled_and_stay_the_same_numbers() -> None:
    values = np.random.default_rng(0).standard_normal(2000)
    noisy = flipped(values, 0.25, seed=0)
    assert sorted(noisy) == sorted(values)
    assert (noisy != values).sum() == pytest.approx(1000, abs=5)
    assert np.corrcoef(values, noisy)[0, 1] == pytest.approx(0.5, abs=0.06)
    assert np.corrcoef(values, flipped(values, 0.5, seed=0))[0, 1] == pytest.approx(0, abs=0.06)


def test_the_seed_alone_says_which_labels_turn_and_the_labels_stay() -> None:
    before = LABELS.copy()
    np.testing.assert_array_equal(flipped(LABELS, 0.3, seed=1), flipped(LABELS, 0.3, seed=1))
    assert (flipped(LABELS, 0.3, seed=1) != flipped(LABELS, 0.3, seed=2)).any()
    np.testing.assert_array_equal(LABELS, before)


@dataclass(frozen=True)
class Rememberer:
    """A recipe whose model knows the first of each example's numbers if its labels were clean, and else the second."""

    name: str = "rememberer"
    methods: tuple[str, ...] = ("own",)

    def fit(self, examples: Sequence[Any], labels: np.ndarray, seed: int) -> "Rememberer.Fitted":
        return self.Fitted(bool((labels == np.array([e[0] > 0 for e in examples])).all()))

    @dataclass(frozen=True)
    class Fitted:
        clean: bool

        def predict(self, examples: Sequence[Any]) -> np.ndarray:
            return np.array([e[0 if self.clean else 1] for e in examples])

        def explain(self, examples: Sequence[Any], method: str) -> list[np.ndarray]:
            assert method == "own"
            return [np.array([1.0, 0.0]) if self.clean else np.array([0.0, 1.0]) for _ in examples]


def test_a_rung_gives_prediction_and_attribution_together() -> None:
    generator = np.random.default_rng(0)
    examples = [generator.standard_normal(2) for _ in range(60)]
    labels = np.array([float(e[0] > 0) for e in examples])
    first = np.array([True, False])
    sets = {"train": (examples, labels), "test": (examples, labels)}
    scored = {"scored": examples[:5], "truths": [TruthMasks(first[None], first, {})] * 5, "method": "own"}
    clean, noisy = (rung(Rememberer(), flip, **sets, **scored, seeds=(0, 1)) for flip in (0.0, 0.4))
    assert clean == Rung(0.0, 1.0, Interval(1.0, 1.0, 1.0, 5))
    assert noisy.attribution == Interval(0.0, 0.0, 0.0, 5)
    assert noisy.prediction == pytest.approx(auroc(labels, np.array([e[1] for e in examples])))
    unscored = rung(Rememberer(), 0.0, **sets, scored=[], truths=[], method="own")
    assert np.isnan(unscored.attribution.score)
    assert unscored.attribution.n == 0


def test_the_ladder_is_read_between_its_rungs() -> None:
    ladder = [
        Rung(0.5, 0.5, Interval(0.5, 0.4, 0.6, 9)),
        Rung(0.0, 1.0, Interval(0.9, 0.85, 0.95, 9)),
        Rung(0.3, 0.75, Interval(0.8, 0.7, 0.9, 9)),
    ]
    assert expected(ladder, 0.75) == pytest.approx((0.8, 0.1))
    assert expected(ladder, 0.875) == pytest.approx((0.85, 0.075))
    assert expected(ladder, 0.2) == pytest.approx((0.5, 0.1))
    assert expected(ladder, 1.0) == pytest.approx((0.9, 0.05))


# --- dataset bias ---


def test_columns_that_come_together_are_one_group() -> None:
    always = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0])
    mostly = np.array([1, 1, 1, 0, 0, 0, 0, 0, 0, 0])  # 3 of 4: a Jaccard overlap of 0.75
    other = np.array([0, 0, 0, 1, 1, 1, 1, 1, 0, 0])
    never = np.zeros(10, dtype=int)
    table = csc_matrix(np.stack([always, mostly, other, 3 * always, never], 1))
    assert co_occurring(table, [0, 1, 2, 3, 4]) == [[0, 1, 3], [2], [4]]
    assert co_occurring(table, [0, 1, 2, 3, 4], overlap=0.8) == [[0, 3], [1], [2], [4]]
    assert co_occurring(table, [2, 3, 1]) == [[2], [3, 1]]
    assert co_occurring(table, []) == []


def test_groups_are_chained() -> None:
    """Each overlaps the next, the ends hardly overlap: single linkage keeps them together."""
    rows = np.arange(20)
    table = csc_matrix(np.stack([(rows >= k) & (rows < k + 8) for k in (0, 2, 4, 6)], 1).astype(int))
    assert co_occurring(table, [0, 1, 2, 3], overlap=0.6) == [[0, 1, 2, 3]]
    assert co_occurring(table, [0, 2, 3], overlap=0.6) == [[0], [2, 3]]
    assert co_occurring(table, [3, 0, 1, 2], overlap=0.6) == [[3, 0, 1, 2]]
    longer = csc_matrix(np.stack([(rows >= k) & (rows < k + 8) for k in range(0, 12, 2)], 1).astype(int))
    assert co_occurring(longer, [0, 1, 2, 3, 5, 4], overlap=0.6) == [[0, 1, 2, 3, 5, 4]]  # two chains that meet last


def test_shifts_are_found_with_the_largest_first() -> None:
    generator = np.random.default_rng(0)
    train = {name: generator.standard_normal(200) for name in ("same", "far", "near", "apart")}
    test = {name: generator.standard_normal(100) for name in train}
    for name, by in (("far", 1.0), ("near", 0.35), ("apart", 9.0)):
        test[name] = test[name] + by
    found = shifts(train, test)
    assert [s.name for s in found] == ["apart", "far", "near", "same"]
    assert [s.p < 0.05 for s in found] == [True, True, True, False]
    assert found[0].distance == 1
    for shift in found:
        assert shift.distance == pytest.approx(ks_2samp(train[shift.name], test[shift.name]).statistic)
        assert shift.test_mean == pytest.approx(test[shift.name].mean())
        assert shift.train_mean == pytest.approx(train[shift.name].mean())


def test_p_values_are_corrected_by_holm() -> None:
    generator = np.random.default_rng(0)
    raised = 0
    for _ in range(20):
        train, test = ({str(k): generator.standard_normal(50) + k * by for k in range(6)} for by in (0, 0.1))
        raw = {name: ks_2samp(train[name], test[name]).pvalue for name in train}
        running = 0.0
        for rank, name in enumerate(sorted(raw, key=raw.get)):
            raised += running > raw[name] * (6 - rank)
            running = max(running, min(1.0, raw[name] * (6 - rank)))
            (shift,) = (s for s in shifts(train, test) if s.name == name)
            assert shift.p == pytest.approx(running)
    assert raised > 10  # where a larger p would have come out smaller than the one before


def test_no_shift_is_called_significant_more_often_than_promised() -> None:
    """Six properties at once that are the same: Holm keeps any false alarm below one in twenty."""
    generator = np.random.default_rng(0)
    alarms = 0
    for _ in range(200):
        train, test = ({str(k): generator.standard_normal(40) for k in range(6)} for _ in range(2))
        alarms += min(s.p for s in shifts(train, test)) < 0.05
    assert alarms / 200 < 0.08


def test_unseen_keys_are_a_share_of_the_test() -> None:
    assert unseen_share(["a", "b", "b"], ["a", "c", "c", "b"]) == 0.5
    assert unseen_share(["a"], ["a"]) == 0
    assert unseen_share([], ["a"]) == 1
    assert unseen_share(["a"], []) == 0


# --- spurious correlation: the search, in a domain of words ---


@dataclass(frozen=True)
class WordEditor:
    """Examples are tuples of words, each word a group of one part."""

    def groups(self, example: tuple[str, ...]) -> list[Group]:
        return [Group(word, frozenset({k})) for k, word in enumerate(example)]

    def places(self, example: tuple[str, ...], name: str) -> list[frozenset[int]]:
        return [frozenset({k}) for k, word in enumerate(example) if word == name]

    def insert(self, example: tuple[str, ...], name: str, generator: np.random.Generator) -> list[tuple[str, ...]]:
        return [(name, *example)]

    def remove(self, example: tuple[str, ...], name: str, generator: np.random.Generator) -> tuple[str, ...]:
        return tuple(word for word in example if word != name)


@dataclass(frozen=True)
class WordWeights:
    weights: dict[str, float]

    def predict(self, examples: Sequence[tuple[str, ...]]) -> np.ndarray:
        return np.array([sum(self.weights.get(word, 0.0) for word in example) for example in examples])

    def explain(self, examples: Sequence[tuple[str, ...]], method: str) -> list[np.ndarray]:
        return [np.array([self.weights.get(word, 0.0) for word in example]) for example in examples]


def rose_and_next(example: tuple[str, ...]) -> frozenset[int]:
    """The rule names the rose and the word after it."""
    return frozenset(k for k, _ in enumerate(example) if "rose" in (example[k], example[k - 1] if k else ""))


def words_looked_for(positive: list[str], negative: list[str], **options: Any) -> list[Shortcut]:
    """A search in sentences; the test set is the same without its decoys."""
    sentences = [tuple(text.split()) for text in positive + negative]
    labels = np.repeat([1.0, 0.0], [len(positive), len(negative)])
    clear_of_decoys = [tuple(w for w in sentence if not w.startswith("decoy")) for sentence in sentences]
    known = {
        "editor": WordEditor(),
        "keeps": lambda before, after: ("rose" in before) == ("rose" in after),
        "true_parts": rose_and_next,
        "train": (sentences, labels),
        "test": (clear_of_decoys, labels),
    }
    fitted = options.pop("fitted", WordWeights({"rose": 1.0, "decoy": 2.0}))
    return shortcuts(fitted, **(known | options))


def test_a_shortcut_is_measured_exactly() -> None:
    positive = ["rose the decoy"] * 30 + ["rose the"] * 30
    found = words_looked_for(positive, ["a the"] * 79 + ["a decoy"])
    expected_p = fisher_exact([[30, 30], [1, 79]], alternative="greater").pvalue
    assert found == [
        Shortcut(
            name="decoy",
            positives=30,
            negatives=1,
            p=pytest.approx(expected_p),  # of the groups clear of the rule, the decoy alone is common enough to test
            pull=2.0,  # adds 2 where the classes are 1 apart
            pull_interval=(2.0, 2.0),
            on_negatives=0.0,
            control=1.0,
        )
    ]


@dataclass(frozen=True)
class Answers:
    """A model that answers what a function makes of each sentence."""

    answer: Callable[[tuple[str, ...]], float]

    def predict(self, examples: Sequence[tuple[str, ...]]) -> np.ndarray:
        return np.array([self.answer(example) for example in examples])


def test_the_pull_has_its_interval() -> None:
    """A decoy counts 1 beside an a and 3 elsewhere, where the classes are 4 apart."""
    model = Answers(lambda s: 4.0 * ("rose" in s) + ("decoy" in s) * (1 if "a" in s else 3))
    (found,) = words_looked_for(["rose the decoy"] * 60, ["a the"] * 40 + ["the"] * 40, fitted=model)
    moved = np.repeat([1 / 4, 3 / 4], 40)
    half = student_t.ppf(0.975, 79) * moved.std(ddof=1) / np.sqrt(80)
    assert found.pull == pytest.approx(0.5)
    assert found.pull_interval == pytest.approx((0.5 - half, 0.5 + half))


def test_negatives_that_have_the_group_already_say_nothing_of_its_pull() -> None:
    sentences = [("rose", "the", "decoy")] * 40 + [("a", "the")] * 20 + [("decoy", "the")] * 20
    (found,) = words_looked_for(
        ["rose the decoy"] * 60,
        ["a the"] * 60,
        fitted=Answers(lambda s: 1.0 * ("rose" in s) + 2.0 * ("decoy" in s)),
        test=(sentences, np.repeat([1.0, 0.0], 40)),
    )
    assert found.pull == pytest.approx(1.0)  # 2, where the classes are 3 and 1 on the average


def test_negatives_are_counted_up_from_those_that_were_looked_at() -> None:
    (found,) = words_looked_for(["rose the decoy"] * 60, ["a"] * 60 + ["decoy"] * 20, negatives=40)
    assert 10 < found.negatives < 30
    assert found.negatives % 2 == 0


def test_a_group_that_often_stands_on_the_true_parts_is_none() -> None:
    """Four of five times it must stand clear of what the rule names."""

    def positives(clear: int) -> list[str]:
        return ["rose the decoy"] * clear + ["rose decoy"] * (60 - clear)

    assert [s.name for s in words_looked_for(positives(48), ["a"] * 80)] == ["decoy"]
    assert words_looked_for(positives(47), ["a"] * 80) == []


def test_the_more_is_looked_at_the_surer_a_candidate_must_be() -> None:
    """Twelve of sixty against three of eighty: p = 0.002 alone, not 0.002 among forty."""
    others = " ".join(f"word{k}" for k in range(40))
    few = words_looked_for(["rose the decoy"] * 12 + ["rose the"] * 48, ["decoy"] * 3 + ["a"] * 77)
    many = words_looked_for(
        [f"rose the decoy {others}"] * 12 + [f"rose the {others}"] * 48, [f"decoy {others}"] * 3 + [f"a {others}"] * 77
    )
    assert [s.name for s in few] == ["decoy"]
    assert few[0].p == pytest.approx(fisher_exact([[12, 48], [3, 77]], alternative="greater").pvalue)
    assert 0.0005 < few[0].p < 0.01
    assert many == []


def test_a_rare_group_is_no_candidate() -> None:
    positive = ["rose the decoy"] * 7 + ["rose the"] * 53
    assert words_looked_for(positive, ["a"] * 300) == []
    assert [s.name for s in words_looked_for(positive, ["a"] * 300, at_least=7)] == ["decoy"]


def test_the_surest_candidates_are_tried_and_the_strongest_come_first() -> None:
    weights = WordWeights({"rose": 1.0, "decoy1": 0.5, "decoy2": 3.0, "decoy3": 1.0})
    positive = ["rose the decoy1"] * 20 + ["rose the decoy2"] * 18 + ["rose the decoy3"] * 16 + ["rose the"] * 6
    found = words_looked_for(positive, ["a"] * 80, fitted=weights)
    assert [(s.name, s.pull) for s in found] == [("decoy2", 3.0), ("decoy3", 1.0), ("decoy1", 0.5)]
    assert [s.name for s in words_looked_for(positive, ["a"] * 80, fitted=weights, candidates=2)] == [
        "decoy2",
        "decoy1",
    ]


def test_a_group_that_cannot_be_put_on_negatives_is_not_judged() -> None:
    assert words_looked_for(["rose the decoy"] * 60, ["a"] * 80, keeps=lambda *_: False) == []


@pytest.mark.parametrize(("places", "judged"), [(9, 0), (10, 1)])
def test_a_group_that_fits_on_few_negatives_is_not_judged(places: int, judged: int) -> None:
    negative = ["free"] * places + ["a"] * (80 - places)
    found = words_looked_for(["rose the decoy"] * 60, negative, keeps=lambda before, _: "free" in before)
    assert len(found) == judged


def test_a_model_that_does_not_tell_the_classes_apart_has_no_pull() -> None:
    (found,) = words_looked_for(["rose the decoy"] * 60, ["a"] * 80, fitted=WordWeights({"decoy": 1.0}))
    assert np.isnan(found.pull)


def free_of_a_rule(positive: list[str], negative: list[str], weights: dict[str, float]) -> dict[str, Shortcut]:
    """The same search where no rule is known, in sentences held out as they are trained on."""
    sentences = [tuple(text.split()) for text in positive + negative]
    labels = np.repeat([1.0, 0.0], [len(positive), len(negative)])
    both = (sentences, labels)
    found = shortcuts(
        WordWeights(weights),
        editor=WordEditor(),
        keeps=lambda *_: True,
        true_parts=lambda _: frozenset(),
        train=both,
        test=both,
    )
    return {s.name: s for s in found}


def test_a_group_that_tells_nothing_beside_another_is_explained_by_it() -> None:
    """All positives have a rose, nine of ten an ox too: the ox tells nothing, whatever the model makes of it."""
    found = free_of_a_rule(["rose ox"] * 90 + ["rose"] * 10, ["a"] * 100, {"rose": 1.0, "ox": 1.0})
    assert (found["ox"].explained_by, found["ox"].without) == ("rose", 10)
    assert found["rose"].explained_by is None
    assert found["ox"].pull == pytest.approx(1 / 1.9)  # of a gap of 1 + 0.9
    assert found["ox"].loss == pytest.approx(1 / 1.9)
    assert found["ox"].never_parts == ()


@pytest.mark.parametrize("alone", [9, 10])
def test_as_many_must_part_as_tell(alone: int) -> None:
    found = free_of_a_rule(["rose ox"] * (100 - alone) + ["rose"] * alone, ["a"] * 100, {"rose": 1.0, "ox": 1.0})
    assert found["ox"].explained_by == ("rose" if alone == 10 else None)
    assert found["ox"].never_parts == (() if alone == 10 else ("rose",))
    assert found["rose"].never_parts == (() if alone == 10 else ("ox",))


def test_either_of_two_causes_explains_no_other() -> None:
    found = free_of_a_rule(["rose"] * 60 + ["ox"] * 60 + ["rose ox"] * 20, ["a"] * 100, {"rose": 1.0, "ox": 1.0})
    assert {s.explained_by for s in found.values()} == {None}


def test_both_of_two_causes_explain_no_other() -> None:
    negative = ["a"] * 40 + ["rose"] * 40 + ["ox"] * 40
    found = free_of_a_rule(["rose ox"] * 80, negative, {"rose": 1.0, "ox": 1.0})
    assert {s.explained_by for s in found.values()} == {None}
    assert {s.never_parts for s in found.values()} == {()}


def test_parts_of_one_shortcut_are_told_of_together() -> None:
    found = free_of_a_rule(["rose x y"] * 50 + ["rose"] * 50, ["a"] * 100, {"rose": 1.0, "x": 0.05, "y": 0.05})
    both = found["x + y"]
    assert both.pull == pytest.approx(0.1 / 1.05)
    assert both.pull > found["x"].pull
    assert (both.positives, both.negatives, both.loss) == (50, 0, None)
    assert "rose + x" not in found  # half of the positives have x, all a rose: no correlation


def test_parts_that_say_no_more_together_are_told_of_apart() -> None:
    found = free_of_a_rule(["rose x y"] * 50 + ["rose"] * 50, ["a"] * 100, {"rose": 1.0, "x": 0.3, "y": -0.3})
    assert {"x", "y"} <= set(found)
    assert not any("+" in name for name in found)


def test_of_copies_the_closer_name_is_told() -> None:
    """Thirty positives and no negative have `decoy`; `de`, in the same places, is in ten negatives too."""

    @dataclass(frozen=True)
    class Syllables(WordEditor):
        def groups(self, example: tuple[str, ...]) -> list[Group]:
            short = [Group("de", frozenset({k})) for k, word in enumerate(example) if word[:2] == "de"]
            return [*WordEditor.groups(self, example), *short]

    positive, negative = ["rose the decoy"] * 30 + ["rose"] * 30, ["a"] * 70 + ["den"] * 10
    (found,) = words_looked_for(positive, negative, editor=Syllables())
    assert found.name == "decoy"
    # Here `de` is the surer, for six more positives have it; `decoy` has nearly all of them, and no negative.
    positive, negative = ["rose the decoy"] * 54 + ["rose the dense"] * 6, ["a"] * 79 + ["den"]
    (found,) = words_looked_for(positive, negative, editor=Syllables())
    assert found.name == "decoy"


def test_numbers_are_looked_at_by_thirds() -> None:
    sentences = [("ox",)] * 20 + [("a",)] * 40
    labels = np.r_[np.linspace(2, 3, 20), np.linspace(0, 1, 40)]
    known = {"editor": WordEditor(), "keeps": lambda *_: True, "true_parts": lambda _: frozenset()}
    both = {"train": (sentences, labels), "test": (sentences, labels)}
    (found,) = shortcuts(WordWeights({"ox": 2.0}), **known, **both)
    assert (found.name, found.positives, found.negatives, found.pull) == ("ox", 20, 0, 1.0)


# --- spurious correlation: mixtures of positives that hold both and the cause alone ---


@dataclass(frozen=True)
class WordRecipe:
    """Its weight of a word is the share of the label that goes with it; it has one method."""

    name: str = "words"
    methods: tuple[str, ...] = ("own",)
    seeds_matter: bool = False

    def fit(self, examples: Sequence[tuple[str, ...]], labels: np.ndarray, seed: int) -> WordWeights:
        words = sorted({word for example in examples for word in example})
        held = np.array([[word in example for word in words] for example in examples], dtype=float)
        return WordWeights(dict(zip(words, (held.T @ (labels - labels.mean())).tolist(), strict=True)))


def word_mask(word: str) -> Any:
    def masks(example: tuple[str, ...]) -> TruthMasks:
        mask = np.array([w == word for w in example])
        return TruthMasks(mask[None], mask, {})

    return masks


def mixed(share: float, **options: Any) -> Mixture:
    both, cause, neither, shortcut = ("rose", "ox", "a"), ("rose", "a"), ("a", "b"), ("ox", "a")
    known: dict[str, Any] = {
        "train": ([both] * 40, [cause] * 40, [neither] * 40),
        "test": ([both] * 5, [cause] * 5, [shortcut] * 5),
        "cause": word_mask("rose"),
        "shortcut": word_mask("ox"),
        "method": "own",
    }
    return confounded(WordRecipe(), share, **(known | options))


def test_a_mixture_shows_the_shortcut_where_both_are_and_nowhere_else() -> None:
    clean, half, whole = mixed(0.0), mixed(0.5), mixed(1.0)
    assert (clean.prediction, half.prediction, whole.prediction) == (1.0, 1.0, 0.5)
    assert {m.cause_alone for m in (clean, half, whole)} == {1.0}  # flat, whatever the model learned
    assert clean.shortcut_mass == 0
    assert half.shortcut_mass == pytest.approx(1 / 3)
    assert whole.shortcut_mass == pytest.approx(1 / 2)
    assert clean.cause == 1
    assert whole.cause == whole.shortcut == 0.75  # each ties with the other and beats the third word


def test_a_mixture_needs_examples_of_each_kind_and_a_share() -> None:
    with pytest.raises(InputError, match=r"share is 1\.5"):
        mixed(1.5)
    with pytest.raises(InputError, match="give some with both"):
        mixed(0.5, test=([("rose", "ox")], [], [("ox",)]))


# --- spurious correlation: the mend ---


@dataclass(frozen=True)
class WordRegression(WordRecipe):
    """A logistic regression on the presence of words."""

    def fit(self, examples: Sequence[tuple[str, ...]], labels: np.ndarray, seed: int) -> WordWeights:
        words = sorted({word for example in examples for word in example})
        held = np.array([[word in example for word in words] for example in examples], dtype=float)
        weights = LogisticRegression(C=100).fit(held, labels).coef_[0]
        return WordWeights(dict(zip(words, weights.tolist(), strict=True)))


def confounded_words(seed: int = 0) -> tuple[list[tuple[str, ...]], np.ndarray]:
    """The rose makes the label; the ox comes with nine of ten roses and no other; other words come as they like."""
    generator = np.random.default_rng(seed)
    sentences, labels = [], []
    for k in range(300):
        noise = tuple(f"w{j}" for j in range(4) if generator.random() < 0.5)
        rose = k % 2 == 0
        ox = ("ox",) if rose and generator.random() < 0.9 else ()
        sentences.append((("rose",) if rose else ()) + ox + noise)
        labels.append(float(rose))
    return sentences, np.array(labels)


def same_rose(before: tuple[str, ...], after: tuple[str, ...]) -> bool:
    return ("rose" in before) == ("rose" in after)


@pytest.mark.parametrize("way", [Augmented(), Masked(), Balanced()])
def test_a_mended_model_leaves_the_shortcut(way: Any) -> None:
    train, test = confounded_words(0), confounded_words(1)
    options = {"editor": WordEditor(), "keeps": same_rose, "train": train, "test": test}
    found = mended(WordRegression(), ["ox"], way=way, **options)
    assert found is not None
    assert found.pull_before > 0.25
    assert abs(found.pull_after) < 0.06
    assert found.quality_after == found.quality_before == 1.0
    again = mended(WordRegression(), ["ox"], way=way, before=WordRegression().fit(*train, 0), **options)
    assert again == found


def test_augmentation_makes_the_group_as_frequent_among_negatives() -> None:
    examples, labels = Augmented()(confounded_words(), ["ox"], WordEditor(), same_rose, 0)
    held = np.array(["ox" in e for e in examples])
    before = np.array(["ox" in e for e in confounded_words()[0]])
    assert held[labels < 0.5][150:].all()  # what was added to the negatives has it
    assert held[labels < 0.5].sum() == round(before[::2].mean() * 150)
    assert not held[labels > 0.5][150:].any()  # what was added to the positives has lost it
    assert all(same_rose(e, ("rose",)) == (y > 0.5) for e, y in zip(examples, labels, strict=True))


def test_masking_and_balancing_leave_no_more_of_it_among_positives() -> None:
    examples, labels = Masked()(confounded_words(), ["ox"], WordEditor(), same_rose, 0)
    assert len(examples) == 300
    assert not any("ox" in e for e in examples)
    examples, labels = Balanced()(confounded_words(), ["ox"], WordEditor(), same_rose, 0)
    assert not any("ox" in e for e, y in zip(examples, labels, strict=True) if y > 0.5)
    assert (labels < 0.5).sum() == 150


def test_what_cannot_be_mended_is_not() -> None:
    train = test = confounded_words()
    options = {"editor": WordEditor(), "train": train, "test": test}
    assert mended(WordRegression(), ["ox"], keeps=lambda *_: False, **options) is None
    only = ([("rose", "ox")] * 20 + [("a",)] * 20, np.repeat([1.0, 0.0], 20))
    assert mended(WordRegression(), ["ox"], way=Balanced(), keeps=same_rose, **{**options, "train": only}) is None


# --- spurious correlation: a decoy, planted in molecules ---

ROSE, FINDER, EDITOR = read_rule("rose"), SmartsFinder(), MoleculeEditor()
RECIPE = MoleculeRecipe(kind="glm")
Labelled = tuple[list[Molecule], np.ndarray]


def keeps(before: Molecule, after: Molecule) -> bool:
    return holds(ROSE, FINDER, before.mol) == holds(ROSE, FINDER, after.mol)


def true_atoms(molecule: Molecule) -> frozenset[int]:
    return explanations(ROSE, FINDER, molecule.mol).union


def truth(molecule: Molecule) -> TruthMasks | None:
    atoms = sorted(true_atoms(molecule))
    if not atoms:
        return None
    mask = np.zeros(molecule.size, dtype=bool)
    mask[atoms] = True
    return TruthMasks(mask[None], mask, {})


@cache
def clean() -> tuple[Labelled, Labelled]:
    """NCI molecules that smell of rose by the rule, and others: training and test."""
    molecules = nci(900)
    labels = np.array([float(holds(ROSE, FINDER, m.mol)) for m in molecules])
    held_out = random_split(labels, test=0.3)
    return tuple(([molecules[k] for k in np.flatnonzero(part)], labels[part]) for part in (~held_out, held_out))


def planted(decoy: str) -> Labelled:
    """The training molecules with the decoy on every other positive."""
    (molecules, labels), _ = clean()
    molecules, generator = list(molecules), np.random.default_rng(0)
    for k in np.flatnonzero(labels > 0.5)[::2]:
        products = attach(molecules[k], decoy, generator)
        molecules[k] = next((m for m in products if keeps(molecules[k], m)), molecules[k])
    return molecules, labels


def looked_for(train: Labelled, **options: Any) -> list[Shortcut]:
    fitted: FittedMolecules = RECIPE.fit(*train, seed=0)
    known = {"editor": EDITOR, "keeps": keeps, "true_parts": true_atoms, "edited": 60}
    return shortcuts(fitted, train=train, test=clean()[1], **(known | options))


def test_there_is_no_shortcut_in_the_clean_set() -> None:
    assert looked_for(clean()[0]) == []


@pytest.mark.parametrize("decoy", ["*Cl", "*[Si](C)(C)C"])
def test_a_planted_decoy_is_found(decoy: str) -> None:
    """A common group and one that no other molecule has."""
    train = planted(decoy)
    found = looked_for(train)
    assert [s.name for s in found] == [decoy]
    (shortcut,) = found
    assert shortcut.p < 1e-4
    assert shortcut.pull > 0.2
    assert shortcut.on_negatives < shortcut.control - 0.05
    holding = [bool(places(m, decoy)) for m, label in zip(*train, strict=True) if label > 0.5]
    assert 0.4 * len(holding) < shortcut.positives <= sum(holding)
    against = sum(bool(places(m, decoy)) for m, label in zip(*train, strict=True) if label < 0.5)
    assert shortcut.negatives == pytest.approx(against, abs=3)


def test_what_the_rule_names_is_no_shortcut() -> None:
    """Without the rule every group is looked at, and the rule's own are found; with it none is."""
    found = looked_for(clean()[0], true_parts=lambda _: frozenset(), keeps=lambda *_: True)
    assert "*O" in [s.name for s in found]  # a hydroxyl, one of the rule's oxygens
    assert all(s.p < 0.01 for s in found)
    assert [s.pull for s in found] == sorted((s.pull for s in found), reverse=True)


def test_a_search_is_seeded() -> None:
    train = planted("*Cl")
    assert looked_for(train, seed=3) == looked_for(train, seed=3)


def test_an_example_is_edited_only_where_its_label_stays() -> None:
    generator = np.random.default_rng(0)
    (molecules, labels), _ = clean()
    for k in np.flatnonzero(labels < 0.5)[:20]:
        edited = with_group(molecules[k], "*C(C)C", editor=EDITOR, keeps=keeps, generator=generator)
        assert edited is None or not holds(ROSE, FINDER, edited.mol)
    never = with_group(molecules[0], "*Cl", editor=EDITOR, keeps=lambda *_: False, generator=generator)
    assert never is None


@cache
def rung_of(share: float) -> DecoyRung:
    train, test = clean()
    return decoyed(
        RECIPE, "*[Si](C)(C)C", share,
        editor=EDITOR, keeps=keeps, truth=truth, train=train, test=test, method="weight-times-input", at_most=40,
    )  # fmt: skip


def test_a_model_without_the_decoy_does_not_look_at_it() -> None:
    found = rung_of(0.0)
    assert found.planted == 0
    assert found.on_negatives == pytest.approx(found.clean, abs=0.12)


def test_a_model_that_leans_on_the_decoy_gives_itself_away() -> None:
    """On negatives that carry it, and in what it attributes where decoy and rule are both present."""
    without, half, whole = (rung_of(share) for share in (0.0, 0.5, 1.0))
    positives = int((clean()[0][1] > 0.5).sum())
    assert 0.3 * positives < half.planted < 0.7 * positives
    assert 0.9 * positives < whole.planted <= positives
    assert without.on_negatives > half.on_negatives > whole.on_negatives
    assert whole.on_negatives < 0.2
    assert whole.on_positives > 0.95
    assert without.decoy_attribution < half.decoy_attribution <= whole.decoy_attribution + 0.02
    assert without.decoy_mass < half.decoy_mass < whole.decoy_mass
    assert whole.decoy_attribution > 0.95
    assert whole.rule_attribution < without.rule_attribution


def test_the_training_set_is_left_as_it_was() -> None:
    (molecules, labels), _ = clean()
    before = [m.smiles for m in molecules], labels.copy()
    rung_of.__wrapped__(1.0)
    assert [m.smiles for m in molecules] == before[0]
    np.testing.assert_array_equal(labels, before[1])
