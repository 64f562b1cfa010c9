"""The networks that the benches explain: scikit-learn's digits, trained from a seed in seconds, the same for all.

python bench/networks.py
"""

from collections.abc import Callable
from functools import cache
from itertools import pairwise

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn

CLASSES = 10
WIDE = 32  # height and width of the images for convolutions, four times the digits'


def mlp(activation: Callable[[], nn.Module]) -> nn.Module:
    return nn.Sequential(
        nn.Linear(64, 128), activation(), nn.Linear(128, 128), activation(), nn.Linear(128, CLASSES)
    )  # fmt: skip


def cnn(activation: Callable[[], nn.Module], pool: Callable[[int], nn.Module]) -> nn.Module:
    """Three convolutions, each pooled to half its height and width."""
    channels = (1, 16, 32, 32)
    blocks = [
        nn.Sequential(nn.Conv2d(before, after, 3, padding=1), activation(), pool(2))
        for before, after in pairwise(channels)
    ]
    return nn.Sequential(*blocks, nn.Flatten(), nn.Linear(32 * (WIDE // 8) ** 2, CLASSES))


class Transformer(nn.Module):
    """A digit as eight tokens, its rows: two layers of attention, GELU and LayerNorm, the tokens' mean, a head."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.embedding = nn.Linear(8, width)
        self.position = nn.Parameter(torch.randn(8, width) / 4)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(width, 4, 2 * width, dropout=0.0, activation="gelu", batch_first=True)
            for _ in range(2)
        )
        self.head = nn.Linear(width, CLASSES)

    def forward(self, rows: Tensor) -> Tensor:
        tokens = self.embedding(rows) + self.position
        for block in self.blocks:
            tokens = block(tokens)
        return self.head(tokens.mean(1))


NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "mlp_silu": (lambda: mlp(nn.SiLU), (64,)),
    "cnn_silu": (lambda: cnn(nn.SiLU, nn.AvgPool2d), (1, WIDE, WIDE)),
    "transformer": (Transformer, (8, 8)),
    "mlp_relu": (lambda: mlp(nn.ReLU), (64,)),
    "mlp_elu": (lambda: mlp(nn.ELU), (64,)),
    "cnn_relu": (lambda: cnn(nn.ReLU, nn.MaxPool2d), (1, WIDE, WIDE)),
}


def efficient_lite() -> nn.Module:
    """The layers of EfficientNet-lite0 (inverted bottlenecks, BatchNorm, ReLU6) for images of 224 x 224, untrained."""

    def conv(before: int, after: int, kernel: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
        layer = nn.Conv2d(before, after, kernel, stride, kernel // 2, groups=groups, bias=False)
        return [layer, nn.BatchNorm2d(after)]

    layers: list[nn.Module] = [*conv(3, 32, 3, stride=2), nn.ReLU6()]
    channels = 32
    for grown, after, count, stride, kernel in (
        *((1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3)),
        *((6, 112, 3, 1, 5), (6, 192, 4, 2, 5), (6, 320, 1, 1, 3)),
    ):
        for k in range(count):
            inner = channels * grown
            widen = [*conv(channels, inner, 1), nn.ReLU6()] if grown > 1 else []
            depthwise = [*conv(inner, inner, kernel, stride if k == 0 else 1, groups=inner), nn.ReLU6()]
            block = nn.Sequential(*widen, *depthwise, *conv(inner, after, 1))
            layers.append(Residual(block) if k else block)
            channels = after
    layers += [*conv(320, 1280, 1), nn.ReLU6(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1280, 1000)]
    return nn.Sequential(*layers).eval().requires_grad_(False)


class Residual(nn.Module):
    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, x: Tensor) -> Tensor:
        return x + self.block(x)


@cache
def trained(name: str, seed: int = 0) -> tuple[nn.Module, Tensor, Tensor]:
    """The network in eval mode, the held-out digits in its shape and their labels; single precision."""
    build, shape = NETWORKS[name]
    rows, labels = load_digits(return_X_y=True)
    train, test, train_labels, test_labels = train_test_split(rows, labels, test_size=0.25, random_state=0)
    x, y = shaped(torch.tensor(train), shape), torch.tensor(train_labels)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build()
        optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
        for _ in range(4 if "cnn" in name else 20):
            for batch in torch.randperm(len(x)).split(64):
                optimizer.zero_grad()
                nn.functional.cross_entropy(network(x[batch]), y[batch]).backward()
                optimizer.step()
    return network.eval().requires_grad_(False), shaped(torch.tensor(test), shape), torch.tensor(test_labels)


def shaped(rows: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Digits of 64 pixels from 0 to 16 as numbers from 0 to 1 in the network's shape."""
    digits = rows.float() / 16
    if shape[-1] != WIDE:
        return digits.reshape(-1, *shape)
    images = digits.reshape(-1, 1, 8, 8)
    return nn.functional.interpolate(images, size=(WIDE, WIDE), mode="bilinear", align_corners=False)


def main() -> None:
    torch.set_num_threads(1)
    print(f"{'':<12} {'parameters':>10} {'accuracy on held-out digits':>28}")
    for name in NETWORKS:
        network, x, labels = trained(name)
        accuracy = float((network(x).argmax(1) == labels).double().mean())
        print(f"{name:<12} {sum(p.numel() for p in network.parameters()):>10} {accuracy:>28.3f}")


if __name__ == "__main__":
    main()
