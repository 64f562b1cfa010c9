"""A language model whose reasons are known: what does each attribution name first, and how often is it right?

python bench/text.py [NAME …]        about half an hour of a processor; of the rows whose names begin so less

1. "The capital of France is": the two tokens that come first, for Paris by itself (log-probability) and for Paris
   rather than London (difference of logits), by ours and by Captum on the same network.
2. Random tokens that come twice: the model copies, so the token that it copies from is known. How often is it the first
   of the 20 that it could be (chance .05), over the prompts that the model gets right; CPU seconds for each prompt.
   `InsteadOf(…)` is what stands for a token that is taken away. The mean of all embeddings was chosen among these
   baselines on other prompts (drawn with another seed) of the same kind.
"""

import sys
import time
from collections.abc import Callable

import torch
from captum.attr import FeatureAblation, InputXGradient, Saliency
from captum.attr import IntegratedGradients as TheirIntegratedGradients
from torch import Tensor

import attar
from attar.adapters.tokens import PART, InsteadOf, Tokens
from attar.core.target import LogProbability, Target
from attar.design.shares import wilson
from attar.domains.text.parts import Pieces
from attar.methods.attention_rollout import AttentionRollout
from attar.methods.grad_input import GradInput
from attar.methods.gradient import Gradient
from attar.methods.integrated_gradients import IntegratedGradients
from attar.methods.lime import Lime
from attar.methods.lrp import LRP
from attar.methods.occlusion import Occlusion
from attar.methods.shapley import Shapley
from attar.pretrained.smollm2 import as_pretrained, load_language

SEED, PROMPTS, COPIED, BUDGET = 11, 40, 20, 200
FEW = 12  # prompts of those that cost more than a few seconds each
FRANCE = "The capital of France is"
TOKENS = Pieces(by="tokens")

Asked = Callable[[Tokens, Target], Tensor]


def ours(method: object, *, size: bool = False) -> Asked:
    """One number for each token: the sum over its embedding, or with `size` the length of the vector."""

    def values(inputs: Tokens, target: Target) -> Tensor:
        found = attar.attribute(known.model, inputs, method, target).parts[PART]  # type: ignore[arg-type]
        return found.norm(dim=1) if size and found.ndim > 1 else found.sum(1) if found.ndim > 1 else found

    return values


def theirs(make: Callable[[Callable], object], *, size: bool = False, **how: object) -> Asked:
    def values(inputs: Tokens, target: Target) -> Tensor:
        embedded, mask = inputs.arguments()

        def forward(given: Tensor) -> Tensor:
            return target(known.model.module(given, mask.expand(len(given), -1)))

        extra = {key: value(inputs) if callable(value) else value for key, value in how.items()}
        found = make(forward).attribute(embedded, **extra)[0].detach()  # type: ignore[attr-defined]
        if "feature_mask" in how:  # Captum writes a token's value on each of its numbers
            return found.mean(1)
        return found.norm(dim=1) if size else found.sum(1)

    return values


def by_token(inputs: Tokens) -> Tensor:
    """Captum's mask of features: all numbers of a token together."""
    return torch.arange(len(inputs.ids))[None, :, None]


def ended(inputs: Tokens) -> Tensor:
    return language.fed.embedding[language.end].expand(1, len(inputs.ids), -1)


def france(table: dict[str, Asked]) -> None:
    examples = known.read(FRANCE)
    targets = {text: known.named_target(text, examples) for text in ("Paris", "Paris rather than London")}
    print(f"{'“' + FRANCE + '”: the first two':46s}" + "".join(f"{text:28s}" for text in targets))
    for name, asked in table.items():
        cells = []
        for target in targets.values():
            try:
                values = asked(examples.inputs, target)
                first = values.argsort(descending=True)[:2].tolist()
                cells.append(", ".join(f"{examples.raw[0].pieces[k].strip()} {float(values[k]):+.1f}" for k in first))
            except attar.AttarError as problem:
                cells.append(f"refused ({str(problem)[:20]}…)")
        print(f"{name:46s}" + "".join(f"{cell:28s}" for cell in cells))


