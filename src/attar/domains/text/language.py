"""A causal language model as something that may be asked: texts in, targets in words, what follows and how sure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attar.adapters.tokens import InsteadOf, NextToken, visible
from attar.adapters.torch import TorchModel
from attar.core.errors import InputError
from attar.core.examples import Examples
from attar.core.note import counted, listed
from attar.core.target import Difference, Logit, LogProbability, Target
from attar.domains.text.parts import Pieces
from attar.domains.text.read import Fed, Written, quoted, read_texts

_RATHER = re.compile(r"\s+rather than(?:\s+|$)")
_SAID = 3  # tokens that a model is quoted with
_STEPS = 200  # tokens that may be written at once


@dataclass(frozen=True, eq=False, kw_only=True)
class LanguageModel:
    """A causal language model of transformers and its tokenizer, unmodified.

    `model` answers with the logits of the token that follows each text. `end` is the token that ends texts, by its id.
    """

    network: nn.Module
    fed: Fed
    end: int | None = None

    @classmethod
    def of(cls, network: Any, tokenizer: Any, *, name: str = "the model") -> "LanguageModel":
        """From transformers: a model with a language head, and a fast tokenizer or one of tokenizers. Raises
        `InputError` for a tokenizer that says no offsets."""
        backend = getattr(tokenizer, "backend_tokenizer", tokenizer)
        if not hasattr(backend, "encode_batch"):
            raise InputError(f"the tokenizer is a {type(tokenizer).__name__}, expected a fast one of transformers")
        known = [each.content for each in backend.get_added_tokens_decoder().values() if each.special]
        fed = Fed(
            encode=backend,
            embedding=network.get_input_embeddings().weight.detach(),
            most=int(getattr(network.config, "max_position_embeddings", 2**31)),
            model=name,
            special=frozenset(known),
        )
        return cls(network=network, fed=fed, end=getattr(tokenizer, "eos_token_id", None))

    @cached_property
    def model(self) -> TorchModel:
        return TorchModel(NextToken(self.network))

    @cached_property
    def absent(self) -> InsteadOf:
        """What stands for a token that is taken away, and where paths begin: the mean of all embeddings, which is no
        token. `bench/text.py` has it beside others: a token that ends texts is worse, for what follows one begins anew.
        """
        return InsteadOf("the mean of all tokens", self.fed.embedding.mean(0))

    @property
    def outputs(self) -> "Vocabulary":
        return Vocabulary(self.fed)

    def read(self, source: str | Path, *, steps: int | None = None, by: str | None = None) -> Examples:
        """A text, or a file of some, as examples; with `steps` the one text and what the model writes after it, token
        by token, each an example of its own. Raises `InputError` as `read_texts` and `Fed.tokens` do."""
        texts, said = read_texts(source)
        if steps is None:
            inputs, raw = self.fed.tokens(texts)
            count, follow = len(inputs.ids), ""
            names = tuple(quoted(text) for text in texts)
        else:
            inputs, raw = self._written(texts, steps)
            count = len(raw[0].ids)
            follow = ", and the one that follows" if len(raw) == 1 else f", and the {len(raw)} that follow"
            names = tuple(f"→ {visible(self.outputs[int(each.next)])}" for each in raw if each.next is not None)
        return Examples(
            inputs=inputs,
            names=names,
            said=f"{said}, {counted(count, 'token')}{follow}",
            domain="text",
            raw=raw,
            features=Pieces(by=by or "tokens"),
            absent=self.absent,
        )

    def _written(self, texts: Sequence[str], steps: int) -> tuple[Any, tuple[Written, ...]]:
        """The text before each token that the model writes after it, always the likeliest, until it ends the text."""
        if len(texts) > 1:
            raise InputError(f"there are {len(texts)} texts, and steps follow one: name it")
        if not 1 <= steps <= _STEPS:
            raise InputError(f"steps is {steps}, expected 1 to {_STEPS} tokens")
        inputs, raw = self.fed.tokens(texts)
        ids, found = inputs.ids.tolist(), []
        for _ in range(steps):
            inputs, raw = self.fed.of_ids([*[each.ids for each in found], ids])
            last = inputs.take(torch.tensor([len(found)]))
            following = int(self.model.predict(last)[0].argmax())
            found.append(replace(raw[-1], next=following))
            if following == self.end:
                break
            ids = [*ids, following]
        return inputs, tuple(found)

    def target(self, text: str, examples: Examples) -> Target | None:
        """`Paris`: the log-probability of the token that begins so; `Paris rather than London`: the difference of two
        logits, which says what speaks for the one and against the other; `#7042`: of a token by its id; `predicted`: of
        the likeliest after each text.

        A word is looked for as it would follow the texts: with a blank before it unless they end in one. Raises
        `InputError` where two words begin with the same token.
        """
        words = text.strip()
        if words.lower() in ("predicted", ""):
            return LogProbability()
        this, *others = _RATHER.split(words, maxsplit=1)
        one = self.first(this, examples)
        if not others:
            return LogProbability(one)
        (that,) = others
        other = self.first(that, examples)
        if one == other:
            raise InputError(f"{this!r} and {that!r} both begin with the token {self.outputs[one]!r}: name others")
        return Difference(Logit(one), Logit(other))

    def first(self, word: str, examples: Examples) -> int:
        """The token that a word begins with where it follows these texts."""
        word = word.strip()
        if word.startswith("#") and word[1:].isdecimal():
            if int(word[1:]) >= len(self.outputs):
                raise InputError(f"there is no token {word}; there are #0 to #{len(self.outputs) - 1}")
            return int(word[1:])
        open_ended = [each.text for each in examples.raw if not each.text[-1:].isspace()]
        ids = self.fed.encode.encode(f" {word}" if open_ended else word, add_special_tokens=False).ids
        if not word or not ids:
            raise InputError(f"the target {word!r} is no token: write a word, or #7042 for a token by its id")
        return ids[0]

    def remarks(self, examples: Examples, outputs: Float[Tensor, "batch vocabulary"]) -> Sequence[str]:
        """What the model expects, and how sure it is."""
        said = []
        for row, written in list(zip(outputs, examples.raw, strict=True))[:_SAID]:
            chances = row.softmax(0)
            likely = chances.argsort(descending=True, stable=True)[:_SAID].tolist()
            what = listed([f"“{visible(self.outputs[k])}” {float(chances[k]):.2f}" for k in likely])
            said.append(f"it says, after {quoted(written.text)}: {what}")
        return said


@dataclass(frozen=True, eq=False)
class Vocabulary(Sequence[str]):
    """How each token reads, by its id."""

    fed: Fed

    def __len__(self) -> int:
        return len(self.fed.embedding)

    def __getitem__(self, token: Any) -> Any:
        if isinstance(token, slice):
            return [self[k] for k in range(*token.indices(len(self)))]
        return self.fed.piece(token)
