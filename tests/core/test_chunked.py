"""A model that is asked for a few examples at a time: the same answers, whatever fits into memory."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from attar import Logit, attribute
from attar.adapters import adapt
from attar.adapters.torch import TorchModel
from attar.core.inputs import Inputs, Tensors
from attar.core.model import Chunked
from attar.core.target import Difference, Predicted, Target
from attar.methods.grad_input import GradInput
from attar.methods.integrated_gradients import IntegratedGradients
from attar.methods.occlusion import Occlusion
from models import MODELS, case, images, relu_mlp, table, tight

CUDA = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
PROCESSOR = RuntimeError("[enforce fail at alloc_cpu.cpp:121] err == 0. DefaultCPUAllocator: can't allocate memory")
APPLE = RuntimeError("MPS backend out of memory (MPS allocated: 20.13 GB)")


class Small(nn.Module):
    """Runs out of memory above `most` examples; remembers what it was asked."""

    def __init__(self, most: int, problem: Exception = CUDA, inside: nn.Module | None = None) -> None:
        super().__init__()
        self.inside, self.most, self.problem = inside or relu_mlp(), most, problem
        self.asked: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        self.asked.append(len(x))
        if len(x) > self.most:
            raise self.problem
        return self.inside(x)


# --- chunks ---


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("size", [1, 2, 3, 99])
def test_answers_do_not_depend_on_the_size(name: str, size: int) -> None:
    given = case(name)
    model = adapt(given.model)
    tight(Chunked(model, size).predict(given.inputs), Chunked(model, 1).predict(given.inputs))


@pytest.mark.parametrize("size", [1, 4, 99])
def test_each_example_keeps_its_own_class_and_gradient(size: int) -> None:
    module = relu_mlp()
    classes = [1, 0, 0, 1, 1, 0]
    output, gradient = Chunked(TorchModel(module), size).differentiate(Tensors(table()), Logit(classes))
    x = table().requires_grad_()
    expected = module(x)[torch.arange(6), classes]
    tight(output, expected.detach())
    tight(gradient["input"], torch.autograd.grad(expected.sum(), x)[0])


def test_several_gradients_are_those_of_one_at_a_time_from_one_forward() -> None:
    module = Small(99)
    targets = [Logit(0), Logit([1, 0, 1, 0, 1, 0]), Difference(Logit(0), Logit(1))]
    model = Chunked(TorchModel(module), 4)
    several = model.differentiate_each(Tensors(table()), targets)
    assert module.asked == [4, 2]
    for (output, gradient), target in zip(several, targets, strict=True):
        alone, alone_gradient = model.differentiate(Tensors(table()), target)
        tight(output, alone)
        tight(gradient["input"], alone_gradient["input"])


def test_a_model_that_knows_one_gradient_at_a_time_is_asked_for_each() -> None:
    class Squares:
        def predict(self, inputs: Inputs) -> Tensor:
            return inputs.parts["input"] ** 2

        def differentiate(self, inputs: Inputs, target: Target) -> Any:
            chosen = torch.zeros_like(inputs.parts["input"])
            chosen[:, target.index] = 1
            return target(self.predict(inputs)), inputs.replace_with(chosen)  # type: ignore[attr-defined]

    class Table(Tensors):
        def replace_with(self, chosen: Tensor) -> Any:
            return (self.parts * 2).map(lambda array: array * chosen)

    several = Chunked(Squares(), 4).differentiate_each(Table(table()), [Logit(0), Logit(2)])
    for k, (output, gradient) in zip((0, 2), several, strict=True):
        tight(output, table()[:, k] ** 2)
        tight(gradient["input"][:, k], 2 * table()[:, k])


# --- what the model writes on ---


@pytest.mark.parametrize("size", [2, 99])
@pytest.mark.parametrize("wrap", [nn.Sequential, lambda relu: relu], ids=["module", "function"])
def test_a_model_that_works_in_place_does_not_reach_its_input(size: int, wrap: Callable[..., Any]) -> None:
    x = table()
    model = Chunked(adapt(wrap(nn.ReLU(inplace=True)) if wrap is nn.Sequential else lambda x: x.relu_()), size)
    for _ in range(2):
        tight(model.predict(Tensors(x)), table().clamp(min=0))
    assert torch.equal(x, table())


# --- memory that ends ---


@pytest.mark.parametrize("problem", [CUDA, PROCESSOR, APPLE, MemoryError()])
def test_where_memory_ends_the_size_is_halved_for_good(problem: Exception) -> None:
    module = Small(2, problem)
    model = Chunked(TorchModel(module), 99)
    tight(model.predict(Tensors(table())), relu_mlp()(table()).detach())
    assert module.asked == [6, 3, 2, 2, 2]
    assert model.size == 2
    model.predict(Tensors(table()))
    assert module.asked[5:] == [2, 2, 2]


@pytest.mark.parametrize("method", [GradInput(), IntegratedGradients(), Occlusion()])
@pytest.mark.parametrize("most", [1, 3])
def test_results_are_the_same_in_little_memory(method: Any, most: int) -> None:
    whole = attribute(relu_mlp(), table(), method)
    scarce = attribute(Small(most), table(), method)
    torch.testing.assert_close(scarce.values, whole.values, rtol=1e-9, atol=1e-11)
    assert torch.equal(scarce.evaluations, whole.evaluations)


def test_gradients_that_do_not_fit_are_halved_too() -> None:
    class Backward(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: Any, gradient: Tensor) -> Tensor:
            if len(gradient) > 2:
                raise CUDA
            return gradient

    class Costly(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inside = relu_mlp()

        def forward(self, x: Tensor) -> Tensor:
            return self.inside(Backward.apply(x))

    found = attribute(Costly(), table(), GradInput(), [Logit(0), Logit(1)])
    for target, each in enumerate(found):
        tight(each.values, attribute(relu_mlp(), table(), GradInput(), Logit(target)).values)


@pytest.mark.parametrize("problem", [CUDA, PROCESSOR])
def test_one_example_that_does_not_fit_says_so_in_the_original_words(problem: Exception) -> None:
    with pytest.raises(type(problem), match=str(problem)[:20].replace("[", r"\[")):
        attribute(Small(0, problem), table(), GradInput())


def test_another_error_is_not_taken_for_a_lack_of_memory() -> None:
    module = Small(1, RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        attribute(module, table(), GradInput())
    assert module.asked == [6]


def test_the_module_is_put_back_after_a_lack_of_memory() -> None:
    module = Small(1).train()
    attribute(module, table(), GradInput())
    assert module.training
    assert not any(each._forward_hooks for each in module.modules())


# --- how many at once ---


class Counting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        self.asked.append(len(x))
        return x.flatten(1)[:, :2] * 2


def test_without_a_batch_size_an_example_of_many_numbers_has_less_company() -> None:
    most = []
    for shape in ((9000, 2), (99, 1, 128, 128), (3, 3, 1024, 1024)):
        module = Counting()
        attribute(module, torch.zeros(1).expand(shape), GradInput(), Logit(0))
        most.append(max(module.asked))
    assert 9000 > most[0] > most[1] > most[2] == 1


@pytest.mark.parametrize("method", [GradInput(), IntegratedGradients(), Occlusion()])
def test_no_call_has_more_examples_than_asked_for(method: Any) -> None:
    module = Counting()
    attribute(module, images(), method, Predicted(), batch_size=3)
    assert max(module.asked) <= 3
