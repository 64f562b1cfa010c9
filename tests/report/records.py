"""Audit records written by hand: one with everything, hostile text included, and one with nearly nothing."""

from typing import Any

import numpy as np

from attar.core.svg import png

HOSTILE = """<script>alert("1")</script> & 'Sons' <b>.csv"""


def finding(name: str, status: str, pitfall: str = "imperfect model", **more: Any) -> dict[str, Any]:
    given = {
        "name": name,
        "pitfall": pitfall,
        "question": "true of the phenomenon?",
        "status": status,
        "evidence": f"{name}: 1 < 2 & 3 of 4.",
        "remedy": "" if status == "ok" else f"Mend {name}.",
        "value": None,
        "interval": None,
        "chance": None,
        "control": None,
    }
    return given | more


def fragment(smarts: str, weight: float, low: float, high: float, **more: Any) -> dict[str, Any]:
    given = {
        "smarts": smarts,
        "exact": True,
        "weight": weight,
        "low": low,
        "high": high,
        "n": 40,
        "n_positive": 30,
        "precision": 0.75,
        "members": [smarts],
        "example": "CC(O)CN",
        "centre": 2,
        "radius": 1,
    }
    return given | more


def score(model: str, method: str, low: float, middle: float, high: float, **more: Any) -> dict[str, Any]:
    """A row of the attribution table; chance is 0.55, the trivial control 0.65."""
    given = {
        "data": HOSTILE,
        "model": model,
        "method": method,
        "score": middle,
        "interval": [low, high],
        "chance": 0.55,
        "trivial": 0.65,
        "n": 82,
        "parts": {"X": 0.71, "C": 0.90},
        "parts_interval": {"X": [0.45, 0.76], "C": [0.85, 0.94]},
        "parts_chance": {"X": 0.50, "C": 0.52},
        "parts_trivial": {"X": 0.94, "C": 0.23},
        "union": 0.70,
        "union_interval": [0.65, 0.75],
        "union_chance": 0.51,
        "union_trivial": 0.6,
        "carried_by": "spread",
        "mask_share": 0.58,
        "seeds": 1,
        "error": 0.0,
        "error_how": "exact: nothing was estimated",
        "evaluations": 2.0,
    }
    return given | more


def model(name: str, data: str, value: float, measure: str = "auroc", **splits: Any) -> dict[str, Any]:
    held_out = {"score": value, "interval": [value - 0.02, value + 0.02], "n": 100}
    return {
        "data": data,
        "name": name,
        measure: value,
        "interval": held_out["interval"],
        "n": 100,
        "seeds": 3,
        "splits": {"random": {**held_out, "seeds": 3}, **splits},
        "seconds": 7.2,
    }


def rung(flip: float, prediction: float, value: float | None) -> dict[str, Any]:
    interval = [None, None] if value is None else [value - 0.04, value + 0.04]
    return {"flip": flip, "prediction": prediction, "score": value, "interval": interval, "n": 82}


def worse(name: str, share: float, prediction: float, score: float) -> dict[str, Any]:
    return {"name": name, "share": share, **rung(0.0, prediction, score)}


def decoy_rung(decoy: str, share: float, on_negatives: float) -> dict[str, Any]:
    return {
        "decoy": decoy,
        "share": share,
        "planted": round(200 * share),
        "clean": 0.97,
        "on_positives": 0.98,
        "on_negatives": on_negatives,
        "decoy_attribution": 0.1 + 0.8 * share,
        "rule_attribution": 0.8 - 0.4 * share,
        "decoy_mass": None if share == 0 else 0.6 * share,
    }


def example(
    shown: Any, prediction: float, label: float | None, values: list[float | None], true_parts: list[int]
) -> dict[str, Any]:
    return {
        "example": shown,
        "prediction": prediction,
        "label": label,
        "values": values,
        "true_parts": true_parts,
    }


MOLECULES = {"domain": "molecules", "example": "molecule", "part": "atom", "control": "heteroatoms"}


