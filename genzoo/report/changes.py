"""What changed between runs, for people to read: ``changes.html``, ``changes.md``, ``changes.csv``.

What is beyond noise is said by ``genzoo.results.change``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from genzoo import store
from genzoo.metrics import registered
from genzoo.report.assets import assets
from genzoo.report.build import environment
from genzoo.report.changes_table import COSTS, table
from genzoo.report.overview import KIND_WORDS
from genzoo.report.unlike import Unlike, left_out, unlike
from genzoo.results.change import (
    FEWEST_SEEDS,
    LABEL,
    VERDICTS,
    Change,
    Comparison,
    MetricChange,
    Shift,
    Side,
    Verdict,
)
from genzoo.results.choice import LEAST
from genzoo.results.numbers import DASH, count, decimals, listing, number, seconds, with_error
from genzoo.results.statistics import LEVEL

SIGNS: dict[Verdict, str] = {
    "better": "▲", "worse": "▼", "higher": "△", "lower": "▽", "untold": "·", "same": "=",
    "alarm": "!", "answered": "✓", "lost": "×", "none": "×",
}  # fmt: skip
MOVED = ("better", "worse", "higher", "lower", "untold")  # verdicts of which a number is shown
NEWS = ("better", "worse", "higher", "lower", "alarm", "answered", "lost")  # worth opening
FILES = {"html": "changes.html", "md": "changes.md", "csv": "changes.csv"}


@dataclass(frozen=True)
class Cell:
    """A family on a data set in the picture: ``text`` is the difference, ``said`` the
    verdict, ``words`` all of it."""

    model: str
    dataset: str
    style: str
    sign: str
    text: str
    said: str
    words: str


@dataclass(frozen=True)
class Row:
    """A family on a data set in the details, as texts; ``scores`` before and after."""

    model: str
    style: str
    sign: str
    said: str
    scores: tuple[str, str]
    difference: str
    interval: str
    refits: str
    visible: str
    seeds: str
    training: str
    memory: str
    remarks: list[str]


@dataclass(frozen=True)
class Section:
    """A data set's details: what is said of it in a few words, and its families."""

    id: str
    dataset: str
    summary: str
    is_news: bool
    rows: list[Row]


@dataclass(frozen=True)
class Metric:
    """A metric of samples or labels that moved beyond noise."""

    model: str
    dataset: str
    title: str
    style: str
    verdict: str
    before: str
    after: str
    difference: str


@dataclass(frozen=True)
class Part:
    """One comparison on the page."""

    before: str
    after: str
    lead: str
    noise: str
    unlike: list[Unlike]
    left_out: list[str]
    datasets: list[Section]
    lines: list[tuple[str, list[Cell]]]
    costs: list[tuple[str, str, str, str]]
    metrics: list[Metric]


def build_changes(
    comparisons: Sequence[Comparison], names: Sequence[str], folder: Path
) -> dict[str, Path]:
    """Write the page, its Markdown twin and the table.

    Args:
        comparisons: of the later runs with the first.
        names: what the runs are called, the first one's first.
        folder: where to; it is made.

    Returns:
        The paths by kind: ``html``, ``md`` and ``csv``.
    """
    first, *others = names
    pairs = zip(comparisons, others, strict=True)
    shown = [v for v in VERDICTS if any(c.count(v) for c in comparisons)]
    context = {
        **assets(),
        "title": f"{listing(others)} against {first}",
        "parts": [_part(c, first, name, i) for i, (c, name) in enumerate(pairs)],
        "legend": [(verdict, SIGNS[verdict], VERDICTS[verdict]) for verdict in shown],
        "reading": _reading(comparisons[0]),
    }
    texts = {"csv": table(comparisons, names).to_csv(index=False)}
    for kind in ("html", "md"):
        template = environment(escape=kind == "html").get_template(f"changes/page.{kind}.j2")
        texts[kind] = template.render(context)
    paths = {kind: folder / name for kind, name in FILES.items()}
    for kind, path in paths.items():
        store.write_atomically(path, texts[kind].encode())
    return paths


