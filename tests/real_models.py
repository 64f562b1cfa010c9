"""Tests of models that others trained, which run where `make models` has installed them."""

import pytest

from attar.pretrained import MODELS

ABSENT = "is not installed (make models)"


def needs_model(name: str) -> pytest.MarkDecorator:
    """Skips with the reason where a package of this model is absent."""
    return needs_packages(*MODELS[name].packages)


def needs_packages(*packages: str) -> pytest.MarkDecorator:
    """The same for packages of requirements-models.txt that carry data."""
    from attar.pretrained.files import version

    missing = [package for package in packages if version(package) is None]
    return pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} {ABSENT}")
