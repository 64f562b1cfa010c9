"""How a domain edits examples: which groups an example has, and the example with one more."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np


@dataclass(frozen=True)
class Group:
    """A piece of an example that could be put on another one: its name and its parts here."""

    name: str
    parts: frozenset[int]


class Editor(Protocol):
    def groups(self, example: Any) -> Sequence[Group]:
        """The groups that the example has."""
        ...

    def places(self, example: Any, name: str) -> Sequence[frozenset[int]]:
        """The parts of each occurrence of the named group."""
        ...

    def insert(self, example: Any, name: str, generator: np.random.Generator) -> Iterable[Any]:
        """Valid examples with the group put on, one for each place it can go, in random order."""
        ...

    def remove(self, example: Any, name: str, generator: np.random.Generator) -> Any | None:
        """A valid example without any occurrence of the named group, the rest as it was; None where there is none."""
        ...
