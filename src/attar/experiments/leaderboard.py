"""Leaderboards: models × methods on tasks whose truth is known, chance and the trivial control beside every score."""

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from time import perf_counter
from typing import Any

from attar.core.recipe import Recipe
from attar.engine.here import processors, run
from attar.experiments.sum_truth import SumTruth
from attar.experiments.task import Task
from attar.experiments.trial import Trial, attribution_rows, model_row, trial

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Published:
    """A published score: its mean and standard deviation over `runs` (the latter nan for one run)."""

    mean: float
    sd: float
    runs: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Entry:
    """A task and the models to fit on it, by name; `published` scores by model and method, if any are."""

    task: Task
    recipes: Mapping[str, Recipe]
    published: Mapping[tuple[str, str], Published] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How a leaderboard is made: `seeds` of every model that starts from chance, the methods (None: all that fit), how
    many held-out examples with a truth are scored (None: all) and how many without."""

    methods: tuple[str, ...] | None = None
    seed: int = 0
    seeds: int = 3
    scored: int | None = 400
    negatives: int = 100
    workers: int | None = None


def leaderboard(
    entries: Sequence[Entry], protocol: Protocol, *, command: str = "", progress: Progress | None = None
) -> dict[str, Any]:
    """Fit and score everything; the record is the content of `--json`. Same entries and protocol: same record, but for
    times. `progress(share, what)` is told how much is done."""
    start = perf_counter()
    units = [
        (k, name, seed)
        for k, entry in enumerate(entries)
        for name, recipe in entry.recipes.items()
        for seed in range(protocol.seeds if recipe.seeds_matter else 1)
    ]
    # Networks last longest, so they start first.
    units.sort(key=lambda unit: -entries[unit[0]].recipes[unit[1]].seeds_matter)
    tasks = [(entries[k], name, seed, protocol) for k, name, seed in units]
    found: dict[tuple[int, str, int], Trial] = {}
    for done, (place, result) in enumerate(run(_trial, tasks, workers=protocol.workers), start=1):
        found[units[place]] = result
        if progress is not None:
            k, name, seed = units[place]
            progress(done / len(units), f"{entries[k].task.name}: {name}, seed {seed}")
    models, attribution, data = [], [], []
    for k, entry in enumerate(entries):
        runs = {name: [found[u] for u in sorted(units) if u[:2] == (k, name)] for name in entry.recipes}
        models += [model_row(entry.task, name, each, seed=protocol.seed) for name, each in runs.items()]
        rows = attribution_rows(entry.task, runs, at_most=protocol.scored)
        attribution += [{**row, **_published(entry, row)} for row in rows]
        data.append(_data(entry))
    return {
        "data": data,
        "models": models,
        "attribution": attribution,
        "provenance": {
            "command": command,
            "protocol": repr(protocol),
            "recipes": {name: repr(recipe) for entry in entries for name, recipe in entry.recipes.items()},
            "seconds": perf_counter() - start,
            "workers": protocol.workers or processors(),
            "interval": "95% bootstrap over model seeds, then examples",
            "versions": {
                "python": platform.python_version(),
                **{p: version(p) for p in ("attar", "torch", "scikit-learn", "numpy")},
            },
        },
    }


def _trial(entry: Entry, name: str, seed: int, protocol: Protocol) -> Trial:
    recipe = entry.recipes[name]
    methods = [m for m in recipe.methods if m != "random" and m in (protocol.methods or recipe.methods)]
    return trial(
        entry.task, recipe, methods, protocol.seed + seed, at_most=protocol.scored, negatives=protocol.negatives
    )


def _published(entry: Entry, row: Mapping[str, Any]) -> dict[str, Any]:
    known = entry.published.get((row["model"], row["method"]))
    return {} if known is None else {"published": known.mean, "published_sd": known.sd, "published_runs": known.runs}


def _data(entry: Entry) -> dict[str, Any]:
    task = entry.task
    best = max(entry.published.items(), key=lambda item: item[1].mean, default=None)
    return {
        "name": task.name,
        "source": task.source,
        "domain": task.domain.name,
        "example": task.domain.example,
        "task": task.task,
        "examples": len(task.examples),
        "positives": int((task.labels > 0.5).sum()) if task.task == "classification" else None,
        "test": int(task.test.sum()),
        "rule": None if task.rule is None else str(task.rule),
        "rule_name": task.rule_name,
        "truth": "masks" if task.contributions is None else "contributions",
        "sum": str(task.contributions.total) if isinstance(task.contributions, SumTruth) else None,
        "best_published": None if best is None else {"model": best[0][0], "method": best[0][1], "score": best[1].mean},
        "notes": [{"name": n.name, "count": n.count, "sentence": n.sentence} for n in task.notes],
    }
