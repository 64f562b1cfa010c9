"""The command line as a stranger would use it: one clear line for what is wrong, and nothing left behind."""

import errno
import os
import re
import signal
import subprocess
import sys
import time
from json import loads
from pathlib import Path

import pytest

from attar.cli import MODELS, main

GOOD = ["CCO", "CCN", "CCC", "CCCC", "CCCO", "CCCN", "c1ccccc1", "c1ccccc1O", "CC(=O)O", "CC(=O)N", "CCCl", "CCBr"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def table(folder: Path, rows: list[tuple[str, object]], header: str = "smiles,rose", name: str = "odors.csv") -> Path:
    path = folder / name
    path.write_text("\n".join([header, *(f"{smiles},{label}" for smiles, label in rows)]) + "\n")
    return path


def wrong(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that wrong input gets. Fails on another exit status, a traceback, or a file left behind."""
    before = set(os.listdir())
    assert main(list(arguments)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("attar: ")
    assert "Traceback" not in err
    assert set(os.listdir()) == before
    return err


def half(smiles: list[str] = GOOD) -> list[tuple[str, object]]:
    return [(s, k % 2) for k, s in enumerate(smiles)]


LABELLED = ("--label", "rose")


def test_a_missing_file(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table(here, half())
    said = wrong(capsys, "audit", "odor.csv", *LABELLED)
    assert "odor.csv does not exist" in said
    assert "odors.csv" in said
    assert said.count("\n") == 1


def test_a_missing_column(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = wrong(capsys, "audit", str(table(here, half())), "--label", "rsoe")
    assert "rsoe" in said
    assert "rose" in said
    assert said.count("\n") == 1


def test_no_label(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "--label" in wrong(capsys, "audit", str(table(here, half())))


def test_a_label_with_three_values(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = wrong(capsys, "audit", str(table(here, [(s, k % 3) for k, s in enumerate(GOOD)])), *LABELLED)
    assert "3" in said
    assert "'rose'" in said


@pytest.mark.parametrize("positives", [0, 1])
def test_too_few_positives(here: Path, capsys: pytest.CaptureFixture[str], positives: int) -> None:
    rows: list[tuple[str, object]] = [(s, int(k < positives)) for k, s in enumerate(GOOD)]
    said = wrong(capsys, "audit", str(table(here, rows)), *LABELLED)
    assert said.count("\n") == 1
    assert "'rose'" in said


def test_unparsable_smiles_beyond_a_fifth(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [*half(), ("C1CC", 0), ("xx", 1), ("C(C", 0)]
    said = wrong(capsys, "audit", str(table(here, rows)), *LABELLED)
    assert "3" in said
    assert "14" in said  # the first bad row, as an editor counts it
    assert "--skip-bad" in said


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"", "empty"), (b"smiles,rose\n", "row"), (b"\x89PNG\r\n\x1a\n\x00\x00", "PNG"), (b"\x80\x04\x95abc", "pickle")],
)
def test_files_that_are_no_table(here: Path, capsys: pytest.CaptureFixture[str], content: bytes, expected: str) -> None:
    (here / "odors.csv").write_bytes(content)
    said = wrong(capsys, "audit", "odors.csv", *LABELLED)
    assert expected in said
    assert said.count("\n") == 1


def test_a_folder(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "data").mkdir()
    table(here / "data", half())
    said = wrong(capsys, "audit", "data", *LABELLED)
    assert "folder" in said
    assert "odors.csv" in said


def test_a_rule_with_a_syntax_error_shows_the_place(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rule = 'has("[OX2H]") and nad has("c1ccccc1")'
    said = wrong(capsys, "audit", str(table(here, half())), *LABELLED, "--rule", rule)
    first, text, caret = said.splitlines()[:3]
    assert rule in text
    assert caret.index("^") - text.index(rule) == rule.index("nad")
    assert first.startswith("attar: ")


@pytest.mark.parametrize(("rule", "count"), [('has("[Au]")', "none"), ('has("[C,c]")', "all")])
def test_a_rule_that_tells_nothing_apart(here: Path, capsys: pytest.CaptureFixture[str], rule: str, count: str) -> None:
    said = wrong(capsys, "audit", str(table(here, half())), *LABELLED, "--rule", rule)
    assert f"true of {count} of the 12 molecules" in said


def test_a_rule_that_nobody_named(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "rose-primary" in wrong(capsys, "audit", str(table(here, half())), *LABELLED, "--rule", "jasmine")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--models", "glm,cnn"), "'cnn'"),
        (("--models", ","), "no model"),
        (("--methods", "lime"), "'lime'"),
        (("--methods", "random"), "'random'"),
        (("--models", "tree", "--methods", "cam"), "none of cam fits a tree"),
        (("--fail-on", "trust"), "caution or distrust"),
        (("--radius", "7"), "radius"),
        (("--bits", "3"), "bits"),
        (("--seeds", "0"), "seeds"),
        (("--strength", "-1"), "strength"),
        (("--penalty", "l3"), "l3"),
        (("--epochs", "0"), "epochs"),
        (("--workers", "0"), "workers"),
        (("--subgraphs", "smear"), "'smear'"),
        (("--bonds", "smear"), "'smear'"),
        (("--report", "nowhere/page.html"), "no folder nowhere"),
        (("--report", "."), "is a folder"),
        (("--seed", "x"), "--seed"),
        (("--frobnicate",), "--frobnicate"),
    ],
)
def test_options_that_cannot_be(
    here: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], expected: str
) -> None:
    said = wrong(capsys, "audit", str(table(here, half())), *LABELLED, *options)
    assert expected in said
    assert said.count("\n") == 1


def test_rose_brings_its_own_data(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "--label" in wrong(capsys, "audit", "rose", *LABELLED)


MADE = ("audit", "tables", "--rule", "threshold")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("audit", "tables"), "same-sign"),  # names the rules there are
        (("audit", "tables", "--rule", "x1"), "x1"),
        (("audit", "rose", "--count", "100"), "leave out --count"),
        ((*MADE, "--label", "rose", "--radius", "2"), "leave out --label, --radius"),
        ((*MADE, "--skip-bad"), "leave out --skip-bad"),
        ((*MADE, "--model", "module:object"), "leave out --model"),
        ((*MADE, "--models", "gcn"), "choose from glm, tree, mlp"),
        ((*MADE, "--methods", "cam"), "none of cam fits a mlp"),
        ((*MADE, "--count", "0"), "count is 0"),
        ((*MADE, "--count", "4"), "at least 2 of each"),
        ((*MADE, "--seeds", "0"), "seeds is 0"),
        ((*MADE, "--workers", "0"), "workers is 0"),
        ((*MADE, "--epochs", "0"), "epochs is 0"),
    ],
)
def test_a_made_question_that_cannot_be(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], expected: str
) -> None:
    said = wrong(capsys, *arguments)
    assert expected in said
    assert said.count("\n") == 1


def test_a_made_question_is_audited(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The most capable model first, a decoy on the ladder, the rule's columns in the pictures, rows called rows."""
    monkeypatch.setattr("sys.argv", ["attar"])  # the page shows the command, which is else that of the tests
    assert main([*MADE, "--count", "160", "--epochs", "3", "--seeds", "1", "--workers", "1", "--json", "x.json"]) == 0
    record = loads(Path("x.json").read_text(encoding="utf-8"))
    assert record["subject"] == "integrated-gradients on mlp"
    assert [row["name"] for row in record["models"]] == ["mlp", "tree", "glm"]
    assert {rung["decoy"] for rung in record["ladders"]["decoys"]} == {"x9 > 1.5"}
    assert record["data"][0] | {"domain": "tables", "example": "row", "part": "column"} == record["data"][0]
    assert {tuple(e["true_parts"]) for e in record["examples"]} == {(0,), ()}
    page = Path("audit-tables.html").read_text(encoding="utf-8")
    text = capsys.readouterr().out + re.sub(r"<[^>]*>", " ", page)
    assert "held-out rows" in text
    for word in ("atom", "molecule", "SMARTS"):
        assert not re.search(rf"\b{word}s?\b", text), word


def test_no_decoy_is_what_the_rule_asks_for() -> None:
    """A decoy that is the truth would be none: another is planted, or none."""
    from attar.audit.made_plan import DECOYS, made_plan
    from attar.experiments.benchmarks import MADE as DOMAINS
    from attar.experiments.benchmarks import made_domain
    from attar.experiments.made_task import made_task

    assert {made_domain(name).name for name in DOMAINS} == set(DECOYS)
    for name, rule, expected in (
        ("sequences", "tata", ("GATTACA",)),
        ("sequences", 'has("GATTACA")', ("CCTGAGG",)),
        ("sequences", 'has("GATTACA") or has("CCTGAGG")', ()),
        ("images", 'has("triangle")', ("blue cross",)),
    ):
        domain = made_domain(name)
        assert made_plan(made_task(domain, rule, count=40), domain).decoys == expected


def test_a_split_that_says_neither_train_nor_test(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [(s, f"{k % 2},{'ab'[k % 2]}") for k, s in enumerate(GOOD)]
    path = table(here, rows, header="smiles,rose,part")
    assert "expected train and test" in wrong(capsys, "audit", str(path), *LABELLED, "--split", "part")


def test_a_full_disk(here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from report.records import full

    monkeypatch.setattr("attar.cli._audit", lambda tasks, plan: full())
    monkeypatch.setattr("attar.cli._rose", lambda seed: [])

    def no_space(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", no_space)
    (here / "page.html").write_text("the report of yesterday")
    said = wrong(capsys, "audit", "rose", "--report", "page.html", "--json", "page.json")
    assert "no space left" in said
    assert (here / "page.html").read_text() == "the report of yesterday"


def test_fail_on(here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from report.records import full

    monkeypatch.setattr("attar.cli._rose", lambda seed: [])
    statuses = {}
    for verdict in ("trust", "caution", "distrust"):
        monkeypatch.setattr("attar.cli._audit", lambda tasks, plan, v=verdict: {**full(), "verdict": v})
        for fail_on in (None, "caution", "distrust"):
            options = () if fail_on is None else ("--fail-on", fail_on)
            statuses[verdict, fail_on] = main(["audit", "rose", "--report", "page.html", *options])
    capsys.readouterr()
    failed = {key for key, status in statuses.items() if status == 1}
    assert failed == {("caution", "caution"), ("distrust", "caution"), ("distrust", "distrust")}
    assert set(statuses.values()) == {0, 1}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send to a group")
@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_in_the_middle(tmp_path: Path, workers: str) -> None:
    command = [sys.executable, "-m", "attar.cli", "audit", "rose", "--models", "glm", "--workers", workers]
    started = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    time.sleep(12)
    assert started.poll() is None, "the audit ended before it could be stopped"
    os.killpg(started.pid, signal.SIGINT)
    out, err = started.communicate(timeout=60)
    assert started.returncode == 130
    assert err == "attar: stopped; nothing was written\n"
    assert out == ""
    assert os.listdir(tmp_path) == []


def test_help_and_import_are_light() -> None:
    """Neither loads torch, scikit-learn or rdkit; what they cost is printed by bench/start_up.py."""
    code = (
        "import sys; from attar.cli import main; main(['--help']); import attar; dir(attar);"
        "heavy = {'torch', 'sklearn', 'rdkit', 'scipy', 'matplotlib', 'numpy'} & set(sys.modules);"
        "sys.exit(repr(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"loaded by --help: {done.stderr}; import it where it is used"
    assert "audit" in done.stdout


def test_help_names_every_model_and_rule() -> None:
    from attar.experiments.molecule_models import BOND_RULES, METHODS_OF, SUBGRAPH_RULES

    assert tuple(METHODS_OF) == MODELS
    done = subprocess.run(
        [sys.executable, "-m", "attar.cli", "audit", "--help"], capture_output=True, text=True, check=True
    )
    text = " ".join(done.stdout.split()).replace("- ", "-")  # help breaks lines at hyphens
    for name in (*MODELS, *SUBGRAPH_RULES, *BOND_RULES):
        assert name in text


def test_methods_as_a_tree_and_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    from attar.experiments.molecule_models import METHODS_OF
    from attar.methods import METHODS, VARIANTS

    assert {m for methods in METHODS_OF.values() for m in methods} <= METHODS.keys() | VARIANTS.keys()
    for name, (base, different) in VARIANTS.items():
        assert main(["methods", name]) == 0
        assert f"{base} with {different}" in capsys.readouterr().out
    assert main(["methods"]) == 0
    tree = capsys.readouterr().out
    for name in METHODS:
        assert name in tree
        assert main(["methods", name]) == 0
        page = capsys.readouterr().out
        assert "Needs:" in page
    assert wrong(capsys, "methods", "gradient-inpt").count("did you mean gradient-input?") == 1


def test_version_and_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("attar ")
    assert main([]) == 0
    assert "Usage" in capsys.readouterr().out
