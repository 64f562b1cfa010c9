"""Every method where the model and its inputs are not on the processor: on an emulated device, see `elsewhere.py`.

The result lives where the inputs do and is what it is on the processor. On the device that has no double precision
(Apple's) single is enough.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from attar import Logit, attribute
from attar.adapters import adapt
from attar.core.attribution import Attribution
from attar.core.method import needs_of
from attar.core.model import lacks, told
from elsewhere import Away, brought_back, elsewhere, sent
from models import Case, case, every_thrifty_method, takes

METHODS_BY_NAME = every_thrifty_method()
# One of each kind of input and of adapter: emulation costs ten times the time.
ON_MODULES = ("mlp", "cnn", "transformer", "lstm", "gat", "mpnn", "bag-mlp", "picture-and-words")
ON_OTHERS = ("logistic", "forest", "glm-on-rows", "tree-on-rows", "pipeline-on-a-frame", "function-of-rows")
PAIRS = [
    (name, model_name)
    for model_name in ON_MODULES + ON_OTHERS
    for adapted in [adapt(case(model_name).model)]
    for name, method in METHODS_BY_NAME.items()
    if takes(name, case(model_name).inputs)
    and all(lacks(told(adapted, needs, case(model_name).inputs), needs) is None for needs in needs_of(method))
]
ON_APPLE = {"mlp", "cnn", "mpnn", "picture-and-words", "logistic", "tree-on-rows"}


def every(pairs: list[tuple[str, str]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("name", "model_name"), pairs, ids=["-on-".join(pair) for pair in pairs])


def arrays(found: Attribution) -> dict[str, Tensor | None]:
    held: dict[str, Tensor | None] = {f"parts/{part}": array for part, array in found.parts.items()}
    held |= {f"owners/{part}": array for part, array in found.owners.items()}
    held |= {f"standard_error/{part}": array for part, array in (found.standard_error or {}).items()}
    held |= {"output": found.output, "bound": found.error.bound, "reached": found.error.reached}
    return held | {"reference": found.reference, "unassigned": found.unassigned, "evaluations": found.evaluations}


def assert_there_and_the_same(found: Attribution, expected: Attribution, tolerance: float) -> None:
    for where, array in arrays(found).items():
        on_processor = arrays(expected)[where]
        assert (array is None) == (on_processor is None), where
        if array is None:
            continue
        assert isinstance(array, Away), f"{where} is on {array.device}, not with the inputs"
        torch.testing.assert_close(
            array.held,
            on_processor.to(array.held.dtype),
            rtol=tolerance,
            atol=tolerance,
            msg=lambda reason, where=where: f"{where}: {reason}",
        )


def moved(given: Case) -> Case:
    """Inputs elsewhere; a torch module too, while estimators and functions answer from the processor."""
    return replace(given, model=given.model if given.module is None else sent(given.model), inputs=sent(given.inputs))


@every(PAIRS)
def test_a_result_lives_where_the_inputs_do(name: str, model_name: str) -> None:
    given, method = case(model_name), METHODS_BY_NAME[name]
    expected = attribute(given.model, given.inputs, method)
    with elsewhere():
        there = moved(given)
        found = attribute(there.model, there.inputs, method)
        assert (found.residual() is None) == (expected.residual() is None)
    assert_there_and_the_same(found, expected, 1e-9)


@every([pair for pair in PAIRS if pair[1] in ON_APPLE])
def test_single_precision_is_enough(name: str, model_name: str) -> None:
    """Nothing is computed in double there, not even a sum on the way."""
    given, method = case(model_name, torch.float32), METHODS_BY_NAME[name]
    expected = attribute(given.model, given.inputs, method)
    with elsewhere(double=False):
        there = moved(given)
        found = attribute(there.model, there.inputs, method)
        assert (found.residual() is None) == (expected.residual() is None)
    if expected.error.reached is None or bool(expected.error.reached.all()):
        assert_there_and_the_same(found, expected, 1e-3)


@every([(name, "mlp") for name in METHODS_BY_NAME if (name, "mlp") in PAIRS])
def test_each_example_has_its_own_class_there_too(name: str, model_name: str) -> None:
    given, method = case(model_name), METHODS_BY_NAME[name]
    classes = [0, 1, 1, 0, 1, 0]
    targets = [Logit(classes), Logit(torch.tensor(classes)), Logit(0)]
    expected = attribute(given.model, given.inputs, method, targets, batch_size=4)
    with elsewhere() as device:
        there = moved(given)
        for targets_there in (targets, [Logit(classes), Logit(torch.tensor(classes, device=device)), Logit(0)]):
            found = attribute(there.model, there.inputs, method, targets_there, batch_size=4)
            for one, other in zip(found, expected, strict=True):
                assert_there_and_the_same(one, other, 1e-9)


def test_an_array_goes_where_the_module_is() -> None:
    given = case("mlp")
    method = METHODS_BY_NAME["gradient-input"]
    expected = attribute(given.model, given.inputs, method)
    with elsewhere():
        found = attribute(sent(given.model), brought_back(given.inputs.values).numpy(), method)
        assert_there_and_the_same(found, expected, 1e-12)


# --- the emulation itself: a check that lets everything pass would find nothing ---


def _mixtures(there: Tensor) -> dict[str, Any]:
    """What an accelerator refuses, with a tensor of 2 x 3 on it."""
    here = torch.ones(2, 3, dtype=there.dtype)
    return {
        "arithmetic": lambda: there + here,
        "in place": lambda: here.add_(there),
        "choice": lambda: torch.where(there > 0, there, here),
        "joining": lambda: torch.cat([there, here]),
        "joining numbers": lambda: torch.stack([there[0, 0], torch.tensor(1.0)]),
        "product": lambda: there @ here.T,
        "index from there": lambda: here[torch.tensor([0], device=there.device)],
        "selection": lambda: there.index_select(0, torch.tensor([0])),
        "writing rows": lambda: there.__setitem__(torch.tensor([0]), here[:1]),
        "sums into": lambda: torch.zeros(2).index_add_(0, torch.tensor([0, 1], device=there.device), here[:, 0]),
        "to an array": lambda: there.numpy(),
        "as an array": lambda: np.asarray(there),
        "a processor's generator": lambda: torch.rand(3, device=there.device, generator=torch.Generator()),
        "a module": lambda: nn.Linear(3, 2)(there),
    }


def test_the_emulated_device_refuses_what_an_accelerator_refuses() -> None:
    with elsewhere() as device:
        there = torch.arange(6.0, device=device).reshape(2, 3)
        for what, mixture in _mixtures(there).items():
            with pytest.raises((RuntimeError, TypeError)):
                print(what, mixture())
    with elsewhere(double=False) as device:
        there = torch.ones(2, device=device)
        for double in (there.double, lambda: torch.zeros(2, dtype=torch.float64, device=device)):
            with pytest.raises(TypeError, match="float64"):
                double()


def test_the_emulated_device_allows_what_an_accelerator_allows() -> None:
    with elsewhere() as device:
        there = torch.arange(6.0, device=device).reshape(2, 3)
        leaf = there.clone().requires_grad_()
        (gradient,) = torch.autograd.grad((leaf**2).sum(), leaf)
        allowed = {
            "a number": there + torch.tensor(1.0),
            "an index": there[torch.tensor([1])],
            "moving": torch.ones(2).to(there),
            "a gradient": gradient,
            "a module": sent(nn.Linear(3, 2))(there),
            "numbers": torch.tensor([1.0, 2.0], device=device),
            "like": torch.zeros_like(there),
        }
        assert all(isinstance(array, Away) and array.device == device for array in allowed.values())
        assert not isinstance(there.cpu(), Away)
        assert there.tolist() == [[0, 1, 2], [3, 4, 5]]
        assert float(there.sum()) == 15
    assert torch.equal(gradient.held, 2 * there.held)
