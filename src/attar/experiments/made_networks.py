"""Small networks for made examples: an MLP, and a convolutional network over one, two or three axes."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

_CONVOLUTION = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_NORM = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_POOL = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)


class DenseNetwork(nn.Module):
    """All entries → hidden ReLU layers → one output."""

    def __init__(self, entries: int, hidden: int = 64) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Flatten(), nn.Linear(entries, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU()
        )
        self.head = nn.Linear(hidden, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x))

    def rescale(self, scale: float, centre: float) -> None:
        """Make the output scale · output + centre."""
        _rescaled(self.head, scale, centre)


class ConvNetwork(nn.Module):
    """Three convolutions, the later ones dilated, and a head on the mean of their maps over all places, so that class
    activation maps exist. `stride` thins the places once, before the second convolution."""

    def __init__(self, channels: int, axes: int, *, kernel: int, width: int = 32, stride: int = 1) -> None:
        super().__init__()
        convolution, norm = _CONVOLUTION[axes - 1], _NORM[axes - 1]
        layers: list[nn.Module] = []
        for depth, dilation in enumerate((1, 2, 3)):
            reach = dilation * (kernel // 2)
            inward = channels if depth == 0 else width
            layers += [convolution(inward, width, kernel, padding=reach, dilation=dilation), norm(width), nn.ReLU()]
            if depth == 0 and stride > 1:
                layers.append(_POOL[axes - 1](stride))
        self.maps = nn.Sequential(*layers)
        self.head = nn.Linear(width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.maps(x).flatten(2).mean(2))

    def rescale(self, scale: float, centre: float) -> None:
        """Make the output scale · output + centre."""
        _rescaled(self.head, scale, centre)


@torch.no_grad()
def _rescaled(head: nn.Linear, scale: float, centre: float) -> None:
    head.weight.mul_(scale)
    head.bias.mul_(scale).add_(centre)


@dataclass(frozen=True)
class Build:
    """A recipe for a network that pickles."""

    kind: str
    shape: tuple[int, ...]
    kernel: int = 5
    stride: int = 1

    def __call__(self) -> nn.Module:
        if self.kind == "mlp":
            return DenseNetwork(int(torch.Size(self.shape).numel()))
        return ConvNetwork(self.shape[0], len(self.shape) - 1, kernel=self.kernel, stride=self.stride)
