"""Toys: a model of every kind with inputs that fit it, small enough to run every method on every one.

`MODELS` names them. A test asks for `case(name)` and gets fresh objects, double precision unless told otherwise,
so that it may break what it was given.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from torch import Tensor, nn
from torch_geometric.nn import GCNConv, global_add_pool

from attar.adapters.graph import Graphs
from attar.adapters.sklearn import rows_of_table
from attar.adapters.torch import TorchModel
from attar.core.inputs import Inputs, Named, SparseRows, Tensors
from attar.core.method import Method
from attar.design.additive import AdditiveModel
from attar.design.glm import GeneralizedLinearModel
from attar.design.rule_list import RuleListClassifier
from attar.domains.molecules.library import nci_molecules
from attar.domains.molecules.molecule import Molecule, molecules
from attar.domains.molecules.networks import BagMLP, GraphNetwork, graph_model
from attar.methods import METHODS

FEATURES = 5  # of a table row
WIDTH = 6  # of a sparse row
NODE, EDGE = 3, 2  # features of a graph's nodes and edges


@dataclass(frozen=True)
class Case:
    """A model as a user gives it, inputs that fit it, and the torch module inside, where there is one."""

    model: Any
    inputs: Inputs
    module: nn.Module | None = None


def case(name: str, dtype: torch.dtype = torch.float64) -> Case:
    return MODELS[name](dtype)


def method_class(name: str) -> Any:
    """The class behind a name of the command line."""
    module, _, attribute = METHODS[name].partition(":")
    return getattr(import_module(module), attribute)


def every_method() -> dict[str, Method]:
    """Every method with its defaults: a new one is here without a line being written."""
    return {name: method_class(name)() for name in METHODS}


def close(found: Tensor, expected: Any, tolerance: float = 1e-10) -> None:
    """Equal to so many digits; what is expected may be an array or numbers."""
    wanted = expected if isinstance(expected, Tensor) else torch.from_numpy(np.asarray(expected, dtype=float))
    torch.testing.assert_close(found, wanted.detach().to(found), rtol=tolerance, atol=tolerance)


def tight(found: Tensor, expected: Any, tolerance: float = 1e-12) -> None:
    """Equal but for the last digits."""
    close(found, expected, tolerance)


FEW = {"budget": 24, "samples": 6}  # what a method may spend in a test, where it has such a field

# Some need more for a first estimate, and are to sample even where they could ask every coalition.
THRIFTY = {
    "shapley": {"budget": 200, "exact_up_to": 2},
    "lime": {"budget": 200, "exact_up_to": 2},
    "rise": {"budget": 24, "exact_up_to": 2},
    "anchors": {"budget": 200, "exact_up_to": 2},
    "guided-integrated-gradients": {"steps": 6},
}


def every_thrifty_method() -> dict[str, Method]:
    """Every method, told to spend little."""
    spent = {name: {f: most for f, most in FEW.items() if hasattr(m, f)} for name, m in every_method().items()}
    return {name: replace(m, **spent[name] | THRIFTY.get(name, {})) for name, m in every_method().items()}


# For arrays with positions, (batch, channels, *positions), and no others, whatever the model offers.
ON_POSITIONS = {"blur-integrated-gradients"}
ON_LETTERS = {"in-silico-mutagenesis"}  # for letters as ones and zeros


def takes(name: str, inputs: Inputs) -> bool:
    """Whether the method is for inputs of this shape."""
    if name in ON_LETTERS:
        return isinstance(inputs, Tensors) and bool(((inputs.values == 0) | (inputs.values == 1)).all())
    return name not in ON_POSITIONS or all(array.ndim > 2 for array in inputs.parts.values())


# --- inputs ---


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


def table(rows: int = 6, seed: int = 0) -> Tensor:
    return numbers(rows, FEATURES, seed=seed)


def images(count: int = 4) -> Tensor:
    return numbers(count, 2, 5, 4, seed=1)


def letters() -> Tensor:
    """Sequences of six letters as ones and zeros, (batch, 4, 6); one has two that are unread."""
    rows = ["ACGTTA", "GGCATC", "TNACNG", "CCCCCC"]
    return torch.tensor([[[float(letter == base) for letter in row] for base in "ACGT"] for row in rows]).double()


def sparse() -> SparseRows:
    """Five rows of 2, 0, 3, 1 and 4 entries: one is empty."""
    rows = torch.tensor([0, 0, 2, 2, 2, 3, 4, 4, 4, 4])
    columns = torch.tensor([1, 4, 0, 2, 5, 3, 0, 1, 3, 5])
    counts = torch.tensor([1, 2, 1, 3, 1, 2, 1, 1, 4, 2], dtype=torch.float64)
    return SparseRows(counts, columns, rows, size=5, width=WIDTH, part="words")


def graphs() -> Graphs:
    """A triangle, a lone node without edges, a path of four and a pair."""
    sizes = [3, 1, 4, 2]
    bonds = [[(0, 1), (1, 2), (0, 2)], [], [(0, 1), (1, 2), (2, 3)], [(0, 1)]]
    first = np.cumsum([0, *sizes])
    one_way = [(a + first[k], b + first[k]) for k, each in enumerate(bonds) for a, b in each]
    ends = [pair for a, b in one_way for pair in ((a, b), (b, a))]
    return Graphs(
        nodes=numbers(sum(sizes), NODE, seed=2),
        edges=numbers(len(ends), EDGE, seed=3),
        edge_index=torch.tensor(np.array(ends).T),
        node_owner=torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes)),
        edge_owner=torch.arange(len(sizes)).repeat_interleave(torch.tensor([2 * len(each) for each in bonds])),
        size=len(sizes),
    )


def frame(rows: int = 6, seed: int = 0) -> pd.DataFrame:
    return pd.DataFrame(table(rows, seed=seed).numpy(), columns=list("abcde"))


def picture_and_words() -> Named:
    """What a model is called with by name: floats, and ids and a mask that travel along."""
    return Named(
        {
            "picture": numbers(4, 1, 3, 3, seed=7),
            "words": torch.tensor([[1, 2, 0], [3, 3, 1], [2, 0, 0], [4, 1, 2]]),
            "keep": torch.tensor([[1, 1, 0], [1, 1, 1], [1, 0, 0], [1, 1, 1]], dtype=torch.bool),
            "age": numbers(4, 2, seed=8),
            "scale": None,
        }
    )


def in_dtype(inputs: Inputs, dtype: torch.dtype) -> Inputs:
    return inputs.replace(inputs.parts.map(lambda array: array.to(dtype)))


# --- torch modules ---


class Formula(nn.Module):
    """A torch module out of a formula, which remembers how many rows it was asked about at once."""

    def __init__(self, formula: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.formula = formula
        self.sizes: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        self.sizes.append(len(x))
        return self.formula(x)


class PooledCNN(nn.Module):
    """Two convolutions, the mean over height and width, a linear head without bias."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(2, 3, 3, padding=1)
        self.second = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU())
        self.head = nn.Linear(4, 3, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.second(torch.relu(self.first(x))).mean((2, 3)))


