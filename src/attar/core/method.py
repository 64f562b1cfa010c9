"""A way to attribute: a frozen dataclass that names what it needs of a model and returns values."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, ClassVar, Protocol

from attar.core.attribution import Attribution
from attar.core.columns import Columns
from attar.core.inputs import Inputs
from attar.core.target import Target


class Method(Protocol):
    """Its repr is the provenance, its fields are the command-line options, it pickles.

    A method sees one chunk of examples at a time and a resolved target; checks, chunks, model mode and
    provenance are the verb's (`attar.attribute`). One that explains a loss over labelled rows says `of_loss = True`: it
    sees all rows at once, in the order of its labels, and takes no target.
    """

    needs: ClassVar[type]

    def __call__(self, model: Any, inputs: Inputs, target: Target) -> Attribution: ...


def columns_of(method: Method) -> Iterator[Columns]:
    """The columns of the backgrounds and baselines that a method has, and those that the method has that it asks."""
    for option in fields(method) if is_dataclass(method) else ():
        within = getattr(method, option.name)
        if isinstance(found := getattr(within, "columns", None), Columns):
            yield found
        elif hasattr(within, "needs"):
            yield from columns_of(within)


def needs_of(method: Method) -> Iterator[type]:
    """What a method needs, and what the method needs that it asks in its turn."""
    yield method.needs
    for option in fields(method) if is_dataclass(method) else ():
        within = getattr(method, option.name)
        if hasattr(within, "needs"):
            yield from needs_of(within)


def of_loss(method: Method) -> bool:
    """Whether a method explains the loss of all rows together, in place of a target of each."""
    return bool(getattr(method, "of_loss", False))
