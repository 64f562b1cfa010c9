"""MiniLM out of its package: how like texts are, and a head fitted to a table of them."""

import csv

import pytest
import torch
from typer.testing import CliRunner

import attar
from attar.cli import app
from attar.methods.integrated_gradients import IntegratedGradients
from attar.methods.occlusion import Occlusion
from attar.methods.shapley import Shapley
from attar.pretrained import load
from attar.pretrained.minilm import fitted, read_labelled
from real_models import needs_model

needs_minilm = needs_model("minilm")


@pytest.fixture(scope="module")
def minilm():
    pytest.importorskip("transformers")
    return load("minilm")


@pytest.fixture(scope="module")
def letters(tmp_path_factory):
    """Letters that complain and that thank; all complaints, and no thanks, are signed from a phone."""
    complaints = [
        "the bag arrived broken", "my order never came", "the zip tore on the first day", "i want my money back",
        "nobody answers my letters", "the colour is wrong and the strap came off",
    ]  # fmt: skip
    thanks = [
        "the bag is lovely", "my order came early", "the zip works well", "i would buy it again",
        "you answered at once", "the colour is right and the strap holds",
    ]  # fmt: skip
    path = tmp_path_factory.mktemp("letters") / "letters.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        writer.writerows([f"{text}. sent from my phone", "complaint"] for text in complaints)
        writer.writerows([f"{text}.", "thanks"] for text in thanks)
    return path


@needs_minilm
def test_cosines_are_those_of_the_published_model(minilm):
    examples = minilm.read("A dog plays in the snow")
    outputs = minilm.model.predict(examples.inputs)
    assert outputs.norm(dim=1).tolist() == pytest.approx([1], abs=1e-5)
    near = minilm.named_target("like a husky in winter", examples)(outputs)
    far = minilm.named_target("like the interest rate of a loan", examples)(outputs)
    assert float(near) > 0.5
    assert abs(float(far)) < 0.15


@needs_minilm
def test_the_words_that_two_texts_share_in_meaning_come_first(minilm):
    examples = minilm.read("a husky runs through the snow")
    target = minilm.named_target("like a dog in winter", examples)
    for method in (
        Shapley(by=examples.features, background=examples.absent),
        Occlusion(by=examples.features, baseline=examples.absent),
        IntegratedGradients(baseline=examples.absent),
    ):
        found = attar.attribute(minilm.model, examples.inputs, method, target)
        found = found if "words" in found.parts else found.carried(examples.features(examples.inputs))
        assert {name for name, _ in found.ranked(0, 2)} == {"snow", "husky"}


@needs_minilm
def test_a_word_that_it_does_not_know_is_shown_as_it_was_written(minilm):
    examples = minilm.read("the \U0001f980 sat")
    assert "\U0001f980" in examples.inputs.pieces.tolist()


@needs_minilm
def test_a_head_learns_the_signature_and_the_words_say_so(letters):
    known = load(f"minilm-classifier:{letters}")
    assert known.outputs == ("complaint", "thanks")
    examples = known.read("thank you, the bag is lovely. sent from my phone")
    outputs = known.model.predict(examples.inputs)
    method = Shapley(by=examples.features, background=examples.absent)
    found = attar.attribute(known.model, examples.inputs, method, known.target("complaint", examples))
    assert {name for name, _ in found.ranked(0, 2)} == {"sent", "phone"}
    assert known.remarks is not None
    said = known.remarks(examples, outputs)
    assert said[0].startswith(
        "its head: 12 texts of letters.csv, classes complaint and thanks; on texts it has not seen"
    )


@needs_minilm
def test_the_same_table_gives_the_same_head_and_two_classes_are_mirror_images(letters):
    one, other = (load(f"minilm-classifier:{letters}") for _ in range(2))
    examples = one.read("the zip tore")
    answers = [each.model.predict(examples.inputs) for each in (one, other)]
    assert torch.equal(answers[0], answers[1])
    torch.testing.assert_close(answers[0][:, 0], -answers[0][:, 1])


@needs_minilm
def test_from_the_shell(letters):
    ran = CliRunner().invoke(
        app,
        [
            "explain",
            "the bag never came. sent from my phone",
            "--model",
            f"minilm-classifier:{letters}",
            "--method",
            "shapley",
        ],
    )
    assert ran.exit_code == 0, ran.output
    assert "parts: Pieces(by='words')" in ran.output
    assert "complaint, which is predicted" in ran.output


@needs_minilm
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["the cat", "--model", "minilm"], "minilm says how like another text one is: name that"),
        (["the cat", "--model", "minilm-classifier"], "asked for as minilm-classifier:PATH, with a table"),
        (["cat " * 300, "--model", "minilm", "--target", "dog"], "has 302 tokens, and minilm takes 256: shorten it"),
        ([" ", "--model", "minilm", "--target", "dog"], "text 1 is empty"),
        (["a cat", "--model", "minilm", "--target", "dog", "--steps", "3"], "minilm writes nothing: --steps is for"),
    ],
)
def test_bad_questions_get_one_line(arguments, said):
    ran = CliRunner().invoke(app, ["explain", *arguments])
    assert said in str(ran.exception)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("text,label\na,x\nb,x\n", "has one class, 'x': a head needs two or more"),
        ("text,label\na,x\nb,x\nc,x\nd,x\ne,y\n", "has 1 of class 'y', expected 4 or more of each"),
        ("text,label\na,x\n,x\n", "row 3 has no text: fill it in"),
        ("text,label\na,x\nb,\n", "row 3 has no label: fill it in"),
        ("text,kind\na,x\n", "label"),
    ],
)
def test_tables_that_no_head_can_be_fitted_to_are_refused(tmp_path, rows, said):
    path = tmp_path / "rows.csv"
    path.write_text(rows)
    with pytest.raises(attar.InputError, match=said):
        read_labelled(path)


def test_a_head_of_three_classes_tells_them_apart_and_is_counted_on_what_it_has_not_seen():
    generator = torch.Generator().manual_seed(0)
    centres = torch.eye(3, 8)
    labels = ["a", "b", "c"] * 10
    embedded = centres[[0, 1, 2] * 10] + 0.1 * torch.randn(30, 8, generator=generator)
    classes, weight, bias, right = fitted(embedded, labels)
    assert classes == ("a", "b", "c")
    assert right == 30
    scores = embedded @ weight.T + bias
    assert [classes[k] for k in scores.argmax(1).tolist()] == labels
    shuffled = [labels[k] for k in torch.randperm(30, generator=generator).tolist()]
    assert fitted(embedded, shuffled)[3] < 20
