"""Integrated Gradients along straight, blurred and guided paths: closed forms, the error bar, where nodes go."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.fft import dctn
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from attar import InputError, Logit, Probability, UnsupportedError, attribute
from attar.adapters import adapt
from attar.core.attribution import Attribution
from attar.core.baseline import Constant
from attar.core.inputs import Tensors
from attar.core.method import Method
from attar.core.model import Chunked
from attar.core.parts import Parts
from attar.core.waves import of_waves, waves_of
from attar.estimation.path_integral import jump_error
from attar.estimation.quadrature import added, rule
from attar.methods import guided_integrated_gradients
from attar.methods.blur_integrated_gradients import BlurIntegratedGradients
from attar.methods.guided_integrated_gradients import GuidedIntegratedGradients
from attar.methods.integrated_gradients import IntegratedGradients
from models import FEATURES, Formula, PooledCNN, case, close, images, in_dtype, numbers, relu_mlp, seeded, table

ALPHA = torch.tensor([1.0, -2.0, 0.5, 0.0, 3.0], dtype=torch.float64)


def l1(values: Tensor) -> Tensor:
    return values.flatten(1).abs().sum(1)


def nodes_of(found: Attribution) -> set[int]:
    return set((found.evaluations - 1).tolist())  # the verb's own question is one more


def midpoints(module: nn.Module, x: Tensor, steps: int, output: int = 0) -> Tensor:
    """The literal rule: so many steps, one after another."""
    total = torch.zeros_like(x)
    for k in range(steps):
        point = (x * ((k + 0.5) / steps)).requires_grad_()
        total += torch.autograd.grad(module(point)[:, output].sum(), point)[0]
    return total / steps * x


# --- closed forms ---


def quadratic(x: Tensor) -> Tensor:
    return (ALPHA * x**2).sum(1) + 4 * x[:, 0] * x[:, 1] - x[:, 2] + 7


@pytest.mark.parametrize("start", [torch.zeros(FEATURES), torch.tensor([0.5, -1.0, 2.0, 0.3, -0.7])])
def test_a_quadratic(start: Tensor) -> None:
    x, start = table(), start.double()
    found = attribute(Formula(quadratic), x, IntegratedGradients(baseline=Constant({"input": start})))
    expected = ALPHA * (x**2 - start**2)
    expected[:, 0] += 2 * (x[:, 0] - start[0]) * (x[:, 1] + start[1])
    expected[:, 1] += 2 * (x[:, 1] - start[1]) * (x[:, 0] + start[0])
    expected[:, 2] -= x[:, 2] - start[2]
    close(found.values, expected)  # its gradient is linear on the path: no rule makes an error
    close(found.reference, quadratic(start[None]).expand(6))
    close(found.residual(), torch.zeros(6, dtype=torch.float64))
    assert nodes_of(found) == {7}


def test_a_product_is_shared_in_halves() -> None:
    x = table()
    found = attribute(Formula(lambda x: x[:, 0] * x[:, 3]), x, IntegratedGradients())
    expected = torch.zeros_like(x)
    expected[:, [0, 3]] = (x[:, 0] * x[:, 3] / 2)[:, None]
    close(found.values, expected)


@pytest.mark.parametrize("tolerance", [1e-2, 1e-5, 1e-9])
def test_a_sigmoid_of_a_linear_model(tolerance: float) -> None:
    module, x = seeded(lambda: nn.Linear(FEATURES, 1)), 3 * table(50)
    weight, bias = module.weight.detach()[0], module.bias.detach()
    found = attribute(module, x, IntegratedGradients(tolerance=tolerance), Probability(0))
    z = x @ weight
    expected = weight * x * ((torch.sigmoid(z + bias) - torch.sigmoid(bias)) / z)[:, None]
    error = l1(found.values - expected)
    assert bool(found.error.reached.all())
    assert bool((error <= tolerance * l1(expected)).all())
    rounding = 1e-13 * l1(expected)
    assert float((error <= found.error.bound + rounding).double().mean()) >= 0.95


@pytest.mark.parametrize("tolerance", [1e-2, 1e-6])
def test_one_kink_is_found_by_halving(tolerance: float) -> None:
    """relu(w·x - b) starts to rise at b / w·x of the way."""
    weight = torch.tensor([2.0, -1.0, 0.5, 1.0, -3.0], dtype=torch.float64)
    module, x = Formula(lambda x: torch.relu(x @ weight - 0.7)), 2 * table(60)
    found = attribute(module, x, IntegratedGradients(tolerance=tolerance))
    rise = (1 - 0.7 / (x @ weight)).clamp(0, 1) * (x @ weight > 0.7)
    expected = rise[:, None] * weight * x
    assert bool(found.error.reached.all())
    assert float((l1(found.values - expected) <= found.error.bound).double().mean()) >= 0.95
    # A few nodes for each halving of the error, where even steps would have to be twice as many each time.
    assert max(nodes_of(found)) <= 12 + 3 * np.log2(1 / tolerance)


def test_a_linear_model_takes_the_first_rule_alone_in_every_precision() -> None:
    for dtype, slack in ((torch.float64, 1e-14), (torch.float32, 1e-5), (torch.bfloat16, 5e-2)):
        module = seeded(lambda: nn.Linear(FEATURES, 3)).to(dtype)
        x = table().to(dtype)
        found = attribute(module, x, IntegratedGradients(tolerance=1e-3), Logit(2))
        assert found.values.dtype == dtype
        assert nodes_of(found) == {7}
        expected = x.double() * module.weight.detach().double()[2]
        assert float((l1(found.values.double() - expected) / l1(expected)).max()) < slack


def test_it_is_linear_in_the_model() -> None:
    one, other = relu_mlp(seed=1), relu_mlp(seed=2)
    both = Formula(lambda x: 2 * one(x) - 3 * other(x))
    x = table()
    exact = [attribute(m, x, IntegratedGradients(tolerance=1e-9, budget=2000), Logit(0)) for m in (one, other, both)]
    close(exact[2].values, 2 * exact[0].values - 3 * exact[1].values, 1e-7)


@pytest.mark.parametrize("method", [IntegratedGradients(), GuidedIntegratedGradients(distance=0.3)], ids=str)
def test_the_same_function_written_otherwise_gets_the_same_answer(method: Method) -> None:
    module, x = relu_mlp(), table()
    first, _, second, _, last = module
    order = torch.randperm(16, generator=torch.Generator().manual_seed(0))

    def otherwise(x: Tensor) -> Tensor:
        hidden = x @ (first.weight[order] / 4).T + first.bias[order] / 4
        hidden = torch.where(hidden > 0, hidden, 0) @ (4 * second.weight[:, order]).T + second.bias
        return last((hidden + hidden.abs()) / 2)

    found, again = (attribute(m, x, method, Logit(1)) for m in (module, Formula(otherwise)))
    close(found.values, again.values)
    close(found.error.bound, again.error.bound)


# --- the error and the nodes ---


@pytest.fixture(scope="module")
def kinked() -> tuple[nn.Module, Tensor, Tensor]:
    """A ReLU network, inputs whose paths cross its kinks, and their attribution to nine digits or so.

    The literal rule says that those digits are right: test_the_fine_answer_is_that_of_the_literal_rule.
    """
    module, x = relu_mlp(), 3 * table(200, seed=11)
    fine = attribute(module, x, IntegratedGradients(tolerance=1e-9, budget=3000), Logit(0))
    assert bool(fine.error.reached.all())
    return module, x, fine.values


def test_the_fine_answer_is_that_of_the_literal_rule(kinked: tuple[nn.Module, Tensor, Tensor]) -> None:
    module, x, fine = kinked
    errors = [l1(midpoints(module, x[:40], steps) - fine[:40]).median() for steps in (100, 1000)]
    assert float(errors[1] / l1(fine[:40]).median()) < 1e-3
    assert float(errors[0] / errors[1]) == pytest.approx(10, rel=0.3)  # the rule goes to it as one over its steps


@pytest.mark.parametrize(("tolerance", "budget"), [(0.1, 216), (0.01, 216), (1e-3, 216), (1e-4, 40)])
def test_the_error_covers_the_true_error_on_a_kinked_model(
    kinked: tuple[nn.Module, Tensor, Tensor], tolerance: float, budget: int
) -> None:
    """In 95% of the examples or nearly (200 examples: give or take 3%), and is not so wide as to cover anything."""
    module, x, expected = kinked
    found = attribute(module, x, IntegratedGradients(tolerance=tolerance, budget=budget), Logit(0))
    error = l1(found.values - expected)
    assert float((error <= found.error.bound).double().mean()) >= 0.93
    assert float((found.error.bound / error).median()) < 3
    assert torch.equal(found.error.reached, found.error.bound <= tolerance * l1(found.values))
    if budget == 216:
        assert bool(found.error.reached.all())
        assert float((error <= tolerance * l1(expected)).double().mean()) >= 0.95
    else:
        assert not bool(found.error.reached.all())
        assert max(nodes_of(found)) == budget


SMOOTH = {
    "silu": lambda: nn.Sequential(nn.Linear(FEATURES, 16), nn.SiLU(), nn.Linear(16, 16), nn.SiLU(), nn.Linear(16, 1)),
    "tanh": lambda: nn.Sequential(nn.Linear(FEATURES, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 1)),
    "gelu": lambda: nn.Sequential(nn.Linear(FEATURES, 16), nn.GELU(), nn.LayerNorm(16), nn.Linear(16, 1)),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_the_error_covers_the_true_error_on_a_smooth_model(name: str) -> None:
    module, x = seeded(SMOOTH[name]), 3 * table(100)
    nodes, weights = np.polynomial.legendre.leggauss(200)
    expected = torch.zeros_like(x)
    for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        point = (x * node).requires_grad_()
        expected += weight * torch.autograd.grad(module(point).sum(), point)[0]
    expected *= x
    found = attribute(module, x, IntegratedGradients())
    error = l1(found.values - expected)
    assert bool(found.error.reached.all())
    assert bool((error <= 0.01 * l1(expected)).all())
    assert float((error <= found.error.bound).double().mean()) >= 0.95
    assert float((found.error.bound / error).median()) < 12
    assert float(found.evaluations.double().mean()) < 20


def test_a_tighter_tolerance_on_a_smooth_model_takes_the_next_rule() -> None:
    module, x = seeded(SMOOTH["tanh"]), 2 * table(50)
    known = [len(rule(level).nodes) for level in range(4)]
    assert known == [7, 13, 43, 75]
    used = [nodes_of(attribute(module, x, IntegratedGradients(tolerance=10.0**-k))) for k in (2, 6, 10)]
    assert used[0] <= {7, 13}
    assert used[1] <= {7, 13, 43}
    assert 43 in used[2]


def test_a_residual_of_zero_is_no_error_of_zero() -> None:
    """Two features whose errors cancel in the sum: an error read off the completeness would be zero."""
    module = Formula(lambda x: torch.relu(x[:, 0] - 0.4 * x[:, 2]) - torch.relu(x[:, 1] - 0.4 * x[:, 2]))
    x = torch.ones(1, 3, dtype=torch.float64)
    found = attribute(module, x + torch.tensor([0.0, 0.0, 0.01]), IntegratedGradients(tolerance=0.5, budget=7))
    again = attribute(module, x, IntegratedGradients())
    assert float(found.residual().abs()) < 1e-12
    assert float(again.residual().abs()) < 1e-12

    # Bent: the gradients of the first two jump at different places, and by the same.
    bent = Formula(lambda x: torch.relu(x[:, 0] - 0.3) + torch.relu(0.7 - x[:, 1]) + x[:, 1])
    found = attribute(bent, x, IntegratedGradients(tolerance=1e-12, budget=7))
    expected = torch.tensor([[0.7, 0.3, 0.0]], dtype=torch.float64)
    error = float(l1(found.values - expected))
    assert float(found.residual().abs()) < error
    assert error <= float(found.error.bound)


def test_nodes_go_where_the_gradient_jumps() -> None:
    asked: list[Tensor] = []

    def formula(x: Tensor) -> Tensor:
        asked.append(x.detach()[:, 0].clone())
        return torch.relu(x[:, 0] - 0.31) * 5 + x[:, 0]

    attribute(Formula(formula), torch.ones(1, 1, dtype=torch.float64), IntegratedGradients(tolerance=1e-5))
    t = torch.cat(asked)
    assert float(((t - 0.31).abs() < 0.05).double().mean()) > 0.25  # of even steps a tenth would be


def test_a_budget_ends_what_cannot_be_reached_and_says_so() -> None:
    module, x = relu_mlp(), 3 * table(40, seed=11)
    for budget in (7, 8, 12, 13, 40):
        found = attribute(module, x, IntegratedGradients(tolerance=1e-9, budget=budget), Logit(0))
        assert not bool(found.error.reached.any())
        assert max(nodes_of(found)) <= budget
    smooth = attribute(seeded(SMOOTH["tanh"]), 3 * x, IntegratedGradients(tolerance=1e-12, budget=40))
    assert not bool(smooth.error.reached.all())
    assert max(nodes_of(smooth)) <= 40


def test_rounding_ends_the_refinement() -> None:
    module, x = seeded(SMOOTH["silu"]).float(), table(20).float()
    found = attribute(module, x, IntegratedGradients(tolerance=1e-9, budget=500))
    assert not bool(found.error.reached.any())  # single precision does not hold nine digits
    assert max(nodes_of(found)) < 50


def test_an_input_at_the_baseline_has_no_attribution_and_no_error() -> None:
    found = attribute(relu_mlp(), torch.zeros(2, FEATURES, dtype=torch.float64), IntegratedGradients())
    assert torch.equal(found.values, torch.zeros(2, FEATURES, dtype=torch.float64))
    assert found.error.bound.tolist() == [0, 0]
    assert found.error.reached.tolist() == [True, True]


def test_no_more_copies_are_laid_out_than_the_model_takes() -> None:
    module = Formula(lambda x: torch.relu(x).sum(1) + torch.relu(x[:, 0] - 1))
    inputs = Tensors(3 * table(10))
    IntegratedGradients(tolerance=1e-4)(Chunked(adapt(module), 25), inputs, Logit(0))
    assert module.sizes[0] == 20  # two nodes of ten examples
    assert max(module.sizes) <= 25


def test_several_targets_share_the_forward_passes_and_nothing_else() -> None:
    given = case("mlp")
    x = 3 * given.inputs.values
    alone = [attribute(given.model, x, IntegratedGradients(), Logit(k)) for k in (0, 1)]
    module = Formula(given.module.forward)
    together = attribute(module, x, IntegratedGradients(), [Logit(0), Logit(1)])
    for one, other in zip(alone, together, strict=True):
        close(one.values, other.values)
        close(one.error.bound, other.error.bound)
        assert torch.equal(one.evaluations, other.evaluations)
    # The verb's own questions are of at most 6 rows; the first rule, of 7 nodes for 6 examples, is asked once.
    assert module.sizes.count(7 * len(x)) == 1


@pytest.mark.parametrize("name", ["mpnn", "pyg-gcn", "bag-mlp"])
def test_it_is_complete_on_graphs_and_sparse_rows(name: str) -> None:
    given = case(name)
    found = attribute(given.model, given.inputs, IntegratedGradients(tolerance=1e-4, budget=2000))
    assert bool(found.error.reached.all())
    assert bool((found.residual().abs() <= found.error.bound + 1e-12).all())
    assert float(found.residual().abs().max()) < 1e-3 * float(found.output.abs().max())


@pytest.mark.parametrize(
    "wrong", [{"tolerance": 0.0}, {"tolerance": 1.0}, {"tolerance": -0.1}, {"budget": 6}, {"budget": 0}]
)
def test_impossible_tolerances_and_budgets_are_refused(wrong: dict[str, float]) -> None:
    for method in (IntegratedGradients, BlurIntegratedGradients):
        with pytest.raises(InputError, match=f"^{next(iter(wrong))} is {next(iter(wrong.values()))}, expected"):
            method(**wrong)


def test_a_baseline_without_a_part_is_refused() -> None:
    given = case("mpnn")
    method = IntegratedGradients(baseline=Constant({"nodes": torch.zeros(3)}))
    with pytest.raises(InputError, match="the baseline has no value for edges"):
        attribute(given.model, given.inputs, method)


# --- the rules ---


@pytest.mark.parametrize(("level", "degrees"), [(0, (3, 5, 9)), (1, (5, 9, 19)), (2, (9, 17, 33)), (3, (17, 33, 65))])
def test_a_rule_is_exact_for_polynomials_of_its_degree(level: int, degrees: tuple[int, ...]) -> None:
    known = rule(level)
    for weights, degree in zip(known.weights, degrees, strict=True):
        for power in range(degree + 1):
            assert weights @ known.nodes**power == pytest.approx(1 / (power + 1), abs=1e-12)
        assert min(weights[weights != 0]) > 0
    if level <= 1:  # and for no more
        missed = [abs(w @ known.nodes ** (d + 1) - 1 / (d + 2)) for w, d in zip(known.weights, degrees, strict=True)]
        assert min(missed) > 1e-13


def test_each_rule_holds_the_nodes_of_the_one_before() -> None:
    for level in range(1, 5):
        nodes, before = rule(level).nodes, rule(level - 1).nodes
        assert len(added(level)) == len(nodes) - len(before)
        assert np.abs(nodes[:, None] - before).min(0).max() < 1e-12
        assert bool((np.diff(nodes) > 1e-6).all())


# --- blurs ---


def test_blurred_paths_of_a_linear_model_end_where_they_must() -> None:
    """Whatever the path, the integral of a constant gradient is the gradient times the way."""
    x, weight = images(), numbers(2, 5, 4, seed=8)
    sigma = 1.5
    found = attribute(
        Formula(lambda x: (x * weight).sum((1, 2, 3))), x, BlurIntegratedGradients(sigma=sigma, tolerance=1e-6)
    )
    blurred = gaussian_filter(x.numpy(), (0, 0, sigma, sigma), mode="reflect", truncate=12)
    # Sampled Gaussians, as scipy's, differ a little from the exact ones that cosine transforms give.
    close(found.values, weight * (x - torch.from_numpy(blurred)), 5e-3)
    close(found.residual(), torch.zeros(4, dtype=torch.float64), 1e-5)


@pytest.mark.parametrize("shape", [(2, 16), (1, 6, 7), (1, 3, 4, 5)])
def test_any_number_of_axes_is_blurred(shape: tuple[int, ...]) -> None:
    x = numbers(3, *shape)
    model = Formula(lambda x: (x**2).flatten(1).sum(1) / 2)
    found = attribute(model, x, BlurIntegratedGradients(sigma=1000, tolerance=1e-3))
    mean = x.mean(tuple(range(2, x.ndim)), keepdim=True).expand_as(x)
    close(found.reference, (mean**2).flatten(1).sum(1) / 2, 1e-6)  # a blur without end leaves each channel's mean
    assert bool((found.residual().abs() <= found.error.bound).all())


def test_a_blur_does_not_depend_on_the_batch_size() -> None:
    """PAIR's takes the last step's difference for all of a batch: 63.6, 51.5 and 32.7 at batches of 1, 5 and 20."""
    module, x = seeded(PooledCNN), images()
    usual = attribute(module, x, BlurIntegratedGradients(), Logit(0))
    for size in (1, 5, 20):  # copies of an image in one call
        again = attribute(module, x, BlurIntegratedGradients(), Logit(0), batch_size=size)
        close(again.values, usual.values)
        close(again.error.bound, usual.error.bound)
    assert bool((usual.residual().abs() <= usual.error.bound).all())


@pytest.mark.parametrize("shape", [(2, 3, 1), (2, 1, 2), (1, 2, 7), (2, 1, 5, 4), (1, 1, 3, 4, 5)])
def test_the_cosine_transform_is_scipys_and_comes_back(shape: tuple[int, ...]) -> None:
    x, axes = numbers(*shape), len(shape) - 2
    waves = waves_of(x, axes)
    close(waves, torch.from_numpy(dctn(x.numpy(), axes=range(2, len(shape)))) / 2**axes, 1e-13)
    close(of_waves(waves, axes), x, 1e-13)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_a_blurred_path_ends_at_the_input_itself(dtype: torch.dtype) -> None:
    """To the last digit: else a black pixel would not be black, and a unit at its kink on either side of it."""
    x, asked = images().to(dtype), []

    def formula(x: Tensor) -> Tensor:
        asked.append(x.detach().clone())
        return x.flatten(1).sum(1)

    attribute(Formula(formula), x, BlurIntegratedGradients())
    first = next(rows for rows in asked if len(rows) == len(rule(0).nodes) * len(x))
    assert torch.equal(first[-len(x) :], x)


def test_a_long_signal_is_blurred_in_little_memory() -> None:
    """A table of cosines would hold the length times the length: here 64 GB."""
    sound = numbers(1, 1, 90_000)
    found = attribute(Formula(lambda x: (x**2).flatten(1).sum(1)), sound, BlurIntegratedGradients(tolerance=0.5))
    assert bool((found.residual().abs() <= found.error.bound).all())


def test_a_channel_that_the_model_does_not_hear_gets_nothing_on_a_blurred_path() -> None:
    found = attribute(Formula(lambda x: torch.tanh(x[:, 0]).sum((1, 2))), images(), BlurIntegratedGradients())
    assert float(found.values[:, 1].abs().max()) == 0
    assert bool((found.values[:, 0] != 0).all())


@pytest.mark.parametrize("tolerance", [0.1, 0.01])
def test_the_error_covers_the_true_error_on_a_blurred_path(tolerance: float) -> None:
    module, x = seeded(PooledCNN), 2 * numbers(100, 2, 5, 4, seed=3)
    fine = attribute(module, x, BlurIntegratedGradients(tolerance=2e-4, budget=1200), Logit(0))
    found = attribute(module, x, BlurIntegratedGradients(tolerance=tolerance), Logit(0))
    assert bool((fine.error.bound < 0.1 * found.error.bound).all())
    assert bool(found.error.reached.all())
    error = l1(found.values - fine.values)
    assert float((error <= found.error.bound).double().mean()) >= 0.93
    assert float((found.error.bound / error).median()) < 4


def test_a_blur_keeps_precision_and_refuses_what_has_no_positions() -> None:
    for dtype in (torch.float32, torch.bfloat16):
        found = attribute(seeded(PooledCNN, dtype), in_dtype(Tensors(images()), dtype), BlurIntegratedGradients())
        assert found.values.dtype == dtype
    with pytest.raises(UnsupportedError, match=r"input has shape \(6, 5\), a blur needs"):
        attribute(relu_mlp(), table(), BlurIntegratedGradients())
    given = case("mpnn")
    with pytest.raises(UnsupportedError, match="take IntegratedGradients"):
        attribute(given.model, given.inputs, BlurIntegratedGradients())
    several = case("picture-and-words")
    with pytest.raises(UnsupportedError, match=r"age has shape \(4, 2\), .*; or name the inputs that have"):
        attribute(several.model, several.inputs, BlurIntegratedGradients())
    found = attribute(several.model, replace(several.inputs, only=("picture",)), BlurIntegratedGradients())
    assert list(found.parts) == ["picture"]
    with pytest.raises(InputError, match="sigma is 0, expected a positive number"):
        BlurIntegratedGradients(sigma=0)


# --- guided paths ---


def test_a_guided_path_that_may_not_stray_is_the_straight_one() -> None:
    """And its rule the trapezoid's."""
    module, x = relu_mlp(), table()
    found = attribute(module, x, GuidedIntegratedGradients(steps=20, distance=0.0, fraction=1.0), Logit(0))
    total = torch.zeros_like(x)
    for k in range(21):
        point = (x * (k / 20)).requires_grad_()
        total += torch.autograd.grad(module(point)[:, 0].sum(), point)[0] * (0.5 if k in (0, 20) else 1)
    close(found.values, total / 20 * x)


