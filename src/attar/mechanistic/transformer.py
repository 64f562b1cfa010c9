"""Where a transformer keeps its parts: found on an unmodified module, and checked before anything is said of them.

A transformer whose norms stand before what they are for writes into one stream: what the embedding puts there, each
head and each multilayer perceptron add to, and the unembedding reads it through a last norm. Source: Elhage et al.
2021, "A mathematical framework for transformer circuits".
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attar.core.errors import InputError, UnsupportedError
from attar.core.note import listed

_CLOSE = 1e-4  # of the stream's size, that what was written into it may miss


@dataclass(frozen=True)
class Family:
    """What the modules of an architecture are called: those of the whole, and those within a block."""

    name: str
    blocks: str
    norm: str
    unembedding: str
    attention: str
    out: str
    mlp: str
    heads: str = "num_attention_heads"
    shared: str = "num_key_value_heads"


FAMILIES = (
    Family("Llama", "model.layers", "model.norm", "lm_head", "self_attn", "self_attn.o_proj", "mlp"),
    Family("GPT-2", "transformer.h", "transformer.ln_f", "lm_head", "attn", "attn.c_proj", "mlp"),
    Family(
        "GPT-NeoX", "gpt_neox.layers", "gpt_neox.final_layer_norm", "lm_head", "attention", "attention.dense", "mlp"
    ),
)
"""Llama's names are those of Qwen, Mistral, SmolLM and Gemma 1 too. Of a family whose norms stand elsewhere (Gemma 2)
the writers do not add up to the stream, which `Transformer.check` sees."""


@dataclass(frozen=True, eq=False)
class Transformer:
    """A causal language model and where its parts are; the module is not touched.

    Sites are `embed`; `3.before` and `3.after`, the stream around block 3; `3.heads` (batch, tokens, heads, width of a
    head), what the heads of block 3 found before it is written; `3.attention` and `3.mlp`, what they write; `final`,
    the stream before the last norm. Blocks, heads and tokens are counted from 0. The names of TransformerLens mean
    the same (`aliases`). `heads` share `shared` keys and values.
    """

    module: nn.Module
    family: Family
    blocks: tuple[str, ...]
    heads: int
    shared: int

    @property
    def sites(self) -> tuple[str, ...]:
        of_blocks = (f"{k}.{what}" for k in range(len(self.blocks)) for what in _OF_A_BLOCK)
        return ("embed", *of_blocks, "final")

    def site(self, name: str) -> str:
        """The site of that name, or of that name in TransformerLens. Raises `InputError` for one that is none."""
        found = aliases(len(self.blocks)).get(name, name)
        if found not in self.sites:
            raise InputError(
                f"there is no site {name!r}; there is embed, 0.before, 0.heads, 0.attention, 0.mlp, 0.after to "
                f"{len(self.blocks) - 1}.after, and final"
            )
        return found

    def where(self, site: str) -> tuple[nn.Module, str]:
        """The module of a site, and whether it is its input or its output."""
        if site == "embed":
            return self.part(self.blocks[0]), "input"
        if site == "final":
            return self.part(self.family.norm), "input"
        number, what = site.split(".")
        block = self.blocks[int(number)]
        if what in ("before", "after"):
            return self.part(block), "input" if what == "before" else "output"
        named = {"heads": self.family.out, "attention": self.family.out, "mlp": self.family.mlp}[what]
        return self.part(f"{block}.{named}"), "input" if what == "heads" else "output"

    def part(self, name: str) -> nn.Module:
        return self.module.get_submodule(name)

    def weight(self, block: int) -> Float[Tensor, "heads head width"]:
        """How each head of a block writes what it found into the stream."""
        weight = _matrix(self.part(f"{self.blocks[block]}.{self.family.out}"))
        return weight.T.unflatten(0, (self.heads, -1))

    def bias(self, block: int) -> Float[Tensor, " width"] | None:
        """What a block's attention writes whatever its heads found."""
        bias = getattr(self.part(f"{self.blocks[block]}.{self.family.out}"), "bias", None)
        return None if bias is None else bias.detach()

    @property
    def unembedding(self) -> Float[Tensor, "vocabulary width"]:
        return _matrix(self.part(self.family.unembedding))

    def writers(self, seen: Mapping[str, Tensor]) -> Iterator[tuple[str, Float[Tensor, "batch tokens width"]]]:
        """What each part wrote into the stream, of a recording of `writing_sites`: the embedding, every head by itself
        (`3.head.5`), what a bias adds (`3.attention.bias`), every multilayer perceptron."""
        yield "embed", seen["embed"]
        for k in range(len(self.blocks)):
            weight = self.weight(k).to(seen["embed"].dtype)
            for h in range(self.heads):
                yield f"{k}.head.{h}", seen[f"{k}.heads"][:, :, h] @ weight[h]
            if (bias := self.bias(k)) is not None:
                yield f"{k}.attention.bias", bias.expand_as(seen["embed"])
            yield f"{k}.mlp", seen[f"{k}.mlp"]

    @property
    def writing_sites(self) -> tuple[str, ...]:
        of_blocks = (f"{k}.{what}" for k in range(len(self.blocks)) for what in ("heads", "mlp"))
        return ("embed", *of_blocks, "final")

    def check(self, seen: Mapping[str, Tensor]) -> float:
        """How far what was written misses the stream before the last norm, as a share of its size. Raises
        `UnsupportedError` where it is more than 1e-4: then nothing that is said of the parts would be so."""
        total = torch.zeros_like(seen["final"])
        for _, written in self.writers(seen):
            total = total + written
        missed = float((total - seen["final"]).abs().max() / seen["final"].abs().max().clamp(min=1e-12))
        if not missed <= _CLOSE:
            raise UnsupportedError(
                f"what the parts write misses the stream by {missed:.2g} of its size: this {self.family.name}-like "
                "model has norms behind its parts, or scales what they write, and cannot be taken apart so"
            )
        return missed


