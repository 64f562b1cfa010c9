"""What `attar explain` does: a model file and an input file → attributions."""

import inspect
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from attar.adapters import adapt
from attar.adapters.function import Function
from attar.adapters.saved import Saved, open_model
from attar.adapters.torch import TorchModel
from attar.core.attribution import Attribution, chained
from attar.core.baseline import Baseline, Rows, Zeros
from attar.core.errors import AttarError, InputError
from attar.core.examples import Examples
from attar.core.inputs import Inputs, Tensors
from attar.core.method import Method, of_loss
from attar.core.model import Additive, Chunked, Differentiable, Linear, TreeEnsemble, lacks
from attar.core.note import counted
from attar.core.target import Logit, Predicted, Target
from attar.experiments.asked import methods_of, target_of
from attar.experiments.named import named_object
from attar.experiments.reading import Reading, read_examples
from attar.experiments.target_words import in_words
from attar.methods import OF_LOSS, OVER_ROWS
from attar.pretrained import MODELS, is_named, load
from attar.pretrained.card import Pretrained
from attar.verb import attribute, beyond

_ONE_BY_ONE, _CUTS, _CHANNELS = 1024, 14, 4  # entries, windows along an axis, at most so many channels
_BACKGROUND = 100  # rows of a table that stand for absence
TOGETHER = 64  # examples in one call of the model
_SAID = 3  # classes that a model is quoted with
_OF_READERS = (  # what only readers of one domain are told
    ("strand", "sequences", "--variant, --variants and --strand"),
    ("resample", "waveforms", "--resample, --rate and --signal"),
    ("by", "text", "--by and --steps"),
)

# What is asked where no method is named: the first that fits the model, and why.
_USUAL: tuple[tuple[type, str, str], ...] = (
    (Linear, "weight-times-input", "the model is linear"),
    (Additive, "shape-functions", "the model is a sum of functions of columns"),
    (TreeEnsemble, "tree-paths", "the model is a tree"),
    (Differentiable, "integrated-gradients", "the model has gradients"),
)
_OTHERWISE = ("occlusion", "the model can only be asked")


@dataclass(frozen=True, kw_only=True)
class Question:
    """A model (a file, an object, or one of `attar models` by name), what it is asked about (a file; of a model of text
    the text itself), and how to open them; `explain` and `fits.fitting` answer it. `read_with` is what the reader of
    its domain is told: the strand of a sequence and its variants, the rate of a signal."""

    model: Path
    input: Path | str
    reading: Reading = field(default_factory=Reading)
    module: str | None = None
    arguments: Mapping[str, Any] | None = None
    trusted: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()
    channels: int | None = None
    at: str | None = None
    output: str | None = None
    batch_size: int | None = None
    read_with: Mapping[str, Any] = field(default_factory=dict)

    @property
    def about(self) -> str:
        """What to call the input: a file's name without its folder, a text as it is."""
        name = Path(self.input).name
        return name if isinstance(self.input, Path) or _is_file(self.input) else self.input


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # a text that is too long for a name, or holds what no name may
        return False


@dataclass(frozen=True, eq=False, kw_only=True)
class Opened:
    """Both files open: the model answers for the examples; `outputs` are its answers. `pretrained` is the model with
    its names, where it is one of `attar models`."""

    question: Question
    model: Any
    examples: Examples
    outputs: Tensor
    said: tuple[str, ...]
    pretrained: Pretrained | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Explained:
    """The answers: an attribution for each method, what was opened and how, in sentences."""

    opened: Opened
    methods: Mapping[str, Method]
    found: Mapping[str, Attribution]
    said: tuple[str, ...]


def opened(question: Question, target: Target | str = "predicted") -> Opened:
    """Open both files and ask the model once; of a pretrained model keep what the target depends on. Raises
    `InputError` where it does not take these inputs."""
    if _is_pretrained(question):
        return _opened_pretrained(question, target)
    for option, _, words in _OF_READERS:
        if option in question.read_with:
            raise InputError(f"{words} are for models of `attar models`: read the file in Python, or leave them out")
    question = replace(question, input=Path(question.input))
    saved = _model(question)
    estimator = getattr(saved.model, "estimator", None)
    known = getattr(estimator, "feature_names_in_", None)
    examples = read_examples(
        question.input,
        question.reading,
        dtype=getattr(saved.model, "dtype", None),
        known=None if known is None else tuple(map(str, known)),
        frames=_takes_frames(saved.model),
    )
    outputs = _asked(saved.model, examples.inputs, question.batch_size)
    per = counted(outputs.shape[1], "output") if outputs.ndim == 2 else f"outputs {tuple(outputs.shape[1:])}"
    said = (f"model: {question.model.name}, {saved.kind}, {per}", f"input: {question.about}, {examples.said}")
    return Opened(question=question, model=saved.model, examples=examples, outputs=outputs, said=said)


