"""Beam search for a rule that holds the answer, where there are too many to ask every one."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from attar.core.error import half_widths
from attar.core.parts import precise
from attar.estimation.ranges import Ranges, widened
from attar.estimation.rules import Chance, Perturbed, Rules, Tally, between, first_best

_BATCH = 64  # draws of a rule at a time
_MOST = 1024  # draws to decide whether a rule is precise enough
_POOLED = 8  # batches of draws that count for every feature more
_ROUNDS = 8  # of draws to tell the next features apart
_CLOSE = 0.1  # precisions that need not be told apart


@dataclass(eq=False, kw_only=True)
class Search:
    """Beam search for a rule that is precise enough, for one target and all examples in step.

    Rules of one size are asked until it is clear whether each is precise enough. Where none is, the features to add are
    those with which the answer holds most often while coins keep some of the others. One draw with coins counts for
    every feature that its coins kept; then features are told apart by KL-LUCB: of those in front the least sure and of
    the others the most promising are drawn, until the two are close. What was found is measured on fresh draws, which
    know nothing of having been chosen.
    Source: Ribeiro et al. 2018, algorithm 2; Kaufmann & Kalyanakrishnan 2013, section 4 (KL-LUCB; here with a union
    over looks at batches). Draws that count for many features, and the fresh ones, are ours.
    """

    perturbed: Perturbed
    examples: Int[Tensor, " batch"]
    features: int
    precision: float
    confidence: float
    beam: int
    budget: int
    seed: int
    widen: bool
    used: Int[Tensor, " batch"] = field(init=False)
    decided: Int[Tensor, " batch"] = field(init=False)  # draws that the chosen rule needed

    def __post_init__(self) -> None:
        self.used = torch.zeros_like(self.examples)
        self.decided = torch.zeros_like(self.examples)
        self.batch = max(1, min(_BATCH, self.budget // 32))

    def best(self) -> Rules:
        device, batch = self.examples.device, len(self.examples)
        beam = _Beam.of_nothing(batch, self.features, device)
        found, nothing = beam.rules[:, 0].clone(), beam.asked[:, 0]
        working, sure = torch.ones(batch, dtype=torch.bool, device=device), beam.alive[:, 0] & False
        for size in range(self.features + 1):
            low = self._verified(beam, working, size, seed=size)
            passed = beam.alive & (low >= self.precision) & working[:, None]
            mean = beam.held / beam.asked.clamp(min=1)
            nothing = mean[:, 0] if size == 0 else nothing
            score = torch.where(beam.alive, low, -1.0)
            example, place = passed.nonzero().unbind(1)
            covered = self.perturbed.covered(self.examples[example], beam.rules[example, place])
            score[example, place] = 1 + covered + 1e-6 * mean[example, place]
            best = first_best(score)
            each = torch.arange(batch, device=device)
            found[working] = beam.rules[each, best][working]
            self.decided[working] = beam.asked[each, best].long()[working]
            sure = sure | passed.any(1)
            working = working & ~passed.any(1) & self._affords(2 * self.beam * self.batch)
            if size == self.features or not bool(working.any()):
                break
            beam = self._extended(beam, working, size)
        if self.widen and (ranges := self.perturbed.ranges) is not None:
            found = self._widened(ranges, found, sure)
        return self._measured(found, nothing)

    def _widened(self, ranges: Ranges, rule: Tensor, sure: Bool[Tensor, " batch"]) -> Tensor:
        """The rules over ranges as wide as they stay precise enough; looks are counted on from those of the search, of
        each example by itself: that of others may have gone on for longer."""
        tries, sizes = itertools.count(), rule.sum(1, keepdim=True) + 1

        def enough(trial: Ranges, rule: Tensor, working: Tensor) -> Tensor:
            self.perturbed, asked = replace(self.perturbed, ranges=trial), next(tries)
            beam = _Beam.of(rule[:, None], working[:, None])
            low = self._verified(beam, working, sizes + asked, seed=self.features + 2 + asked)[:, 0]
            passed = working & (low >= self.precision)
            self.decided[passed] = beam.asked[:, 0].long()[passed]
            return passed

        ranges, rule = widened(ranges, self.examples, rule, sure, enough)
        self.perturbed = replace(self.perturbed, ranges=ranges)
        return rule

    def _affords(self, cost: Tensor | int) -> Bool[Tensor, " batch"]:
        """A quarter of the budget is for measuring what was found."""
        return self.used + cost <= self.budget - self.budget // 4

    def _verified(
        self, beam: "_Beam", working: Tensor, size: int | Int[Tensor, "batch 1"], *, seed: int
    ) -> Float[Tensor, "batch beam"]:
        """The lower bounds of the rules' precision, asked until it is clear on which side of the wanted one it is."""
        looks = 0
        while True:
            own_looks = (beam.asked / self.batch).clamp(min=1)  # of each rule: others may be asked for longer
            rate = 6 * self.beam * (size + 1) ** 2 * own_looks.square() / (1 - self.confidence)
            low, high = _bounds(beam.held, beam.asked, rate.log())
            go = beam.alive & working[:, None] & (low < self.precision) & (high >= self.precision)
            go &= self._affords(go.sum(1) * self.batch)[:, None]
            if looks * self.batch >= _MOST or not bool(go.any()):
                return low
            example, place = go.nonzero().unbind(1)
            chance = self._chance((seed, 0, looks), coins=False)
            same = self.perturbed.answers(self.examples[example], beam.rules[example, place], chance)[0]
            beam.asked[go] += self.batch
            beam.held[go] += same.sum(1)
            if not self.perturbed.rows:
                beam.count(go, same, chance)
            self.used += go.sum(1) * self.batch
            looks += 1

    def _extended(self, beam: "_Beam", working: Bool[Tensor, " batch"], size: int) -> "_Beam":
        """The best rules of one feature more."""
        go = beam.alive & working[:, None]
        for pooled in range(_POOLED):
            go &= self._affords(go.sum(1) * self.batch)[:, None]
            example, place = go.nonzero().unbind(1)
            if len(example):
                chance = self._chance((size, 1, pooled), coins=True)
                rules = beam.rules[example, place]
                beam.count(go, self.perturbed.answers(self.examples[example], rules, chance)[0], chance)
                self.used += go.sum(1) * self.batch
        more, asked, held = (array.flatten(1) for array in (beam.distinct(), beam.more_asked, beam.more_held))
        front, going = min(self.beam, more.shape[1]), working
        for looks in range(1, _ROUNDS + 1):
            order, ahead = _front(more, asked, held, front)
            rate = 6 * more.shape[1] * looks**2 / (1 - self.confidence)
            low, high = _bounds(held, asked, torch.full_like(held, rate).log())
            weak = torch.where(ahead, low, torch.inf).min(1)
            strong = torch.where(more & ~ahead, high, -torch.inf).max(1)
            going = going & (strong.values - weak.values > _CLOSE) & self._affords(2 * self.batch)
            if not bool(going.any()):
                break
            go = torch.zeros_like(more).scatter(1, torch.stack([weak.indices, strong.indices], 1), True)
            go &= going[:, None]
            example, arm = go.nonzero().unbind(1)
            chance = self._chance((size, 2, looks), coins=True)
            same = self.perturbed.answers(self.examples[example], beam.with_more(example, arm), chance)[0]
            asked[go] += self.batch
            held[go] += same.sum(1)
            self.used += go.sum(1) * self.batch
        order, ahead = _front(more, asked, held, front)
        return beam.chosen(order[:, :front], ahead.gather(1, order[:, :front]))

    def _chance(self, seed: tuple[int, ...], *, coins: bool) -> Chance:
        """The same for every example that is asked at this point, in whatever company."""
        generator = np.random.default_rng([self.seed, self.features, *seed])
        return self.perturbed.draws(self.batch, self.features, generator, coins=coins)

    def _measured(self, rule: Bool[Tensor, "batch features"], nothing: Float[Tensor, " batch"]) -> Rules:
        """The precision of each rule, and of it without each of its features, on the same fresh draws."""
        size, rows = rule.sum(1), self.perturbed.rows
        most = ((self.budget - 1 - self.used) // (1 + size)).clamp(min=1)
        wanted = torch.minimum((2 * self.decided).clamp(min=2 * self.batch), most)
        every = (wanted >= rows) & (rows > 0)
        tally = Tally.of(rule)
        for chance, some in (*self._all_rows(every), *self._fresh(torch.where(every, 0, wanted))):
            tally.add(self.perturbed, self.examples, chance, some)
        self.used += tally.asked.long() * (1 + size)
        held, errors = tally.held / tally.asked, torch.where(every[:, None], 0.0, tally.errors())
        low, high = (torch.where(every, held, end) for end in between(tally.held, tally.asked))
        return Rules(
            rule=rule,
            precision=held,
            nothing=nothing,
            low=low,
            high=high,
            lost=(tally.ahead - tally.behind) / tally.asked[:, None],
            errors=errors,
            bound=half_widths(errors.sum(1), (tally.asked.long() - 1).clamp(min=1)),
            coverage=self.perturbed.covered(self.examples, rule),
            used=self.used,
            ranges=self.perturbed.ranges,
        )

    def _all_rows(self, some: Bool[Tensor, " batch"]) -> Iterator[tuple[Chance, Tensor]]:
        if bool(some.any()):
            yield self.perturbed.every_row(self.features), some

    def _fresh(self, wanted: Int[Tensor, " batch"]) -> Iterator[tuple[Chance, Tensor]]:
        """Batches of draws, the last ones of an example cut to what it wants."""
        for first in range(0, int(wanted.max()), self.batch):
            chance = self._chance((self.features + 1, first), coins=False)
            left = (wanted - first).clamp(0, self.batch)
            for draws in left.unique().tolist():
                if draws:
                    yield chance.first(draws), left == draws


@dataclass(eq=False, kw_only=True)
class _Beam:
    """Rules of one size, how often each was asked and held, and the same of each with one feature more."""

    rules: Bool[Tensor, "batch beam features"]
    alive: Bool[Tensor, "batch beam"]
    asked: Float[Tensor, "batch beam"]
    held: Float[Tensor, "batch beam"]
    more_asked: Float[Tensor, "batch beam features"]
    more_held: Float[Tensor, "batch beam features"]

    @classmethod
    def of(cls, rules: Tensor, alive: Tensor) -> "_Beam":
        none, more = precise(torch.zeros_like(alive, dtype=torch.float32)), precise(torch.zeros_like(rules).float())
        return cls(rules=rules, alive=alive, asked=none, held=none.clone(), more_asked=more, more_held=more.clone())

    @classmethod
    def of_nothing(cls, count: int, features: int, device: torch.device) -> "_Beam":
        rules = torch.zeros(count, 1, features, dtype=torch.bool, device=device)
        return cls.of(rules, torch.ones(count, 1, dtype=torch.bool, device=device))

    def count(self, go: Bool[Tensor, "batch beam"], same: Float[Tensor, "rules draws"], chance: Chance) -> None:
        """Draws of a rule are draws of it with each feature more that its coin kept."""
        coins = chance.coins.to(same)
        self.more_asked[go] += coins.sum(0)
        self.more_held[go] += same @ coins

    def distinct(self) -> Bool[Tensor, "batch beam features"]:
        """Which features can be added to which rule so that no two become the same."""
        more = self.alive[..., None] & ~self.rules
        for later in range(self.rules.shape[1]):
            for earlier in range(later):
                lacking = self.rules[:, earlier] & ~self.rules[:, later]
                same = (lacking.sum(1) == 1) & self.alive[:, earlier]
                more[:, later] &= ~(lacking & same[:, None])
        return more

    def with_more(self, example: Int[Tensor, " rules"], arm: Int[Tensor, " rules"]) -> Bool[Tensor, "rules features"]:
        features = self.rules.shape[2]
        return self.rules[example, arm // features].scatter(1, (arm % features)[:, None], True)

    def chosen(self, arms: Int[Tensor, "batch front"], alive: Bool[Tensor, "batch front"]) -> "_Beam":
        example = torch.arange(len(arms), device=arms.device).repeat_interleave(arms.shape[1])
        return _Beam.of(self.with_more(example, arms.flatten()).unflatten(0, arms.shape), alive)


def _bounds(held: Tensor, asked: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
    """The precisions p with asked · KL(held / asked, p) <= level: between them by bisection; 0 and 1 where unasked."""
    share = held / asked.clamp(min=1)
    ends = []
    for end in (0.0, 1.0):
        inner, outer = share.clone(), torch.full_like(share, end)
        for _ in range(24):
            middle = (inner + outer) / 2
            near = asked * _divergence(share, middle) <= level
            inner, outer = torch.where(near, middle, inner), torch.where(near, outer, middle)
        ends.append(torch.where(asked > 0, inner, end))
    return ends[0], ends[1]


def _divergence(p: Tensor, q: Tensor) -> Tensor:
    """Of two coins, in nats."""
    q = q.clamp(1e-9, 1 - 1e-6)
    return torch.special.xlogy(p, p / q) + torch.special.xlogy(1 - p, (1 - p) / (1 - q))


def _front(more: Tensor, asked: Tensor, held: Tensor, front: int) -> tuple[Tensor, Tensor]:
    """The arms that there are, best first, and which of them are in front."""
    mean = torch.where(more, (held + 0.5) / (asked + 1), -1.0)
    order = mean.argsort(dim=1, descending=True, stable=True)
    return order, torch.zeros_like(more).scatter(1, order[:, :front], True) & more
