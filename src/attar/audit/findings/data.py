"""Dataset bias: what is wrong with the examples, whatever the model."""

from collections.abc import Mapping, Sequence

import numpy as np

from attar.audit.findings.finding import Finding, interval_text, number
from attar.audit.findings.thresholds import (
    COPIED,
    FEW_POSITIVES,
    LEAK,
    NOISY_LABELS,
    RARE,
    RULE_IS_LABEL,
    SHIFTED,
    SHOWN,
    TOLD_APART,
    WORSE_SLICE,
)
from attar.core.note import Note, listed
from attar.domains.molecules.bag import Ambiguity
from attar.experiments.fragments import Fragment
from attar.experiments.task import Task
from attar.pitfalls.coverage import Alternative
from attar.pitfalls.dataset_bias import Shift
from attar.pitfalls.duplicates import Duplicates
from attar.pitfalls.label_noise import LabelNoise
from attar.pitfalls.leaks import Told
from attar.pitfalls.population import Difference, TwoSample
from attar.pitfalls.slices import Slice

LEAKING = "leaking column"  # with which the name of a leak's finding begins


def bias_findings(task: Task, shifts: Sequence[Shift], unseen: float | None) -> list[Finding]:
    """Do training and test examples differ, and is there enough of each class?"""
    findings = []
    if task.task == "classification":
        positives = int((task.labels > 0.5).sum())
        smaller = min(positives, len(task.labels) - positives)
        rare = smaller < FEW_POSITIVES or smaller / len(task.labels) < RARE
        findings.append(
            Finding(
                name="label balance",
                pitfall="dataset bias",
                question="the data",
                status="caution" if rare else "ok",
                evidence=f"{positives} of {len(task.labels)} {task.domain.example}s are positive "
                f"({positives / len(task.labels):.1%}).",
                remedy="Intervals are wide with so few; gather more of the rarer class." if rare else "",
                value=positives / len(task.labels),
            )
        )
    moved = [s for s in shifts if s.distance > SHIFTED and s.p < 0.01]
    worst = shifts[0]
    scaffolds = "" if unseen is None else f"; {unseen:.0%} of test molecules have a scaffold that training lacks"
    findings.append(
        Finding(
            name="train against test",
            pitfall="dataset bias",
            question="the data",
            status="caution" if moved else "ok",
            evidence=f"Largest difference between training and test: {worst.name} (mean {worst.train_mean:.3g} and "
            f"{worst.test_mean:.3g}, distance {worst.distance:.2f}, p = {worst.p:.2g}){scaffolds}.",
            remedy="Read test scores as scores on other examples than those trained on." if moved else "",
            value=worst.distance,
            chance=0.0,
        )
    )
    return findings


def population_finding(task: Task, found: TwoSample | None) -> Finding | None:
    """Are the test examples drawn from where the training ones are? None where there is nothing to tell them by."""
    if found is None:
        return None
    apart = found.p < 0.01 and found.auroc.score > TOLD_APART
    evidence = (
        f"From properties and groups a small model tells test from training {task.domain.example}s with AUROC "
        f"{interval_text(found.auroc)} (chance 0.50, p = {found.p:.2g})"
    )
    sure = [d for d in found.differences if d.p < 0.05][:3]
    if apart and sure:
        evidence += f": by {listed([_difference(d) for d in sure])}"
    return Finding(
        name="training told from test",
        pitfall="dataset bias",
        question="the data",
        status="caution" if apart else "ok",
        evidence=evidence + ".",
        remedy="Weigh or redraw the sides alike, or say that the score is one on another population." if apart else "",
        value=found.auroc.score,
        interval=(found.auroc.low, found.auroc.high),
        chance=0.5,
    )


