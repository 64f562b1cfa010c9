"""The pages are tests: what they say is run, and what they show is compared with what came.

    python    runs, in the order of the page, in one namespace and in an empty folder
    text      is what the block before it printed
    console   `$ attar …` is run, and what follows is what it printed; `$ echo $?` is its exit status

A number with decimals may differ by one in its last place, and … stands for anything. Other languages (sh, csv) are
only shown. `<!-- skip: next -->` leaves the next block out; `<!--- invisible-code-block: python … -->` is run and not
shown: it draws the page's figure with the names in `figures.py`. One item to a page, so that pages run side by side.
`<!--- needs: spliceai -->` skips a page where that model of `attar models`, or that package, is not installed, and
`<!--- needs: ../shared/data/NAME -->` where that is not beside the repository.
`ATTAR_DOCS=write python -m pytest docs README.md` writes into the pages what their blocks print now.
"""

import contextlib
import io
import os
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import SkipTest
from unittest.mock import patch

import pytest
from sybil import Document, Example
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.markdown import CodeBlockParser, SkipParser

DOCS = Path(__file__).parent
REMEDY = "If the new output is right, write it into the page: ATTAR_DOCS=write python -m pytest docs README.md"
_DECIMAL = re.compile(r"([-−+]?\d+\.\d+)")
_NEEDS = re.compile(r"<!--- needs: (\S+) -->")
_PRINTED, _STATUS, _REWRITTEN = "__printed__", "__status__", "__rewritten__"


class Differs(AssertionError):
    """A page shows something else than what came."""


def same(shown: str, came: str) -> bool:
    """Whether the page shows what came, up to … and the last place of a decimal."""
    shown, came = _trimmed(shown), _trimmed(came)
    pieces = _DECIMAL.split(shown)
    pattern = "".join(
        r"([-−+]?\d+\.\d+)" if k % 2 else ".*?".join(map(re.escape, piece.split("…"))) for k, piece in enumerate(pieces)
    )
    found = re.fullmatch(pattern, came, re.DOTALL)
    return found is not None and all(map(_close, pieces[1::2], found.groups()))


def _close(shown: str, came: str) -> bool:
    places = len(shown.partition(".")[2])
    value = [float(number.replace("−", "-")) for number in (shown, came)]
    return places == len(came.partition(".")[2]) and abs(value[0] - value[1]) < 1.5 * 10**-places


def _trimmed(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines())


def run_python(example: Example) -> None:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        PythonEvaluator()(example)
    example.namespace[_PRINTED] = out.getvalue()


def check_text(example: Example) -> None:
    _compare(example, str(example.parsed), example.namespace[_PRINTED])


def run_console(example: Example) -> None:
    shown, came = str(example.parsed), ""
    for command in _commands(shown):
        came += f"$ {command}\n" + _said(command.replace("\\\n", " "), example.namespace)
    _compare(example, shown, came)


def _commands(block: str) -> Iterator[str]:
    """Each command of a console block, with its continued lines."""
    for chunk in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        lines = chunk.splitlines()
        last = next(k for k, line in enumerate(lines) if not line.endswith("\\"))
        yield "\n".join(lines[: last + 1])


def _said(command: str, namespace: dict[str, Any]) -> str:
    if command.strip() == "echo $?":
        return f"{namespace[_STATUS]}\n"
    name, *arguments = shlex.split(command)
    if name != "attar":
        raise Differs(f"a console block runs attar and echo $?, not {name}; call the block sh to only show it")
    from attar.cli import main

    out = io.StringIO()
    with contextlib.ExitStack() as as_a_command:
        as_a_command.enter_context(contextlib.redirect_stdout(out))
        as_a_command.enter_context(contextlib.redirect_stderr(out))
        as_a_command.enter_context(patch.object(sys, "argv", ["attar", *arguments]))
        as_a_command.enter_context(patch.object(sys.modules["__main__"], "__package__", None))  # else: python -m pytest
        as_a_command.enter_context(patch.dict(os.environ, COLUMNS="80"))
        namespace[_STATUS] = main(arguments)
    return out.getvalue()


def _compare(example: Example, shown: str, came: str) -> None:
    if same(shown, came):
        return
    if os.environ.get("ATTAR_DOCS") != "write":
        raise Differs(f"{example.path}, line {example.line}, shows\n{shown}\nand what came is\n{came}\n{REMEDY}")
    start = example.region.start + example.parsed.offset
    example.namespace.setdefault(_REWRITTEN, []).append((start, start + len(example.parsed), _trimmed(came) + "\n"))


PARSERS = (
    CodeBlockParser("python", run_python),
    CodeBlockParser("text", check_text),
    CodeBlockParser("console", run_console),
    SkipParser(),
)


def _figures() -> dict[str, Any]:
    """What a page draws with: the names in `figures.py`, which stands beside this file."""
    import runpy

    return {k: v for k, v in runpy.run_path(str(DOCS / "figures.py")).items() if not k.startswith("__")}


class Page(pytest.File):
    def collect(self) -> Iterator[pytest.Item]:
        if Document.parse(str(self.path), *PARSERS).regions:
            yield PageItem.from_parent(self, name="examples")


class PageItem(pytest.Item):
    def runtest(self) -> None:
        import torch

        self._skip_without_models()
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # pages run side by side
        document = Document.parse(str(self.path), *PARSERS)
        document.namespace["__file__"] = str(self.path)
        document.namespace.update(_figures())
        try:
            with TemporaryDirectory() as empty, contextlib.chdir(empty):
                for example in document.examples():
                    with contextlib.suppress(SkipTest):
                        example.evaluate()
        finally:
            torch.set_num_threads(threads)
        text = document.text
        for start, end, new in reversed(document.namespace.get(_REWRITTEN, [])):
            text = text[:start] + new + text[end:]
        if text != document.text:
            self.path.write_text(text, encoding="utf-8")

    def _skip_without_models(self) -> None:
        from attar.pretrained import MODELS
        from attar.pretrained.files import version

        for name in _NEEDS.findall(self.path.read_text(encoding="utf-8")):
            if name.startswith("../") and not (DOCS.parent / name).exists():
                pytest.skip(f"{name} is not there")
            if name.startswith("../"):
                continue
            packages = MODELS[name].packages if name in MODELS else (name,)
            if missing := [package for package in packages if version(package) is None]:
                pytest.skip(f"{', '.join(missing)} is not installed (make models)")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, Differs):
            return str(excinfo.value)
        excinfo.traceback = excinfo.traceback.cut(path=self.path)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, str(self.path.relative_to(DOCS.parent))


class Pages:
    """A plugin and no hook of this file, because README.md stands outside this folder."""

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> Page | None:
        ours = DOCS in file_path.parents or file_path == DOCS.parent / "README.md"
        return Page.from_parent(parent, path=file_path) if ours and file_path.suffix == ".md" else None


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Pages(), "pages of attar")
