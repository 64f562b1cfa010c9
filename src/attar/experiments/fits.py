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
from attar.core.target import Target
from attar.experiments.asked import methods_of
from attar.experiments.explain import (
    TOGETHER,
    Opened,
    Question,
    asked_of,
    in_domain,
    one_line,
    opened,
    table_background,
    with_own_background,
)
from attar.methods import METHODS, OVER_ROWS

_TRIED, _SECONDS = 2000, 2.0  # evaluations, and how long, that one method may be tried for to see what it costs
_CALL = 0.25  # seconds that one call of the model may take: only between calls is it seen that the time is up


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Whether a method fits: `evaluations` for one example (at least so many where `stopped`), or why it does not."""

    name: str
    evaluations: int | None = None
    stopped: bool = False
    reason: str | None = None


def fitting(question: Question, target: Target | str = "predicted") -> tuple[Opened, list[Fit]]:
    """Every method, tried on the first example as `explain` would ask it: what it costs there, or why it does not fit.

    Raises `InputError` where the model must be told what is asked of it, and `target` does not say it.
    """
    both = opened(question, target)
    rows, _ = table_background(both, (), (), None)
    asked, wanted = _of_first(both, asked_of(both, target))
    together = _together(asked)
    tried = [_tried(name, asked, rows, wanted, together) for name in METHODS]
    if both.examples.others is None:
        return both, [*tried, *(Fit(name=name, reason="needs other rows to start from") for name in OVER_ROWS)]
    others, _ = table_background(both, tuple(OVER_ROWS), (), None)
    return both, [*tried, *(_tried(name, asked, others, wanted, together) for name in OVER_ROWS)]


def _of_first(both: Opened, target: Target) -> tuple[Opened, Target]:
    """The first example alone, what is asked of it, and the model that answers this, its answer at hand."""
    first = both.examples.only(1)
    target = target.take(torch.zeros(1, dtype=torch.long, device=first.inputs.device))
    narrowed = None if both.pretrained is None else both.pretrained.narrowed
    model = both.model if narrowed is None else narrowed(target)
    outputs = both.outputs[:1] if narrowed is None else model.predict(first.inputs)
    return replace(both, model=model, examples=first, outputs=outputs), target.resolve(outputs)


def _together(both: Opened) -> int:
    """How many copies of the example may go into one call, so that the time is looked at often enough."""
    since = time.monotonic()
    both.model.predict(both.examples.inputs.replace(both.examples.inputs.parts.map(Tensor.clone)))
    took = time.monotonic() - since
    return max(1, min(both.question.batch_size or TOGETHER, int(_CALL / max(took, 1e-9))))


def _tried(name: str, both: Opened, rows: Rows | None, target: Target, together: int) -> Fit:
    one = both.examples.inputs
    try:
        method = in_domain(methods_of([name], rows=rows), both.examples)[0][name]
        method = with_own_background(method, both.examples)
        one = one.beside(columns_of(method)) if isinstance(one, Tensors) else one
        asked = _Counted(both.model, together, answered=(one, both.outputs))
        for needs in needs_of(method):
            asked.model = told(asked.model, needs, one)
            if reason := lacks(asked.model, needs):
                return Fit(name=name, reason=f"needs {needs.__name__}: {reason}")
        found = method(asked, one, target)
    except _EnoughSeen as seen:
        return Fit(name=name, evaluations=seen.asked, stopped=True)
    except AttarError as problem:
        return Fit(name=name, reason=str(problem))
    except Exception as problem:  # one that breaks must not hide what the others say
        return Fit(name=name, reason=f"it failed with {one_line(problem)}")
    return Fit(name=name, evaluations=int(found.evaluations[0]) + (not asked.reused))


@dataclass
class _EnoughSeen(Exception):
    """A method asks for more than it may be tried for: it has `asked` so often."""

    asked: int


@dataclass
class _Counted(Chunked):
    """A model that stops being asked after so many evaluations or seconds. Calls that take long are made of fewer."""

    asked: int = 0
    since: float = field(default_factory=time.monotonic)

    def exchanged(self, inputs: Inputs, owner: Tensor, place: Tensor, other: Tensor) -> Tensor:
        self._counted(len(owner))
        return super().exchanged(inputs, owner, place, other)

    def _counted(self, count: int) -> None:
        if self.asked + count > _TRIED or time.monotonic() - self.since > _SECONDS:
            raise _EnoughSeen(self.asked)
        self.asked += count

    def _asked(self, inputs: Inputs, ask: Callable[[Inputs, Tensor], Any]) -> list[Any]:
        def counting(chunk: Inputs, index: Tensor) -> Any:
            self._counted(len(chunk))
            before = time.monotonic()
            answer = ask(chunk, index)
            took = max(time.monotonic() - before, 1e-9)
            self.size = max(1, min(self.size, int(len(chunk) * _CALL / took)))
            return answer

        return super()._asked(inputs, counting)
