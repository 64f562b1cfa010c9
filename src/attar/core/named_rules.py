"""Reading a rule or a weighted sum in a domain: by its name, or from its text with everything in it checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeVar

from attar.core.errors import InputError
from attar.core.note import listed
from attar.core.rule import Finder, Rule, conditions, found
from attar.core.weighted_sum import WeightedSum

Example = TypeVar("Example")


def read_named(text: str, named: Mapping[str, str], finder: Finder[Example], blank: Example) -> Rule:
    """The rule of that name in `named`, or the rule that the text says.

    The finder is asked for every motif and path in `blank`, an example that shows nothing, so that what the domain
    cannot mean is refused before there are data.
    Raises: InputError for a name that is none, a text that is no rule, and what the finder refuses.
    """
    from attar.core.rule_text import parse_rule

    rule = parse_rule(_written(text, named, "rule"))
    for condition in conditions(rule):
        found(condition, finder, blank)
    return rule


def read_named_sum(text: str, named: Mapping[str, str], finder: Finder[Example], blank: Example) -> WeightedSum:
    """The weighted sum of that name, or that the text says; otherwise as `read_named`."""
    from attar.core.rule_text import parse_sum

    total = parse_sum(_written(text, named, "sum"))
    for term in total.terms:
        found(term.condition, finder, blank)
    return total


def names_sum(text: str, sums: Mapping[str, str]) -> bool:
    """Whether this is the name of one of the sums, or a text that is a sum sooner than a rule."""
    from attar.core.rule_text import says_sum

    return text.strip().lower() in sums or says_sum(text)


def _written(text: str, named: Mapping[str, str], what: str) -> str:
    name = text.strip().lower()
    if name not in named and re.fullmatch(r"\w[\w-]*", name):
        sample = next(iter(named.values()))
        raise InputError(
            f"No {what} is named {text.strip()}: there are {listed(list(named))}, or a text such as {sample}."
        )
    return named.get(name, text)
