"""What a path points at: its bytes or its text, or one clear line that says why not."""

import difflib
import gzip
import io
import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attar.core.errors import InputError
from attar.core.note import Note, listed

# How a file begins → what it is, what to do. Looked at before anything is decoded, so that a spreadsheet
# or a picture is called by its name and not "row 1 is ragged".
KINDS: tuple[tuple[bytes, str, str], ...] = (
    (b"\x89PNG", "a PNG picture", "give the table itself"),
    (b"\xff\xd8\xff", "a JPEG picture", "give the table itself"),
    (b"%PDF", "a PDF document", "give the table itself as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old Office document (.xls)", "save the sheet as CSV"),
    (b"SQLite format 3", "an SQLite database", "export the table as CSV"),
    (b"\x93NUMPY", "a NumPy array", "save it as CSV with a header line"),
    (b"\x89HDF", "an HDF5 file", "save the table as CSV or Parquet"),
    (b"ARROW1", "an Arrow (Feather) file", "save the table as Parquet"),
    (b"\xfd7zXZ", "an xz archive", "unpack it, or compress with gzip"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive", "unpack it, or compress with gzip"),
    (b"\x7fELF", "a program", "give the table itself"),
    (b"version https://git-lfs", "a Git LFS pointer", "fetch the file itself with `git lfs pull`"),
    (b"<!doctype html", "a web page", "download the raw file, not the page that shows it"),
    (b"<html", "a web page", "download the raw file, not the page that shows it"),
    (b"{", "JSON", "save the table as CSV or Parquet"),
    (b'[{"', "JSON", "save the table as CSV or Parquet"),
)
PICKLES = (".pkl", ".pickle", ".joblib")
CONTROL_CHARACTERS = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1a\x1b"))


def read_bytes(path: str | Path, *, suffixes: tuple[str, ...]) -> bytes:
    """The contents of a file, unpacked if they are gzip. `suffixes` are the names a reader would take.

    Raises InputError, in one line, for a path that is missing, a folder or closed, for an empty file and for
    one of a kind no reader takes. A pickle is never opened: opening one can run its author's code.
    """
    path = Path(path)
    with _opened(path, suffixes):
        data = path.read_bytes()
    if data.startswith(b"\x1f\x8b"):
        try:
            data = gzip.decompress(data)
        except (EOFError, OSError, zlib.error):
            raise InputError(
                f"{path} is a gzip file that is damaged or cut short: copy or download it again."
            ) from None
    _refuse_other_kinds(path, data)
    return data


def first_bytes(path: str | Path, *, suffixes: tuple[str, ...]) -> bytes:
    """How a file begins, which says what it is. Raises InputError as `read_bytes` does, but takes any kind of file."""
    path = Path(path)
    with _opened(path, suffixes), path.open("rb") as file:
        start = file.read(256)
    if not start:
        raise InputError(f"{path} is empty.")
    return start


@contextmanager
def _opened(path: Path, suffixes: tuple[str, ...]) -> Iterator[None]:
    """Whatever stands in the way of reading a file, in one line."""
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder, a file was expected. {_data_files(path, suffixes)}")
        yield
    except FileNotFoundError:
        raise InputError(f"{path} does not exist. {_similar(path)}") from None
    except PermissionError:
        raise InputError(
            f"{path} may not be read by this user (permission denied): change its permissions or copy it."
        ) from None
    except OSError as failure:
        raise InputError(f"{path} could not be read: {failure.strerror or failure}.") from None


def as_text(data: bytes, source: str) -> tuple[str, tuple[Note, ...]]:
    """Decoded text, with a note when it was not Unicode. Raises InputError for bytes that are no text."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return data.decode("utf-16"), ()
        except UnicodeDecodeError:
            pass
    if data.translate(None, CONTROL_CHARACTERS) != data:
        raise InputError(f"{source} is a binary file, not text: a table of text (CSV, TSV) or Parquet was expected.")
    try:
        return data.decode("utf-8-sig"), ()
    except UnicodeDecodeError:
        pass
    try:
        text, encoding = data.decode("cp1252"), "Windows-1252"
    except UnicodeDecodeError:
        text, encoding = data.decode("latin-1"), "latin-1"  # which takes any byte
    sentence = f"{source} is not UTF-8 and was read as {encoding}: letters with accents may be wrong."
    return text, (Note(name="encoding", count=1, rows=(), sentence=sentence),)


def _refuse_other_kinds(path: Path, data: bytes) -> None:
    if not data.strip():
        raise InputError(f"{path} is empty: a header line and at least one row were expected.")
    pickled = len(data) > 1 and data[0] == 0x80 and data[1] in range(2, 6)
    if pickled or path.suffix.lower() in PICKLES:
        raise InputError(
            f"{path} is a Python pickle. Opening one can run code, so attar never does: load it where it was "
            "made and save the table with `to_csv('table.csv', index=False)`."
        )
    if data.startswith(b"PK\x03\x04"):
        what, way_out = _kind_of_zip(data)
        raise InputError(f"{path} is {what}, not a table attar reads: {way_out}.")
    start = data[:100].removeprefix(b"\xef\xbb\xbf").lstrip()
    for prefix, what, way_out in KINDS:
        if start.startswith(prefix) or (prefix[:1] == b"<" and start.lower().startswith(prefix)):
            raise InputError(f"{path} is {what}, not a table attar reads: {way_out}.")


def _kind_of_zip(data: bytes) -> tuple[str, str]:
    try:
        names = zipfile.ZipFile(io.BytesIO(data)).namelist()
    except zipfile.BadZipFile:
        names = []
    if any(name.startswith("xl/") for name in names):
        return "an Excel workbook", "save the sheet as CSV"
    if any(name.endswith("data.pkl") for name in names):
        return "a saved torch model", "give the table of data, not a model"
    if any(name.endswith(".npy") for name in names):
        return "a NumPy archive", "save the table as CSV with a header line"
    inside = f" It holds {listed(names, most=3)}." if names else ""
    return "a zip archive", f"unpack it and give the file inside.{inside}".rstrip(".")


def _similar(path: Path) -> str:
    folder = path.parent
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.is_file())
    except OSError:
        return f"Neither does its folder, {folder}."
    by_lower = {name.lower(): name for name in names}
    close = difflib.get_close_matches(path.name.lower(), by_lower, n=3, cutoff=0.6)
    same_stem = [low for low in by_lower if Path(low).stem == path.stem.lower()]
    found = [by_lower[low] for low in dict.fromkeys([*close, *same_stem])]
    if found:
        return f"Similar names in {folder}: {listed(found, most=3)}."
    return f"No file in {folder} has a similar name."


def _data_files(folder: Path, suffixes: tuple[str, ...]) -> str:
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.is_file())
    except OSError:
        names = []
    fitting = [name for name in names if name.lower().removesuffix(".gz").endswith(suffixes)]
    if not fitting:
        return f"It holds no data file ({', '.join(suffixes)})."
    return f"Data files in it: {listed(fitting, most=5)}."
