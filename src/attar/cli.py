"""The command line. Heavy libraries are imported by the command that needs them, so that --help is instant."""

import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from attar.core.errors import AttarError, InputError
from attar.engine.interrupt import interruptible

if TYPE_CHECKING:
    from attar.audit.plan import AuditPlan
    from attar.experiments.explain import Question
    from attar.experiments.task import Task

MODELS = ("glm", "tree", "mlp", "gcn", "gat", "mpnn", "graphnets")
OF_TABLES = ("boosting", "glm", "tree", "mlp")
DOMAINS = ("molecules", "images", "sequences", "waveforms", "volumes", "tables", "text")
OF_MOLECULES = (
    "--input", "--label", "--split", "--model", "--skip-bad", "--radius", "--counts", "--bits", "--penalty",
    "--strength", "--subgraphs", "--bonds",
)  # fmt: skip
OF_ROWS = ("--columns", "--positive")
OF_PHOTOS = ("--images", "--labels", "--masks", "--backbone")
NOT_OF_ROWS = ("--radius", "--counts", "--bits", "--penalty", "--strength", "--epochs", "--subgraphs", "--bonds")
STOPPED = 130
_PATIENCE = 15  # seconds after which somebody who waits is told what goes on
SEVERITY = ("trust", "caution", "distrust")

app = typer.Typer(
    help="Attribution with its error: why did the model say that, and how far can the answer be believed?",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


# The usage error of whichever click typer brings along.
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]


