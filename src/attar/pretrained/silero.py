"""Silero's detector of voices, built here, with the weights of its authors' training for 16,000 samples per second.

Each chunk of 512 samples (32 ms), with the 64 before it, goes through a short Fourier transform as a convolution, four
convolutions over its magnitudes and an LSTM that remembers the chunks before. The network is that of the package's
`silero_vad_16k_op15.onnx`: with the numbers of that file it answers the same to 1e-5 (tests/pretrained/test_silero.py).
`silero_vad_16k.safetensors`, which is read here, is another training run: no number but those of the Fourier transform
is the same, its answers are alike (on the sample of pyannote.audio 98% of the chunks are right by both).
Source: Silero Team 2024, github.com/snakers4/silero-vad, MIT.
"""

from pathlib import Path

import torch
from jaxtyping import Float
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from attar.adapters.torch import TorchModel
from attar.core.examples import Examples
from attar.domains.waveforms.read import Listen, read_waveform
from attar.pretrained.card import Pretrained
from attar.pretrained.files import package_file
from attar.pretrained.timed import Timed

RATE = 16_000
CHUNK, BEFORE = 512, 64  # samples
ASKED = Timed(word="voice", each=CHUNK, rate=RATE, partly=True)
_WINDOW, _HOP, _AFTER = 256, 128, 64
_HEIGHTS, _HIDDEN = _WINDOW // 2 + 1, 128
_ENCODER = ((_HEIGHTS, 128, 1), (128, 64, 2), (64, 64, 2), (64, 128, 1))  # channels taken and given, stride
_FILE = "silero_vad/data/silero_vad_16k.safetensors"


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
        named_target=ASKED.named,
        remarks=ASKED.remarks,
    )
