"""The words of the command line as objects: a method by name, its options, a target."""

import ast
import dataclasses
import difflib
import json
import types
from collections.abc import Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import Any, Union, get_args, get_origin, get_type_hints

from attar.core import baseline
from attar.core.errors import InputError
from attar.core.feasible import Feasible
from attar.core.loss import LOSSES, Loss
from attar.core.method import Method
from attar.core.target import Difference, Entry, Logit, Predicted, Target
from attar.core.windows import Windows
from attar.estimation.noisy_linear import NoisyLinear
from attar.estimation.strata import Strata
from attar.methods import METHODS, OF_LOSS, OVER_ROWS


def method_class(name: str) -> Any:
    """The class of a method by its name on the command line. Raises `InputError` with close names."""
    known = METHODS | OVER_ROWS | OF_LOSS
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {close[0]}?" if close else "."
        raise InputError(f"there is no method {name!r}{hint} There are {', '.join(known)}")
    module, attribute = known[name].split(":")
    return getattr(import_module(module), attribute)


def methods_of(
    names: Sequence[str],
    options: Sequence[str] = (),
    seed: int | None = None,
    rows: baseline.Rows | None = None,
    labels: Sequence[Any] | None = None,
) -> dict[str, Method]:
    """Methods by name with `field=value` options, each given to every one of them that has the field.

    `rows` are the background of those that have one, and their typical row the baseline of those that have that;
    `labels` are the right answers of those that take them.

    Raises `InputError` for an option that none has, with those they have, and for a value that its field cannot hold.
    """
    classes = {name: method_class(name) for name in names}
    fields = {name: {f.name for f in dataclasses.fields(each) if f.init} for name, each in classes.items()}
    wanted = dict(_option(text) for text in options)
    for option in wanted:
        if not any(option in known for known in fields.values()):
            there = "; ".join(f"{name} has {', '.join(sorted(known)) or 'none'}" for name, known in fields.items())
            raise InputError(f"there is no option {option!r}: {there}")
    made = {}
    for name, each in classes.items():
        hints = get_type_hints(each)
        given = {
            option: _value(text, hints[option], option) for option, text in wanted.items() if option in fields[name]
        }
        if seed is not None and "seed" in fields[name]:
            given.setdefault("seed", seed)
        if labels is not None and "labels" in fields[name]:
            given["labels"] = labels
        for option, usual in {} if rows is None else {"background": rows, "baseline": baseline.Typical(rows)}.items():
            if option in fields[name]:
                given.setdefault(option, usual)
        made[name] = each(**given)
    return made


def _option(text: str) -> tuple[str, str]:
    name, is_there, value = text.partition("=")
    if not is_there or not name:
        raise InputError(f"the option {text!r} has no value: write it as name=value, such as tolerance=0.01")
    return name.strip().replace("-", "_"), value.strip()


def _value(text: str, kind: Any, option: str) -> Any:
    """A field's value from text, by the type that the field has."""
    kinds = get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)
    if type(None) in kinds and text.lower() == "none":
        return None
    for each in kinds:
        plain = get_origin(each) or each
        if plain is bool and text.lower() in ("true", "false"):
            return text.lower() == "true"
        if plain in (int, float):
            try:
                return plain(text)
            except ValueError:
                continue
        if plain is tuple:
            return _tuple(text, option)
        if plain is str:
            return text
        if option == "by" and (window := _window(text)) is not None:
            return window
        if plain is Feasible:
            return Feasible.of_text(text)
        if plain is Loss and text.replace("-", "_") in LOSSES:
            return LOSSES[text.replace("-", "_")]
        if plain is Strata and text.isdecimal():
            return Strata(leaves=int(text))
        if plain is Method and text in METHODS:
            return method_class(text)()
        if plain is baseline.Baseline and text in _baselines():
            return _baselines()[text]()
    expected = "windows such as 8x8" if option == "by" else _expected(kinds)
    raise InputError(f"the option {option} cannot be {text!r}: expected {expected}")


