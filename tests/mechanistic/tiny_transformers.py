"""Models of transformers with a few hundred random weights, one of each family that is known, and one that is not."""

import functools

import pytest
import torch

transformers = pytest.importorskip("transformers")

_SIZE = {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4}
_MORE = {"intermediate_size": 24, "max_position_embeddings": 64, "initializer_range": 0.4}


@functools.cache
def made(family: str):
    torch.manual_seed(0)
    match family:
        case "llama":
            config = transformers.LlamaConfig(**_SIZE, **_MORE, num_key_value_heads=2)
            found = transformers.LlamaForCausalLM(config)
        case "qwen2":
            config = transformers.Qwen2Config(**_SIZE, **_MORE, num_key_value_heads=2)
            found = transformers.Qwen2ForCausalLM(config)
        case "gpt2":
            config = transformers.GPT2Config(
                vocab_size=50, n_embd=16, n_layer=2, n_head=4, n_positions=64, initializer_range=0.4
            )
            found = transformers.GPT2LMHeadModel(config)
        case "neox":
            config = transformers.GPTNeoXConfig(**_SIZE, **_MORE)
            found = transformers.GPTNeoXForCausalLM(config)
        case "gemma":
            config = transformers.GemmaConfig(**_SIZE, **_MORE, num_key_value_heads=2, head_dim=4)
            found = transformers.GemmaForCausalLM(config)
        case "gemma2":
            config = transformers.Gemma2Config(**_SIZE, **_MORE, num_key_value_heads=2, head_dim=4)
            found = transformers.Gemma2ForCausalLM(config)
        case _:
            raise AssertionError(family)
    with torch.no_grad():  # biases and norms that are not where they begin
        for name, weight in found.named_parameters():
            if name.endswith("bias") or "norm" in name or "ln_" in name:
                weight.add_(0.3 * torch.randn_like(weight))
    return found.eval()


KNOWN = ("llama", "qwen2", "gpt2", "neox", "gemma")


def ids(texts: int = 3, tokens: int = 7) -> torch.Tensor:
    return torch.randint(0, 50, (texts, tokens), generator=torch.Generator().manual_seed(1))
