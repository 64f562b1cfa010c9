"""The documentation as a reader meets it. The pages' own examples are run by `docs/conftest.py` (`make docs`)."""

import importlib.util
import re
import runpy
from pathlib import Path
from types import ModuleType

import pytest

from attar.methods import METHODS, OF_LOSS, OVER_ROWS

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


@pytest.fixture(scope="module")
def runner() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_conftest", DOCS / "conftest.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.name)
def test_examples_run(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", [str(path)])
    assert _exit_status(path) == 0
    assert len(capsys.readouterr().out.splitlines()) >= 3


def _exit_status(script: Path) -> object:
    try:
        runpy.run_path(str(script), run_name="__main__")
    except SystemExit as end:
        return end.code or 0
    return 0


LISTED = METHODS | OVER_ROWS | OF_LOSS


@pytest.mark.parametrize("name", LISTED)
def test_every_method_has_a_page_a_figure_and_a_place(name: str) -> None:
    path = DOCS / "methods" / f"{name}.md"
    assert path.exists(), f"docs/methods/{name}.md is missing; how-to/add-a-method.md says what belongs on it"
    page = path.read_text(encoding="utf-8")
    module, _, attribute = LISTED[name].partition(":")
    wanted = (f"# {name}\n", "**What it answers.**", "## When it misleads\n", "## Cost\n", "## In full\n")
    for part in (
        *wanted,
        f"../images/methods/{name}.svg)",
        f"`from {module} import {attribute}`",
        f"::: {module}.{attribute}\n",
    ):
        assert part in page, f"docs/methods/{name}.md lacks {part!r}"
    assert f"\n| [{name}]({name}.md) | " in (DOCS / "methods" / "index.md").read_text(encoding="utf-8")
    assert f": methods/{name}.md\n" in (ROOT / "mkdocs.yml").read_text(encoding="utf-8")


def test_every_finding_is_explained() -> None:
    page = (DOCS / "explanation" / "verdict.md").read_text(encoding="utf-8")
    files = (ROOT / "src" / "attar" / "audit" / "findings").glob("*.py")
    names = re.findall(r'name="([^"]+)"', "".join(file.read_text(encoding="utf-8") for file in files))
    assert len(names) > 10
    for name in names:
        assert f"\n| {name} " in page, f"docs/explanation/verdict.md has no row for the finding {name!r} in its table"


@pytest.mark.parametrize("path", [*PAGES, ROOT / "README.md"], ids=lambda p: p.name)
def test_links_lead_to_files(path: Path) -> None:
    """On a disk and on a code host alike; mkdocs looks after the anchors, and not after README.md."""
    text = re.sub(r"```.*?```|<!--.*?-->", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)#\s]+)", text):
        assert link.startswith("https://") or (path.parent / link).exists(), (
            f"{path.name} links to {link}: no such file"
        )


@pytest.mark.parametrize("path", [*PAGES, *EXAMPLES, ROOT / "README.md", ROOT / "mkdocs.yml"], ids=lambda p: p.name)
def test_no_page_names_a_place_on_somebodys_machine(path: Path) -> None:
    assert not re.findall(r"(?:/home/|/Users/|/tmp/|[A-Z]:\\\\)\S*", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("shown", "came", "expected"),
    [
        ("score 0.83", "score 0.83\n", True),
        ("score 0.83", "score 0.84", True),  # another machine's last place
        ("score 0.83", "score 0.85", False),
        ("score 0.8", "score 0.83", False),
        ("−0.50", "−0.51", True),
        ("−0.50", "0.50", False),
        ("1200 molecules", "1201 molecules", False),
        ("a\n…\nz", "a\nb\nc\nz", True),
        ("Took … s", "Took 12 s", True),
        ("a\n…\nz", "a\nb\n", False),
        ("", "something", False),
    ],
)
def test_what_a_page_shows_is_compared(runner: ModuleType, shown: str, came: str, expected: bool) -> None:
    assert runner.same(shown, came) is expected


def test_a_page_that_shows_something_else_fails(
    runner: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ATTAR_DOCS", raising=False)
    page = tmp_path / "page.md"
    page.write_text("```python\nprint(1)\n```\n\n```text\n2\n```\n", encoding="utf-8")
    document = runner.Document.parse(str(page), *runner.PARSERS)
    first, second = document.examples()
    first.evaluate()
    with pytest.raises(runner.Differs, match="ATTAR_DOCS=write"):
        second.evaluate()


def test_a_console_block_runs_attar_and_nothing_else(runner: ModuleType, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```console\n$ attar --version\nattar …\n$ echo $?\n0\n```\n\n```console\n$ ls\n```\n")
    good, bad = runner.Document.parse(str(page), *runner.PARSERS).examples()
    good.evaluate()
    with pytest.raises(runner.Differs, match="not ls"):
        bad.evaluate()
