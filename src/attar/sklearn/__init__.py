"""scikit-learn's `permutation_importance` and `partial_dependence`: the same answers from few calls of the model, with
standard errors over rows.

Strings and names of arguments are scikit-learn's, so that an import is all that changes.
"""

from attar.sklearn.dependence import partial_dependence
from attar.sklearn.importance import permutation_importance

__all__ = ["partial_dependence", "permutation_importance"]
