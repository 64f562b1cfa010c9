"""A model that somebody else made, audited as it is or made again."""

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from attar.audit.plan import GivenPlan
from attar.audit.run import audit
from attar.cli import main
from attar.core.errors import InputError
from attar.domains.molecules.edit import detached, rings, saturated, substituents
from attar.domains.molecules.graphs import ATOM_FEATURES, BOND_FEATURES
from attar.domains.molecules.library import nci_molecules
from attar.domains.molecules.molecule import Molecule
from attar.domains.molecules.networks import GraphNetwork
from attar.domains.molecules.truth import read_rule
from attar.experiments.given_models import GivenRecipe
from attar.experiments.molecule_task import labelled_by_rule
from attar.experiments.named import named_object
from attar.experiments.task import Task

RULE = 'has("[OX2H]") and has("c1ccccc1")'
BITS = 512
_FINGERPRINT = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=BITS)
SOME = [Molecule.of(s) for s in ("OCCc1ccccc1", "CCO", "CCC(C)c1ccccc1", "Oc1ccccc1", "CC(=O)OC")]


def task(count: int = 500) -> Task:
    return labelled_by_rule("NCI", "NCI", nci_molecules()[:count], rule=read_rule(RULE), rule_name=RULE, seed=0)


def fingerprints(smiles: list[str]) -> np.ndarray:
    """As a user of RDKit makes them."""
    return np.array([_FINGERPRINT.GetFingerprintAsNumPy(Chem.MolFromSmiles(s)) for s in smiles]).astype(float)


def trained(estimator: Any) -> Any:
    examples, labels = task().part(task().train)
    return estimator.fit(fingerprints([m.smiles for m in examples]), labels.astype(int))


@pytest.mark.parametrize(
    ("estimator", "own"),
    [
        (LogisticRegression(), "weight-times-input"),
        (RandomForestClassifier(20, random_state=0), "occlusion"),
        (HistGradientBoostingClassifier(max_iter=10), "occlusion"),  # takes no sparse table
    ],
)
def test_an_estimator_is_given_the_fingerprints_that_rdkit_makes(estimator: Any, own: str) -> None:
    model = trained(estimator)
    recipe = GivenRecipe(model=model)
    assert recipe.methods[0] == own
    assert not recipe.makes
    assert not recipe.seeds_matter
    fitted = recipe.fit([], np.zeros(0), 0)
    expected = model.predict_proba(fingerprints([m.smiles for m in SOME]))[:, 1].clip(1e-9, 1 - 1e-9)
    np.testing.assert_allclose(fitted.predict(SOME).argsort(), np.log(expected / (1 - expected)).argsort())
    values = fitted.explain(SOME, own)
    assert [len(v) for v in values] == [m.size for m in SOME]
    assert any(np.abs(v).max() > 0 for v in values)


def test_occlusion_takes_away_every_bit_that_touches_the_atom() -> None:
    model = trained(RandomForestClassifier(20, random_state=0))
    fitted = GivenRecipe(model=model).fit([], np.zeros(0), 0)
    (values,) = fitted.explain([Molecule.of("OCCc1ccccc1")], "occlusion")
    molecule = Molecule.of("OCCc1ccccc1")
    environments = molecule.environments.up_to(2)
    whole = fingerprints([molecule.smiles])
    for atom in range(molecule.size):
        touching = np.unique(environments.occurrence[environments.atom == atom])
        without = whole.copy()
        without[0, environments.identifier[touching] % BITS] = 0
        both = np.log(model.predict_proba(np.concatenate([whole, without])).clip(1e-12, 1))
        assert values[atom] == pytest.approx(np.subtract(*(both[:, 1] - both[:, 0])), abs=1e-3)


def test_a_module_of_fingerprints_is_attributed_by_its_gradient() -> None:
    torch.manual_seed(0)
    module = torch.nn.Linear(BITS, 1)
    recipe = GivenRecipe(model=module)
    assert recipe.methods == ("integrated-gradients", "occlusion")
    fitted = recipe.fit([], np.zeros(0), 0)
    rows = torch.from_numpy(fingerprints([m.smiles for m in SOME])).float()
    np.testing.assert_allclose(fitted.predict(SOME), module(rows)[:, 0].detach().numpy(), atol=1e-5)
    found = fitted.explained(SOME, "integrated-gradients")
    total = [v.sum() for v in found.values()]
    np.testing.assert_allclose(total, fitted.predict(SOME) - float(module.bias.detach()), atol=1e-4)


