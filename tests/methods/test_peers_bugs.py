"""What went wrong in other libraries and must not here: one test for each, named for what is true of us.

The docstrings name the library and the function or issue. Elsewhere, with the method that they concern:

- every method × every model: batch size, order and company (inseq #110, #113, Quantus `normalise_by_max`, guided
  backprop for the first example alone in pytorch-grad-cam), one picture or graph at a time (PAIR #10, DIANNA, PyTorch
  Geometric #4315, #5917, Captum #246, #375), a seed of its own (lime #767, #119, #486, DIANNA #304), half precision,
  frozen parameters, modules and gradients left as found, also after an exception (pytorch-grad-cam `ablation_cam.py`):
  `test_properties.py`
- float64 on Apple's devices (Captum #1240), tensors made on the processor, results that are moved there
  (pytorch-grad-cam), devices that differ (inseq #230, #276): `test_devices.py`
- memory that ends (Captum #538, #245, #632, #645, #1350, inseq #240, #279), the batch of `n_steps` copies:
  `tests/core/test_chunked.py`
- batch statistics, chance, cut gradients, arrays, frames, TorchScript, a pipeline's names: `tests/test_verb.py`
- what a layer puts out (Captum's layer twins), token ids at their embedding (Captum #150, #329, #956):
  `tests/adapters/test_layer.py`
- inputs that are none, as lists, refused with the way out (Captum #1196), one of several outputs, graphs to and from
  PyTorch Geometric: `tests/adapters/test_adapters.py`
- DeepLIFT and LRP on F.relu, SiLU, GELU, LayerNorm, softmax, exp, products, max-pooling before and after a ReLU, a
  ReLU that is used again (Captum #1082, #1085, #1104, #519, #351, #578, #934, #200), and what is refused where they
  would not add up (tangermeme #13, #47 to #49): `test_propagation.py`
- windows that wrap round the edge and windows that are kept instead of removed (zennit `Occlusion`), a call for each
  place (zennit, PAIR): `test_occlusion.py`
- an error that is no residual (Captum, alibi), steps that are too few or too many (zennit's right-hand sums, Captum's
  50), guided paths on a numpy of today (PAIR `guided_ig.py`), the steps of blurred paths, which PAIR `blur_ig.py`
  weighs by batch: `test_integrated_gradients.py`
- noise in units of the example (Captum's and xplique's is absolute), a variance found to its digits, a standard error
  where there is chance (shap #441, Captum #505), calls that are full: `test_gradients.py`
- maps of ReLUs and channels, at the size of the input (Captum `LayerGradCam`, pytorch-grad-cam #511, #426):
  `test_cams.py`
- a background of rows (Captum #1789, #1125), none of its rows left out and no sum that misses the output (shap's 100
  rows, #903, #2777, #4239), no feature set to zero (all but ten by shap's `l1_reg`, #996), each coalition with its
  complement (shapiq), columns that go together (lime #460): `test_shapley.py`
- masks until the tolerance (DIANNA #25, #717), one set of points for a whole table (lime): `test_lime_and_rise.py`
- rules with their coverage (anchor #82): `test_anchors.py`
- counterfactuals with few changes, each of them needed (DiCE changes 24 of 25 columns): `test_counterfactual.py`
- logits unless asked for probabilities (the graph-attribution benchmark, PyTorch Geometric's CaptumExplainer), one
  output (PyTorch Geometric #8214), W·x and not W (OpenXAI): `test_known_answers.py`
- nothing heavy loaded on import (zennit, xplique, shap) and no pickle opened (graph-attribution's data):
  `tests/test_cli.py`, `tests/test_explain.py`

What is wrong with others' metrics of explanations is for the tests of ours.
"""

import contextlib
import gc
import random
import sys
import warnings
import weakref
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from torch import Tensor, nn

