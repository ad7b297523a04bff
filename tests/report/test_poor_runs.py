"""Whatever a run lacks, it has a report: models, answers, arrays, all of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from demo_run import MODELS, edit, edit_plan, write_demo

from genzoo.benchmark import load_run

REFERENCES = ("truth", "held-out", "copycat")


def without(*models: str) -> Callable[[Path], None]:
    def take(run: Path) -> None:
        plan = json.loads((run / "plan.json").read_text())
        cells = [cell for cell in plan["cells"] if cell["model"] not in models]
        edit_plan(run, cells=cells, models=[m for m in plan["models"] if m["label"] not in models])

    return take


def all_failed(run: Path) -> None:
    for file in (run / "cells").glob("*.json"):
        if json.loads(file.read_text())["model"] not in REFERENCES:
            edit(run, file.stem, status="failed", reason="none", test_log_prob=None, metrics={})


def half_missing(run: Path) -> None:
    for file in sorted((run / "cells").glob("*.json"))[::2]:
        file.unlink()


def no_arrays(run: Path) -> None:
    for file in (run / "cells").glob("*.npz"):
        file.unlink()


def nothing_run(run: Path) -> None:
    for file in (run / "cells").iterdir():
        file.unlink()


CASES = {
    "no baseline": without("independent"),
    "bounds alone": without(*(m for m in MODELS if m not in ("vae", "gan"))),
    "one family": without(*(m for m in MODELS if m != "hmm")),
    "all failed": all_failed,
    "half missing": half_missing,
    "no arrays": no_arrays,
    "nothing run": nothing_run,
}


@pytest.mark.parametrize("datasets", [("alarm", "flowers", "names"), ("flowers",)])
@pytest.mark.parametrize("case", CASES)
def test_a_run_that_lacks_it_has_a_report(
    tmp_path: Path, case: str, datasets: tuple[str, ...]
) -> None:
    run = write_demo(tmp_path / "run", datasets=datasets)
    CASES[case](run)
    for path in load_run(run).report().values():
        text = path.read_text().partition("<script>")[0]
        assert not re.search(r"(?<![\w-])(nan|NaN|None|inf)(?![\w-])", text)
