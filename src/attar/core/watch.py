"""Being told, while one waits, how often a model has been asked."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_WATCHER: ContextVar[Callable[[int], None] | None] = ContextVar("watcher", default=None)


@contextmanager
def watched(tell: Callable[[int], None]) -> Iterator[None]:
    """Inside, `tell` is called after every call of a model, with the number of examples that it was asked about."""
    token = _WATCHER.set(tell)
    try:
        yield
    finally:
        _WATCHER.reset(token)


def asked(examples: int) -> None:
    """A model has answered about so many examples."""
    tell = _WATCHER.get()
    if tell is not None:
        tell(examples)
