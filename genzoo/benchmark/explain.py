"""What explains a fitted model's numbers: kept with the cell, since the report loads no model.

By variable: what each adds to the log mass of some test rows, the same ones for every family
(``queries.log_prob_by_variable``), and of the least likely test rows. By row: the samples that lie
nearest to training rows. And what families offer beyond the contract (``protocols``): the graph of
a network, paths of hidden states, rows between two rows.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from genzoo.benchmark.attempts import attempt
from genzoo.datasets.dataset import Dataset
from genzoo.datasets.truth import TrueNetwork
from genzoo.metrics.embedding import embed, squared_distances
from genzoo.model import GenerativeModel
from genzoo.models.shared.information import information_in
from genzoo.protocols import DecodesStates, HasGraph, Interpolates
from genzoo.queries import log_prob_by_variable
from genzoo.results.record import ExplainRecord, NearRecord
from genzoo.seeding import derive, numpy_rng
from genzoo.space.schema import MISSING, Schema
from genzoo.values import LogTerms, Unsupported

# of an array (n, D): so many say as much of wide rows as of narrow ones, in about the same time
ENTRIES, FEWEST_ROWS, MOST_ROWS = 3000, 32, 256
# Blocks of neighbouring variables, a prefix is scored for each: the finer ones where there is time.
COARSE, FINE = 8, 64
# For the blocks of a cell. On the quick profile most exact families need less than a second for the
# finer ones; families that bound search anew for each prefix, and averages of large trees sum long:
# a network on alarm needs nine seconds for the coarse ones, and is what validation chooses there.
MOST_SECONDS, MOST_FINE_SECONDS = 12.0, 4.0
N_LEAST = 4
N_NEAREST, NEAR_ROWS, MOST_DISTANCES = 3, 1000, 10_000_000
N_PATHS = 4
STRENGTH_ROWS = 5000  # training rows that tell what two variables know of each other
N_STRIPS, STRIP_STEPS = 3, 8

Arrays = dict[str, np.ndarray]


def explain(
    model: GenerativeModel,
    dataset: Dataset,
    test: np.ndarray,
    samples: np.ndarray,
    *,
    seed: int,
    notes: list[str],
) -> tuple[ExplainRecord, Arrays]:
    """A record of what was found, and the arrays of ``genzoo.results.explained.Explained``.

    What the family can't answer, or not in time, is left out with the reason; what else goes wrong
    is added to ``notes`` as well.

    Args:
        test: (n_test,) log masses of the test rows.
        samples: (n, D) rows that the model drew.
    """
    start, found = time.perf_counter(), _Found(notes)
    own = derive(seed, "explain")
    terms = found.of("by variable", lambda: _terms(model, dataset, test, own))
    near = found.of("nearest", lambda: _nearest(samples, dataset))
    found.of("graph", lambda: graph(model, dataset))
    found.of("states", lambda: paths(model, dataset))
    found.of("between", lambda: _between(model, dataset, own))
    seconds = time.perf_counter() - start
    record = ExplainRecord(
        terms=None if terms is None else terms.kind,
        near=near,
        left_out=found.left_out,
        seconds=seconds,
    )
    return record, found.arrays


def explain_truth(truth: object, dataset: Dataset) -> Arrays:
    """The same arrays of what a known distribution offers."""
    return graph(truth, dataset)[1] | paths(truth, dataset)[1]


class _Found:
    """What was asked for so far."""

    def __init__(self, notes: list[str]) -> None:
        self.arrays: Arrays = {}
        self.left_out: dict[str, str] = {}
        self.notes = notes

    def of(self, what: str, ask: Callable[[], tuple[Any, Arrays]]) -> Any:
        """What ``ask`` finds, with its arrays kept; None where it can't be had."""
        answer, reason = attempt(ask, f"explaining, {what}", self.notes)
        if answer is None:
            self.left_out |= {} if reason is None else {what: reason}
            return None
        self.arrays |= answer[1]
        return answer[0]


def asked_rows(dataset: Dataset, most: int) -> np.ndarray:
    """(n,) which test rows are asked for, complete ones; they depend on the data set alone."""
    able = np.flatnonzero((dataset.test != MISSING).all(axis=1))
    return np.sort(numpy_rng(0, "explain").permutation(able)[:most])


