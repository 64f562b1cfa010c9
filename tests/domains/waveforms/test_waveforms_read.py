"""Files of signals: WAV of every width, tables, EDF; and what is refused."""

import struct
from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile

from attar.core.errors import InputError
from attar.domains.waveforms.read import Heard, Listen, read_waveform

TONE = 0.5 * np.sin(2 * np.pi * 100 * np.arange(800) / 8000)


def samples_of(path: Path, listen: Listen | None = None) -> np.ndarray:
    return read_waveform(path, listen).inputs.parts["input"][0, 0].numpy()


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "float32", "float64"])
def test_every_width_of_wav_is_brought_to_one(tmp_path: Path, dtype: str) -> None:
    scale = {"uint8": 128, "int16": 2**15, "int32": 2**31}.get(dtype, 1)
    held = TONE * scale + (128 if dtype == "uint8" else 0)
    wavfile.write(tmp_path / "tone.wav", 8000, held.astype(dtype))
    found = samples_of(tmp_path / "tone.wav")
    assert found.shape == (800,)
    np.testing.assert_allclose(found, TONE, atol=1.01 / scale if scale > 1 else 1e-7)


def test_wav_of_24_bits(tmp_path: Path) -> None:
    numbers = np.round(TONE * 2**23).astype(int)
    data = b"".join(int(n).to_bytes(3, "little", signed=True) for n in numbers)
    head = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, 1, 1, 8000, 24000, 3, 24,
                       b"data", len(data))  # fmt: skip
    (tmp_path / "tone.wav").write_bytes(head + data)
    np.testing.assert_allclose(samples_of(tmp_path / "tone.wav"), TONE, atol=1e-6)


def test_channels_are_averaged_and_it_says_so(tmp_path: Path) -> None:
    wavfile.write(tmp_path / "two.wav", 8000, np.stack([TONE, 0.2 * TONE], 1))
    found = read_waveform(tmp_path / "two.wav")
    np.testing.assert_allclose(found.inputs.parts["input"][0, 0].numpy(), 0.6 * TONE, atol=1e-7)
    assert found.said == "0.1 s of 8000 samples per second, the mean of 2 channels"
    assert found.raw == (Heard(rate=8000, unit="full scale"),)
    assert (found.domain, found.names) == ("waveforms", ("two.wav",))


def test_another_rate_is_refused_or_resampled(tmp_path: Path) -> None:
    wavfile.write(tmp_path / "tone.wav", 8000, TONE)
    with pytest.raises(InputError, match=r"has 8000 samples per second, and this model takes 16000: resample it \(sox"):
        read_waveform(tmp_path / "tone.wav", Listen(rate=16000))
    found = read_waveform(tmp_path / "tone.wav", Listen(rate=16000, resample=True))
    values = found.inputs.parts["input"][0, 0].numpy()
    twice = 0.5 * np.sin(2 * np.pi * 100 * np.arange(1600) / 16000)
    np.testing.assert_allclose(values[100:-100], twice[100:-100], atol=5e-3)
    assert found.said.endswith("resampled to 16000; there is nothing above 4000 Hz in it")
    assert found.raw[0].rate == 16000
    slower = read_waveform(tmp_path / "tone.wav", Listen(rate=360, resample=True))
    assert slower.inputs.parts["input"].shape == (1, 1, 36)
    assert slower.said.endswith("resampled to 360")


def test_a_table_with_times_knows_its_rate(tmp_path: Path) -> None:
    lines = [f"{k / 250:.3f},{v:.6f}" for k, v in enumerate(TONE)]
    (tmp_path / "ecg.csv").write_text("\n".join(["time (s),lead", *lines]))
    found = read_waveform(tmp_path / "ecg.csv")
    np.testing.assert_allclose(found.inputs.parts["input"][0, 0].numpy(), TONE, atol=1e-6)
    assert found.raw[0].rate == 250
    assert found.said == "3.2 s of 250 samples per second, column lead"


