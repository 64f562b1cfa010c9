"""Which rows a split column holds out."""

import numpy as np
import pytest

from attar.core import split
from attar.core.errors import InputError


def held_out(*values: str, column: str = "split") -> tuple[list[bool], list[str]]:
    mask, notes = split.test_side(np.array(values), column=column)
    return mask.tolist(), [note.sentence for note in notes]


@pytest.mark.parametrize(
    "values", [("train", "test", "train"), ("training", "val", "training"), ("train", "holdout", "train")]
)
def test_words_for_training_and_test(values: tuple[str, ...]) -> None:
    assert held_out(*values) == ([False, True, False], [])


def test_test_and_validation_are_held_out_together() -> None:
    assert held_out("train", "test", "valid", "dev", "train") == ([False, True, True, True, False], [])


def test_what_says_neither_is_held_out_with_a_note() -> None:
    mask, (said,) = held_out("train", "", "test", "later")
    assert mask == [False, True, True, True]
    assert said == "2 rows that are neither training nor test in 'split' were held out."


@pytest.mark.parametrize("yes_and_no", [("1", "0"), ("true", "false"), ("1.0", "0.0"), ("yes", "no")])
def test_a_columns_name_says_what_yes_means(yes_and_no: tuple[str, str]) -> None:
    yes, no = yes_and_no
    assert held_out(yes, no, no, yes, column="is_test") == ([True, False, False, True], [])
    assert held_out(yes, no, no, yes, column="In training set") == ([False, True, True, False], [])


def test_without_a_telling_name_the_fewer_are_held_out_with_a_note() -> None:
    for column in ("split", "train_or_test"):
        mask, (said,) = held_out("0", "1", "0", "0", column=column)
        assert mask == [False, True, False, False]
        assert said == f"In {column!r} the 1 rows with a yes (1, true) were held out, for they are fewer."
    mask, (said,) = held_out("true", "false", "true", "true")
    assert mask == [False, True, False, False]
    assert "with a no (0, false) were held out" in said


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (("0", "1", "0", "1"), "the split column 'split' holds a yes 2 times and a no 2 times; which side is held out"),
        (("0", "1", "2"), "the split column 'split' holds 0, 1, 2; expected train and test"),
        (("1", "1"), "the split column 'split' holds 1; expected"),
        (("train", "train"), "the split column 'split' holds train; expected"),
        (("test", "valid"), "the split column 'split' holds test, valid; expected"),
        (("true", "no", "x"), "the split column 'split' holds no, true, x; expected"),
    ],
)
def test_what_does_not_say_which_is_refused(values: tuple[str, ...], said: str) -> None:
    with pytest.raises(InputError, match=said) as refused:
        held_out(*values)
    assert "\n" not in str(refused.value)
