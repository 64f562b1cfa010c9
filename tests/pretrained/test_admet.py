"""ADMET-AI's networks rebuilt, held to the answers that its own package carries."""

import csv
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rdkit import Chem

import attar
from attar.cli import main
from attar.core.errors import InputError, UnsupportedError
from attar.core.method import Method
from attar.domains.molecules.coloured import by_group, groups_said, on_atoms
from attar.domains.molecules.examples import molecule_examples
from attar.domains.molecules.molecule import Molecule
from attar.domains.molecules.parts import without_each
from attar.domains.molecules.perturb import WithBonds
from attar.methods.deep_lift import DeepLift
from attar.methods.grad_input import GradInput
from attar.methods.integrated_gradients import IntegratedGradients
from attar.methods.occlusion import Occlusion
from attar.pretrained import load
from attar.pretrained.admet import _FILE, probabilities, remarks, task
from attar.pretrained.card import Pretrained
from attar.pretrained.dmpnn import ATOM_FEATURES, BOND_FEATURES, Ensemble, graphs, opened, reverse
from attar.pretrained.files import package_file
from real_models import needs_model

pytestmark = needs_model("admet")
NITROBENZENE, NITROBIPHENYL, NAPHTHYLAMINE = (
    "O=[N+]([O-])c1ccccc1",
    "O=[N+]([O-])c1ccc(-c2ccccc2)cc1",
    "Nc1ccc2ccccc2c1",
)
TERFENADINE = "CC(C)(C)c1ccc(cc1)C(O)CCCN1CCC(CC1)C(O)(c1ccccc1)c1ccccc1"


@pytest.fixture(scope="module")
def admet() -> Pretrained:
    return load("admet")


def chance(admet: Pretrained, smiles: str, asked: str = "AMES") -> float:
    said = probabilities(admet.model.predict(admet.read(smiles).inputs))
    return float(said[0, admet.outputs.index(asked)])


def drugs(step: int) -> list[dict[str, str]]:
    with package_file("admet-ai", "admet_ai/resources/data/drugbank_approved.csv").open() as file:
        return list(csv.DictReader(file))[::step]


def published(admet: Pretrained, rows: list[dict[str, str]]) -> float:
    """How far its answers are from those of the package, at most; elements that the network does not know are left
    out."""
    worst = []
    for row in rows:
        mol = Chem.MolFromSmiles(row["smiles"])
        try:
            inputs = graphs([Molecule(row["smiles"], mol)])
        except InputError:
            continue
        expected = np.array([float(row[name]) for name in admet.outputs])
        worst.append(np.abs(probabilities(admet.model.predict(inputs))[0] - expected).max())
    assert len(worst) > 0.9 * len(rows)
    return float(max(worst))


def test_it_answers_as_its_package_does_about_approved_drugs(admet: Pretrained) -> None:
    """31 probabilities of every 20th drug, to single precision."""
    assert published(admet, drugs(20)) < 2e-6


@pytest.mark.slow
def test_it_answers_as_its_package_does_about_all_of_them(admet: Pretrained) -> None:
    assert published(admet, drugs(1)) < 2e-6


def test_what_it_says_of_known_molecules(admet: Pretrained) -> None:
    for smiles, asked, expected in (
        ("ClCC1CO1", "AMES", 0.98),
        (NAPHTHYLAMINE, "AMES", 0.93),
        ("c1ccccc1", "AMES", 0.11),
        ("Cn1c(=O)c2c(ncn2C)n(C)c1=O", "AMES", 0.11),
        (TERFENADINE, "hERG", 0.97),
    ):
        assert chance(admet, smiles, asked) == pytest.approx(expected, abs=0.006)


