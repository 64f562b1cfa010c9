"""Permutation importance: what a model's loss gains when a column is that of another row."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int

from attar.core.attribution import Attribution
from attar.core.column import as_codes
from attar.core.error import Error, half_widths
from attar.core.errors import InputError
from attar.core.features import Features, every_row
from attar.core.importance import Importance
from attar.core.inputs import Inputs, Tensors
from attar.core.loss import Loss, Outcomes, Scoring
from attar.core.model import Chunked, Predictor
from attar.core.note import Note, listed
from attar.core.parts import Parts
from attar.core.target import Target
from attar.estimation.exchange import Exchanged, canonical, donors
from attar.estimation.sampled import Layout
from attar.estimation.strata import Strata, departure
from attar.estimation.table_features import coded_of, members_of, names_of, names_of_columns, table_of

_LOOKED_AT, _COLUMNS = 1000, 100  # rows, and at most so many features, that are looked at for leaving the data


@dataclass(frozen=True, kw_only=True)
class PermutationImportance:
    """What a row's loss gains when one of its columns is that of another row, averaged over `repeats` other rows.

    In units of the loss; positive: the column helps. `found.importance()` is the mean over rows, by which a column is
    judged; its interval is for other rows like these, with this model, and holds 0 for a column that says nothing. It
    knows that rows share donors, which the spread of the rows' own values does not. `labels` are the right answers, in
    the order of the rows; `loss` is one of `attar.core.loss` (None: log loss of classes, squared errors of numbers;
    where a classifier gives margins only, their sigmoid stands for a probability). `by` takes columns together
    (`ColumnGroups`), which then move as one. Nobody is his own donor, so that nothing is lost to chance matches.
    Misleads where columns depend on each other: rows are then asked about that are nowhere, and the model's answers
    there count (a note says so and names the columns); of columns that say the same each is given what both are worth,
    if the model uses both. With `strata` a column is exchanged only among rows that are alike in the others, and what
    is found is what it says beyond them: of two that say the same, next to nothing for either. The two are answers to
    two questions; `total` is neither's sum. Rows that the model was fitted on make every column look better than it is.
    Raises `InputError` for anything but a table of two rows or more, and for labels that do not fit.
    Source: Breiman 2001, doi:10.1023/A:1010933404324; as a mean over pairs of rows, Fisher, Rudin & Dominici 2019,
    arXiv:1801.01489, eq. 3 to 5 (a difference in place of a ratio).
    """

    labels: Any
    loss: Loss | None = None
    by: Callable[[Inputs], Features] | None = None
    repeats: int = 5
    strata: Strata | None = None
    seed: int = 0

    needs: ClassVar[type] = Predictor
    of_loss: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", Outcomes(self.labels))
        if self.repeats < 2:
            raise InputError(f"repeats is {self.repeats}, expected 2 or more (their spread tells the error)")

    def __call__(self, model: Chunked, inputs: Inputs, target: Target) -> Attribution:  # noqa: ARG002
        table = table_of(inputs, "permutation importance")
        if len(table) < 2:
            raise InputError("there is 1 row, and nothing to exchange its values with: give two or more")
        outputs = model.predict(table)
        scoring = Scoring.of(self.labels, self.loss, model.model, outputs)
        before = scoring.losses(scoring.predicted(outputs)).cpu().numpy()
        whole = table.by_entry()
        features = every_row(whole) if self.by is None else self.by(whole)
        members = members_of(features, table)
        codes = as_codes(table.values)
        order = canonical(codes, self.labels.values)
        strata = np.zeros((len(members), len(table)), dtype=np.int64)
        if self.strata is not None:
            for k, mine in enumerate(members):
                generator = np.random.default_rng([self.seed, len(members), k])
                strata[k, order] = self.strata.of(codes[order], coded_of(table), mine, generator)
        varying = [k for k, mine in enumerate(members) if bool((codes[:, mine] != codes[:1, mine]).any())]
        pairs = _asked(self, model, table, scoring, before, members, varying, order, strata)
        values = pairs.taken / self.repeats
        spread = (pairs.taken_squares - self.repeats * values**2).clip(min=0) / (self.repeats - 1)
        errors = torch.from_numpy(np.sqrt(spread / self.repeats).T.copy()).to(outputs.device)
        lay = Layout(features, table, self.by is None)
        names = names_of(features, table, self.by is None)
        variance = pairs.variance(strata, self.repeats)
        notes = _departures(self, table, codes[order], members, names) if self.strata is None else ()
        how = "what each column's exchange between rows adds to the loss"
        how += "" if self.strata is None else ", among rows that are alike in the other columns"
        name = f"{scoring.loss.name}, {scoring.loss.unit}" if scoring.loss.unit else f"{scoring.loss.name} loss"
        return Attribution(
            parts=lay(torch.from_numpy(values.T.copy()).to(errors)),
            standard_error=lay(errors),
            owners=lay.owners,
            names=lay.names,
            carried_by=lay.carried_by,
            output=-torch.from_numpy(before).to(errors),
            error=Error(
                half_widths(errors.sum(1), self.repeats - 1), f"sum of 95% half-widths over {self.repeats} donors"
            ),
            evaluations=torch.full((len(table),), 1 + len(varying) * self.repeats, device=outputs.device),
            loss=name,
            overall=Importance.of_means(
                names, values.mean(1), np.sqrt(variance), rows=len(table), unit=name, how=how, notes=notes
            ),
        )


def _asked(
    method: PermutationImportance,
    model: Chunked,
    table: Tensors,
    scoring: Scoring,
    before: Float[np.ndarray, " rows"],
    members: Sequence[Int[np.ndarray, " mine"]],
    varying: Sequence[int],
    order: Int[np.ndarray, " rows"],
    strata: Int[np.ndarray, "features rows"],
) -> Exchanged:
    """What each exchange adds to the losses `before`. As many stand in one call of the model as it takes rows, and one
    at least; what never varies is not asked about."""
    rows, found = len(table), Exchanged.none(len(members), len(table))
    waiting: list[tuple[int, np.ndarray]] = []

    def ask() -> None:
        copies = table.values.repeat(len(waiting), 1)
        for place, (feature, donor) in enumerate(waiting):
            mine, own = torch.from_numpy(members[feature]), copies[place * rows : (place + 1) * rows]
            own[:, mine] = table.values[torch.from_numpy(donor)][:, mine]
        losses = scoring.losses(scoring.predicted(model.predict(table.replace(Parts({"input": copies})))))
        for (feature, donor), each in zip(waiting, losses.cpu().numpy().reshape(-1, rows), strict=True):
            found.add(feature, donor, each - before)
        waiting.clear()

    for feature in varying:
        generator = np.random.default_rng([method.seed, feature])
        for donor in donors(order, strata[feature], method.repeats, generator):
            waiting.append((feature, donor))
            if (len(waiting) + 1) * rows > model.size:
                ask()
    if waiting:
        ask()
    return found


def _departures(
    method: PermutationImportance,
    table: Tensors,
    codes: Float[np.ndarray, "rows columns"],
    members: Sequence[Int[np.ndarray, " mine"]],
    names: Sequence[str],
) -> tuple[Note, ...]:
    """What there is to say of features that leave the data when they are exchanged freely."""
    if len(codes) < 40 or len(members) < 2 or len(members) > _COLUMNS:
        return ()
    own = names_of_columns(table)
    generator = np.random.default_rng([method.seed, len(members)])
    some = codes[np.sort(generator.permutation(len(codes))[:_LOOKED_AT])]
    said = []
    for name, mine in zip(names, members, strict=True):
        found = departure(some, coded_of(table), mine, generator) if len(mine) < codes.shape[1] else None
        if found is not None and found.beyond(len(some)):
            beside = f" beside {listed([own[k] for k in found.named])}" if found.named else ""
            said.append((found.share, f"{name}{beside} ({found.share:.0%})"))
    if not said:
        return ()
    worst = [text for _, text in sorted(said, key=lambda pair: -pair[0])]
    sentence = (
        "Exchanged freely, these make rows that are nowhere (in brackets the share whose value, beside the others, is "
        f"rarer than 1 in 20 is): {listed(worst, most=4)}. What the model says of such rows counts here; "
        "strata=Strata(), in a shell -o strata=64, exchanges among rows that are alike."
    )
    return (Note(name="leaves the data", count=len(said), rows=(), sentence=sentence),)
