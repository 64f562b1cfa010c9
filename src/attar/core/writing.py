"""Writing a file whole or not at all."""

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from attar.core.errors import InputError


def check_writable(path: Path) -> None:
    """Raise `InputError` now rather than after the work, where the file cannot be written."""
    if path.is_dir():
        raise InputError(f"{path} is a folder; name the file to write")
    if not path.parent.is_dir():
        raise InputError(f"cannot write {path}: there is no folder {path.parent}; make it, or name another place")
    try:
        handle, probe = tempfile.mkstemp(dir=path.parent, prefix=".attar-")
    except OSError as problem:
        raise _cannot(path, problem) from problem
    os.close(handle)
    os.unlink(probe)


def write_whole(path: Path, content: str | bytes) -> None:
    """Write to a neighbour and rename, so that the file is all there or untouched.

    Raises `InputError` where the disk is full or the folder is closed; nothing is left behind.
    """
    neighbour = None
    try:
        handle, neighbour = tempfile.mkstemp(dir=path.parent, prefix=".attar-")
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(neighbour, 0o666 & ~_umask())
        os.replace(neighbour, path)
    except BaseException as problem:
        if neighbour is not None and os.path.exists(neighbour):
            os.unlink(neighbour)
        if isinstance(problem, OSError):
            raise _cannot(path, problem) from problem
        raise


def _umask() -> int:
    """The process's umask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _cannot(path: Path, problem: OSError) -> InputError:
    why = problem.strerror or str(problem)
    return InputError(f"cannot write {path}: {why.lower()}; nothing was left behind. Free space or name another place")


def plain(value: Any) -> Any:
    """JSON's own kinds: numbers that are not finite become null."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
