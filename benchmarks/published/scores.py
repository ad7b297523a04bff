"""How each data set is scored: which rows, in which unit, with which context.

Every value is a log-likelihood a unit (higher is better), but for the share of labels that were
told right. Families choose on validation, so each main score is taken on validation rows too: the
tables pick the best family by it.

Where scoring all rows would take longer than ``LIMITS``, a subset is scored, drawn with a fixed
seed and the same for all families; the figure says so.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from genzoo import classify
from genzoo.datasets.dataset import Dataset
from genzoo.model import GenerativeModel
from genzoo.seeding import numpy_rng
from genzoo.space.schema import MISSING, Schema
from genzoo.values import LogProb, Score, Unsupported

LIMITS = {"valid": 60.0, "test": 120.0}  # seconds of CPU for the rows of a part
PILOT_ROWS = 100  # on which the time that a row takes is measured
FEWEST_ROWS = {"score": 500, "classify": 2000}
TEXT_LIMIT = 120.0  # seconds of CPU for the sliding window over the test text
PILOT_CHARACTERS = 2000
CONTEXT_SHARE = 2  # a piece of music is scored with at least 1 / CONTEXT_SHARE of a window before


@dataclass(frozen=True)
class Figure:
    """A score of a model.

    Attributes:
        value: log-likelihood a unit in nats, or the share of labels told right.
        stderr: its sampling error, Monte Carlo error included.
        kind: as in ``LogProb``; an accuracy is ``exact`` where the masses behind it are, else an
            ``estimate``.
        estimator: of values that are not exact.
        n, of: rows (or characters of text) that were scored, and how many there are.
        seconds: what scoring them took.
        protocol: what was scored, in words.
    """

    value: float
    stderr: float
    kind: str
    estimator: str | None
    n: int
    of: int
    seconds: float
    protocol: str


@dataclass(frozen=True)
class Protocol:
    """The scores of a data set.

    Attributes:
        name: of the main score, in records and tables.
        unit: what its value is per.
        main: (model, dataset, part, seed) to its figure; ``part`` is "valid" or "test".
        others: further scores of the test rows by name, each (model, dataset, main figure, seed).
    """

    name: str
    unit: str
    main: Callable[[GenerativeModel, Dataset, str, int], Figure]
    others: dict[str, Callable[[GenerativeModel, Dataset, Figure, int], Figure]]


def protocol_of(dataset: str) -> Protocol:
    """The protocol of a data set, by its key."""
    return BINARY_TABLE if dataset.startswith("debd/") else PROTOCOLS[dataset]


def judge(model: GenerativeModel, dataset: Dataset, protocol: Protocol, seed: int) -> dict:
    """All figures of a fitted model, as they stand in a record: validation, test, left_out."""
    validation = protocol.main(model, dataset, "valid", seed)
    main = protocol.main(model, dataset, "test", seed)
    test, left_out = {protocol.name: asdict(main)}, {}
    for name, score in protocol.others.items():
        try:
            test[name] = asdict(score(model, dataset, main, seed))
        except Unsupported as refusal:
            left_out[name] = refusal.reason
    return {"validation": asdict(validation), "test": test, "left_out": left_out}


# -------------------------------------------------------------------- rows


def affordable(score: Callable[[np.ndarray], Any], n: int, limit: float, fewest: int) -> np.ndarray:
    """Indices of the rows, of n, that ``score`` gets through within ``limit`` seconds of CPU.

    All of them where it can, else a subset with a fixed seed, of at least ``fewest``.
    """
    if n <= max(fewest, PILOT_ROWS):
        return np.arange(n)
    order = numpy_rng(0, "published tables", "subset").permutation(n)
    start = time.process_time()  # a cell has one thread: what else the machine does is no matter
    score(order[:PILOT_ROWS])
    per_row = (time.process_time() - start) / PILOT_ROWS
    size = max(fewest, int(limit / per_row))
    return np.arange(n) if size >= n else np.sort(order[:size])


def mean_over(
    units: Callable[[Schema, np.ndarray], np.ndarray], what: str
) -> Callable[[GenerativeModel, Dataset, str, int], Figure]:
    """The main score nats / units over a part's rows.

    Args:
        units: (schema, rows) to how many units (characters, steps) each row holds, (n,).
        what: the rows, in words.
    """

    def main(model: GenerativeModel, dataset: Dataset, part: str, seed: int) -> Figure:
        rows = getattr(dataset, part)
        index = affordable(
            lambda i: model.log_prob(rows[i], seed=seed),
            len(rows),
            LIMITS[part],
            FEWEST_ROWS["score"],
        )
        start = time.perf_counter()
        found = model.log_prob(rows[index], seed=seed)
        seconds = time.perf_counter() - start
        groups = None if dataset.groups is None else dataset.groups[part][index]
        score = found.per(units(dataset.schema, rows[index]), groups)
        return _figure(score, found, len(index), len(rows), seconds, what)

    return main


def _figure(score: Score, found: LogProb, n: int, of: int, seconds: float, what: str) -> Figure:
    return Figure(
        score.value, score.stderr, score.kind, found.estimator, n, of, seconds,
        _how_many(n, of, what),
    )  # fmt: skip


def _how_many(n: int, of: int, what: str) -> str:
    return f"all {n:,} {what}" if n == of else f"{n:,} of {of:,} {what}, drawn with a fixed seed"


def one(schema: Schema, rows: np.ndarray) -> np.ndarray:
    """A row is the unit."""
    return np.ones(len(rows))


def characters(schema: Schema, rows: np.ndarray) -> np.ndarray:
    """Characters of each string, END among them."""
    return (rows != schema.end).sum(axis=1) + 1.0


def window(schema: Schema, rows: np.ndarray) -> np.ndarray:
    """Characters of each window of text."""
    return np.full(len(rows), float(schema.D))


def steps(schema: Schema, rows: np.ndarray) -> np.ndarray:
    """Steps of each window that are not the filling of a piece's last one."""
    return (_as_steps(schema, rows) != MISSING).any(axis=2).sum(axis=1).astype(float)


