"""Examples made for weighted sums, in every domain that makes its own."""

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from attar.core.domain import MadeDomain
from attar.core.errors import InputError
from attar.core.rule import found
from attar.core.sum_planting import generate_sum
from attar.core.weighted_sum import WeightedSum, contributions, value
from attar.domains.images.domain import Images
from attar.domains.molecules.domain import Molecules
from attar.domains.molecules.molecule import Molecule
from attar.domains.sequences.domain import Sequences
from attar.domains.tables.domain import Tables
from attar.domains.text.domain import Texts
from attar.domains.volumes.domain import Volumes
from attar.domains.waveforms.domain import Waveforms

DOMAINS: dict[str, MadeDomain] = {
    "sequences": Sequences(),
    "tables": Tables(),
    "texts": Texts(),
    "images": Images(),
    "waveforms": Waveforms(),
    "volumes": Volumes(),
}
EXAMPLES = 200
ONCE_AT_MOST = {"tables"}  # a condition on columns holds or not

of_each_domain = pytest.mark.parametrize("name", DOMAINS)
of_each_sum = pytest.mark.parametrize(("name", "sum_name"), [(n, s) for n, d in DOMAINS.items() for s in d.sums])


@cache
def made(name: str, sum_name: str) -> tuple[MadeDomain, WeightedSum, list[Any], np.ndarray]:
    domain = DOMAINS[name]
    total = domain.read_sum(sum_name)
    return domain, total, *generate_sum(total, domain.finder, domain.planter, EXAMPLES, seed=3)


def numbers(domain: MadeDomain, total: WeightedSum, examples: list[Any]) -> np.ndarray:
    return np.array([[len(found(term.condition, domain.finder, e)) for term in total.terms] for e in examples])


@of_each_domain
def test_every_domain_has_sums_with_weights_of_both_signs(name: str) -> None:
    sums = [DOMAINS[name].read_sum(text) for text in DOMAINS[name].sums.values()]
    assert len(sums) >= 2
    assert all({term.weight > 0 for term in total.terms} == {True, False} for total in sums)
    assert any(not term.once for total in sums for term in total.terms) or name in ONCE_AT_MOST


@of_each_sum
def test_a_named_sum_is_its_text(name: str, sum_name: str) -> None:
    domain = DOMAINS[name]
    total = domain.read_sum(f" {sum_name.upper()} ")
    assert total == domain.read_sum(domain.sums[sum_name]) == domain.read_sum(str(total))
    assert sum_name not in domain.rules


@of_each_domain
@pytest.mark.parametrize("text", ["nonesuch", '2*count("§")', '1 - 2*path("§", "§", 1, 2)'])
def test_what_is_no_sum_here_is_refused_in_a_line(name: str, text: str) -> None:
    with pytest.raises(InputError) as refused:
        DOMAINS[name].read_sum(text)
    assert "\n" not in str(refused.value)
    assert ("§" if "§" in text else next(iter(DOMAINS[name].sums))) in str(refused.value)


@of_each_sum
def test_labels_are_the_sums(name: str, sum_name: str) -> None:
    domain, total, examples, labels = made(name, sum_name)
    assert labels.tolist() == [value(total, domain.finder, example) for example in examples]
    assert len({domain.key(example) for example in examples}) == EXAMPLES


@of_each_sum
def test_what_parts_contribute_makes_up_the_label(name: str, sum_name: str) -> None:
    domain, total, examples, labels = made(name, sum_name)
    for example, label in zip(examples, labels, strict=True):
        shares = contributions(total, domain.finder, example, domain.size(example))
        assert shares.shape == (domain.size(example),)
        assert shares.sum() + total.constant == pytest.approx(label, abs=1e-9)
        named = {part for t in total.terms for m in found(t.condition, domain.finder, example) for part in m.parts}
        assert set(np.flatnonzero(shares)) <= named


@of_each_sum
def test_every_term_is_in_about_half_and_some_more_often(name: str, sum_name: str) -> None:
    domain, total, examples, _ = made(name, sum_name)
    there = numbers(domain, total, examples)
    assert ((there > 0).mean(0) > 0.38).all()
    assert ((there > 0).mean(0) < 0.62).all()
    for term, several in zip(total.terms, there.T, strict=True):
        if not term.once and name not in ONCE_AT_MOST:
            assert {0, 1, 2, 3} <= set(several.tolist())
    # One term tells nothing of another, so none of them stands in for it.
    assert np.abs(np.corrcoef((there > 0).T.astype(float)) - np.eye(len(total.terms))).max() < 0.25


@pytest.mark.parametrize(("name", "prop"), [("images", "shapes"), ("waveforms", "events"), ("volumes", "bodies")])
def test_how_many_things_there_are_hardly_tells_the_label(name: str, prop: str) -> None:
    for sum_name in DOMAINS[name].sums:
        domain, _, examples, labels = made(name, sum_name)
        count = domain.properties(examples)[prop]
        assert len(set(count)) > 1
        assert abs(spearmanr(count, labels).statistic) < 0.25


@of_each_domain
def test_examples_are_the_seeds_and_nobody_elses(name: str) -> None:
    domain = DOMAINS[name]
    total = domain.read_sum(next(iter(domain.sums)))

    def keys(seed: int) -> list[str]:
        return [domain.key(e) for e in generate_sum(total, domain.finder, domain.planter, 5, seed=seed)[0]]

    np.random.seed(1)  # noqa: NPY002 - the state that must not matter
    torch.manual_seed(1)
    first = keys(0)
    np.random.seed(2)  # noqa: NPY002
    assert keys(0) == first
    assert not set(keys(1)) & set(first)


def test_noise_is_added_to_the_labels_alone() -> None:
    domain, total, examples, labels = made("tables", "points")
    noisy_examples, noisy = generate_sum(total, domain.finder, domain.planter, EXAMPLES, sd=0.5, seed=3)
    assert noisy_examples == examples
    assert np.std(noisy - labels) == pytest.approx(0.5, rel=0.15)
    assert abs(np.mean(noisy - labels)) < 0.1
    assert abs(np.corrcoef(noisy - labels, labels)[0, 1]) < 0.2


@pytest.mark.parametrize(
    ("options", "said"),
    [({"count": 0}, "count is 0"), ({"count": 3, "sd": -1.0}, "sd is -1"), ({"count": 3, "sd": np.nan}, "sd is nan")],
)
def test_what_cannot_be_made_is_refused(options: dict[str, Any], said: str) -> None:
    domain = DOMAINS["tables"]
    with pytest.raises(InputError, match=said):
        generate_sum(domain.read_sum("points"), domain.finder, domain.planter, **options)


def test_molecules_have_sums_of_smarts() -> None:
    domain = Molecules()
    total = domain.read_sum('2*count("[OX2H]") - 3*has("c1ccccc1") + 0.5')
    molecule = Molecule.of("OCC(O)c1ccccc1")
    shares = contributions(total, domain.finder, molecule, domain.size(molecule))
    oxygens = [atom.GetSymbol() == "O" for atom in molecule.mol.GetAtoms()]
    ring = [atom.GetIsAromatic() for atom in molecule.mol.GetAtoms()]
    np.testing.assert_allclose(shares, 2.0 * np.array(oxygens) - 0.5 * np.array(ring))
    assert value(total, domain.finder, molecule) == 1.5
    for text in ('2*count("[OX2H")', '2*count("C" grow "C(")'):
        with pytest.raises(InputError, match="RDKit cannot read"):
            domain.read_sum(text)
