"""What explains the numbers of a data set: where one family wins over another, the least likely
rows, copies of training rows, learned graphs, hidden states, rows between rows, calibration.

Of each family the fit that validation chose; of several folds the first one's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from markupsafe import Markup

from genzoo.report import explain_figures, png
from genzoo.report.figures import code_labels
from genzoo.report.graph_figure import graph, kind_of
from genzoo.report.samples import cells_of, texts_of
from genzoo.results.contender import Result
from genzoo.results.explained import Gains, calibration, gains, surprise
from genzoo.results.numbers import number, with_error
from genzoo.results.ranking import Ranking
from genzoo.results.record import BASELINE, STACK
from genzoo.results.statistics import weakest
from genzoo.results.way import way
from genzoo.space.schema import Schema
from genzoo.values import Kind

MOST_BARS = 12
MOST_BLAMED = 3  # variables of a row
MOST_VALUES = 10  # of a row of a table
MOST_CALIBRATED = 3
TOO_MANY = 1e4  # times likelier, from which on only the power of ten is told
LONGEST = 96  # positions of a text that are shown
VISIBLE = {"\n": "↵", "\t": "⇥"}


@dataclass(frozen=True)
class Wins:
    """Where ``model`` wins over ``other``, and the sentence that says how much and over what."""

    model: str
    other: str
    words: str
    figure: Markup


@dataclass(frozen=True)
class Blame:
    """An entry that is less likely than usual: its name, its value, and both numbers as text."""

    name: str
    value: str
    nats: str
    usual: str


@dataclass(frozen=True)
class Part:
    """A piece of a row, and whether it is marked."""

    text: str
    marked: bool = False


@dataclass(frozen=True)
class Unlikely:
    """One of the least likely rows: as ``parts``, or as an ``image``."""

    nats: str
    parts: list[Part]
    image: str
    blamed: list[Blame]


@dataclass(frozen=True)
class Pair:
    """A sample and the training row that is nearest to it, differing parts marked."""

    sample: list[Part]
    train: list[Part]
    differing: str


@dataclass(frozen=True)
class Near:
    """The pairs of a model, or its ``image`` of them; and of each model how many samples are
    training rows."""

    model: str
    pairs: list[Pair]
    image: str
    copies: list[tuple[str, str]]
    fresh: str


@dataclass(frozen=True)
class Graph:
    model: str
    figure: Markup | None
    words: str


@dataclass(frozen=True)
class State:
    """A step of a path: what was seen, and the state's number."""

    text: str
    number: int


@dataclass(frozen=True)
class Paths:
    """Of a model, one path a row."""

    model: str
    rows: list[list[State]]


@dataclass(frozen=True)
class Strips:
    """Of a model, rows from one test row to another: as ``image`` or as texts."""

    model: str
    image: str
    rows: list[list[str]]


@dataclass(frozen=True)
class Explanations:
    """What there is of each kind; what there isn't is empty. ``left_out``: who and why."""

    words: list[str]
    wins: list[Wins] = field(default_factory=list)
    unlikely: list[Unlikely] = field(default_factory=list)
    unlikely_of: str = ""
    near: Near | None = None
    graphs: list[Graph] = field(default_factory=list)
    paths: list[Paths] = field(default_factory=list)
    strips: list[Strips] = field(default_factory=list)
    calibration: Markup | None = None
    calibrated: str = ""
    left_out: list[tuple[str, str]] = field(default_factory=list)

    @property
    def any(self) -> bool:
        return bool(
            self.wins or self.unlikely or self.near or self.graphs or self.paths or self.strips
            or self.calibration
        )  # fmt: skip


def explanations(ranking: Ranking, colours: dict[str, int]) -> Explanations:
    """All of a data set."""
    schema, known = ranking.dataset.schema, _cells(ranking)
    truth = None if ranking.truth is None or ranking.truth.fit is None else ranking.truth.fit
    words, (figure, calibrated) = in_words(ranking), _calibration(ranking, colours)
    if schema is None:
        return Explanations(words, calibration=figure, calibrated=calibrated)
    of_truth = None if truth is None else truth.cells[0]
    of, unlikely = _unlikely(known, schema)
    return Explanations(
        words,
        _wins(known, schema),
        unlikely,
        of,
        _near(known, schema),
        _graphs(known, of_truth, schema),
        _paths([*known, *([of_truth] if of_truth else [])], schema),
        _strips(known, schema),
        figure,
        calibrated,
        _left_out(known),
    )


