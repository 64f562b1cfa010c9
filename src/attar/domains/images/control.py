"""The trivial control of pictures: edge strength."""

import numpy as np
from jaxtyping import Float

from attar.core.scene import Scene


def edge_strength(picture: Scene) -> Float[np.ndarray, " pixels"]:
    """The length of the gradient (central differences), channels summed: it outlines whatever is drawn.

    The one to beat: every shape has an edge, relevant or not, and pictures of gradients of a network look like edges
    (Adebayo et al. 2018, "Sanity checks for saliency maps", whose control is an edge detector).
    """
    down, along = np.gradient(picture.array.astype(float), axis=(1, 2))
    return np.hypot(down, along).sum(0).ravel()