from attar import InputError, Logit, UnsupportedError, attribute
from attar.adapters import adapt
from attar.adapters.torch import TorchModel
from attar.core.attribution import Attribution
from attar.core.baseline import Constant, Rows, Zeros
from attar.core.inputs import Tensors
from attar.core.method import Method, needs_of
from attar.core.model import Chunked, lacks, told
from attar.estimation.path_integral import FEWEST
from attar.methods import METHODS
from attar.methods.anchors import Anchors
from attar.methods.deep_lift import DeepLift
from attar.methods.expected_gradients import ExpectedGradients
from attar.methods.grad_cam import GradCAM
from attar.methods.grad_cam_plus_plus import GradCAMPlusPlus
from attar.methods.grad_input import GradInput
from attar.methods.guided_backprop import GuidedBackprop
from attar.methods.integrated_gradients import IntegratedGradients
from attar.methods.layer_cam import LayerCAM
from attar.methods.lime import Lime
from attar.methods.lrp import LRP
from attar.methods.occlusion import Occlusion
from attar.methods.score_cam import ScoreCAM
from attar.methods.shapley import Shapley
from attar.methods.smooth_grad import SmoothGrad
from attar.methods.tree_shap import TreeSHAP
from models import (
    PooledCNN,
    case,
    every_thrifty_method,
    images,
    method_class,
    numbers,
    relu_mlp,
    seeded,
    table,
    takes,
)

WEIGHTS = torch.tensor([1.0, -2.0, 0.5, 0.0, 3.0], dtype=torch.float64)


def _fitting(model_name: str) -> dict[str, Method]:
    given = case(model_name)
    model = adapt(given.model)
    return {
        name: method
        for name, method in every_thrifty_method().items()
        if takes(name, given.inputs)
        and all(lacks(told(model, needs, given.inputs), needs) is None for needs in needs_of(method))
    }


ON_IMAGES, ON_CNN = _fitting("bare-cnn"), _fitting("cnn")
every_on_images = pytest.mark.parametrize("method", ON_IMAGES.values(), ids=ON_IMAGES)
every_on_cnn = pytest.mark.parametrize("method", ON_CNN.values(), ids=ON_CNN)  # its layers are told
MAPS = (GradCAM(), GradCAMPlusPlus(), LayerCAM(), ScoreCAM())


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
    2% off; PAIR divides 25 steps with both ends by 25, the graph-attribution benchmark 200 by 199."""
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


def test_channels_that_are_dead_or_flat_are_no_nan() -> None:
    """pytorch-grad-cam `score_cam.py` divides by a map's range (#214, #404): one dead channel, and all of it is NaN."""
    module = seeded(PooledCNN)
    with torch.no_grad():
        module.first.weight[0], module.first.weight[1] = 0, 0
        module.first.bias[0], module.first.bias[1] = 0, 2
    model = TorchModel(module, layers=("first",))
    for method in MAPS:
        found = values(attribute(model, images(), method, Logit(0)))
        assert bool(torch.isfinite(found).all())
        assert bool(found.flatten(1).any(1).all())


def test_a_map_that_is_negative_everywhere_is_not_blank() -> None:
    """pytorch-grad-cam clips at 0 (#214): of a network whose activations are negative GradCAM++ returns zeros."""
    module = seeded(PooledCNN)
    module.second = seeded(lambda: nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.LogSigmoid()))
    with torch.no_grad():
        module.head.weight.abs_().mul_(0.1)
    for method in MAPS:
        assert float(values(attribute(module, images(), method, Logit(0))).max()) < 0


def test_more_steps_bring_a_path_nearer() -> None:
    """Captum #1334: the delta grows with the number of steps, which nobody there may take for an error."""
    module, x, steps = relu_mlp(), 3 * table(40), 2000
    t = (torch.arange(steps, dtype=torch.float64)[:, None, None] + 0.5) / steps
    on_the_way = (t * x).flatten(0, 1).requires_grad_()
    (gradient,) = torch.autograd.grad(module(on_the_way)[:, 0].sum(), on_the_way)
    fine = x * gradient.reshape(steps, *x.shape).mean(0)
    off, said = [], []
    for budget in (10, 30, 90):
        found = attribute(module, x, IntegratedGradients(tolerance=1e-9, budget=budget), Logit(0))
        off.append(float((values(found) - fine).abs().sum(1).mean()))
        said.append(float(found.error.bound.mean()))
        assert off[-1] < said[-1]
    assert off[0] > 2 * off[1] > 4 * off[2]
    assert said[0] > 2 * said[1] > 4 * said[2]


