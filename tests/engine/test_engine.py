"""Running tasks and training modules: the same results, however many workers and whatever came before."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from attar.core.inputs import Tensors
from attar.domains.molecules.networks import BagMLP
from attar.engine.here import processors, run
from attar.engine.train import train
from models import WIDTH, in_dtype, sparse, table

# --- running many tasks ---


def _sum_of_many(seed: int, count: int) -> float:
    """A sum in single precision whose last digits show how many threads took part in it."""
    return float(torch.randn(count, generator=torch.Generator().manual_seed(seed)).sum())


def _threads(_: int) -> int:
    return torch.get_num_threads()


def _fails_at_two(k: int) -> int:
    if k == 2:
        raise LookupError(f"task {k} has no answer")
    return k


def _tenfold(k: int) -> int:
    return 10 * k


def _late_first(k: int, folder: Path) -> int:
    """The first task ends some time after another has; the others leave a file when they do."""
    import time

    for _ in range(600 if k == 0 else 0):
        if any(folder.iterdir()):
            break
        time.sleep(0.1)
    time.sleep(0.3 if k == 0 else 0)
    if k:
        (folder / str(k)).touch()
    return 10 * k


TASKS = [(seed, 300_001) for seed in range(6)]


@pytest.fixture
def _two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("_two_threads")
def test_one_worker_and_two_give_the_same_to_the_last_digit() -> None:
    alone = dict(run(_sum_of_many, TASKS, workers=1))
    together = dict(run(_sum_of_many, TASKS, workers=2))
    assert alone == together
    assert sorted(together) == list(range(6))
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("_two_threads")
@pytest.mark.parametrize("workers", [1, 2])
def test_every_worker_has_one_thread(workers: int) -> None:
    assert {threads for _, threads in run(_threads, [(0,), (1,)], workers=workers)} == {1}


def test_results_come_as_they_are_done_and_say_whose_they_are(tmp_path: Path) -> None:
    found = list(run(_late_first, [(k, tmp_path) for k in range(4)], workers=2))
    assert dict(found) == {k: 10 * k for k in range(4)}
    assert [k for k, _ in found] != [0, 1, 2, 3]


def test_one_worker_takes_tasks_in_order() -> None:
    assert list(run(_tenfold, [(2,), (0,), (1,)], workers=1)) == [(0, 20), (1, 0), (2, 10)]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_exception_in_a_task_is_raised_here(workers: int) -> None:
    with pytest.raises(LookupError, match="task 2 has no answer"):
        list(run(_fails_at_two, [(k,) for k in range(4)], workers=workers))


@pytest.mark.parametrize("workers", [None, 1, 2])
def test_no_tasks_have_no_results(workers: int | None) -> None:
    assert list(run(_tenfold, [], workers=workers)) == []


def test_one_task_stays_in_this_process() -> None:
    seen = []
    assert list(run(seen.append, [(5,)], workers=8)) == [(0, None)]
    assert seen == [5]


def test_there_is_a_processor() -> None:
    import os

    assert 1 <= processors() <= (os.cpu_count() or 1)


# --- training ---


def build() -> nn.Module:
    return nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 1))


X = Tensors(table(60, seed=3).float())
LABELS = (X.values[:, 0] > X.values[:, 1]).float()


def weights(module: nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in module.parameters()])


def test_the_same_seed_makes_the_same_module() -> None:
    torch.manual_seed(1)
    first = weights(train(build, X, LABELS, epochs=3, seed=5))
    torch.manual_seed(2)
    torch.randn(7)
    assert torch.equal(weights(train(build, X, LABELS, epochs=3, seed=5)), first)
    assert not torch.equal(weights(train(build, X, LABELS, epochs=3, seed=6)), first)


def test_the_global_generators_are_left_as_found() -> None:
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    train(build, X, LABELS, epochs=2)
    assert torch.equal(torch.get_rng_state(), before[0])
    np.testing.assert_array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002


class _StumbleError(Exception):
    pass


class Stumbling(nn.Linear):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        raise _StumbleError


@pytest.mark.usefixtures("_two_threads")
def test_threads_are_bounded_meanwhile_and_given_back() -> None:
    seen = []

    class Counting(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append(torch.get_num_threads())
            return super().forward(x)

    train(lambda: Counting(5, 1), X, LABELS, epochs=1)
    assert set(seen) == {1}
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("_two_threads")
def test_all_is_given_back_after_an_exception() -> None:
    state = torch.get_rng_state()
    with pytest.raises(_StumbleError):
        train(lambda: Stumbling(5, 1), X, LABELS, epochs=1)
    assert torch.get_num_threads() == 2
    assert torch.equal(torch.get_rng_state(), state)


def test_a_trained_module_rests() -> None:
    assert not any(m.training for m in train(build, X, LABELS, epochs=1).modules())


def test_classes_are_learned() -> None:
    module = train(build, X, LABELS, epochs=60, learning_rate=3e-2)
    with torch.no_grad():
        right = (module(X.values)[:, 0] > 0) == (LABELS > 0.5)
    assert float(right.float().mean()) > 0.93


def test_numbers_are_learned() -> None:
    values = X.values @ torch.tensor([1.0, -2.0, 0.0, 0.5, 1.5])
    module = train(lambda: nn.Linear(5, 1), X, values, task="regression", epochs=150, batch_size=60, learning_rate=0.1)
    torch.testing.assert_close(module.weight[0].detach(), torch.tensor([1.0, -2.0, 0.0, 0.5, 1.5]), atol=0.02, rtol=0)


def test_the_loss_of_numbers_is_not_that_of_classes() -> None:
    as_classes, as_numbers = (
        weights(train(lambda: nn.Linear(5, 1), X, LABELS, task=task, epochs=2))
        for task in ("classification", "regression")
    )
    assert not torch.allclose(as_classes, as_numbers, atol=1e-4)


def test_any_inputs_can_be_trained_on() -> None:
    rows = in_dtype(sparse(), torch.float32)
    module = train(lambda: BagMLP(WIDTH, 8), rows, torch.tensor([1.0, 0, 1, 0, 1]), epochs=80, learning_rate=5e-2)
    with torch.no_grad():
        answers = module(*rows.arguments())[:, 0]
    assert (answers > 0).tolist() == [True, False, True, False, True]


def test_a_batch_size_above_the_examples_is_one_batch() -> None:
    whole, larger = (weights(train(build, X, LABELS, epochs=2, batch_size=size)) for size in (60, 10_000))
    assert torch.equal(whole, larger)
