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
from attar.audit import table_trials as of_tables
from attar.audit import trials
from attar.audit.findings import Finding
from attar.audit.plan import AuditPlan, GivenPlan, Plan
from attar.audit.table_plan import GivenTablePlan, TablePlan
from attar.audit.verdict import sentences, verdict
from attar.core.writing import plain
from attar.engine.here import processors, run
from attar.evaluation.consistency import agreement
from attar.evaluation.intervals import Interval, prediction
from attar.experiments.task import Task
from attar.experiments.trial import Trial, attribution_rows, model_row
from attar.pitfalls.imperfect_model import NOISE, Rung
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
                units.append(
                    Unit((k, "first"), trials.first_trial, (task, plan), (2 * plan.cost(kind) + 10) * scale, what)
                )
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
    kind = plan.models[0]
    if plan.makes and not plan.recipe(kind, task.task).seeds_matter:
        units.append(Unit((k, "halves"), trials.halves, (task, plan, kind), plan.cost(kind) * scale, "two halves"))
    # Two halves of the ladder, one unit a decoy: within a unit what is computed of an example is kept.
    steps = plan.steps(task.task)
    for half in (0, 1):
        cost = 2 * plan.cost(plan.ladder_kind) * scale
        units.append(Unit((k, "ladder", half), trials.ladder, (task, plan, steps[half::2]), cost, "worse models"))
    units.append(Unit((k, "shifts"), trials.shifted, (task,), 3 * scale, "train against test"))
    units.append(Unit((k, "bias"), trials.bias, (task, plan), 4 * scale, "copies and differences"))
    if isinstance(plan, Plan | GivenPlan):
        units.append(Unit((k, "fragments"), of_molecules.fragments, (task, plan), 5 * scale, "fragment table"))
        units.append(Unit((k, "chemistry"), of_molecules.chemistry, (task, plan), 3 * scale, "scaffolds"))
    if isinstance(plan, TablePlan | GivenTablePlan):
        units.append(Unit((k, "leaks"), of_tables.leaks, (task, plan.seed), 2 * scale, "columns alone"))
        units.append(Unit((k, "columns"), of_tables.columns, (task, plan), 5 * scale, "what columns are worth"))
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
                "worse_models": [
                    {"name": r.name, "share": r.share, "prediction": r.prediction, **_score(r.attribution)}
                    for r in _rungs(found)
                    if r not in _noise(found)
                ],
                "decoys": [asdict(r) for r in decoys],
                "chance": next((row["chance"] for row in attribution), None),
                "model": plan.ladder_kind,
            },
            **({"columns": of_tables.described(each)} if (each := found.get((0, "columns"))) is not None else {}),
            "examples": [asdict(p) for p in found[0, "first"].pictures],
            "data": [_data(t) for t in tasks],
            "provenance": {
                "command": command,
                "plan": repr(plan),
                "seed": plan.seed,
                "seconds": seconds,
                "workers": plan.workers or processors(),
                "score": _what_scores(task),
                "interval": f"95% bootstrap over model seeds, then {task.domain.example}s",
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
    results = _of_the_phenomenon(task, plan, found, [row for row in attribution if row["data"] == task.name])
    results.append(judge.rule_finding(task) if task.known else judge.no_rule_finding(task))
    results += _of_the_model(task, plan, found)
    if (told := found.get((0, "leaks"))) is not None:  # ahead of the shortcuts, among which a leak is as well
        results += judge.leak_findings(task, told)
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
    if isinstance(plan, GivenPlan | GivenTablePlan):
        results += judge.given_findings(task, plan.named, makes=plan.makes)
    results += judge.note_findings(task.notes, len(task.examples))
    return [f for f in results if f is not None]


def _of_the_phenomenon(task: Task, plan: AuditPlan, found: dict, rows: list[dict[str, Any]]) -> list[Finding | None]:
    """Does the model know the answer, and does its attribution find what the rule names? `rows` are the task's."""
    kind = plan.models[0]
    method, runs = plan.methods_of(kind)[0], _runs(0, kind, plan, found)
    held_out = prediction(runs[0].labels, np.stack([t.predictions for t in runs]), seed=plan.seed)
    against: Finding | None = None
    of_rule: list[Finding | None] = []
    if rows:
        own = next(row for row in rows if row["model"] == kind and row["method"] == method)
        top = max(rows, key=lambda row: row["interval"][0])
        whole = Interval(own["score"], *_ends(own), own["n"])
        best = (f"{top['method']} on {top['model']}", Interval(top["score"], *_ends(top), top["n"]))
        chance, trivial = own["chance"], own["trivial"]
        against = judge.attribution_finding(task, kind, method, whole, chance, trivial, best, len(rows))
        ends = own["parts_interval"]
        parts = {n: Interval(score, ends[n][0], ends[n][1], own["n"]) for n, score in own["parts"].items()}
        of_rule = [
            against,
            judge.parts_finding(kind, method, parts, runs[0].methods[method].chance),
            judge.ladder_finding(plan.ladder_kind, _rungs(found), held_out, trivial),
        ]
    results: list[Finding | None] = [judge.prediction_finding(kind, task, held_out, against)]
    if (unseen := found.get((0, "unlike", kind))) is not None:
        clusters = prediction(unseen.labels, unseen.predictions, seed=plan.seed)
        results.append(judge.unlike_finding(kind, task, held_out, clusters))
    return results + of_rule


def _of_the_model(task: Task, plan: AuditPlan, found: dict) -> list[Finding | None]:
    """Does the attribution say what the model does, what it has learnt, and what another such model would?"""
    kind = plan.models[0]
    method, runs = plan.methods_of(kind)[0], _runs(0, kind, plan, found)
    results: list[Finding | None] = [judge.removal_finding(task, kind, method, found[0, "first"].removal)]
    if (halves := found.get((0, "halves"))) is not None:
        made = "two models, each fitted on another half of the training set,"
        results.append(judge.consistency_finding(task, kind, method, halves, made))
    elif len(runs) > 1:
        score = agreement([run.said for run in runs], seed=plan.seed)
        results.append(judge.consistency_finding(task, kind, method, score, f"models of {len(runs)} seeds"))
    if (shuffled := found[0, "first"].without_labels) is not None:
        results.append(judge.randomisation_finding(task, kind, method, shuffled))
    return results


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


def _rungs(found: dict) -> list[Rung]:
    return [r for half in (0, 1) for r in found[0, "ladder", half]]


def _noise(found: dict) -> list[Rung]:
    """The rungs of label noise, and the whole they start from."""
    return sorted((r for r in _rungs(found) if r.name == NOISE), key=lambda r: r.flip)


def _runs(k: int, kind: str, plan: AuditPlan, found: dict) -> list[Trial]:
    first = [found[k, "first"].trial] if (k, "first") in found and kind == plan.models[0] else []
    seeds = sorted(key[3] for key in found if key[:3] == (k, "trial", kind))
    return first + [found[k, "trial", kind, seed] for seed in seeds]


def _score(i: Interval) -> dict[str, Any]:
    return {"score": i.score, "interval": [i.low, i.high], "n": i.n}


def _what_scores(task: Task) -> str:
    part, example = task.domain.part, task.domain.example
    if task.contributions is not None:
        return (
            f"Kendall's tau-b of {part} values and what each {part} contributes (`score`), and Somers' D (`union`), on "
            f"held-out {example}s"
        )
    return (
        f"AUROC of {part} values against the rule's {part}s, on held-out positives; the best of the legal answers for "
        f"each {example} (`score`), and against all matches at once (`union`)"
    )


def _data(task: Task) -> dict[str, Any]:
    return {
        "name": task.name,
        "source": task.source,
        "domain": task.domain.name,
        "example": task.domain.example,
        "part": task.domain.part,
        "control": task.domain.control,
        "task": task.task,
        "examples": len(task.examples),
        "positives": int((task.labels > 0.5).sum()) if task.task == "classification" else None,
        "test": int(task.test.sum()),
        "rule": None if task.rule is None else str(task.rule),
        "rule_name": task.rule_name,
        "truth": "contributions" if task.contributions is not None else "rule" if task.rule is not None else None,
        "follow_rule": int(task.follows_rule.sum()),
        "notes": [{"name": n.name, "count": n.count, "sentence": n.sentence} for n in task.notes],
    }