def _opened_pretrained(question: Question, target: Target | str) -> Opened:
    name = str(question.model)
    if question.reading != Reading(row=question.reading.row) or question.module or question.arguments:
        raise InputError(f"{name} reads its input itself: leave out the options of pictures, tables and weights")
    of = MODELS[name.partition(":")[0]].domain
    for option, domain, words in _OF_READERS:
        if option in question.read_with and of != domain:
            raise InputError(f"{words} are about {domain}, and {name} is about {of}")
    known = load(name)
    examples = known.read(question.input, **question.read_with)
    if question.reading.row is not None:
        examples = examples.only(question.reading.row)
    if known.around is not None and isinstance(target, str):
        examples = known.around(target, examples)
    outputs = _asked(known.model, examples.inputs, question.batch_size)
    said = [f"model: {known.name}, {MODELS[known.name].what}", f"input: {question.about}, {examples.said}"]
    if known.remarks is not None:
        said += known.remarks(examples, outputs)
    elif known.outputs and outputs.ndim == 2:
        said.append(f"it says: {_leading(known, outputs[0])}")
    return Opened(
        question=question,
        model=known.model,
        examples=examples,
        outputs=outputs,
        said=tuple(said),
        pretrained=known,
    )


def _leading(known: Pretrained, outputs: Tensor) -> str:
    """The likeliest classes of one example."""
    chances = outputs.softmax(0)
    ranked = chances.argsort(descending=True, stable=True)[:_SAID].tolist()
    return ", ".join(f"{str(known.outputs[k]).split(',')[0]} {float(chances[k]):.2f}" for k in ranked)


def _model(question: Question) -> Saved:
    """The model in the file, or the object of that name."""
    if ":" in question.model.name and not question.model.exists():
        found = named_object(str(question.model))
        if question.module is not None or question.arguments:
            raise InputError(f"{question.model} is an object, which needs no class: leave out --module and --arguments")
        if isinstance(found, torch.nn.Module):
            model = TorchModel(found, question.layers, channels=question.channels, output=question.output)
            return Saved(model=model, kind=type(found).__name__)
        last = found.steps[-1][1] if hasattr(found, "steps") else found
        kind = "a function" if inspect.isroutine(found) else type(found).__name__
        return Saved(model=adapt(found), kind=kind if last is found else f"{kind} to {type(last).__name__}")
    return open_model(
        question.model,
        module=question.module,
        arguments=question.arguments,
        trusted=question.trusted,
        layers=question.layers,
        channels=question.channels,
        by_layer=question.at is not None,
        output=question.output,
    )


def _takes_frames(model: Any) -> bool:
    """Whether a model is asked with data frames: an estimator that was fitted on one, and a function."""
    estimator = getattr(model, "estimator", None)
    if estimator is None:
        return isinstance(model, Function)
    return hasattr(estimator, "feature_names_in_") or not hasattr(estimator, "n_features_in_")


def table_background(
    both: Opened, names: Sequence[str], options: Sequence[str], seed: int | None
) -> tuple[Rows | None, str]:
    """Rows of the table that stand for absence, where zero cannot or a method cannot do without; and what to say."""
    inputs, others = both.examples.inputs, both.examples.others
    columns = inputs.columns if isinstance(inputs, Tensors) else None
    counted = any(re.fullmatch(r"\s*conditional\s*=\s*true\s*", option, re.IGNORECASE) for option in options)
    needed = counted or any(name in OVER_ROWS for name in names)
    if others is None and needed:
        raise InputError(
            f"{both.question.about} has no other rows to start from: give a table of several, and a model of data "
            "frames (an estimator that was fitted on one, a function)"
        )
    if others is None or columns is None or not (needed or columns.coded.any()):
        return None, ""
    rows = Rows(others)  # type: ignore[arg-type] - a table, of which it takes the values
    some = rows if counted else rows.some(_BACKGROUND, seed or 0)  # to be counted they are asked about once
    of_all = "" if len(some) == len(rows) else f" of {len(rows):,}, drawn with seed {seed or 0}"
    which = ("" if both.question.reading.row is None else "other ") + ("row" if len(some) == 1 else "rows")
    return some, f"background: {len(some)} {which}{of_all}"


