"""Class activation maps and attention rollout: literal versions, closed forms, and what is found without being told."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch_geometric.nn import global_add_pool

from attar import InputError, Logit, Predicted, UnsupportedError, attribute
from attar.adapters.torch import TorchModel
from attar.core.attribution import Attribution
from attar.core.inputs import Inputs, Tensors
from attar.methods.attention_rollout import AttentionRollout
from attar.methods.cam import CAM
from attar.methods.grad_cam import GradCAM
from attar.methods.grad_cam_plus_plus import GradCAMPlusPlus
from attar.methods.layer_cam import LayerCAM
from attar.methods.resampled import Resampled
from attar.methods.score_cam import ScoreCAM
from attar.methods.smooth_grad import SmoothGrad
from models import PooledCNN, PygGCN, case, close, graph_network, graphs, images, numbers, relu_mlp, seeded, table
from reference.class_activation import attention_rollout, grad_cam_plus_plus, layer_cam, score_cam


class Smooth(PooledCNN):
    """The gradient at what its first layer puts out vanishes nowhere: activations there have both signs."""

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.first(x))

    def after(self, maps: Tensor) -> Tensor:
        return self.head(self.second(torch.tanh(maps)).mean((2, 3)))


def at_first(module: Smooth, image: Tensor, output: int) -> tuple[Tensor, Tensor, float]:
    """What the first layer puts out for one image, the logit's gradient there, and the logit."""
    maps = module.first(image[None]).detach().requires_grad_()
    score = module.after(maps)[0, output]
    (gradient,) = torch.autograd.grad(score, maps)
    return maps.detach()[0], gradient[0], score.item()


@pytest.fixture
def module() -> Smooth:
    return seeded(Smooth)  # type: ignore[return-value]


# --- literal versions ---


def test_grad_cam_plus_plus_is_the_papers_formula(module: Smooth) -> None:
    found = attribute(TorchModel(module, layers=("first",)), images(), GradCAMPlusPlus(), Logit(1))
    for values, image in zip(found.values, images(), strict=True):
        maps, gradient, score = at_first(module, image, 1)
        close(values * np.exp(score), grad_cam_plus_plus(maps, gradient, score))


def test_layer_cam_is_the_papers_formula(module: Smooth) -> None:
    found = attribute(TorchModel(module, layers=("first",)), images(), LayerCAM(), Logit(1))
    for values, image in zip(found.values, images(), strict=True):
        close(values, layer_cam(*at_first(module, image, 1)[:2]))
    assert float(found.values.min()) < 0  # the activation's own sign is kept


@pytest.mark.parametrize("softmax", [True, False])
@pytest.mark.parametrize("batch_size", [1, 7, None])
def test_score_cam_is_a_loop_over_channels(softmax: bool, batch_size: int | None) -> None:
    """The layer's maps are smaller than the image, and a chunk cuts an example's channels in two."""
    cut = seeded(lambda: nn.Sequential(nn.Conv2d(2, 5, 3, stride=2), nn.Tanh(), nn.Flatten(), nn.Linear(10, 3)))
    model = TorchModel(cut, layers=("1",))
    found = attribute(model, images(), ScoreCAM(softmax=softmax), Logit(2), batch_size=batch_size)
    assert found.values.shape == (4, 2, 1)
    for values, image in zip(found.values, images(), strict=True):

        def score(x: Tensor) -> float:
            return cut(x[None])[0, 2].item()

        with torch.no_grad():
            maps = cut[1](cut[0](image[None]))[0]
        close(values, score_cam(maps, image, score, softmax=softmax))
    assert found.evaluations.tolist() == [5 + 2 + (not softmax)] * 4


