"""Files of volumes, NIfTI → what a model of volumes is asked about, and where each of its voxels lies in the file."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from jaxtyping import Float

from attar.core.errors import InputError, UnsupportedError
from attar.core.examples import Examples
from attar.core.files import first_bytes
from attar.core.inputs import Tensors
from attar.core.note import counted
from attar.domains.volumes.parts import Blocks

SUFFIXES = (".nii", ".nii.gz")
_T = TypeVar("_T")
_SAME = 0.01  # mm: voxels that differ by no more from what is wanted are left as they are
_SIDE = 8  # voxels of a block


@dataclass(frozen=True, kw_only=True)
class Look:
    """How a volume is read. `axes` is where its axes run to ("LIA": left, inferior, anterior), `voxel` the length of a
    voxel's side in mm; None: as in the file. `scaled` takes its lowest number to 0 and its highest to 1."""

    axes: str | None = None
    voxel: float | None = None
    scaled: bool = True


@dataclass(frozen=True, eq=False, kw_only=True)
class Placed:
    """Where the voxels of an array lie in the file that they were read from, and in the room.

    `affine` takes a voxel of the file to mm (x to the right, y to the front, z up), `shape` is the file's. The array's
    axis k runs along the file's axis `axis[k]`, over `size[k]` voxels, from `start[k]` in steps of `step[k]`, in voxels
    of the file: whole steps of 1 only turn and cut, others lie between voxels.
    """

    affine: Float[np.ndarray, "4 4"]
    shape: tuple[int, int, int]
    axis: tuple[int, int, int]
    start: tuple[float, float, float]
    step: tuple[float, float, float]
    size: tuple[int, int, int]

    def sampled(self, array: Float[np.ndarray, "x y z"]) -> Float[np.ndarray, "depth height width"]:
        """The file's numbers at the array's voxels, linear between two of the file, the outermost beyond them."""
        return _along(array.transpose(self.axis), self._weights)

    def back(self, values: Float[np.ndarray, "depth height width"]) -> Float[np.ndarray, "x y z"]:
        """Values of the array's voxels on the file's: each goes to the voxels that its number was made of, by their
        weights, so that the sum stays. 0 where the array does not reach."""
        return _along(values, [weights.T for weights in self._weights]).transpose(np.argsort(self.axis))

    @cached_property
    def _weights(self) -> list[Float[np.ndarray, "size length"]]:
        found = []
        for axis, start, step, size in zip(self.axis, self.start, self.step, self.size, strict=True):
            length = self.shape[axis]
            at = np.clip(start + step * np.arange(size), 0, length - 1)
            low = np.minimum(at.astype(int), max(length - 2, 0))
            weights = np.zeros((size, length))
            rows = np.arange(size)
            weights[rows, low] = 1 - (at - low)
            weights[rows, np.minimum(low + 1, length - 1)] += at - low
            found.append(weights)
        return found

    def voxel(self, index: tuple[int, ...]) -> tuple[float, ...]:
        """The voxel of the file, from 0, at a place of the array."""
        held = [0.0, 0.0, 0.0]
        for axis, start, step, at in zip(self.axis, self.start, self.step, index, strict=True):
            held[axis] = start + step * at
        return tuple(held)

    def mm(self, index: tuple[int, ...]) -> tuple[float, ...]:
        """Where a place of the array lies in the room."""
        return tuple((self.affine[:3, :3] @ self.voxel(index) + self.affine[:3, 3]).tolist())

    def index(self, voxel: tuple[float, ...]) -> tuple[int, int, int]:
        """The place of the array nearest to a voxel of the file. Raises `InputError` where that lies outside."""
        pairs = zip(self.axis, self.start, self.step, strict=True)
        found = [round((voxel[axis] - start) / step) for axis, start, step in pairs]
        if any(not 0 <= at < size for at, size in zip(found, self.size, strict=True)):
            shape = " x ".join(map(str, self.shape))
            raise InputError(f"voxel {','.join(f'{v:g}' for v in voxel)} lies outside: a file of {shape}, from 0")
        return _three(found)

    def index_mm(self, mm: tuple[float, ...]) -> tuple[int, int, int]:
        """The same for a place in the room."""
        voxel = np.linalg.solve(self.affine[:3, :3], np.array(mm) - self.affine[:3, 3])
        return self.index(tuple(voxel.round(6).tolist()))

    @property
    def here(self) -> Float[np.ndarray, "4 4"]:
        """The affine of the array: its places → mm."""
        turned = np.zeros((4, 4))
        for k, (axis, step) in enumerate(zip(self.axis, self.step, strict=True)):
            turned[axis, k] = step
        turned[:3, 3] = self.voxel((0, 0, 0))
        turned[3, 3] = 1
        return self.affine @ turned

    @property
    def sides(self) -> tuple[float, ...]:
        """The sides of a voxel of the array, mm."""
        return tuple(np.linalg.norm(self.here[:3, :3], axis=0).tolist())

    def cut(self, box: tuple[slice, ...]) -> "Placed":
        """Where the voxels of `array[box]` lie."""
        first = [int(each.start or 0) for each in box]
        size = [len(range(*each.indices(n))) for each, n in zip(box, self.size, strict=True)]
        start = [a + s * k for a, s, k in zip(self.start, self.step, first, strict=True)]
        return replace(self, start=_three(start), size=_three(size))


