"""`attar explain` and `attar methods --for`: from the files of others to the answer that Python gives."""

import io
import json
import os
import pickle
import shutil
import struct
import zipfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import joblib
import numpy as np
import pytest
import torch
from PIL import Image
from pyarrow import parquet
from safetensors.torch import save_file
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

import attar
from attar.adapters.saved import Script, open_model
from attar.cli import main
from attar.core.errors import InputError
from attar.core.inputs import Tensors
from attar.core.target import Difference, Entry, Logit, Predicted
from attar.core.windows import Windows
from attar.experiments.asked import method_class, methods_of, target_of
from attar.experiments.explain import _windows
from attar.experiments.reading import Reading, read_examples
from attar.methods import METHODS, OF_LOSS, OVER_ROWS
from attar.methods.integrated_gradients import IntegratedGradients
from attar.methods.occlusion import Occlusion
from attar.report.attribution import _painted
from attar.report.methods import BRANCHES, method_tree
from models import seeded

HEIGHT, WIDTH = 6, 8


class Network(nn.Module):
    """A class that weights are loaded into."""

    def __init__(self, outputs: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.head = nn.Linear(4, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.nn.functional.silu(self.conv(x)).mean((2, 3)))


MODULE = f"{__name__}:Network"
WEIGHTS = {"safetensors", "state"}


class Evil:
    """Whoever unpickles this has run its maker's code."""

    def __init__(self, mark: Path) -> None:
        self.mark = str(mark)

    def __reduce__(self) -> Any:
        return os.mkdir, (self.mark,)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One network in every kind of file, a picture, and a table with its linear model."""
    folder = tmp_path_factory.mktemp("files")
    network = seeded(Network, torch.float32).eval()
    torch.jit.save(torch.jit.trace(network, torch.zeros(1, 3, HEIGHT, WIDTH)), folder / "script.pt")
    example = (torch.zeros(2, 3, HEIGHT, WIDTH),)
    free = torch.export.export(network, example, dynamic_shapes=({0: torch.export.Dim("batch")},))
    torch.export.save(free, folder / "exported.pt2")
    torch.export.save(torch.export.export(network, example), folder / "fixed.pt2")
    save_file(network.state_dict(), folder / "safetensors.safetensors")
    torch.save(network.state_dict(), folder / "state.pt")
    pixels = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "picture.png")
    rows = np.random.default_rng(1).standard_normal((9, 3))
    lines = ["id,c,a,b", *(f"m{k},{c},{a},{b}" for k, (a, b, c) in enumerate(rows))]
    (folder / "table.csv").write_text("\n".join(lines) + "\n")
    np.save(folder / "rows.npy", rows)
    return folder


@pytest.fixture
def here(tmp_path: Path, kept: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for file in kept.iterdir():
        shutil.copy(file, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def picture() -> Tensor:
    pixels = np.asarray(Image.open("picture.png"), dtype=np.float64)
    return torch.from_numpy(pixels / 255).permute(2, 0, 1)[None].float()


def right(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    status = main(list(arguments))
    out, err = capsys.readouterr()
    assert (status, err) == (0, "")
    return out


def wrong(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that wrong input gets. Fails on another exit status, a traceback, or a file left behind."""
    before = set(os.listdir())
    assert main(list(arguments)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("attar: ")
    assert err.count("\n") == 1
    assert set(os.listdir()) == before
    return err


def files(model: str, input: str = "picture.png") -> tuple[str, ...]:
    return ("--model", model, "--input", input)


def of_weights(name: str) -> tuple[str, ...]:
    return ("--module", MODULE) if name.partition(".")[0] in WEIGHTS else ()


# --- models ---


@pytest.mark.parametrize("name", ["script.pt", "exported.pt2", "safetensors.safetensors", "state.pt"])
def test_every_kind_of_file_gives_what_python_gives(here: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    right(capsys, "explain", *files(name), *of_weights(name), "--target", "2", "--out", "found.safetensors")
    found = attar.Attribution.load("found.safetensors")
    expected = attar.attribute(seeded(Network, torch.float32), picture(), IntegratedGradients(), Logit(2))
    torch.testing.assert_close(found.values, expected.values, rtol=1e-4, atol=1e-7)
    torch.testing.assert_close(found.output, expected.output)
    assert found.method == expected.method


def test_a_linear_model_is_asked_for_its_columns_in_its_order(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    skops = pytest.importorskip("skops.io", reason="the extra skops is not installed")
    pandas = pytest.importorskip("pandas", reason="only a data frame gives a model names")
    table = pandas.read_csv("table.csv")[["a", "b", "c"]]
    model = LogisticRegression().fit(table, table["a"] > 0)
    skops.dump(model, "linear.skops")
    right(capsys, "explain", *files("linear.skops", "table.csv"), "--target", "1", "--out", "found.json")
    found = json.loads(Path("found.json").read_text())["attributions"][0]
    assert found["name"] == "weight-times-input"
    for example, row in zip(found["examples"], table.to_numpy(), strict=True):
        values = {part["name"]: part["value"] for part in example["parts"]}
        assert values == pytest.approx(dict(zip("abc", model.coef_[0] * row, strict=True)))
        assert example["left_over"] == pytest.approx(0, abs=1e-12)


def test_types_that_skops_does_not_know_are_named_and_can_be_trusted(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    skops = pytest.importorskip("skops.io", reason="the extra skops is not installed")
    rows = np.load("rows.npy")
    skops.dump(RandomForestClassifier(3, random_state=0).fit(rows, rows[:, 0] > 0), "forest.skops")
    said = wrong(capsys, "explain", *files("forest.skops", "rows.npy"))
    assert "--trust sklearn.tree._tree.Tree" in said
    right(capsys, "explain", *files("forest.skops", "rows.npy"), "--trust", "sklearn.tree._tree.Tree")


def onnx_linear(path: Path, batch: int | str, *, second: bool = False) -> np.ndarray:
    """y = W·x + b, as an ONNX file. Returns W."""
    onnx = pytest.importorskip("onnx", reason="the extra onnx is not installed")
    pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    kind, helper = onnx.TensorProto.FLOAT, onnx.helper
    weights = np.arange(6, dtype=np.float32).reshape(3, 2) / 4
    kept = [onnx.numpy_helper.from_array(weights, "W"), onnx.numpy_helper.from_array(np.ones(2, np.float32), "b")]
    nodes = [helper.make_node("Gemm", ["x", "W", "b"], ["y"])]
    outputs = [helper.make_tensor_value_info("y", kind, [batch, 2])]
    if second:
        nodes.append(helper.make_node("Neg", ["y"], ["z"]))
        outputs.append(helper.make_tensor_value_info("z", kind, [batch, 2]))
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", kind, [batch, 3])], outputs, kept)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))
    return weights


@pytest.mark.parametrize("batch", ["n", 1, 4])
def test_an_onnx_file_is_asked_as_its_batches_allow(
    here: Path, capsys: pytest.CaptureFixture[str], batch: int | str
) -> None:
    weights = onnx_linear(here / "linear.onnx", batch)
    right(capsys, "explain", *files("linear.onnx", "rows.npy"), "--target", "1", "--out", "found.safetensors")
    found = attar.Attribution.load("found.safetensors")
    assert found.method.startswith("Occlusion(")
    np.testing.assert_allclose(found.values.numpy(), np.load("rows.npy") * weights[:, 1], atol=1e-6)


def test_one_of_several_outputs_is_named(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = onnx_linear(here / "two.onnx", "n", second=True)
    said = wrong(capsys, "explain", *files("two.onnx", "rows.npy"))
    assert "y, z" in said
    assert "--output-name" in said
    named = ("--output-name", "z", "--target", "0", "--out", "found.safetensors")
    right(capsys, "explain", *files("two.onnx", "rows.npy"), *named)
    found = attar.Attribution.load("found.safetensors")
    np.testing.assert_allclose(found.values.numpy(), -np.load("rows.npy") * weights[:, 0], atol=1e-6)


def test_no_pickle_is_opened(here: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    torch.save(Evil(ran), "module.pt")
    joblib.dump(Evil(ran), "model.joblib")
    Path("model.bin").write_bytes(pickle.dumps(Evil(ran)))
    torch.save(Evil(ran), "input.pt")
    np.save("objects.npy", np.array([Evil(ran)], dtype=object), allow_pickle=True)
    for model in ("module.pt", "model.joblib", "model.bin"):
        assert "can run code" in wrong(capsys, "explain", *files(model))
        assert "can run code" in wrong(capsys, "explain", *files(model), "--module", MODULE)
    for given in ("input.pt", "objects.npy", "model.joblib"):
        assert "pickle" in wrong(capsys, "explain", *files("script.pt", given))
    assert not ran.exists()


@pytest.mark.parametrize("member", ["constants/opaque_obj_0", "constants/custom_obj_0", "sample_inputs/x.pt"])
def test_no_pickle_inside_an_exported_program_is_opened(
    here: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, member: str
) -> None:
    ran = tmp_path / "ran"
    held = io.BytesIO()
    torch.save(Evil(ran), held)
    with zipfile.ZipFile("exported.pt2", "a") as archive:
        archive.writestr(
            f"exported/data/{member}", held.getvalue() if member.endswith(".pt") else pickle.dumps(Evil(ran))
        )
    assert "run code" in wrong(capsys, "explain", *files("exported.pt2"))
    assert not ran.exists()


def test_pickled_weights_inside_an_exported_program_are_not_opened(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with zipfile.ZipFile("exported.pt2") as archive, zipfile.ZipFile("pickled.pt2", "w") as changed:
        for name in archive.namelist():
            data = archive.read(name).replace(b'"use_pickle": false', b'"use_pickle":  true')
            changed.writestr(name, data)
    assert "run code" in wrong(capsys, "explain", *files("pickled.pt2"))


def test_weights_must_all_fit(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "name its class with --module" in wrong(capsys, "explain", *files("safetensors.safetensors"))
    given = ("--module", MODULE, "--arguments", '{"outputs": 5}')
    assert "do not fit" in wrong(capsys, "explain", *files("safetensors.safetensors"), *given)
    save_file({"conv.weight": torch.zeros(4, 3, 3, 3)}, "some.safetensors")
    assert "head.bias" in wrong(capsys, "explain", *files("some.safetensors"), "--module", MODULE)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("--module", "nowhere:Network"), "nowhere"),
        (("--module", f"{__name__}:Nothing"), "Nothing"),
        (("--module", "Network"), "package.module:Class"),
        (("--module", f"{__name__}:HEIGHT"), "HEIGHT"),
        (("--module", MODULE, "--arguments", "{outputs: 3}"), "JSON"),
        (("--module", MODULE, "--arguments", "[3]"), "list"),
        (("--module", MODULE, "--arguments", '{"width": 3}'), "width"),
    ],
)
def test_a_class_that_cannot_be_built_is_said(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], part: str
) -> None:
    assert part in wrong(capsys, "explain", *files("safetensors.safetensors"), *arguments)


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("nothing.pt", "does not exist"),
        ("picture.png", "no model that attar opens"),
        ("fixed.pt2", "Guard failed"),
        ("cut.pt", "damaged or cut short"),
        ("cut.safetensors", "safetensors"),
        ("empty.pt", "is empty"),
        (".", "is a folder"),
        ("plain.pt", "holds a Tensor"),
    ],
)
def test_what_is_no_model_is_said_in_a_line(
    here: Path, capsys: pytest.CaptureFixture[str], name: str, part: str
) -> None:
    Path("cut.pt").write_bytes(Path("script.pt").read_bytes()[:300])
    Path("cut.safetensors").write_bytes(Path("safetensors.safetensors").read_bytes()[:99])
    Path("empty.pt").touch()
    torch.save(torch.zeros(3), "plain.pt")
    assert part in wrong(capsys, "explain", *files(name))


def test_a_model_that_takes_one_example_at_a_time_is_said(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = torch.export.export(seeded(Network, torch.float32).eval(), (torch.zeros(1, 3, HEIGHT, WIDTH),))
    torch.export.save(one, "one.pt2")
    assert "free batch axis" in wrong(capsys, "explain", *files("one.pt2"))


# --- inputs ---


def test_a_picture_is_read_as_told_and_it_is_said(here: Path) -> None:
    plain = read_examples("picture.png", Reading())
    torch.testing.assert_close(plain.inputs.parts["input"], picture())
    assert plain.said == f"{HEIGHT} x {WIDTH} pixels, divided by 255"
    told = read_examples("picture.png", Reading(scale=1, mean=(1, 2, 3), std=(2, 4, 8), channels_last=True))
    raw = np.asarray(Image.open("picture.png"), dtype=float)
    expected = (raw - [1, 2, 3]) / [2, 4, 8]
    np.testing.assert_allclose(told.inputs.parts["input"][0].numpy(), expected, rtol=1e-6)
    assert "less the mean 1, 2, 3" in told.said
    assert told.seen is not None
    np.testing.assert_allclose(told.seen[0], raw / 255)


def test_a_square_is_the_middle_of_the_picture(here: Path) -> None:
    square = read_examples("picture.png", Reading(size=(HEIGHT,)))
    torch.testing.assert_close(square.inputs.parts["input"], picture()[:, :, :, 1:-1])
    exact = read_examples("picture.png", Reading(size=(4, 10), grey=True))
    assert tuple(exact.inputs.parts["input"].shape) == (1, 1, 4, 10)


def test_what_is_clear_is_white_and_what_is_turned_is_turned_back(here: Path) -> None:
    pixels = np.zeros((HEIGHT, WIDTH, 4), dtype=np.uint8)
    pixels[0, 0] = (10, 20, 30, 255)
    Image.fromarray(pixels).save("clear.png")
    clear = read_examples("clear.png", Reading(scale=1)).inputs.parts["input"][0]
    assert clear[:, 0, 0].tolist() == [10, 20, 30]
    assert (clear[:, 1:] == 255).all()
    turned = Image.open("picture.png")
    exif = turned.getexif()
    exif[0x0112] = 6  # to be shown a quarter turn clockwise
    turned.save("turned.jpg", exif=exif)
    assert tuple(read_examples("turned.jpg", Reading()).inputs.parts["input"].shape) == (1, 3, WIDTH, HEIGHT)


def test_more_than_eight_bits_are_not_cut_off(here: Path) -> None:
    Image.fromarray(np.full((4, 4), 40_000, dtype=np.uint16)).save("deep.png")
    with pytest.raises(InputError, match="8 bits"):
        read_examples("deep.png", Reading())


def test_rows_are_counted_as_a_spreadsheet_counts_them(here: Path) -> None:
    rows = np.load("rows.npy")
    third = read_examples("table.csv", Reading(row=4, columns=("a", "b", "c")))
    np.testing.assert_allclose(third.inputs.parts["input"].numpy(), rows[2:3])
    assert third.names == ("row 4",)
    np.testing.assert_allclose(read_examples("rows.npy", Reading(row=3)).inputs.parts["input"].numpy(), rows[2:3])
    with pytest.raises(InputError, match="2 to 10"):
        read_examples("table.csv", Reading(row=11))


def test_columns_without_numbers_are_left_out_and_that_is_said(here: Path) -> None:
    table = read_examples("table.csv", Reading())
    assert table.inputs.entry_names == ("c", "a", "b")
    assert "without id" in table.said


@pytest.mark.parametrize(("cell", "part"), [("", "is empty"), ("nan", "finite"), ("x", "holds 'x'")])
def test_a_cell_that_is_no_number_is_found(here: Path, cell: str, part: str) -> None:
    Path("bad.csv").write_text(f"a,b\n1,2\n3,{cell}\n5,6\n")
    with pytest.raises(InputError, match=part) as said:
        read_examples("bad.csv", Reading(columns=("a", "b")))
    assert "row 3, column 'b'" in str(said.value)


def test_a_column_with_a_missing_number_is_not_silently_left_out(here: Path) -> None:
    Path("gap.csv").write_text("a,b\n1,2\n3,\n5,6\n")
    with pytest.raises(InputError, match="column 'b' is empty"):
        read_examples("gap.csv", Reading())
    assert read_examples("gap.csv", Reading(row=2)).inputs.entry_names == ("a", "b")


def test_very_many_rows_are_cut_and_that_is_said(here: Path) -> None:
    np.save("long.npy", np.zeros((1500, 2)))
    long = read_examples("long.npy", Reading())
    assert len(long.inputs) == 1000
    assert "the first 1,000" in long.said


def test_several_arrays_go_in_by_name(here: Path) -> None:
    np.savez("two.npz", x=np.zeros((3, 2)), mask=np.ones((3, 4), dtype=bool))
    inputs = read_examples("two.npz", Reading(), dtype=torch.float32).inputs
    assert list(inputs.parts) == ["x"]
    assert inputs.parts["x"].dtype == torch.float32
    save_file({"x": torch.zeros(3, 2)}, "one.safetensors")
    assert list(read_examples("one.safetensors", Reading()).inputs.parts) == ["input"]
    torch.save(torch.zeros(3, 2), "one.pt")
    assert len(read_examples("one.pt", Reading()).inputs) == 3


@pytest.mark.parametrize(
    ("given", "options", "part"),
    [
        ("table.csv", ("--size", "8"), "--size says nothing"),
        ("picture.png", ("--row", "2"), "--row says nothing"),
        ("rows.npy", ("--channels-last",), "--channels-last says nothing"),
        ("picture.png", ("--size", "big"), "224x320"),
        ("picture.png", ("--mean", "0.5;0.5"), "commas"),
        ("picture.png", ("--mean", "0.5,0.5"), "3 channels"),
        ("table.csv", ("--columns", "a,z"), "'z'"),
        ("rows.npy", (), "does not take an example of shape input (3)"),
        ("cut.png", (), "damaged"),
        ("nothing.png", (), "does not exist"),
    ],
)
def test_wrong_inputs_get_one_line(
    here: Path, capsys: pytest.CaptureFixture[str], given: str, options: tuple[str, ...], part: str
) -> None:
    Path("cut.png").write_bytes(Path("picture.png").read_bytes()[:60])
    said = wrong(capsys, "explain", *files("script.pt", given), *options)
    assert part in said.replace("(3,)", "(3)")


# --- the question ---


def test_targets_are_read() -> None:
    assert target_of("predicted") == Predicted()
    assert target_of("3") == Logit(3)
    assert target_of("3-5") == Difference(Logit(3), Logit(5))
    assert target_of("-1:42") == Entry(-1, 42)
    for text in ("", "three", "-3", "3-", "3-5-7", "1:x"):
        with pytest.raises(InputError, match="predicted"):
            target_of(text)


def test_options_take_the_type_of_their_field() -> None:
    made = methods_of(["integrated-gradients", "smooth-grad"], ["tolerance=0.05", "samples=6"], seed=7)
    assert isinstance(made["integrated-gradients"], IntegratedGradients)
    assert made["integrated-gradients"].tolerance == 0.05
    smooth: Any = made["smooth-grad"]
    assert (smooth.samples, smooth.seed) == (6, 7)
    based: Any = methods_of(["smooth-grad"], ["base=integrated-gradients"])["smooth-grad"]
    assert isinstance(based.base, IntegratedGradients)
    windows: Any = methods_of(["occlusion"], ["by=2x2", "baseline=zeros"])["occlusion"]
    assert windows.by.shape == (2, 2)
    assert methods_of(["occlusion"], ["by=none"])["occlusion"] == Occlusion()


@pytest.mark.parametrize(
    ("option", "part"),
    [
        ("budgit=3", "there is no option 'budgit': integrated-gradients has baseline, budget, tolerance"),
        ("budget=many", "whole number"),
        ("tolerance", "name=value"),
        ("baseline=nowhere", "zeros"),
        ("tolerance=7", "between 0 and 1"),
    ],
)
def test_wrong_options_get_one_line(here: Path, capsys: pytest.CaptureFixture[str], option: str, part: str) -> None:
    said = wrong(capsys, "explain", *files("script.pt"), "--method", "integrated-gradients", "-o", option)
    assert part in said


def test_a_method_is_named_rightly(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "did you mean occlusion?" in wrong(capsys, "explain", *files("script.pt"), "--method", "oclusion")


def test_a_target_that_is_no_output_is_said(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "the model has 3" in wrong(capsys, "explain", *files("script.pt"), "--target", "3")


def test_a_layer_takes_the_place_of_the_input(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("exported.pt2", "safetensors.safetensors"):
        at = ("--at", "conv", "--target", "0", "--out", "found.safetensors")
        right(capsys, "explain", *files(name), *of_weights(name), *at)
        found = attar.Attribution.load("found.safetensors")
        network = seeded(Network, torch.float32)
        expected = attar.attribute(network, picture(), IntegratedGradients(), Logit(0), at="conv")
        torch.testing.assert_close(found.parts["conv"], expected.parts["conv"], rtol=1e-4, atol=1e-7)
    assert "cannot be reached" in wrong(capsys, "explain", *files("script.pt"), "--at", "conv")


def test_what_was_done_is_said(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = right(capsys, "explain", *files("script.pt"), "--seed", "3")
    best = int(seeded(Network, torch.float32).eval()(picture()).argmax())
    assert "model: script.pt, a TorchScript module, 3 outputs" in said
    assert "input: picture.png, 6 x 8 pixels, divided by 255" in said
    assert f"target: output {best}, which is predicted" in said
    assert "integrated-gradients, because the model has gradients" in said
    assert "seed: of no use" in said


def test_a_contrast_of_a_linear_model_is_explained_by_asking(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    skops = pytest.importorskip("skops.io", reason="the extra skops is not installed")
    rows = np.load("rows.npy")
    model = LogisticRegression().fit(rows, rows[:, 0] > 0)
    skops.dump(model, "linear.skops")
    right(capsys, "explain", *files("linear.skops", "rows.npy"), "--target", "1-0", "--out", "found.safetensors")
    found = attar.Attribution.load("found.safetensors")
    np.testing.assert_allclose(found.values.numpy(), 2 * model.coef_ * rows, atol=1e-9)


def test_large_inputs_are_taken_away_by_windows_and_it_is_said() -> None:
    assert _windows(Tensors(torch.zeros(1, 3, 224, 300))) == "16x22"
    assert _windows(Tensors(torch.zeros(1, 224, 300, 3))) == "16x22x3"
    assert _windows(Tensors(torch.zeros(1, 2, 2000))) == "143"
    assert _windows(Tensors(torch.zeros(1, 3, 8, 8))) is None
    assert _windows(Tensors(torch.zeros(1, 5000))) is None


# --- what is written ---


def test_the_long_table_holds_every_number(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pair = torch.cat([picture(), picture().flip(2)])
    np.save("pair.npy", pair.numpy())
    asked = ("--method", "smooth-grad,occlusion", "--target", "1", "--out", "found.parquet")
    right(capsys, "explain", *files("script.pt", "pair.npy"), *asked)
    table = parquet.read_table("found.parquet")
    rows = table.to_pylist()
    network = seeded(Network, torch.float32)
    by_name = {"smooth-grad": method_class("smooth-grad")(), "occlusion": Occlusion()}
    assert len(rows) == 2 * 2 * 3 * HEIGHT * WIDTH
    for name, method in by_name.items():
        found = attar.attribute(network, pair, method, Logit(1))
        mine = [row for row in rows if row["method"] == name]
        entries = [str(list(index)) for index in np.ndindex(3, HEIGHT, WIDTH)]
        assert [row["entry"] for row in mine] == 2 * entries
        assert [row["name"] for row in mine] == ["example 1"] * len(entries) + ["example 2"] * len(entries)
        values = torch.tensor([row["value"] for row in mine])
        torch.testing.assert_close(values, found.values.flatten(), check_dtype=False, rtol=1e-3, atol=1e-6)
        spread = [row["standard_error"] for row in mine]
        assert np.isnan(spread).all() == (found.standard_error is None)
    assert json.loads(table.schema.metadata[b"attar"])["methods"].keys() == by_name.keys()


@pytest.mark.parametrize("given", ["picture.png", "rows.npy"])
def test_a_picture_is_drawn_of_every_kind_of_answer(here: Path, capsys: pytest.CaptureFixture[str], given: str) -> None:
    model = "script.pt"
    if given == "rows.npy":
        onnx_linear(here / "linear.onnx", "n")
        model = "linear.onnx"
    for ending in ("png", "svg"):
        right(capsys, "explain", *files(model, given), "--out", f"why.{ending}")
    assert _size(Path("why.png").read_bytes()) > (300, 200)
    svg = ElementTree.parse("why.svg").getroot()
    text = " ".join(each.text or "" for each in svg.iter() if each.tag.endswith("text"))
    assert "units of the target" in text
    assert "error (L1)" in text
    right(capsys, "explain", *files(model, given), "--out", "again.svg")
    assert Path("why.svg").read_bytes() == Path("again.svg").read_bytes()


def _size(data: bytes) -> tuple[int, int]:
    assert data.startswith(b"\x89PNG")
    return struct.unpack(">II", data[16:24])


def test_a_window_is_painted_with_its_value_and_overlaps_with_the_mean(here: Path) -> None:
    model = open_model("script.pt").model
    assert isinstance(model, Script)
    inputs = Tensors(picture())
    for by in (Windows(shape=(3, 4)), Windows(shape=(4, 4), stride=(2, 4))):
        found = attar.attribute(model, inputs, Occlusion(by=by), Logit(0))
        painted = _painted(found, by(inputs.by_entry()), inputs).values[0]
        high, step = by.shape[0], (by.stride or by.shape)[0]
        values = found.parts["windows"].reshape(2, 2).double().numpy()
        over = [[k for k in range(2) if k * step <= y < k * step + high] for y in range(HEIGHT)]
        expected = np.array([values[rows].mean(0) for rows in over]).repeat(4, axis=1)
        np.testing.assert_allclose(painted, expected, atol=1e-7)


def test_the_page_fetches_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    right(capsys, "explain", *files("script.pt"), "--out", "why.html")
    html = Path("why.html").read_text()
    assert "<script" not in html
    assert "http" not in html
    assert html.count("data:image/png") == 2


def test_json_says_all_that_is_known_of_an_example(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    right(capsys, "explain", *files("script.pt"), "--out", "found.json")
    answer = json.loads(Path("found.json").read_text())
    (example,) = answer["attributions"][0]["examples"]
    total = sum(part["value"] for part in example["parts"])
    assert example["output"] - example["reference"] - total == pytest.approx(example["left_over"], abs=1e-6)
    assert len(example["parts"]) == 3 * HEIGHT * WIDTH
    assert example["tolerance_reached"] is True
    assert answer["attributions"][0]["method"].startswith("IntegratedGradients(")


@pytest.mark.parametrize(
    ("out", "part"), [("why.bmp", ".png"), ("nowhere/why.png", "no folder"), ("why", "expected a name")]
)
def test_a_place_that_cannot_be_written_is_said_before_the_work(
    here: Path, capsys: pytest.CaptureFixture[str], out: str, part: str
) -> None:
    assert part in wrong(capsys, "explain", *files("nothing.pt"), "--out", out)


def test_two_answers_do_not_fit_into_one_safetensors(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ("--method", "occlusion,random", "--out", "why.safetensors")
    assert "one attribution" in wrong(capsys, "explain", *files("script.pt"), *given)


# --- which methods fit ---


def test_the_methods_that_fit_are_those_that_run(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    onnx_linear(here / "linear.onnx", "n")
    said = right(capsys, "methods", "--for", "linear.onnx", "--input", "rows.npy")
    fits, _, others = said.partition("does not fit")
    assert "occlusion" in fits
    cost = int(next(line for line in fits.splitlines() if "occlusion" in line).split()[-1])
    found = attar.attribute(lambda x: x[:, :1], torch.ones(1, 3), Occlusion())
    assert cost == int(found.evaluations[0])
    assert "integrated-gradients  needs Differentiable: OnnxModel offers Predictor" in others
    assert {name for name in METHODS if f"  {name} " in said} == set(METHODS)


def test_what_costs_too_much_to_try_is_stopped(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = nn.Sequential(nn.Flatten(), nn.Linear(3 * 30 * 30, 1))
    torch.jit.save(torch.jit.trace(weights, torch.zeros(1, 3, 30, 30)), "large.pt")
    said = right(capsys, "methods", "--for", "large.pt", "--input", "picture.png", "--size", "30x30")
    line = next(line for line in said.splitlines() if "occlusion" in line)
    assert "more than" in line
    assert int(line.split()[-1].replace(",", "")) <= 2000


def test_both_files_are_needed(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "--input" in wrong(capsys, "methods", "--for", "script.pt")
    assert "--for" in wrong(capsys, "methods", "cam", "--input", "picture.png")


def test_every_method_stands_in_the_tree_once() -> None:
    lines = [line for line in method_tree().splitlines() if line.startswith(("├", "└"))]
    assert sorted(line.split()[1] for line in lines) == sorted(METHODS | OVER_ROWS | OF_LOSS)


def test_a_method_of_no_known_kind_stands_in_the_last_branch(monkeypatch: pytest.MonkeyPatch) -> None:
    class Psychic:
        """Knows."""

    monkeypatch.setattr(Occlusion, "needs", Psychic)
    after = method_tree().partition(list(BRANCHES)[-1])[2]
    assert "occlusion" in after


def test_somebody_who_waits_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What would take minutes says so: in a pipe on lines that come less and less often, nothing where it is quick."""
    monkeypatch.chdir(tmp_path)
    np.save("rows.npy", np.random.default_rng(0).normal(size=(3, 6)))
    (tmp_path / "waits.py").write_text("def model(x):\n    return x.sum(1, keepdim=True)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    asked = ["explain", "rows.npy", "--model", "waits:model", "--method", "occlusion", "--batch-size", "1"]
    assert main(asked) == 0
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("attar.cli._PATIENCE", 0.0)
    assert main(asked) == 0
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("attar: 1 example asked of the model in 0 s; Ctrl-C stops")


def test_lines_come_when_the_wait_has_doubled(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A clock that is a second on whenever it is looked at."""
    from attar.cli import _waiting
    from attar.core.watch import asked

    seconds = iter(range(1000))
    with monkeypatch.context() as clock:
        clock.setattr("time.monotonic", lambda: float(next(seconds)))
        with _waiting():
            for _ in range(150):
                asked(2)
    said = [line.partition(";")[0] for line in capsys.readouterr().err.splitlines()]
    assert said == [f"attar: {2 * at} examples asked of the model in {at} s" for at in (15, 30, 60, 120)]


def test_a_watcher_is_told_of_every_call_and_only_inside() -> None:
    from attar.core.watch import asked, watched

    told: list[int] = []
    with watched(told.append):
        attar.attribute(lambda x: x.sum(1, keepdim=True), torch.rand(3, 4), Occlusion(), Logit(0), batch_size=2)
    asked(5)
    assert sum(told) >= 3 + 3 * 4  # each of three examples whole, and without each of its four entries
    assert max(told) <= 2
