"""The verb: what may be asked, in what company, and what is refused, each with its sentence."""

import pickle
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from attar import Difference, Entry, InputError, Logit, Predicted, Probability, UnsupportedError, attribute
from attar.core.attribution import Attribution
from attar.core.inputs import Named, SparseRows, Tensors
from attar.core.method import Method
from attar.core.model import Differentiable, Predictor
from attar.core.parts import Parts
from attar.core.target import Target
from attar.methods.grad_input import GradInput
from attar.methods.integrated_gradients import IntegratedGradients
from attar.methods.occlusion import Occlusion
from attar.methods.random_values import RandomValues
from attar.methods.weight_times_input import WeightTimesInput
from models import (
    FEATURES,
    Formula,
    case,
    classes_of,
    every_thrifty_method,
    frame,
    graphs,
    images,
    numbers,
    picture_and_words,
    relu_mlp,
    seeded,
    table,
    takes,
    tight,
)


def values(found: Attribution) -> Tensor:
    assert isinstance(found.values, Tensor)
    return found.values


# --- targets ---

MLP_METHODS = [
    name
    for name, method in every_thrifty_method().items()
    if method.needs in (Predictor, Differentiable) and takes(name, Tensors(table()))
]


@pytest.mark.parametrize("name", MLP_METHODS)
def test_several_targets_are_those_of_one_at_a_time(name: str) -> None:
    method = every_thrifty_method()[name]
    targets = [Logit(0), Logit([1, 0, 1, 1, 0, 0]), Predicted(), Difference(Logit(0), Logit(1)), Probability(1)]
    several = attribute(relu_mlp(), table(), method, targets, batch_size=4)
    assert [each.target for each in several] == [repr(target) for target in targets]
    for found, target in zip(several, targets, strict=True):
        alone = attribute(relu_mlp(), table(), method, target)
        tight(values(found), values(alone), 1e-9)
        tight(found.output, alone.output)
        tight(found.error.bound, alone.error.bound, 1e-6)


def test_a_list_of_one_target_gives_a_list() -> None:
    (found,) = attribute(relu_mlp(), table(), GradInput(), [Logit(1)])
    tight(values(found), values(attribute(relu_mlp(), table(), GradInput(), Logit(1))))


def test_no_target_at_all_is_refused() -> None:
    with pytest.raises(InputError, match="there is no target: the list is empty"):
        attribute(relu_mlp(), table(), GradInput(), [])


@pytest.mark.parametrize("target", [1, "cat", np.int64(1), torch.tensor([0, 1]), [0, 1, 0], [Logit(0), 1], Logit])
def test_what_is_no_target_is_refused_with_the_way_out(target: Any) -> None:
    with pytest.raises(InputError, match=r"^the target is .*, expected an attar.Target: attar.Logit\(3\) for class 3"):
        attribute(relu_mlp(), table(), GradInput(), target)


def test_a_difference_asks_why_this_rather_than_that() -> None:
    this, that, both = attribute(relu_mlp(), table(), GradInput(), [Logit(1), Logit(0), Difference(Logit(1), Logit(0))])
    tight(values(both), values(this) - values(that))
    tight(both.output, this.output - that.output)
    against_the_rest = attribute(relu_mlp(), table(), GradInput(), Difference(Predicted(), Logit(0)))
    assert bool((against_the_rest.output >= 0).all())


def test_the_gradient_of_a_probability_is_the_logits_by_the_chain_rule() -> None:
    of_logit = attribute(Formula(lambda x: 2 * x[:, :1]), table(), GradInput(), Logit(0))
    found = attribute(Formula(lambda x: 2 * x[:, :1]), table(), GradInput(), Probability(0))
    share = torch.sigmoid(2 * table()[:, 0])
    tight(found.output, share)
    tight(values(found), values(of_logit) * (share * (1 - share))[:, None])
    module = relu_mlp()
    tight(attribute(module, table(), GradInput(), Probability(1)).output, torch.softmax(module(table()), 1)[:, 1])


def test_one_entry_of_an_output_with_more_axes() -> None:
    def tokens(x: Tensor) -> Tensor:
        return torch.stack([x.cumsum(1), x.cumsum(1) ** 2], 2)  # (batch, positions, outputs)

    x = table()
    for method in (GradInput(), Occlusion()):
        last, first = attribute(Formula(tokens), x, method, [Entry(-1, 0), Entry(0, 0)])
        tight(values(last), x, 1e-9)
        tight(values(first)[:, 0], x[:, 0], 1e-9)
        tight(values(first)[:, 1:], torch.zeros(6, 4, dtype=torch.float64), 1e-9)
    assert last.target == "Entry(-1, 0)"
    found = attribute(Formula(tokens), x, GradInput(), Difference(Entry(1, 0), Entry(0, 0)))
    tight(found.output, x[:, 1])


