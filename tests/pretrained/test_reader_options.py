"""Options that only readers of one domain are told: refused elsewhere, in one line."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import wavfile

from attar.cli import main
from real_models import needs_model


@pytest.fixture
def tone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    wavfile.write("tone.wav", 8000, np.sin(0.3 * np.arange(8000)).astype(np.float32))
    return tmp_path / "tone.wav"


class Loudness(torch.nn.Module):
    def forward(self, sound: torch.Tensor) -> torch.Tensor:
        return sound.square().mean(2)


def test_a_sound_is_read_for_any_model(
    tone: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.jit.trace(Loudness(), torch.zeros(1, 1, 8)).save("loud.pt")
    assert main(["explain", "tone.wav", "--model", "loud.pt", "--method", "occlusion", "--out", "why.wav"]) == 0
    said = capsys.readouterr().out
    assert "input: tone.wav, 1 s of 8000 samples per second" in said
    assert "parts: Stretches(seconds=0.02, rate=8000.0" in said
    assert wavfile.read("why.wav")[0] == 8000
    assert main(["explain", "tone.wav", "--model", "loud.pt", "--resample"]) == 2
    assert "--resample, --rate and --signal are for models of `attar models`" in capsys.readouterr().err


@needs_model("silero-vad")
def test_signals_have_their_options(tone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["explain", "tone.wav", "--model", "silero-vad", "--method", "gradient-input"]
    assert main(asked) == 2
    assert "has 8000 samples per second, and this model takes 16000: resample it" in capsys.readouterr().err
    assert main([*asked, "--resample"]) == 0
    assert "resampled to 16000; there is nothing above 4000 Hz in it" in capsys.readouterr().out
    assert main([*asked, "--strand", "-"]) == 2
    assert "are about sequences, and silero-vad is about waveforms" in capsys.readouterr().err
    assert main([*asked, "--resample", "--out", "why.nii"]) == 2
    assert "cannot write why.nii: only what is said of a volume" in capsys.readouterr().err
