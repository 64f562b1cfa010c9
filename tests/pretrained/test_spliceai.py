"""SpliceAI: its networks against their own description taken literally, and what it says of a human gene."""

import builtins
import json
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

import attar
from attar.cli import main
from attar.core.errors import InputError, UnsupportedError
from attar.core.inputs import Tensors
from attar.domains.sequences.record import Record, one_hot
from attar.methods.gradient import Gradient
from attar.methods.mutagenesis import InSilicoMutagenesis
from attar.pretrained import load
from attar.pretrained.card import Pretrained
from attar.pretrained.files import package_file
from attar.pretrained.spliceai import SpliceSite
from attar.pretrained.spliceai_network import REACH, SpliceAI
from attar.pretrained.spliceai_weights import network
from real_models import needs_model

pytestmark = needs_model("spliceai")
GENE = Path(__file__).parent.parent / "data" / "hbb.fa"
EXONS = (
    (426, 567),
    (698, 920),
    (1771, 2031),
)  # of the gene in that file; the record ends two letters before the last one
BEFORE = 425
PROTEIN = (
    "MVHLTPEEKSAVTALWGKVNVDEVGGEALGRLLVVYPWTQRFFESFGDLSTPDAVMGNPKVKAHGKKVLGAFSDGLAHLDNLKGTFATLSELHCDKLHVDPENFRLLGNVL"
    "VCVLAHHFGKEFTPPVQAAYQKVVAGVANALAHKYH*"
)


@pytest.fixture(scope="module")
def five() -> Pretrained:
    return load("spliceai")


@pytest.fixture(scope="module")
def one() -> Pretrained:
    return load("spliceai-1")


@pytest.fixture(scope="module")
def gene(one: Pretrained):
    return one.read(GENE)


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


# --- the gene is what its name says ---


def test_the_gene_has_the_exons_that_are_annotated_and_its_protein(gene) -> None:
    table = package_file("spliceai", "spliceai/annotations/grch38.txt").read_text().splitlines()
    starts, ends = next(line.split("\t")[5:7] for line in table if line.startswith("HBB\t"))
    annotated = [
        (int(a), int(b)) for a, b in zip(starts.strip(",").split(","), ends.strip(",").split(","), strict=True)
    ]
    last = annotated[-1][1]
    mirrored = [(last - b + 1 + BEFORE, last - a + BEFORE) for a, b in reversed(annotated)]  # on the - strand, from 1
    assert mirrored[:2] == list(EXONS[:2])
    assert (mirrored[2][0], mirrored[2][1] - 2) == EXONS[2]
    letters = gene.raw[0].letters
    spliced = "".join(letters[a - 1 : b] for a, b in EXONS)
    acids = "FFLLSSSSYY**CC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG"
    table = dict(zip(("".join(codon) for codon in product("TCAG", repeat=3)), acids, strict=True))
    start = spliced.find("ATG")
    protein = "".join(table[spliced[k : k + 3]] for k in range(start, start + 3 * len(PROTEIN), 3))
    assert protein == PROTEIN


# --- the networks are the published ones ---


def literal(number: int, letters: Tensor) -> Tensor:
    """A Keras description as it stands, layer after layer: (batch, positions, channels), 'same' padding, cropping."""
    import h5py

    path = package_file("spliceai", f"spliceai/models/spliceai{number}.h5")
    with h5py.File(path, "r") as file:
        held = file["model_weights"]
        done = {"input_1": letters}
        layers = json.loads(str(file.attrs["model_config"]))["config"]["layers"]
        waiting = [layer for layer in layers if layer["inbound_nodes"]]
        while waiting:
            layer = next(x for x in waiting if all(node[0] in done for node in x["inbound_nodes"][0]))
            waiting.remove(layer)
            name, told = layer["name"], layer["config"]
            came = [done[node[0]] for node in layer["inbound_nodes"][0]]
            weights = {
                str(w).split("/")[-1]: torch.from_numpy(np.asarray(held[name][w]))
                for w in (w.decode() for w in held[name].attrs["weight_names"])
            }
            done[name] = _layer(layer["class_name"], told, came, weights)
    return done[name]


