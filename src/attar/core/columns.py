"""The columns of a data frame as numbers that every method can move about, and as the frame that the model takes."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import narwhals as nw
import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor

from attar.core.column import LARGEST, Column, is_missing, unit_of
from attar.core.column_reading import read_column
from attar.core.column_union import joined
from attar.core.errors import InputError
from attar.core.note import listed, shortened
from attar.core.series import from_zero


@dataclass(frozen=True, eq=False, kw_only=True)
class Columns:
    """The columns of a data frame of `library` (pandas, polars, pyarrow …, as narwhals knows them).

    `encoded` turns a frame into numbers and codes, `frame` turns these back, value for value, with the types, levels
    and missing values that came. What no value of a column is (2.4 between two levels, half a count) never reaches a
    model: `frame` takes the nearest one.
    """

    each: tuple[Column, ...]
    library: Any

    def __len__(self) -> int:
        return len(self.each)

    def __getitem__(self, place: int) -> Column:
        return self.each[place]

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.each)

    @cached_property
    def numbers(self) -> Bool[np.ndarray, " columns"]:
        return np.array([column.number for column in self.each], dtype=bool)

    @cached_property
    def coded(self) -> Bool[np.ndarray, " columns"]:
        return np.array([column.coded for column in self.each], dtype=bool)

    @classmethod
    def encoded(
        cls, frame: Any, units: Mapping[str, str] | None = None
    ) -> tuple["Columns", Float[np.ndarray, "rows columns"]]:
        """The columns of a frame and its values as codes.

        Numbers stay what they are; levels are counted from 0: as a categorical orders them, False before True, others
        by how often they occur. `units` are those of columns by name; else they are read off the names where these are
        plain. Raises `InputError` naming the column, and the row: for two columns of one name, infinite values, whole
        numbers of more than 15 digits, and what is neither number, category, yes or no nor text.
        """
        table = _table(frame)
        names = [str(label) for label in table.columns]
        if repeated := sorted({name for name in names if names.count(name) > 1}) if len({*names}) < len(names) else []:
            raise InputError(f"two columns are called {repeated[0]!r}: rename one, so that each can be asked for")
        if wrong := [name for name in units or {} if name not in names]:
            raise InputError(f"a unit is given for column {wrong[0]!r}, which is not there; there are {listed(names)}")
        codes, plain = np.full(table.shape, np.nan), _plain(table)
        codes[:, plain] = table[:, plain].to_numpy() if len(plain) else 0
        gapless = np.logical_and.reduce(np.abs(codes) < LARGEST, axis=0)  # NaN is not
        plain = {place for place in plain if gapless[place]}
        each = []
        for place, (label, name) in enumerate(zip(table.columns, names, strict=True)):
            column = Column(name=name, label=label, unit=(units or {}).get(name, ""))
            if place not in plain:
                column, codes[:, place] = read_column(column, table[:, place])
            each.append(replace(column, unit=column.unit or unit_of(name)) if column.number else column)
        return cls(each=tuple(each), library=table.implementation), codes

    def frame(self, codes: Float[np.ndarray, "rows columns"]) -> Any:
        """The data frame with these codes, of the library that it came from. Raises `InputError` where that is not
        known, because the columns came out of a file."""
        if self.library is None:
            raise InputError("an attribution that was read from a file says columns in words, and makes no data frames")
        plain = [place for place, column in enumerate(self.each) if column.pool is None]
        labels = [column.label for column in self.each]
        pieces = []
        if plain or not len(self):
            schema = [labels[place] for place in plain]
            if len(plain) < len(self) or not all(isinstance(label, str) for label in schema):
                schema = [f"{place}" for place in plain]
            block = nw.from_numpy(np.ascontiguousarray(codes[:, plain]), schema=schema, backend=self.library)
            if len(plain) == len(self):
                return _labelled(block, labels)
            pieces.append(block)
        others = [place for place, column in enumerate(self.each) if column.pool is not None]
        series = [self.each[place].decoded(codes[:, place], self.library).alias(f"{place}") for place in others]
        pieces += [from_zero(each).to_frame() for each in series]
        whole = pieces[0] if len(pieces) == 1 else nw.concat(pieces, how="horizontal")
        return _labelled(whole.select([f"{place}" for place in range(len(self))]), labels)

    def beside(self, other: "Columns") -> "Columns":
        """The same columns, with the levels and kinds of missing that only those of `other` have, after their own.

        Raises `InputError` where one side has numbers and the other a category, or types that neither can hold.
        """
        there = {column.name: column for column in other.each}
        each = [joined(mine, there[mine.name]) if mine.name in there else mine for mine in self.each]
        same = all(one is two for one, two in zip(each, self.each, strict=True))
        return self if same else replace(self, each=tuple(each))

    def codes_of(
        self, other: "Columns", codes: Float[np.ndarray, "rows other"], what: str
    ) -> Float[np.ndarray, "rows columns"]:
        """`other`'s codes as these columns have them, matched by name. Raises `InputError` for what they lack."""
        place = {name: k for k, name in enumerate(other.names)}
        if missing := [name for name in self.names if name not in place]:
            raise InputError(f"{what} has no column {missing[0]!r}; it has {', '.join(other.names)}")
        found = codes[:, [place[name] for name in self.names]]
        for k, mine in enumerate(self.each):
            theirs = other[place[mine.name]]
            if theirs is mine or (mine.number and theirs.number):
                continue
            if mine.number != theirs.number and theirs.levels != ():
                raise InputError(
                    f"column {mine.name!r} holds {mine.kind()}, and in {what} {theirs.kind()}: make it one"
                )
            known = {level: code for code, level in enumerate(mine.levels or ())}
            if lacking := [level for level in theirs.levels or () if level not in known]:
                raise InputError(
                    f"{what} has {shortened(str(lacking[0]))} in column {mine.name!r}, which the examples' columns do "
                    "not know: ask through attar.attribute, which lets them, or give both in one data frame"
                )
            into = np.array([known[level] for level in theirs.levels or ()], dtype=float)
            gone = found[:, k] >= LARGEST
            found[~gone, k] = into[found[~gone, k].astype(int)]
        return found

    def described(self) -> list[dict[str, Any]]:
        """What it takes to say a code in words, for a file; `of_description` reads it. Frames cannot be made of it."""
        return [
            {
                "name": column.name,
                "unit": column.unit,
                "whole": column.whole,
                "levels": None if column.levels is None else [str(level) for level in column.levels],
            }
            for column in self.each
        ]

    @classmethod
    def of_description(cls, columns: Sequence[Mapping[str, Any]]) -> "Columns":
        each = [
            Column(
                name=each["name"],
                label=each["name"],
                unit=each["unit"],
                whole=each["whole"],
                levels=None if each["levels"] is None else tuple(each["levels"]),
            )
            for each in columns
        ]
        return cls(each=tuple(each), library=None)

    def refuse_codes(self, codes: Float[Tensor, "rows columns"], asker: str) -> None:
        """Raise `InputError` where `asker`, who takes numbers, would be given a category's code or a missing value."""
        if self.coded.any() and (named := [column for column in self.each if column.coded and column.levels]):
            raise InputError(
                f"column {named[0].name!r} is {named[0].kind()}, and {asker} takes numbers: encode it, or give a model "
                "of data frames (a Pipeline, a function) and a method that only asks, such as Shapley"
            )
        if len(codes) and bool((gone := is_missing(codes)).any()):
            row, place = gone.nonzero()[0].tolist()
            raise InputError(
                f"column {self.names[place]!r} is missing in row {row}, and {asker} takes numbers: fill it in, or give "
                "a model of data frames that takes missing values"
            )

    def unvarying(self, codes: Float[np.ndarray, "rows columns"]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The columns in which all is missing, and those that are constant otherwise: they are worth exactly 0 over
        these rows."""
        still = (codes == codes[:1]).all(0) if len(codes) else np.zeros(len(self), dtype=bool)
        gone = (codes >= LARGEST).all(0) & still
        return (
            tuple(name for name, k in zip(self.names, gone, strict=True) if k),
            tuple(name for name, k in zip(self.names, still & ~gone, strict=True) if k),
        )


def _table(frame: Any) -> Any:
    try:
        return nw.from_native(frame, eager_only=True)
    except nw.exceptions.DuplicateError as problem:
        repeated = re.findall(r"'(.*?)' \d", str(problem)) or ["?"]
        raise InputError(f"two columns are called {repeated[0]!r}: rename one, so that each can be asked for") from None
    except TypeError as problem:
        raise InputError(
            f"a {type(frame).__module__}.{type(frame).__name__} is no data frame that is in memory (pandas, polars, "
            "pyarrow …): collect it first"
        ) from problem


def _plain(table: Any) -> list[int]:
    """Where columns stand that are double precision by numpy's own type: they are taken all at once."""
    doubles = [place for place, kind in enumerate(table.schema.values()) if kind == nw.Float64]
    native = table.to_native()
    if table.implementation.is_pandas_like():
        types = list(native.dtypes)
        return [place for place in doubles if str(types[place]) == "float64"]
    if table.implementation.is_polars():
        return [k for k in doubles if not native.to_series(k).null_count()]
    return [place for place in doubles if not table[:, place].is_null().any()]


def _labelled(table: Any, labels: Sequence[Any]) -> Any:
    native = table.to_native()
    if list(table.columns) == list(labels):
        return native
    if hasattr(native, "columns") and hasattr(native, "iloc"):
        native.columns = list(labels)
        return native
    return table.rename(dict(zip(table.columns, labels, strict=True))).to_native()
