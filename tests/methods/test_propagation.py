"""DeepLIFT, LRP and guided backpropagation: against versions unit by unit, and on every kind of operation."""

import math
from collections.abc import Callable
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attar import InputError, Logit, UnsupportedError, attribute
from attar.adapters import adapt
from attar.core.attribution import Attribution
from attar.core.baseline import Constant
from attar.core.inputs import Tensors
from attar.core.model import Chunked
from attar.methods.deep_lift import DeepLift
from attar.methods.grad_input import GradInput
from attar.methods.guided_backprop import GuidedBackprop
from attar.methods.lrp import LRP, AlphaBeta, Box, Epsilon, Gamma, Squares
from models import numbers, seeded
from reference import unit_by_unit as by_hand

WIDTH = 6


def close(found: Tensor, expected: Any, tolerance: float = 1e-10) -> None:
    expected = torch.as_tensor(expected, dtype=found.dtype)
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)


def elsewhere_than_zero(inputs: Tensor) -> Constant:
    return Constant({"input": numbers(*inputs.shape[1:], seed=7).to(inputs)})


class Formula(nn.Module):
    """A formula over an input and layers of its own."""

    def __init__(self, formula: Callable[..., Tensor], *layers: nn.Module) -> None:
        super().__init__()
        self.formula, self.layers = formula, nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Tensor:
        found = self.formula(x, *self.layers)
        weights = torch.linspace(-1, 2, found[0].numel(), dtype=found.dtype)
        return found.flatten(1) @ torch.stack([weights, weights.flip(0) ** 2], 1)


# --- unit by unit ---


def _mlp(bend: type[nn.Module] = nn.ReLU) -> nn.Sequential:
    def build() -> nn.Module:
        return nn.Sequential(nn.Linear(4, 7), bend(), nn.Linear(7, 5), bend(), nn.Linear(5, 2))

    return seeded(build)  # type: ignore[return-value]


def _cnn() -> nn.Sequential:
    def build() -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(2, 3, 2), nn.MaxPool2d(2), nn.ReLU(), nn.Conv2d(3, 2, 2), nn.Tanh(), nn.Flatten(), nn.Linear(2, 2)
        )

    return seeded(build)  # type: ignore[return-value]


def _literal(module: nn.Sequential, height: int = 5, width: int = 5) -> list[Any]:
    """The same network for the versions unit by unit; `height` and `width` are the image's."""
    functions = {nn.ReLU: lambda v: max(v, 0.0), nn.SiLU: lambda v: v / (1 + math.exp(-v)), nn.Tanh: math.tanh}
    layers: list[Any] = []
    channels, units = 0, [(i,) for i in range(4)]
    for layer in module:
        if isinstance(layer, nn.Conv2d):
            layers.append(by_hand.convolution(layer.weight.tolist(), layer.bias.tolist(), height, width))
            channels, height, width = layer.out_channels, height - 1, width - 1
            units = list(product(range(channels), range(height), range(width)))
        elif isinstance(layer, nn.MaxPool2d):
            layers.append(by_hand.pool(channels, height, width, 2))
            height, width = height // 2, width // 2
        elif isinstance(layer, nn.Linear):
            layers.append(by_hand.dense(layer.weight.tolist(), layer.bias.tolist(), units))
            units = [(j,) for j in range(layer.out_features)]
        elif not isinstance(layer, nn.Flatten):
            layers.append(by_hand.Bend(functions[type(layer)]))
    return layers


NETWORKS: dict[str, Callable[[], tuple[nn.Sequential, Tensor]]] = {
    "relu-mlp": lambda: (_mlp(), numbers(5, 4)),
    "silu-mlp": lambda: (_mlp(nn.SiLU), numbers(5, 4)),
    "cnn": lambda: (_cnn(), numbers(4, 2, 5, 5)),
}


def _per_example(answer: Callable[[by_hand.Values], by_hand.Values], inputs: Tensor) -> np.ndarray:
    found = [answer(by_hand.as_values(example)) for example in inputs.numpy()]
    return np.stack([[each[unit] for unit in np.ndindex(*inputs.shape[1:])] for each in found]).reshape(inputs.shape)