@pytest.mark.parametrize("smiles", [NITROBENZENE, NITROBIPHENYL, NAPHTHYLAMINE])
@pytest.mark.parametrize("method", [GradInput(), IntegratedGradients(), DeepLift(), Occlusion(by=WithBonds())], ids=str)
def test_the_nitrogen_of_a_toxicophore_counts_most(admet: Pretrained, smiles: str, method: Method) -> None:
    """Aromatic nitro and amino groups are what chemists look for (Kazius et al. 2005, doi:10.1021/jm040835a)."""
    examples = admet.read(smiles)
    values = on_atoms(examples, attar.attribute(admet.model, examples.inputs, method, task("AMES", admet.outputs)))[0]
    assert examples.raw[0].mol.GetAtomWithIdx(int(values.argmax())).GetSymbol() == "N"
    assert float(np.sort(values)[-1]) > 1.2 * float(np.sort(values)[-2])


def test_without_the_group_it_is_no_mutagen(admet: Pretrained) -> None:
    """The group that the attribution names, replaced by hydrogen."""
    for smiles, name, before, after in ((NITROBIPHENYL, "nitro", 0.82, 0.17), (NAPHTHYLAMINE, "amino", 0.93, 0.30)):
        examples = admet.read(smiles)
        left = next(left for part, left in without_each(examples.raw[0]) if part.name == name)
        assert chance(admet, smiles) == pytest.approx(before, abs=0.01)
        assert chance(admet, left.smiles) == pytest.approx(after, abs=0.01)


def test_values_of_groups_sum_to_those_of_atoms(admet: Pretrained) -> None:
    examples = admet.read(NITROBIPHENYL)
    found = attar.attribute(admet.model, examples.inputs, IntegratedGradients(), task("AMES", admet.outputs))
    said = by_group(examples, found)
    assert groups_said(examples, found)[0].startswith("nitro (atoms 0-2) +")
    whole = sum(float(array.sum()) for array in found.parts.values())
    assert float(said.parts["groups"].sum()) == pytest.approx(whole, abs=1e-4)
    assert float(on_atoms(examples, found)[0].sum()) == pytest.approx(whole, abs=1e-4)


def test_company_changes_nothing(admet: Pretrained) -> None:
    together = graphs([Molecule.of(s) for s in (TERFENADINE, NITROBENZENE, "ClCC1CO1")])
    alone = graphs([Molecule.of(NITROBENZENE)])
    ames = task("AMES", admet.outputs)
    many, one = (attar.attribute(admet.model, each, GradInput(), ames) for each in (together, alone))
    atoms = many.parts["atoms"][many.owners["atoms"] == 1]
    assert torch.allclose(atoms, one.parts["atoms"], atol=1e-5)
    assert torch.allclose(many.output[1], one.output[0], atol=1e-5)


def test_every_way_of_writing_a_molecule_is_answered_alike(admet: Pretrained) -> None:
    """Handedness is a feature, and RDKit's mark of it follows the order in which neighbours are written."""
    mol = Chem.MolFromSmiles("C[C@H](N)C(=O)O")
    written = {Chem.MolToSmiles(mol, canonical=False, rootedAtAtom=k) for k in range(mol.GetNumAtoms())}
    assert len(written) > 3
    answers = torch.cat([admet.model.predict(admet.read(each).inputs) for each in written])
    assert float((answers - answers[0]).abs().max()) == 0
    as_written = torch.cat([admet.model.predict(graphs([Molecule.of(each)])) for each in written])
    assert float((as_written - as_written[0]).abs().max()) > 1e-4


def test_the_log_odds_are_those_of_the_mean_probability(admet: Pretrained) -> None:
    inputs = admet.read(NITROBENZENE).inputs
    ensemble = admet.model.module
    assert isinstance(ensemble, Ensemble)
    each = torch.stack([network(*inputs.arguments()) for network in ensemble.networks]).double().sigmoid()
    assert torch.allclose(admet.model.predict(inputs).double().sigmoid(), each.mean(0), atol=1e-6)