@pytest.mark.parametrize("kind", [IntegratedGradients, DeepLift, Shapley])
def test_the_way_back_turns_the_sign(kind: Any) -> None:
    """Captum #1413: with input and baseline exchanged Integrated Gradients of BERT are others, and nothing says so."""
    one, other = 2 * table()[:1], 2 * table(seed=3)[:1]
    option = "background" if kind is Shapley else "baseline"
    there, back = (
        attribute(relu_mlp(), x, kind(**{option: Constant({"input": start[0]})}), Logit(0))
        for x, start in ((one, other), (other, one))
    )
    off = float((values(there) + values(back)).abs().sum())
    assert off <= float(there.error.bound + back.error.bound) + 1e-12
    assert off < 0.02 * float(values(there).abs().sum())


def test_a_residual_has_a_sign() -> None:
    """Captum `compute_convergence_delta` gives its size alone: too much and too little look the same."""
    found = attribute(relu_mlp(), 3 * table(20), IntegratedGradients(budget=FEWEST), Logit(0))
    residual = found.residual()
    close(residual, found.output - found.reference - values(found).sum(1), 1e-12)
    assert float(residual.min()) < -1e-4
    assert float(residual.max()) > 1e-4


@pytest.mark.parametrize("method", [DeepLift(), LRP()], ids=["DeepLift", "LRP"])
@pytest.mark.parametrize("size", [1.0, 1e-2, 1e-4, 1e-6])
@pytest.mark.parametrize("bend", [nn.ReLU, nn.SiLU, nn.Sigmoid])
def test_no_step_is_too_small_for_half_precision(bend: Any, size: float, method: Method) -> None:
    """Captum #835: DeepLIFT divides by a difference plus 1e-10, which is 0 in half precision, and gives NaN."""
    module = seeded(lambda: nn.Sequential(nn.Linear(5, 8), bend(), nn.Linear(8, 8), bend(), nn.Linear(8, 2)))
    module, x = module.to(torch.float16), (size * table()).to(torch.float16)
    x[0] = 0
    found = values(attribute(module, x, method, Logit(0))).double()
    expected = values(attribute(module.double(), x.double(), method, Logit(0)))
    # What is smaller than 6e-8 is no number in half precision.
    assert float((found - expected).abs().sum()) < 0.02 * float(expected.abs().sum()) + 6e-8 * found.numel()


@every_on_images
def test_mixed_precision_around_is_heeded_by_all(method: Method) -> None:
    """Captum #1199 asks what becomes of IG under autocast; it has had no answer."""
    module, x = case("bare-cnn", torch.float32).module, images().float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = attribute(module, x, method, Logit(0))
    plain = values(attribute(module, x, method, Logit(0)))
    assert found.output.dtype == torch.bfloat16
    assert float((values(found).float() - plain).norm()) <= 0.1 * float(plain.norm())


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


@pytest.mark.parametrize(
    "name", ["linear", "logistic", "forest", "tree", "tree-on-rows", "pipeline-on-a-frame", "mpnn"]
)
def test_nor_about_tables_and_graphs(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    """shap and lime draw their progress bars unasked (shap #4626); scikit-learn warns of an array without names."""
    given = case(name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for method in _fitting(name).values():
            attribute(given.model, given.inputs, method)
    assert capfd.readouterr() == ("", "")


def test_nor_where_shap_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """shap meets matplotlib's deprecations as it is loaded: an error to whoever makes errors of warnings."""
    (tmp_path / "shap").mkdir()
    (tmp_path / "shap/__init__.py").write_text("import warnings\nwarnings.warn('of old', PendingDeprecationWarning)\n")
    (tmp_path / "shap/maskers.py").write_text("Independent = None\n")
    for loaded in [name for name in sys.modules if name.split(".")[0] == "shap"]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.syspath_prepend(tmp_path)
    given = case("regression-tree")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UnsupportedError, match="has no attribute 'TreeExplainer'"):
            attribute(given.model, given.inputs, TreeSHAP())
    for stub in ("shap", "shap.maskers"):  # the real ones, where they were there, come back by themselves
        del sys.modules[stub]


def test_what_is_refused_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """pytorch-grad-cam #134: where `__init__` fails, `__del__` fails after it, on what is not there yet."""
    later: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda said: later.append(said.exc_value))
    for name in METHODS:
        kind = method_class(name)
        with pytest.raises(TypeError, match="colour"):
            kind(colour="red")
        for wrong in ({"tolerance": -1.0}, {"samples": -1}, {"budget": -1}):
            if hasattr(kind, next(iter(wrong))):
                with contextlib.suppress(InputError):
                    attribute(relu_mlp(), table(), kind(**wrong))
    with pytest.raises(UnsupportedError):
        attribute(relu_mlp(), table(), GradCAM())
    gc.collect()
    assert later == []


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


