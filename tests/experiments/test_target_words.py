"""What is said of a target: the name of its output, and whose prediction it is."""

import pytest
import torch

from attar.core.target import Difference, Entry, Logit, LogProbability, Predicted, Probability, Target
from attar.experiments.target_words import in_words

NAMES = ("cat", " dog", "\n")
ALIKE = torch.tensor([[0.0, 2.0, 1.0], [0.0, 3.0, 1.0]])
APART = torch.tensor([[0.0, 2.0, 1.0], [9.0, 3.0, 1.0]])


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (Logit(1), "output 1, dog"),
        (LogProbability(0), "the log-probability of output 0, cat"),
        (Logit(2), "output 2, ⏎"),
        (Difference(Logit(0), Logit(1)), "output 0, cat rather than output 1, dog"),
        (Logit([1, 0]), "Logit(index=[1, 0])"),
        (LogProbability([1, 0]), "LogProbability(index=[1, 0])"),
        (Probability(1), repr(Probability(1))),
        (Entry(1, 2), "Entry(1, 2)"),
        (Predicted(), "output 1, dog, which is predicted"),
        (LogProbability(), "the log-probability of output 1, dog, which is predicted"),
    ],
)
def test_an_output_is_called_by_its_number_and_its_name(target: Target, said: str) -> None:
    assert in_words(target, ALIKE, NAMES) == said


def test_where_each_example_has_its_own_prediction_none_is_named() -> None:
    assert in_words(Predicted(), APART, NAMES) == "for each example the output that is predicted for it"
    assert (
        in_words(LogProbability(), APART, NAMES)
        == "for each example the log-probability of the output that is predicted for it"
    )


def test_outputs_without_names_have_numbers() -> None:
    assert in_words(Predicted(), ALIKE, ()) == "output 1, which is predicted"
    assert in_words(Logit(1), ALIKE, ()) == "Logit(index=1)"
    assert in_words(LogProbability(1), ALIKE, ()) == "LogProbability(index=1)"
    assert in_words(Logit(3), ALIKE, NAMES) == "Logit(index=3)"


def test_a_model_with_one_output_is_asked_about_that() -> None:
    assert in_words(Predicted(), torch.zeros(2, 1), ()) == "the only output"
    assert in_words(LogProbability(), torch.zeros(2, 1), ()) == "the log-probability of the only output"


def test_of_an_output_with_more_axes_nothing_is_predicted() -> None:
    assert in_words(Predicted(), torch.zeros(2, 3, 4), NAMES) == repr(Predicted())
