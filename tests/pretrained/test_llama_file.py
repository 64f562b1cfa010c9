"""A file of the Llama architecture, as llama.cpp lays it out: read back, it says what the network in it said."""

import pytest
import torch

from attar.adapters.tokens import PART
from attar.pretrained.smollm2 import language_model

transformers = pytest.importorskip("transformers")
pytest.importorskip("tokenizers")

HEADS, SHARED, WIDTH = 4, 2, 32  # heads of 8: of 4, turning them either way would be the same
MERGES = ["Ġ c", "Ġc a", "Ġca t", "1 9"]
PLACES = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def _tokens() -> list[str]:
    from tokenizers import pre_tokenizers

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    return ["<begin>", "<end>", *letters, *(pair.replace(" ", "") for pair in MERGES)]


def _facts() -> dict:
    tokens = _tokens()
    return {
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [3, 3, *[1] * (len(tokens) - 2)],
        "tokenizer.ggml.merges": MERGES,
        "tokenizer.ggml.bos_token_id": 0,
        "tokenizer.ggml.eos_token_id": 1,
        "llama.context_length": 32,
        "llama.vocab_size": len(tokens),
        "llama.embedding_length": WIDTH,
        "llama.feed_forward_length": 24,
        "llama.block_count": 2,
        "llama.attention.head_count": HEADS,
        "llama.attention.head_count_kv": SHARED,
        "llama.attention.layer_norm_rms_epsilon": 1e-3,
        "llama.rope.freq_base": 500.0,
    }


def _network():
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=len(_tokens()),
        hidden_size=WIDTH,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=HEADS,
        num_key_value_heads=SHARED,
        max_position_embeddings=32,
        rms_norm_eps=1e-3,
        rope_parameters={"rope_type": "default", "rope_theta": 500.0},
        tie_word_embeddings=True,
        initializer_range=0.5,
    )
    network = transformers.LlamaForCausalLM(config).eval()
    for each in network.parameters():  # norms begin as ones, which would hide what is mistaken for what
        each.data.add_(0.1 * torch.randn(each.shape))
    return network


def _as_in_the_file(rows: torch.Tensor, heads: int) -> torch.Tensor:
    """Of each head the first number of the first half, the first of the second, the second of the first, and so on."""
    size, found = len(rows) // heads, []
    for head in range(heads):
        for k in range(size // 2):
            found += [rows[head * size + k], rows[head * size + size // 2 + k]]
    return torch.stack(found)


def _weights(network) -> dict[str, torch.Tensor]:
    state, found = network.state_dict(), {}
    found["token_embd.weight"] = state["model.embed_tokens.weight"]
    found["output_norm.weight"] = state["model.norm.weight"]
    for block in range(2):
        for ours, theirs in PLACES.items():
            array = state[f"model.layers.{block}.{ours}.weight"]
            heads = {"attn_q": HEADS, "attn_k": SHARED}.get(theirs)
            found[f"blk.{block}.{theirs}.weight"] = array if heads is None else _as_in_the_file(array, heads)
    return found


def test_the_network_of_a_file_says_what_was_written_says() -> None:
    network = _network()
    language = language_model(_facts(), _weights(network))
    ids = list(range(40, 52))
    inputs, _ = language.fed.of_ids([ids])
    expected = network(input_ids=torch.tensor([ids])).logits[0, -1]
    torch.testing.assert_close(language.model.predict(inputs)[0], expected, rtol=1e-4, atol=1e-5)
    assert not any(each.requires_grad for each in language.network.parameters())
    assert not language.network.training


def test_the_tokenizer_of_a_file_parts_digits_keeps_blanks_and_knows_what_nobody_writes() -> None:
    language = language_model(_facts(), _weights(_network()))
    inputs, written = language.fed.tokens(["a cat 19<end>"])
    assert written[0].pieces == ("a", " cat", " ", "1", "9", "<end>")  # the merge of 1 and 9 is of no use
    assert inputs.special.tolist() == [False] * 5 + [True]
    assert language.end == 1
    assert language.fed.most == 32
    assert language.fed.special == {"<begin>", "<end>"}
    assert len(language.outputs) == len(_tokens())
    assert language.outputs[_tokens().index("Ġcat")] == " cat"
    assert inputs.parts.keys() == {PART}
