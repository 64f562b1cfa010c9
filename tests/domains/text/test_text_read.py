"""Texts out of a command line and files: what is read, which word a token belongs to, and what is refused."""

import pytest
import torch

import attar
from attar.domains.text.parts import Pieces
from attar.domains.text.read import Fed, quoted, read_texts, words_of
from tiny_language import language_model, sentence_model


def test_a_text_is_taken_as_it_is_written():
    assert read_texts("  The capital of France is") == (["  The capital of France is"], "1 text")


def test_a_sentence_may_end_in_the_name_of_a_file():
    for text in ("I have read README.md", "on and/or off", "a" * 5000 + "/b"):
        assert read_texts(text)[0] == [text]


def test_files_of_one_text_and_tables_of_several(tmp_path):
    plain, table = tmp_path / "letter.txt", tmp_path / "letters.csv"
    plain.write_bytes("\ufeffDear cat,\nsit.\n".encode())
    table.write_text('text,label\n"the cat, sat",good\na dog,bad\n')
    assert read_texts(plain)[0] == ["Dear cat,\nsit."]
    assert read_texts(table) == (["the cat, sat", "a dog"], "2 texts")


def test_what_is_no_text_is_refused_in_one_line(tmp_path):
    bytes_ = tmp_path / "bytes.txt"
    bytes_.write_bytes(b"caf\xe9")
    other = tmp_path / "other.csv"
    other.write_text("said,label\nyes,1\n")
    for source, said in (
        ("letters.csv", r"there is no file letters\.csv: check its name"),
        ("letters/March.docx", r"there is no file letters/March\.docx: check its name"),
        (f"{tmp_path}/", "is a folder: name one file in it, or write the text itself"),
        (bytes_, r"is no text in UTF-8 \(byte 3\): save it so"),
        (other, r"text"),
    ):
        with pytest.raises(attar.InputError, match=said) as refused:
            read_texts(source)
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize("made", [language_model, sentence_model])
def test_empty_and_over_long_texts_are_refused(made):
    model = made()
    with pytest.raises(attar.InputError, match=r"text 2 is empty: there is nothing to ask tiny"):
        model.fed.tokens(["cat", " \n "])
    with pytest.raises(attar.InputError, match=r"text 1 has \d+ tokens, and tiny.* takes \d\d: shorten it"):
        model.fed.tokens(["cat dog " * 60])
    with pytest.raises(attar.InputError, match="there are no texts"):
        model.fed.tokens([])
    with pytest.raises(attar.InputError, match="expected a list of them"):
        model.fed.tokens("cat")
    with pytest.raises(attar.InputError, match="text 1 is a int, expected text"):
        model.fed.tokens([3])  # type: ignore[list-item]


def test_the_longest_text_that_fits_is_taken():
    fed = sentence_model().fed
    assert fed.tokens(["cat " * (fed.most - 2)])[0].lengths.tolist() == [fed.most]
    with pytest.raises(attar.InputError, match=f"has {fed.most + 1} tokens"):
        fed.tokens(["cat " * (fed.most - 1)])


def test_tokens_read_as_the_text_does():
    for fed, text in ((language_model().fed, "the cat’s mat — sat\n on 雪"), (sentence_model().fed, "The Cats sat.")):
        inputs, written = fed.tokens([text])
        own = [piece for piece, odd in zip(written[0].pieces, inputs.special.tolist(), strict=True) if not odd]
        if fed is sentence_model().fed:
            assert own == ["The", "Cat", "s", "sat", "."]
        else:
            assert own[:2] == ["t", "h"]
            assert " mat" in own
            assert all(piece in text for piece in own)


