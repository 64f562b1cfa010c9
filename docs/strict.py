"""A hook of mkdocs: `--quiet` silences warnings before `--strict` can count them, and a broken link would pass."""

import logging
from typing import Any


def on_startup(**_: Any) -> None:
    logger = logging.getLogger("mkdocs")
    logger.setLevel(min(logger.level, logging.WARNING))
