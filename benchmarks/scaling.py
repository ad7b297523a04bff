"""How do time and memory grow with rows, columns, cardinality and length, for every family?

    python benchmarks/scaling.py [--axes rows,length] [--families hmm,vae] [--sizes 1000,10000]
                                 [--most-seconds 60] [--most-gib 8] [--by-processor] [--again]
    python benchmarks/scaling.py --tables          # from the lines alone

Each point is a process of its own, with a limit of time for each phase and of memory; a point that
exceeds one is where the family stops being usable under these limits, and larger ones are not
tried. Every fit does the same work at every size (``WORK``: so many steps of a model of fixed
size), so that what grows is the cost of a step. Scores and samples are of as many rows as the data
have on the axis of rows, else of 500.

Lines go into ``benchmarks/results/scaling.csv``, which keeps those of earlier calls; the exponents
that are fitted to them, beside what theory allows, into ``benchmarks/results/scaling.md``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from measuring import Line, Lines, Task, measure

import genzoo
from genzoo.store import write_atomically

RESULTS = Path(__file__).parent / "results"
SIZES = {
    "rows": (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000),
    "columns": (16, 64, 250, 500, 1000, 1556),
    "cardinality": (2, 10, 100, 1000, 3000, 10_000),
    "length": (32, 128, 512, 1024, 2048, 4096),
}
OF_AXES = {
    "rows": "16 columns of 8 values; as many rows scored and sampled",
    "columns": "2,000 rows of two values each",
    "cardinality": "20,000 rows: one column of so many values beside seven of 8",
    "length": "500 strings of 16 letters",
}
SCORED = 500  # and sampled, but on the axis of rows

# What each family does at every size. Networks keep their size: left alone, they choose it by the
# data and the budget. A Bayesian network of trees grows with the data as long as that pays, so its
# edges and splits are counted.
WORK: dict[str, tuple[str, dict[str, Any]]] = {
    "independent": ("", {}),
    "bayesian_network": ("20 steps", {}),
    "mixture": ("20 steps", {"n_components": 16}),
    "hmm": ("20 steps", {"n_states": 16, "n_restarts": 1}),
    "vae": ("20 steps", {"latent_dim": 8, "width": 64, "estimator": "iwae"}),
    "gan": ("20 steps", {"estimator": "iwae"}),
    "transformer": ("20 steps", {"d_model": 64, "n_layers": 2, "n_heads": 2}),
    "ngram": ("", {"context": 3}),
    "circuit": ("20 steps", {"n_states": 16, "n_trees": 1}),
    "masked_transformer": ("20 steps", {"d_model": 64, "n_layers": 2, "n_heads": 2}),
    "diffusion": ("20 steps", {"d_model": 64, "n_layers": 2, "n_heads": 2}),
}

# The highest exponent that theory allows time to have, for fit, score and sample; 1 where nothing
# stands. Pairs of columns are what a network's structure is searched in; attention compares each
# place with each before it; the GAN and the VAE see all values of a row at once. Memory grows no
# faster than with the numbers of the table: 1.
THEORY: dict[tuple[str, str], tuple[float, float, float]] = {
    ("bayesian_network", "columns"): (2, 1, 1),
    ("bayesian_network", "length"): (2, 1, 1),
    **{
        (family, axis): (2, 2, 2)
        for family in ("transformer", "masked_transformer", "diffusion")
        for axis in ("columns", "length")
    },
}
PHASES = ("fit", "score", "sample")
SLACK = 0.25  # by which a fitted exponent may exceed theory's: caches fill up, points are few
LEAST_POINTS, MOST_POINTS = 3, 4  # the largest sizes: there the terms of low order count little
LEAST_SECONDS, LEAST_MIB = 0.05, 16.0  # at the largest size: below it there is nothing to fit


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--axes", default=",".join(SIZES), help="with commas")
    parser.add_argument("--families", default=",".join(genzoo.list_models()), help="with commas")
    parser.add_argument("--sizes", help="with commas; all of an axis without")
    parser.add_argument("--most-seconds", type=float, default=60.0, help="a phase")
    parser.add_argument("--most-gib", type=float, default=8.0, help="of a process")
    parser.add_argument("--by-processor", action="store_true", help="count the processor's seconds")
    parser.add_argument("--again", action="store_true", help="also what was measured before")
    parser.add_argument("--tables", action="store_true", help="measure nothing")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder of the files")
    options = parser.parse_args(arguments)
    lines = Lines(options.results / "scaling.csv")
    if not options.tables:
        for axis in options.axes.split(","):
            sizes = SIZES[axis]
            if options.sizes:
                sizes = tuple(int(size) for size in options.sizes.split(","))
            for family in options.families.split(","):
                along(lines, family, axis, sizes, options)
    text = tables(lines.all)
    write_atomically(options.results / "scaling.md", text.encode())
    print(text)


def along(
    lines: Lines, family: str, axis: str, sizes: Sequence[int], options: argparse.Namespace
) -> None:
    """Measure one family along an axis, from the smallest size to the first without a fit."""
    budget, params = WORK[family]
    rows = None if axis == "rows" else SCORED
    for size in sorted(sizes):
        shape = f"{axis} {size}"
        line = lines.get(family, shape, budget)
        if line is None or options.again:
            task = Task(family, shape, budget, params, rows, rows, options.most_seconds,
                        options.most_gib, options.by_processor)  # fmt: skip
            line = measure(task)
            lines.add(line)
            print(f"{family:<18} {shape:<18} {line.outcome}", flush=True)
        if line.fit_seconds is None:
            return


# ------------------------------------------------------------------------------------ exponents


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float | None:
    """The slope of log values over log sizes, least squares over the largest sizes; None of fewer
    than ``LEAST_POINTS``.

    >>> round(exponent([10, 100, 1000], [2, 4, 8]), 3)
    0.301
    """
    points = sorted(zip(sizes, values, strict=True))[-MOST_POINTS:]
    points = [(size, value) for size, value in points if value > 0]
    if len(points) < LEAST_POINTS:
        return None
    x, y = np.log(np.array(points, dtype=float)).T
    return float(np.polyfit(x, y, 1)[0])


def of_axis(lines: Sequence[Line], family: str, axis: str) -> list[tuple[int, Line]]:
    """The points of a family along an axis, by size."""
    found = [(line.shape.partition(" "), line) for line in lines if line.family == family]
    return sorted(((int(size), line) for (a, _, size), line in found if a == axis and size),
                  key=lambda point: point[0])  # fmt: skip


def fitted(points: Sequence[tuple[int, Line]], number: str, least: float) -> float | None:
    """The exponent of a number of the lines; None where it is too small to tell, or there are too
    few points."""
    known = [(size, v) for size, line in points if (v := getattr(line, number)) is not None]
    if not known or known[-1][1] < least:
        return None
    return exponent(*zip(*known, strict=True))


def stops_at(points: Sequence[tuple[int, Line]]) -> str:
    """The first size without an end, and why; "" where there is none."""
    return next((f"{size:,} ({line.outcome})" for size, line in points if line.outcome != "ok"), "")


def tables(lines: Sequence[Line]) -> str:
    """A table an axis: exponents of time and memory, theory's, and where a family stops."""
    text = ["# How time and memory grow", "", *_introduction(lines)]
    families = [f for f in WORK if any(line.family == f for line in lines)]
    for axis in SIZES:
        rows = [(family, points) for family in families
                if (points := of_axis(lines, family, axis))]  # fmt: skip
        if not rows:
            continue
        text += ["", f"## {axis.capitalize()}", "", f"{OF_AXES[axis]}.", "", _HEAD,
                 "| --- " * _HEAD.count(" | ") + "| --- |"]  # fmt: skip
        text += [_row(family, axis, points) for family, points in rows]
    return "\n".join(text) + "\n"