def _terms(
    model: GenerativeModel, dataset: Dataset, test: np.ndarray, seed: int
) -> tuple[LogTerms, Arrays]:
    schema = dataset.schema
    at = asked_rows(dataset, int(np.clip(ENTRIES // schema.D, FEWEST_ROWS, MOST_ROWS)))
    able = np.flatnonzero((dataset.test != MISSING).all(axis=1))
    least = able[np.argsort(test[able], kind="stable")[:N_LEAST]]
    rows = dataset.test[np.concatenate([at, least])]

    terms = _in_time(model, rows, seed)
    value = terms.value.astype(np.float32)
    return terms, {
        "terms": value[: len(at)],
        "terms_at": at,
        "term_starts": terms.starts,
        "least_at": least,
        "least_rows": dataset.test[least],
        "least_terms": value[len(at) :],
    }


def _in_time(model: GenerativeModel, rows: np.ndarray, seed: int) -> LogTerms:
    """The terms of rows, in blocks as fine as there is time for.

    Raises:
        Unsupported: where there is none.
    """

    def ask(of: np.ndarray, n_blocks: int) -> tuple[LogTerms, float]:
        start = time.process_time()  # of this process alone, however busy the machine is
        found = log_prob_by_variable(model, of, n_blocks=n_blocks, seed=seed)
        return found, time.process_time() - start

    coarse, fine = (min(n, rows.shape[1]) for n in (COARSE, FINE))
    for tried in (rows[:1], rows):
        expected = ask(tried, 2)[1] * coarse
        if expected > MOST_SECONDS:
            raise Unsupported(
                f"{coarse} blocks of variables would take {expected:.0f} s or more (at most "
                f"{MOST_SECONDS:.0f} s are spent)"
            )
    terms, seconds = ask(rows, coarse)
    if coarse < fine and seconds * fine / coarse <= MOST_FINE_SECONDS:
        terms, _ = ask(rows, fine)
    return terms


def _nearest(samples: np.ndarray, dataset: Dataset) -> tuple[NearRecord, Arrays]:
    """How many samples, and test rows, are training rows themselves; and of the other samples those
    that lie nearest to a training row, by the distance of ``metrics.embedding``."""
    train, schema = dataset.complete("train"), dataset.schema
    most = min(NEAR_ROWS, max(100, MOST_DISTANCES // len(train)))
    of_test = dataset.complete("test")
    fresh = of_test[np.sort(numpy_rng(0, "explain").permutation(len(of_test))[:most])]
    known = {row.tobytes() for row in train}
    near = NearRecord(
        n=len(samples),
        copies=_copies(samples, known),
        n_test=len(fresh),
        test_copies=_copies(fresh, known),
    )
    drawn = np.unique(samples[:most], axis=0)
    drawn = drawn[[row.tobytes() not in known for row in drawn]]
    if len(drawn) == 0:
        return near, {}
    nearest, distance = _nearest_of(drawn, train, schema)
    chosen = np.argsort(distance, kind="stable")[:N_NEAREST]
    return near, {
        "near_samples": drawn[chosen],
        "near_train": train[nearest[chosen]],
        "near_distance": distance[chosen],
    }


def _copies(rows: np.ndarray, known: set[bytes]) -> int:
    return sum(row.tobytes() in known for row in rows)


def _nearest_of(
    rows: np.ndarray, train: np.ndarray, schema: Schema
) -> tuple[np.ndarray, np.ndarray]:
    """(n,) which training row is nearest to each of some rows, and (n,) the squared distance."""
    points, chunk = embed(rows, schema), 2000
    nearest, least = np.zeros(len(rows), dtype=np.int64), np.full(len(rows), np.inf)
    for first in range(0, len(train), chunk):
        found = squared_distances(points, embed(train[first : first + chunk], schema))
        best = found.argmin(axis=1)
        value = found[np.arange(len(rows)), best]
        nearest = np.where(value < least, first + best, nearest)
        least = np.minimum(least, value)
    return nearest, least


def graph(model: object, dataset: Dataset) -> tuple[bool, Arrays]:
    """Whether there is one, and its edges (E, 2), parents and children by their places, with what
    the two tell of each other."""
    schema = dataset.schema
    if isinstance(model, TrueNetwork):
        edges = model.edges
    elif isinstance(model, HasGraph):
        edges = model.edges_
    else:
        return False, {}
    place = {name: d for d, name in enumerate(schema.names)}
    found = [(place[parent], place[child]) for parent, child in edges]
    rows = dataset.train[:STRENGTH_ROWS]
    return True, {
        "edges": np.array(found, dtype=np.int64).reshape(-1, 2),
        "edge_strengths": np.array([_information(rows[:, e], schema.cards[[*e]]) for e in found]),
    }


def _information(pairs: np.ndarray, cards: np.ndarray) -> float:
    """Mutual information of two variables in rows (n, 2), in nats, less what chance gives on
    average (Miller 1955); entries that are ``MISSING`` are left out."""
    pairs = pairs[(pairs != MISSING).all(axis=1)]
    counts = np.zeros(cards, dtype=np.int64)
    np.add.at(counts, tuple(pairs.T), 1)
    joint, first, second = (np.count_nonzero(c) for c in (counts, counts.sum(1), counts.sum(0)))
    chance = (joint - first - second + 1) / 2
    return (float(information_in(counts, np.array([0]))[0]) - chance) / max(1, len(pairs))


def paths(model: object, dataset: Dataset) -> tuple[bool, Arrays]:
    """Whether there are any, and the likeliest path of states (n, T) behind some test rows."""
    if dataset.schema.layout != "sequence" or not isinstance(model, DecodesStates):
        return False, {}
    rows = dataset.test[asked_rows(dataset, N_PATHS)]
    return True, {"path_rows": rows, "paths": model.decode_states(rows)}


def _between(model: GenerativeModel, dataset: Dataset, seed: int) -> tuple[bool, Arrays]:
    """Whether there are any, and strips of rows (N_STRIPS, STRIP_STEPS, D) between test rows."""
    if not isinstance(model, Interpolates):
        return False, {}
    rows = dataset.test[asked_rows(dataset, 2 * N_STRIPS)]
    strips = [
        model.interpolate(rows[i : i + 1], rows[i + 1 : i + 2], STRIP_STEPS, seed=seed)
        for i in range(0, len(rows) - 1, 2)
    ]
    return True, {"strips": np.array(strips), "strip_ends": rows[: 2 * len(strips)]}
