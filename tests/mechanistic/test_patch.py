"""What parts do for an answer: exact effects against edits by hand, estimates against exact ones."""

import copy

import pytest
import torch
from tiny_transformers import KNOWN, ids, made

import attar
from attar.core.target import Difference, Logit
from attar.mechanistic.patch import (
    Counterfactual,
    Mean,
    PartEffects,
    Zero,
    attributed,
    faithfulness,
    part_names,
    patched,
)
from attar.mechanistic.record import edited, logits, recorded
from attar.mechanistic.transformer import transformer

TARGET = Difference(Logit(3), Logit([11, 12, 13]))


def _other() -> torch.Tensor:
    changed = ids().clone()
    changed[:, 2] = (changed[:, 2] + 7) % 50
    return changed


def _gentle(family: str):
    """A network that bends less: blocks of a tenth of the weights, of which gradients should be right."""
    module = copy.deepcopy(made(family))
    with torch.no_grad():
        for name, weight in module.named_parameters():
            if name.endswith("weight") and weight.ndim == 2 and any(part.isdecimal() for part in name.split(".")):
                weight.mul_(0.1)
    return module


@pytest.mark.parametrize("family", KNOWN)
def test_texts_that_are_the_same_have_no_effect_at_all(family):
    of = transformer(made(family))
    for found in (
        patched(of, ids(), TARGET, Counterfactual(ids())),
        attributed(of, ids(), TARGET, Counterfactual(ids()), verify=0),
    ):
        assert not found.values.any()
        assert found.inactive == part_names(of)


@pytest.mark.parametrize("family", KNOWN)
def test_an_exact_effect_is_what_the_answer_loses_when_the_part_alone_is_edited(family):
    of = transformer(made(family))
    found = patched(of, ids(), TARGET, Counterfactual(_other()))
    with torch.no_grad():
        with recorded(of, ["0.heads", "1.mlp"]) as there:
            logits(of, _other())
        plain = TARGET(logits(of, ids())[:, -1])

        def one_head(array):
            return torch.cat([array[:, :, :2], there["0.heads"][:, :, 2:3], array[:, :, 3:]], 2)

        for name, edit in (("0.head.2", {"0.heads": one_head}), ("1.mlp", {"1.mlp": there["1.mlp"]})):
            with edited(of, edit):
                lost = plain - TARGET(logits(of, ids())[:, -1])
            torch.testing.assert_close(found.values[:, found.names.index(name)], lost, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found.output, plain)
    assert found.exact
    assert found.instead == "Counterfactual(3 x 7)"


def test_zero_and_mean_are_what_they_say():
    of = transformer(made("gpt2"))
    with torch.no_grad():
        with recorded(of, ["1.mlp"]) as seen:
            plain = TARGET(logits(of, ids())[:, -1])
        for instead, value in ((Zero(), torch.zeros(16)), (Mean(), seen["1.mlp"].mean((0, 1)))):
            with edited(of, {"1.mlp": value}):
                lost = plain - TARGET(logits(of, ids())[:, -1])
            found = patched(of, ids(), TARGET, instead, ["1.mlp"])
            torch.testing.assert_close(found.values[:, 0], lost, rtol=1e-4, atol=1e-5)
            assert found.instead == repr(instead)


