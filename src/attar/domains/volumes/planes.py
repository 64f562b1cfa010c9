"""Volumes out of files as pictures, three planes through a voxel; and attributions as NIfTI that opens over them."""

import gzip
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from attar.core.attribution import Attribution
from attar.core.errors import InputError
from attar.core.examples import Examples
from attar.core.heat import AGAINST, SUPPORTS, ZERO, over, shared_scale
from attar.core.inputs import Tensors
from attar.core.show import signed
from attar.core.windows import Windows
from attar.domains.volumes.read import Placed

PLANES = ("axial", "coronal", "sagittal")  # across the third, the second and the first axis of (right, front, up)
_GAP = 4  # pixels between two planes
_ENTRY = re.compile(r"Entry\(\d+, (\d+), (\d+), (\d+)\)")
_WINDOWS = re.compile(r"windows of (\d+(?: x \d+)*)")


def named(examples: Examples, found: Attribution) -> Attribution:
    """The same answer by the parts of the volumes, blocks at their places in mm, where it has one for each voxel."""
    part = next(iter(found.parts))
    if examples.features is None or found.parts[part].shape != examples.inputs.parts["input"].shape:
        return found
    return found.carried(examples.features(examples.inputs))


def panel(axes: Any, examples: Examples, found: Attribution, example: int) -> None:
    """The axial, the coronal and the sagittal plane side by side, through the voxel that the target names, else through
    the strongest one: the values over the volume in grey, on one scale. The patient's left is left, as R and L say."""
    values, placed = on_voxels(examples, found, example), examples.raw[example]
    seen = _volume(examples)[example]
    through = _through(found, values)
    volume, heat = (_upright(array, placed) for array in (seen, values))
    marked = np.zeros(values.shape, dtype=bool)
    marked[through] = True
    x, y, z = (int(at[0]) for at in np.nonzero(_upright(marked, placed)))
    scale = shared_scale([heat.ravel().tolist()])
    low, span = float(volume.min()), float(np.ptp(volume)) or 1.0
    slices = ((slice(None), slice(None), z), (slice(None), y), (x,))
    tall = max(volume.shape[1:])
    shown, left = [], 0
    for name, at in zip(PLANES, slices, strict=True):
        picture = over((volume[at].T[::-1] - low) / span, heat[at].T[::-1], scale)
        short = tall - len(picture)
        around = ((short // 2, short - short // 2), (0, _GAP), (0, 0))
        shown.append(np.pad(picture, around, constant_values=255))
        sides = ("P", "A") if name == "sagittal" else ("L", "R")
        said = f"{sides[0]}  {name}  {sides[1]}"
        axes.text(left + picture.shape[1] / 2, 1.02 * tall, said, ha="center", va="top", fontsize=7)
        left += shown[-1].shape[1]
    axes.imshow(np.concatenate(shown, 1), extent=(0, left, tall, 0), interpolation="nearest")
    axes.set_ylim(1.1 * tall, 0)  # room for their names
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    voxel = ",".join(f"{v:.4g}" for v in placed.voxel(through))
    axes.set_xlabel(f"through voxel {voxel} ({', '.join(f'{v:.0f}' for v in placed.mm(through))} mm)", fontsize=8)
    _scale_bar(axes, scale)


def on_voxels(examples: Examples, found: Attribution, example: int) -> Float[np.ndarray, "depth height width"]:
    """An attribution as a value for each voxel, summed over channels: that of a block or blob stands on each of its
    voxels, the mean where they overlap. Raises `InputError` for parts that are not known here."""
    inputs = examples.inputs
    array = found.parts.get("input")
    if array is None:
        array = _painted(examples, found)
    if not isinstance(inputs, Tensors) or array.shape != inputs.values.shape:
        raise InputError(f"values of shape {tuple(array.shape)} do not lie on the volume's voxels: leave out --at")
    return array[example].sum(0).detach().cpu().double().numpy()


def _painted(examples: Examples, found: Attribution) -> torch.Tensor:
    values = next(iter(found.parts.values()))
    windows = _WINDOWS.fullmatch(found.carried_by or "")
    makers = [Windows(shape=tuple(map(int, windows[1].split(" x "))))] if windows else [examples.features]
    for maker in makers:
        features = None if maker is None else maker(examples.inputs)
        if features is not None and features.rule == found.carried_by and len(features) == len(values):
            inputs: Any = examples.inputs
            share = features.shares["input"]
            flat = values.new_zeros(inputs.values.numel())
            total = flat.index_add(0, share.row, values[share.feature])
            times = flat.index_add(0, share.row, torch.ones_like(values)[share.feature])
            return (total / times.clamp(min=1)).reshape(inputs.values.shape) / inputs.values.shape[1]
    raise InputError(
        f"where the parts of {found.carried_by or 'this method'} lie in the volume is not known here: write .json, or "
        "ask for windows that do not overlap, such as -o by=8x8x8"
    )


def nifti(examples: Examples, found: Attribution, *, packed: bool) -> bytes:
    """The first example's attribution as NIfTI with the shape and the affine of the file that it was read from.

    Units of the target, single precision. What was turned is turned back; where the model saw other voxels than the
    file's, each value goes to those that it was made of, by their weights, so that the sum stays; 0 outside a cut."""
    import nibabel

    placed: Placed = examples.raw[0]
    values = placed.back(on_voxels(examples, found, 0)).astype(np.float32)
    image = nibabel.Nifti1Image(values, placed.affine)  # type: ignore[attr-defined]
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = f"attar: {found.method}"[:79].encode("ascii", "replace")
    data = image.to_bytes()
    return gzip.compress(data, mtime=0) if packed else data


FILES: Mapping[str, Callable[[Examples, Attribution], bytes]] = {
    ".nii.gz": lambda examples, found: nifti(examples, found, packed=True),
    ".nii": lambda examples, found: nifti(examples, found, packed=False),
}


def _volume(examples: Examples) -> np.ndarray:
    inputs: Any = examples.inputs
    return inputs.values.mean(1).cpu().numpy()


def _through(found: Attribution, values: np.ndarray) -> tuple[int, ...]:
    named = _ENTRY.search(found.target or "")
    if named is not None:
        at = tuple(int(number) for number in named.groups())
        if all(k < size for k, size in zip(at, values.shape, strict=True)):
            return at
    return tuple(int(k) for k in np.unravel_index(int(np.abs(values).argmax()), values.shape))


def _upright(array: np.ndarray, placed: Placed) -> np.ndarray:
    """The array with its axes to the right, to the front and up, as near as turning by right angles gets."""
    from nibabel.orientations import apply_orientation, io_orientation

    return apply_orientation(array, io_orientation(placed.here))


def _scale_bar(axes: Any, scale: float) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LinearSegmentedColormap, Normalize

    blend = LinearSegmentedColormap.from_list("attar", [AGAINST, ZERO, SUPPORTS])
    span = scale or 1.0
    bar = axes.figure.colorbar(
        ScalarMappable(Normalize(-span, span), blend), ax=axes, orientation="horizontal", aspect=30
    )
    bar.set_ticks([-span, 0, span], labels=[signed(-span), "0", signed(span)] if scale else ["", "0", ""])
    bar.set_label("units of the target", fontsize=8)
