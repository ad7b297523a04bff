"""Seconds and memory of reading a large file: what ``genzoo compare FILE --only-schema`` takes.

    python benchmarks/reading.py [--rows 1000000] [--out benchmarks/results/reading.csv]

Two mixes of 30 columns, made by a seed: "usual" (measurements, counts, categories, dates, money,
quoted text, ids) and "distinct", of which nearly every value is another. Each is read as CSV and as
parquet, in a process of its own; seconds are of the processor, so that a busy machine counts
little, and memory is the most that the process held.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

START = pd.Timestamp("2015-01-01")
STAGES = ("read", "recognise", "split and encode", "digest")


def usual(n: int) -> pd.DataFrame:
    rng = np.random.default_rng(7)
    columns: dict[str, Any] = {f"x{i}": np.round(rng.normal(50, 12, n), 2) for i in range(6)}
    columns |= {f"count{i}": rng.poisson(30, n) for i in range(4)}
    kinds = np.array([f"kind {k}" for k in range(8)])
    columns |= {f"kind{i}": kinds[rng.integers(0, 8, n)] for i in range(6)}
    wards = np.array([f'city {k}, ward "{k % 7}"' for k in range(600)])
    columns |= {f"city{i}": wards[(rng.pareto(1.2, n) * 20).astype(int) % 600] for i in range(3)}
    columns |= _ids(rng, n)
    columns |= {f"day{i}": _moments(rng, n).strftime("%Y-%m-%d") for i in range(3)}
    columns["at"] = _moments(rng, n).strftime("%m/%d/%Y %I:%M:%S %p")
    columns |= _money(rng, n, 3)
    notes = np.array([f'he said: "{k}", then left' for k in range(40)])
    columns["note"] = notes[rng.integers(0, 40, n)]
    columns["flag"] = rng.random(n) < 0.3
    frame = pd.DataFrame(columns)
    frame.loc[rng.random(n) < 0.05, "x1"] = np.nan
    return frame


def distinct(n: int) -> pd.DataFrame:
    rng = np.random.default_rng(8)
    columns: dict[str, Any] = {f"x{i}": rng.normal(50, 12, n) for i in range(14)}
    columns |= _ids(rng, n)
    for i in range(3):
        columns[f"text{i}"] = [f'note {a} of {a % 17}, "quoted"' for a in rng.integers(0, 2**32, n)]
    columns["kind"] = np.array(list("abcdef"))[rng.integers(0, 6, n)]
    columns |= _money(rng, n, 4)
    forms = ("%m/%d/%Y %I:%M:%S %p", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%d.%m.%Y",
             "%H:%M:%S", "%d-%b-%Y %H:%M")  # fmt: skip
    columns |= {f"at{i}": _moments(rng, n).strftime(form) for i, form in enumerate(forms)}
    return pd.DataFrame(columns)


def _ids(rng: np.random.Generator, n: int) -> dict[str, Any]:
    return {
        "id": np.arange(n) + 100_000,
        "uid": [f"{a:08x}" for a in rng.integers(0, 2**32, n)],
    }


def _moments(rng: np.random.Generator, n: int) -> pd.DatetimeIndex:
    return START + pd.to_timedelta(rng.integers(0, 3000 * 86_400, n), unit="s")


def _money(rng: np.random.Generator, n: int, k: int) -> dict[str, Any]:
    return {f"money{i}": [f"${v:,.2f}" for v in rng.lognormal(6, 1, n)] for i in range(k)}


MIXES: dict[str, Callable[[int], pd.DataFrame]] = {"usual": usual, "distinct": distinct}


def stages(path: Path) -> None:
    """What this process needs for each stage, as a line of CSV."""
    from genzoo.datasets import own
    from genzoo.datasets.own.recognise import recognise

    seconds, before = [], time.process_time()

    def took() -> None:
        nonlocal before
        now = time.process_time()
        seconds.append(now - before)
        before = now

    content = own.read(path)
    took()
    columns = tuple(recognise(content.data))
    took()
    own.split_of(own.Prepared(content, columns, {}))
    took()
    seconds[-1] -= _digest(content)
    seconds.append(_digest(content))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(",".join(f"{s:.1f}" for s in seconds), f"{sum(seconds):.1f}", f"{peak:.2f}", sep=",")


def _digest(content: Any) -> float:
    vars(content).pop("digest", None)
    start = time.process_time()
    assert content.digest
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--out", type=Path, help="a .csv file for the table")
    parser.add_argument("--stages", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.stages is not None:
        stages(asked.stages)
        return
    lines = [",".join(["mix", "form", "rows", "file_mb", *STAGES, "seconds", "peak_gib"])]
    print(lines[0])
    with tempfile.TemporaryDirectory() as folder:
        for mix, make in MIXES.items():
            frame = make(asked.rows)
            for form in ("csv", "parquet"):
                path = Path(folder) / f"{mix}.{form}"
                if form == "csv":
                    frame.to_csv(path, index=False)
                else:
                    frame.to_parquet(path)
                command = [sys.executable, __file__, "--stages", str(path)]
                done = subprocess.run(command, capture_output=True, check=True, text=True)
                size = f"{path.stat().st_size / 1e6:.0f}"
                lines.append(",".join([mix, form, str(asked.rows), size, done.stdout.strip()]))
                print(lines[-1], flush=True)
                path.unlink()
    if asked.out is not None:
        asked.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
