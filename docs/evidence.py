"""Tables of the site from ``benchmarks/results``: what pages say was measured, they show so."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

from genzoo.keys import MODELS
from genzoo.registry import dataset_entry, load_dataset
from genzoo.results.record import BASELINE, STACK, TRUTH
from genzoo.results.way import Way

RESULTS = Path(__file__).resolve().parents[1] / "benchmarks" / "results"
ENOUGH = 0.95  # of what the chosen family gains over the baseline
LEGEND = (
    "Share of the way: 0 % is `independent`, 100 % the truth where it is known, else the best "
    "exact value. ≥: a lower bound. `*`: still improving when its time was up."
)
Row = dict[str, str]


def read(name: str) -> list[Row]:
    with (RESULTS / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@cache
def quick() -> dict[str, dict[str, Row]]:
    """The lines of the quick profile by data set and model."""
    found: dict[str, dict[str, Row]] = {}
    for row in read("quick.csv"):
        found.setdefault(row["dataset"], {})[row["model"]] = row
    return found


def families(dataset: str) -> dict[str, Row]:
    """Those that gave a value there, the one with the best validation value first."""
    rows = {m: r for m, r in quick()[dataset].items() if m in MODELS and r["status"] == "ok"}
    return dict(sorted(rows.items(), key=lambda pair: -float(pair[1]["valid_log_prob"])))


def way(dataset: str) -> Way:
    """From the baseline to the truth or, where that is not known, to the best exact value, as the
    report has it."""
    rows = quick()[dataset]
    exact = {m: nats(r) for m, r in families(dataset).items() if r["kind"] == "exact"}
    best = TRUTH if TRUTH in rows else max(exact, key=lambda m: exact[m])
    return Way(BASELINE, nats(rows[BASELINE]), best, nats(rows[best]))


def nats(row: Row) -> float:
    return float(row["test_log_prob"])


def marked(row: Row, text: str) -> str:
    """With the mark of a lower bound."""
    return f"≥ {text}" if row["kind"] == "lower_bound" else text


def value(row: Row) -> str:
    return marked(row, f"{nats(row):.2f} ± {float(row['stderr']):.2f}")


def share(dataset: str, row: Row) -> str:
    return marked(row, f"{100 * way(dataset).share(nats(row)):.0f} %")


def seconds(row: Row) -> str:
    """Of training; with a star where that was still improving."""
    took = float(row["train_seconds"])
    text = "under 0.1 s" if took < 0.1 else f"{took:.2g} s" if took < 10 else f"{took:.0f} s"
    return text + (" \\*" if row["converged"] == "False" else "")


def about(dataset: str) -> str:
    """What its rows are, and how many there are to train on."""
    schema, entry = load_dataset(dataset).schema, dataset_entry(dataset)
    if schema.layout == "image":
        what = "images of " + " x ".join(map(str, entry.shape))
    elif schema.layout == "sequence":
        what = f"{schema.D} symbols" if schema.end is None else f"strings up to {schema.D}"
    else:
        numbers = any(v.kind == "ordinal" for v in schema.variables)
        what = f"{schema.D} columns of {'numbers' if numbers else 'categories'}"
    return f"{what}; {entry.rows[0]:,} rows"


# ------------------------------------------------------------------------- tables


def matrix() -> list[list[str]]:
    """Nats per test row of each model on each data set of the quick profile, titles first."""
    sets = list(quick())
    models = list(dict.fromkeys(m for rows in quick().values() for m in rows))
    order = [TRUTH, *(m for m in MODELS if m in models), STACK]
    lines = [["", *(f"`{d}`" for d in sets)]]
    for model in order:
        cells = [quick()[d].get(model) for d in sets]
        shown = [marked(r, f"{nats(r):.2f}") if r and r["test_log_prob"] else "" for r in cells]
        lines.append([model if model == TRUTH else f"`{model}`", *shown])
    return lines


def chosen() -> list[list[str]]:
    """On each data set the family that validation chose, and the quickest that comes near it."""
    lines = [["data set", "the data", "validation chose", "nats per test row",
              "share of the way", "trained in", "the quickest that comes near"]]  # fmt: skip
    for dataset in quick():
        rows = families(dataset)
        best = next(iter(rows))
        start = nats(rows[BASELINE])
        enough = start + ENOUGH * (nats(rows[best]) - start)
        near = [m for m in rows if nats(rows[m]) >= enough]
        quickest = min(near, key=lambda m: float(rows[m]["train_seconds"]))
        lines.append(
            [
                f"`{dataset}`",
                about(dataset),
                linked(best),
                value(rows[best]),
                share(dataset, rows[best]),
                seconds(rows[best]),
                f"{linked(quickest)}, {seconds(rows[quickest])}",
            ]
        )
    return lines


def linked(family: str) -> str:
    return f"[`{family}`](families/{family}.md)"


def of_family(family: str) -> list[list[str]]:
    """What it reached on each data set of the quick profile, titles first; empty if not there."""
    lines = [
        ["data set", "nats per test row", "share of the way", "place by validation", "trained in"]
    ]
    for dataset in quick():
        rows = families(dataset)
        if family in rows:
            place = f"{list(rows).index(family) + 1} of {len(rows)}"
            row = rows[family]
            lines.append([f"`{dataset}`", value(row), share(dataset, row), place, seconds(row)])
    return lines if len(lines) > 1 else []


def chosen_on(family: str) -> str:
    """Where validation chose it, in a sentence."""
    sets = [d for d in quick() if next(iter(families(d))) == family]
    named = ", ".join(f"`{d}`" for d in sets) or "none of them"
    return f"Of the quick profile's {len(quick())} data sets validation rows chose it on: {named}."


def of_stack() -> list[list[str]]:
    """What the stack reached beside the family that validation chose."""
    lines = [
        [
            "data set",
            "stack, nats per test row",
            "validation's best family",
            "its nats per test row",
        ]
    ]
    for dataset, rows in quick().items():
        best = next(iter(families(dataset)))
        lines.append([f"`{dataset}`", value(rows[STACK]), f"`{best}`", value(rows[best])])
    return lines


def times() -> list[list[str]]:
    """Seconds of training on each data set of the quick profile."""
    sets = list(quick())
    models = [m for m in MODELS if any(m in quick()[d] for d in sets)]
    rows = [[f"`{m}`", *(seconds(quick()[d][m]) for d in sets)] for m in models]
    return [["", *(f"`{d}`" for d in sets)], *rows]


def labels() -> list[list[str]]:
    """Log-probability and accuracy of labels, where a data set has one, titles first."""
    sets = [d for d in quick() if any(r["label_accuracy"] for r in quick()[d].values())]
    titles = ["", *(f"`{d}`, {what}" for d in sets for what in ("nats", "told right"))]
    lines = [titles]
    for family in (m for m in MODELS if any(m in quick()[d] for d in sets)):
        rows = [quick()[d][family] for d in sets]
        cells = [
            text
            for r in rows
            for text in (
                f"{float(r['label_log_prob']):.3f}",
                f"{100 * float(r['label_accuracy']):.1f} %",
            )
        ]
        lines.append([f"`{family}`", *cells])
    return lines


def in_tokens() -> list[list[str]]:
    """Nats per byte by the character and by the token."""
    lines = [["text", "model", "by the character", "in tokens"]]
    rows = {(r["dataset"], r["model"]): r for r in read("tokens.csv")}
    for (dataset, model), row in rows.items():
        other = rows.get((f"{dataset}_bpe", model))
        if other:
            lines.append([f"`{dataset}`", f"`{model}`", *(per_byte(r) for r in (row, other))])
    return lines


def per_byte(row: Row) -> str:
    return marked(row, f"{float(row['nats_per_byte']):.3f} ± {float(row['stderr']):.3f}")


def power() -> str:
    """How often the conformance suite accuses models that are broken, and ones that are not."""
    rows = read("conformance_power.csv")
    broken = [r for r in rows if r["sound"] == "False"]
    correct = [r for r in rows if r["sound"] == "True"]
    every = sum(r["alarms"] == r["runs"] for r in broken)
    runs, alarms = (sum(int(r[name]) for r in correct) for name in ("runs", "alarms"))
    return (
        f"Of {len(broken)} models that are broken on purpose the suite accused {every} in every "
        f"run; {len(correct)} correct ones it accused in {alarms} of {runs} runs."
    )
