"""The audit end to end, on a few hundred molecules: clean, decoyed, without a rule, and as a regression."""

import json
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from attar.audit.plan import DECOYS, Plan
from attar.audit.run import audit
from attar.domains.molecules.edit import MoleculeEditor
from attar.domains.molecules.library import nci_molecules
from attar.domains.molecules.molecule import Molecule
from attar.domains.molecules.split import properties
from attar.domains.molecules.truth import read_rule
from attar.experiments.molecule_task import labelled_by_rule
from attar.experiments.task import Task
from attar.pitfalls.spurious_correlation import with_group
from attar.report.terminal import audit_summary

PLAN = Plan(models=("glm",), flips=(0.0, 0.5), decoys=("morpholine",), shares=(0.0, 0.5), workers=1)


@cache
def task(count: int = 1500) -> Task:
    rose = read_rule("rose")
    return labelled_by_rule("NCI", "NCI", nci_molecules()[:count], rule=rose, rule_name="rose", seed=0)


@cache
def record(**changes: Any) -> dict[str, Any]:
    return audit([task()], replace(PLAN, **changes), command="attar audit rose")


def with_decoy(clean: Task, group: str, share: float, *, everywhere: bool) -> Task:
    """The same task with the group planted on a share of its positives (of the training ones only, or of all)."""
    generator = np.random.default_rng(5)
    molecules = list(clean.examples)
    sides = clean.train | everywhere
    for k in np.flatnonzero((clean.labels > 0.5) & sides).tolist():
        if generator.random() < share:
            edited = with_group(molecules[k], group, editor=MoleculeEditor(), keeps=clean.keeps, generator=generator)
            molecules[k] = edited or molecules[k]
    return replace(clean, examples=tuple(molecules))


def test_the_record_has_what_it_promises_and_is_json() -> None:
    found = record()
    assert {"verdict", "findings", "models", "attribution", "fragments", "provenance"} <= set(found)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert set(found["findings"][0]) >= {
        "name", "pitfall", "question", "value", "interval", "chance", "control", "status", "remedy"
    }  # fmt: skip
    assert set(found["models"][0]) >= {"name", "auroc", "interval"}
    assert set(found["attribution"][0]) >= {
        "model", "method", "score", "interval", "chance", "trivial", "n", "parts"
    }  # fmt: skip
    assert {f["pitfall"] for f in found["findings"]} == {
        "imperfect model", "spurious correlation", "dataset bias"
    }  # fmt: skip
    assert found["provenance"]["command"] == "attar audit rose"


def test_scores_lie_in_their_intervals_beside_chance_and_control() -> None:
    for row in record()["attribution"]:
        low, high = row["interval"]
        assert low <= row["score"] <= high
        assert row["union"] <= row["score"]
        assert abs(row["union_chance"] - 0.5) < 0.05
        assert row["chance"] >= row["union_chance"]
        assert set(row["parts"]) == {"X", "C", "F"}
    (model,) = record()["models"]
    assert model["interval"][0] <= model["auroc"] <= model["interval"][1]
    assert set(model["splits"]) == {"random", "cluster", "5-fold"}


def test_a_clean_file_has_no_shortcut_and_is_not_distrusted() -> None:
    found = record()
    assert found["verdict"] != "distrust"
    assert [f["status"] for f in found["findings"] if f["pitfall"] == "spurious correlation"] == ["ok", "note"]


@pytest.mark.parametrize("decoy", list(DECOYS))
@pytest.mark.parametrize("everywhere", [True, False])
def test_a_decoyed_file_is_distrusted_and_the_fragment_named(decoy: str, everywhere: bool) -> None:
    """The rule is given, the decoy is not."""
    spoiled = with_decoy(task(), DECOYS[decoy], 0.5, everywhere=everywhere)
    found = audit([spoiled], replace(PLAN, decoys=(), flips=(0.0,)))
    assert found["verdict"] == "distrust"
    named = [f["name"] for f in found["findings"] if f["name"].startswith("shortcut")]
    assert named == [f"shortcut {DECOYS[decoy]}"]
    assert DECOYS[decoy] in " ".join(found["summary"])


