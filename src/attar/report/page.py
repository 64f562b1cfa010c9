"""An audit as one HTML page: no network, no scripts, nothing beside it; the record in, text out."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from attar.core.heat import colour, shared_scale
from attar.report.columns import shown
from attar.report.pictures import Drawing, drawing, strongest
from attar.report.plots import decoy_ladder, noise_ladder

PITFALLS = ("spurious correlation", "imperfect model", "dataset bias")
SEVEREST_FIRST = ("distrust", "caution", "note", "ok")
SWATCHES = 17  # odd: one of them is 0
Record = Mapping[str, Any]


def audit_page(record: Record) -> str:
    """The page of an audit's record. Same record, same bytes."""
    main = record["data"][0]
    classification = main["task"] == "classification"
    return _TEMPLATES.get_template("audit.html").render(
        record=record,
        main=main,
        classification=classification,
        of_molecules=main["domain"] == "molecules",
        clusters=any("cluster" in m["splits"] for m in record["models"]),
        folds=any("5-fold" in m["splits"] for m in record["models"]),
        measure="AUROC" if classification else "R²",
        unit="log-odds" if classification else "units of the label",
        base_rate=_base_rate(main),
        todo=_todo(record["findings"]),
        tally=_tally(record["findings"]),
        pitfalls=_by_pitfall(record["findings"]),
        fragments=_fragments(record["fragments"], _base_rate(main)),
        columns=_columns(record.get("columns")),
        examples=_examples(record["examples"], main),
        scores=_scores(record["attribution"], main),
        models=_models(record["models"], classification),
        noise=Markup(_noise(record, classification)),
        decoys=_decoys(record["ladders"]["decoys"], main),
    )


# --- the findings ---


def _todo(findings: Sequence[Record]) -> list[Record]:
    """What stands in the way of trust, the worst first; numbered as in the table of findings."""
    numbered = [{**f, "number": k} for k, f in enumerate(findings)]
    return [f for status in ("distrust", "caution") for f in numbered if f["status"] == status]


def _tally(findings: Sequence[Record]) -> list[tuple[str, int]]:
    counts = [(s, sum(f["status"] == s for f in findings)) for s in SEVEREST_FIRST]
    return [(status, n) for status, n in counts if n]


def _by_pitfall(findings: Sequence[Record]) -> list[tuple[str, list[Record]]]:
    numbered = [{**f, "number": k} for k, f in enumerate(findings)]
    names = [*PITFALLS, *(f["pitfall"] for f in findings)]
    grouped = [(name, [f for f in numbered if f["pitfall"] == name]) for name in dict.fromkeys(names)]
    return [
        (name, sorted(members, key=lambda f: SEVEREST_FIRST.index(f["status"]))) for name, members in grouped if members
    ]


# --- fragments, columns and examples ---


def _fragments(fragments: Sequence[Record], base_rate: float | None) -> dict[str, Any]:
    """The rows that raise and those that lower the label, each with its picture and its place on one axis."""
    scale = _Axis.over(v for f in fragments for v in (0.0, f["weight"], f["low"], f["high"]))
    rows = [
        {
            **f,
            "picture": Markup(
                _molecules().fragment(
                    f["example"],
                    f["centre"],
                    f["radius"],
                    supports=(f["weight"] or 0) >= 0,
                    describe=f"Fragment {f['smarts']} in {f['example']}",
                )
            ),
            "lift": _ratio(f["precision"], base_rate),
            "surely": None not in (f["low"], f["high"]) and not f["low"] <= 0 <= f["high"],
            "others": f["members"][1:],
        }
        for f in fragments
    ]
    raising, lowering = [f for f in rows if (f["weight"] or 0) >= 0], [f for f in rows if (f["weight"] or 0) < 0]
    return {"axis": scale, "raising": raising, "lowering": lowering, "inexact": any(not f["exact"] for f in rows)}


def _columns(found: Record | None) -> dict[str, Any] | None:
    """Of a table what its columns are worth, all on one axis; None for what has no columns."""
    if found is None:
        return None
    said = shown(found)
    ends = [v for c in said["listed"] for v in (0.0, c["weight"], c["low"], c["high"])]
    effects = [{**each, "picture": Markup(each["picture"])} for each in said["effects"]]
    return {**said, "effects": effects, "axis": _Axis.over(ends)}


