"""Families of responses: what the linear predictor η says about the mean, and how badly a label fits it."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Float
from scipy.special import expit, logsumexp, softmax, xlogy

from attar.core.errors import InputError

Column = Float[np.ndarray, "rows outputs"]


class Family(Protocol):
    """A loss that is convex in η, with its first two derivatives; η has one column, of several classes one for each.

    `loss` is half the deviance of each row, up to what does not depend on η.
    """

    @property
    def says(self) -> str:
        """What one unit of η is."""
        ...

    def mean(self, eta: Column) -> Column: ...

    def loss(self, y: Column, eta: Column) -> Float[np.ndarray, " rows"]: ...

    def slope(self, y: Column, eta: Column) -> Column:
        """The derivative of the loss by η."""
        ...

    def curvature(self, y: Column, eta: Column) -> Float[np.ndarray, "rows outputs outputs"]:
        """The second derivative of the loss by η: positive semi-definite for each row."""
        ...

    def dispersion(self, y: Column, eta: Column, weight: Float[np.ndarray, " rows"], freedom: float) -> float:
        """How much wider than the family's own the labels scatter: what the covariance is multiplied by."""
        ...

    def refused(self, y: Float[np.ndarray, " rows"]) -> str | None:
        """Why these labels cannot be this family's, or None."""
        ...


@dataclass(frozen=True)
class Gaussian:
    """A number; η is its mean."""

    says = "value"

    def mean(self, eta: Column) -> Column:
        return eta

    def loss(self, y: Column, eta: Column) -> Float[np.ndarray, " rows"]:
        return 0.5 * ((eta - y) ** 2).sum(1)

    def slope(self, y: Column, eta: Column) -> Column:
        return eta - y

    def curvature(self, y: Column, eta: Column) -> Float[np.ndarray, "rows outputs outputs"]:  # noqa: ARG002
        return np.ones((len(eta), 1, 1))

    def dispersion(self, y: Column, eta: Column, weight: Float[np.ndarray, " rows"], freedom: float) -> float:
        return float(weight @ (y - eta)[:, 0] ** 2 / freedom)

    def refused(self, y: Float[np.ndarray, " rows"]) -> str | None:  # noqa: ARG002
        return None


@dataclass(frozen=True)
class Multinomial:
    """One of several classes; η are their logits, of which only differences matter. `y` is one-hot."""

    says = "logit"

    def mean(self, eta: Column) -> Column:
        return softmax(eta, axis=1)

    def loss(self, y: Column, eta: Column) -> Float[np.ndarray, " rows"]:
        return logsumexp(eta, axis=1) - (y * eta).sum(1)

    def slope(self, y: Column, eta: Column) -> Column:
        return softmax(eta, axis=1) - y

    def curvature(self, y: Column, eta: Column) -> Float[np.ndarray, "rows outputs outputs"]:  # noqa: ARG002
        share = softmax(eta, axis=1)
        return share[:, :, None] * (np.eye(eta.shape[1]) - share[:, None, :])

    def dispersion(self, y: Column, eta: Column, weight: Float[np.ndarray, " rows"], freedom: float) -> float:  # noqa: ARG002
        return 1.0

    def refused(self, y: Float[np.ndarray, " rows"]) -> str | None:  # noqa: ARG002
        return None


@dataclass(frozen=True)
class Binomial:
    """0 or 1; η is the log-odds of 1."""

    says = "log-odds"

    def mean(self, eta: Column) -> Column:
        return expit(eta)

    def loss(self, y: Column, eta: Column) -> Float[np.ndarray, " rows"]:
        return (np.logaddexp(0, eta) - y * eta)[:, 0]

    def slope(self, y: Column, eta: Column) -> Column:
        return expit(eta) - y

    def curvature(self, y: Column, eta: Column) -> Float[np.ndarray, "rows outputs outputs"]:  # noqa: ARG002
        return (expit(eta) * expit(-eta))[:, :, None]

    def dispersion(self, y: Column, eta: Column, weight: Float[np.ndarray, " rows"], freedom: float) -> float:  # noqa: ARG002
        return 1.0

    def refused(self, y: Float[np.ndarray, " rows"]) -> str | None:  # noqa: ARG002
        return None


