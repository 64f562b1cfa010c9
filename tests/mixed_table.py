"""A small table of mixed columns whose log-odds are known: numbers, whole numbers, a category, yes or no, with gaps.

`mixed(rows)` is a pandas frame, `labels(frame)` a draw from what `logit` says of it. `useless` tells nothing.
"""

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

COLUMNS = ("age (years)", "visits", "dose", "colour", "member", "useless")
OF_COLOUR = {"red": 1.5, "green": 0.0, "blue": -1.0, None: 0.4}
SHARES = (0.45, 0.3, 0.15, 0.1)


def mixed(rows: int = 200, seed: int = 0) -> pd.DataFrame:
    """Age has gaps (1 in 8) and colour too (1 in 10); every level occurs where there are 50 rows or more."""
    draw = np.random.default_rng(seed)
    age = draw.uniform(20, 80, rows).round(1)
    age[draw.random(rows) < 0.125] = np.nan
    colours = draw.choice(np.array(list(OF_COLOUR), dtype=object), rows, p=SHARES)
    return pd.DataFrame(
        {
            "age (years)": age,
            "visits": draw.poisson(3, rows),
            "dose": draw.gamma(2.0, 1.5, rows).round(2),
            "colour": pd.Series(colours, dtype="str"),
            "member": draw.random(rows) < 0.4,
            "useless": draw.choice(np.array(["north", "south", "west"], dtype=object), rows),
        }
    )


def logit(frame: pd.DataFrame) -> np.ndarray:
    """Row by row, as it is meant: of a missing age nothing is known, and members' doses count double."""
    said = []
    for _, row in frame.iterrows():
        age = 0.0 if pd.isna(row["age (years)"]) else (row["age (years)"] - 50) / 15
        colour = OF_COLOUR[None if pd.isna(row["colour"]) else row["colour"]]
        said.append(age - 0.3 * row["visits"] + colour + 0.25 * row["dose"] * (1 + row["member"]))
    return np.array(said, dtype=float)


def labels(frame: pd.DataFrame, seed: int = 1) -> np.ndarray:
    chance = 1 / (1 + np.exp(-logit(frame)))
    return (np.random.default_rng(seed).random(len(frame)) < chance).astype(int)


def words() -> Any:
    return make_column_selector(dtype_include=["str", "object", "category", "string"])


def one_hot() -> ColumnTransformer:
    """Numbers filled in and scaled, words one-hot, yes or no as it is."""
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    text = make_pipeline(SimpleImputer(strategy="most_frequent", missing_values=np.nan), OneHotEncoder())
    return ColumnTransformer(
        [
            ("numbers", numbers, ["age (years)", "visits", "dose"]),
            ("words", text, ["colour", "useless"]),
            ("yes-no", "passthrough", ["member"]),
        ]
    )


@cache
def logistic() -> Pipeline:
    frame = mixed(300, seed=7)
    return Pipeline([("columns", one_hot()), ("model", LogisticRegression(max_iter=500))]).fit(frame, labels(frame))


@cache
def boosted() -> Pipeline:
    """Categories by the trees' own splits, gaps as the trees take them; it never sees `useless`."""
    frame = mixed(300, seed=7)
    text = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    columns = ColumnTransformer(
        [("words", text, ["colour"]), ("rest", "passthrough", ["age (years)", "visits", "dose", "member"])]
    )
    trees = HistGradientBoostingClassifier(max_iter=15, categorical_features=[0], random_state=0)
    return Pipeline([("columns", columns), ("model", trees)]).fit(frame, labels(frame))


MODELS = {"logistic": logistic, "boosted": boosted}
