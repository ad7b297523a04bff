"""``build(folder)``: one self-contained HTML file and its Markdown twin from a run's records."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genzoo import store
from genzoo.report import findings
from genzoo.report.assets import assets
from genzoo.report.matrix import matrix
from genzoo.report.measures import MARKS_LEGEND
from genzoo.report.overview import mixture_words, overview, shown_steps
from genzoo.report.quality import LEGEND
from genzoo.report.reproduce import budgets, command, params
from genzoo.report.sections import section
from genzoo.report.single import single
from genzoo.report.wins import wins
from genzoo.results import numbers
from genzoo.results.choice import LEAST, POINT
from genzoo.results.numbers import number
from genzoo.results.pairs import pairs
from genzoo.results.ranking import Ranking, rank
from genzoo.results.run import RunRecord, read_run

if TYPE_CHECKING:
    from jinja2 import Environment

SEEDS_OF_SAMPLES = (
    "Of each model the seed that validation chose for samples, by the two-sample test, which may "
    "be another than the ranking's; the ranking's where validation rows did not judge samples."
)


def build(folder: str | Path, old_code: Sequence[str] = ()) -> dict[str, Path]:
    """Write ``report.html`` and ``report.md`` into a run's folder.

    Only the folder's records are read: no model is loaded, nothing is computed again but means
    and errors.

    Args:
        folder: the run's.
        old_code: what has other code at present than the cells were run with, in words.

    Returns:
        The paths by kind: ``html`` and ``md``.

    Raises:
        ValueError: where the folder holds no run.
    """
    run = read_run(folder)
    context = _context(run, old_code)
    paths = {}
    for kind, template in (("html", "report.html.j2"), ("md", "report.md.j2")):
        text = environment(escape=kind == "html").get_template(template).render(context)
        paths[kind] = run.folder / f"report.{kind}"
        store.write_atomically(paths[kind], text.encode())
    return paths


def environment(*, escape: bool) -> Environment:
    """Where a page's templates are found, with the filters that they use."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("genzoo.report"),
        autoescape=escape,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {
        "number": number,
        "ascii": numbers.ascii_marks,
        "seconds": numbers.seconds,
        "cell": _markdown_cell,
        "listing": numbers.listing,
    }
    return environment


def _markdown_cell(text: Any) -> str:
    """Text that can stand in a Markdown table or line without being read as markup."""
    line = re.sub(r"([\\|`*<\[\]])", r"\\\1", " ".join(str(text).split()))
    return re.sub(r"(?<!\w)_|_(?!\w)", r"\\_", line)  # inside a word it is no markup


def _context(run: RunRecord, old_code: Sequence[str]) -> dict[str, Any]:
    rankings = [rank(run, dataset) for dataset in run.datasets]
    colours = {model: i for i, model in enumerate(run.models)}
    plan, is_single = run.plan, len(rankings) == 1
    sections = [section(run, r, colours, i) for i, r in enumerate(rankings)]
    found = {r.dataset.name: pairs(run, r.dataset.name) for r in rankings}
    compared = overview(run, rankings, [pair for of in found.values() for pair in of])
    return {
        **assets(),
        "name": plan.profile or run.folder.resolve().name,
        "run": run,
        "started": moment(plan.started),
        "written": datetime.now(UTC).strftime("%d %B %Y, %H:%M UTC"),
        "is_single": is_single,
        "front": single(run, rankings[0], sections[0]) if is_single else compared,
        "compared": compared,
        "steps": shown_steps(),
        "mixture_words": mixture_words(compared.lines),
        "headline": findings.headline(run, rankings),
        "findings": [findings.finding(run, r) for r in rankings],
        "cautions": findings.cautions(run, rankings, old_code),
        "alarms": _alarms(rankings),
        "n_checked": sum(c.record.alarm is not None for c in run.cells),
        "views": matrix(run, rankings),
        "wins": wins(compared.families, rankings, found),
        "marks_legend": MARKS_LEGEND,
        "samples_legend": LEGEND,
        "seeds_of_samples": SEEDS_OF_SAMPLES if len(run.seeds) > 1 else "",
        "several_seeds": len(run.seeds) > 1,
        "sections": sections,
        "failures": _failures(run),
        "colours": colours,
        "command": command(run),
        "budgets": budgets(run),
        "params": params(run),
        "least": number(LEAST),
        "point": number(100 * POINT, 0),
    }


def moment(text: str) -> str:
    """A time of ISO 8601 as people write it."""
    return datetime.fromisoformat(text).strftime("%d %B %Y, %H:%M UTC") if text else "unknown"


def _alarms(rankings: list[Ranking]) -> list[dict[str, Any]]:
    return [
        {
            "model": cell.model,
            "dataset": ranking.dataset.name,
            "seed": cell.seed,
            "statistic": number(alarm.statistic, 1),
            "threshold": number(alarm.threshold, 1),
        }
        for ranking in rankings
        for cell in ranking.alarms
        for alarm in [cell.record.alarm]
        if alarm is not None
    ]


def _failures(run: RunRecord) -> list[dict[str, Any]]:
    records = [c.record for c in run.cells]
    done = {r.key for r in records}
    found = [
        {"model": r.model, "dataset": r.dataset, "seed": r.seed, "status": r.status,
         "reason": r.reason or "no reason recorded", "traceback": r.traceback}
        for r in records
        if not r.ok
    ]  # fmt: skip
    return found + [
        {"model": asked.model, "dataset": asked.dataset, "seed": asked.seed, "status": "not run",
         "reason": "the run has not reached this cell", "traceback": None}
        for asked in run.plan.cells
        if asked.key not in done
    ]  # fmt: skip
