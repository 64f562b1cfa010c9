"""Model files: TorchScript, torch.export, weights with the class they belong to, ONNX, skops. Never a pickle."""

import io
import json
import sys
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from attar.adapters import adapt
from attar.adapters.onnx import OnnxModel
from attar.adapters.torch import TorchModel
from attar.core.errors import InputError, UnsupportedError
from attar.core.files import PICKLES, first_bytes
from attar.core.inputs import Inputs
from attar.core.parts import Parts
from attar.core.target import Target

SUFFIXES = (".pt", ".ts", ".pt2", ".safetensors", ".onnx", ".skops")
_WAYS_OUT = (
    "save it where it was made: a torch module with torch.export.save, or its weights with safetensors (and give "
    "--module), a scikit-learn estimator with skops.io.dump"
)
_RUNS_CODE = ("custom_obj", "opaque_obj", "aotinductor")  # how torch.export calls what it unpickles or loads
_SCRIPT, _EXPORTED = "a TorchScript module", "a torch.export program"
_ONNX, _SKOPS = "an ONNX model", "a scikit-learn estimator"


@dataclass(frozen=True, eq=False, kw_only=True)
class Saved:
    """A model out of a file, adapted; `kind` is what the file was."""

    model: Any
    kind: str


def open_model(
    path: str | Path,
    *,
    module: str | None = None,
    arguments: Mapping[str, Any] | None = None,
    trusted: Sequence[str] = (),
    layers: Sequence[str] = (),
    channels: int | None = None,
    by_layer: bool = False,
    output: str | None = None,
) -> Saved:
    """The model in a file, whose kind is told by how it begins rather than by its name.

    `module` (`package.module:Class`, called with `arguments`) builds the module that weights are loaded into, every one
    of them. `trusted` are types that skops may open beyond those it knows. `layers` are those that maps may be taken
    from, `channels` the axis of their channels; `by_layer` asks for layers that can be reached at all, and `output`
    names one of several outputs.

    A TorchScript, torch.export or ONNX file is a program: open only those whose maker you trust. Pickles are refused,
    inside an archive too. Raises `InputError` for what is no model, `UnsupportedError` for what cannot be asked.
    """
    path = Path(path)
    kind = _kind(path)
    if kind == "weights":
        loaded = _loaded(path, module, arguments)
        model = TorchModel(loaded, tuple(layers), channels=channels, output=_place(output))
        return Saved(model=model, kind=type(loaded).__name__)
    if module is not None or arguments:
        raise InputError(f"{path} is {kind}, which needs no class: leave out --module and --arguments")
    if kind == _EXPORTED:
        exported = _exported(path, by_layer=by_layer or bool(layers))
        return Saved(model=TorchModel(exported, tuple(layers), channels=channels, output=_place(output)), kind=kind)
    if layers or by_layer:
        raise UnsupportedError(
            f"{path} is {kind}, whose layers cannot be reached: save a torch module with torch.export.save or "
            "safetensors, or leave out the layer"
        )
    if kind == _SCRIPT:
        return Saved(model=Script(TorchModel(_torch_script(path), output=_place(output))), kind=kind)
    return Saved(model=OnnxModel.open(path, output) if kind == _ONNX else _skops(path, trusted), kind=kind)


def _kind(path: Path) -> str:
    start = first_bytes(path, suffixes=SUFFIXES)
    suffix = path.suffix.lower()
    if start.startswith(b"\x80") or suffix in PICKLES:
        raise InputError(f"{path} is a Python pickle. Opening one can run code, so attar never does: {_WAYS_OUT}")
    members = _members(path) if start.startswith(b"PK\x03\x04") else []
    inside = {name.partition("/")[2] for name in members}
    if "schema.json" in members:
        return _SKOPS
    if "constants.pkl" in inside and "data.pkl" in inside:
        return _SCRIPT
    if suffix == ".pt2" or any(name.startswith("models/") for name in inside):
        return _EXPORTED
    if suffix == ".safetensors" or "data.pkl" in inside:
        return "weights"
    if suffix == ".onnx":
        return _ONNX
    raise InputError(f"{path} is no model that attar opens, which are {', '.join(SUFFIXES)}: {_WAYS_OUT}")