@pytest.mark.parametrize("name", NETWORKS)
def test_deep_lift_is_its_multipliers_unit_by_unit(name: str) -> None:
    module, inputs = NETWORKS[name]()
    baseline = elsewhere_than_zero(inputs)
    start = baseline.rows["input"]
    found = attribute(module, inputs, DeepLift(baseline=baseline), Logit(1))
    layers, before = _literal(module), by_hand.as_values(start.numpy())
    multiplier = _per_example(lambda x: by_hand.multipliers(layers, x, before, (1,)), inputs)
    close(found.values, (inputs - start) * torch.from_numpy(multiplier))


SHARES: dict[str, tuple[dict[str, Any], Callable[..., Any], Callable[..., Any]]] = {
    "epsilon": ({"dense": Epsilon(epsilon=0.1), "convolution": Epsilon(epsilon=0.1)}, *[by_hand.epsilon_rule(0.1)] * 2),
    "gamma": ({"dense": Gamma(gamma=0.5), "convolution": Gamma(gamma=2.0)}, *map(by_hand.gamma_rule, (0.5, 2.0))),
    "alpha-beta": (
        {"dense": AlphaBeta(), "convolution": AlphaBeta(alpha=2.0, beta=1.0)},
        by_hand.alpha_beta_rule(1, 0),
        by_hand.alpha_beta_rule(2, 1),
    ),
    "usual": ({}, by_hand.epsilon_rule(1e-6), by_hand.gamma_rule(0.25)),
}
FIRST = {"box": (Box(low=-4.0, high=5.0), by_hand.box_rule(-4.0, 5.0)), "squares": (Squares(), by_hand.squares_rule)}


@pytest.mark.parametrize("first", [None, *FIRST])
@pytest.mark.parametrize("shares", SHARES)
@pytest.mark.parametrize("name", ["relu-mlp", "cnn"])
def test_lrp_is_shared_out_unit_by_unit(name: str, shares: str, first: str | None) -> None:
    module, inputs = NETWORKS[name]()
    options, dense, convolution = SHARES[shares]
    layers = _literal(module)
    rules = {k: convolution if getattr(layer, "convolution", False) else dense for k, layer in enumerate(layers)}
    if first is not None:
        options = options | {"first": FIRST[first][0]}
        rules[0] = FIRST[first][1]
    found = attribute(module, inputs, LRP(**options), Logit(1))
    close(found.values, _per_example(lambda x: by_hand.relevance(layers, x, (1,), rules), inputs))
    close(found.residual(), torch.zeros(len(inputs)))


@pytest.mark.parametrize("name", ["relu-mlp", "cnn"])
def test_guided_backprop_drops_what_is_negative_unit_by_unit(name: str) -> None:
    module, inputs = NETWORKS[name]()
    if name == "cnn":
        module[4] = nn.ReLU()
    layers = _literal(module)
    found = attribute(module, inputs, GuidedBackprop(), Logit(1))
    close(found.values, _per_example(lambda x: by_hand.guided(layers, x, (1,)), inputs))
    assert bool((found.values - attribute(module, inputs, GradInput(), Logit(1)).values).any())


# --- by hand ---


