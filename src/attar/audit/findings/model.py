"""Is it true of the model: does the model predict, and does the attribution say what it does and what it has learnt?"""

from attar.audit.findings.finding import Finding, Status, interval_text, number, signed
from attar.audit.findings.thresholds import (
    DROP_ON_NEW,
    FEW_COMPARED,
    FEW_SCORED,
    FROM_INPUT,
    GOOD_PREDICTION,
    LITTLE_PREDICTION,
    WEAKLY_RANKED,
)
from attar.evaluation.intervals import Interval
from attar.evaluation.score import SAME, WORSE, Score
from attar.experiments.task import Task


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
        evidence=f"{model}: held-out {measure} {interval_text(held_out)}: {said}.",
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
        evidence=f"{model}: {measure} {interval_text(unlike)} on whole clusters of {task.domain.example}s unlike any "
        f"in training, {signed(-drop)} against a random split.",
        remedy="" if status == "ok" else "Do not carry explanations over to what is unlike the training set.",
        value=unlike.score,
        interval=(unlike.low, unlike.high),
        chance=0.5 if task.task == "classification" else 0.0,
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
        f"out, Spearman's ρ is {interval_text(score.mean)} (n = {score.mean.n}; chance "
        f"{number(score.chance.score)}): {said}.",
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
        f"Spearman's ρ {interval_text(score.mean)} (n = {score.mean.n}; chance {number(score.chance.score)}): {said}.",
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
        f"agrees with Spearman's ρ {interval_text(score.mean)} (n = {score.mean.n}; 0 is best): {said}.",
        remedy="Compare with a method whose values do not multiply the input." if status == "caution" else "",
        value=score.mean.score,
        interval=(score.mean.low, score.mean.high),
        chance=score.chance.score,
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