def _examples(examples: Sequence[Record], main: Record) -> dict[str, Any]:
    """Every example on one scale; positives and negatives apart, where there are such."""
    drawn, plural = drawing(main["domain"]), f"{main['example']}s"
    if drawn is None or not examples:
        return {"groups": []}
    scale = shared_scale([e["values"] for e in examples])
    shown = [
        {**e, "picture": Markup(_heat_map(e, main, drawn, scale)), "written": drawn.written(e["example"])}
        for e in examples
    ]
    if main["task"] == "classification":
        groups = [
            ("Held-out positives, from the surest to the most doubtful", [e for e in shown if (e["label"] or 0) > 0.5]),
            (
                "Held-out negatives that the model is most wrong about",
                [e for e in shown if not (e["label"] or 0) > 0.5],
            ),
        ]
    else:
        groups = [(f"Held-out {plural}", shown)]
    steps = [scale * (2 * k / (SWATCHES - 1) - 1) for k in range(SWATCHES)]
    return {
        "scale": scale,
        "swatches": [colour(v, scale) for v in steps],
        "groups": [(title, members) for title, members in groups if members],
        "marked": any(e["true_parts"] for e in examples),
        "legend": drawn.LEGEND,
    }


def _heat_map(shown: Record, main: Record, drawn: Drawing, scale: float) -> str:
    example, values = shown["example"], shown["values"]
    described = f"{drawn.written(example) or main['example']}, predicted {_number(shown['prediction'])}"
    if said := strongest(drawn, example, values):
        described += f"; strongest: {', '.join(f'{name} {_number(value)}' for name, value in said)}"
    if shown["true_parts"]:
        described += f"; the rule names {len(shown['true_parts'])} of {len(values)} {main['part']}s"
    return drawn.heat_map(example, values, scale=scale, outlined=shown["true_parts"], describe=described)


def _molecules() -> Any:
    """Drawn with RDKit, which a report on anything else can do without."""
    from attar.domains.molecules import draw

    return draw


# --- scores ---


def _scores(rows: Sequence[Record], main: Record) -> list[dict[str, Any]]:
    """The attribution scores, a table for each data set, by model; the first row is the one the verdict is about."""
    tables, by_chance = [], f"random {main['part']}s"
    for data in dict.fromkeys(r["data"] for r in rows):
        mine = [r for r in rows if r["data"] == data]
        known = [r["score"] for r in mine if r["score"] is not None]
        read = [
            {
                **r,
                "reading": _reading(r, by_chance),
                "best": r["score"] is not None and r["score"] == max(known),
                "judged": r is rows[0],
                "error_text": _error(r),
                "named": {n: {**_part(r, n)} for n in r["parts"]},
            }
            for r in mine
        ]
        tables.append(
            {
                "data": data,
                "axis": _Axis.over(
                    v for r in mine for v in (r["score"], *(r["interval"] or ()), r["chance"], r["trivial"], 1.0)
                ),
                "parts": list(dict.fromkeys(n for r in mine for n in r["parts"])),
                "models": [(m, [r for r in read if r["model"] == m]) for m in dict.fromkeys(r["model"] for r in mine)],
                "rows": read,
                "beaten": sum(not r["reading"] for r in read),
                "by_chance": sum(any(by_chance in said for said in r["reading"]) for r in read),
            }
        )
    return tables


def _reading(row: Record, by_chance: str) -> list[str]:
    """What the interval says in words: nothing where the whole of it lies above chance and the trivial control."""
    low, high = row["interval"] or (None, None)
    if row["score"] is None or low is None or high is None:
        return ["not scored"]
    said = []
    if row["chance"] is not None and low <= row["chance"]:
        said.append(f"worse than {by_chance}" if high < row["chance"] else f"cannot be told from {by_chance}")
    if row["trivial"] is not None and low <= row["trivial"]:
        said.append("does not beat the trivial control")
    return said


def _part(row: Record, name: str) -> dict[str, Any]:
    chance, interval = row["parts_chance"].get(name), row["parts_interval"].get(name) or (None, None)
    lost = None not in (chance, interval[0]) and interval[0] <= chance
    return {"score": row["parts"][name], "interval": interval, "chance": chance, "lost": lost}


def _error(row: Record) -> str:
    if row["error"] is None:
        return "–"
    if row["error_how"].startswith("exact"):
        return "exact"
    return "< 0.1%" if row["error"] < 0.001 else f"{row['error']:.1%}" if row["error"] < 0.1 else f"{row['error']:.0%}"


