"""The methods as text: the taxonomy as a tree, and one method in full, made from the code itself."""

import dataclasses
import difflib
import inspect
from importlib import import_module
from typing import Any

from attar.core.errors import InputError
from attar.core.model import Attending, Differentiable, Layered, Linear, Pooled, Predictor, TreeEnsemble
from attar.methods import METHODS, VARIANTS

# What a method needs says where it stands in the taxonomy.
BRANCHES: dict[str, tuple[type, ...]] = {
    "by design (the model explains itself)": (Linear, TreeEnsemble),
    "post hoc, model-specific: gradients": (Differentiable,),
    "post hoc, model-specific: maps and attention": (Pooled, Layered, Attending),
    "post hoc, model-agnostic: local": (Predictor,),
}


def load(name: str) -> Any:
    """The class of a method by its name on the command line. Raises `InputError` with close names."""
    if name not in METHODS:
        close = difflib.get_close_matches(name, METHODS, n=1)
        hint = f"; did you mean {close[0]}?" if close else "."
        raise InputError(f"there is no method {name!r}{hint} There are {', '.join(METHODS)}")
    module, attribute = METHODS[name].split(":")
    return getattr(import_module(module), attribute)


def method_tree() -> str:
    """Every method under what it asks of the model."""
    lines = []
    for branch, needs in BRANCHES.items():
        members = [(name, load(name)) for name in METHODS if load(name).needs in needs]
        lines.append(branch)
        for k, (name, method) in enumerate(members):
            stem = "└─" if k == len(members) - 1 else "├─"
            lines.append(f"{stem} {name:<22} {_first_line(method)}")
        lines.append("")
    return "\n".join([*lines, "attar methods NAME: what it is, when it misleads, its source and options."])


def method_page(name: str) -> str:
    """One method: its docstring, what it needs of a model, and its options with their defaults."""
    base, different = VARIANTS.get(name, (name, ""))
    method = load(base)
    needs = _first_line(method.needs)
    variant = [f"{base} with {different}.", ""] if different else []
    lines = [
        name,
        "=" * len(name),
        *variant,
        inspect.getdoc(method) or "",
        "",
        f"Needs: {method.needs.__name__}. {needs}",
    ]
    fields = dataclasses.fields(method)
    if fields:
        lines.append("Options:")
        for field in fields:
            default = field.default if field.default is not dataclasses.MISSING else _made(field)
            lines.append(f"  {field.name} = {default!r}")
    return "\n".join(lines)


def _made(field: Any) -> Any:
    return field.default_factory() if field.default_factory is not dataclasses.MISSING else "required"


def _first_line(thing: Any) -> str:
    return (inspect.getdoc(thing) or "").partition("\n")[0]