def explain(
    question: Question,
    asked_target: Target | str,
    methods: Sequence[str] | None = None,
    options: Sequence[str] = (),
    seed: int | None = None,
) -> Explained:
    """An attribution by each method, the usual one for the model where none is named. A target may be given in words:
    as `--target` takes it, or by the name of an output of a pretrained model."""
    known = Rows(torch.zeros(1, 1)) if any(name in OVER_ROWS for name in methods or ()) else None
    scored = [name for name in methods or () if name in OF_LOSS]
    if scored and question.reading.label is None:
        raise InputError(f"{scored[0]} needs the right answers: name their column with --label")
    if scored and question.reading.row is not None:
        raise InputError(f"{scored[0]} is about all rows of a table: leave out --row")
    # Once before anything is opened, so that a wrong option costs no waiting.
    made = None if methods is None else methods_of(methods, options, seed, known, (0.0,) if scored else None)
    target = target_of(asked_target) if isinstance(asked_target, str) and not _is_pretrained(question) else asked_target
    both = opened(question, asked_target)
    said = list(both.said)
    target = asked_of(both, target)
    if odd := beyond(both.model, both.examples.inputs):
        said.append(f"warning: {odd}")
    rows, background = table_background(both, methods or (), options, seed)
    if methods is not None and (rows is not None or scored):
        made = methods_of(methods, options, seed, rows, both.examples.labels if scored else None)
    if made is None:
        name, why = (both.pretrained and both.pretrained.usual) or usual(both.model, target)
        settled = name != "occlusion" or any(option.startswith("by=") for option in options)
        windows = None if settled or both.examples.features else _windows(both.examples.inputs)
        made = methods_of([name], [*([] if windows is None else [f"by={windows}"]), *options], seed, rows)
        by = "" if windows is None else f" by windows of {windows}"
        said.append(f"method: {name}{by}, because {why} (others: attar methods --for)")
    made, of_domain = in_domain(made, both.examples, options)
    said += of_domain
    if background and any(hasattr(each, "background") or hasattr(each, "baseline") for each in made.values()):
        said.append(background)
    if seed is not None and not any(hasattr(method, "seed") for method in made.values()):
        said.append("seed: of no use here, for nothing is drawn")
    if len(scored) < len(made):
        names = () if both.pretrained is None else both.pretrained.outputs
        said.append(f"target: {in_words(target, both.outputs, names)}")
    asked = {n: None if of_loss(each) and isinstance(target, Predicted) else target for n, each in made.items()}
    found = {name: _attributed(both, method, asked[name]) for name, method in made.items()}
    return Explained(opened=both, methods=made, found=found, said=tuple(said))


def _attributed(both: Opened, method: Method, target: Target | None) -> Attribution:
    """By one method; example by example where the model is narrowed to what its target asks, or has its background."""
    question, examples, known = both.question, both.examples, both.pretrained
    narrowed = None if known is None or question.at is not None else known.narrowed
    if narrowed is None or target is None:
        return attribute(both.model, examples.inputs, method, target, at=question.at, batch_size=question.batch_size)
    found = []
    for k in range(len(examples.names)):
        index = torch.tensor([k], device=examples.inputs.device)
        one, mine = examples.only(k + 1), target.take(index)
        made: Any = method
        if getattr(made, "by", 0) is examples.features:
            made = replace(made, by=one.features)
        made = with_own_background(made, one)
        found.append(attribute(narrowed(mine), one.inputs, made, mine, batch_size=question.batch_size))
    return replace(chained(found), target=repr(target))


def asked_of(both: Opened, target: Target | str) -> Target:
    """What is asked, where it comes in words: by the name of an output of a pretrained model, or as `--target` takes
    it. Raises `InputError` for a name that is none, and where the model must be told one."""
    if not isinstance(target, str):
        return target
    known = both.pretrained.target(target, both.examples) if both.pretrained is not None else None
    return known or target_of(target)


