"""Texts with their values: what stands on a page, in a picture and in a matrix of steps."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch

import attar
from attar.adapters.tokens import PART
from attar.core.heat import AGAINST, SUPPORTS, channels, colour
from attar.core.parts import Parts
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


def test_the_parts_of_an_answer_go_before_those_of_its_texts():
    language = language_model()
    tokens, words = language.read("on cat"), language.read("on cat", by="words")
    found = attar.attribute(language.model, tokens.inputs, Gradient(), attar.Logit(1))
    rows = found.parts.per_row()[PART]
    assert [name for name, _ in sorted(named(tokens, found).ranked(0))] == ["cat", "n", "o"]
    assert dict(named(tokens, found).ranked(0))["n"] == pytest.approx(float(rows[1]), rel=1e-5)
    assert marked(tokens, found)[0].values == pytest.approx(rows.tolist(), rel=1e-5)
    assert dict(named(words, found).ranked(0))["on"] == pytest.approx(float(rows[0] + rows[1]), rel=1e-5)
    by_words = _found(tokens, language.model, by=Pieces(), baseline=language.absent)
    assert named(tokens, by_words) is by_words
    assert marked(tokens, by_words)[0].pieces == ("on", " cat")


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


def _with(found, values):
    """The same answer with these values."""
    (part,) = found.parts
    assert len(values) == len(found.parts[part])
    return replace(found, parts=Parts({part: torch.tensor(values)}))


def _spans(page):
    return re.findall(r'<span style="padding[^"]*background:([^;]*);[^"]*" title="([^"]*)">([^<]*)</span>', page)


def test_colours_are_on_one_scale_whose_ends_are_the_farthest_value_and_its_mirror_image(tmp_path):
    table = tmp_path / "texts.csv"
    table.write_text('text\n"cat, <dog>"\na cat\n')
    sentences = sentence_model()
    examples = sentences.read(table)
    found = _found(examples, sentences.model, by=Pieces(), baseline=sentences.absent)
    values = [0.0, 1.0, -4.0, 2.0, 0.0, -1.0, 0.0, 0.0, 0.5, 2.0, 0.0]
    page = markup(examples, _with(found, values))
    pieces = ["[CLS]", "cat", ",", "&lt;", "dog", "&gt;", "[SEP]", "[CLS]", "a", "cat", "[SEP]"]
    titles = ["[CLS]: 0", "cat: +1", ",: -4", "&lt;: +2", "dog: 0", "&gt;: -1", "[SEP]: 0"]
    spans = _spans(page)
    assert [piece for _, _, piece in spans] == pieces
    assert [title.replace("+0", "0") for _, title, _ in spans[:7]] == titles
    assert [paint for paint, _, _ in spans] == [colour(value, 4.0) for value in values]
    assert spans[2][0] == AGAINST
    assert [heading.replace("“", "") for heading in re.findall(r"font-size:12px\">([^<]*)<", page)] == [
        "cat, &lt;dog&gt;”",
        "a cat”",
    ]
    assert re.findall(r"<span>([^<]*)</span>", page)[:2] == ["-4", "+4"]
    assert page.index(AGAINST, page.index("linear-gradient")) < page.rindex(SUPPORTS)
    assert page.count("font-size:70%") == 4  # what nobody wrote is small
    alone = examples.only(1)
    assert "font-size:12px" not in markup(alone, _found(alone, sentences.model, by=Pieces(), baseline=sentences.absent))


def test_a_matrix_on_a_page_has_a_column_for_every_token_before_the_last_and_a_row_for_every_step():
    language = language_model()
    examples = language.read("the cat", steps=3)
    by = Pieces(by="tokens")
    found = _found(examples, language.model, by=by, baseline=language.absent)
    numbers = [float(k) for k in range(len(found.parts["tokens"]))]
    page = markup(examples, _with(found, numbers))
    first = len(examples.raw[0].ids)
    heads = re.findall(r'<th style="writing-mode[^>]*>([^<]*)</th>', page)
    assert len(heads) == first + 2
    rows = page.split("<tr>")[2:]
    assert [row.count("<td") for row in rows] == [first, first + 1, first + 2]
    assert f"background:{colour(numbers[-1], numbers[-1])}" in rows[2]
    assert [re.findall(r"padding:0 8px\">([^<]*)<", row)[0] for row in rows] == list(examples.names)
    one = language.read("the cat", steps=1)
    assert not is_written(one)  # one step is a text like others
    assert "<tr>" not in markup(one, _found(one, language.model, by=by, baseline=language.absent))


def test_a_picture_of_steps_is_the_matrix_and_grey_where_nothing_stood():
    from matplotlib.figure import Figure

    language = language_model()
    examples = language.read("the cat", steps=3)
    found = _found(examples, language.model, by=Pieces(by="tokens"), baseline=language.absent)
    count = len(found.parts["tokens"])
    draw = whole(examples, _with(found, [-1.0] * (count - 1) + [0.5]))
    assert draw is not None
    axes = Figure().subplots()
    draw(axes)
    (image,) = axes.images
    pixels = np.asarray(image.get_array())
    first = len(examples.raw[0].ids)
    assert pixels.shape == (3, first + 2, 3)
    assert (pixels[0, first:] == 0.93).all()
    assert (pixels[1, -1] == 0.93).all()
    np.testing.assert_allclose(pixels[0, 0], np.array(channels(AGAINST)) / 255)
    assert pixels[2, -1, 0] > pixels[2, -1, 2]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == list(examples.names)
    assert axes.get_xlabel() == "tokens before; white 0, full colours ±1"


def test_a_line_is_broken_where_a_text_breaks_and_where_it_is_full():
    from matplotlib.figure import Figure

    language = language_model()
    examples = language.read("cat\ndog " + "mat " * 12, by="words")
    found = attar.attribute(language.model, examples.inputs, Gradient(), attar.Logit(1))
    axes = Figure().subplots()
    panel(axes, examples, found, 0)
    lines: dict[float, str] = {}
    for each in axes.texts:
        high = each.get_position()[1]
        lines[high] = lines.get(high, "") + each.get_text()
    assert "⏎" in "".join(lines.values())
    assert len(lines) == 2
    assert max(map(len, lines.values())) <= 44
    assert "\n" not in "".join(lines.values())


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