def lead(c: Comparison, before: str, after: str) -> str:
    """What changed, in one sentence."""
    counted = [
        (c.count("higher"), "has", "have", "a higher bound"),
        (c.count("lower"), "has", "have", "a lower bound"),
        (c.count("untold"), "can't", "can't", "be told apart"),
        (c.count("same"), "gives", "give", "the same numbers"),
        (c.count("answered"), "has", "have", f"an answer only in {after}"),
        (c.count("lost"), "has", "have", f"an answer only in {before}"),
        (c.count("none"), "has", "have", "none in either"),
        (c.count("alarm"), "raised", "raised", "an alarm"),
    ]
    better, worse = c.count("better"), c.count("worse")
    beyond = (
        "noise" if all(x.has_refits for x in c.changes if x.shift) else "the noise of test rows"
    )
    of = f"{better or 'none'} of {count(len(c.changes), 'cell')}"
    words = [
        f"{of} {'is' if better == 1 else 'are'} better than in {before} beyond {beyond}",
        f"{worse or 'none'} {'is' if worse == 1 else 'are'} worse",
        *(f"{n} {one if n == 1 else many} {rest}" for n, one, many, rest in counted if n),
    ]
    return f"In {after}, {', '.join(words[:-1])} and {words[-1]}."


def _reading(c: Comparison) -> list[str]:
    """How to read the numbers, in sentences."""
    level = number(100 * LEVEL, 0)
    return [
        "Scores are mean log masses of the same test rows, in nats a row, as the mean over the "
        "seeds of a run; differences are paired row by row (or by groups of rows that belong "
        "together).",
        "Beyond noise: beyond that of the test rows and, where both runs have several seeds, of "
        "refitting, whose error by few seeds counts for more, as it is known badly. A budget in "
        "seconds ends at another step each time, so the same code gives other fits.",
        f"All {c.n_tests} tests of scores together call something better or worse that is not, in "
        f"at most {level} % of such pages (Holm); so do all {c.n_metric_tests} of metrics. "
        f"Differences below {number(LEAST)} nats count as none.",
        "An interval stands for its cell alone and for rows of the kinds at hand, so it may leave "
        "out 0 where a change can't be told.",
        "Bound against bound says which bound is higher, not which model is better. Where the "
        "kinds differ, a bound above an exact score is better, and a bound below it says nothing.",
        "Metrics of samples: the errors of two runs are taken as independent, which makes them "
        "rather too large, since both are measured on the same real rows.",
    ]


def noise(comparison: Comparison) -> str:
    """Which noise the verdicts are beyond."""
    tested = [c for c in comparison.changes if c.shift is not None]
    known = [c for c in tested if c.has_refits]
    if not tested:
        return ""
    if len(known) == len(tested):
        return "Beyond noise: more than test rows and refitting with other seeds would explain."
    which = "" if not known else f" on {len(tested) - len(known)} of {len(tested)} cells"
    return (
        f"Beyond noise: more than test rows would explain{which}. How much refitting alone changes "
        f"a score is not known with one seed, so a change may be the luck of one fit. Both runs "
        f"with several seeds tell, and five tell much more than {FEWEST_SEEDS}."
    )


def _part(c: Comparison, before: str, after: str, index: int) -> Part:
    return Part(
        before,
        after,
        lead(c, before, after),
        noise(c),
        unlike(c),
        left_out(c, before, after),
        [_section(c, dataset, f"d{index}-{i}") for i, dataset in enumerate(c.datasets)],
        [(model, [_cell(c, model, dataset) for dataset in c.datasets]) for model in c.models],
        _costs(c),
        [_metric(change, m) for change in c.changes for m in change.metrics if m.shown],
    )


def _cell(c: Comparison, model: str, dataset: str) -> Cell:
    change, where = c.change(model, dataset), f"{model} on {dataset}"
    if change is None:
        return Cell(
            model, dataset, "absent", DASH, "", "not in both runs", f"{where}: not in both runs"
        )
    words = f"{where}: {VERDICTS[change.verdict]}"
    text = ""
    if change.shift is not None and change.verdict in MOVED:
        text = signed(change.shift)
        low, high = (_rounded(x, change.shift) for x in change.shift.interval())
        words += f"; {text} nats a row, 95 % interval {low} to {high}"
    words += f"; {_score(change.before)} before, {_score(change.after)} after"
    reason = change.after.reason or change.before.reason
    if change.verdict in ("answered", "lost", "none") and reason:
        words += f" ({reason})"
    verdict = change.verdict
    return Cell(model, dataset, verdict, SIGNS[verdict], text, VERDICTS[verdict], words)


