"""A motif: the smallest thing a rule can look for, written in a domain's own way."""

from __future__ import annotations

import re
from dataclasses import dataclass

from attar.core.errors import InputError


@dataclass(frozen=True)
class Motif:
    """Something to find, in the domain's own writing (SMARTS, IUPAC letters, an interval, …).

    `name` names its parts in the masks. `grow` widens the mask, not the search: every match of the text
    `grow` that holds a match of `text` is added to it, so that a path may end on one atom of a ring and
    the truth still be the whole ring.

    Raises: InputError if `text`, `name` or `grow` is empty.
    """

    text: str
    name: str | None = None
    grow: str | None = None

    def __post_init__(self) -> None:
        for what in ("text", "name", "grow"):
            if getattr(self, what) == "":
                raise InputError(f"A motif's {what} is empty: write at least one character.")

    def __or__(self, other: Motif | AnyOf) -> AnyOf:
        return AnyOf((self, *alternatives(other)))

    def __str__(self) -> str:
        name = "" if self.name is None else f"{_label(self.name)}: "
        grow = "" if self.grow is None else f" grow {quoted(self.grow)}"
        return f"{name}{quoted(self.text)}{grow}"


@dataclass(frozen=True)
class AnyOf:
    """Motifs of which any will do; their matches are pooled, and one found twice counts once.

    Raises: InputError for fewer than two motifs.
    """

    motifs: tuple[Motif, ...]

    def __post_init__(self) -> None:
        if len(self.motifs) < 2:
            raise InputError(f"AnyOf takes two motifs or more, got {len(self.motifs)}.")

    def __or__(self, other: Motif | AnyOf) -> AnyOf:
        return AnyOf(self.motifs + alternatives(other))

    def __str__(self) -> str:
        return " or ".join(map(str, self.motifs))


def alternatives(motif: Motif | AnyOf) -> tuple[Motif, ...]:
    """The motifs of which any will do: itself, if it is one."""
    return motif.motifs if isinstance(motif, AnyOf) else (motif,)


def quoted(text: str) -> str:
    """The text in double quotes, as a rule is written: backslash and quote are escaped, nothing else."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _label(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) else quoted(name)
