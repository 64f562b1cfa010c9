"""Bags of subgraphs against RDKit's own fingerprints, searches and similarity maps."""

import pickle
from functools import cache

import numpy as np
import pytest
import torch
from rdkit import Chem, DataStructs
from rdkit.Chem import rdFingerprintGenerator, rdSubstructLibrary
from rdkit.Chem.Draw import SimilarityMaps
from sklearn.linear_model import LogisticRegression

from attar import InputError, Logit, attribute
from attar.adapters.sklearn import rows_of_table
from attar.core.attribution import Attribution
from attar.core.inputs import SparseRows
from attar.domains.molecules.bag import Vocabulary, ambiguity, example_of, name_agrees, subgraph_smarts
from attar.domains.molecules.molecule import Molecule, molecules
from attar.domains.molecules.perturb import AtomsOnly, Centre, Mask, MaskOccurrences, Receivers, Spread, WithBonds
from attar.methods.grad_input import GradInput
from attar.methods.integrated_gradients import IntegratedGradients
from attar.methods.occlusion import Occlusion
from attar.methods.weight_times_input import WeightTimesInput
from models import graphs, nci

MOLECULES = nci(300)
METHANE = Molecule.of("C")


# --- which atoms an environment holds ---


def test_environments_hold_the_atoms_that_rdkit_finds() -> None:
    looked_at = 0
    for molecule in MOLECULES[:150]:
        found = molecule.environments
        for k in np.flatnonzero(found.radius > 0):
            bonds = Chem.FindAtomEnvironmentOfRadiusN(molecule.mol, int(found.radius[k]), int(found.centre[k]))
            ends = {a for b in bonds for a in _ends(molecule.mol.GetBondWithIdx(b))}
            assert set(found.atom[found.occurrence == k].tolist()) == ends
            looked_at += 1
    assert looked_at > 3000


def _ends(bond: Chem.Bond) -> tuple[int, int]:
    return bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()


def test_every_atom_is_an_environment_of_its_own() -> None:
    for molecule in MOLECULES[:50]:
        alone = molecule.environments.up_to(0)
        assert alone.centre.tolist() == alone.atom.tolist() == list(range(molecule.size))


def test_smaller_radii_are_the_beginning_of_larger_ones() -> None:
    for molecule in MOLECULES[:50]:
        whole = molecule.environments
        for radius in range(4):
            kept = whole.up_to(radius)
            assert kept.radius.max() <= radius
            assert len(kept.identifier) == (whole.radius <= radius).sum()
            for k in range(len(kept.identifier)):
                assert set(kept.atom[kept.occurrence == k]) == set(whole.atom[whole.occurrence == k])


# --- columns ---


@pytest.mark.parametrize("radius", [0, 1, 2, 3])
def test_unhashed_columns_are_rdkits_sparse_fingerprint(radius: int) -> None:
    vocabulary = Vocabulary.of(MOLECULES, radius=radius)
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=radius)
    expected = [generator.GetSparseCountFingerprint(m.mol).GetNonzeroElements() for m in MOLECULES]
    assert by_molecule(vocabulary.bag(MOLECULES), vocabulary.identifiers) == expected
    assert set(vocabulary.identifiers.tolist()) == {i for one in expected for i in one}


@pytest.mark.parametrize("bits", [64, 1024])
@pytest.mark.parametrize("radius", [1, 2, 3])
def test_folded_columns_are_rdkits_hashed_fingerprint(radius: int, bits: int) -> None:
    vocabulary = Vocabulary.of(MOLECULES, radius=radius, folded=bits)
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=radius, fpSize=bits)
    expected = [generator.GetCountFingerprint(m.mol).GetNonzeroElements() for m in MOLECULES]
    assert by_molecule(vocabulary.bag(MOLECULES), np.arange(bits)) == expected


def by_molecule(bag: SparseRows, names: np.ndarray) -> list[dict[int, int]]:
    """The bags as RDKit writes them: identifier or bit → count."""
    found: list[dict[int, int]] = [{} for _ in range(len(bag))]
    for row, column, count in zip(bag.rows.tolist(), bag.columns.tolist(), bag.counts.tolist(), strict=True):
        assert int(names[column]) not in found[row]
        found[row][int(names[column])] = int(count)
    return found


