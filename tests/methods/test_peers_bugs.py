"""What went wrong in other libraries and must not here: one test for each, named for what is true of us.

The docstrings name the library and the function or issue. Elsewhere, with the method that they concern:

- every method × every model: batch size, order and company (inseq #110, Quantus `normalise_by_max`, guided backprop for
  the first example alone in pytorch-grad-cam), frozen parameters, modules left as found after an exception
  (pytorch-grad-cam `ablation_cam.py`): `test_properties.py`
- float64 on Apple's devices (Captum #1240), tensors made on the processor: `test_devices.py`
- memory that ends (Captum #538, #1350), the batch of `n_steps` copies: `tests/core/test_chunked.py`
- batch statistics, chance, cut gradients, arrays, frames, TorchScript: `tests/test_verb.py`
- what a layer puts out (Captum's layer twins): `tests/adapters/test_layer.py`
- DeepLIFT and LRP on F.relu, SiLU, GELU, LayerNorm, softmax, max-pooling, a ReLU that is used again (Captum #1082,
  #1104, #519, #578): `test_propagation.py`
- windows that wrap round the edge (zennit `Occlusion`): `test_occlusion.py`
- the steps of blurred paths, which PAIR `blur_ig.py` weighs by batch: `test_integrated_gradients.py`
- maps of ReLUs and channels (Captum `LayerGradCam`, pytorch-grad-cam): `test_cams.py`
- a background of rows and enough samples (Captum #1789, its 25 coalitions by default): `test_shapley.py`
"""

import gc
import random
import warnings
import weakref
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from attar import InputError, Logit, attribute
from attar.adapters import adapt
from attar.adapters.torch import TorchModel
from attar.core.attribution import Attribution
from attar.core.baseline import Zeros
from attar.core.inputs import Tensors
from attar.core.method import Method, needs_of
from attar.core.model import lacks, told
from attar.methods.grad_cam import GradCAM
from attar.methods.grad_input import GradInput
from attar.methods.integrated_gradients import IntegratedGradients
from attar.methods.occlusion import Occlusion
from attar.methods.smooth_grad import SmoothGrad
from models import case, every_thrifty_method, images, numbers, relu_mlp, seeded, table

WEIGHTS = torch.tensor([1.0, -2.0, 0.5, 0.0, 3.0], dtype=torch.float64)


def _fitting(model_name: str) -> dict[str, Method]:
    given = case(model_name)
    model = adapt(given.model)
    return {
        name: method
        for name, method in every_thrifty_method().items()
        if all(lacks(told(model, needs, given.inputs), needs) is None for needs in needs_of(method))
    }


ON_IMAGES = _fitting("bare-cnn")
every_on_images = pytest.mark.parametrize("method", ON_IMAGES.values(), ids=ON_IMAGES)


class Line(nn.Module):
    """Linear: every method that sums to something has an answer that is known to the last digit."""

    def __init__(self, scale: float = 1.0, dtype: torch.dtype = torch.float64) -> None:
        super().__init__()
        self.weight = nn.Parameter(scale * WEIGHTS.to(dtype))
        self.asked: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        self.asked.append(len(x))
        return (x * self.weight).sum(1)


def values(found: Attribution) -> Tensor:
    assert isinstance(found.values, Tensor)
    return found.values


def close(found: Tensor, expected: Tensor, tolerance: float = 1e-12) -> None:
    torch.testing.assert_close(found, expected.detach(), rtol=tolerance, atol=tolerance)


# --- numbers ---


@pytest.mark.parametrize("tolerance", [0.1, 0.01, 1e-6])
def test_the_steps_of_a_path_sum_to_all_of_it(tolerance: float) -> None:
    """Captum `approximation_methods.riemann_builders`: trapezoid weights sum to 0.98 at 50 steps, and a linear model is
    2% off; PAIR divides 25 steps with both ends by 25."""
    found = attribute(Line(), table(), IntegratedGradients(tolerance=tolerance))
    close(values(found), WEIGHTS * table())


