"""Files of signals, WAV, CSV and EDF → what a model of signals is asked about."""

import math
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from scipy.io import wavfile
from scipy.signal import resample_poly

from attar.core.errors import InputError, UnsupportedError
from attar.core.examples import Examples
from attar.core.files import first_bytes
from attar.core.inputs import Tensors
from attar.core.note import counted, listed
from attar.core.tables import read_table
from attar.domains.waveforms.parts import Stretches

WAV, TABLES, EDF = (".wav", ".wave"), (".csv", ".tsv", ".txt"), (".edf", ".bdf")
SUFFIXES = (*WAV, *TABLES, *EDF)
_TIME = re.compile(r"(t|time|seconds?|sec|s)\s*([\[(](s|sec|seconds?)[\])])?", re.IGNORECASE)
_EVEN = 0.5  # of a step: how far times in a file may be from even ones (they are rounded there)
_PARTS = 50  # stretches that a signal is cut into for methods that take parts away
_SAME = 1e-6


@dataclass(frozen=True, kw_only=True)
class Listen:
    """How a signal is read. `rate` is that of the model, in samples per second (None: the file's), `shortest` the
    fewest samples that it takes, `unit` what its numbers are. A file of another rate is refused, or brought to this one
    where `resample` says so. `column` names a column of a table or a channel of EDF; `given` is the rate of a table
    without a column of times."""

    rate: float | None = None
    shortest: int = 2
    unit: str = "full scale"
    resample: bool = False
    column: str | None = None
    given: float | None = None


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What a person is shown of a signal besides its samples: their `rate` per second and their `unit`."""

    rate: float
    unit: str


def read_waveform(path: str | Path, listen: Listen | None = None) -> Examples:
    """The signal in a file as a batch of one, (1, 1, samples); `raw` holds what it is (`Heard`).

    Whole numbers of WAV are brought to −1 to 1 by the range of their width; the channels of WAV are averaged. Raises
    `InputError` for what is no such file, cut short, empty, too short, silent throughout or holds NaN, and for another
    rate than the model's.
    """
    listen = listen or Listen()
    first_bytes(path, suffixes=SUFFIXES)
    ending = Path(path).suffix.lower()
    if ending in WAV:
        samples, rate, said = _wav(path)
    elif ending in EDF:
        samples, rate, said = _edf(path, listen)
    elif ending in TABLES:
        samples, rate, said = _table(path, listen)
    else:
        raise InputError(f"{path} is no signal by its name: expected one that ends in {', '.join(SUFFIXES)}")
    if bad := int((~np.isfinite(samples)).sum()):
        raise InputError(f"{path} has {counted(bad, 'sample')} that are NaN or infinite: cut them out or fill them")
    if not len(samples):
        raise InputError(f"{path} holds no samples: record or export it again")
    said.insert(0, f"{len(samples) / rate:.4g} s of {rate:g} samples per second")
    if listen.rate is not None and abs(rate - listen.rate) > _SAME * listen.rate:
        if not listen.resample:
            raise InputError(
                f"{path} has {rate:g} samples per second, and this model takes {listen.rate:g}: resample it (sox IN -r "
                f"{listen.rate:g} OUT), or have it done with --resample"
            )
        samples = _resampled(samples, rate, listen.rate)
        lost = f"; there is nothing above {rate / 2:g} Hz in it" if rate < listen.rate else ""
        said.append(f"resampled to {listen.rate:g}{lost}")
        rate = listen.rate
    if len(samples) < listen.shortest:
        raise InputError(
            f"{path} is too short: {counted(len(samples), 'sample')} ({len(samples) / rate:.3g} s), and this model "
            f"takes {listen.shortest} or more ({listen.shortest / rate:.3g} s)"
        )
    if samples.min() == samples.max():
        raise InputError(f"all samples of {path} are {samples[0]:g}: there is nothing to explain")
    values = torch.from_numpy(samples.astype(np.float32))[None, None]
    return Examples(
        inputs=Tensors(values),
        names=(Path(path).name,),
        said=", ".join(said),
        domain="waveforms",
        raw=(Heard(rate=rate, unit=listen.unit),),
        features=Stretches(seconds=_tidy(len(samples) / rate / _PARTS), rate=rate),
    )


def _wav(path: str | Path) -> tuple[Float[np.ndarray, " samples"], float, list[str]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", wavfile.WavFileWarning)
        warnings.filterwarnings("error", "Reached EOF prematurely", wavfile.WavFileWarning)
        try:
            rate, held = wavfile.read(path)
        except Exception as problem:  # whatever the reader meets in a file that is none
            raise InputError(
                f"{path} is no WAV file that opens (damaged, cut short, or packed?): save it as WAV of 16 bits"
            ) from problem
    if held.dtype == np.uint8:
        samples = (held.astype(np.float64) - 128) / 128
    elif held.dtype.kind == "i":  # 24 bits come in the upper part of 32
        samples = held.astype(np.float64) / -float(np.iinfo(held.dtype).min)
    else:
        samples = held.astype(np.float64)
    channels = samples[:1].size or 1
    samples = samples.reshape(len(samples), channels)
    return samples.mean(1), float(rate), [f"the mean of {channels} channels"] if channels > 1 else []


def _edf(path: str | Path, listen: Listen) -> tuple[Float[np.ndarray, " samples"], float, list[str]]:
    try:
        from pyedflib import EdfReader
    except ImportError as problem:
        raise UnsupportedError("EDF files need pyEDFlib: pip install 'attar[waveforms]'") from problem
    try:
        reader = EdfReader(str(path))
    except OSError as problem:
        raise InputError(f"{path} is no EDF file that opens: {str(problem).rpartition(': ')[2]}") from problem
    with reader as file:
        labels = [label.strip() for label in file.getSignalLabels()]
        k = _chosen(labels, listen.column, f"{path} has {counted(len(labels), 'channel')}", "channel")
        samples, rate, unit = file.readSignal(k), file.getSampleFrequency(k), file.getPhysicalDimension(k).strip()
    return samples, float(rate), [f"channel {labels[k]}" + (f" in {unit}" if unit else "")]


def _table(path: str | Path, listen: Listen) -> tuple[Float[np.ndarray, " samples"], float, list[str]]:
    table = read_table(path)
    names = list(table.columns)
    if len(names) == 1 and _number(names[0]) is not None:
        raise InputError(f"{path} begins with a number: give its column a name in a first line")
    times = [name for name in names if _TIME.fullmatch(name.strip())]
    others = [name for name in names if name not in times]
    k = _chosen(others, listen.column, f"{path} has {counted(len(others), 'column')} besides time", "column")
    samples = _numbers(table.columns[others[k]], others[k], path)
    if times:
        return (
            samples,
            _rate(_numbers(table.columns[times[0]], times[0], path), times[0], path),
            [f"column {others[k]}"],
        )
    if listen.given is None:
        raise InputError(
            f"{path} does not say how many samples a second has: add a column of seconds called time, or give --rate"
        )
    return samples, listen.given, [f"column {others[k]}"]


def _chosen(names: Sequence[str], wanted: str | None, here: str, noun: str) -> int:
    if wanted is None:
        if len(names) == 1:
            return 0
        raise InputError(f"{here}: name one with --signal, of {listed(names)}" if names else f"{here}: no {noun}")
    if wanted not in names:
        raise InputError(f"{here}, none of which is called {wanted!r}: there is {listed(names)}")
    return names.index(wanted)


def _numbers(cells: Sequence[str], name: str, path: str | Path) -> Float[np.ndarray, " samples"]:
    numbers = [_number(cell) for cell in cells]
    if None in numbers:
        at = numbers.index(None)
        raise InputError(f"{path}, column {name!r}, holds {cells[at]!r} in its sample {at + 1}, expected a number")
    return np.array(numbers, dtype=np.float64)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _rate(times: Float[np.ndarray, " samples"], name: str, path: str | Path) -> float:
    steps = np.diff(times)
    if not len(steps) or not np.isfinite(steps).all() or steps.min() <= 0:
        raise InputError(f"{path}, column {name!r}: times do not go up, expected seconds, one after the other")
    step = float(times[-1] - times[0]) / len(steps)
    if float(np.abs(times - times[0] - step * np.arange(len(times))).max()) > _EVEN * step:
        raise InputError(f"{path}, column {name!r}: times are not evenly spaced: bring the signal to one rate")
    return float(f"{1 / step:.6g}")


def _resampled(samples: Float[np.ndarray, " samples"], rate: float, wanted: float) -> Float[np.ndarray, " samples"]:
    ratio = Fraction(wanted / rate).limit_denominator(100_000)
    return resample_poly(samples, ratio.numerator, ratio.denominator)


def _tidy(seconds: float) -> float:
    """The length a person would choose near this one: 1, 2 or 5 of some power of ten."""
    power = 10.0 ** math.floor(math.log10(seconds))
    return float(f"{min((1, 2, 5, 10), key=lambda times: abs(times * power - seconds)) * power:.6g}")
