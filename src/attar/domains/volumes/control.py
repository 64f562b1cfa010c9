"""The trivial control of volumes: local contrast."""

import numpy as np
from jaxtyping import Float
from scipy.ndimage import uniform_filter

from attar.core.scene import Scene

NEAR, AROUND = 3, 9  # voxels across


def local_contrast(volume: Scene) -> Float[np.ndarray, " voxels"]:
    """How far the mean of the `NEAR`³ voxels around each is from that of the `AROUND`³, whatever the sign.

    The one to beat: every body stands out from the field around it, relevant or not.
    """
    values = volume.array[0].astype(float)
    return np.abs(uniform_filter(values, NEAR, mode="nearest") - uniform_filter(values, AROUND, mode="nearest")).ravel()
