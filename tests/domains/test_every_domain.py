"""What every domain that makes its own examples promises. A new domain is a line of `DOMAINS`."""

from collections.abc import Iterator
from functools import cache
from itertools import islice, pairwise
from typing import Any

import numpy as np
import pytest
import torch

from attar.core.domain import MadeDomain
from attar.core.errors import InputError
from attar.core.planting import counterfactuals, generate
from attar.core.rule import And, AtLeast, Not, Or, Path, Rule, conditions, explanations, holds
from attar.domains.images.domain import Images
from attar.domains.sequences.domain import Sequences
from attar.domains.tables.domain import Tables
from attar.domains.text.domain import Texts
from attar.domains.volumes.domain import Volumes
from attar.domains.waveforms.domain import Waveforms
from attar.evaluation.intervals import auroc

DOMAINS: dict[str, MadeDomain] = {
    "sequences": Sequences(),
    "tables": Tables(),
    "texts": Texts(),
    "images": Images(),
    "waveforms": Waveforms(),
    "volumes": Volumes(),
}
WITHOUT_PATHS = {"tables"}
TOLD = {  # what a rule cannot but change, since it asks for it
    ("sequences", "tata"): {"TA found / expected"},  # the box is made of it
    ("texts", "twice-denied"): {"different words / words"},  # it asks for two turns that are alike
}
EXAMPLES = 300  # an AUROC of what says nothing is then .5, give or take .033

of_each_domain = pytest.mark.parametrize("name", DOMAINS)
of_each_rule = pytest.mark.parametrize(
    ("name", "rule_name"), [(n, rule) for n, d in DOMAINS.items() for rule in d.rules]
)


@cache
def made(name: str, rule_name: str) -> tuple[MadeDomain, Rule, list[Any], np.ndarray]:
    domain = DOMAINS[name]
    rule = domain.read_rule(rule_name)
    return domain, rule, *generate(rule, domain.finder, domain.planter, EXAMPLES, seed=3)


@cache
def backgrounds(name: str) -> list[Any]:
    generator = np.random.default_rng(5)
    return [DOMAINS[name].planter.background(generator) for _ in range(12)]


def changed(domain: MadeDomain, before: Any, after: Any) -> set[int]:
    """The parts in which two examples differ."""
    one, other = domain.encode([before, after]).values
    differ = one != other
    grid = differ.flatten() if differ.ndim == 1 else differ.any(0).flatten()
    return set(grid.nonzero()[:, 0].tolist())


def within(rule: Rule) -> Iterator[Rule]:
    yield rule
    for side in rule.sides if isinstance(rule, And | Or) else [rule.rule] if isinstance(rule, Not) else []:
        yield from within(side)


# --- rules ---


@of_each_domain
def test_the_named_rules_use_the_whole_language(name: str) -> None:
    domain = DOMAINS[name]
    rules = [piece for text in domain.rules for piece in within(domain.read_rule(text))]
    kinds = {type(piece) for piece in rules} | {"twice" for p in rules if isinstance(p, AtLeast) and p.n >= 2}
    # In a table `not` names no column, and what must not be is written as what must.
    assert kinds == {And, Or, AtLeast, "twice"} | (set() if name in WITHOUT_PATHS else {Not, Path})


@of_each_rule
def test_a_named_rule_is_its_text(name: str, rule_name: str) -> None:
    domain = DOMAINS[name]
    rule = domain.read_rule(f" {rule_name.upper()} ")
    assert rule == domain.read_rule(domain.rules[rule_name]) == domain.read_rule(str(rule))


@of_each_domain
@pytest.mark.parametrize("text", ["nonesuch", 'has("§")', 'not path("§", "§", 1, 2)', 'count("§" grow "§") >= 2'])
def test_what_is_no_rule_here_is_refused_in_a_line(name: str, text: str) -> None:
    with pytest.raises(InputError) as refused:
        DOMAINS[name].read_rule(text)
    assert "\n" not in str(refused.value)
    assert ("§" if "§" in text else next(iter(DOMAINS[name].rules))) in str(refused.value)


# --- examples and labels ---


@of_each_rule
def test_labels_are_the_rules(name: str, rule_name: str) -> None:
    domain, rule, examples, labels = made(name, rule_name)
    assert labels.sum() == EXAMPLES / 2
    assert [holds(rule, domain.finder, example) for example in examples] == (labels > 0.5).tolist()
    assert len({domain.key(example) for example in examples}) == EXAMPLES


@of_each_rule
def test_masks_lie_in_the_example(name: str, rule_name: str) -> None:
    domain, rule, examples, labels = made(name, rule_name)
    loud = 0
    for example, label in zip(examples, labels, strict=True):
        shown = explanations(rule, domain.finder, example)
        assert shown.union <= set(range(domain.size(example)))
        assert all(mask <= shown.union for mask in shown.alternatives)
        assert bool(shown.alternatives) is bool(label)
        loud += bool(label) and 0 < len(shown.union) < domain.size(example)
    assert loud == EXAMPLES / 2


@of_each_rule
def test_no_condition_tells_the_label_by_itself(name: str, rule_name: str) -> None:
    domain, rule, examples, labels = made(name, rule_name)
    several = list(conditions(rule))
    for condition in several if len(several) > 1 else ():
        held = np.array([float(holds(condition, domain.finder, example)) for example in examples])
        assert 0.1 < auroc(labels, held) < 0.9, str(condition)


