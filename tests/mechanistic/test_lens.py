"""What the parts of transformers say of the next token: complete, linear, and the model's own answer at the end."""

import pytest
import torch
from tiny_transformers import KNOWN, ids, made

import attar
from attar.mechanistic.lens import direct_logit_attribution, frozen_norm, logit_lens
from attar.mechanistic.record import logits, recorded
from attar.mechanistic.transformer import transformer


@pytest.mark.parametrize("family", KNOWN)
def test_direct_attributions_sum_to_the_difference_of_logits(family):
    of = transformer(made(family))
    found = direct_logit_attribution(of, ids(), 3, 11)
    with torch.no_grad():
        answers = logits(of, ids())[:, -1]
    torch.testing.assert_close(found.output, answers[:, 3] - answers[:, 11])
    torch.testing.assert_close(found.values.sum(1), found.output, rtol=1e-4, atol=1e-4)
    assert float(found.left_over.abs().max()) < 1e-4
    assert found.values.shape == (3, len(found.names))


def test_of_one_token_they_sum_to_its_logit_and_tokens_may_differ_from_text_to_text():
    of = transformer(made("neox"))
    found = direct_logit_attribution(of, ids(), [1, 2, 3])
    with torch.no_grad():
        answers = logits(of, ids())[:, -1]
    torch.testing.assert_close(found.output, answers[torch.arange(3), torch.tensor([1, 2, 3])])
    torch.testing.assert_close(found.values.sum(1), found.output, rtol=1e-4, atol=1e-4)


def test_a_part_is_worth_what_the_logits_lose_without_it_where_the_norm_stays_as_it_was():
    of = transformer(made("llama"))
    found = direct_logit_attribution(of, ids(), 3, 11)
    with torch.no_grad(), recorded(of, of.writing_sites) as seen:
        logits(of, ids())
    stream = seen["final"][:, -1]
    norm, head = of.part("model.norm"), of.part("lm_head")
    for name in ("0.head.2", "1.mlp", "embed"):
        written = dict(of.writers(seen))[name][:, -1]
        size = (stream.square().mean(1, keepdim=True) + norm.variance_epsilon).rsqrt()
        lost = head(written * size * norm.weight).detach()
        torch.testing.assert_close(found.values[:, found.names.index(name)], lost[:, 3] - lost[:, 11])


def test_parts_are_ranked_by_their_mean_over_texts():
    of = transformer(made("llama"))
    found = direct_logit_attribution(of, ids(), 3, 11)
    ranked = found.ranked(4)
    sizes = [abs(value) for _, value in ranked]
    assert sizes == sorted(sizes, reverse=True)
    name, value = ranked[0]
    assert value == pytest.approx(float(found.values[:, found.names.index(name)].mean()), rel=1e-5)


def test_the_last_row_of_the_lens_is_the_answer_and_the_first_reads_the_embedding():
    for family in KNOWN:
        of = transformer(made(family))
        found = logit_lens(of, ids())
        with torch.no_grad(), recorded(of, ["embed"]) as seen:
            answers = logits(of, ids())[:, -1]
            norm, head = of.part(of.family.norm), of.part(of.family.unembedding)
            first = head(norm(seen["embed"]))[:, -1]
        assert found.shape == (3, 3, 50)
        torch.testing.assert_close(found[-1], answers)
        torch.testing.assert_close(found[0], first)


def test_tokens_that_are_not_there_are_refused():
    of = transformer(made("llama"))
    with pytest.raises(attar.InputError, match="there is no token 50; there are 0 to 49"):
        direct_logit_attribution(of, ids(), 50)
    with pytest.raises(attar.InputError, match="there are 2 tokens for 3 texts"):
        direct_logit_attribution(of, ids(), [1, 2])


def test_norms_that_are_known_are_linear_where_they_are_frozen_and_others_are_refused():
    stream = torch.randn(4, 8)
    for norm in (torch.nn.LayerNorm(8), torch.nn.RMSNorm(8, eps=1e-5)):
        torch.nn.init.normal_(norm.weight)
        gain, bias = frozen_norm(norm, stream)
        torch.testing.assert_close(gain(stream) + (0 if bias is None else bias), norm(stream), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(gain(stream + 1) - gain(torch.ones_like(stream)), gain(stream), rtol=1e-3, atol=1e-4)
    with pytest.raises(attar.UnsupportedError, match="the last norm is a Tanh"):
        frozen_norm(torch.nn.Tanh(), stream)


def test_a_model_whose_parts_do_not_sum_to_the_stream_gets_no_numbers():
    with pytest.raises(attar.UnsupportedError, match="misses the stream"):
        direct_logit_attribution(transformer(made("gemma2")), ids(), 3)
