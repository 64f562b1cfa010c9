"""A language model that is asked: targets in words, what it writes step by step, what it says of itself."""

import pytest
import tokenizers
import torch

import attar
from attar.adapters.tokens import PART
from attar.core.target import Difference, LogProbability
from attar.domains.text.language import LanguageModel
from attar.domains.text.parts import Pieces
from attar.methods.occlusion import Occlusion
from tiny_language import bytewise, language_model


def _token(piece: str) -> int:
    return bytewise().token_to_id(piece)


def test_targets_in_words_are_tokens_as_they_would_follow():
    language = language_model()
    ended, open_ = language.read("the cat "), language.read("the cat")
    assert language.target("sat", open_) == LogProbability(_token("Ġsat"))
    assert language.target("sat", ended) == LogProbability(_token("s"))
    assert language.target("#7", open_) == LogProbability(7)
    assert language.target("Predicted ", open_) == language.target("", open_) == LogProbability()
    both = language.target("dog rather than mat", open_)
    assert isinstance(both, Difference)
    once = language.target("dog rather than mat rather than cat", open_)
    assert repr(once) == repr(both)  # of what follows the first "rather than" the first token
    assert repr(both) == f"Difference(this=Logit(index={_token('Ġdog')}), that=Logit(index={_token('Ġmat')}))"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("dog rather than dog", "'dog' and 'dog' both begin with the token ' dog': name others"),
        ("#99999", r"there is no token #99999; there are #0 to #\d+"),
        ("dog rather than ", r"the target '' is no token"),
        (f"#{bytewise().get_vocab_size()}", "there is no token #"),
    ],
)
def test_targets_that_are_none_are_refused(text, said):
    language = language_model()
    with pytest.raises(attar.InputError, match=said):
        language.target(text, language.read("the cat"))


def test_what_a_tokenizer_puts_before_a_text_is_not_what_a_word_begins_with():
    tokenizer = bytewise()
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single="<end> $A", special_tokens=[("<end>", 0)]
    )
    language = LanguageModel.of(language_model().network, tokenizer)
    examples = language.read("the cat")
    assert examples.inputs.special.tolist()[:2] == [True, False]
    assert language.target("sat", examples) == LogProbability(_token("Ġsat"))


def test_absence_is_the_mean_of_all_embeddings_and_parts_are_those_asked_for():
    language = language_model()
    torch.testing.assert_close(language.absent.row, language.fed.embedding.sum(0) / len(language.fed.embedding))
    assert language.read("the cat").features == Pieces(by="tokens")
    assert language.read("the cat", by="words").features == Pieces(by="words")


def test_the_tokens_of_the_text_are_counted_and_then_those_that_follow():
    language = language_model()
    count = len(language.fed.tokens(["the cat"])[1][0].ids)
    assert language.read("the cat").said == f"1 text, {count} tokens"
    examples = language.read("the cat", steps=3)
    assert examples.said == f"1 text, {count} tokens, and the 3 that follow"
    assert language.read("the cat", steps=1).said == f"1 text, {count} tokens, and the one that follows"


def test_the_log_probability_is_what_transformers_says():
    language = language_model()
    examples = language.read("the cat")
    target = language.target("sat", examples)
    assert target is not None
    logits = language.network(input_ids=torch.tensor([examples.raw[0].ids])).logits[0, -1]
    expected = logits.log_softmax(0)[_token("Ġsat")]
    torch.testing.assert_close(target(language.model.predict(examples.inputs))[0], expected, rtol=1e-4, atol=1e-5)


def test_what_is_written_is_what_generate_writes():
    language = language_model()
    examples = language.read("the cat", steps=6)
    start = torch.tensor([language.fed.encode.encode("the cat").ids])
    whole = language.network.generate(start, max_new_tokens=6, do_sample=False, eos_token_id=0, pad_token_id=0)
    following = whole[0, start.shape[1] :].tolist()
    assert [each.next for each in examples.raw] == following
    for k, each in enumerate(examples.raw):
        assert list(each.ids) == whole[0, : start.shape[1] + k].tolist()
    assert examples.inputs.lengths.tolist() == [len(each.ids) for each in examples.raw]
    assert len(set(examples.names)) >= 1
    assert all(name.startswith("→ ") for name in examples.names)


def test_each_step_is_explained_as_if_it_were_asked_by_itself():
    language = language_model()
    examples = language.read("the cat", steps=3)
    method = Occlusion(by=Pieces(by="tokens"), baseline=language.absent)
    steps = attar.attribute(language.model, examples.inputs, method, LogProbability())
    last = examples.raw[2]
    inputs, _ = language.fed.of_ids([last.ids])
    one = attar.attribute(language.model, inputs, method, LogProbability(int(last.next or 0)))
    torch.testing.assert_close(
        steps.parts["tokens"][steps.owners["tokens"] == 2], one.parts["tokens"], rtol=1e-3, atol=1e-4
    )


def test_writing_ends_where_the_model_ends_the_text():
    language = language_model()
    first = language.read("the cat", steps=1).raw[0].next
    ending = LanguageModel(network=language.network, fed=language.fed, end=first)
    assert len(ending.read("the cat", steps=5).raw) == 1


def test_steps_are_of_one_text_and_of_some_tokens(tmp_path):
    table = tmp_path / "texts.csv"
    table.write_text("text\nthe cat\na dog\n")
    language = language_model()
    with pytest.raises(attar.InputError, match="there are 2 texts, and steps follow one"):
        language.read(table, steps=2)
    with pytest.raises(attar.InputError, match="steps is 0, expected 1 to 200 tokens"):
        language.read("the cat", steps=0)


def test_a_model_and_its_tokenizer_from_transformers():
    from transformers import PreTrainedTokenizerFast

    fast = PreTrainedTokenizerFast(tokenizer_object=bytewise(), eos_token="<end>")
    language = LanguageModel.of(language_model().network, fast, name="mine")
    assert language.end == 0
    assert language.fed.special == {"<end>"}
    more = bytewise()
    more.add_tokens(["snow"])  # a word that was added later is a word
    assert LanguageModel.of(language_model().network, more).fed.special == {"<end>"}
    assert language.fed.most == 64
    ours = language_model().read("the cat")
    torch.testing.assert_close(language.read("the cat").inputs.embedded, ours.inputs.embedded)
    with pytest.raises(attar.InputError, match="the tokenizer is a str, expected a fast one"):
        LanguageModel.of(language_model().network, "words")


def test_what_it_says_is_the_likeliest_first():
    language = language_model()
    examples = language.read("the cat")
    outputs = language.model.predict(examples.inputs)
    (said,) = language.remarks(examples, outputs)
    best = int(outputs[0].argmax())
    assert said.startswith(f"it says, after “the cat”: “{language.outputs[best].strip() or '␣'}”")
    assert len(language.outputs) == len(language.fed.embedding)


def test_a_token_written_by_hand_that_ends_texts_is_special():
    inputs, written = language_model().fed.tokens(["cat<end> dog"])
    assert written[0].pieces[-2:] == ("<end>", " dog")
    assert inputs.special.tolist() == [piece == "<end>" for piece in written[0].pieces]
    assert inputs.parts.keys() == {PART}
