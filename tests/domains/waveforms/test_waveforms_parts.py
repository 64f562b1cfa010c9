"""Stretches, bands and tiles of a signal; pictures of it, and the strongest stretch as sound."""

import io
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from scipy.io import wavfile

import attar
from attar.core.errors import InputError
from attar.core.examples import Examples
from attar.core.features import Grouped
from attar.core.heat import AGAINST, SUPPORTS
from attar.core.inputs import Tensors
from attar.core.target import Logit
from attar.core.windows import Windows
from attar.domains.waveforms.parts import Bands, Joined, Stretches, strongest
from attar.domains.waveforms.read import read_waveform
from attar.domains.waveforms.traces import FILES, on_samples, panel, stretch
from attar.methods.grad_input import GradInput
from attar.methods.occlusion import Occlusion

RATE = 1000
SIGNAL = torch.randn(2, 1, 777, generator=torch.Generator().manual_seed(0))


class Energy(torch.nn.Module):
    """What is in some samples of a signal, summed, less what is in others."""

    def forward(self, signal: torch.Tensor) -> torch.Tensor:
        return (signal[:, 0, 200:400].sum(1) - signal[:, 0, 600:].sum(1))[:, None]


@pytest.fixture
def read(tmp_path: Path) -> Examples:
    wavfile.write(tmp_path / "a.wav", RATE, 0.5 + 0.01 * np.sin(np.arange(1000)).astype(np.float32))
    return read_waveform(tmp_path / "a.wav")


def test_stretches_are_called_by_their_seconds() -> None:
    found = Stretches(seconds=0.3, rate=RATE)(Tensors(SIGNAL))
    assert found.names == ("0-0.3 s", "0.3-0.6 s", "0.6-0.777 s") * 2
    assert torch.bincount(found.shares["input"].feature).tolist() == [300, 300, 177] * 2
    with pytest.raises(InputError, match="expected more than 0"):
        Stretches(seconds=0, rate=RATE)


def test_bands_are_orthogonal_and_add_up() -> None:
    bands = Bands(edges=(50.0, 200.0), rate=RATE)
    split = bands.split(SIGNAL)
    assert bands.names == ("0-50 Hz", "50-200 Hz", "200-500 Hz")
    torch.testing.assert_close(split.sum(1, keepdim=True), SIGNAL, atol=1e-5, rtol=0)
    for one, other in combinations(split.transpose(0, 1), 2):
        assert float((one * other).sum(1).abs().max()) < 1e-3
    torch.testing.assert_close(bands.split(SIGNAL[1:]), split[1:])


def test_a_tone_is_in_its_band() -> None:
    for hertz in (100, 50):  # an edge belongs to the band above it
        tone = torch.sin(2 * torch.pi * hertz * torch.arange(1000) / RATE)[None, None]
        sizes = Bands(edges=(50.0, 200.0), rate=RATE).split(tone).square().sum(2)[0]
        assert sizes.tolist() == pytest.approx([0, 500, 0], abs=1e-2)


def test_bands_and_tiles_are_features_of_a_joined_model() -> None:
    bands = Bands(edges=(50.0, 200.0), rate=RATE)
    model, inputs = Joined(Energy()), bands.inputs(Tensors(SIGNAL))
    torch.testing.assert_close(model(inputs.values), Energy()(SIGNAL), atol=1e-4, rtol=0)
    whole = attar.attribute(model, inputs, Occlusion(by=bands), Logit(0))
    torch.testing.assert_close(whole.parts["bands"].reshape(2, 3).sum(1), whole.output, atol=1e-3, rtol=0)
    tiles = attar.attribute(model, inputs, Occlusion(by=Stretches(seconds=0.3, rate=RATE, bands=bands)), Logit(0))
    assert tiles.names["tiles"][4] == "50-200 Hz, 0.3-0.6 s"
    by_band = tiles.parts["tiles"].reshape(2, 3, 3).sum(2)
    torch.testing.assert_close(by_band, whole.parts["bands"].reshape(2, 3), atol=1e-3, rtol=0)


