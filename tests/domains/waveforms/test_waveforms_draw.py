"""Signals as pictures: the trace is the signal, its colours and frames stand at its samples, seconds below."""

import re

import numpy as np
import pytest

from attar.core.heat import OUTLINE, colour
from attar.core.svg import PNG, unpacked
from attar.domains.waveforms.domain import Waveforms
from attar.domains.waveforms.draw import LEFT, LEGEND, heat_map, part_name

WAVEFORMS = Waveforms(samples=128)
SIGNAL = WAVEFORMS.planter.background(np.random.default_rng(0))
SHOWN = WAVEFORMS.as_json(SIGNAL)
STEP = (LEGEND.wide - LEFT - 3) / 128


def test_the_record_holds_the_signal() -> None:
    assert SHOWN["rate"] == 128.0
    assert np.abs(np.array(SHOWN["samples"]) - SIGNAL.array[0]).max() <= 0.0005 + 1e-6


def test_the_trace_is_the_signal_turned_upside_down() -> None:
    """Down a page y grows; the points lie on a line with the samples."""
    line = max(re.findall(r'<path d="M([^"]*)"', heat_map(SHOWN, [0.0] * 128, scale=1.0)), key=len)
    x, y = np.array([point.split() for point in line.split("L")], dtype=float).T
    assert len(x) == 128
    assert np.corrcoef(y, SHOWN["samples"])[0, 1] == pytest.approx(-1, abs=1e-4)
    assert np.diff(x) == pytest.approx(STEP, abs=0.11)


def test_behind_a_sample_lies_its_colour() -> None:
    values = np.linspace(-1, 1, 128)
    (address,) = re.findall(rf'href="({PNG}[^"]*)"', heat_map(SHOWN, values.tolist(), scale=1.0))
    (row,) = unpacked(address).tolist()
    assert ["#" + bytes(pixel).hex() for pixel in row] == [colour(v, 1.0) for v in values.tolist()]


def test_frames_hold_the_rules_samples() -> None:
    svg = heat_map(SHOWN, [0.0] * 128, scale=1.0, outlined=[*range(10, 30), *range(100, 128)])
    frames = re.findall(rf'<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)"[^>]*stroke="{OUTLINE}"', svg)
    spans = [(round((float(x) - LEFT) / STEP), round((float(x) - LEFT + float(wide)) / STEP)) for x, wide in frames]
    assert spans == [(10, 30), (100, 128)]


def test_time_is_in_seconds() -> None:
    said = re.findall(r"<text[^>]*>([^<]*)<", heat_map(SHOWN, [0.0] * 128, scale=1.0))
    assert said[2:] == ["0 s", "0.5", "1"]
    assert part_name(SHOWN, 64) == "sample 64, 0.50 s"
