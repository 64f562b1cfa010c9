"""What a model that others trained comes with: how its inputs are read, and what its outputs are called."""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from attar.core.errors import InputError
from attar.core.examples import Examples
from attar.core.note import listed
from attar.core.target import Logit, Target
from attar.pretrained.files import version


@dataclass(frozen=True, eq=False, kw_only=True)
class Pretrained:
    """A model that others trained, as an ordinary one: `attar.attribute(it.model, it.read(path).inputs, method)`.

    What it does to an input first (scales, means) is part of `model`, so that values are those of what was read.
    `outputs` are the names of its outputs, where they have any. `read` turns a file (by its path) into `Examples`, with
    options of its domain; `named_target` turns words about an output into a `Target`, where outputs have more than
    names. `around` keeps of examples what the output that the words name depends on, where they hold much more.
    `narrowed` is the model that answers what a target asks of one example, where that costs less than all its answers;
    `remarks` are what to say of the answers themselves; `usual` is the method that is asked where none is named, and
    why it is not the first that fits.
    """

    name: str
    model: Any
    read: Callable[..., Examples]
    outputs: Sequence[str] = ()
    usual: tuple[str, str] | None = None
    named_target: Callable[[str, Examples], Target | None] | None = None
    around: Callable[[str, Examples], Examples] | None = None
    narrowed: Callable[[Target], Any] | None = None
    remarks: Callable[[Examples, Tensor], Sequence[str]] | None = None

    def target(self, text: str, examples: Examples) -> Target | None:
        """The target that `text` names, of these examples; None where it is no name of an output.

        An output is named in full, in small or capital letters, or by the first of its names that begins so. Raises
        `InputError` for a name that is none, with close ones.
        """
        if self.named_target is not None:
            return self.named_target(text, examples)
        return None if not self.outputs else _named(text, self.outputs)


def _named(text: str, outputs: Sequence[str]) -> Target | None:
    wanted = text.strip().lower()
    if not wanted or wanted == "predicted" or wanted[0].isdecimal() or wanted.startswith("-"):
        return None
    known = [name.lower() for name in outputs]
    for fits in (str.__eq__, str.startswith):
        if found := [k for k, name in enumerate(known) if fits(name, wanted)]:
            return Logit(found[0])
    close = difflib.get_close_matches(wanted, known, n=3, cutoff=0.5) or known[:3]
    raise InputError(f"there is no output {text!r}; there is {listed([outputs[known.index(each)] for each in close])}")


@dataclass(frozen=True, kw_only=True)
class Card:
    """What is known of a model before it is opened. `loader` is where it is opened; `packages` is what it comes in.

    Where no package carries all of it, `place` says what the user's own file or folder holds, whose path follows the
    name: `NAME:PATH`.
    """

    domain: str
    what: str
    loader: str
    packages: tuple[str, ...]
    licence: str
    source: str
    extra: str | None = None
    place: str | None = None

    @property
    def missing(self) -> tuple[str, ...]:
        """Packages that it needs and that are not installed."""
        return tuple(package for package in self.packages if version(package) is None)
