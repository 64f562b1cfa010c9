"""One column of a data frame: what its values are, and how codes stand for them."""

import re
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from attar.core.errors import InputError
from attar.core.note import listed
from attar.core.series import like, together

MISSING = 2.0**100  # the code of a missing value, in every column of every table; kind k of missing is 2^k times that
LARGEST = 2.0**90  # no number of a table is as large: what is, is missing
WHOLE = 2**53  # whole numbers beyond are not exact in double precision
YES_NO = (False, True)
_UNITS = re.compile(  # what stands in brackets or after a slash is a unit only where it can be nothing else
    r"(?:%|‰|°C|°F|°|ppm|ppb|(?:[kMGTmµμnp]?(?:g|m|s|L|l|mol|Pa|Hz|J|W|V|A|K|N|M|eV|B|bar|cal|Da))|[cd](?:m|L|l)|t|h|d|min|"
    r"seconds?|minutes?|hours?|days?|weeks?|months?|years?|yrs?|mmHg|bpm|kDa|kcal|km|kg|mg|in|ft|lb|lbs|mi|mph|USD|EUR|"
    r"GBP|CHF|€|\$)(?:[²³]|\^?-?[1-9])?"
)


def is_missing(codes: Float[Tensor, "*any"]) -> Bool[Tensor, "*any"]:
    """Which of a table's codes stand for a missing value."""
    return codes >= LARGEST


def medians(rows: Float[Tensor, "rows columns"], gone: Bool[Tensor, "rows columns"]) -> Float[Tensor, " columns"]:
    """Of each column the lower median of what is not missing; of nothing the largest number that there is."""
    last = (len(rows) - gone.sum(0) - 1).clamp(min=0)
    return rows.masked_fill(gone, torch.finfo(rows.dtype).max).sort(0).values.gather(0, (last // 2)[None])[0]


def unit_of(name: str) -> str:
    """The unit in a column's name, as in `age (years)`, `dose [mg/kg]`, `mass / kg`; empty where it is not plain."""
    found = re.fullmatch(r".*\S\s*(?:\((?P<a>[^()]+)\)|\[(?P<b>[^\[\]]+)\]|\s/\s(?P<c>\S+))", name.strip())
    text = next(filter(None, found.groups()), "") if found else ""
    return text if text and all(_UNITS.fullmatch(piece) for piece in re.split(r"[/·*]", text)) else ""


@dataclass(frozen=True, eq=False, kw_only=True)
class Column:
    """What a column holds: numbers (`levels` None; `whole` where its type has no others) or a category, whose code k is
    `levels[k]`.

    A missing value has the code `MISSING`, or 2^k times it: `gaps` are the kinds k (None, NaN, NA) that can occur.
    `pool` has one value of each level (of numbers: any one), then one of each of these kinds, as the frame holds them;
    None: double precision and none missing. A column in which all is missing is a category without levels.
    """

    name: str
    label: Any  # the name as the frame has it
    unit: str = ""
    levels: tuple[Any, ...] | None = None
    whole: bool = False
    pool: Any = None
    gaps: tuple[int, ...] = ()

    @property
    def number(self) -> bool:
        return self.levels is None

    @property
    def shown(self) -> int:
        """How many values of the pool are not missing ones."""
        return 1 if self.levels is None else len(self.levels)

    @property
    def coded(self) -> bool:
        """Whether its codes are names and no amounts. Of yes and no they are 0 and 1, which can be either."""
        return self.levels is not None and self.levels != YES_NO

    def said(self, code: float) -> str:
        """A code in words: the number with its unit (unless the name has it), the level, or `missing`."""
        if code >= LARGEST or self.levels == ():
            return "missing"
        if self.levels is not None:
            return str(self.levels[int(np.clip(np.rint(code), 0, len(self.levels) - 1))])
        number = f"{code:.0f}" if self.whole else f"{code:.4g}"
        return f"{number} {self.unit}" if self.unit and self.unit not in self.name else number

    def phrase(self, code: float) -> str:
        """`colour = red`, `age is missing`."""
        said = self.said(code)
        return f"{self.name} is missing" if said == "missing" else f"{self.name} = {said}"

    def kind(self) -> str:
        """What it holds, in words."""
        return "numbers" if self.number else f"a category ({listed([str(each) for each in self.levels or ()], most=3)})"

    def decoded(self, codes: Float[np.ndarray, " rows"], library: Any) -> Any:
        """The values with these codes, each the nearest that the column can hold, as a series of the frame's library.

        Raises `InputError` where one is missing and the column has no way to say so.
        """
        gone = codes >= LARGEST
        if gone.any() and not self.gaps:
            raise InputError(f"column {self.name!r} has no missing values, and one is asked about: give it one first")
        kinds = np.rint(np.log2(np.where(gone, codes, MISSING) / MISSING))
        way = np.abs(kinds[:, None] - np.array(self.gaps or (0,))).argmin(1)
        if self.levels is not None:
            place = np.where(gone, 0, np.clip(np.rint(codes), 0, max(self.shown - 1, 0))).astype(int)
            return self.pool[np.where(gone | (not self.levels), self.shown + way, place)]
        if str(getattr(self.pool.to_native(), "dtype", "")) == "float64":  # of numpy, where NaN is what is missing
            return nw.new_series("made", np.where(gone, np.nan, codes), backend=library)
        numbers = np.where(gone, 0.0, codes)
        if self.whole:
            limits = np.iinfo(str(self.pool.dtype).lower())  # UInt8 → uint8
            numbers = np.clip(np.rint(numbers), max(limits.min, -WHOLE), min(limits.max, WHOLE)).astype(np.int64)
        made = like(nw.new_series("made", numbers, backend=library), self.pool)
        if not gone.any():
            return made
        rows = np.arange(len(codes))
        return together(made, self.pool)[np.where(gone, len(codes) + 1 + way, rows)]


def as_codes(codes: Tensor) -> Float[np.ndarray, "rows columns"]:
    return codes.detach().cpu().to(torch.float64).numpy()