def read_volume(path: str | Path, look: Look | None = None) -> Examples:
    """The volume in a NIfTI file as a batch of one, (1, 1, depth, height, width); `raw` holds where it lies (`Placed`).

    Raises `InputError` for a file that is no NIfTI or cut short, for other than three axes, for voxels that are no
    numbers, and where it does not say where its voxels lie and `look` asks for it.
    """
    look = look or Look()
    first_bytes(path, suffixes=SUFFIXES)
    image = _opened(Path(path))
    said, shape = [], tuple(image.shape)
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
        said = ["its last axis, of length 1, left out"]
    if len(shape) > 3:
        axes = " x ".join(map(str, shape))
        raise InputError(
            f"{path} has {len(shape)} axes ({axes}), expected three: take one volume along axis {len(shape) - 1}, "
            f"counted from 0, as in img.slicer[..., 0] with nibabel"
        )
    if len(shape) < 3 or min(shape) < 2:
        raise InputError(f"{path} has the shape {shape}, expected a volume of three axes with 2 or more voxels each")
    affine = _affine(path, image, look)
    numbers = _numbers(path, image).reshape(shape)
    placed = _placed(affine, shape, look)
    array = placed.sampled(numbers)
    low, high = float(array.min()), float(array.max())
    if low == high:
        raise InputError(f"all voxels of {path} have the same number, {low:g}: there is nothing to explain")
    said = [f"{' x '.join(map(str, shape))} voxels of {_sides(np.linalg.norm(affine[:3, :3], axis=0))}", *said]
    if look.axes is not None and (was := _runs_to(affine)) != look.axes:
        said.append(f"turned from {was} to {look.axes}")
    if any(abs(abs(step) - 1) > 1e-9 for step in placed.step):
        said.append(f"resampled to {' x '.join(map(str, placed.size))} of {_sides(placed.sides)}")
    if look.scaled:
        array = (array - low) / (high - low)
        said.append(f"{low:g} to {high:g} made 0 to 1")
    values = torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))[None, None]
    return Examples(
        inputs=Tensors(values),
        names=(Path(path).name,),
        said=", ".join(said),
        domain="volumes",
        raw=(placed,),
        features=Blocks(side=_SIDE, placed=placed),
    )


def cut_out(examples: Examples, around: tuple[int, int, int], reach: int) -> Examples:
    """One volume cut to the voxels that lie at most `reach` from a place of its array along each axis."""
    placed: Placed = examples.raw[0]
    box = tuple(slice(max(at - reach, 0), min(at + reach + 1, n)) for at, n in zip(around, placed.size, strict=True))
    inputs = examples.inputs
    if not isinstance(inputs, Tensors) or len(inputs) != 1:
        raise InputError(f"{len(inputs)} volumes cannot be cut around one voxel: take one with only(number)")
    cut = placed.cut(box)
    if cut.size == placed.size:
        return examples
    at = ",".join(f"{v:.4g}" for v in placed.voxel(around))
    return replace(
        examples,
        inputs=Tensors(inputs.values[(slice(None), slice(None), *box)].clone()),
        said=f"{examples.said}, cut to the {' x '.join(map(str, cut.size))} voxels around {at}",
        raw=(cut,),
        features=Blocks(side=_SIDE, placed=cut),
    )


def _opened(path: Path) -> Any:
    try:
        import nibabel
    except ImportError as problem:
        raise UnsupportedError("NIfTI files need nibabel: pip install 'attar[volumes]'") from problem
    if not path.name.lower().endswith(SUFFIXES):
        raise InputError(f"{path} is no NIfTI file by its name: expected one that ends in {' or '.join(SUFFIXES)}")
    try:
        image = nibabel.load(path)  # type: ignore[attr-defined] - nibabel does not say what it exports
    except Exception as problem:  # whatever the reader meets in a file that is none
        raise InputError(f"{path} is no NIfTI file that opens: convert it with dcm2niix or nibabel") from problem
    if not isinstance(image, nibabel.Nifti1Image):  # type: ignore[attr-defined]
        raise InputError(f"{path} is a {type(image).__name__}, expected NIfTI: convert it with nibabel")
    return image