def test_times_that_are_rounded_are_even_and_others_are_not(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("t,x\n" + "\n".join(f"{k / 360:.3f},{k % 7}" for k in range(100)))
    assert read_waveform(tmp_path / "a.csv").raw[0].rate == pytest.approx(360, rel=1e-3)
    (tmp_path / "a.csv").write_text("t,x\n0,1\n1,2\n2,1\n5,2\n6,3")
    with pytest.raises(InputError, match="times are not evenly spaced"):
        read_waveform(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_text("t,x\n0,1\n1,2\n1,1\n")
    with pytest.raises(InputError, match="times do not go up"):
        read_waveform(tmp_path / "a.csv")


def test_a_table_without_times_is_told_its_rate(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x\n1\n2\n3\n")
    with pytest.raises(InputError, match="does not say how many samples a second has: add a column of seconds"):
        read_waveform(tmp_path / "a.csv")
    assert read_waveform(tmp_path / "a.csv", Listen(given=250)).raw[0].rate == 250


def test_which_column_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("one,two\n1,2\n3,5\n")
    with pytest.raises(InputError, match="has 2 columns besides time: name one with --signal, of one and two"):
        read_waveform(tmp_path / "a.csv", Listen(given=1))
    with pytest.raises(InputError, match="none of which is called 'three'"):
        read_waveform(tmp_path / "a.csv", Listen(given=1, column="three"))
    assert samples_of(tmp_path / "a.csv", Listen(given=1, column="two")).tolist() == [2, 5]
    (tmp_path / "a.csv").write_text("x\n1\nhigh\n3\n")
    with pytest.raises(InputError, match="column 'x', holds 'high' in its sample 2, expected a number"):
        read_waveform(tmp_path / "a.csv", Listen(given=1))
    (tmp_path / "a.csv").write_text("1\n2\n3\n")
    with pytest.raises(InputError, match="begins with a number: give its column a name"):
        read_waveform(tmp_path / "a.csv", Listen(given=1))


def test_edf(tmp_path: Path) -> None:
    pyedflib = pytest.importorskip("pyedflib")
    path = tmp_path / "night.edf"
    writer = pyedflib.EdfWriter(str(path), 2)
    head = {"dimension": "mV", "sample_frequency": 200, "physical_max": 1, "physical_min": -1}
    head |= {"digital_max": 32767, "digital_min": -32768, "prefilter": "", "transducer": ""}
    writer.setSignalHeaders([head | {"label": "ECG"}, head | {"label": "EEG"}])
    writer.writeSamples([TONE, 2 * TONE])
    writer.close()
    with pytest.raises(InputError, match="has 2 channels: name one with --signal, of ECG and EEG"):
        read_waveform(path)
    found = read_waveform(path, Listen(column="ECG"))
    np.testing.assert_allclose(found.inputs.parts["input"][0, 0].numpy(), TONE, atol=1e-4)
    assert found.said == "4 s of 200 samples per second, channel ECG in mV"
    (tmp_path / "bad.edf").write_bytes(b"0       " + b"x" * 600)
    with pytest.raises(InputError, match="is no EDF file that opens"):
        read_waveform(tmp_path / "bad.edf")


def test_refused_samples(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    wavfile.write(path, 8000, np.array([0.1, np.nan, 0.2, np.inf], dtype=np.float32))
    with pytest.raises(InputError, match="has 2 samples that are NaN or infinite"):
        read_waveform(path)
    wavfile.write(path, 8000, np.zeros(0, dtype=np.int16))
    with pytest.raises(InputError, match="holds no samples"):
        read_waveform(path)
    wavfile.write(path, 8000, np.zeros(100, dtype=np.int16))
    with pytest.raises(InputError, match=r"all samples of .* are 0: there is nothing to explain"):
        read_waveform(path)
    wavfile.write(path, 8000, TONE[:100])
    with pytest.raises(InputError, match=r"too short: 100 samples \(0.0125 s\), and this model takes 512 or more"):
        read_waveform(path, Listen(shortest=512))


def test_refused_files(tmp_path: Path) -> None:
    wavfile.write(tmp_path / "a.wav", 8000, TONE)
    whole = (tmp_path / "a.wav").read_bytes()
    for data in (whole[:-1000], whole[:30], b"ID3" + whole):
        (tmp_path / "b.wav").write_bytes(data)
        with pytest.raises(InputError, match="no WAV file that opens"):
            read_waveform(tmp_path / "b.wav")
    (tmp_path / "b.mp3").write_bytes(whole)
    with pytest.raises(InputError, match="no signal by its name: expected one that ends in"):
        read_waveform(tmp_path / "b.mp3")
    (tmp_path / "c.wav").touch()
    with pytest.raises(InputError, match="is empty"):
        read_waveform(tmp_path / "c.wav")
