"""What can be called to make a model, and what a call needs."""

import inspect
from collections.abc import Callable
from typing import Any


def makes_models(given: Any) -> bool:
    """Whether this is a way to make a model, a function or a class that needs nothing, and not a model."""
    return (inspect.isroutine(given) or inspect.isclass(given)) and not required(given)


def required(call: Callable[..., Any]) -> list[str]:
    """The arguments that a call needs; of one that does not say, one."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    try:
        parameters = inspect.signature(call).parameters.values()
    except (TypeError, ValueError):
        return ["batch"]
    return [p.name for p in parameters if p.kind in kinds and p.default is inspect.Parameter.empty]