def _numbers(path: str | Path, image: Any) -> Float[np.ndarray, "x y z"]:
    if image.get_data_dtype().kind not in "iuf":
        raise InputError(
            f"{path} holds {image.get_data_dtype()} for each voxel, expected one number: save one channel of it"
        )
    try:
        numbers = image.get_fdata(dtype=np.float32, caching="unchanged")
    except (EOFError, OSError, ValueError, zlib.error) as problem:
        raise InputError(f"{path} is damaged or cut short: copy or download it again") from problem
    if bad := int((~np.isfinite(numbers)).sum()):
        raise InputError(
            f"{path} has {counted(bad, 'voxel')} of {numbers.size:,} that are NaN or infinite: fill them, as with "
            "numpy.nan_to_num, or mask the volume"
        )
    return numbers


def _affine(path: str | Path, image: Any, look: Look) -> Float[np.ndarray, "4 4"]:
    """Voxels → mm. That of a file that does not say is refused where it is needed, and 1 mm along each axis else."""
    unit = image.header.get_xyzt_units()[0]
    coded = int(image.header["sform_code"]) or int(image.header["qform_code"])
    affine = np.asarray(image.affine, dtype=float)
    known = coded and np.isfinite(affine).all() and abs(np.linalg.det(affine[:3, :3])) > 1e-12
    if known and unit not in ("mm", "unknown"):
        raise InputError(f"{path} gives places in {unit}, expected mm: set the units and the affine with nibabel")
    if not known and (look.axes is not None or look.voxel is not None):
        raise InputError(
            f"{path} does not say where its voxels lie (no usable sform or qform), and which side is left cannot be "
            "told: set the affine with nibabel (img.set_sform(affine, 1)) and save it"
        )
    return affine if known else np.diag([*image.header.get_zooms()[:3], 1.0])


def _placed(affine: np.ndarray, shape: tuple[int, ...], look: Look) -> Placed:
    from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform

    axis, flip = (0, 1, 2), (1, 1, 1)
    if look.axes is not None:
        moved = ornt_transform(io_orientation(affine), axcodes2ornt(look.axes))  # a row for each axis of the file
        order = np.argsort(moved[:, 0])
        axis, flip = tuple(order.tolist()), tuple(int(moved[k, 1]) for k in order)
    sides = np.linalg.norm(affine[:3, :3], axis=0)
    start, step, size = [], [], []
    for along, sign in zip(axis, flip, strict=True):
        length, side = shape[along], float(sides[along])
        same = look.voxel is None or abs(side - look.voxel) <= _SAME
        stride = 1.0 if same else look.voxel / side  # type: ignore[operator]
        count = length if same else max(round(length / stride), 1)
        first = 0.0 if same else (length - 1 - (count - 1) * stride) / 2  # both have one middle
        start.append(first if sign > 0 else length - 1 - first)
        step.append(sign * stride)
        size.append(count)
    return Placed(
        affine=affine,
        shape=_three(shape),
        axis=_three(axis),
        start=_three(start),
        step=_three(step),
        size=_three(size),
    )


def _three(of: Sequence[_T]) -> tuple[_T, _T, _T]:
    first, second, third = of
    return first, second, third


def _along(array: np.ndarray, weights: list[np.ndarray]) -> np.ndarray:
    """Each axis in turn through its weights, (new, old); those that only turn and cut copy."""
    for k, each in enumerate(weights):
        there = each != 0
        if each.shape[0] <= each.shape[1] and bool((there.sum(1) == 1).all()) and bool((each[there] == 1).all()):
            array = array.take(each.argmax(1), axis=k)
        else:
            array = np.moveaxis(np.tensordot(each.astype(array.dtype), array, axes=(1, k)), 0, k)
    return array


def _runs_to(affine: np.ndarray) -> str:
    from nibabel.orientations import aff2axcodes

    return "".join(str(code) for code in aff2axcodes(affine))


def _sides(sides: Any) -> str:
    rounded = [f"{side:.3g}" for side in sides]
    return f"{rounded[0]} mm" if len(set(rounded)) == 1 else f"{' x '.join(rounded)} mm"
