"""Texts out of a command line or a file → tokens: what each reads like, and the word that it belongs to."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from attar.adapters.tokens import Tokens
from attar.core.errors import InputError
from attar.core.note import counted
from attar.core.tables import read_table

COLUMN = "text"  # of a table of texts
_TABLES = (".csv", ".tsv", ".parquet")
_FILES = (".txt", ".md", *_TABLES, ".doc", ".docx", ".odt", ".rtf", ".pdf", ".html", ".json", ".xlsx")
# Runs of letters and digits, with an apostrophe inside; a sign of a script without blanks; or one other sign.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_]+(?:['’][^\W_]+)*|\S", re.UNICODE)
_LONG = 60  # signs of a text that are quoted


@dataclass(frozen=True, kw_only=True)
class Written:
    """A text as its model is fed it: `pieces` is how each token reads. `next` is the token that the model wrote after
    it, where it wrote any."""

    text: str
    ids: tuple[int, ...]
    pieces: tuple[str, ...]
    next: int | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Fed:
    """What turns a text into tokens as its model is fed them. `encode` is a `tokenizers.Tokenizer` as it comes with the
    model; `embedding` holds the row of each token; no text may have more than `most` tokens."""

    encode: Any
    embedding: Float[Tensor, "vocabulary width"]
    most: int
    model: str
    special: frozenset[str] = field(default_factory=frozenset)

    def tokens(self, texts: Sequence[str]) -> tuple[Tokens, tuple[Written, ...]]:
        """Texts as tokens, and what each was. Raises `InputError` for no texts, one without a sign, and one with more
        tokens than the model takes."""
        if not texts:
            raise InputError("there are no texts to ask about")
        if isinstance(texts, str):
            raise InputError(f"texts are {quoted(texts)}, expected a list of them: write [text]")
        return self._laid_out([self._one(place, text) for place, text in enumerate(texts, 1)])

    def of_ids(self, texts: Sequence[Sequence[int]]) -> tuple[Tokens, tuple[Written, ...]]:
        """The same of texts that are tokens already. Raises `InputError` for none, and for ids that are no token."""
        if not texts or not all(texts):
            raise InputError("there are no tokens to ask about")
        if strange := [k for ids in texts for k in ids if not 0 <= k < len(self.embedding)]:
            raise InputError(f"there is no token {strange[0]}; there are 0 to {len(self.embedding) - 1}")
        each = []
        for place, ids in enumerate(texts, 1):
            pieces = tuple(self.piece(k) for k in ids)
            self._refuse_long(place, len(ids))
            special = [self.encode.id_to_token(k) in self.special for k in ids]
            ends = np.cumsum([len(piece) for piece in pieces]).tolist()
            spans = list(zip([0, *ends[:-1]], ends, strict=True))
            text = "".join(pieces)
            each.append((Written(text=text, ids=tuple(ids), pieces=pieces), words_of(text, spans, special), special))
        return self._laid_out(each)

    def piece(self, token: int) -> str:
        """How a token reads by itself: as text, or where it is none (half a letter, a special one) by its name."""
        name = str(self.encode.id_to_token(token))
        text = "" if name in self.special else self.encode.decode([token], skip_special_tokens=False)
        return name if not text or "\ufffd" in text else text

    def _laid_out(self, each: Sequence[tuple[Written, list[int], list[bool]]]) -> tuple[Tokens, tuple[Written, ...]]:
        written = tuple(one for one, _, _ in each)
        ids = torch.tensor([number for one in written for number in one.ids])
        pieces = np.empty(len(ids), dtype=object)
        pieces[:] = [piece for one in written for piece in one.pieces]
        inputs = Tokens(
            ids=ids,
            embedded=self.embedding[ids].detach().clone(),
            row_owner=torch.arange(len(each)).repeat_interleave(torch.tensor([len(one.ids) for one in written])),
            size=len(each),
            pieces=pieces,
            words=torch.tensor([word for _, words, _ in each for word in words]),
            special=torch.tensor([odd for _, _, specials in each for odd in specials]),
        )
        return inputs, written

    def _one(self, place: int, text: str) -> tuple[Written, list[int], list[bool]]:
        if not isinstance(text, str):
            raise InputError(f"text {place} is a {type(text).__name__}, expected text")
        if not text.strip():
            raise InputError(f"text {place} is empty: there is nothing to ask {self.model} about")
        found = self.encode.encode(text)
        self._refuse_long(place, len(found.ids))
        special = [name in self.special for name in found.tokens]
        pieces = tuple(
            name if odd or start == end else text[start:end]
            for name, odd, (start, end) in zip(found.tokens, special, found.offsets, strict=True)
        )
        written = Written(text=text, ids=tuple(found.ids), pieces=pieces)
        return written, words_of(text, found.offsets, special), special

    def _refuse_long(self, place: int, count: int) -> None:
        if count > self.most:
            raise InputError(f"text {place} has {count:,} tokens, and {self.model} takes {self.most:,}: shorten it")


def words_of(text: str, spans: Sequence[tuple[int, int]], special: Sequence[bool]) -> list[int]:
    """The word that each token belongs to, numbered from 0 in the order of the text; a special token is its own.

    A word is a run of letters and digits, or one other sign; a token that reaches into several belongs to the first,
    and one of blanks alone to none: it is its own.
    """
    word_at = np.full(len(text) + 1, -1)
    for number, found in enumerate(_WORD.finditer(text)):
        word_at[found.start() : found.end()] = number
    known: dict[Any, int] = {}
    numbers = []
    for place, ((start, end), odd) in enumerate(zip(spans, special, strict=True)):
        inside = word_at[start:end]
        touched = inside[inside >= 0]
        key = ("alone", place) if odd or not len(touched) else int(touched[0])
        numbers.append(known.setdefault(key, len(known)))
    return numbers


def read_texts(source: str | Path) -> tuple[list[str], str]:
    """The texts that `source` says or names, and what was read: a text as it is, a file of one text (.txt, .md), or a
    table with a column "text". Raises `InputError` where it is none of them."""
    path = _file(source)
    if path is None:
        said = str(source)
        if "/" in said and not any(map(str.isspace, said)) and _is_folder(said):
            raise InputError(f"{said} is a folder: name one file in it, or write the text itself")
        # A sentence may end in the name of a file; what has no blank in it is one.
        if isinstance(source, Path) or (said.lower().endswith(_FILES) and not any(map(str.isspace, said))):
            raise InputError(f"there is no file {said}: check its name, or write the text itself")
        return [str(source)], "1 text"
    if path.suffix.lower() in _TABLES:
        table = read_table(path)
        texts = [str(cell) for cell in table.columns[table.find(COLUMN, role="text")]]
        return texts, counted(len(texts), "text")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise InputError(
            f"{path} is no text in UTF-8 (byte {problem.start:,}): save it so, or give a .csv with a column {COLUMN!r}"
        ) from problem
    return [text.strip("\r\n")], f"1 text of {counted(len(text), 'sign')}"


def _is_folder(name: str) -> bool:
    try:
        return Path(name).is_dir()
    except (OSError, ValueError):
        return False


def _file(source: str | Path) -> Path | None:
    try:
        return Path(source) if Path(source).is_file() else None
    except (OSError, ValueError):  # too long for a name, or what no name may hold
        return None


def quoted(text: str) -> str:
    """A text as it is named in a line, cut where it is long."""
    plain = " ".join(text.split())
    return f"“{plain}”" if len(plain) <= _LONG else f"“{plain[: _LONG - 1]}…”"