def test_edges_and_shapes_that_are_none_are_refused() -> None:
    for edges in ((), (0.0, 10.0), (200.0, 50.0), (600.0,)):
        with pytest.raises(InputError, match="expected ascending frequencies between 0 and 500 Hz"):
            Bands(edges=edges, rate=RATE)
    bands = Bands(edges=(50.0,), rate=RATE)
    with pytest.raises(InputError, match=r"bands are of a signal \(batch, 1, samples\)"):
        bands.split(SIGNAL.expand(2, 3, 777))
    with pytest.raises(InputError, match="the signal is split in 1 bands, expected 2"):
        bands(Tensors(SIGNAL))
    with pytest.raises(InputError, match=r"need signals as \(batch, channels, samples\)"):
        Stretches(seconds=1, rate=RATE)(Tensors(SIGNAL[:, 0]))


@pytest.mark.parametrize("seed", range(5))
def test_the_strongest_stretch_is_that_of_all(seed: int) -> None:
    row = np.random.default_rng(seed).normal(size=12)
    first, last = strongest(row.tolist())
    best = max(row[a:b].sum() for a in range(12) for b in range(a + 1, 13))
    assert row[first:last].sum() == pytest.approx(best)


def test_the_strongest_of_what_is_all_below_zero() -> None:
    assert strongest([-3.0, -1.0, -2.0]) == (1, 2)
    with pytest.raises(InputError, match="no values"):
        strongest([])


def test_the_strongest_stretch_is_cut_out_as_sound(read: Examples) -> None:
    found = attar.attribute(Energy(), read.inputs, GradInput(), Logit(0))
    assert stretch(read, found) == (0.2, 0.4)
    rate, samples = wavfile.read(io.BytesIO(FILES[".wav"](read, found)))
    assert rate == RATE
    np.testing.assert_array_equal(samples, read.inputs.parts["input"][0, 0, 200:400].numpy())
    by_parts = attar.attribute(Energy(), read.inputs, Occlusion(by=read.features), Logit(0))
    assert stretch(read, by_parts) == (0.2, 0.4)
    np.testing.assert_allclose(on_samples(read, by_parts).sum(), float(by_parts.parts["stretches"].sum()), rtol=1e-5)
    windows = attar.attribute(Energy(), read.inputs, Occlusion(by=Windows(shape=(100,))), Logit(0))
    assert stretch(read, windows) == (0.2, 0.4)
    slid = attar.attribute(Energy(), read.inputs, Occlusion(by=Windows(shape=(100,), stride=(50,))), Logit(0))
    with pytest.raises(InputError, match="ask for windows that do not overlap"):
        on_samples(read, slid)


def test_parts_whose_place_is_not_known_are_refused(read: Examples) -> None:
    groups = Grouped(group=torch.arange(1000) // 100)
    found = attar.attribute(Energy(), read.inputs, Occlusion(by=groups), Logit(0))
    with pytest.raises(InputError, match="where the parts of groups lie in the signal is not known"):
        on_samples(read, found)


def test_the_picture_has_the_values_behind_the_signal(read: Examples) -> None:
    found = attar.attribute(Energy(), read.inputs, GradInput(), Logit(0))
    figure = Figure()
    axes = figure.subplots()
    panel(axes, read, found, 0)
    behind = figure.axes[1]
    heights = np.array([bar.get_height() for bar in behind.patches])
    starts = np.array([bar.get_x() for bar in behind.patches])
    assert heights.sum() == pytest.approx(float(found.parts["input"].sum()), rel=1e-4)
    paint = {to_hex(bar.get_facecolor()) for bar in np.array(behind.patches)[(starts > 0.21) & (starts < 0.39)]}
    assert paint == {SUPPORTS}
    assert {to_hex(bar.get_facecolor()) for bar in np.array(behind.patches)[starts > 0.61]} == {AGAINST}
    line = axes.get_lines()[0]
    assert axes.get_xlim() == (0, 1)
    np.testing.assert_allclose(line.get_ydata(), read.inputs.parts["input"][0, 0].numpy())
