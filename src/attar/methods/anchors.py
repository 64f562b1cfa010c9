"""Anchors: the few features that hold the model's answer, whatever the others do."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from attar.core.attribution import Attribution
from attar.core.baseline import Baseline, Rows, Zeros
from attar.core.column import is_missing
from attar.core.columns import Columns
from attar.core.error import Error
from attar.core.errors import InputError, UnsupportedError
from attar.core.features import Features
from attar.core.inputs import Inputs, Tensors, starts
from attar.core.model import Chunked, Predictor
from attar.core.parts import precise
from attar.core.show import index_name
from attar.core.target import Difference, Logit, Probability, Target
from attar.estimation.absence import absence
from attar.estimation.bins import Bins, Held, below_the_largest
from attar.estimation.ranges import Ranges
from attar.estimation.row_rules import RowRules
from attar.estimation.rule_search import Search
from attar.estimation.rules import Perturbed, Rules, between, by_every_rule
from attar.estimation.sampled import Layout, by_count

_SAID = 8  # features of a rule that are put into words


@dataclass(frozen=True, kw_only=True)
class Anchors:
    """The few features that, kept as they are, hold the model's answer whatever the others do.

    A value is what the rule's precision loses when the feature is let go: a share of answers, between -1 and 1, and no
    amount of the target. It is 0 for what the rule does not keep. Features are `by`'s (None: every entry of a tensor,
    every row of a graph or bag). Over one baseline each other feature is absent by the toss of a coin. With `Rows` of a
    background all others are as in a random row, and a feature is kept in its own of `bins` quantile bins: a row that
    has it there keeps its value (`bins` None, or `by` given: kept as it is). Of a data frame each level of a category
    is a bin, and so is what is missing. With `widen` a rule that is precise enough then takes in the bins next to its
    own, always the one that most rows more are covered by, for as long as it stays precise enough.
    With `conditional` no copies are made: a rule's precision is the share, of the background's own rows that it holds
    for, that are answered alike (the published package ends up there too). Rules are then short and wide where
    columns go together, and say which rows are answered alike, not what would happen if the rest changed. Half of the
    rows choose the rule, the other half measure it.
    The answer is whether the target's class is the predicted one (of a single output: whether it is positive; of a
    `Difference`: its sign), or with `within` a target that changes by at most so much. A single output that never
    changes its sign, such as a probability, is held by the empty rule: give `within`.
    `rules` are in words. `measured` holds its precision (the share of copies with the same answer) and coverage
    (the share of the background, or of the coins, for which it holds by itself), each with its 95% interval
    (Clopper-Pearson); its size; and the precision `keeping nothing`; where bins are kept also their `bounds` (batch,
    columns, 2): above the first and up to the second, infinite where all is let in; both the code of a category, both
    NaN for what is missing.
    Up to `exact_up_to` features every rule is asked, where that keeps to `budget` evaluations, and the shortest that
    reaches `precision` is found (where bins are too wide for any, the most precise). Otherwise a beam search adds
    features until a rule reaches it with `confidence`, or the budget ends; it may keep some that the rule hardly needs:
    their values are near 0. Precision and values are measured on fresh draws. `error.reached` says whether the
    interval lies above the wanted precision. The error is the sum of the values' 95% half-widths; it does not speak of
    which rule was found, and another seed may find another.
    Misleads where perturbed copies are unlike any data: precision is about the perturbation, not about the world. That
    a rule holds says nothing of how much the answer changes otherwise, nor that no other rule holds.
    Raises `UnsupportedError` for regressors, and for targets without a class, unless `within` is given. Source: Ribeiro
    et al. 2018, doi:10.1609/aaai.v32i1.11491. We differ in asking every rule where there are few, in measuring afresh
    what was found, in sharing draws between rules, and in values for features, which the paper does not have.
    """

    by: Callable[[Inputs], Features] | None = None
    background: Baseline | Rows = field(default_factory=Zeros)
    bins: int | None = 4
    widen: bool = True
    conditional: bool = False
    within: float | None = None
    precision: float = 0.95
    confidence: float = 0.95
    beam: int = 2
    exact_up_to: int = 12
    budget: int = 32768
    seed: int = 0

    needs: ClassVar[type] = Predictor

    def __post_init__(self) -> None:
        if not 0 < self.precision <= 1:
            raise InputError(f"precision is {self.precision}, expected a share of answers (0.95: 19 of 20)")
        if not 0 < self.confidence < 1:
            raise InputError(f"confidence is {self.confidence}, expected between 0 and 1 (0.95: sure 19 times of 20)")
        if self.within is not None and not self.within >= 0:
            raise InputError(f"within is {self.within}, expected 0 or more, in units of the target")
        if self.bins is not None and self.bins < 2:
            raise InputError(f"bins is {self.bins}, expected 2 or more, or None to keep features as they are")
        if self.beam < 1:
            raise InputError(f"beam is {self.beam}, expected 1 or more rules to go on with")
        if self.budget < 8:
            raise InputError(f"budget is {self.budget}, expected at least 8 evaluations per example")
        if not 0 <= self.exact_up_to <= 20:
            raise InputError(f"exact_up_to is {self.exact_up_to}, expected 0 to 20 features (2^20 rules)")

    def __call__(self, model: Chunked, inputs: Inputs, target: Target) -> Attribution:
        return self.each(model, inputs, (target,))[0]

    def each(self, model: Chunked, inputs: Inputs, targets: Sequence[Target]) -> list[Attribution]:
        """Several targets: from the same evaluations where every rule is asked."""
        outputs = model.predict(inputs)
        if self.within is None and _is_regressor(model.model):
            raise UnsupportedError(
                "Anchors hold a class, and this model answers with a number: say how far it may change, as in "
                "Anchors(within=0.5), or within=0.5 on the command line"
            )
        around = absence(inputs, self.by, self.background)
        bins = None
        if (
            isinstance(self.background, Rows)
            and isinstance(inputs, Tensors)
            and self.by is None
            and self.bins is not None
        ):
            bins = _Kept.of(inputs, self.background, self.bins)
        perturbed = Perturbed(
            model=model,
            absence=around,
            holds=[_Same.of(target, self.within, outputs) for target in targets],
            rows=len(self.background) if isinstance(self.background, Rows) else 0,
            ranges=None if bins is None else bins.ranges,
        )
        if self.conditional:
            return self._among_rows(model, inputs, targets, outputs, around.features, bins)
        most = max(1, int(torch.bincount(around.features.owner, minlength=len(inputs)).max()))
        found = [_Found.of_nothing(outputs, most, perturbed.ranges) for _ in targets]
        for count, examples in by_count(around.features, inputs, len(targets) * max(2**self.exact_up_to, 8 * most)):
            for one, rules in zip(found, self._rules(perturbed, examples, count), strict=True):
                one.take(examples, rules)
        layout = Layout(around.features, inputs, self.by is None)
        words = _Words(around.features, inputs, bins, self.by is None)
        return [
            self._attribution(one, target(outputs), layout, words, perturbed.rows)
            for one, target in zip(found, targets, strict=True)
        ]

    def _among_rows(
        self,
        model: Chunked,
        inputs: Inputs,
        targets: Sequence[Target],
        outputs: Tensor,
        features: Features,
        bins: "_Kept | None",
    ) -> list[Attribution]:
        if bins is None or not isinstance(inputs, Tensors) or len(bins.rows) < 2:
            raise InputError(
                "conditional counts rows: give a table, bins, a background of two Rows(…) or more, and no by="
            )
        find = RowRules(
            ranges=bins.ranges,
            rows=bins.rows,
            precision=self.precision,
            confidence=self.confidence,
            seed=self.seed,
            widen=self.widen,
        )
        answers = model.predict(replace(inputs, values=bins.rows.reshape(-1, *inputs.values.shape[1:])))
        layout, words = Layout(features, inputs, True), _Words(features, inputs, bins, True)
        each = torch.arange(len(inputs), device=inputs.device)
        made = []
        for target in targets:
            holds = _Same.of(target, self.within, outputs)
            same = [holds.take(k.expand(len(answers)))(answers) > 0.5 for k in each]
            found = _Found.of_nothing(outputs, bins.rows.shape[1], bins.ranges)
            found.take(each, find(torch.stack(same)))
            made.append(self._attribution(found, target(outputs), layout, words, len(bins.rows) - len(bins.rows) // 2))
        return made

    def _rules(self, perturbed: Perturbed, examples: Int[Tensor, " some"], count: int) -> Iterator[Rules]:
        if count <= self.exact_up_to and 1 + 2**count * max(1, perturbed.rows) <= self.budget:
            yield from by_every_rule(
                perturbed, examples, count, precision=self.precision, budget=self.budget, widen=self.widen
            )
            return
        for holds in perturbed.holds:
            yield Search(
                perturbed=replace(perturbed, holds=[holds]),
                examples=examples,
                features=count,
                precision=self.precision,
                confidence=self.confidence,
                beam=self.beam,
                budget=self.budget - 1,
                seed=self.seed,
                widen=self.widen,
            ).best()

    def _attribution(self, found: "_Found", output: Tensor, layout: Layout, words: "_Words", rows: int) -> Attribution:
        precision, low, high, nothing, coverage, bound = found.said.unbind(1)
        ends = between((coverage * rows).round(), torch.full_like(coverage, rows)) if rows else (coverage, coverage)
        return Attribution(
            parts=layout(found.lost.to(output.dtype)),
            standard_error=layout(found.errors.to(output.dtype)),
            owners=layout.owners,
            names=layout.names,
            carried_by=layout.carried_by,
            output=output,
            error=Error(
                bound,
                "sum of the values' 95% half-widths, as shares of answers; 0 where everything was asked",
                low >= self.precision - 1e-6,
                f"it is not sure that the rule's precision is {self.precision:g} or more",
            ),
            evaluations=1 + found.used,
            measured={
                "precision": precision,
                "precision at 95%": torch.stack([low, high], 1),
                "coverage": coverage,
                "coverage at 95%": torch.stack(ends, 1),
                "keeping nothing": nothing,
                "size": precise(found.rule.sum(1)),
                **words.bounds(found),
            },
            rules=tuple(words(found, example) for example in range(len(found.rule))),
        )


@dataclass(frozen=True, eq=False)
class _Same(Target):
    """1 where the answer is what it is for the example itself."""

    target: Target
    within: float | None
    own: Tensor

    @classmethod
    def of(cls, target: Target, within: float | None, outputs: Tensor) -> "_Same":
        return cls(target, within, _answer(target, within, outputs))

    def __call__(self, outputs: Float[Tensor, "batch *outputs"]) -> Float[Tensor, " batch"]:
        answer = _answer(self.target, self.within, outputs)
        same = answer == self.own if self.within is None else (answer - self.own).abs() <= self.within
        return same.to(outputs.dtype)

    def take(self, index: Int[Tensor, " examples"]) -> "_Same":
        return _Same(self.target.take(index), self.within, self.own[index])


def _answer(target: Target, within: float | None, outputs: Tensor) -> Tensor:
    """The target, or whether its class is the predicted one."""
    if within is not None:
        return precise(target(outputs))
    if isinstance(target, Difference):
        return target(outputs) > 0
    if not isinstance(target, Logit | Probability):
        raise UnsupportedError(
            f"Anchors hold a class, and {target!r} names none: say how far it may change, as in Anchors(within=0.5)"
        )
    if outputs.shape[1] == 1:
        return outputs[:, 0] > 0
    return outputs.argmax(1) == torch.as_tensor(target.index, device=outputs.device)


def _is_regressor(model: object) -> bool:
    estimator = getattr(model, "estimator", None)
    if estimator is None or hasattr(estimator, "classes_"):
        return False
    from sklearn.base import is_regressor

    return is_regressor(estimator)


@dataclass(frozen=True, eq=False)
class _Found:
    """What was found of a batch, filled in as it is found; examples with fewer features leave the rest at 0."""

    rule: Tensor
    lost: Float[Tensor, "batch features"]
    errors: Float[Tensor, "batch features"]
    said: Float[Tensor, "batch 6"]
    used: Int[Tensor, " batch"]
    ranges: Ranges | None

    @classmethod
    def of_nothing(cls, outputs: Tensor, features: int, ranges: Ranges | None) -> "_Found":
        none = precise(torch.zeros(len(outputs), features, device=outputs.device))
        used = torch.zeros(len(outputs), dtype=torch.long, device=outputs.device)
        own = None if ranges is None else replace(ranges, low=ranges.low.clone(), high=ranges.high.clone())
        return cls(none > 0, none, none.clone(), none.new_zeros(len(outputs), 6), used, own)

    def take(self, examples: Int[Tensor, " some"], rules: Rules) -> None:
        for mine, theirs in ((self.rule, rules.rule), (self.lost, rules.lost), (self.errors, rules.errors)):
            mine[examples, : theirs.shape[1]] = theirs
        said = (rules.precision, rules.low, rules.high, rules.nothing, rules.coverage, rules.bound)
        self.said[examples] = torch.stack(said, 1)
        self.used[examples] = rules.used
        if self.ranges is not None and rules.ranges is not None:
            self.ranges.low[examples], self.ranges.high[examples] = (
                rules.ranges.low[examples],
                rules.ranges.high[examples],
            )


@dataclass(frozen=True, eq=False)
class _Kept:
    """In which bin of the background the entries of its rows and of the examples are."""

    edges: Float[Tensor, "entries edges"]
    rows: Float[Tensor, "background entries"]
    here: Float[Tensor, "batch entries"]
    apart: Bool[Tensor, "batch entries"]
    ranges: Ranges
    columns: Columns | None

    @classmethod
    def of(cls, inputs: Tensors, background: Rows, bins: int) -> "_Kept":
        rows, here = background.like(inputs).flatten(1), inputs.values.flatten(1)
        held = Held.by(inputs, rows.shape[1])
        ordered, count = held.ordered(rows)
        place = torch.arange(1, bins, device=rows.device) * count[:, None] / bins
        edges = below_the_largest(ordered.gather(1, (place.ceil().long() - 1).clamp(min=0)), ordered).contiguous()
        bin_of = Bins(held=held, edges=edges)
        own, apart = bin_of(here), held.apart(here)
        far = torch.full_like(own, edges.shape[1])
        first, last = (torch.where(apart, own, end) for end in (torch.zeros_like(own), far))
        ranges = Ranges(of_rows=bin_of(rows), low=own, high=own, first=first, last=last)
        return cls(edges, rows, here, apart, ranges, inputs.columns)

    def bounds(
        self, kept: Bool[Tensor, "batch entries"], ranges: Ranges
    ) -> dict[str, Float[Tensor, "batch entries 2"]]:
        """What the rules keep: values above the first and up to the second."""
        ends = torch.full_like(self.edges[:, :1], torch.inf)
        edges = torch.cat([-ends, self.edges, ends], 1).T.contiguous()
        here = self.here if self.columns is None else torch.where(is_missing(self.here), torch.nan, self.here)
        found = []
        for bin, open_end in ((ranges.low, -torch.inf), (ranges.high + 1, torch.inf)):
            value = torch.where(self.apart, here, edges.gather(0, bin.clamp(max=len(edges) - 1)))
            found.append(torch.where(kept, value, open_end))
        return {"bounds": torch.stack(found, 2)}

    def said(self, name: str, example: int, entry: int, ranges: Ranges) -> str:
        """The bins that an entry is kept in, or its value where the background has no other in them."""
        if self.columns is not None and bool(self.apart[example, entry]):
            return self.columns[entry].phrase(float(self.here[example, entry]))
        low, high = int(ranges.low[example, entry]), int(ranges.high[example, entry])
        bins = ranges.of_rows[:, entry]
        values = self.rows[(bins >= low) & (bins <= high), entry].unique().tolist()
        if len(values) == 1:
            return f"{name} = {values[0]:.4g}"
        edges = self.edges[entry].tolist()
        below, above = low > 0, high < len(edges)
        if not below and not above:
            return f"{name} is not missing"
        if not above:
            return f"{name} > {edges[low - 1]:.4g}"
        return f"{edges[low - 1]:.4g} < {name} ≤ {edges[high]:.4g}" if below else f"{name} ≤ {edges[high]:.4g}"


@dataclass(frozen=True, eq=False)
class _Words:
    """What to call the features that a rule keeps."""

    features: Features
    inputs: Inputs
    bins: _Kept | None
    on_rows: bool

    def __call__(self, found: _Found, example: int) -> str:
        members = found.rule[example].nonzero()[:, 0].tolist()
        first = int(starts(self.features.owner, len(self.inputs))[example])
        said = [self._feature(found, example, first, k) for k in members[:_SAID]]
        rest = len(members) - len(said)
        return ", ".join([*said, *([f"and {rest:,} more"] if rest else [])]) or "nothing"

    def bounds(self, found: _Found) -> dict[str, Tensor]:
        if self.bins is None or found.ranges is None:
            return {}
        return self.bins.bounds(found.rule, found.ranges)

    def _feature(self, found: _Found, example: int, first: int, k: int) -> str:
        if not self.on_rows:
            names = self.features.names
            return f"{self.features.name} {k}" if names is None else names[first + k]
        part, row = next(
            (part, int(share.row[share.feature == first + k][0]))
            for part, share in self.features.shares.items()
            if bool((share.feature == first + k).any())
        )
        whole = self.inputs.by_entry()
        entry = row - int(starts(whole.owners[part], len(whole))[example])
        if not self.inputs.of_rows:
            return whole.label(part, entry)
        names, array = self.inputs.entry_names, self.inputs.parts[part]
        name = index_name(entry, tuple(array.shape[1:])) if names is None else names[entry]
        name = name if self.inputs.single else f"{part} {name}"
        if self.bins is not None and found.ranges is not None:
            return self.bins.said(name, example, entry, found.ranges)
        columns = self.inputs.columns if isinstance(self.inputs, Tensors) else None
        if columns is not None:
            return columns[entry].phrase(float(array.flatten()[row]))
        return f"{name} = {float(array.flatten()[row]):.4g}"
