"""Rules as text: what is read, what is printed, and what an error points at."""

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attar.core.errors import InputError
from attar.core.motif import AnyOf, Motif
from attar.core.rule import And, AtLeast, Not, Or, Path, Rule
from attar.core.rule_text import parse_rule

A, B, C = Motif("A"), Motif("B"), Motif("C")

WORDS = st.one_of(st.text(min_size=1, max_size=6), st.text("\"'\\ \n(:", min_size=1, max_size=6))
NAMES = st.one_of(st.none(), WORDS, st.sampled_from(["X", "and", "or", "Not", "has", "path", "then", "grow", "a1"]))
MOTIFS = st.builds(Motif, WORDS, NAMES, st.none() | WORDS)
ANY = MOTIFS | st.lists(MOTIFS, min_size=2, max_size=3).map(lambda motifs: AnyOf(tuple(motifs)))
RULES: st.SearchStrategy[Rule] = st.recursive(
    st.one_of(
        st.builds(AtLeast, ANY, st.integers(0, 10**6)),
        st.builds(
            lambda first, last, ends, along: Path(first, last, min(ends), max(ends), tuple(along)),
            ANY, ANY, st.tuples(st.integers(0, 99), st.integers(0, 99)), st.lists(ANY, max_size=2),
        ),
    ),
    lambda rule: st.one_of(
        st.builds(Not, rule),
        st.builds(And, st.lists(rule, min_size=2, max_size=3).map(tuple)),
        st.builds(Or, st.lists(rule, min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=6,
)  # fmt: skip


@settings(deadline=None)
@given(RULES)
def test_what_is_printed_is_read_back(rule: Rule) -> None:
    assert parse_rule(str(rule)) == rule


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ('has("A")', AtLeast(A)),
        ("has('A')", AtLeast(A)),
        ('count("A") >= 2', AtLeast(A, 2)),
        ('count("A") > 2', AtLeast(A, 3)),
        ('count("A") < 2', Not(AtLeast(A, 2))),
        ('count("A") <= 2', Not(AtLeast(A, 3))),
        ('count("A") == 2', AtLeast(A, 2) & Not(AtLeast(A, 3))),
        ('count("A") = 2', AtLeast(A, 2) & Not(AtLeast(A, 3))),
        ('count("A") != 2', Not(AtLeast(A, 2) & Not(AtLeast(A, 3)))),
        ('path("A", "B", 1, 3)', Path(A, B, 1, 3)),
        ('path("A" or "B", "C", 0, 0, "A" then "B" or "C")', Path(A | B, C, 0, 0, (A, B | C))),
        ('has(ring: "A" grow "B" or "C")', AtLeast(Motif("A", "ring", "B") | C)),
        ('has("rose oxide": "A")', AtLeast(Motif("A", "rose oxide"))),
        ('has("A") or has("B") and has("C")', AtLeast(A) | AtLeast(B) & AtLeast(C)),
        ('(has("A") or has("B")) and has("C")', (AtLeast(A) | AtLeast(B)) & AtLeast(C)),
        ('not has("A") and has("B")', ~AtLeast(A) & AtLeast(B)),
        ('not (has("A") and has("B"))', ~(AtLeast(A) & AtLeast(B))),
        ('has("A") and has("B") and has("C")', And((AtLeast(A), AtLeast(B), AtLeast(C)))),
        ('NOT Has("A") AnD((COUNT("B")>=2)oR has("C"))', ~AtLeast(A) & (AtLeast(B, 2) | AtLeast(C))),
        ('\thas(\n"A"\n)  ', AtLeast(A)),
        (r'has("F/C=C\F")', AtLeast(Motif(r"F/C=C\F"))),
        (r'has("F/C=C\\F")', AtLeast(Motif(r"F/C=C\F"))),
        (r'has("say \"no\" or \'no\'")', AtLeast(Motif("say \"no\" or 'no'"))),
        (r"has('\\')", AtLeast(Motif("\\"))),
        ('has("not has(\'A\')")', AtLeast(Motif("not has('A')"))),
    ],
)  # fmt: skip
def test_what_is_read(text: str, rule: Rule) -> None:
    assert parse_rule(text) == rule


@pytest.mark.parametrize(
    ("text", "problem", "place"),
    [
        ("rose", "The rule has 'rose' where a condition (has, count, path, not, or one in paren", 0),
        ("has(", 'The rule ends where a motif in quotes ("c1ccccc1") was expected.', 4),
        ("has()", "The rule has ')' where a motif in quotes (\"c1ccccc1\") was expected.", 4),
        ("has([OH])", "The rule has '[' where a motif in quotes (\"c1ccccc1\") was expected.", 4),
        ("has(CO)", 'A motif stands in quotes: write "CO".', 4),
        ('has("A', 'The quote " that opens here is not closed.', 4),
        ('has("A"))', "The rule has ')' where 'and', 'or' or its end was expected.", 8),
        ('(has("A")', "The rule ends where 'and', 'or' or ')' was expected.", 9),
        ('has("A") has("B")', "The rule has 'has' where 'and', 'or' or its end was expected.", 9),
        ('has("A") & has("B")', "The rule has '&' where 'and', 'or' or its end was expected.", 9),
        ('has("A") and ', "The rule ends where a condition (has, count, path, not, or one in paren", 12),
        ('hasx("A")', "The rule has 'hasx' where a condition", 0),
        ('has("A" "B")', "The rule has '\"B\"' where 'or', 'grow', ')' or a colon was expected.", 8),
        ('count("A")', "The rule ends where a comparison (>=, ==, …) was expected.", 10),
        ('count("A") => 2', "The rule has '>' where a whole number was expected.", 12),
        ('count("A") >= -1', "The rule has '-' where a whole number was expected.", 14),
        ('count("A") >= 2.5', "The rule has '.' where 'and', 'or' or its end was expected.", 15),
        ('count("A") >= 1234567890', "A number here has at most 9 digits, this 10.", 14),
        ('path("A", "B")', "The rule has ')' where 'or', 'grow', a comma or a colon was expected.", 13),
        ('path("A", "B", 3, 1)', "A path has 0 <= shortest <= longest chain parts, got 3 and 1.", 15),
        ('has("")', "A motif's text is empty: write at least one character.", 4),
        ('__import__("os").system("true")', "The rule has '__import__' where a condition", 0),
    ],
)
def test_an_error_says_what_came_and_points_at_it(text: str, problem: str, place: int) -> None:
    with pytest.raises(InputError) as caught:
        parse_rule(text)
    first, shown, caret = str(caught.value).split("\n")
    assert first.startswith(problem)
    assert shown == "  " + text
    assert caret == " " * (2 + place) + "^"


def test_an_error_shows_the_line_it_is_in_and_its_surroundings() -> None:
    with pytest.raises(InputError) as caught:
        parse_rule('has("A")\n\tand nope("B")\nand has("C")')
    assert str(caught.value).split("\n")[1:] == ['   and nope("B")', "       ^"]
    with pytest.raises(InputError, match=r"""^The rule has '"B\\n"' where .*\n  has\("A" "B\n +\^$"""):
        parse_rule('has("A" "B\n")')
    with pytest.raises(InputError) as caught:
        parse_rule('has("A") and ' * 20 + 'nope and has("A")' * 20)
    _, shown, caret = str(caught.value).split("\n")
    assert len(shown) == 104
    assert shown[len(caret) - 1 :].startswith("nope and")
    assert (shown[2], shown[-1]) == ("…", "…")
    with pytest.raises(InputError) as caught:
        parse_rule('has("A") and ' * 20)
    _, shown, caret = str(caught.value).split("\n")
    assert (len(shown), shown[2], shown[-4:], len(caret)) == (103, "…", "and ", 103)


@pytest.mark.parametrize("text", ["", "  \n"])
def test_an_empty_rule_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputError, match=r'^The rule is empty: write one such as has\("c1ccccc1"\)\.$'):
        parse_rule(text)


def test_a_rule_nested_beyond_reading_is_refused() -> None:
    assert parse_rule("not " * 98 + 'has("A")')
    for text in ("not " * 5000 + 'has("A")', '(has("A") or not ' * 5000 + 'has("A")' + ")" * 5000):
        with pytest.raises(InputError, match=r"nested \d+ deep, the most is 100"):
            parse_rule(text)


@settings(deadline=None)
@given(st.text('has"()A \\and not,:>=12', max_size=40) | st.text(max_size=20))
def test_any_text_is_a_rule_or_an_input_error(text: str) -> None:
    try:
        rule = parse_rule(text)
    except InputError as problem:
        lines = str(problem).count("\n")
    else:
        lines = 0 if parse_rule(str(rule)) == rule else 1
    assert lines in (0, 2)


def test_lark_is_loaded_only_where_text_is_read() -> None:
    code = "import sys, attar.core.rule, attar.domains.molecules.truth; sys.exit('lark' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