def _as_steps(schema: Schema, rows: np.ndarray) -> np.ndarray:
    return rows.reshape(len(rows), schema.event_shape[0], -1)


# -------------------------------------------------------------------- names and text


def unseen_names(model: GenerativeModel, dataset: Dataset, main: Figure, seed: int) -> Figure:
    """Names that stand neither among the training nor among the validation names."""
    known = {row.tobytes() for part in (dataset.train, dataset.valid) for row in part}
    rows = np.array([row for row in dataset.test if row.tobytes() not in known])
    start = time.perf_counter()
    found = model.log_prob(rows, seed=seed)
    seconds = time.perf_counter() - start
    score = found.per(characters(dataset.schema, rows))
    return _figure(score, found, len(rows), len(rows), seconds, "test names that are new")


def whole_text(model: GenerativeModel, dataset: Dataset, main: Figure, seed: int) -> Figure:
    """The whole test text, each character given those before it as far as the model looks back."""
    if not hasattr(model, "score_text"):
        raise Unsupported(f"{type(model).__name__} scores no text beyond its windows")
    assert dataset.text is not None
    (text,) = dataset.text["test"]
    lengths = getattr(model, "lengths_", None)  # of the contexts of an n-gram
    if lengths is not None:
        options, how = {}, f"each given the {int(lengths.max())} before it"
    else:
        context = dataset.schema.D
        stride = _affordable_stride(model.score_text, text, context)
        options = {"context": context, "stride": stride}
        how = f"window of {context} that moves on by {stride}"
    start = time.perf_counter()
    score = model.score_text(text, **options)
    seconds = time.perf_counter() - start
    return Figure(
        score.value, score.stderr, score.kind, None, len(text), len(text), seconds,
        f"all {len(text):,} characters, {how}",
    )  # fmt: skip


