"""What is asked of an array as a whole."""

import pytest
import torch

from attar.core.parts import finite


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("place", [0, 4])
def test_one_entry_that_is_no_number_is_seen(wrong: float, place: int) -> None:
    array = torch.ones(5)
    array[place] = wrong
    assert not finite(array)
    array[2] = -wrong  # infinities of both signs, whose sum is no infinity
    assert not finite(array)


def test_numbers_whose_sum_is_too_large_are_finite() -> None:
    assert finite(torch.full((4,), 60_000.0, dtype=torch.float16))
    assert finite(torch.full((4,), 3e38))


def test_nothing_is_finite() -> None:
    assert finite(torch.zeros(0, 3))
