"""An ONNX file, asked through onnxruntime: a black box that answers."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from attar.adapters.function import rows_of_outputs
from attar.core.errors import InputError, UnsupportedError
from attar.core.inputs import Inputs, Named

_DTYPES = {
    "tensor(float)": torch.float32,
    "tensor(double)": torch.float64,
    "tensor(float16)": torch.float16,
    "tensor(int64)": torch.int64,
    "tensor(int32)": torch.int32,
    "tensor(bool)": torch.bool,
}


@dataclass(frozen=True, eq=False)
class OnnxModel:
    """Outputs are taken as the file gives them: logits or probabilities, which only its maker knows.

    Inputs go in by name, or in order where they have none, in the precision that the file asks for. A file made for
    batches of one length is asked that many at a time. `output` names one of several outputs.
    """

    session: Any
    output: str | None = None

    @classmethod
    def open(cls, path: str | Path, output: str | None = None) -> Self:
        """Raises `InputError` for a file that is no ONNX model, `UnsupportedError` where onnxruntime is missing."""
        try:
            import onnxruntime
        except ImportError as problem:
            raise UnsupportedError("an ONNX file needs onnxruntime: pip install 'attar[onnx]'") from problem
        try:
            session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        except Exception as problem:  # each of its errors is a class of its own with no common one
            raise InputError(f"{path} is no ONNX model that onnxruntime opens: {_one_line(problem)}") from problem
        return cls(session, output)

    @property
    def dtype(self) -> torch.dtype | None:
        """That of the first float input; None without any."""
        asked = [_DTYPES.get(each.type) for each in self.session.get_inputs()]
        return next((dtype for dtype in asked if dtype is not None and dtype.is_floating_point), None)

    def predict(self, inputs: Inputs) -> Tensor:
        given = self._by_name(inputs)
        size = self._batch() or len(inputs)
        pieces = [
            self._asked({name: array[first : first + size] for name, array in given.items()}, size)
            for first in range(0, len(inputs), size)
        ]
        return rows_of_outputs(np.concatenate(pieces)[: len(inputs)], len(inputs)).to(inputs.device)

    def _asked(self, piece: dict[str, np.ndarray], size: int) -> np.ndarray:
        padded = {n: np.concatenate([a, np.repeat(a[-1:], size - len(a), axis=0)]) for n, a in piece.items()}
        return self.session.run([self._output()], padded)[0]

    def _by_name(self, inputs: Inputs) -> dict[str, np.ndarray]:
        asked = self.session.get_inputs()
        if isinstance(inputs, Named) and not inputs.in_order:
            arrays = dict(inputs.arrays)
        else:
            arrays = dict(zip([each.name for each in asked], inputs.arguments(), strict=False))
        if missing := [each.name for each in asked if not isinstance(arrays.get(each.name), Tensor)]:
            raise InputError(
                f"the model asks for the inputs {', '.join(each.name for each in asked)}; {missing[0]!r} is missing: "
                "give arrays under these names"
            )
        return {e.name: arrays[e.name].detach().cpu().to(_DTYPES.get(e.type)).numpy() for e in asked}

    def _batch(self) -> int | None:
        """How long every batch must be, if the file says so."""
        lengths = [each.shape[0] for each in self.session.get_inputs() if each.shape]
        return next((length for length in lengths if isinstance(length, int) and length > 0), None)

    def _output(self) -> str:
        floats = [each.name for each in self.session.get_outputs() if _is_float(each.type)]
        if self.output is not None and self.output not in floats:
            raise InputError(f"the model has no output {self.output!r} of floats; it has {', '.join(floats) or 'none'}")
        if self.output is None and len(floats) != 1:
            raise InputError(
                f"the model has {len(floats)} outputs of floats ({', '.join(floats)}), expected one: name it with "
                "output=, on the command line with --output-name"
            )
        return self.output or floats[0]


def _is_float(kind: str) -> bool:
    dtype = _DTYPES.get(kind)
    return dtype is not None and dtype.is_floating_point


def _one_line(problem: Exception) -> str:
    return " ".join(str(problem).split())[:200]
