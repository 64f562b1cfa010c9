"""How noisy an electrocardiogram is, every two seconds: the small network of the package ecg-quality, built here.

Six convolutions with batch norms over 500 samples and two dense layers: `CNN2s.h5`, read as data. 0 is clean with all
waves seen, 1 is noise in which no beat is found. What the package does first, which is that of neurokit2's `ecg_clean`,
is done here by `cleaned`: a high-pass of 0.5 Hz (Butterworth, order 5, forwards and backwards) and a moving mean over
one period of the mains (forwards and backwards), 50 Hz. The package also calls a window whose range is below 0.1 mV
noise, without asking the network; that rule is not part of this model. Source:
github.com/koledjoz/ecg_quality (0.2.0, GPL-3.0); neurokit2: Makowski et al. 2021, doi:10.3758/s13428-020-01516-y.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from scipy.signal import butter, filtfilt, sosfiltfilt
from torch import Tensor, nn

from attar.adapters.torch import TorchModel
from attar.core.errors import UnsupportedError
from attar.core.examples import Examples
from attar.core.inputs import Tensors
from attar.domains.waveforms.read import Listen, read_waveform
from attar.pretrained.card import Pretrained
from attar.pretrained.files import package_file
from attar.pretrained.timed import Timed

RATE, WINDOW = 250, 500  # samples per second; samples of a window
SLOPE, EPSILON = 0.3, 1e-3  # of Keras' leaky ReLU and batch norm, by their defaults
ASKED = Timed(word="noise", each=WINDOW, rate=RATE)
_CHANNELS, _WIDE, _POOL, _PLACES, _HIDDEN = 10, 5, 7, 8, 100
_LOWEST, _ORDER, _MAINS = 0.5, 5, 50  # Hz, of the filter, Hz
_FILE = "ecg_quality/models/CNN2s.h5"
_KINDS = (["Conv1D", "BatchNormalization", "LeakyReLU"] * 3 + ["MaxPooling1D"]) * 2
_KINDS += ["Flatten", "Dense", "LeakyReLU", "Dense"]  # without dropout, which is at rest


class NoiseDetector(nn.Module):
    """An electrocardiogram in mV, 250 samples per second → the log-odds of noise in each window of 500, side by side.

    What is left of the signal behind the last whole window is not looked at.
    """

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for k in range(6):
            taken = _CHANNELS if k else 1
            layers += [nn.Conv1d(taken, _CHANNELS, _WIDE), nn.BatchNorm1d(_CHANNELS, eps=EPSILON), nn.LeakyReLU(SLOPE)]
            layers += [nn.MaxPool1d(_POOL)] if k % 3 == 2 else []
        self.filters = nn.Sequential(*layers)
        self.dense = nn.Sequential(nn.Linear(_CHANNELS * _PLACES, _HIDDEN), nn.LeakyReLU(SLOPE), nn.Linear(_HIDDEN, 1))

    def forward(self, ecg: Float[Tensor, "batch 1 samples"]) -> Float[Tensor, "batch windows"]:
        count = ecg.shape[-1] // WINDOW
        windows = ecg[..., : count * WINDOW].reshape(len(ecg) * count, 1, WINDOW)
        found = self.filters(windows).transpose(1, 2).flatten(1)  # place by place, as Keras lays it out
        return self.dense(found).reshape(len(ecg), count)


def network(path: str | Path) -> NoiseDetector:
    """The network in a Keras file. Raises `UnsupportedError` without h5py and for a file that describes another."""
    try:
        import h5py
    except ImportError as problem:
        raise UnsupportedError(
            "the weights of ecg-quality are an HDF5 file: pip install 'attar[waveforms]'"
        ) from problem
    found = NoiseDetector()
    with h5py.File(path, "r") as file:
        described = json.loads(str(file.attrs["model_config"]))["config"]["layers"]
        layers = [each for each in described if each["class_name"] not in ("InputLayer", "Dropout")]
        if [each["class_name"] for each in layers] != _KINDS:
            raise UnsupportedError(f"{Path(path).name} holds another network than CNN2s of ecg-quality")
        ours = [*found.filters, nn.Flatten(), *found.dense]
        for layer, told in zip(ours, layers, strict=True):
            _filled(layer, told["config"], file["model_weights"])
    return found.eval().requires_grad_(False)


def _filled(layer: nn.Module, told: dict[str, Any], weights: Any) -> None:
    """A layer with the arrays of its namesake; refused where what bears on its numbers is not as it is here."""
    name = told["name"]

    def array(what: str) -> Tensor:
        return torch.from_numpy(np.array(weights[f"{name}/{name}/{what}:0"]))

    known = True
    if isinstance(layer, nn.Conv1d):
        known = told["padding"] == "valid" and told["strides"] == told["dilation_rate"] == [1]
        known = known and told["activation"] == "linear"
        state = {"weight": array("kernel").permute(2, 1, 0), "bias": array("bias")}
    elif isinstance(layer, nn.Linear):
        known = told["activation"] == ("linear" if told["units"] > 1 else "sigmoid")
        state = {"weight": array("kernel").T, "bias": array("bias")}
    elif isinstance(layer, nn.BatchNorm1d):
        known = told["epsilon"] == EPSILON
        named = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
        state = {ours: array(theirs) for ours, theirs in named.items()} | {"num_batches_tracked": torch.tensor(0)}
    elif isinstance(layer, nn.LeakyReLU):
        known, state = abs(told["alpha"] - SLOPE) < 1e-6, {}
    else:
        known, state = "pool_size" not in told or told["pool_size"] == told["strides"] == [_POOL], {}
    if not known:
        raise UnsupportedError(f"layer {name!r} is not as in CNN2s of ecg-quality")
    layer.load_state_dict(state)


def cleaned(ecg: Float[np.ndarray, " samples"]) -> Float[np.ndarray, " samples"]:
    """Without drift and mains hum: see above. 250 samples per second."""
    high = sosfiltfilt(butter(_ORDER, _LOWEST, "highpass", fs=RATE, output="sos"), ecg)
    period = RATE // _MAINS
    return filtfilt(np.full(period, 1 / period), [1.0], high)


def read(path: str | Path, *, resample: bool = False, column: str | None = None, rate: float | None = None) -> Examples:
    """An electrocardiogram in mV of two seconds or more, cleaned: that is what values are of."""
    listen = Listen(rate=RATE, shortest=WINDOW, unit="mV", resample=resample, column=column, given=rate)
    found = read_waveform(path, listen)
    values = found.inputs.parts["input"]
    clean = torch.from_numpy(cleaned(values[0, 0].double().numpy()).copy()).to(values)[None, None]
    return replace(
        found, inputs=Tensors(clean), said=f"{found.said}, cleaned of drift (below {_LOWEST} Hz) and hum ({_MAINS} Hz)"
    )


def load() -> Pretrained:
    """Electrocardiograms of 250 samples per second in mV."""
    return Pretrained(
        name="ecg-quality",
        model=TorchModel(network(package_file("ecg-quality", _FILE))),
        read=read,
        named_target=ASKED.named,
        remarks=ASKED.remarks,
    )
