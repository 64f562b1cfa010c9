"""The gradient, statistics of it over noise, and its mean on the way from a background."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from attar import InputError, Logit, Predicted, UnsupportedError, attribute
from attar.core.attribution import Attribution
from attar.core.baseline import Constant, Rows
from attar.core.draws import draw, draws
from attar.core.inputs import Inputs, Tensors
from attar.core.method import Method
from attar.core.model import Chunked
from attar.core.target import Target
from attar.methods.expected_gradients import ExpectedGradients
from attar.methods.grad_input import GradInput
from attar.methods.gradient import Gradient
from attar.methods.integrated_gradients import IntegratedGradients
from attar.methods.occlusion import Occlusion
from attar.methods.smooth_grad import SmoothGrad
from attar.methods.square_grad import SquareGrad
from attar.methods.var_grad import VarGrad
from models import FEATURES, Formula, case, close, graphs, numbers, relu_mlp, seeded, table
from reference import over_noise

OVER_NOISE = (SmoothGrad, SquareGrad, VarGrad)


def per_example(values: Tensor) -> Tensor:
    return values.flatten(1).sum(1)


def cubes(x: Tensor) -> Tensor:
    return (x**3).sum(1)


def two_outputs(x: Tensor) -> Tensor:
    return torch.stack([(x**3).sum(1), torch.tanh(2 * x).sum(1) + x[:, 0] * x[:, 1]], 1)


def width(x: Tensor, noise: float = 0.15) -> Tensor:
    return noise * x.std(1, correction=0, keepdim=True)


# --- the gradient ---


def test_the_gradient_is_the_derivative() -> None:
    x = table()
    found = attribute(Formula(cubes), x, Gradient())
    close(found.values, 3 * x**2)
    assert found.evaluations.tolist() == [2] * 6
    assert found.reference is None


def test_the_gradient_of_a_linear_model_is_its_weights_sign_and_all() -> None:
    module, x = case("linear").model, table()
    close(attribute(module, x, Gradient(), Logit(2)).values, module.weight.detach()[2].expand(6, FEATURES))


def test_gradient_input_is_the_gradient_times_the_input() -> None:
    given = case("mpnn")
    gradient, carried = (attribute(given.model, given.inputs, method) for method in (Gradient(), GradInput()))
    for part, array in given.inputs.parts.items():
        close(carried.parts[part], gradient.parts[part] * array)


@pytest.mark.parametrize("method", [Gradient(), GradInput()])
def test_gradients_of_several_targets_come_from_one_forward(method: Method) -> None:
    module = Formula(two_outputs)
    found = attribute(module, table(), method, [Logit(0), Logit(1), Predicted()])
    forwards = len(module.sizes)
    attribute(module, table(), method, Logit(0))
    assert len(module.sizes) == 2 * forwards
    for one, target in zip(found, [Logit(0), Logit(1), Predicted()], strict=True):
        close(one.values, attribute(module, table(), method, target).values)


# --- over noise ---


def cubic_gradient(x: np.ndarray) -> np.ndarray:
    return 3 * x**2


@pytest.mark.parametrize(
    ("kind", "literal"),
    [(SmoothGrad, over_noise.mean), (SquareGrad, over_noise.mean_square), (VarGrad, over_noise.variance)],
)
def test_statistics_over_noise_are_the_literal_ones(kind: type, literal: Callable) -> None:
    x = table()
    found = attribute(Formula(cubes), x, kind(base=Gradient(), samples=14, seed=3))
    step = width(x)
    noises = [(draw(Tensors(x), seed=(3, k), law="normal")["input"] * step).numpy() for k in range(7)]
    up, down = over_noise.gradients(cubic_gradient, x.numpy(), noises)
    close(found.values, torch.from_numpy(literal(up, down)), tolerance=1e-9)
    if kind is VarGrad:
        literal_error = torch.from_numpy(over_noise.standard_error_of_variance(up, down))
        close(found.standard_error["input"], literal_error, tolerance=1e-9)


def moment(kind: type, x: Tensor, s: Tensor) -> Tensor:
    """In closed form, of the gradient of a cube under normal noise of width s."""
    if kind is SmoothGrad:
        return 3 * (x**2 + s**2)
    square = 9 * (x**4 + 6 * x**2 * s**2 + 3 * s**4)
    return square if kind is SquareGrad else square - 9 * (x**2 + s**2) ** 2


def many_runs(method: Method, module: nn.Module, x: Tensor, runs: int) -> tuple[Tensor, Tensor]:
    """Values and standard errors under as many seeds."""
    found = [attribute(module, x, replace(method, seed=seed)) for seed in range(runs)]
    return torch.stack([one.values for one in found]), torch.stack([one.standard_error["input"] for one in found])


@pytest.mark.parametrize("kind", OVER_NOISE)
def test_statistics_over_noise_are_unbiased_and_know_their_error(kind: type) -> None:
    """The mean over many seeds is the closed form, and the squared standard errors average to their variance."""
    x = table(4)
    values, errors = many_runs(kind(base=Gradient(), samples=40, noise=0.5), Formula(cubes), x, runs=250)
    off = (values.mean(0) - moment(kind, x, width(x, 0.5))) / (values.std(0) / 250**0.5)
    assert float(off.abs().max()) < 4
    assert float(off.square().mean()) < 2
    ratio = (errors.square().mean(0) / values.var(0)).sqrt()
    assert 0.85 < float(ratio.mean()) < 1.1


@pytest.mark.parametrize("kind", OVER_NOISE)
def test_the_error_is_the_sum_of_the_half_widths(kind: type) -> None:
    given = case("mpnn")
    found = attribute(given.model, given.inputs, kind(noise=1.0))
    assert {part: a.shape for part, a in found.standard_error.items()} == {p: a.shape for p, a in found.parts.items()}
    two_sided = 2.2621571628  # Student's t of 95% with 9 degrees of freedom: 10 pairs
    close(found.error.bound, two_sided * found.standard_error.per_example(found.owners, len(found)))
    assert float(found.error.bound.min()) > 0


@pytest.mark.parametrize("noise", [1e-2, 1e-4, 1e-7])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_no_variance_is_negative_however_small_the_noise(noise: float, dtype: torch.dtype) -> None:
    """As a mean square less a squared mean becomes; in single precision for 30% of entries."""
    module = relu_mlp().to(dtype)
    found = attribute(module, 3 * table(40, seed=11).to(dtype), VarGrad(noise=noise))
    assert float(found.values.min()) >= 0
    assert bool(torch.isfinite(found.error.bound).all())


def test_a_small_variance_is_found_to_its_digits() -> None:
    """Around a large gradient: 3 x^2 with noise of 1e-6 has variance 36 x^2 s^2, 1e-11 of its square."""
    x = 3 + table(3).abs()
    found = attribute(Formula(cubes), x, VarGrad(base=Gradient(), samples=2000, noise=1e-6)).values
    torch.testing.assert_close(found, 36 * x**2 * width(x, 1e-6) ** 2, rtol=0.1, atol=0)


def test_a_linear_gradient_has_no_variance_and_a_plain_square() -> None:
    module, x = case("linear").model, table()
    weight = module.weight.detach()[1].expand(6, FEATURES)
    close(attribute(module, x, VarGrad(base=Gradient()), Logit(1)).values, torch.zeros_like(x))
    close(attribute(module, x, SquareGrad(base=Gradient()), Logit(1)).values, weight**2)
    close(attribute(module, x, SmoothGrad(base=Gradient()), Logit(1)).values, weight)  # with its sign: no square


@pytest.mark.parametrize("kind", OVER_NOISE)
def test_noise_is_in_units_of_the_example(kind: type) -> None:
    """So that kilograms or grams, one picture brighter than another, are the same question."""
    x, thousand = table(), 1000.0
    plain = attribute(Formula(two_outputs), x, kind(), Logit(1))
    scaled = attribute(Formula(lambda x: two_outputs(x / thousand)), x * thousand, kind(), Logit(1))
    close(scaled.values, plain.values)


def test_all_copies_go_into_full_calls() -> None:
    module = Formula(cubes)
    attribute(module, table(6), SmoothGrad(samples=20))
    assert max(module.sizes) == 120
    module = Formula(cubes)
    attribute(module, table(6), SmoothGrad(samples=20), batch_size=36)
    assert module.sizes.count(36) == 3  # three pairs of six examples each, and a last pair
    assert max(module.sizes) == 36


@pytest.mark.parametrize(
    "method", [SmoothGrad(samples=400), ExpectedGradients(background=Rows(table(3)), tolerance=1e-3, budget=400)]
)
def test_no_more_copies_are_laid_out_than_go_into_a_call(method: Method, monkeypatch: pytest.MonkeyPatch) -> None:
    laid_out: list[int] = []
    asked = Chunked.differentiate_each

    def spied(model: Chunked, inputs: Inputs, targets: list[Target]) -> list:
        laid_out.append(len(inputs))
        return asked(model, inputs, targets)

    monkeypatch.setattr(Chunked, "differentiate_each", spied)
    attribute(Formula(cubes), table(6), method, batch_size=60)
    assert 40 < max(laid_out) <= 60


def test_a_draw_is_the_same_alone_and_among_others() -> None:
    inputs = graphs()
    together = draws(inputs, seeds=[(1, 0), (1, 1), (1, 2)], law="normal")
    for k in range(3):
        for part, array in draw(inputs, seed=(1, k), law="normal").items():
            assert torch.equal(together[part][k], array)


@pytest.mark.parametrize(("kind", "tolerance"), [(SmoothGrad, 0.03), (SquareGrad, 0.1), (VarGrad, 0.2)])
def test_copies_are_added_until_the_tolerance_or_the_budget(kind: type, tolerance: float) -> None:
    x = 3 * table(60, seed=11)
    method = kind(noise=0.1, samples=8, tolerance=tolerance, budget=100)
    found = attribute(relu_mlp(), x, method, Logit(0))
    copies = found.evaluations - 2  # the plain one and the verb's own
    assert set(copies.tolist()) <= {8, 16, 32, 64, 100}
    assert len(set(copies.tolist())) > 2
    size = per_example(found.values.abs())
    assert torch.equal(found.error.reached, found.error.bound <= tolerance * size)
    assert set(copies[~found.error.reached].tolist()) <= {100}
    for spent in set(copies.tolist()):
        alone = attribute(relu_mlp(), x, kind(noise=0.1, samples=spent), Logit(0))
        close(found.values[copies == spent], alone.values[copies == spent])
        close(found.error.bound[copies == spent], alone.error.bound[copies == spent])


@pytest.mark.parametrize(
    "method",
    [
        SmoothGrad(noise=0.5),
        VarGrad(samples=8, noise=0.5, tolerance=0.2, budget=64),
        SmoothGrad(base=Occlusion(), samples=8, noise=0.5, tolerance=0.1, budget=64),
        ExpectedGradients(background=Rows(table(3, seed=8)), tolerance=0.2),
        ExpectedGradients(background=Rows(table(40, seed=8)), tolerance=0.3, budget=256),
    ],
)
def test_several_targets_are_answered_as_each_alone(method: Method) -> None:
    x, targets = 2 * table(20, seed=4), [Logit(0), Logit(1), Predicted()]
    for found, target in zip(attribute(relu_mlp(), x, method, targets), targets, strict=True):
        alone = attribute(relu_mlp(), x, method, target)
        close(found.values, alone.values)
        close(found.error.bound, alone.error.bound)
        assert torch.equal(found.evaluations, alone.evaluations)


def test_several_targets_share_the_copies() -> None:
    module = Formula(two_outputs)
    attribute(module, table(), SmoothGrad(), [Logit(0), Logit(1)])
    both = sum(module.sizes)
    attribute(module, table(), SmoothGrad(), Logit(0))
    assert sum(module.sizes) == 2 * both


@pytest.mark.parametrize("kind", OVER_NOISE)
def test_no_more_is_asked_of_a_model_than_by_the_base(kind: type) -> None:
    given = case("forest")
    found = attribute(given.model, given.inputs, kind(base=Occlusion(), samples=4, noise=1.0))
    assert float(found.values.abs().max()) > 0
    with pytest.raises(UnsupportedError, match=f"{kind.__name__} needs a Differentiable model"):
        attribute(given.model, given.inputs, kind())


@pytest.mark.parametrize("kind", OVER_NOISE)
@pytest.mark.parametrize(
    "wrong",
    [{"tolerance": 0.0}, {"tolerance": 1.0}, {"tolerance": -1.0}, {"budget": 18, "tolerance": 0.1}, {"samples": 5}],
)
def test_impossible_options_over_noise_are_refused(kind: type, wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match=f"^{next(iter(wrong))} is {next(iter(wrong.values()))}, expected"):
        kind(**wrong)


# --- expected gradients ---


def rows(count: int, seed: int = 7) -> Tensor:
    return table(count, seed=seed)


def test_expected_gradients_of_a_linear_model_are_weights_times_the_way_from_the_mean() -> None:
    """Exactly, where every row has its turn."""
    module, x, background = case("linear").model, table(), rows(5)
    found = attribute(module, x, ExpectedGradients(background=Rows(background)), Logit(1))
    weight, bias = module.weight.detach()[1], module.bias.detach()[1]
    close(found.values, weight * (x - background.mean(0)))
    close(found.reference, (background @ weight + bias).mean().expand(6))
    close(found.error.bound, torch.zeros(6, dtype=torch.float64))
    assert bool(found.error.reached.all())


def test_expected_gradients_of_a_quadratic_are_exact() -> None:
    """Its gradient is linear on the way, and each pair of points lies evenly about the middle."""

    def quadratic(x: Tensor) -> Tensor:
        return (x**2).sum(1) + 4 * x[:, 0] * x[:, 1]

    x, background = table(), rows(3)
    found = attribute(Formula(quadratic), x, ExpectedGradients(background=Rows(background)))
    expected = x**2 - (background**2).mean(0)
    for one, other in ((0, 1), (1, 0)):
        way, middle = x[:, None, one] - background[:, one], x[:, None, other] + background[:, other]
        expected[:, one] += (2 * way * middle).mean(1)
    close(found.values, expected)
    close(found.residual(), torch.zeros(6, dtype=torch.float64))


def of_cubes(x: Tensor, background: Tensor) -> Tensor:
    return x**3 - (background**3).mean(0)


@pytest.mark.parametrize("count", [1, 6, 50, 2000])
def test_the_error_of_expected_gradients_covers_the_true_error(count: int) -> None:
    """One row (stratified), few (every row at every level), many (in turn), more than the budget."""
    x, background = table(20, seed=4), rows(count)
    errors, bounds = [], []
    for seed in range(10):
        method = ExpectedGradients(background=Rows(background), tolerance=1e-3, budget=256, seed=seed)
        found = attribute(Formula(cubes), x, method)
        errors.append(per_example((found.values - of_cubes(x, background)).abs()))
        bounds.append(found.error.bound)
    error, bound = torch.stack(errors), torch.stack(bounds)
    assert float((error <= bound).double().mean()) >= 0.95
    assert float((bound / error).median()) < 8


@pytest.mark.parametrize("count", [1, 6, 50])
def test_the_standard_error_of_expected_gradients_is_what_other_seeds_show(count: int) -> None:
    x = table(4)
    method = ExpectedGradients(background=Rows(rows(count)), tolerance=1e-6, budget=64)
    values, errors = many_runs(method, Formula(cubes), x, runs=200)
    off = (values.mean(0) - of_cubes(x, rows(count))) / (values.std(0) / 200**0.5)
    assert float(off.square().mean()) < 2
    ratio = float((errors.square().mean(0) / values.var(0)).sqrt().mean())
    assert 0.85 < ratio < (2.0 if count == 50 else 1.15)  # rows in turn are better than by chance, which is not counted


def kinked() -> tuple[nn.Module, Tensor, Tensor, Tensor]:
    """A ReLU network, inputs, a background, and the attribution by 256 steps on every way."""
    module, x, background = relu_mlp(), 3 * table(40, seed=11), 2 * rows(12)
    total = torch.zeros_like(x)
    for row in background:
        shares = ((torch.arange(256) + 0.5) / 256)[:, None, None]
        points = (row + shares * (x - row)).reshape(-1, FEATURES).requires_grad_()
        (gradient,) = torch.autograd.grad(module(points)[:, 0].sum(), points)
        total += gradient.reshape(256, *x.shape).mean(0) * (x - row)
    return module, x, background, total / len(background)


@pytest.mark.parametrize("tolerance", [0.2, 0.05])
def test_expected_gradients_stop_at_the_tolerance(tolerance: float) -> None:
    module, x, background, expected = kinked()
    found = attribute(module, x, ExpectedGradients(background=Rows(background), tolerance=tolerance), Logit(0))
    error, size = per_example((found.values - expected).abs()), per_example(found.values.abs())
    assert torch.equal(found.error.reached, found.error.bound <= tolerance * size)
    assert float((error <= found.error.bound).double().mean()) >= 0.95
    assert float((error <= tolerance * size)[found.error.reached].double().mean()) >= 0.95
    spent = found.evaluations - 2 - len(background)
    assert int(spent.max()) <= 1024
    assert len(set(spent.tolist())) > 1
    residual = found.residual().abs()
    assert float((residual <= found.error.bound).double().mean()) >= 0.95


def test_from_one_baseline_they_are_integrated_gradients() -> None:
    start = torch.tensor([0.5, -1.0, 2.0, 0.3, -0.7], dtype=torch.float64)
    x = table(20, seed=4)
    for baseline in (Constant({"input": start}), Rows(start[None])):
        found = attribute(Formula(cubes), x, ExpectedGradients(background=baseline, tolerance=0.01))
        error = per_example((found.values - (x**3 - start**3)).abs())
        assert float((error <= found.error.bound).double().mean()) >= 0.95
        assert bool(found.error.reached.all())


def test_expected_gradients_of_graphs_are_complete_within_the_error() -> None:
    given = case("mpnn")
    found = attribute(given.model, given.inputs, ExpectedGradients(tolerance=0.01, budget=4096))
    by_path = attribute(given.model, given.inputs, IntegratedGradients(tolerance=1e-3, budget=1944))
    assert bool((found.residual().abs() <= found.error.bound + 1e-12).all())
    for part in found.parts:
        close(found.parts[part], by_path.parts[part], tolerance=0.02)


def test_points_go_into_calls_of_the_batch_size() -> None:
    module = Formula(cubes)
    attribute(module, table(6), ExpectedGradients(background=Rows(rows(40)), tolerance=1e-3, budget=64), batch_size=48)
    assert max(module.sizes) == 48
    assert module.sizes.count(48) == 64 * 6 // 48  # two strata of six examples each


def test_the_budget_is_kept() -> None:
    for budget in (8, 24, 33, 1000):
        for count in (1, 3, 7, 40):
            method = ExpectedGradients(background=Rows(rows(count)), tolerance=1e-9, budget=budget)
            found = attribute(Formula(cubes), table(3), method)
            spent = found.evaluations - 2 - count
            assert int(spent.max()) <= budget
            assert int(spent.min()) >= budget / 2
            assert not bool(found.error.reached.any())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("method", [SmoothGrad(), VarGrad(), ExpectedGradients(background=Rows(rows(4)))])
def test_sums_over_half_precision_neither_overflow_nor_lose_their_digits(method: Method, dtype: torch.dtype) -> None:
    """The sum of forty gradients near 5000 would be infinite in half precision, and stop growing in the other."""
    x = table().to(dtype)
    module = Formula(lambda x: (4000 * x).sum(1) / 8)
    found = attribute(module, x, method)
    assert found.values.dtype == dtype
    double = attribute(module, x.double(), method)
    scale = float(double.values.abs().max())
    torch.testing.assert_close(found.values.double(), double.values, rtol=0.05, atol=0.05 * scale)


@pytest.mark.parametrize("wrong", [{"tolerance": 0.0}, {"tolerance": 1.0}, {"budget": 7}])
def test_impossible_tolerances_and_budgets_of_expected_gradients_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match=f"^{next(iter(wrong))} is {next(iter(wrong.values()))}, expected"):
        ExpectedGradients(**wrong)


def test_a_background_that_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match=r"a background row has shape .3,., an example .5,."):
        attribute(relu_mlp(), table(), ExpectedGradients(background=Rows(numbers(4, 3))))
    given = case("mpnn")
    with pytest.raises(InputError, match="a background of rows fits tensors, not Graphs"):
        attribute(given.model, given.inputs, ExpectedGradients(background=Rows(rows(4))))


def test_what_is_said_of_the_background_and_the_error() -> None:
    found = attribute(relu_mlp(), table(), ExpectedGradients(background=Rows(rows(4))))
    assert isinstance(found, Attribution)
    assert found.error.how == "sum of the values' 95% half-widths over strata of pairs"
    assert "Rows(4 x 5" in found.method
    with torch.no_grad():
        outputs = relu_mlp()(table())
        expected = relu_mlp()(rows(4)).mean(0)[outputs.argmax(1)]
    close(found.reference, expected)


def test_seeds_are_what_draws_depend_on() -> None:
    module = seeded(lambda: nn.Sequential(nn.Linear(FEATURES, 8), nn.Tanh(), nn.Linear(8, 2)))
    for method in (SmoothGrad(), VarGrad(), SquareGrad(), ExpectedGradients(background=Rows(rows(40)))):
        one, same, other = (attribute(module, table(), replace(method, seed=seed)).values for seed in (0, 0, 1))
        assert torch.equal(one, same)
        assert not torch.equal(one, other)
