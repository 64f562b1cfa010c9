"""A layer's output in the place of the input: known answers by hand, and what cannot be asked."""

from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from attar import InputError, Logit, UnsupportedError, attribute
from attar.core.attribution import Attribution
from attar.core.baseline import Constant
from attar.core.parts import Parts
from attar.methods.grad_input import GradInput
from attar.methods.integrated_gradients import IntegratedGradients
from attar.methods.occlusion import Occlusion
from models import FEATURES, case, graphs, images, picture_and_words, relu_mlp, seeded, table, tight

WORDS = torch.tensor([[1, 2, 0, 4], [3, 3, 1, 0], [2, 0, 0, 1]])


class Reader(nn.Module):
    """Token ids → embeddings → a product of two of them, so that gradients differ from token to token."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(5, 3)
        self.head = nn.Linear(3, 2)

    def forward(self, words: Tensor, keep: Tensor | None = None) -> Tensor:
        read = self.embedding(words)
        read = read if keep is None else read * keep[..., None]
        return self.head(read.sum(1) + read[:, 0] * read[:, 1])


class InPlaceAfter(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(FEATURES, 8)
        self.act = nn.ReLU(inplace=True)
        self.head = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.act(self.first(x)))


class Pair(NamedTuple):
    left: Tensor
    right: Tensor


class Putting(nn.Module):
    """A first layer that puts out whatever `wrap` makes of its numbers."""

    class Layer(nn.Module):
        def __init__(self, wrap: Any) -> None:
            super().__init__()
            self.linear, self.wrap = nn.Linear(FEATURES, 4), wrap

        def forward(self, x: Tensor) -> Any:
            return self.wrap(self.linear(x))

    def __init__(self, wrap: Any, unwrap: Any) -> None:
        super().__init__()
        self.layer, self.unwrap, self.head = self.Layer(wrap), unwrap, nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.tanh(self.unwrap(self.layer(x))))


def hidden(found: Attribution) -> Tensor:
    assert isinstance(found.values, Tensor)
    return found.values


# --- known answers ---


@pytest.mark.parametrize("method", [GradInput(), IntegratedGradients()])
def test_before_a_linear_head_an_attribution_is_weight_times_activation(method: Any) -> None:
    module = relu_mlp()
    activation = module[:4](table())
    for target in (0, 1):
        found = attribute(module, table(), method, Logit(target), at="3")
        tight(hidden(found), module[4].weight[target] * activation, 1e-9)
        assert list(found.parts) == ["3"]


def test_gradient_input_at_a_hidden_layer_is_the_chain_rule_cut_there() -> None:
    module = relu_mlp()
    activation = module[:2](table()).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(module[2:](activation)[:, 1].sum(), activation)
    tight(hidden(attribute(module, table(), GradInput(), Logit(1), at="1")), activation * gradient)


def test_integrated_gradients_at_a_layer_sum_to_what_the_rest_of_the_module_changes() -> None:
    module = seeded(
        lambda: nn.Sequential(nn.Linear(FEATURES, 6), nn.SiLU(), nn.Linear(6, 4), nn.SiLU(), nn.Linear(4, 2))
    )
    found = attribute(module, table(), IntegratedGradients(tolerance=1e-4, budget=2000), Logit(0), at="1")
    of_nothing = module[2:](torch.zeros(1, 6, dtype=torch.float64))[0, 0]
    tight(found.reference, of_nothing.expand(6))
    tight(hidden(found).sum(1), module(table())[:, 0] - of_nothing, 1e-4)


def test_a_baseline_stands_at_the_layer() -> None:
    module = relu_mlp()
    row = torch.linspace(0, 1, 16, dtype=torch.float64)
    activation = module[:4](table())
    found = attribute(module, table(), IntegratedGradients(baseline=Constant({"3": row})), Logit(0), at="3")
    tight(hidden(found), module[4].weight[0] * (activation - row), 1e-9)


def test_the_first_layers_output_that_is_the_input_gives_what_the_input_gets() -> None:
    module = nn.Sequential(nn.Identity(), *relu_mlp())
    for method in (GradInput(), IntegratedGradients()):
        tight(hidden(attribute(module, table(), method, at="0")), hidden(attribute(relu_mlp(), table(), method)), 1e-9)


def test_a_map_of_a_convolution_is_attributed_entry_by_entry() -> None:
    given = case("bare-cnn")
    found = attribute(given.model, images(), GradInput(), Logit(0), at="first")
    with torch.no_grad():
        activation = given.module.first(images())
    assert hidden(found).shape == activation.shape == (4, 3, 5, 4)


# --- what cannot be attributed as it comes ---


def test_token_ids_are_attributed_at_their_embedding() -> None:
    module = seeded(Reader)
    found = attribute(module, WORDS, GradInput(), Logit(1), at="embedding")
    read = module.embedding(WORDS).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(module.head(read.sum(1) + read[:, 0] * read[:, 1])[:, 1].sum(), read)
    tight(hidden(found), read * gradient)
    assert hidden(found).shape == (3, 4, 3)
    with pytest.raises(
        InputError, match=r"holds torch.int64, expected floats: .* name the layer that makes them with at="
    ):
        attribute(module, WORDS, GradInput())


def test_a_mask_travels_along_to_the_layer() -> None:
    module, keep = seeded(Reader), torch.tensor([[1, 1, 0, 1], [1, 0, 0, 0], [1, 1, 1, 1]], dtype=torch.bool)
    found = attribute(module, {"words": WORDS, "keep": keep}, GradInput(), Logit(0), at="embedding", batch_size=2)
    assert torch.equal(hidden(found)[~keep], torch.zeros(4, 3, dtype=torch.float64))
    assert bool((hidden(found)[keep] != 0).all())
    with pytest.raises(InputError, match=r"none of the inputs holds floats: .*at='embeddings'"):
        attribute(module, {"words": WORDS, "keep": keep}, GradInput())


def test_of_several_inputs_a_layer_takes_the_place() -> None:
    given = case("picture-and-words")
    found = attribute(given.model, picture_and_words(), GradInput(), Logit(1), at="embeddings")
    assert hidden(found).shape == (4, 3, 3)
    assert bool((hidden(found)[~picture_and_words().arrays["keep"]] == 0).all())


def test_of_a_layer_that_puts_out_a_tuple_the_first_tensor_is_attributed() -> None:
    given = case("lstm")
    found = attribute(given.model, given.inputs, GradInput(), Logit(0), at="lstm")
    with torch.no_grad():
        states = given.module.lstm(given.inputs.values)[0]
    expected = torch.zeros_like(states)
    expected[:, -1] = states[:, -1] * given.module.head.weight[0]  # the head reads the last state alone
    tight(hidden(found), expected)


@pytest.mark.parametrize(
    ("wrap", "unwrap"),
    [
        (lambda h: (None, h, "more"), lambda out: out[1]),
        (lambda h: [h, h**2], lambda out: out[0]),
        (lambda h: Pair(h, h**2), lambda out: out.left),
    ],
    ids=["tuple", "list", "named tuple"],
)
def test_a_layers_tuple_keeps_its_kind_and_the_rest_of_it(wrap: Any, unwrap: Any) -> None:
    plain, wrapped = seeded(lambda: Putting(lambda h: h, lambda h: h)), seeded(lambda: Putting(wrap, unwrap))
    tight(*(hidden(attribute(module, table(), GradInput(), at="layer")) for module in (wrapped, plain)))


def test_what_works_in_place_after_the_layer_changes_nothing() -> None:
    module = seeded(InPlaceAfter)
    activation = module.first(table()).detach()
    expected = activation.clamp(min=0) * module.head.weight[0]
    for size in (None, 1, 4):
        found = attribute(module, table(), GradInput(), Logit(0), at="first", batch_size=size)
        tight(hidden(found), expected)
        tight(found.output, module(table())[:, 0])
        gone = attribute(module, table(), Occlusion(), Logit(0), at="first", batch_size=size)
        tight(gone.parts["first"].reshape(6, -1).sum(1), expected.sum(1), 1e-9)


def test_a_graphs_layer_has_the_nodes_rows() -> None:
    found = attribute(case("gcn").model, graphs(), GradInput(), Logit(0), at="encode_atoms")
    assert isinstance(found.values, Parts)
    assert found.parts["encode_atoms"].shape[0] == len(graphs().nodes)
    assert torch.equal(found.owners["encode_atoms"], graphs().node_owner)


def test_rows_that_could_be_a_parts_or_the_examples_are_refused() -> None:
    """Two graphs without edges, one of them without nodes: two rows either way, and not the same owners."""
    lopsided = graphs().take(torch.tensor([1, 1]))
    lopsided = type(lopsided)(
        lopsided.nodes, lopsided.edges, lopsided.edge_index, torch.tensor([1, 1]), lopsided.edge_owner, size=2
    )
    with pytest.raises(UnsupportedError, match="puts out 2 rows; whether they are those of the examples or of a part"):
        attribute(case("gcn").model, lopsided, GradInput(), at="encode_atoms")


# --- batches and the module's state ---


def test_batch_size_and_company_change_nothing() -> None:
    module = relu_mlp()
    whole = hidden(attribute(module, table(), IntegratedGradients(), at="1"))
    for size in (1, 4):
        tight(hidden(attribute(module, table(), IntegratedGradients(), at="1", batch_size=size)), whole)
    tight(hidden(attribute(module, table()[2:3], IntegratedGradients(), at="1")), whole[2:3])


def test_hooks_are_gone_whatever_happens() -> None:
    module = relu_mlp()

    def hooks() -> int:
        return sum(len(each._forward_hooks) for each in module.modules())

    attribute(module, table(), GradInput(), at="1")
    assert hooks() == 0
    with pytest.raises(InputError, match="asks for output 9"):
        attribute(module, table(), GradInput(), Logit(9), at="1")
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        attribute(module, table()[:, :3], GradInput(), at="1")
    assert hooks() == 0


# --- what cannot be asked ---


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.act, self.one, self.two = nn.Tanh(), nn.Linear(FEATURES, FEATURES), nn.Linear(FEATURES, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.two(self.act(self.one(self.act(x))))


def test_a_layer_that_is_called_twice_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="layer 'act' is called twice for one answer; name one that"):
        attribute(seeded(Twice), table(), GradInput(), at="act")


def test_a_layer_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(InputError, match="the module has no layer 'fc'; its children are act, one, two"):
        attribute(seeded(Twice), table(), GradInput(), at="fc")


def test_a_layer_that_takes_no_part_is_refused() -> None:
    module = seeded(Twice)
    module.spare = nn.Linear(1, 1)
    with pytest.raises(InputError, match="layer 'spare' took no part in the answer"):
        attribute(module, table(), GradInput(), at="spare")


def test_a_layer_with_other_rows_is_refused() -> None:
    class Flattening(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.each, self.head = nn.Linear(1, 2), nn.Linear(2 * FEATURES, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.each(x.reshape(-1, 1)).reshape(len(x), -1))

    with pytest.raises(UnsupportedError, match="layer 'each' puts out 30 rows for 6 examples"):
        attribute(seeded(Flattening), table(), GradInput(), at="each")


def test_a_layer_without_floats_is_refused() -> None:
    ids = seeded(lambda: Putting(lambda h: h.argmax(1), lambda k: torch.eye(4, dtype=torch.float64)[k]))
    with pytest.raises(InputError, match=r"layer 'layer' puts out torch.int64, expected floats; name a layer after it"):
        attribute(ids, table(), GradInput(), at="layer")
    named = seeded(lambda: Putting(lambda h: {"h": h}, lambda out: out["h"]))
    with pytest.raises(UnsupportedError, match="layer 'layer' puts out a dict, expected a tensor or a tuple of them"):
        attribute(named, table(), GradInput(), at="layer")


def test_only_a_torch_module_has_layers() -> None:
    with pytest.raises(UnsupportedError, match="at='3' names a layer, and a Function has none: give a torch module"):
        attribute(lambda x: x.sum(1), table(), Occlusion(), at="3")


def test_a_layers_output_that_is_nan_is_refused() -> None:
    broken = seeded(lambda: Putting(lambda h: h / 0, torch.tanh))
    with pytest.raises(InputError, match=r"^layer holds NaN or infinity, first at"):
        attribute(broken, table(), GradInput(), at="layer")


def test_numbers_of_a_layer_are_its_own() -> None:
    """An attribution that is written on does not reach what the module or another attribution holds."""
    module = relu_mlp()
    first = attribute(module, table(), GradInput(), at="1")
    hidden(first).fill_(99)
    again = hidden(attribute(module, table(), GradInput(), at="1"))
    tight(again, hidden(attribute(relu_mlp(), table(), GradInput(), at="1")))