def _cells(ranking: Ranking) -> list[Result]:
    """Of each family the first cell of the fit that is ranked: validation's choice first, then by
    rank."""
    entries = sorted(ranking.entries, key=lambda e: e is not ranking.chosen)
    return [e.fit.cells[0] for e in entries if e.fit is not None and e.model != STACK]


# -------------------------------------------------------------------------------- nats in words


def in_words(ranking: Ranking) -> list[str]:
    """What the gain over the baseline means, of validation's choice: times likelier a row, and the
    share of the way to the truth or the best exact value."""
    entry, base, road = ranking.chosen or ranking.best, ranking.baseline, way(ranking)
    if entry is None or base is None or entry.model == BASELINE or road is None:
        return []
    if entry.value is None or base.value is None or ranking.alarms:
        return []
    least = "at least " if entry.kind == "lower_bound" else ""
    about = "about " if entry.kind == "estimate" else ""
    if base.kind != "exact" or entry.value <= base.value:
        return []
    gain = entry.value - base.value
    words = [
        f"{entry.model} gives a test row {least}{about}{times(gain)} the probability that "
        f"{BASELINE} gives it (geometric mean; {number(gain)} nats)."
    ]
    if road.start == BASELINE and road.end not in (entry.model, BASELINE) and road.high > road.low:
        share = number(100 * road.share(entry.value), 0)
        end = "the truth" if ranking.truth is not None else f"{road.end}, the best exact value"
        words.append(f"That is {least}{about}{share} % of the way from {BASELINE} to {end}.")
    return words


def times(nats: float) -> str:
    """``2.7 times``; ``10^12 times`` where the number would say nothing."""
    if nats > np.log(TOO_MANY):
        return f"10^{nats / np.log(10):.0f} times"
    factor = float(np.exp(nats))
    return f"{number(factor, 2 if factor < 10 else 0)} times"


# -------------------------------------------------------------------------------- where one wins


def _wins(known: Sequence[Result], schema: Schema) -> list[Wins]:
    asked = [cell for cell in known if cell.explained.terms is not None]
    if len(asked) < 2:
        return []
    first, *others = asked
    baseline = next((cell for cell in others if cell.model == BASELINE), None)
    rivals = [cell for cell in others if cell is not baseline][:1]
    return [
        found
        for other in [*rivals, *([baseline] if baseline else [])]
        for found in [_win(first, other, schema)]
        if found is not None
    ]


def _kind(*cells: Result) -> Kind:
    kinds = [c.record.explained.terms for c in cells if c.record.explained is not None]
    return weakest([kind or "exact" for kind in kinds])


def _win(a: Result, b: Result, schema: Schema) -> Wins | None:
    found = gains(a.explained, b.explained, a.groups)
    if found is None:
        return None
    kind = _kind(a, b)
    total = with_error(found.total.value, found.total.stderr, kind)
    what = {"table": "bars", "sequence": "line", "image": "map"}[schema.layout]
    words = (
        f"On {found.n} test rows {a.model} has {total} nats a row more than {b.model}; the {what} "
        f"adds up to it."
    )
    if len(found.starts) < schema.D:
        words += (
            f" Asked for in {len(found.starts)} blocks of neighbours: more would take too long."
        )
    title = f"Where {a.model} wins over {b.model}, in nats a row"
    if schema.layout == "image":
        figure = explain_figures.pixels(found.starts, schema.event_shape, found.value, title)
    elif schema.layout == "sequence":
        figure = explain_figures.positions(found.starts, schema.D, found.value, found.stderr, title)
    else:
        figure = explain_figures.bars(*_largest(found, _names(schema, found.starts)), title)
    return Wins(a.model, b.model, words, figure)


def _names(schema: Schema, starts: np.ndarray) -> list[str]:
    """``age``, or ``age to income`` of a block."""
    stops = np.append(starts[1:], schema.D)
    names = [str(name) for name in schema.names]
    return [
        names[a] if b == a + 1 else f"{names[a]} to {names[b - 1]}"
        for a, b in zip(starts.tolist(), stops.tolist(), strict=True)
    ]


def _largest(found: Gains, names: list[str]) -> tuple[list[str], np.ndarray, np.ndarray]:
    """The largest differences in the order of the columns, and the rest as one."""
    if len(names) <= MOST_BARS:
        return names, found.value, found.stderr
    chosen = np.sort(np.argsort(-np.abs(found.value), kind="stable")[:MOST_BARS])
    others = np.setdiff1d(np.arange(len(names)), chosen)
    rest = found.of(others)
    return (
        [*(names[i] for i in chosen), f"the other {len(others)}"],
        np.append(found.value[chosen], rest.value),
        np.append(found.stderr[chosen], rest.stderr),
    )


