"""Silero's detector of voices, built here, with the weights of its authors' training for 16,000 samples per second.

Each chunk of 512 samples (32 ms), with the 64 before it, goes through a short Fourier transform as a convolution, four
convolutions over its magnitudes and an LSTM that remembers the chunks before. The network is that of the package's
`silero_vad_16k_op15.onnx`: with the numbers of that file it answers the same to 1e-5 (tests/pretrained/test_silero.py).
`silero_vad_16k.safetensors`, which is read here, is another training run: no number but those of the Fourier transform
is the same, its answers are alike (on the sample of pyannote.audio 98% of the chunks are right by both).
Source: Silero Team 2024, github.com/snakers4/silero-vad, MIT.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from attar.adapters.torch import TorchModel
from attar.core.errors import InputError
from attar.core.examples import Examples
from attar.core.note import listed
from attar.core.target import Logit, Target
from attar.domains.waveforms.read import Listen, read_waveform
from attar.pretrained.card import Pretrained
from attar.pretrained.files import package_file

RATE = 16_000
CHUNK, BEFORE = 512, 64  # samples
_WINDOW, _HOP, _AFTER = 256, 128, 64
_HEIGHTS, _HIDDEN = _WINDOW // 2 + 1, 128
_ENCODER = ((_HEIGHTS, 128, 1), (128, 64, 2), (64, 64, 2), (64, 128, 1))  # channels taken and given, stride
_FILE = "silero_vad/data/silero_vad_16k.safetensors"
_TARGET = re.compile(r"voice(?:\s*@\s*([\d.]+)\s*(?:-\s*([\d.]+)\s*)?s?)?", re.IGNORECASE)
_TOLD = 6  # stretches of voice that are listed


class VoiceDetector(nn.Module):
    """A sound of 16,000 samples per second, from −1 to 1 → the log-odds of a voice in each chunk of 512, in order.

    What is remembered starts empty and goes from chunk to chunk inside. The last chunk is filled up with zeros.
    """

    def __init__(self) -> None:
        super().__init__()
        self.waves = nn.Conv1d(1, 2 * _HEIGHTS, _WINDOW, stride=_HOP, bias=False)
        self.encoder = nn.ModuleList(
            nn.Conv1d(taken, given, 3, stride=stride, padding=1) for taken, given, stride in _ENCODER
        )
        self.memory = nn.LSTM(_ENCODER[-1][1], _HIDDEN, batch_first=True)
        self.decoder = nn.Conv1d(_HIDDEN, 1, 1)

    def forward(self, sound: Float[Tensor, "batch 1 samples"]) -> Float[Tensor, "batch chunks"]:
        batch, _, length = sound.shape
        count = -(-length // CHUNK)
        padded = functional.pad(sound, (BEFORE, count * CHUNK - length))
        chunks = padded[:, 0].unfold(1, BEFORE + CHUNK, CHUNK).reshape(batch * count, 1, BEFORE + CHUNK)
        waves = self.waves(functional.pad(chunks, (0, _AFTER), mode="reflect"))
        # The norm and no square root: where there is silence the one has gradient 0, the other none.
        found = torch.linalg.vector_norm(waves.unflatten(1, (2, _HEIGHTS)), dim=1)
        for layer in self.encoder:
            found = functional.relu(layer(found))
        remembered, _ = self.memory(found.reshape(batch, count, -1))
        return self.decoder(functional.relu(remembered).transpose(1, 2))[:, 0]


@dataclass(frozen=True)
class Throughout(Target):
    """The mean of outputs `first` to `last`, counted from 0: a voice from one time to another, log-odds."""

    first: int
    last: int

    def __call__(self, outputs: Float[Tensor, "batch outputs"]) -> Float[Tensor, " batch"]:
        if outputs.ndim != 2 or not 0 <= self.first <= self.last < outputs.shape[1]:
            raise InputError(f"{self!r} are not among the outputs {tuple(outputs.shape[1:])}")
        return outputs[:, self.first : self.last + 1].mean(1)


def network(weights: dict[str, Tensor]) -> VoiceDetector:
    """The network with these weights, under the names of the package's safetensors file."""
    found = VoiceDetector()
    found.load_state_dict({ours: weights[theirs] for ours, theirs in _names().items()})
    return found.eval().requires_grad_(False)


def _names() -> dict[str, str]:
    """Our name for each of its arrays → the file's."""
    named = {"waves.weight": "stft_conv.weight"}
    for k in range(len(_ENCODER)):
        named |= {f"encoder.{k}.{what}": f"conv{k + 1}.{what}" for what in ("weight", "bias")}
    named |= {f"memory.{what}_l0": f"lstm_cell.{what}" for what in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
    return named | {f"decoder.{what}": f"final_conv.{what}" for what in ("weight", "bias")}


def named(text: str, examples: Examples) -> Target | None:
    """`voice@1.2s`: the chunk at that time; `voice@1.2-3.4s`: the mean over these; `voice`: over all. None for what is
    no name; raises `InputError` for other names and for times that the sound does not have."""
    words = text.strip()
    if words.lower() == "predicted" or words[:1].isdecimal():
        return None
    found = _TARGET.fullmatch(words)
    ends = [] if found is None else [_seconds(word) for word in found.groups() if word is not None]
    if found is None or None in ends:
        raise InputError(f"the target is {text!r}, expected voice, voice@1.2s or voice@1.2-3.4s")
    samples = examples.inputs.parts["input"].shape[-1]
    if not ends:
        return Throughout(0, -(-samples // CHUNK) - 1)
    places = [int(second * RATE) for second in ends if second is not None]
    if max(places) >= samples or places != sorted(places):
        raise InputError(f"the target is {text!r}, and the sound lasts {samples / RATE:.4g} s from 0")
    chunks = [place // CHUNK for place in places]
    return Logit(chunks[0]) if len(chunks) == 1 else Throughout(chunks[0], chunks[1])


def _seconds(word: str) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None


def voiced(outputs: Float[Tensor, " chunks"]) -> list[tuple[float, float]]:
    """The seconds from which to which a voice is likelier than none."""
    is_voice = torch.cat([outputs.new_zeros(1), (outputs > 0).to(outputs), outputs.new_zeros(1)])
    change = is_voice.diff()
    first, last = ((change == sign).nonzero()[:, 0].tolist() for sign in (1, -1))
    return [(a * CHUNK / RATE, b * CHUNK / RATE) for a, b in zip(first, last, strict=True)]


def _remarks(examples: Examples, outputs: Tensor) -> Sequence[str]:  # noqa: ARG001
    spans = [f"{a:.1f}-{b:.1f} s" for a, b in voiced(outputs[0])]
    share = float((outputs[0] > 0).double().mean())
    where = f" ({listed(spans, most=_TOLD)})" if spans else ""
    return [f"it says: voice in {share:.0%} of {outputs.shape[1]} chunks of {1000 * CHUNK / RATE:.0f} ms{where}"]


def load() -> Pretrained:
    """Sounds of 16,000 samples per second, one chunk or longer; others are refused, or resampled where asked for."""
    detector = network(load_file(package_file("silero-vad", _FILE)))

    def read(
        path: str | Path, *, resample: bool = False, column: str | None = None, rate: float | None = None
    ) -> Examples:
        listen = Listen(rate=RATE, shortest=CHUNK, resample=resample, column=column, given=rate)
        return read_waveform(path, listen)

    return Pretrained(
        name="silero-vad",
        model=TorchModel(detector, within=(-1.0, 1.0)),
        read=read,
        named_target=named,
        remarks=_remarks,
    )
