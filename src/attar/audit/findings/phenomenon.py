"""Is it true of the phenomenon: does the attribution find what the rule names, and would a worse model's?"""

from collections.abc import Sequence

import numpy as np

from attar.audit.findings.finding import Finding, Status, interval_text, joined, number
from attar.audit.findings.thresholds import ABOVE_CHANCE, FEW_SCORED, RULE_IS_LABEL
from attar.evaluation.accuracy import Accuracy
from attar.evaluation.intervals import Interval
from attar.evaluation.score import BETTER, WORSE
from attar.experiments.task import Task
from attar.pitfalls.imperfect_model import Rung, faithful, placed


def attribution_finding(
    task: Task,
    model: str,
    method: str,
    score: Interval,
    by_chance: float,
    trivial: float,
    best: tuple[str, Interval],
    pairs: int,
) -> Finding:
    """Does the attribution find the parts of the rule, or rank parts as they contribute, better than chance and than a
    score that saw no model?"""
    parts = f"{task.domain.part}s"
    measured = f"finds the rule's {parts} with AUROC"
    turned = f"to this model the rule's {parts} speak against the label"
    if task.contributions is not None:
        measured, turned = f"ranks {parts} by what they contribute with Kendall's τ", "what adds is said to take away"
    if score.high < by_chance:
        status: Status = "distrust"
        said = f"worse than random {parts}: {turned}"
    elif score.low <= by_chance + ABOVE_CHANCE and score.score > trivial and score.n < FEW_SCORED:
        status, said = "caution", f"too few {task.domain.example}s to tell it from random {parts}"
    elif score.low <= by_chance + ABOVE_CHANCE:
        status, said = "distrust", f"no better than random {parts}"
    elif score.low <= trivial:
        status = "caution"
        said = f"better than random {parts}, but not than the trivial control, which saw no model"
    else:
        status, said = "ok", "better than chance and than the trivial control"
    evidence = (
        f"{method} on {model} {measured} {interval_text(score)} (n = {score.n}; chance {number(by_chance)}, "
        f"trivial control {number(trivial)}): {said}."
    )
    if pairs > 1 and best[1].low <= trivial:
        evidence += (
            f" None of the {pairs} pairs of model and method beats the trivial control; the best is {best[0]} with "
            f"{interval_text(best[1])}."
        )
    return Finding(
        name="attribution against the rule",
        pitfall="imperfect model",
        question="true of the phenomenon?",
        status=status,
        evidence=evidence,
        remedy=""
        if status == "ok"
        else f"Do not read it {task.domain.part} by {task.domain.part}; test it by experiment.",
        value=score.score,
        interval=(score.low, score.high),
        chance=by_chance,
        control=trivial,
    )


def parts_finding(model: str, method: str, parts: dict[str, Interval], by_chance: Accuracy) -> Finding | None:
    """Is each named part of the rule found, or only some?"""
    measured = {n: i for n, i in parts.items() if np.isfinite(i.score)}
    if len(measured) < 2:
        return None
    lost = [n for n, i in measured.items() if i.low <= by_chance.named.get(n, 0.5)]
    listed = ", ".join(f"{n} {i.score:.2f} (chance {by_chance.named.get(n, 0.5):.2f})" for n, i in measured.items())
    return Finding(
        name="parts of the rule",
        pitfall="imperfect model",
        question="true of the phenomenon?",
        status="caution" if lost else "ok",
        evidence=f"{method} on {model}, part by part: {listed}."
        + (f" Not found: {joined(lost)}. The rule needs it, but the data hardly contrast it." if lost else ""),
        remedy="A part that nearly all examples have gets no attribution; ask for the counterfactual (remove it)."
        if lost
        else "",
        value=min(i.score for i in measured.values()),
    )