def test_double_precision_stays_double_on_the_way() -> None:
    """Captum casts step sizes to single precision: seven digits of a double are lost."""
    far = table() * 1e6
    found = attribute(Line(), far, IntegratedGradients())
    assert float((values(found) - WEIGHTS * far).abs().max() / far.abs().max()) < 1e-15 * 8


def test_a_spread_is_never_negative() -> None:
    """Captum `NoiseTunnel`: the mean of squares less the square of the mean, in single precision, is negative for 30%
    of the entries under little noise."""
    found = attribute(Line(1e4, torch.float32), table().float() + 100, SmoothGrad(noise=1e-4))
    assert bool((found.error.bound >= 0).all())
    size = values(found).abs().sum(1)
    assert bool((found.error.bound < 1e-3 * size).all())


def test_a_mean_of_gradients_keeps_its_sign() -> None:
    """PAIR `GetSmoothedMask` returns the mean square unless told otherwise; inseq's occlusion takes absolute values."""
    for method in (SmoothGrad(), Occlusion(), IntegratedGradients(), GradInput()):
        close(values(attribute(Line(), table(), method)), WEIGHTS * table(), 1e-2 if method == SmoothGrad() else 1e-9)


def test_a_map_has_the_units_of_the_output() -> None:
    """pytorch-grad-cam scales every map to 0..1 after a ReLU (#267, #214): size and sign are gone."""
    module = case("bare-cnn").module
    found = attribute(module, images(), GradCAM(), Logit(0))
    assert float(values(found).min()) < 0 < float(values(found).max())
    with torch.no_grad():
        module.head.weight.mul_(3)
    close(values(attribute(module, images(), GradCAM(), Logit(0))), 3 * values(found))


# --- options and results ---


def test_options_that_are_whole_numbers_are_numbers() -> None:
    """Captum `NoiseTunnel(stdevs=1)` is an assertion error: it must be 1.0."""
    close(*(values(attribute(Line(), table(), SmoothGrad(noise=noise))) for noise in (1, 1.0)))
    close(*(values(attribute(Line(), table(), SmoothGrad(noise=noise))) for noise in (np.float32(0.5), 0.5)))


@every_on_images
def test_what_comes_back_has_one_shape_whatever_is_asked(method: Method) -> None:
    """Captum returns a tuple where `return_convergence_delta` is set, and `NoiseTunnel` one delta per sample and
    example; here a residual has one number per example."""
    for option in fields(method):  # type: ignore[arg-type]
        flag = getattr(method, option.name)
        changed = replace(method, **{option.name: not flag}) if isinstance(flag, bool) else method  # type: ignore[type-var]
        found = attribute(case("bare-cnn").model, images(), changed)
        assert isinstance(found, Attribution)
        residual = found.residual()
        assert residual is None or residual.shape == (4,)
        if changed is method:
            break


@every_on_images
def test_nothing_is_printed_and_nobody_warns(method: Method, capfd: pytest.CaptureFixture[str]) -> None:
    """Captum warns of `requires_grad` for every plain tensor; DIANNA prints."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        attribute(case("bare-cnn").model, images(), method)
    assert capfd.readouterr() == ("", "")


# --- the model, its gradients, its memory ---


@contextmanager
def _counted(module: nn.Module) -> Iterator[list[int]]:
    asked: list[int] = []
    hook = module.register_forward_hook(lambda _m, given, _out: asked.append(len(given[0])))
    try:
        yield asked
    finally:
        hook.remove()


@every_on_images
def test_hooks_do_not_pile_up(method: Method) -> None:
    """Captum `DeepLift._remove_hooks` never empties its list: 2, 4, 6, 8 handles after four calls; pytorch-grad-cam's
    hooks live as long as the object."""
    module = case("bare-cnn").module
    kinds = [kind for kind in vars(module) if kind.endswith("_hooks")]

    def hooks() -> int:
        return sum(len(getattr(each, kind)) for each in module.modules() for kind in kinds)

    for _ in range(3):
        attribute(module, images(), method)
        assert hooks() == 0


def test_nothing_of_a_call_stays_in_memory() -> None:
    """pytorch-grad-cam #88, #195, #483: activations, gradients and graphs are kept by hooks and closures."""
    left: dict[str, list[weakref.ref[Tensor]]] = {}
    modules = []
    for name, method in ON_IMAGES.items():
        module = case("bare-cnn").module
        kept = left[name] = []
        for layer in (module, module.first):
            layer.register_forward_hook(lambda _m, _i, out, kept=kept: kept.append(weakref.ref(out)))
        attribute(module, images(), method)
        modules.append(module)
    gc.collect()
    assert all(left.values())
    assert [name for name, refs in left.items() if any(ref() is not None for ref in refs)] == []


