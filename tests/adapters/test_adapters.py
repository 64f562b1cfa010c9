"""Other people's models and data, put in terms of the protocols: the same numbers, or a plain refusal."""

import pickle
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.cross_decomposition import PLSRegression
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier, RandomForestRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, PoissonRegressor, Ridge, RidgeClassifier, SGDClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from torch import Tensor, nn
from torch_geometric.data import Batch, Data

from attar import Difference, InputError, Logit, Probability, UnsupportedError, attribute
from attar.adapters import adapt
from attar.adapters.function import Function
from attar.adapters.graph import Graphs
from attar.adapters.sklearn import Estimator, LinearEstimator, TreeEstimator, rows_of_table
from attar.adapters.torch import TorchModel
from attar.core.inputs import SparseRows, Tensors
from attar.core.parts import Parts
from attar.design.glm import GeneralizedLinearModel
from attar.methods.attention_rollout import AttentionRollout
from attar.methods.attention_weights import AttentionWeights
from attar.methods.cam import CAM
from attar.methods.grad_cam import GradCAM
from attar.methods.grad_input import GradInput
from attar.methods.gradient import Gradient
from attar.methods.occlusion import Occlusion
from attar.methods.tree_paths import TreePaths
from attar.methods.weight_times_input import WeightTimesInput
from models import (
    FEATURES,
    PooledCNN,
    case,
    classes_of,
    fitted,
    graph_network,
    graphs,
    images,
    numbers,
    seeded,
    sparse,
    table,
)

X = table(40, seed=5).numpy()
VALUES = X @ np.array([1.0, -2.0, 0.0, 0.5, 3.0])
TWO_VALUES = np.stack([VALUES, -(VALUES**2)], 1)


def answers(model: Any, rows: Any = X) -> np.ndarray:
    inputs = rows if isinstance(rows, SparseRows) else Tensors(torch.as_tensor(rows))
    return adapt(model).predict(inputs).numpy()


# --- scikit-learn: what is answered ---


@pytest.mark.parametrize("estimator", [LogisticRegression(), LinearSVC(), RidgeClassifier(), GeneralizedLinearModel()])
def test_two_classes_have_a_logit_each_and_they_are_opposite(estimator: Any) -> None:
    model = estimator.fit(X, classes_of(X))
    z = model.decision_function(X)
    assert isinstance(adapt(model), LinearEstimator)
    np.testing.assert_allclose(answers(model), np.stack([-z, z], 1), atol=1e-12)


def test_a_margin_without_weights_is_two_opposite_logits_as_well() -> None:
    model = SVC().fit(X, classes_of(X))
    z = model.decision_function(X)
    assert isinstance(adapt(model), Estimator)
    np.testing.assert_array_equal(answers(model), np.stack([-z, z], 1))


def test_many_classes_have_their_own_scores() -> None:
    model = fitted(LogisticRegression(), classes=3)
    np.testing.assert_allclose(answers(model), model.decision_function(X), atol=1e-12)


@pytest.mark.parametrize("classes", [2, 3])
def test_probabilities_become_log_odds(classes: int) -> None:
    model = fitted(RandomForestClassifier(7, max_depth=2, random_state=0), classes=classes)
    share = np.clip(model.predict_proba(X), 1e-12, 1 - 1e-12)
    np.testing.assert_allclose(answers(model), np.log(share / (1 - share)), rtol=1e-9, atol=1e-9)


def test_a_pipeline_is_asked_as_a_whole() -> None:
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, classes_of(X))
    z = model.decision_function(X)
    np.testing.assert_allclose(answers(model), np.stack([-z, z], 1), atol=1e-9)


def test_a_boosted_ensemble_has_the_same_logit_as_its_margin() -> None:
    model = GradientBoostingClassifier(n_estimators=5, random_state=0).fit(X, classes_of(X))
    np.testing.assert_allclose(answers(model)[:, 1], model.decision_function(X), atol=1e-9)


@pytest.mark.parametrize(
    ("estimator", "labels"),
    [
        (Ridge(), VALUES),
        (Ridge(fit_intercept=False), VALUES),
        (Ridge(), TWO_VALUES),
        (DecisionTreeRegressor(max_depth=3, random_state=0), VALUES),
        (DecisionTreeRegressor(max_depth=3, random_state=0), TWO_VALUES),
        (RandomForestRegressor(3, random_state=0), TWO_VALUES),
        (GeneralizedLinearModel("gaussian"), VALUES),
    ],
)
def test_a_regressors_answer_is_its_value(estimator: Any, labels: np.ndarray) -> None:
    model = estimator.fit(X, labels)
    np.testing.assert_allclose(answers(model), model.predict(X).reshape(len(X), -1), atol=1e-9)


