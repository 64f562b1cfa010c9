"""Planted problems: a clean question and one fault put into it, so that what an audit should say is known."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from attar.core.errors import InputError
from attar.core.recipe import Explained, Fitted, Recipe
from attar.evaluation.accuracy import accuracies
from attar.evaluation.truth import TruthMasks
from attar.experiments.task import Task
from attar.pitfalls.imperfect_model import flipped
from attar.pitfalls.spurious_correlation import put_on, with_groups


def with_shortcut(task: Task, groups: Sequence[str], share: float, *, seed: int = 0) -> Task:
    """The groups are put on that share of the positives, training and test alike, their label by the rule unchanged."""
    generator = np.random.default_rng([seed, 41])
    examples = list(task.examples)
    for k in np.flatnonzero(task.labels > 0.5).tolist():
        if generator.random() < share:
            examples[k] = _with_all(task, examples[k], groups, generator) or examples[k]
    return replace(task, examples=tuple(examples))


def with_noise(task: Task, share: float, *, seed: int = 0) -> Task:
    """That share of all labels is turned round."""
    return replace(task, labels=flipped(task.labels, share, seed))


def with_few(task: Task, count: int, *, seed: int = 0) -> Task:
    """So many training examples are left, half of them positive."""
    generator = np.random.default_rng([seed, 43])
    kept = task.test.copy()
    for label in (0.0, 1.0):
        there = np.flatnonzero(task.train & (task.labels == label))
        kept[generator.permutation(there)[: count // 2]] = True
    index = np.flatnonzero(kept)
    return replace(
        task, examples=tuple(task.examples[k] for k in index), labels=task.labels[index], test=task.test[index]
    )


def with_biased_slice(task: Task, group: str, share: float, *, seed: int = 0) -> Task:
    """The group is put on that share of all examples, and in training every one that has it is labelled negative."""
    generator = np.random.default_rng([seed, 47])
    examples, labels = list(task.examples), task.labels.copy()
    for k in range(len(examples)):
        if generator.random() < share:
            edited = _with_all(task, examples[k], (group,), generator)
            if edited is not None:
                examples[k] = edited
                labels[k] = 0.0 if task.train[k] else labels[k]
    return replace(task, examples=tuple(examples), labels=labels)


@dataclass(frozen=True)
class Altered:
    """A recipe whose models are changed once they are fitted."""

    recipe: Recipe
    change: Callable[[Any, int], Any]

    @property
    def name(self) -> str:
        return self.recipe.name

    @property
    def methods(self) -> tuple[str, ...]:
        return self.recipe.methods

    @property
    def seeds_matter(self) -> bool:
        return self.recipe.seeds_matter

    def fit(self, examples: Sequence[Any], labels: np.ndarray, seed: int) -> Fitted:
        fitted: Any = self.recipe.fit(examples, labels, seed)
        return replace(fitted, model=self.change(fitted.model, seed))


def randomised(model: Any, seed: int) -> Any:
    """Every weight is drawn anew, with the spread that its array had."""
    generator = np.random.default_rng([seed, 53])
    if hasattr(model, "coef_"):
        model.coef_ = generator.standard_normal(model.coef_.shape) * model.coef_.std()
        return model
    for parameter in model.module.parameters():
        drawn = torch.from_numpy(generator.standard_normal(tuple(parameter.shape))).to(parameter)
        spread = parameter.detach().std() if parameter.numel() > 1 else parameter.new_tensor(1.0)
        parameter.data = drawn * spread
    return model


def shaken(model: Any, seed: int, *, by: float = 0.7) -> Any:
    """Every weight is moved by a normal number, `by` times its array's own spread: another seed, other weights."""
    generator = np.random.default_rng([seed, 67])
    if hasattr(model, "coef_"):
        model.coef_ = model.coef_ + by * model.coef_.std() * generator.standard_normal(model.coef_.shape)
        return model
    for parameter in model.module.parameters():
        drawn = torch.from_numpy(generator.standard_normal(tuple(parameter.shape))).to(parameter)
        spread = parameter.detach().std() if parameter.numel() > 1 else parameter.new_tensor(0.0)
        parameter.data = parameter.data + by * drawn * spread
    return model


class Saturating(nn.Module):
    """A network whose output is squeezed between -`limit` and `limit`, so that it hardly changes where it is sure."""

    def __init__(self, module: nn.Module, *, limit: float = 4.0, steepness: float = 4.0) -> None:
        super().__init__()
        self.module, self.limit, self.steepness = module, limit, steepness

    def forward(self, *arrays: Tensor) -> Tensor:
        return self.limit * torch.tanh(self.steepness * self.module(*arrays) / self.limit)


def saturated(model: Any, seed: int) -> Any:  # noqa: ARG001
    """Ranks examples as it did, but for ties; only networks can be."""
    return replace(model, module=Saturating(model.module).eval())


@dataclass(frozen=True)
class Effect:
    """What a planted group does to a fitted model: `pull`, what putting it on negatives without it adds to the logit,
    in units of the gap between the classes, and how well the attribution finds the rule's parts (`rule`) and the
    group's (`group`) in held-out positives that hold both."""

    pull: float
    rule: float
    group: float


def effect(
    task: Task, fitted: Fitted, method: str, groups: Sequence[str], *, seed: int = 0, at_most: int = 150
) -> Effect:
    """Measured with the group known, which an audit is not told. Raises `InputError` where it fits on no example."""
    generator = np.random.default_rng([seed, 59])
    held_out = [task.examples[k] for k in np.flatnonzero(task.test)]
    labels = task.labels[task.test]
    positive = [e for e, y in zip(held_out, labels, strict=True) if y > 0.5 and task.true_parts(e)]
    negative = [e for e, y in zip(held_out, labels, strict=True) if y < 0.5][:at_most]
    put = put_on(negative, groups, editor=task.domain.editor, keeps=task.keeps, generator=generator)
    both = [after for e in positive[:at_most] if (after := _with_all(task, e, groups, generator)) is not None]
    if not put or not both:
        raise InputError(f"{', '.join(groups)} fits on no held-out {task.domain.example}")
    before, after = fitted.predict([negative[k] for k, _ in put]), fitted.predict([a for _, a in put])
    gap = float(fitted.predict(positive).mean() - fitted.predict(negative).mean())
    explained: Explained = fitted.explained(both, method)
    values, truths = explained.values(), [task.truth(e) for e in both]
    known = [(v, t) for v, t in zip(values, truths, strict=True) if t is not None and t.tells]
    rule = [a.best for a in accuracies([v for v, _ in known], [t for _, t in known])]
    other = [_group_masks(task, e, groups) for e in both]
    group = [a.union for a in accuracies(values, other)]
    pull = float((after - before).mean() / gap) if gap > 0 else float("nan")
    return Effect(pull, float(np.nanmean(rule)), float(np.nanmean(group)))


def _group_masks(task: Task, example: Any, groups: Sequence[str]) -> TruthMasks:
    parts = frozenset[int]().union(*(p for g in groups for p in task.domain.editor.places(example, g)))
    mask = np.isin(np.arange(task.domain.size(example)), sorted(parts))
    return TruthMasks(mask[None], mask, {})


def _with_all(task: Task, example: Any, groups: Sequence[str], generator: np.random.Generator) -> Any | None:
    return with_groups(example, groups, editor=task.domain.editor, keeps=task.keeps, generator=generator)