def test_score_cam_of_a_graph_masks_its_nodes() -> None:
    given, network = graphs(), seeded(PygGCN)
    found = attribute(network, given, ScoreCAM(softmax=False), Logit(0))
    assert found.layers == ("second",)
    third = given.take(torch.tensor([2]))
    hidden = network.second(torch.relu(network.first(third.nodes, third.edge_index)), third.edge_index).detach()
    expected = torch.zeros(4, dtype=torch.float64)
    zero = network(third.nodes * 0, third.edge_index, third.edges, third.node_owner)[0, 0]
    for k in range(6):
        keep = (hidden[:, k] - hidden[:, k].min()) / (hidden[:, k].max() - hidden[:, k].min())
        seen = network(third.nodes * keep[:, None], third.edge_index, third.edges, third.node_owner)[0, 0]
        expected += (seen - zero).detach() * hidden[:, k]
    close(found.by_example("nodes")[2], expected)


def test_score_cam_of_a_layer_without_contrast_asks_about_the_baseline() -> None:
    """In a triangle every node hears the same: their differences are rounding, which is not blown up to 0 and 1."""
    triangle = graphs().take(torch.tensor([0]))
    found = attribute(seeded(PygGCN), triangle, ScoreCAM(softmax=False))
    assert float(found.parts["nodes"].abs().max()) == 0


# --- closed forms ---


class Averaged(nn.Module):
    """A convolution over any number of axes, its mean over positions, a linear head."""

    def __init__(self, axes: int) -> None:
        super().__init__()
        self.maps = nn.Sequential([nn.Conv1d, nn.Conv2d, nn.Conv3d][axes - 1](2, 4, 2), nn.Tanh())
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.maps(x).flatten(2).mean(2))


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_cam_is_grad_cam_over_any_number_of_axes(axes: int) -> None:
    averaged, x = seeded(lambda: Averaged(axes)), numbers(3, 2, *range(4, 4 + axes))
    cam, grad_cam = (attribute(averaged, x, method, Logit(1)) for method in (CAM(), GradCAM()))
    assert cam.values.shape == (3, *range(3, 3 + axes))
    assert cam.layers == grad_cam.layers == ("maps",)
    close(cam.values, grad_cam.values)
    close(cam.values.flatten(1).sum(1) + averaged.head.bias.detach()[1], cam.output)


MAPS = [GradCAM(), GradCAM(averaged=False), LayerCAM(), GradCAMPlusPlus(), ScoreCAM(softmax=False)]


@pytest.mark.parametrize("method", MAPS)
def test_sign_and_scale_are_kept(method: Any, module: Smooth) -> None:
    """Twice the output has twice the values: nothing is scaled to 0 and 1. Some of them speak against the target."""
    model = TorchModel(module, layers=("first",))
    once = attribute(model, images(), method, Logit(0)).values
    assert float(once.min()) < 0 < float(once.max())
    with torch.no_grad():
        module.head.weight *= 2
    twice = attribute(model, images(), method, Logit(0)).values
    if isinstance(method, GradCAMPlusPlus):  # its shares fall as gradients grow
        assert not torch.allclose(twice, 2 * once, rtol=0.01)
    else:
        close(twice, 2 * once)


@pytest.mark.parametrize("kind", [GradCAM, LayerCAM, GradCAMPlusPlus, ScoreCAM])
def test_positive_is_the_papers_last_relu(kind: Any, module: Smooth) -> None:
    model = TorchModel(module, layers=("first",))
    plain, positive = (attribute(model, images(), kind(positive=choice)).values for choice in (False, True))
    assert float(plain.min()) < 0
    assert torch.equal(positive, plain.clamp(min=0))