def literal(module: nn.Module, x: Tensor, steps: int, fraction: float, distance: float) -> Tensor:
    """Algorithm 1 for one example, entry by entry, with the mean of both ends' gradients in each step."""

    def slope(at: Tensor) -> Tensor:
        point = at[None].clone().requires_grad_()
        return torch.autograd.grad(module(point)[:, 0].sum(), point)[0][0]

    here, total = torch.zeros_like(x), torch.zeros_like(x)
    for step in range(1, steps + 1):
        share, gradient = step / steps, slope(here)
        there = here.clone()
        least, most = max(share - distance, 0) * x, min(share + distance, 1) * x
        for k in range(len(x)):
            if abs(there[k]) < abs(least[k]):
                there[k] = least[k]
        wanted = (1 - share) * x.abs().sum()
        left = sorted((k for k in range(len(x)) if there[k] != most[k]), key=lambda k: float(gradient[k].abs()))
        size = max(1.0, fraction * len(x))
        blocks = [[k for place, k in enumerate(left) if int(place / size) == b] for b in range(len(x))]
        for block in blocks:
            missing = (x - there).abs().sum() - wanted
            room = sum((most[k] - there[k]).abs() for k in block)
            part = min(max(float(missing / room), 0.0), 1.0) if block else 0.0
            for k in block:
                there[k] += part * (most[k] - there[k])
        total += (there - here) * (gradient + slope(there)) / 2
        here = there
    return total


