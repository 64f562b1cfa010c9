"""Why did this network say that? A small image classifier, explained by three methods, each with its error and cost.

python examples/explain_a_torch_model.py
"""

import torch
from torch import Tensor, nn

import attar
from attar.adapters.torch import TorchModel
from attar.methods.cam import CAM
from attar.methods.integrated_gradients import IntegratedGradients
from attar.methods.occlusion import Occlusion


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU())
        self.head = nn.Linear(8, 2)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features(images).mean((2, 3)))


def bars(count: int) -> tuple[Tensor, Tensor]:
    """Noisy 8 × 8 images: class 1 has a bright bar in row 2, class 0 has the same pixels scattered."""
    images, classes = 0.3 * torch.randn(count, 1, 8, 8), torch.arange(count) % 2
    images[classes == 1, 0, 2] += 2.0
    for image in images[classes == 0]:
        image[0, torch.randint(8, (8,)), torch.arange(8)] += 2.0
    return images, classes


def main() -> None:
    torch.manual_seed(0)
    images, classes = bars(256)
    network = Network()
    optimiser = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(150):
        optimiser.zero_grad()
        nn.functional.cross_entropy(network(images), classes).backward()
        optimiser.step()

    fresh, truth = bars(64)
    right = float((network(fresh).argmax(1) == truth).double().mean())
    print(f"held-out accuracy {right:.2f}")

    model = TorchModel(network, pooled="features", head="head", mean=True)
    on_bars = fresh[truth == 1]
    for method in (IntegratedGradients(tolerance=0.02), CAM(), Occlusion()):
        found = attar.attribute(model, on_bars, method, target=attar.Logit(1))
        values = found.values.reshape(len(on_bars), 8, 8)
        in_the_bar = float(values[:, 2].sum() / values.abs().sum())
        print(
            f"{type(method).__name__:<20} {in_the_bar:4.0%} of the attribution lies in the bar; "
            f"error ≤ {float(found.error.bound.max()):.3f}; {float(found.evaluations.double().mean()):.0f} evaluations"
        )


if __name__ == "__main__":
    main()
