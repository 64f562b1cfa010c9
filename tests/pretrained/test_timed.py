"""Targets that name a time, and answers as stretches of time."""

import pytest
import torch

from attar.core.errors import InputError
from attar.core.examples import Examples
from attar.core.inputs import Tensors
from attar.core.target import Logit
from attar.pretrained.timed import Throughout, Timed

VOICE = Timed(word="voice", each=512, rate=16000, partly=True)


def of(samples: int) -> Examples:
    return Examples(inputs=Tensors(torch.zeros(1, 1, samples)), names=("a",), said="")


def test_a_target_names_a_time() -> None:
    examples = of(12 * 16000)
    assert VOICE.named("voice@7s", examples) == Logit(218)
    assert VOICE.named("Voice @ 7 - 8.5 s", examples) == Throughout(218, 265)
    assert VOICE.named("voice", examples) == Throughout(0, 374)
    assert VOICE.named("predicted", examples) is None
    assert VOICE.named("12", examples) is None
    for wrong in ("voice@x", "noise", "voice@1.2.3s"):
        with pytest.raises(InputError, match=r"expected voice, voice@1\.2s or voice@1\.2-3\.4s"):
            VOICE.named(wrong, examples)
    for wrong in ("voice@12s", "voice@3-2s"):
        with pytest.raises(InputError, match="there are answers from 0 to 12 s"):
            VOICE.named(wrong, examples)


def test_what_is_left_behind_the_last_whole_window_has_no_answer() -> None:
    whole = Timed(word="noise", each=500, rate=250)
    assert whole.named("noise", of(1600)) == Throughout(0, 2)
    assert whole.named("noise@5.9s", of(1600)) == Logit(2)
    with pytest.raises(InputError, match="there are answers from 0 to 6 s"):
        whole.named("noise@6.1s", of(1600))
    assert Timed(word="noise", each=500, rate=250, partly=True).named("noise@6.1s", of(1600)) == Logit(3)


def test_the_mean_of_several_outputs() -> None:
    outputs = torch.tensor([[1.0, 2.0, 4.0], [0.0, 1.0, 0.0]])
    assert Throughout(1, 2)(outputs).tolist() == [3, 0.5]
    with pytest.raises(InputError, match="are not among the outputs"):
        Throughout(1, 3)(outputs)


def test_stretches_in_seconds() -> None:
    assert VOICE.spans(torch.tensor([1.0, 1.0, -1.0, 2.0])) == [(0, 0.064), (0.096, 0.128)]
    assert VOICE.spans(torch.tensor([-1.0, -1.0])) == []
    said = VOICE.remarks(of(2048), torch.tensor([[1.0, 1.0, -1.0, -2.0]]))
    assert said == ["it says: voice in 50% of 4 times 32 ms (0.0-0.1 s)"]
    assert Timed(word="noise", each=500, rate=250).remarks(of(500), torch.tensor([[-1.0]])) == [
        "it says: noise in 0% of 1 times 2 s"
    ]
