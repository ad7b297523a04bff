"""The order in which a chain reads the columns of a table.

What two columns have in common must pass through the hidden states of every column between them.
So columns that share much should lie close together: minimise sum_{d < e} I(x_d; x_e) |pos_d -
pos_e|, which is the mutual information that crosses each cut of the chain, summed over the cuts.
The minimum linear arrangement is NP-hard; the order of the Laplacian's second eigenvector (Juvan &
Mohar 1992) is a good start, and moving one column at a time improves it.

With entries ``MISSING``, what two columns share is counted in the rows that have both.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from genzoo.models.shared.information import information_in
from genzoo.space.schema import MISSING

# More rows and codes tell better what columns share; these bounds keep it to seconds.
MOST_NUMBERS = 50_000_000  # in the one-hot matrix from which mutual information is counted
MOST_PAIRS = 20_000_000  # of entries of a row, over all rows that are counted: about 2 seconds
DENSE_SPEED = 2500  # multiplications of a dense product in the time of a pair in a sparse one
DENSE_UP_TO = 32  # codes a column, on average; with more a sparse product is faster
MOST_CODES = 4096  # of all columns together, where a column has more than its part of them
MOST_COLUMNS_MOVED = 300  # moving costs D^3 a sweep
SWEEPS = 20  # at most, where columns still move: a bound on time


def column_order(rows: np.ndarray, cards: np.ndarray) -> np.ndarray:
    """(D,) the columns of rows (n, D) in the order in which to read them.

    Args:
        rows: codes, ``MISSING`` in places.
        cards: (D,) number of codes of each column.

    >>> a, b = np.random.default_rng(0).integers(0, 2, (2, 500))
    >>> order = column_order(np.stack([a, b, a, b], axis=1), np.full(4, 2)).tolist()
    >>> abs(order.index(0) - order.index(2)), abs(order.index(1) - order.index(3))
    (1, 1)
    """
    D = len(cards)
    if D < 3:
        return np.arange(D)
    rows, cards = _most_frequent_codes(rows, cards)
    S = int(cards.sum())
    per_row = D**2 if S > DENSE_UP_TO * D else -(-(S**2) // DENSE_SPEED)
    n = max(1, min(MOST_NUMBERS // S, MOST_PAIRS // per_row))
    shared = mutual_information(rows[:n], cards)
    joined = shared + 1e-9  # one connected graph, also where columns are independent
    np.fill_diagonal(joined, 0.0)
    laplacian = np.diag(joined.sum(axis=1)) - joined
    order = np.argsort(np.linalg.eigh(laplacian)[1][:, 1], kind="stable")
    return _move_columns(order, shared) if D <= MOST_COLUMNS_MOVED else order


def _most_frequent_codes(rows: np.ndarray, cards: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and cards with the rare codes of columns of many codes counted as one.

    The matrix of joint counts is square in the codes, and codes seen once tell nothing.
    """
    if cards.sum() <= MOST_CODES:
        return rows, cards
    most = max(2, MOST_CODES // len(cards))
    rows, cards = rows.copy(), cards.copy()
    for d in np.flatnonzero(cards > most):
        rank = np.empty(cards[d], dtype=np.int64)
        seen = rows[:, d] != MISSING
        by_count = np.argsort(-np.bincount(rows[seen, d], minlength=cards[d]), kind="stable")
        rank[by_count] = np.arange(cards[d])
        rows[seen, d], cards[d] = np.minimum(rank[rows[seen, d]], most - 1), most
    return rows, cards


def mutual_information(rows: np.ndarray, cards: np.ndarray) -> np.ndarray:
    """(D, D) mutual information in nats, less its bias under independence; zero diagonal.

    Each pair of columns is counted in the rows in which neither is ``MISSING``.

    >>> a = np.arange(1000) % 2
    >>> mutual_information(np.stack([a, a], axis=1), np.array([2, 2])).round(2)
    array([[0.  , 0.69],
           [0.69, 0.  ]])
    """
    n, D = rows.shape
    offsets = np.concatenate([[0], np.cumsum(cards)])
    seen, S = rows != MISSING, int(offsets[-1])
    codes = (rows + offsets[:-1])[seen]
    ones = np.ones(len(codes), dtype=np.float32)
    row_ends = np.concatenate([[0], np.cumsum(seen.sum(axis=1))])
    one_hot = sparse.csr_matrix((ones, codes, row_ends), (n, S))
    if S > DENSE_UP_TO * D:
        joint = (one_hot.T @ one_hot).toarray()
    else:
        dense = one_hot.toarray()
        joint = dense.T @ dense
    information, both = np.empty((D, D)), np.empty((D, D))
    for d in range(D):
        counts = joint[offsets[d] : offsets[d + 1]].astype(np.float64)
        both[d] = np.maximum(np.add.reduceat(counts.sum(axis=0), offsets[:-1]), 1)
        information[d] = information_in(counts, offsets[:-1]) / both[d]
    values_seen = np.add.reduceat(np.bincount(codes, minlength=S) > 0, offsets[:-1])
    free = np.maximum(values_seen - 1, 0)
    bias = np.outer(free, free) / (2 * both)
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