class Waveform(nn.Module):
    """Its first layer overwrites what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.LeakyReLU(0.3, inplace=True), nn.Conv1d(1, 3, 4, stride=2), nn.ReLU(inplace=True), nn.MaxPool1d(2)
        )
        self.head = nn.Linear(9, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layers(x).flatten(1))


class Transformer(nn.Module):
    """Attention, LayerNorm and GELU over token embeddings. Without gradients torch computes it in one fused step."""

    def __init__(self) -> None:
        super().__init__()
        self.block = nn.TransformerEncoderLayer(4, nhead=2, dim_feedforward=6, activation="gelu", batch_first=True)
        self.head = nn.Linear(4, 3)

    def forward(self, embeddings: Tensor) -> Tensor:
        return self.head(self.block(embeddings).mean(1))


class Recurrent(nn.Module):
    """An LSTM: its layer puts out a tuple, and on an accelerator its gradient wants train mode."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(3, 4, batch_first=True)
        self.head = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.lstm(x)
        return self.head(states[:, -1])


class PictureAndWords(nn.Module):
    """Called by name; the ids and the mask are no floats, and `scale` is not there."""

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Conv2d(1, 2, 2)
        self.embeddings = nn.Embedding(5, 3)
        self.head = nn.Linear(8 + 3 + 2, 2)

    def forward(self, words: Tensor, keep: Tensor, picture: Tensor, age: Tensor, scale: float | None = None) -> Tensor:
        seen = torch.relu(self.look(picture)).flatten(1)
        read = (self.embeddings(words) * keep[..., None]).sum(1)
        return self.head(torch.cat([seen, read, age], 1)) * (1 if scale is None else scale)


