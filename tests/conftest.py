"""What all tests run under. Being here also puts `tests/` on the import path, where `models.py` has the toys."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from real_models import ABSENT


@pytest.fixture(scope="session", autouse=True)
def _one_torch_thread() -> Iterator[None]:
    """Toys are so small that threads only wait for each other: twenty times as long where cores are shared."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """How much was not tested because models that others trained are not installed."""
    absent = [each for each in terminalreporter.stats.get("skipped", []) if ABSENT in str(each.longrepr)]
    if absent:
        terminalreporter.write_line(
            f"{len(absent)} tests of models that others trained were skipped: run `make models`"
        )
