"""Scores for the cells of a demo run: what validation and test rows are to say of each model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from demo_run import edit, key_of

from genzoo.results.record import LabelPart, LabelRecord, Measured

N = 400
DONE = {"converged": True, "steps": 9, "seconds": 1.0, "stopped_by": "converged", "curve": []}


def judged(
    folder: Path,
    model: str,
    *,
    seed: int = 0,
    valid: float | None = None,
    test: np.ndarray | None = None,
    kind: str | None = None,
    n_valid: int = 200,
    c2st: float | None = None,
    query: str | None = None,
    **changes: Any,
) -> None:
    """Change what a cell of ``flowers`` says: validation's mean, the test rows' values, its kind,
    and fields of its record."""
    key = f"{model}-flowers-{seed}"
    record = json.loads((folder / "cells" / f"{key}.json").read_text())
    if test is not None:
        path = folder / "cells" / f"{key}.npz"
        with np.load(path) as stored:
            arrays = dict(stored)
        np.savez(path, **(arrays | {"log_prob": test, "stderr": np.zeros(len(test))}))
        changes |= {
            "test_log_prob": float(test.mean()),
            "stderr": float(test.std(ddof=1) / np.sqrt(len(test))),
            "n_test": len(test),
        }
    kind = kind or record["kind"]
    validation = record["validation"] | {"kind": kind, "n": n_valid}
    given = {"log_prob": valid, "query": query}
    validation |= {name: value for name, value in given.items() if value is not None}
    if c2st is not None:
        validation["c2st"] = validation["c2st"] | {"value": c2st, "stderr": 0.02}
    if "metrics" in changes:
        changes["metrics"] = record["metrics"] | changes["metrics"]
    edit(folder, key, **(changes | {"validation": validation, "kind": kind}))


def with_scores(folder: Path) -> np.ndarray:
    """The network leads, the HMM is level with it, the VAE's bound lies a little below, the others
    far. The network's test values."""
    rng = np.random.default_rng(0)
    base = -8 + rng.standard_normal(N)

    def near(below: float) -> np.ndarray:
        noise = rng.standard_normal(N)
        return base - below + 0.2 * (noise - noise.mean())

    both = {"training": DONE, "query": "exact"}
    judged(folder, "bayesian_network", valid=-8.0, test=base, train_seconds=5.0, **both)
    judged(folder, "hmm", valid=-8.01, test=near(0.005), train_seconds=4.0, **both)
    judged(folder, "vae", valid=-8.5, test=near(0.5), kind="lower_bound", query="lower_bound",
           train_seconds=30.0, training=DONE)  # fmt: skip
    judged(folder, "gan", valid=-10.0, test=near(2), kind="lower_bound", query="lower_bound")
    judged(folder, "transformer", valid=-9.0, test=near(1), query="unsupported",
           train_seconds=40.0)  # fmt: skip
    judged(folder, "independent", valid=-11.0, test=near(3), train_seconds=0.1, **both)
    return base


def judge_labels(
    folder: Path,
    model: str,
    *,
    valid: float,
    test: np.ndarray,
    right: np.ndarray,
    no_skill: float = -0.55,
    n_valid: int = 200,
    rarer: int = 96,
    auc: float = 0.9,
    majority: float = 0.76,
    seed: int = 0,
    fold: int | None = None,
) -> None:
    """Give a cell of ``flowers`` what it tells of the label."""
    key = key_of(model, "flowers", seed, fold)
    path = folder / "cells" / f"{key}.npz"
    with np.load(path) as stored:
        arrays = dict(stored)
    shares = np.full(len(test), no_skill)
    told = {"label_log_prob": test, "label_right": right, "label_no_skill": shares}
    np.savez(path, **(arrays | told))
    score, part = float(test.mean()), {"rarer": rarer, "majority": majority,
                                       "no_skill_log_prob": no_skill}  # fmt: skip
    accuracy, area = Measured(float(right.mean()), 0.015), Measured(auc, 0.01)
    label = LabelRecord(
        valid=LabelPart(n_valid, valid, 0.02, accuracy, area, **part),
        test=LabelPart(len(test), score, 0.01, accuracy, area, **part),
    )
    edit(folder, key, label=label.to_json())
