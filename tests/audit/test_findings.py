"""Each threshold from both sides, and the verdict from every mix of findings."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from attar.audit.findings import (
    Finding,
    attribution_finding,
    consistency_finding,
    decoy_finding,
    ladder_finding,
    no_rule_finding,
    note_findings,
    parts_finding,
    prediction_finding,
    randomisation_finding,
    removal_finding,
    rule_finding,
    shortcut_findings,
    together_finding,
    unlike_finding,
)
from attar.audit.verdict import sentences, verdict
from attar.core.note import Note
from attar.domains.molecules.domain import Molecules
from attar.domains.molecules.molecule import Molecule
from attar.domains.molecules.truth import read_rule, read_sum
from attar.evaluation.accuracy import Accuracy
from attar.evaluation.intervals import Interval
from attar.evaluation.score import Intervals, Score
from attar.experiments.fragments import Fragment
from attar.experiments.sum_truth import SumTruth
from attar.experiments.task import Task
from attar.pitfalls.imperfect_model import Rung
from attar.pitfalls.mend import Mended
from attar.pitfalls.shortcut_search import Shortcut
from attar.pitfalls.spurious_correlation import DecoyRung


def finding(status: str, pitfall: str = "dataset bias", name: str = "x") -> Finding:
    return Finding(name, pitfall, "the data", status, f"evidence of {status}", "")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("score", "low", "status"),
    [(0.9, 0.85, "ok"), (0.79, 0.7, "caution"), (0.9, 0.54, "caution"), (0.5, 0.45, "distrust")],
)
def test_held_out_prediction(score: float, low: float, status: str) -> None:
    found = prediction_finding("glm", task([1, 1, 0, 0, 0, 0]), Interval(score, low, 0.95, 100))
    assert (found.status, found.value, found.interval) == (status, score, (low, 0.95))


def test_labels_that_say_little_are_no_noise_where_the_rule_is_found() -> None:
    question, held_out = task([1, 1, 0, 0, 0, 0]), Interval(0.55, 0.48, 0.61, 100)
    for status, expected in (("ok", "caution"), ("caution", "distrust"), ("distrust", "distrust")):
        found = prediction_finding("glm", question, held_out, finding(status))
        assert found.status == expected
        assert ("finds the rule" in found.evidence) == (status == "ok")
    assert prediction_finding("glm", question, Interval(0.9, 0.85, 0.95, 100), finding("ok")).status == "ok"


@pytest.mark.parametrize(("score", "low", "status"), [(0.6, 0.5, "ok"), (0.4, 0.2, "caution"), (0.1, 0.0, "distrust")])
def test_a_regression_is_judged_by_its_r2(score: float, low: float, status: str) -> None:
    found = prediction_finding(
        "glm", replace(task([1, 1, 0, 0, 0, 0]), task="regression"), Interval(score, low, 0.7, 100)
    )
    assert found.status == status
    assert "R²" in found.evidence


@pytest.mark.parametrize(("clusters", "status"), [(0.85, "ok"), (0.79, "caution")])
def test_what_is_lost_on_new_chemistry(clusters: float, status: str) -> None:
    held_out = Interval(0.90, 0.88, 0.92, 100)
    found = unlike_finding("glm", task([1, 1, 0, 0, 0, 0]), held_out, Interval(clusters, 0.7, 0.9, 100))
    assert found.status == status
    assert "−" in found.evidence


CASES = [
    # score, low, high, n → chance .5, trivial .65
    (0.90, 0.85, 0.95, 80, "ok", "better than chance and than the trivial control"),
    (0.70, 0.60, 0.80, 80, "caution", "not than the trivial control"),
    (0.60, 0.55, 0.65, 80, "distrust", "no better than random atoms"),
    (0.60, 0.56, 0.65, 80, "caution", "not than the trivial control"),
    (0.75, 0.52, 0.95, 12, "caution", "too few molecules"),
    (0.60, 0.40, 0.80, 12, "distrust", "no better than random atoms"),
    (0.20, 0.10, 0.30, 80, "distrust", "worse than random atoms"),
]


@pytest.mark.parametrize(("score", "low", "high", "n", "status", "said"), CASES)
def test_attribution_against_chance_and_control(
    score: float, low: float, high: float, n: int, status: str, said: str
) -> None:
    interval = Interval(score, low, high, n)
    found = attribution_finding(
        task([1, 1, 0, 0, 0, 0]), "glm", "cam", interval, 0.5, 0.65, ("cam on gcn", Interval(0.9, 0.85, 0.95, 80)), 4
    )
    assert (found.status, found.chance, found.control) == (status, 0.5, 0.65)
    assert said in found.evidence
    assert "None of the" not in found.evidence


def test_it_says_plainly_when_nothing_beats_the_trivial_control() -> None:
    interval = Interval(0.6, 0.58, 0.62, 80)
    best = ("occlusion on mlp", Interval(0.74, 0.69, 0.79, 80))
    found = attribution_finding(task([1, 1, 0, 0, 0, 0]), "glm", "cam", interval, 0.5, 0.7, best, 12)
    assert "None of the 12 pairs of model and method beats the trivial control" in found.evidence
    assert "occlusion on mlp with 0.74 [0.69, 0.79]" in found.evidence


def test_a_part_of_the_rule_that_is_not_found() -> None:
    chance = Accuracy(0.5, 0.5, {"X": 0.5, "C": 0.5})
    parts = {"X": Interval(0.4, 0.3, 0.5, 50), "C": Interval(0.8, 0.7, 0.9, 50)}
    found = parts_finding("glm", "cam", parts, chance)
    assert found is not None
    assert found.status == "caution"
    assert "Not found: X." in found.evidence
    fine = parts_finding("glm", "cam", {**parts, "X": Interval(0.7, 0.6, 0.8, 50)}, chance)
    assert fine is not None
    assert fine.status == "ok"
    assert parts_finding("glm", "cam", {"C": parts["C"]}, chance) is None


def test_the_place_on_the_ladder() -> None:
    rungs = [Rung(0.0, 1.0, Interval(0.8, 0.75, 0.85, 50)), Rung(0.5, 0.5, Interval(0.5, 0.45, 0.55, 50))]
    low = ladder_finding("glm", rungs, Interval(0.6, 0.55, 0.65, 50), trivial=0.6)
    high = ladder_finding("glm", rungs, Interval(0.98, 0.97, 0.99, 50), trivial=0.6)
    assert low is not None
    assert high is not None
    assert low.value == pytest.approx(0.56)
    assert (low.status, high.status) == ("caution", "ok")
    nothing = [Rung(0.0, 1.0, Interval(np.nan, np.nan, np.nan, 0))]
    assert ladder_finding("glm", nothing, Interval(0.9, 0.8, 1.0, 50), trivial=0.6) is None


def decoy(share: float, on_negatives: float, rule: float = 0.5) -> DecoyRung:
    return DecoyRung("*Cl", share, 10, 0.98, 0.99, on_negatives, 0.9, rule, 0.5)


def test_decoys_are_a_note_and_name_the_worst() -> None:
    found = decoy_finding([decoy(0.0, 0.97), decoy(0.5, 0.6), decoy(0.5, 0.4), decoy(1.0, 0.0)])
    assert found is not None
    assert (found.status, found.value, found.control) == ("note", 0.4, 0.97)
    without_rule = decoy_finding([decoy(0.0, 0.97), decoy(0.5, 0.6, rule=np.nan)])
    assert without_rule is not None
    assert "nan" not in without_rule.evidence
    assert decoy_finding([decoy(0.0, 0.9)]) is None


SMILES = ["OCCc1ccccc1", "OCC(C)C", "CCN", "CCC", "CCCC", "c1ccccc1"]


def task(labels: list[float], rule: str | None = "rose") -> Task:
    molecules = tuple(Molecule.of(s) for s in SMILES)
    test = np.zeros(len(SMILES), dtype=bool)
    parsed = None if rule is None else read_rule(rule)
    return Task(
        name="t",
        source="t",
        domain=Molecules(),
        examples=molecules,
        labels=np.array(labels),
        task="classification",
        test=test,
        rule=parsed,
        rule_name=rule,
    )


def shortcut(pull: float = 0.5, on_negatives: float = 0.8) -> Shortcut:
    return Shortcut("*Cl", 30, 2, 1e-9, pull, (pull - 0.05, pull + 0.05), on_negatives, 0.98)


def test_a_shortcut_outside_a_rule_that_is_the_label_is_distrusted() -> None:
    (found,) = shortcut_findings(task([1, 1, 0, 0, 0, 0]), [shortcut()])
    assert found.status == "distrust"
    assert "*Cl" in found.name
    assert "*Cl" in found.remedy


def test_a_shortcut_in_few_of_the_positives_is_a_caution() -> None:
    labels = np.r_[np.ones(301), np.zeros(300)]
    rose, other = Molecule.of("OCCc1ccccc1"), Molecule.of("CCN")
    many = replace(task([1, 1, 0, 0, 0, 0]), examples=(rose,) * 301 + (other,) * 300, labels=labels, test=labels < 0)
    (few,) = shortcut_findings(many, [shortcut()])  # 30 of 301
    (enough,) = shortcut_findings(many, [replace(shortcut(), positives=31)])
    assert (few.status, enough.status) == ("caution", "distrust")


def test_where_the_rule_does_not_decide_the_label_it_takes_more_to_distrust() -> None:
    real = task([1, 0, 1, 0, 1, 0])
    (weak,) = shortcut_findings(real, [shortcut(on_negatives=0.6)])
    (strong,) = shortcut_findings(real, [shortcut(on_negatives=0.4)])
    assert (weak.status, strong.status) == ("caution", "distrust")
    assert "cannot tell cause from shortcut" in weak.evidence
    (unruled,) = shortcut_findings(task([1, 0, 1, 0, 1, 0], rule=None), [shortcut(on_negatives=0.6)])
    assert "No rule was given" in unruled.evidence


def test_a_group_that_may_hardly_move_the_model_is_a_caution() -> None:
    question = task([1, 1, 0, 0, 0, 0])
    (sure,) = shortcut_findings(question, [replace(shortcut(), pull_interval=(0.10, 0.9))])
    (unsure,) = shortcut_findings(question, [replace(shortcut(), pull_interval=(0.0999, 0.9))])
    (overtaken,) = shortcut_findings(question, [replace(shortcut(on_negatives=0.4), pull_interval=(-0.2, 0.9))])
    assert [sure.status, unsure.status, overtaken.status] == ["distrust", "caution", "distrust"]
    assert "50% [10%, 90%] of the way" in unsure.evidence
    assert unsure.evidence.endswith("It may be less than 10%.")
    assert "[−20%, 90%]" in overtaken.evidence


def test_two_that_never_part_are_undecided_only_where_they_surely_move_the_model() -> None:
    question = task([1, 0, 1, 0, 1, 0], rule=None)
    one, other = replace(shortcut(), never_parts=("*O",)), replace(shortcut(0.7), name="*O", never_parts=("*Cl",))
    found = shortcut_findings(question, [replace(one, pull_interval=(0.05, 0.95)), other])
    assert [f.status for f in found] == ["caution", "distrust"]


def test_a_group_that_hardly_moves_the_model_is_no_shortcut() -> None:
    (found,) = shortcut_findings(task([1, 1, 0, 0, 0, 0]), [shortcut(pull=0.05)])
    assert found.status == "ok"


def test_a_group_beside_which_it_tells_nothing_makes_it_spurious_without_a_rule() -> None:
    question = task([1, 0, 1, 0, 1, 0], rule=None)
    (found,) = shortcut_findings(question, [replace(shortcut(), explained_by="*O", without=40)])
    assert found.status == "distrust"
    assert "*Cl tells nothing that *O does not" in found.evidence
    assert "40 training molecules with *O and without *Cl" in found.evidence
    (harmless,) = shortcut_findings(question, [replace(shortcut(on_negatives=0.98), explained_by="*O", without=40)])
    assert harmless.status == "caution"


def test_groups_that_never_part_are_both_named_and_the_one_that_the_model_leans_on() -> None:
    question = task([1, 0, 1, 0, 1, 0], rule=None)
    one, other = replace(shortcut(), never_parts=("*O",)), replace(shortcut(0.7), name="*O", never_parts=("*Cl",))
    both = shortcut_findings(question, [one, other])
    assert [f.status for f in both] == ["distrust", "distrust"]
    for said in both:
        assert "never part in these data" in said.evidence
        assert "the model leans on *O" in said.evidence
        assert "without the other" in said.remedy
    (alone,) = shortcut_findings(question, [one])  # the other does not move the model: nothing to decide between
    assert alone.status == "caution"
    ruled = shortcut_findings(task([1, 1, 0, 0, 0, 0]), [one])
    assert "never part" not in ruled[0].evidence


def test_what_mending_it_brought_is_said_of_the_group_that_was_mended() -> None:
    done = Mended(
        way="added",
        groups=("*Cl",),
        changed=12,
        pull_before=0.5,
        pull_after=0.02,
        quality_before=0.98,
        quality_after=0.97,
    )
    question = task([1, 1, 0, 0, 0, 0])
    (found,) = shortcut_findings(question, [shortcut()], done)
    assert "with 12 edited molecules added to the training set its pull falls from 50% to 2%" in found.remedy
    assert "0.98 → 0.97" in found.remedy
    (other,) = shortcut_findings(question, [replace(shortcut(), name="*O")], done)
    assert "Tried here" not in other.remedy


def score(mean: float, half: float, n: int = 50, chance: float = 0.0, spread: float = 0.05) -> Score:
    """A score of that mean and interval; random values lie within `spread` of chance."""
    return Score(
        measure="ρ",
        values=np.full((1, n), mean),
        random=np.full((3, n), chance),
        worst=-1.0,
        best=1.0,
        known=Intervals(
            mean=Interval(mean, mean - half, mean + half, n),
            chance=Interval(chance, chance - spread, chance + spread, n),
            margin=Interval(mean - chance, mean - half - chance, mean + half - chance, n),
        ),
    )


@pytest.mark.parametrize(
    ("found", "status"),
    [
        (score(0.7, 0.1), "ok"),
        (score(0.15, 0.04), "caution"),  # better than chance, and weak all over
        (score(0.15, 0.06), "ok"),
        (score(0.03, 0.1), "distrust"),
        (score(-0.4, 0.1), "distrust"),
        (score(0.03, 0.1, n=29), "caution"),
        (score(-0.4, 0.1, n=9), "note"),
    ],
)
def test_groups_that_the_method_puts_first_matter_to_the_model(found: Score, status: str) -> None:
    said = removal_finding(task([1, 1, 0, 0, 0, 0]), "gcn", "cam", found)
    assert (said.status, said.value) == (status, found.mean.score)
    assert bool(said.remedy) == (status in ("caution", "distrust"))
    assert f"n = {found.mean.n}" in said.evidence


@pytest.mark.parametrize(
    ("found", "status"),
    [
        (score(0.7, 0.1), "ok"),
        (score(0.25, 0.06), "caution"),
        (score(0.25, 0.05), "ok"),
        (score(0.02, 0.1), "distrust"),
        (score(0.02, 0.1, n=29), "caution"),
        (score(0.02, 0.1, n=9), "note"),
    ],
)
def test_models_made_alike_are_explained_alike(found: Score, status: str) -> None:
    said = consistency_finding(task([1, 1, 0, 0, 0, 0]), "gcn", "cam", found, "models of 3 seeds")
    assert said.status == status
    assert "models of 3 seeds rank the atoms of the same molecules" in said.evidence


@pytest.mark.parametrize(
    ("found", "status"), [(score(0.2, 0.1), "ok"), (score(0.7, 0.2), "ok"), (score(0.7, 0.19), "caution")]
)
def test_what_stays_without_anything_learnt_is_the_inputs_own(found: Score, status: str) -> None:
    assert randomisation_finding(task([1, 1, 0, 0, 0, 0]), "gcn", "cam", found).status == status


def test_the_ladder_says_whether_better_models_explain_better() -> None:
    def rungs(sign: int) -> list[Rung]:
        each = [(at, np.full((3, 40), 0.6 + sign * 0.4 * (at - 0.5))) for at in (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)]
        return [Rung(0.0, at, Interval(v.mean(), v.mean() - 0.01, v.mean() + 0.01, 40), values=v) for at, v in each]

    for sign, said in (
        (1, "the better the model, the better its attribution (PARC 1.00"),
        (-1, "the worse it (PARC −1.00"),
    ):
        found = ladder_finding("glm", rungs(sign), Interval(0.9, 0.85, 0.95, 100), 0.5)
        assert found is not None
        assert said in found.evidence


def test_how_much_of_the_label_the_rule_explains() -> None:
    whole, part = rule_finding(task([1, 1, 0, 0, 0, 0])), rule_finding(task([1, 0, 1, 0, 0, 0]))
    assert whole is not None
    assert part is not None
    assert (whole.status, part.status) == ("ok", "caution")
    assert "50% of them have the label (lift 1.5), and it covers 50%" in part.evidence
    assert rule_finding(task([1, 0, 1, 0, 0, 0], rule=None)) is None


def of_oxygens(slope: float = 1.0) -> Task:
    """Numbers that are so many for each oxygen; 0.3 of something else on one molecule if the slope is not 1."""
    question = task([1, 1, 0, 0, 0, 0], rule=None)
    total = read_sum('count("[OX2]") + 2 * count("[#7]")')
    truth = SumTruth(total, question.domain)
    labels = np.array([truth(m).sum() for m in question.examples])
    labels[0] += 3 * (1 - slope)
    return replace(question, task="regression", labels=labels, contributions=truth)


def test_a_sum_is_judged_as_a_rule_is() -> None:
    whole, part = rule_finding(of_oxygens()), rule_finding(of_oxygens(-2.0))
    assert whole is not None
    assert part is not None
    assert (whole.status, part.status) == ("ok", "caution")
    assert "100% of the label's variance" in whole.evidence
    assert of_oxygens().accounted == pytest.approx(1.0)
    assert of_oxygens(-2.0).accounted < 0.98
    score = Interval(0.5, 0.4, 0.6, 100)
    found = attribution_finding(of_oxygens(), "glm", "occlusion", score, -0.001, -0.1, ("occlusion on glm", score), 1)
    assert (
        "ranks atoms by what they contribute with Kendall's τ 0.50 [0.40, 0.60] (n = 100; chance 0.00, "
        in found.evidence
    )
    assert found.status == "ok"
    turned = Interval(-0.5, -0.6, -0.4, 100)
    said = attribution_finding(of_oxygens(), "glm", "cam", turned, 0.0, -0.1, ("cam on glm", turned), 1)
    assert (said.status, "what adds is said to take away" in said.evidence) == ("distrust", True)


def test_outside_a_sum_that_is_the_label_it_may_be_taken_for_what_contributes() -> None:
    (found,) = shortcut_findings(of_oxygens(), [shortcut()])
    assert found.status == "caution"
    assert "outside the rule's atoms" in found.evidence
    assert "It contributes nothing itself" in found.evidence
    (overtaken,) = shortcut_findings(of_oxygens(), [shortcut(on_negatives=0.4)])
    assert overtaken.status == "distrust"
    (undecided,) = shortcut_findings(of_oxygens(-2.0), [shortcut()])
    assert undecided.status == "caution"
    assert "The rule does not decide this label" in undecided.evidence


def fragment(*members: str) -> Fragment:
    return Fragment(members[0], True, 1.0, 0.5, 1.5, 10, 5, 0.5, members, "CCO", 0, 1)


def test_fragments_that_come_together_are_a_note() -> None:
    found = together_finding([fragment("CO"), fragment("CN", "N", "CCN"), fragment("S", "CS")])
    assert found is not None
    assert (found.status, found.value) == ("note", pytest.approx(2 / 3))
    assert "up to 3: CN and others" in found.evidence
    assert together_finding([fragment("CO")]) is None
    assert together_finding([]) is None


def test_notes_of_the_reader_weigh_by_how_many_rows() -> None:
    few = Note("conflicting labels", 1, (3,), "one")
    many = Note("conflicting labels", 5, (3, 4, 5, 6, 7), "five")
    said = Note("column found", 1, (), "found")
    leak = Note("leak across split", 1, (9,), "leak")
    statuses = [f.status for f in note_findings([few, many, said, leak], 100)]
    assert statuses == ["note", "caution", "note", "caution"]


@pytest.mark.parametrize("statuses", list(itertools.product(["ok", "note", "caution", "distrust"], repeat=2)))
def test_the_verdict_is_the_worst_that_counts(statuses: tuple[str, str]) -> None:
    expected = "distrust" if "distrust" in statuses else "caution" if "caution" in statuses else "trust"
    assert verdict([finding(s) for s in statuses]) == expected


def test_the_two_sentences_say_what_and_why() -> None:
    spurious = finding("distrust", "spurious correlation")
    opening, reason = sentences("distrust", "cam on gcn", [finding("caution"), spurious, finding("distrust")])
    assert "Do not act" in opening
    assert "cam on gcn" in opening
    assert reason == spurious.evidence
    assert sentences("trust", "cam on gcn", [finding("ok")])[1] == "evidence of ok"
    leak = replace(finding("caution", "dataset bias"), name="leaking column after", evidence="it is the label")
    moved, rule = finding("caution", "spurious correlation"), replace(finding("caution"), name="no rule")
    assert sentences("caution", "glm", [rule, moved, leak])[1] == "it is the label"
    assert no_rule_finding(task([1, 1, 0, 0, 0, 0])).status == "caution"
