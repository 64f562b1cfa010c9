"""What stands for absence in a domain is taken by methods that were told nothing else, and only then spoken of."""

import pytest
import torch

from attar.core.baseline import Constant, Zeros
from attar.experiments.explain import Explained, Question, _from, explain
from attar.methods.gradient import Gradient
from attar.methods.lime import Lime
from attar.methods.occlusion import Occlusion
from tiny_pretrained import put_in_place

GREY = Constant(0.5)
MADE = {"occlusion": Occlusion(), "lime": Lime(seed=3), "gradient": Gradient()}


def test_methods_without_a_baseline_or_background_of_their_own_take_that_of_the_domain() -> None:
    found = _from(GREY, MADE, ())
    assert found["occlusion"] == Occlusion(baseline=GREY)
    assert found["lime"] == Lime(seed=3, background=GREY)
    assert found["gradient"] is MADE["gradient"]
    assert MADE["occlusion"] == Occlusion()


def test_what_a_method_was_told_stays_even_where_it_is_zeros() -> None:
    other = {"occlusion": Occlusion(baseline=Constant(0.1))}
    assert _from(GREY, other, ()) == other
    assert _from(GREY, MADE, ("baseline=zeros",))["occlusion"].baseline == Zeros()  # type: ignore[attr-defined]
    assert _from(GREY, MADE, (" background =zeros",))["lime"].background == Zeros()  # type: ignore[attr-defined]
    assert _from(GREY, MADE, ("budget=100",))["lime"].background == GREY  # type: ignore[attr-defined]


def _asked(method: str, *options: str, steps: int | None = None, by: str | None = None) -> Explained:
    question = Question(
        model="tiny-text",  # type: ignore[arg-type]
        input="the cat sat on the mat",
        read_with={} if steps is None and by is None else {"by": by, "steps": steps},
    )
    return explain(question, "predicted", [method], options)


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    put_in_place(monkeypatch)


@pytest.mark.parametrize(
    ("method", "options", "spoken_of"),
    [
        ("occlusion", (), True),
        ("occlusion", ("baseline=zeros",), False),
        ("lime", ("budget=400",), True),
        ("gradient", (), False),
        ("attention-rollout", (), False),
    ],
)
def test_absence_is_spoken_of_where_it_was_taken(method: str, options: tuple[str, ...], spoken_of: bool) -> None:
    found = _asked(method, *options)
    assert ("absence: InsteadOf('the mean of all tokens')" in found.said) == spoken_of
    told = getattr(found.methods[method], "baseline", None) or getattr(found.methods[method], "background", None)
    assert (told is found.opened.examples.absent) == (spoken_of and told is not None)


def test_parts_and_steps_are_those_that_were_asked_for() -> None:
    words, steps = _asked("occlusion", by="words"), _asked("occlusion", steps=2)
    assert "parts: Pieces(by='words')" in words.said
    assert list(words.found["occlusion"].parts) == ["words"]
    assert "parts: Pieces(by='tokens')" in steps.said
    assert len(steps.found["occlusion"].output) == 2
    both = steps.found["occlusion"]
    probabilities = steps.opened.outputs.log_softmax(1).max(1).values
    torch.testing.assert_close(both.output, probabilities, rtol=1e-4, atol=1e-5)
