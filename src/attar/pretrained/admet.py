"""ADMET-AI: 31 questions about a molecule (is it a mutagen, does it block hERG …), with its authors' weights.

Five directed message-passing networks (`pretrained/dmpnn.py`) whose probabilities are averaged. What is explained is
the log-odds of that average, so that it is the published answer that is explained and not five others.
Source: Swanson et al. 2024, doi:10.1093/bioinformatics/btae416, as version 2 of its package has it (MIT).
"""

import difflib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float
from torch import Tensor

from attar.adapters.torch import TorchModel
from attar.core.errors import InputError
from attar.core.examples import Examples
from attar.core.note import listed
from attar.core.target import Logit, Target
from attar.domains.molecules.examples import molecule_examples
from attar.pretrained.card import Pretrained
from attar.pretrained.dmpnn import Ensemble, graphs, opened
from attar.pretrained.files import package_file

NETWORKS = 5
LIKELY = 0.5  # a probability from which on an answer is yes
_FILE = "admet_ai/resources/models/admet_classification/model_{}.pt"
_SAID = 5  # molecules whose answers are said


def load(networks: Sequence[int] = tuple(range(NETWORKS)), name: str = "admet") -> Pretrained:
    """A SMILES, or a file of molecules. The target must be named: no one of 31 questions is the usual one."""
    found = [opened(package_file("admet-ai", _FILE.format(number))) for number in networks]
    tasks = found[0][1]

    def read(source: str | Path) -> Examples:
        return molecule_examples(source, graphs)

    def named(text: str, _examples: Examples) -> Target | None:
        return task(text, tasks)

    return Pretrained(
        name=name,
        model=TorchModel(Ensemble([network for network, _ in found]).eval()),
        read=read,
        outputs=tasks,
        named_target=named,
        remarks=lambda examples, outputs: remarks(examples, outputs, tasks),
    )


def load_one() -> Pretrained:
    """The first of the five networks alone, at a fifth of the cost."""
    return load((0,), "admet-1")


def task(text: str, tasks: Sequence[str]) -> Target | None:
    """The log-odds of a task by its name, or by a beginning that no other name has; None for a number. Raises
    `InputError` for words that name none or several, and where no task is named."""
    wanted = text.strip().lower()
    if wanted == "predicted":
        raise InputError(
            f"this model answers {len(tasks)} questions, name one: --target AMES (is it a mutagen?); "
            f"there is {listed(tasks, most=len(tasks))}"
        )
    if not wanted or wanted[0].isdecimal() or wanted.startswith("-"):
        return None
    known = [each.lower() for each in tasks]
    if wanted in known:
        return Logit(known.index(wanted))
    begin = [k for k, each in enumerate(known) if each.startswith(wanted)]
    if len(begin) == 1:
        return Logit(begin[0])
    close = [tasks[k] for k in begin] or [
        tasks[known.index(each)] for each in difflib.get_close_matches(wanted, known, n=3, cutoff=0.5)
    ]
    several = "names several tasks" if begin else "is no task"
    raise InputError(f"--target {text!r} {several}; there is {listed(close or tasks, most=len(tasks))}")


def probabilities(outputs: Tensor) -> Float[np.ndarray, "batch tasks"]:
    """What the model says, from its log-odds."""
    return outputs.double().sigmoid().cpu().numpy()


def remarks(examples: Examples, outputs: Tensor, tasks: Sequence[str]) -> list[str]:
    """The tasks that each of the first molecules is said to fulfil, the likeliest first."""
    said = []
    for name, chances in zip(examples.names[:_SAID], probabilities(outputs), strict=False):
        order = [k for k in np.argsort(-chances, kind="stable") if chances[k] >= LIKELY]
        found = ", ".join(f"{tasks[k]} {chances[k]:.2f}" for k in order)
        said.append(f"{name}: {found or f'nothing of {LIKELY:g} or more'}")
    rest = len(examples.names) - _SAID
    return [*said, f"and {rest:,} more"] if rest > 0 else said