def full() -> dict[str, Any]:
    """A classification with a rule, two data sets, decoys, every status, and markup wherever a user can put text."""
    return {
        "verdict": "distrust",
        "summary": ["Do not act on the attribution (weight-times-input on glm).", "The *Cl group <decides> it."],
        "subject": "weight-times-input on glm",
        "findings": [
            finding("held-out prediction", "ok", value=0.91, interval=[0.89, 0.93], chance=0.5),
            finding("parts of the rule", "caution", value=0.62),
            finding("shortcut *Cl", "distrust", "spurious correlation", value=0.31, control=0.97),
            finding("planted decoys", "note", "spurious correlation"),
            finding(f"notes {HOSTILE}", "note", "dataset bias", value=12.0),
            finding("something new", "ok", "a pitfall of tomorrow"),
        ],
        "models": [
            model(
                "glm",
                HOSTILE,
                0.91,
                cluster={"score": 0.88, "interval": [0.85, 0.91], "n": 90},
                **{"5-fold": {"score": 0.90, "sd": 0.012, "folds": [0.89, 0.9, 0.91, 0.9, 0.9]}},
            ),
            model("gcn", HOSTILE, 0.84),
            model("glm", "library", 1.0),
        ],
        "attribution": [
            score("glm", "weight-times-input", 0.76, 0.80, 0.84),
            score("glm", "occlusion", 0.60, 0.64, 0.70),
            score("gcn", "cam", 0.50, 0.57, 0.63, seeds=3, error=0.21, error_how="standard error over 10 pairs"),
            score("gcn", "grad-cam", 0.40, 0.45, 0.50, seeds=3),
            score("glm", "weight-times-input", 0.90, 0.92, 0.95, data="library", parts={}, n=240),
        ],
        "fragments": [
            fragment("[O;D1;H1;!R]-[C;D3;H1;!R]", 2.05, 1.52, 2.32),
            fragment("[C;D4;H0;!R]", 0.54, 0.0, 1.02, radius=0, members=["[C;D4;H0;!R]", "[C;D1;H3;!R]"]),
            fragment("[N;D1;H2;!R]", -0.58, -1.2, -0.08, centre=4, exact=False, n_positive=1, precision=0.025),
        ],
        "ladders": {
            "label_noise": [rung(0.0, 0.91, 0.80), rung(0.3, 0.75, 0.70), rung(0.5, 0.50, 0.56)],
            "worse_models": [worse("less data", 0.25, 0.85, 0.72), worse("stopped early", 1.0, 0.8, 0.66)],
            "decoys": [decoy_rung("*Cl", p, 0.97 - 0.9 * p) for p in (0.0, 0.5, 1.0)],
            "chance": 0.55,
            "model": "glm",
        },
        "examples": [
            example("OCCc1ccccc1", 0.998, 1.0, [1.5, 0.5, -0.25, 0.0, 0.1, 0.1, -0.1, 0.1, 0.1], [0, 1, 2, 3]),
            example("OCCc1ccccc1", 0.30, 1.0, [-2.5, 0.5, -0.25, 0.0, 0.1, 0.1, -0.1, 0.1, 0.1], [0, 1, 2, 3]),
            example("CCCl", 0.91, 0.0, [0.0, -0.2, 0.75], []),
        ],
        "data": [
            {
                "name": HOSTILE,
                "source": f"/home/{HOSTILE}",
                **MOLECULES,
                "task": "classification",
                "examples": 400,
                "positives": 100,
                "test": 100,
                "rule": 'has("[OX2H]") and count("c1ccccc1") >= 1 and not has("[<3]")',
                "rule_name": "<rose>",
                "truth": "rule",
                "follow_rule": 99,
                "notes": [{"name": "duplicates", "count": 3, "sentence": "3 rows <came> twice."}],
            },
            {
                "name": "library",
                "source": "made",
                **MOLECULES,
                "task": "classification",
                "examples": 10,
                "positives": 5,
                "test": 3,
                "rule": None,
                "rule_name": None,
                "truth": None,
                "follow_rule": 0,
                "notes": [],
            },
        ],
        "provenance": _provenance(f"attar audit '{HOSTILE}' --rule 'has(\"[OX2H]\")'"),
    }


