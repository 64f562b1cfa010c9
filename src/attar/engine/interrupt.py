"""Ctrl-C that is never lost."""

import _thread
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def interruptible() -> Iterator[None]:
    """Turn Ctrl-C into `KeyboardInterrupt` in the main thread, whatever library it comes upon.

    RDKit puts its own handler in place while it works and forgets the signal where it was not asked to look. Here the
    signal is blocked, so that no such handler is ever called, and a thread that waits for it interrupts Python
    itself. Enter it before libraries start threads, which inherit the block; processes started meanwhile do too and
    are stopped by whoever started them. Does nothing outside the main thread or where signals cannot be blocked.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    threading.Thread(target=_watch, daemon=True).start()
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _watch() -> None:
    while True:
        signal.sigwait({signal.SIGINT})
        _thread.interrupt_main()
