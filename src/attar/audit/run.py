"""The audit: run the plan's pieces, score them, judge them, write one record."""

import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from time import perf_counter
from typing import Any

import numpy as np

from attar.audit import findings as judge
from attar.audit import molecule_trials as of_molecules
from attar.audit import trials
from attar.audit.findings import Finding
from attar.audit.plan import AuditPlan, GivenPlan, Plan
from attar.audit.verdict import sentences, verdict
from attar.core.writing import plain
from attar.engine.here import processors, run
from attar.evaluation.intervals import Interval, prediction
from attar.experiments.task import Task
from attar.experiments.trial import Trial, attribution_rows, model_row
from attar.pitfalls.imperfect_model import Rung
from attar.pitfalls.label_noise import label_noise
from attar.pitfalls.spurious_correlation import DecoyRung

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Unit:
    """One piece of work: `call(*arguments)`, what it is called and what it costs, roughly, in seconds."""

    key: tuple[Any, ...]
    call: Callable[..., Any]
    arguments: tuple[Any, ...]
    cost: float
    what: str


def audit(
    tasks: Sequence[Task],
    plan: AuditPlan,
    *,
    command: str = "",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Audit the plan's models and methods on each task; the record is the content of `audit.json`.

    The first task is the main one; further tasks only add models and attributions (known answers beside it).
    `progress(share, what)` is told how much is done. Same tasks, plan and versions: same record, but for times.
    """
    start = perf_counter()
    units = [u for k, task in enumerate(tasks) for u in _units(k, task, plan, main=k == 0)]
    units.sort(key=lambda u: -u.cost)
    total, done = sum(u.cost for u in units), 0.0
    found: dict[tuple[Any, ...], Any] = {}
    for k, result in run(_perform, [(u.call, u.arguments) for u in units], workers=plan.workers):
        found[units[k].key] = result
        done += units[k].cost
        if progress is not None:
            progress(done / total, units[k].what)
    return _record(tasks, plan, found, command, perf_counter() - start)


def _perform(call: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    return call(*arguments)


def _units(k: int, task: Task, plan: AuditPlan, *, main: bool) -> list[Unit]:
    scale = len(task.examples) / 4500
    units = []
    for kind in _kinds(plan, main):
        matters = plan.recipe(kind, task.task).seeds_matter
        for seed in range(plan.seeds if matters and main else 1):
            arguments = (task, plan, kind, plan.seed + seed)
            key, what = (k, "trial", kind, seed), f"{kind}, seed {seed}"
            if main and kind == plan.models[0] and seed == 0:
                units.append(Unit((k, "first"), trials.first_trial, (task, plan), (plan.cost(kind) + 8) * scale, what))
            else:
                units.append(Unit(key, trials.trial, arguments, plan.cost(kind) * scale, what))
        if main and not task.given_split:
            arguments = (task, plan, kind)
            key, what = (k, "unlike", kind), f"{kind}, unlike training"
            units.append(Unit(key, trials.unlike_trial, arguments, plan.cost(kind) * scale, what))
            if not matters and plan.makes:
                units.append(Unit((k, "folds", kind), trials.folds, arguments, 5 * scale, f"{kind}, five folds"))
    if not main:
        return units
    # Two halves of the noise ladder, one unit a decoy: within a unit what is computed of an example is kept.
    for half in (0, 1):
        flips = plan.flips[half::2]
        units.append(Unit((k, "noise", half), trials.noise_ladder, (task, plan, flips), 5 * scale, "label noise"))
    units.append(Unit((k, "shifts"), trials.shifted, (task,), 3 * scale, "train against test"))
    units.append(Unit((k, "bias"), trials.bias, (task, plan), 4 * scale, "copies and differences"))
    if isinstance(plan, Plan | GivenPlan):
        units.append(Unit((k, "fragments"), of_molecules.fragments, (task, plan), 5 * scale, "fragment table"))
        units.append(Unit((k, "chemistry"), of_molecules.chemistry, (task, plan), 3 * scale, "scaffolds"))
        units.append(Unit((k, "pictures"), of_molecules.pictures, (task, plan), 2 * scale, "pictures"))
    if task.task == "classification":
        for decoy in plan.groups:
            arguments = (task, plan, decoy)
            units.append(Unit((k, "decoys", decoy), trials.decoy_ladder, arguments, 9 * scale, f"{decoy} decoy"))
    return units


def _kinds(plan: AuditPlan, main: bool) -> tuple[str, ...]:
    """The models to fit: all on the main task, the quick ones on those beside it (all, if none is quick)."""
    quick = tuple(kind for kind in plan.models if plan.quick(kind))
    return plan.models if main else quick or plan.models[:1]


def _record(
    tasks: Sequence[Task], plan: AuditPlan, found: dict[tuple[Any, ...], Any], command: str, seconds: float
) -> dict[str, Any]:
    models = [row for k, task in enumerate(tasks) for row in _models(k, task, plan, found)]
    attribution = [row for k, task in enumerate(tasks) for row in _attribution(k, task, plan, found)]
    task = tasks[0]
    decoys = [rung for d in plan.groups for rung in found.get((0, "decoys", d), [])]
    all_findings = _findings(task, plan, found, attribution)
    word = verdict(all_findings)
    subject = f"{plan.methods_of(plan.models[0])[0]} on {plan.models[0]}"
    return plain(
        {
            "verdict": word,
            "summary": sentences(word, subject, all_findings),
            "subject": subject,
            "findings": [asdict(f) for f in all_findings],
            "models": models,
            "attribution": attribution,
            "fragments": [asdict(f) for f in found.get((0, "fragments"), ())],
            "ladders": {
                "label_noise": [
                    {"flip": r.flip, "prediction": r.prediction, **_score(r.attribution)} for r in _noise(found)
                ],
                "decoys": [asdict(r) for r in decoys],
                "chance": next((row["chance"] for row in attribution), None),
                "model": plan.ladder_kind,
            },
            "molecules": [asdict(p) for p in found.get((0, "pictures"), ())],
            "data": [_data(t) for t in tasks],
            "provenance": {
                "command": command,
                "plan": repr(plan),
                "seed": plan.seed,
                "seconds": seconds,
                "workers": plan.workers or processors(),
                "score": f"AUROC of {task.domain.part} values against the rule's {task.domain.part}s, on held-out "
                f"positives; the best of the legal answers for each {task.domain.example} (`score`), and against all "
                "matches at once (`union`)",
                "interval": f"95% bootstrap over model seeds, then {task.domain.name}",
                "versions": {
                    "python": platform.python_version(),
                    **{p: version(p) for p in ("attar", "torch", "rdkit", "scikit-learn", "numpy")},
                },
            },
        }
    )


def _models(k: int, task: Task, plan: AuditPlan, found: dict) -> list[dict[str, Any]]:
    rows = []
    for kind in _kinds(plan, k == 0):
        runs = _runs(k, kind, plan, found)
        row = model_row(task, kind, runs, seed=plan.seed)
        held_out = {name: row[name] for name in ("interval", "n", "seeds")}
        measure = row["auroc"] if task.task == "classification" else row["r2"]
        splits = {"given" if task.given_split else "random": {"score": measure, **held_out}}
        if (unseen := found.get((k, "unlike", kind))) is not None:
            splits["cluster"] = _score(prediction(unseen.labels, unseen.predictions, seed=plan.seed))
        if (each := found.get((k, "folds", kind))) is not None:
            scores = each.qualities
            splits["5-fold"] = {"score": float(np.mean(scores)), "sd": float(np.std(scores, ddof=1)), "folds": scores}
        rows.append({**row, "splits": splits})
    return rows


def _attribution(k: int, task: Task, plan: AuditPlan, found: dict) -> list[dict[str, Any]]:
    return attribution_rows(task, {kind: _runs(k, kind, plan, found) for kind in _kinds(plan, k == 0)})


def _findings(task: Task, plan: AuditPlan, found: dict, attribution: list[dict[str, Any]]) -> list[Finding]:
    kind = plan.models[0]
    method = plan.methods_of(kind)[0]
    runs = _runs(0, kind, plan, found)
    held_out = prediction(runs[0].labels, np.stack([t.predictions for t in runs]), seed=plan.seed)
    results: list[Finding | None] = [judge.prediction_finding(kind, task, held_out)]
    if (unseen := found.get((0, "unlike", kind))) is not None:
        clusters = prediction(unseen.labels, unseen.predictions, seed=plan.seed)
        results.append(judge.unlike_finding(kind, task, held_out, clusters))
    mine = [row for row in attribution if row["data"] == task.name]
    if mine:
        own = next(row for row in mine if row["model"] == kind and row["method"] == method)
        top = max(mine, key=lambda row: row["interval"][0])
        score = Interval(own["score"], *_ends(own), own["n"])
        best = (f"{top['method']} on {top['model']}", Interval(top["score"], *_ends(top), top["n"]))
        results.append(
            judge.attribution_finding(task, kind, method, score, own["chance"], own["trivial"], best, len(mine))
        )
        parts = {
            n: Interval(own["parts"][n], own["parts_interval"][n][0], own["parts_interval"][n][1], own["n"])
            for n in own["parts"]
        }
        results.append(judge.parts_finding(kind, method, parts, runs[0].methods[method].chance))
        results.append(judge.ladder_finding(plan.ladder_kind, _noise(found), held_out, own["trivial"]))
    if task.rule is None:
        results.append(judge.no_rule_finding(task))
    else:
        results.append(judge.rule_finding(task))
    results += judge.shortcut_findings(task, found[0, "first"].shortcuts, found[0, "first"].mended)
    if task.task == "classification":
        rungs: list[DecoyRung] = [r for d in plan.groups for r in found[0, "decoys", d]]
        results.append(judge.decoy_finding(rungs))
    results.append(judge.together_finding(found.get((0, "fragments"), ())))
    chemistry = found.get((0, "chemistry"))
    results += judge.bias_findings(task, found[0, "shifts"], None if chemistry is None else chemistry.unseen_scaffolds)
    results += _of_the_data(task, plan, found)
    if chemistry is not None and isinstance(plan, Plan) and plan.bits is not None:
        results.append(judge.folding_finding(chemistry.folding))
    if isinstance(plan, GivenPlan):
        results += judge.given_findings(task, plan.named, makes=plan.makes)
    results += judge.note_findings(task.notes, len(task.examples))
    return [f for f in results if f is not None]


def _of_the_data(task: Task, plan: AuditPlan, found: dict) -> list[Finding | None]:
    """Label noise is judged on every example where the folds were fitted, and else on those held out."""
    bias, first = found[0, "bias"], found[0, "first"]
    results: list[Finding | None] = [
        judge.population_finding(task, bias.told_apart),
        judge.slice_finding(task, first.slices),
        judge.copies_finding(task, bias.copies, bias.near),
        judge.alternatives_finding(bias.alternatives),
    ]
    if task.task == "classification":
        each = found.get((0, "folds", plan.models[0]))
        rows = np.flatnonzero(task.test) if each is None else np.arange(len(task.labels))
        said = first.trial.predictions if each is None else each.predictions
        results.append(judge.label_noise_finding(task, label_noise(task.labels[rows], said, seed=plan.seed), rows))
    return results


def _ends(row: dict[str, Any]) -> tuple[float, float]:
    low, high = row["interval"]
    return low, high


def _noise(found: dict) -> list[Rung]:
    return sorted((r for half in (0, 1) for r in found[0, "noise", half]), key=lambda r: r.flip)


def _runs(k: int, kind: str, plan: AuditPlan, found: dict) -> list[Trial]:
    first = [found[k, "first"].trial] if (k, "first") in found and kind == plan.models[0] else []
    seeds = sorted(key[3] for key in found if key[:3] == (k, "trial", kind))
    return first + [found[k, "trial", kind, seed] for seed in seeds]


def _score(i: Interval) -> dict[str, Any]:
    return {"score": i.score, "interval": [i.low, i.high], "n": i.n}


def _data(task: Task) -> dict[str, Any]:
    return {
        "name": task.name,
        "source": task.source,
        "task": task.task,
        "molecules": len(task.examples),
        "positives": int((task.labels > 0.5).sum()) if task.task == "classification" else None,
        "test": int(task.test.sum()),
        "rule": None if task.rule is None else str(task.rule),
        "rule_name": task.rule_name,
        "follow_rule": int(task.follows_rule.sum()),
        "notes": [{"name": n.name, "count": n.count, "sentence": n.sentence} for n in task.notes],
    }