def signed(shift: Shift) -> str:
    """``+0.12``, ``−1.3``: a difference to the digits that its error allows."""
    text = _rounded(shift.value, shift)
    return text if text.startswith("−") else f"+{text}"


def _rounded(value: float, shift: Shift) -> str:
    return number(value, decimals(shift.stderr, shift.value))


def _score(side: Side) -> str:
    score = side.score
    return side.status if score is None else with_error(score.value, score.stderr, score.kind)


def _section(c: Comparison, dataset: str, id_: str) -> Section:
    changes = [change for change in c.changes if change.dataset == dataset]
    counted = {v: sum(change.verdict == v for change in changes) for v in VERDICTS}
    summary = ", ".join(f"{n} {VERDICTS[v]}" for v, n in counted.items() if n)
    is_news = any(change.verdict in NEWS for change in changes)
    return Section(id_, dataset, summary, is_news, [_row(change, c.n_tests) for change in changes])


def _row(change: Change, n_tests: int) -> Row:
    before, after, moved = change.before, change.after, change.shift
    low, high = ("", "") if moved is None else (_rounded(x, moved) for x in moved.interval())
    seen = None if moved is None else moved.visible(LEVEL / n_tests)
    return Row(
        change.model,
        change.verdict,
        SIGNS[change.verdict],
        VERDICTS[change.verdict],
        (_score(before), _score(after)),
        "" if moved is None else signed(moved),
        "" if moved is None else f"{low} to {high}",
        "" if moved is None else "not known" if moved.refits is None else number(moved.refits, 3),
        "" if seen is None else number(seen, 2 if seen >= 0.1 else 3),
        _step(str(len(before.fits)), str(len(after.fits))),
        _step(*(seconds(COSTS["train_seconds"].of_side(side)) for side in (before, after))),
        _step(*(number(COSTS["peak_memory_mb"].of_side(side), 0) for side in (before, after))),
        _remarks(change),
    )


def _step(before: str, after: str) -> str:
    return before if before == after else f"{before} → {after}"


def _remarks(change: Change) -> list[str]:
    """What the reader must know beside the numbers."""
    before, after = change.before, change.after
    found = []
    for side, when in ((before, "before"), (after, "after")):
        if not side.fits:
            found.append(f"{side.status} {when}{f': {side.reason}' if side.reason else ''}")
        elif len(side.fits) < side.n_asked:
            missing = count(side.n_asked - len(side.fits), "seed")
            found.append(f"{missing} without an answer {when}")
    if not (before.fits and after.fits):
        return found
    if before.kind != after.kind:
        found.append(f"{KIND_WORDS[before.kind]} before, {KIND_WORDS[after.kind]} after")
    if change.shift is None and change.verdict == "untold":
        found.append("no test: an estimate, too few rows, or no values of rows")
    if before.improving != after.improving:
        now = "after" if after.improving else "before"
        found.append(f"still improving when training stopped, only {now}")
    return found


def _costs(c: Comparison) -> list[tuple[str, str, str, str]]:
    """Sums over the cells with an answer in both runs, of memory the largest."""
    found = []
    for cost in COSTS.values():
        pairs = [(cost.of_side(x.before), cost.of_side(x.after)) for x in c.changes]
        both = [(a, b) for a, b in pairs if a is not None and b is not None]
        if not both:
            continue
        a, b = (cost.over_cells(list(values)) for values in zip(*both, strict=True))
        ratio = number(b / a, 2) if a else DASH
        found.append((cost.total, cost.text(a), cost.text(b), ratio))
    return found


def _metric(change: Change, m: MetricChange) -> Metric:
    spec = registered().get(m.key)
    title = "log p(label | the rest)" if m.key == LABEL else m.key if spec is None else spec.title
    rose = m.shift.value > 0
    if spec is not None and spec.ideal is not None:
        near = abs(m.after.value - spec.ideal) < abs(m.before.value - spec.ideal)
        verdict = f"{'nearer to' if near else 'farther from'} {spec.ideal:g}"
        style = "better" if near else "worse"
    else:
        style = "better" if rose == m.higher_is_better else "worse"
        verdict = style
    return Metric(
        change.model, change.dataset, title, style, verdict,
        m.before.text, m.after.text, signed(m.shift),
    )  # fmt: skip