class Counted(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner, self.calls = inner, 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.inner(x)


@pytest.mark.parametrize("method", [CAM(), GradCAM(), LayerCAM(), GradCAMPlusPlus(), ScoreCAM(), AttentionRollout()])
def test_several_targets_are_from_the_same_forward_passes(method: Any) -> None:
    name = "transformer" if isinstance(method, AttentionRollout) else "cnn"
    counted = Counted(case(name).module)
    told = {"layers": ("inner.second",), "pooled": "inner.second", "head": "inner.head", "mean": True}
    model = TorchModel(counted, **told) if name == "cnn" else counted
    inputs = case(name).inputs
    targets = [Logit(0), Logit(2), Predicted()] if name == "cnn" else [Logit(0), Predicted()]
    calls = []
    for asked in (targets[:1], targets):
        counted.calls = 0
        together = attribute(model, inputs, method, asked)
        calls.append(counted.calls)
    assert calls[0] == calls[1]
    for found, target in zip(together, targets, strict=True):
        alone = attribute(model, inputs, method, target)
        close(found.values, alone.values)
        close(found.output, alone.output)


# --- which axis holds the channels ---


class Tokens(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.block = nn.Sequential(nn.Linear(3, width), nn.Tanh())
        self.head = nn.Linear(width, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.block(x).mean(1))


@pytest.mark.parametrize("width", [16, 5])
def test_a_map_of_tokens_has_a_value_for_each_token(width: int) -> None:
    """Captum's LayerGradCam takes axis 1 for the channels and returns one value per channel, without a word.

    As many channels as tokens (5) are told apart by the kind of layer.
    """
    tokens, x = seeded(lambda: Tokens(width)), numbers(4, 5, 3)
    for method in (GradCAM(), CAM()):
        found = attribute(tokens, x, method, Logit(1))
        assert found.values.shape == (4, 5)
        expected = tokens.block(x).detach() @ tokens.head.weight.detach()[1] / 5
        close(found.values, expected)


def test_channels_are_seen_where_a_layer_moves_them_back() -> None:
    """As in ConvNeXt: the last layer inside keeps them last, the block's output has them first."""

    class Back(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Sequential(nn.Conv2d(2, 7, 2), nn.Flatten(2))
            self.mix = nn.Linear(7, 7)

        def forward(self, x: Tensor) -> Tensor:
            return self.mix(self.inner(x).movedim(1, -1)).movedim(-1, 1)

    moved = seeded(lambda: nn.Sequential(Back(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(7, 2)))
    found = attribute(TorchModel(moved, layers=("0",)), images(), GradCAM(), Logit(0))
    assert found.values.shape == (4, 12)
    close(found.values.sum(1) + moved[3].bias.detach()[0], found.output)


class Bare(nn.Module):
    """What it puts out says nothing of its axes."""

    def forward(self, x: Tensor) -> Tensor:
        return x * 2


def test_channels_that_cannot_be_told_must_be_said() -> None:
    bare, x = nn.Sequential(Bare(), nn.Flatten()), numbers(3, 4, 5)
    with pytest.raises(UnsupportedError, match=r"\(3, 4, 5\), and which axis holds the channels .* channels=1\)"):
        attribute(TorchModel(bare, layers=("0",)), x, GradCAM())
    for channels, places in ((1, 5), (2, 4), (-1, 4)):
        found = attribute(TorchModel(bare, layers=("0",), channels=channels), x, GradCAM())
        assert found.values.shape == (3, places)
    with pytest.raises(InputError, match="channels is 3, and layer '0' puts out 3 axes"):
        attribute(TorchModel(bare, layers=("0",), channels=3), x, GradCAM())


# --- layers found without being told ---


class ClassToken(nn.Module):
    """A small vision transformer: patches, blocks, and an answer that is read from the class token."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(2, 6, 2, stride=2)
        self.token = nn.Parameter(torch.randn(1, 1, 6))
        self.blocks = nn.ModuleList([_Block() for _ in range(2)])
        self.norm, self.head = nn.LayerNorm(6), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        tokens = torch.cat([self.token.expand(len(x), -1, -1), self.patch(x).flatten(2).movedim(1, 2)], 1)
        for block in self.blocks:
            tokens = block(tokens)
        return self.head(self.norm(tokens)[:, 0])


class _Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(6)
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True)
        self.mlp = nn.Sequential(nn.LayerNorm(6), nn.Linear(6, 8), nn.GELU(), nn.Linear(8, 6))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        return x + self.mlp(x)


def pooling(*layers: nn.Module) -> Callable[[], nn.Module]:
    return lambda: nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))


@pytest.mark.parametrize(
    ("build", "inputs", "layer"),
    [
        (PooledCNN, Tensors(images()), "second"),
        (pooling(nn.Conv2d(2, 4, 2), nn.BatchNorm2d(4), nn.ReLU()), Tensors(images()), "2"),
        (lambda: Averaged(1), Tensors(numbers(3, 2, 9)), "maps"),
        (lambda: Tokens(8), Tensors(numbers(3, 4, 3)), "block"),
        (ClassToken, Tensors(numbers(2, 2, 6, 4)), "blocks.1.norm"),
        (lambda: Stack(Attention(kernel=True), Attention(kernel=True)), Tensors(numbers(2, 5, 4)), "layers.0"),
        (PygGCN, graphs(), "second"),
    ],
)
def test_the_last_layer_that_keeps_places_apart_is_found(build: Any, inputs: Inputs, layer: str) -> None:
    """The last of which more than one place counts: of a class-token transformer the last that attention reads."""
    found = attribute(seeded(build), inputs, GradCAM())
    assert found.layers == (layer,)
    assert f" at {layer};" in repr(found)
    told = attribute(TorchModel(seeded(build), layers=(layer,)), inputs, GradCAM())
    for part in found.parts:
        assert torch.equal(found.parts[part], told.parts[part])


def test_layers_are_found_over_the_nodes_of_networks_that_are_not_pytorch_geometrics() -> None:
    network = graph_network("gcn")
    found = attribute(network, graphs(), GradCAM(averaged=False))
    assert found.layers == ("maps",)
    cam = attribute(network, graphs(), CAM())
    assert cam.layers == ("maps",)
    for part in ("nodes", "edges"):
        close(cam.parts[part], found.parts[part])
    lone = graphs().take(torch.tensor([1, 1]))
    with pytest.raises(UnsupportedError, match="name its layers"):
        attribute(network, lone, GradCAM())


class Dying(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.early, self.late = nn.Conv1d(2, 4, 2), nn.Conv1d(4, 4, 2)
        self.head = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.relu(self.late(torch.tanh(self.early(x)))).mean(2))


def test_what_is_found_does_not_depend_on_the_values() -> None:
    """An example that no unit answers to has no gradient anywhere."""
    dying = seeded(Dying)
    nn.init.constant_(dying.early.bias, 0.0)
    nn.init.constant_(dying.late.bias, -0.1)
    found = attribute(dying, torch.zeros(2, 2, 7, dtype=torch.float64), GradCAM())
    assert found.layers == attribute(dying, numbers(2, 2, 7), GradCAM()).layers == ("late",)


def test_message_passing_is_found_whatever_the_size_of_the_graph() -> None:
    """A layer after it has a row for each node too; on a node alone that cannot be told from a readout."""

    class Longer(PygGCN):
        def __init__(self) -> None:
            super().__init__()
            self.after = nn.Linear(6, 6)

        def forward(self, x: Tensor, edge_index: Tensor, edge_attr: Tensor, batch: Tensor) -> Tensor:
            hidden = self.after(torch.relu(self.second(torch.relu(self.first(x, edge_index)), edge_index)))
            return self.head(torch.relu(global_add_pool(hidden, batch)))

    for some in (graphs(), graphs().take(torch.tensor([1]))):
        assert attribute(seeded(Longer), some, GradCAM()).layers == ("second",)


def test_a_layer_of_what_only_travels_along_is_not_found() -> None:
    """The embeddings of ids come later than the picture's convolution, and are no layer of the picture."""
    given = case("picture-and-words")
    assert attribute(given.model, given.inputs, GradCAM()).layers == ("look",)


def test_a_wrapper_finds_the_layer_of_what_it_wraps(module: Smooth) -> None:
    found = attribute(module, images(), SmoothGrad(base=GradCAM(), samples=4))
    assert found.values.shape == (4, 5, 4)
    with pytest.raises(UnsupportedError, match="SmoothGrad needs a Layered model: name its layers"):
        attribute(relu_mlp(), table(), SmoothGrad(base=GradCAM(), samples=4))


def test_a_pooled_layer_that_does_not_add_up_is_refused(module: Smooth) -> None:
    with pytest.raises(UnsupportedError, match="the sum of what 'second' puts out, under the head 'head', is not"):
        attribute(TorchModel(module, pooled="second", head="head"), images(), CAM())
    largest = seeded(lambda: nn.Sequential(nn.Conv1d(2, 4, 2), nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(4, 2)))
    with pytest.raises(UnsupportedError, match="none were found that add up to the output"):
        attribute(largest, numbers(2, 2, 6), CAM())


def test_a_layer_is_read_where_the_attribution_is_asked_at_it(module: Smooth) -> None:
    at = attribute(module, images(), GradCAM(), at="first")
    told = attribute(TorchModel(module, layers=("first",)), images(), GradCAM())
    close(at.values, told.values)
    assert at.layers == ("first",)


def test_the_layers_are_saved_with_the_attribution(module: Smooth, tmp_path: Any) -> None:
    attribute(module, images(), GradCAM()).save(tmp_path / "found")
    assert Attribution.load(tmp_path / "found").layers == ("second",)


# --- at the size of the input ---


@pytest.mark.parametrize(("axes", "size"), [(1, (11,)), (2, (12, 9)), (3, (5, 8, 6))])
def test_resampling_keeps_sums(axes: int, size: tuple[int, ...]) -> None:
    averaged, x = seeded(lambda: Averaged(axes)), numbers(3, 2, *size)
    small, large = attribute(averaged, x, CAM()), attribute(averaged, x, Resampled(base=CAM()))
    assert large.values.shape == (3, *size)
    close(large.values.flatten(1).sum(1), small.values.flatten(1).sum(1))
    close(large.residual(), torch.zeros(3, dtype=torch.float64))


def test_resampling_interpolates_linearly() -> None:
    """Twice as fine: inside, a quarter of what torch's bilinear interpolation says; a constant map stays constant."""
    coarse = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(1, 1, 1, bias=False), nn.Flatten(), nn.Linear(12, 1, bias=False))
    coarse = coarse.double()
    nn.init.ones_(coarse[1].weight)
    nn.init.ones_(coarse[3].weight)
    x = numbers(2, 1, 6, 8)
    found = attribute(TorchModel(coarse, layers=("1",)), x, Resampled()).values
    expected = F.interpolate(F.avg_pool2d(x, 2), (6, 8), mode="bilinear")[:, 0] / 4
    close(found[:, 2:4, 2:6], expected[:, 2:4, 2:6])
    close(
        attribute(TorchModel(coarse, layers=("1",)), torch.ones_like(x), Resampled()).values,
        torch.ones(2, 6, 8).double() / 4,
    )


def test_tokens_lie_on_the_grid_that_is_said() -> None:
    """Patches back where they were; what the class token counts is said apart."""
    network, x = seeded(ClassToken), numbers(2, 2, 6, 4)
    tokens = attribute(network, x, GradCAM())
    found = attribute(network, x, Resampled(grid=(3, 2)))
    assert found.values.shape == (2, 6, 4)
    close(found.unassigned, tokens.values[:, 0])
    close(found.values.flatten(1).sum(1), tokens.values[:, 1:].sum(1))
    with pytest.raises(UnsupportedError, match=r"say how they lie: Resampled\(base=…, grid=\(rows, columns\)\)"):
        attribute(network, x, Resampled())
    with pytest.raises(UnsupportedError, match=r"a grid .* needs a map of 49 tokens or more"):
        attribute(network, x, Resampled(grid=(7, 7)))


def test_the_inputs_channels_may_be_last() -> None:
    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = PooledCNN()

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(x.movedim(-1, 1))

    last, first = seeded(Last), seeded(PooledCNN)
    for method in (Resampled, ScoreCAM):
        moved = attribute(last, images().movedim(1, -1), method(channels=-1))
        close(moved.values, attribute(first, images(), method()).values)
    with pytest.raises(InputError, match="channels is 4, expected an axis of the input after the first: 1 to 3"):
        attribute(first, images(), Resampled(channels=4))


# --- attention rollout ---


class Attention(nn.Module):
    """Written out, as eager implementations are, or handed to torch's kernel."""

    def __init__(self, kernel: bool, causal: bool = False) -> None:
        super().__init__()
        self.kernel, self.causal = kernel, causal
        self.qkv, self.out = nn.Linear(4, 12), nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = self.qkv(x).reshape(*x.shape[:2], 3, 2, 2).permute(2, 0, 3, 1, 4)
        if self.kernel:
            mixed = F.scaled_dot_product_attention(query, key, value, is_causal=self.causal)
        else:
            scores = query @ key.mT / 2**0.5
            if self.causal:
                scores = scores.masked_fill(torch.ones_like(scores).triu(1).bool(), -torch.inf)
            mixed = scores.softmax(-1) @ value
        return self.out(mixed.transpose(1, 2).flatten(2))


class Stack(nn.Module):
    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.head = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = x + layer(x)
        return self.head(x[:, 0])


class Own(nn.Module):
    """torch's module, with the weights thrown away."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.options = options

    def forward(self, x: Tensor) -> Tensor:
        return self.attention(x, x, x, **self.options)[0]


def weights_of(layer: nn.Module, x: Tensor) -> Tensor:
    """The heads' weights from the definition."""
    if isinstance(layer, Own):
        return layer.attention(x, x, x, average_attn_weights=False)[1]
    query, key, _ = layer.qkv(x).reshape(*x.shape[:2], 3, 2, 2).permute(2, 0, 3, 1, 4)
    scores = query @ key.mT / 2**0.5
    future = torch.ones(x.shape[1], x.shape[1]).triu(1).bool()
    return (scores.masked_fill(future, -torch.inf) if layer.causal else scores).softmax(-1)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Attention(kernel=False),
        lambda: Attention(kernel=True),
        lambda: Attention(kernel=True, causal=True),
        lambda: Own(),
        lambda: Own(need_weights=False),
    ],
)
@pytest.mark.parametrize("token", [None, 0, -1])
def test_rollout_is_a_product_of_matrices(make: Callable[[], nn.Module], token: int | None) -> None:
    stack, x = seeded(lambda: Stack(make(), make(), make())), numbers(3, 5, 4)
    found = attribute(stack, x, AttentionRollout(token=token))
    with torch.no_grad():
        seen, hidden = [], x
        for layer in stack.layers:
            seen.append(weights_of(layer, hidden).numpy())
            hidden = hidden + layer(hidden)
    for k, values in enumerate(found.values):
        rolled = attention_rollout([weights[k] for weights in seen])
        close(values, rolled.mean(0) if token is None else rolled[token])
    close(found.values.sum(1), torch.ones(3, dtype=torch.float64))


def test_rollout_of_torchs_encoder_is_that_of_its_layers() -> None:
    """Without gradients torch would compute the whole layer in one step, which hides the weights."""
    layer = nn.TransformerEncoderLayer(4, 2, 6, batch_first=True)
    encoder = seeded(lambda: nn.Sequential(nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Flatten()))
    x = numbers(2, 3, 4)
    found = attribute(encoder, x, AttentionRollout())
    encoder.eval()
    seen, hidden = [], x
    for each in encoder[0].layers:
        seen.append(each.self_attn(hidden, hidden, hidden, average_attn_weights=False)[1].detach().numpy())
        hidden = each(hidden)
    for k, values in enumerate(found.values):
        close(values, attention_rollout([weights[k] for weights in seen]).mean(0))


def test_rollout_is_over_the_layers_that_are_named() -> None:
    stack, x = seeded(lambda: Stack(Attention(kernel=True), Attention(kernel=True))), numbers(3, 5, 4)
    last = attribute(TorchModel(stack, self_attention=("layers.1",)), x, AttentionRollout(residual=0.0, token=1))
    with torch.no_grad():
        expected = weights_of(stack.layers[1], x + stack.layers[0](x)).mean(1)[:, 1]
    close(last.values, expected)
    with pytest.raises(InputError, match="no attention of tokens over tokens was seen in 'head'"):
        attribute(TorchModel(stack, self_attention=("head",)), x, AttentionRollout())


def test_attention_without_heads_is_attention_with_one() -> None:
    class Plain(nn.Module):
        def __init__(self, heads: bool) -> None:
            super().__init__()
            self.heads, self.qkv = heads, nn.Linear(4, 12)

        def forward(self, x: Tensor) -> Tensor:
            each = self.qkv(x).chunk(3, -1)
            if not self.heads:
                return F.scaled_dot_product_attention(*each)
            return F.scaled_dot_product_attention(*(one[:, None] for one in each))[:, 0]

    found, headed = (
        attribute(seeded(lambda heads=heads: Stack(Plain(heads), Plain(heads))), numbers(3, 5, 4), AttentionRollout())
        for heads in (False, True)
    )
    close(found.values, headed.values)


def test_rollout_of_a_model_of_token_ids_is_asked_at_the_embeddings() -> None:
    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embeddings, self.stack = nn.Embedding(7, 4), Stack(Own(), Own())

        def forward(self, ids: Tensor) -> Tensor:
            return self.stack(self.embeddings(ids))

    reader, ids = seeded(Reader), torch.tensor([[1, 2, 3], [6, 0, 1]])
    found = attribute(reader, {"ids": ids}, AttentionRollout(), at="embeddings")
    expected = attribute(reader.stack, reader.embeddings(ids).detach(), AttentionRollout())
    close(found.values, expected.values)
    grad_cam = attribute(reader, {"ids": ids}, GradCAM(), at="stack.layers.1")
    assert grad_cam.values.shape == (2, 3)


def test_padding_that_may_look_nowhere_has_no_weights() -> None:
    class Padded(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            heads = x[:, None]
            return F.scaled_dot_product_attention(heads, heads, heads, attn_mask=mask)[:, 0].flatten(1)

    mask = torch.tensor([[True, True, False], [True, True, False], [False, False, False]])
    found = attribute(Padded(), numbers(2, 3, 4), AttentionRollout(token=2))
    close(found.values, torch.tensor([0.0, 0.0, 1.0]).double().expand(2, 3))


def test_attention_that_does_not_fit_is_refused() -> None:
    class Shorter(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.other = Attention(kernel=True), Attention(kernel=True)

        def forward(self, x: Tensor) -> Tensor:
            return self.other(self.one(x)[:, 1:]).flatten(1)

    with pytest.raises(UnsupportedError, match="attend over 5 and 4 tokens"):
        attribute(seeded(Shorter), numbers(2, 5, 4), AttentionRollout())
    with pytest.raises(InputError, match="token is 5, and there are 5"):
        attribute(seeded(lambda: Stack(Own())), numbers(2, 5, 4), AttentionRollout(token=5))
    with pytest.raises(UnsupportedError, match="no attention of tokens over tokens was seen"):
        attribute(relu_mlp(), table(), AttentionRollout())
    with pytest.raises(InputError, match="residual is 1, expected a share from 0 to below 1"):
        AttentionRollout(residual=1)