def test_a_sure_model_in_single_precision_has_a_finite_logit() -> None:
    """The single nearest to 1 is 6e-8 away; closer than that a probability is 1 and its logit was infinite."""
    x = X.astype(np.float32)
    model = MLPClassifier((4,), solver="sgd", learning_rate_init=0.1, max_iter=20, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(x, classes_of(x))
    sure = model.predict_proba(1000 * x)
    assert sure.dtype == np.float32
    assert sure.max() == 1
    assert np.isfinite(answers(model, 1000 * x)).all()


@pytest.mark.parametrize(
    ("estimator", "labels", "outputs"),
    [
        (PoissonRegressor(), np.abs(VALUES), 1),
        (PLSRegression(), VALUES + 7, 1),
        (SVC(kernel="linear"), classes_of(X, 3), 3),
    ],
)
def test_weights_that_are_not_the_answer_are_not_offered(estimator: Any, labels: np.ndarray, outputs: int) -> None:
    """Poisson answers the exponential of W·x, PLS centres x first, this SVC has weights for pairs of classes."""
    model = estimator.fit(X + 5, labels)
    assert isinstance(adapt(model), Estimator)
    expected = model.decision_function(X) if outputs == 3 else model.predict(X)
    np.testing.assert_allclose(answers(model), np.asarray(expected).reshape(len(X), outputs), atol=1e-9)
    with pytest.raises(UnsupportedError, match="WeightTimesInput needs a Linear model"):
        attribute(model, X, WeightTimesInput())


def test_asking_whether_weights_are_the_answer_warns_of_nothing(recwarn: pytest.WarningsRecorder) -> None:
    model = LogisticRegression().fit(X, classes_of(X))
    model.feature_names_in_ = np.array(list("abcde"), dtype=object)  # as after fitting a data frame
    adapt(model)
    assert not recwarn.list


def test_sparsified_weights_are_still_weights() -> None:
    model = SGDClassifier(random_state=0).fit(X, classes_of(X))
    before = answers(model)
    np.testing.assert_array_equal(answers(model.sparsify()), before)


# --- trees ---


def test_a_trees_log_odds_have_half_an_example_added_to_each_class() -> None:
    x = np.arange(10.0)[:, None]
    model = DecisionTreeClassifier().fit(x, [0, 0, 0, 0, 0, 0, 0, 1, 1, 1])
    found = attribute(model, x, TreePaths(), Logit(1))
    np.testing.assert_allclose(found.output[0], np.log(0.5 / 7.5))  # seven examples of class 0 in the leaf
    np.testing.assert_allclose(found.output[9], np.log(3.5 / 0.5))
    np.testing.assert_allclose(found.reference, np.full(10, np.log(3.5 / 7.5)))


def test_a_tree_of_three_classes() -> None:
    x = np.arange(9.0)[:, None]
    model = DecisionTreeClassifier().fit(x, [0, 0, 0, 1, 1, 1, 2, 2, 2])
    np.testing.assert_allclose(answers(model, x)[0], np.log([3.5 / 1.0, 0.5 / 4.0, 0.5 / 4.0]))


def test_weighted_examples_count_by_their_weight() -> None:
    x = np.array([[0.0], [0.0], [1.0]])
    model = DecisionTreeClassifier().fit(x, [0, 1, 1], sample_weight=[4.0, 1.0, 2.0])
    np.testing.assert_allclose(answers(model, x)[0, 1], np.log(1.5 / 4.5))


def test_a_tree_of_one_leaf_attributes_nothing() -> None:
    model = DecisionTreeRegressor().fit(X, np.full(len(X), 2.5))
    found = attribute(model, X, TreePaths())
    assert torch.equal(found.values, torch.zeros(X.shape, dtype=torch.float64))
    assert found.output.tolist() == found.reference.tolist() == [2.5] * len(X)


def test_a_tree_on_sparse_rows_answers_as_on_the_dense_table() -> None:
    model = case("tree-on-rows").model
    dense = sparse().dense().numpy()
    np.testing.assert_array_equal(answers(model, sparse()), answers(model, dense))
    assert isinstance(adapt(model), TreeEstimator)


@pytest.mark.parametrize("name", ["glm-on-rows", "tree-on-rows"])
def test_sparse_rows_become_the_same_table(name: str) -> None:
    rows = rows_of_table(sparse())
    assert rows.shape == (5, 6)
    assert rows.dtype == np.float64
    np.testing.assert_array_equal(rows.toarray(), sparse().dense().numpy())
    np.testing.assert_allclose(answers(case(name).model, sparse()), answers(case(name).model, rows.toarray()))


# --- scikit-learn: what is refused ---


@pytest.mark.parametrize("kind", [LogisticRegression, DecisionTreeClassifier, RandomForestClassifier, Ridge])
def test_an_estimator_that_is_not_fitted(kind: type) -> None:
    with pytest.raises(InputError, match=f"^{kind.__name__} is not fitted; call fit first"):
        attribute(kind(), X, Occlusion())


@pytest.mark.parametrize("kind", [LogisticRegression, nn.Linear, TorchModel])
def test_a_class_instead_of_an_instance(kind: type) -> None:
    with pytest.raises(UnsupportedError, match=f"^{kind.__name__} is a class; give a fitted instance"):
        attribute(kind, X, Occlusion())


@pytest.mark.parametrize("nothing", [None, "model.pt", 3, object()])
def test_what_is_no_model(nothing: object) -> None:
    with pytest.raises(UnsupportedError, match=f"cannot ask a {type(nothing).__name__} anything"):
        attribute(nothing, X, Occlusion())


@pytest.mark.parametrize("kind", [DecisionTreeClassifier, RandomForestClassifier])
def test_several_labels_at_once(kind: type) -> None:
    model = kind().fit(X, np.stack([classes_of(X), 1 - classes_of(X)], 1))
    with pytest.raises(UnsupportedError, match="classifies several things at once"):
        attribute(model, X, Occlusion())
    found = attribute(lambda x: model.predict_proba(x.numpy())[0], X, Occlusion())
    assert found.values.shape == X.shape


@pytest.mark.parametrize("name", ["logistic", "tree", "forest"])
def test_an_estimator_explains_tables_alone(name: str) -> None:
    with pytest.raises(InputError, match="explains tables"):
        attribute(case(name).model, images(), Occlusion())


@pytest.mark.parametrize(("name", "method"), [("logistic", WeightTimesInput()), ("tree", TreePaths())])
def test_weights_and_paths_explain_logits_alone(name: str, method: Any) -> None:
    with pytest.raises(UnsupportedError, match=r"ask for attar\.Logit"):
        attribute(case(name).model, X, method, Probability(0))


def test_weights_explain_differences_of_logits_and_have_a_gradient_for_any_target() -> None:
    given = case("logistic")
    weights = torch.from_numpy(given.model.coef_)
    why = attribute(given.model, given.inputs, WeightTimesInput(), Difference(Logit(1), Logit(0)))
    either = [attribute(given.model, given.inputs, WeightTimesInput(), Logit(k)).parts["input"] for k in (1, 0)]
    torch.testing.assert_close(why.parts["input"], either[0] - either[1])
    share = torch.sigmoid(adapt(given.model).predict(given.inputs)[:, 1])
    slope = attribute(given.model, given.inputs, Gradient(), Probability(1)).parts["input"]
    torch.testing.assert_close(slope, (share * (1 - share))[:, None] * weights)


# --- functions ---


def test_a_function_may_answer_in_many_ways() -> None:
    x = table()
    expected = torch.sin(x).sum(1, keepdim=True)
    for function in (
        lambda x: torch.sin(x).sum(1),
        lambda x: torch.sin(x).sum(1, keepdim=True),
        lambda x: np.sin(x.numpy()).sum(1),
        lambda x: np.sin(x.numpy()).sum(1).tolist(),
    ):
        torch.testing.assert_close(adapt(function).predict(Tensors(x)), expected)


def test_yes_or_no_and_counts_are_numbers() -> None:
    x = table()
    for function in (lambda x: x.sum(1) > 0, lambda x: (x.numpy().sum(1) > 0).tolist(), lambda x: (x.sum(1) > 0).int()):
        found = attribute(function, x, Occlusion())
        assert found.output.tolist() == (x.sum(1) > 0).double().tolist()
        assert set(found.values.unique().tolist()) <= {-1.0, 0.0, 1.0}


def test_a_function_leaves_no_graph_behind() -> None:
    weight = torch.ones(FEATURES, dtype=torch.float64, requires_grad=True)
    assert not adapt(lambda x: x @ weight).predict(Tensors(table())).requires_grad


@pytest.mark.parametrize(
    ("function", "shape"),
    [
        (lambda x: x.sum(), r"\(\)"),
        (lambda x: x[:2], r"\(2, 5\)"),
        (lambda x: x[:, :0], r"\(6, 0\)"),
        (lambda x: torch.cat([x, x])[:, 0], r"\(12,\)|\(12, 1\)"),
    ],
)
def test_outputs_of_a_wrong_shape(function: Any, shape: str) -> None:
    with pytest.raises(InputError, match=f"gave outputs of shape (?:{shape}) for 6 examples"):
        attribute(function, table(), Occlusion())


@pytest.mark.parametrize("answer", [None, "yes", [None] * 6])
def test_a_function_that_does_not_answer_in_numbers(answer: object) -> None:
    with pytest.raises(InputError, match=f"the model returns a {type(answer).__name__}, expected numbers"):
        attribute(lambda x: answer, table(), Occlusion())


# --- what may be given as inputs ---


def test_an_array_is_as_good_as_a_tensor() -> None:
    module = case("mlp").model
    from_array, from_tensor = attribute(module, X, GradInput()), attribute(module, torch.from_numpy(X), GradInput())
    assert torch.equal(from_array.values, from_tensor.values)
    assert isinstance(from_array.values, Tensor)


@pytest.mark.parametrize("nothing", [None, [[1.0, 2.0]], "text", 3])
def test_what_is_no_input(nothing: object) -> None:
    with pytest.raises(InputError, match=f"inputs are a {type(nothing).__name__}, expected a tensor"):
        attribute(case("mlp").model, nothing, GradInput())


# --- sparse rows ---


def test_sparse_rows_are_taken_in_any_order_and_more_than_once() -> None:
    rows = sparse()
    index = torch.tensor([4, 1, 0, 4, 2])
    taken = rows.take(index)
    assert torch.equal(taken.dense(), rows.dense()[index])
    assert taken.rows.tolist() == sorted(taken.rows.tolist())
    assert len(taken) == 5
    assert torch.equal(rows.repeat(2).dense(), rows.dense().repeat_interleave(2, 0))


def test_an_empty_row_stays_empty() -> None:
    taken = sparse().take(torch.tensor([1, 1]))
    assert taken.counts.shape == (0,)
    assert torch.equal(taken.dense(), torch.zeros(2, 6, dtype=torch.float64))


def test_entries_of_one_column_add_up_in_the_dense_table() -> None:
    twice = SparseRows(torch.tensor([1.0, 2.0]), torch.tensor([3, 3]), torch.tensor([0, 0]), size=1, width=4)
    assert twice.dense().tolist() == [[0, 0, 0, 3]]
    assert rows_of_table(twice).toarray().tolist() == [[0, 0, 0, 3]]


# --- graphs ---


def examples(inputs: Graphs) -> list[tuple[Any, ...]]:
    """Each graph on its own: nodes, edges and ends counted from its own first node."""
    found = []
    for k in range(len(inputs)):
        nodes, edges = inputs.node_owner == k, inputs.edge_owner == k
        first = int(nodes.nonzero()[0, 0])
        ends = inputs.edge_index[:, edges] - first
        found.append((inputs.nodes[nodes].tolist(), inputs.edges[edges].tolist(), ends.tolist()))
    return found


@pytest.mark.parametrize("index", [[0, 1, 2, 3], [3, 1, 0, 2], [1], [1, 1, 1], [2, 2, 0, 1, 2]])
def test_graphs_are_taken_whole(index: list[int]) -> None:
    taken = graphs().take(torch.tensor(index))
    assert examples(taken) == [examples(graphs())[k] for k in index]
    assert len(taken) == len(index)
    assert taken.node_owner.tolist() == sorted(taken.node_owner.tolist())


def test_graphs_are_repeated_in_a_row() -> None:
    assert examples(graphs().repeat(3)) == [graph for graph in examples(graphs()) for _ in range(3)]


def test_replacing_parts_leaves_the_graph() -> None:
    given = graphs()
    doubled = given.replace(given.parts * 2)
    assert torch.equal(doubled.nodes, given.nodes * 2)
    assert torch.equal(doubled.edges, given.edges * 2)
    assert torch.equal(doubled.edge_index, given.edge_index)


def test_graphs_go_to_pytorch_geometric_and_back() -> None:
    given = graphs()
    batch = given.to_pyg()
    assert batch.num_graphs == 4
    assert [graph.num_nodes for graph in batch.to_data_list()] == [3, 1, 4, 2]
    again = Graphs.from_pyg(batch)
    assert examples(again) == examples(given)
    for name in ("nodes", "edges", "edge_index", "node_owner", "edge_owner"):
        assert torch.equal(getattr(again, name), getattr(given, name)), name


def test_edges_of_a_batch_may_stand_in_any_order() -> None:
    """The disjoint union does not say that the edges of one graph stand together."""
    batch = graphs().to_pyg()
    order = torch.randperm(14, generator=torch.Generator().manual_seed(0))
    batch.edge_index, batch.edge_attr = batch.edge_index[:, order], batch.edge_attr[order]
    mixed = Graphs.from_pyg(batch)
    assert mixed.edge_owner.tolist() == sorted(mixed.edge_owner.tolist())
    module = graph_network("mpnn")
    with torch.no_grad():
        torch.testing.assert_close(module(*mixed.arguments()), module(*graphs().arguments()))


def test_one_graph_without_edge_features() -> None:
    alone = Data(x=torch.tensor([[1], [2]]), edge_index=torch.tensor([[0, 1], [1, 0]]))
    given = Graphs.from_pyg(alone, names=("atoms", "bonds"))
    assert len(given) == 1
    assert given.nodes.dtype == torch.float32
    assert given.edges.shape == (2, 0)
    assert list(given.parts) == ["atoms", "bonds"]


def test_one_number_per_edge_is_one_feature() -> None:
    ring = torch.tensor([[0, 1], [1, 0]])
    given = Graphs.from_pyg(Data(x=torch.ones(2, 1), edge_index=ring, edge_attr=torch.tensor([1.0, 2.0])))
    assert given.edges.tolist() == [[1.0], [2.0]]


def test_graphs_without_nodes_still_count() -> None:
    empty = Data(x=torch.zeros(0, 3), edge_index=torch.zeros(2, 0, dtype=torch.long))
    full = Data(x=torch.ones(2, 3), edge_index=torch.zeros(2, 0, dtype=torch.long))
    assert len(Graphs.from_pyg(Batch.from_data_list([full, empty]))) == 2


def test_a_batch_without_features_is_refused() -> None:
    with pytest.raises(InputError, match="no node features x"):
        Graphs.from_pyg(Data(edge_index=torch.zeros(2, 0, dtype=torch.long)))


def test_a_network_made_elsewhere_answers_as_it_does_there() -> None:
    module, batch = case("pyg-gcn").module, graphs().to_pyg()
    with torch.no_grad():
        theirs = module(batch.x, batch.edge_index, batch.edge_attr, batch.batch)
    torch.testing.assert_close(adapt(module).predict(graphs()), theirs)


# --- torch modules: what is refused ---


class Returning(nn.Module):
    def __init__(self, wrap: Any) -> None:
        super().__init__()
        self.wrap = wrap

    def forward(self, x: Tensor) -> Any:
        return self.wrap(x)


@pytest.mark.parametrize("wrap", [lambda x: {"logits": x, "hidden": x**2}, lambda x: (x,), lambda x: {"age": x}])
def test_the_only_output_or_the_logits_need_no_name(wrap: Any) -> None:
    for method in (GradInput(), Occlusion()):
        found = attribute(Returning(wrap), table(), method, Logit(1))
        assert torch.equal(found.values, attribute(Returning(lambda x: x), table(), method, Logit(1)).values)


@pytest.mark.parametrize(
    ("wrap", "listed", "name"),
    [(lambda x: (x, x**2), "0, 1", 1), (lambda x: {"age": x, "sex": x**2}, "'age', 'sex'", "sex")],
)
def test_one_of_several_outputs_is_named(wrap: Any, listed: str, name: str | int) -> None:
    expected = attribute(Returning(lambda x: x**2), table(), GradInput(), Logit(1))
    found = attribute(TorchModel(Returning(wrap), output=name), table(), GradInput(), Logit(1))
    assert torch.equal(found.values, expected.values)
    with pytest.raises(InputError, match=rf"the model has outputs {listed}; name the one to explain with"):
        attribute(Returning(wrap), table(), GradInput())
    with pytest.raises(InputError, match=rf"the model has no output 'none'; it has {listed}"):
        attribute(TorchModel(Returning(wrap), output="none"), table(), GradInput())


def test_a_function_may_name_its_output_too() -> None:
    found = attribute(Function(lambda x: {"a": x, "b": x**2}, output="b"), table(), Occlusion(), Logit(1))
    torch.testing.assert_close(found.values[:, 1], table()[:, 1] ** 2)


def test_a_module_that_loses_examples() -> None:
    with pytest.raises(InputError, match=r"gave outputs of shape \(5, 5\) for 6 examples"):
        attribute(Returning(lambda x: x[1:]), table(), GradInput())


def test_cam_and_grad_cam_say_what_they_must_be_told_where_they_cannot_find_it() -> None:
    module = case("mlp").model
    for method, told in ((CAM(), "pooled='features', head='fc'"), (GradCAM(), r"layers=\('conv3',\)")):
        with pytest.raises(UnsupportedError, match=f"TorchModel\\(module, {told}"):
            attribute(module, table(), method)
    with pytest.raises(UnsupportedError, match="attention_layers="):
        attribute(module, table(), AttentionWeights())


@pytest.mark.parametrize(
    ("told", "method"),
    [
        ({"layers": ("third",)}, GradCAM()),
        ({"pooled": "third", "head": "head"}, CAM()),
        ({"pooled": "second", "head": "third"}, CAM()),
        ({"attention_layers": ("third",)}, AttentionWeights()),
    ],
)
def test_a_layer_that_is_not_there(told: dict[str, Any], method: Any) -> None:
    with pytest.raises(InputError, match="no layer 'third'; its children are first, second, head"):
        attribute(TorchModel(seeded(PooledCNN), **told), images(), method)


def test_a_layer_that_is_never_called() -> None:
    module = seeded(PooledCNN)
    module.spare = nn.Linear(2, 2)
    with pytest.raises(InputError, match="layer 'spare' took no part in the answer"):
        attribute(TorchModel(module, layers=("spare",)), images(), GradCAM())


def test_a_head_that_is_no_linear_layer() -> None:
    with pytest.raises(UnsupportedError, match=r"the head 'first' is a Conv2d, CAM needs an nn.Linear"):
        attribute(TorchModel(seeded(PooledCNN), pooled="second", head="first"), images(), CAM())


def test_a_layer_with_other_rows_than_the_input() -> None:
    model = TorchModel(graph_network("gcn"), layers=("head",))
    with pytest.raises(UnsupportedError, match="layer head puts out 4 rows for 10 nodes"):
        attribute(model, graphs(), GradCAM())


def test_attention_of_other_rows_than_the_input() -> None:
    model = TorchModel(graph_network("gat"), attention_layers=("encode_atoms",))
    with pytest.raises(UnsupportedError, match=r"encode_atoms gave 10 attention weights, expected 14 \(edges\)"):
        attribute(model, graphs(), AttentionWeights())


@pytest.mark.parametrize("heads", [None, 1, 3])
def test_attention_heads_are_averaged(heads: int | None) -> None:
    weights = numbers(14).abs() if heads is None else numbers(14, heads).abs()

    class Looking(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = Returning(lambda edges: weights[: len(edges)])

        def forward(self, x: Tensor, edge_index: Tensor, edge_attr: Tensor, batch: Tensor) -> Tensor:
            self.attention(edge_attr)
            return torch.zeros(int(batch.max()) + 1, 1, dtype=x.dtype).index_add(0, batch, x[:, :1])

    found = attribute(TorchModel(Looking(), attention_layers=("attention",)), graphs(), AttentionWeights())
    torch.testing.assert_close(found.parts["edges"], weights if heads is None else weights.mean(1))


@pytest.mark.parametrize(
    ("method", "at"), [(GradCAM(), None), (CAM(), None), (AttentionRollout(), None), (Gradient(), "0")]
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_layers_of_a_script_cannot_be_seen(method: Any, at: str | None) -> None:
    script = torch.jit.script(nn.Sequential(nn.Conv2d(2, 3, 3), nn.Flatten(), nn.Linear(18, 2)).double())
    with pytest.raises(UnsupportedError, match="layers of a TorchScript module cannot be seen; give the module it was"):
        attribute(script, images(), method, at=at)


def test_adapters_pickle() -> None:
    for name in ("mlp", "logistic", "tree", "forest"):
        adapted, given = adapt(case(name).model), case(name).inputs
        again = pickle.loads(pickle.dumps(adapted))
        assert torch.equal(again.predict(given), adapted.predict(given))


def test_parts_of_other_names_do_not_mix() -> None:
    with pytest.raises(KeyError, match="b"):
        Parts({"b": torch.ones(1)}) + Parts({"a": torch.ones(1)})
