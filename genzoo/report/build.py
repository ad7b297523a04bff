"""``build(folder)``: one self-contained HTML file and its Markdown twin from a run's records."""

from __future__ import annotations

import keyword
import re
import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from genzoo import store
from genzoo.report import figures, findings, labels, samples
from genzoo.report.bounds import bounds
from genzoo.report.quality import LEGEND, quality
from genzoo.results import advice as recommend
from genzoo.results import numbers
from genzoo.results.choice import BASELINE, LEAST, POINT, VERDICTS
from genzoo.results.numbers import DASH, MARKS, number, with_error
from genzoo.results.ranking import Entry, Ranking, rank
from genzoo.results.record import TRUTH, Cell, DatasetRecord, RunRecord, read_run
from genzoo.results.statistics import Difference, weakest

SHADES = 5  # classes of colour between the baseline and the best
SHORT_FINGERPRINT = 12
VIEWS = {
    "nats": "Nats per row",
    "bits": "Bits per dimension",
    "gap": "KL from the truth",
    "cost": "Training time",
}
MARKS_LEGEND = (
    "Chosen: by validation rows. Highest: the highest measured value of a column, which proves "
    "nothing; what is proven stands in the rankings."
)
SEEDS_OF_SAMPLES = (
    "Of each model the seed that validation chose for samples, by the two-sample test, which may "
    "be another than the ranking's; the ranking's where validation rows did not judge samples."
)


def build(folder: str | Path) -> dict[str, Path]:
    """Write ``report.html`` and ``report.md`` into a run's folder.

    Only the folder's records are read: no model is loaded, nothing is computed again but means
    and errors.

    Returns:
        The paths by kind: ``html`` and ``md``.

    Raises:
        ValueError: where the folder holds no run.
    """
    run = read_run(folder)
    context = _context(run)
    paths = {}
    for kind, template in (("html", "report.html.j2"), ("md", "report.md.j2")):
        text = _environment(escape=kind == "html").get_template(template).render(context)
        paths[kind] = run.folder / f"report.{kind}"
        store.write_atomically(paths[kind], text.encode())
    return paths


def _environment(*, escape: bool) -> Environment:
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


def _context(run: RunRecord) -> dict[str, Any]:
    rankings = [rank(run, dataset) for dataset in run.datasets]
    colours = {model: i for i, model in enumerate(run.models)}
    plan = run.plan
    return {
        "name": plan.get("profile") or run.folder.resolve().name,
        "run": run,
        "started": _time(plan.get("started")),
        "written": datetime.now(UTC).strftime("%d %B %Y, %H:%M UTC"),
        "headline": findings.headline(run, rankings),
        "findings": [findings.finding(run, r) for r in rankings],
        "cautions": findings.cautions(run, rankings),
        "alarms": _alarms(rankings),
        "n_checked": sum(bool(c.record.get("alarm")) for c in run.cells),
        "views": {key: (title, _matrix(run, rankings, key)) for key, title in VIEWS.items()},
        "marks_legend": MARKS_LEGEND,
        "samples_legend": LEGEND,
        "seeds_of_samples": SEEDS_OF_SAMPLES if len(run.seeds) > 1 else "",
        "several_seeds": len(run.seeds) > 1,
        "sections": [_section(run, r, colours, i) for i, r in enumerate(rankings)],
        "failures": _failures(run),
        "colours": colours,
        "command": _command(run),
        "budgets": _budgets(run),
        "params": _params(run),
        "least": number(LEAST),
        "point": number(100 * POINT, 0),
    }


def _time(text: str | None) -> str:
    return datetime.fromisoformat(text).strftime("%d %B %Y, %H:%M UTC") if text else "unknown"


# -------------------------------------------------------------------------------- the matrix


def _matrix(run: RunRecord, rankings: list[Ranking], view: str) -> list[dict[str, Any]]:
    """Rows of the matrix, the truth first: ``{"model", "cells"}``."""
    rows = []
    models = ([TRUTH] if any(r.truth for r in rankings) else []) + run.models
    for model in models:
        cells = []
        for ranking in rankings:
            known = [*ranking.entries, *ranking.failed]
            entry = ranking.truth if model == TRUTH else _named(known, model)
            if entry is None:
                note = "not known" if model == TRUTH else "not asked for"
                cells.append(_as_cell(DASH, "absent", note))
            else:
                cells.append(_matrix_cell(ranking, entry, view))
        rows.append({"model": model, "cells": cells, "baseline": model == BASELINE})
    return rows


