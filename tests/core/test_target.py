"""What is asked of outputs: the log of a probability, alone and beside other targets."""

import math

import pytest
import torch

import attar
from attar.core.target import Difference, Logit, LogProbability, Probability
from attar.methods.occlusion import Occlusion

OUTPUTS = torch.tensor([[1.0, 2.0, 4.0], [3.0, 0.0, -1.0]])
ONE = torch.tensor([[0.4], [-30.0]])


def test_a_log_probability_is_the_log_of_the_probability_in_nats() -> None:
    for index in (0, 2, [1, 0]):
        torch.testing.assert_close(LogProbability(index)(OUTPUTS), Probability(index)(OUTPUTS).log())
    assert float(LogProbability(0)(torch.zeros(1, 4))[0]) == pytest.approx(-math.log(4))


def test_what_all_logits_have_in_common_changes_nothing() -> None:
    for target in (LogProbability(1), LogProbability(), Difference(LogProbability(0), LogProbability(2))):
        torch.testing.assert_close(target(OUTPUTS + 7), target(OUTPUTS))
    assert not torch.equal(Logit(1)(OUTPUTS + 7), Logit(1)(OUTPUTS))


def test_the_difference_of_two_is_that_of_their_logits() -> None:
    both = Difference(LogProbability(0), LogProbability(2))
    torch.testing.assert_close(both(OUTPUTS), Difference(Logit(0), Logit(2))(OUTPUTS))
    assert both(OUTPUTS).sign().tolist() == [-1, 1]


def test_a_single_output_is_the_log_odds_of_its_class() -> None:
    expected = [-math.log1p(math.exp(-0.4)), -30.0]
    assert LogProbability(0)(ONE).tolist() == pytest.approx(expected)  # and no -inf where the sigmoid is 0


def test_log_odds_of_each_class_for_itself_are_not_held_against_each_other() -> None:
    of_each = LogProbability(1).of_log_odds()
    torch.testing.assert_close(of_each(OUTPUTS), torch.sigmoid(OUTPUTS[:, 1]).log())
    assert of_each == LogProbability(1, log_odds=True)


def test_left_out_it_is_the_predicted_class_of_each_example_and_stays_that() -> None:
    fixed = LogProbability().resolve(OUTPUTS)
    assert torch.as_tensor(fixed.index).tolist() == [2, 0]
    torch.testing.assert_close(LogProbability()(OUTPUTS), OUTPUTS.log_softmax(1).max(1).values)
    torch.testing.assert_close(fixed(OUTPUTS.flip(1)), OUTPUTS.flip(1).log_softmax(1)[[0, 1], [2, 0]])
    assert LogProbability(1).resolve(OUTPUTS) == LogProbability(1)
    assert LogProbability().of_log_odds().resolve(OUTPUTS).log_odds  # type: ignore[attr-defined]


def test_each_example_keeps_its_class_when_some_are_taken() -> None:
    some = LogProbability([2, 0]).take(torch.tensor([1, 1, 0]))
    assert torch.as_tensor(some.index).tolist() == [0, 0, 2]
    assert LogProbability(2).take(torch.tensor([1])) == LogProbability(2)
    assert LogProbability().take(torch.tensor([1])) == LogProbability()
    assert LogProbability([2, 0], log_odds=True).take(torch.tensor([0])).log_odds


def test_its_gradient_does_not_vanish_where_another_class_is_certain() -> None:
    sure = torch.tensor([[60.0, 0.0]], requires_grad=True)
    (slope,) = torch.autograd.grad(LogProbability(1)(sure).sum(), sure)
    assert slope.tolist() == [[-1.0, 1.0]]
    (slope,) = torch.autograd.grad(Probability(1)(sure).sum(), sure)
    assert slope.abs().max() < 1e-20


def test_it_is_named_by_its_class() -> None:
    assert repr(LogProbability()) == "LogProbability(index=predicted)"
    assert repr(LogProbability(7042)) == "LogProbability(index=7042)"
    assert repr(LogProbability([2, 0])) == "LogProbability(index=[2, 0])"


@pytest.mark.parametrize(
    ("target", "outputs", "words"),
    [
        (LogProbability(3), OUTPUTS, r"asks for output 3, the model has 3 \(from 0\)"),
        (LogProbability(-1), OUTPUTS, "asks for output -1"),
        (LogProbability([0, 1, 2]), OUTPUTS, "names 3 classes for 2 examples"),
        (LogProbability(), torch.zeros(2, 3, 4), "expected .batch, outputs.; name one entry of it"),
    ],
)
def test_what_the_outputs_do_not_have_is_refused(target: LogProbability, outputs: torch.Tensor, words: str) -> None:
    with pytest.raises(attar.InputError, match=words):
        target.resolve(outputs)


def test_the_verb_asks_estimators_for_the_class_by_itself_and_networks_for_their_softmax() -> None:
    from sklearn.linear_model import LogisticRegression

    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(60, 2, generator=generator)
    fitted = LogisticRegression().fit(rows.numpy(), (rows[:, 0] > 0).long().numpy())
    found = attar.attribute(fitted, rows[:4], Occlusion(), LogProbability())
    likeliest = torch.from_numpy(fitted.predict_proba(rows[:4].numpy())).double().max(1).values
    torch.testing.assert_close(found.output.double(), likeliest.log(), rtol=1e-5, atol=1e-6)
