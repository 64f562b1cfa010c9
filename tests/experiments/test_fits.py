"""Which methods fit, and what they cost: asked as `attar explain` would ask, and no longer than it may take."""

import sys
import time
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from attar.cli import main
from attar.core.baseline import Rows, Zeros
from attar.core.examples import Examples
from attar.core.inputs import Tensors
from attar.core.model import Chunked
from attar.core.target import Logit
from attar.experiments import fits
from attar.experiments.explain import Question, with_own_background
from attar.experiments.fits import fitting
from attar.methods.expected_gradients import ExpectedGradients
from attar.methods.occlusion import Occlusion
from tiny_pretrained import put_in_place

EACH = 0.01  # seconds that the slow model takes for an example


@pytest.fixture
def slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A model that takes its time, as `takes_its_time:model`; how many examples each call of it had."""
    sizes: list[int] = []

    def model(x: Tensor) -> Tensor:
        sizes.append(len(x))
        time.sleep(EACH * len(x))
        return x.sum(1, keepdim=True)

    module: Any = ModuleType("takes_its_time")
    module.model = model
    monkeypatch.setitem(sys.modules, "takes_its_time", module)
    monkeypatch.chdir(tmp_path)
    np.save("one.npy", np.random.default_rng(0).normal(size=(1, 200)))
    return sizes


def test_what_takes_long_is_asked_few_at_a_time(slow: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Only between calls is it seen that the time is up: one call of 64 would go far past it."""
    monkeypatch.setattr(fits, "METHODS", {"occlusion": fits.METHODS["occlusion"]})
    monkeypatch.setattr(fits, "_CALL", 5 * EACH)
    monkeypatch.setattr(fits, "_SECONDS", 30 * EACH)
    _, found = fitting(Question(model=Path("takes_its_time:model"), input="one.npy"))
    assert found[0].stopped
    assert 1 <= (found[0].evaluations or 0) <= 40
    assert 1 <= max(slow[3:]) <= 5


def test_calls_grow_smaller_where_a_method_asks_for_more_than_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fits, "_CALL", 0.02)
    sizes = []

    class Slow:
        def predict(self, inputs: Tensors) -> Tensor:
            sizes.append(len(inputs))
            time.sleep(0.002 * len(inputs))
            return inputs.values

    given = Tensors(torch.arange(50.0)[:, None])
    asked = fits._Counted(Slow(), 30)
    torch.testing.assert_close(asked.predict(given), Chunked(Slow(), 50).predict(given))
    assert sizes[0] == 30
    assert max(sizes[1:-1]) <= 10
    assert asked.asked == 50


def test_a_batch_is_no_larger_than_was_asked_for(slow: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fits, "METHODS", {"occlusion": fits.METHODS["occlusion"]})
    monkeypatch.setattr(fits, "_SECONDS", 10 * EACH)
    fitting(Question(model=Path("takes_its_time:model"), input="one.npy", batch_size=2))
    assert max(slow[3:]) == 2


# --- asked as `explain` would ask ---


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[tuple]:
    """Occlusion alone is tried; the method, the inputs and the target that it was tried with."""
    put_in_place(monkeypatch)
    tried: list[tuple] = []
    ask = Occlusion.__call__

    def asked(self: Occlusion, model: Chunked, inputs, target):  # type: ignore[no-untyped-def]
        tried.append((self, inputs, target))
        return ask(self, model, inputs, target)

    monkeypatch.setattr(Occlusion, "__call__", asked)
    monkeypatch.setattr(fits, "METHODS", {"occlusion": fits.METHODS["occlusion"]})
    return tried


def of(name: str, input: str) -> Question:
    return Question(model=Path(name), input=input)


def test_the_target_that_was_named_is_asked(seen: list[tuple]) -> None:
    for wanted in ("no", "yes"):
        fitting(of("tiny-molecules", "Nc1ccccc1"), wanted)
    assert [target for _, _, target in seen] == [Logit(0), Logit(1)]
    both, _ = fitting(of("tiny-molecules", "Nc1ccccc1"))
    assert float(seen[-1][2](both.outputs)) == float(both.outputs.max())


def test_parts_and_absence_are_those_of_the_domain(seen: list[tuple]) -> None:
    both, found = fitting(of("tiny-text", "the cat sat on the mat"))
    method, inputs, _ = seen[0]
    assert method.baseline is both.examples.absent
    assert method.by is not None
    parts = method.by(inputs)
    assert found[0].evaluations == 1 + len(parts.owner)


def test_one_example_of_several_is_tried(seen: list[tuple], tmp_path: Path) -> None:
    (tmp_path / "two.smi").write_text("Nc1ccccc1\nCCCCO\n")
    both, found = fitting(of("tiny-molecules", str(tmp_path / "two.smi")), "yes")
    assert len(both.examples.names) == 2
    method, inputs, _ = seen[0]
    assert len(inputs) == 1
    assert [part.split(" (")[0] for part in method.by(inputs).names] == ["amino", "benzene"]
    assert found[0].evaluations == 3


def test_a_background_of_the_domain_is_made_of_the_example() -> None:
    one = Examples(
        inputs=Tensors(torch.ones(1, 3)), names=("it",), said="", background=lambda inputs: Rows(2 * inputs.values)
    )
    told = with_own_background(ExpectedGradients(), one)
    assert isinstance(told.background, Rows)
    assert with_own_background(told, one) is told
    assert with_own_background(Occlusion(), one) == Occlusion()
    assert with_own_background(ExpectedGradients(), replace(one, background=None)).background == Zeros()


def test_the_shell_asks_what_was_named(seen: list[tuple], capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["methods", "--for", "tiny-molecules", "--input", "Nc1ccccc1"]
    assert main([*asked, "--target", "yes"]) == 0
    assert "occlusion" in capsys.readouterr().out
    assert seen[-1][2] == Logit(1)
    assert main([*asked, "--target", "perhaps"]) == 2
    said = capsys.readouterr().err
    assert "there is no output 'perhaps'" in said
    assert len(said.splitlines()) == 1
