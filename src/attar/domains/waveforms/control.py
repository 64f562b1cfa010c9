"""The trivial control of signals: local energy."""

import numpy as np
from jaxtyping import Float
from scipy.ndimage import uniform_filter1d

from attar.core.scene import Scene

NEAR = 9  # samples: about the width of the narrowest event
SLOW = 65  # samples: what varies more slowly is drift


def local_energy(signal: Scene) -> Float[np.ndarray, " samples"]:
    """The mean square of the `NEAR` samples around each, less a moving mean over `SLOW` samples.

    The one to beat: every event has energy, relevant or not, and it is how one finds an event without a model.
    """
    values = signal.array[0].astype(float)
    fast = values - uniform_filter1d(values, SLOW, mode="nearest")
    return uniform_filter1d(fast**2, NEAR, mode="nearest")
