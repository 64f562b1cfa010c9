"""Rules as text: a small grammar, read with lark, never with eval.

    has("c1ccccc1") and count("[OX2H]") >= 2 and not path("[OX2H]", "c1ccccc1", 1, 3)

Motifs stand in single or double quotes, where a backslash is itself unless a quote or a backslash follows
it. A motif may be named (`ring: "c1ccccc1"`) and grown (`"[c]" grow "c1ccccc1"`), and be one of several
(`has("[OX2H]" or "[SX2H]")`); what comes after a path's lengths says what its chain is made of
(`path("O", "c", 1, 3, "[CX4]" then "[#6]")`). `and` binds closer than `or`; keywords in any case.

A weighted sum (`attar.core.weighted_sum`) is made of the same motifs, each with a number before it or behind it:

    2*count("[OX2H]") - 1.5*has(acid: "C(=O)[OX2H]") + 0.3
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedInput, UnexpectedToken

from attar.core.errors import InputError
from attar.core.motif import AnyOf, Motif, quoted
from attar.core.note import shortened
from attar.core.rule import And, AtLeast, Not, Or, Path, Rule
from attar.core.weighted_sum import Term, WeightedSum

DEEPEST = 100
MOST_DIGITS = 9
WIDEST_SHOWN = 100  # characters of the rule that an error shows

GRAMMAR = r"""
?either: both (_OR both)*
?both: single (_AND single)*
?single: _NOT single -> negation
    | "(" either ")"
    | _HAS "(" anyof ")" -> has
    | _COUNT "(" anyof ")" COMPARISON INTEGER -> count
    | path

total: [SIGN] term (SIGN term)*
?term: amount | NUMBER _TIMES amount -> weighted | amount _TIMES NUMBER -> weighted_behind | NUMBER -> number
?amount: _COUNT "(" anyof ")" -> each
    | _HAS "(" anyof ")" -> once
    | path -> once

path: _PATH "(" anyof "," anyof "," INTEGER "," INTEGER ("," anyof (_THEN anyof)*)? ")"
anyof: motif (_OR motif)*
motif: [label ":"] TEXT [_GROW TEXT]
label: NAME | TEXT

