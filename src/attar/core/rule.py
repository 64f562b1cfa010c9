"""A rule: what must be found in an example, how often and how joined; and what that makes the truth.

A rule says nothing of images or molecules. A domain says what a motif's text means and where it is found,
in two functions (`Finder`); from these come the label of an example and every legal ground-truth mask.
`str(rule)` is the text that `attar.core.rule_text.parse_rule` reads back as an equal rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from attar.core.choices import Both, Choices, Either, Mask, Subsets, fold, listed_up_to
from attar.core.errors import InputError
from attar.core.motif import AnyOf, Motif, alternatives


class Rule:
    """A condition on an example: `AtLeast`, `Path`, or these under `And`, `Or`, `Not` (`&`, `|`, `~`)."""

    def __and__(self, other: Rule) -> And:
        return And((self, other))

    def __or__(self, other: Rule) -> Or:
        return Or((self, other))

    def __invert__(self) -> Not:
        return Not(self)


@dataclass(frozen=True)
class AtLeast(Rule):
    """The motif is found `n` times or more: `has("…")`, `count("…") >= n`.

    Raises: InputError if n is negative.
    """

    motif: Motif | AnyOf
    n: int = 1

    def __post_init__(self) -> None:
        if self.n < 0:
            raise InputError(f"A motif is counted from 0, got n = {self.n}.")

    def __str__(self) -> str:
        return f"has({self.motif})" if self.n == 1 else f"count({self.motif}) >= {self.n}"


@dataclass(frozen=True)
class Path(Rule):
    """`first` and `last` joined by a chain of `shortest` to `longest` parts, all of it connected.

    `along` says what the chain parts are: the first of them matches along[0], the next along[1], and the
    last motif of `along` goes for all that follow; empty, any part will do.

    Raises: InputError unless 0 <= shortest <= longest.
    """

    first: Motif | AnyOf
    last: Motif | AnyOf
    shortest: int
    longest: int
    along: tuple[Motif | AnyOf, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.shortest <= self.longest:
            raise InputError(
                f"A path has 0 <= shortest <= longest chain parts, got {self.shortest} and {self.longest}."
            )

    def __str__(self) -> str:
        along = f", {' then '.join(map(str, self.along))}" if self.along else ""
        return f"path({self.first}, {self.last}, {self.shortest}, {self.longest}{along})"


@dataclass(frozen=True)
class And(Rule):
    """Every side holds. And within And is one And: `a & b & c` has three sides.

    Raises: InputError for fewer than two sides.
    """

    sides: tuple[Rule, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "sides", _flat(And, self.sides))

    def __str__(self) -> str:
        return " and ".join(f"({side})" if isinstance(side, Or) else str(side) for side in self.sides)


@dataclass(frozen=True)
class Or(Rule):
    """A side holds. Or within Or is one Or.

    Raises: InputError for fewer than two sides.
    """

    sides: tuple[Rule, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "sides", _flat(Or, self.sides))

    def __str__(self) -> str:
        return " or ".join(map(str, self.sides))


@dataclass(frozen=True)
class Not(Rule):
    """The rule does not hold. It shows nothing: what is absent has no part to point at."""

    rule: Rule

    def __str__(self) -> str:
        if isinstance(self.rule, AtLeast) and self.rule.n != 1:
            return f"count({self.rule.motif}) < {self.rule.n}"
        return f"not ({self.rule})" if isinstance(self.rule, And | Or) else f"not {self.rule}"


def motifs(rule: Rule) -> Iterator[Motif]:
    """Every motif of the rule, from left to right, as often as it is written."""
    match rule:
        case AtLeast(motif):
            yield from alternatives(motif)
        case Path():
            for motif in (rule.first, rule.last, *rule.along):
                yield from alternatives(motif)
        case And(sides) | Or(sides):
            for side in sides:
                yield from motifs(side)
        case Not(inner):
            yield from motifs(inner)


def conditions(rule: Rule) -> Iterator[AtLeast | Path]:
    """Every condition that the rule puts together, from left to right, as often as it is written."""
    match rule:
        case And(sides) | Or(sides):
            for side in sides:
                yield from conditions(side)
        case Not(inner):
            yield from conditions(inner)
        case AtLeast() | Path():
            yield rule


@dataclass(frozen=True)
class Match:
    """One place where something was found: indices of atoms, pixels or positions; `named` are parts of it."""

    parts: Mask
    named: Mapping[str, Mask] = field(default_factory=dict, hash=False)


Example = TypeVar("Example", contravariant=True)


class Finder(Protocol[Example]):
    """How a domain finds things. The matches of one answer differ in their parts; their order is fixed."""

    def find(self, motif: Motif, example: Example, /) -> list[Match]: ...

    def find_paths(self, path: Path, example: Example, /) -> list[Match]: ...


_NO_RULE = (
    "This is not a rule: {}. Build one from AtLeast, Path, And, Or, Not. A weighted sum is neither true nor false: it "
    "has a value and contributions (attar.core.weighted_sum), and no legal masks, counterfactuals or labels."
)


def found(rule: AtLeast | Path, finder: Finder[Example], example: Example) -> tuple[Match, ...]:
    """Every match of the motif, or of the path, that the rule asks for."""
    return tuple(finder.find_paths(rule, example)) if isinstance(rule, Path) else _found(rule.motif, finder, example)


def holds(rule: Rule, finder: Finder[Example], example: Example) -> bool:
    """Whether the rule is true of the example: its label."""
    match rule:
        case AtLeast(motif, n):
            return len(_found(motif, finder, example)) >= n
        case Path():
            return bool(finder.find_paths(rule, example))
        case And(sides):
            return all(holds(side, finder, example) for side in sides)
        case Or(sides):
            return any(holds(side, finder, example) for side in sides)
        case Not(inner):
            return not holds(inner, finder, example)
    raise InputError(_NO_RULE.format(rule))


@dataclass(frozen=True)
class Explanations:
    """The legal ground-truth masks of one example: each is a right answer to why the rule holds.

    `alternatives` are in the published order; overlapping matches can repeat a mask, as they do there.
    `total` is their true number: where that is above the cap, `capped` is true and the alternatives are
    those of the fewest matches and then the union. `union` has all matches of every side that holds, and
    is the last alternative; `parts` are its named parts. No alternatives where the rule is false; the
    empty mask where it holds only by what is absent.
    """

    alternatives: tuple[Mask, ...]
    total: int
    capped: bool
    union: Mask
    parts: Mapping[str, Mask] = field(hash=False)


def explanations(rule: Rule, finder: Finder[Example], example: Example, cap: int = 4096) -> Explanations:
    """All legal masks of an example, or the `cap` smallest of them.

    A motif is shown by any non-empty subset of its matches (`AtLeast(n)`: of n or more); `And` by a mask of
    each side, united; `Or` by a mask of any of the sides that hold, or of several, united; `Not` by the empty
    mask. A negated `And` or `Or` is read by De Morgan's laws.

    Raises: InputError if cap < 1.
    Source: Sanchez-Lengeling et al. 2020, graph-attribution (motifs under And, the order); its `Or` has no
    mask unless every side holds, ours needs one side.
    """
    if cap < 1:
        raise InputError(f"At least one mask must be kept, got cap = {cap}.")
    shown = _shown(_negations_at_leaves(rule), finder, example)
    if shown is None:
        return Explanations((), 0, False, frozenset(), {})
    union = frozenset().union(*(match.parts for match in shown.matches))
    parts: dict[str, Mask] = {}
    for match in shown.matches:
        for name, mask in match.named.items():
            parts[name] = parts.get(name, frozenset()) | mask
    total = shown.choices.total
    return Explanations(listed_up_to(cap, shown.choices, union), total, total > cap, union, parts)


@dataclass(frozen=True)
class _Shown:
    """How a rule that holds can be shown, and all it can be shown with."""

    choices: Choices
    matches: tuple[Match, ...]


_SILENT = _Shown(Subsets((), 0), ())


def _negations_at_leaves(rule: Rule, wanted: bool = True) -> Rule:
    """The same condition, or its opposite, with `Not` only around `AtLeast` and `Path`."""
    match rule:
        case Not(inner):
            return _negations_at_leaves(inner, not wanted)
        case And(sides) | Or(sides):
            kind = And if isinstance(rule, And) is wanted else Or
            return kind(tuple(_negations_at_leaves(side, wanted) for side in sides))
    return rule if wanted else Not(rule)


def _shown(rule: Rule, finder: Finder[Example], example: Example) -> _Shown | None:
    """None where the rule does not hold."""
    match rule:
        case And(sides):
            return _all_shown([_shown(side, finder, example) for side in sides])
        case Or(sides):
            return _any_shown([_shown(side, finder, example) for side in sides])
        case Not(inner):
            return None if holds(inner, finder, example) else _SILENT
        case AtLeast(motif, least):
            matches = _found(motif, finder, example)
        case Path():
            matches, least = tuple(finder.find_paths(rule, example)), 1
        case _:
            raise InputError(_NO_RULE.format(rule))
    if len(matches) < least:
        return None
    if not matches:
        return _SILENT
    return _Shown(Subsets(tuple(match.parts for match in matches), least), matches)


def _all_shown(sides: list[_Shown | None]) -> _Shown | None:
    if None in sides:
        return None
    loud = _loud(sides)
    return _Shown(fold(Both, [side.choices for side in loud]), _matches(loud)) if loud else _SILENT


def _any_shown(sides: list[_Shown | None]) -> _Shown | None:
    loud = _loud(sides)
    if not loud:
        return _SILENT if _SILENT in sides else None
    choices = fold(Either, [side.choices for side in loud])
    if _SILENT in sides:  # the empty mask is one more answer; united with another it is that other
        choices = Either(_SILENT.choices, choices, joined=False)
    return _Shown(choices, _matches(loud))


def _loud(sides: list[_Shown | None]) -> list[_Shown]:
    return [side for side in sides if side is not None and side is not _SILENT]


def _matches(sides: list[_Shown]) -> tuple[Match, ...]:
    return tuple(match for side in sides for match in side.matches)


def _found(motif: Motif | AnyOf, finder: Finder[Example], example: Example) -> tuple[Match, ...]:
    if isinstance(motif, Motif):
        return tuple(finder.find(motif, example))
    by_parts: dict[Mask, Match] = {}
    for alternative in motif.motifs:
        for match in finder.find(alternative, example):
            by_parts.setdefault(match.parts, match)
    return tuple(by_parts.values())


def _flat(kind: type[And] | type[Or], sides: tuple[Rule, ...]) -> tuple[Rule, ...]:
    flat = tuple(part for side in sides for part in (side.sides if isinstance(side, kind) else (side,)))
    if len(flat) < 2:
        raise InputError(f"{kind.__name__} takes two sides or more, got {len(flat)}.")
    return flat
