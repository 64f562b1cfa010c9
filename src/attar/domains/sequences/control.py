"""The trivial control: a score of places that has seen neither model nor label."""

import numpy as np

WINDOW = 7  # letters, about as many as a motif has


def trivial_places(sequence: str) -> np.ndarray:
    """How far the share of G and C in the window round each place lies from that of the whole sequence.

    `Float[ndarray, "positions"]`. A motif is put down wherever there is room, whatever the composition round it, so
    that it stands out from its neighbourhood by composition alone: an attribution that does not beat this has shown
    nothing that a glance at the letters would not. Unread letters count as neither.
    """
    strong = np.isin(np.frombuffer(sequence.encode(), dtype="S1"), [b"G", b"C"]).astype(float)
    if not len(strong):
        return strong
    ones = np.ones(WINDOW)
    inside = np.convolve(np.ones(len(strong)), ones)[WINDOW // 2 : WINDOW // 2 + len(strong)]
    local = np.convolve(strong, ones)[WINDOW // 2 : WINDOW // 2 + len(strong)]
    return np.abs(local / inside - strong.mean())
