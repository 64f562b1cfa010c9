"""SAGE: the loss that a model saves by knowing its columns, shared fairly among them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from attar.core.attribution import Attribution
from attar.core.baseline import Rows
from attar.core.column import as_codes
from attar.core.error import Error, half_widths
from attar.core.errors import InputError
from attar.core.features import Features, every_row
from attar.core.importance import Importance
from attar.core.inputs import Inputs, Tensors
from attar.core.loss import Loss, Outcomes, Scoring
from attar.core.model import Chunked, Predictor
from attar.core.parts import Parts
from attar.core.target import Target
from attar.estimation.exchange import canonical
from attar.estimation.sampled import Layout
from attar.estimation.table_features import members_of, names_of, table_of


@dataclass(frozen=True, kw_only=True)
class SAGE:
    """What each column takes off a row's loss, averaged over the orders in which columns become known.

    In units of the loss; positive: knowing it helps. An unknown column is that of the background's rows, over which the
    model's answers (probabilities, values) are averaged before they are scored. Complete, row by row: the values sum to
    the loss of the mean answer less the row's own. `found.importance()` is the mean over rows, whose `total` is the
    loss that all columns explain together; its interval is for other rows like these, with this model and this
    background. `labels`, `loss` and `by` are as in `PermutationImportance`; `background` are other rows (None: up to
    `most` of the table's own, drawn). Every row has its own orders, `pairs` of them, each with its reverse: errors of
    rows are then independent, and so many rows need few orders each. A single row's values are rough: their error says
    how rough. Misleads where columns depend on each other: the background's columns are put beside the row's own
    (marginal), and the model is asked about rows that are nowhere; of two columns that say the same each is given half
    of what they are worth, if the model uses both. The conditional one, which asks of a column what it says beyond the
    others, is not offered: it needs the law of the columns, which nobody has. Raises `InputError` for anything but a
    table, and for labels that do not fit. Source: Covert, Lundberg & Lee 2020, arXiv:2004.00668, algorithm 1; there
    rows are drawn anew for every order.
    """

    labels: Any
    loss: Loss | None = None
    by: Callable[[Inputs], Features] | None = None
    background: Rows | None = None
    most: int = 64
    pairs: int = 2
    seed: int = 0

    needs: ClassVar[type] = Predictor
    of_loss: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", Outcomes(self.labels))
        if self.pairs < 2:
            raise InputError(f"pairs is {self.pairs}, expected 2 or more (their spread tells the error)")
        if self.most < 1:
            raise InputError(f"most is {self.most}, expected 1 or more rows of background")

    def __call__(self, model: Chunked, inputs: Inputs, target: Target) -> Attribution:  # noqa: ARG002
        table = table_of(inputs, "SAGE")
        outputs = model.predict(table)
        scoring = Scoring.of(self.labels, self.loss, model.model, outputs)
        whole = table.by_entry()
        features = every_row(whole) if self.by is None else self.by(whole)
        members = members_of(features, table)
        order = canonical(as_codes(table.values), self.labels.values)
        game = _Game(model, table, scoring, self._rows(table, order), members, outputs)
        orders = np.empty((len(table), 2 * self.pairs, len(members)), dtype=np.int64)
        generator = np.random.default_rng([self.seed, len(members)])
        drawn = generator.permuted(np.tile(np.arange(len(members)), (len(table), self.pairs, 1)), axis=-1)
        orders[order] = np.concatenate([drawn, drawn[..., ::-1]], 1)
        steps = -np.diff(game.losses(orders), axis=2)
        values = np.zeros_like(steps)
        np.put_along_axis(values, orders, steps, axis=2)
        pairs = (values[:, : self.pairs] + values[:, self.pairs :]) / 2
        mean = pairs.mean(1)
        errors = torch.from_numpy(pairs.std(1, ddof=1) / np.sqrt(self.pairs)).to(outputs.device)
        lay = Layout(features, table, self.by is None)
        loss = f"{scoring.loss.name}, {scoring.loss.unit}" if scoring.loss.unit else f"{scoring.loss.name} loss"
        rows = len(table)
        spread = mean.std(0, ddof=1) / np.sqrt(rows) if rows > 1 else np.full(len(members), np.inf)
        asked = 1 + 2 * self.pairs * (len(members) - 1) * len(game.background)
        return Attribution(
            parts=lay(torch.from_numpy(mean).to(errors)),
            standard_error=lay(errors),
            owners=lay.owners,
            names=lay.names,
            carried_by=lay.carried_by,
            output=-torch.from_numpy(game.own).to(errors),
            reference=-torch.from_numpy(game.nothing).to(errors),
            error=Error(half_widths(errors.sum(1), self.pairs - 1), f"sum of 95% half-widths over {self.pairs} pairs"),
            evaluations=torch.full((rows,), asked, device=outputs.device),
            loss=loss,
            overall=Importance.of_means(
                names_of(features, table, self.by is None),
                mean.mean(0),
                spread,
                rows=rows,
                unit=loss,
                how=f"share of the loss that is explained, unknown columns from {len(game.background)} background rows",
                total=float((game.nothing - game.own).mean()),
            ),
        )

    def _rows(self, table: Tensors, order: Int[np.ndarray, " rows"]) -> Float[Tensor, "background columns"]:
        if self.background is not None:
            return self.background.like(table)
        drawn = np.random.default_rng(self.seed).permutation(len(order))[: self.most]
        return table.values[torch.from_numpy(order[np.sort(drawn)])]


class _Game:
    """The loss of each row when some of its features are known: `own` when all are, `nothing` when none is."""

    def __init__(
        self,
        model: Chunked,
        table: Tensors,
        scoring: Scoring,
        background: Float[Tensor, "background columns"],
        members: list[Int[np.ndarray, " mine"]],
        outputs: Tensor,
    ) -> None:
        self.model, self.table, self.scoring, self.background = model, table, scoring, background
        self.holder = torch.full(
            (table.values.shape[1],), len(members), device=table.device
        )  # what none holds is known
        for feature, mine in enumerate(members):
            self.holder[torch.from_numpy(mine)] = feature
        self.members = len(members)
        self.own = scoring.losses(scoring.predicted(outputs)).cpu().numpy()
        rows = torch.arange(len(table), device=table.device)
        if bool((self.holder == self.members).any()):
            nobody = torch.zeros(len(table), self.members, dtype=torch.bool, device=table.device)
            self.nothing = np.concatenate(list(self._asked(rows.split(self._most), nobody)))
        else:
            said = scoring.predicted(model.predict(table.replace(Parts({"input": background})))).mean(0, keepdim=True)
            self.nothing = scoring.losses(said.expand(len(table), *said.shape[1:])).cpu().numpy()

    @property
    def _most(self) -> int:
        return max(1, self.model.size // len(self.background))

    def losses(self, orders: Int[np.ndarray, "rows orders features"]) -> Float[np.ndarray, "rows orders features+1"]:
        """Before the first feature of each order is known, and after each."""
        rows, each, count = orders.shape
        found = np.empty((rows, each, count + 1))
        found[..., 0], found[..., -1] = self.nothing[:, None], self.own[:, None]
        if count == 1:
            return found
        rank = torch.from_numpy(np.argsort(orders, axis=-1)).to(self.table.device).reshape(rows * each, count)
        coalitions = torch.arange(rows * each * (count - 1), device=self.table.device)
        answered = []
        for some in coalitions.split(self._most):
            keep = rank[some // (count - 1)] <= (some % (count - 1))[:, None]
            answered.extend(self._asked([some // ((count - 1) * each)], keep))
        found[..., 1:-1] = np.concatenate(answered).reshape(rows, each, count - 1)
        return found

    def _asked(self, batches: Any, keep: Tensor) -> Iterator[np.ndarray]:
        """The losses of these rows with these features known."""
        first = 0
        for row in batches:
            mine = keep[first : first + len(row)]
            first += len(row)
            known = torch.cat([mine, mine.new_ones(len(mine), 1)], 1)[:, self.holder]
            copies = torch.where(known[:, None], self.table.values[row][:, None], self.background[None])
            outputs = self.model.predict(self.table.replace(Parts({"input": copies.flatten(0, 1)})))
            said = self.scoring.predicted(outputs)
            mean = said.reshape(len(row), len(self.background), *said.shape[1:]).mean(1)
            yield self.scoring.losses(mean, row).cpu().numpy()
