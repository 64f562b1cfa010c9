"""Texts with their values: what stands on a page, in a picture and in a matrix of steps."""

import re

import numpy as np
import pytest

import attar
from attar.adapters.tokens import PART
from attar.core.heat import AGAINST, SUPPORTS
from attar.core.target import LogProbability
from attar.domains.text.marked import is_written, marked, markup, matrix, named, panel, whole
from attar.domains.text.parts import Pieces
from attar.methods.gradient import Gradient
from attar.methods.occlusion import Occlusion
from tiny_language import language_model, sentence_model


def _found(examples, model, **how):
    return attar.attribute(model, examples.inputs, Occlusion(**how), attar.Logit(1))


def test_pieces_stand_in_order_with_the_values_of_their_words():
    sentences = sentence_model()
    examples = sentences.read("The cats, sat.")
    found = _found(examples, sentences.model, by=Pieces(), baseline=sentences.absent)
    (text,) = marked(examples, found)
    assert text.pieces == ("[CLS]", "The", "Cats".lower(), ",", "sat", ".", "[SEP]")
    assert dict(zip(text.names, text.values, strict=True)) == pytest.approx(dict(found.ranked(0)))
    assert text.special == (True, *[False] * 5, True)


def test_values_of_embeddings_are_summed_over_each_word():
    sentences = sentence_model()
    examples = sentences.read("the cats")
    found = attar.attribute(sentences.model, examples.inputs, Gradient(), attar.Logit(1))
    rows = found.parts.per_row()[PART]
    assert dict(named(examples, found).ranked(0))["cats"] == pytest.approx(float(rows[2] + rows[3]), rel=1e-5)


def test_a_page_has_each_piece_on_its_colour_with_its_value_on_hover_and_no_html_of_the_text():
    language = language_model()
    examples = language.read("cat <b>dog</b>", by="words")
    found = _found(examples, language.model, by=Pieces(), baseline=language.absent)
    page = markup(examples, found)
    assert "<b>" not in page
    assert "&lt;" in page
    (text,) = marked(examples, found)
    for piece, name, value in zip(text.pieces, text.names, text.values, strict=True):
        spans = re.findall(r'<span style="([^"]*)" title="([^"]*)">([^<]*)</span>', page)
        assert any(name.split(" (")[0].replace("<", "&lt;").replace(">", "&gt;") in title for _, title, _ in spans)
        assert piece
        assert np.isfinite(value)
    strongest = max(text.values, key=abs)
    assert (SUPPORTS if strongest > 0 else AGAINST) in page


def test_steps_make_a_matrix_whose_upper_half_is_empty():
    language = language_model()
    examples = language.read("the cat", steps=3)
    found = attar.attribute(
        language.model, examples.inputs, Occlusion(by=Pieces(by="tokens"), baseline=language.absent), LogProbability()
    )
    assert is_written(examples)
    values = matrix(marked(examples, found))
    first = len(examples.raw[0].ids)
    assert values.shape == (3, first + 2)
    assert np.isnan(values[0, first:]).all()
    assert not np.isnan(values[2]).any()
    assert markup(examples, found).count("<tr>") == 4
    assert whole(examples, found) is not None


def test_texts_by_themselves_are_no_matrix(tmp_path):
    table = tmp_path / "texts.csv"
    table.write_text("text\nthe cat\na dog\n")
    language = language_model()
    examples = language.read(table)
    found = _found(examples, language.model, by=Pieces(by="tokens"), baseline=language.absent)
    assert not is_written(examples)
    assert whole(examples, found) is None
    assert "the cat" in markup(examples, found)


def test_a_picture_writes_the_text_in_lines_and_stops_where_there_is_no_room():
    from matplotlib.figure import Figure

    language = language_model(most=2000)
    for text, ends in (("the cat sat on the mat " * 2, False), ("the cat sat on the mat " * 60, True)):
        examples = language.read(text.strip(), by="words")
        found = attar.attribute(language.model, examples.inputs, Gradient(), attar.Logit(1))
        axes = Figure().subplots()
        panel(axes, examples, found, 0)
        written = [each.get_text() for each in axes.texts]
        assert ("…" in written) == ends
        heights = {each.get_position()[1] for each in axes.texts}
        assert len(heights) > 1
        assert min(heights) >= 0