def _only(formula: Callable[[Tensor], Tensor], x: list[float], method: Any) -> list[float]:
    class Bare(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return formula(x)

    return attribute(Bare(), torch.tensor([x], dtype=torch.float64), method, Logit(0)).values[0].tolist()


def from_(*start: float) -> DeepLift:
    return DeepLift(baseline=Constant({"input": torch.tensor(start)}))


def test_rescale_by_hand() -> None:
    """Two thirds of the change get past the ReLU, whichever input it comes from."""
    assert _only(lambda x: torch.relu(x.sum(1) - 1), [2.0, 1.0], DeepLift()) == pytest.approx([4 / 3, 2 / 3])


def test_a_product_by_hand() -> None:
    """Each factor's change at the other's mean: 4 · (1 + 3) / 2 and 2 · (2 + 6) / 2."""
    assert _only(lambda x: x[:, 0] * x[:, 1], [6.0, 3.0], from_(2.0, 1.0)) == pytest.approx([8.0, 8.0])
    assert _only(lambda x: x[:, 0] * x[:, 1], [6.0, 3.0], LRP()) == pytest.approx([9.0, 9.0])


def test_the_change_of_a_maximum_by_hand() -> None:
    """A rise is the doing of who wins now, a fall of who won before; an equal before and after is no one's."""
    largest = lambda x: x.amax(1)  # noqa: E731
    assert _only(largest, [5.0, 2.0, 1.0], from_(0.0, 3.0, 1.0)) == pytest.approx([2.0, 0.0, 0.0])
    assert _only(largest, [0.0, 2.0, 1.0], from_(5.0, 3.0, 1.0)) == pytest.approx([-3.0, 0.0, 0.0])
    assert _only(largest, [5.0, 0.0, 0.0], from_(0.0, 5.0, 0.0)) == pytest.approx([0.0, 0.0, 0.0])
    # Where all were alike, the one that fell least is the largest still.
    assert _only(largest, [-3.0, -1.0, -2.0], from_(0.0, 0.0, 0.0)) == pytest.approx([0.0, -1.0, 0.0])
    assert _only(lambda x: x.amin(1), [0.0, 2.0, 1.0], from_(5.0, 3.0, 1.0)) == pytest.approx([-1.0, 0.0, 0.0])


def test_a_group_that_nobody_is_in_counts_for_nothing() -> None:
    """Not even what was moved both ways at once, by inputs that undo each other."""

    def empty(x: Tensor) -> Tensor:
        rows = x.sum(1, keepdim=True)
        index = torch.zeros(1, 1, dtype=torch.long).expand_as(rows)
        return x.new_zeros(len(x), 2).scatter_reduce(1, index, rows, "amax", include_self=False)[:, 1]

    assert _only(empty, [1.0, -1.0], DeepLift()) == [0.0, 0.0]


def test_a_slope_over_next_to_nothing_is_the_derivative() -> None:
    """1e-5 is near the rounding of single precision: the quotient would be off by percents."""
    x = torch.linspace(-2, 2, 40)[:, None]
    baseline = Constant({"input": torch.zeros(1)})

    class Lifted(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.sigmoid(x * 1e-5 + 1.7)

    slope = math.exp(-1.7) / (1 + math.exp(-1.7)) ** 2
    found = attribute(Lifted(), x, DeepLift(baseline=baseline), Logit(0))
    torch.testing.assert_close(found.values / x, torch.full((40, 1), slope * 1e-5), rtol=1e-3, atol=0)


# --- what is exact whatever the network ---


def _without_biases() -> nn.Module:
    def build() -> nn.Module:
        layers = [nn.Linear(4, 9, bias=False), nn.ReLU(), nn.Linear(9, 9, bias=False), nn.LeakyReLU(), nn.Linear(9, 2)]
        layers[-1].bias = None
        return nn.Sequential(*layers)

    return seeded(build)


def test_lrp_without_biases_or_epsilon_is_gradient_times_input() -> None:
    module, inputs = _without_biases(), numbers(5, 4)
    found = attribute(module, inputs, LRP(dense=Epsilon(epsilon=0.0)))
    close(found.values, attribute(module, inputs, GradInput()).values)
    close(found.unassigned, torch.zeros(5))
    close(attribute(module, inputs, DeepLift()).values, found.values)  # from zeros, where ReLUs have a slope of 0 or 1


def test_what_lrp_does_not_assign_is_the_bias_of_a_linear_model() -> None:
    module = seeded(lambda: nn.Linear(4, 2))
    found = attribute(module, numbers(5, 4), LRP(dense=Epsilon(epsilon=0.0)), Logit(1))
    close(found.unassigned, module.bias[1].detach().expand(5))
    close(found.values, numbers(5, 4) * module.weight[1].detach())


# --- every operation, however it is called ---


def _by_hand_rms(x: Tensor, layer: nn.Module) -> Tensor:
    h = layer(x)
    return h * torch.rsqrt(h.pow(2).mean(-1, keepdim=True) + 1e-3)


def _by_hand_layer_norm(x: Tensor, layer: nn.Module) -> Tensor:
    h = layer(x)
    return (h - h.mean(-1, keepdim=True)) / (h.var(-1, unbiased=False, keepdim=True) + 1e-3).sqrt()


def _by_hand_attention(x: Tensor, query: nn.Module, key: nn.Module) -> Tensor:
    score = torch.einsum("bid,bjd->bij", query(x), key(x)) / math.sqrt(WIDTH)
    return torch.einsum("bij,bjd->bid", score.softmax(-1), x)


def _by_hand_softmax(x: Tensor, layer: nn.Module) -> Tensor:
    """With the largest out of the gradient's sight, as in many a library."""
    h = layer(x)
    weights = (h - h.max(-1, keepdim=True).values.detach()).exp()
    return h * weights / (weights.sum(-1, keepdim=True) + 1e-16)


def _in_place(x: Tensor, first: nn.Module, second: nn.Module) -> Tensor:
    h = first(x)
    h.relu_()
    h += 1
    h.mul_(0.5).clamp_(max=0.8)
    return second(h)


def _assembled(x: Tensor, layer: nn.Module) -> Tensor:
    found = torch.zeros_like(x)
    found[:, 1:] = layer(x)[:, :-1].tanh()
    return torch.cat([found, torch.stack([x[:, 0], x[:, 1].sigmoid()], 1)], 1)


def _by_segments(x: Tensor, layer: nn.Module) -> Tensor:
    """The largest of each group of positions, as graph libraries take it; group 2 has no one in it."""
    h = layer(x).transpose(0, 1)
    index = torch.tensor([0, 1, 0, 3, 1])[:, None, None].expand_as(h)
    return h.new_zeros(4, *h.shape[1:]).scatter_reduce(0, index, h, "amax", include_self=False).transpose(0, 1)


def _linear() -> nn.Module:
    return nn.Linear(WIDTH, WIDTH)


def _bent(bend: Callable[[Tensor], Tensor]) -> tuple[Callable[..., Tensor], Callable[[], list[nn.Module]]]:
    return lambda x, layer: bend(layer(x)), lambda: [_linear()]


def _masked_attention(x: Tensor, query: nn.Module, key: nn.Module) -> Tensor:
    mask = torch.ones(5, 5, dtype=torch.bool).tril()
    return F.scaled_dot_product_attention(query(x), key(x), x, attn_mask=mask)


BENDS = (
    "relu",
    "relu6",
    "silu",
    "gelu",
    "elu",
    "selu",
    "celu",
    "mish",
    "sigmoid",
    "tanh",
    "softplus",
    "leaky_relu",
    "hardtanh",
    "hardsigmoid",
    "hardswish",
    "softsign",
    "tanhshrink",
    "softshrink",
    "hardshrink",
    "logsigmoid",
)
TWO = lambda: [_linear(), _linear()]  # noqa: E731
ONE = lambda: [_linear()]  # noqa: E731
CONV1, CONV2, CONV3 = (
    lambda: [nn.Conv1d(5, 4, 3)],
    lambda: [nn.Conv2d(2, 3, 3, padding=1)],
    lambda: [nn.Conv3d(1, 2, 3, padding=1)],
)
SEQUENCE, IMAGE, VOLUME = (5, WIDTH), (2, 6, 6), (1, 4, 4, 4)

# What the model does, its layers, the shape of an example.
OPERATIONS: dict[str, tuple[Callable[..., Tensor], Callable[[], list[nn.Module]], tuple[int, ...]]] = {
    **{f"F.{name}": (*_bent(getattr(F, name)), SEQUENCE) for name in BENDS},
    **{f"torch.{name}": (*_bent(getattr(torch, name)), SEQUENCE) for name in ("sin", "exp", "abs", "erf", "square")},
    "sqrt": (*_bent(lambda h: (h**2 + 0.1).sqrt()), SEQUENCE),
    "log": (*_bent(lambda h: torch.log1p(h.exp()) + (h**2 + 1).log()), SEQUENCE),
    "powers": (*_bent(lambda h: h**3 + 2**h + 1 / (1 + h.abs())), SEQUENCE),
    "clamp": (*_bent(lambda h: h.clamp(-0.5, 0.7)), SEQUENCE),
    "prelu": (lambda x, layer: layer(x), lambda: [nn.PReLU(5)], SEQUENCE),
    "reused relu": (lambda x, a, b, relu: relu(b(relu(a(relu(x))))), lambda: [*TWO(), nn.ReLU()], SEQUENCE),
    "in place": (_in_place, TWO, SEQUENCE),
    "assembled": (_assembled, ONE, SEQUENCE),
    "layer norm": (lambda x, a, n: F.relu(n(a(x))), lambda: [_linear(), nn.LayerNorm(WIDTH)], SEQUENCE),
    "layer norm by hand": (_by_hand_layer_norm, ONE, SEQUENCE),
    "rms norm": (lambda x, n: n(x), lambda: [nn.RMSNorm(WIDTH, eps=1e-3)], SEQUENCE),
    "rms norm by hand": (_by_hand_rms, ONE, SEQUENCE),
    "group norm": (lambda x, n: n(x), lambda: [nn.GroupNorm(2, 2)], IMAGE),
    "instance norm": (lambda x, n: n(x).tanh(), lambda: [nn.InstanceNorm2d(2, affine=True)], IMAGE),
    "batch norm": (lambda x, c, n: F.relu(n(c(x))), lambda: [*CONV2(), nn.BatchNorm2d(3)], IMAGE),
    "normalize": (*_bent(lambda h: F.normalize(h, dim=-1)), SEQUENCE),
    "std": (*_bent(lambda h: h.std(1) + h.var(1, unbiased=False)), SEQUENCE),
    "softmax": (*_bent(lambda h: h.softmax(-1)), SEQUENCE),
    "softmax by hand": (_by_hand_softmax, ONE, SEQUENCE),
    "log softmax": (*_bent(lambda h: F.log_softmax(h, -1)), SEQUENCE),
    "logsumexp": (*_bent(lambda h: h.logsumexp(1)), SEQUENCE),
    "attention by hand": (_by_hand_attention, TWO, SEQUENCE),
    "attention": (lambda x, q, k: F.scaled_dot_product_attention(q(x), k(x), x), TWO, SEQUENCE),
    "masked attention": (_masked_attention, TWO, SEQUENCE),
    "multi-head attention": (
        lambda x, layer: layer(x, x, x)[0],
        lambda: [nn.MultiheadAttention(WIDTH, 2, batch_first=True)],
        SEQUENCE,
    ),
    "encoder layer": (
        lambda x, layer: layer(x),
        lambda: [nn.TransformerEncoderLayer(WIDTH, 2, 8, batch_first=True, activation="gelu")],
        SEQUENCE,
    ),
    "encoder, batch second": (
        lambda x, layer: layer(x.transpose(0, 1)).transpose(0, 1),
        lambda: [nn.TransformerEncoder(nn.TransformerEncoderLayer(WIDTH, 3, 8, norm_first=True), 2)],
        SEQUENCE,
    ),
    "lstm": (lambda x, r: r(x)[0], lambda: [nn.LSTM(WIDTH, 4, 2, batch_first=True, bidirectional=True)], SEQUENCE),
    "gru": (lambda x, r: r(x.transpose(0, 1))[1].transpose(0, 1), lambda: [nn.GRU(WIDTH, 4, bias=False)], SEQUENCE),
    "rnn": (lambda x, r: r(x)[0], lambda: [nn.RNN(WIDTH, 4, batch_first=True, nonlinearity="relu")], SEQUENCE),
    "lstm cell": (lambda x, cell: cell(x[:, 0])[1], lambda: [nn.LSTMCell(WIDTH, 4)], SEQUENCE),
    "max-pool 1d": (lambda x, c: F.relu(F.max_pool1d(c(x), 2)), CONV1, SEQUENCE),
    "max-pool 2d": (lambda x, c: F.relu(F.max_pool2d(c(x), 3, 2, 1)), CONV2, IMAGE),
    "max-pool 3d": (lambda x, c: nn.MaxPool3d(2)(c(x)).relu(), CONV3, VOLUME),
    "max-pool and places": (lambda x, c: F.max_pool2d(c(x).relu(), 2, return_indices=True)[0], CONV2, IMAGE),
    "adaptive max-pool 1d": (lambda x, c: F.adaptive_max_pool1d(c(x), 3), CONV1, SEQUENCE),
    "adaptive max-pool 2d": (lambda x, c: nn.AdaptiveMaxPool2d((3, 2))(c(x)), CONV2, IMAGE),
    "adaptive max-pool 3d": (lambda x, c: F.adaptive_max_pool3d(c(x), 2), CONV3, VOLUME),
    "avg-pool": (lambda x, c: F.adaptive_avg_pool2d(F.avg_pool2d(c(x).relu(), 2), 2).tanh(), CONV2, IMAGE),
    "interpolate": (lambda x, c: F.interpolate(c(x).relu(), scale_factor=2, mode="bilinear").tanh(), CONV2, IMAGE),
    "transposed": (lambda x, c, d: d(c(x).relu()), lambda: [*CONV2(), nn.ConvTranspose2d(3, 1, 2, 2)], IMAGE),
    "max": (*_bent(lambda h: h.max(1).values + h.amax((1, 2), keepdim=True)[:, 0] - h.min(1)[0]), SEQUENCE),
    "maximum": (lambda x, a, b: torch.maximum(a(x), b(x)) + torch.minimum(a(x), x.new_zeros(())), TWO, SEQUENCE),
    "segments": (_by_segments, ONE, SEQUENCE),
    "glu": (*_bent(lambda h: F.glu(h)), SEQUENCE),
    "gated": (lambda x, a, b: a(x) * F.silu(b(x)), TWO, SEQUENCE),
    "product of three": (lambda x, a, b: a(x) * x * b(x), TWO, SEQUENCE),
    "matmul": (lambda x, a, b: (a(x) @ b(x).mT).tanh(), TWO, SEQUENCE),
    "bmm": (lambda x, a, b: torch.baddbmm(x[:, :, :5], a(x), b(x).mT, alpha=0.3), TWO, SEQUENCE),
    "addcmul": (lambda x, a, b: torch.addcmul(x, a(x), b(x), value=0.5), TWO, SEQUENCE),
    "division": (lambda x, a, b: a(x) / (1 + b(x).abs()), TWO, SEQUENCE),
    "cosine": (lambda x, a, b: F.cosine_similarity(a(x), b(x), dim=-1), TWO, SEQUENCE),
    "cumsum": (*_bent(lambda h: h.cumsum(1) * h), SEQUENCE),
    "fourier": (lambda x, a: torch.fft.rfft(a(x)).real.relu(), ONE, SEQUENCE),
}
NOT_FOR_LRP = {"log", "log softmax", "logsumexp"}  # log(0) is no number


@cache
def _state(name: str) -> tuple[nn.Module, Tensor]:
    formula, layers, shape = OPERATIONS[name]
    module = seeded(lambda: Formula(formula, *layers()))
    for norm in (each for each in module.modules() if isinstance(each, nn.BatchNorm2d)):
        norm.running_mean, norm.running_var = numbers(3) / 3, numbers(3, seed=1) ** 2 + 0.5
    return module, numbers(4, *shape, seed=3)


def _case(name: str, dtype: torch.dtype = torch.float64) -> tuple[nn.Module, Tensor]:
    module, inputs = _state(name)
    return module.to(dtype), inputs.to(dtype)


def _missed(found: Attribution) -> Tensor:
    size = found.values.abs().flatten(1).sum(1) + found.output.abs() + found.reference.abs()
    return found.residual().abs() / size


WRITTEN: dict[str, Callable[[Tensor], Tensor]] = {
    "clamp": lambda h: h.clamp(min=0),
    "clip": lambda h: h.clip(0, 1e6),
    "maximum": lambda h: torch.maximum(h, torch.zeros_like(h)),
    "relu6": lambda h: F.relu6(h / 1e3) * 1e3,
    "hardtanh": lambda h: F.hardtanh(h, 0, 1e6),
    "threshold": lambda h: F.threshold(h, 0, 0),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_guided_backprop_knows_a_relu_by_what_it_does(name: str) -> None:
    first, head, x = seeded(lambda: nn.Linear(5, 8)), seeded(lambda: nn.Linear(8, 2)), numbers(3, 5)

    class Written(nn.Module):
        def __init__(self, relu: Callable[[Tensor], Tensor]) -> None:
            super().__init__()
            self.first, self.head, self.relu = first, head, relu

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.relu(self.first(x)))

    expected = attribute(Written(torch.relu), x, GuidedBackprop()).values
    close(attribute(Written(WRITTEN[name]), x, GuidedBackprop()).values, expected)
    assert not torch.equal(attribute(Written(F.hardtanh), x, GuidedBackprop()).values, expected)


@pytest.mark.parametrize("name", OPERATIONS)
def test_deep_lift_is_complete_on(name: str) -> None:
    for dtype, tolerance in ((torch.float64, 1e-10), (torch.float32, 1e-5)):
        module, inputs = _case(name, dtype)
        for baseline in (elsewhere_than_zero(inputs), DeepLift().baseline):
            found = attribute(module, inputs, DeepLift(baseline=baseline), Logit(1))
            assert float(_missed(found).max()) < tolerance
            assert float(found.values.abs().sum()) > 1e-3
            assert found.values.dtype == dtype
    module, inputs = _case(name)
    with torch.no_grad():
        close(attribute(module, inputs, DeepLift(), Logit(1)).output, module.eval()(inputs)[:, 1])


@pytest.mark.parametrize("name", OPERATIONS)
def test_lrp_gives_and_keeps_all_on(name: str) -> None:
    """The shares and what biases and constants kept are summed separately, and checked by the method itself."""
    module, inputs = _case(name)
    if name in NOT_FOR_LRP:
        with pytest.raises(UnsupportedError, match="LRP has no rule for log, which is infinite at 0"):
            attribute(module, inputs, LRP(), Logit(1))
        return
    for method in (LRP(tolerance=1e-9), LRP(tolerance=1e-9, dense=Gamma(), convolution=AlphaBeta())):
        found = attribute(module, inputs, method, Logit(1))
        close(found.residual(), torch.zeros(len(inputs)))


# --- the same function, written in other ways ---

RELUS: dict[str, Callable[[Tensor], Tensor]] = {
    "F.relu": F.relu,
    "torch.relu": torch.relu,
    "method": lambda h: h.relu(),
    "in place": lambda h: F.relu(h, inplace=True),
    "torch.relu_": lambda h: torch.relu_(h),
    "clamp": lambda h: h.clamp(min=0),
    "clamp_min": lambda h: torch.clamp_min(h, 0),
    "threshold": lambda h: F.threshold(h, 0.0, 0.0),
    "as recorded": lambda h: torch.ops.aten.relu.default(h),
}


@pytest.mark.parametrize("written", RELUS)
@pytest.mark.parametrize("method", [DeepLift(), LRP(), GuidedBackprop()], ids=lambda method: type(method).__name__)
def test_a_relu_is_a_relu_however_it_is_called(written: str, method: Any) -> None:
    plain, inputs = _mlp(), numbers(5, 4)

    class Otherwise(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = plain

        def forward(self, x: Tensor) -> Tensor:
            first, _, second, _, third = self.layers
            return third(RELUS[written](second(RELUS[written](first(x)))))

    close(attribute(Otherwise(), inputs, method).values, attribute(plain, inputs, method).values)


@pytest.mark.parametrize("method", [DeepLift(), LRP(), GuidedBackprop()], ids=lambda method: type(method).__name__)
def test_an_exported_or_compiled_module_is_the_module(method: Any) -> None:
    module, inputs = _cnn().eval(), numbers(4, 2, 5, 5)
    expected = attribute(module, inputs, method).values
    several = {"x": {0: torch.export.Dim("batch", min=1, max=64)}}
    exported = torch.export.export(module, (inputs,), dynamic_shapes={"input": several["x"]}).module()
    close(attribute(exported, inputs, method).values, expected)
    close(attribute(torch.compile(module, backend="eager"), inputs, method).values, expected)


def test_fused_attention_is_the_attention_by_hand() -> None:
    by_formula, inputs = _case("attention by hand")
    fused = Formula(lambda x, q, k: F.scaled_dot_product_attention(q(x), k(x), x), *by_formula.layers)
    for method in (DeepLift(baseline=elsewhere_than_zero(inputs)), LRP()):
        close(attribute(fused, inputs, method).values, attribute(by_formula, inputs, method).values)


@pytest.mark.parametrize("built_in", ["rms norm", "layer norm"])
def test_a_norm_at_a_baseline_of_zeros_stays_in_bounds(built_in: str) -> None:
    """Its scale there is a thousand times what either example has: shares of opposite sign would be, too."""
    norm = nn.RMSNorm(8, eps=1e-9) if built_in == "rms norm" else nn.LayerNorm(8, eps=1e-9)
    module = seeded(lambda: nn.Sequential(norm, nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 1)))
    found = attribute(module, numbers(6, 8), DeepLift(), Logit(0))
    assert float(_missed(found).max()) < 1e-10
    assert float((found.values.abs().sum(1) / (1 + (found.output - found.reference).abs())).max()) < 5


# --- what is refused ---


class _Hidden(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x**2

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return 2 * ctx.saved_tensors[0] * gradient


REFUSED: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "sort": (lambda x: x.sort(1)[0], "calls sort"),
    "topk": (lambda x: x.topk(2, 1).values, "calls topk"),
    "prod": (lambda x: x.prod(1), "calls prod"),
    "inverse": (lambda x: torch.linalg.inv(torch.eye(5, dtype=x.dtype) + x[:, :, :5] / 9), "calls linalg_inv"),
    "distances": (lambda x: torch.cdist(x, x), "calls cdist"),
    "power of inputs": (lambda x: (x.abs() + 1) ** x, "calls pow"),
    "interpolated": (lambda x: torch.lerp(x, x.flip(1), x), "calls lerp"),
    "where": (lambda x: torch.where(x > 0, x, 0 * x), "not followed: gt"),
    "numbers": (lambda x: x * (x > 0).to(x), "not followed: gt"),
    "no gradient": (lambda x: x * _silently(x), "not followed: what is done without a gradient"),
    "hidden": (lambda x: _Hidden.apply(x), "not followed"),
}


@torch.no_grad()
def _silently(x: Tensor) -> Tensor:
    return x.sigmoid()


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_followed_is_refused_by_name(name: str) -> None:
    formula, said = REFUSED[name]
    inputs = numbers(3, *SEQUENCE)
    module = Formula(formula)
    with pytest.raises(UnsupportedError, match=said):
        attribute(module, inputs, DeepLift(baseline=elsewhere_than_zero(inputs)), Logit(0))
    assert torch.overrides._get_current_function_mode_stack() == []
    taken = attribute(module, inputs, DeepLift(baseline=elsewhere_than_zero(inputs), tolerance=math.inf), Logit(0))
    assert float(_missed(taken).max()) > 1e-3


def test_what_couples_a_batch_or_draws_is_refused_where_the_verb_was_not_asked() -> None:
    for formula, said in (
        (lambda x: F.batch_norm(x, None, None, training=True), "batch_norm on the batch's own statistics"),
        (lambda x: F.dropout(x, training=True), "dropout that is always on"),
        (lambda x: F.scaled_dot_product_attention(x, x, x, dropout_p=0.5), "attention with dropout"),
    ):
        model = Chunked(adapt(Formula(formula)), 8)
        with pytest.raises(UnsupportedError, match=said):
            DeepLift()(model, Tensors(numbers(3, *SEQUENCE)), Logit(0))


def test_another_path_for_the_baseline_is_refused() -> None:
    module = Formula(lambda x: x.tanh() if float(x.sum().detach()) > 0 else x.sigmoid())
    with pytest.raises(UnsupportedError, match=r"another path for the baseline than for the input \(.* there, .* here"):
        attribute(module, numbers(1, 3).abs() + 1, DeepLift(baseline=Constant({"input": -torch.ones(3)})), Logit(0))


def test_torch_script_is_refused() -> None:
    with pytest.warns(DeprecationWarning, match="torch.jit.script"):
        scripted = torch.jit.script(_mlp())
    for method in (DeepLift(), LRP(), GuidedBackprop()):
        with pytest.raises(UnsupportedError, match="TorchScript module cannot be seen"):
            attribute(scripted, numbers(3, 4), method)


def test_a_share_for_the_first_layer_needs_one_that_takes_the_input() -> None:
    module = Formula(lambda x, layer: layer(x / 2), nn.Linear(4, 3).double())
    with pytest.raises(UnsupportedError, match="no layer takes the input as it is"):
        attribute(module, numbers(3, 4), LRP(first=Squares()))
    with pytest.raises(InputError, match=r"the input goes from -.* to .*, Box has Box\(low=0.0, high=1.0\)"):
        attribute(_mlp(), numbers(3, 4), LRP(first=Box()))


def test_options_are_checked() -> None:
    for method in (DeepLift, LRP):
        with pytest.raises(InputError, match="tolerance is 0, expected a positive share"):
            method(tolerance=0)
    with pytest.raises(InputError, match="alpha is 2 and beta 0, expected alpha - beta = 1"):
        AlphaBeta(alpha=2, beta=0)


# --- what it costs, and where ---


def test_several_targets_share_the_forward_passes() -> None:
    module, calls = _mlp(), []
    module.register_forward_hook(lambda *_: calls.append(1))
    inputs, targets = numbers(3, 4), [Logit(0), Logit(1)]
    for method, runs in ((DeepLift(), 2), (LRP(), 1), (GuidedBackprop(), 1)):
        alone = [attribute(module, inputs, method, target) for target in targets]
        before = len(calls)
        attribute(module, inputs, GradInput(), targets)
        besides = len(calls) - before - 1
        before = len(calls)
        together = attribute(module, inputs, method, targets)
        assert len(calls) - before - besides == runs
        for one, other in zip(alone, together, strict=True):
            close(one.values, other.values)


def test_at_a_layer_it_is_the_attribution_of_what_comes_after() -> None:
    module, inputs = _cnn(), numbers(4, 2, 5, 5)
    hidden = module[1](module[0](inputs)).detach()
    for method in (DeepLift(), LRP(), GuidedBackprop()):
        found = attribute(module, inputs, method, Logit(0), at="1")
        close(next(iter(found.parts.values())), attribute(module[2:], hidden, method, Logit(0)).values)
