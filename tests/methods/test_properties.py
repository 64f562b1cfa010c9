"""What every method promises, for every method and every kind of model that it fits.

A new method in `METHODS` is tested here at once, with its defaults; a new kind of model belongs in `models.MODELS`.
"""

import pickle
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from functools import cache
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from attar import attribute
from attar.adapters import adapt
from attar.core import baseline
from attar.core.attribution import Attribution
from attar.core.errors import InputError, UnsupportedError
from attar.core.inputs import Tensors
from attar.core.method import needs_of
from attar.core.model import Attending, Chunked, Differentiable, Layered, Pooled, Predictor, SelfAttending, lacks, told
from attar.core.parts import Parts
from attar.core.target import Logit
from attar.methods import METHODS
from models import MODELS, Case, case, every_thrifty_method, method_class, takes

METHODS_BY_NAME = every_thrifty_method()
# Methods that need these give a row one value, or one for each place of a layer's map, whatever its features.
ROWWISE = (Attending, Layered, Pooled, SelfAttending)


@cache
def adapted(model_name: str) -> Any:
    return adapt(case(model_name).model)


@cache
def _offers(model_name: str, needs: type) -> bool:
    return lacks(told(adapted(model_name), needs, case(model_name).inputs), needs) is None


def _fits(name: str, model_name: str) -> bool:
    return all(_offers(model_name, needs) for needs in needs_of(METHODS_BY_NAME[name]))


def _takes(name: str, model_name: str) -> bool:
    return takes(name, case(model_name).inputs)


# To a method that needs outputs or gradients alone, one more estimator or network on graphs is nothing new.
MORE_OF_A_KIND = {
    "multinomial",
    "ridge",
    "tree",
    "regression-tree",
    "additive",
    "rule-list",
    "sklearn-mlp",
    "gcn",
    "gat",
    "graphnets",
}
EVERY = [
    (name, model_name)
    for name, method in METHODS_BY_NAME.items()
    for model_name in MODELS
    if method.needs not in (Predictor, Differentiable) or model_name not in MORE_OF_A_KIND
]
PAIRS = [(name, model_name) for name, model_name in EVERY if _fits(name, model_name) and _takes(name, model_name)]
UNFIT = [pair for pair in EVERY if not _fits(*pair)]
UNTAKEN = [pair for pair in EVERY if not _takes(*pair) and _fits(*pair)]


