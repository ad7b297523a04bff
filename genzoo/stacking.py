"""The weights of a mixture of fitted models, from the log masses that each gives to rows it has not
seen: stacking of densities [1].

    p(x) = sum_k w_k p_k(x),    w = argmax_w  sum_i log sum_k w_k p_k(x_i) + (a / K) sum_k log w_k

The models are fixed, so the objective is concave in w and EM finds its optimum. How far it is from
that is known at every step: the optimum lies no more than log max_k g_k higher, in nats a row,
where g is the gradient [2]. The Dirichlet prior is worth ``PRIOR`` rows of all models together.

A model whose absence would cost the rows less than ``LEAST`` nats in all is left out, which is
Akaike's price of a parameter [3]: what is exact stays exact where a model with a bound adds
nothing, and of two copies one is enough.

Weights flatter the rows that chose them. So the figure by which a stack is compared with its parts
is cross-fitted: each row is scored with weights that the rows of other folds chose, and the rows of
a group lie in one fold.

References:
    [1] Smyth and Wolpert, Linearly combining density estimators via stacking, Machine Learning 36,
        1999.
    [2] Lindsay, The geometry of mixture likelihoods, Ann. Stat. 11, 1983.
    [3] Akaike, A new look at the statistical model identification, IEEE TAC 19, 1974.
"""

from __future__ import annotations

import numpy as np

from genzoo.seeding import numpy_rng

PRIOR = 1.0  # rows
LEAST = 1.0  # nats of all rows, that a model must be worth
N_FOLDS = 10
TOLERANCE = 1e-5  # nats a row below the optimum
MOST_STEPS = 2000


def fit_weights(log_masses: np.ndarray) -> np.ndarray:
    """(K,) weights of K models, some of them 0, which sum to one.

    Args:
        log_masses: (n, K) of each row under each model, in nats; of no rows, all weights are equal.

    >>> fit_weights(np.log([[0.9, 0.1, 0.1], [0.1, 0.9, 0.1]] * 50)).round(2)
    array([0.5, 0.5, 0. ])
    """
    K = log_masses.shape[1]
    masses = np.exp(log_masses - log_masses.max(axis=1, keepdims=True, initial=-np.inf))
    kept, weights = np.arange(K), _em(masses)
    while len(masses) and len(kept) > 1:
        least = _costs(masses[:, kept], weights).argmin()
        others = np.delete(kept, least)
        anew = _em(masses[:, others])
        with np.errstate(divide="ignore"):
            lost = np.log(masses[:, kept] @ weights) - np.log(masses[:, others] @ anew)
        if not lost.sum() < LEAST:
            break
        kept, weights = others, anew
    found = np.zeros(K)
    found[kept] = weights
    return found


def _em(masses: np.ndarray) -> np.ndarray:
    """(K,) the best weights of models with masses (n, K), whose rows may have any scale."""
    n, K = masses.shape
    weights = np.full(K, 1 / K)
    for _ in range(MOST_STEPS):
        mixture = np.maximum(masses @ weights, np.finfo(np.float64).tiny)
        gradient = (masses.T @ (1 / mixture) + PRIOR / K / weights) / (n + PRIOR)
        weights = weights * gradient
        if np.log(gradient.max()) < TOLERANCE:
            break
    return weights / weights.sum()


def _costs(masses: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(K,) what all rows lose without each model if the others keep their proportions, in nats: as
    much as they can lose when the weights are fitted anew."""
    shares = masses * weights
    shares /= shares.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore"):
        lost = -np.log1p(-np.minimum(shares, 1.0)).sum(axis=0)
        return np.asarray(lost + len(masses) * np.log1p(-np.minimum(weights, 1.0)))


def mixed(log_masses: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(n,) log mass of each row under the mixture, in nats.

    Args:
        log_masses: (n, K); not looked at where a model has no weight.
        weights: (K,).

    >>> mixed(np.log([[0.5, 0.1]]), np.array([0.5, 0.5])).round(3)
    array([-1.204])
    """
    used = weights > 0
    total: np.ndarray = np.logaddexp.reduce(log_masses[:, used] + np.log(weights[used]), axis=1)
    return total


def cross_fitted(log_masses: np.ndarray, groups: np.ndarray | None = None) -> np.ndarray:
    """(n,) log mass of each row under a mixture whose weights other rows chose.

    Args:
        log_masses: (n, K).
        groups: (n,) which group each row is from; its rows are never on both sides. With one group
            there are no other rows, and all weights are equal.

    >>> lucky = np.log([[0.9, 0.1], [0.1, 0.9]])  # each row has a model of its own
    >>> np.exp(cross_fitted(lucky)).round(2)
    array([0.1, 0.1])
    """
    fold = _folds(len(log_masses), groups)
    found = np.empty(len(log_masses))
    for k in np.unique(fold):
        here = fold == k
        found[here] = mixed(log_masses[here], fit_weights(log_masses[~here]))
    return found


def _folds(n: int, groups: np.ndarray | None) -> np.ndarray:
    """(n,) the fold of each row; which it is depends on n and the groups alone."""
    number = np.arange(n) if groups is None else np.unique(groups, return_inverse=True)[1]
    n_units = int(number.max(initial=-1)) + 1
    order = numpy_rng(0, "stacking", "folds").permutation(n_units)
    fold: np.ndarray = (order % N_FOLDS)[number]
    return fold


def worth(log_masses: np.ndarray) -> np.ndarray:
    """(K,) what rows lose without each model though the others' weights are fitted anew, in nats a
    row: what it knows that the others don't. nan where there are no rows.

    Args:
        log_masses: (n, K).

    >>> worth(np.log([[0.9, 0.1, 0.1], [0.1, 0.9, 0.1]] * 50)).round(2)
    array([0.51, 0.51, 0.  ])
    """
    n, K = log_masses.shape
    if n == 0 or K == 1:
        return np.full(K, np.nan)
    whole = mixed(log_masses, fit_weights(log_masses)).mean()
    others = [np.delete(log_masses, k, axis=1) for k in range(K)]
    lost = [whole - mixed(part, fit_weights(part)).mean() for part in others]
    return np.maximum(lost, 0.0)