def with_own_background(method: Any, one: Examples) -> Any:
    """The method with the background that the domain makes of this one example, where it was told none."""
    if one.background is None or getattr(method, "background", 0) != Zeros():
        return method
    return replace(method, background=one.background(one.inputs))


def in_domain(
    made: Mapping[str, Method], examples: Examples, options: Sequence[str] = ()
) -> tuple[dict[str, Method], list[str]]:
    """Methods told what is absent and which are the parts in the domain of the examples, where they were told nothing
    else; and what to say of it."""
    told, said = dict(made), []
    if examples.absent is not None:
        told = _from(examples.absent, made, options)
        said += [f"absence: {examples.absent!r}"] if any(told[name] is not made[name] for name in made) else []
    if examples.features is not None:
        told, parts = _by_parts(told, examples)
        said += [parts] if parts else []
    return told, said


def _from(absent: Baseline, made: Mapping[str, Method], options: Sequence[str]) -> dict[str, Method]:
    """Methods with a baseline, or a background of one, told to take that of the domain where they were told none."""
    told = {option.partition("=")[0].strip() for option in options}
    found = dict(made)
    for name, each in made.items():
        for held in ("baseline", "background"):
            if held not in told and getattr(each, held, None) == Zeros():
                found[name] = replace(found[name], **{held: absent})  # type: ignore[type-var]
    return found


def _by_parts(made: Mapping[str, Method], examples: Examples) -> tuple[dict[str, Method], str]:
    """Methods that take features away, told to take the parts that a person would name, where they were not told."""
    told = {name: each for name, each in made.items() if getattr(each, "by", 0) is None}
    if not told:
        return dict(made), ""
    parts = examples.features
    taken: dict[str, Method] = {name: replace(each, by=parts) for name, each in told.items()}  # type: ignore[type-var]
    return {**made, **taken}, f"parts: {parts!r}"


def _is_pretrained(question: Question) -> bool:
    return is_named(str(question.model))


def usual(model: Any, target: Target) -> tuple[str, str]:
    """The method that is asked where none is named, and why."""
    explained = (Linear, Additive, TreeEnsemble)
    if not isinstance(target, Logit | Predicted) and any(lacks(model, each) is None for each in explained):
        return "occlusion", "the target is more than one output of a model that explains one"
    fitting = ((name, why) for protocol, name, why in _USUAL if lacks(model, protocol) is None)
    return next(fitting, _OTHERWISE)


def _windows(inputs: Inputs) -> str | None:
    """Windows that cut each long axis of a picture or signal into a few, where taking entries one by one costs much."""
    axes = tuple(inputs.values.shape[1:]) if isinstance(inputs, Tensors) else ()
    if len(axes) < 2 or math.prod(axes) <= _ONE_BY_ONE:
        return None
    long = axes if axes[-1] <= _CHANNELS else axes[1:]  # channels go along whole, wherever they stand
    return "x".join(str(size if size <= _CHANNELS else math.ceil(size / _CUTS)) for size in long)


def _asked(model: Any, inputs: Inputs, size: int | None) -> Tensor:
    """The model's answers. Whatever it raises about these inputs is said in one line."""
    one = torch.zeros(1, dtype=torch.long, device=inputs.device)
    shape = " and ".join(f"{name} {tuple(array.shape[1:])}" for name, array in inputs.parts.items())
    try:
        model.predict(inputs.take(one))
    except AttarError:
        raise
    except Exception as problem:  # the model is the user's: it may raise anything
        raise InputError(
            f"the model does not take an example of shape {shape}: {one_line(problem)}; see --size, --columns and the "
            "other options for the input"
        ) from problem
    try:
        model.predict(inputs.take(one.expand(3)))
    except Exception as problem:
        raise InputError(
            f"the model answers for one example and not for three at once ({one_line(problem)}): save it with a free "
            "batch axis, as in torch.export.export(…, dynamic_shapes=({0: torch.export.Dim('batch')},))"
        ) from problem
    return Chunked(model, size or TOGETHER).predict(inputs)


def one_line(problem: Exception) -> str:
    text = " ".join(f"{type(problem).__name__}: {problem}".split())
    return text if len(text) <= 200 else text[:199] + "…"
