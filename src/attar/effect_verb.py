"""The verb for curves: `attar.effect`."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from attar.core.effect import Effect, EffectMethod
from attar.core.errors import InputError
from attar.core.inputs import Tensors
from attar.core.note import listed
from attar.core.target import Logit, Target
from attar.effects.partial_dependence import PartialDependence
from attar.estimation.table_features import names_of_columns, table_of
from attar.verb import posed


@torch.inference_mode(mode=False)
def effect(
    model: object,
    table: Any,
    columns: str | int | Sequence[str | int],
    method: EffectMethod | None = None,
    target: Target | None = None,
    *,
    batch_size: int | None = None,
) -> Effect:
    """How the model's output goes with one column of the table, or with two.

    `model` and `table` are as in `attar.attribute`; `columns` are names, or places from 0. `method` is
    `PartialDependence()` unless given, or `AccumulatedLocalEffects()`. `target` is the only output, or of two classes
    the logit of the second; of more it has to be said. Raises as `attribute` does, and `InputError` for a column that
    is not there.
    """
    asked = PartialDependence() if method is None else method
    name = type(asked).__name__
    put = posed(model, table, [target or Logit(0)], asker=name, batch_size=batch_size)
    rows = table_of(put.inputs, name)
    places = _places(columns, rows)
    chosen, said = (put.targets[0], repr(target)) if target is not None else _usual(put.outputs)
    return replace(asked(put.model, rows, places, chosen), method=repr(asked), target=said)


def _usual(outputs: torch.Tensor) -> tuple[Target, str]:
    """What is asked about where no target is given, and in words."""
    if outputs.ndim == 2 and outputs.shape[1] == 1:
        return Logit(0), "the only output"
    if outputs.ndim == 2 and outputs.shape[1] == 2:
        return Logit(1), "the logit of the second class"
    raise InputError(
        f"the model has outputs {tuple(outputs.shape[1:])} for a row, and an effect is on one: name it, as in "
        "target=attar.Logit(2) or attar.Probability(2)"
    )


def _places(columns: str | int | Sequence[str | int], table: Tensors) -> tuple[int, ...]:
    given = [columns] if isinstance(columns, str | int) else list(columns)
    names, places = names_of_columns(table), []
    for each in given:
        if isinstance(each, str) and each not in names:
            raise InputError(f"there is no column {each!r}; there are {listed(names)}")
        place = names.index(each) if isinstance(each, str) else int(each)
        if not 0 <= place < len(names):
            raise InputError(f"there is no column {place}; there are {len(names)}, counted from 0")
        places.append(place)
    if len({*places}) != len(places) or not 1 <= len(places) <= 2:
        raise InputError(f"columns are {given}, expected one column, or two different ones")
    return tuple(places)