@app.callback(invoke_without_command=True)
def _top(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        from attar import __version__

        print(f"attar {__version__}")
    elif context.invoked_subcommand is None:
        print(context.get_help())


@app.command()
def audit(
    context: typer.Context,
    data: Annotated[
        str,
        typer.Argument(
            help=f"A file of molecules (CSV, TSV, Parquet, SDF, SMI), any other table (no column of SMILES), or: rose, "
            f"husky-or-wolf; or, made for --rule: {', '.join(DOMAINS[1:])}."
        ),
    ],
    input: Annotated[str | None, typer.Option(help="Column of SMILES; found if not given.")] = None,
    label: Annotated[str | None, typer.Option(help="Column to explain: two values, or numbers.")] = None,
    positive: Annotated[str | None, typer.Option(help="Of a table's classes the one held against the rest.")] = None,
    columns: Annotated[
        str | None, typer.Option(help="Columns of a table to learn from; all that tell anything if not given.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="Column that says train or test.")] = None,
    rule: Annotated[
        str | None,
        typer.Option(
            help='The hypothesis: rose, or text such as \'has("[OX2H]") and has("c1ccccc1")\'; of a table '
            "'has(\"age > 50\")'; of made examples, as in `attar bench`."
        ),
    ] = None,
    count: Annotated[int, typer.Option(help="Examples to make, a quarter of them held out; not for a file.")] = 1000,
    models: Annotated[
        str,
        typer.Option(
            help=f"Of {', '.join(MODELS)}; for tables of {', '.join(OF_TABLES)}, all but the last if not given; for "
            "made examples all of cnn, mlp, tree, glm that fit. The verdict is about the first."
        ),
    ] = "glm,tree,mlp,gcn",
    model: Annotated[
        str | None, typer.Option(help="A model of yours in their place, as module:object; or what makes one.")
    ] = None,
    methods: Annotated[str | None, typer.Option(help="Methods to run (see `attar methods`); all if not given.")] = None,
    report: Annotated[Path | None, typer.Option(help="The page to write; audit-NAME.html if not given.")] = None,
    json: Annotated[Path | None, typer.Option(help="The same content for programs; not written unless named.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of splits, networks and decoys.")] = 0,
    seeds: Annotated[int, typer.Option(help="Networks of each kind, each from its own seed.")] = 3,
    fail_on: Annotated[str | None, typer.Option(help="Exit with 1 on: caution (or worse), distrust.")] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Go on however many SMILES are bad, or labels missing.")
    ] = False,
    radius: Annotated[int, typer.Option(help="Largest subgraph: bonds from its centre, 0 to 3.")] = 2,
    counts: Annotated[bool, typer.Option("--counts", help="Count subgraphs; presence if not given.")] = False,
    bits: Annotated[int | None, typer.Option(help="Fold subgraphs to so many columns; unhashed if not given.")] = None,
    penalty: Annotated[str, typer.Option(help="The GLM's penalty: l1 or l2.")] = "l2",
    strength: Annotated[float, typer.Option(help="How strongly it is penalised.")] = 3.0,
    epochs: Annotated[
        int, typer.Option(help="Passes over the data when training networks; for made examples 20.")
    ] = 30,
    subgraphs: Annotated[
        str, typer.Option(help="From subgraphs to atoms: spread, centre, mask, mask-occurrences.")
    ] = "spread",
    bonds: Annotated[str, typer.Option(help="From bonds to atoms: receivers, none.")] = "receivers",
    workers: Annotated[int | None, typer.Option(help="Processes; all processors if not given.")] = None,
    backbone: Annotated[
        str | None,
        typer.Option(help="For husky-or-wolf: fit heads on this frozen network of photos, efficientnet-lite0."),
    ] = None,
    images: Annotated[
        Path | None, typer.Option(help="For husky-or-wolf: a folder of your own photos, with --labels.")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="CSV of their labels: columns file and label, with a first line that says so.")
    ] = None,
    masks: Annotated[
        Path | None, typer.Option(help="Folder of a PNG for each photo, white where the animal is, in the same size.")
    ] = None,
) -> None:
    """Can this attribution be trusted? Fit models, attribute, test against the rule and the three pitfalls."""
    if fail_on is not None and fail_on not in SEVERITY[1:]:
        raise InputError(f"--fail-on is {fail_on!r}, expected caution or distrust")
    page = report or Path(f"audit-{Path(data).name.split('.')[0] or 'data'}.html")
    from attar.core.writing import check_writable

    for path in (page, json):
        if path is not None:
            check_writable(path)
    from attar.audit.plan import GivenPlan, Plan
    from attar.core.rule_text import says_sum

    if data == "husky-or-wolf":
        allowed = {"--data", "--report", "--json", "--seed", "--fail-on", *OF_PHOTOS}
        of_what = "makes its own pictures" if images is None else "is about photos"
        _refuse(written := _written(context), sorted(written - allowed), f"audit husky-or-wolf {of_what}")
        _husky_or_wolf(page, json, seed, fail_on, backbone, images, labels, masks)
        return
    _refuse(_written(context), OF_PHOTOS, "photos are for audit husky-or-wolf")
    counts = counts or (rule is not None and says_sum(rule))  # a sum has a term's weight for every match
    written = _written(context)
    named = None if methods is None else _listed(methods)
    if data in DOMAINS[1:]:
        _refuse(written, (*OF_MOLECULES, *OF_ROWS), f"{data} are made for --rule")
        chosen = _listed(models) if "--models" in written else None
        passes = epochs if "--epochs" in written else None
        tasks, plan = _made(data, rule, count, chosen, named, seed, seeds, passes, workers)
    elif data != "rose" and _of_rows(data, written):
        _refuse(written, ("--count", *NOT_OF_ROWS), f"{data} is a table without molecules")
        chosen = _listed(models) if "--models" in written else None
        taken = None if columns is None else _listed(columns)
        tasks, plan = _rows(
            data, label, split, rule, positive, taken, skip_bad, model, chosen, named, seed, seeds, workers
        )
    else:
        _refuse(written, ("--count",), f"{data} brings its own examples")
        _refuse(written, OF_ROWS, f"{data} is about molecules")
        if data == "rose":
            _refuse(written, ("--input", "--label", "--split", "--rule"), "audit rose brings its own data")
        if model is not None:
            from attar.experiments.named import named_object

            plan = GivenPlan(
                model=named_object(model),
                named=model,
                methods=named,
                seed=seed,
                seeds=seeds,
                radius=radius,
                presence=not counts,
                bits=bits,
                epochs=epochs,
            )
        else:
            plan = Plan(
                models=_listed(models),
                methods=named,
                seed=seed,
                seeds=seeds,
                radius=radius,
                presence=not counts,
                bits=bits,
                penalty=penalty,
                strength=strength,
                epochs=epochs,
                subgraphs=subgraphs,
                bonds=bonds,
                workers=workers,
            )
        tasks = _rose(seed) if data == "rose" else [_task(data, input, label, split, rule, seed, skip_bad)]
    record = _audit(tasks, plan)
    _write(record, page, json)
    _summary(record, page, json)
    if fail_on is not None and SEVERITY.index(record["verdict"]) >= SEVERITY.index(fail_on):
        raise typer.Exit(1)


@app.command()
def bench(
    domain: Annotated[str, typer.Argument(help=f"Of {', '.join(DOMAINS)}.")],
    data: Annotated[Path | None, typer.Option(help="Molecules: a table, or a folder of them.")] = (None),
    rule: Annotated[str | None, typer.Option(help="The truth: a rule or sum, by name or as text.")] = (None),
    truth: Annotated[str | None, typer.Option(help="In place of a rule: crippen (each atom's share of log P).")] = None,
    input: Annotated[str | None, typer.Option(help="Column of SMILES; found if not given.")] = None,
    label: Annotated[str, typer.Option(help="Column of the label.")] = "label",
    split: Annotated[str | None, typer.Option(help="Column that says train or test; `split` if there is one.")] = None,
    models: Annotated[str | None, typer.Option(help="Models to fit, with commas; all if not given.")] = None,
    methods: Annotated[str | None, typer.Option(help="Methods, with commas; all that fit if not given.")] = None,
    seeds: Annotated[int, typer.Option(help="Models of each kind that starts from chance.")] = 3,
    seed: Annotated[int, typer.Option(help="The first of these seeds.")] = 0,
    count: Annotated[
        int | None,
        typer.Option(help="Examples to make, a quarter held out; 2000, of volumes 1000, if not given; not for --data."),
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the data; by its size if not given.")] = None,
    scored: Annotated[
        int | None,
        typer.Option(help="At most so many held-out examples are scored; 400, of pictures 100, of volumes 50."),
    ] = None,
    json: Annotated[Path | None, typer.Option(help="The same content for programs; not written unless named.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes; all processors if not given.")] = None,
) -> None:
    """The leaderboard of models and methods where the truth is known, chance and published figures beside it."""
    from attar.core.writing import check_writable, write_whole

    if domain not in DOMAINS:
        raise InputError(f"there is no benchmark of {domain!r}; choose from {', '.join(DOMAINS)}")
    if json is not None:
        check_writable(json)
    from attar.experiments.benchmarks import benchmark, scored_by_default
    from attar.experiments.leaderboard import Protocol, leaderboard

    protocol = Protocol(
        methods=None if methods is None else _listed(methods),
        seed=seed,
        seeds=seeds,
        scored=scored_by_default(domain) if scored is None else scored,
        workers=workers,
    )
    entries = benchmark(
        domain,
        data=data,
        rule=rule,
        truth=truth,
        input=input,
        label=label,
        split=split,
        models=None if models is None else _listed(models),
        count=count,
        epochs=epochs,
        seed=seed,
    )
    command = shlex.join(["attar", *sys.argv[1:]])
    with _progress("fitting") as progress:
        record = leaderboard(entries, protocol, command=command, progress=progress)
    from attar.core.writing import plain
    from attar.report.leaderboard import leaderboard_text

    if json is not None:
        from json import dumps

        write_whole(json, dumps(plain(record), indent=1, ensure_ascii=False))
    print(leaderboard_text(record))
    if json is not None:
        print(f"\nJSON: {json}")


# How a model file and an input file are opened: the same for every command that takes them.
_Module = Annotated[str | None, typer.Option(help="The class of a file of weights, as package.module:Class.")]
_Arguments = Annotated[str | None, typer.Option(help="JSON for that class, such as '{\"width\": 64}'.")]
_Trust = Annotated[str | None, typer.Option(help="Types in a skops file that you know to be safe, with commas.")]
_Layers = Annotated[str | None, typer.Option(help="Layers that maps are taken from (CAM and its kin), with commas.")]
_Channels = Annotated[int | None, typer.Option(help="Axis of those layers' outputs that holds the channels.")]
_OutputName = Annotated[str | None, typer.Option(help="Which of several outputs: its name, or its place from 0.")]
_Size = Annotated[str | None, typer.Option(help="Of a picture: 224 (middle square) or 224x320 (height x width).")]
_Scale = Annotated[float | None, typer.Option(help="What a picture's numbers are divided by.  [default: 255]")]
_Mean = Annotated[str | None, typer.Option(help="Taken off a picture's channels then, with commas.")]
_Std = Annotated[str | None, typer.Option(help="What its channels are divided by last, with commas.")]
_Grey = Annotated[bool, typer.Option("--grey", help="A picture in one channel.")]
_ChannelsLast = Annotated[bool, typer.Option("--channels-last", help="A picture as height, width, channels.")]
_Columns = Annotated[str | None, typer.Option(help="Columns of a table that the model takes, in its order.")]
_Label = Annotated[str | None, typer.Option(help="Column of the right answers, for methods that explain a loss.")]
_Variant = Annotated[
    list[str] | None, typer.Option(help="Of a sequence, as g.123A>G, g.5_7del or 'chr11 123 A G'; repeat it.")
]
_Variants = Annotated[Path | None, typer.Option(help="A VCF file of variants of a sequence.")]
_Strand = Annotated[str, typer.Option(help="Of a sequence: + as given, - for the other one.")]
_Resample = Annotated[bool, typer.Option("--resample", help="Bring a signal to the rate that the model takes.")]
_Rate = Annotated[float | None, typer.Option(help="Samples per second of a signal in a table without times.")]
_By = Annotated[str | None, typer.Option(help="Of a text: words or tokens as its parts.")]
_Steps = Annotated[
    int | None, typer.Option(help="Of a text: so many tokens that a language model writes after it, one by one.")
]
_Signal = Annotated[str | None, typer.Option(help="The column of a table or channel of EDF that holds the signal.")]
_Row = Annotated[int | None, typer.Option(help="One row: the line of a text table (header: 1), else from 1.")]


@app.command()
def explain(
    model: Annotated[
        Path,
        typer.Option(
            help="TorchScript, torch.export, safetensors, ONNX or skops file; or module:object; or of `attar models`."
        ),
    ],
    data: Annotated[
        str | None, typer.Argument(help="What it is asked about: CSV, PNG, FASTA …, or text; the same as --input.")
    ] = None,
    input: Annotated[
        str | None, typer.Option(help="PNG, JPEG, CSV, TSV, Parquet, npy, npz, safetensors or pt file.")
    ] = None,
    method: Annotated[str | None, typer.Option(help="Of `attar methods`, with commas; the usual one if not given.")] = (
        None
    ),
    option: Annotated[list[str] | None, typer.Option("-o", help="Of the method, as tolerance=0.01; repeat it.")] = None,
    target: Annotated[str, typer.Option(help="predicted, 3 (from 0), 3-5 (rather than 5), or -1:42.")] = "predicted",
    out: Annotated[
        Path | None, typer.Option(help="To write: .png, .svg, .html, .parquet, .json or .safetensors.")
    ] = None,
    at: Annotated[str | None, typer.Option(help="Attribute the output of this layer in place of the input.")] = None,
    seed: Annotated[int | None, typer.Option(help="For methods that draw random numbers.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Examples in one call of the model; changes no result.")] = (
        None
    ),
    module: _Module = None,
    arguments: _Arguments = None,
    trust: _Trust = None,
    layers: _Layers = None,
    channels: _Channels = None,
    output_name: _OutputName = None,
    size: _Size = None,
    scale: _Scale = None,
    mean: _Mean = None,
    std: _Std = None,
    grey: _Grey = False,
    channels_last: _ChannelsLast = False,
    columns: _Columns = None,
    row: _Row = None,
    label: _Label = None,
    variant: _Variant = None,
    variants: _Variants = None,
    strand: _Strand = "+",
    resample: _Resample = False,
    rate: _Rate = None,
    signal: _Signal = None,
    by: _By = None,
    steps: _Steps = None,
) -> None:
    """Which parts of an input made a model say what it said, and how far off the answer may be."""
    names = None if method is None else _listed(method)
    asked = data or input
    if asked is None or (data is not None and input is not None):
        raise InputError("name one file that the model is asked about: attar explain FILE, or --input FILE")
    if out is not None:
        _check_out(out, names)
    from attar.experiments.explain import explain as answer
    from attar.report.attribution import terminal, written

    question = _question(
        model, asked, module, arguments, trust, layers, channels, output_name, size, scale, mean, std, grey,
        channels_last, columns, row, at=at, batch_size=batch_size, label=label,
        read_with=_of_sequences(variant, variants, strand) | _of_waveforms(resample, rate, signal)
        | _of_text(by, steps),
    )  # fmt: skip
    with _waiting():
        explained = answer(question, target, names, option or (), seed)
    if out is not None:
        from attar.core.writing import write_whole

        write_whole(out, written(explained, out))
    print(terminal(explained))
    if out is not None:
        print(f"\nWritten: {out}")


@app.command()
def methods(
    name: Annotated[str | None, typer.Argument(help="A method, for what it is, when it misleads, its source.")] = None,
    model: Annotated[
        Path | None,
        typer.Option("--for", help="A model file, module:object or one of `attar models`: which methods fit."),
    ] = None,
    input: Annotated[str | None, typer.Option(help="The file that it would be asked about.")] = None,
    target: Annotated[str, typer.Option(help="What would be asked of it, as attar explain takes it.")] = "predicted",
    module: _Module = None,
    arguments: _Arguments = None,
    trust: _Trust = None,
    layers: _Layers = None,
    channels: _Channels = None,
    output_name: _OutputName = None,
    size: _Size = None,
    scale: _Scale = None,
    mean: _Mean = None,
    std: _Std = None,
    grey: _Grey = False,
    channels_last: _ChannelsLast = False,
    columns: _Columns = None,
    row: _Row = None,
) -> None:
    """The methods as a tree; one by name in full; or those that fit a model and an input."""
    from attar.report.methods import method_fits, method_page, method_tree

    if model is None and input is None:
        print(method_tree() if name is None else method_page(name))
        return
    if model is None or input is None or name is not None:
        raise InputError("which methods fit takes --for MODEL and --input FILE, and no name")
    from attar.experiments.fits import fitting

    question = _question(
        model, input, module, arguments, trust, layers, channels, output_name, size, scale, mean, std, grey,
        channels_last, columns, row,
    )  # fmt: skip
    opened, fits = fitting(question, target)
    print(method_fits(opened.said, fits))


@app.command()
def models() -> None:
    """Models that others trained, by name for --model: what they answer, what they come in, whether it is installed."""
    from attar.report.models import model_list

    print(model_list())


def _question(
    model: Path,
    input: str,
    module: str | None,
    arguments: str | None,
    trust: str | None,
    layers: str | None,
    channels: int | None,
    output_name: str | None,
    size: str | None,
    scale: float | None,
    mean: str | None,
    std: str | None,
    grey: bool,
    channels_last: bool,
    columns: str | None,
    row: int | None,
    at: str | None = None,
    batch_size: int | None = None,
    label: str | None = None,
    read_with: dict[str, Any] | None = None,
) -> "Question":
    from attar.experiments.asked import json_of, numbers_of, size_of
    from attar.experiments.explain import Question
    from attar.experiments.reading import Reading

    reading = Reading(
        size=size_of(size),
        scale=scale,
        mean=numbers_of(mean, "--mean"),
        std=numbers_of(std, "--std"),
        grey=grey,
        channels_last=channels_last,
        columns=None if columns is None else _listed(columns),
        row=row,
        label=label,
    )
    return Question(
        model=model,
        input=input,
        reading=reading,
        module=module,
        arguments=json_of(arguments, "--arguments"),
        trusted=_listed(trust or ""),
        layers=_listed(layers or ""),
        channels=channels,
        at=at,
        output=output_name,
        batch_size=batch_size,
        read_with=read_with or {},
    )


def _of_sequences(variant: list[str] | None, variants: Path | None, strand: str) -> dict[str, Any]:
    """What was said about a sequence; nothing where nothing was."""
    said: dict[str, Any] = {"variants": tuple(variant or ()), "vcf": variants, "strand": strand}
    return {} if not variant and variants is None and strand == "+" else said


def _of_waveforms(resample: bool, rate: float | None, signal: str | None) -> dict[str, Any]:
    """What was said about a signal; nothing where nothing was."""
    said: dict[str, Any] = {"resample": resample, "rate": rate, "column": signal}
    return said if any(said.values()) else {}


def _of_text(by: str | None, steps: int | None) -> dict[str, Any]:
    """What was said about a text; nothing where nothing was."""
    return {} if by is None and steps is None else {"by": by, "steps": steps}


def _check_out(out: Path, methods: tuple[str, ...] | None) -> None:
    """What would stop the writing, said before the work."""
    from attar.core.writing import check_writable
    from attar.report.attribution import suffix

    if suffix(out) == ".safetensors" and methods is not None and len(methods) > 1:
        raise InputError(f"{out} can hold one attribution; name one method, or write .parquet")
    check_writable(out)


def _rose(seed: int) -> "list[Task]":
    from attar.experiments.rose import library_rose, nci_rose

    return [nci_rose(seed), library_rose(seed)]


def _task(
    data: str,
    input: str | None,
    label: str | None,
    split: str | None,
    rule: str | None,
    seed: int,
    skip_bad: bool,
) -> "Task":
    from attar.core.rule_text import says_sum
    from attar.domains.molecules.read import read_molecules
    from attar.domains.molecules.truth import read_rule, read_sum
    from attar.experiments.molecule_task import explained_by_sum, from_table

    total = read_sum(rule) if rule is not None and says_sum(rule) else None
    known = None if rule is None or total is not None else read_rule(rule)
    if label is None:
        raise InputError("no label: name the column to explain with --label (the file's columns are in its first line)")
    options = {"input": input, "label": label, "split": split, "skip_bad": skip_bad}
    table = read_molecules(data, **options, numbers=total is not None)
    task = from_table(table, rule=known, rule_name=rule, seed=seed)
    return task if total is None or rule is None else explained_by_sum(task, total, rule)


def _of_rows(data: str, written: set[str]) -> bool:
    """Whether a file is a table of raw columns, and not one of molecules."""
    if "--input" in written or set(OF_ROWS) & written:
        return "--input" not in written
    try:
        from attar.domains.molecules.read import has_structures
    except ImportError:  # without RDKit nothing can be read as molecules
        return True
    return not has_structures(data)


def _rows(
    data: str,
    label: str | None,
    split: str | None,
    rule: str | None,
    positive: str | None,
    columns: tuple[str, ...] | None,
    skip_bad: bool,
    model: str | None,
    models: tuple[str, ...] | None,
    methods: tuple[str, ...] | None,
    seed: int,
    seeds: int,
    workers: int | None,
) -> "tuple[list[Task], AuditPlan]":
    from attar.audit.table_plan import given_table_plan, table_plan
    from attar.core.rule_text import says_sum
    from attar.domains.raw_tables.read import read_rows
    from attar.experiments.given_tables import columns_of
    from attar.experiments.named import named_object
    from attar.experiments.table_task import from_rows

    if label is None:
        raise InputError("no label: name the column to explain with --label (the file's columns are in its first line)")
    given = None if model is None else named_object(model)
    options = {"label": label, "split": split, "positive": positive, "skip_bad": skip_bad, "seed": seed}
    numbers = rule is not None and says_sum(rule)
    table = read_rows(data, columns=columns or columns_of(given), numbers=numbers, **options)
    task = from_rows(table, rule=rule, seed=seed)
    if given is not None:
        return [task], given_table_plan(
            task, given, named=model or "", positive=table.positive, methods=methods, seed=seed
        )
    return [task], table_plan(task, models=models, methods=methods, seed=seed, seeds=seeds, workers=workers)


def _made(
    data: str,
    rule: str | None,
    count: int,
    models: tuple[str, ...] | None,
    methods: tuple[str, ...] | None,
    seed: int,
    seeds: int,
    epochs: int | None,
    workers: int | None,
) -> "tuple[list[Task], AuditPlan]":
    from attar.audit.made_plan import asked, made_plan
    from attar.experiments.benchmarks import made_domain
    from attar.experiments.made_task import made_task

    domain = made_domain(data)
    task = made_task(domain, asked(domain, rule), count=count, seed=seed)
    return [task], made_plan(
        task, domain, models=models, methods=methods, seed=seed, seeds=seeds, epochs=epochs, workers=workers
    )


def _audit(tasks: "list[Task]", plan: "AuditPlan") -> dict[str, Any]:
    from attar.audit.run import audit as run_audit

    with _progress("auditing") as progress:
        return run_audit(tasks, plan, command=shlex.join(["attar", *sys.argv[1:]]), progress=progress)


@contextmanager
def _progress(what: str) -> "Iterator[Callable[[float, str], None] | None]":
    """A bar with the time left on a terminal; nothing in a pipe."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    percent = TextColumn("{task.percentage:.0f}%")
    with Progress(
        what, BarColumn(), percent, TimeRemainingColumn(), "{task.description}", console=console, transient=True
    ) as bar:
        row = bar.add_task("reading", total=1.0)
        yield lambda share, done: bar.update(row, completed=share, description=done)


@contextmanager
def _waiting() -> Iterator[None]:
    """How often the model was asked so far, while one waits: a line that goes again on a terminal, otherwise one line
    whenever the wait has doubled, so that nobody wonders."""
    import time

    from attar.core.note import counted
    from attar.core.watch import watched

    began, said, count = time.monotonic(), float(_PATIENCE), 0

    def tell(examples: int) -> None:
        nonlocal said, count
        count += examples
        seconds = time.monotonic() - began
        asked = counted(count, "example")
        line = f"{asked} asked of the model in {seconds:.0f} s; Ctrl-C stops, and nothing is written"
        if status is not None and seconds >= 1:
            status.update(line)
            status.start()
        elif status is None and seconds >= said:
            said *= 2
            print(f"attar: {line}", file=sys.stderr)

    status = _status() if sys.stderr.isatty() else None
    try:
        with watched(tell):
            yield
    finally:
        if status is not None:
            status.stop()


def _status() -> Any:
    from rich.console import Console

    return Console(stderr=True).status("")


def _husky_or_wolf(
    page: Path,
    json: Path | None,
    seed: int,
    fail_on: str | None,
    backbone: str | None,
    images: Path | None,
    labels: Path | None,
    masks: Path | None,
) -> None:
    """The story of a classifier that snow misleads, on made pictures or on somebody's photos."""
    from json import dumps

    from attar.core.writing import write_whole
    from attar.experiments.husky_or_wolf.audit import audit as tell
    from attar.experiments.husky_or_wolf.photo_audit import photo_audit
    from attar.report import husky_or_wolf as report

    if images is None and (labels is not None or masks is not None):
        raise InputError("--labels and --masks are of photos: name their folder with --images")
    if images is not None and labels is None:
        raise InputError(f"no labels of the photos in {images}: name their CSV file (file,label) with --labels")
    command = shlex.join(["attar", *sys.argv[1:]])
    with _progress("auditing") as progress:
        if images is None or labels is None:
            record = tell(seed=seed, backbone=backbone, command=command, progress=progress)
        else:
            seen_by = {} if backbone is None else {"backbone": backbone}
            record = photo_audit(images, labels, masks, **seen_by, seed=seed, command=command, progress=progress)
    if json is not None:
        write_whole(json, dumps(record, indent=1, ensure_ascii=False))
    write_whole(page, report.page(record))
    print(report.terminal(record))
    print(f"\nReport: {page}" + (f"   JSON: {json}" if json is not None else ""))
    print(f"Took {record['provenance']['seconds']:.0f} s on 1 processor.")
    if fail_on is not None and SEVERITY.index(record["verdict"]) >= SEVERITY.index(fail_on):
        raise typer.Exit(1)


def _write(record: dict[str, Any], page: Path, json: Path | None) -> None:
    from json import dumps

    from attar.core.writing import write_whole
    from attar.report.page import audit_page

    html = audit_page(record)
    if json is not None:
        write_whole(json, dumps(record, indent=1, ensure_ascii=False))
    write_whole(page, html)


def _summary(record: dict[str, Any], page: Path, json: Path | None) -> None:
    from attar.report.terminal import audit_summary

    print(audit_summary(record))
    print(f"\nReport: {page}" + (f"   JSON: {json}" if json is not None else ""))
    print(f"Took {record['provenance']['seconds']:.0f} s on {_processors(record['provenance']['workers'])}.")


def _processors(count: int) -> str:
    return "1 processor" if count == 1 else f"{count} processors"


def _listed(names: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in names.split(",") if part.strip()))


def _written(context: typer.Context) -> set[str]:
    """The options that stand on the command line, as they are written there."""
    named = [
        name for name in context.params if getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"
    ]
    return {"--" + name.replace("_", "-") for name in named}


def _refuse(written: set[str], options: Sequence[str], why: str) -> None:
    given = [name for name in options if name in written]
    if given:
        raise InputError(f"{why}; leave out {', '.join(given)}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command. Returns 0; 1 where --fail-on says so; 2 for wrong input, in one line; 130 for Ctrl-C."""
    try:
        # Before anything heavy is imported, so that no library's thread takes the signal either.
        with interruptible():
            result = app(arguments, standalone_mode=False)
        if result == STOPPED:  # typer has turned Ctrl-C into this exit status
            return _stopped()
        return result if isinstance(result, int) else 0
    except _UsageError as problem:
        return _say(f"{problem.format_message().rstrip('.')}. See `attar --help`.")  # type: ignore[attr-defined]
    except AttarError as problem:
        return _say(str(problem))
    except (KeyboardInterrupt, typer.Abort):
        return _stopped()


def _stopped() -> int:
    print("attar: stopped; nothing was written", file=sys.stderr)
    return STOPPED


def _say(message: str) -> int:
    print(f"attar: {message}", file=sys.stderr)
    return 2


def program() -> None:
    """`main` as a process. When stopped it ends at once: threads of libraries may still be at work."""
    status = main()
    if status == STOPPED:
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)


if __name__ == "__main__":
    program()