def test_presence_is_one_wherever_there_is_a_count() -> None:
    counted = Vocabulary.of(MOLECULES, radius=1).bag(MOLECULES)
    present = Vocabulary.of(MOLECULES, radius=1, presence=True).bag(MOLECULES)
    assert float(counted.counts.max()) > 1
    assert torch.equal(present.dense(), (counted.dense() > 0).float())


def test_rare_subgraphs_are_left_out() -> None:
    everything = Vocabulary.of(MOLECULES, radius=2)
    held = (everything.bag(MOLECULES).dense() > 0).sum(0).numpy()
    common = Vocabulary.of(MOLECULES, radius=2, at_least=5)
    assert common.identifiers.tolist() == everything.identifiers[held >= 5].tolist()
    unseen = common.unseen(MOLECULES)
    occurrences = np.concatenate([m.environments.up_to(2).identifier for m in MOLECULES])
    assert unseen == pytest.approx(np.mean([i not in set(common.identifiers.tolist()) for i in occurrences]))


def test_subgraphs_that_the_vocabulary_lacks_are_left_out() -> None:
    vocabulary = Vocabulary.of(molecules(["CCO", "CCC"]), radius=1)
    strange = molecules(["CCO", "c1ccsc1"])
    bag = vocabulary.bag(strange)
    assert bag.dense()[0].sum() > 0
    assert bag.dense()[1].sum() == 0
    assert vocabulary.unseen(strange[:1]) == 0
    assert vocabulary.unseen(strange[1:]) == 1


@pytest.mark.parametrize("wrong", [{"radius": -1}, {"radius": 4}, {"folded": 0}, {"folded": -8}, {"at_least": 0}])
def test_impossible_options_are_refused(wrong: dict[str, int]) -> None:
    name, value = next(iter(wrong.items()))
    with pytest.raises(InputError, match=f"^{name} is {value}, expected"):
        Vocabulary.of(MOLECULES[:3], **wrong)


# --- names ---


@cache
def _library() -> rdSubstructLibrary.SubstructLibrary:
    library = rdSubstructLibrary.SubstructLibrary(rdSubstructLibrary.MolHolder(), rdSubstructLibrary.PatternHolder())
    for molecule in MOLECULES:
        library.AddMol(molecule.mol)
    return library


@pytest.mark.parametrize("radius", [1, 2])
def test_a_name_matches_the_molecules_that_have_the_column_and_no_others(radius: int) -> None:
    """Without exception here; 95% were asked for."""
    vocabulary = Vocabulary.of(MOLECULES, radius=radius)
    held = vocabulary.bag(MOLECULES).dense().numpy() > 0
    names: dict[int, str] = {}
    for molecule in MOLECULES:
        seen = molecule.environments.up_to(radius)
        for k, column in enumerate(vocabulary.columns(seen.identifier).tolist()):
            if column not in names:
                names[column] = subgraph_smarts(molecule, int(seen.centre[k]), int(seen.radius[k]))
    assert len(names) == len(vocabulary) > 500
    wrong = []
    for column, smarts in names.items():
        matched = _library().GetMatches(Chem.MolFromSmarts(smarts), numThreads=1, maxResults=-1)
        if sorted(matched) != np.flatnonzero(held[:, column]).tolist():
            wrong.append(smarts)
    assert not wrong


def test_whether_a_name_agrees_is_seen_on_molecules() -> None:
    some = molecules(["CN(C)C", "C[N+](=O)[O-]", "CCN"])
    assert name_agrees("[N;D3;H0;+0]", np.array([True, False, False]), some)
    assert not name_agrees("[N;D3;H0]", np.array([True, False, False]), some)
    assert not name_agrees("[N;D3;H0;+0]", np.array([True, False, True]), some)


def test_names_tell_charge_ring_and_neighbours() -> None:
    nitro, amine, ring = Molecule.of("C[N+](=O)[O-]"), Molecule.of("CN(C)C"), Molecule.of("C1CCCCC1")
    assert subgraph_smarts(nitro, 1, 0) == "[N;D3;H0;!R;+1]"
    assert subgraph_smarts(amine, 1, 0) == "[N;D3;H0;!R;+0]"
    assert subgraph_smarts(ring, 0, 0) == "[#6;D2;H2;R]"


def test_an_example_is_found_or_there_is_none() -> None:
    vocabulary = Vocabulary.of(molecules(["CCO", "CCC"]), radius=1)
    for column in range(len(vocabulary)):
        molecule, centre, radius = example_of(vocabulary, column, molecules(["CCO", "CCC"]))
        seen = molecule.environments
        here = (seen.centre == centre) & (seen.radius == radius)
        assert vocabulary.columns(seen.identifier[here]).tolist() == [column]
    assert example_of(vocabulary, 0, molecules(["c1ccsc1"])) is None