def slice_finding(task: Task, found: Sequence[Slice]) -> Finding:
    """Is the model much worse on some kind of example?"""
    worse = [s for s in found if s.elsewhere - s.quality.score >= WORSE_SLICE]
    worst = worse[0] if worse else None
    said = "a held-out error smaller than another's" if task.task == "regression" else "on the right side"
    evidence = f"No kind of {task.domain.example} is predicted much worse than the rest."
    if worst is not None:
        kind = task.domain.example + "s" if worst.of == "examples" else worst.of
        evidence = (
            f"Of the {worst.count} held-out {kind} “{worst.name}” {worst.quality.score:.2f} [{worst.quality.low:.2f}, "
            f"{worst.quality.high:.2f}] are {said}, of the others {worst.elsewhere:.2f} (p = {worst.p:.0e} for all "
            "slices together)."
        )
    if len(worse) > 1:
        evidence += f" Worse too: {listed([f'{s.of} “{s.name}”' for s in worse[1:]], most=3)}."
    return Finding(
        name="slices",
        pitfall="dataset bias",
        question="does the model know the answer?",
        status="ok" if worst is None else "caution",
        evidence=evidence,
        remedy="" if worst is None else "Check the labels of these, add more of them, and read no explanation there.",
        value=None if worst is None else worst.quality.score,
        interval=None if worst is None else (worst.quality.low, worst.quality.high),
        control=None if worst is None else worst.elsewhere,
    )


def copies_finding(task: Task, copies: Duplicates, near: Mapping[int, int]) -> Finding:
    """Does training know test examples already? Reading a file may have said so: then it is not counted twice."""
    leaked = len(copies.leaked) / max(1, int(task.test.sum()))
    conflicting = len(copies.conflicting) / len(task.examples)
    told = {note.name for note in task.notes}
    counted = (leaked > COPIED and "leak across split" not in told) or (
        conflicting > COPIED and "conflicting labels" not in told
    )
    alike = len(set(near) - set(copies.leaked))
    return Finding(
        name="copies",
        pitfall="dataset bias",
        question="the data",
        status="caution" if counted else "ok",
        evidence=f"{len(copies.leaked)} of {int(task.test.sum())} test {task.domain.example}s are in training too"
        + (f", {alike} more have nearly all their groups in common with one there" if alike else "")
        + f"; {len(copies.conflicting)} {task.domain.example}s have a copy of another label.",
        remedy="Put copies on one side of the split, and decide what their label is." if counted else "",
        value=leaked,
        chance=0.0,
    )


def leak_findings(task: Task, found: Sequence[Told]) -> list[Finding]:
    """Does a column tell the label alone? Those that do, at most five by themselves; else the one that tells most."""
    measure, floor = ("AUROC", 0.5) if task.task == "classification" else ("R²", 0.0)
    leaking = [told for told in found if told.copy or told.score >= LEAK]
    best = max(found, key=lambda told: told.score)
    if not leaking:
        return [
            Finding(
                name="leaks",
                pitfall="dataset bias",
                question="the data",
                status="ok",
                evidence=f"No column alone tells the label as only what is known afterwards can; {best.column} tells "
                f"most (cross-validated {measure} {number(best.score)}).",
                remedy="",
                value=best.score,
                chance=floor,
            )
        ]
    return [
        Finding(
            name=f"{LEAKING} {told.column}",
            pitfall="dataset bias",
            question="the data",
            status="caution",
            evidence=_leak(told, measure, leaking[5:] if k == 4 else ()),
            remedy=f"Is {told.column} known when the prediction is made? If it is written down with the label or after "
            "it, leave it out and audit again.",
            value=told.score,
            chance=floor,
        )
        for k, told in enumerate(leaking[:5])
    ]


def _leak(told: Told, measure: str, others: Sequence[Told]) -> str:
    said = f"{told.column} alone tells the label of rows it was not learnt from with {measure} {told.score:.3f}"
    if told.copy:
        said = f"{told.column} is the label itself, under other names or in another unit, in every row"
    also = f" So do {len(others)} more: {listed([each.column for each in others], most=3)}." if others else ""
    return f"{said}: what a model makes of the other columns hardly matters.{also}"