def _few(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Each method on one model for each kind of input: for what is the verb's doing and not the method's."""
    first = {(name, type(case(model_name).inputs)): (name, model_name) for name, model_name in reversed(pairs)}
    return sorted(first.values())


FEW_PAIRS = _few(PAIRS)
WITH_MODULE = {name for name in MODELS if case(name).module is not None}
ON_MODULES = [pair for pair in PAIRS if pair[1] in WITH_MODULE]
ON_ESTIMATORS = [pair for pair in PAIRS if pair[1] not in WITH_MODULE]


def every(pairs: list[tuple[str, str]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("name", "model_name"), pairs, ids=["-on-".join(pair) for pair in pairs])


def found_on(given: Case, name: str, **options: Any) -> Attribution:
    return attribute(given.model, given.inputs, METHODS_BY_NAME[name], **options)


@cache
def usual(name: str, model_name: str) -> Attribution:
    """What everything else is compared with. Not to be written on."""
    return found_on(case(model_name), name)


def arrays(found: Attribution) -> dict[str, Tensor]:
    """Everything that an attribution holds, by a name that says where."""
    held = {f"parts/{part}": array for part, array in found.parts.items()}
    held |= {f"owners/{part}": array for part, array in found.owners.items()}
    held |= {"output": found.output, "bound": found.error.bound, "evaluations": found.evaluations}
    optional = {"reached": found.error.reached, "reference": found.reference, "unassigned": found.unassigned}
    return held | {where: array for where, array in optional.items() if array is not None}


def assert_same(found: Attribution, expected: Attribution) -> None:
    """Equal but for rounding: sums are taken in another order where a batch is cut in other places."""
    assert arrays(found).keys() == arrays(expected).keys()
    for where, array in arrays(found).items():
        assert_close(array, arrays(expected)[where], where)


def assert_close(array: Tensor, expected: Tensor, where: str) -> None:
    torch.testing.assert_close(array, expected, rtol=1e-9, atol=1e-11, msg=lambda reason: f"{where}: {reason}")


def by_example(found: Attribution) -> list[dict[str, Tensor]]:
    """All that is said of each example, its rows cut out of the batch."""
    said: list[dict[str, Tensor]] = [{} for _ in range(len(found))]
    for where, array in arrays(found).items():
        kind, _, part = where.partition("/")
        if kind == "owners":
            continue
        lengths = torch.bincount(found.owners[part], minlength=len(found)).tolist() if part else [1] * len(found)
        for one, rows in zip(said, array.split(lengths), strict=True):
            one[where] = rows
    return said


def assert_same_examples(found: list[dict[str, Tensor]], expected: list[dict[str, Tensor]]) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.keys() == other.keys()
        for where in one:
            assert_close(one[where], other[where], where)


def test_every_method_has_a_model_here_to_run_on() -> None:
    without = set(METHODS_BY_NAME) - {name for name, _ in PAIRS}
    assert not without, f"no toy in tests/models.py fits {without}: add one that offers what the method needs"


# --- what comes out ---


# How many places the maps of a layer have, where they are not those of the input.
PLACES = {"waveform": (3,), "volume": (1, 3, 2), "transformer": (3,), "picture-and-words": (2, 2)}


@every(PAIRS)
def test_values_have_the_shape_of_the_input(name: str, model_name: str) -> None:
    """Or one value per row: features are summed where rows are taken away, channels where maps are weighed."""
    given, found = case(model_name), usual(name, model_name)
    assert len(found) == len(given.inputs)
    assert set(found.parts) <= set(given.inputs.parts)
    for part, array in found.parts.items():
        shape = given.inputs.parts[part].shape
        rowwise = shape[:1] + shape[2:]
        if METHODS_BY_NAME[name].needs in ROWWISE:
            places = PLACES.get(model_name)
            assert array.shape == (rowwise if places is None else (*shape[:1], *places))
        elif isinstance(given.inputs, Tensors):
            assert array.shape == shape
        else:
            assert array.shape in (shape, rowwise, shape[:1])  # an input by name is taken away whole
        assert torch.equal(found.owners[part], given.inputs.owners[part])
        assert bool(torch.isfinite(array).all())
    assert isinstance(found.values, Tensor) == isinstance(given.inputs, Tensors)


@every(PAIRS)
def test_the_output_is_the_models(name: str, model_name: str) -> None:
    given = case(model_name)
    outputs = Chunked(adapted(model_name), 99).predict(given.inputs)
    last = outputs.shape[1] - 1
    exactly = {"rtol": 1e-12, "atol": 1e-12}
    torch.testing.assert_close(usual(name, model_name).output, outputs.max(1).values, **exactly)
    torch.testing.assert_close(found_on(given, name, target=Logit(last)).output, outputs[:, last], **exactly)


@every(PAIRS)
def test_each_example_can_have_its_own_class(name: str, model_name: str) -> None:
    given = case(model_name)
    classes = [k % adapted(model_name).predict(given.inputs).shape[1] for k in range(len(given.inputs))]
    mixed = by_example(found_on(given, name, target=Logit(classes)))
    of_class = {c: by_example(found_on(given, name, target=Logit(c))) for c in set(classes)}
    assert_same_examples(mixed, [of_class[c][k] for k, c in enumerate(classes)])


@every(PAIRS)
def test_precision_is_kept(name: str, model_name: str) -> None:
    """Single stays single on a torch module; scikit-learn itself answers in double."""
    assert {array.dtype for array in usual(name, model_name).parts.values()} == {torch.float64}
    single = case(model_name, torch.float32)
    if single.module is not None:
        found = found_on(single, name)
        assert {array.dtype for array in (*found.parts.values(), found.output)} == {torch.float32}


IN_HALF = {"mlp", "bare-cnn", "lstm", "bag-mlp", "picture-and-words"}  # whose layers torch has in half precision


@every([pair for pair in ON_MODULES if pair[1] in IN_HALF])
def test_half_precision_stays_half_and_close_to_single(name: str, model_name: str) -> None:
    """Against the same rounded weights and inputs in single precision: what differs is the arithmetic alone."""
    half, single = case(model_name, torch.bfloat16), case(model_name, torch.float32)
    single.module.load_state_dict(half.module.state_dict())
    single = replace(single, inputs=half.inputs.replace(half.inputs.parts.map(Tensor.float)))
    found, expected = (found_on(each, name, target=Logit(0)) for each in (half, single))
    for part, array in found.parts.items():
        assert array.dtype == torch.bfloat16
        size = expected.parts[part].norm().clamp(min=1e-3)
        assert float((array.float() - expected.parts[part]).norm() / size) < 0.15


@every(PAIRS)
def test_an_attribution_says_how_it_was_made_and_how_far_off_it_is(name: str, model_name: str) -> None:
    found = usual(name, model_name)
    assert found.method == repr(METHODS_BY_NAME[name])
    assert found.target == "Predicted()"
    assert found.error.bound.shape == found.evaluations.shape == (len(case(model_name).inputs),)
    assert bool((found.error.bound >= 0).all())
    assert bool((found.evaluations >= 1).all())
    assert found.error.how


# --- batches, order, chance ---


@every(PAIRS)
def test_batch_size_changes_nothing(name: str, model_name: str) -> None:
    assert_same(found_on(case(model_name), name, batch_size=3), usual(name, model_name))


@every(FEW_PAIRS)
def test_asked_for_one_example_at_a_time_nothing_changes(name: str, model_name: str) -> None:
    assert_same(found_on(case(model_name), name, batch_size=1), usual(name, model_name))


@every(PAIRS)
def test_order_changes_nothing(name: str, model_name: str) -> None:
    given = case(model_name)
    order = torch.tensor([2, 0, 3, 1, *range(4, len(given.inputs))]).flip(0)
    shuffled = replace(given, inputs=given.inputs.take(order))
    whole = by_example(usual(name, model_name))
    assert_same_examples(by_example(found_on(shuffled, name)), [whole[k] for k in order.tolist()])


@every(PAIRS)
def test_an_example_alone_is_what_it_is_in_company(name: str, model_name: str) -> None:
    given = case(model_name)
    for k, expected in enumerate(by_example(usual(name, model_name))):
        alone = replace(given, inputs=given.inputs.take(torch.tensor([k])))
        assert_same_examples(by_example(found_on(alone, name)), [expected])


@every(PAIRS)
def test_chance_is_its_own_and_is_seeded(name: str, model_name: str) -> None:
    """Neither reads nor moves the global generators: the same twice, whatever state they are in."""
    first = usual(name, model_name)
    _set_global_seeds(2)
    states = _global_states()
    again = found_on(case(model_name), name)
    assert _global_states() == states
    for where, array in arrays(first).items():
        assert torch.equal(array, arrays(again)[where]), where


def _set_global_seeds(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - the global state is what is looked at
    torch.manual_seed(seed)


def _global_states() -> tuple[object, ...]:
    return random.getstate(), pickle.dumps(np.random.get_state()), torch.get_rng_state().numpy().tobytes()  # noqa: NPY002


@pytest.mark.parametrize("name", [n for n, m in METHODS_BY_NAME.items() if hasattr(m, "seed")])
@pytest.mark.parametrize("model_name", ["lstm", "transformer"])  # on kinks alone a little noise may meet none
def test_another_seed_gives_other_numbers(name: str, model_name: str) -> None:
    given, method = case(model_name), METHODS_BY_NAME[name]
    method = replace(method, within=0.1) if hasattr(method, "within") else method  # the class itself hardly changes
    one, other = (attribute(given.model, given.inputs, replace(method, seed=seed)) for seed in (0, 1))
    assert all(not torch.equal(one.parts[part], other.parts[part]) for part in one.parts)


# --- the model is left as it was found ---


@every(ON_MODULES)
def test_the_model_is_left_as_found(name: str, model_name: str) -> None:
    given = case(model_name)
    _lived_in(given.module)
    before = _state(given.module)
    found_on(given, name)
    _assert_state(given.module, before)


@every(ON_MODULES)
def test_the_model_is_left_as_found_after_an_exception(name: str, model_name: str) -> None:
    given = case(model_name)
    _lived_in(given.module)
    before = _state(given.module)
    for call in (1, 2):
        with _breaking(given.module, at=call), pytest.raises(_BrokenError):
            found_on(given, name)
        _assert_state(given.module, before)


@every(ON_ESTIMATORS)
def test_an_estimator_is_left_as_found(name: str, model_name: str) -> None:
    given = case(model_name)
    before = pickle.dumps(given.model)
    found_on(given, name)
    assert pickle.dumps(given.model) == before


def _lived_in(module: nn.Module) -> None:
    """As in the middle of a training loop: modes mixed, some gradients there, one parameter frozen."""
    module.train()
    submodules = list(module.modules())
    submodules[-1].training = False
    parameters = list(module.parameters())
    for k, parameter in enumerate(parameters):
        parameter.grad = torch.full_like(parameter, k) if k % 2 else None
    parameters[0].requires_grad_(False)


def _state(module: nn.Module) -> dict[str, Any]:
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return {
        "modes": [m.training for m in module.modules()],
        "tensors": {n: t.detach().clone() for n, t in module.state_dict().items()},
        "gradients": [None if p.grad is None else p.grad.clone() for p in module.parameters()],
        "frozen": [p.requires_grad for p in module.parameters()],
        "hooks": [len(getattr(m, kind)) for m in module.modules() for kind in hooks],
        "submodules": [n for n, _ in module.named_modules()],
        "attributes": [sorted(vars(m)) for m in module.modules()],
    }


def _assert_state(module: nn.Module, before: dict[str, Any]) -> None:
    after = _state(module)
    for what in ("modes", "frozen", "hooks", "submodules", "attributes"):
        assert after[what] == before[what], what
    for tensor_name, tensor in before["tensors"].items():
        assert torch.equal(after["tensors"][tensor_name], tensor), tensor_name
    for gradient, expected in zip(after["gradients"], before["gradients"], strict=True):
        assert (gradient is None) == (expected is None)
        assert gradient is None or torch.equal(gradient, expected)


class _BrokenError(Exception):
    pass


@contextmanager
def _breaking(module: nn.Module, at: int) -> Iterator[None]:
    """The `at`-th call of the module raises when all its layers have run."""
    calls = 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1
        if calls == at:
            raise _BrokenError

    hook = module.register_forward_hook(count)
    try:
        yield
    finally:
        hook.remove()


@every(ON_MODULES)
def test_frozen_parameters_and_no_grad_around_change_nothing(name: str, model_name: str) -> None:
    frozen = case(model_name)
    frozen.module.requires_grad_(False)
    assert_same(found_on(frozen, name), usual(name, model_name))
    with torch.no_grad():
        quiet = found_on(case(model_name), name)
        assert not torch.is_grad_enabled()
    assert_same(quiet, usual(name, model_name))


@every(PAIRS)
def test_inputs_may_require_a_gradient(name: str, model_name: str) -> None:
    plain = case(model_name)
    leaves = plain.inputs.parts.map(lambda array: array.clone().requires_grad_())
    found = found_on(replace(plain, inputs=plain.inputs.replace(leaves)), name)
    assert_same(found, usual(name, model_name))
    assert not any(array.requires_grad for array in arrays(found).values())
    assert all(leaf.grad is None and leaf.requires_grad for leaf in leaves.values())


@every(PAIRS)
def test_inputs_are_left_as_found(name: str, model_name: str) -> None:
    given = case(model_name)
    before = given.inputs.parts.map(Tensor.clone)
    found = found_on(given, name)
    found.parts.map(lambda array: array.fill_(99.0))
    for part, array in given.inputs.parts.items():
        assert torch.equal(array, before[part])


# --- what is refused ---


@every(FEW_PAIRS)
def test_unusable_input_is_refused_with_the_way_out(name: str, model_name: str) -> None:
    given = case(model_name)
    for part, bad in product(given.inputs.parts, (float("nan"), float("inf"), -float("inf"))):
        spoilt = given.inputs.parts.map(Tensor.clone)
        spoilt[part][(-1,) * spoilt[part].ndim] = bad
        with pytest.raises(InputError, match=f"^{part} holds NaN or infinity"):
            found_on(replace(given, inputs=given.inputs.replace(spoilt)), name)
    integers = given.inputs.replace(given.inputs.parts.map(Tensor.long))
    said = r"holds torch.int64, expected floats: convert with .float\(\)|^none of the inputs holds floats"
    with pytest.raises(InputError, match=said):
        found_on(replace(given, inputs=integers), name)
    nobody = given.inputs.take(torch.zeros(0, dtype=torch.long))
    with pytest.raises(InputError, match="no examples"):
        found_on(replace(given, inputs=nobody), name)
    with pytest.raises(InputError, match="batch_size is 0, expected at least 1"):
        found_on(given, name, batch_size=0)


@every(FEW_PAIRS)
def test_a_model_that_answers_nan_or_infinity_is_refused(name: str, model_name: str) -> None:
    given = case(model_name)
    for bad in (float("nan"), float("inf")):
        spoilt = _with_answers(adapted(model_name), lambda outputs, bad=bad: torch.full_like(outputs, bad))
        with pytest.raises(InputError, match="the model's output holds NaN or infinity"):
            found_on(replace(given, model=spoilt), name)


def _with_answers(model: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """The adapted model with other answers and all else its own."""
    kind = type(model)
    changed = type(kind.__name__, (kind,), {"predict": lambda self, inputs: change(kind.predict(self, inputs))})
    return changed(**{field.name: getattr(model, field.name) for field in fields(model)})


@every(FEW_PAIRS)
def test_a_class_that_the_model_lacks_is_refused(name: str, model_name: str) -> None:
    given = case(model_name)
    with pytest.raises(InputError, match=r"asks for output 99, the model has [1-3]"):
        found_on(given, name, target=Logit(99))
    with pytest.raises(InputError, match=r"asks for output -1, the model has [1-3]"):
        found_on(given, name, target=Logit([0] * (len(given.inputs) - 1) + [-1]))
    with pytest.raises(InputError, match=f"names 2 classes for {len(given.inputs)} examples"):
        found_on(given, name, target=Logit([0, 0]))


@every(_few(UNFIT))
def test_a_model_that_lacks_what_is_needed_is_refused_by_name(name: str, model_name: str) -> None:
    method = METHODS_BY_NAME[name]
    needs = method.needs.__name__
    article = "an" if needs in ("Additive", "Attending") else "a"
    with pytest.raises(UnsupportedError, match=f"^{type(method).__name__} needs {article} {needs} model: "):
        found_on(case(model_name), name)


@every(UNTAKEN)
def test_inputs_of_a_shape_that_is_not_taken_are_refused_with_the_way_out(name: str, model_name: str) -> None:
    with pytest.raises(UnsupportedError, match=r"has shape \(.*\), .* needs .*: .* take "):
        found_on(case(model_name), name)


# --- provenance ---


@pytest.mark.parametrize("name", METHODS_BY_NAME)
def test_the_repr_makes_the_method_again(name: str) -> None:
    """With every option that is a number or a yes-or-no set to another value, so that none is left unsaid."""
    plain = method_class(name)()
    values = {field.name: getattr(plain, field.name) for field in fields(plain)}
    others = {option: _other(value) for option, value in values.items() if isinstance(value, bool | int | float)}
    bases = {each.__name__: each for each in map(method_class, METHODS)}
    known = bases | vars(baseline) | vars(import_module(method_class(name).__module__))
    for method in (plain, replace(plain, **others)):
        assert eval(repr(method), dict(known)) == method
        assert pickle.loads(pickle.dumps(method)) == method
    for option, other in others.items():
        assert repr(replace(plain, **{option: other})) != repr(plain), option


def _other(value: bool | int | float) -> bool | int | float:
    if isinstance(value, bool):
        return not value
    return value + 2 if isinstance(value, int) else value / 2


@every(FEW_PAIRS)
def test_an_attribution_is_saved_and_read_back(name: str, model_name: str, tmp_path: Path) -> None:
    for found in (usual(name, model_name), found_on(case(model_name), name, target=Logit(0))):
        found.save(tmp_path / "found.safetensors")
        again = Attribution.load(tmp_path / "found.safetensors")
        assert arrays(again).keys() == arrays(found).keys()
        for where, array in arrays(found).items():
            assert torch.equal(array, arrays(again)[where]), where
            assert array.dtype == arrays(again)[where].dtype, where
        for said in ("method", "target", "carried_by", "single", "names"):
            assert getattr(again, said) == getattr(found, said), said
        assert again.error.how == found.error.how
        assert repr(again) == repr(found)


def test_only_an_attribution_is_read(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    (tmp_path / "text").write_text("no tensors here")
    save_file({"output": torch.zeros(1)}, tmp_path / "other")
    save_file({"output": torch.zeros(1)}, tmp_path / "empty", metadata={"attar": "{}"})
    save_file({"output": torch.zeros(1)}, tmp_path / "odd", metadata={"attar": "no json"})
    for name in ("text", "other", "empty", "odd", "absent"):
        with pytest.raises(InputError, match=f"{name} is not an attribution saved by attar"):
            Attribution.load(tmp_path / name)


def test_parts_keep_their_names() -> None:
    """The arithmetic that methods are written in."""
    one, other = Parts({"a": torch.ones(2, 3), "b": torch.ones(1)}), Parts({"b": torch.ones(1), "a": torch.ones(2, 3)})
    total = (one + other) * 3 - one / 2
    assert list(total) == ["a", "b"]
    assert torch.equal(total["a"], torch.full((2, 3), 5.5))
    assert torch.equal(total["b"], torch.full((1,), 5.5))
