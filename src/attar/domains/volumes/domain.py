"""Made volumes as a domain: the parts are voxels, motifs are words, groups are descriptions of bodies."""

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
from attar.domains.volumes.control import local_contrast
from attar.domains.volumes.draw import as_json
from attar.domains.volumes.perturb import VolumeMaker
from attar.domains.volumes.truth import FINDER, RULES, SUMS, describe, read_rule, read_sum


@dataclass(frozen=True, kw_only=True)
class Volumes:
    """Volumes of `side` voxels along each axis, `fewest` to `most` bodies. See `attar.core.domain.MadeDomain`."""

    side: int = 16
    fewest: int = 4
    most: int = 6
    name: ClassVar[str] = "volumes"
    example: ClassVar[str] = "volume"
    part: ClassVar[str] = "voxel"
    control: ClassVar[str] = "voxels that stand out from those around them"

    @property
    def finder(self) -> SceneFinder:
        return FINDER

    @property
    def planter(self) -> ScenePlanter:
        return ScenePlanter(finder=FINDER, maker=VolumeMaker(self.side), fewest=self.fewest, most=self.most)

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
        return local_contrast(example)

    def properties(self, examples: Sequence[Scene]) -> Mapping[str, np.ndarray]:
        arrays = np.stack([example.array for example in examples]).astype(float)
        return {
            "bodies": np.array([float(len(example.things)) for example in examples]),
            "covered share": np.array([1 - len(example.bare) / example.size for example in examples]),
            "mean": arrays.mean((1, 2, 3, 4)),
            "standard deviation": arrays.std((1, 2, 3, 4)),
        }

    def key(self, example: Scene) -> str:
        return sha256(example.array.tobytes()).hexdigest()

    def as_json(self, example: Scene) -> dict[str, Any]:
        return as_json(example)

    def encode(self, examples: Sequence[Scene]) -> Tensors:
        """`Float[Tensor, "examples channels depth height width"]`, one channel."""
        arrays = [example.array for example in examples]
        return Tensors(
            torch.from_numpy(
                np.stack(arrays) if arrays else np.zeros((0, 1, self.side, self.side, self.side), dtype=np.float32)
            )
        )
