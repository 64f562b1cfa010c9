"""Language models of a few hundred weights and a tokenizer of a few dozen words, for tests that need no real ones."""

import functools

import pytest
import torch

transformers = pytest.importorskip("transformers")
tokenizers = pytest.importorskip("tokenizers")

from attar.domains.text.language import LanguageModel  # noqa: E402
from attar.domains.text.read import Fed  # noqa: E402
from attar.domains.text.sentences import SentenceModel  # noqa: E402

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "<end>"]
LETTERS = "abcdefghijklmnopqrstuvwxyz"
WHOLE = ["the", "cat", "dog", "sat", "on", "mat", "snow", "good", "bad", "."]


def wordpiece(*, around: bool = True) -> "tokenizers.Tokenizer":
    """Lower-case words and pieces of them, with [CLS] and [SEP] around each text."""
    vocabulary = [*WORDS, *WHOLE, *LETTERS, *(f"##{each}" for each in LETTERS), "##s"]
    numbered = {word: k for k, word in enumerate(dict.fromkeys(vocabulary))}
    found = tokenizers.Tokenizer(tokenizers.models.WordPiece(vocab=numbered, unk_token="[UNK]"))
    found.normalizer = tokenizers.normalizers.Lowercase()
    found.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    found.add_special_tokens(WORDS[:5])
    if around:
        found.post_processor = tokenizers.processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
        )
    return found


def bytewise() -> "tokenizers.Tokenizer":
    """Every byte a token, a few words with the blank before them too, as language models have them."""
    signs = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    merges, known = [], [*signs]
    for word in ("cat", "dog", "sat", "mat"):
        whole = "Ġ"
        for letter in word:
            if (whole, letter) not in merges:
                merges.append((whole, letter))
                known.append(whole + letter)
            whole += letter
    numbered = {piece: k for k, piece in enumerate(["<end>", *dict.fromkeys(known)])}
    found = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=numbered, merges=merges))
    found.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=False)
    found.decoder = tokenizers.decoders.ByteLevel()
    found.add_special_tokens(["<end>"])
    return found


@functools.cache
def language_model(attention: str = "sdpa", most: int = 64) -> LanguageModel:
    tokenizer = bytewise()
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=most,
        attn_implementation=attention,
        initializer_range=0.5,
    )
    network = transformers.LlamaForCausalLM(config).eval()
    fed = Fed(
        encode=tokenizer,
        embedding=network.get_input_embeddings().weight.detach(),
        most=most,
        model="tiny",
        special=frozenset({"<end>"}),
    )
    return LanguageModel(network=network, fed=fed, end=0)


@functools.cache
def sentence_model() -> SentenceModel:
    tokenizer = wordpiece()
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=64,
        initializer_range=0.5,
    )
    encoder = transformers.BertModel(config, add_pooling_layer=False).eval()
    fed = Fed(
        encode=tokenizer,
        embedding=encoder.get_input_embeddings().weight.detach(),
        most=32,
        model="tiny sentences",
        special=frozenset({"[CLS]", "[SEP]", "[PAD]"}),
    )
    return SentenceModel(encoder=encoder, fed=fed, instead=tokenizer.token_to_id("[MASK]"))