def _models(rows: Sequence[Record], classification: bool) -> list[dict[str, Any]]:
    measure = "auroc" if classification else "r2"
    return [
        {**r, "held_out": r["splits"].get("random") or r["splits"].get("given") or {"score": r.get(measure)}}
        for r in rows
    ]


# --- the ladders ---


def _noise(record: Record, classification: bool) -> str:
    if not record["models"]:
        return ""
    model, main = record["models"][0], record["data"][0]
    judged = record["attribution"][0] if record["attribution"] else None
    place = judged and {
        "name": f"{judged['model']}, the\naudited model",
        "prediction": model["auroc" if classification else "r2"],
        "score": judged["score"],
        "interval": judged["interval"],
    }
    return noise_ladder(
        record["ladders"]["label_noise"],
        chance=record["ladders"]["chance"],
        trivial=judged and judged["trivial"],
        model=place,
        others=record["ladders"]["worse_models"],
        measure="AUROC" if classification else "R²",
        part=main["part"],
        score=f"attribution ranks {main['part']}s as they contribute, τ"
        if main["truth"] == "contributions"
        else f"attribution finds the rule’s {main['part']}s, AUROC",
    )


def _decoys(rungs: Sequence[Record], main: Record) -> list[dict[str, Any]]:
    """Of molecules a decoy is drawn; elsewhere its name says what it is."""
    names, of_molecules = dict.fromkeys(r["decoy"] for r in rungs), main["domain"] == "molecules"
    return [
        {
            "name": name,
            "picture": Markup(_molecules().structure(name, describe=f"The decoy {name}")) if of_molecules else "",
            "plot": Markup(decoy_ladder([r for r in rungs if r["decoy"] == name], name=name, part=main["part"])),
            "planted": max(r["planted"] for r in rungs if r["decoy"] == name),
        }
        for name in names
    ]


# --- how things are written ---


class _Axis:
    """From numbers to pixels of a bar in a table."""

    WIDTH, MARGIN = 150, 6

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high if high > low else low + 1.0

    @classmethod
    def over(cls, values: Iterable[float | None]) -> "_Axis":
        known = [v for v in values if v is not None]
        return cls(min(known, default=0.0), max(known, default=1.0))

    def __call__(self, value: float) -> str:
        share = (value - self.low) / (self.high - self.low)
        return f"{self.MARGIN + share * (self.WIDTH - 2 * self.MARGIN):.1f}"


def _base_rate(data: Record) -> float | None:
    return _ratio(data["positives"], data["examples"])


def _ratio(part: float | None, whole: float | None) -> float | None:
    return part / whole if part is not None and whole else None


def _number(value: float | None, digits: int = 2) -> str:
    """A dash for what was not measured, and a true minus sign."""
    return "–" if value is None else f"{value:.{digits}f}".replace("-", "−")


def _measured(value: float | None) -> str:
    """A finding's number: a score, or a count, which has no decimals."""
    return _number(value, 0 if value is not None and value >= 2 and float(value).is_integer() else 2)


def _percent(value: float | None, digits: int = 0) -> str:
    return "–" if value is None else f"{value:.{digits}%}"


def _share(value: float | None) -> str:
    return _percent(value, 1 if value and value < 0.1 else 0)


def _probability(value: float | None) -> str:
    """Never 0 or 1: a model is not that sure."""
    return _number(value) if value is None or 0.005 <= value <= 0.995 else "< 0.01" if value < 0.5 else "> 0.99"


def _lift(value: float | None) -> str:
    return _number(value, 1 if value is None or value >= 1 else 2) + ("×" if value is not None else "")


def _interval(pair: Sequence[float | None] | None) -> str:
    return "" if not pair or None in pair else f"[{_number(pair[0])}, {_number(pair[1])}]"


def _quoted(text: str) -> Markup:
    """Prose in which `code` stands between backticks."""
    return Markup(re.sub(r"`([^`]*)`", r"<code>\1</code>", str(escape(text))))


def _breakable(text: str) -> Markup:
    """Code that a browser may break after a bracket; copied text is the code alone."""
    return Markup(str(escape(text)).replace("]", "]<wbr>").replace(")", ")<wbr>").replace(", ", ", <wbr>"))


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


_TEMPLATES = Environment(
    loader=PackageLoader("attar.report"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters.update(
    number=_number,
    measured=_measured,
    percent=_percent,
    share=_share,
    probability=_probability,
    lift=_lift,
    interval=_interval,
    quoted=_quoted,
    breakable=_breakable,
    duration=_duration,
)
