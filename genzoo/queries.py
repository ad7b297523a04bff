"""Questions to a fitted model that are built on ``sample(given=...)`` and ``log_prob``.

``impute`` fills holes by draws from p(missing | observed). ``classify`` is Bayes' rule on the
joint: p(label | the rest) in proportion to p(label, the rest).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

import numpy as np

from genzoo.model import GenerativeModel
from genzoo.seeding import check_seed
from genzoo.space import forms
from genzoo.space.forms import Data
from genzoo.space.schema import Schema


def impute(model: GenerativeModel, data: Data, *, seed: int = 0) -> Any:
    """Data with its holes filled in, each row by one draw given what is observed in it.

    Args:
        model: a fitted model.
        data: rows with ``MISSING`` (codes), a DataFrame with NaN, or prefixes (strings).
        seed: the same seed fills in the same values.

    Returns:
        The form that came in. Observed entries are as they were; a filled-in one is never a
        missing mark, save in a column that has no values, only the mark. For several imputations
        take several seeds.

    Raises:
        Unsupported: if the family can't complete such a pattern.
        ValueError: for bad data, and for a model that is not fitted.

    >>> import genzoo, pandas as pd
    >>> data = pd.DataFrame({"age": [30, 31, 60, 61] * 20, "city": [*"RROO"] * 20})
    >>> model = genzoo.BayesianNetwork().fit(data)
    >>> genzoo.impute(model, pd.DataFrame({"age": [30, None], "city": [None, "O"]}), seed=1)
       age city
    0   30    R
    1   61    O
    """
    schema, seed = _schema_of(model, "impute"), check_seed(seed)
    form = forms.read(data)
    rows = model._filled(schema.encode(form, given=True), seed)
    return form.completed(schema, rows, seed=seed)


def classify(
    model: GenerativeModel,
    data: Data,
    target: str | int = "label",
    *,
    proba: bool = False,
    seed: int = 0,
) -> np.ndarray | pd.DataFrame:
    """The label of each row, by Bayes' rule on the model's joint distribution.

    Args:
        model: a fitted model.
        data: rows of codes (n, D) or a DataFrame. What they hold in ``target`` is not looked at,
            and a DataFrame may lack it. Other entries that are ``MISSING`` are summed out.
        target: name of the variable to tell; of codes, the index of its column too.
        proba: return the probabilities instead.
        seed: for families whose log_prob is a Monte Carlo bound.

    Returns:
        (n,) labels, the likeliest ones: codes where codes came in, else values. With ``proba``, a
        DataFrame (n, number of labels) whose columns are the labels and whose rows sum to one. The
        missing mark is no label. Where ``log_prob`` is a bound, the probabilities are estimates.

    Raises:
        Unsupported: if the family can't sum out such a pattern.
        ValueError: for bad data, an unknown target, and for a model that is not fitted.

    >>> import genzoo, pandas as pd
    >>> data = pd.DataFrame({"age": [30, 31, 60, 61] * 20, "city": [*"RROO"] * 20})
    >>> model = genzoo.BayesianNetwork().fit(data)
    >>> genzoo.classify(model, pd.DataFrame({"age": [30, 61]}), "city").tolist()
    ['R', 'O']
    """
    schema, seed = _schema_of(model, "classify"), check_seed(seed)
    form = forms.read(data)
    d = form.place_of(schema, target)
    if schema.variables[d].n_values == 0:
        raise ValueError(f"target: {target!r} has no values, only the missing mark")
    form = form.without(schema, schema.names[d])
    rows = schema.encode(form, given=True)
    log_shares = label_log_probs(model, rows, d, seed=seed)
    labels = form.values(schema, d, seed=seed)
    if not proba:
        return labels[log_shares.argmax(axis=1)]
    import pandas as pd

    return pd.DataFrame(np.exp(log_shares), columns=labels, index=form.index)


def label_log_probs(model: GenerativeModel, rows: np.ndarray, d: int, *, seed: int) -> np.ndarray:
    """(n, L) log p(variable d is the label | the rest), in nats, for each of its L values.

    The missing mark is no label. Where ``log_prob`` is a bound, these are estimates.

    Args:
        rows: (n, D) codes; what they hold in variable d is not looked at, other ``MISSING`` entries
            are summed out.

    >>> import genzoo
    >>> rows = np.array([[0, 0], [1, 1], [0, 0], [1, 1]])
    >>> model = genzoo.BayesianNetwork().fit(rows)
    >>> label_log_probs(model, rows[:2], 1, seed=0).argmax(axis=1)
    array([0, 1])
    """
    # values come first among the codes: a missing mark is the last
    joint = model._log_prob_each(rows, d, seed=seed)[:, : model.schema_.variables[d].n_values]
    return joint - np.logaddexp.reduce(joint, axis=1, keepdims=True)


def _schema_of(model: object, question: str) -> Schema:
    """The schema of a model that was fitted."""
    if not isinstance(model, GenerativeModel):
        raise ValueError(f"model: expected a GenerativeModel; got {type(model).__name__}")
    model._check_fitted(question)
    return model.schema_