def label_noise_finding(task: Task, found: LabelNoise, rows: np.ndarray) -> Finding:
    """How many labels are wrong? Where the rule is the label, none is, and a model that contradicts it is wrong."""
    decided = task.accounted >= RULE_IS_LABEL
    noisy = found.share.low > NOISY_LABELS
    evidence = (
        f"Of the held-out {task.domain.example}s that the model is surest of, so many have the other label that "
        f"{found.share.score:.0%} [{found.share.low:.0%}, {found.share.high:.0%}] of all labels are wrong, if its "
        "surest answers are right"
    )
    if noisy and decided:
        evidence += "; the rule is the label, so it is the model that is wrong"
    elif noisy and found.told.low <= 0.5:
        evidence += "; it may know nothing of the label, so this may be its fault alone"
    elif noisy and len(found.rows):
        evidence += f"; most likely {task.domain.example}s {listed(rows[found.rows] + 1, most=5)} (counted from 1)"
    return Finding(
        name="label noise",
        pitfall="dataset bias",
        question="the data",
        status="caution" if noisy and not decided else "note" if noisy else "ok",
        evidence=evidence + ".",
        remedy="Look at these labels again, or train with weights that leave them out."
        if noisy and not decided
        else "",
        value=found.share.score,
        interval=(found.share.low, found.share.high),
        chance=0.0,
    )


def alternatives_finding(found: Sequence[Alternative]) -> Finding | None:
    """Is each way in which the rule can hold shown in training? None for a rule without a choice."""
    if not found:
        return None
    few = [a for a in found if a.shown < SHOWN]
    least = min(found, key=lambda a: a.shown)
    evidence = f"Each of the rule's {len(found)} alternatives is in {least.shown} training positives or more."
    if few:
        said = [f"{a.said} is in {a.shown} training positives" for a in few]
        evidence = f"Of the rule's alternatives {listed(said, most=3)}: nothing is known of what a model makes of it."
    return Finding(
        name="alternatives of the rule",
        pitfall="dataset bias",
        question="the data",
        status="caution" if few else "ok",
        evidence=evidence,
        remedy=f"Add positives that show {'it' if len(few) == 1 else 'these'}." if few else "",
        value=float(least.shown),
    )


def folding_finding(folding: Ambiguity) -> Finding:
    """What folding subgraphs to bits costs attribution."""
    return Finding(
        name="folded fingerprint",
        pitfall="dataset bias",
        question="true of the model?",
        status="caution",
        evidence=folding.sentence() + ".",
        remedy="Leave --bits out: unhashed subgraphs predict as well and can be attributed.",
        value=folding.shared,
    )


def together_finding(table: Sequence[Fragment]) -> Finding | None:
    """Which fragments cannot be told apart by these data?"""
    groups = [f for f in table if len(f.members) > 1]
    if not groups:
        return None
    largest = max(groups, key=lambda f: len(f.members))
    return Finding(
        name="fragments that come together",
        pitfall="dataset bias",
        question="the data",
        status="note",
        evidence=f"{len(groups)} of the {len(table)} fragments listed stand for several subgraphs that come together "
        f"here (up to {len(largest.members)}: {largest.smarts} and others); the weight is the group's.",
        remedy="To tell them apart, add molecules that have one without the other.",
        value=len(groups) / len(table),
    )


def note_findings(notes: Sequence[Note], total: int) -> list[Finding]:
    """What reading the file found that bears on trust."""
    weight = {"conflicting labels": 0.01, "leak across split": 0.0, "unparsable": 0.05}
    return [
        Finding(
            name=n.name,
            pitfall="dataset bias",
            question="the data",
            status="caution" if n.name in weight and n.count > weight[n.name] * total else "note",
            evidence=n.sentence,
            remedy="Mend these rows in the file." if n.name in weight else "",
            value=float(n.count),
        )
        for n in notes
    ]


def _difference(d: Difference) -> str:
    return f"{d.name} ({d.train:.3g} in training, {d.test:.3g} in test)"