def _layer(kind: str, told: dict, came: list[Tensor], weights: dict[str, Tensor]) -> Tensor:
    x = came[0]
    if kind == "Add":
        return came[0] + came[1]
    if kind == "Activation":
        assert told["activation"] == "relu"
        return x.clamp(min=0)
    if kind == "Cropping1D":
        return x[:, told["cropping"][0] : x.shape[1] - told["cropping"][1]]
    if kind == "BatchNormalization":
        off = (x - weights["moving_mean:0"]) / torch.sqrt(weights["moving_variance:0"] + told["epsilon"])
        return off * weights["gamma:0"] + weights["beta:0"]
    assert kind == "Conv1D"
    (size,), (step,) = told["kernel_size"], told["dilation_rate"]
    around = (size - 1) * step // 2 if told["padding"] == "same" else 0
    padded = functional.pad(x, (0, 0, around, around))
    length = padded.shape[1] - (size - 1) * step
    out = weights["bias:0"] + sum(padded[:, k * step : k * step + length] @ weights["kernel:0"][k] for k in range(size))
    return out.softmax(-1) if told["activation"] == "softmax" else out


@pytest.mark.parametrize("number", [1, 4])
def test_a_network_is_its_description_taken_literally(number: int, gene) -> None:
    letters = gene.inputs.values[:, :, 540:600]
    padded = functional.pad(letters, (REACH, REACH))
    with torch.no_grad():
        expected = literal(number, padded.transpose(1, 2)).transpose(1, 2)
        found = network(number)(padded).softmax(1)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
    assert float(found[0, 2].max()) > 1e-3


def test_the_answer_is_the_mean_of_the_networks_probabilities(five: Pretrained, gene) -> None:
    part = gene.inputs.values[:, :, 540:600]
    with torch.no_grad():
        padded = functional.pad(part, (REACH, REACH))
        expected = torch.stack([network(k)(padded).softmax(1) for k in range(1, 6)]).mean(0)
    found = five.model.predict(Tensors(part))
    torch.testing.assert_close(found.exp(), expected, rtol=1e-4, atol=1e-6)


def test_a_file_of_another_network_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import h5py

    from attar.pretrained import spliceai_weights

    source = package_file("spliceai", "spliceai/models/spliceai1.h5")
    other = tmp_path / "other.h5"
    other.write_bytes(source.read_bytes())
    with h5py.File(other, "r+") as file:
        text = str(file.attrs["model_config"]).replace('"dilation_rate": [25]', '"dilation_rate": [24]')
        file.attrs["model_config"] = text
    monkeypatch.setattr(spliceai_weights, "package_file", lambda *_: other)
    with pytest.raises(
        UnsupportedError, match=r"other.h5 holds another network than SpliceAI-10k: see layer conv1d_30"
    ):
        network(1)


