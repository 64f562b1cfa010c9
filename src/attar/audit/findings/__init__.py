"""The findings of an audit: one function each, by what they ask; their thresholds stand in `thresholds`."""

from attar.audit.findings.data import (
    LEAKING,
    alternatives_finding,
    bias_findings,
    copies_finding,
    folding_finding,
    label_noise_finding,
    leak_findings,
    note_findings,
    population_finding,
    slice_finding,
    together_finding,
)
from attar.audit.findings.finding import Finding
from attar.audit.findings.model import (
    consistency_finding,
    given_findings,
    prediction_finding,
    randomisation_finding,
    removal_finding,
    unlike_finding,
)
from attar.audit.findings.phenomenon import (
    attribution_finding,
    ladder_finding,
    no_rule_finding,
    parts_finding,
    rule_finding,
)
from attar.audit.findings.shortcuts import decoy_finding, shortcut_findings

__all__ = [
    "LEAKING",
    "Finding",
    "alternatives_finding",
    "attribution_finding",
    "bias_findings",
    "consistency_finding",
    "copies_finding",
    "decoy_finding",
    "folding_finding",
    "given_findings",
    "label_noise_finding",
    "ladder_finding",
    "leak_findings",
    "no_rule_finding",
    "note_findings",
    "parts_finding",
    "population_finding",
    "prediction_finding",
    "randomisation_finding",
    "removal_finding",
    "rule_finding",
    "shortcut_findings",
    "slice_finding",
    "together_finding",
    "unlike_finding",
]
