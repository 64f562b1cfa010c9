"""Objects by name: `module:object`, from the folder one is in or from what is installed."""

import os
import sys
from importlib import import_module
from typing import Any

from attar.core.errors import InputError


def named_object(text: str) -> Any:
    """`module:object`, from the folder one is in or from what is installed. Raises `InputError` where there is none."""
    module, colon, name = text.partition(":")
    if not colon or not module or not name:
        raise InputError(f"--model is {text!r}, expected module:object, such as my_models:classifier")
    here = os.getcwd()
    added = here not in sys.path
    if added:
        sys.path.insert(0, here)
    try:
        found = import_module(module)
    except ImportError as problem:
        raise InputError(f"--model {text}: there is no module {module} here ({problem})") from problem
    finally:
        if added:
            sys.path.remove(here)
    if not hasattr(found, name):
        public = [each for each in vars(found) if not each.startswith("_")]
        raise InputError(f"--model {text}: {module} has no {name}; it has {', '.join(public[:12])}")
    return getattr(found, name)
