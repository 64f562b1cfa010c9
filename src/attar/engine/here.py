"""Running many tasks on this machine."""

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from joblib import Parallel, delayed
from joblib.externals.loky import get_reusable_executor
from joblib.externals.loky.backend import resource_tracker
from threadpoolctl import threadpool_limits

from attar.engine.interrupt import interruptible


def processors() -> int:
    """The processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run(
    function: Callable[..., Any], tasks: Sequence[tuple[Any, ...]], *, workers: int | None = None
) -> Iterator[tuple[int, Any]]:
    """(k, function(*tasks[k])) for every task, as they are done.

    With one worker (or one task) everything runs in this process, in order. Each worker uses one thread, so that
    results do not depend on how many there are. An exception in a task is raised here.
    """
    count = min(workers or processors(), len(tasks))
    if count <= 1:
        for k, task in enumerate(tasks):
            with threadpool_limits(1):
                found = function(*task)
            yield k, found
        return
    # A worker that has grown is exchanged for another between tasks, as loky says then; nothing is lost by it.
    warnings.filterwarnings("ignore", message="A worker stopped while some jobs", category=UserWarning)
    pool: Any = Parallel(n_jobs=count, backend="loky", return_as="generator_unordered", inner_max_num_threads=1)
    # loky's tracker lets Ctrl-C through again once it has started, so it starts first; workers then never see it.
    _start_tracker()
    with interruptible():
        try:
            yield from pool(delayed(_numbered)(function, k, task) for k, task in enumerate(tasks))
        except KeyboardInterrupt:
            get_reusable_executor().shutdown(wait=False, kill_workers=True)
            raise


def _start_tracker() -> None:
    """Start the process that clears what stopped workers leave behind; it does so without a word."""
    before = os.environ.get("PYTHONWARNINGS")
    os.environ["PYTHONWARNINGS"] = ",".join(filter(None, [before, "ignore:resource_tracker:UserWarning"]))
    try:
        resource_tracker.ensure_running()
    finally:
        if before is None:
            del os.environ["PYTHONWARNINGS"]
        else:
            os.environ["PYTHONWARNINGS"] = before


def _numbered(function: Callable[..., Any], k: int, task: tuple[Any, ...]) -> tuple[int, Any]:
    return k, function(*task)
