"""How far attributions move: against formulas whose gradients are known, and copies made one by one."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from attar import InputError, Logit, attribute
from attar.core.attribution import Attribution
from attar.core.draws import draw
from attar.core.inputs import Inputs, Tensors
from attar.core.model import Predictor
from attar.core.parts import Parts
from attar.core.target import Target
from attar.evaluation import keyed
from attar.evaluation.score import BETTER, SAME
from attar.evaluation.stability import LocalLipschitz, MaxSensitivity, Perturbed, under_perturbation
from attar.methods.grad_input import GradInput
from attar.methods.gradient import Gradient
from attar.methods.random_values import RandomValues
from models import Formula, case, numbers, relu_mlp, table

MEASURES = (MaxSensitivity(), LocalLipschitz())
WEIGHTS = torch.tensor([1.5, -2, 0.3, 4, 1]).double()


@dataclass(frozen=True)
class Anew:
    """Random values that another input, however close, changes altogether."""

    needs: ClassVar[type] = Predictor

    def __call__(self, model: Predictor, inputs: Inputs, target: Target) -> Attribution:
        found = RandomValues()(model, inputs, target)
        ((name, array),) = found.parts.items()
        keys = keyed.contents(inputs.parts, inputs.owners, len(inputs))
        owner = np.arange(len(inputs)).repeat(array[0].numel())
        values = torch.from_numpy(keyed.normal(keys, owner, draws=1, seed=5)).reshape(array.shape)
        return Attribution(
            parts=Parts({name: values}),
            owners=found.owners,
            output=found.output,
            error=found.error,
            evaluations=found.evaluations,
        )


@pytest.mark.parametrize("measure", MEASURES, ids=lambda m: type(m).__name__)
def test_a_gradient_that_does_not_change_does_not_move(measure: Any) -> None:
    found = measure(Formula(lambda x: x @ WEIGHTS), table(20), Gradient())
    np.testing.assert_allclose(found.values, 0, atol=1e-12)
    assert found.verdict == BETTER


@pytest.mark.parametrize("measure", MEASURES, ids=lambda m: type(m).__name__)
def test_values_drawn_anew_for_every_copy_score_what_chance_says(measure: Any) -> None:
    found = measure(Formula(lambda x: x @ WEIGHTS), table(40), Anew())
    assert found.verdict == SAME
    assert found.mean.score > 0.5


def test_the_lipschitz_constant_of_a_quadratic_is_that_of_its_gradient() -> None:
    found = LocalLipschitz()(Formula(lambda x: 1.5 * (x**2).sum(1)), table(8), Gradient())
    np.testing.assert_allclose(found.values, 3, rtol=1e-9)


def test_max_sensitivity_is_the_largest_over_copies_made_one_by_one() -> None:
    module, x = relu_mlp(), table()
    found = MaxSensitivity(radius=0.5, samples=6, seed=3)(module, x, GradInput(), Logit(1))
    own = attribute(module, x, GradInput(), Logit(1)).values
    moved = []
    for k in range(6):
        step = (2 * draw(Tensors(x), seed=(3, k), law="uniform")["input"] - 1) * 0.5
        assert float(step.abs().max()) <= 0.5
        copy = attribute(module, x + step, GradInput(), Logit(1)).values
        moved.append((copy - own).norm(dim=1) / own.norm(dim=1))
    np.testing.assert_allclose(found.values[0], torch.stack(moved).amax(0))


def test_the_class_is_the_one_that_the_example_itself_has() -> None:
    """Copies on the other side of a boundary are asked about the same class: the gradients of both are constant."""
    two = Formula(lambda x: torch.stack([x @ WEIGHTS, -(x @ WEIGHTS)], 1))
    found = MaxSensitivity(radius=3.0)(two, 0.01 * table(20), Gradient())
    np.testing.assert_allclose(found.values, 0, atol=1e-12)


@pytest.mark.parametrize("model_name", ["cnn", "gcn", "bag-mlp", "picture-and-words"])
@pytest.mark.parametrize("measure", MEASURES, ids=lambda m: type(m).__name__)
def test_batch_and_order_change_nothing(measure: Any, model_name: str) -> None:
    given = case(model_name)
    whole = measure(given.model, given.inputs, GradInput())
    assert np.allclose(
        measure(given.model, given.inputs, GradInput(), batch_size=3).values, whole.values, equal_nan=True
    )
    order = torch.tensor([2, 0, 3, 1])
    some = measure(given.model, given.inputs.take(order), GradInput())
    assert np.allclose(some.values, whole.values[:, order], equal_nan=True)
    assert np.allclose(some.random, whole.random[:, order], equal_nan=True)


def test_an_attribution_of_nothing_has_no_sensitivity() -> None:
    found = MaxSensitivity()(Formula(lambda x: x[:, 0] * 0 + 1 + 0 * x.sum(1)), table(4), GradInput())
    assert np.isnan(found.values).all()


def test_all_copies_go_into_one_attribution() -> None:
    model = Formula(lambda x: x @ WEIGHTS)
    MaxSensitivity(samples=20)(model, table(10), Gradient(), batch_size=1000)
    assert 210 in model.sizes
    assert len(model.sizes) < 6


def test_settings_are_checked() -> None:
    with pytest.raises(InputError, match="radius is 0"):
        MaxSensitivity(radius=0)
    with pytest.raises(InputError, match="samples 0"):
        LocalLipschitz(samples=0)


# --- under a perturbation of the caller's ---


def turned(inputs: Inputs) -> Perturbed:
    """Columns in the opposite order, twice: a perturbation of which a model of sums knows nothing."""
    copies = inputs.repeat(2)
    moved = copies.replace(copies.parts.map(lambda array: array.flip(1)))
    return Perturbed(inputs=moved, of=torch.arange(len(inputs)).repeat_interleave(2))


def test_values_are_compared_place_by_place() -> None:
    model, x = Formula(lambda x: (x**2).sum(1)), table(30)
    assert under_perturbation(model, x, GradInput(), turned).mean.score < 0.5  # each column's value went elsewhere
    found = under_perturbation(model, x, GradInput(), lambda i: Perturbed(inputs=i.repeat(2), of=turned(i).of))
    np.testing.assert_allclose(found.values, 1)
    assert found.verdict == BETTER


def test_rows_of_a_graph_are_followed_where_they_go() -> None:
    """Nodes of each graph in another order, the edges with them; and a copy whose rows correspond to none."""
    given = case("gcn")
    graphs = given.inputs
    order = torch.tensor([2, 1, 0, 3, 7, 6, 5, 4, 9, 8])
    place = order.argsort()

    def shuffled(inputs: Any) -> Perturbed:
        moved = replace(inputs, nodes=inputs.nodes[order], edge_index=place[inputs.edge_index])
        rows = {"nodes": order, "edges": torch.arange(len(inputs.edges))}
        return Perturbed(inputs=moved, of=torch.arange(len(inputs)), rows=rows)

    found = under_perturbation(given.model, graphs, GradInput(), shuffled)
    assert np.nanmin(found.values) == pytest.approx(1)
    assert np.isnan(found.values[0, 1])  # a lone node

    def unknown(inputs: Any) -> Perturbed:
        said = shuffled(inputs)
        assert said.rows is not None
        return Perturbed(
            inputs=said.inputs, of=said.of, rows={n: torch.full_like(row, -1) for n, row in said.rows.items()}
        )

    assert np.isnan(under_perturbation(given.model, graphs, GradInput(), unknown).values).all()
    with pytest.raises(InputError, match="says nothing of the rows of edges"):
        under_perturbation(
            given.model,
            graphs,
            GradInput(),
            lambda i: Perturbed(inputs=i, of=torch.arange(4), rows={"nodes": torch.arange(10)}),
        )


def test_several_inputs_by_name_are_followed_entry_by_entry() -> None:
    given = case("picture-and-words")
    found = under_perturbation(
        given.model,
        given.inputs,
        GradInput(),
        lambda i: Perturbed(inputs=i.repeat(3), of=torch.arange(4).repeat_interleave(3)),
    )
    np.testing.assert_allclose(found.values, 1)


def test_unrelated_values_score_chance() -> None:
    model, x = Formula(lambda x: x.sum(1)), numbers(60, 12)
    found = under_perturbation(
        model, x, Anew(), lambda i: Perturbed(inputs=i.replace(i.parts * 1.01), of=torch.arange(60))
    )
    assert found.verdict == SAME


def test_a_perturbation_that_does_not_fit_is_refused() -> None:
    model, x = Formula(lambda x: x.sum(1)), table()
    for of in (torch.arange(5), torch.arange(1, 7)):
        with pytest.raises(InputError, match="the perturbation gave 6 copies"):
            under_perturbation(model, x, GradInput(), lambda i, of=of: Perturbed(inputs=i, of=of))
