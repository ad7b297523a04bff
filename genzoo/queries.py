"""Questions to a fitted model that are built on ``sample(given=...)`` and ``log_prob``.

``impute`` fills holes by draws from p(missing | observed). ``classify`` is Bayes' rule on the
joint: p(label | the rest) in proportion to p(label, the rest).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from genzoo.model import GenerativeModel
from genzoo.seeding import check_seed
from genzoo.space import forms
from genzoo.space.schema import MISSING


def impute(model: GenerativeModel, data: Any, *, seed: int = 0) -> Any:
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
    """
    _check_model(model)
    return model._completed(data, seed=check_seed(seed))


def classify(
    model: GenerativeModel,
    data: Any,
    target: Any = "label",
    *,
    proba: bool = False,
    seed: int = 0,
) -> Any:
    """The label of each row, by Bayes' rule on the model's joint distribution.

    Args:
        model: a fitted model.
        data: rows of codes (n, D) or a DataFrame. What they hold in ``target`` is not looked at,
            and a DataFrame may lack it. Other entries that are ``MISSING`` are summed out.
        target: name of the variable to tell.
        proba: return the probabilities instead.
        seed: for families whose log_prob is a Monte Carlo bound.

    Returns:
        (n,) labels, the likeliest ones: codes where codes came in, else values. With ``proba``, a
        DataFrame (n, number of labels) whose columns are the labels and whose rows sum to one. The
        missing mark is no label. Where ``log_prob`` is a bound, the probabilities are estimates.

    Raises:
        Unsupported: if the family can't sum out such a pattern.
        ValueError: for bad data, an unknown target, and for a model that is not fitted.
    """
    import pandas as pd

    _check_model(model)
    model._check_fitted("classify")
    schema, seed = model.schema_, check_seed(seed)
    if not isinstance(target, (str, int)) or target not in schema.names:
        names = ", ".join(map(str, schema.names))
        raise ValueError(f"target: expected a variable of the model ({names}); got {target!r}")
    d = schema.names.index(target)
    n_labels = schema.variables[d].n_values
    if n_labels == 0:
        raise ValueError(f"target: {target!r} has no values, only the missing mark")
    form = forms.form_of(data)
    if form == "frame" and target not in data.columns:
        data = data.assign(**{str(target): pd.NA})
    if form == "codes" and np.ndim(data) == 2 and np.shape(data)[1] == schema.D:
        data = np.array(data)
        data[:, d] = MISSING
    elif form == "frame":
        data = data.assign(**{str(target): pd.NA})
    else:
        raise ValueError(
            f"data: expected rows of codes (n, {schema.D}) or a DataFrame; got {form} of shape "
            f"{np.shape(data)}"
        )
    rows = forms.encode(schema, data, given=True, name="data")
    log_shares = label_log_probs(model, rows, d, seed=seed)
    labels = np.arange(n_labels)
    if form == "frame":
        filled = np.zeros((n_labels, schema.D), dtype=np.int64)
        filled[:, d] = labels
        labels = forms.decode_frame(schema, filled, seed=seed)[target].to_numpy()
    if proba:
        index = data.index if form == "frame" else None
        return pd.DataFrame(np.exp(log_shares), columns=labels, index=index)
    return labels[log_shares.argmax(axis=1)]


def label_log_probs(model: GenerativeModel, rows: np.ndarray, d: int, *, seed: int) -> np.ndarray:
    """(n, L) log p(variable d is the label | the rest), in nats, for each of its L values.

    The missing mark is no label. Where ``log_prob`` is a bound, these are estimates.

    Args:
        rows: (n, D) codes; what they hold in variable d is not looked at, other ``MISSING`` entries
            are summed out.
    """
    n_labels = model.schema_.variables[d].n_values
    rows = rows.copy()
    joint = np.empty((len(rows), n_labels))
    for label in range(n_labels):
        rows[:, d] = label
        joint[:, label] = model._log_prob_of(rows, seed).value
    return joint - np.logaddexp.reduce(joint, axis=1, keepdims=True)


def _check_model(model: object) -> None:
    if not isinstance(model, GenerativeModel):
        raise ValueError(f"model: expected a GenerativeModel; got {type(model).__name__}")
