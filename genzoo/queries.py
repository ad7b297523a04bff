"""Questions to a fitted model that are built on ``sample(given=...)`` and ``log_prob``.

``impute`` fills holes by draws from p(missing | observed). ``classify`` is Bayes' rule on the
joint: p(label | the rest) in proportion to p(label, the rest). ``log_prob_by_variable`` is the
chain rule: what each variable adds to a row's log mass, given those before it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

import numpy as np

from genzoo.model import GenerativeModel
from genzoo.parameters import check_integer
from genzoo.seeding import check_seed
from genzoo.space import forms, strings
from genzoo.space.forms import Data
from genzoo.space.schema import MISSING, Schema
from genzoo.values import LogProb, LogTerms


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


def log_prob_by_variable(
    model: GenerativeModel, data: Data, *, n_blocks: int | None = None, seed: int = 0
) -> LogTerms:
    """What each variable adds to the log mass of a row, given the variables before it.

    The chain rule in the order of the data's own columns (positions of a string, pixels row by
    row): log p(x) = sum_d log p(x_d | x_1 .. x_d-1), each term a difference of the log masses of
    two prefixes whose rest is summed out. So the same question can be put to every family, also to
    those that model the variables in another order. In strings nothing is asked after an END: those
    terms are 0.

    Args:
        model: a fitted model.
        data: n complete rows, in any form that ``log_prob`` takes.
        n_blocks: ask for so many blocks of neighbouring variables, as equal as can be, instead of
            one after the other; None, or more than there are variables: one after the other.
        seed: as in ``log_prob``; all prefixes of a row are scored with the same one.

    Returns:
        LogTerms: (n, B) nats. Those of a row sum to ``model.log_prob(data, seed=seed)``. Exact
        where ``log_prob`` is for all prefixes; else estimates, whose noise may lift one above 0.

    Raises:
        Unsupported: if the family can't sum out such a pattern, or bounds by ELBO.
        ValueError: for bad data, for entries that are ``MISSING``, a bad ``n_blocks``, and for a
            model that is not fitted.

    >>> import genzoo
    >>> rows = np.array([[0, 0], [1, 1], [0, 0], [1, 1]])
    >>> model = genzoo.BayesianNetwork(structure="chow_liu").fit(rows)
    >>> terms = log_prob_by_variable(model, rows[:1])
    >>> terms.value.round(2), terms.kind  # the second copies the first, but for the smoothing
    (array([[-0.69, -0.29]]), 'exact')
    """
    schema, seed = _schema_of(model, "log_prob_by_variable"), check_seed(seed)
    check_integer("n_blocks", n_blocks, optional=True)
    form = forms.read(data)
    rows = strings.settled(schema.encode(form), schema.end)
    schema.check_complete(rows, form.name, "each variable is asked given those before it")
    starts = np.linspace(0, schema.D, min(n_blocks or schema.D, schema.D), endpoint=False)
    starts = np.ceil(starts).astype(np.int64)
    known, whole = np.full(rows.shape, MISSING), model._log_prob_of(rows, seed)
    last = LogProb.exact(np.zeros(len(rows)))  # before anything is known
    is_over, terms = np.zeros(len(rows), dtype=bool), []
    for start, stop in zip(starts, [*starts[1:], schema.D], strict=True):
        known[:, start:stop] = rows[:, start:stop]
        was_over, is_over = is_over, strings.lengths(rows, schema.end) <= stop
        prefix = whole
        if not is_over.all():
            asked = model._log_prob_of(known, seed)
            value = np.where(is_over, whole.value, asked.value)
            prefix = replace(asked, value=value)
        terms.append(prefix.less(last, sure=was_over))
        last = prefix
    return LogTerms(
        np.stack([term.value for term in terms], axis=1),
        "exact" if all(term.kind == "exact" for term in terms) else "estimate",
        np.stack([term.stderr for term in terms], axis=1),
        starts,
    )


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