def _members(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except zipfile.BadZipFile as problem:
        raise InputError(f"{path} is damaged or cut short: copy or download it again") from problem


def _place(output: str | None) -> str | int | None:
    """A key of a dict of outputs, or the place in a tuple."""
    return int(output) if output is not None and output.lstrip("-").isdigit() else output


# --- torch ---


@dataclass(frozen=True, eq=False)
class Script:
    """A TorchScript module: answers and gradients. What it is made of can be neither seen nor hooked."""

    inside: TorchModel

    def predict(self, inputs: Inputs) -> Tensor:
        return self.inside.predict(inputs)

    def differentiate(self, inputs: Inputs, target: Target) -> tuple[Tensor, Parts]:
        return self.inside.differentiate(inputs, target)

    def differentiate_each(self, inputs: Inputs, targets: Sequence[Target]) -> list[tuple[Tensor, Parts]]:
        return self.inside.differentiate_each(inputs, targets)

    @property
    def dtype(self) -> torch.dtype | None:
        return self.inside.dtype

    @property
    def device(self) -> torch.device | None:
        return self.inside.device


def _torch_script(path: Path) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # deprecated to save, and many are there to be read
        try:
            return torch.jit.load(str(path), map_location="cpu")
        except RuntimeError as problem:
            raise InputError(f"{path} is no TorchScript that this torch opens: {_one_line(problem)}") from problem


def _exported(path: Path, *, by_layer: bool) -> nn.Module:
    _refuse_pickles_inside(path)
    try:
        program = torch.export.load(str(path))
    except Exception as problem:  # what a foreign file makes it raise is not documented
        raise InputError(f"{path} is no torch.export program that this torch opens: {_one_line(problem)}") from problem
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of torch about itself
        return torch.export.unflatten(program) if by_layer else program.module()


def _refuse_pickles_inside(path: Path) -> None:
    """`torch.export.load` unpickles some of what an archive may hold, and loads compiled code."""
    members = _members(path)
    if not any("/models/" in name for name in members):
        raise InputError(f"{path} holds no torch.export program: save it with torch.export.save of this torch")
    if len({name.lower() for name in members}) < len(members):
        raise InputError(f"{path} holds two files of one name, of which only one would be looked at: save it again")
    with zipfile.ZipFile(path) as archive:
        for name in members:
            if any(word in name.lower() for word in _RUNS_CODE):
                raise InputError(f"{path} holds {name}, which could run code when opened: {_WAYS_OUT}")
            if name.lower().endswith("_config.json") and _names_a_pickle(archive.read(name)):
                raise InputError(f"{path} holds pickled weights. Opening them can run code: {_WAYS_OUT}")
            if name.lower().endswith(".pt"):
                _plain(path, archive.read(name))


def _names_a_pickle(config: bytes) -> bool:
    """Whether a list of an archive's arrays says that one of them is a pickle."""
    try:
        held = json.loads(config)["config"].values()
        return any(each["use_pickle"] or str(each["path_name"]).startswith(_RUNS_CODE) for each in held)
    except (ValueError, KeyError, TypeError, AttributeError):
        return True


def _plain(path: Path, data: bytes) -> Any:
    """What torch saved, as long as it is tensors and containers of them."""
    try:
        return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as problem:  # an UnpicklingError, or whatever a damaged file makes torch raise
        raise InputError(
            f"{path} holds a pickled object and not only weights. Opening it can run code, so attar never does: "
            f"{_WAYS_OUT}"
        ) from problem


def _built(module: str, arguments: Mapping[str, Any] | None) -> nn.Module:
    place, _, name = module.partition(":")
    if not place or not name:
        raise InputError(f"--module is {module!r}, expected package.module:Class")
    here = str(Path.cwd())
    sys.path.insert(0, here)  # as `python -m` does, which a program on the path does not
    try:
        build = getattr(import_module(place), name)
        built = build(**(arguments or {}))
    except (ImportError, AttributeError, TypeError) as problem:
        raise InputError(f"--module {module} could not be built: {_one_line(problem)}") from problem
    finally:
        sys.path.remove(here)
    if not isinstance(built, nn.Module):
        raise InputError(f"--module {module} gives a {type(built).__name__}, expected a torch module")
    return built


def _loaded(path: Path, module: str | None, arguments: Mapping[str, Any] | None) -> nn.Module:
    weights = _weights(path)
    if module is None:
        raise InputError(
            f"{path} holds weights and not the model they belong to: name its class with --module package.module:Class"
        )
    built = _built(module, arguments)
    try:
        built.load_state_dict(weights)
    except RuntimeError as problem:
        raise InputError(
            f"the weights in {path} do not fit {module}: {_one_line(problem)}; check --module and --arguments"
        ) from problem
    return built


def _weights(path: Path) -> dict[str, Tensor]:
    if path.suffix.lower() == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(str(path))
        except SafetensorError as problem:
            raise InputError(f"{path} is no safetensors file: {_one_line(problem)}") from problem
    weights = _plain(path, path.read_bytes())
    if not isinstance(weights, Mapping) or not all(isinstance(each, Tensor) for each in weights.values()):
        raise InputError(f"{path} holds a {type(weights).__name__}, expected weights by name: save module.state_dict()")
    return dict(weights)


# --- scikit-learn ---


def _skops(path: Path, trusted: Sequence[str]) -> Any:
    try:
        import skops.io
    except ImportError as problem:
        raise UnsupportedError("a skops file needs skops: pip install 'attar[skops]'") from problem
    if untrusted := [name for name in skops.io.get_untrusted_types(file=path) if name not in trusted]:
        raise InputError(
            f"{path} holds types that skops does not know to be safe: {', '.join(untrusted)}. If you know what they "
            f"are, say so with --trust {','.join(untrusted)}"
        )
    return adapt(skops.io.load(path, trusted=list(trusted)))


def _one_line(problem: Exception) -> str:
    text = " ".join(str(problem).split())
    return text if len(text) <= 200 else text[:199] + "…"
