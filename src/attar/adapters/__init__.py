"""What a library's models can do, put in terms of the protocols."""

from attar.core.errors import UnsupportedError
from attar.core.model import Predictor


def adapt(model: object) -> object:
    """The model itself if it offers a protocol already, else the adapter for its library.

    A torch module, a scikit-learn estimator (`predict_proba`, `decision_function` or `predict`) or a plain
    function over a batch. Raises `UnsupportedError` for anything else.
    """
    if isinstance(model, type):
        raise UnsupportedError(f"{model.__name__} is a class; give a fitted instance of it")
    import torch

    if isinstance(model, torch.nn.Module):
        from attar.adapters.torch import TorchModel

        return TorchModel(model)
    if hasattr(model, "fit") and hasattr(model, "get_params"):
        from attar.adapters.sklearn import adapt_estimator

        return adapt_estimator(model)
    if isinstance(model, Predictor):
        return model
    if callable(model):
        from attar.adapters.function import Function

        return Function(model)
    raise UnsupportedError(
        f"cannot ask a {type(model).__name__} anything: give a torch module, a scikit-learn estimator, "
        "a function over a batch, or an object with predict(inputs)"
    )
