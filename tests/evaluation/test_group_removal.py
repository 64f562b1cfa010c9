"""Groups taken out: a model that adds up its words, asked about sentences without some of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from attar.core.editor import Editor, Group
from attar.evaluation.group_removal import group_removal
from attar.evaluation.score import BETTER, SAME, WORSE, Score

WORTH = dict(zip("abcdefghij", [3.0, -2.0, 1.5, 0.25, -0.5, 2.25, -1.125, 0.75, 0.125, -3.0], strict=True))


class Words:
    """A group is a letter; two of them are never taken apart from each other."""

    def groups(self, example: str) -> Sequence[Group]:
        return [Group(letter, frozenset({k})) for k, letter in enumerate(example)]

    def places(self, example: str, name: str) -> Sequence[frozenset[int]]:
        return [frozenset({k}) for k, letter in enumerate(example) if letter == name]

    def insert(self, example: str, name: str, generator: np.random.Generator) -> list[str]:
        return [example + name]

    def remove(self, example: str, name: str, generator: np.random.Generator) -> str | None:
        return None if name == "j" else example.replace(name, "")


@dataclass
class Adds:
    """The logit is the sum of the letters' worths; `said` is what the attribution says of each letter."""

    said: Callable[[str], np.ndarray]
    asked: list[str] = field(default_factory=list)

    def predict(self, examples: Sequence[str]) -> np.ndarray:
        self.asked += examples
        return np.array([sum(WORTH[letter] for letter in e) for e in examples])

    def explained(self, examples: Sequence[str], method: str) -> Any:
        raise NotImplementedError

    def explain(self, examples: Sequence[str], method: str) -> list[np.ndarray]:
        assert method == "own"
        return [self.said(e) for e in examples]


def true(example: str) -> np.ndarray:
    return np.array([WORTH[letter] for letter in example])


def sentences(count: int = 60, letters: str = "abcdefghi") -> list[str]:
    generator = np.random.default_rng(0)
    return ["".join(generator.choice(list(letters), size=9)) for _ in range(count)]


def score(said: Callable[[str], np.ndarray], examples: list[str], **options: Any) -> Score:
    editor: Editor = Words()
    return group_removal(Adds(said), "own", examples, editor, **options)


def test_what_is_true_of_the_model_is_best_its_inverse_worst_and_noise_is_chance() -> None:
    examples = sentences()
    for said, rho, verdict in ((true, 1.0, BETTER), (lambda e: -true(e), -1.0, WORSE)):
        found = score(said, examples)
        assert found.mean.score == pytest.approx(rho)
        assert found.verdict == verdict
    assert score(lambda e: np.zeros(len(e)), examples).mean.score == 0
    generator = np.random.default_rng(1)
    assert score(lambda e: generator.standard_normal(len(e)), examples).verdict == SAME


def test_all_occurrences_of_a_group_count_together() -> None:
    """`d` is worth little alone; four of them outweigh one `h`."""
    assert score(true, ["ddddhiiii"]).values.item() == pytest.approx(1.0)
    first_alone = np.array([0.25, 0, 0, 0, 0.75, 0.1, 0, 0, 0])
    assert score(lambda _: first_alone, ["ddddhiiii"]).values.item() == pytest.approx(0.5)


def test_larger_values_are_compared_first_and_others_too() -> None:
    model = Adds(true)
    group_removal(model, "own", ["abcdefghi"], Words(), most=4)
    without = {next(iter(set("abcdefghi") - set(e))) for e in model.asked if len(e) == 8}
    assert len(without) == 4
    assert {"a", "f"} < without  # 3.0 and 2.25; -2.0 and 1.5 are the next
    assert without != {"a", "f", "b", "c"}


def test_what_cannot_go_or_is_most_of_the_example_is_left_out() -> None:
    found = score(true, ["aaab", "jj", "abj", "abcj"])
    assert np.isnan(found.values[0]).tolist() == [True, True, False, False]
    assert found.mean.n == 2


def test_no_score_depends_on_the_order_of_the_examples() -> None:
    examples = sentences(20, "abcdefghij")
    there, back = score(true, examples, most=3), score(true, examples[::-1], most=3)
    assert there.values[0].tolist() == back.values[0, ::-1].tolist()
    assert np.allclose(there.random, back.random[:, ::-1])
    assert not np.allclose(there.random, score(true, examples, most=3, seed=1).random)


def test_nothing_to_ask_about() -> None:
    assert score(true, ["j", "jj"]).mean.n == 0
