"""An audit in a terminal: the verdict, the findings that decide, the fragments, in plain text."""

import textwrap
from typing import Any

from attar.report.columns import leading

WIDTH = 100
MARKS = {"ok": "ok      ", "note": "note    ", "caution": "CAUTION ", "distrust": "DISTRUST"}


def audit_summary(record: dict[str, Any]) -> str:
    """The record as text of at most 100 columns."""
    lines = [record["verdict"].upper(), *_wrapped(" ".join(record["summary"]), ""), ""]
    order = ("distrust", "caution", "note", "ok")
    for finding in sorted(record["findings"], key=lambda f: order.index(f["status"])):
        lines += _wrapped(finding["evidence"], f"{MARKS[finding['status']]}  ")
        if finding["remedy"] and finding["status"] in ("distrust", "caution"):
            lines += _wrapped("→ " + finding["remedy"], " " * 10)
    if (columns := record.get("columns")) is not None:
        lines += ["", *leading(columns)]
    raising = [f for f in record["fragments"] if f["weight"] > 0][:5]
    if raising:
        labelled = record["data"][0]["positives"] is not None
        head = f"  weight  {'95% interval':<14} {'n':>5}{'  positive' if labelled else ''}  SMARTS"
        lines += ["", "Fragments that raise it most:", head]
        for f in raising:
            interval = f"[{f['low']:.2f}, {f['high']:.2f}]"
            positive = f" {f['n_positive']:>9}" if labelled else ""
            lines.append(f"  {f['weight']:>6.2f}  {interval:<14} {f['n']:>5}{positive}  {f['smarts']}")
    return "\n".join(lines)


def _wrapped(text: str, lead: str) -> list[str]:
    later = " " * len(lead)
    return textwrap.wrap(
        text, WIDTH, initial_indent=lead, subsequent_indent=later, break_long_words=False, break_on_hyphens=False
    )
