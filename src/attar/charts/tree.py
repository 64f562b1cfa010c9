"""A pruned tree as a picture: the questions it asks, and what it says where they end."""

import textwrap
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from sklearn.utils.validation import check_is_fitted

from attar.core.surface import GREY, INK, cut, surface, title
from attar.design.conditions import Condition, merged
from attar.design.pruned_tree import LeafRule, PrunedTreeClassifier, PrunedTreeRegressor
from attar.design.wording import Wording, percent, short

_LEAF, _WIDE = 44, 195  # pixels down for a leaf, and across for a question
_TURN = 0.2  # of a question's width: where the branch to it turns
_LETTERS = 17  # of a question's line
BRANCH = "#b4bbc6"


def tree(model: PrunedTreeClassifier | PrunedTreeRegressor, *, ax: Axes | None = None) -> Axes:
    """From left to right the questions, the upper branch where a column lies above the threshold; at the right each
    leaf's answer, with the share of the training rows there that are of that class (or their mean), its 95% interval
    and how many rows. A branch is as wide as the share of rows that take it. Returns the axes.
    """
    check_is_fitted(model)
    inner = model.tree_
    said = {frozenset(_key(c) for c in rule.conditions): rule for rule in model.rules()}
    nodes = _laid_out(inner, model, said)
    leaves, depth = sum(node.rule is not None for node in nodes.values()), max(node.depth for node in nodes.values())
    weight = inner.weighted_n_node_samples / inner.weighted_n_node_samples[0]
    with surface(ax, tall=60 + _LEAF * leaves, wide=200 + _WIDE * max(1, depth)) as axes:
        for node in nodes.values():
            for child, branch in zip(node.children, ("no", "yes"), strict=False):
                to = nodes[child]
                turn = to.depth - _TURN
                axes.plot(
                    [node.depth, turn, turn, to.depth],
                    [node.height, node.height, to.height, to.height],
                    color=BRANCH,
                    linewidth=1 + 7 * float(weight[child]),
                    solid_joinstyle="round",
                    zorder=0,
                )
                axes.annotate(
                    branch, (turn, to.height), xytext=(5, 5), textcoords="offset points", fontsize="small", color=GREY
                )
            box: Any = {"boxstyle": "round,pad=0.35", "facecolor": "white", "edgecolor": GREY}
            if node.rule is None:
                axes.text(node.depth, node.height, node.asked, ha="left", va="center", color=INK, bbox=box)
            else:
                axes.text(node.depth + 0.02, node.height, _answer(node.rule), ha="left", va="center", color=INK)
        axes.set_xlim(-0.06, depth + 150 / _WIDE)
        axes.set_ylim(-0.6, leaves - 0.4)
        axes.set_axis_off()
        rows = short(float(inner.weighted_n_node_samples[0]))
        title(axes, f"{leaves} leaves, learnt from {rows} rows; a branch is as wide as the share of rows that take it")
    return axes


@dataclass(frozen=True)
class _Node:
    depth: float
    height: float
    asked: str
    children: tuple[int, ...]
    rule: LeafRule | None


def _laid_out(inner: Any, model: Any, said: dict[frozenset, LeafRule]) -> dict[int, _Node]:
    """Leaves at even heights, one above the other; a question in the middle between its two sides."""
    names = Wording.of(model, None, None)
    nodes: dict[int, _Node] = {}
    height = 0

    def place(node: int, depth: int, path: tuple[Condition, ...]) -> float:
        nonlocal height
        left, right = int(inner.children_left[node]), int(inner.children_right[node])
        if left < 0:
            rule = said[frozenset(_key(c) for c in merged(path))]
            nodes[node] = _Node(depth, height, "", (), rule)
            height += 1
            return height - 1
        column, end = int(inner.feature[node]), float(inner.threshold[node])
        name = names.name(column)
        below = place(left, depth + 1, (*path, Condition(column, name, high=end)))
        above = place(right, depth + 1, (*path, Condition(column, name, low=end)))
        asked = "\n".join(textwrap.wrap(f"{cut(name)} > {short(end)}?", _LETTERS))
        nodes[node] = _Node(depth, (below + above) / 2, asked, (left, right), None)
        return (below + above) / 2

    place(0, 0, ())
    return nodes


def _key(condition: Condition) -> tuple[int, float, float]:
    return condition.column, condition.low, condition.high


def _answer(rule: LeafRule) -> str:
    if rule.of_class:
        return (
            f"{rule.prediction}: {percent(rule.estimate)} of {short(rule.n)}\n"
            f"95%: {percent(rule.low)} to {percent(rule.high)}"
        )
    around = "unbounded" if np.isinf(rule.low) else f"{short(rule.low)} to {short(rule.high)}"
    return f"{short(rule.estimate)}, mean of {short(rule.n)}\n95%: {around}"