def test_a_text_has_the_same_effects_alone():
    of = transformer(made("llama"))
    whole = patched(of, ids(), Logit(3), Counterfactual(_other()))
    estimate = attributed(of, ids(), Logit(3), Counterfactual(_other()), verify=0)
    for k in range(3):
        mine = Counterfactual(_other()[k : k + 1])
        alone = patched(of, ids()[k : k + 1], Logit(3), mine)
        torch.testing.assert_close(whole.values[k : k + 1], alone.values, rtol=1e-3, atol=1e-5)
        again = attributed(of, ids()[k : k + 1], Logit(3), mine, verify=0)
        torch.testing.assert_close(estimate.values[k : k + 1], again.values, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("family", KNOWN)
def test_estimates_are_near_the_exact_effects_and_say_how_near(family):
    of = transformer(_gentle(family))
    exact = patched(of, ids(), TARGET, Counterfactual(_other()))
    found = attributed(of, ids(), TARGET, Counterfactual(_other()), steps=10, verify=4)
    assert 4 <= len(found.verified) <= 8
    for name, values in found.verified.items():
        torch.testing.assert_close(values, exact.values[:, exact.names.index(name)], rtol=1e-4, atol=1e-5)
    both = torch.stack([exact.values.double().mean(0), found.values.double().mean(0)])
    assert float(torch.corrcoef(both)[0, 1]) > 0.95
    assert found.agreement is not None
    assert found.agreement[0] > 0.95
    assert {name for name, _ in found.ranked(4)} <= set(found.verified)
    assert not found.exact


def test_agreement_is_a_correlation_and_the_share_of_signs():
    found = PartEffects(
        names=("a", "b", "c", "d"),
        values=torch.tensor([[1.0, -2.0, 3.0, 9.0]]),
        output=torch.zeros(1),
        instead="",
        exact=False,
        inactive=(),
        verified={"a": torch.tensor([2.0]), "b": torch.tensor([4.0]), "c": torch.tensor([6.0])},
    )
    correlation, signs = found.agreement or (0, 0)
    assert correlation == pytest.approx(torch.corrcoef(torch.tensor([[1.0, -2, 3], [2, 4, 6]]))[0, 1].item())
    assert signs == pytest.approx(2 / 3)


def test_all_heads_carry_the_answer_and_none_carry_nothing():
    of = transformer(made("neox"))
    heads = [name for name in part_names(of) if ".head." in name]
    there = Counterfactual(_other())
    torch.testing.assert_close(faithfulness(of, ids(), TARGET, there, heads), torch.ones(3), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(faithfulness(of, ids(), TARGET, there, []), torch.zeros(3))
    some = faithfulness(of, ids(), TARGET, there, heads[:4])
    assert not torch.allclose(some, torch.ones(3), atol=1e-2)


def test_parts_and_texts_that_do_not_fit_are_refused():
    of = transformer(made("llama"))
    with pytest.raises(attar.InputError, match=r"there is no part '2\.mlp'; there is 0\.head\.0 to 1\.mlp"):
        patched(of, ids(), TARGET, Zero(), ["2.mlp"])
    with pytest.raises(attar.InputError, match=r"there is no head '1\.mlp'"):
        faithfulness(of, ids(), TARGET, Zero(), ["1.mlp"])
    with pytest.raises(
        attar.InputError, match=r"the other texts are \(2, 7\), expected one as long for each text: \(3, 7\)"
    ):
        patched(of, ids(), TARGET, Counterfactual(ids()[:2]))
    with pytest.raises(attar.InputError, match="steps is 0"):
        attributed(of, ids(), TARGET, Counterfactual(_other()), steps=0)


def test_an_estimate_is_the_mean_gradient_in_the_middle_of_each_step_times_the_difference():
    of = transformer(made("llama"))
    found = attributed(of, ids(), Logit(3), Counterfactual(_other()), steps=2, verify=0)
    states_ = []
    for text in (ids(), _other()):
        with torch.no_grad(), recorded(of, ["embed", "0.mlp"]) as seen:
            logits(of, text)
        states_.append(dict(seen))
    here, there = states_
    gradient = torch.zeros_like(here["0.mlp"])
    for share in (0.25, 0.75):
        start = (there["embed"] + share * (here["embed"] - there["embed"])).requires_grad_()
        with edited(of, {"embed": start}), recorded(of, ["0.mlp"]) as felt:
            asked = logits(of, ids())[:, -1, 3].sum()
        gradient += torch.autograd.grad(asked, felt["0.mlp"])[0] / 2
    expected = ((here["0.mlp"] - there["0.mlp"]) * gradient).sum((1, 2))
    torch.testing.assert_close(found.values[:, found.names.index("0.mlp")], expected, rtol=1e-4, atol=1e-6)
