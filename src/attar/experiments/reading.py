"""Files that hold examples: a picture, arrays, a signal, a volume, a table → what a model is asked about."""

import io
import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from attar.adapters.raw_tables import raw_table, raw_values
from attar.core.errors import InputError
from attar.core.examples import Examples
from attar.core.files import PICKLES, first_bytes
from attar.core.inputs import Named, Tensors
from attar.core.note import counted, listed
from attar.core.tables import Table, read_table
from attar.domains.images.read import Picture, read_picture
from attar.domains.volumes.read import SUFFIXES as NIFTI
from attar.domains.volumes.read import Look, read_volume
from attar.domains.waveforms.read import EDF, WAV, read_waveform

SUFFIXES = (".png", ".jpg", ".csv", ".tsv", ".parquet", ".npy", ".npz", ".safetensors", ".pt", ".wav", ".nii")
_MOST = 1000  # examples of one file that are explained at once


@dataclass(frozen=True, kw_only=True)
class Reading(Picture):
    """How a file is read. What is left out (None) is settled by the file, and said.

    A picture: as `Picture` says. A table: `columns` are those that the model takes, in its order, and `label` is the
    column of the right answers, which is none of them. `row` is one row, counted as messages about the file do: a line
    of text (the header is line 1), otherwise from 1.
    """

    columns: tuple[str, ...] | None = None
    row: int | None = None
    label: str | None = None

    def refuse(self, path: Path, kind: str, *options: str) -> None:
        """Options that mean nothing for this kind of file."""
        for name in options:
            if getattr(self, name) not in (None, False):
                raise InputError(f"{path} is {kind}: --{name.replace('_', '-')} says nothing about it; leave it out")


_OF_PICTURES = tuple(field.name for field in fields(Picture))


def read_examples(
    path: str | Path,
    reading: Reading,
    *,
    dtype: torch.dtype | None = None,
    known: Sequence[str] | None = None,
    frames: bool = False,
) -> Examples:
    """The examples in a file, in the precision `dtype`; `known` are the columns that the model was fitted on, and
    `frames` says that it takes raw columns, categories and gaps among them.

    Raises `InputError` naming the file, the row or the column. No pickle is opened.
    """
    path = Path(path)
    start = first_bytes(path, suffixes=SUFFIXES)
    if start.startswith(b"\x80") or path.suffix.lower() in PICKLES:
        raise InputError(f"{path} is a Python pickle. Opening one can run code, so attar never does: save .npy or CSV")
    if start.startswith((b"\x89PNG", b"\xff\xd8\xff")):
        reading.refuse(path, "a picture", "columns", "row", "label")
        return read_picture(path, reading, dtype)
    if path.name.lower().endswith((*WAV, *EDF, *NIFTI)):
        reading.refuse(path, "a signal or a volume", "columns", "row", "label", *_OF_PICTURES)
        is_volume = path.name.lower().endswith(NIFTI)
        examples = read_volume(path, Look(scaled=False)) if is_volume else read_waveform(path)
        return replace(examples, inputs=Tensors(examples.inputs.parts["input"].to(dtype or torch.float32)))
    arrays = _arrays(path, start)
    if arrays is not None:
        reading.refuse(path, "a file of arrays", "columns", "label", *_OF_PICTURES)
        return _of_arrays(path, arrays, reading, dtype)
    reading.refuse(path, "a table", *_OF_PICTURES)
    table = read_table(path)
    return _of_raw_columns(table, reading, known) if frames else _of_table(table, reading, dtype, known)


# --- arrays ---


def _arrays(path: Path, start: bytes) -> Mapping[str, Tensor] | None:
    """Arrays by name (one without a name is called input), or None for a file that holds none."""
    if start.startswith(b"\x93NUMPY"):
        return {"input": _tensor(path, _loaded_by_numpy(path))}
    if path.suffix.lower() == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(str(path))
        except SafetensorError as problem:
            raise InputError(f"{path} is no safetensors file: {problem}") from problem
    if not start.startswith(b"PK\x03\x04") or not zipfile.is_zipfile(path):
        return None
    with zipfile.ZipFile(path) as archive:
        members = archive.namelist()
    if any(name.endswith(".npy") for name in members):
        archive = _loaded_by_numpy(path)
        return {name: _tensor(path, archive[name]) for name in archive.files}
    return _saved_by_torch(path) if any(name.endswith("data.pkl") for name in members) else None


def _loaded_by_numpy(path: Path) -> Any:
    try:
        return np.load(io.BytesIO(path.read_bytes()), allow_pickle=False)
    except (ValueError, OSError, EOFError) as problem:
        raise InputError(
            f"{path} holds pickled objects or is damaged, expected plain numbers: save it with np.save of a float array"
        ) from problem


def _tensor(path: Path, array: np.ndarray) -> Tensor:
    if array.dtype.kind not in "fiub":
        raise InputError(f"{path} holds {array.dtype}, expected numbers")
    return torch.from_numpy(array.astype(array.dtype.newbyteorder("="), copy=True))


