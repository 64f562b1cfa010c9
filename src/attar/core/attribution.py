"""The answer: how much each part of each input counted, and how far off that may be."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from attar.core.columns import Columns
from attar.core.error import Error
from attar.core.errors import InputError
from attar.core.features import Features
from attar.core.importance import Importance, importance_of
from attar.core.inputs import Tensors
from attar.core.parts import Parts, joined, precise
from attar.core.show import as_text, leading


@dataclass(frozen=True, eq=False, kw_only=True)
class Attribution:
    """Values for the parts of a batch of examples.

    `parts` has the rows and shape of the input's parts, or one row per feature once `carried`; `owners` says whose
    each row is. Units are the target's (log-odds for a logit); positive supports the target. `output` is the
    target's value; `reference` its value where the method's reference stands (None: the method has none);
    `unassigned` what a complete method could give to no part. `error` is an L1 error per example.
    `evaluations` counts model evaluations (forward or forward and backward) per example. `standard_error` is that of
    each value, laid out like `parts`, where the method samples. `measured` is what more it found of each example, by
    name, such as a surrogate's R²; `rules` are what it keeps of each, in words. `layers` are those whose
    outputs were read, where the method reads any. `entry_names` are those of an example's entries, in the order of a
    flattened row; `table` is the examples themselves where they came as a data frame, so that what a column is can be
    shown beside what it counts. `loss` names the loss that is explained in place of a target: `output` is then the
    row's loss with its sign turned, so that positive helps. `overall` is what the method itself says of the mean over
    all rows.
    """

    parts: Parts
    owners: Mapping[str, Int[Tensor, " rows"]]
    output: Float[Tensor, " batch"]
    error: Error
    evaluations: Int[Tensor, " batch"]
    reference: Float[Tensor, " batch"] | None = None
    unassigned: Float[Tensor, " batch"] | None = None
    standard_error: Parts | None = None
    names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    entry_names: tuple[str, ...] | None = None
    table: Tensors | None = None
    method: str = ""
    target: str = ""
    carried_by: str | None = None
    layers: tuple[str, ...] = ()
    measured: Mapping[str, Float[Tensor, "batch *more"]] = field(default_factory=dict)
    rules: tuple[str, ...] = ()
    single: bool = False
    loss: str = ""
    overall: Importance | None = None

    @property
    def values(self) -> Tensor | Parts:
        """A tensor for a tensor in; `Parts` by name otherwise."""
        return next(iter(self.parts.values())) if self.single else self.parts

    def __len__(self) -> int:
        return len(self.output)

    def residual(self) -> Float[Tensor, " batch"] | None:
        """Completeness residual: output - reference - unassigned - sum of values. A check, never an error bar."""
        if self.reference is None:
            return None
        rest = self.unassigned if self.unassigned is not None else torch.zeros_like(self.output)
        total = self.parts.per_example(self.owners, len(self))
        return precise(self.output) - precise(self.reference) - precise(rest) - total

    def carried(self, features: Features) -> "Attribution":
        """The same answer for other features (atoms instead of subgraphs), by the features' shares; its error too."""
        parts, owners = self.parts, self.owners
        if self.single and features.reach(next(iter(parts))) > len(self):  # over the entries of a tensor, one by one
            each = {name: array.numel() // max(len(self), 1) for name, array in parts.items()}
            owners = {name: owner.repeat_interleave(each[name]) for name, owner in owners.items()}
            parts = parts.map(Tensor.flatten)
        stretch = features.stretch(owners, len(self)).to(self.error.bound)
        return replace(
            self,
            parts=Parts({features.name: features.carry(parts)}),
            owners={features.name: features.owner},
            error=replace(self.error, bound=self.error.bound * stretch),
            names={features.name: features.names} if features.names is not None else {},
            entry_names=None,
            table=None,
            standard_error=None,
            overall=None,
            carried_by=features.rule,
            single=False,
        )

    def by_example(self, part: str) -> tuple[Tensor, ...]:
        """For each example the values of the rows it owns in this part, summed over features."""
        rows = self.parts.per_row()[part]
        return rows.split(torch.bincount(self.owners[part], minlength=len(self)).tolist())

    def ranked(self, example: int, limit: int | None = None) -> list[tuple[str, float]]:
        """The parts of one example with their values, the largest magnitude first.

        For a single tensor the parts are its entries, named by their index.
        """
        return [(part.name, part.value) for part in leading(self, example, limit)]

    def frame(self, measured: str | None = None) -> Any:
        """The examples as the data frame that they came as, or what was `measured` of their columns, such as a
        counterfactual; of several rows for each, one after another. Raises `InputError` where there is none."""
        if self.table is None:
            raise InputError("the examples did not come as a data frame, or the attribution is of other features")
        if measured is None:
            return self.table.frame()
        count, width = self.table.values.shape
        rows = {n: a for n, a in self.measured.items() if a.ndim > 1 and (len(a), a.shape[-1]) == (count, width)}
        if measured not in rows:
            raise InputError(f"{measured!r} is nothing measured of the columns; there is {', '.join(rows) or 'none'}")
        return replace(self.table, values=rows[measured].flatten(0, -2)).frame()

    def importance(self) -> Importance:
        """How much each column counts over all rows, with its interval: of a loss the signed mean over rows of what a
        column takes off it, else the mean size of a column's values; `how` says which. Raises `InputError` where rows
        do not have the same columns."""
        return importance_of(self)

    def save(self, path: str | Path) -> None:
        """Write to safetensors: arrays, and the provenance as text. Never a pickle."""
        from safetensors.torch import save_file

        arrays = {f"parts/{n}": a for n, a in self.parts.items()}
        arrays |= {f"owners/{n}": a for n, a in self.owners.items()}
        arrays |= {"output": self.output, "error": self.error.bound, "evaluations": self.evaluations}
        for name in ("reference", "unassigned"):
            if (array := getattr(self, name)) is not None:
                arrays[name] = array
        if self.error.reached is not None:
            arrays["reached"] = self.error.reached
        if self.standard_error is not None:
            arrays |= {f"standard_error/{n}": a for n, a in self.standard_error.items()}
        arrays |= {f"measured/{n}": a for n, a in self.measured.items()}
        if self.table is not None:
            arrays["table"] = self.table.values
        text: dict[str, Any] = {
            "method": self.method,
            "target": self.target,
            "how": self.error.how,
            "otherwise": self.error.otherwise,
            "carried_by": self.carried_by,
            "layers": self.layers,
            "measured": list(self.measured),
            "rules": self.rules,
            "single": self.single,
            "loss": self.loss,
            "overall": None if self.overall is None else self.overall.described(),
            "names": {k: list(v) for k, v in self.names.items()},
            "entry_names": self.entry_names,
            "columns": None if self.table is None or self.table.columns is None else self.table.columns.described(),
            "order": list(self.parts),  # safetensors keeps none
        }
        packed = {n: a.clone(memory_format=torch.contiguous_format) for n, a in arrays.items()}
        save_file(packed, str(path), metadata={"attar": json.dumps(text)})

    @classmethod
    def load(cls, path: str | Path) -> "Attribution":
        """Read what `save` wrote. Raises `InputError` for a file that is not one."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(str(path), framework="pt") as file:
                text = json.loads((file.metadata() or {})["attar"])
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
            return cls(
                parts=Parts({n: arrays[f"parts/{n}"] for n in text["order"]}),
                owners={n: arrays[f"owners/{n}"] for n in text["order"]},
                output=arrays["output"],
                error=Error(arrays["error"], text["how"], arrays.get("reached"), text["otherwise"]),
                evaluations=arrays["evaluations"],
                reference=arrays.get("reference"),
                unassigned=arrays.get("unassigned"),
                standard_error=_if_any({n: arrays.get(f"standard_error/{n}") for n in text["order"]}),
                names=text["names"],
                entry_names=None if text.get("entry_names") is None else tuple(text["entry_names"]),
                table=_table(arrays.get("table"), text.get("columns")),
                method=text["method"],
                target=text["target"],
                carried_by=text["carried_by"],
                layers=tuple(text.get("layers", ())),
                measured={n: arrays[f"measured/{n}"] for n in text.get("measured", ())},
                rules=tuple(text.get("rules", ())),
                single=text["single"],
                loss=text.get("loss", ""),
                overall=Importance.of_description(text["overall"]) if text.get("overall") else None,
            )
        except (SafetensorError, KeyError, OSError, ValueError) as problem:
            raise InputError(f"{path} is not an attribution saved by attar ({problem})") from problem

    def __repr__(self) -> str:
        shapes = ", ".join(f"{n} {tuple(a.shape)}" for n, a in self.parts.items())
        worst = float(self.error.bound.max()) if len(self) else 0.0
        at = f" at {', '.join(self.layers)}" if self.layers else ""
        return f"Attribution({shapes}; {self.method}{at}; target {self.target}; error ≤ {worst:.3g}, {self.error.how})"

    def __str__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        from attar.core.show_html import as_html

        return as_html(self)


def chained(pieces: list[Attribution]) -> Attribution:
    """Attributions of consecutive chunks of examples as one."""
    if len(pieces) == 1:
        return pieces[0]
    starts = torch.tensor([0] + [len(p) for p in pieces]).cumsum(0)
    first = pieces[0]

    def cat(name: str) -> Tensor | None:
        arrays = [getattr(p, name) for p in pieces]
        return None if arrays[0] is None else torch.cat(arrays)

    known = [p.error.reached for p in pieces if p.error.reached is not None]
    bound = torch.cat([p.error.bound for p in pieces])
    return replace(
        first,
        parts=joined([p.parts for p in pieces]),
        owners={
            n: torch.cat([p.owners[n] + s for p, s in zip(pieces, starts.tolist(), strict=False)]) for n in first.owners
        },
        output=torch.cat([p.output for p in pieces]),
        error=replace(first.error, bound=bound, reached=torch.cat(known) if known else None),
        evaluations=torch.cat([p.evaluations for p in pieces]),
        reference=cat("reference"),
        unassigned=cat("unassigned"),
        measured={n: torch.cat([p.measured[n] for p in pieces]) for n in first.measured},
        rules=tuple(rule for p in pieces for rule in p.rules),
        standard_error=None
        if first.standard_error is None
        else joined([p.standard_error for p in pieces if p.standard_error is not None]),
        names={n: [name for p in pieces for name in p.names[n]] for n in first.names},
    )


def _table(codes: Tensor | None, columns: list[dict[str, Any]] | None) -> Tensors | None:
    if codes is None or columns is None:
        return None
    known = Columns.of_description(columns)
    return Tensors(codes, known.names, known)


def _if_any(arrays: Mapping[str, Tensor | None]) -> Parts | None:
    return Parts({n: a for n, a in arrays.items() if a is not None}) if None not in arrays.values() else None
