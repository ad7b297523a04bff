"""The order in which a chain reads the columns of a table.

What two columns have in common must pass through the hidden states of every column between them.
So columns that share much should lie close together: minimise sum_{d < e} I(x_d; x_e) |pos_d -
pos_e|, which is the mutual information that crosses each cut of the chain, summed over the cuts.
The minimum linear arrangement is NP-hard; the order of the Laplacian's second eigenvector (Juvan &
Mohar 1992) is a good start, and moving one column at a time improves it.
"""

from __future__ import annotations

import numpy as np

MOST_NUMBERS = 50_000_000  # in the one-hot matrix from which mutual information is counted
MOST_COLUMNS_MOVED = 300  # moving costs D^3 a sweep
SWEEPS = 20


def column_order(rows: np.ndarray, cards: np.ndarray) -> np.ndarray:
    """(D,) the columns of rows (n, D) in the order in which to read them."""
    n = max(1, MOST_NUMBERS // int(cards.sum()))
    shared = mutual_information(rows[:n], cards)
    D = len(shared)
    if D < 3:
        return np.arange(D)
    joined = shared + 1e-9  # one connected graph, also where columns are independent
    np.fill_diagonal(joined, 0.0)
    laplacian = np.diag(joined.sum(axis=1)) - joined
    order = np.argsort(np.linalg.eigh(laplacian)[1][:, 1], kind="stable")
    return _move_columns(order, shared) if D <= MOST_COLUMNS_MOVED else order


def mutual_information(rows: np.ndarray, cards: np.ndarray) -> np.ndarray:
    """(D, D) mutual information in nats, less its bias under independence; zero diagonal."""
    n = len(rows)
    offsets = np.concatenate([[0], np.cumsum(cards)])
    one_hot = np.zeros((n, offsets[-1]), dtype=np.float32)
    one_hot[np.arange(n)[:, None], rows + offsets[:-1]] = 1
    joint = (one_hot.T @ one_hot).astype(np.float64) / n
    marginal = np.diag(joint)
    expected = np.outer(marginal, marginal)
    live = joint > 0
    terms = joint * np.log(np.divide(joint, expected, where=live, out=np.ones_like(joint)))
    information = np.add.reduceat(np.add.reduceat(terms, offsets[:-1], 0), offsets[:-1], 1)
    values_seen = np.add.reduceat(marginal > 0, offsets[:-1])
    bias = np.outer(values_seen - 1, values_seen - 1) / (2 * n)
    information = np.maximum(information - bias, 0.0)
    np.fill_diagonal(information, 0.0)
    return information


def _move_columns(order: np.ndarray, shared: np.ndarray) -> np.ndarray:
    """Take out each column in turn and put it back where the sum is least, until none moves."""
    D = len(order)
    place = np.arange(D)
    for _ in range(SWEEPS):
        moved = False
        for column in range(D):
            now = int(np.flatnonzero(order == column)[0])
            rest = np.delete(order, now)
            among = shared[np.ix_(rest, rest)]
            # with k columns before it: the others' links across it grow by one, its own are |.|
            across = np.concatenate(
                [[0.0], np.cumsum(among.sum(axis=1) - 2 * np.tril(among).sum(axis=1))]
            )
            shifted = place[:-1] + (place[:-1] >= place[:, None])  # (k, others)
            total = across + np.abs(shifted - place[:, None]) @ shared[column, rest]
            best = int(total.argmin())
            if total[best] < total[now] - 1e-12:
                order, moved = np.insert(rest, best, column), True
        if not moved:
            break
    return order