def _named(entries: list[Entry], model: str) -> Entry | None:
    return next((e for e in entries if e.model == model), None)


def _matrix_cell(ranking: Ranking, entry: Entry, view: str) -> dict[str, Any]:
    if entry.value is None:
        return _as_cell(entry.status, "failed", entry.reason)
    text, note = _seen(ranking, entry, view)
    style = "truth" if entry.model == TRUTH else f"shade-{_shade(ranking, entry)}"
    marks = [
        *(["chosen"] if entry is ranking.chosen else []),
        *(["highest"] if entry is ranking.best else []),
    ]
    return _as_cell(text, style, note) | {
        "chosen": "chosen" in marks,
        "marks": ", ".join(marks),
        "improving": entry.improving,
        "partial": len(entry.ok) < len(entry.cells),
        "alarm": any(c.model == entry.model for c in ranking.alarms),
    }


def _as_cell(text: str, style: str, note: str) -> dict[str, Any]:
    return {
        "text": text,
        "style": style,
        "note": note,
        "chosen": False,
        "marks": "",
        "improving": False,
        "partial": False,
        "alarm": False,
    }


def _seen(ranking: Ranking, entry: Entry, view: str) -> tuple[str, str]:
    """A cell's main text and its small second line."""
    best = ranking.best
    if view == "bits":
        # a lower bound of the likelihood is an upper bound of the code length
        mark = MARKS[entry.kind].replace("≥", "≤")
        return mark + number(entry.bits_per_dim, 4), ""
    if view == "gap":
        if entry.model == TRUTH or entry.gap is None:
            return ("0" if entry.model == TRUTH else DASH), ""
        mark = MARKS[entry.kind].replace("≥", "≤")
        return mark + with_error(entry.gap.value, entry.gap.stderr), ""
    if view == "cost":
        parameters = entry.mean_of("n_parameters")
        note = f"{parameters:,.0f} parameters".replace(",", "\u202f") if parameters else ""
        return numbers.seconds(entry.mean_of("train_seconds")), note
    text = with_error(entry.value, entry.stderr, entry.kind)
    if entry.model == TRUTH or best is None or best.value is None or entry.value is None:
        return text, ""
    if entry is best:
        return text, ""
    return text, number(entry.value - best.value, numbers.decimals(entry.stderr, entry.value))


def _shade(ranking: Ranking, entry: Entry) -> str:
    """``5`` best ... ``1`` near the baseline, ``0`` at or below it.

    The scale of a column is what its best family gains over the baseline (over the worst family,
    where there is no baseline).
    """
    best, values = ranking.best, [e.value for e in ranking.entries if e.value is not None]
    assert best is not None
    assert best.value is not None
    assert entry.value is not None
    low = ranking.baseline.value if ranking.baseline and ranking.baseline.value else min(values)
    if best.value <= low:
        return str(SHADES) if entry is best else "0"
    share = (entry.value - low) / (best.value - low)
    return "0" if share <= 0 else str(min(SHADES, 1 + int(share * SHADES)))


# -------------------------------------------------------------------------------- a data set


def _section(
    run: RunRecord, ranking: Ranking, colours: dict[str, int], index: int
) -> dict[str, Any]:
    dataset = ranking.dataset
    entries = ranking.entries
    drawn = [ranking.truth.fit] if ranking.truth and ranking.truth.fit else []
    galleries = samples.galleries(dataset, [*drawn, *ranking.sampled], colours)
    of_samples = quality(run, ranking)
    return {
        "id": f"data-{index + 1}",
        "name": dataset.name,
        "facts": _facts(dataset),
        "finding": findings.finding(run, ranking),
        "advice": recommend.advise(run, dataset.name),
        "basis": recommend.basis(run, dataset.name),
        "remarks": (dataset.facts.get("file") or {}).get("remarks", []),
        "rows": _ranked_rows(run, ranking, colours),
        "margin": "" if ranking.choice is None else number(ranking.choice.margin, 3),
        "labels": labels.table(run, dataset.name),
        "spread": len(run.seeds) > 1,
        "folds": dataset.facts.get("folds"),
        "gap": ranking.truth is not None,
        "bounds": bounds(ranking),
        "calibrated": any(b.calibration != DASH for b in bounds(ranking)),
        "quality": of_samples,
        "notes": _notes(run, dataset.name),
        "text_score": any(_text_score(e) for e in entries),
        "curves": _curves(dataset, ranking, colours, index),
        "galleries": galleries,
        "layout": dataset.facts.get("layout"),
        "columns": samples.columns_shown(dataset.schema) if dataset.schema else [],
        "more_columns": max(0, len(dataset.schema.names) - samples.MOST_COLUMNS)
        if dataset.schema
        else 0,
        "completions": [g for g in galleries if g.completions],
        "marginals": samples.marginals(dataset, ranking.sampled, colours),
    }


