"""True of the model, by valid examples alone: whether groups with larger values take more from the output."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from attar.core.editor import Editor
from attar.core.recipe import Fitted
from attar.evaluation.consistency import rho
from attar.evaluation.score import Score, scored
from attar.evaluation.subject import subject

FEWEST = 2  # groups of an example that can go, below which nothing can be ranked


def group_removal(
    fitted: Fitted,
    method: str,
    examples: Sequence[Any],
    editor: Editor,
    *,
    most: int = 8,
    draws: int = 39,
    seed: int = 0,
) -> Score:
    """Spearman's ρ, for each example, between what a group's parts are worth together (the sum of their values) and
    what the logit loses when the group is taken out: 1 is best.

    Groups are the editor's (substituents and rings, words, shapes), so that the model is asked about examples of the
    kind it knows, not about ones with holes; groups that share no part are compared, up to `most`: half of them those
    of the largest sums, whatever their sign, half any others. Chance are random values on the same groups. An example
    of which fewer than two groups can go has no score. Asks the model about at most 1 + `most` examples for each.
    Misleads where taking a group out puts something else there that the model knows.
    """
    said = subject(fitted.explain(examples, method))
    pieces = said.owner.bincount(minlength=said.count).tolist()
    values = said.values.split(pieces)
    drawn = said.drawn(said.keys, draws=draws, seed=seed).split(pieces, dim=1)
    edited: list[Any] = []
    sums: list[torch.Tensor] = []  # of each example's groups: the method's values first, then random ones
    for example, key, own, random in zip(examples, said.keys.tolist(), values, drawn, strict=True):
        generator = np.random.default_rng([seed, 61, key])
        tables = torch.cat([own[None], random])
        groups, without = _taken_out(example, own.numpy(), editor, most, generator)
        edited += without
        sums.append(torch.stack([tables[:, parts].sum(-1) for parts in groups], -1) if groups else tables[:, :0])
    whole = fitted.predict(examples)
    left = np.split(fitted.predict(edited) if edited else np.zeros(0), np.cumsum([s.shape[-1] for s in sums])[:-1])
    table = np.full((1 + draws, len(examples)), np.nan)
    for k, (worth, z, rest) in enumerate(zip(sums, whole, left, strict=True)):
        if worth.shape[-1] >= FEWEST:
            lost = torch.from_numpy(z - rest).expand(worth.shape)
            table[:, k] = rho(worth, lost, torch.ones(worth.shape[-1], dtype=torch.bool)).numpy()
    return scored("groups taken out (Spearman)", table[:1], table[1:], worst=-1.0, best=1.0)


def _taken_out(
    example: Any, values: np.ndarray, editor: Editor, most: int, generator: np.random.Generator
) -> tuple[list[list[int]], list[Any]]:
    """The parts of groups that share none, and the example without each."""
    places: dict[str, frozenset[int]] = {}
    for group in editor.groups(example):
        places[group.name] = places.get(group.name, frozenset()) | group.parts
    able = [(name, parts) for name, parts in places.items() if 0 < len(parts) <= len(values) / 2]
    largest = sorted(able, key=lambda each: -abs(values[sorted(each[1])].sum()))
    others = [able[k] for k in generator.permutation(len(able)).tolist()]
    taken: set[int] = set()
    groups: list[list[int]] = []
    without: list[Any] = []
    for enough, candidates in ((most // 2, largest), (most, others)):
        for name, parts in candidates:
            if len(groups) >= enough:
                break
            if not parts & taken and (edited := editor.remove(example, name, generator)) is not None:
                taken |= parts
                groups.append(sorted(parts))
                without.append(edited)
    return groups, without
