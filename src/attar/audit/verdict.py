"""One word and two sentences, from the findings, by logic that can be read."""

from collections.abc import Sequence
from typing import Literal

from attar.audit.findings import LEAKING, Finding

Verdict = Literal["trust", "caution", "distrust"]


def verdict(findings: Sequence[Finding]) -> Verdict:
    """Distrust if any finding says so; else caution if any says so; else trust. Notes never count."""
    said = {f.status for f in findings}
    return "distrust" if "distrust" in said else "caution" if "caution" in said else "trust"


def sentences(word: Verdict, subject: str, findings: Sequence[Finding]) -> tuple[str, str]:
    """The verdict for someone who reads no further: what it is, and the reason that decides."""
    opening = {
        "trust": f"The attribution ({subject}) can be believed, as far as these checks reach.",
        "caution": f"The attribution ({subject}) holds in part: read it together with the reservations below.",
        "distrust": f"Do not act on the attribution ({subject}).",
    }[word]
    decisive = [f for f in findings if f.status == ("ok" if word == "trust" else word)]
    order = ["spurious correlation", "imperfect model", "dataset bias"]
    decisive.sort(key=lambda f: order.index(f.pitfall) if f.pitfall in order else len(order))
    # Beside a column that is the label nothing else matters; it moves the model as a shortcut does.
    ahead = [f for f in decisive if f.name.startswith(LEAKING)]
    ahead += [f for f in decisive if f.name == "attribution against the rule" and word != "distrust"]
    reason = next(iter([*ahead, *decisive]), None)
    return opening, reason.evidence if reason is not None else ""
