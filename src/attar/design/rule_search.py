"""The best ordered list of rules, by branch and bound, with a proof of how good it is."""

import heapq
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

_TIE = 1e-12


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """What the search proved: no list of at most so many rules, out of the candidates, has an objective (share of
    errors plus `price` for each rule, on the rows it was learnt from) below `bound`. `nodes` lists were looked at."""

    objective: float
    bound: float
    nodes: int

    @property
    def optimal(self) -> bool:
        return self.objective - self.bound <= 1e-9


def best_list(
    captures: Bool[np.ndarray, "rules rows"],
    of_class: Float[np.ndarray, "rows classes"],
    *,
    most: int,
    price: float,
    nodes: int,
) -> tuple[tuple[int, ...], Certificate]:
    """The rules of the best list, in order, and what is proved of it. After the last rule comes the likeliest class.

    Lists grow from the front, the one of the smallest bound first. A list is dropped where its errors so far, those
    that no rule can mend (rows that all candidates treat alike and that differ in class) and the price of one rule more
    reach the best list known; where one that leaves the same rows was no worse; and a rule where it captures less than
    its price. It ends after `nodes`, and not by the clock, so that it gives the same on every machine.
    Source: Angelino, Larus-Stone, Alabi, Seltzer & Rudin 2018, jmlr.org/papers/v18/17-716 (CORELS). We differ in more
    than two classes, weights, and in always saying the bound.
    """
    total = of_class.sum()
    groups, captured, held = _alike(captures, of_class)
    unmendable = held.sum(1) - held.max(1)
    everything = np.ones(groups, dtype=bool)
    best, chosen = (held.sum() - held.sum(0).max()) / total, ()
    ticket = count()
    waiting: list[Any] = [(unmendable.sum() / total, next(ticket), (), 0.0, everything, -1)]
    seen: dict[bytes, list[tuple[int, float]]] = {}
    used = 0
    columns = captured.astype(float)
    while waiting and used < nodes:
        bound, _, rules, errors, left, rule = heapq.heappop(waiting)
        if bound >= best - _TIE:
            waiting.clear()
            break
        if rule >= 0:
            left = left & ~captured[rule]
            rules = (*rules, rule)
        cost = errors / total + price * len(rules)
        known = seen.setdefault(np.packbits(left).tobytes(), [])
        if any(length <= len(rules) and other <= cost + _TIE for length, other in known):
            continue
        known.append((len(rules), cost))
        used += 1
        if len(rules) == most:
            continue
        here = held * left[:, None]
        caught = columns @ here
        size = caught.sum(1)
        wrong = errors + size - caught.max(1)
        rest = here.sum(0) - caught
        objective = (wrong + rest.sum(1) - rest.max(1)) / total + price * (len(rules) + 1)
        pays = size >= max(price * total, _TIE)
        objective = np.where(pays, objective, np.inf)
        first = int(np.argmin(objective)) if len(objective) else 0
        if len(objective) and objective[first] < best - _TIE:
            best, chosen = float(objective[first]), (*rules, first)
        mendable = columns @ (unmendable * left)
        ahead = (wrong + (unmendable @ left) - mendable) / total + price * (len(rules) + 2)
        for child in np.flatnonzero(pays & (ahead < best - _TIE)).tolist():
            if len(rules) + 1 < most:
                heapq.heappush(waiting, (float(ahead[child]), next(ticket), rules, float(wrong[child]), left, child))
    lowest = min([best, *(node[0] for node in waiting)])
    return chosen, Certificate(objective=float(best), bound=float(lowest), nodes=used)


def _alike(
    captures: Bool[np.ndarray, "rules rows"], of_class: Float[np.ndarray, "rows classes"]
) -> tuple[int, Bool[np.ndarray, "rules groups"], Float[np.ndarray, "groups classes"]]:
    """Rows that every rule treats alike as one."""
    if not len(captures):
        return 1, np.zeros((0, 1), dtype=bool), of_class.sum(0, keepdims=True)
    unique, place = np.unique(np.packbits(captures, axis=0), axis=1, return_inverse=True)
    held = np.zeros((unique.shape[1], of_class.shape[1]))
    np.add.at(held, place.ravel(), of_class)
    captured = np.unpackbits(unique, axis=0, count=len(captures)).astype(bool)
    return unique.shape[1], captured, held