@pytest.mark.parametrize("entry", [Entry(5, 0), Entry(0, 2), Entry(0), Entry(0, 0, 0), Entry(-6, 0), Entry()])
def test_an_entry_that_is_not_there(entry: Entry) -> None:
    with pytest.raises(InputError, match=r"is no entry of an output of shape \(5, 2\); give one number for each axis"):
        attribute(Formula(lambda x: torch.stack([x, x], 2)), table(), GradInput(), entry)


@pytest.mark.parametrize("target", [None, Logit(0), Probability(0)])
def test_an_output_with_more_axes_needs_an_entry(target: Target | None) -> None:
    with pytest.raises(InputError, match=r"shape \(6, 5, 2\), expected \(batch, outputs\); .* attar.Entry\(0, 0\)"):
        attribute(Formula(lambda x: torch.stack([x, x], 2)), table(), GradInput(), target)


def test_a_target_of_ones_own() -> None:
    class Margin(Target):
        def __call__(self, outputs: Tensor) -> Tensor:
            best = outputs.topk(2).values
            return best[:, 0] - best[:, 1]

    found = attribute(relu_mlp(), table(), GradInput(), Margin(), batch_size=2)
    tight(found.output, (relu_mlp()(table())[:, 0] - relu_mlp()(table())[:, 1]).abs())


# --- what may be given ---


def test_a_frame_into_a_module_keeps_names_and_takes_the_modules_precision() -> None:
    module = relu_mlp().float()
    found = attribute(module, frame(), GradInput(), Logit(0))
    assert values(found).dtype == torch.float32
    tight(values(found), values(attribute(module, table().float(), GradInput(), Logit(0))), 1e-6)
    assert found.entry_names == tuple("abcde")
    assert {name for name, _ in found.ranked(0)} == set("abcde")


def test_a_frame_reaches_a_pipeline_as_a_frame_and_nobody_warns() -> None:
    x = frame(60, seed=5)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(x, classes_of(x))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = attribute(model, frame(), Occlusion(), Logit(1))
        attribute(LogisticRegression().fit(x, classes_of(x)), frame(), WeightTimesInput(), Logit(1))
    assert found.entry_names == tuple("abcde")
    tight(found.output, torch.from_numpy(model.decision_function(frame())), 1e-9)


def test_a_frame_with_a_gap_is_refused_by_a_model_of_numbers() -> None:
    gap = frame()
    gap.loc[2, "c"] = np.nan
    with pytest.raises(UnsupportedError, match="GradInput follows a gradient, and column 'c' is numbers with gaps"):
        attribute(relu_mlp(), gap, GradInput())
    with pytest.raises(InputError, match="column 'c' is missing in row 2, and this model takes numbers"):
        attribute(relu_mlp(), gap, Occlusion())
    with pytest.raises(InputError, match=r"^input holds NaN or infinity, first at \[2, 2\]"):
        attribute(relu_mlp(), gap.to_numpy(), GradInput())


