"""Silero's detector: the network against the package's own, and where on a phone call the voices are."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import wavfile

import attar
from attar.core.errors import InputError
from attar.domains.waveforms.parts import Stretches
from attar.methods.integrated_gradients import IntegratedGradients
from attar.methods.occlusion import Occlusion
from attar.pretrained import load
from attar.pretrained.files import package_file
from attar.pretrained.silero import ASKED, CHUNK, RATE, VoiceDetector, network
from real_models import needs_model, needs_packages

SAMPLE = "pyannote/audio/sample/sample{}"
needs_voices = needs_packages("pyannote.audio")


@pytest.fixture
def call(tmp_path: Path) -> Path:
    """The first 12 of 30 s of a phone call: nobody speaks in the first 6.7."""
    rate, samples = wavfile.read(package_file("pyannote.audio", SAMPLE.format(".wav")))
    wavfile.write(tmp_path / "call.wav", rate, samples[: 12 * rate])
    return tmp_path / "call.wav"


def spoken(samples: int) -> np.ndarray:
    """Whether someone speaks in each sample, as those who published the call wrote down."""
    lines = package_file("pyannote.audio", SAMPLE.format(".rttm")).read_text().splitlines()
    seconds, found = np.arange(samples) / RATE, np.zeros(samples, dtype=bool)
    for line in filter(None, lines):
        first, lasts = map(float, line.split()[3:5])
        found |= (seconds >= first) & (seconds < first + lasts)
    return found


def at_random() -> VoiceDetector:
    torch.manual_seed(0)
    return VoiceDetector().eval()


@needs_model("silero-vad")
@needs_voices
def test_the_network_is_that_of_the_packages_onnx(call: Path) -> None:
    onnx, onnxruntime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    path = str(package_file("silero-vad", "silero_vad/data/silero_vad_16k_op15.onnx"))
    held = {
        each.name: torch.from_numpy(onnx.numpy_helper.to_array(each).copy())
        for each in onnx.load(path).graph.initializer
    }
    weights = {"stft_conv.weight": held["model.stft.forward_basis_buffer"]}
    for what in ("weight", "bias"):
        for k in range(4):
            weights[f"conv{k + 1}.{what}"] = held[f"model.encoder.{k}.reparam_conv.{what}"]
        for which in ("ih", "hh"):
            weights[f"lstm_cell.{what}_{which}"] = held[f"model.decoder.rnn.{what}_{which}"]
        weights[f"final_conv.{what}"] = held[f"model.decoder.decoder.2.{what}"]
    sound = wavfile.read(call)[1][RATE * 6 : RATE * 9].astype(np.float32) / 2**15
    found = network(weights)(torch.from_numpy(sound)[None, None]).sigmoid()[0].numpy()
    session = onnxruntime.InferenceSession(path)
    state, before, theirs = np.zeros((2, 1, 128), np.float32), np.zeros((1, 64), np.float32), []
    padded = np.pad(sound, (0, -len(sound) % CHUNK))
    for chunk in padded.reshape(-1, 1, CHUNK):
        given = np.concatenate([before, chunk], 1)
        answer, state = session.run(None, {"input": given, "state": state, "sr": np.array(RATE)})
        before = given[:, -64:]
        theirs.append(float(answer[0, 0]))
    assert max(theirs) > 0.9 > 0.1 > min(theirs)
    np.testing.assert_allclose(found, theirs, atol=1e-5)


def test_an_example_alone_has_the_numbers_that_it_has_in_a_batch() -> None:
    net, batch = at_random(), torch.randn(3, 1, 2000, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(net(batch)[1:2], net(batch[1:2]))


def test_a_chunk_hears_what_came_before_and_nothing_after() -> None:
    net, sound = at_random(), torch.randn(1, 1, 10 * CHUNK, generator=torch.Generator().manual_seed(1))
    changed = sound.clone()
    changed[..., 5 * CHUNK] += 5
    same = net(sound)[0] == net(changed)[0]
    assert same[:5].all()
    assert not same[5:].any()
    assert net(sound[..., : 9 * CHUNK + 1]).shape == (1, 10)


def test_silence_has_a_gradient() -> None:
    sound = torch.zeros(1, 1, 2 * CHUNK, requires_grad=True)
    at_random()(sound).sum().backward()
    assert sound.grad is not None
    assert torch.isfinite(sound.grad).all()


@needs_model("silero-vad")
@needs_voices
def test_voices_are_heard_where_someone_speaks(call: Path) -> None:
    known = load("silero-vad")
    examples = known.read(call)
    outputs = known.model.predict(examples.inputs)
    truth = spoken(12 * RATE)[CHUNK // 2 :: CHUNK]
    assert ((outputs[0].numpy() > 0) == truth[: outputs.shape[1]]).mean() > 0.95
    (said,) = known.remarks(examples, outputs) if known.remarks else ("",)
    assert said == "it says: voice in 39% of 375 times 32 ms (6.8-7.2 s and 7.6-12.0 s)"


@needs_model("silero-vad")
@needs_voices
def test_what_supports_a_voice_lies_where_someone_speaks(call: Path) -> None:
    known = load("silero-vad")
    examples = known.read(call)
    target, each = ASKED.named("voice", examples), RATE // 10
    truth = spoken(12 * RATE)
    assert truth.mean() < 0.45  # the share that would lie there by chance
    share = truth.reshape(-1, each).mean(1)
    for method in (IntegratedGradients(budget=64), Occlusion(by=Stretches(seconds=0.1, rate=RATE))):
        found = attar.attribute(known.model, examples.inputs, method, target)
        values = next(iter(found.parts.values())).numpy().reshape(len(share), -1).sum(1).clip(min=0)
        assert (values * share).sum() / values.sum() >= 0.9


@needs_model("silero-vad")
def test_another_rate_is_refused_unless_asked_for(tmp_path: Path) -> None:
    wavfile.write(tmp_path / "phone.wav", 8000, np.sin(np.arange(8000)))
    known = load("silero-vad")
    with pytest.raises(InputError, match="has 8000 samples per second, and this model takes 16000"):
        known.read(tmp_path / "phone.wav")
    assert known.read(tmp_path / "phone.wav", resample=True).inputs.parts["input"].shape == (1, 1, 16000)
