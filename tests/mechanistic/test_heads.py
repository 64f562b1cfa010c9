"""Scores of heads: one for a head of the kind, chance for one that looks evenly; on a real model the known ones."""

import pytest
import torch
from tiny_transformers import KNOWN, ids, made

import attar
from attar.mechanistic import heads
from attar.mechanistic.heads import attention_patterns, head_scores
from attar.mechanistic.lens import direct_logit_attribution
from attar.mechanistic.transformer import transformer
from real_models import needs_model


@pytest.mark.parametrize("family", KNOWN)
def test_patterns_are_shares_of_what_a_token_may_see(family):
    found = attention_patterns(transformer(made(family)), ids())
    assert [tuple(each.shape) for each in found] == [(3, 4, 7, 7)] * 2
    for each in found:
        torch.testing.assert_close(each.sum(-1), torch.ones(3, 4, 7))
        assert not each.triu(1).any()


@pytest.mark.parametrize(
    ("back", "kind"), [(1, "previous-token"), (6, "duplicate-token"), (5, "induction"), (None, "even")]
)
def test_a_head_of_a_kind_scores_one_and_an_even_one_chance(back, kind, monkeypatch):
    def patterns(of, given):
        count = given.shape[1]
        if back is None:
            made_ = torch.ones(count, count).tril()
            made_ = made_ / made_.sum(1, keepdim=True)
        else:
            made_ = torch.eye(count).roll(-back, 1)
        return [torch.stack([torch.zeros(count, count), made_]).expand(len(given), -1, -1, -1)]

    monkeypatch.setattr(heads, "attention_patterns", patterns)
    found = head_scores(transformer(made("llama")), length=6, texts=2)
    for each, table in found.scores.items():
        expected = found.chance[each] if back is None else float(each == kind)
        assert table[0].tolist() == pytest.approx([0, expected])
    if back is not None:
        assert found.ranked(kind, 1) == [("0.1", pytest.approx(1))]


def test_the_texts_come_twice_and_no_token_twice_within_one(monkeypatch):
    asked = []

    def patterns(of, given):
        asked.append(given)
        return [torch.zeros(len(given), 4, given.shape[1], given.shape[1])]

    monkeypatch.setattr(heads, "attention_patterns", patterns)
    head_scores(transformer(made("llama")), length=10, texts=3, seed=4)
    (given,) = asked
    assert given.shape == (3, 20)
    assert torch.equal(given[:, :10], given[:, 10:])
    assert all(len(set(row[:10].tolist())) == 10 for row in given)


def test_kinds_and_lengths_that_are_none_are_refused():
    of = transformer(made("llama"))
    with pytest.raises(attar.InputError, match="expected 2 or more tokens"):
        head_scores(of, length=1)
    with pytest.raises(attar.InputError, match="there is no kind of head 'mover'; there is previous-token"):
        head_scores(of, length=4, texts=1).ranked("mover")


@needs_model("smollm2")
def test_in_smollm2_the_parts_are_complete_and_its_induction_heads_are_found():
    from attar.pretrained.smollm2 import load_language

    language = load_language()
    of = transformer(language.network)
    encode = language.fed.encode
    ids = torch.tensor([encode.encode("When Mary and John went to the store, John gave a drink to").ids])
    mary, john = (encode.encode(f" {name}").ids[0] for name in ("Mary", "John"))
    direct = direct_logit_attribution(of, ids, mary, john)
    assert float(direct.output) == pytest.approx(6.12, abs=0.05)
    assert abs(float(direct.left_over)) < 1e-5
    assert len(direct.names) == 301
    assert direct.ranked(1)[0][0] == "23.head.3"
    scores = head_scores(of, texts=4)
    assert {name for name, _ in scores.ranked("induction", 4)} == {"18.6", "17.3", "17.4", "17.5"}
    assert scores.ranked("previous-token", 1)[0][0] == "16.0"
