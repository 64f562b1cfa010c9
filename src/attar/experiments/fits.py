"""Which methods fit a model and an input, and what each costs there: `attar methods --for`."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from attar.core.baseline import Rows
from attar.core.errors import AttarError
from attar.core.inputs import Inputs, Tensors
from attar.core.method import columns_of, needs_of
from attar.core.model import Chunked, lacks, told
from attar.core.target import Predicted, Target
from attar.experiments.asked import methods_of
from attar.experiments.explain import TOGETHER, Opened, Question, one_line, opened, table_background
from attar.methods import METHODS, OVER_ROWS

_TRIED, _SECONDS = 2000, 2.0  # evaluations, and how long, that one method may be tried for to see what it costs


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Whether a method fits: `evaluations` for one example (at least so many where `stopped`), or why it does not."""

    name: str
    evaluations: int | None = None
    stopped: bool = False
    reason: str | None = None


def fitting(question: Question) -> tuple[Opened, list[Fit]]:
    """Every method, tried on the first example: what it costs there, or why it does not fit."""
    both = opened(question)
    rows, _ = table_background(both, (), (), None)
    asked, target = _usual_target(both)
    tried = [_tried(name, asked, rows, target) for name in METHODS]
    if both.examples.others is None:
        return both, [*tried, *(Fit(name=name, reason="needs other rows to start from") for name in OVER_ROWS)]
    others, _ = table_background(both, tuple(OVER_ROWS), (), None)
    return both, [*tried, *(_tried(name, both, others, target) for name in OVER_ROWS)]


def _usual_target(both: Opened) -> tuple[Opened, Target]:
    """What is asked where no target is named, and the model that answers it about the first example."""
    known = both.pretrained
    if known is None or known.narrowed is None:
        return both, Predicted()
    first = both.examples.only(1)
    target = known.target("predicted", first) or Predicted()
    narrowed = known.narrowed(target)
    return replace(both, model=narrowed, examples=first, outputs=narrowed.predict(first.inputs)), target


def _tried(name: str, both: Opened, rows: Rows | None, target: Target) -> Fit:
    one = both.examples.inputs.take(torch.zeros(1, dtype=torch.long, device=both.examples.inputs.device))
    asked = _Counted(both.model, both.question.batch_size or TOGETHER, answered=(one, both.outputs[:1]))
    try:
        method = methods_of([name], rows=rows)[name]
        one = one.beside(columns_of(method)) if isinstance(one, Tensors) else one
        for needs in needs_of(method):
            asked.model = told(asked.model, needs, one)
            if reason := lacks(asked.model, needs):
                return Fit(name=name, reason=f"needs {needs.__name__}: {reason}")
        found = method(asked, one, target.resolve(both.outputs[:1]))
    except _EnoughSeen:
        return Fit(name=name, evaluations=asked.asked, stopped=True)
    except AttarError as problem:
        return Fit(name=name, reason=str(problem))
    except Exception as problem:  # one that breaks must not hide what the others say
        return Fit(name=name, reason=f"it failed with {one_line(problem)}")
    return Fit(name=name, evaluations=int(found.evaluations[0]) + (not asked.reused))


class _EnoughSeen(Exception):
    """A method asks for more than it may be tried for."""


@dataclass
class _Counted(Chunked):
    """A model that stops being asked after so many evaluations or seconds."""

    asked: int = 0
    since: float = field(default_factory=time.monotonic)

    def exchanged(self, inputs: Inputs, owner: Tensor, place: Tensor, other: Tensor) -> Tensor:
        self._counted(len(owner))
        return super().exchanged(inputs, owner, place, other)

    def _counted(self, count: int) -> None:
        if self.asked + count > _TRIED or time.monotonic() - self.since > _SECONDS:
            raise _EnoughSeen
        self.asked += count

    def _asked(self, inputs: Inputs, ask: Callable[[Inputs, Tensor], Any]) -> list[Any]:
        def counting(chunk: Inputs, index: Tensor) -> Any:
            self._counted(len(chunk))
            return ask(chunk, index)

        return super()._asked(inputs, counting)
