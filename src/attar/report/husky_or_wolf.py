"""The story of the husky and the wolf, of made pictures and of somebody's photos: in a terminal and as one page."""

from collections.abc import Mapping, Sequence
from html import escape
from textwrap import fill
from typing import Any

QUESTIONS = {  # in the order of the table; a record has those that its photos or pictures let be asked
    "test": "right on its test",
    "moved": "right with the animal on another ground of its class",
    "swapped": "right with the grounds exchanged",
    "grounded": "says then the class of the ground",
    "follows": "says the same with the animal erased",
    "frame_moved": "right with the frame of another photo of its class",
    "frame_swapped": "right with the frame of another class's photo",
    "frame_follows": "says then what class the frame is of",
    "border": "right from the frame alone (a head of its own)",
    "chosen": "says the same with the five patches blurred that decide",
    "random": "says the same with any five blurred",
    "frame_inside": "occlusion of patches: values on the frame",
}
_AREAS = {
    "area": "the animal's share of the picture (chance)",
    "frame_area": "the frame's share of the picture (chance)",
}
_SIDE = 128
_WIDE = 110  # letters of a line in a terminal; the table is no wider
_MAPS_DECIDE_NOTHING = (
    "No map has a say in the verdict: what is exchanged and erased decides. A map can lie on the animal of a model "
    "that does not look at it, and beside the animal of one that does."
)


def terminal(record: Mapping[str, Any]) -> str:
    """The verdict, a table of what decides, and where maps lie."""
    models = record["models"]
    lines = [f"Verdict: {record['verdict'].upper()}. {_sentence(record['reason'])}", ""]
    lines += _table([("", *(each["name"] for each in models)), *_rows(models)])
    for each in models[1:]:
        lines += ["", f"{each['name']}: {each['verdict']}. {_sentence(each['reason'])}"]
    lines += [
        "",
        record["about"],
        "Brackets: 95% intervals. " + _MAPS_DECIDE_NOTHING,
    ]
    return "\n".join(fill(line, _WIDE) if len(line) > _WIDE else line for line in lines)


def _rows(models: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    asked = {key: said for key, said in QUESTIONS.items() if key in models[0]}
    rows = [(said, *(_share(each[key]) for each in models)) for key, said in asked.items()]
    for method in models[0]["inside"]:
        rows.append((f"{method}: values on the animal", *(_share(each["inside"][method]) for each in models)))
    for key, said in _AREAS.items():
        if key in models[0]:
            rows.append((said, *(f"{each[key]:.2f}" for each in models)))
    rows.append(("verdict", *(each["verdict"] for each in models)))
    return rows


def _share(share: Mapping[str, float]) -> str:
    return f"{share['value']:.2f} [{share['low']:.2f}, {share['high']:.2f}]"


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    wide = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, wide, strict=True)).rstrip() for row in rows]


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def page(record: Mapping[str, Any]) -> str:
    """One HTML page; nothing is fetched."""
    models, title = record["models"], "Husky or wolf"
    cells = "".join(
        f"<tr><th scope=row>{escape(row[0])}</th>{''.join(f'<td>{escape(cell)}</td>' for cell in row[1:])}</tr>"
        for row in _rows(models)
    )
    heads = "".join(f"<th scope=col>{escape(each['name'])}</th>" for each in models)
    stories = "".join(_picture(each) for each in record["pictures"])
    others = "".join(
        f"<p><b>{escape(each['name'])}: {escape(each['verdict'])}.</b> {escape(_sentence(each['reason']))}</p>"
        for each in models[1:]
    )
    said = record["provenance"]
    return f"""<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; color: #111; margin: 2em auto; max-width: 62em; padding: 0 1em }}
table {{ border-collapse: collapse; margin: 1em 0 }} th, td {{ text-align: left; padding: .3em .9em .3em 0;
  border-bottom: 1px solid #ddd; font-weight: normal; vertical-align: top }} thead th {{ font-weight: 600 }}
.verdict {{ font-size: 1.25em; border-left: .4em solid #1f2937; padding-left: .7em }}
figure {{ display: inline-block; margin: 0 .5em .5em 0; width: {_SIDE}px; vertical-align: top }}
figcaption {{ font-size: .85em; color: #444 }}
img {{ width: {_SIDE}px; height: {_SIDE}px; display: block }}
</style>
<h1>{title}: what does the classifier look at?</h1>
<p class=verdict><b>{escape(record["verdict"])}.</b> {escape(_sentence(record["reason"]))}</p>
<p>{escape(record["about"])}</p>
{others}
<table><thead><tr><th></th>{heads}</tr></thead><tbody>{cells}</tbody></table>
<p>Brackets: 95% intervals. {escape(_MAPS_DECIDE_NOTHING)}</p>
<h2>Some of the pictures</h2>
<p>Warm colours support what the model said, cool ones speak against it; where grey shows, values are near 0.</p>
{stories}
<p><small>attar {escape(said["attar"])}, seed {said["seed"]}: {escape(said["command"])}</small></p></html>
"""


_CHANGED = {  # of a picture: what it is called, and which key of a model holds what it says of it
    "swapped": ("with the ground exchanged", "said_swapped"),
    "erased": ("with the animal erased", "said_erased"),
    "framed": ("in the frame of another class's photo", "said_framed"),
}


def _picture(picture: Mapping[str, Any]) -> str:
    changed = {key: words for key, words in _CHANGED.items() if key in picture}
    figures = [_figure(picture["pixels"], "as it is")]
    figures += [_figure(picture[key], words) for key, (words, _) in changed.items()]
    rows = []
    for each in picture["models"]:
        maps = "".join(_figure(map_, f"{name}: why {each['said']}") for name, map_ in each["maps"].items())
        said = f"says <b>{escape(each['said'])}</b>"
        for words, key in changed.values():
            still = "still" if each["said"] == each[key] else "then"
            said += f"; {words} {still} <b>{escape(each[key])}</b>"
        rows.append(f"<p>{escape(each['model'])}: {said}</p>{maps}")
    name = "" if picture.get("name") is None else f": {picture['name']}"
    return f"<h3>{escape(picture['is'])}{escape(name)}</h3>{''.join(figures)}{''.join(rows)}"


def _figure(address: str, caption: str) -> str:
    return f'<figure><img alt="{escape(caption)}" src="{address}"><figcaption>{escape(caption)}</figcaption></figure>'
