"""Attribution with its error: why did the model say that, and how far can the answer be believed?

Names are loaded when first used, so that `import attar` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attar.core.attribution import Attribution
    from attar.core.errors import AttarError, InputError, UnsupportedError
    from attar.core.features import Features
    from attar.core.inputs import Inputs, Named, SparseRows, Tensors
    from attar.core.parts import Parts
    from attar.core.target import Difference, Entry, Logit, LogProbability, Predicted, Probability
    from attar.effect_verb import effect
    from attar.surrogate_verb import surrogate
    from attar.verb import attribute

__version__ = "0.1.0"

_HOME = {
    "attribute": "attar.verb",
    "effect": "attar.effect_verb",
    "surrogate": "attar.surrogate_verb",
    "Attribution": "attar.core.attribution",
    "Features": "attar.core.features",
    "Inputs": "attar.core.inputs",
    "Named": "attar.core.inputs",
    "Tensors": "attar.core.inputs",
    "SparseRows": "attar.core.inputs",
    "Parts": "attar.core.parts",
    "Difference": "attar.core.target",
    "Entry": "attar.core.target",
    "LogProbability": "attar.core.target",
    "Logit": "attar.core.target",
    "Predicted": "attar.core.target",
    "Probability": "attar.core.target",
    "AttarError": "attar.core.errors",
    "InputError": "attar.core.errors",
    "UnsupportedError": "attar.core.errors",
}

__all__ = [
    "AttarError",
    "Attribution",
    "Difference",
    "Entry",
    "Features",
    "InputError",
    "Inputs",
    "LogProbability",
    "Logit",
    "Named",
    "Parts",
    "Predicted",
    "Probability",
    "SparseRows",
    "Tensors",
    "UnsupportedError",
    "attribute",
    "effect",
    "surrogate",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'attar' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
