"""A model of sentences as something that may be asked: what a text is like, and what in it makes it so."""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from jaxtyping import Float
from torch import Tensor, nn

from attar.adapters.tokens import InsteadOf, MeanOfTokens
from attar.adapters.torch import TorchModel
from attar.core.errors import InputError
from attar.core.examples import Examples
from attar.core.model import Chunked
from attar.core.note import counted
from attar.core.target import Target
from attar.domains.text.parts import Pieces
from attar.domains.text.read import Fed, quoted, read_texts

_LIKE = re.compile(r"^like(?:\s+|$)")
_TOGETHER = 32  # texts in one call


@dataclass(frozen=True, eq=False)
class Like(Target):
    """The cosine between a text's embedding and that of `text`, whose embedding is `vector`: from −1 to 1."""

    text: str
    vector: Float[Tensor, " width"]

    def __call__(self, outputs: Float[Tensor, "batch width"]) -> Float[Tensor, " batch"]:
        if outputs.ndim != 2 or outputs.shape[1] != len(self.vector):
            raise InputError(f"{self!r} is about embeddings of {len(self.vector)}, not {tuple(outputs.shape[1:])}")
        return nn.functional.cosine_similarity(outputs, self.vector.to(outputs)[None], dim=1)

    def __repr__(self) -> str:
        return f"Like({self.text!r})"


@dataclass(frozen=True, eq=False, kw_only=True)
class SentenceModel:
    """An encoder of transformers, whose mean over tokens is the embedding of a text, and its tokenizer.

    `model` answers with the embedding of each text. `absent` is what stands for a token that is taken away, and where
    paths begin: the token `instead`, by its id.
    """

    encoder: nn.Module
    fed: Fed
    instead: int

    @cached_property
    def model(self) -> TorchModel:
        return TorchModel(MeanOfTokens(self.encoder))

    @cached_property
    def absent(self) -> InsteadOf:
        return InsteadOf(str(self.fed.encode.id_to_token(self.instead)), self.fed.embedding[self.instead])

    def read(self, source: str | Path, *, by: str | None = None, steps: int | None = None) -> Examples:
        """A text, or a file of some, as examples. Raises `InputError` as `read_texts` and `Fed.tokens` do."""
        if steps is not None:
            raise InputError(f"{self.fed.model} writes nothing: --steps is for language models; leave it out")
        texts, said = read_texts(source)
        inputs, raw = self.fed.tokens(texts)
        return Examples(
            inputs=inputs,
            names=tuple(quoted(text) for text in texts),
            said=f"{said}, {counted(len(inputs.ids), 'token')}",
            domain="text",
            raw=raw,
            features=Pieces(by=by or "words"),
            absent=self.absent,
        )

    def embedded(self, texts: list[str]) -> Float[Tensor, "texts width"]:
        """The embedding of each text, of length 1."""
        return Chunked(self.model, _TOGETHER).predict(self.fed.tokens(texts)[0])

    def target(self, text: str, examples: Examples) -> Target:  # noqa: ARG002
        """`like a dog in winter`: how like that the texts are. Raises `InputError` where nothing is said."""
        other = _LIKE.sub("", text.strip()).strip()
        if other.lower() in ("", "predicted"):
            raise InputError(
                f"{self.fed.model} says how like another text one is: name that, as in --target 'like a dog in winter'"
            )
        return Like(other, self.embedded([other])[0])


class Classes(nn.Module):
    """Scores of classes from the embedding of a text: a linear head on a model of sentences."""

    def __init__(self, sentences: MeanOfTokens, weight: Float[Tensor, "classes width"], bias: Tensor) -> None:
        super().__init__()
        self.sentences = sentences
        self.head = nn.Linear(weight.shape[1], weight.shape[0])
        self.head.load_state_dict({"weight": weight, "bias": bias})

    def forward(self, inputs_embeds: Tensor, attention_mask: Tensor) -> Float[Tensor, "batch classes"]:
        return self.head(self.sentences(inputs_embeds, attention_mask))