def _tuple(text: str, option: str) -> tuple[Any, ...]:
    try:
        held = ast.literal_eval(f"({text.strip('()')},)")
    except (ValueError, SyntaxError):
        raise InputError(f"the option {option} cannot be {text!r}: expected numbers with commas between them") from None
    return tuple(held)


def _window(text: str) -> Windows | None:
    """`8x8`: the entries of a tensor taken together by windows of that shape, side by side."""
    words = text.lower().split("x")
    return Windows(shape=tuple(map(int, words))) if all(word.isdecimal() for word in words) else None


def _baselines() -> Mapping[str, Any]:
    """The baselines that need nothing more: by their names in lower case."""
    return {"inpainted": partial(NoisyLinear, noise=0.0)} | {
        name.lower(): each
        for name, each in vars(baseline).items()
        if dataclasses.is_dataclass(each)
        and isinstance(each, type)
        and all(field.default is not dataclasses.MISSING for field in dataclasses.fields(each))
    }


def _expected(kinds: Sequence[Any]) -> str:
    said = []
    for each in kinds:
        plain = get_origin(each) or each
        if plain is Method:
            said.append("the name of a method")
        elif plain is Loss:
            said.append(f"one of {', '.join(LOSSES)}")
        elif plain is Strata:
            said.append("how many strata at most, such as 64")
        elif plain is baseline.Baseline:
            said.append(f"one of {', '.join(_baselines())}; others from Python")
        elif plain in (int, float, bool, types.NoneType):
            said.append({int: "a whole number", float: "a number", bool: "true or false"}.get(plain, "none"))
        else:
            said.append("what only Python can say")
    return " or ".join(dict.fromkeys(said))


def target_of(text: str) -> Target:
    """`predicted`, `3` (output 3, counted from 0), `3-5` (output 3 rather than 5), `-1:42` (an entry of an output with
    more axes). Raises `InputError` for anything else."""
    words = text.strip().lower()
    if words == "predicted":
        return Predicted()
    if words.isdecimal():
        return Logit(int(words))
    this, _, that = words.partition("-")
    if this.isdecimal() and that.isdecimal():
        return Difference(Logit(int(this)), Logit(int(that)))
    try:
        entry = [int(word) for word in words.split(":")]
    except ValueError:
        entry = []
    if len(entry) > 1:
        return Entry(*entry)
    raise InputError(
        f"--target is {text!r}, expected predicted, an output such as 3 (from 0), 3-5 for output 3 rather than 5, or "
        "an entry such as -1:42"
    )


def numbers_of(text: str | None, option: str) -> tuple[float, ...] | None:
    """`0.485,0.456,0.406`; None stays None."""
    if text is None:
        return None
    try:
        return tuple(float(word) for word in text.split(","))
    except ValueError:
        raise InputError(f"{option} is {text!r}, expected numbers with commas between them") from None


def json_of(text: str | None, option: str) -> dict[str, Any] | None:
    """An object of JSON; None stays None."""
    if text is None:
        return None
    try:
        held = json.loads(text)
    except ValueError as problem:
        raise InputError(f"{option} is no JSON ({problem}); write it as '{{\"width\": 64}}'") from None
    if not isinstance(held, dict):
        raise InputError(f"{option} holds a {type(held).__name__}, expected names and values: '{{\"width\": 64}}'")
    return held


def size_of(text: str | None) -> tuple[int, ...] | None:
    """`224` or `224x320` (height x width); None stays None."""
    if text is None:
        return None
    words = text.lower().replace("×", "x").split("x")
    if len(words) > 2 or not all(word.strip().isdecimal() and int(word) for word in words):
        raise InputError(f"--size is {text!r}, expected 224 (a square out of the middle) or 224x320 (height x width)")
    return tuple(int(word) for word in words)
