"""SpliceAI as `attar explain` asks it: example by example, each with its own parts and its own background."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from attar.experiments.explain import Question, explain
from attar.experiments.fits import fitting
from real_models import needs_model

pytestmark = needs_model("spliceai")
GENE = Path(__file__).parent.parent / "data" / "hbb.fa"


@pytest.fixture
def short(tmp_path: Path) -> Path:
    path = tmp_path / "short.fa"
    path.write_text(">short\n" + "".join(GENE.read_text().split("\n")[1:])[520:620] + "\n")
    return path


def test_each_sequence_has_its_own_shuffles_as_a_background(short: Path) -> None:
    question = Question(model=Path("spliceai-1"), input=short, read_with={"variants": ("g.48del",)})
    both = explain(question, "donor@47", ["expected-gradients"], ("budget=8",)).found["expected-gradients"]
    alone = replace(question, read_with={})
    one = explain(alone, "donor@47", ["expected-gradients"], ("budget=8",)).found["expected-gradients"]
    torch.testing.assert_close(one.values[0], both.values[0], rtol=1e-3, atol=1e-4)
    assert "Rows(10 x 4 x 100" in both.method
    assert both.reference[0] != both.reference[1]


def test_parts_of_a_sequence_are_named_as_it_was_given(short: Path) -> None:
    question = Question(model=Path("spliceai-1"), input=short, read_with={"variants": ("g.5del",)})
    found = explain(question, "donor@47", ["occlusion"]).found["occlusion"]
    letters = "".join(GENE.read_text().split("\n")[1:])[520:620]
    expected = [f"91 to 100 {letters[90:]}", f"1 to 11 {letters[:4]}{letters[5:11]}"]
    assert list(found.names["stretches"][9:11]) == expected


@pytest.mark.slow
def test_methods_that_fit_are_tried_on_the_likeliest_site() -> None:
    _, fits = fitting(Question(model=Path("spliceai-1"), input=GENE))
    known = {fit.name: fit for fit in fits}
    assert known["gradient"].evaluations == 2
    assert known["in-silico-mutagenesis"].stopped
    assert "needs Linear" in str(known["weight-times-input"].reason)
