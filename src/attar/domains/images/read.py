"""Files of pictures: PNG, JPEG and what else Pillow opens → what a model of pictures is asked about."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from attar.core.errors import InputError
from attar.core.examples import Examples
from attar.core.files import first_bytes
from attar.core.inputs import Tensors

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif")
_PNG, _PNG_DEPTH = b"\x89PNG", 24  # where a PNG file says how many bits a channel has: Pillow cuts off what is beyond 8

_ORIENTATION, _ON_ITS_SIDE = 0x0112, 5  # EXIF's tag, and the least of its values whose picture lies on its side


@dataclass(frozen=True, kw_only=True)
class Picture:
    """How a picture is read: `size` is (height, width), or one number for the shorter side with the middle square cut
    out (None: as it is); its numbers are divided by `scale` (None: 255), less `mean`, over `std`, one number for each
    channel; `grey` gives one channel; `channels_last` lays it out as (height, width, channels)."""

    size: tuple[int, ...] | None = None
    scale: float | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    grey: bool = False
    channels_last: bool = False


def read_picture(path: str | Path, look: Picture | None = None, dtype: torch.dtype | None = None) -> Examples:
    """The picture in a file as a batch of one: red, green and blue from 0 to 1, unless `look` says otherwise.

    It is turned as its camera noted, laid on white where it is transparent, and of CMYK made red, green and blue.
    Raises `InputError` for a file that is cut short or no picture, and for more than 8 bits in a channel.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    look, start = look or Picture(), first_bytes(path, suffixes=SUFFIXES)
    try:
        with Image.open(path) as file:
            picture = ImageOps.exif_transpose(file)
    except UnidentifiedImageError as problem:
        raise InputError(f"{path} is no picture that can be opened: save it as PNG or JPEG") from problem
    except (Image.DecompressionBombError, OSError, SyntaxError) as problem:
        raise InputError(f"{path} is a picture that is damaged or cut short: copy or download it again") from problem
    if picture.mode.startswith(("I", "F")) or (start.startswith(_PNG) and start[_PNG_DEPTH] > 8):
        raise InputError(
            f"{path} has more than 8 bits for a channel, which would be cut off: save it as .npy of floats"
        )
    said = [f"{picture.height} x {picture.width} pixels"]
    if picture.mode == "CMYK":
        said.append("of CMYK made red, green and blue")
    if "A" in picture.getbands() or "transparency" in picture.info:
        clear = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear)
        said.append("laid on white where it is transparent")
    picture = picture.convert("L" if look.grey else "RGB")
    said += ["grey"] if look.grey else []
    if look.size is not None:
        picture, how = _resized(picture, look.size)
        said.append(how)
    pixels = np.asarray(picture, dtype=np.float64)
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    scale = 255.0 if look.scale is None else look.scale
    values = pixels / scale
    said += [f"divided by {scale:g}"] if scale != 1 else []
    for name, numbers in (("mean", look.mean), ("std", look.std)):
        if numbers is not None and len(numbers) not in (1, pixels.shape[2]):
            raise InputError(f"--{name} gives {len(numbers)} numbers for {pixels.shape[2]} channels; give one for each")
    if look.mean is not None:
        values = values - np.array(look.mean)
        said.append(f"less the mean {_spelt(look.mean)}")
    if look.std is not None:
        values = values / np.array(look.std)
        said.append(f"over the deviation {_spelt(look.std)}")
    if not look.channels_last:
        values = values.transpose(2, 0, 1)
    tensor = torch.from_numpy(np.ascontiguousarray(values))[None].to(dtype or torch.float32)
    seen = np.broadcast_to(pixels / 255, (*pixels.shape[:2], 3))[None]
    return Examples(inputs=Tensors(tensor), names=(Path(path).name,), said=", ".join(said), domain="images", seen=seen)


def size_of(path: str | Path) -> tuple[int, int]:
    """Height and width of the picture in a file, turned as its camera noted. Raises `InputError` as above."""
    from PIL import Image, UnidentifiedImageError

    first_bytes(path, suffixes=SUFFIXES)
    try:
        with Image.open(path) as file:
            width, height = file.size
            turned = file.getexif().get(_ORIENTATION, 1) >= _ON_ITS_SIDE
    except UnidentifiedImageError as problem:
        raise InputError(f"{path} is no picture that can be opened: save it as PNG or JPEG") from problem
    return (width, height) if turned else (height, width)


def _resized(picture: Any, size: tuple[int, ...]) -> tuple[Any, str]:
    from PIL import Image

    height, width = size if len(size) == 2 else size * 2
    if len(size) == 2:
        return picture.resize((width, height), Image.Resampling.BILINEAR), f"resized to {height} x {width}"
    shorter = min(picture.size)
    tall, wide = round(picture.height * height / shorter), round(picture.width * width / shorter)
    resized = picture.resize((wide, tall), Image.Resampling.BILINEAR)
    left, top = (wide - width) // 2, (tall - height) // 2
    return resized.crop((left, top, left + width, top + height)), (
        f"resized to {tall} x {wide}, the middle {height} x {width} cut out"
    )


def _spelt(numbers: Sequence[float]) -> str:
    return ", ".join(f"{number:g}" for number in numbers)