@pytest.mark.parametrize(
    "change",
    [
        lambda a: a[::-1][::-1],
        lambda a: np.asfortranarray(a),
        lambda a: a.astype(">f8"),
        lambda a: np.broadcast_to(a, a.shape),
        lambda a: np.ascontiguousarray(a[:, ::-1])[:, ::-1],
    ],
    ids=["backwards", "columns first", "other bytes", "read-only", "mirrored"],
)
def test_an_array_may_lie_in_memory_as_it_likes(change: Callable[[np.ndarray], np.ndarray]) -> None:
    module = Formula(lambda x: x.view(len(x), -1) ** 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = attribute(module, change(table().numpy()), GradInput(), Logit(0))
    tight(values(found)[:, 0], 2 * table()[:, 0] ** 2)


def test_an_array_of_words_is_refused() -> None:
    with pytest.raises(InputError, match="the array holds <U1, expected numbers"):
        attribute(relu_mlp(), np.array([["a", "b"]]), GradInput())


def test_inputs_by_name_give_values_by_name() -> None:
    given = case("picture-and-words")
    plain = {name: array for name, array in picture_and_words().arrays.items() if name != "scale"}
    for inputs in (given.inputs, plain, {**plain, "picture": plain["picture"].numpy()}):
        found = attribute(given.model, inputs, GradInput(), Logit(0))
        assert isinstance(found.values, Parts)
        assert {name: tuple(array.shape) for name, array in found.parts.items()} == {
            "picture": (4, 1, 3, 3),
            "age": (4, 2),
        }
    leaf = picture_and_words()
    leaves = leaf.parts.map(lambda array: array.requires_grad_())
    gradients = torch.autograd.grad(leaf.replace(leaves).call(given.module.eval())[:, 0].sum(), list(leaves.values()))
    for (name, array), gradient in zip(leaves.items(), gradients, strict=True):
        tight(found.parts[name], array * gradient)


def test_a_part_that_is_not_asked_about_travels_along() -> None:
    given = case("picture-and-words")
    both = attribute(given.model, given.inputs, GradInput(), Logit(0))
    found = attribute(given.model, Named(picture_and_words().arrays, only=("age",)), GradInput(), Logit(0))
    assert list(found.parts) == ["age"]
    tight(found.parts["age"], both.parts["age"])


def test_a_masked_token_counts_for_nothing() -> None:
    def masked_mean(embeddings: Tensor, keep: Tensor) -> Tensor:
        return (torch.tanh(embeddings) * keep[..., None]).sum((1, 2)) / keep.sum(1)

    class Masked(nn.Module):
        def forward(self, embeddings: Tensor, keep: Tensor) -> Tensor:
            return masked_mean(embeddings, keep)

    given = {"embeddings": numbers(3, 4, 2), "keep": torch.tensor([[1, 1, 1, 0], [1, 0, 0, 0], [1, 1, 0, 0]]).bool()}
    for method in (GradInput(), IntegratedGradients()):
        found = attribute(Masked(), given, method, batch_size=2)
        assert torch.equal(found.parts["embeddings"] == 0, ~given["keep"][..., None].expand(3, 4, 2))


def test_a_tuple_is_given_in_order() -> None:
    given = case("two-in-order")
    found = attribute(given.model, given.inputs.arguments(), GradInput(), Logit(2))
    assert list(found.parts) == ["input 0", "input 1"]
    expected = attribute(given.model, given.inputs, GradInput(), Logit(2))
    for name in found.parts:
        tight(found.parts[name], expected.parts[name])


def test_whether_values_are_a_tensor_does_not_depend_on_the_batch() -> None:
    """One word in each row, one node and one loop in each graph: rows as many as examples are still rows."""
    words = SparseRows(table()[0, :3], torch.tensor([0, 4, 2]), torch.arange(3), size=3, width=6, part="words")
    assert isinstance(attribute(case("bag-mlp").model, words, GradInput()).values, Parts)
    lone = graphs().take(torch.tensor([1, 1]))
    loops = type(lone)(lone.nodes, numbers(2, 2), torch.tensor([[0, 1], [0, 1]]), *[torch.arange(2)] * 2, size=2)
    assert isinstance(attribute(case("mpnn").model, loops, GradInput()).values, Parts)


# --- batches that matter ---


class BatchStatistics(nn.Module):
    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(FEATURES, 4), nn.BatchNorm1d(4, **options), nn.ReLU(), nn.Linear(4, 2))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


COUPLED = r"answer about an example depends on the others in its batch \(batch statistics\?\): an attribution would too"


@pytest.mark.parametrize("method", [GradInput(), Occlusion()])
def test_an_answer_that_depends_on_batch_statistics_is_refused(method: Method) -> None:
    with pytest.raises(UnsupportedError, match=COUPLED):
        attribute(seeded(lambda: BatchStatistics(track_running_stats=False)), table(), method)


@pytest.mark.parametrize("method", [GradInput(), Occlusion()])
@pytest.mark.parametrize("rows", [1, 2, 3, 6])
def test_an_answer_that_depends_on_the_company_is_refused(method: Method, rows: int) -> None:
    with pytest.raises(UnsupportedError, match=COUPLED):
        attribute(lambda x: (x / x.norm(dim=0)).sum(1), table()[:rows], Occlusion())
    with pytest.raises(UnsupportedError, match=COUPLED):
        attribute(Formula(lambda x: torch.softmax(x, 0)), table()[:rows], method)


