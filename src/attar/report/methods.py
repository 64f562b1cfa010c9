"""The methods as text: the taxonomy as a tree, one in full, and which fit a model; made from the code itself."""

import dataclasses
import inspect
import textwrap
from collections.abc import Sequence
from typing import Any

from attar.experiments.asked import method_class
from attar.experiments.fits import Fit
from attar.methods import METHODS, OF_LOSS, OVER_ROWS, VARIANTS

_WIDTH = 100
_GLOBAL = "post hoc, model-agnostic: global"  # over all rows of a table, which are labelled
_LISTED = METHODS | OVER_ROWS | OF_LOSS
_NAMES = max(len(name) for name in _LISTED) + 2  # columns of the names and of the gap after them

# What a method needs says where it stands in the taxonomy; the last branch takes what no other does.
BRANCHES: dict[str, tuple[str, ...]] = {
    "by design (the model explains itself)": ("Linear", "TreeEnsemble", "Forest", "Additive"),
    "post hoc, model-specific: gradients": ("Differentiable",),
    "post hoc, model-specific: rules passed back through the network": ("Propagating",),
    "post hoc, model-specific: maps and attention": ("Pooled", "Layered", "Attending", "SelfAttending"),
    "post hoc, model-agnostic: local": ("Predictor",),
    _GLOBAL: (),
    "others": (),
}


def method_tree() -> str:
    """Every method under what it asks of the model."""
    branches: dict[str, list[tuple[str, Any]]] = {branch: [] for branch in BRANCHES}
    for name in _LISTED:
        method = method_class(name)
        branches[_GLOBAL if name in OF_LOSS else _branch(method.needs)].append((name, method))
    lines = []
    for branch, members in branches.items():
        if not members:
            continue
        lines.append(branch)
        for k, (name, method) in enumerate(members):
            stem = "└─" if k == len(members) - 1 else "├─"
            lines.append(f"{stem} {name:<{_NAMES}}{_first_line(method)}")
        lines.append("")
    return "\n".join(
        [
            *lines,
            "attar methods NAME: what it is, when it misleads, its source and options.",
            "attar methods --for MODEL --input FILE: which fit, what they cost, and why the others do not.",
        ]
    )


def _branch(needs: type) -> str:
    return next((branch for branch, names in BRANCHES.items() if needs.__name__ in names), list(BRANCHES)[-1])


def method_fits(said: Sequence[str], fits: Sequence[Fit]) -> str:
    """Which methods fit, the cheapest first, and why the others do not."""
    fitting = sorted((fit for fit in fits if fit.reason is None), key=lambda fit: fit.evaluations or 0)
    lines = [*said, "", f"{'fits':<{_NAMES + 2}}evaluations of the model for one example, as tried on the first"]
    for fit in fitting:
        more = f"more than {fit.evaluations:,}" if fit.stopped else f"{fit.evaluations:,}"
        lines.append(f"  {fit.name:<{_NAMES}}{more:>14}")
    others = [fit for fit in fits if fit.reason is not None]
    lines += ["", "does not fit"] if others else []
    for fit in others:
        lead = f"  {fit.name:<{_NAMES}}"
        lines += textwrap.wrap(
            fit.reason or "", _WIDTH, initial_indent=lead, subsequent_indent=" " * len(lead), break_on_hyphens=False
        )
    return "\n".join(lines)


def method_page(name: str) -> str:
    """One method: its docstring, what it needs of a model, and its options with their defaults."""
    base, different = VARIANTS.get(name, (name, ""))
    method = method_class(base)
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
