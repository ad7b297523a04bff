"""How well a fitted model fills in what is hidden: test rows with a tenth, half and nine tenths of
their entries hidden, the same entries for every family.

Two numbers for each share. Nats per hidden entry, log p(hidden | seen) over how many were hidden:
proper, so no one gains by saying anything but what he believes, and it asks for all hidden entries
of a row together. And the share of hidden entries that are filled in right by the value that most
of five imputations have, the number of multiple imputation (Rubin 1987, Multiple imputation for
nonresponse in surveys); missing values of the data themselves are never asked for.

Where a family bounds the mass of what is seen, the nats are estimates: a bound lies half the
variance of its logarithm too low, which lifts the difference. On names and digits_binary that came
to 0.0003 to 0.026 nats an entry (VAE, GAN, transformer, n-gram), a fifth of the sampling error or
less but once: two fifths, the GAN's at a tenth.
"""

from __future__ import annotations

import time
from functools import partial

import numpy as np

from genzoo.benchmark.attempts import attempt
from genzoo.datasets.dataset import Dataset
from genzoo.model import GenerativeModel
from genzoo.results.record import HiddenPart, ImputationRecord, MetricRecord
from genzoo.seeding import derive, numpy_rng
from genzoo.space import strings
from genzoo.space.schema import MISSING, Schema
from genzoo.values import LogProb, Unsupported

SHARES = (0.1, 0.5, 0.9)
# so many entries say as much of wide rows as of narrow ones, in about the same time
ENTRIES, FEWEST_ROWS, MOST_ROWS = 3000, 32, 256
N_IMPUTATIONS = 5
# One does not ask of a number in cents that it be guessed to the cent.
MOST_VALUES = 32
MOST_SECONDS = 120.0  # for one share; a family that would take longer is not asked
TIMED_ROWS = 4  # that tell how long all rows would take


def fill_in(
    model: GenerativeModel, dataset: Dataset, *, seed: int, notes: list[str]
) -> ImputationRecord:
    """A record of how the model fills in hidden entries of test rows.

    A share that the family can't answer, or not in time, is left out with the reason; what else
    goes wrong is added to ``notes`` as well.
    """
    rows, groups = asked_rows(dataset)
    parts, left_out = {}, {}
    for share in SHARES:
        hidden = hidden_entries(dataset.schema, rows, share)
        own = derive(seed, "imputation", name_of(share))
        asked = partial(_judge, model, rows, hidden, groups, own)
        part, reason = attempt(asked, f"filling in {name_of(share)}", notes)
        if part is not None:
            parts[name_of(share)] = part
        elif reason is not None:
            left_out[name_of(share)] = reason
    return ImputationRecord(left_out, parts)


def name_of(share: float) -> str:
    """``10 %``."""
    return f"{100 * share:.0f} %"


def asked_rows(dataset: Dataset) -> tuple[np.ndarray, np.ndarray | None]:
    """(n, D) complete test rows, and their groups where rows belong together; which of them depends
    on the data set alone.
    """
    rows, groups = dataset.complete("test"), dataset.complete_groups("test")
    most = int(np.clip(ENTRIES // dataset.schema.D, FEWEST_ROWS, MOST_ROWS))
    chosen = np.sort(numpy_rng(0, "imputation", "rows").permutation(len(rows))[:most])
    return rows[chosen], None if groups is None else groups[chosen]


def hidden_entries(schema: Schema, rows: np.ndarray, share: float) -> np.ndarray:
    """(n, D) bool: which entries are hidden, that share of those a row has, at least one of them.

    What follows an END and what the data themselves lack is no entry.
    """
    able = strings.reached(rows, schema.end) & (rows < [v.n_values for v in schema.variables])
    order = numpy_rng(0, "imputation", name_of(share)).random(rows.shape)
    place = np.where(able, order, np.inf).argsort(axis=1).argsort(axis=1)
    n_able = able.sum(axis=1, keepdims=True)
    return able & (place < np.maximum(1, np.round(share * n_able)))


def _judge(
    model: GenerativeModel,
    rows: np.ndarray,
    hidden: np.ndarray,
    groups: np.ndarray | None,
    seed: int,
) -> HiddenPart:
    """What stands in the record; Unsupported where asking would take too long."""
    given = np.where(hidden, MISSING, rows)
    few, start = slice(0, TIMED_ROWS), time.perf_counter()
    _told(model, rows[few], given[few], seed)
    _guessed(model, given[few], seed)
    expected = (time.perf_counter() - start) * len(rows) / min(TIMED_ROWS, len(rows))
    if expected > MOST_SECONDS:
        raise Unsupported(
            f"{len(rows)} rows would take about {expected:.0f} s (at most {MOST_SECONDS:.0f} s are "
            f"spent, and no family is judged on fewer rows)"
        )
    start = time.perf_counter()
    told = _told(model, rows, given, seed)
    guesses = _guessed(model, given, seed)
    seconds = time.perf_counter() - start
    n_hidden = hidden.sum(axis=1)
    nats = told.per(n_hidden, groups)
    return HiddenPart(
        n=int(n_hidden.sum()),
        n_rows=len(rows),
        nats=MetricRecord(nats.value, nats.stderr, "nats per hidden entry", True, nats.kind),
        right=_right(model.schema_, guesses == rows, hidden, groups),
        seconds=seconds,
    )


def _told(model: GenerativeModel, rows: np.ndarray, given: np.ndarray, seed: int) -> LogProb:
    """(n,) log p(hidden | seen) in nats."""
    return model.conditional_log_prob(rows, given, seed=seed)


def _guessed(model: GenerativeModel, given: np.ndarray, seed: int) -> np.ndarray:
    """(n, D) rows, in each hidden entry the value that most imputations have."""
    known = np.repeat(given, N_IMPUTATIONS, axis=0)
    drawn = model._filled(known, seed).reshape(len(given), N_IMPUTATIONS, -1)
    votes = (drawn[:, :, None] == drawn[:, None]).sum(axis=2)
    return np.take_along_axis(drawn, votes.argmax(axis=1)[:, None], axis=1)[:, 0]


def _right(
    schema: Schema, right: np.ndarray, hidden: np.ndarray, groups: np.ndarray | None
) -> MetricRecord | None:
    """The share of hidden entries (n, D) that are right, of variables of which one can ask it."""
    asked = hidden & np.array(
        [v.kind == "nominal" or v.n_values <= MOST_VALUES for v in schema.variables]
    )
    if not asked.any():
        return None
    share = LogProb.exact((right & asked).sum(axis=1)).per(asked.sum(axis=1), groups)
    return MetricRecord(share.value, share.stderr, "share of hidden entries", True, "exact")
