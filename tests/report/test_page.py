"""The audit's page: whole in one file, true to the record, safe with any text, and the same every time."""

import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from html import escape
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from attar.core.heat import AGAINST, SUPPORTS
from attar.core.svg import PNG
from attar.report.page import audit_page
from attar.report.plots import decoy_ladder, noise_ladder
from report.records import HOSTILE, decoy_rung, finding, full, images, least, regression, rung, score, sequences, worse

RECORDS = pytest.mark.parametrize("record", [full, least, regression, sequences, images])
CHANCE = ("cannot be told from random atoms", "worse than random atoms")
VOID = {"meta", "br", "wbr", "hr", "img", "input", "link"}


class Reader(HTMLParser):
    """What a browser makes of the page: the tags that were left open, every attribute, the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.text.append(" " if tag in ("br", "code") else "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1:] == [tag], f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("style", "title"):
            self.text.append(data)


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    return reader


def words(page: str) -> str:
    """The page's text as one line; code that may be broken is whole."""
    return " ".join(re.sub(r"\s+", " ", "".join(read(page).text)).split())


@cache
def full_page() -> str:
    return audit_page(full())


def rows(page: str, table: str) -> list[str]:
    """The text of each row in the body of the table of that class."""
    body = re.search(rf'<table class="{table}">.*?</thead>(.*?)</table>', page, re.DOTALL)
    return [] if body is None else [words(row) for row in re.findall(r"<tr.*?</tr>", body.group(1), re.DOTALL)]


# --- one file ---


@RECORDS
def test_nothing_is_fetched(record: Callable[[], dict]) -> None:
    page = audit_page(record())
    tags = read(page).tags
    assert not [tag for tag, _ in tags if tag in ("script", "link", "img", "iframe", "object", "embed", "base")]
    for tag, attributes in tags:
        assert not attributes.get("src"), tag
        assert (attributes.get("href") or "#").startswith(PNG if tag == "image" else "#"), (tag, attributes)
        assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
    assert not re.search(r"@import|url\(\s*['\"]?(?!#)", page)
    assert "http" not in page
    assert page.count("<style") == 1  # a picture's own style would be the whole page's


@RECORDS
def test_every_tag_is_closed_and_every_id_is_one(record: Callable[[], dict]) -> None:
    reader = read(audit_page(record()))
    assert reader.open == []
    ids = [a["id"] for _, a in reader.tags if "id" in a]
    assert len(ids) == len(set(ids))
    wanted = {a["href"] for tag, a in reader.tags if tag == "a" and "href" in a} | {
        found for _, a in reader.tags for found in re.findall(r"url\((#[^)]+)\)", " ".join(filter(None, a.values())))
    }
    assert {w.removeprefix("#") for w in wanted if w} <= set(ids)


