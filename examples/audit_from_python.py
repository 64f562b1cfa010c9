"""An audit without the command line: own molecules, own rule, own plan, and a decision that a program can take.

python examples/audit_from_python.py
"""

import sys

from attar.audit.plan import Plan
from attar.audit.run import audit
from attar.domains.molecules.library import enumerated_library
from attar.domains.molecules.truth import read_rule
from attar.experiments.molecule_task import labelled_by_rule

RULE = 'has(oxygen: "[OX2]") and has(ring: "c1ccccc1")'


def main() -> int:
    task = labelled_by_rule("library", "", enumerated_library(800), rule=read_rule(RULE), rule_name=RULE, seed=0)
    plan = Plan(
        models=("glm",),
        methods=("weight-times-input", "occlusion"),
        flips=(0.0, 0.33, 0.5),
        decoys=("chlorine",),
        shares=(0.0, 0.5),
        workers=1,
    )
    record = audit([task], plan)
    print(record["verdict"], "-", record["summary"][0])
    for finding in record["findings"]:
        if finding["status"] in ("caution", "distrust"):
            print(f"  {finding['status']}: {finding['evidence']}")
    for row in record["attribution"]:
        print(f"  {row['method']:<20} {row['score']:.2f}, chance {row['chance']:.2f}, trivial {row['trivial']:.2f}")
    return 1 if record["verdict"] == "distrust" else 0


if __name__ == "__main__":
    sys.exit(main())
