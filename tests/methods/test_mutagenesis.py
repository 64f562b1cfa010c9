"""In-silico mutagenesis against a loop over mutants, its window, and what it refuses."""

import pytest
import torch
from torch import Tensor, nn

from attar import attribute
from attar.adapters.torch import TorchModel
from attar.core.errors import InputError, UnsupportedError
from attar.core.target import Logit
from attar.methods.mutagenesis import InSilicoMutagenesis
from models import Formula, case, letters, tight


def loop(model, sequence: Tensor, target: int) -> Tensor:
    """What each other letter adds to the output, one mutant after another."""
    change = torch.zeros_like(sequence)
    whole = model(sequence[None])[0, target]
    for place in range(sequence.shape[1]):
        if not sequence[:, place].any():
            continue
        for letter in range(sequence.shape[0]):
            mutant = sequence.clone()
            mutant[:, place] = 0
            mutant[letter, place] = 1
            change[letter, place] = (model(mutant[None])[0, target] - whole).item()
    return change


def test_it_is_the_loop_over_mutants() -> None:
    given = case("letters")
    found = attribute(given.model, given.inputs, InSilicoMutagenesis(), Logit(1))
    for k, sequence in enumerate(letters()):
        change = loop(given.module.eval(), sequence, 1)
        tight(found.measured["change"][k], change)
        tight(found.values[k], sequence * -change.sum(0) / 3)
    assert found.evaluations.tolist() == [19, 19, 13, 19]
    assert found.error.bound.tolist() == [0, 0, 0, 0]


def test_of_a_sum_of_weights_each_letter_has_its_weight_less_the_others_mean() -> None:
    weights = torch.arange(24.0).reshape(4, 6).double() ** 1.5
    model = Formula(lambda x: (x * weights).sum((1, 2))[:, None])
    found = attribute(model, letters()[:2], InSilicoMutagenesis())
    expected = letters()[:2] * (weights - (weights.sum(0) - weights) / 3)
    tight(found.values, expected)
    tight(found.measured["change"][0], weights - (weights * letters()[0]).sum(0))


def test_an_unread_letter_is_left_alone() -> None:
    given = case("letters")
    found = attribute(given.model, given.inputs, InSilicoMutagenesis())
    assert not found.values[2, :, [1, 4]].any()
    assert not found.measured["change"][2, :, [1, 4]].any()


def test_a_window_is_the_same_there_and_nothing_elsewhere() -> None:
    given = case("letters")
    whole = attribute(given.model, given.inputs, InSilicoMutagenesis())
    part = attribute(given.model, given.inputs, InSilicoMutagenesis(window=(2, 3)))
    tight(part.values[..., 1:3], whole.values[..., 1:3])
    assert not part.values[..., [0, 3, 4, 5]].any()
    assert part.evaluations.tolist() == [7, 7, 4, 7]
    assert torch.equal(
        attribute(given.model, given.inputs, InSilicoMutagenesis(window=(5, 99))).values[..., 4:], whole.values[..., 4:]
    )


@pytest.mark.parametrize("window", [(0, 3), (4, 3), (1,), (1.5, 2)])
def test_a_window_that_is_none_is_refused(window: tuple) -> None:
    with pytest.raises(InputError, match="expected the first and the last position from 1"):
        InSilicoMutagenesis(window=window)


def test_a_window_beyond_the_end_is_refused() -> None:
    given = case("letters")
    with pytest.raises(InputError, match=r"window \(7, 9\) begins beyond the end: the sequence has 6 positions"):
        attribute(given.model, given.inputs, InSilicoMutagenesis(window=(7, 9)))


@pytest.mark.parametrize(
    "inputs",
    [torch.rand(2, 4, 6), torch.ones(2, 4, 6), torch.eye(4)[None, None], torch.eye(4)],
    ids=["shares", "all letters at once", "a picture", "one sequence"],
)
def test_what_is_no_sequence_of_letters_is_refused(inputs: Tensor) -> None:
    model = Formula(lambda x: x.flatten(1).sum(1, keepdim=True))
    with pytest.raises(UnsupportedError, match=r"needs letters as ones and zeros \(batch, letters, positions\)"):
        attribute(model, inputs, InSilicoMutagenesis())


class _Sharing(TorchModel):
    """Answers about exchanged letters in its own way, which is counted."""

    asked = 0

    def exchanged(self, inputs, owner: Tensor, place: Tensor, other: Tensor) -> Tensor:
        type(self).asked += len(owner)
        mutants = inputs.values[owner].clone()
        mutants[torch.arange(len(owner)), :, place] = 0
        mutants[torch.arange(len(owner)), other, place] = 1
        with self.resting(), torch.no_grad():
            return self.module(mutants)


def test_a_model_that_can_exchange_letters_is_asked_to() -> None:
    given = case("letters")
    module: nn.Module = given.module
    sharing = _Sharing(module)
    found = attribute(sharing, given.inputs, InSilicoMutagenesis(), Logit(0))
    tight(found.values, attribute(given.model, given.inputs, InSilicoMutagenesis(), Logit(0)).values)
    assert _Sharing.asked == int(found.evaluations.sum()) - 4


def test_several_targets_share_the_evaluations() -> None:
    given = case("letters")
    module = given.module
    counted = Formula(module)
    both = attribute(counted, given.inputs, InSilicoMutagenesis(), [Logit(0), Logit(1)], batch_size=8)
    asked = sum(counted.sizes)
    for target, found in zip((Logit(0), Logit(1)), both, strict=True):
        tight(found.values, attribute(given.model, given.inputs, InSilicoMutagenesis(), target).values)
    counted.sizes.clear()
    attribute(counted, given.inputs, InSilicoMutagenesis(), Logit(0), batch_size=8)
    assert sum(counted.sizes) == asked
