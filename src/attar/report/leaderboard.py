"""A leaderboard in a terminal: one table a task, the best first, chance and what is published beside it."""

import math
import textwrap
from collections.abc import Mapping
from typing import Any

Record = Mapping[str, Any]
WIDTH = 120

_SAID = {
    "masks": "score: AUROC of the values against the truth, mean over held-out examples that have one, the best of the "
    "legal answers for each (the published protocol); union: against all that the rule names; false alarm: what is "
    "claimed of negatives, 0 nothing, 0.5 as much as of a positive.",
    "contributions": "τ: Kendall's τ-b of the values and what each part contributes (the published protocol), below 1 "
    "for values that differ where parts contribute alike; D: Somers' D, over the pairs of parts that contribute "
    "differently.",
}


def leaderboard_text(record: Record) -> str:
    """The record as text of at most 120 columns."""
    blocks = [_task(record, data) for data in record["data"]]
    return "\n\n".join([*blocks, _reading(record)])


def _task(record: Record, data: Record) -> str:
    models = {row["name"]: row for row in record["models"] if row["data"] == data["name"]}
    rows = [row for row in record["attribution"] if row["data"] == data["name"]]
    rows.sort(key=lambda row: -row["score"])
    by_values = data["truth"] == "contributions"
    truth = f"rule {data['rule_name']}" if data["rule"] is not None else _contributed(data)
    held = f"{data['test']} held out"
    positive = "" if data["positives"] is None else f", {data['positives']} positive"
    title = f"{data['name']}: {data['examples']} {data['example']}s{positive}, {held}; truth: {truth}"
    lines = textwrap.wrap(title, WIDTH, subsequent_indent="  ", break_on_hyphens=False)
    lines += [line for note in data["notes"] if note["count"] for line in textwrap.wrap(note["sentence"], WIDTH - 2)]
    measure = "AUROC" if data["task"] == "classification" else "R²"
    said = ", ".join(f"{name} {row.get('auroc', row.get('r2')):.3f}" for name, row in models.items())
    lines += textwrap.wrap(f"held-out {measure}: {said}", WIDTH - 2, subsequent_indent="  ")
    if not rows:
        return "\n".join([*lines, "no held-out example has parts to find: nothing can be scored"])
    published = any("published" in row for row in rows)
    alarms = any("false_alarm" in row for row in rows)
    head = (
        f"  {'model':<10} {'method':<22} {'τ' if by_values else 'score':>6} {'95% interval':>15}  "
        f"{'D' if by_values else 'union':>5} {'chance':>6} {'trivial':>7}"
    )
    lines.append(head + (" false alarm" if alarms else "") + ("        published" if published else ""))
    lines += [_row(row, alarms=alarms) for row in rows]
    return "\n".join([*lines, *_best(data, rows[0])])


def _row(row: Record, *, alarms: bool) -> str:
    low, high = row["interval"]
    interval = f"[{low:.3f}, {high:.3f}]"
    text = (
        f"  {row['model']:<10} {row['method']:<22} {row['score']:>6.3f} {interval:>15}  {row['union']:>5.3f} "
        f"{row['chance']:>6.3f} {row['trivial']:>7.3f}"
    )
    if alarms:
        text += f" {row['false_alarm']:>11.2f}" if "false_alarm" in row else " " * 12
    if "published" not in row:
        return text
    sd = row["published_sd"]
    known = f"{row['published']:.3f}" + ("" if math.isnan(sd) else f" ± {sd:.3f}")
    return f"{text}   {known:<13} {_against(row)}"


def _contributed(data: Record) -> str:
    return "each part's contribution" if data.get("sum") is None else f"each part's share of {data['sum']}"


def _against(row: Record) -> str:
    sd = 0.0 if math.isnan(row["published_sd"]) else row["published_sd"]
    if row["score"] > row["published"] + sd:
        return "above"
    return "within" if row["score"] >= row["published"] - sd else "below"


def _best(data: Record, top: Record) -> list[str]:
    best = data["best_published"]
    if best is None:
        return []
    word = "above" if top["score"] > best["score"] else "not above"
    return [
        f"  Best here: {top['method']} on {top['model']}, {top['score']:.3f}; {word} the best published mean, "
        f"{best['score']:.3f} ({best['method']} on {best['model']})."
    ]


def _reading(record: Record) -> str:
    provenance = record["provenance"]
    kinds = {data["truth"] for data in record["data"]}
    said = [_SAID[kind] for kind in ("masks", "contributions") if kind in kinds]
    text = (
        f"{' '.join(said)} chance: the same scorer on signed random values, carried alike; trivial: a score that saw "
        f"neither model nor label. Intervals: {provenance['interval']}. Took {provenance['seconds']:.0f} s on "
        f"{provenance['workers']} processor{'' if provenance['workers'] == 1 else 's'}."
    )
    return "\n".join(textwrap.wrap(text, WIDTH))
