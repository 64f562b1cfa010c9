"""SmoothGrad of the plain gradient against Captum's NoiseTunnel: variance at equal samples, CPU time, and both.

python bench/smooth_grad.py      two to three minutes

The noise is 0.15 of an example's own standard deviation for both. Variance is over seeds, summed over entries and
averaged over examples, at 20 samples (we ask for the input without noise besides, which is not one of them). CPU time
is milliseconds of one thread at 50 samples, the least of interleaved runs; Captum at its default, all samples in one
call, and at the best of the settings listed. The last column multiplies the two: CPU time at equal variance.
"""

import warnings
from functools import partial

import torch
from captum.attr import NoiseTunnel, Saliency
from torch import Tensor, nn

from attar import attribute
from attar.methods.gradient import Gradient
from attar.methods.smooth_grad import SmoothGrad
from networks import trained
from occlusion import least

NOISE, SAMPLES, SEEDS, EXAMPLES = 0.15, 20, 40, 8
TIMED = 50
TUNED = (5, 10, 25)
TARGETS = {"mlp_silu": 3.0, "cnn_silu": 3.0, "transformer": 3.0, "mlp_relu": 1.8, "cnn_relu": 1.8}


def ours(network: nn.Module, x: Tensor, samples: int, seed: int = 0) -> Tensor:
    method = SmoothGrad(base=Gradient(), samples=samples, noise=NOISE, seed=seed)
    return attribute(network, x, method).parts["input"]


def captum(network: nn.Module, x: Tensor, samples: int, at_once: int | None = None) -> Tensor:
    target = network(x).argmax(1)
    return NoiseTunnel(Saliency(network)).attribute(
        x,
        nt_samples=samples,
        nt_samples_batch_size=at_once,
        stdevs=NOISE * float(x.std(correction=0)),
        target=target,
        abs=False,
    )


def variances(network: nn.Module, x: Tensor) -> tuple[float, float]:
    """Ours and Captum's, example by example, so that the noise is of the same width for both."""
    found = torch.zeros(2)
    for one in x.split(1):
        runs = [torch.stack([ours(network, one, SAMPLES, seed) for seed in range(SEEDS)])]
        torch.manual_seed(0)
        runs.append(torch.stack([captum(network, one, SAMPLES) for _ in range(SEEDS)]))
        found += torch.stack([run.double().var(0).sum() for run in runs])
    return float(found[0]) / len(x), float(found[1]) / len(x)


def main() -> None:
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", message=".*required_grads.*|.*requires_grad.*")
    print(f"variance at {SAMPLES} samples, mean over {EXAMPLES} digits")
    print(f"{'':<13}{'ours':>10}{'Captum':>10}{'ratio':>8}")
    fewer = {}
    for name, target in TARGETS.items():
        network, x, _ = trained(name)
        mine, theirs = variances(network, x[:EXAMPLES])
        fewer[name] = theirs / mine
        verdict = "met" if fewer[name] >= target else "lost"
        print(f"{name:<13}{mine:>10.2e}{theirs:>10.2e}{fewer[name]:>7.1f}x ({target:g}x {verdict})")
    print(f"\nCPU milliseconds at {TIMED} samples")
    print(f"{'':<13}{'batch':>5}{'ours':>9}{'default':>9}{'tuned':>9}   ratios        at equal variance")
    for name in TARGETS:
        network, x, _ = trained(name)
        for batch, runs in ((1, 20), (64, 6 if "mlp" in name else 2)):
            some = x[:batch]
            calls = [partial(captum, network, some, TIMED, at_once) for at_once in (None, *TUNED)]
            mine, default, *tuned = least([partial(ours, network, some, TIMED), *calls], runs)
            best = min(default, *tuned)
            at_equal = [fewer[name] * theirs / mine for theirs in (default, best)]
            print(
                f"{name:<13}{batch:>5}{mine:>9.2f}{default:>9.2f}{best:>9.2f}   "
                f"{default / mine:.1f}x, {best / mine:.1f}x    {at_equal[0]:.1f}x, {at_equal[1]:.1f}x"
            )


if __name__ == "__main__":
    main()