@dataclass(frozen=True)
class Poisson:
    """A count; η is the log of its mean. Counts that scatter wider than their mean get intervals that are too narrow:
    take the sandwich."""

    says = "log rate"

    def mean(self, eta: Column) -> Column:
        return np.exp(eta)

    def loss(self, y: Column, eta: Column) -> Float[np.ndarray, " rows"]:
        return (np.exp(eta) - y * eta)[:, 0]

    def slope(self, y: Column, eta: Column) -> Column:
        return np.exp(eta) - y

    def curvature(self, y: Column, eta: Column) -> Float[np.ndarray, "rows outputs outputs"]:  # noqa: ARG002
        return np.exp(eta)[:, :, None]

    def dispersion(self, y: Column, eta: Column, weight: Float[np.ndarray, " rows"], freedom: float) -> float:  # noqa: ARG002
        return 1.0

    def refused(self, y: Float[np.ndarray, " rows"]) -> str | None:
        if (y < 0).any():
            return f"a count cannot be {y.min():g}, expected 0 or more"
        return None if y.any() else "every label is 0: there is no rate to learn"


@dataclass(frozen=True)
class Gamma:
    """A positive number whose spread grows with it; η is the log of its mean (the log link, not the canonical one)."""

    says = "log value"

    def mean(self, eta: Column) -> Column:
        return np.exp(eta)

    def loss(self, y: Column, eta: Column) -> Float[np.ndarray, " rows"]:
        return (eta + y * np.exp(-eta))[:, 0]

    def slope(self, y: Column, eta: Column) -> Column:
        return 1 - y * np.exp(-eta)

    def curvature(self, y: Column, eta: Column) -> Float[np.ndarray, "rows outputs outputs"]:
        return (y * np.exp(-eta))[:, :, None]

    def dispersion(self, y: Column, eta: Column, weight: Float[np.ndarray, " rows"], freedom: float) -> float:
        return float(weight @ (y * np.exp(-eta) - 1)[:, 0] ** 2 / freedom)

    def refused(self, y: Float[np.ndarray, " rows"]) -> str | None:
        return None if (y > 0).all() else f"a gamma label cannot be {y.min():g}, expected above 0"


FAMILIES: dict[str, Family] = {
    "gaussian": Gaussian(),
    "binomial": Binomial(),
    "multinomial": Multinomial(),
    "poisson": Poisson(),
    "gamma": Gamma(),
}
CLASSES = ("binomial", "multinomial")  # the families of classifiers


def family_of(name: str) -> Family:
    """Raises `InputError` for a name that is none."""
    if name not in FAMILIES:
        raise InputError(f"there is no family {name!r}; choose from {', '.join(FAMILIES)}")
    return FAMILIES[name]


def null_predictor(family: Family, y: Column, weight: Float[np.ndarray, " rows"]) -> Float[np.ndarray, " outputs"]:
    """The constant η that fits best: from the mean label, by the inverse of `mean`."""
    mean = weight @ y / weight.sum()
    if isinstance(family, Gaussian):
        return mean
    mean = np.maximum(mean, 1e-6)  # of some rows a class may be absent
    mean = np.minimum(mean, 1 - 1e-6) if isinstance(family, Binomial) else mean
    if isinstance(family, Binomial):
        return np.log(mean) - np.log1p(-mean)
    centred = np.log(mean)
    return centred - centred.mean() if isinstance(family, Multinomial) else centred


def half_deviance(family: Family, y: Column, eta: Column, weight: Float[np.ndarray, " rows"]) -> float:
    """Half the deviance: the loss less that of a model which says every label itself."""
    if isinstance(family, Poisson):
        best = (y - xlogy(y, y))[:, 0]
    elif isinstance(family, Gamma):
        best = (1 + np.log(y))[:, 0]
    else:
        best = np.zeros(len(y))
    return float(weight @ (family.loss(y, eta) - best))
