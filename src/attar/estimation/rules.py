"""Rules keep some features as they are while the others change by chance; which short one holds the answer."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.special import betaincinv
from torch import Tensor

from attar.core.errors import InputError
from attar.core.inputs import Inputs
from attar.core.model import Chunked
from attar.core.parts import placed, precise
from attar.core.target import Target
from attar.estimation.absence import Absence
from attar.estimation.ranges import Ranges, widened
from attar.estimation.sampled import every_mask


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
    outside of their `ranges` in that row; coins only help to choose features. `holds` are 1 where an answer is the
    example's, else 0.
    """

    model: Chunked
    absence: Absence
    holds: Sequence[Target]
    rows: int
    ranges: Ranges | None

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
        if self.ranges is not None:
            rule = rule & self.ranges.outside(example, row)
        kept = (rule | coins).expand(len(example), -1)
        return self.absence.copies(example, row if self.rows else example, kept)


@dataclass(frozen=True, eq=False, kw_only=True)
class Rules:
    """A rule for each example; its precision, between `low` and `high` at 95%; what it loses without each feature.

    `nothing` is the precision of keeping nothing; `ranges` are those that the rules keep features in.
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
    ranges: Ranges | None


def by_every_rule(
    perturbed: Perturbed, examples: Int[Tensor, " batch"], features: int, *, precision: float, budget: int, widen: bool
) -> list[Rules]:
    """For each target the shortest rule that is precise enough; of several the one that covers most, then the more
    precise. Every rule is known exactly; where bins are kept and none of them is precise enough, the most precise.
    With `widen` its ranges are then widened, as far as `budget` goes."""
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
    for target, each in enumerate(known):
        passed = each >= each.amax(1, keepdim=True).clamp(max=precision) - 1e-6
        shortest = passed & (size == torch.where(passed, size, torch.inf).amin(1, keepdim=True))
        example, rule = shortest.nonzero().unbind(1)
        worth = torch.full_like(each, -1.0)
        worth[example, rule] = perturbed.covered(examples[example], every[rule]) + 1e-6 * each[example, rule]
        chosen = first_best(worth)
        kept, at = every[chosen], each[place, chosen]
        without = each.gather(1, torch.where(kept, chosen[:, None] - bit, chosen[:, None]))
        lost = torch.where(kept, at[:, None] - without, 0.0)
        rules = Rules(
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
            ranges=perturbed.ranges,
        )
        one = replace(perturbed, holds=[perturbed.holds[target]])
        found.append(_over_wider(one, examples, rules, precision, budget) if widen else rules)
    return found


def _over_wider(
    perturbed: Perturbed, examples: Int[Tensor, " batch"], rules: Rules, precision: float, budget: int
) -> Rules:
    """The rules with ranges as wide as they stay precise enough over every row."""
    if perturbed.ranges is None:
        return rules
    used, rows, chance = rules.used.clone(), perturbed.rows, perturbed.every_row(rules.rule.shape[1])

    def enough(trial: Ranges, rule: Tensor, working: Tensor) -> Tensor:
        some = (working & (used + rows * (2 + rules.rule.sum(1)) < budget)).nonzero()[:, 0]
        if not len(some):
            return torch.zeros_like(working)
        held = replace(perturbed, ranges=trial).answers(examples[some], rule[some], chance)[0].mean(1)
        used[some] += rows
        return torch.zeros_like(working).scatter(0, some, held >= precision - 1e-6)

    ranges, rule = widened(perturbed.ranges, examples, rules.rule, rules.precision >= precision - 1e-6, enough)
    moved = (ranges.low != perturbed.ranges.low) | (ranges.high != perturbed.ranges.high)
    moved = moved[examples].any(1)
    if not bool(moved.any()):
        return replace(rules, used=used)
    perturbed = replace(perturbed, ranges=ranges)
    tally = Tally.of(rule)
    tally.add(perturbed, examples, chance, moved)
    held = torch.where(moved, tally.held / rows, rules.precision)
    return replace(
        rules,
        rule=rule,
        precision=held,
        low=held,
        high=held,
        lost=torch.where(moved[:, None], (tally.ahead - tally.behind) / rows, rules.lost),
        coverage=perturbed.covered(examples, rule),
        used=used + moved * rows * (1 + rule.sum(1)),
        ranges=ranges,
    )


def _over_supersets(
    values: Float[Tensor, "targets batch masks"], features: int
) -> Float[Tensor, "targets batch masks"]:
    """For each mask the mean over all that keep at least as much."""
    for k in range(features):
        without, kept = values.reshape(*values.shape[:2], -1, 2, 2**k).unbind(3)
        values = torch.stack([(without + kept) / 2, kept], 3).reshape(values.shape)
    return values


@dataclass(eq=False, kw_only=True)
class Tally:
    """How often each rule held, and how often it did where it did not without a feature, or the other way round."""

    rule: Bool[Tensor, "batch features"]
    asked: Float[Tensor, " batch"]
    held: Float[Tensor, " batch"]
    ahead: Float[Tensor, "batch features"]
    behind: Float[Tensor, "batch features"]

    @classmethod
    def of(cls, rule: Tensor) -> "Tally":
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


def first_best(score: Float[Tensor, "batch choices"]) -> Int[Tensor, " batch"]:
    """Of equal ones the first, on every device."""
    return score.argsort(dim=1, descending=True, stable=True)[:, 0]