@every_on_images
def test_no_call_is_larger_than_asked_for(method: Method) -> None:
    """Captum puts all steps (#538) or all samples (#1350) of a batch into one call, never less than the whole batch."""
    given = case("bare-cnn")
    with _counted(given.module) as asked:
        attribute(given.model, images(), method, batch_size=3)
    assert max(asked) <= 3


def test_what_was_asked_is_what_is_said() -> None:
    """Captum #453: six forward passes for one answer; DIANNA asks nine hundred times before it starts. Here the company
    of an example is tried out with two, and all else is counted."""
    for method in (GradInput(), Occlusion()):
        module = Line()
        found = attribute(module, table() + 10, method)
        assert sum(module.asked) == int(found.evaluations.sum()) + 2


def test_train_mode_leaves_statistics_alone_and_examples_apart() -> None:
    """Captum on a module in train mode moves BatchNorm's running statistics and shifts an example by its company."""
    module = case("stateful-mlp").module.train()
    before = {name: buffer.clone() for name, buffer in module.named_buffers()}
    whole = attribute(module, table(), IntegratedGradients(), Logit(0))
    alone = attribute(module, table()[:1], IntegratedGradients(), Logit(0))
    close(values(alone), values(whole)[:1], 1e-9)
    assert all(torch.equal(buffer, before[name]) for name, buffer in module.named_buffers())
    assert module.training


def test_the_users_gradients_are_the_users() -> None:
    """pytorch-grad-cam calls `model.zero_grad()` and `loss.backward()`: the user's gradients are wiped and all
    parameters get one."""
    module = relu_mlp()
    module(table()).sum().backward()
    before = [parameter.grad.clone() for parameter in module.parameters()]
    for method in (GradInput(), IntegratedGradients(), SmoothGrad()):
        attribute(module, table(), method)
    assert all(torch.equal(p.grad, grad) for p, grad in zip(module.parameters(), before, strict=True))