@pytest.mark.parametrize(("fraction", "distance"), [(0.1, 1.0), (0.4, 0.1), (0.1, 0.02)])
def test_a_guided_path_is_the_literal_one(fraction: float, distance: float) -> None:
    module, x = relu_mlp(), table()
    found = attribute(module, x, GuidedIntegratedGradients(steps=12, fraction=fraction, distance=distance), Logit(0))
    close(found.values, torch.stack([literal(module, row, 12, fraction, distance) for row in x]), 1e-8)
    assert nodes_of(found) == {13}


@pytest.mark.parametrize("name", ["mlp", "cnn", "mpnn", "bag-mlp"])
def test_a_guided_path_is_complete_to_its_error(name: str) -> None:
    given = case(name)
    few, many = (attribute(given.model, given.inputs, GuidedIntegratedGradients(steps=n)) for n in (20, 200))
    for found in (few, many):  # 95% of examples, and of those 4 or 6 that are here none by much
        assert bool((found.residual().abs() <= 1.5 * found.error.bound + 1e-12).all())
    assert bool((many.error.bound <= few.error.bound + 1e-12).all())


@pytest.mark.parametrize(("steps", "distance"), [(50, 0.02), (20, 0.2)])
def test_the_error_covers_the_true_error_on_a_guided_path(steps: int, distance: float) -> None:
    """The truth: midpoints, many to a step, on the segments that were walked."""
    module, x, asked = relu_mlp(), 3 * table(200, seed=11), []

    def walked(x: Tensor) -> Tensor:
        asked.append(x.detach().clone())
        return module(x)

    found = attribute(Formula(walked), x, GuidedIntegratedGradients(steps=steps, distance=distance), Logit(0))
    expected, shares = torch.zeros_like(x), (torch.arange(60).double()[:, None, None] + 0.5) / 60
    for first, last in zip(asked[-steps - 1 :], asked[-steps:], strict=False):
        points = (first + shares * (last - first)).requires_grad_()
        slopes = torch.autograd.grad(module(points)[..., 0].sum(), points)[0]
        expected += slopes.mean(0) * (last - first)
    error = l1(found.values - expected)
    assert float((error <= found.error.bound).double().mean()) >= 0.93
    assert float((found.error.bound / error).median()) < 3


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_a_guided_path_ends_at_the_input_itself(dtype: torch.dtype) -> None:
    x, asked = 3 * table().to(dtype), []

    def formula(x: Tensor) -> Tensor:
        asked.append(x.detach().clone())
        return (x**3).sum(1)

    start = Constant({"input": torch.tensor([0.3, -0.1, 0.7, 1.1, 0.9])})
    attribute(Formula(formula), x, GuidedIntegratedGradients(steps=7, baseline=start))
    assert torch.equal(asked[-1], x)


