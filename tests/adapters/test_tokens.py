"""Texts in a batch: padding has no say and no value, special tokens stay, models of transformers are as they are."""

import numpy as np
import pytest
import torch

import attar
from attar.adapters.tokens import PART, InsteadOf, titles
from attar.core.baseline import Zeros
from attar.core.inputs import Tensors
from attar.methods.attention_rollout import AttentionRollout
from attar.methods.gradient import Gradient
from attar.methods.integrated_gradients import IntegratedGradients
from attar.methods.layer_cam import LayerCAM
from attar.methods.lime import Lime
from attar.methods.occlusion import Occlusion
from attar.methods.shapley import Shapley
from tiny_language import language_model, sentence_model

TEXTS = ["the cat sat", "the dog sat on the mat with the cat", "a dog"]


def _both():
    language, sentences = language_model(), sentence_model()
    yield language.model, language.fed.tokens(TEXTS)[0], language.absent
    yield sentences.model, sentences.fed.tokens(TEXTS)[0], sentences.absent


def test_what_the_network_says_is_what_it_says_of_each_text_by_itself_without_padding():
    language = language_model()
    inputs, _ = language.fed.tokens(TEXTS)
    together = language.model.predict(inputs)
    for k, text in enumerate(TEXTS):
        ids = torch.tensor([language.fed.encode.encode(text).ids])
        alone = language.network(input_ids=ids).logits[0, -1]
        torch.testing.assert_close(together[k], alone, rtol=1e-4, atol=1e-5)


def test_an_embedding_is_the_mean_over_the_tokens_of_its_text_of_length_one():
    sentences = sentence_model()
    inputs, _ = sentences.fed.tokens(TEXTS)
    together = sentences.model.predict(inputs)
    for k, text in enumerate(TEXTS):
        ids = torch.tensor([sentences.fed.encode.encode(text).ids])
        mean = sentences.encoder(input_ids=ids).last_hidden_state[0].mean(0)
        torch.testing.assert_close(together[k], mean / mean.norm(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("made", [0, 1], ids=["language", "sentences"])
def test_a_text_gets_the_same_values_alone_and_beside_longer_ones(made):
    model, inputs, absent = list(_both())[made]
    methods = [
        Gradient(),
        IntegratedGradients(baseline=absent, tolerance=0.05),
        Occlusion(baseline=absent),
        Lime(background=absent, budget=256),
        Shapley(background=absent, budget=256),
        AttentionRollout(),
        AttentionRollout(token=-1),
    ]
    for method in methods:
        whole = attar.attribute(model, inputs, method, attar.Logit(3))
        assert len(whole.owners[PART]) == int(inputs.lengths.sum())
        for k in range(len(TEXTS)):
            one = attar.attribute(model, inputs.take(torch.tensor([k])), method, attar.Logit(3))
            mine = whole.parts[PART][whole.owners[PART] == k]
            torch.testing.assert_close(mine, one.parts[PART], rtol=2e-3, atol=2e-4)


def test_attention_is_seen_in_both_kinds_and_adds_up_to_one_over_the_tokens_of_a_text():
    found = []
    for kind in ("sdpa", "eager"):
        language = language_model(kind)
        inputs, _ = language.fed.tokens(TEXTS)
        rolled = attar.attribute(language.model, inputs, AttentionRollout(token=-1))
        totals = torch.zeros(3).index_add_(0, rolled.owners[PART], rolled.parts[PART])
        torch.testing.assert_close(totals, torch.ones(3))
        found.append(rolled.parts[PART])
    torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-5)


def test_a_place_that_the_shortest_text_does_not_have_is_refused():
    language = language_model()
    inputs, _ = language.fed.tokens(TEXTS)
    with pytest.raises(attar.InputError, match=r"token is 9, and there are \d \(from 0\)"):
        attar.attribute(language.model, inputs, AttentionRollout(token=9))


def test_maps_of_a_layer_lie_on_tokens():
    sentences = sentence_model()
    inputs, _ = sentences.fed.tokens(TEXTS)
    found = attar.attribute(sentences.model, inputs, LayerCAM(), attar.Logit(1))
    assert len(found.parts[PART]) == int(inputs.lengths.sum())
    assert found.layers == ("encoder.encoder.layer.1",)


def test_special_tokens_are_never_absent_and_count_nothing_for_what_takes_tokens_away():
    sentences = sentence_model()
    inputs, _ = sentences.fed.tokens(TEXTS)
    assert inputs.special.sum() == 6
    for method in (Occlusion(baseline=sentences.absent), IntegratedGradients(baseline=sentences.absent)):
        found = attar.attribute(sentences.model, inputs, method, attar.Logit(1))
        values = found.parts.per_row()[PART]
        assert not values[inputs.special].any()
        assert values[~inputs.special].abs().min() > 0


def test_a_baseline_of_tokens_is_its_row_everywhere_else():
    sentences = sentence_model()
    inputs, _ = sentences.fed.tokens(TEXTS)
    absent = sentences.absent(inputs)[PART]
    mask = sentences.fed.embedding[sentences.instead]
    assert torch.equal(absent[inputs.special], inputs.embedded[inputs.special])
    assert torch.equal(absent[~inputs.special], mask.expand(int((~inputs.special).sum()), -1))
    assert repr(sentences.absent) == "InsteadOf('[MASK]')"
    with pytest.raises(attar.InputError, match="stands for tokens of texts, not Tensors"):
        sentences.absent(Tensors(torch.zeros(2, 16)))
    with pytest.raises(attar.InputError, match="has 3 numbers, an embedding here has 16"):
        InsteadOf("x", torch.zeros(3))(inputs)


def test_shapley_values_of_a_text_are_complete_between_its_baseline_and_itself():
    language = language_model()
    inputs, _ = language.fed.tokens(["cat dog"])
    found = attar.attribute(language.model, inputs, Shapley(background=language.absent), attar.Logit(5))
    away = language.model.predict(inputs.replace(language.absent(inputs)))[0, 5]
    here = language.model.predict(inputs)[0, 5]
    torch.testing.assert_close(found.parts[PART].sum().float(), here - away, rtol=1e-4, atol=1e-5)


def test_examples_are_taken_with_all_that_belongs_to_them():
    language = language_model()
    inputs, written = language.fed.tokens(TEXTS)
    taken = inputs.take(torch.tensor([2, 0, 2]))
    assert len(taken) == 3
    assert taken.lengths.tolist() == [len(written[k].ids) for k in (2, 0, 2)]
    assert "".join(taken.pieces.tolist()) == "a dogthe cat sata dog"
    assert torch.equal(taken.ids, torch.tensor([*written[2].ids, *written[0].ids, *written[2].ids]))
    assert torch.equal(taken.embedded, language.fed.embedding[taken.ids])
    both = sentence_model().fed.tokens(["cats", "the dog"])[0].take(torch.tensor([1, 1, 0]))
    assert both.words.tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 1, 2]
    assert both.special.tolist() == [True, False, False, True] * 3