# --- folding ---


@pytest.mark.parametrize("bits", [64, 1024])
def test_ambiguity_is_a_literal_count(bits: int) -> None:
    identifiers = {int(i) for m in MOLECULES for i in m.environments.up_to(2).identifier}
    inside: dict[int, list[int]] = {}
    for identifier in identifiers:
        inside.setdefault(identifier % bits, []).append(identifier)
    sharing = sum(len(group) for group in inside.values() if len(group) > 1)
    found = ambiguity(MOLECULES, radius=2, bits=bits)
    assert found.environments == len(identifiers)
    assert found.columns == len(inside)
    assert found.shared == pytest.approx(sharing / len(identifiers))
    assert found.most == max(map(len, inside.values()))
    assert f"{len(identifiers)} distinct subgraphs fall into {len(inside)} columns" in found.sentence()


# --- from subgraphs to atoms ---


def bag_of(some: tuple[Molecule, ...], *, presence: bool = False) -> SparseRows:
    return Vocabulary.of(some, radius=2, presence=presence).bag(some)


def weighed(bag: SparseRows) -> Attribution:
    """An attribution to subgraphs with a number of its own on each."""
    module = _WeightedSum(torch.from_numpy(np.random.default_rng(0).standard_normal(bag.width)).float())
    return attribute(module, bag, GradInput())


class _WeightedSum(torch.nn.Module):
    def __init__(self, weights: torch.Tensor) -> None:
        super().__init__()
        self.weights = weights

    def forward(self, counts: torch.Tensor, columns: torch.Tensor, rows: torch.Tensor, size: int) -> torch.Tensor:
        return counts.new_zeros(size).index_add(0, rows, counts * self.weights[columns])[:, None]


def by_hand(bag: SparseRows, values: np.ndarray, rule: str) -> list[np.ndarray]:
    """The atoms' shares, subgraph by subgraph and occurrence by occurrence."""
    carried = []
    for k, molecule in enumerate(bag.molecules):
        atoms = np.zeros(molecule.size)
        seen = molecule.environments.up_to(2)
        columns = bag.vocabulary.columns(seen.identifier)
        for column, value in zip(bag.columns[bag.rows == k].tolist(), values[bag.rows == k], strict=True):
            places = np.flatnonzero(columns == column)
            members = [sorted(set(seen.atom[seen.occurrence == p].tolist())) for p in places]
            if rule == "spread":
                for inside in members:
                    atoms[inside] += value / len(places) / len(inside)
            elif rule == "centre":
                for p in places:
                    atoms[seen.centre[p]] += value / len(places)
            elif rule == "mask":
                atoms[sorted(set().union(*members))] += value
            else:
                touching = np.bincount(np.concatenate(members), minlength=molecule.size) / len(places)
                atoms += value * (np.floor(touching) if bag.vocabulary.presence else touching)
        carried.append(atoms)
    return carried


RULES = {"spread": Spread(), "centre": Centre(), "mask": Mask(), "mask occurrences": MaskOccurrences()}


@pytest.mark.parametrize("presence", [False, True])
@pytest.mark.parametrize("name", RULES)
def test_carrying_is_a_literal_loop(name: str, presence: bool) -> None:
    bag = bag_of(MOLECULES[:30], presence=presence)
    found = weighed(bag)
    carried = found.carried(RULES[name](bag))
    expected = by_hand(bag, found.parts["subgraphs"].double().numpy(), name)
    for values, atoms in zip(carried.by_example("atoms"), expected, strict=True):
        np.testing.assert_allclose(values.numpy(), atoms, atol=1e-5)
    assert carried.carried_by == name
    assert carried.method == found.method


@pytest.mark.parametrize("name", ["spread", "centre"])
def test_spread_and_centre_keep_sums(name: str) -> None:
    bag = bag_of(MOLECULES[:30])
    found = weighed(bag)
    carried = found.carried(RULES[name](bag))
    totals = torch.stack([values.double().sum() for values in carried.by_example("atoms")])
    torch.testing.assert_close(totals, found.parts.per_example(found.owners, 30), rtol=1e-4, atol=1e-4)