def least() -> dict[str, Any]:
    """A regression without a rule: no attribution scores, no fragments, no decoys, no molecules."""
    return {
        "verdict": "trust",
        "summary": ["The attribution can be believed.", ""],
        "subject": "weight-times-input on glm",
        "findings": [],
        "models": [model("glm", "boiling points", 0.61, "r2")],
        "attribution": [],
        "fragments": [],
        "ladders": {
            "label_noise": [rung(0.0, 0.61, None), rung(0.5, -0.1, None)],
            "worse_models": [],
            "decoys": [],
            "chance": None,
            "model": "glm",
        },
        "examples": [],
        "data": [
            {
                "name": "boiling points",
                "source": "boiling.csv",
                **MOLECULES,
                "task": "regression",
                "examples": 40,
                "positives": None,
                "test": 10,
                "rule": None,
                "rule_name": None,
                "truth": None,
                "follow_rule": 0,
                "notes": [],
            }
        ],
        "provenance": _provenance(""),
    }


def regression() -> dict[str, Any]:
    """As `least`, with a rule, molecules and fragments whose shares are not defined."""
    record = least()
    record["attribution"] = [score("glm", "weight-times-input", 0.76, 0.80, 0.84, data="boiling points")]
    record["fragments"] = [fragment("[O;D1;H1;!R]", 12.5, 8.0, 15.0, radius=0, n_positive=0, precision=None)]
    record["examples"] = [
        example("CCO", 78.4, 78.2, [-1.0, 2.0, 12.0], [2]),
        example("CCC", -42.0, None, [None, None, None], []),
    ]
    record["ladders"]["label_noise"] = [rung(0.0, 0.61, 0.8), rung(0.5, -0.1, 0.55)]
    record["ladders"]["chance"] = 0.55
    return record


def sequences() -> dict[str, Any]:
    """As `full`, of DNA."""
    return _made({"domain": "sequences", "example": "sequence", "part": "position", "control": "islands"}, "ACGTTATAN")


def images() -> dict[str, Any]:
    """As `full`, of pictures of 2 by 4 pixels."""
    shown = {"height": 2, "width": 4, "pixels": png(np.arange(24, dtype=np.uint8).reshape(2, 4, 3))}
    return _made({"domain": "images", "example": "picture", "part": "pixel", "control": "edges"}, shown)


def _made(words: dict[str, str], shown: Any) -> dict[str, Any]:
    record, values = full(), [0.5, -2.0, 0.0, 1.0, 0.0, 0.0, 0.25, 0.0]
    values += [0.0] * (len(shown) - len(values)) if isinstance(shown, str) else []
    record["fragments"] = []
    record["attribution"] = [row for row in record["attribution"] if row["data"] == HOSTILE]
    record["models"] = [model("cnn", HOSTILE, 0.91)]
    record["examples"] = [example(shown, 0.998, 1.0, values, [1, 2, 5]), example(shown, 0.6, 0.0, values, [])]
    record["ladders"]["decoys"] = [decoy_rung("GATTACA", p, 0.97 - 0.9 * p) for p in (0.0, 0.5)]
    record["data"] = [{**record["data"][0], **words, "rule": "has(1 < 2)"}]
    record["provenance"] = _provenance("attar audit made --rule it") | {"score": "AUROC", "interval": "95% bootstrap"}
    return record


def _provenance(command: str) -> dict[str, Any]:
    return {
        "command": command,
        "plan": "Plan(models=('glm',), flips=(0.0, 0.5))",
        "seed": 0,
        "seconds": 169.4,
        "workers": 2,
        "score": "AUROC of atom values; the best of the legal answers (`score`)",
        "interval": "95% bootstrap over model seeds, then molecules",
        "versions": {"python": "3.11.7", "attar": "0.1.0"},
    }