def _affordable_stride(score_text: Callable[..., Score], text: str, context: int) -> int:
    """The smallest power of two with which the window gets through the text in time."""
    widest = max(1, context // 2)
    pilot = text[:PILOT_CHARACTERS]
    start = time.process_time()
    score_text(pilot, context=context, stride=widest)
    per_window = (time.process_time() - start) / math.ceil(len(pilot) / widest)
    stride = 1
    while stride < widest and len(text) / stride * per_window > TEXT_LIMIT:
        stride *= 2
    return min(stride, widest)


# -------------------------------------------------------------------- music


def _pieces(dataset: Dataset) -> tuple[list[np.ndarray], list[int]]:
    """The test pieces, each (steps, keys), put together from their windows, and their groups."""
    assert dataset.groups is not None
    groups, windows = dataset.groups["test"], _as_steps(dataset.schema, dataset.test)
    names = list(dict.fromkeys(groups.tolist()))
    whole = [windows[groups == g].reshape(-1, windows.shape[2]) for g in names]
    return [piece[(piece != MISSING).any(axis=1)] for piece in whole], names


def sliding_pieces(model: GenerativeModel, dataset: Dataset, main: Figure, seed: int) -> Figure:
    """Whole pieces by the chain rule: a window moves on by half, what was scored is given.

    log p(last half | first half) is the difference of two masses of the window's model, so this is
    a distribution over whole pieces, for every family with exact masses.
    """
    if main.kind != "exact":
        raise Unsupported("a difference of two bounds bounds nothing")
    if main.n < main.of or 2 * CONTEXT_SHARE * main.seconds > LIMITS["test"]:
        raise Unsupported(f"scoring takes too long ({main.seconds:.0f} s for the windows alone)")
    T = dataset.schema.event_shape[0]
    context = T // CONTEXT_SHARE
    rows, given, scored, groups = [], [], [], []
    for piece, group in zip(*_pieces(dataset), strict=True):
        for first in range(0, max(1, len(piece) - context), T - context):
            part = piece[first : first + T]
            row = np.full((T, piece.shape[1]), MISSING)
            row[: len(part)] = part
            known = 0 if first == 0 else context
            rows.append(row)
            given.append(np.where(np.arange(T)[:, None] < known, row, MISSING))
            scored.append(len(part) - known)
            groups.append(group)
    start = time.perf_counter()
    joint = model.log_prob(np.stack(rows).reshape(len(rows), -1), seed=seed)
    prefix = model.log_prob(np.stack(given).reshape(len(rows), -1), seed=seed)
    seconds = time.perf_counter() - start
    if not joint.kind == prefix.kind == "exact":
        raise Unsupported("a prefix gets a bound, and a difference of bounds bounds nothing")
    found = LogProb.exact(joint.value - prefix.value)
    score = found.per(np.array(scored, dtype=float), np.array(groups))
    n = len(set(groups))
    what = f"pieces, each step given {context} to {T - 1} steps before it"
    return _figure(score, found, n, n, seconds, what)


def whole_pieces(model: GenerativeModel, dataset: Dataset, main: Figure, seed: int) -> Figure:
    """Whole pieces, each step given all before it: the same chain, read for longer."""
    width = dataset.schema.D // dataset.schema.event_shape[0]
    chain = getattr(model, "chain_", None)  # of an HMM
    if (
        chain is None
        or chain.shape.n_transitions != 1
        or len(chain.shape.cards) != width  # all steps share their tables
    ):
        raise Unsupported("the model ends where a window ends")
    pieces, _ = _pieces(dataset)
    T = max(map(len, pieces))
    rows = np.full((len(pieces), T, width), MISSING)
    for row, piece in zip(rows, pieces, strict=True):
        row[: len(piece)] = piece
    shape = replace(
        chain.shape,
        steps=np.arange(T * width).reshape(T, width),
        tables=np.tile(chain.shape.tables[:width], T),
    )
    longer = replace(chain, shape=shape)
    start = time.perf_counter()
    found = LogProb.exact(longer.log_prob(rows.reshape(len(rows), -1)))
    seconds = time.perf_counter() - start
    score = found.per(np.array([float(len(piece)) for piece in pieces]))
    what = "pieces, each step given all before it"
    return _figure(score, found, len(pieces), len(pieces), seconds, what)


# -------------------------------------------------------------------- labels


def accuracy(model: GenerativeModel, dataset: Dataset, part: str, seed: int) -> Figure:
    """The share of rows whose label Bayes' rule on the joint distribution tells right."""
    rows = getattr(dataset, part)
    target = dataset.schema.names[-1]
    index = affordable(
        lambda i: classify(model, rows[i], target, seed=seed),
        len(rows),
        LIMITS[part],
        FEWEST_ROWS["classify"],
    )
    start = time.perf_counter()
    told = classify(model, rows[index], target, seed=seed)
    seconds = time.perf_counter() - start
    share, n = float(np.mean(told == rows[index, -1])), len(index)
    exact = model.log_prob(rows[:1], seed=seed).kind == "exact"
    return Figure(
        share, math.sqrt(share * (1 - share) / n), "exact" if exact else "estimate", None, n,
        len(rows), seconds, _how_many(n, len(rows), "rows"),
    )  # fmt: skip


def joint(model: GenerativeModel, dataset: Dataset, main: Figure, seed: int) -> Figure:
    """Mean log mass of rows with their labels."""
    return mean_over(one, "rows with their labels")(model, dataset, "test", seed)


BINARY_TABLE = Protocol("test", "row", mean_over(one, "rows"), {})
PROTOCOLS = {
    "mnist_binary": Protocol("test", "image", mean_over(one, "images"), {}),
    "tinyshakespeare": Protocol(
        "windows",
        "character",
        mean_over(window, "windows of 64 characters"),
        {"sliding": whole_text},
    ),
    "names": Protocol(
        "test", "character", mean_over(characters, "names"), {"unseen": unseen_names}
    ),
    "jsb_chorales": Protocol(
        "windows",
        "step",
        mean_over(steps, "windows of 16 steps, left-over steps included"),
        {"sliding": sliding_pieces, "pieces": whole_pieces},
    ),
    "adult": Protocol("accuracy", "row", accuracy, {"joint": joint}),
}