@RECORDS
def test_it_can_be_heard(record: Callable[[], dict]) -> None:
    page = audit_page(record())
    tags = read(page).tags
    levels = [int(tag[1]) for tag, _ in tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert all(a.get("scope") in ("col", "row", "rowgroup") for tag, a in tags if tag == "th")
    assert all(a.get("aria-hidden") or a.get("aria-label") for tag, a in tags if tag == "svg")
    assert ("html", {"lang": "en"}) in tags


@RECORDS
def test_same_record_same_bytes(record: Callable[[], dict]) -> None:
    assert audit_page(record()).encode() == audit_page(record()).encode()


def test_the_record_is_left_as_it_was() -> None:
    record = full()
    audit_page(record)
    assert record == full()


def test_torch_is_not_needed() -> None:
    """Nor RDKit, before there is a molecule to draw."""
    code = "import sys, attar.report.page; sys.exit('torch' in sys.modules or 'rdkit' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- true to the record ---


@pytest.mark.parametrize("word", ["trust", "caution", "distrust"])
def test_the_verdict_stands_first(word: str) -> None:
    record = full() | {"verdict": word}
    page = audit_page(record)
    first = page.index("<h2")
    assert page[first:].startswith(f"<h2>{word}</h2>")
    for sentence in record["summary"]:
        assert escape(sentence) in page[first : page.index('id="todo"')]


def test_verdicts_differ_in_shape() -> None:
    icons = set()
    for word in ("trust", "caution", "distrust"):
        page = audit_page(full() | {"verdict": word})
        icons.add(re.search(r'<section class="verdict.*?<svg[^>]*>(.*?)</svg>', page, re.DOTALL).group(1))
    assert len(icons) == 3


def test_every_finding_is_there_with_what_to_do() -> None:
    record = full()
    page = audit_page(record)
    table = " ".join(rows(page, "findings"))
    for f in record["findings"]:
        assert escape(f["evidence"], quote=False) in unquoted(page)
        assert f["evidence"] in table
        assert f["remedy"] in table


def test_only_reservations_are_to_be_done_the_worst_first() -> None:
    page = full_page()
    todo = page[page.index('id="todo"') : page.index("<nav")]
    assert re.findall(r"Mend [^<]*", todo) == ["Mend shortcut *Cl.", "Mend parts of the rule."]
    assert "No check raised a reservation" in audit_page(least())


def test_findings_stand_under_their_pitfall_the_worst_first() -> None:
    found = rows(full_page(), "findings")
    order = ["Spurious correlation", "Imperfect model", "Dataset bias", "A pitfall of tomorrow"]
    assert [r for r in found if r in order] == order
    assert found[1].startswith("distrust shortcut *Cl")
    assert found[2].startswith("note planted decoys")


def test_a_count_has_no_decimals_and_a_gap_is_a_dash() -> None:
    findings = [finding("rows", "note", value=12.0), finding("p", "ok", value=1.0)]
    found = rows(audit_page(full() | {"findings": findings}), "findings")
    assert found[1].endswith("Mend rows. 12 – –")
    assert found[2].endswith("1.00 – –")


def test_every_fragment_is_there_with_its_numbers() -> None:
    record = full()
    page = audit_page(record)
    titles = ["Raise the label", "Lower it"]
    assert [r for r in rows(page, "fragments") if r in titles] == titles
    for f in record["fragments"]:
        for smarts in f["members"]:
            assert f'<code class="smarts">{escape(smarts)}</code>' in page.replace("<wbr>", "")
    assert any("2.05 [1.52, 2.32] 40 30 75% 3.0×" in r for r in rows(page, "fragments"))
    assert any("≈ inexact name −0.58 [−1.20, −0.08] 40 1 2.5% 0.10×" in r for r in rows(page, "fragments"))


def test_an_interval_that_reaches_zero_is_hollow() -> None:
    dots = re.findall(r'<circle [^>]*class="((?:supports|against)[ open]*)"', full_page())
    assert dots == ["supports", "supports open", "against"]


def test_molecules_say_what_was_predicted_and_what_is_so() -> None:
    page = words(full_page())
    assert "predicted > 0.99 · labelled positive rule: 4 of 9 atoms OCCc1ccccc1" in page
    assert "predicted 0.91 · labelled negative CCCl" in page
    assert "predicted 78.40 · labelled 78.20 rule: 1 of 3 atoms CCO" in words(audit_page(regression()))


def test_all_molecules_share_one_symmetric_scale() -> None:
    """The largest value of all (−2.5) ends of the scale; 1.5 in another molecule is 60% of the way to the other."""
    page = full_page()
    swatches = re.findall(r'<i style="background:(#\w+)">', page)
    assert (swatches[0], swatches[len(swatches) // 2], swatches[-1]) == (AGAINST, "#ffffff", SUPPORTS)
    assert "−2.50 speaks against" in words(page)
    assert "supports +2.50" in words(page)
    grids = page[page.index('class="grid"') :]
    coloured = dict(re.findall(r'fill="(#\w+)"><title>[^:]*: ([+−]\d\.\d\d)</title>', grids)[::-1])
    by_value = {value: paint for paint, value in coloured.items()}
    assert by_value["−2.50"] == AGAINST
    assert by_value["+1.50"] == mixed(SUPPORTS, 0.6)
    assert by_value["+0.75"] == mixed(SUPPORTS, 0.3)


@pytest.mark.parametrize("record", [sequences, images])
def test_a_page_speaks_in_its_domains_words(record: Callable[[], dict]) -> None:
    page, data = audit_page(record()), record()["data"][0]
    text = words(page)
    for word in ("atom", "molecule", "SMARTS", "fragment", "scaffold", "subgraph"):
        assert not re.search(rf"\b{word}s?\b", text, re.IGNORECASE), word
    example, part = data["example"], data["part"]
    for said in (
        f"held-out {example}s, {part} by {part}, in log-odds",
        f"rule: 3 of {len(record()['examples'][0]['values'])} {part}s",
        f"the trivial control marks {data['control']} and sees no model",
        f"cannot be told from random {part}s",
        f"planted in up to 100 {example}s",
        f"{example.capitalize()}s400, of which 100 positive",
    ):
        assert said in text
    plots = " ".join(re.findall(r"<text[^>]*>([^<]*)</text>", page))
    assert f"attribution finds the rule’s {part}s, AUROC" in plots
    assert f"decoy’s {part}s" in plots
    assert "New clusters" not in text


def test_a_picture_is_heard_with_its_strongest_parts_and_what_the_rule_names() -> None:
    heard = [a["aria-label"] for tag, a in read(audit_page(sequences())).tags if tag == "svg" and "aria-label" in a]
    said = (
        "ACGTTATAN, predicted 1.00; strongest: C at 1 −2.00, T at 3 1.00, A at 0 0.50; the rule names 3 of 9 positions"
    )
    assert said in heard


def test_what_nobody_draws_is_said() -> None:
    record = sequences()
    record["data"][0]["domain"] = "smells"
    assert "No sequence was drawn" in words(audit_page(record))


@pytest.mark.parametrize(
    ("interval", "said"),
    [
        ((0.70, 0.75, 0.80), []),
        ((0.65, 0.75, 0.80), ["does not beat the trivial control"]),
        ((0.55, 0.60, 0.80), ["cannot be told from random atoms", "does not beat the trivial control"]),
        ((0.40, 0.45, 0.54), ["worse than random atoms", "does not beat the trivial control"]),
    ],
)
def test_a_score_is_read_in_words(interval: tuple[float, float, float], said: list[str]) -> None:
    page = audit_page(full() | {"attribution": [score("glm", "occlusion", *interval)]})
    row = rows(page, "scores")[1]
    for sentence in (*CHANCE, "does not beat the trivial control"):
        assert (sentence in row) == (sentence in said)
    assert ("interval: 1 of 1 pairs" in words(page)) == (not said)
    assert ("or worse: 1." in words(page)) == any(sentence in said for sentence in CHANCE)


def test_scores_stand_by_data_set_the_best_of_each_marked() -> None:
    page = full_page()
    tables = re.findall(r'<table class="scores">.*?</table>', page, re.DOTALL)
    assert len(tables) == 2
    best = [re.findall(r'<th scope="row">(\S+) <span class="tag best">', t) for t in tables]
    assert best == [["weight-times-input"], ["weight-times-input"]]
    assert "n = 82 molecules; the rule names 58% of their atoms" in words(page)
    cam = next(r for r in rows(page, "scores") if r.startswith("cam"))
    assert "0.57 [0.50, 0.63] 0.55 0.65 0.70 (0.51) ≈ 0.71 (0.50) 0.90 (0.52) 21%" in cam


def test_models_show_each_split() -> None:
    found = rows(full_page(), "models")
    assert "0.91 [0.89, 0.93] 0.88 [0.85, 0.91] 0.90 ± 0.012 3 100 7 s" in found[0]
    assert "0.84 [0.82, 0.86] – – 3 100 7 s" in found[1]


def test_nearly_nothing_is_said_in_words() -> None:
    page = words(audit_page(least()))
    for sentence in ("No fragment is frequent", "No molecule was drawn", "No rule was given", "called from Python"):
        assert sentence in page
    assert "AUROC" not in page.split("How it was made")[0]
    assert "0.61 [0.59, 0.63]" in page


def test_a_rule_that_names_whole_molecules_is_told_from_no_rule() -> None:
    page = words(audit_page(full() | {"attribution": []}))
    assert "No held-out positive has both" in page
    assert "No rule was given" not in page


def test_a_regression_has_no_positives() -> None:
    page = audit_page(regression())
    fragments = page[page.index('<table class="fragments">') :]
    assert "Positive" not in fragments[: fragments.index("</table>")]
    assert "units of the label" in words(page)


# --- any text ---


def test_hostile_text_stays_text() -> None:
    page = full_page()
    assert "<script" not in page
    assert "<b>.csv" not in page
    assert HOSTILE in words(page)
    record = full()
    for text in (record["provenance"]["command"], record["data"][0]["rule"], record["data"][0]["notes"][0]["sentence"]):
        assert text in words(page)


def test_a_hostile_name_of_a_model_is_escaped_in_the_plot_too() -> None:
    record = full()
    record["attribution"][0]["model"] = "<u>&"
    assert "<u>&" not in audit_page(record)


def test_a_sum_is_scored_by_tau_and_d() -> None:
    record = full()
    assert "Kendall" not in audit_page(record)
    record["data"][0]["truth"] = "contributions"
    page = audit_page(record)
    assert "Kendall’s τ-b" in page
    assert "attribution ranks atoms as they contribute, τ" in page
    assert "AUROC against the best of the legal answers" not in page


# --- the plots ---


def test_a_ladder_names_its_rungs_its_lines_and_the_models_place() -> None:
    plot = noise_ladder(
        [rung(0.0, 0.9, 0.8), rung(0.33, 0.7, 0.7)],
        chance=0.55,
        trivial=0.61,
        model={"name": "glm, audited", "prediction": 0.8, "score": 0.75, "interval": [0.7, 0.8]},
    )
    said = re.findall(r"<text[^>]*>([^<]*)</text>", plot)
    lines = ["random atoms 0.55", "trivial control 0.61", "glm, audited"]
    assert {"0%", "33%", *lines, "held-out prediction, AUROC"} <= set(said)


def test_models_made_worse_in_another_way_have_marks_and_names_of_their_own() -> None:
    plot = noise_ladder(
        [rung(0.0, 0.9, 0.8), rung(0.33, 0.7, 0.7)],
        chance=None,
        trivial=None,
        others=[
            worse("less data", 0.25, 0.85, 0.72),
            worse("less data", 0.1, 0.8, 0.7),
            worse("smaller", 1.0, 0.8, 0.6),
        ],
    )
    said = re.findall(r"<text[^>]*>([^<]*)</text>", plot)
    assert (said.count("less data"), said.count("smaller")) == (1, 1)
    assert "less data" in audit_page(full())


def test_a_ladder_without_scores_is_no_plot() -> None:
    assert noise_ladder([rung(0.0, 0.9, None)], chance=None, trivial=None) == ""
    assert noise_ladder([], chance=None, trivial=None) == ""


def test_a_decoy_without_a_rule_still_shows_its_own_attribution() -> None:
    rungs = [decoy_rung("*Cl", p, 0.5) | {"rule_attribution": None, "decoy_mass": None} for p in (0.0, 1.0)]
    said = re.findall(r"<text[^>]*>([^<]*)</text>", decoy_ladder(rungs, name="*Cl"))
    assert "decoy’s atoms" in said
    assert "rule’s atoms" not in said


def test_two_plots_on_a_page_share_no_id() -> None:
    rungs = [decoy_rung("*Cl", p, 0.5) for p in (0.0, 1.0)]
    one, other = (set(re.findall(r' id="([^"]+)"', decoy_ladder(rungs, name=n))) for n in ("*Cl", "*Br"))
    assert one
    assert not one & other


def unquoted(page: str) -> str:
    return page.replace("&#34;", '"').replace("&#39;", "'")


def mixed(paint: str, share: float) -> str:
    channels = [int(paint[k : k + 2], 16) for k in (1, 3, 5)]
    return "#" + "".join(f"{round(255 + share * (c - 255)):02x}" for c in channels)