def _over(facts: dict[str, Any]) -> str:
    units = facts["units"]
    of_fold = " in the first fold" if facts.get("folds") else ""
    return f"{units['n_test']} {units['what']} of test rows{of_fold}"


def _facts(dataset: DatasetRecord) -> list[tuple[str, str]]:
    facts = dataset.facts
    shape = " x ".join(str(s) for s in facts["event_shape"])
    cards = facts.get("cards") or {}
    low, high = cards.get("min"), cards.get("max")
    values = "" if low is None else f"{low}" if low == high else f"{low} to {high}"
    entropy = facts.get("entropy")
    rows = f"{facts['n_train']} train, {facts['n_valid']} valid, {facts['n_test']} test"
    if facts.get("folds"):
        rows += f" in the first of {facts['folds']} folds"
    units = facts.get("units")
    pairs = [
        ("Rows", rows),
        ("Errors over", _over(facts) if units else ""),
        ("Layout", f"{facts['layout']}, {shape}" if "x" in shape else str(facts["layout"])),
        ("Variables", f"{facts['D']}" + (f", of {values} values each" if values else "")),
        ("Entropy of the truth", _entropy(entropy) if entropy else ""),
        ("Budget of each fit", "each family's own default"
         if _budget(facts) is None else str(facts["budget"])),
        ("Source", str(facts.get("source") or "")),
        ("Licence", str(facts.get("licence") or "")),
        ("Fingerprint", str(facts.get("fingerprint") or "")[:SHORT_FINGERPRINT]),
    ]  # fmt: skip
    return [(name, text) for name, text in pairs if text]


def _entropy(entropy: dict[str, float]) -> str:
    if not entropy.get("stderr"):
        return f"{number(entropy['value'], 3)} nats a row"
    return f"{with_error(entropy['value'], entropy['stderr'])} nats a row"


def _ranked_rows(run: RunRecord, ranking: Ranking, colours: dict[str, int]) -> list[dict[str, Any]]:
    rows = []
    if ranking.truth:
        rows.append(_ranked_row(run, ranking.truth, "", "truth", None, colours, alarm=False))
    for rival in ranking.rivals:
        alarm = any(c.model == rival.entry.model for c in ranking.alarms)
        rows.append(
            _ranked_row(
                run, rival.entry, str(rival.rank), rival.verdict, rival.difference, colours,
                alarm=alarm,
            )
        )  # fmt: skip
    return rows


VERDICT_WORDS = {"truth": "the true model", "chosen": "validation's choice", **VERDICTS}


def _ranked_row(
    run: RunRecord,
    entry: Entry,
    place: str,
    verdict: str | None,
    difference: Difference | None,
    colours: dict[str, int],
    *,
    alarm: bool,
) -> dict[str, Any]:
    behind, interval = DASH, ""
    if difference is not None:
        behind = with_error(difference.value, difference.stderr)
        places = numbers.decimals(difference.stderr, difference.value)
        low, high = difference.interval()
        interval = f"{number(low, places)} to {number(high, places)}"
    gap = DASH
    if entry.gap is not None:
        mark = MARKS[entry.kind].replace("≥", "≤")
        gap = mark + with_error(entry.gap.value, entry.gap.stderr)
    parameters = entry.mean_of("n_parameters")
    memory = entry.mean_of("peak_memory_mb")
    places = numbers.decimals(entry.spread)
    return {
        "place": place,
        "alarm": alarm,
        "model": entry.model,
        "colour": colours.get(entry.model),
        "value": with_error(entry.value, entry.stderr, entry.kind),
        "kind": entry.kind.replace("_", " "),
        "behind": behind,
        "interval": interval,
        "verdict": VERDICT_WORDS.get(verdict or "", "not compared"),
        "verdict_style": (verdict or "none").replace(" ", "-"),
        "gap": gap,
        "bits": MARKS[entry.kind].replace("≥", "≤") + number(entry.bits_per_dim, 4),
        "spread": f"{number(entry.mean, places)}, sd {number(entry.spread, places)}",
        "seeds": f"{entry.n_fits} of {len(run.seeds)}",
        "seed": DASH if entry.fit is None or entry.fit.seed is None else str(entry.fit.seed),
        "seconds": numbers.seconds(entry.mean_of("train_seconds")),
        "improving": entry.improving,
        "evaluate_seconds": numbers.seconds(entry.mean_of("evaluate_seconds")),
        "parameters": f"{parameters:,.0f}".replace(",", "\u202f") if parameters else DASH,
        "memory": f"{memory:,.0f} MiB".replace(",", "\u202f") if memory else "",
        "text_score": _text_score(entry) or DASH,
    }


