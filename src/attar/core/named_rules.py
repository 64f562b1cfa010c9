"""Reading a rule in a domain: by its name, or from its text with everything in it checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeVar

from attar.core.errors import InputError
from attar.core.note import listed
from attar.core.rule import Finder, Rule, conditions, found

Example = TypeVar("Example")


def read_named(text: str, named: Mapping[str, str], finder: Finder[Example], blank: Example) -> Rule:
    """The rule of that name in `named`, or the rule that the text says.

    The finder is asked for every motif and path in `blank`, an example that shows nothing, so that what the domain
    cannot mean is refused before there are data.
    Raises: InputError for a name that is none, a text that is no rule, and what the finder refuses.
    """
    from attar.core.rule_text import parse_rule

    name = text.strip().lower()
    if name not in named and re.fullmatch(r"\w[\w-]*", name):
        sample = next(iter(named.values()))
        raise InputError(
            f"No rule is named {text.strip()}: there are {listed(list(named))}, or a text such as {sample}."
        )
    rule = parse_rule(named.get(name, text))
    for condition in conditions(rule):
        found(condition, finder, blank)
    return rule
