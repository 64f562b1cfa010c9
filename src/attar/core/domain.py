"""A domain: what an experiment asks of a kind of data, so that it is written once for all of them."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol

import numpy as np

from attar.core.editor import Editor
from attar.core.inputs import Tensors
from attar.core.planting import Planter
from attar.core.rule import Finder, Rule
from attar.core.weighted_sum import WeightedSum


class Domain(Protocol):
    """Molecules, sequences, images, …: how its examples are looked at and edited.

    An example is whatever the domain reads (a molecule, a string of letters, a scene); its *parts* are what is scored:
    atoms, positions, pixels, samples, voxels, columns, tokens, numbered from 0.
    """

    name: ClassVar[str]
    """What its examples are together: "molecules"."""
    example: ClassVar[str]
    """What one is called in sentences: "molecule"."""
    part: ClassVar[str]
    """What its parts are called, one of them: "atom"."""
    control: ClassVar[str]
    """What `trivial` marks, in words: "edges"."""

    @property
    def finder(self) -> Finder[Any]: ...

    @property
    def editor(self) -> Editor: ...

    def read_rule(self, text: str) -> Rule:
        """A rule from its text. Raises `InputError` for a motif that the domain cannot read."""
        ...

    def read_sum(self, text: str) -> WeightedSum:
        """A weighted sum of motifs from its text. Raises `InputError` likewise."""
        ...

    def size(self, example: Any) -> int:
        """How many parts it has."""
        ...

    def trivial(self, example: Any) -> np.ndarray:
        """`Float[ndarray, "parts"]`: a score of its parts that has seen neither model nor label."""
        ...

    def properties(self, examples: Sequence[Any]) -> Mapping[str, np.ndarray]:
        """Numbers of each example by name, in which one set of them may differ from another."""
        ...

    def key(self, example: Any) -> str:
        """Equal for examples that are the same, whatever their names: duplicates and leaks are found by it."""
        ...

    def as_json(self, example: Any) -> Any:
        """The example in JSON's own kinds, with all that a picture of it needs."""
        ...


class MadeDomain(Domain, Protocol):
    """A domain that can make its own examples, as arrays of one shape."""

    @property
    def planter(self) -> Planter: ...

    @property
    def rules(self) -> Mapping[str, str]:
        """Rules by name, as text, that its benchmark asks about."""
        ...

    @property
    def sums(self) -> Mapping[str, str]:
        """Weighted sums by name, as text, that its benchmark asks about beside the rules."""
        ...

    def encode(self, examples: Sequence[Any]) -> Tensors:
        """`Float[Tensor, "examples channels *grid"]`, the grid's entries in order being the parts; or, where parts
        have one number each, `Float[Tensor, "examples parts"]`."""
        ...
