"""Partial dependence beside scikit-learn's brute force, in one process: CPU time, and whether each digit is the same.

python bench/partial_dependence.py

Fifty points, one column, its curves kept; the models and tables of `permutation_importance.py`.
"""

import warnings
from typing import Any

import numpy as np
import torch
from sklearn import inspection

from attar.sklearn import partial_dependence
from permutation_importance import RUNS, cpu, drawn, models

POINTS, COLUMN = 50, 1
SIZES = {300: 3.0, 20_000: 1.0}


def main() -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    print(f"{'':<22}{'rows':>8}{'scikit-learn ms':>17}{'attar ms':>10}{'times less':>12}   every digit")
    for name, (model, shaped) in models().items():
        for rows, wanted in SIZES.items():
            table = shaped(drawn(rows)[0])
            options: dict[str, Any] = {"method": "brute", "grid_resolution": POINTS, "kind": "both"}

            def theirs(model=model, table=table, options=options) -> Any:
                return inspection.partial_dependence(model, table, [COLUMN], **options)

            def ours(model=model, table=table, options=options) -> Any:
                return partial_dependence(model, table, [COLUMN], **options)

            (peer, mine), (one, other) = cpu(theirs, ours, runs=RUNS if rows < 1000 else 2)
            same = all(np.array_equal(one[key], other[key]) for key in ("average", "individual", "grid_values"))
            off = np.abs(one["average"] - other["average"]).max()
            said = "the same" if same else f"off by {off:.1g}"
            line = f"{name:<22}{rows:>8}{1000 * peer:>17.1f}{1000 * mine:>10.1f}{peer / mine:>12.1f}   {said}"
            print(f"{line}  {'' if peer / mine >= wanted else f'LOST: {wanted:.0f} asked'}", flush=True)


if __name__ == "__main__":
    main()