@every_on_cnn
def test_every_question_is_counted(method: Method) -> None:
    """DIANNA's RISE asks nine times a hundred masks to choose how many to keep, before the thousand that it counts."""
    given = case("cnn")
    with _counted(given.module) as asked:
        found = attribute(given.model, given.inputs, method)
    assert sum(asked) == int(found.evaluations.sum()) + 2


@pytest.mark.parametrize(
    "method", [*ON_IMAGES.values(), SmoothGrad(base=IntegratedGradients())], ids=[*ON_IMAGES, "smooth-ig"]
)
def test_no_more_copies_are_laid_out_than_a_call_takes(method: Method, monkeypatch: pytest.MonkeyPatch) -> None:
    """DIANNA lays out a thousand masked images, pytorch-grad-cam's ScoreCAM one for every channel, Captum's
    FeatureAblation all that it was given `perturbations_per_eval` times, and NoiseTunnel around IG samples x steps."""
    laid_out: list[int] = []

    def spied(name: str) -> Any:
        ask = getattr(Chunked, name)
        return lambda self, inputs, *more, **named: laid_out.append(len(inputs)) or ask(self, inputs, *more, **named)

    for name in ("predict", "differentiate_each", "propagate_each", "activations_each", "maps"):
        monkeypatch.setattr(Chunked, name, spied(name))
    attribute(case("bare-cnn").module, images(), method, batch_size=12)
    fewest = 16 if isinstance(method, ExpectedGradients) else 0  # four copies of each image tell how far off they are
    assert max(laid_out) <= max(12, fewest)


