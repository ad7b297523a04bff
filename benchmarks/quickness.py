"""What should take no time, measured: the front door, embedded data sets, the look at the code.

    python benchmarks/quickness.py

Each line is the best of five, so that a busy machine counts little, beside what was wanted when the
part was written. The exit code is 1 where one takes longer.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable

import genzoo
from genzoo.benchmark.code import family_code, judging_code

REPEATS = 5
EMBEDDED = ("alarm", "tinyshakespeare", "names", "grammar")


def help_page() -> None:
    subprocess.run([sys.executable, "-m", "genzoo", "--help"], capture_output=True, check=True)


def listing() -> None:
    subprocess.run([sys.executable, "-m", "genzoo", "list"], capture_output=True, check=True)


def digests() -> None:
    for key in genzoo.list_models():
        family_code(key)
    judging_code()


def main() -> int:
    wanted: dict[str, tuple[float, Callable[[], object]]] = {
        "genzoo --help": (0.7, help_page),
        "genzoo list": (1.0, listing),
        "hashes of the code of a plan": (0.5, digests),
    }
    for name in EMBEDDED:
        wanted[f"load_dataset({name!r})"] = (2.0, lambda name=name: genzoo.load_dataset(name))
    late = 0
    for what, (limit, call) in wanted.items():
        seconds = []
        for _ in range(REPEATS):
            start = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - start)
        late += min(seconds) > limit
        print(f"{what:<34} {min(seconds):.2f}s of {limit}s")
    return int(late > 0)


if __name__ == "__main__":
    sys.exit(main())