def test_without_h5py_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    real = builtins.__import__

    def without(name: str, *rest):
        if name == "h5py":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.delitem(sys.modules, "h5py", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    assert main(["explain", str(GENE), "--model", "spliceai-1"]) == 2
    assert "pip install 'attar[sequences]'" in capsys.readouterr().err


# --- the cheap ways are the same answer ---


def test_one_position_alone_is_what_it_is_among_all(one: Pretrained, gene) -> None:
    whole = one.model.predict(gene.inputs)
    for place in (0, 3, 566, 2030):
        target = SpliceSite("donor", place)
        torch.testing.assert_close(one.narrowed(target).predict(gene.inputs), whole[..., place], rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(
            target(one.narrowed(target).predict(gene.inputs)), target(whole), rtol=1e-4, atol=1e-3
        )


def test_the_gradient_of_one_position_is_the_same_too(one: Pretrained, gene) -> None:
    target = SpliceSite("acceptor", 697)
    cheap = attar.attribute(one.narrowed(target), gene.inputs, Gradient(), target)
    whole = attar.attribute(one.model, gene.inputs, Gradient(), target)
    torch.testing.assert_close(cheap.values, whole.values, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("place", [10, 566])
def test_exchanged_letters_are_what_whole_copies_say(one: Pretrained, gene, place: int) -> None:
    """Near the position and far from it, where few layers reach, and at the ends of the sequence."""
    target = SpliceSite("donor", place)
    model = one.narrowed(target)
    places = torch.tensor([0, 1, place - 1, place, place + 1, place + 2, place + 40, place + 333, 2030])
    other = torch.tensor([0, 3, 2, 1, 0, 3, 1, 2, 0])
    found = model.exchanged(gene.inputs, torch.zeros(9, dtype=torch.long), places, other)
    copies = gene.inputs.values.repeat(9, 1, 1)
    copies[torch.arange(9), :, places] = 0
    copies[torch.arange(9), other, places] = 1
    torch.testing.assert_close(found, model.predict(Tensors(copies)), rtol=1e-4, atol=1e-4)
    assert float((found - found[:1]).abs().max()) > 0.1


def test_a_letter_out_of_reach_changes_nothing(one: Pretrained) -> None:
    far = "ACGT" * 1400
    inputs = Tensors(one_hot([Record.of("g", far)]))
    model = one.narrowed(SpliceSite("donor", 20))
    index, places = torch.zeros(2, dtype=torch.long), torch.tensor([5021, 5020])
    found = model.exchanged(inputs, index, places, torch.tensor([0, 1]))
    assert torch.equal(found[0], model.predict(inputs)[0])


def test_a_sequence_alone_is_what_it_is_in_company(one: Pretrained, tmp_path: Path) -> None:
    (tmp_path / "two.fa").write_text(GENE.read_text() + ">short\n" + "ACGTTGCAAGGTAAGT" * 5 + "\n")
    both = one.read(tmp_path / "two.fa")
    (tmp_path / "one.fa").write_text(">short\n" + "ACGTTGCAAGGTAAGT" * 5 + "\n")
    alone = one.model.predict(one.read(tmp_path / "one.fa").inputs)
    torch.testing.assert_close(one.model.predict(both.inputs)[1:, :, :80], alone, rtol=1e-4, atol=1e-4)


# --- what it says of the gene ---


def test_donors_and_acceptors_of_the_gene_are_found(five: Pretrained, gene) -> None:
    chances = five.model.predict(gene.inputs).softmax(1)[0].numpy()
    for kind, positions in ((2, (567, 920)), (1, (698, 1771))):
        assert [float(chances[kind, p - 1]) > 0.9 for p in positions] == [True, True]
        assert set(np.argsort(-chances[kind])[:2] + 1) == set(positions)
    said = five.remarks(gene, five.model.predict(gene.inputs))
    assert said == ["HBB: acceptor 458 0.72, donor 567 0.98, acceptor 698 1.00, donor 920 1.00, acceptor 1771 0.98"]


def test_a_deleted_donor_is_gone_and_the_remark_says_so(one: Pretrained) -> None:
    found = one.read(GENE, variants=("g.568_569del", "g.30A>C"))
    outputs = torch.cat([one.model.predict(found.inputs.take(torch.tensor([k]))) for k in range(3)])
    _, gone, still = one.remarks(found, outputs)
    assert gone.startswith("HBB g.568_569del: ")
    assert "donor 567 0.96 → 0.00" in gone
    assert still == "HBB g.30A>C: no site moves by more than 0.1"


def test_a_site_that_is_taken_out_or_put_in_is_said(one: Pretrained) -> None:
    found = one.read(GENE, variants=("g.560_575del", "g.567_568insGTAAGTCAG"))
    outputs = torch.cat([one.model.predict(found.inputs.take(torch.tensor([k]))) for k in range(3)])
    _, out, put = one.remarks(found, outputs)
    assert "donor 567 (taken out) 0.96 → 0.00" in out
    assert "donor 567+9 0.00 → " in put or "donor 567 " in put


def test_mutagenesis_puts_the_gt_first_at_a_donor(one: Pretrained, gene) -> None:
    target = one.target("donor@567", gene)
    found = attar.attribute(one.narrowed(target), gene.inputs, InSilicoMutagenesis(window=(557, 577)), target)
    first = found.values[0].sum(0).argsort(descending=True)[:2] + 1
    assert set(first.tolist()) == {568, 569}
    assert int(found.evaluations) == 3 * 21 + 1


# --- words of the shell ---


def test_targets_are_named_by_kind_and_position(one: Pretrained, gene) -> None:
    assert one.target("donor@567", gene) == SpliceSite("donor", 566, 567)
    assert one.target("Acceptor@1,771", gene) == SpliceSite("acceptor", 1770, 1771)
    assert one.target("donor", gene) == SpliceSite("donor", 919, 920)
    assert one.target("acceptor", gene).position in (698, 1771)
    assert one.target("predicted", gene) == SpliceSite("donor", 919, 920)


def test_the_site_that_variants_move_most_is_asked_about(one: Pretrained) -> None:
    found = one.read(GENE, variants=("g.30A>C", "g.568_570del"))
    assert one.target("predicted", found) == SpliceSite("donor", 566, 567)
    assert one.target("acceptor", found).position == 458
    assert one.target("predicted", one.read(GENE, variants=("g.30A>C",))).position == 920


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("donor@2032", "position 2032 is beyond the end of HBB, which has 2,031 letters"),
        ("donor@0", "position 0 is beyond the end"),
        ("branch@5", r"--target is 'branch@5', expected donor@120, acceptor@431 \(positions from 1\)"),
        ("predicted@5", "expected donor@120"),
        ("3", "expected donor@120"),
    ],
)
def test_targets_that_are_not_there_are_refused(one: Pretrained, gene, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        one.target(text, gene)


def test_on_the_other_strand_a_position_is_that_as_given(one: Pretrained, tmp_path: Path, gene) -> None:
    (tmp_path / "turned.fa").write_text(">turned\n" + gene.raw[0].reversed().letters + "\n")
    turned = one.read(tmp_path / "turned.fa", strand="-")
    assert torch.equal(turned.inputs.values, gene.inputs.values)
    assert one.target(f"donor@{2031 - 567 + 1}", turned) == SpliceSite("donor", 566, 1465)
    (said,) = one.remarks(turned, one.model.predict(turned.inputs))
    assert "donor 1465 0.96" in said


def test_a_variant_moves_the_place_and_not_the_position(one: Pretrained) -> None:
    found = one.read(GENE, variants=("g.100_104del",))
    assert one.target("acceptor@698", found) == SpliceSite("acceptor", (697, 692), 698)


def run(capsys, *words: str) -> tuple[int, str, str]:
    status = main(["explain", str(GENE), "--model", "spliceai-1", *words])
    out, err = capsys.readouterr()
    return status, out, err


def test_from_the_shell_a_variant_is_explained_beside_its_reference(capsys, tmp_path: Path) -> None:
    picture = tmp_path / "logo.svg"
    words = ("--variant", "g.568G>A", "--target", "donor@567", "--method", "in-silico-mutagenesis")
    status, out, _ = run(capsys, *words, "-o", "window=557,577", "--out", str(picture))
    assert status == 0
    assert "donor 567 0.96 → 0.0" in out
    assert "HBB g.568G>A" in out
    assert "G568" in out
    assert picture.read_text().count("<path") > 40


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--variant", "g.568A>G"), "says A at position 568 of HBB, which has G there"),
        (("--target", "donor@9999"), "position 9999 is beyond the end of HBB"),
        (("--strand", "x"), "the strand is 'x', expected + or -"),
        (("--variants", "none.vcf"), "none.vcf does not exist"),
    ],
)
def test_from_the_shell_what_is_wrong_is_one_line(capsys, words: tuple[str, ...], said: str) -> None:
    status, _, err = run(capsys, *words)
    assert status == 2
    assert said in err
    assert len(err.strip().splitlines()) == 1


@needs_model("efficientnet-lite0")
def test_variants_are_of_sequences(capsys, tmp_path: Path) -> None:
    assert main(["explain", str(GENE), "--model", "efficientnet-lite0", "--variant", "g.1A>C"]) == 2
    assert "--variant, --variants and --strand are about sequences" in capsys.readouterr().err


def test_sites_are_donors_or_acceptors() -> None:
    with pytest.raises(InputError, match="there is no site 'branch'"):
        SpliceSite("branch", 3)
    with pytest.raises(InputError, match="asks for place 9, the sequence has 5"):
        SpliceSite("donor", 9)(torch.zeros(2, 3, 5))


def test_letters_are_exchanged_for_a_model_of_one_place() -> None:
    with pytest.raises(UnsupportedError, match="of one place"):
        SpliceAI([network(1)]).changed(torch.zeros(1, 4, 9), torch.zeros(1, 4), torch.tensor([1]))
