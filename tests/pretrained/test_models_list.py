"""Models by name: what there is, and what is said where something is missing."""

import pytest

import attar
from attar.cli import main
from attar.pretrained import MODELS, files, load
from attar.pretrained.files import package_file


def test_the_list_names_every_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    said = capsys.readouterr().out
    for name, card in MODELS.items():
        assert f"{name}{':PATH' if card.place else ''}  ({card.domain})" in said
        assert card.licence in said


def test_a_model_that_is_none_is_answered_with_a_close_one() -> None:
    with pytest.raises(attar.InputError, match=r"model 'efficientnet-lite'; did you mean efficientnet-lite0"):
        load("efficientnet-lite")


def test_a_package_that_is_absent_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(attar.UnsupportedError, match=r"no-such-package, which is not installed: run `make models`"):
        package_file("no-such-package", "weights.pt")
    with pytest.raises(attar.UnsupportedError, match=r"has no nowhere\.txt: install the version in"):
        package_file("numpy", "nowhere.txt")
    monkeypatch.setattr("attar.pretrained.card.version", lambda package: None)
    for name, card in MODELS.items():
        if card.packages:
            with pytest.raises(attar.UnsupportedError, match="not installed"):
                load(name)
    assert files.version("numpy") is not None


def test_nothing_of_a_package_is_run() -> None:
    import sys

    package_file("numpy", "numpy/__init__.py")
    before = set(sys.modules)
    package_file("networkx", "networkx/__init__.py") if files.version("networkx") else None
    assert not {name for name in set(sys.modules) - before if name.startswith("networkx")}