_HEAD = (
    "| family | largest | fit, s | score, s | sample, s | peak, MiB | within the rule | fit "
    "| score | sample | memory | stops being usable at |"
)


def _introduction(lines: Sequence[Line]) -> list[str]:
    clocks = " or the ".join(sorted({line.clock for line in lines}))
    work = [f"`{f}` {', '.join([budget or 'all of it', *_params(p)])}"
            for f, (budget, p) in WORK.items()]  # fmt: skip
    return [
        f"Written by `benchmarks/scaling.py` from `scaling.csv`. Seconds (of the {clocks}) and "
        "peak memory are those of the largest size that was reached; fit, score, sample and memory "
        "are exponents: cost grows as size to that power, fitted to the "
        f"{LEAST_POINTS} or {MOST_POINTS} largest sizes, with what theory allows in brackets. An "
        f"exponent in bold lies more than {SLACK:g} above theory's; a dash means that there is too "
        f"little to measure (under {LEAST_SECONDS:g} s or {LEAST_MIB:g} MiB), or too few sizes. "
        "The rule: at most 2 GiB + 8 x (8 n D) bytes.",
        "",
        f"The same work at every size: {'; '.join(work)}.",
    ]


def _params(params: dict[str, Any]) -> list[str]:
    return [f"{name} {value}" for name, value in params.items()]


def _row(family: str, axis: str, points: Sequence[tuple[int, Line]]) -> str:
    reached = [point for point in points if point[1].fit_seconds is not None]
    size, last = reached[-1] if reached else points[0]
    allowed = THEORY.get((family, axis), (1, 1, 1))
    peaks = [getattr(last, f"{p}_mib") for p in PHASES]
    kept = {line.within_rule for _, line in points} - {None}
    cells = [f"`{family}`", f"{size:,}" if reached else "none"]
    cells += [_short(getattr(last, f"{p}_seconds"), 2) for p in PHASES]
    cells += [_short(max((p for p in peaks if p is not None), default=None), 0)]
    cells += ["no" if False in kept else "yes" if kept else "-"]
    cells += [
        _against(fitted(points, f"{p}_seconds", LEAST_SECONDS), most)
        for p, most in zip(PHASES, allowed, strict=True)
    ]
    cells += [_against(fitted(points, "fit_mib", LEAST_MIB), 1), stops_at(points)]
    return f"| {' | '.join(cells)} |"


def _short(value: float | None, places: int) -> str:
    return "-" if value is None else f"{value:,.{places}f}"


def _against(found: float | None, theory: float) -> str:
    """A fitted exponent beside theory's."""
    if found is None:
        return f"- ({theory:g})"
    text = f"{found:.2f}"
    return f"{f'**{text}**' if found > theory + SLACK else text} ({theory:g})"


if __name__ == "__main__":
    main()