def test_a_guided_path_in_half_precision_is_walked_and_summed_in_single() -> None:
    """Else each of many small steps is rounded off, and each sum."""
    x, weight = 3 * table().bfloat16(), torch.tensor([0.3, -0.7, 1.1, 0.9, 1.7]).bfloat16()
    found = attribute(Formula(lambda x: (x * weight).sum(1)), x, GuidedIntegratedGradients(steps=300))
    torch.testing.assert_close(found.values.float(), x.float() * weight.float(), rtol=2**-8, atol=0)
    assert bool((found.error.bound > 0).all())  # that of rounding


@pytest.mark.parametrize("name", ["mlp", "mpnn", "bag-mlp"])
def test_a_guided_path_holds_few_jumps_at_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given, method, held = case(name), GuidedIntegratedGradients(steps=10), []
    classes = adapt(given.model).predict(given.inputs).shape[1]
    target = Logit([k % classes for k in range(len(given.inputs))])
    usual = attribute(given.model, given.inputs, method, target)

    def looked_at(jumps: Parts, owners: dict[str, Tensor], count: int) -> Tensor:
        held.append(jumps["entries"].numel())
        return jump_error(jumps, owners, count)

    numbers_in_all = sum(array.numel() for array in given.inputs.parts.values())
    monkeypatch.setattr(guided_integrated_gradients, "_HELD", 10 * numbers_in_all // 2)
    monkeypatch.setattr(guided_integrated_gradients, "jump_error", looked_at)
    found = attribute(given.model, given.inputs, method, target)
    assert len(held) > 1
    assert sum(held) == 10 * numbers_in_all
    for part, array in found.parts.items():
        close(array, usual.parts[part])
    close(found.error.bound, usual.error.bound)


def test_of_two_entries_that_need_each_other_the_last_gets_more_on_a_guided_path() -> None:
    """x y, from (0, 0) to (1, 1): all slopes are 0 there, the first goes first, and the second finds it in place."""
    x = torch.ones(1, 2, dtype=torch.float64)
    model = Formula(lambda x: x[:, 0] * x[:, 1])
    close(attribute(model, x, GuidedIntegratedGradients(distance=0.0, fraction=1.0)).values, x / 2)
    close(attribute(model, x, GuidedIntegratedGradients(distance=1.0)).values, torch.tensor([[0.0, 1.0]]).double())


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"fraction": 0}, {"fraction": 1.5}, {"distance": -1}])
def test_impossible_guides_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match=f"^{next(iter(wrong))} is {next(iter(wrong.values()))}, expected"):
        GuidedIntegratedGradients(**wrong)