def test_mask_gives_a_subgraph_to_each_of_its_atoms_whole() -> None:
    bag = bag_of((Molecule.of("CC"),))
    found = weighed(bag)
    carried = found.carried(Mask()(bag)).by_example("atoms")[0]
    torch.testing.assert_close(carried, found.parts["subgraphs"].sum().expand(2))


def test_an_error_is_carried_along() -> None:
    """Masks give a subgraph's whole value, and so its whole error, to each of its atoms."""
    bag = bag_of(MOLECULES[:10])
    found = attribute(_Curved(bag.width), bag, IntegratedGradients(tolerance=0.9, budget=8))
    assert float(found.error.bound.min()) > 0
    torch.testing.assert_close(found.carried(Spread()(bag)).error.bound, found.error.bound)
    covered = [max(map(len, _atoms_of_each(m).values())) for m in bag.molecules]
    torch.testing.assert_close(found.carried(Mask()(bag)).error.bound, found.error.bound * torch.tensor(covered))


def _atoms_of_each(molecule: Molecule) -> dict[int, set[int]]:
    """The atoms of all occurrences of each subgraph."""
    seen = molecule.environments.up_to(2)
    covered: dict[int, set[int]] = {}
    for occurrence, atom in zip(seen.occurrence, seen.atom, strict=True):
        covered.setdefault(int(seen.identifier[occurrence]), set()).add(int(atom))
    return covered