def test_a_module_of_two_classes_answers_the_second_less_the_first() -> None:
    torch.manual_seed(0)
    module = torch.nn.Linear(BITS, 2)
    fitted = GivenRecipe(model=module).fit([], np.zeros(0), 0)
    logits = module(torch.from_numpy(fingerprints([m.smiles for m in SOME])).float()).detach().numpy()
    np.testing.assert_allclose(fitted.predict(SOME), logits[:, 1] - logits[:, 0], atol=1e-5)
    total = [v.sum() for v in fitted.explain(SOME, "integrated-gradients")]
    bias = module.bias.detach().numpy()
    np.testing.assert_allclose(total, logits[:, 1] - logits[:, 0] - (bias[1] - bias[0]), atol=1e-4)


def test_a_graph_network_takes_our_graphs() -> None:
    network = GraphNetwork("gcn", len(ATOM_FEATURES), len(BOND_FEATURES)).eval()
    fitted = GivenRecipe(model=network).fit([], np.zeros(0), 0)
    assert fitted.takes == "graphs"
    assert [len(v) for v in fitted.explain(SOME, "occlusion")] == [m.size for m in SOME]


def oxygens(smiles: list[str]) -> list[float]:
    return [float(s.upper().count("O")) for s in smiles]


def test_a_function_over_smiles_is_asked_about_molecules_alone() -> None:
    asked: list[str] = []

    def remembering(smiles: list[str]) -> list[float]:
        asked.extend(smiles)
        return oxygens(smiles)

    fitted = GivenRecipe(model=remembering).fit([], np.zeros(0), 0)
    assert fitted.methods == ("group-occlusion",)
    (values,) = fitted.explain([Molecule.of("OCCCCCC")], "group-occlusion")
    assert all(Chem.MolFromSmiles(s) is not None for s in asked)
    assert values.argmax() == 0
    assert values[0] > 0.3  # alone it counts 1, with the carbons beside it less
    assert fitted.predict(SOME).tolist() == oxygens([m.smiles for m in SOME])
    asked.clear()
    found = fitted.explained(SOME, "group-occlusion").found
    assert int(found.evaluations.sum()) == len(asked)


@pytest.mark.parametrize("smiles", ["CCOC(=O)c1ccccc1", "OCCCCCCCCCCCCCOC1CCCCC1"])
def test_an_atom_has_the_mean_of_what_its_groups_count_for(smiles: str) -> None:
    """Of a chain every carbon is in groups of several sizes; a ring that is cyclohexane already cannot be taken out."""
    molecule = Molecule.of(smiles)

    def worth(smiles: list[str]) -> list[float]:
        return [len(s) + 3.0 * s.count("O") ** 2 for s in smiles]

    (whole,) = worth([molecule.smiles])
    shares: list[list[float]] = [[] for _ in range(molecule.size)]
    groups = [(g.parts, detached(molecule, g.parts)) for g in substituents(molecule)]
    for parts, edited in (*groups, *((r.parts, saturated(molecule, r.parts)) for r in rings(molecule))):
        for atom in parts if edited is not None and edited.smiles != molecule.smiles else ():
            assert edited is not None
            shares[atom].append((whole - worth([edited.smiles])[0]) / len(parts))
    assert max(len(each) for each in shares) > 2
    (values,) = GivenRecipe(model=worth).fit([], np.zeros(0), 0).explain([molecule], "group-occlusion")
    np.testing.assert_allclose(values, [np.mean(each) if each else 0.0 for each in shares])


def test_a_pipeline_that_takes_smiles_is_a_function() -> None:
    examples, labels = task().part(task().train)
    pipeline = make_pipeline(FunctionTransformer(fingerprints), LogisticRegression())
    pipeline.fit([m.smiles for m in examples], labels.astype(int))
    fitted = GivenRecipe(model=pipeline).fit([], np.zeros(0), 0)
    assert fitted.takes == "smiles"
    np.testing.assert_allclose(fitted.predict(SOME), pipeline.predict_proba([m.smiles for m in SOME])[:, 1])


