"""Are budgets and memory kept? Seconds asked and spent, and peaks, for every family on many shapes.

    python benchmarks/budgets.py [--budgets 1,5] [--families hmm,vae] [--shapes names,holes]
                                 [--scored 1000] [--sampled 1000] [--most-seconds 120]
                                 [--most-gib 12] [--by-processor] [--replay] [--csv FILE] [--again]

The tests look at budgets on a clock of their own; here the clock is the real one, or the
processor's seconds (``--by-processor``), which other work on the machine doesn't disturb. A ratio
above 1 is time that a family took beyond what it was given: an oversized unit of work, or work
after the last question. A family that converges early spends less. Peaks of fit, score and sample
stand beside the rule (2 GiB + 8 x the bytes of the rows). Each fit has a process of its own: one
that exceeds a limit is a line that says so. With ``--csv`` lines that are there are kept, so that
the whole can be run in pieces; ``--again`` measures them anew. With ``--replay`` each fit is
repeated from its record, and must come out the same, bit for bit.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from measuring import SHAPES, Line, Lines, Task, measure

import genzoo

DEFAULT = "default"  # among the budgets: the family's own


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--budgets", default="1,5", help=f"seconds, or {DEFAULT}, with commas")
    parser.add_argument("--families", default=",".join(genzoo.list_models()), help="with commas")
    parser.add_argument("--shapes", default=",".join(SHAPES), help="with commas")
    parser.add_argument("--scored", type=int, default=Task.scored, help="how many rows")
    parser.add_argument("--sampled", type=int, default=Task.sampled, help="how many rows")
    parser.add_argument("--most-seconds", type=float, default=Task.most_seconds, help="a phase")
    parser.add_argument("--most-gib", type=float, default=Task.most_gib, help="of a process")
    parser.add_argument("--by-processor", action="store_true", help="count the processor's seconds")
    parser.add_argument("--replay", action="store_true", help="repeat each fit from its record")
    parser.add_argument("--csv", type=Path, help="a file for the lines")
    parser.add_argument("--again", action="store_true", help="also what the file holds already")
    options = parser.parse_args(arguments)
    budgets = ["" if text == DEFAULT else f"{text}s" for text in options.budgets.split(",")]
    lines = Lines(options.csv)
    measured = []
    head = f"{'family':<18} {'shape':<16} {'budget':>7} {'fit':>8} {'ratio':>6}"
    print(f"{head} MiB of fit/score/sample")
    for shape in options.shapes.split(","):
        for family in options.families.split(","):
            for budget in budgets:
                line = lines.get(family, shape, budget)
                if line is None or options.again:
                    line = measure(
                        Task(
                            family,
                            shape,
                            budget,
                            scored=options.scored,
                            sampled=options.sampled,
                            most_seconds=options.most_seconds,
                            most_gib=options.most_gib,
                            by_processor=options.by_processor,
                            replay=options.replay,
                        )
                    )
                    lines.add(line)
                measured.append(line)
                print(in_words(line), flush=True)
    _conclude(measured)


def in_words(line: Line) -> str:
    """A line of the screen."""
    of = asdict(line)
    peaks = "/".join("-" if of[f"{p}_mib"] is None else f"{of[f'{p}_mib']:.0f}"
                     for p in ("fit", "score", "sample"))  # fmt: skip
    seconds = "-" if line.fit_seconds is None else f"{line.fit_seconds:.2f}s"
    ratio = "-" if line.ratio is None else f"{line.ratio:.2f}"
    said = [
        f"{line.family:<18} {line.shape:<16} {line.budget or DEFAULT:>7} {seconds:>8} {ratio:>6}"
    ]
    said += [peaks, line.stopped_by or "", "" if line.outcome == "ok" else line.outcome]
    said += ["" if line.within_rule is not False else f"ABOVE the rule of {line.rule_mib or 0:.0f}"]
    said += [{None: "", True: "replayed", False: "NOT replayed"}[line.replayed]]
    return " ".join(part for part in said if part)


def _conclude(lines: list[Line]) -> None:
    timed = [line for line in lines if line.ratio is not None]
    if timed:
        worst = max(timed, key=lambda line: line.ratio or 0.0)
        where = f"{worst.family} on {worst.shape}"
        print(f"worst: {where}, {worst.ratio:.2f} times what it was given")
    print(f"without an end: {sum(line.outcome != 'ok' for line in lines)} of {len(lines)}")
    above = sum(line.within_rule is False for line in lines)
    print(f"above the rule of memory: {above} of {len(lines)}")


if __name__ == "__main__":
    main()
