"""Made signals as a domain: the parts are samples, motifs are events, groups are descriptions of events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, ClassVar

import numpy as np
import torch

from attar.core.inputs import Tensors
from attar.core.rule import Rule
from attar.core.scene import Scene
from attar.core.scene_edit import SceneEditor, ScenePlanter
from attar.core.scene_truth import SceneFinder
from attar.core.weighted_sum import WeightedSum
from attar.domains.waveforms.control import local_energy
from attar.domains.waveforms.draw import as_json
from attar.domains.waveforms.perturb import SignalMaker
from attar.domains.waveforms.truth import FINDER, RULES, SUMS, describe, read_rule, read_sum


@dataclass(frozen=True, kw_only=True)
class Waveforms:
    """Signals of `samples`, `rate` of them per second, with `fewest` to `most` events.

    See `attar.core.domain.MadeDomain`.
    """

    samples: int = 256
    rate: float = 128.0
    fewest: int = 4
    most: int = 5
    name: ClassVar[str] = "waveforms"
    example: ClassVar[str] = "signal"
    part: ClassVar[str] = "sample"
    control: ClassVar[str] = "samples where much moves at once"

    @property
    def finder(self) -> SceneFinder:
        return FINDER

    @property
    def planter(self) -> ScenePlanter:
        return ScenePlanter(
            finder=FINDER, maker=SignalMaker(self.samples, self.rate), fewest=self.fewest, most=self.most
        )

    @property
    def editor(self) -> SceneEditor:
        return SceneEditor(FINDER, self.planter, describe)

    @property
    def rules(self) -> Mapping[str, str]:
        return RULES

    @property
    def sums(self) -> Mapping[str, str]:
        return SUMS

    def read_rule(self, text: str) -> Rule:
        return read_rule(text)

    def read_sum(self, text: str) -> WeightedSum:
        return read_sum(text)

    def size(self, example: Scene) -> int:
        return example.size

    def trivial(self, example: Scene) -> np.ndarray:
        return local_energy(example)

    def properties(self, examples: Sequence[Scene]) -> Mapping[str, np.ndarray]:
        arrays = np.stack([example.array for example in examples]).astype(float)
        return {
            "events": np.array([float(len(example.things)) for example in examples]),
            "covered share": np.array([1 - len(example.bare) / example.size for example in examples]),
            "mean": arrays.mean((1, 2)),
            "standard deviation": arrays.std((1, 2)),
            "roughness (mean step)": np.abs(np.diff(arrays)).mean((1, 2)),
        }

    def key(self, example: Scene) -> str:
        return sha256(example.array.tobytes()).hexdigest()

    def as_json(self, example: Scene) -> dict[str, Any]:
        return as_json(example, self.rate)

    def encode(self, examples: Sequence[Scene]) -> Tensors:
        """`Float[Tensor, "examples channels samples"]`, one channel."""
        arrays = [example.array for example in examples]
        return Tensors(
            torch.from_numpy(np.stack(arrays) if arrays else np.zeros((0, 1, self.samples), dtype=np.float32))
        )
