"""Rules that hold for real rows of a background, and the share of those rows that are answered like the example."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.special import ndtri
from torch import Tensor

from attar.core.error import half_widths
from attar.core.errors import InputError
from attar.core.parts import precise
from attar.estimation.ranges import Ranges
from attar.estimation.rules import Rules, between

_BEAM = 16  # rules that go on: the model is not asked, so they cost little
_LONGEST = 4  # conditions of a rule, unless none so short is precise enough
_MOST = 8
_COUNTED = 100_000_000  # conditions times rows


@dataclass(frozen=True, eq=False, kw_only=True)
class RowRules:
    """Search over one half of the background's rows, in the order of what they hold; measured on the other half.

    A condition is any run of bins around the example's own. A rule is precise enough where that is sure of the share
    with `confidence`, as far as the rows go that it was chosen by; of those rules the one that holds for most rows is
    taken, of equals the shorter; where there is none, that of the highest precision with one row more of each answer
    (Laplace's rule of succession).
    """

    ranges: Ranges
    rows: Float[Tensor, "background columns"]
    precision: float
    confidence: float
    seed: int
    widen: bool

    def __call__(self, same: Bool[Tensor, "batch background"]) -> Rules:
        bins = self.ranges.of_rows.cpu().numpy()
        order = np.lexsort(self.rows.cpu().numpy().T)
        drawn = order[np.random.default_rng(self.seed).permutation(len(order))]
        halves = drawn[: len(drawn) // 2], drawn[len(drawn) // 2 :]
        found = [self._one(bins, halves, each, k) for k, each in enumerate(same.cpu().numpy())]
        rule, low, high, figures, lost, errors = (np.stack(part) for part in zip(*found, strict=True))
        place = same.device
        held, asked, alike, used = (precise(torch.from_numpy(figures[:, k])).to(place) for k in range(4))
        ends = between(held, asked.clamp(min=1))
        none = asked == 0
        error = precise(torch.from_numpy(errors)).to(place)
        return Rules(
            rule=torch.from_numpy(rule).to(place),
            precision=held / asked.clamp(min=1),
            nothing=alike,
            low=torch.where(none, 0.0, ends[0]),
            high=torch.where(none, 1.0, ends[1]),
            lost=precise(torch.from_numpy(lost)).to(place),
            errors=error,
            bound=half_widths(error.sum(1), (asked.long() - 1).clamp(min=1)),
            coverage=asked / len(halves[1]),
            used=used.long(),
            ranges=replace(self.ranges, low=torch.from_numpy(low).to(place), high=torch.from_numpy(high).to(place)),
        )

    def _one(self, bins: np.ndarray, halves: tuple[np.ndarray, np.ndarray], same: np.ndarray, example: int) -> tuple:
        low, high = (end[example].cpu().numpy().copy() for end in (self.ranges.low, self.ranges.high))
        conditions = self._conditions(bins, example)
        if len(conditions) * len(bins) > _COUNTED:
            raise InputError(
                f"{len(conditions):,} conditions over {len(bins):,} rows are too many to count ({_COUNTED:,}): give "
                "fewer columns, rows or bins"
            )
        within = np.array([(bins[:, c] >= a) & (bins[:, c] <= b) for c, a, b in conditions], dtype=bool)
        within = within.reshape(len(conditions), len(bins))
        chosen = _best(
            within[:, halves[0]],
            same[halves[0]],
            [c for c, _, _ in conditions],
            self.precision,
            float(ndtri(self.confidence)),
        )
        columns, other = [conditions[k][0] for k in chosen], within[chosen][:, halves[1]]
        for column, a, b in (conditions[k] for k in chosen):
            low[column], high[column] = a, b
        rule = np.zeros(bins.shape[1], dtype=bool)
        rule[columns] = True
        measured = same[halves[1]]
        inside = other.all(0)
        lost, errors = np.zeros(bins.shape[1]), np.zeros(bins.shape[1])
        for place, column in enumerate(columns):
            beside = np.delete(other, place, 0).all(0) & ~inside
            lost[column], errors[column] = _let_in(measured[inside], measured[beside])
        figures = np.array([measured[inside].sum(), inside.sum(), measured.mean(), len(bins)], dtype=float)
        return rule, low, high, figures, lost, errors

    def _conditions(self, bins: np.ndarray, example: int) -> list[tuple[int, int, int]]:
        """Column, from which bin and up to which; the widest of those that hold for the same rows."""
        found = []
        ends = (self.ranges.first, self.ranges.low, self.ranges.high, self.ranges.last)
        for column, (first, low, high, last) in enumerate(zip(*(end[example].tolist() for end in ends), strict=True)):
            there = set(bins[:, column].tolist())
            starts = [k for k in range(first, low + 1) if k in (first, low) or k in there] if self.widen else [low]
            stops = [k for k in range(high, last + 1) if k in (high, last) or k in there] if self.widen else [high]
            found += [(column, a, b) for a in starts for b in stops if any(bin < a or bin > b for bin in there)]
        return found


def _best(
    within: Bool[np.ndarray, "conditions rows"],
    same: Bool[np.ndarray, " rows"],
    columns: list[int],
    precision: float,
    deviations: float,
) -> list[int]:
    """The conditions of the rule: the widest that is precise enough, or the most precise."""
    if _low(same.sum(), np.array(len(same)), deviations) >= precision or not len(within):
        return []
    holds, alike, column = within.astype(np.float32), (within & same).astype(np.float32), np.array(columns)
    front, best, likeliest = [([], np.ones(len(same), dtype=bool))], (0.0, []), (-1.0, [])
    for size in range(1, _MOST + 1):
        if size > _LONGEST and best[1]:
            break
        masks = np.array([mask for _, mask in front], dtype=np.float32)
        count, held = (masks @ holds.T).astype(float), (masks @ alike.T).astype(float)
        for place, (rule, _) in enumerate(front):
            held[place, np.isin(column, column[rule])] = count[place, np.isin(column, column[rule])] = 0
        sure = np.where(count > 0, _low(held, count, deviations), -1.0)
        wide = np.where(sure >= precision, count, 0)
        if wide.max() > best[0]:
            place, more = np.unravel_index(int(wide.argmax()), wide.shape)
            best = (float(wide.max()), [*front[place][0], int(more)])
        likely = np.where(count > 0, (held + 1) / (count + 2), -1.0)
        if likely.max() > likeliest[0]:
            place, more = np.unravel_index(int(likely.argmax()), likely.shape)
            likeliest = (float(likely.max()), [*front[place][0], int(more)])
        front = _front(front, within, np.where(count > best[0], sure, -1.0))  # a rule only ever holds for fewer
        if not front:
            break
    return sorted(best[1] or likeliest[1])


def _front(front: list, within: np.ndarray, worth: np.ndarray) -> list:
    """The best rules of one condition more, no two of which hold for the same rows."""
    found, seen = [], set()
    for k in np.argsort(-worth, axis=None, kind="stable")[: 8 * _BEAM]:
        place, more = np.unravel_index(int(k), worth.shape)
        mask = front[place][1] & within[more]
        if worth[place, more] < 0 or (key := mask.tobytes()) in seen:
            continue
        seen.add(key)
        found.append(([*front[place][0], int(more)], mask))
        if len(found) == _BEAM:
            break
    return found


def _low(held: np.ndarray, asked: np.ndarray, deviations: float) -> np.ndarray:
    """The lower end of a share's interval of so many standard deviations. Source: Wilson 1927."""
    asked, square = np.maximum(asked, 1), deviations**2
    share = held / asked
    middle = share + square / (2 * asked)
    return (middle - deviations * np.sqrt(share * (1 - share) / asked + square / (4 * asked**2))) / (1 + square / asked)


def _let_in(inside: Bool[np.ndarray, " rows"], beside: Bool[np.ndarray, " more"]) -> tuple[float, float]:
    """What the share of like answers loses when the rows `beside` are let in, and its standard error."""
    if not len(beside) or not len(inside):
        return 0.0, 0.0
    share = len(beside) / (len(inside) + len(beside))
    one, other = ((each.sum() + 1) / (len(each) + 2) for each in (inside, beside))
    variance = share**2 * (one * (1 - one) / (len(inside) + 2) + other * (1 - other) / (len(beside) + 2))
    variance += (one - other) ** 2 * share * (1 - share) / (len(inside) + len(beside))
    return share * float(inside.mean() - beside.mean()), float(np.sqrt(variance))
