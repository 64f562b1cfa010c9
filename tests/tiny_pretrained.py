"""Models of a few weights, one for each domain, to be asked for by name as real ones are."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from attar.adapters.torch import TorchModel
from attar.domains.images.parts import Superpixels
from attar.domains.images.read import Picture, read_picture
from attar.domains.molecules.examples import molecule_examples
from attar.domains.sequences.read import read_sequences
from attar.domains.volumes.read import Look, read_volume
from attar.domains.waveforms.read import Listen, read_waveform
from attar.pretrained import MODELS
from attar.pretrained.card import Card, Pretrained
from attar.pretrained.dmpnn import ATOM_FEATURES, BOND_FEATURES, DMPNN, graphs


class Pooled(nn.Module):
    """A convolution over all positions, and the sum of what it finds, for two classes."""

    def __init__(self, convolution: nn.Module) -> None:
        super().__init__()
        self.convolution = convolution

    def forward(self, given: Tensor) -> Tensor:
        return self.convolution(given).tanh().flatten(2).mean(2)


def _made(name: str, network: nn.Module, read, **more) -> Pretrained:
    return Pretrained(name=name, model=TorchModel(network.eval()), read=read, outputs=("no", "yes"), **more)


def images() -> Pretrained:
    torch.manual_seed(0)
    picture = Picture(size=(32,))
    return _made(
        "tiny-images",
        Pooled(nn.Conv2d(3, 2, 5)),
        lambda path: replace(read_picture(path, picture), features=Superpixels(count=9)),
    )


def sequences() -> Pretrained:
    torch.manual_seed(0)
    return _made("tiny-sequences", Pooled(nn.Conv1d(4, 2, 5)), read_sequences)


def waveforms() -> Pretrained:
    torch.manual_seed(0)
    return _made(
        "tiny-waveforms", Pooled(nn.Conv1d(1, 2, 9)), partial(read_waveform, listen=Listen(rate=8000, shortest=16))
    )


def volumes() -> Pretrained:
    torch.manual_seed(0)
    return _made("tiny-volumes", Pooled(nn.Conv3d(1, 2, 3)), partial(read_volume, look=Look()))


def molecules() -> Pretrained:
    torch.manual_seed(0)
    network = DMPNN(len(ATOM_FEATURES), len(BOND_FEATURES), 8, 2, steps=2, norm=10.0)
    return _made("tiny-molecules", network, partial(molecule_examples, graphs=graphs))


def text() -> Pretrained:
    from tiny_language import language_model

    language = language_model()
    return Pretrained(
        name="tiny-text",
        model=language.model,
        read=language.read,
        outputs=language.outputs,
        named_target=language.target,
        remarks=language.remarks,
    )


def put_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """`tiny-images`, `tiny-text` …, to be asked for by name."""
    for each in (images, sequences, waveforms, volumes, molecules, text):
        domain = each.__name__
        card = Card(
            domain=domain,
            what="two classes",
            loader=f"tiny_pretrained:{domain}",
            packages=(),
            licence="none",
            source="made here",
        )
        monkeypatch.setitem(MODELS, f"tiny-{domain}", card)