class TwoInOrder(nn.Module):
    """Called with a tuple; answers with a dict, as Hugging Face's models do."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = nn.Linear(FEATURES, 3), nn.Linear(2, 3)

    def forward(self, x: Tensor, y: Tensor) -> dict[str, Any]:
        product = torch.tanh(self.one(x)) * self.other(y)
        return {"hidden_states": (x, y), "logits": product}


class PygGCN(nn.Module):
    """A network as PyTorch Geometric's users write it; it does not look at the edges' features."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = GCNConv(NODE, 6), GCNConv(6, 6)
        self.head = nn.Linear(6, 2)

    def forward(self, x: Tensor, edge_index: Tensor, edge_attr: Tensor, batch: Tensor) -> Tensor:
        hidden = torch.relu(self.second(torch.relu(self.first(x, edge_index)), edge_index))
        return self.head(global_add_pool(hidden, batch))


def seeded(build: Callable[[], nn.Module], dtype: torch.dtype = torch.float64, seed: int = 0) -> nn.Module:
    """Built with weights of that seed, in training mode as modules are born; the global state stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build().to(dtype)


def relu_mlp(hidden: int = 16, seed: int = 0) -> nn.Module:
    def build() -> nn.Module:
        return nn.Sequential(
            nn.Linear(FEATURES, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 2)
        )

    return seeded(build, seed=seed)


def _with_state() -> nn.Module:
    """An MLP that train mode would change: dropout, and a batch norm with statistics of its own."""
    norm = nn.BatchNorm1d(8)
    norm.running_mean, norm.running_var = torch.linspace(-1, 1, 8), torch.linspace(0.5, 2, 8)
    return nn.Sequential(nn.Linear(FEATURES, 8), norm, nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 2))


def _volume() -> nn.Module:
    return nn.Sequential(nn.Conv3d(1, 2, 2), nn.SiLU(), nn.AvgPool3d((2, 1, 1)), nn.Flatten(), nn.Linear(12, 3))


def _of_letters() -> nn.Module:
    return nn.Sequential(nn.Conv1d(4, 3, 3, padding=1), nn.SiLU(), nn.Flatten(), nn.Linear(3 * 6, 2))


def _two_in_order() -> Named:
    return Named({"input 0": table(4, seed=13), "input 1": numbers(4, 2, seed=14)}, in_order=True)


def graph_network(kind: str, dtype: torch.dtype = torch.float64) -> GraphNetwork:
    def build() -> GraphNetwork:
        return GraphNetwork(kind, NODE, EDGE, atoms=6, bonds=4, channels=7, depth=2)

    return seeded(build, dtype)  # type: ignore[return-value]


def _module_case(module: nn.Module, inputs: Inputs, dtype: torch.dtype, **told: Any) -> Case:
    model = TorchModel(module, **told) if told else module
    return Case(model, in_dtype(inputs, dtype), module)


def _graph_case(kind: str, dtype: torch.dtype) -> Case:
    module = graph_network(kind, dtype)
    return Case(graph_model(module), in_dtype(graphs(), dtype), module)


def _cnn_case(dtype: torch.dtype) -> Case:
    told = {"layers": ("first", "second"), "pooled": "second", "head": "head", "mean": True}
    return _module_case(seeded(PooledCNN, dtype), Tensors(images()), dtype, **told)


# --- scikit-learn ---


def classes_of(x: Any, count: int = 2) -> np.ndarray:
    """Labels that a table's first two columns decide, none of them missing."""
    score = np.asarray(x)[:, 0] - 0.5 * np.asarray(x)[:, 1]
    return np.searchsorted(np.quantile(score, np.arange(1, count) / count), score)


@cache
def _training_table() -> np.ndarray:
    return table(60, seed=5).numpy()


def fitted(estimator: Any, classes: int | None = 2) -> Any:
    """Fitted to sixty dense rows; `classes` None: to a number."""
    x = _training_table()
    y = x @ np.array([1.0, -2.0, 0.0, 0.5, 3.0]) if classes is None else classes_of(x, classes)
    return estimator.fit(x, y)


@cache
def _pipeline_on_a_frame() -> Any:
    """Fitted with the names of columns: it warns when it is asked with an array that has none."""
    x = frame(60, seed=5)
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(x, classes_of(x))


def fitted_to_sparse(estimator: Any) -> Any:
    counts = np.random.default_rng(6).integers(0, 4, (60, WIDTH)).astype(float)
    return estimator.fit(counts, (counts[:, 0] + counts[:, 3] > counts[:, 1] + 1.5).astype(float))


