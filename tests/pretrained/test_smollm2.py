"""SmolLM2 out of its package: the network, the tokenizer, and what in a text makes it say what it says."""

import json

import pytest
import torch
from typer.testing import CliRunner

import attar
from attar.cli import app
from attar.core.target import LogProbability
from attar.domains.text.parts import Pieces
from attar.methods.attention_rollout import AttentionRollout
from attar.methods.occlusion import Occlusion
from attar.methods.shapley import Shapley
from attar.pretrained.smollm2 import as_pretrained, load_language
from real_models import needs_model

pytestmark = needs_model("smollm2")
FRANCE = "The capital of France is"


@pytest.fixture(scope="module")
def language():
    pytest.importorskip("transformers")
    return load_language()


@pytest.fixture(scope="module")
def smollm2(language):
    return as_pretrained(language)


def test_what_follows_is_what_the_published_loader_gives(smollm2):
    """Paris .77, as transformers' own reading of the file says; a wrong turn of the queries and keys breaks it."""
    examples = smollm2.read(FRANCE)
    chances = smollm2.model.predict(examples.inputs)[0].softmax(0)
    assert smollm2.outputs[int(chances.argmax())] == " Paris"
    assert float(chances.max()) == pytest.approx(0.77, abs=0.01)


def test_texts_are_cut_into_the_tokens_of_their_training(language):
    texts = {
        FRANCE: ["The", " capital", " of", " France", " is"],
        "in 1984,": ["in", " ", "1", "9", "8", "4", ","],
        "a\n\n  b": ["a", "\n\n ", " b"],
    }
    for text, pieces in texts.items():
        inputs, written = language.fed.tokens([text])
        assert list(written[0].pieces) == pieces
        assert not inputs.special.any()  # nothing is put before a text
    inputs, _ = language.fed.tokens(["<|im_start|>user"])
    assert inputs.special.tolist() == [True, False]


def test_france_and_capital_come_first_by_what_is_lost_and_by_shapley(smollm2):
    examples = smollm2.read(FRANCE)
    absent = examples.absent
    for method in (Occlusion(by=Pieces(by="tokens"), baseline=absent), Shapley(by=Pieces(), background=absent)):
        found = attar.attribute(smollm2.model, examples.inputs, method, LogProbability())
        assert {name for name, _ in found.ranked(0, 2)} == {"France", "capital"}


def test_rather_than_london_france_alone_decides(smollm2):
    """That it is a capital speaks for both cities: less of it is left of the contrast than of Paris by itself."""
    examples = smollm2.read(FRANCE)
    shares = []
    for text in ("Paris", "Paris rather than London"):
        target = smollm2.named_target(text, examples)
        method = Occlusion(by=Pieces(by="tokens"), baseline=examples.absent)
        values = dict(attar.attribute(smollm2.model, examples.inputs, method, target).ranked(0))
        shares.append(values["capital"] / values["France"])
        first = max(values, key=lambda name: values[name])
    assert first == "France"
    assert shares[0] > 1 > shares[1]


def test_the_token_that_is_copied_is_found(language, smollm2):
    """Of random tokens that come twice the one before which the text stops is known to be what is copied."""
    known = [k for k in range(500, 20_000) if (piece := language.fed.piece(k)).startswith(" ") and piece[1:].isalpha()]
    generator = torch.Generator().manual_seed(3)
    hits = asked = 0
    for _ in range(6):
        words = [known[k] for k in torch.randperm(len(known), generator=generator)[:20].tolist()]
        stop = int(torch.randint(6, 18, (1,), generator=generator))
        inputs, _ = language.fed.of_ids([words + words[:stop]])
        if int(smollm2.model.predict(inputs)[0].argmax()) != words[stop]:
            continue
        found = attar.attribute(smollm2.model, inputs, Occlusion(baseline=language.absent), LogProbability())
        hits += int(found.parts.per_row()["tokens"][:20].argmax()) == stop
        asked += 1
    assert asked >= 3
    assert hits >= asked - 1


def test_attention_is_found_in_all_thirty_layers_without_a_word_about_its_kind(smollm2):
    examples = smollm2.read(FRANCE)
    assert (
        len(smollm2.model.told(attar.core.model.SelfAttending, examples.inputs).attention_maps(examples.inputs)) == 30
    )
    found = attar.attribute(smollm2.model, examples.inputs, AttentionRollout(token=-1))
    assert float(found.parts["tokens"].sum()) == pytest.approx(1, abs=1e-5)


def test_from_the_shell_step_by_step(tmp_path):
    page, numbers = tmp_path / "page.html", tmp_path / "numbers.json"
    runner = CliRunner()
    ran = runner.invoke(app, ["explain", FRANCE, "--model", "smollm2", "--steps", "2", "--out", str(page)])
    assert ran.exit_code == 0, ran.output
    assert "method: occlusion, because a path between embeddings bends too much to be followed" in ran.output
    assert "→ Paris" in page.read_text()
    ran = runner.invoke(
        app, ["explain", FRANCE, "--model", "smollm2", "--target", "Paris rather than London", "--out", str(numbers)]
    )
    assert ran.exit_code == 0, ran.output
    assert "target: output 7042, Paris rather than output 4528, London" in ran.output
    assert json.loads(numbers.read_text())["attributions"][0]["examples"][0]["parts"][0]["name"] == "France"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([" "], "text 1 is empty"),
        (["word " * 9000], "tokens, and smollm2 takes 8,192: shorten it"),
        (["letters.csv"], "there is no file letters.csv"),
        ([FRANCE, "--by", "lines"], "the parts of a text are 'lines', expected words or tokens"),
        ([FRANCE, "--steps", "0"], "steps is 0, expected 1 to 200"),
        ([FRANCE, "--strand", "-"], "about sequences, and smollm2 is about text"),
    ],
)
def test_bad_texts_get_one_line(arguments, said):
    ran = CliRunner().invoke(app, ["explain", *arguments, "--model", "smollm2"])
    assert ran.exit_code != 0
    assert said in str(ran.exception)