@of_each_rule
def test_nothing_but_the_rule_tells_the_label(name: str, rule_name: str) -> None:
    domain, rule, examples, labels = made(name, rule_name)
    asked = str(rule) if name == "tables" else ""
    for prop, values in domain.properties(examples).items():
        assert values.shape == labels.shape
        if prop not in TOLD.get((name, rule_name), ()) and f"{prop.split()[0]} " not in asked:
            assert auroc(labels, values) == pytest.approx(0.5, abs=0.11), prop


@of_each_domain
def test_examples_are_the_seeds_and_nobody_elses(name: str) -> None:
    domain = DOMAINS[name]
    rule = domain.read_rule(next(iter(domain.rules)))

    def keys(seed: int) -> list[str]:
        return [domain.key(example) for example in generate(rule, domain.finder, domain.planter, 6, seed=seed)[0]]

    np.random.seed(1)  # noqa: NPY002 - the state that must not matter
    torch.manual_seed(1)
    before, first = np.random.get_state()[1].copy(), keys(0)  # noqa: NPY002
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    np.random.seed(2)  # noqa: NPY002
    assert keys(0) == first
    assert not set(keys(1)) & set(first)


@of_each_domain
def test_a_rule_against_itself_has_no_examples(name: str) -> None:
    domain = DOMAINS[name]
    leaf = next(conditions(domain.read_rule(next(iter(domain.rules)))))
    with pytest.raises(InputError, match="is true came out of 50 tries"):
        generate(leaf & ~leaf, domain.finder, domain.planter, 1, positives=1.0)


# --- edits ---


@of_each_rule
def test_a_counterfactual_has_the_other_label_and_little_else(name: str, rule_name: str) -> None:
    domain, rule, examples, labels = made(name, rule_name)
    flipped = 0
    for example, label in list(zip(examples, labels, strict=True))[:16]:
        found = counterfactuals(rule, domain.finder, domain.planter, example, most=4)
        flipped += bool(found)
        for other in found:
            assert holds(rule, domain.finder, other.example) != (label > 0.5)
            gone = frozenset().union(*(match.parts for match in other.removed))
            if other.removed:
                assert changed(domain, example, other.example) <= gone
            assert changed(domain, example, other.example)
    assert flipped >= 14


@of_each_domain
def test_an_edit_is_the_generators(name: str) -> None:
    domain = DOMAINS[name]
    rule = domain.read_rule(next(iter(domain.rules)))
    example = generate(rule, domain.finder, domain.planter, 1, positives=1.0)[0][0]
    (condition,) = conditions(rule)
    match = domain.finder.find(condition.motif, example)[0] if isinstance(condition, AtLeast) else None
    assert match is not None
    twice = [domain.planter.remove(example, match, np.random.default_rng(4)) for _ in range(2)]
    assert domain.key(twice[0]) == domain.key(twice[1]) != domain.key(example)


@of_each_domain
def test_groups_are_where_the_editor_says(name: str) -> None:
    domain = DOMAINS[name]
    for example in backgrounds(name):
        groups = domain.editor.groups(example)
        assert groups
        assert all(group.parts and group.parts <= set(range(domain.size(example))) for group in groups)
        for group in groups[:: max(1, len(groups) // 12)]:
            assert group.parts in domain.editor.places(example, group.name)


@of_each_domain
def test_a_group_is_put_on_and_taken_off(name: str) -> None:
    domain, generator = DOMAINS[name], np.random.default_rng(6)
    editor, examples = domain.editor, backgrounds(name)
    put, taken = 0, 0
    for example, donor in pairwise(examples):
        here = {group.name for group in editor.groups(example)}
        absent = [group.name for group in editor.groups(donor) if group.name not in here]
        for group in absent[:: max(1, len(absent) // 3)]:
            for edited in islice(editor.insert(example, group, generator), 2):
                assert len(editor.places(edited, group)) > len(editor.places(example, group)) == 0
                assert domain.size(edited) == domain.size(example)
                put += 1
        for group in sorted(here)[:: max(1, len(here) // 3)]:
            edited = editor.remove(example, group, generator)
            if edited is not None:
                assert not editor.places(edited, group)
                stood = frozenset().union(*editor.places(example, group))
                assert set() < changed(domain, example, edited) <= stood
                taken += 1
    assert put >= 20
    assert taken >= 20


# --- looks ---


@of_each_rule
def test_the_trivial_control_has_seen_neither_label_nor_rule(name: str, rule_name: str) -> None:
    domain, rule, examples, _ = made(name, rule_name)
    scores = []
    for example in examples[:100]:
        values = domain.trivial(example)
        assert values.shape == (domain.size(example),)
        assert np.isfinite(values).all()
        np.testing.assert_array_equal(values, domain.trivial(example))
        shown = explanations(rule, domain.finder, example).union
        if shown and len(np.unique(values)) > 1:
            scores.append(auroc(np.isin(np.arange(len(values)), list(shown)).astype(float), values))
    assert 0.3 < np.mean(scores) < 0.9


@of_each_domain
def test_an_example_is_encoded_by_itself(name: str) -> None:
    domain, examples = DOMAINS[name], backgrounds(name)
    together = domain.encode(examples).values
    assert together.dtype == torch.float32
    assert torch.isfinite(together).all()
    for row, example in zip(together, examples, strict=True):
        assert torch.equal(domain.encode([example]).values[0], row)
        assert row[0].numel() * (1 if row.ndim > 1 else len(row)) == domain.size(example)
    assert len(domain.encode([]).values) == 0


@of_each_domain
def test_a_key_is_an_examples_own(name: str) -> None:
    domain, examples = DOMAINS[name], backgrounds(name)
    again = [domain.planter.background(np.random.default_rng(9)) for _ in range(2)]
    assert domain.key(again[0]) == domain.key(again[1])
    assert len({domain.key(example) for example in examples}) == len(examples)
