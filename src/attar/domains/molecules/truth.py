"""Rules about molecules: motifs are SMARTS, parts are atoms; and Boelens' rose rule."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from rdkit import Chem, rdBase
from rdkit.Chem import rdMolDescriptors

from attar.core.errors import InputError
from attar.core.motif import AnyOf, Motif, alternatives, quoted
from attar.core.rule import Match, Path, Rule, motifs
from attar.core.weighted_sum import WeightedSum

Atoms = frozenset[int]
MOST_FOUND = 100_000  # matches, or chains of one length, in one molecule


@dataclass(frozen=True)
class SmartsFinder:
    """Finds SMARTS in an RDKit molecule; matches over the same atoms are one match.

    A path is a simple path along bonds: it leaves from any atom of a match of `first`, ends at any atom of
    a match of `last`, and has `shortest` to `longest` atoms between, in neither; the two matches share no
    atom. A motif of `along` goes for the atom that it can start at. Of paths over the same atoms, the one
    with the shortest chain names them.

    Raises: InputError for a SMARTS that RDKit cannot read, and where more than `MOST_FOUND` are found.
    """

    def find(self, motif: Motif, molecule: Chem.Mol, /) -> list[Match]:
        return _distinct(_match((place,)) for place in _places(motif, molecule))

    def find_paths(self, path: Path, molecule: Chem.Mol, /) -> list[Match]:
        firsts, lasts = _places(path.first, molecule), _places(path.last, molecule)
        if not firsts or not lasts:
            return []
        bonds = [frozenset(near.GetIdx() for near in atom.GetNeighbors()) for atom in molecule.GetAtoms()]
        steps = [_steps(motif, molecule) for motif in path.along[: path.longest]] or [_any_step(molecule)]
        ending: dict[int, list[_Place]] = defaultdict(list)
        for last in lasts:
            for atom in last.core:
                ending[atom].append(last)
        trails = [_Trail.start(first, bonds) for first in firsts]
        found: list[Match] = []
        for length in range(path.longest + 1):
            if length > 0:
                step = steps[min(length, len(steps)) - 1]
                trails = [trail.to(step[atom], bonds) for trail in trails for atom in trail.ahead if atom in step]
                _refuse_many(len(trails), f"chains of {length} atoms", str(path))
            if length >= path.shortest:
                found += [
                    _match((*trail.places, last))
                    for trail in trails
                    for atom in trail.ahead
                    for last in ending[atom]
                    if last.core.isdisjoint(trail.inside)
                ]
        return _distinct(found)


@dataclass(frozen=True)
class _Place:
    """Where a motif is: the atoms of its SMARTS, and these grown."""

    name: str | None
    core: Atoms
    whole: Atoms


def _places(motif: Motif | AnyOf, molecule: Chem.Mol) -> list[_Place]:
    places = []
    for one in alternatives(motif):
        cores = _matches(one.text, molecule)
        around = _matches(one.grow, molecule) if one.grow is not None and cores else []
        places += [_Place(one.name, core, core.union(*(a for a in around if core <= a))) for core in cores]
    return places


def _steps(motif: Motif | AnyOf, molecule: Chem.Mol) -> dict[int, _Place]:
    """The atoms that can be this part of a chain, each by the first alternative that it can start."""
    steps: dict[int, _Place] = {}
    for one in alternatives(motif):
        for place in _places(Motif(f"[$({one.text})]", one.name, one.grow), molecule):
            steps.setdefault(min(place.core), place)
    return steps


def _any_step(molecule: Chem.Mol) -> dict[int, _Place]:
    return {i: _Place(None, frozenset({i}), frozenset({i})) for i in range(molecule.GetNumAtoms())}


@dataclass(frozen=True)
class _Trail:
    """A path so far: its places, their atoms, and the atoms bonded to its end that are not yet on it."""

    places: tuple[_Place, ...]
    inside: Atoms
    ahead: tuple[int, ...]

    @classmethod
    def start(cls, place: _Place, bonds: list[Atoms]) -> _Trail:
        return cls((), frozenset(), ()).to(place, bonds)

    def to(self, place: _Place, bonds: list[Atoms]) -> _Trail:
        inside = self.inside | place.core
        near = frozenset().union(*(bonds[atom] for atom in place.core))
        return _Trail((*self.places, place), inside, tuple(sorted(near - inside)))


def _match(places: tuple[_Place, ...]) -> Match:
    named: dict[str, Atoms] = {}
    for place in places:
        if place.name is not None:
            named[place.name] = named.get(place.name, frozenset()) | place.whole
    return Match(frozenset().union(*(place.whole for place in places)), named)


def _distinct(matches: Iterable[Match]) -> list[Match]:
    by_atoms: dict[Atoms, Match] = {}
    for match in matches:
        by_atoms.setdefault(match.parts, match)
    return list(by_atoms.values())


def _matches(smarts: str, molecule: Chem.Mol) -> list[Atoms]:
    found = molecule.GetSubstructMatches(_pattern(smarts), maxMatches=MOST_FOUND + 1)
    _refuse_many(len(found), "matches", smarts)
    return [frozenset(match) for match in found]


def _refuse_many(number: int, what: str, text: str) -> None:
    if number > MOST_FOUND:
        raise InputError(f"More than {MOST_FOUND:,} {what} in one molecule: say more closely what {text} is.")


@lru_cache(maxsize=4096)
def _pattern(smarts: str) -> Chem.Mol:
    with rdBase.BlockLogs():
        pattern = Chem.MolFromSmarts(smarts)
    if pattern is None or smarts != "".join(smarts.split()):  # RDKit reads "C C" as C
        raise InputError(f"RDKit cannot read {quoted(smarts)} as SMARTS.")
    return pattern


_X = (
    Motif("[OX2H1;$([OX2H1][CX4])]", "X")
    | Motif("[OX2H0;$([OX2H0]([CX4])[#6;!$([#6]=[O,S,N])])]", "X")
    | Motif("[OX2H0;$([OX2H0]([CX4])[$([CX3H0](=O)[#6]),$([CX3H1]=O)])]", "X", grow="[OX2H0][CX3]=O")
)
_F = (
    Motif("[c;$(c1ccccc1)]", "F", grow="c1ccccc1")
    | Motif("[CX3;$([CX3]=[CX3])]", "F", grow="[CX3]=[CX3]")
    | Motif("[CX4;$([CX4]([#6])([#6])[#6])]", "F", grow="[CX4;$([CX4]([#6])([#6])[#6])][CH3]")
)
_C = Motif("[#6;!$([#6]=[O,N,S]);!a]", "C")

NAMED_RULES: dict[str, Rule] = {
    "rose": Path(_X, _F, 1, 3, along=(Motif("[CX4]", "C"), _C)),
    "rose-primary": Path(_X, _F, 1, 3, along=(Motif("[CX4H2]", "C"), _C)),
}
"""Boelens' rose rule, X - C(1 to 3) - F as one path: X a hydroxyl, ether or ester oxygen; F a phenyl ring, a
C=C or a branched carbon. The SMARTS are our reading of it; "primary" asks for a CH2 next to X. It is a weak
rule: on 4,828 odorants `rose` matches 1,445, of which .14 smell of rose (.069 do), and finds .61 of these.
"""


def read_rule(text: str) -> Rule:
    """A rule by its name, or from its text with SMARTS as motifs.

    Raises: InputError for a name that is none, a text that is no rule, and a SMARTS that RDKit cannot read.
    """
    from attar.core.rule_text import parse_rule

    named = NAMED_RULES.get(text.strip().lower())
    if named is not None:
        return named
    if re.fullmatch(r"\s*\w[\w-]*\s*", text):
        names = ", ".join(NAMED_RULES)
        raise InputError(f'No rule is named {text.strip()}: there are {names}, or a text such as has("c1ccccc1").')
    rule = parse_rule(text)
    _refuse_unread(motifs(rule))
    return rule


def read_sum(text: str) -> WeightedSum:
    """A weighted sum from its text with SMARTS as motifs; `count("[OX2H]")` counts matches over other atoms.

    Raises: InputError for a text that is no sum, and a SMARTS that RDKit cannot read.
    """
    from attar.core.rule_text import parse_sum

    total = parse_sum(text)
    _refuse_unread(motif for term in total.terms for motif in motifs(term.condition))
    return total


def _refuse_unread(asked: Iterable[Motif]) -> None:
    for motif in asked:
        for smarts in (motif.text, motif.grow):
            if smarts is not None:
                _pattern(smarts)


def crippen_contributions(molecule: Chem.Mol) -> np.ndarray:
    """What each atom adds to log P, `Float[ndarray, "atoms"]`, as RDKit gives it; their sum is the molecule's.

    Give the molecule its hydrogens first (`Chem.AddHs`): they carry contributions of their own.
    Source: Wildman & Crippen 1999, J. Chem. Inf. Comput. Sci. 39, 868.
    """
    return np.array([logp for logp, _ in rdMolDescriptors._CalcCrippenContribs(molecule)])