@pytest.mark.parametrize("kind", [IndexError, KeyError, StopIteration, AssertionError])
def test_what_the_model_raises_is_raised(kind: type[Exception]) -> None:
    """pytorch-grad-cam `BaseCAM.__exit__` swallows an IndexError and prints; `quantus.evaluate` swallows all."""

    class Failing(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise kind("of the model")

    for method in (GradInput(), GradCAM(), Occlusion()):
        with pytest.raises(kind, match="of the model"):
            attribute(TorchModel(Failing(), layers=("",)), table(), method)


def test_an_lstm_is_differentiated_in_eval_mode_without_its_accelerated_kernels() -> None:
    """Captum #564, #328, #1159: "cudnn RNN backward can only be called in training mode"; the standing advice is to
    switch cuDNN off for the whole program."""
    given = case("lstm")
    switched: list[tuple[bool, bool]] = []
    cudnn = torch.backends.cudnn
    given.module.register_forward_hook(lambda module, *_: switched.append((cudnn.enabled, module.training)))
    before = cudnn.enabled
    attribute(given.model, given.inputs, GradInput())
    assert set(switched) == {(False, False)}
    assert cudnn.enabled == before


# --- shapes and containers ---


def test_a_map_over_tokens_is_over_tokens() -> None:
    """Captum `LayerGradCam` averages tokens and returns a map over channels; pytorch-grad-cam #511, #426: the user must
    write a reshape_transform, or "axis 3 is out of bounds"."""

    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mix, self.head = nn.Linear(16, 16), nn.Linear(16, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(torch.tanh(self.mix(x)).mean(1))

    found = attribute(seeded(Tokens), numbers(2, 7, 16), GradCAM(), Logit(0))
    assert values(found).shape == (2, 7)


@pytest.mark.parametrize(("name", "places"), [("waveform", (3,)), ("volume", (1, 3, 2))])
def test_a_map_of_a_wave_or_a_volume(name: str, places: tuple[int, ...]) -> None:
    """pytorch-grad-cam #518, #233, #361: one or three axes are not supported."""
    given = case(name)
    assert values(attribute(given.model, given.inputs, GradCAM())).shape == (4, *places)


@dataclass
class Outputs(OrderedDict):  # as Hugging Face's ModelOutput is one
    logits: Any = None

    def __post_init__(self) -> None:
        self["logits"] = self.logits


@pytest.mark.parametrize("wrap", [lambda y: {"logits": y}, lambda y: (y,), lambda y: [y], lambda y: Outputs(logits=y)])
def test_outputs_in_a_container(wrap: Any) -> None:
    """Captum #665, #1196, #1215: "'dict' object has no attribute 'shape'"."""

    class Wrapped(Line):
        def forward(self, x: Tensor) -> Any:
            return wrap(super().forward(x)[:, None])

    for method in (GradInput(), Occlusion(), IntegratedGradients()):
        close(values(attribute(Wrapped(), table(), method)), WEIGHTS * table(), 1e-9)


def test_inputs_in_a_container() -> None:
    """Captum #1196: a dict of inputs; additional arguments must be positional."""

    class Together(nn.Module):
        def forward(self, batch: dict[str, Tensor]) -> Tensor:
            return (batch["x"] * batch["weights"]).sum(1)

    found = attribute(Together(), {"x": table(), "weights": WEIGHTS.expand(6, -1), "ids": torch.arange(6)}, GradInput())
    close(found.parts["x"], WEIGHTS * table())
    close(found.parts["weights"], WEIGHTS * table())


# --- chance ---


def test_black_is_black() -> None:
    """Quantus `get_baseline_dict` draws a uniform sample even for "black": any baseline moves the global generator."""
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()  # noqa: NPY002
    baseline = Zeros()(Tensors(images()))
    assert not bool(baseline["input"].any())
    attribute(case("bare-cnn").model, images(), Occlusion())
    after = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()  # noqa: NPY002
    assert (states[0], states[1]) == (after[0], after[1])
    assert torch.equal(states[2], after[2])


def test_settings_of_one_method_do_not_reach_another() -> None:
    """OpenXAI's evaluator updates a dict of its module; pytorch-grad-cam shares a default argument between objects."""
    one, other = SmoothGrad(noise=0.5), SmoothGrad()
    assert other.noise == SmoothGrad().noise != one.noise
    with pytest.raises(AttributeError, match="cannot assign to field"):
        other.noise = 1.0  # type: ignore[misc]


@every_on_images
def test_nan_is_refused_and_not_passed_on(method: Method) -> None:
    """pytorch-grad-cam returns maps of NaN (ScoreCAM) or of zeros (GradCAM++ after clipping) without a word."""
    spoilt = images()
    spoilt[2, 1, 4, 3] = torch.nan
    with pytest.raises(InputError, match=r"^input holds NaN or infinity, first at \[2, 1, 4, 3\]"):
        attribute(case("bare-cnn").model, spoilt, method)
