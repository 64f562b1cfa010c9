"""Rules keep some features as they are while the others change by chance; which short one holds the answer."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.special import betaincinv
from torch import Tensor

from attar.core.error import half_widths
from attar.core.errors import InputError
from attar.core.inputs import Inputs
from attar.core.model import Chunked
from attar.core.parts import placed, precise
from attar.core.target import Target
from attar.estimation.absence import Absence
from attar.estimation.sampled import every_mask

_BATCH = 64  # draws of a rule at a time
_MOST = 1024  # draws to decide whether a rule is precise enough
_POOLED = 8  # batches of draws that count for every feature more
_ROUNDS = 8  # of draws to tell the next features apart
_CLOSE = 0.1  # precisions that need not be told apart


@dataclass(frozen=True, eq=False)
class Chance:
    """A row of the background (0 where there is none) and a coin for every feature, draw by draw."""

    row: Int[Tensor, " draws"]
    coins: Bool[Tensor, "draws features"]

    def __len__(self) -> int:
        return len(self.row)

    def first(self, draws: int) -> "Chance":
        return Chance(self.row[:draws], self.coins[:draws])


@dataclass(frozen=True, eq=False, kw_only=True)
class Perturbed:
    """Whether answers hold in copies of examples that a rule and chance make.

    What neither the rule nor its coin keeps is absent. Without a background (`rows` 0) that is what a precision is
    about. With one it is about all features as in a random row, but for those that the rule keeps and that are
    `outside` in that row; coins only help to choose features. `holds` are 1 where an answer is the example's, else 0.
    """

    model: Chunked
    absence: Absence
    holds: Sequence[Target]
    rows: int
    outside: Callable[[Tensor, Tensor], Bool[Tensor, "copies features"]] | None

    def answers(
        self, examples: Int[Tensor, " rules"], rules: Bool[Tensor, "rules features"], chance: Chance
    ) -> Float[Tensor, "targets rules draws"]:
        """The same draws for every rule; laid out are as many copies as go into one call."""
        draws, found = len(chance), []
        for index in torch.arange(len(examples) * draws, device=examples.device).split(self.model.size):
            rule, draw = index // draws, index % draws
            example = examples[rule]
            outputs = self.model.predict(self._copies(example, rules[rule], chance.row[draw], chance.coins[draw]))
            if not bool(torch.isfinite(outputs).all()):
                raise InputError("the model's output about an example without some of its features is NaN or infinite")
            found.append(torch.stack([each.take(example)(outputs) for each in self.holds]))
        return precise(torch.cat(found, 1)).reshape(len(self.holds), len(examples), draws)

    def draws(self, count: int, features: int, generator: np.random.Generator, *, coins: bool) -> Chance:
        device = self.absence.features.owner.device
        row = generator.integers(self.rows, size=count) if self.rows else np.zeros(count, dtype=np.int64)
        kept = generator.random((count, features)) < (0.5 if coins or not self.rows else 0.0)
        return Chance(torch.from_numpy(row).to(device), torch.from_numpy(kept).to(device))

    def every_row(self, features: int) -> Chance:
        row = torch.arange(self.rows, device=self.absence.features.owner.device)
        return Chance(row, torch.zeros(self.rows, features, dtype=torch.bool, device=row.device))

    def covered(
        self, examples: Int[Tensor, " rules"], rules: Bool[Tensor, "rules features"]
    ) -> Float[Tensor, " rules"]:
        """The share of what chance brings for which the rule holds by itself: to put it back changes nothing."""
        if not self.rows:
            return 0.5 ** precise(rules.sum(1))
        found, none = [], torch.zeros_like(rules[:1])
        for index in torch.arange(len(examples) * self.rows, device=examples.device).split(self.model.size):
            rule, row = index // self.rows, index % self.rows
            copies, plain = (self._copies(examples[rule], kept, row, none).parts for kept in (rules[rule], none))
            other = [(copies[part] != plain[part]).flatten(1).any(1) for part in copies]
            found.append(~torch.stack(other).any(0))
        return precise(torch.cat(found)).reshape(len(examples), self.rows).mean(1)

    def _copies(self, example: Tensor, rule: Tensor, row: Tensor, coins: Tensor) -> Inputs:
        if self.outside is not None:
            rule = rule & self.outside(example, row)
        kept = (rule | coins).expand(len(example), -1)
        return self.absence.copies(example, row if self.rows else example, kept)


@dataclass(frozen=True, eq=False, kw_only=True)
class Rules:
    """A rule for each example; its precision, between `low` and `high` at 95%; what it loses without each feature.

    `nothing` is the precision of keeping nothing.
    """

    rule: Bool[Tensor, "batch features"]
    precision: Float[Tensor, " batch"]
    nothing: Float[Tensor, " batch"]
    low: Float[Tensor, " batch"]
    high: Float[Tensor, " batch"]
    lost: Float[Tensor, "batch features"]
    errors: Float[Tensor, "batch features"]
    bound: Float[Tensor, " batch"]
    coverage: Float[Tensor, " batch"]
    used: Int[Tensor, " batch"]


def by_every_rule(
    perturbed: Perturbed, examples: Int[Tensor, " batch"], features: int, *, precision: float
) -> list[Rules]:
    """For each target the shortest rule that is precise enough; of several the one that covers most, then the more
    precise. Every rule is known exactly; where bins are kept and none of them is precise enough, the most precise."""
    every = every_mask(features, examples.device)
    pairs = examples.repeat_interleave(len(every))
    if perturbed.rows:
        held = perturbed.answers(pairs, every.repeat(len(examples), 1), perturbed.every_row(features)).mean(2)
        known = held.reshape(-1, len(examples), len(every))
    else:
        nothing = torch.zeros(len(examples), features, dtype=torch.bool, device=examples.device)
        coins = Chance(torch.zeros(len(every), dtype=torch.long, device=every.device), every)
        known = _over_supersets(perturbed.answers(examples, nothing, coins), features)
    size = precise(every.sum(1))
    used = torch.full_like(examples, len(every) * max(1, perturbed.rows))
    place = torch.arange(len(examples), device=examples.device)
    bit = 2 ** torch.arange(features, device=examples.device)
    found = []
    for each in known:
        passed = each >= each.amax(1, keepdim=True).clamp(max=precision) - 1e-6
        shortest = passed & (size == torch.where(passed, size, torch.inf).amin(1, keepdim=True))
        example, rule = shortest.nonzero().unbind(1)
        worth = torch.full_like(each, -1.0)
        worth[example, rule] = perturbed.covered(examples[example], every[rule]) + 1e-6 * each[example, rule]
        chosen = _first_best(worth)
        kept, at = every[chosen], each[place, chosen]
        without = each.gather(1, torch.where(kept, chosen[:, None] - bit, chosen[:, None]))
        lost = torch.where(kept, at[:, None] - without, 0.0)
        found.append(
            Rules(
                rule=kept,
                precision=at,
                nothing=each[:, 0],
                low=at,
                high=at,
                lost=lost,
                errors=torch.zeros_like(lost),
                bound=torch.zeros_like(at),
                coverage=perturbed.covered(examples, kept),
                used=used,
            )
        )
    return found


def _over_supersets(
    values: Float[Tensor, "targets batch masks"], features: int
) -> Float[Tensor, "targets batch masks"]:
    """For each mask the mean over all that keep at least as much."""
    for k in range(features):
        without, kept = values.reshape(*values.shape[:2], -1, 2, 2**k).unbind(3)
        values = torch.stack([(without + kept) / 2, kept], 3).reshape(values.shape)
    return values


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
    used: Int[Tensor, " batch"] = field(init=False)
    decided: Int[Tensor, " batch"] = field(init=False)  # draws that the chosen rule needed

    def __post_init__(self) -> None:
        self.used = torch.zeros_like(self.examples)
        self.decided = torch.zeros_like(self.examples)
        self.batch = max(1, min(_BATCH, self.budget // 32))

    def best(self) -> Rules:
        device, count = self.examples.device, len(self.examples)
        beam = _Beam.of_nothing(count, self.features, device)
        found, nothing = beam.rules[:, 0].clone(), beam.asked[:, 0]
        working = torch.ones(count, dtype=torch.bool, device=device)
        for size in range(self.features + 1):
            low = self._verified(beam, working, size)
            passed = beam.alive & (low >= self.precision) & working[:, None]
            mean = beam.held / beam.asked.clamp(min=1)
            nothing = mean[:, 0] if size == 0 else nothing
            score = torch.where(beam.alive, low, -1.0)
            example, place = passed.nonzero().unbind(1)
            covered = self.perturbed.covered(self.examples[example], beam.rules[example, place])
            score[example, place] = 1 + covered + 1e-6 * mean[example, place]
            best = _first_best(score)
            each = torch.arange(count, device=device)
            found[working] = beam.rules[each, best][working]
            self.decided[working] = beam.asked[each, best].long()[working]
            working = working & ~passed.any(1) & self._affords(2 * self.beam * self.batch)
            if size == self.features or not bool(working.any()):
                break
            beam = self._extended(beam, working, size)
        return self._measured(found, nothing)

    def _affords(self, cost: Tensor | int) -> Bool[Tensor, " batch"]:
        """A quarter of the budget is for measuring what was found."""
        return self.used + cost <= self.budget - self.budget // 4

    def _verified(self, beam: "_Beam", working: Tensor, size: int) -> Float[Tensor, "batch beam"]:
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
            chance = self._chance((size, 0, looks), coins=False)
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
        tally = _Tally.of(rule)
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


@dataclass(eq=False, kw_only=True)
class _Tally:
    """How often each rule held, and how often it did where it did not without a feature, or the other way round."""

    rule: Bool[Tensor, "batch features"]
    asked: Float[Tensor, " batch"]
    held: Float[Tensor, " batch"]
    ahead: Float[Tensor, "batch features"]
    behind: Float[Tensor, "batch features"]

    @classmethod
    def of(cls, rule: Tensor) -> "_Tally":
        each = precise(torch.zeros_like(rule).float())
        none = each.new_zeros(len(rule))
        return cls(rule=rule, asked=none, held=none.clone(), ahead=each, behind=each.clone())

    def add(self, perturbed: Perturbed, examples: Tensor, chance: Chance, some: Bool[Tensor, " batch"]) -> None:
        mine = some.nonzero()[:, 0]
        example, feature = (self.rule & some[:, None]).nonzero().unbind(1)
        without = self.rule[example].scatter(1, feature[:, None], False)
        held = perturbed.answers(examples[mine], self.rule[mine], chance)[0]
        self.asked[mine] += len(chance)
        self.held[mine] += held.sum(1)
        if len(example):
            with_it = held[torch.searchsorted(mine, example)]
            left = perturbed.answers(examples[example], without, chance)[0]
            self.ahead[example, feature] += (with_it * (1 - left)).sum(1)
            self.behind[example, feature] += (left * (1 - with_it)).sum(1)

    def errors(self) -> Float[Tensor, "batch features"]:
        """Standard errors of differences of paired shares, half a pair added to each of the four kinds, so that
        few draws that agree are not taken for certainty (Agresti & Min 2005)."""
        count = self.asked[:, None] + 2
        up, down = (self.ahead + 0.5) / count, (self.behind + 0.5) / count
        return torch.where(self.rule, ((up + down - (up - down).square()) / count).sqrt(), 0.0)


def between(
    held: Float[Tensor, " batch"], asked: Float[Tensor, " batch"]
) -> tuple[Float[Tensor, " batch"], Float[Tensor, " batch"]]:
    """Exact 95% intervals of shares. Source: Clopper & Pearson 1934."""
    k, n = (array.detach().cpu().double().numpy() for array in (held, asked))
    low = np.where(k > 0, betaincinv(np.maximum(k, 1), n - k + 1, 0.025), 0.0)
    high = np.where(k < n, betaincinv(k + 1, np.maximum(n - k, 1), 0.975), 1.0)
    return tuple(placed(torch.from_numpy(end), held.device) for end in (low, high))  # type: ignore[return-value]


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


def _first_best(score: Float[Tensor, "batch choices"]) -> Int[Tensor, " batch"]:
    """Of equal ones the first, on every device."""
    return score.argsort(dim=1, descending=True, stable=True)[:, 0]