ON_TABLES: dict[str, Callable[[], Any]] = {
    "logistic": lambda: fitted(LogisticRegression()),
    "multinomial": lambda: fitted(LogisticRegression(), classes=3),
    "ridge": lambda: fitted(Ridge(), classes=None),
    "tree": lambda: fitted(DecisionTreeClassifier(max_depth=4, random_state=0), classes=3),
    "regression-tree": lambda: fitted(DecisionTreeRegressor(max_depth=5, random_state=0), classes=None),
    "additive": lambda: fitted(AdditiveModel("multinomial", penalties=(1e-3,)), classes=3),
    "rule-list": lambda: fitted(RuleListClassifier(price=0.02), classes=3),
    "forest": lambda: fitted(RandomForestClassifier(5, max_depth=3, random_state=0)),
    "sklearn-mlp": lambda: fitted(MLPClassifier((8,), solver="lbfgs", max_iter=30, random_state=0)),
}
ON_ROWS: dict[str, Callable[[], Any]] = {
    "glm-on-rows": lambda: fitted_to_sparse(GeneralizedLinearModel()),
    "tree-on-rows": lambda: fitted_to_sparse(DecisionTreeClassifier(max_depth=4, random_state=0)),
}


@cache
def _fitted_once(name: str) -> Any:
    return (ON_TABLES | ON_ROWS)[name]()


def _estimator_case(name: str, inputs: Inputs) -> Callable[[torch.dtype], Case]:
    return lambda dtype: Case(deepcopy(_fitted_once(name)), in_dtype(inputs, dtype))


def plain_function(x: Tensor) -> Tensor:
    """A function of a table or of images; (batch,), as functions often are."""
    flat = x.flatten(1)
    return torch.sin(flat[:, 0]) * flat[:, 1] + flat[:, 2] ** 2


def function_of_rows(inputs: SparseRows) -> np.ndarray:
    return np.tanh(np.asarray(rows_of_table(inputs).sum(1))).ravel()


MODELS: dict[str, Callable[[torch.dtype], Case]] = {
    "linear": lambda d: _module_case(seeded(lambda: nn.Linear(FEATURES, 3), d), Tensors(table()), d),
    "mlp": lambda d: _module_case(relu_mlp().to(d), Tensors(table()), d),
    "stateful-mlp": lambda d: _module_case(seeded(_with_state, d), Tensors(table()), d),
    "cnn": _cnn_case,
    "bare-cnn": lambda d: _module_case(seeded(PooledCNN, d), Tensors(images()), d),
    "gcn": lambda d: _graph_case("gcn", d),
    "gat": lambda d: _graph_case("gat", d),
    "mpnn": lambda d: _graph_case("mpnn", d),
    "graphnets": lambda d: _graph_case("graphnets", d),
    "pyg-gcn": lambda d: _module_case(seeded(PygGCN, d), graphs(), d),
    "bag-mlp": lambda d: _module_case(seeded(lambda: BagMLP(WIDTH, 8, 2), d), sparse(), d),
    **{name: _estimator_case(name, Tensors(table())) for name in ON_TABLES},
    **{name: _estimator_case(name, sparse()) for name in ON_ROWS},
    "pipeline-on-a-frame": lambda d: Case(deepcopy(_pipeline_on_a_frame()), in_dtype(Tensors.of_frame(frame()), d)),
    "waveform": lambda d: _module_case(seeded(Waveform, d), Tensors(numbers(4, 1, 16, seed=9)), d),
    "volume": lambda d: _module_case(seeded(_volume, d), Tensors(numbers(4, 1, 3, 4, 3, seed=10)), d),
    "letters": lambda d: _module_case(seeded(_of_letters, d), Tensors(letters()), d),
    "transformer": lambda d: _module_case(seeded(Transformer, d), Tensors(numbers(4, 3, 4, seed=11)), d),
    "lstm": lambda d: _module_case(seeded(Recurrent, d), Tensors(numbers(4, 4, 3, seed=12)), d),
    "picture-and-words": lambda d: _module_case(seeded(PictureAndWords, d), picture_and_words(), d),
    "two-in-order": lambda d: _module_case(seeded(TwoInOrder, d), _two_in_order(), d),
    "function": lambda d: Case(plain_function, in_dtype(Tensors(table()), d)),
    "function-of-images": lambda d: Case(plain_function, in_dtype(Tensors(images()), d)),
    "function-of-rows": lambda d: Case(function_of_rows, in_dtype(sparse(), d)),
}


# --- molecules ---


@cache
def nci(count: int) -> tuple[Molecule, ...]:
    """The first NCI molecules that ship with RDKit, cleaned."""
    return tuple(molecules(_nci_smiles()[:count]))


@cache
def _nci_smiles() -> list[str]:
    return nci_molecules()
