"""Signals out of files as pictures: the trace with the attribution behind it; and the strongest stretch as sound."""

import io
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from scipy.io import wavfile

from attar.core.attribution import Attribution
from attar.core.errors import InputError
from attar.core.examples import Examples
from attar.core.heat import AGAINST, INK, SUPPORTS
from attar.core.inputs import Tensors
from attar.core.windows import Windows
from attar.domains.waveforms.parts import strongest
from attar.domains.waveforms.read import Heard

_WINDOWS = re.compile(r"windows of (\d+(?: x \d+)*)")
_COLUMNS = 300  # of colour behind a trace, at most
_STEP = 0.01  # seconds: how finely the strongest stretch is found


def panel(axes: Any, examples: Examples, found: Attribution, example: int) -> None:
    """The samples over seconds, the values behind them as bars, summed over short equal times, on a scale of their own:
    up and warm supports the target, down and cool speaks against it."""
    heard: Heard = examples.raw[example]
    samples, values = _samples(examples)[example], on_samples(examples, found)[example]
    each = max(-(-len(values) // _COLUMNS), 1)
    edges = np.arange(0, len(values), each)
    sums = np.add.reduceat(values, edges)
    ends = np.minimum(edges + each, len(values)) / heard.rate
    behind = axes.twinx()
    paint = [SUPPORTS if value > 0 else AGAINST for value in sums]
    behind.bar(edges / heard.rate, sums, width=ends - edges / heard.rate, align="edge", color=paint, linewidth=0)
    span = float(np.abs(sums).max()) or 1.0
    behind.set_ylim(-1.1 * span, 1.1 * span)
    behind.set_ylabel(f"attribution of {1000 * each / heard.rate:.3g} ms,\nunits of the target", fontsize=8)
    axes.set_zorder(behind.get_zorder() + 1)
    axes.patch.set_visible(False)
    axes.plot(np.arange(len(samples)) / heard.rate, samples, color=INK, alpha=0.45, linewidth=0.5)
    loudest = float(np.abs(samples).max()) or 1.0
    axes.set_ylim(-1.1 * loudest, 1.1 * loudest)
    axes.set_xlim(0, len(samples) / heard.rate)
    axes.set_xlabel("seconds", fontsize=8)
    axes.set_ylabel(f"signal, {heard.unit}", fontsize=8)


def on_samples(examples: Examples, found: Attribution) -> Float[np.ndarray, "batch samples"]:
    """An attribution as a value for each sample, summed over channels or bands: that of a stretch is spread evenly over
    its samples. Raises `InputError` for parts that are not known here."""
    signals = _tensor(examples)
    array = found.parts.get("input")
    if array is None:
        array = _spread(examples, found)
    if array.ndim != 3 or array.shape[0] != len(signals) or array.shape[2] != signals.shape[2]:
        raise InputError(f"values of shape {tuple(array.shape)} do not lie on the signal's samples: leave out --at")
    return array.sum(1).detach().cpu().double().numpy()


def _spread(examples: Examples, found: Attribution) -> torch.Tensor:
    values = next(iter(found.parts.values()))
    windows = _WINDOWS.fullmatch(found.carried_by or "")
    maker = Windows(shape=tuple(map(int, windows[1].split(" x ")))) if windows else examples.features
    features = None if maker is None else maker(examples.inputs)
    if features is None or features.rule != found.carried_by or len(features) != len(values):
        raise InputError(
            f"where the parts of {found.carried_by or 'this method'} lie in the signal is not known here: write .json, "
            "or ask for windows that do not overlap, such as -o by=1600"
        )
    signals, share = _tensor(examples), features.shares["input"]
    size = torch.bincount(share.feature, minlength=len(values)).to(values)
    flat = values.new_zeros(signals.numel())
    return flat.index_add(0, share.row, (values / size)[share.feature]).reshape(signals.shape)


def stretch(examples: Examples, found: Attribution, example: int = 0) -> tuple[float, float]:
    """The seconds from which to which an example's values, summed over hundredths of a second, add up to the most."""
    heard: Heard = examples.raw[example]
    values = on_samples(examples, found)[example]
    each = max(round(_STEP * heard.rate), 1)
    first, last = strongest(np.add.reduceat(values, np.arange(0, len(values), each)).tolist())
    return first * each / heard.rate, min(last * each, len(values)) / heard.rate


def sound(examples: Examples, found: Attribution) -> bytes:
    """The first example's strongest stretch as a WAV file: its own samples, single precision, nothing changed."""
    heard: Heard = examples.raw[0]
    if heard.rate != round(heard.rate):
        raise InputError(f"a WAV file has whole samples per second, here are {heard.rate:g}: write .json")
    first, last = (round(at * heard.rate) for at in stretch(examples, found))
    file = io.BytesIO()
    wavfile.write(file, round(heard.rate), _samples(examples)[0, first:last].astype(np.float32))
    return file.getvalue()


FILES: Mapping[str, Callable[[Examples, Attribution], bytes]] = {".wav": sound}


def _tensor(examples: Examples) -> torch.Tensor:
    inputs = examples.inputs
    if not isinstance(inputs, Tensors) or inputs.values.ndim != 3:
        raise InputError("signals are (batch, channels, samples)")
    return inputs.values


def _samples(examples: Examples) -> Float[np.ndarray, "batch samples"]:
    """The signal itself: of one that was split, the sum of its bands."""
    return _tensor(examples).sum(1).detach().cpu().double().numpy()
