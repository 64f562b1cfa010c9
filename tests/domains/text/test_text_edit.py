"""Texts made and edited: what letters look like, what an edit changes and what it leaves."""

from functools import cache

import numpy as np
import pytest
import torch

from attar.core.errors import InputError
from attar.core.motif import Motif
from attar.core.planting import counterfactuals, generate
from attar.core.rule import Match, Path
from attar.domains.text.control import trivial_words
from attar.domains.text.domain import Texts
from attar.domains.text.edit import TextPlanter
from attar.domains.text.pattern import clauses
from attar.domains.text.truth import Text
from attar.domains.text.words import ABOUT, KEYS, KIND_OF, OTHER, PAD, WORDS
from reference.text_enumeration import places

DOMAIN = Texts()
PLANTER, FIND = DOMAIN.planter, DOMAIN.finder
BARE = TextPlanter(60)


@cache
def backgrounds(planter: TextPlanter) -> list[Text]:
    generator = np.random.default_rng(1)
    return [planter.background(generator) for _ in range(200)]


def letter(words: str, length: int = 60) -> Text:
    real = tuple(words.split())
    return real + (PAD,) * (length - len(real))


def differing(before: Text, after: Text) -> list[int]:
    return [k for k, (one, other) in enumerate(zip(before, after, strict=True)) if one != other]


# --- letters ---


def test_letters_are_clauses_of_the_grammar() -> None:
    for text in backgrounds(BARE):
        real = " ".join(text).removesuffix(" " + PAD).split(f" {PAD}")[0].split()
        assert text == letter(" ".join(real))
        assert real[-1] in (".", ",")
        assert all(tuple(KIND_OF[text[place]] for place in clause) in ABOUT + OTHER for clause in clauses(text))
    sizes = np.array([len(clauses(text)) for text in backgrounds(BARE)])
    assert sizes.min() >= 6
    assert len(set(sizes)) >= 4


def test_letters_with_distractors_are_of_the_grammar_too() -> None:
    for text in backgrounds(PLANTER):
        assert all(tuple(KIND_OF[text[place]] for place in clause) in ABOUT + OTHER for clause in clauses(text))


def test_a_bag_of_words_often_shows_a_relation_that_is_not_there() -> None:
    def share(planter: TextPlanter) -> float:
        without = [text for text in backgrounds(planter) if not places("colour: red", text)]
        return float(np.mean([{"colour", "red"} <= set(text) for text in without]))

    assert share(TextPlanter(60, (Motif("colour: red"),))) > share(BARE) + 0.08


def test_half_of_the_negatives_miss_a_relation_by_a_word() -> None:
    examples, labels = generate(DOMAIN.read_rule("red"), FIND, PLANTER, 200, seed=2)
    near = [bool(places("colour: {blue|green|black|white}", e) or places("{strap|logo}: red", e)) for e in examples]
    assert np.mean(np.array(near)[labels < 0.5]) > 0.8


# --- edits ---


@pytest.mark.parametrize(
    "text", ["colour: red", "{is|looks} not soft", "i would * buy it", "ugly .", "soft", "size: {small|huge}"]
)
def test_a_planted_motif_is_a_clause_of_the_same_kind_and_length(text: str) -> None:
    generator, planted, alike = np.random.default_rng(3), 0, 0
    for example in backgrounds(PLANTER)[:40]:
        edited = PLANTER.plant(example, Motif(text), generator)
        if edited is None or clauses(edited) != clauses(example):
            continue  # no clause of the length was free
        planted += 1
        alike += sum(word in KEYS for word in edited) == sum(word in KEYS for word in example)
        assert len(places(text, edited)) > len(places(text, example))
        assert all(tuple(KIND_OF[edited[place]] for place in clause) in ABOUT + OTHER for clause in clauses(edited))
        (where,) = {
            next(k for k, c in enumerate(clauses(example)) if at <= c.stop) for at in differing(example, edited)
        }
        assert where < len(clauses(example))
        for motif in PLANTER.distractors:
            assert {p for *_, p in places(motif.text, example)} <= {p for *_, p in places(motif.text, edited)}
    assert planted >= 36
    assert alike >= 30


@pytest.mark.parametrize("text", ["red soft", "not not", "it . i would", "colour: soft", "nice * bag"])
def test_what_no_clause_has_is_written_over_others(text: str) -> None:
    generator = np.random.default_rng(4)
    for example in backgrounds(BARE)[:30]:
        edited = BARE.plant(example, Motif(text), generator)
        assert edited is not None
        assert len(places(text, edited)) > len(places(text, example))
        assert edited.count(PAD) == example.count(PAD)