def _text_score(entry: Entry) -> str:
    score = None if entry.fit is None else entry.fit.measured("text_score")
    if entry.fit is None or score is None:
        return ""
    kind = weakest([c.record["text_score"]["kind"] for c in entry.fit.cells])
    return with_error(*score, kind)


def _curves(dataset: DatasetRecord, ranking: Ranking, colours: dict[str, int], index: int) -> Any:
    curves = []
    for entry in ranking.entries:
        for cell in entry.ok:
            points = (cell.record.get("training") or {}).get("curve") or []
            points = [p for p in points if p.get("valid") is not None]
            if points:
                curves.append(
                    figures.Curve(
                        entry.model,
                        colours[entry.model],
                        np.array([p["seconds"] for p in points], dtype=float),
                        np.array([p["valid"] for p in points], dtype=float),
                    )
                )
    entropy = dataset.facts.get("entropy")
    reference = ("truth (−entropy)", -float(entropy["value"])) if entropy else None
    title = f"Validation log-likelihood on {dataset.name} over training time, for each model"
    return figures.learning_curves(curves, title, f"{index + 1}", reference)


# -------------------------------------------------------------------------------- the rest


def _alarms(rankings: list[Ranking]) -> list[dict[str, Any]]:
    return [
        {
            "model": cell.model,
            "dataset": ranking.dataset.name,
            "seed": cell.seed,
            "statistic": number(cell.record["alarm"].get("statistic"), 1),
            "threshold": number(cell.record["alarm"].get("threshold"), 1),
        }
        for ranking in rankings
        for cell in ranking.alarms
    ]


def _failures(run: RunRecord) -> list[dict[str, Any]]:
    found = [
        {
            "model": c.model,
            "dataset": c.dataset,
            "seed": c.seed,
            "status": str(c.record["status"]),
            "reason": str(c.record.get("reason") or "no reason recorded"),
            "traceback": c.record.get("traceback"),
        }
        for c in run.cells
        if not c.ok
    ]
    recorded = {c.record["key"] for c in run.cells}
    for asked in run.plan["cells"]:
        if asked["key"] not in recorded:
            found.append(
                {
                    **asked,
                    "status": "not run",
                    "reason": "the run has not reached this cell",
                    "traceback": None,
                }
            )
    return found


def _command(run: RunRecord) -> str:
    """A command line that repeats the comparison, or Python where no command line can."""
    plan = run.plan
    words = ["genzoo", "compare"]
    budgets = {_budget(d.facts) for d in run.datasets}
    folds = {d.facts.get("folds") for d in run.datasets}
    files = [d.facts["file"] for d in run.datasets if d.facts.get("file")]
    if plan.get("profile"):
        words += ["--profile", plan["profile"]]
    elif (
        all(m["label"] == m["key"] and not m["changed"] for m in plan["models"])
        and all(d["name"] == d["key"] or d.get("file") for d in plan["datasets"])
        and (len(files) < 2 or not any(file["options"] for file in files))
        and run.seeds == list(range(len(run.seeds)))
        and len(budgets) == len(folds) == 1
    ):
        for file in files:
            words += [file["path"], *_file_options(file["options"])]
        words += ["--models", ",".join(run.models)]
        keys = [d.name for d in run.datasets if not d.facts.get("file")]
        words += ["--datasets", ",".join(keys)] if keys else []
        words += ["--seeds", str(len(run.seeds))]
        budget = budgets.pop()
        words += [] if budget is None else ["--budget", budget]
        k = folds.pop()
        words += [] if k is None else ["--folds", str(k)]
    else:
        return _remark(run) + _sketch(run)
    return _remark(run) + shlex.join([*words, "--out", str(run.folder)])