def make_logistic() -> LogisticRegression:
    return LogisticRegression()


def make_network() -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Linear(BITS, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))


def test_a_way_to_make_a_model_makes_it_anew() -> None:
    recipe = GivenRecipe(model=make_logistic, bits=BITS)
    assert recipe.makes
    assert recipe.methods[0] == "weight-times-input"
    examples, labels = task().part(task().train)
    right, wrong = recipe.fit(examples, labels, 0), recipe.fit(examples, 1 - labels, 0)
    np.testing.assert_allclose(right.predict(SOME), -wrong.predict(SOME), atol=1e-3)


def test_networks_are_trained_from_their_seed() -> None:
    started: list[float] = []

    def make() -> torch.nn.Module:
        network = make_network()
        started.append(float(next(network.parameters()).detach().sum()))
        return network

    recipe = GivenRecipe(model=make, bits=BITS, epochs=1)
    assert recipe.seeds_matter
    examples, labels = task(120).part(task(120).train)
    started.clear()
    one, again, other = (recipe.fit(examples, labels, seed).predict(SOME) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()
    first, second, third = (start for start in started)  # what it starts from, and not the order of its batches alone
    assert first == second != third


class TwoInputs(torch.nn.Module):
    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return a + b


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (3, "is a int, expected a torch module"),
        (TwoInputs(), "graphs of"),
        (lambda smiles: smiles, "numbers"),
        (lambda smiles: 1 / 0, "does not take a list of SMILES: ZeroDivisionError"),
        (torch.nn.Linear(BITS, 3), "3 numbers for a molecule"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_one_line(model: Any, said: str) -> None:
    with pytest.raises(InputError, match=said) as problem:
        GivenRecipe(model=model).fit([], np.zeros(0), 0).predict(SOME)
    assert "\n" not in str(problem.value)


def test_what_needs_the_model_made_again_is_said_to_be_open() -> None:
    model = trained(LogisticRegression())
    record = audit([task()], GivenPlan(model=model, named="mine:model"))
    names = {f["name"]: f for f in record["findings"]}
    assert "mine:model was given as it is" in names["questions left open"]["evidence"]
    assert names["training examples unknown"]["status"] == "caution"
    assert "place on the ladder" not in names
    assert record["verdict"] == "caution"
    assert record["attribution"][0]["model"] == "given"


def test_a_way_to_make_it_leaves_nothing_open() -> None:
    record = audit([task(300)], GivenPlan(model=make_logistic, bits=BITS))
    names = {f["name"] for f in record["findings"]}
    assert {"place on the ladder", "planted decoys"} <= names
    assert not {"questions left open", "training examples unknown"} & names


def test_the_command_takes_module_and_object(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "attar_test_model.py").write_text("def score(smiles):\n    return [s.count('O') for s in smiles]\n")
    lines = [f"{m.smiles},{int(y)}" for m, y in zip(task(300).examples, task(300).labels, strict=True)]
    (tmp_path / "d.csv").write_text("\n".join(["smiles,y", *lines]) + "\n")
    monkeypatch.chdir(tmp_path)
    arguments = ["audit", "d.csv", "--label", "y", "--rule", RULE, "--json", "d.json"]
    assert main([*arguments, "--model", "attar_test_model:score", "--fail-on", "caution"]) == 1
    assert json.loads((tmp_path / "d.json").read_text())["subject"] == "group-occlusion on given"
    for wrong, said in (
        ("attar_test_model", "expected module:object"),
        ("attar_test_model:other", "has no other; it has score"),
        ("attar_no_such:x", "there is no module attar_no_such"),
    ):
        capsys.readouterr()
        assert main([*arguments, "--model", wrong]) == 2
        assert said in capsys.readouterr().err


def test_an_object_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("attar_made_up")
    module.it = 3  # type: ignore[attr-defined]
    monkeypatch.setitem(__import__("sys").modules, "attar_made_up", module)
    assert named_object("attar_made_up:it") == 3
