"""A generalized linear model in plain words."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from attar.design.labelled import plain
from attar.design.wording import Wording, from_to, short, signed

_HOW = {
    "information": "Intervals (95%) from the Fisher information: right where the {family} family is.",
    "sandwich": "Intervals (95%) by the sandwich (HC3): right also where labels scatter unlike the {family} family.",
    "bootstrap": "Intervals (95%) from {resamples} bootstrap refits.",
}
_WHAT = {
    "binomial": ("the log-odds of {one}", "the odds of {one}"),
    "multinomial": ("the logit of {one}", "the odds of {one} against what stays the same"),
    "gaussian": ("the value", None),
    "poisson": ("the log of the expected count", "the expected count"),
    "gamma": ("the log of the expected value", "the expected value"),
}


def reading_of(model: Any, names: Sequence[str] | None, units: Mapping[str, str] | None) -> str:
    words = Wording.of(model, names, units)
    lines = []
    for output in range(len(model.coef_)):
        lines += [*_one_output(model, words, output), ""]
    return "\n".join([*lines, *_caveats(model, words)])


def _one_output(model: Any, words: Wording, output: int) -> list[str]:
    classes = getattr(model, "classes_", None)
    family = model.family if classes is None else ("binomial" if len(model.coef_) == 1 else "multinomial")
    one = "" if classes is None else repr(plain(classes[1 if len(model.coef_) == 1 else output]))
    what, factor = _WHAT[family]
    what, factor = what.format(one=one), None if factor is None else factor.format(one=one)
    start = model.intercept_[output]
    found = getattr(model, "intercept_interval_", None)
    around = "" if found is None else f" (95%: {from_to(*found[output])})"
    if model.unbounded_[output, -1]:
        head = f"{_capital(what)} has no starting value that fits best; every column adds its weight times its value."
    else:
        head = f"{_capital(what)} starts at {short(start)}{around}; every column adds its weight times its value."
    weights = model.coef_[output]
    lost = model.unbounded_[output, :-1]
    ends = getattr(model, "coef_interval_", None)
    ends = None if ends is None else ends[output]
    constant = set(model.alike_.constant)
    order = [k for k in np.argsort(-np.abs(weights) * model.spread_, kind="stable").tolist() if k not in constant]
    clear = [k for k in order if not lost[k] and weights[k] and (ends is None or ends[k, 0] > 0 or ends[k, 1] < 0)]
    blocks = {
        "Raises it:": [k for k in clear if weights[k] > 0],
        "Lowers it:": [k for k in clear if weights[k] < 0],
        "Could go either way:": [k for k in order if not lost[k] and k not in clear and weights[k]],
    }
    lines = [head]
    for title, members in blocks.items():
        if members:
            lines += [title, *(_line(words, weights, ends, k, factor) for k in members)]
    if lost.any():
        lines.append("No finite weight fits best (the data separates by it; its interval is unbounded):")
        lines += [f"  {words.name(k)}" for k in np.flatnonzero(lost).tolist() if k not in constant]
    if left := [words.name(k) for k in order if not weights[k] and not lost[k]]:
        lines.append(f"Left out by the penalty: {', '.join(left)}.")
    return lines


def _line(words: Wording, weights: np.ndarray, ends: np.ndarray | None, k: int, factor: str | None) -> str:
    around = "" if ends is None else f" (95%: {from_to(*ends[k])})"
    times = "" if factor is None else f", {factor} times {short(np.exp(weights[k]))}"
    return f"  {words.name(k)}: {signed(weights[k])} {words.per(k)}{around}{times}"


def _caveats(model: Any, words: Wording) -> list[str]:
    how = _HOW.get(model.intervals, "No intervals were asked for: how sure the weights are is not known.")
    family = "multinomial" if len(model.coef_) > 1 else model.family
    lines = [how.format(family=family, resamples=model.resamples)]
    if model.penalty != "none":
        said = " What it takes away is not in the intervals." if model.intervals is not None else ""
        lines.append(f"The penalty ({model.penalty}, strength {short(model.strength)}) pulls weights towards 0.{said}")
    lines += model.alike_.sentences(words.name)
    lines.append(
        "What it cannot tell: whether a column causes anything; effects that bend, or columns that act together; "
        f"values beyond those of its {short(model.n_rows_)} rows."
    )
    return lines


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