def _settings() -> dict[str, Any]:
    """Of the process, as far as torch, numpy and Python keep any."""
    backends = torch.backends
    return {
        "gradients": (torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.is_anomaly_enabled()),
        "autocast": (torch.is_autocast_enabled("cpu"), torch.is_autocast_enabled("cuda")),
        "precision": (torch.get_default_dtype(), torch.get_float32_matmul_precision()),
        "threads": torch.get_num_threads(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "cudnn": (backends.cudnn.enabled, backends.cudnn.benchmark, backends.cudnn.deterministic),
        "attention": (backends.mha.get_fastpath_enabled(), backends.cuda.flash_sdp_enabled()),
        "modes": list(torch.overrides._get_current_function_mode_stack()),
        "hooks": len(torch.nn.modules.module._global_forward_hooks),
        "numpy": np.geterr(),
        "warnings": list(warnings.filters),
    }


@pytest.mark.parametrize("name", ["bare-cnn", "transformer", "lstm"])
def test_nothing_of_the_process_is_changed(name: str) -> None:
    """xplique's `TorchWrapper` makes TensorFlow eager for the whole program; Captum's advice for LSTMs is to switch
    cuDNN off for it. Also where the model raises."""

    class Broken(nn.Module):
        def __init__(self, inside: nn.Module) -> None:
            super().__init__()
            self.inside, self.left = inside, 2

        def forward(self, x: Tensor) -> Tensor:
            found = self.inside(x)
            self.left -= 1
            if self.left < 0:
                raise IndexError("of the model")
            return found

    before = _settings()
    for method in _fitting(name).values():
        given = case(name)
        attribute(given.model, given.inputs, method)
        assert _settings() == before
        with contextlib.suppress(IndexError):
            attribute(Broken(given.module), given.inputs, method)
        assert _settings() == before


@every_on_images
def test_parameters_are_the_same_objects_throughout(method: Method) -> None:
    """zennit's `ParamMod` puts others in their place around each call, pytorch-grad-cam's `ablation_cam.py` and
    `guided_backprop.py` other modules: an optimiser goes on with those that it knows."""
    module = case("bare-cnn").module

    def held() -> list[int]:
        return [id(each) for each in (*module.modules(), *module.parameters(), *module.buffers())]

    before, meanwhile = held(), []
    module.head.register_forward_hook(lambda *_: meanwhile.append(held()))
    attribute(module, images(), method)
    assert all(during == before for during in meanwhile)
    assert held() == before


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


@pytest.mark.parametrize("method", [LRP(), DeepLift(), GuidedBackprop()], ids=["LRP", "DeepLift", "GuidedBackprop"])
def test_layers_that_are_hard_for_others_propagate(method: Method) -> None:
    """Captum's LRP raises at Embedding, ELU, Upsample, Identity, Conv1d, SiLU and LayerNorm and has no rule for a
    product of two (#1154, #1232, #712, #792, #862); zennit #169 is attention and einsum."""

    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.same, self.norm = nn.Embedding(9, 6), nn.Identity(), nn.LayerNorm(6)
            self.conv, self.elu, self.up = nn.Conv1d(6, 6, 2), nn.ELU(), nn.Upsample(scale_factor=2)
            self.silu, self.head = nn.SiLU(), nn.Linear(6, 3)

        def forward(self, ids: Tensor) -> Tensor:
            h = self.same(self.embed(ids)).transpose(1, 2)
            h = self.silu(self.norm(self.up(self.elu(self.conv(h))).transpose(1, 2)))
            attention = torch.einsum("bid,bjd->bij", h, h).softmax(-1)
            return self.head((attention @ h).mean(1))

    ids = torch.tensor([[1, 2, 3, 4], [5, 6, 7, 8], [0, 0, 1, 2]])
    found = attribute(seeded(Reader), ids, method, Logit(1), at="embed")
    assert found.parts["embed"].shape == (3, 4, 6)
    if not isinstance(method, GuidedBackprop):
        close(found.residual(), torch.zeros(3, dtype=torch.float64))


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


BUFFER = np.empty(400)  # as a library that answers from C gives it out, call after call


def _in_a_buffer(answers: np.ndarray) -> np.ndarray:
    BUFFER[: len(answers)] = answers
    return BUFFER[: len(answers)]


@pytest.mark.parametrize(
    "wrap",
    [lambda a: np.broadcast_to(a, a.shape), lambda a: a[::-1].copy()[::-1], lambda a: a.astype(">f8"), _in_a_buffer],
    ids=["read-only", "backwards", "other bytes", "one buffer"],
)
def test_answers_may_lie_in_memory_as_they_like(wrap: Any) -> None:
    """Captum #865: what is no torch module is the user's to wrap, and torch warns of read-only arrays, as pandas gives
    them, and refuses others."""
    weights = WEIGHTS.numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = attribute(lambda x: wrap(x.numpy() @ weights), table(), Occlusion(), batch_size=4)
    close(values(found), WEIGHTS * table(), 1e-9)


def test_inputs_in_a_container() -> None:
    """Captum #1196: a dict of inputs; additional arguments must be positional."""

    class Together(nn.Module):
        def forward(self, batch: dict[str, Tensor]) -> Tensor:
            return (batch["x"] * batch["weights"]).sum(1)

    found = attribute(Together(), {"x": table(), "weights": WEIGHTS.expand(6, -1), "ids": torch.arange(6)}, GradInput())
    close(found.parts["x"], WEIGHTS * table())
    close(found.parts["weights"], WEIGHTS * table())


# --- tables ---


@pytest.mark.parametrize("kind", [Shapley, Lime, Occlusion])
def test_a_pipeline_is_explained_in_the_columns_that_it_was_given(kind: Any) -> None:
    """lime #100, #153 ("do not use a pipeline"), shap #349, #2611: those of the last step are explained, one for each
    town, in units that nobody knows."""
    rng = np.random.default_rng(0)
    x = pd.DataFrame({"town": rng.integers(0, 2, 200), "age": rng.normal(40, 9, 200), "dose": rng.normal(size=200)})
    x = x.astype({"town": float})
    y = 2 * x.age + 3 * (x.town == 1) - x.dose
    columns = ColumnTransformer([("of", OneHotEncoder(), ["town"]), ("scaled", StandardScaler(), ["age", "dose"])])
    model = make_pipeline(columns, LinearRegression()).fit(x, y)
    rows, background = x.iloc[:4], Rows(x.to_numpy())
    found = attribute(model, rows, kind() if kind is Occlusion else kind(background=background))
    assert found.entry_names == ("town", "age", "dose")
    given = torch.from_numpy(rows.to_numpy())
    if kind is Lime:  # by bins, which are the towns themselves
        close(values(found)[:, 0], 6 * given[:, 0] - 3, 1e-6)
    else:
        reference = 0.0 if kind is Occlusion else background.values.mean(0)
        close(values(found), torch.tensor([3.0, 2.0, -1.0], dtype=torch.float64) * (given - reference), 1e-6)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.5, 0.8, 0.98])
