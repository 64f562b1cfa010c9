"""One script for every kind of input: what it reads is another, the lines are the same, and so is what comes out."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image
from scipy.io import wavfile

import tiny_pretrained
from attar.pretrained import MODELS

SCRIPT = Path(__file__).parents[1] / "examples" / "any_input.py"
_LINE = re.compile(r"    [+-]?\d\S*  \S.*")


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("any_input", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _written(domain: str) -> str:
    """What a model of this domain is asked about: a file beside us, or text."""
    generator = np.random.default_rng(0)
    match domain:
        case "images":
            rows, columns = np.mgrid[:40, :48]
            colours = np.stack([5 * columns, 6 * rows, 128 + 0 * rows], 2)
            Image.fromarray(colours.astype(np.uint8)).save("a.png")
            return "a.png"
        case "sequences":
            Path("a.fa").write_text(">gene\nACGTACGTTTGACGATTAACGGCATTA\n")
            return "a.fa"
        case "waveforms":
            wavfile.write("a.wav", 8000, (3000 * generator.standard_normal(800)).astype(np.int16))
            return "a.wav"
        case "volumes":
            import nibabel

            nibabel.save(nibabel.Nifti1Image(generator.random((12, 12, 12)), np.eye(4)), "a.nii.gz")  # type: ignore[attr-defined]
            return "a.nii.gz"
        case "molecules":
            return "c1ccc([N+](=O)[O-])cc1"
    return "the cat sat on the mat"


@pytest.mark.parametrize(
    ("domain", "part"),
    [
        ("images", r"patch \d+ \("),
        ("sequences", r"\d+ to \d+ [ACGT]+"),
        ("waveforms", r"[\d.]+-[\d.]+ s"),
        ("volumes", r"block \d+ \(.* mm\)"),
        ("molecules", r"(nitro|benzene) \(atoms"),
        ("text", r"sat|mat|cat|t|h|e|o|n|␣"),
    ],
)
def test_the_same_lines_answer_in_every_domain(domain, part, script, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    tiny_pretrained.put_in_place(monkeypatch)
    script.why(f"tiny-{domain}", _written(domain), "predicted" if domain == "text" else "yes")
    said = capsys.readouterr().out
    assert f"model: tiny-{domain}, two classes" in said
    leading = [line for line in said.splitlines() if _LINE.fullmatch(line)]
    assert 2 <= len(leading) <= 3
    assert all(re.search(part, line) for line in leading), said
    assert re.search(r": output [+-]\S+, error \S+\n", said)


def test_and_of_a_table(script, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    model, read, target, method = script.SEVEN["tables"]
    script.why(model, read(), target, method)
    said = capsys.readouterr().out
    assert "input: tumours.csv, 2 rows, 30 columns" in said
    assert len([line for line in said.splitlines() if _LINE.fullmatch(line)]) == 6


def test_the_seven_are_the_domains_and_their_models_are_there(script):
    assert list(script.SEVEN) == ["molecules", "images", "sequences", "waveforms", "volumes", "tables", "text"]
    for domain, (model, _, _, _) in script.SEVEN.items():
        if domain != "tables":
            assert MODELS[model.partition(":")[0]].domain == domain


def test_one_of_yours(script, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    tiny_pretrained.put_in_place(monkeypatch)
    script.main(["tiny-sequences", _written("sequences"), "no", "gradient-input"])
    assert "target: output 0, no" in capsys.readouterr().out