def ladder_finding(model: str, rungs: Sequence[Rung], held_out: Interval, trivial: float) -> Finding | None:
    """What does this much prediction buy in attribution? `rungs` are of models made worse in one way or another."""
    usable = [r for r in rungs if np.isfinite(r.attribution.score)]
    if not usable:
        return None
    place = placed(usable, held_out.score)
    middle, half, top = place.expected, place.half, place.top
    bottom = min(usable, key=lambda r: r.prediction)
    status: Status = "caution" if middle - half <= trivial and middle < 0.9 * top else "ok"
    return Finding(
        name="place on the ladder",
        pitfall="imperfect model",
        question="true of the phenomenon?",
        status=status,
        evidence=f"On a ladder of ever worse models ({model}; {joined(list(dict.fromkeys(r.name for r in usable)))}), "
        f"prediction {number(held_out.score)} buys an attribution score of {number(middle)} ± {half:.2f} of a possible "
        f"{top:.2f}; prediction {number(bottom.prediction)} buys {number(bottom.attribution.score)}"
        f"{_better_explain(usable)}.",
        remedy="" if status == "ok" else "A better model first: attribution is lost sooner than prediction.",
        value=middle,
        interval=(middle - half, middle + half),
        control=trivial,
    )


def rule_finding(task: Task) -> Finding | None:
    """How much of the label does the rule, or the sum of what parts contribute, explain?"""
    if task.contributions is not None:
        return _sum_finding(task)
    if task.rule is None or task.task != "classification":
        return None
    positive, matched = task.labels > 0.5, task.follows_rule
    both = float((positive & matched).sum())
    precision, recall = both / max(1, matched.sum()), both / positive.sum()
    if task.accounted == 1.0:
        evidence = (
            f"The rule {task.rule_name} is the label of every {task.domain.example}: what it names is the whole truth."
        )
    else:
        evidence = (
            f"The rule {task.rule_name} is true of {int(matched.sum())} {task.domain.example}s: {precision:.0%} of "
            f"them have the label (lift {precision / positive.mean():.1f}), and it covers {recall:.0%} of the "
            "positives. It is a hypothesis about this label, not its definition."
        )
    return Finding(
        name="rule against label",
        pitfall="dataset bias",
        question="true of the phenomenon?",
        status="ok" if task.accounted >= RULE_IS_LABEL else "caution",
        evidence=evidence,
        remedy=""
        if task.accounted >= RULE_IS_LABEL
        else "Scores against the rule say how well it is found, not that it is true.",
        value=precision,
        control=float(positive.mean()),
    )


def _sum_finding(task: Task) -> Finding:
    whole = task.accounted >= RULE_IS_LABEL
    evidence = f"What the {task.domain.part}s contribute accounts for {task.accounted:.0%} of the label's variance"
    return Finding(
        name="rule against label",
        pitfall="dataset bias",
        question="true of the phenomenon?",
        status="ok" if whole else "caution",
        evidence=evidence
        + (": it is the label, or nearly." if whole else ". It is a hypothesis about this label, or part of it."),
        remedy="" if whole else "Scores against the sum say how well it is found, not that it is true.",
        value=task.accounted,
    )


def no_rule_finding(task: Task) -> Finding:
    return Finding(
        name="no known answer",
        pitfall="imperfect model",
        question="true of the phenomenon?",
        status="caution",
        evidence=f"No rule was given, so nothing says which {task.domain.part}s are right; only what is planted could "
        "be scored.",
        remedy="Give a hypothesis as --rule; it need not be true to be useful.",
    )


def _better_explain(rungs: Sequence[Rung]) -> str:
    """PARC over the rungs, where it can be told."""
    known = [r for r in rungs if r.values is not None]
    if len(known) < 3 or len({r.prediction for r in known}) < 2:
        return ""
    found = faithful(known)
    order = {BETTER: "the better the model, the better its attribution", WORSE: "the better the model, the worse it"}
    said = order.get(found.verdict, "no order that could not be chance")
    return f"; {said} (PARC {interval_text(found.mean)})"