def test_a_row_has_its_text_for_a_name_where_there_is_one_text_and_its_number_elsewhere():
    fed = language_model().fed
    assert fed.tokens(["on cat"])[0].label(PART, 2) == "cat"
    assert fed.tokens(["on cat", "a"])[0].label(PART, 2) == "tokens 2"


def test_only_what_stands_at_the_tokens_is_taken_out_of_the_padding():
    inputs, _ = language_model().fed.tokens(["cat", "on cat"])
    longest, count = int(inputs.lengths.max()), inputs.lengths.tolist()
    padded = torch.arange(2 * longest).reshape(2, longest, 1)
    assert inputs.unpadded(padded)[:, 0].tolist() == [*range(count[0]), *range(longest, 2 * longest)]
    for other in (torch.zeros(2, longest), torch.zeros(2, longest + 1, 4), torch.zeros(3, longest, 4)):
        assert inputs.unpadded(other) is other


def test_values_are_called_by_what_the_tokens_read():
    language = language_model()
    inputs, _ = language.fed.tokens(["on cat, cat"])
    found = attar.attribute(language.model, inputs, Occlusion(baseline=language.absent))
    assert {name for name, _ in found.ranked(0)} == {"o", "n", "cat (1)", ",", "cat (2)"}


def test_repeated_pieces_are_counted_and_blanks_have_signs():
    assert titles(["a", " a", "\n", " ", "", "b"], [0] * 6) == ["a (1)", "a (2)", "⏎", "␣", "(nothing)", "b"]
    assert titles(["a", "a"], [0, 1]) == ["a", "a"]


def test_zero_is_no_token_and_is_another_baseline():
    language = language_model()
    inputs, _ = language.fed.tokens(["cat dog sat"])
    ours = attar.attribute(language.model, inputs, Occlusion(baseline=language.absent)).parts[PART]
    zero = attar.attribute(language.model, inputs, Occlusion(baseline=Zeros())).parts[PART]
    assert not np.allclose(ours.numpy(), zero.numpy())
