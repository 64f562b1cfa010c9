"""Spurious correlation: what a planted decoy would do, and the groups that move the model though they should not."""

from collections.abc import Sequence

import numpy as np

from attar.audit.findings.finding import Finding, joined, signed
from attar.audit.findings.thresholds import OVERTAKEN, PULL, RULE_IS_LABEL, WIDESPREAD
from attar.domains.raw_tables.domain import RawTables
from attar.experiments.task import Task
from attar.pitfalls.mend import Mended
from attar.pitfalls.shortcut_search import Shortcut
from attar.pitfalls.spurious_correlation import DecoyRung


def decoy_finding(rungs: Sequence[DecoyRung]) -> Finding | None:
    """Would the usual score notice a shortcut? A property of this data and model, not a fault found in them."""
    half = [r for r in rungs if r.share == 0.5]
    clean = next((r for r in rungs if r.share == 0.0), None)
    if not half or clean is None:
        return None
    worst = min(half, key=lambda r: r.on_negatives)
    return Finding(
        name="planted decoys",
        pitfall="spurious correlation",
        question="true of the model?",
        status="note",
        evidence=f"With {worst.decoy} planted in half of the training positives the clean AUROC moves by "
        f"{signed(worst.clean - clean.clean)}, while negatives that carry it bring the AUROC to "
        f"{worst.on_negatives:.2f}; {_where_both(worst)}.",
        remedy="A clean test score is no evidence against a shortcut; look at examples that hold both.",
        value=worst.on_negatives,
        chance=0.5,
        control=clean.on_negatives,
    )


def shortcut_findings(task: Task, found: Sequence[Shortcut], mended: Mended | None = None) -> list[Finding]:
    """Groups that come with the label, lie outside the rule and move the model."""
    decided = task.accounted >= RULE_IS_LABEL
    positives = int(task.positive[task.train].sum()) if task.task == "classification" else int(task.train.sum()) // 3
    moving = [s for s in found if s.pull >= PULL]
    findings = [_shortcut_finding(task, s, moving, decided, positives, mended) for s in moving]
    if not findings:
        looked = f"outside the rule's {task.domain.part}s " if task.known else ""
        findings.append(
            Finding(
                name="shortcuts",
                pitfall="spurious correlation",
                question="true of the model?",
                status="ok",
                evidence=f"No group {looked}both comes with the label in training and moves the model by "
                f"{PULL:.0%} of the gap between the classes.",
                remedy="",
            )
        )
    return findings


def _shortcut_finding(
    task: Task,
    shortcut: Shortcut,
    moving: Sequence[Shortcut],
    decided: bool,
    positives: int,
    mended: Mended | None,
) -> Finding:
    """Spurious where it surely moves the model, and the rule decides the label without it or another group explains the
    label without it; or where negatives with it overtake the positives. Undecided where it surely moves the model and
    never parts from another that does.

    Where numbers are contributed, a group close to one that contributes may move a model that cannot tell them apart.
    The columns of a table are what the label is learnt from: one that matters takes negatives past positives, and many
    never part from another. Where the rule does not decide, that alone says nothing against it.
    """
    s = shortcut
    widespread = s.positives >= WIDESPREAD * positives
    rivals = [other for other in moving if other.name in s.never_parts]
    explained = not decided and s.explained_by is not None and s.on_negatives < s.control
    blurred = decided and task.contributions is not None
    sure = s.pull_interval[0] >= PULL
    of_columns = isinstance(task.domain, RawTables)
    overtakes = s.on_negatives < OVERTAKEN and (decided or not of_columns)
    spurious = (((decided and not blurred) or explained) and widespread and sure) or overtakes
    undecided = not spurious and not decided and sure and bool(rivals)
    where = f"outside the rule's {task.domain.part}s" if task.known else f"in the {task.domain.example}"
    ends = f"[{s.pull_interval[0]:.0%}, {s.pull_interval[1]:.0%}]".replace("-", "−")
    evidence = (
        f"{s.name} stands {where} in {s.positives} training positives and {s.negatives} negatives (p = {s.p:.0e}). Put "
        f"on test negatives, label unchanged, it moves the model {s.pull:.0%} {ends} of the way to the "
        f"positives (AUROC {s.control:.2f} → {s.on_negatives:.2f})."
    )
    if s.loss is not None:
        evidence += f" Taken out of test positives it takes {s.loss:.0%} of that way."
    remedy = f"Add negatives with {s.name} and positives without it, or mask it, and train again."
    if explained and spurious:
        evidence += (
            f" The {s.without} training {task.domain.example}s with {s.explained_by} and without {s.name} have the "
            f"label as often as those with both, so {s.name} tells nothing that {s.explained_by} does not: the model "
            f"uses {s.name} all the same."
        )
    elif undecided:
        leaned = max([s, *rivals], key=lambda other: other.pull)
        both = joined([s.name, *(other.name for other in rivals)])
        evidence += (
            f" {both} never part in these data, so the data cannot tell which of them is the cause; the model leans on "
            f"{leaned.name}."
        )
        remedy = (
            f"Decide by experiment or with more data: {task.domain.example}s that have one of {both} without the other."
        )
    elif not sure and not spurious:
        evidence += f" It may be less than {PULL:.0%}."
    elif blurred and not spurious:
        evidence += " It contributes nothing itself; the model may take it for what does."
    elif not decided:
        why = "No rule was given" if not task.known else "The rule does not decide this label"
        evidence += f" {why}, so the data cannot tell cause from shortcut."
        if not spurious:
            remedy = f"Decide by experiment: the same {task.domain.example} with and without {s.name}."
    if spurious and mended is not None and mended.groups == tuple(s.name.split(" + ")):
        score = f"held-out AUROC {mended.quality_before:.2f} → {mended.quality_after:.2f}"
        remedy += (
            f" Tried here: with {mended.changed} edited {task.domain.example}s added to the training set its pull "
            f"falls from {mended.pull_before:.0%} to {mended.pull_after:.0%} ({score})."
        )
    return Finding(
        name=f"shortcut {s.name}",
        pitfall="spurious correlation",
        question="true of the model?",
        status="distrust" if spurious or (undecided and not of_columns) else "caution",
        evidence=evidence,
        remedy=remedy,
        value=s.on_negatives,
        chance=0.5,
        control=s.control,
    )


def _where_both(rung: DecoyRung) -> str:
    rule = f" and the rule with {rung.rule_attribution:.2f}" if np.isfinite(rung.rule_attribution) else ""
    return f"where it is present, attribution finds the decoy with {rung.decoy_attribution:.2f}{rule}"