def _saved_by_torch(path: Path) -> Mapping[str, Tensor]:
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as problem:  # an UnpicklingError, or whatever a damaged file makes torch raise
        raise InputError(
            f"{path} holds a pickled object and not only tensors. Opening it can run code, so attar never does: save "
            "the tensor with torch.save, or as .npy"
        ) from problem
    arrays = {"input": held} if isinstance(held, Tensor) else held
    if not isinstance(arrays, Mapping) or not arrays or not all(isinstance(each, Tensor) for each in arrays.values()):
        raise InputError(f"{path} holds a {type(held).__name__}, expected a tensor or tensors by name")
    return arrays


def _of_arrays(path: Path, arrays: Mapping[str, Tensor], reading: Reading, dtype: torch.dtype | None) -> Examples:
    if flat := [name for name, array in arrays.items() if not array.ndim or not len(array)]:
        raise InputError(f"{flat[0]} in {path} has no examples; the first axis runs over examples")
    fitting = {n: a.to(dtype) if a.is_floating_point() and dtype is not None else a for n, a in arrays.items()}
    inputs = Tensors(next(iter(fitting.values()))) if len(fitting) == 1 else Named(fitting)
    kept, note = _chosen(path.name, np.arange(1, len(inputs) + 1), reading.row, "example")
    shapes = " and ".join(f"{name} {tuple(array.shape)}" for name, array in arrays.items())
    names = tuple(f"example {k + 1}" for k in kept)
    return Examples(inputs=inputs.take(torch.from_numpy(kept)), names=names, said=shapes + note)


# --- tables ---


def _of_raw_columns(table: Table, reading: Reading, known: Sequence[str] | None) -> Examples:
    kept, note = _chosen(table.source, table.rows, reading.row, table.noun)
    labels, table = _labels(table, reading, kept, known)
    every, said = raw_table(table, reading.columns or known)
    rest = np.arange(len(table)) if reading.row is None else np.setdiff1d(np.arange(len(table)), kept)
    return Examples(
        inputs=every.take(torch.from_numpy(kept)),
        names=tuple(f"{table.noun} {table.rows[k]}" for k in kept),
        said=said + note,
        others=every.take(torch.from_numpy(rest)) if len(rest) else None,
        labels=labels,
    )


def _of_table(table: Table, reading: Reading, dtype: torch.dtype | None, known: Sequence[str] | None) -> Examples:
    kept, note = _chosen(table.source, table.rows, reading.row, table.noun)
    labels, table = _labels(table, reading, kept, known)
    chosen = reading.columns or known
    if chosen is None:
        names = [name for name, cells in table.columns.items() if _are_numbers(cells)]
        if not names:
            raise InputError(f"{table.source} has no column of numbers. {table.listed_columns()}.")
        left_out = [name for name in table.columns if name not in names]
        note += f", without {listed(left_out, most=3)} (no numbers)" if left_out else ""
    else:
        names = [table.find(name, role="input") for name in chosen]
    values = np.array([[_number(table, name, k) for name in names] for k in kept])
    tensor = torch.from_numpy(values).to(dtype or torch.float64)
    inputs = Tensors(tensor, tuple(names))
    said = f"{counted(len(table), table.noun)}, {counted(len(names), 'column')}{note}"
    return Examples(inputs=inputs, names=tuple(f"{table.noun} {table.rows[k]}" for k in kept), said=said, labels=labels)


def _labels(
    table: Table, reading: Reading, kept: np.ndarray, known: Sequence[str] | None
) -> tuple[tuple[Any, ...] | None, Table]:
    """The right answers, and the table without them. Raises `InputError` where the model takes those in."""
    if reading.label is None:
        return None, table
    name = table.find(reading.label, role="label")
    if name in (reading.columns or known or ()):
        raise InputError(f"column {name!r} is an input of the model, and cannot be the label too: name another")
    values = raw_values(table, name)
    columns = {each: cells for each, cells in table.columns.items() if each != name}
    return tuple(values[k] for k in kept), replace(table, columns=columns)


def _are_numbers(cells: Sequence[str]) -> bool:
    """Whether all that is written in a column is; what is missing is said when its row is read."""
    written = [cell for cell in cells if cell.strip()]
    try:
        return bool([float(cell) for cell in written])
    except ValueError:
        return False


def _number(table: Table, column: str, place: int) -> float:
    cell = table.columns[column][place]
    where = f"{table.source}, {table.noun} {table.rows[place]}, column {column!r}"
    if not cell.strip():
        raise InputError(f"{where} is empty: fill it in, or leave the row or the column out")
    try:
        number = float(cell)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"{where} holds {cell!r}, expected a finite number: encode it or leave it out")
    return number


def _chosen(source: str, rows: np.ndarray, row: int | None, noun: str) -> tuple[np.ndarray, str]:
    """The places of the asked row, or of all up to a limit; and what to say of it."""
    if row is None:
        few = np.arange(min(len(rows), _MOST))
        return few, f", the first {_MOST:,} (name one with --row)" if len(few) < len(rows) else ""
    place = np.flatnonzero(rows == row)
    if not len(place):
        raise InputError(f"{source} has no {noun} {row}; there are {rows[0]} to {rows[-1]} (--row counts as they do)")
    return place, f", of which {noun} {row}"