def test_tokens_by_their_ids_are_those_of_the_text():
    fed = language_model().fed
    inputs, written = fed.tokens(["the cat sat"])
    again, same = fed.of_ids([written[0].ids])
    assert same[0] == written[0]
    assert again.words.tolist() == inputs.words.tolist()
    with pytest.raises(attar.InputError, match=r"there is no token 9999; there are 0 to"):
        fed.of_ids([[1, 9999]])
    with pytest.raises(attar.InputError, match=f"there is no token {len(fed.embedding)}; "):
        fed.of_ids([[len(fed.embedding)]])
    with pytest.raises(attar.InputError, match="there are no tokens"):
        fed.of_ids([[]])


class _Reads:
    """A tokenizer that says one thing of every text: a token of no letter stands between two of one."""

    ids, tokens, offsets = (1, 2, 3), ("a", "▁", "b"), ((0, 1), (1, 1), (1, 2))

    def encode(self, text: str) -> "_Reads":
        return self


def test_a_token_of_no_letter_reads_as_it_is_called():
    fed = Fed(encode=_Reads(), embedding=torch.zeros(4, 2), most=9, model="one")
    inputs, written = fed.tokens(["ab"])
    assert written[0].pieces == ("a", "▁", "b")
    assert inputs.words.tolist() == [0, 1, 0]


def test_half_a_letter_and_what_nobody_wrote_are_named_and_are_no_part_of_a_word():
    fed = language_model().fed
    ids = fed.encode.encode("aé<end>b").ids
    inputs, written = fed.of_ids([ids])
    assert written[0].pieces == ("a", "Ã", "©", "<end>", "b")
    assert inputs.special.tolist() == [False, False, False, True, False]
    assert inputs.words[3] not in inputs.words[[0, 1, 2, 4]]
    assert fed.piece(0) == "<end>"


def test_words_are_runs_of_letters_one_sign_or_one_sign_of_a_script_without_blanks():
    text = "don’t stop, 雪山 x2"
    each = [(k, k + 1) for k in range(len(text))]
    words = words_of(text, each, [False] * len(text))
    of = dict(zip(text, words, strict=True))
    assert of["d"] == of["’"] == of["n"]
    assert of["p"] != of[","]
    assert of["雪"] != of["山"]
    assert of["x"] == of["2"]
    blanks = [word for sign, word in zip(text, words, strict=True) if sign == " "]
    assert len(set(blanks)) == 3  # each is its own
    assert not {of["d"], of["s"], of[","], of["x"]} & set(blanks)


def test_a_token_belongs_to_the_first_word_it_touches_and_a_special_one_to_none():
    assert words_of("ab cd", [(0, 0), (0, 2), (2, 4), (4, 5)], [True, False, False, False]) == [0, 1, 2, 2]
    assert words_of("ab cd", [(0, 4), (4, 5)], [False, False]) == [0, 1]
    assert words_of("abc d", [(0, 1), (1, 3), (4, 5)], [False] * 3) == [0, 0, 1]  # no number is left out


def test_words_take_their_tokens_together_in_each_text():
    inputs, _ = sentence_model().fed.tokens(["the cats", "cats cats"])
    words, tokens = Pieces()(inputs), Pieces(by="tokens")(inputs)
    assert words.names == ("[CLS]", "the", "cats", "[SEP]", "[CLS]", "cats (1)", "cats (2)", "[SEP]")
    assert words.owner.tolist() == [0] * 4 + [1] * 4
    assert tokens.names is not None
    assert tokens.names[1:4] == ("the", "cat", "s")
    assert len(tokens) == len(inputs.ids)


def test_parts_of_another_kind_and_of_no_text_are_refused():
    with pytest.raises(attar.InputError, match="the parts of a text are 'lines', expected words or tokens"):
        Pieces(by="lines")
    with pytest.raises(attar.InputError, match="words are parts of texts, not of Tensors"):
        Pieces()(attar.Tensors(torch.zeros(1, 3)))


def test_long_texts_are_quoted_short():
    assert quoted("a\n b") == "“a b”"
    assert len(quoted("word " * 50)) == 62
    assert quoted("word " * 50).endswith("…”")