def _file_options(options: dict[str, Any]) -> list[str]:
    words = []
    for name, value in options.items():
        for item in value if isinstance(value, list) else [value]:
            words += [f"--{name}", str(item)]
    return words


def _remark(run: RunRecord) -> str:
    """What the shell and Python read as a remark, where several calls made the run."""
    asked = sum(cell["model"] != TRUTH for cell in run.plan["cells"])
    n_fits = sum(d.facts.get("folds") or 1 for d in run.datasets)
    whole = len(run.models) * n_fits * len(run.seeds)
    return "" if asked == whole else f"# several calls asked for {asked} of these {whole} cells\n"


def _budget(facts: dict[str, Any]) -> str | None:
    budget = facts.get("budget")
    return None if budget in (None, "default") else str(budget)


def _sketch(run: RunRecord) -> str:
    """A call of ``compare``; objects that only the user has stand under a name, with a remark."""
    models = [f"        {m['label']!r}: {_as_python(m)}" for m in run.plan["models"]]
    datasets = [f"        {d['name']!r}: {_data_as_python(d)}" for d in run.plan["datasets"]]
    budgets = {d.name: _budget(d.facts) for d in run.datasets}
    same = len(set(budgets.values())) == 1
    # data sets of one call have as many folds
    k = {d.facts.get("folds") for d in run.datasets} - {None}
    folds = [f"    folds={k.pop()},"] if k else []
    own = any((d.facts.get("file") or {}).get("options") for d in run.datasets)
    lines = [
        "import genzoo.datasets.own" if own else "import genzoo",
        "",
        "genzoo.compare(",
        "    models={",
        *models,
        "    },",
        "    datasets={",
        *datasets,
        "    },",
        f"    seeds={run.seeds!r},",
        f"    budget={(next(iter(budgets.values())) if same else budgets)!r},",
        *folds,
        f"    out={str(run.folder)!r},",
        ")",
    ]
    return "\n".join(lines)


def _as_python(model: dict[str, Any]) -> str:
    arguments = [f"{name}={value!r}" for name, value in model["changed"].items()]
    if model["key"] is None:
        name = model["family"].rpartition(".")[2]
        return f"{name}({', '.join(arguments)}),  # your own class"
    if not arguments:
        return f"{model['key']!r},"
    return f"genzoo.make_model({', '.join([repr(model['key']), *arguments])}),"


def _data_as_python(facts: dict[str, Any]) -> str:
    name = facts["name"]
    if facts["key"] is not None:
        return f"{facts['key']!r},"
    file = facts.get("file")
    if file and not file["options"]:
        return f"{file['path']!r},"
    if file:
        options = ", ".join(f"{option}={value!r}" for option, value in file["options"].items())
        return f"genzoo.datasets.own.load({file['path']!r}, {options}),"
    fits = name.isidentifier() and not keyword.iskeyword(name)
    return f"{name if fits else 'my_data'},  # your own data"


def _budgets(run: RunRecord) -> list[tuple[str, str]]:
    return [(d.name, str(d.facts.get("budget") or "default")) for d in run.datasets]


def _params(run: RunRecord) -> list[tuple[str, str, str]]:
    return [
        (
            m["label"],
            str(m.get("family") or m["label"]),
            ", ".join(f"{k}={v!r}" for k, v in (m.get("params") or {}).items()) or "defaults",
        )
        for m in run.plan["models"]
    ]


def _notes(run: RunRecord, dataset: str) -> list[tuple[str, str]]:
    return [
        (_where(run, cell), note)
        for cell in [*run.cells, *run.references]
        if cell.dataset == dataset
        for note in map(str, cell.record.get("notes") or [])
    ]


def _where(run: RunRecord, cell: Cell) -> str:
    """``mixture, seed 1, fold 2``, of which what there is one of is left out."""
    words = [cell.model]
    if cell.seed is not None and len(run.seeds) > 1:
        words.append(f"seed {cell.seed}")
    if cell.record.get("fold") is not None:
        words.append(f"fold {cell.record['fold'] + 1}")
    return ", ".join(words)
