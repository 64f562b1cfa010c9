"""A target in words: which output it is, by the name that the model has for it."""

from collections.abc import Sequence

from torch import Tensor

from attar.adapters.tokens import visible
from attar.core.target import Difference, Logit, LogProbability, Predicted, Target


def in_words(target: Target, outputs: Tensor, names: Sequence[str]) -> str:
    """What is asked of these outputs, which are called `names` where they are called anything."""
    if isinstance(target, Difference):
        return f"{in_words(target.this, outputs, names)} rather than {in_words(target.that, outputs, names)}"
    of = "the log-probability of " if isinstance(target, LogProbability) else ""
    if isinstance(target, Logit | LogProbability) and isinstance(target.index, int):
        return of + _output(target.index, names) if target.index < len(names) else repr(target)
    which_is_predicted = isinstance(target, Predicted) or (isinstance(target, LogProbability) and target.index is None)
    if not which_is_predicted or outputs.ndim != 2:
        return repr(target)
    if outputs.shape[1] == 1:
        return f"{of}the only output"
    predicted = outputs.argmax(1).unique().tolist()
    if len(predicted) == 1:
        return f"{of}{_output(predicted[0], names)}, which is predicted"
    return f"for each example {of}the output that is predicted for it"


def _output(number: int, names: Sequence[str]) -> str:
    return f"output {number}, {visible(names[number])}" if number < len(names) else f"output {number}"
