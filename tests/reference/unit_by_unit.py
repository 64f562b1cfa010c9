"""DeepLIFT, LRP and guided backpropagation as they are defined: unit by unit, in Python's own numbers.

A network is a list of layers; values are nested lists that a layer's `units` index. Slow, and short enough to be read
against the papers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

Unit = tuple[int, ...]
Values = dict[Unit, float]


@dataclass(frozen=True)
class Weighted:
    """Each output unit's incoming connections: (input unit, weight), and its bias."""

    incoming: dict[Unit, list[tuple[Unit, float]]]
    bias: dict[Unit, float]
    convolution: bool = False

    def __call__(self, x: Values) -> Values:
        return {j: sum(x[i] * w for i, w in wires) + self.bias[j] for j, wires in self.incoming.items()}


@dataclass(frozen=True)
class Bend:
    function: Callable[[float], float]

    def __call__(self, x: Values) -> Values:
        return {i: self.function(value) for i, value in x.items()}


@dataclass(frozen=True)
class Largest:
    """Of each output unit the units it is the largest of."""

    groups: dict[Unit, list[Unit]]

    def __call__(self, x: Values) -> Values:
        return {j: max(x[i] for i in group) for j, group in self.groups.items()}


def dense(weight: Any, bias: Any, units: list[Unit]) -> Weighted:
    incoming = {(j,): [(i, float(w)) for i, w in zip(units, row, strict=True)] for j, row in enumerate(weight)}
    return Weighted(incoming, {(j,): float(b) for j, b in enumerate(bias)})


def convolution(weight: Any, bias: Any, height: int, width: int) -> Weighted:
    """Stride 1, no padding."""
    out, into, tall, wide = np.shape(weight)
    incoming: dict[Unit, list[tuple[Unit, float]]] = {}
    for j, r, c in product(range(out), range(height - tall + 1), range(width - wide + 1)):
        offsets = product(range(into), range(tall), range(wide))
        incoming[j, r, c] = [((i, r + a, c + b), float(weight[j][i][a][b])) for i, a, b in offsets]
    return Weighted(incoming, {unit: float(bias[unit[0]]) for unit in incoming}, convolution=True)


def pool(channels: int, height: int, width: int, size: int) -> Largest:
    places = product(range(channels), range(height // size), range(width // size))
    window = list(product(range(size), range(size)))
    return Largest({(k, r, c): [(k, r * size + a, c * size + b) for a, b in window] for k, r, c in places})


def run(layers: list[Any], x: Values) -> list[Values]:
    """The values before each layer, and the answer."""
    values = [x]
    for layer in layers:
        values.append(layer(values[-1]))
    return values


def as_values(array: Any) -> Values:
    return {tuple(map(int, unit)): float(array[unit]) for unit in np.ndindex(*np.shape(array))}


# --- DeepLIFT ---


def multipliers(layers: list[Any], x: Values, start: Values, output: Unit) -> Values:
    """Shrikumar et al. 2017, the chain rule (eq. 3) with the linear rule and the rescale rule."""
    now, before = run(layers, x), run(layers, start)
    above: Values = {output: 1.0}
    for layer, a, a0, b, b0 in reversed(list(zip(layers, now, before, now[1:], before[1:], strict=False))):
        below = dict.fromkeys(a, 0.0)
        for j, m in above.items():
            if isinstance(layer, Weighted):
                for i, w in layer.incoming[j]:
                    below[i] += m * w
            elif isinstance(layer, Bend):
                below[j] += m * (b[j] - b0[j]) / (a[j] - a0[j])
            else:
                rose = b[j] >= b0[j]
                values = a if rose else a0
                winner = max(layer.groups[j], key=lambda i: values[i])
                below[winner] += m * (b[j] - b0[j]) / (a[winner] - a0[winner])
        above = below
    return above


# --- LRP ---


def relevance(layers: list[Any], x: Values, output: Unit, rules: dict[int, Callable[..., Values]]) -> Values:
    """`rules[k]` shares out what a unit of layer k counts: (unit, layer, its inputs, its value, relevance)."""
    values = run(layers, x)
    above: Values = {output: values[-1][output]}
    for k, layer in reversed(list(enumerate(layers))):
        below = dict.fromkeys(values[k], 0.0)
        for j, r in above.items():
            if isinstance(layer, Weighted):
                for i, share in rules[k](j, layer, values[k], values[k + 1][j], r).items():
                    below[i] += share
            elif isinstance(layer, Bend):
                below[j] += r
            else:
                below[max(layer.groups[j], key=lambda i: values[k][i])] += r
        above = below
    return above


def epsilon_rule(epsilon: float) -> Callable[..., Values]:
    def share(j: Unit, layer: Weighted, x: Values, z: float, r: float) -> Values:
        return {i: x[i] * w / (z + (epsilon if z >= 0 else -epsilon)) * r for i, w in layer.incoming[j]}

    return share


def gamma_rule(gamma: float) -> Callable[..., Values]:
    def share(j: Unit, layer: Weighted, x: Values, z: float, r: float) -> Values:
        def favoured(part: float) -> float:
            return part + gamma * (max(part, 0.0) if z >= 0 else min(part, 0.0))

        parts = {i: favoured(x[i] * w) for i, w in layer.incoming[j]}
        return {i: part / (sum(parts.values()) + favoured(layer.bias[j])) * r for i, part in parts.items()}

    return share


def alpha_beta_rule(alpha: float, beta: float) -> Callable[..., Values]:
    def share(j: Unit, layer: Weighted, x: Values, _z: float, r: float) -> Values:
        parts = {i: x[i] * w for i, w in layer.incoming[j]}
        up = sum(max(part, 0.0) for part in parts.values()) + max(layer.bias[j], 0.0)
        down = sum(min(part, 0.0) for part in parts.values()) + min(layer.bias[j], 0.0)
        return {
            i: ((alpha * max(p, 0.0) / up if up else 0.0) - (beta * min(p, 0.0) / down if down else 0.0)) * r
            for i, p in parts.items()
        }

    return share


def box_rule(low: float, high: float) -> Callable[..., Values]:
    def share(j: Unit, layer: Weighted, x: Values, _z: float, r: float) -> Values:
        parts = {i: x[i] * w - low * max(w, 0.0) - high * min(w, 0.0) for i, w in layer.incoming[j]}
        return {i: part / sum(parts.values()) * r for i, part in parts.items()}

    return share


def squares_rule(j: Unit, layer: Weighted, _x: Values, _z: float, r: float) -> Values:
    return {i: w**2 / sum(v**2 for _, v in layer.incoming[j]) * r for i, w in layer.incoming[j]}


# --- guided backpropagation ---


def guided(layers: list[Any], x: Values, output: Unit) -> Values:
    values = run(layers, x)
    above: Values = {output: 1.0}
    for k, layer in reversed(list(enumerate(layers))):
        below = dict.fromkeys(values[k], 0.0)
        for j, g in above.items():
            if isinstance(layer, Weighted):
                for i, w in layer.incoming[j]:
                    below[i] += g * w
            elif isinstance(layer, Bend):
                below[j] += g if g > 0 and values[k][j] > 0 else 0.0
            else:
                below[max(layer.groups[j], key=lambda i: values[k][i])] += g
        above = below
    return above