def test_a_column_of_noughts_and_ones_counts_however_many_are_one(share: float) -> None:
    """lime's quartiles are all 1 where three quarters are: `a <= 1` holds for every row, and the column gets 0. Its
    users are to say which columns are categories (#460, #554)."""
    background = numbers(400, 3)
    background[:, 0] = torch.arange(400) < 400 * share
    x = torch.tensor([[0.0, 0.3, 1.0], [1.0, 0.3, -1.0]], dtype=torch.float64)
    found = values(attribute(lambda x: 3 * x[:, 0] + x[:, 1], x, Lime(background=Rows(background))))
    close(found[:, 0], torch.tensor([-3.0, 3.0], dtype=torch.float64), 1e-6)
    held = attribute(lambda x: 2 * x[:, :1] - 1, x, Anchors(background=Rows(background), precision=0.99))
    assert held.rules == ("[0] = 0", "[0] = 1")


@pytest.mark.parametrize("seed", range(20))
def test_few_coalitions_give_no_nonsense(seed: int) -> None:
    """shap's KernelExplainer solves a singular system at 50 to 64 samples of 20 columns: values of 1e29. Here too few
    are refused, and the fewest that are taken are as far off as they say."""
    x, weight = numbers(4, 20), numbers(20, seed=5)
    exact = attribute(lambda x: x @ weight, x, Shapley(budget=104))
    close(values(exact), x * weight, 1e-9)
    found = attribute(lambda x: torch.sin(x @ weight), x, Shapley(budget=104, seed=seed))
    assert float(values(found).abs().sum(1).max()) < 20
    assert not bool(found.error.reached.any())
    with pytest.raises(InputError, match="20 features over 1 background rows need 104 evaluations"):
        attribute(lambda x: x @ weight, x, Shapley(budget=64, seed=seed))


def test_without_being_told_samples_are_enough_for_the_features() -> None:
    """Captum's KernelShap takes 25 whatever there is: values of 64 features are 108% off, without a word."""
    x = numbers(3, 63).abs() + 0.5
    triples = x.reshape(3, 21, 3).prod(2)
    found = attribute(lambda x: x.reshape(len(x), 21, 3).prod(2).sum(1), x, Shapley())
    off = (values(found) - (triples / 3).repeat_interleave(3, 1)).abs().sum(1)
    assert bool((off < 0.05 * triples.sum(1)).all())
    assert bool((off < found.error.bound).all())
    assert found.error.reached.tolist() == (found.error.bound <= 0.05 * values(found).abs().sum(1)).tolist()


# --- chance ---
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
    """pytorch-grad-cam hands NaN on in its maps without a word (#214): here none comes in."""
    spoilt = images()
    spoilt[2, 1, 4, 3] = torch.nan
    with pytest.raises(InputError, match=r"^input holds NaN or infinity, first at \[2, 1, 4, 3\]"):
        attribute(case("bare-cnn").model, spoilt, method)