_OF_A_BLOCK = ("before", "heads", "attention", "mlp", "after")


def transformer(module: nn.Module) -> Transformer:
    """The parts of a causal language model of transformers, found by what its modules are called.

    Raises `UnsupportedError` for a module of no known family, and for one whose heads do not fit its weights.
    """
    for family in FAMILIES:
        blocks = _named(module, family)
        if blocks is None:
            continue
        config: Any = getattr(module, "config", None)
        heads = int(getattr(config, family.heads))
        shared = int(getattr(config, family.shared, None) or heads)
        found = Transformer(module=module, family=family, blocks=blocks, heads=heads, shared=shared)
        inward = _matrix(found.part(f"{blocks[0]}.{family.out}")).shape[1]
        if inward % heads:
            raise UnsupportedError(f"{heads} heads do not divide the {inward} numbers that attention writes")
        return found
    known = listed([f"{family.name} ({family.blocks})" for family in FAMILIES])
    raise UnsupportedError(
        f"a {type(module).__name__} is none of the transformers that are known by the names of their parts: {known}"
    )


def aliases(blocks: int) -> Mapping[str, str]:
    """The names that TransformerLens has for sites, and ours."""
    theirs = {
        "hook_resid_pre": "before",
        "attn.hook_z": "heads",
        "hook_attn_out": "attention",
        "hook_mlp_out": "mlp",
        "hook_resid_post": "after",
    }
    return {f"blocks.{k}.{name}": f"{k}.{ours}" for k in range(blocks) for name, ours in theirs.items()}


def _named(module: nn.Module, family: Family) -> tuple[str, ...] | None:
    """The names of the blocks, where all that the family names is there."""
    try:
        blocks = [f"{family.blocks}.{name}" for name, _ in module.get_submodule(family.blocks).named_children()]
        for name in (family.norm, family.unembedding):
            module.get_submodule(name)
        for block in blocks:
            for name in (family.attention, family.out, family.mlp):
                module.get_submodule(f"{block}.{name}")
    except AttributeError:
        return None
    return tuple(blocks) or None


def _matrix(linear: nn.Module) -> Float[Tensor, "outward inward"]:
    """The weight of a linear layer; that of GPT-2's is kept the other way round."""
    weight: Any = linear.weight
    return weight.detach().T if type(linear).__name__ == "Conv1D" else weight.detach()
