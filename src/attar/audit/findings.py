"""What an audit found: one sentence of evidence each, judged by thresholds that stand here and nowhere else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from attar.core.note import Note, listed
from attar.domains.molecules.bag import Ambiguity
from attar.evaluation.accuracy import Accuracy
from attar.evaluation.intervals import Interval
from attar.evaluation.score import BETTER, SAME, WORSE, Score
from attar.experiments.fragments import Fragment
from attar.experiments.task import Task
from attar.pitfalls.coverage import Alternative
from attar.pitfalls.dataset_bias import Shift
from attar.pitfalls.duplicates import Duplicates
from attar.pitfalls.imperfect_model import Rung, faithful, placed
from attar.pitfalls.label_noise import LabelNoise
from attar.pitfalls.mend import Mended
from attar.pitfalls.population import Difference, TwoSample
from attar.pitfalls.shortcut_search import Shortcut
from attar.pitfalls.slices import Slice
from attar.pitfalls.spurious_correlation import DecoyRung

Status = Literal["ok", "note", "caution", "distrust"]

GOOD_PREDICTION = 0.80  # a held-out AUROC below it is a caution
LITTLE_PREDICTION = 0.55  # an interval that reaches below it is hardly a prediction; below chance it is none
DROP_ON_NEW = 0.10  # more lost on whole unseen clusters is a caution
ABOVE_CHANCE = 0.05  # an attribution that may lie this close to chance shows nothing
RULE_IS_LABEL = 0.98  # from this agreement on, what lies outside the rule cannot be the cause
PULL = 0.10  # a shortcut must move the model by this share of the gap between the classes
WIDESPREAD = 0.10  # in a smaller share of the training positives a shortcut bends few answers
OVERTAKEN = 0.50  # negatives with it outrank positives without it
FEW_POSITIVES = 50
FEW_COMPARED = 10  # examples, below which nothing is said of how two rankings agree
FEW_SCORED = 30  # with fewer examples, a wide interval is no evidence against an attribution
RARE = 0.02  # share of the smaller class
SHIFTED = 0.20  # Kolmogorov-Smirnov distance of a property between train and test
WEAKLY_RANKED = 0.20  # Spearman's rho of values and what taking groups out does, or of two models' values
FROM_INPUT = 0.50  # so much of an attribution that stays without anything learnt is the input's own
TOLD_APART = 0.60  # AUROC from which training and test examples are different examples
WORSE_SLICE = 0.10  # less of a slice on the right side than of the rest
NOISY_LABELS = 0.05  # a share of wrong labels that may be no smaller
COPIED = 0.01  # share of the test examples that training has too, of all examples whose copies differ in label
SHOWN = 10  # training positives, below which nothing is known of an alternative of the rule


@dataclass(frozen=True)
class Finding:
    """`question` says what was asked ("true of the phenomenon", "true of the model", "the data"); `status` is what
    it means for the verdict; `note` never counts."""

    name: str
    pitfall: str
    question: str
    status: Status
    evidence: str
    remedy: str
    value: float | None = None
    interval: tuple[float, float] | None = None
    chance: float | None = None
    control: float | None = None


def prediction_finding(model: str, task: Task, held_out: Interval, attribution: Finding | None = None) -> Finding:
    """Does the model know the answer at all? Attributions of one that does not are noise, unless they find the rule
    (`attribution`) all the same: then it is the held-out labels that say little."""
    measure, floor = ("AUROC", 0.5) if task.task == "classification" else ("R²", 0.0)
    good, little = (GOOD_PREDICTION, LITTLE_PREDICTION) if task.task == "classification" else (0.5, 0.05)
    doubtful = held_out.score < good or held_out.low < little
    unknown = held_out.low <= floor
    finds = attribution is not None and attribution.status == "ok"
    status: Status = "distrust" if unknown and not finds else "caution" if doubtful else "ok"
    unseen = f"unseen {task.domain.example}s"
    said = {
        "ok": f"it predicts {unseen}",
        "caution": f"it predicts {unseen}, with many errors; attributions weaken faster than predictions",
        "distrust": f"it may not predict {unseen} at all, so its attributions may be noise",
    }[status]
    if unknown and finds:
        said = f"by their labels it may not predict {unseen} at all, yet its attribution finds the rule in them"
    return Finding(
        name="held-out prediction",
        pitfall="imperfect model",
        question="does the model know the answer?",
        status=status,
        evidence=f"{model}: held-out {measure} {_interval(held_out)}: {said}.",
        remedy="" if status == "ok" else "More or cleaner data, or another model, before any explanation is read.",
        value=held_out.score,
        interval=(held_out.low, held_out.high),
        chance=floor,
    )


def unlike_finding(model: str, task: Task, held_out: Interval, unlike: Interval) -> Finding:
    """How much is lost on examples that no training example is close to?"""
    drop = held_out.score - unlike.score
    measure = "AUROC" if task.task == "classification" else "R²"
    status: Status = "caution" if drop > DROP_ON_NEW else "ok"
    return Finding(
        name="unlike the training set",
        pitfall="dataset bias",
        question="does the model know the answer?",
        status=status,
        evidence=f"{model}: {measure} {_interval(unlike)} on whole clusters of {task.domain.example}s unlike any in "
        f"training, {_signed(-drop)} against a random split.",
        remedy="" if status == "ok" else "Do not carry explanations over to what is unlike the training set.",
        value=unlike.score,
        interval=(unlike.low, unlike.high),
        chance=0.5 if task.task == "classification" else 0.0,
    )


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
        f"{method} on {model} {measured} {_interval(score)} (n = {score.n}; chance {_value(by_chance)}, "
        f"trivial control {_value(trivial)}): {said}."
    )
    if pairs > 1 and best[1].low <= trivial:
        evidence += (
            f" None of the {pairs} pairs of model and method beats the trivial control; the best is {best[0]} with "
            f"{_interval(best[1])}."
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
        + (f" Not found: {_and(lost)}. The rule needs it, but the data hardly contrast it." if lost else ""),
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
        evidence=f"On a ladder of ever worse models ({model}; {_and(list(dict.fromkeys(r.name for r in usable)))}), "
        f"prediction {_value(held_out.score)} buys an attribution score of {_value(middle)} ± {half:.2f} of a possible "
        f"{top:.2f}; prediction {_value(bottom.prediction)} buys {_value(bottom.attribution.score)}"
        f"{_better_explain(usable)}.",
        remedy="" if status == "ok" else "A better model first: attribution is lost sooner than prediction.",
        value=middle,
        interval=(middle - half, middle + half),
        control=trivial,
    )


def removal_finding(task: Task, model: str, method: str, score: Score) -> Finding:
    """Does the model lose most by the groups that the attribution puts first?"""
    unlike = score.verdict in (SAME, WORSE)
    output = "logit" if task.task == "classification" else "prediction"
    status: Status = "ok"
    said = "the larger a group's value, the more the model loses with it"
    if score.mean.n < FEW_COMPARED:
        status, said = "note", f"too few {task.domain.example}s have two groups that can go"
    elif unlike and score.mean.n >= FEW_SCORED:
        status = "distrust"
        said = "what it puts first matters to the model no more than anything else, so it does not describe this model"
    elif unlike or score.mean.high < WEAKLY_RANKED:
        status, said = "caution", "it hardly says which groups matter to the model"
    return Finding(
        name="groups taken out",
        pitfall="imperfect model",
        question="true of the model?",
        status=status,
        evidence=f"{method} on {model}: between a group's value and what the {output} loses when the group is taken "
        f"out, Spearman's ρ is {_interval(score.mean)} (n = {score.mean.n}; chance "
        f"{_value(score.chance.score)}): {said}.",
        remedy="Explain this model by another method: occlusion asks it directly."
        if status in ("caution", "distrust")
        else "",
        value=score.mean.score,
        interval=(score.mean.low, score.mean.high),
        chance=score.chance.score,
    )


def consistency_finding(task: Task, model: str, method: str, score: Score, made: str) -> Finding:
    """Would another model, made alike, be explained alike? `made` says how the models differ."""
    unlike = score.verdict in (SAME, WORSE)
    status: Status = "ok"
    said = f"they agree on which {task.domain.part}s matter"
    if score.mean.n < FEW_COMPARED:
        status, said = "note", f"too few {task.domain.example}s to tell"
    elif unlike and score.mean.n >= FEW_SCORED:
        status, said = "distrust", "they agree no more than random values do, so what is read here is this one fit"
    elif unlike or score.mean.low < WEAKLY_RANKED:
        status, said = "caution", "they agree little: part of what is read here is this one fit"
    return Finding(
        name="consistency",
        pitfall="imperfect model",
        question="true of the model?",
        status=status,
        evidence=f"{method} on {model}: {made} rank the {task.domain.part}s of the same {task.domain.example}s with "
        f"Spearman's ρ {_interval(score.mean)} (n = {score.mean.n}; chance {_value(score.chance.score)}): {said}.",
        remedy="Average the attribution over several fits, and read only what they share."
        if status in ("caution", "distrust")
        else "",
        value=score.mean.score,
        interval=(score.mean.low, score.mean.high),
        chance=score.chance.score,
    )


def randomisation_finding(task: Task, model: str, method: str, score: Score) -> Finding:
    """Does the attribution depend on what was learnt, or would it say the same without?"""
    status: Status = "caution" if score.mean.low > FROM_INPUT else "ok"
    said = {
        "ok": "it depends on what was learnt",
        "caution": f"much of it shows the {task.domain.example}, whatever was learnt",
    }[status]
    return Finding(
        name="labels in random order",
        pitfall="imperfect model",
        question="true of the model?",
        status=status,
        evidence=f"{method} on {model}: with a model that learnt from the same labels in random order the attribution "
        f"agrees with Spearman's ρ {_interval(score.mean)} (n = {score.mean.n}; 0 is best): {said}.",
        remedy="Compare with a method whose values do not multiply the input." if status == "caution" else "",
        value=score.mean.score,
        interval=(score.mean.low, score.mean.high),
        chance=score.chance.score,
    )


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
        f"{_signed(worst.clean - clean.clean)}, while negatives that carry it bring the AUROC to "
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
    """Spurious where the rule decides the label without it, where another group explains the label without it, or where
    negatives with it overtake the positives; undecided where it never parts from another that moves the model too.

    Where numbers are contributed, a group close to one that contributes may move a model that cannot tell them apart.
    """
    s = shortcut
    widespread = s.positives >= WIDESPREAD * positives
    rivals = [other for other in moving if other.name in s.never_parts]
    explained = not decided and s.explained_by is not None and s.on_negatives < s.control
    blurred = decided and task.contributions is not None
    spurious = (((decided and not blurred) or explained) and widespread) or s.on_negatives < OVERTAKEN
    undecided = not spurious and not decided and bool(rivals)
    where = f"outside the rule's {task.domain.part}s" if task.known else f"in the {task.domain.example}"
    evidence = (
        f"{s.name} stands {where} in {s.positives} training positives and {s.negatives} negatives (p = {s.p:.0e}). Put "
        f"on test negatives, label unchanged, it moves the model {s.pull:.0%} of the way to the positives (AUROC "
        f"{s.control:.2f} → {s.on_negatives:.2f})."
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
        both = _and([s.name, *(other.name for other in rivals)])
        evidence += (
            f" {both} never part in these data, so the data cannot tell which of them is the cause; the model leans on "
            f"{leaned.name}."
        )
        remedy = (
            f"Decide by experiment or with more data: {task.domain.example}s that have one of {both} without the other."
        )
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
        status="distrust" if spurious or undecided else "caution",
        evidence=evidence,
        remedy=remedy,
        value=s.on_negatives,
        chance=0.5,
        control=s.control,
    )


def given_findings(task: Task, name: str, *, makes: bool) -> list[Finding]:
    """What cannot be asked of a model that was given, and what nobody here knows of it."""
    findings = []
    if not makes:
        findings.append(
            Finding(
                name="questions left open",
                pitfall="imperfect model",
                question="true of the model?",
                status="note",
                evidence=f"{name} was given as it is, so what needs it made again was not asked: label noise, planted "
                "decoys, other seeds, examples unlike the training set.",
                remedy="Give a function without arguments that makes the model (module:make_model) to ask these too.",
            )
        )
    if not makes and not task.given_split:
        findings.append(
            Finding(
                name="training examples unknown",
                pitfall="dataset bias",
                question="does the model know the answer?",
                status="caution",
                evidence=f"The file does not say which {task.domain.example}s {name} was trained on: the scores may be "
                "those of examples that it has seen.",
                remedy="Name a column that says train or test with --split.",
            )
        )
    return findings


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
        f"{_interval(found.auroc)} (chance 0.50, p = {found.p:.2g})"
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


def _better_explain(rungs: Sequence[Rung]) -> str:
    """PARC over the rungs, where it can be told."""
    known = [r for r in rungs if r.values is not None]
    if len(known) < 3 or len({r.prediction for r in known}) < 2:
        return ""
    found = faithful(known)
    order = {BETTER: "the better the model, the better its attribution", WORSE: "the better the model, the worse it"}
    said = order.get(found.verdict, "no order that could not be chance")
    return f"; {said} (PARC {_interval(found.mean)})"


def _where_both(rung: DecoyRung) -> str:
    rule = f" and the rule with {rung.rule_attribution:.2f}" if np.isfinite(rung.rule_attribution) else ""
    return f"where it is present, attribution finds the decoy with {rung.decoy_attribution:.2f}{rule}"


def _difference(d: Difference) -> str:
    return f"{d.name} ({d.train:.3g} in training, {d.test:.3g} in test)"


def _interval(i: Interval) -> str:
    return f"{_value(i.score)} [{_value(i.low)}, {_value(i.high)}]"


def _value(x: float) -> str:
    """With a true minus, and none before a 0 that is left by rounding."""
    return f"{x:.2f}".replace("-0.00", "0.00").replace("-", "−")


def _signed(x: float) -> str:
    return f"{x:+.3f}".replace("-", "−")


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
