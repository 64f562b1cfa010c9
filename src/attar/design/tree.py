"""Decision trees: the path is the explanation."""

from typing import Any, Literal

import numpy as np
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, export_text


def decision_tree(
    task: Literal["classification", "regression"],
    *,
    leaves: int = 32,
    at_least: int = 5,
    random_state: int = 0,
) -> DecisionTreeClassifier | DecisionTreeRegressor:
    """A tree of at most `leaves` leaves with at least `at_least` examples in each: small enough to read."""
    kind = DecisionTreeClassifier if task == "classification" else DecisionTreeRegressor
    return kind(max_leaf_nodes=leaves, min_samples_leaf=at_least, random_state=random_state)


def readable_rules(tree: Any, names: list[str] | np.ndarray, *, decimals: int = 2) -> str:
    """The tree as indented text, one line per split and leaf, under the columns' names."""
    return export_text(tree, feature_names=list(names), decimals=decimals)