def test_one_network_alone_says_something_else(admet: Pretrained) -> None:
    one = load("admet-1")
    assert (one.name, one.outputs) == ("admet-1", admet.outputs)
    assert chance(one, NITROBENZENE) != pytest.approx(chance(admet, NITROBENZENE), abs=1e-3)
    inputs = admet.read(NITROBENZENE).inputs
    first = admet.model.module.networks[0](*inputs.arguments())
    torch.testing.assert_close(one.model.predict(inputs), first)


def test_what_is_likely_is_said_first_of_the_first_five() -> None:
    tasks = ("A", "B", "C")
    examples = molecule_examples(NITROBENZENE, graphs)
    outputs = torch.tensor([[0.1, 2.0, -0.1]]).expand(7, 3).clone()
    outputs[1] = -1.0
    several = replace(examples, names=tuple("abcdefg"))
    lines = remarks(several, outputs, tasks)
    assert lines[:2] == ["a: B 0.88, A 0.52", "b: nothing of 0.5 or more"]
    assert [line[0] for line in lines] == ["a", "b", "c", "d", "e", "a"]
    assert lines[-1] == "and 2 more"
    assert len(remarks(replace(examples, names=tuple("abcde")), outputs[:5], tasks)) == 5
    assert remarks(replace(examples, names=tuple("abcdef")), outputs[:6], tasks)[-1] == "and 1 more"


def test_features_have_names(admet: Pretrained) -> None:
    inputs = admet.read(NAPHTHYLAMINE).inputs
    atom = inputs.parts["atoms"][0]
    there = [ATOM_FEATURES[k] for k in atom.nonzero()[:, 0].tolist()]
    assert {"is N", "has 3 neighbours", "has charge +0", "has 2 hydrogens", "is sp2", "mass / 100"} <= set(there)
    bond = inputs.parts["bonds"][0].nonzero()[:, 0].tolist()
    assert [BOND_FEATURES[k] for k in bond] == ["is single", "is conjugated", "is of no stereo"]


def test_a_bond_of_one_direction_is_refused() -> None:
    assert reverse(torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]), 3).tolist() == [1, 0, 3, 2]
    with pytest.raises(InputError, match="one way only"):
        reverse(torch.tensor([[0, 1], [1, 2]]), 3)


class _Harm:
    def __reduce__(self) -> tuple:
        return (print, ("run",))


