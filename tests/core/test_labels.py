"""A column of text read as labels."""

import numpy as np
import pytest

from attar.core.errors import InputError
from attar.core.labels import read_labels


def read(*texts: str):
    return read_labels(texts, column="y", rows=range(2, 2 + len(texts)))


@pytest.mark.parametrize(
    ("negative", "positive", "said"),
    [
        ("0", "1", False),
        ("0.0", "1.0", False),
        ("false", "true", False),
        ("False", "TRUE", False),
        ("no", "yes", True),
        ("inactive", "active", True),
        ("Neg", "Pos", True),
        ("unknown", "active", True),
        ("inactive", "unknown", True),
        ("f", "t", True),
        ("-", "+", True),
        ("-1", "1", True),
        ("1", "2", True),
        ("-3.5", "1e1", True),
        ("9", "10", True),
        ("non-toxic", "toxic", True),
        ("not rose", "rose", True),
        ("insoluble", "soluble", True),
        ("non-floral", "floral", True),
        ("unbound", "bound", True),
        ("cat", "dog", True),
        ("0", "hit", True),
        ("absent", "2", True),
    ],
)
def test_two_values_are_two_classes(negative, positive, said):
    for texts, expected in (
        ((negative, positive, negative), [0, 1, 0]),
        ((positive, negative, negative), [1, 0, 0]),  # the order they come in makes no difference
    ):
        labels = read(*texts)
        assert labels.task == "classification"
        assert labels.values.tolist() == expected
        assert labels.values.dtype == np.float64
        assert [note.name for note in labels.notes] == (["labels taken as"] if said else [])


def test_the_note_says_which_is_1_and_how_often_each_came():
    [note] = read("green", "rose", "green").notes
    assert note.sentence == "In 'y', 'rose' (1 row) was taken as 1 and 'green' (2 rows) as 0."
    [note] = read("2", "1", "2").notes
    assert note.sentence == "In 'y', 2 (2 rows) was taken as 1 and 1 (1 row) as 0."


def test_capitals_spaces_and_the_writing_of_a_number_make_no_difference():
    assert read(" Yes", "yes ", "NO", "no").values.tolist() == [1, 1, 0, 0]
    assert read("1", "1.0", "01", "0", "0.00", "1e0").values.tolist() == [1, 1, 1, 0, 0, 1]


@pytest.mark.parametrize("nothing", ["", "  ", "nan", "NaN", "-nan", "NA", "n/a", "None", "null", "<NA>"])
def test_nothing_is_missing_and_no_class(nothing):
    labels = read("1", nothing, "0", nothing)
    assert np.isnan(labels.values).tolist() == [False, True, False, True]
    [note] = labels.notes
    assert (note.name, note.count, note.rows) == ("missing labels", 2, (3, 5))
    assert note.sentence == "Left out: 2 rows without a label in 'y' (rows 3 and 5)."


def test_ten_distinct_numbers_are_a_regression():
    texts = [str(value / 4) for value in range(10)]
    labels = read(*texts, "", texts[0])
    assert labels.task == "regression"
    assert labels.values[:10].tolist() == [value / 4 for value in range(10)]
    assert np.isnan(labels.values[10])
    assert labels.values[11] == 0


def refusal(*texts: str) -> str:
    with pytest.raises(InputError) as caught:
        read(*texts)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_nine_are_not():
    message = refusal(*[str(value) for value in range(9)], "8.0")
    assert "9 distinct values: 8 (2 rows), 0 (1 row)" in message
    assert "and 3 more" in message


def test_anything_else_is_refused_with_what_came():
    assert "1 distinct value: 1 (3 rows). Two were expected" in refusal("1", "1.0", "", "1")
    assert "3 distinct values: 0 (2 rows), 1 (1 row) and 2 (1 row)" in refusal("0", "1", "0", "2")
    assert "3 distinct values: 'a' (1 row), 'b' (1 row) and 1 (1 row)" in refusal("a", "b", "1")
    assert "empty in all 2 rows" in refusal("", "nan")
    assert "12 distinct values" in refusal(*"abcdefghijkl")


def test_a_word_among_numbers_is_named_with_its_row():
    numbers = [str(value) for value in range(12)]
    message = refusal(*numbers, ">100", "3,5")
    assert "but for 2 rows, the first in row 14 ('>100')" in message
    assert "decimal point" in message


def test_numbers_among_words_are_only_counted():
    assert "24 distinct values" in refusal(*"abcdefghijkl", *[str(value) for value in range(12)])


def test_infinity_is_no_label():
    numbers = [str(value) for value in range(12)]
    assert "infinite in rows 14 and 15" in refusal(*numbers, "inf", "-inf")
    assert "infinite in row 3" in refusal("1", "inf")


def test_what_only_python_takes_for_a_number_is_a_word():
    assert "3 distinct values: '1_0'" in refusal("1_0", "10", "11")


def test_what_is_known_to_be_numbers_may_be_few() -> None:
    known = read_labels(["1", "2", "2.5", "", "1"], column="y", rows=range(2, 7), numbers=True)
    assert known.task == "regression"
    np.testing.assert_array_equal(known.values, [1, 2, 2.5, np.nan, 1])
    with pytest.raises(InputError, match="at least 10 distinct numbers"):
        read("1", "2", "2.5")
    for texts in (["high", "low", "middle"], ["1,5", "2,5", "3,5"], ["3", "3"]):
        with pytest.raises(InputError, match=r"Numbers with a decimal point were expected, at least 3"):
            read_labels(texts, column="y", rows=range(len(texts)), numbers=True)
    assert read_labels(["0", "1", "0"], column="y", rows=range(2, 5), numbers=True).task == "classification"