def test_a_normalisation_within_an_example_is_no_company() -> None:
    for module in (nn.LayerNorm(FEATURES), nn.Sequential(nn.Unflatten(1, (1, 5)), nn.InstanceNorm1d(1), nn.Flatten())):
        attribute(module.double(), table(), GradInput())
    attribute(seeded(BatchStatistics), table(), GradInput())


def test_asked_one_at_a_time_nothing_can_be_company() -> None:
    """A function of one example alone, for which a batch of two means something else or nothing."""

    def of_one(x: Tensor) -> Tensor:
        assert len(x) == 1
        return (x**2).sum(1) / x.norm()

    found = attribute(of_one, table(), Occlusion(), batch_size=1)
    tight(found.output, table().norm(dim=1))


@pytest.mark.parametrize("size", [None, 1])
def test_an_answer_that_changes_from_call_to_call_is_refused(size: int | None) -> None:
    said = r"the model answers differently when asked again \(dropout that does not heed eval\(\), sampling\?\)"
    with pytest.raises(UnsupportedError, match=said):
        attribute(Formula(lambda x: F.dropout(x, 0.5, training=True)), numbers(3, 64), GradInput(), batch_size=size)
    with pytest.raises(UnsupportedError, match=said):
        attribute(lambda x: x + torch.randn_like(x), table(), Occlusion(), batch_size=size)


def test_noise_that_is_seeded_in_each_call_is_no_chance() -> None:
    def steady(x: Tensor) -> Tensor:
        generator = torch.Generator().manual_seed(0)
        return x @ torch.randn(FEATURES, 2, generator=generator, dtype=x.dtype)

    attribute(steady, table(), Occlusion())


# --- gradients that are not there ---


@pytest.mark.parametrize(
    "formula", [lambda x: x.detach() ** 2, torch.no_grad()(lambda x: x**2)], ids=["detach", "no_grad"]
)
@pytest.mark.parametrize("weight", [1.0, nn.Parameter(torch.ones((), dtype=torch.float64))], ids=["frozen", "learned"])
@pytest.mark.parametrize("size", [1, None])
def test_a_cut_gradient_is_not_taken_for_zero(formula: Any, weight: Any, size: int | None) -> None:
    with pytest.raises(UnsupportedError, match=r"the target changes with input and has no gradient there \(no_grad, "):
        attribute(Formula(lambda x: formula(x) * weight), table(), GradInput(), Logit(0), batch_size=size)


def test_a_choice_has_no_gradient() -> None:
    chosen = Formula(lambda x: F.one_hot((x[:, 0] > 1).long(), 2).double())
    x = torch.tensor([[1.5, 0.0]], dtype=torch.float64)
    with pytest.raises(UnsupportedError, match="or ask a method that needs outputs alone, such as Occlusion"):
        attribute(chosen, x, GradInput(), Logit(1))
    assert values(attribute(chosen, x, Occlusion(), Logit(1))).tolist() == [[1, 0]]


def test_a_layer_that_the_target_does_not_hear_has_a_true_zero() -> None:
    class TwoHeads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.other = nn.Linear(FEATURES, 1), nn.Linear(FEATURES, 1)

        def forward(self, x: Tensor) -> dict[str, Tensor]:
            one, other = self.one(x), self.other(x)
            return {"logits": one, "other": other}

    found = attribute(seeded(TwoHeads), table(), GradInput(), at="other")
    assert not bool(values(found).any())


def test_inference_mode_around_changes_nothing() -> None:
    expected = values(attribute(relu_mlp(), table(), IntegratedGradients()))
    module = relu_mlp()
    with torch.inference_mode():
        found = attribute(module, table(), IntegratedGradients())
        made_here = table() * 1
        again = attribute(module, made_here, IntegratedGradients())
        assert torch.is_inference_mode_enabled()
    tight(values(found), expected)
    tight(values(again), expected)
    tight(values(attribute(module, made_here, IntegratedGradients())), expected)


def test_no_grad_around_stays_around() -> None:
    with torch.no_grad():
        attribute(relu_mlp(), table(), GradInput())
        assert not torch.is_grad_enabled()
    attribute(relu_mlp(), table(), GradInput())
    assert torch.is_grad_enabled()


# --- modules of every make ---


def test_a_module_in_train_mode_is_asked_in_eval_mode_and_put_back() -> None:
    given = case("stateful-mlp")
    module: nn.Module = given.module.train()
    modes = []
    module.register_forward_hook(lambda *_: modes.append([each.training for each in module.modules()]))
    found = attribute(module, table(), GradInput())
    assert not any(mode for call in modes for mode in call)
    assert all(each.training for each in module.modules())
    tight(found.output, module.eval()(table()).max(1).values)