def test_a_file_that_names_anything_else_is_not_opened(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"hyper_parameters": _Harm()}, tmp_path / "bad.pt")
    with pytest.raises(UnsupportedError, match=r"bad\.pt is no file of chemprop"):
        opened(tmp_path / "bad.pt")
    (tmp_path / "pickle.pt").write_bytes(pickle.dumps(_Harm()))
    with pytest.raises(UnsupportedError):
        opened(tmp_path / "pickle.pt")
    assert "run" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("c1ccc", "neither a SMILES that RDKit can read nor a file"),
        ("CCO.[Na+].[Cl-]", "of several fragments, salts or mixtures"),
        ("C[Pt](N)(N)Cl", "an element other than"),
        ("CO", "of fewer than 3 heavy atoms"),
        ("there.csv", "there.csv does not exist"),
    ],
)
def test_what_is_no_molecule_for_it(text: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", text, "--model", "admet", "--target", "AMES"]) == 2
    printed = capsys.readouterr().err
    assert said in printed
    assert len(printed.splitlines()) == 1


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("", "batch_norm", True),
        *(("message_passing", name, 1) for name in ("bias", "undirected", "d_vd")),
        *((part, "cls", dict) for part in ("message_passing", "agg", "predictor")),
    ],
)
def test_a_file_that_holds_another_network_is_refused(
    part: str, name: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, read = package_file("admet-ai", _FILE.format(0)), torch.load

    def changed(*given: Any, **options: Any) -> Any:
        held = read(*given, **options)
        told = held["hyper_parameters"]
        (told[part] if part else told)[name] = value
        return held

    assert not any(array.requires_grad for array in opened(path)[0].parameters())
    monkeypatch.setattr(torch, "load", changed)
    with pytest.raises(UnsupportedError, match=r"model_0\.pt holds another network"):
        opened(path)


def test_how_it_was_read_is_said_where_it_is_written_otherwise(admet: Pretrained) -> None:
    assert admet.read("c1ccc([N+](=O)[O-])cc1").said == f"9 heavy atoms, as {NITROBENZENE}"
    assert admet.read(NITROBENZENE).said == "9 heavy atoms"


@pytest.mark.parametrize(("text", "said"), [("  ", "the text is empty"), ("C" * 5000 + "(", "neither a SMILES")])
def test_texts_that_are_none_are_refused(admet: Pretrained, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        admet.read(text)


@pytest.mark.parametrize("symbol", ["Pt", "Te", "Rb"])
def test_an_element_without_a_feature_is_refused(symbol: str) -> None:
    """Between krypton and iodine none has one, nor any after it."""
    with pytest.raises(InputError, match=rf"holds {symbol}, an element that this network has no feature for"):
        graphs([Molecule.of("CCC"), Molecule.of(f"C[{symbol}]C")])


def test_an_empty_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "none.smi").write_text("")
    assert main(["explain", str(tmp_path / "none.smi"), "--model", "admet", "--target", "AMES"]) == 2
    assert "is empty" in capsys.readouterr().err


def test_a_task_is_named(admet: Pretrained) -> None:
    assert task("herg", admet.outputs) == attar.Logit(30)
    assert task("3", admet.outputs) is None
    assert task("-1:3", admet.outputs) is None
    assert task("one", ("one", "one more")) == attar.Logit(0)  # in full, though it begins another
    assert task("er", ("not er", "er alpha")) == attar.Logit(1)
    for text, said in (
        ("predicted", r"31 questions, name one: --target AMES"),
        ("AMIS", r"is no task; there is AMES"),
        ("CYP2C9", r"names several tasks; there is CYP2C9_Substrate_CarbonMangels and CYP2C9_Veith"),
    ):
        with pytest.raises(InputError, match=said):
            task(text, admet.outputs)


def test_the_shell_names_atoms_and_groups(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page, picture = tmp_path / "it.html", tmp_path / "it.svg"
    for out in (page, picture):
        call = ["explain", "c1ccc([N+](=O)[O-])cc1", "--model", "admet", "--target", "AMES", "--out", str(out)]
        assert main(call) == 0
    printed = capsys.readouterr().out
    assert "N, atom 1 (nitro)" in printed
    assert "nitro (atoms 0-2) +" in printed
    assert "target: output 0, AMES" in printed
    assert page.read_text().count("<circle") == 9
    assert "nitro (atoms 0-2)" in page.read_text()
    assert "<svg" in picture.read_text()


def test_methods_are_tried_on_a_question_that_was_named(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["methods", "--for", "admet-1", "--input", NAPHTHYLAMINE]
    assert main(asked) == 2
    said = capsys.readouterr().err
    assert "this model answers 31 questions, name one: --target AMES" in said
    assert len(said.splitlines()) == 1
    assert main([*asked, "--target", "AMES"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.partition("does not fit")[0].splitlines()]
    assert ["occlusion", "3"] in lines  # as it is, without the amino group, without the rings
    assert ["gradient", "2"] in lines


@pytest.mark.parametrize("name", ["some.smi", "some.csv", "some.sdf"])
def test_files_of_molecules(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    smiles = [NITROBENZENE, NAPHTHYLAMINE, "CCO.[Na+]", TERFENADINE]
    if name.endswith("sdf"):
        with Chem.SDWriter(str(tmp_path / name)) as writer:
            for each in smiles:
                writer.write(Chem.MolFromSmiles(each))
    else:
        (tmp_path / name).write_text("\n".join(["smiles", *smiles]))
    assert main(["explain", str(tmp_path / name), "--model", "admet", "--target", "AMES", "--method", "occlusion"]) == 0
    printed = capsys.readouterr().out
    assert "3 molecules" in printed
    assert "1 molecule of several fragments" in printed
    assert "nitro (atoms 0-2)" in printed
