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
from scipy.sparse.linalg import eigsh

from genzoo.models.shared.information import information_in
from genzoo.space.schema import MISSING

# More rows and codes tell better what columns share; these bounds keep it to seconds.
MOST_NUMBERS = 50_000_000  # in the one-hot matrix from which mutual information is counted
MOST_PAIRS = 20_000_000  # of entries of a row, over all rows that are counted: about 2 seconds
DENSE_SPEED = 2500  # multiplications of a dense product in the time of a pair in a sparse one
DENSE_UP_TO = 32  # codes a column, on average; with more a sparse product is faster
MOST_CODES = 4096  # of all columns together, where a column has more than its part of them
ALL_VECTORS_UP_TO = 300  # columns; beyond it takes seconds to find all eigenvectors, not the second
SWEEPS, MOST_MOVED = 20, 10_000  # columns taken out, of all sweeps, are less than a second


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
    return np.arange(len(cards)) if len(cards) < 3 else arranged(shared_information(rows, cards))


def arranged(shared: np.ndarray) -> np.ndarray:
    """(D,) the order of columns of which two share ``shared`` (D, D) nats, with a zero diagonal.

    >>> chain = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
    >>> arranged(chain).tolist()[1]
    2
    """
    D = len(shared)
    if D < 3:
        return np.arange(D)
    joined = shared + 1e-9  # one connected graph, also where columns are independent
    np.fill_diagonal(joined, 0.0)
    laplacian = np.diag(joined.sum(axis=1)) - joined
    if D <= ALL_VECTORS_UP_TO:
        second = np.linalg.eigh(laplacian)[1][:, 1]
    else:  # the constant vector, the first one, is lifted above the others
        lifted = laplacian + laplacian.trace() / D**2
        second = eigsh(lifted, k=1, sigma=0.0, v0=np.linspace(-1, 1, D))[1][:, 0]
    return _move_columns(np.argsort(second, kind="stable"), shared)


def shared_information(rows: np.ndarray, cards: np.ndarray) -> np.ndarray:
    """(D, D) ``mutual_information`` in as many of the rows (n, D), and of the codes, as take no
    more than seconds.

    >>> shared_information(np.arange(1000)[:, None] % 2 + [0, 0], np.array([2, 2])).round(2)
    array([[0.  , 0.69],
           [0.69, 0.  ]])
    """
    D = len(cards)
    most = cards.max() if cards.sum() <= MOST_CODES else max(2, MOST_CODES // D)
    S = int(np.minimum(cards, most).sum())
    per_row = D**2 if S > DENSE_UP_TO * D else -(-(S**2) // DENSE_SPEED)
    n = max(1, min(MOST_NUMBERS // S, MOST_PAIRS // per_row))
    return mutual_information(*_most_frequent_codes(rows[:n].astype(np.int64), cards, most))


def _most_frequent_codes(
    rows: np.ndarray, cards: np.ndarray, most: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rows, changed in place, and cards with the rare codes of columns of more codes than ``most``
    counted as one.

    The matrix of joint counts is square in the codes, and codes seen once tell nothing.
    """
    cards = cards.copy()
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
    """Take out each column in turn and put it back where the sum is least, until none moves.

    A sweep takes D^2: what crosses each cut of the chain is kept, and running sums of a column's
    links tell what every place would cost it.
    """
    D = len(order)
    place = np.arange(D)
    for _ in range(min(SWEEPS, -(-MOST_MOVED // D))):
        moved = False
        crossing = _crossing(shared[np.ix_(order, order)])
        for column in range(D):
            now = int(np.flatnonzero(order == column)[0])
            rest = np.delete(order, now)
            links = shared[column, rest]
            # with k of the others before it: (D,) its links to them, and to those behind it
            before, moments = (
                np.concatenate([[0.0], np.cumsum(a)]) for a in (links, links * place[:-1])
            )
            behind = before[-1] - before
            across = np.append(crossing[:now] - before[:now], crossing[now + 1 :] - behind[now:])
            # the others' links across it grow by one
            own = place * (before - behind) + behind + moments[-1] - 2 * moments
            total = across + own
            best = int(total.argmin())
            if total[best] < total[now] - 1e-12:
                order, moved = np.insert(rest, best, column), True
                first, last = across[: best + 1] + before[: best + 1], across[best:] + behind[best:]
                crossing = np.append(first, last)
        if not moved:
            break
    return order


def _crossing(links: np.ndarray) -> np.ndarray:
    """(D + 1,) what columns share across each cut of a chain: ``links`` (D, D), in its order."""
    ahead = links.sum(axis=1) - 2 * np.tril(links).sum(axis=1)
    return np.concatenate([[0.0], np.cumsum(ahead)])