def test_label_noise_takes_attribution_down_to_chance() -> None:
    first, last = record()["ladders"]["label_noise"]
    assert (first["flip"], last["flip"]) == (0.0, 0.5)
    assert first["prediction"] > 0.95
    assert abs(last["prediction"] - 0.5) < 0.1
    assert last["score"] < first["score"]


def test_a_planted_decoy_hides_from_the_clean_score_and_shows_where_both_are() -> None:
    without, half = record()["ladders"]["decoys"]
    assert abs(half["clean"] - without["clean"]) < 0.03
    assert half["on_negatives"] < without["on_negatives"] - 0.2
    assert half["decoy_attribution"] > without["decoy_attribution"]
    assert half["rule_attribution"] < without["rule_attribution"]


def test_pictures_are_of_molecules_that_can_agree_or_differ() -> None:
    pictures = record()["examples"]
    assert {p["label"] for p in pictures} == {0.0, 1.0}
    for p in pictures:
        assert len(p["true_parts"]) < len(p["values"]) == Molecule.of(p["example"]).size
        assert 0 < p["prediction"] < 1


def test_the_same_audit_with_two_workers() -> None:
    one, two = record(), record(workers=2)
    for key in ("verdict", "summary", "findings", "attribution", "fragments", "ladders", "examples", "data"):
        assert one[key] == two[key], key


def test_another_seed_is_another_audit() -> None:
    assert record(seed=1)["ladders"] != record()["ladders"]


def test_without_a_rule_it_says_what_it_cannot_know() -> None:
    unruled = replace(task(), rule=None, rule_name=None)
    found = audit([unruled], PLAN)
    assert found["verdict"] == "caution"
    assert found["attribution"] == []
    assert "no known answer" in {f["name"] for f in found["findings"]}
    assert found["ladders"]["decoys"][1]["decoy_attribution"] is not None
    assert found["ladders"]["decoys"][1]["rule_attribution"] is None
    assert "nan" not in audit_summary(found).split()


def test_a_regression() -> None:
    values = properties(task().examples)["logP (Crippen)"]
    plain = replace(task(), labels=values, task="regression", rule=read_rule('has("[F,Cl,Br,I]")'), rule_name="halogen")
    found = audit([plain], replace(PLAN, models=("glm", "mlp"), seeds=1, methods=None))
    assert {row["name"]: row["r2"] > 0.6 for row in found["models"]} == {"glm": True, "mlp": True}
    best = max(row["score"] for row in found["attribution"])
    assert best > 0.6
    assert found["ladders"]["decoys"] == []
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize("kind", ["gcn", "gat", "mpnn", "graphnets"])
def test_every_network_runs_with_every_method_that_fits(kind: str) -> None:
    small = task(400)
    plan = Plan(models=(kind,), seeds=2, epochs=2, flips=(), decoys=(), workers=1)
    found = audit([small], plan)
    assert {row["method"] for row in found["attribution"]} == set(plan.methods_of(kind))
    assert {row["seeds"] for row in found["attribution"]} == {2}
    carried = {row["method"]: row["carried_by"] for row in found["attribution"]}
    assert carried["occlusion"] == "atom with its bonds"
    assert carried["cam"] == "bonds to receivers"


def test_the_summary_fits_a_terminal_and_says_the_verdict_first() -> None:
    text = audit_summary(record())
    assert text.splitlines()[0] == record()["verdict"].upper()
    prose = text.split("Fragments that raise it most")[0]
    assert max(len(line) for line in prose.splitlines()) <= 100
    for finding in record()["findings"]:
        assert " ".join(finding["evidence"].split()) in " ".join(text.split())