def test_a_compiled_module_answers_as_it_does_plain() -> None:
    """Without a compiler at hand: what is traced and guarded is the same."""
    compiled = torch.compile(relu_mlp(), backend="eager")
    compiled.train()
    for method in (GradInput(), Occlusion()):
        tight(values(attribute(compiled, table(), method)), values(attribute(relu_mlp(), table(), method)), 1e-9)
    assert compiled.training


def test_autocast_around_is_heeded() -> None:
    """Answers in half precision, values in the input's own."""
    module = relu_mlp().float()
    x = table().float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = attribute(module, x, GradInput(), Logit(0))
        by_loss = attribute(module, x, Occlusion(), Logit(0))
    plain = attribute(module, x, GradInput(), Logit(0))
    assert found.output.dtype == torch.bfloat16
    assert values(found).dtype == torch.float32
    assert not torch.equal(values(found), values(plain))
    tight(values(found), values(plain), 0.05)
    assert bool(torch.isfinite(values(by_loss)).all())


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize("freeze", [False, True])
@pytest.mark.parametrize("method", [GradInput(), IntegratedGradients(), Occlusion()])
def test_a_torchscript_module_answers_as_it_does_plain(freeze: bool, method: Method) -> None:
    given = case("stateful-mlp")
    script = torch.jit.script(given.module.eval() if freeze else given.module.train())
    script = torch.jit.freeze(script) if freeze else script
    tight(values(attribute(script, table(), method)), values(attribute(given.module, table(), method)), 1e-9)
    if not freeze:
        assert script.training


@pytest.mark.parametrize("method", [GradInput(), IntegratedGradients(), Occlusion()])
def test_an_exported_module_answers_as_it_does_plain(method: Method) -> None:
    given = case("stateful-mlp")
    batch = torch.export.Dim("batch")
    exported = torch.export.export(given.module.eval(), (table(),), dynamic_shapes=({0: batch},)).module()
    tight(values(attribute(exported, table(), method)), values(attribute(given.module, table(), method)), 1e-9)


def test_a_module_exported_for_one_example_is_asked_for_one() -> None:
    exported = torch.export.export(relu_mlp(), (table()[:1],)).module()
    found = attribute(exported, table(), GradInput(), batch_size=1)
    tight(values(found), values(attribute(relu_mlp(), table(), GradInput())))


def test_a_model_that_offers_what_a_method_needs_is_asked_as_it_is() -> None:
    class Own:
        def predict(self, inputs: Tensors) -> Tensor:
            return inputs.values**2

    found = attribute(Own(), table(), Occlusion(), Logit(2))
    tight(values(found)[:, 2], table()[:, 2] ** 2)


def test_provenance_pickles() -> None:
    found = attribute(relu_mlp(), images()[:, 0, 0, :4].repeat(1, 2)[:, :5], GradInput())
    again = pickle.loads(pickle.dumps(found))
    assert (again.method, again.target) == ("GradInput(base=Gradient(), baseline=Zeros())", "Predicted()")
    assert isinstance(pd.Series(dict(again.ranked(0))), pd.Series)


@pytest.mark.parametrize("name", ["logistic", "multinomial", "tree", "forest", "sklearn-mlp"])
def test_a_probability_is_the_estimators_own(name: str) -> None:
    """Its outputs here are each class's log-odds, of which a softmax would make another number."""
    given = case(name)
    theirs = given.model.predict_proba(given.inputs.values.numpy())
    if name == "tree":  # half an example is added to each class of a leaf
        tree = given.model.tree_
        counts = (tree.value[:, 0] * tree.weighted_n_node_samples[:, None] + 0.5)[
            given.model.apply(given.inputs.values.numpy())
        ]
        theirs = counts / counts.sum(1, keepdims=True)
    for k in range(theirs.shape[1]):
        found = attribute(given.model, given.inputs, RandomValues(), Probability(k))
        torch.testing.assert_close(found.output, torch.from_numpy(theirs[:, k]), rtol=1e-9, atol=1e-11)
        assert found.target == f"Probability(index={k})"
    less = attribute(given.model, given.inputs, RandomValues(), Difference(Probability(1), Probability(0)))
    torch.testing.assert_close(less.output, torch.from_numpy(theirs[:, 1] - theirs[:, 0]), rtol=1e-9, atol=1e-11)
