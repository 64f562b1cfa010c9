"""Columns that tell the label alone: planted ones are found, real tables have none."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

from attar.audit.findings import leak_findings
from attar.audit.table_trials import leaks
from attar.core.errors import InputError
from attar.domains.raw_tables.read import read_rows
from attar.experiments.table_task import from_rows
from attar.experiments.task import Task
from attar.pitfalls.leaks import told_by_column
from mixed_table import labels, mixed

REAL: dict[str, Any] = {"breast cancer": load_breast_cancer, "diabetes": load_diabetes, "wine": load_wine}


def task(frame: Any, folder: Path, **options: Any) -> Task:
    frame.to_csv(folder / "table.csv", index=False)
    return from_rows(read_rows(folder / "table.csv", **{"label": "y", **options}))


def planted(kind: str) -> tuple[Any, str]:
    """The mixed table with one more column, which leaks: as a copy of the label, or nearly one."""
    frame = mixed(300, seed=1)
    y, drawn = labels(frame).astype(float), np.random.default_rng(2)
    value = y * 10 - 3 + (frame["dose"] if kind.startswith("numbers") else 0)
    column: Any = {
        "codes": np.where(y > 0, "C50", "Z00"),
        "turned round": 1 - y,
        "nearly": np.where(drawn.random(300) < 0.002, 1 - y, y) + 0.01 * drawn.normal(size=300),
        "gaps": np.where(y > 0, 1.0, np.nan),
        "numbers in another unit": value / 1000 + 7,
        "numbers, rounded": value.round(1) if kind.startswith("numbers") else 0,
    }[kind]
    return frame.assign(after=column, y=value if kind.startswith("numbers") else y), kind


@pytest.mark.parametrize(
    "kind", ["codes", "turned round", "nearly", "gaps", "numbers in another unit", "numbers, rounded"]
)
def test_a_planted_leak_is_found_named_and_asked_about(kind: str, tmp_path: Path) -> None:
    frame, _ = planted(kind)
    asked = task(frame, tmp_path)
    found = leaks(asked, seed=0)
    assert found[0].column == "after"
    assert found[0].score > 0.99
    assert found[0].copy == (kind in ("codes", "turned round", "gaps", "numbers in another unit"))
    assert found[1].score < 0.95
    (finding,) = leak_findings(asked, found)
    assert (finding.name, finding.status) == ("leaking column after", "caution")
    assert finding.remedy.startswith("Is after known when the prediction is made?")
    assert ("is the label itself" in finding.evidence) == found[0].copy


@pytest.mark.parametrize("name", REAL)
def test_real_tables_have_no_leak(name: str, tmp_path: Path) -> None:
    frame = REAL[name](as_frame=True).frame.rename(columns={"target": "y"})
    for positive in ("0", "1", "2") if name == "wine" else (None,):
        asked = task(frame, tmp_path, positive=positive)
        (finding,) = leak_findings(asked, leaks(asked, seed=0))
        assert finding.status == "ok"
        assert "tells most (cross-validated" in finding.evidence


def test_the_mixed_table_has_none(tmp_path: Path) -> None:
    asked = task(mixed(400).assign(y=labels(mixed(400))), tmp_path)
    (finding,) = leak_findings(asked, leaks(asked, seed=0))
    assert finding.status == "ok"


def test_many_leaks_are_five_findings_and_a_count() -> None:
    y = np.arange(60) % 2.0
    found = told_by_column([f"c{k}" for k in range(9)], np.repeat(y[:, None], 9, 1), np.zeros(9, dtype=bool), y)
    from attar.core.columns import Columns
    from attar.domains.raw_tables.domain import RawTables

    columns, codes = Columns.encoded(mixed(60))
    held_out = np.arange(60) < 15
    asked = Task(
        name="x", source="x", domain=RawTables.of(columns, codes), examples=tuple(map(tuple, codes.tolist())),
        labels=y, task="classification", test=held_out,
    )  # fmt: skip
    said = leak_findings(asked, found)
    assert len(said) == 5
    assert "So do 4 more: c5, c6, c7 and 1 more" in said[-1].evidence


def test_a_category_is_asked_level_by_level_whatever_its_codes() -> None:
    """Levels 0, 2, 4, … against 1, 3, 5, …: no small tree of the codes could follow."""
    generator = np.random.default_rng(0)
    code = generator.integers(0, 40, 800).astype(float)
    y = code % 2
    coded, plain = (
        told_by_column(["c"], code[:, None], np.array([as_level]), y)[0].score for as_level in (True, False)
    )
    assert coded == 1.0
    assert plain < 0.9


def test_noise_tells_nothing() -> None:
    generator = np.random.default_rng(3)
    values = generator.normal(size=(1000, 3))
    for told in told_by_column("abc", values, np.zeros(3, dtype=bool), (generator.random(1000) < 0.5).astype(float)):
        assert told.score == pytest.approx(0.5, abs=0.06)
    for told in told_by_column("abc", values, np.zeros(3, dtype=bool), generator.normal(size=1000)):
        assert told.score < 0.05


def test_labels_that_tell_nothing_are_refused() -> None:
    with pytest.raises(InputError, match="5 rows or more of each class"):
        told_by_column(["c"], np.zeros((20, 1)), np.array([False]), np.r_[np.ones(4), np.zeros(16)])