# -------------------------------------------------------------------------------- least likely


def _unlikely(known: Sequence[Result], schema: Schema) -> tuple[str, list[Unlikely]]:
    cell = next((c for c in known if surprise(c.explained) is not None), None)
    if cell is None:
        return "", []
    e, below = cell.explained, surprise(cell.explained)
    assert below is not None
    assert e.least_rows is not None and e.least_terms is not None  # noqa: PT018
    assert e.terms is not None and e.term_starts is not None  # noqa: PT018
    usual, starts = e.terms.astype(float).mean(axis=0), e.term_starts
    names = _names(schema, starts)
    stops = np.append(starts[1:], schema.D)
    found = []
    for i, row in enumerate(e.least_rows):
        worst = np.argsort(-below[i], kind="stable")[:MOST_BLAMED]
        worst = worst[below[i][worst] > 0]
        marked = np.zeros(schema.D, dtype=bool)
        for b in worst[:1]:
            marked[starts[b] : stops[b]] = True
        texts = _entries(schema, row)
        blamed = [
            Blame(
                names[b],
                " ".join(texts[starts[b] : stops[b]]) if stops[b] - starts[b] <= 4 else "",
                number(float(e.least_terms[i, b])),
                number(float(usual[b])),
            )
            for b in worst
        ]
        image = _image(schema, row[None], 1)
        parts = [] if image else _parts(schema, texts, marked, row)
        found.append(Unlikely(number(float(e.least_terms[i].sum())), parts, image, blamed))
    return cell.model, found


def _image(schema: Schema, rows: np.ndarray, columns: int) -> str:
    if schema.layout != "image":
        return ""
    return png.sheet(rows, schema.event_shape, schema.cards, columns)


def _entries(schema: Schema, row: np.ndarray) -> list[str]:
    """What each entry of a row stands for."""
    if schema.layout == "table":
        return cells_of(schema, row[None])[0]
    if schema.layout == "image":
        return [str(code) for code in row.tolist()]
    labels = (
        "END" if code == schema.end else code_labels(variable)[code]
        for variable, code in zip(schema.variables, row.tolist(), strict=True)
    )
    return [VISIBLE.get(label, label) for label in labels]


def _parts(schema: Schema, texts: list[str], marked: np.ndarray, row: np.ndarray) -> list[Part]:
    """A row in words: of a table the first columns and all that are marked."""
    if schema.layout == "table":
        shown = [d for d in range(schema.D) if marked[d] or d < MOST_VALUES]
        parts = [Part(f"{schema.names[d]} {texts[d]}", bool(marked[d])) for d in shown]
        more = schema.D - len(shown)
        return [*parts, Part(f"and {more} more")] if more else parts
    reached = schema.reached(row[None])[0]
    shown = [d for d in range(min(schema.D, LONGEST)) if reached[d]]
    return [Part(texts[d], bool(marked[d])) for d in shown]


# -------------------------------------------------------------------------------- copies


def _near(known: Sequence[Result], schema: Schema) -> Near | None:
    able = [c for c in known if c.explained.near_samples is not None]
    counted = [(c.model, c.record.explained.near) for c in known if c.record.explained is not None]
    copies = [
        (model, f"{number(near.copies, 0)} of {number(near.n, 0)}")
        for model, near in counted
        if near is not None
    ]
    of = [near for _, near in counted if near is not None]
    if not able or not of:
        return None
    e = able[0].explained
    assert e.near_samples is not None and e.near_train is not None  # noqa: PT018
    fresh = f"{number(of[0].test_copies, 0)} of {number(of[0].n_test, 0)}"
    if schema.layout == "image":
        apart = np.where(e.near_samples != e.near_train, schema.cards - 1, 0)
        rows = np.concatenate([e.near_samples, e.near_train, apart])
        return Near(able[0].model, [], _image(schema, rows, len(apart)), copies, fresh)
    pairs = [_pair(schema, a, b) for a, b in zip(e.near_samples, e.near_train, strict=True)]
    return Near(able[0].model, pairs, "", copies, fresh)


def _pair(schema: Schema, sample: np.ndarray, train: np.ndarray) -> Pair:
    differs = sample != train
    n = int((differs & (schema.reached(sample[None]) | schema.reached(train[None]))[0]).sum())
    a, b = (_parts(schema, _entries(schema, row), differs, row) for row in (sample, train))
    return Pair(a, b, f"{n} of {schema.D} differ" if n else "the same row")


