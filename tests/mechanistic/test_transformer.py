"""Where the parts of transformers are found, and that what they write is the stream."""

import pytest
import torch
from tiny_transformers import KNOWN, ids, made

import attar
from attar.mechanistic.record import answering, edited, logits, recorded
from attar.mechanistic.transformer import transformer


@pytest.mark.parametrize("family", KNOWN)
def test_what_the_parts_write_is_the_stream(family):
    of = transformer(made(family))
    with torch.no_grad(), recorded(of, of.writing_sites) as seen:
        logits(of, ids())
    assert of.check(seen) < 1e-5
    names = [name for name, _ in of.writers(seen)]
    assert len(names) == len(set(names))
    assert sum(".head." in name for name in names) == 8
    assert (of.heads, of.shared) == (4, 2 if family in ("llama", "qwen2", "gemma") else 4)


def test_a_model_whose_norms_stand_behind_its_parts_is_refused():
    of = transformer(made("gemma2"))
    with torch.no_grad(), recorded(of, of.writing_sites) as seen:
        logits(of, ids())
    with pytest.raises(attar.UnsupportedError, match=r"misses the stream by .* of its size: this Llama-like"):
        of.check(seen)


def test_a_module_of_no_family_is_refused_with_those_that_are_known():
    with pytest.raises(attar.UnsupportedError, match=r"a Linear is none of the transformers .*Llama \(model\.layers\)"):
        transformer(torch.nn.Linear(2, 2))


@pytest.mark.parametrize("family", KNOWN)
def test_what_is_recorded_is_what_transformers_says_of_its_hidden_states(family):
    module = made(family)
    of = transformer(module)
    with torch.no_grad(), recorded(of, ["embed", "0.after", "1.before", "1.after", "final"]) as seen:
        logits(of, ids())
        theirs = module(input_ids=ids(), output_hidden_states=True).hidden_states
    torch.testing.assert_close(seen["embed"], theirs[0])
    torch.testing.assert_close(seen["1.before"], theirs[1])
    torch.testing.assert_close(seen["0.after"], theirs[1])
    torch.testing.assert_close(seen["1.after"], seen["final"])


@pytest.mark.parametrize("family", KNOWN)
def test_a_head_that_finds_nothing_is_one_whose_weights_are_zero(family):
    import copy

    module = made(family)
    of = transformer(module)

    def without(found):
        return torch.cat([found[:, :, :1], torch.zeros_like(found[:, :, 1:2]), found[:, :, 2:]], 2)

    with torch.no_grad(), edited(of, {"1.heads": without}):
        ours = logits(of, ids())
    changed = copy.deepcopy(module)
    out = transformer(changed).part(f"{of.blocks[1]}.{of.family.out}")
    width = of.weight(1).shape[1]
    with torch.no_grad():
        rows = out.weight if family == "gpt2" else out.weight.T
        rows[width : 2 * width] = 0
        theirs = changed(input_ids=ids()).logits
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(ours, logits(of, ids()).detach(), atol=1e-3)


@pytest.mark.parametrize("family", KNOWN)
def test_what_is_put_back_as_it_was_changes_nothing_at_all(family):
    of = transformer(made(family))
    with torch.no_grad():
        with recorded(of, of.sites) as seen:
            plain = logits(of, ids())
        with edited(of, dict(seen)):
            assert torch.equal(logits(of, ids()), plain)


def test_an_edit_of_a_text_with_what_another_left_there_is_patching():
    of = transformer(made("llama"))
    one, other = ids(), ids().flip(0)
    with torch.no_grad():
        with recorded(of, ["1.before"]) as seen:
            theirs = logits(of, other)
        with edited(of, {"1.before": seen["1.before"]}):
            torch.testing.assert_close(logits(of, one), theirs)


def test_names_of_transformer_lens_are_understood_and_others_are_not():
    of = transformer(made("llama"))
    theirs = {
        "blocks.1.hook_resid_pre": "1.before",
        "blocks.0.attn.hook_z": "0.heads",
        "blocks.1.hook_mlp_out": "1.mlp",
    }
    for name, ours in theirs.items():
        assert of.site(name) == ours
    with torch.no_grad(), recorded(of, ["blocks.0.attn.hook_z", "0.heads"]) as seen:
        logits(of, ids())
    assert torch.equal(seen["blocks.0.attn.hook_z"], seen["0.heads"])
    assert seen["0.heads"].shape == (3, 7, 4, 4)
    for name in ("2.mlp", "blocks.2.hook_mlp_out", "0.patterns", ""):
        with pytest.raises(attar.InputError, match="there is no site"):
            of.site(name)


def test_edits_of_another_shape_and_tokens_that_are_none_are_refused():
    of = transformer(made("gpt2"))
    with (
        torch.no_grad(),
        edited(of, {"0.mlp": torch.zeros(3, 7, 5)}),
        pytest.raises(attar.InputError, match=r"0\.mlp has shape \(3, 7, 5\), what stands there \(3, 7, 16\)"),
    ):
        logits(of, ids())
    for wrong in (torch.zeros(2, 3), torch.zeros(3, dtype=torch.long)):
        with pytest.raises(attar.InputError, match="expected whole numbers"):
            logits(of, wrong)


def test_hooks_and_training_are_as_they_were_whatever_happens():
    module = made("gpt2")
    of = transformer(module)
    hooks = _hooks(module)  # transformers has some of its own
    module.train()
    try:
        with torch.no_grad():
            first, second = logits(of, ids()), logits(of, ids())
        assert torch.equal(first, second)  # dropout would differ
        assert all(each.training for each in module.modules())
        with pytest.raises(ZeroDivisionError), edited(of, {"0.mlp": lambda _: 1 / 0}):  # type: ignore[arg-type]
            logits(of, ids())
        assert all(each.training for each in module.modules())
    finally:
        module.eval()
    assert _hooks(module) == hooks


def _hooks(module):
    return [(len(each._forward_hooks), len(each._forward_pre_hooks)) for each in module.modules()]


def test_a_module_that_was_partly_awake_is_so_again():
    inner = torch.nn.Sequential(torch.nn.Dropout(), torch.nn.Linear(1, 1))
    inner[1].eval()
    with answering(inner):
        assert not any(each.training for each in inner.modules())
    assert [each.training for each in inner.modules()] == [True, True, False]


def test_of_a_part_that_puts_out_several_things_the_first_is_meant_and_the_rest_goes_on():
    class Pair(torch.nn.Module):
        def forward(self, hidden_states):
            return hidden_states + 1, "a cache"

    class One:
        heads = 1

        def site(self, name):
            return name

        def where(self, site):
            return pair, "output"

    pair = Pair()
    with recorded(One(), ["0.after"]) as seen, edited(One(), {"0.after": lambda array: 2 * array}):  # type: ignore[arg-type]
        found, rest = pair(torch.zeros(1, 1, 2))
    assert seen["0.after"].tolist() == [[[1, 1]]]
    assert found.tolist() == [[[2, 2]]]
    assert rest == "a cache"
