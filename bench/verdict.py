"""How often is the audit's verdict wrong? Planted problems whose truth is known, over domains and seeds.

    python bench/verdict.py                           every domain, the seeds that thresholds were never looked at on
    python bench/verdict.py --domains tables,text --seeds 1,3 --json out.jsonl

With --json every audit is written as it ends, and those that the file holds already are not done again.

Each problem is a clean question with one fault put in (none · a shortcut on a tenth to all of the positives, of one
part or of two · a slice with wrong labels · label noise · few examples · random weights · weights shaken anew for each
seed · an output that saturates). What a model deserves is measured with the fault known. It is *good* if the
attribution finds the rule's parts with an AUROC of at least LEVEL (where a group is planted: in examples that hold
both) and the planted group moves it by less than HARMLESS of the gap between the classes; *bad* if a fault is planted
and the AUROC is below LEVEL or the group moves it by HARMFUL or more; the rest lies between and is counted nowhere.
*Wrong trust*: the audit says trust of a bad one. *Wrong distrust*: it says distrust of a good one. Caution is neither,
and shown beside them. Thresholds were set on even seeds alone; what is reported are odd ones. Intervals are Wilson's,
95%.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from scipy.stats import binomtest

from attar.audit.plan import MadePlan, Plan
from attar.audit.run import audit
from attar.core.recipe import Recipe
from attar.domains.molecules.library import nci_molecules
from attar.domains.molecules.truth import read_rule
from attar.engine.here import run
from attar.experiments.benchmarks import made_domain
from attar.experiments.made_task import made_task
from attar.experiments.molecule_task import labelled_by_rule
from attar.experiments.problems import (
    Altered,
    effect,
    randomised,
    saturated,
    shaken,
    with_biased_slice,
    with_few,
    with_noise,
    with_shortcut,
)
from attar.experiments.task import Task

LEVEL, HARMLESS, HARMFUL = 0.75, 0.1, 0.2

# For each domain: rules, the model with its method, and two groups that no rule asks for.
DOMAINS: dict[str, tuple[tuple[str, ...], str, str, tuple[str, str]]] = {
    "molecules": (('has("[OX2H]") and has("c1ccccc1")', "rose"), "glm", "occlusion", ("*Cl", "*S(N)(=O)=O")),
    "tables": (("threshold", "two-of-three"), "mlp", "integrated-gradients", ("x9 > 1.5", "x6 > 1.5")),
    "sequences": (("tata", "ebox-or-early-sp1"), "cnn", "integrated-gradients", ("GATTACA", "CCTGAGG")),
    "text": (("red", "rough-not-cheap"), "cnn", "integrated-gradients", ("blue", "so soft")),
    "images": (("red", "red-and-checked"), "cnn", "integrated-gradients", ("yellow ring", "blue cross")),
    "waveforms": (("chirp", "bump-and-burst"), "cnn", "integrated-gradients", ("step down", "chirp down")),
    "volumes": (("bright-plate", "plate-and-rod"), "cnn", "integrated-gradients", ("bright blob", "dark shell")),
}
STRENGTHS = (0.1, 0.25, 0.5, 0.75, 1.0)
COUNT = {"images": 600, "volumes": 400}  # examples, a quarter of them held out; else 1000: pictures take long to learn


@dataclass(frozen=True)
class Said:
    """One audit: its verdict, and what the model deserved."""

    domain: str
    rule: str
    problem: str
    place: int
    seed: int
    verdict: str
    deserves: str  # good, bad or between
    accuracy: float
    pull: float
    reason: str
    seconds: float


@dataclass(frozen=True)
class Changed:
    """A plan whose models may be changed once they are fitted, and none of which is fitted twice."""

    plan: Any
    change: Any = None
    known: dict[Any, Any] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.plan, name)

    def recipe(self, kind: str, task: Any) -> Recipe:
        recipe = self.plan.recipe(kind, task)
        return Remembered(recipe if self.change is None else Altered(recipe, self.change), self.known)


@dataclass(frozen=True)
class Remembered:
    """A recipe that keeps what it has fitted: the audit and the measure of what its model deserves ask for the same."""

    recipe: Recipe
    known: dict[Any, Any]

    @property
    def name(self) -> str:
        return self.recipe.name

    @property
    def methods(self) -> tuple[str, ...]:
        return self.recipe.methods

    @property
    def seeds_matter(self) -> bool:
        return self.recipe.seeds_matter

    def fit(self, examples: Any, labels: np.ndarray, seed: int) -> Any:
        key = repr(self.recipe), tuple(map(id, examples)), labels.tobytes(), seed
        if key not in self.known:
            self.known[key] = self.recipe.fit(examples, labels, seed), examples  # held, so that no id is used again
        return self.known[key][0]


Problem = Callable[[Task, Any, int], tuple[Task, Any]]


def clean(domain: str, rule: str, seed: int) -> tuple[Task, Any]:
    _, model, method, _ = DOMAINS[domain]
    if domain == "molecules":
        chosen = np.random.default_rng([seed, 61]).permutation(nci_molecules())[:2000].tolist()
        task = labelled_by_rule("NCI", "NCI", chosen, rule=read_rule(rule), rule_name=rule, seed=seed)
        options = {"models": (model,), "methods": (method,), "flips": (0.0, 0.25, 0.5), "decoys": (), "seeds": 2}
        return task, Plan(**options, seed=seed, workers=1)
    made = made_domain(domain)
    task = made_task(made, rule, count=COUNT.get(domain, 1000), seed=seed)
    plan = MadePlan(domain=made, models=(model,), methods=(method,), flips=(), seeds=2, seed=seed, workers=1)
    return task, plan


def problems(domain: str) -> list[tuple[str, Problem, tuple[str, ...]]]:
    """What each is called, how it is made of a clean question and its plan, and the groups that are planted."""
    one, other = DOMAINS[domain][3]
    found: list[tuple[str, Problem, tuple[str, ...]]] = [("clean", lambda task, plan, _seed: (task, plan), ())]
    for share in STRENGTHS:
        found.append((f"shortcut {share:g}", shortcut((one,), share), (one,)))
    for share in STRENGTHS[2::2]:
        found.append((f"shortcut of two parts {share:g}", shortcut((one, other), share), (one, other)))
    found.append(
        ("biased slice", lambda task, plan, seed: (with_biased_slice(task, one, 0.3, seed=seed), plan), (one,))
    )
    found.append(("label noise", lambda task, plan, seed: (with_noise(task, 0.3, seed=seed), plan), ()))
    found.append(("few examples", lambda task, plan, seed: (with_few(task, 40, seed=seed), plan), ()))
    found.append(("random weights", lambda task, plan, _seed: (task, Changed(plan.plan, randomised)), ()))
    found.append(("shaken weights", lambda task, plan, _seed: (task, Changed(plan.plan, shaken)), ()))
    if domain != "molecules":  # theirs is a GLM, which has nothing to saturate
        found.append(("saturated output", lambda task, plan, _seed: (task, Changed(plan.plan, saturated)), ()))
    return found


def shortcut(groups: tuple[str, ...], share: float) -> Problem:
    return lambda task, plan, seed: (with_shortcut(task, groups, share, seed=seed), plan)


def judged(domain: str, rule: str, seed: int, place: int) -> Said:
    start = perf_counter()
    name, made, groups = problems(domain)[place]
    task, plan = clean(domain, rule, seed)
    task, plan = made(task, Changed(plan), seed)
    record = audit([task], plan)
    kind, method = plan.models[0], plan.methods_of(plan.models[0])[0]
    if groups:
        fitted = plan.recipe(kind, task.task).fit(*task.part(task.train), plan.seed)
        measured = effect(task, fitted, method, groups, seed=seed)
        accuracy, pull = measured.rule, abs(measured.pull)
    else:
        accuracy, pull = float(record["attribution"][0]["score"]), 0.0
    if accuracy >= LEVEL and pull < HARMLESS:
        deserves = "good"
    else:
        deserves = "bad" if name != "clean" and (accuracy < LEVEL or pull >= HARMFUL) else "between"
    reason = record["summary"][1]
    return Said(
        domain, rule, name, place, seed, record["verdict"], deserves, accuracy, pull, reason, perf_counter() - start
    )


def table(said: list[Said]) -> None:
    def line(label: str, rows: list[Said]) -> None:
        bad, good = ([r for r in rows if r.deserves == word] for word in ("bad", "good"))
        trust = sum(r.verdict == "trust" for r in bad)
        distrust = sum(r.verdict == "distrust" for r in good)
        caution = sum(r.verdict == "caution" for r in good)
        print(f"  {label:<30} {rate(trust, len(bad)):>28} {rate(distrust, len(good)):>28} {caution:>5} of {len(good)}")

    print(f"  {'':<30} {'wrong trust':>28} {'wrong distrust':>28}   caution on good")
    line("overall", said)
    for key in ("domain", "problem"):
        print()
        for value in dict.fromkeys(getattr(r, key) for r in said):
            line(value, [r for r in said if getattr(r, key) == value])


def rate(count: int, total: int) -> str:
    if not total:
        return "none"
    low, high = binomtest(count, total).proportion_ci(method="wilson")
    return f"{count}/{total} = {count / total:.0%} [{low:.0%}, {high:.0%}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--domains", default=",".join(DOMAINS))
    parser.add_argument("--seeds", default="1,3,5,7")
    parser.add_argument("--json")
    parser.add_argument("--workers", type=int, default=None)
    given = parser.parse_args()
    domains = given.domains.split(",")
    tasks = [
        (domain, DOMAINS[domain][0][k], seed, place)
        for seed in map(int, given.seeds.split(","))
        for k in range(2)
        for place in range(max(len(problems(domain)) for domain in domains))
        for domain in domains
        if place < len(problems(domain))
    ]  # in breadth first, so that one that is stopped has seen every domain
    said: list[Said] = []
    if given.json and Path(given.json).exists():
        said = [Said(**json.loads(line)) for line in Path(given.json).read_text().splitlines()]
        done = {(s.domain, s.rule, s.seed, s.place) for s in said}
        tasks = [task for task in tasks if task not in done]
    for _, one in run(judged, tasks, workers=given.workers):
        said.append(one)
        if given.json:
            with Path(given.json).open("a") as file:
                file.write(json.dumps(asdict(one)) + "\n")
        wrong = (one.deserves, one.verdict) in (("bad", "trust"), ("good", "distrust"))
        print(
            f"{'!' if wrong else ' '} {one.domain:<10} {one.rule[:24]:<24} {one.problem:<26} seed {one.seed} "
            f"{one.verdict:<8} deserves {one.deserves:<7} accuracy {one.accuracy:.2f} pull {one.pull:.2f} "
            f"{one.seconds:.0f} s",
            flush=True,
        )
    table(sorted(said, key=lambda r: (r.domain, r.rule, r.place, r.seed)))


if __name__ == "__main__":
    main()
