"""The benchmarks by domain: which tasks and models `attar bench` runs."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from attar.core.domain import MadeDomain
from attar.core.errors import InputError
from attar.experiments.leaderboard import Entry
from attar.experiments.made_task import made_task

_SCORED = 400
MADE = {
    "images": "attar.domains.images.domain:Images",
    "sequences": "attar.domains.sequences.domain:Sequences",
    "waveforms": "attar.domains.waveforms.domain:Waveforms",
    "volumes": "attar.domains.volumes.domain:Volumes",
    "tables": "attar.domains.tables.domain:Tables",
    "text": "attar.domains.text.domain:Texts",
}


def benchmark(
    domain: str,
    *,
    data: Path | None = None,
    rule: str | None = None,
    truth: str | None = None,
    input: str | None = None,
    label: str = "label",
    split: str | None = None,
    models: Sequence[str] | None = None,
    count: int | None = None,
    epochs: int | None = None,
    seed: int = 0,
) -> list[Entry]:
    """What the leaderboard of a domain fits and scores; `count` examples are made (None: as suits the domain).
    Raises `InputError` for options that the domain has not."""
    if domain == "molecules":
        from attar.experiments import molecule_benchmark as molecules

        chosen = molecules.MODELS if models is None else models
        if data is None:
            return molecules.embedded(rule=rule, models=chosen, epochs=epochs, seed=seed)
        return molecules.entries(
            data,
            rule=rule,
            truth=truth,
            input=input,
            label=label,
            split=split,
            models=chosen,
            epochs=epochs,
            seed=seed,
        )
    for name, given in (("--data", data), ("--truth", truth), ("--input", input), ("--split", split)):
        if given is not None:
            raise InputError(f"{name} is for molecules; {domain} are made, with --rule as their truth")
    return _made(made_domain(domain), rule, models, count, epochs, seed)


def scored_by_default(domain: str) -> int:
    """How many held-out examples a leaderboard scores where nobody says."""
    if domain == "molecules":
        return _SCORED
    from attar.experiments.made_models import SHAPES

    return SHAPES[made_domain(domain).name].scored


def made_domain(name: str) -> MadeDomain:
    """Raises `InputError` for a name that no domain has."""
    if name not in MADE:
        raise InputError(f"there is no benchmark of {name!r}; choose from molecules, {', '.join(MADE)}")
    module, domain = MADE[name].split(":")
    return getattr(import_module(module), domain)()


def _made(
    domain: MadeDomain,
    rule: str | None,
    models: Sequence[str] | None,
    count: int | None,
    epochs: int | None,
    seed: int,
) -> list[Entry]:
    from attar.experiments.made_models import SHAPES, MadeRecipe

    count = SHAPES[domain.name].made if count is None else count
    entries = []
    for name in (*domain.rules, *domain.sums) if rule is None else (rule,):
        task = made_task(domain, name, count=count, seed=seed)
        kinds = SHAPES[domain.name].models if models is None else models
        recipes = {kind: MadeRecipe(domain=domain, kind=kind, task=task.task, epochs=epochs or 20) for kind in kinds}
        entries.append(Entry(task=task, recipes=recipes))
    return entries
