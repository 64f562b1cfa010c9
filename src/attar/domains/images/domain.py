"""Made pictures as a domain: the parts are pixels, motifs are words, groups are descriptions of shapes."""

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
from attar.domains.images.control import edge_strength
from attar.domains.images.draw import as_json
from attar.domains.images.perturb import PictureMaker
from attar.domains.images.truth import FINDER, RULES, SUMS, describe, read_rule, read_sum


@dataclass(frozen=True, kw_only=True)
class Images:
    """Pictures of `side` × `side` pixels with `fewest` to `most` shapes. See `attar.core.domain.MadeDomain`."""

    side: int = 32
    fewest: int = 4
    most: int = 6
    name: ClassVar[str] = "images"
    example: ClassVar[str] = "picture"
    part: ClassVar[str] = "pixel"
    control: ClassVar[str] = "edges"

    @property
    def finder(self) -> SceneFinder:
        return FINDER

    @property
    def planter(self) -> ScenePlanter:
        return ScenePlanter(finder=FINDER, maker=PictureMaker(self.side), fewest=self.fewest, most=self.most)

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
        return edge_strength(example)

    def properties(self, examples: Sequence[Scene]) -> Mapping[str, np.ndarray]:
        arrays = np.stack([example.array for example in examples]).astype(float)
        return {
            "shapes": np.array([float(len(example.things)) for example in examples]),
            "covered share": np.array([1 - len(example.bare) / example.size for example in examples]),
            "mean brightness": arrays.mean((1, 2, 3)),
            "contrast (standard deviation)": arrays.std((1, 2, 3)),
        }

    def key(self, example: Scene) -> str:
        return sha256(example.array.tobytes()).hexdigest()

    def as_json(self, example: Scene) -> dict[str, Any]:
        return as_json(example)

    def encode(self, examples: Sequence[Scene]) -> Tensors:
        """`Float[Tensor, "examples channels height width"]`, channels red, green and blue."""
        arrays = [example.array for example in examples]
        return Tensors(
            torch.from_numpy(np.stack(arrays) if arrays else np.zeros((0, 3, self.side, self.side), dtype=np.float32))
        )