class _Curved(torch.nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.weights = torch.from_numpy(np.random.default_rng(0).standard_normal(width)).float()

    def forward(self, counts: torch.Tensor, columns: torch.Tensor, rows: torch.Tensor, size: int) -> torch.Tensor:
        z = counts.new_zeros(size).index_add(0, rows, counts * self.weights[columns] / 10)
        return (torch.relu(z - 0.05) - torch.relu(-z - 0.05) + z**2)[:, None]


@pytest.mark.parametrize("rule", RULES.values())
def test_bags_alone_are_carried_by_subgraphs(rule: object) -> None:
    with pytest.raises(InputError, match=f"{type(rule).__name__} carries bags of subgraphs to atoms, not Graphs"):
        rule(graphs())


@pytest.mark.parametrize("rule", [Receivers(), AtomsOnly(), WithBonds()])
def test_graphs_alone_are_carried_by_bonds(rule: object) -> None:
    with pytest.raises(InputError, match=f"{type(rule).__name__} carries graphs to atoms, not MoleculeBag"):
        rule(bag_of(MOLECULES[:2]))


# --- RDKit's similarity maps ---


@pytest.fixture(scope="module")
def hydroxyl_model() -> tuple[Vocabulary, LogisticRegression]:
    """A logistic regression on 1,024 presence bits that has learned something."""
    vocabulary = Vocabulary.of(MOLECULES, radius=2, presence=True, folded=1024)
    labels = np.array([m.mol.HasSubstructMatch(Chem.MolFromSmarts("[O;H1]")) for m in MOLECULES])
    model = LogisticRegression(max_iter=500).fit(rows_of_table(vocabulary.bag(MOLECULES)), labels)
    return vocabulary, model


def test_occlusion_by_mask_is_rdkits_similarity_map(hydroxyl_model: tuple[Vocabulary, LogisticRegression]) -> None:
    vocabulary, model = hydroxyl_model
    some = [m for m in MOLECULES if m.size > 8][:20]
    found = attribute(model, vocabulary.bag(some), Occlusion(by=Mask()), Logit(1)).by_example("atoms")
    for molecule, values in zip(some, found, strict=True):
        theirs = SimilarityMaps.GetAtomicWeightsForModel(
            molecule.mol,
            lambda mol, atom: SimilarityMaps.GetMorganFingerprint(mol, atom, radius=2, fpType="bv", nBits=1024),
            lambda bits: float(model.decision_function(_row(bits))[0]),
        )
        np.testing.assert_allclose(values.numpy(), theirs, atol=1e-6)
        assert np.ptp(theirs) > 0.05


def _row(bits: DataStructs.ExplicitBitVect) -> np.ndarray:
    row = np.zeros((1, bits.GetNumBits()))
    row[0, list(bits.GetOnBits())] = 1
    return row


def test_masking_occurrences_is_another_question(hydroxyl_model: tuple[Vocabulary, LogisticRegression]) -> None:
    """A subgraph that occurs elsewhere, too, stays: some atoms change their sign."""
    vocabulary, model = hydroxyl_model
    bag = vocabulary.bag(MOLECULES[:60])
    whole, touching = (
        attribute(model, bag, Occlusion(by=rule), Logit(1)).parts["atoms"] for rule in (Mask(), MaskOccurrences())
    )
    clear = (whole.abs() > 1e-3) & (touching.abs() > 1e-3)
    opposite = float((whole * touching < 0)[clear].double().mean())
    assert 0.02 < opposite < 0.4


def test_masking_occurrences_of_counts_lowers_them() -> None:
    """Two methyls: without one of them the count is one; masked whole it would be none."""
    ethane_like = molecules(["CCC"])
    vocabulary = Vocabulary.of(ethane_like, radius=0)
    bag = vocabulary.bag(ethane_like)
    weights = torch.arange(1.0, 1 + len(vocabulary))
    drops = {
        name: attribute(_WeightedSum(weights), bag, Occlusion(by=rule)).parts["atoms"].tolist()
        for name, rule in (("whole", Mask()), ("each", MaskOccurrences()))
    }
    methyl, middle = (float(weights[vocabulary.columns(METHYL_AND_MIDDLE)[k]]) for k in (0, 1))
    assert drops["whole"] == [2 * methyl, middle, 2 * methyl]
    assert drops["each"] == [methyl, middle, methyl]


METHYL_AND_MIDDLE = Molecule.of("CCC").environments.up_to(0).identifier[:2]


# --- borders ---


def test_a_molecule_of_one_atom() -> None:
    vocabulary = Vocabulary.of([METHANE], radius=2)
    bag = vocabulary.bag([METHANE])
    assert bag.dense().tolist() == [[1.0]]
    found = attribute(_WeightedSum(torch.tensor([3.0])), bag, Occlusion(by=Mask()))
    assert found.parts["atoms"].tolist() == [3.0]
    for rule in RULES.values():
        assert weighed(bag).carried(rule(bag)).parts["atoms"].shape == (1,)


@pytest.mark.parametrize("rule", RULES.values())
def test_an_empty_vocabulary(rule: object) -> None:
    vocabulary = Vocabulary.of(MOLECULES[:5], at_least=99)
    assert len(vocabulary) == 0
    bag = vocabulary.bag(MOLECULES[:5])
    assert bag.dense().shape == (5, 0)
    assert vocabulary.unseen(MOLECULES[:5]) == 1
    found = attribute(_WeightedSum(torch.zeros(0)), bag, GradInput())
    carried = found.carried(rule(bag))
    assert carried.parts["atoms"].tolist() == [0.0] * sum(m.size for m in MOLECULES[:5])


def test_no_molecules_have_no_columns() -> None:
    vocabulary = Vocabulary.of([], radius=2)
    assert len(vocabulary) == 0
    assert len(vocabulary.bag([])) == 0


def test_taking_molecules_takes_their_rows() -> None:
    bag = bag_of(MOLECULES[:6])
    index = torch.tensor([5, 0, 0, 3])
    taken = bag.take(index)
    assert [m.smiles for m in taken.molecules] == [bag.molecules[k].smiles for k in index.tolist()]
    assert torch.equal(taken.dense(), bag.dense()[index])
    once, again = weighed(taken), weighed(bag).carried(Spread()(bag)).by_example("atoms")
    for k, values in zip(index.tolist(), once.carried(Spread()(taken)).by_example("atoms"), strict=True):
        torch.testing.assert_close(values, again[k])


def test_weight_times_input_on_a_bag_is_the_weight_of_each_subgraph() -> None:
    bag = bag_of(MOLECULES[:40])
    labels = np.arange(40) % 2
    model = LogisticRegression().fit(rows_of_table(bag), labels)
    found = attribute(model, bag, WeightTimesInput(), Logit(1))
    expected = bag.counts.double() * torch.from_numpy(model.coef_[0])[bag.columns]
    torch.testing.assert_close(found.parts["subgraphs"], expected)


def test_a_molecule_pickles_without_what_it_has_computed() -> None:
    molecule = Molecule.of("CCO")
    before = molecule.environments
    again = pickle.loads(pickle.dumps(molecule))
    assert "environments" not in vars(again)
    np.testing.assert_array_equal(again.environments.identifier, before.identifier)


@pytest.mark.parametrize("text", ["", "no smiles", "C(C", "c1ccc"])
def test_what_is_no_molecule_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is not a SMILES that RDKit can read"):
        Molecule.of(text)