def copies(count: int, seed: int) -> list[tuple[Tokens, int]]:
    """Prompts that the model gets right, and the place that it copies from."""
    generator = torch.Generator().manual_seed(seed)
    words = [k for k in range(500, 20_000) if (piece := language.fed.piece(k)).startswith(" ") and piece[1:].isalpha()]
    found = []
    for _ in range(count):
        drawn = [words[k] for k in torch.randperm(len(words), generator=generator)[:COPIED].tolist()]
        place = int(torch.randint(6, 18, (1,), generator=generator))
        inputs, _ = language.fed.of_ids([drawn + drawn[:place]])
        if int(known.model.predict(inputs)[0].argmax()) == drawn[place]:
            found.append((inputs, place))
    return found


def copied(table: dict[str, Asked], prompts: list[tuple[Tokens, int]]) -> None:
    print(f"\ncopied tokens: {len(prompts)} of {PROMPTS} prompts right")
    print(f"{'method':46s}{'first [95%]':18s}prompts  CPU s each")
    print(f"{'chance':46s}{1 / COPIED:.2f}")
    places = [place for _, place in prompts]
    best = max(places.count(place) for place in places) / len(places)
    print(f"{'trivial control: the commonest place':46s}{best:.2f}")
    for name, asked in table.items():
        began, hits = time.process_time(), 0
        try:
            mine = prompts[:FEW] if name in SLOW else prompts
            for inputs, place in mine:
                wanted = LogProbability(int(inputs.ids[place]))  # by its number: along a path another may be predicted
                hits += int(asked(inputs, wanted)[:COPIED].argmax()) == place
        except attar.AttarError as problem:
            print(f"{name:46s}refused: {str(problem)[:70]}")
            continue
        low, high = wilson(hits, len(mine))
        each = (time.process_time() - began) / len(mine)
        print(
            f"{name:46s}{f'{hits / len(mine):.2f} [{low:.2f}, {high:.2f}]':20s}{len(mine):3d}  {each:.2f}", flush=True
        )


torch.set_num_threads(1)
language = load_language()
known = as_pretrained(language)
embedding = language.fed.embedding
absent = {
    "mean": language.absent,
    "end of text": InsteadOf("end", embedding[language.end]),
    "“the”": InsteadOf("the", embedding[language.fed.encode.encode(" the").ids[0]]),
    "zero": InsteadOf("zero", torch.zeros_like(embedding[0])),
}
table: dict[str, Asked] = {
    **{f"occlusion, {name}": ours(Occlusion(by=TOKENS, baseline=each)) for name, each in absent.items()},
    "shapley, mean": ours(Shapley(by=TOKENS, background=absent["mean"], budget=BUDGET)),
    "lime, mean": ours(Lime(by=TOKENS, background=absent["mean"], budget=BUDGET)),
    "integrated-gradients, mean": ours(IntegratedGradients(baseline=absent["mean"], budget=50)),
    "gradient-input": ours(GradInput()),
    "gradient-input, mean": ours(GradInput(baseline=absent["mean"])),
    "gradient": ours(Gradient()),
    "gradient, length": ours(Gradient(), size=True),
    "attention-rollout, last token": ours(AttentionRollout(token=-1)),
    "lrp": ours(LRP()),
    "Captum FeatureAblation, zero": theirs(FeatureAblation, feature_mask=by_token),
    "Captum FeatureAblation, end of text": theirs(FeatureAblation, feature_mask=by_token, baselines=ended),
    "Captum IntegratedGradients, zero": theirs(TheirIntegratedGradients, n_steps=50, internal_batch_size=10),
    "Captum IntegratedGradients, zero, length": theirs(
        TheirIntegratedGradients, size=True, n_steps=50, internal_batch_size=10
    ),
    "Captum InputXGradient": theirs(InputXGradient),
    "Captum Saliency (signed), length": theirs(Saliency, size=True, abs=False),
}
SLOW = [name for name in table if name.startswith(("shapley", "lime", "integrated", "Captum Integrated"))]
if __name__ == "__main__":
    table = {name: asked for name, asked in table.items() if not sys.argv[1:] or name.startswith(tuple(sys.argv[1:]))}
    france(table)
    copied(table, copies(PROMPTS, SEED))