# -------------------------------------------------------------------------------- graphs


def _graphs(known: Sequence[Result], of_truth: Result | None, schema: Schema) -> list[Graph]:
    true = None if of_truth is None else of_truth.explained.edges
    truth = None if true is None else [(int(a), int(b)) for a, b in true]
    found = []
    for cell in known:
        if cell.explained.edges is None or len(cell.explained.edges) == 0:
            continue
        edges = [(int(a), int(b)) for a, b in cell.explained.edges]
        words = f"{len(edges)} arrows between {schema.D} variables."
        if truth is not None:
            kinds = [kind_of(edge, truth) for edge in edges]
            same, turned = kinds.count("same"), kinds.count("turned")
            words += (
                f" Of the {len(truth)} of the truth {same} are there and {turned} more the other "
                f"way round; {kinds.count('extra')} are not in the truth. Which way an arrow "
                f"points often makes no difference to the distribution, and then data can't tell."
            )
        title = f"The graph that {cell.model} learned"
        found.append(Graph(cell.model, graph(edges, schema, title, truth), words))
    return found


# -------------------------------------------------------------------------------- hidden states


def _paths(known: Sequence[Result], schema: Schema) -> list[Paths]:
    found = []
    for cell in known:
        rows, paths = cell.explained.path_rows, cell.explained.paths
        if rows is None or paths is None:
            continue
        shown = []
        for row, path in zip(rows, paths, strict=True):
            reached, texts = schema.reached(row[None])[0], _entries(schema, row)
            seen = texts if len(path) == schema.D else [""] * len(path)
            steps = [
                t for t in range(min(len(path), LONGEST)) if len(path) != schema.D or reached[t]
            ]
            shown.append([State(seen[t], int(path[t])) for t in steps])
        found.append(Paths(cell.model, shown))
    return found


# -------------------------------------------------------------------------------- between rows


def _strips(known: Sequence[Result], schema: Schema) -> list[Strips]:
    found = []
    for cell in known:
        strips, ends = cell.explained.strips, cell.explained.strip_ends
        if strips is None or ends is None or len(strips) == 0:
            continue
        lines = [
            np.stack([a, *s, b]) for a, s, b in zip(ends[::2], strips, ends[1::2], strict=True)
        ]
        if schema.layout == "image":
            image = _image(schema, np.concatenate(lines), len(lines[0]))
            found.append(Strips(cell.model, image, []))
        else:
            found.append(Strips(cell.model, "", [_lines(schema, rows) for rows in lines]))
    return found


def _lines(schema: Schema, rows: np.ndarray) -> list[str]:
    if schema.layout == "sequence":
        return [text[:LONGEST] for text in texts_of(schema, rows)]
    return [", ".join(row[:MOST_VALUES]) for row in cells_of(schema, rows)]


# -------------------------------------------------------------------------------- the truth


def _calibration(ranking: Ranking, colours: dict[str, int]) -> tuple[Markup | None, str]:
    if ranking.truth is None or ranking.truth.log_prob is None:
        return None, ""
    truth = ranking.truth.log_prob
    able = [e for e in ranking.entries if e.model != STACK and e.log_prob is not None]
    ordered = sorted(able, key=lambda e: (e is not ranking.chosen, e.model == BASELINE))
    shown = [*ordered[: MOST_CALIBRATED - 1], *(e for e in ordered[2:] if e.model == BASELINE)]
    groups = None if shown == [] or shown[0].fit is None else shown[0].fit.groups_of("groups")
    if groups is not None:
        return None, ""
    found = []
    for entry in shown:
        assert entry.log_prob is not None
        one = calibration(entry.log_prob, truth)
        if one is not None:
            found.append((entry.model, colours.get(entry.model, 0), one))
    if not found:
        return None, ""
    model, _, best = found[0]
    rare, common = (with_error(best.value[i], best.stderr[i], shown[0].kind) for i in (0, -1))
    words = (
        f"{model} less the truth, in nats: {rare} on the tenth of the rows that is rarest under "
        f"the truth, {common} on the commonest."
    )
    title = f"Log mass of models less that of the truth on {ranking.dataset.name}"
    return explain_figures.against_truth(found, title), words


def _left_out(known: Sequence[Result]) -> list[tuple[str, str]]:
    return [
        (f"{cell.model}, {what}", reason)
        for cell in known
        if cell.record.explained is not None
        for what, reason in cell.record.explained.left_out.items()
    ]