@pytest.mark.parametrize(
    "path",
    [
        Path(Motif("size: small"), Motif("returned"), 1, 9),
        Path(Motif("not"), Motif("soft") | Motif("nice"), 0, 0),
        Path(Motif("i"), Motif("it"), 1, 3, (Motif("would"), Motif("not") | Motif("{buy|keep}"))),
        Path(Motif("colour: red"), Motif("strap: red"), 0, 4),
    ],
)
def test_a_planted_path_is_a_path(path: Path) -> None:
    generator, planted = np.random.default_rng(5), 0
    for example in backgrounds(PLANTER)[:30]:
        edited = PLANTER.plant(example, path, generator)
        planted += edited is not None
        assert edited is None or len(FIND.find_paths(path, edited)) > len(FIND.find_paths(path, example))
    assert planted >= 24


def test_where_there_is_no_room_nothing_is_planted() -> None:
    generator = np.random.default_rng(0)
    assert BARE.plant(letter("bag ."), Motif("i would not buy it , my bag"), generator) is None
    assert PLANTER.plant(letter("the colour is red ."), Motif("soft bag"), generator) is None  # a distractor is there
    assert BARE.plant((), Motif("red"), generator) is None


@pytest.mark.parametrize(
    "text", ["colour: red", "{is|looks} {not|never} {soft|nice|sturdy}", "would * buy it", "returned"]
)
def test_a_match_goes_by_one_word_for_another_of_its_kind(text: str) -> None:
    generator, gone = np.random.default_rng(6), 0
    for example in backgrounds(PLANTER):
        for match in FIND.find(Motif(text), example):
            edited = PLANTER.remove(example, match, generator)
            assert edited is not None
            (place,) = differing(example, edited)
            assert place in match.parts
            assert KIND_OF[edited[place]] == KIND_OF[example[place]]
            assert match.parts not in {parts for *_, parts in places(text, edited)}
            gone += 1
    assert gone >= 8


def test_a_match_that_all_of_a_kind_make_goes_by_another_kind() -> None:
    (match,) = FIND.find(Motif("{today|yesterday|monday}"), ("today", "."))
    edited = PLANTER.remove(("today", "."), match, np.random.default_rng(0))
    assert edited is not None
    assert KIND_OF[edited[0]] != "when"


def test_a_match_of_no_known_motif_loses_a_word_too() -> None:
    text = letter("the bag is soft .")
    edited = PLANTER.remove(text, Match(frozenset({1, 3})), np.random.default_rng(0))
    assert edited is not None
    assert len(differing(text, edited)) == 1
    assert set(differing(text, edited)) <= {1, 3}


def test_the_counterfactual_of_a_conjunction_is_one_word_or_all_of_the_others() -> None:
    text = letter("colour red . size is small , the colour is very red . i would keep it soon .")
    found = counterfactuals(DOMAIN.read_rule('has("colour: red") and has("size: small")'), FIND, BARE, text)
    assert [len(differing(text, c.example)) for c in found] == [1, 2]


# --- groups ---


def test_groups_are_runs_of_words_within_clauses() -> None:
    groups = DOMAIN.editor.groups(letter("red bag , so soft"))
    assert [(g.name, sorted(g.parts)) for g in groups] == [
        ("red", [0]), ("bag", [1]), ("red bag", [0, 1]), ("so", [3]), ("soft", [4]), ("so soft", [3, 4]),
    ]  # fmt: skip


# --- looks ---


def test_words_are_channels_and_padding_none() -> None:
    text = letter("red , red")
    values = DOMAIN.encode([text]).values[0]
    assert values.shape == (len(WORDS), 60)
    assert torch.equal(values.sum(0), torch.tensor([1.0] * 3 + [0.0] * 57))
    assert [WORDS[k] for k in values.argmax(0)[:3]] == ["red", ",", "red"]


@pytest.mark.parametrize(
    ("text", "why"),
    [(letter("red", 59), "has 59 words, expected 60"), (letter("red rad"), "'rad', which is none of the 77 words")],
)
def test_what_is_no_text_is_refused(text: Text, why: str) -> None:
    with pytest.raises(InputError, match=why):
        DOMAIN.encode([text])


def test_a_length_of_no_letter_is_refused() -> None:
    with pytest.raises(InputError, match="length is 35 words, expected at least 36"):
        TextPlanter(35)


def test_properties_by_hand() -> None:
    found = {
        name: values.tolist()
        for name, values in DOMAIN.properties([letter("red bag , red strap ."), letter("")]).items()
    }
    assert found == {
        "words": [6, 0],
        "clauses": [2, 0],
        "keys": [1, 0],
        "different words / words": [5 / 6, 0],
        "letters in a word, mean": [16 / 6, 0],
    }


def test_the_trivial_control_goes_by_rarity_alone() -> None:
    values = dict(zip(text := letter("again the , red is strap"), trivial_words(text), strict=True))
    assert (
        values["again"]
        > values["red"]
        > values["strap"]
        > values["the"]
        > values["is"]
        > values[","]
        > values[PAD]
        == 0
    )
