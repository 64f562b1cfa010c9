"""A model of sentences that is asked how like another text one is."""

import pytest
import torch

import attar
from attar.domains.text.parts import Pieces
from attar.domains.text.sentences import Like
from tiny_language import sentence_model


def test_a_text_is_wholly_like_itself_and_the_cosine_is_that_of_embeddings():
    sentences = sentence_model()
    examples = sentences.read("the cat sat")
    outputs = sentences.model.predict(examples.inputs)
    itself = sentences.target("like the cat sat", examples)
    assert float(itself(outputs)[0]) == pytest.approx(1, abs=1e-5)
    one, other = sentences.embedded(["the cat sat", "a bad dog"])
    assert float(sentences.target("a bad dog", examples)(outputs)[0]) == pytest.approx(float(one @ other), abs=1e-5)
    assert repr(sentences.target("like snow", examples)) == "Like('snow')"


def test_what_it_is_to_be_like_must_be_said():
    sentences = sentence_model()
    for text in ("predicted", "like ", ""):
        with pytest.raises(attar.InputError, match="says how like another text one is: name that"):
            sentences.target(text, sentences.read("the cat"))


def test_parts_are_words_unless_tokens_are_asked_for():
    sentences = sentence_model()
    assert sentences.read("the cats").features == Pieces(by="words")
    assert sentences.read("the cats", by="tokens").features == Pieces(by="tokens")


def test_steps_are_for_language_models():
    with pytest.raises(attar.InputError, match="tiny sentences writes nothing"):
        sentence_model().read("the cat", steps=2)
    with pytest.raises(attar.InputError, match="tiny sentences writes nothing"):
        sentence_model().read("the cat", steps=0)


def test_embeddings_of_another_width_are_refused():
    with pytest.raises(attar.InputError, match="is about embeddings of 4, not"):
        Like("x", torch.ones(4))(torch.ones(2, 5))