_AND: /and\b/i
_OR: /or\b/i
_NOT: /not\b/i
_HAS: /has\b/i
_COUNT: /count\b/i
_PATH: /path\b/i
_THEN: /then\b/i
_GROW: /grow\b/i
COMPARISON: ">=" | "<=" | "==" | "!=" | "=" | "<" | ">"
INTEGER: /[0-9]+/
NUMBER: /[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?/i
SIGN: /[+-]/
_TIMES: "*"
NAME: /[A-Za-z_][A-Za-z0-9_]*/
TEXT: /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/s
%ignore /\s+/
"""

IN_WORDS = {
    "_AND": "'and'", "_OR": "'or'", "_THEN": "'then'", "_GROW": "'grow'", "LPAR": "'('", "RPAR": "')'",
    "COMMA": "a comma", "COLON": "a colon", "COMPARISON": "a comparison (>=, ==, …)",
    "INTEGER": "a whole number", "SIGN": "+ or -", "_TIMES": "*", "NUMBER": "a number",
    "TEXT": 'a motif in quotes ("c1ccccc1")', "$END": "its end",
}  # fmt: skip
"""What a person calls the parts of the grammar; in the order in which an error lists them."""

CONDITION = {"_HAS", "_COUNT", "_PATH", "_NOT", "LPAR"}
AMOUNT = {"_HAS", "_COUNT", "_PATH"}
RULE, SUM = "either", "total"  # what a text can be: where its grammar starts


def parse_rule(text: str) -> Rule:
    """The rule that the text says; `parse_rule(str(rule)) == rule`, nested at most `DEEPEST` deep.

    Raises: InputError, whose first line says what came and what was expected; then the text, and a ^ under
    the place. A text that is a weighted sum is refused as one.
    """
    if not text.strip():
        raise InputError('The rule is empty: write one such as has("c1ccccc1").')
    rule = _read(text, RULE)
    if not isinstance(rule, _Complaint):
        _refuse_deep(rule)
        return rule
    if rule.place < len(text.rstrip()) and isinstance(_read(text, SUM), WeightedSum):
        raise InputError(
            f"{text.strip()} is a weighted sum, which has a value; expected a rule, which is true or false, such as "
            'has("c1ccccc1").'
        )
    raise InputError(_pointed(rule.problem, rule.place, text))


def parse_sum(text: str) -> WeightedSum:
    """The weighted sum that the text says; `parse_sum(str(total)) == total`. Its numbers alone make the constant.

    Raises: InputError, as `parse_rule`; a text that is a rule is refused as one.
    """
    if not text.strip():
        raise InputError('The sum is empty: write one such as 2*count("c1ccccc1") - 0.5.')
    total = _read(text, SUM)
    if not isinstance(total, _Complaint):
        return total
    if isinstance(_read(text, RULE), Rule):
        raise InputError(
            f"{text.strip()} is a rule, which is true or false; expected a weighted sum, which has a value, such as "
            '2*count("c1ccccc1") - 0.5.'
        )
    raise InputError(_pointed(total.problem, total.place, text))


def says_sum(text: str) -> bool:
    """Whether the text is a weighted sum and no rule; where it is neither, whether it begins as one or errs later."""
    rule, total = _read(text, RULE), _read(text, SUM)
    if not isinstance(rule, _Complaint):
        return False
    begins = re.match(r"\s*[-+.\d]", text) is not None
    return begins or not isinstance(total, _Complaint) or total.place > rule.place


@dataclass(frozen=True)
class _Complaint:
    """Why the text is not what was asked for, in plain words, and at which of its places."""

    problem: str
    place: int


class _Wrong(Exception):
    """Grammatical, and yet no rule; at this place of the text."""

    def __init__(self, problem: object, place: int | None) -> None:
        super().__init__(str(problem))
        self.place = place or 0


@v_args(inline=True)
class _Build(Transformer[Token, Any]):
    """The grammar's productions, from the bottom up, while the text is read."""

    def either(self, *sides: Rule) -> Rule:
        return Or(sides)

    def both(self, *sides: Rule) -> Rule:
        return And(sides)

    def negation(self, rule: Rule) -> Rule:
        return Not(rule)

    def has(self, motif: Motif | AnyOf) -> Rule:
        return AtLeast(motif)

    def count(self, motif: Motif | AnyOf, comparison: Token, number: Token) -> Rule:
        n = _whole(number)
        match str(comparison):
            case ">=":
                return AtLeast(motif, n)
            case ">":
                return AtLeast(motif, n + 1)
            case "<":
                return Not(AtLeast(motif, n))
            case "<=":
                return Not(AtLeast(motif, n + 1))
            case "!=":
                return Not(AtLeast(motif, n) & Not(AtLeast(motif, n + 1)))
            case _:
                return AtLeast(motif, n) & Not(AtLeast(motif, n + 1))

    def path(
        self,
        first: Motif | AnyOf,
        last: Motif | AnyOf,
        shortest: Token,
        longest: Token,
        *along: Motif | AnyOf,
    ) -> Rule:
        try:
            return Path(first, last, _whole(shortest), _whole(longest), along)
        except InputError as problem:
            raise _Wrong(problem, shortest.start_pos) from None

    def total(self, sign: Token | None, first: Term | float, *others: Token | Term | float) -> WeightedSum:
        pieces = [(sign or "+", first), *zip(others[::2], others[1::2], strict=True)]
        signed = [_turned(piece) if str(mark) == "-" else piece for mark, piece in pieces]
        try:
            terms = tuple(piece for piece in signed if isinstance(piece, Term))
            return WeightedSum(terms, sum((piece for piece in signed if not isinstance(piece, Term)), 0.0))
        except InputError as problem:
            raise _Wrong(problem, 0) from None

    def weighted(self, number: Token, term: Term) -> Term:
        try:
            return replace(term, weight=float(number))
        except InputError as problem:
            raise _Wrong(problem, number.start_pos) from None

    def weighted_behind(self, term: Term, number: Token) -> Term:
        return self.weighted(number, term)

    def number(self, token: Token) -> float:
        return float(token)

    def each(self, motif: Motif | AnyOf) -> Term:
        return Term(1.0, motif)

    def once(self, what: Motif | AnyOf | Path) -> Term:
        return Term(1.0, what, once=True)

    def anyof(self, first: Motif, *others: Motif) -> Motif | AnyOf:
        return AnyOf((first, *others)) if others else first

    def motif(self, name: str | None, text: Token, grow: Token | None) -> Motif:
        try:
            return Motif(_unquoted(text), name, None if grow is None else _unquoted(grow))
        except InputError as problem:
            raise _Wrong(problem, text.start_pos) from None

    def label(self, token: Token) -> str:
        return _unquoted(token) if token.type == "TEXT" else str(token)


@cache
def _parser() -> Lark:
    return Lark(GRAMMAR, parser="lalr", start=[RULE, SUM], transformer=_Build(), maybe_placeholders=True)


def _read(text: str, start: str) -> Any:
    """A Rule or WeightedSum, by where the grammar starts; or what is wrong."""
    try:
        return _parser().parse(text, start=start)
    except UnexpectedInput as problem:
        return _Complaint(*_complaint(text, problem, start))
    except _Wrong as wrong:
        return _Complaint(str(wrong), wrong.place)


def _turned(piece: Term | float) -> Term | float:
    return replace(piece, weight=-piece.weight) if isinstance(piece, Term) else -piece


def _unquoted(token: Token) -> str:
    return re.sub(r"""\\(["'\\])""", r"\1", token[1:-1])


def _whole(token: Token) -> int:
    if len(token) > MOST_DIGITS:
        raise _Wrong(f"A number here has at most {MOST_DIGITS} digits, this {len(token)}.", token.start_pos)
    return int(token)


def _refuse_deep(rule: Rule) -> None:
    level, depth = [rule], 0
    while level:
        depth += 1
        level = [part for one in level for part in _within(one)]
    if depth > DEEPEST:
        raise InputError(f"The rule is nested {depth} deep, the most is {DEEPEST}: write it flatter.")


def _within(rule: Rule) -> tuple[Rule, ...]:
    match rule:
        case And(sides) | Or(sides):
            return sides
        case Not(inner):
            return (inner,)
    return ()


def _complaint(text: str, problem: UnexpectedInput, start: str) -> tuple[str, int]:
    """What is wrong, in plain words, and where."""
    place = problem.pos_in_stream or 0
    if isinstance(problem, UnexpectedToken) and problem.token.type == "$END":
        place, came = len(text.rstrip()), "ends"
    elif isinstance(problem, UnexpectedToken):
        came = f"has {shortened(str(problem.token))}"
    elif text[place] in "\"'":
        return f"The quote {text[place]} that opens here is not closed.", place
    else:
        came = f"has {shortened(text[place])}"
    read = _parser().parse_interactive(text[:place], start=start)
    read.exhaust_lexer()
    expected = read.accepts()
    bare = re.search(r"[A-Za-z_][A-Za-z0-9_]*\s*$", text[:place])
    if expected == {"COLON"} and bare:
        return f"A motif stands in quotes: write {quoted(bare[0].strip())}.", bare.start()
    if start == SUM and isinstance(problem, UnexpectedToken) and (wrong := _no_term(str(problem.token), expected)):
        return wrong, place
    what = "rule" if start == RULE else "sum"
    return f"The {what} {came} where {_in_words(expected)} was expected.", place


def _no_term(came: str, expected: set[str]) -> str | None:
    """What a sum cannot hold, where somebody wrote it in one."""
    if came.lower() == "not":
        return 'A sum has no not: a motif that speaks against gets a negative weight, as in -2*count("…").'
    if (came == "*" and "SIGN" in expected) or (came.lower() in ("has", "count", "path") and expected == {"NUMBER"}):
        return 'A sum has no products of motifs: put + or - between them, as in 2*count("…") - has("…").'
    return None


def _in_words(expected: set[str]) -> str:
    if expected >= CONDITION:
        return "a condition (has, count, path, not, or one in parentheses)"
    if expected >= AMOUNT:
        return 'a term (such as 2*count("…"), has("…") or 0.3)' if "NUMBER" in expected else "count, has or path"
    words = [word for terminal, word in IN_WORDS.items() if terminal in expected]
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _pointed(problem: str, place: int, text: str) -> str:
    """The problem; the line of the rule that has it, cut to its surroundings; and a caret under the place."""
    begin = text.rfind("\n", 0, place) + 1
    line, column = text[begin:].split("\n")[0], place - begin
    cut = max(0, min(column - WIDEST_SHOWN // 2, len(line) - WIDEST_SHOWN))
    shown = "".join(letter if letter.isprintable() else " " for letter in line[cut : cut + WIDEST_SHOWN])
    before, after = "…" * (cut > 0), "…" * (cut + WIDEST_SHOWN < len(line))
    return f"{problem}\n  {before}{shown}{after}\n  {' ' * (len(before) + column - cut)}^"
