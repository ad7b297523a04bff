"""A run folder with invented but plausible records: what ``compare`` leaves, without training."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from genzoo.benchmark.code import family_code, judging_code
from genzoo.results.plan import Asked, Cards, DatasetFacts, ModelFacts, Plan, Units
from genzoo.results.record import (
    CellRecord,
    ExplainRecord,
    Measured,
    MetricRecord,
    NearRecord,
    Validation,
)
from genzoo.space.schema import Schema, Variable

MODELS = ["independent", "bayesian_network", "hmm", "vae", "gan", "transformer"]
KINDS = {"vae": "lower_bound", "gan": "lower_bound"}
REFERENCES = ("held-out", "copycat")
PLAY = (
    "ROMEO:\nBut soft, what light through yonder window breaks?\nIt is the east, and Juliet is the "
    "sun.\nArise, fair sun, and kill the envious moon,\nWho is already sick and pale with grief,\n"
    "That thou her maid art far more fair than she.\n\nJULIET:\nO Romeo, Romeo, wherefore art thou "
    "Romeo?\nDeny thy father and refuse thy name;\nOr if thou wilt not, be but sworn my love.\n"
) * 4
NAMES = (
    "anna", "bob", "clara", "david", "emma", "frank", "grace", "henry",
    "iris", "jacob", "kate", "liam", "mary", "noah", "olive",
)  # fmt: skip

# mean nats per row behind the best exact value, by family; None: the cell fails
BEHIND = {
    "alarm": (10.2, 0.0, 4.1, 3.2, 5.0, 0.4),
    "digits_binary": (9.2, 3.1, 4.0, 0.6, 7.9, 0.0),
    "names": (6.1, 2.0, 1.1, 2.4, None, 0.0),
    "flowers": (3.0, 0.05, 0.4, 0.5, 1.8, 0.0),
    "play": (120.0, 80.0, 76.0, 90.0, 110.0, 0.0),
}


def write_demo(
    folder: Path,
    *,
    seeds: tuple[int, ...] = (0,),
    datasets: tuple[str, ...] = tuple(BEHIND),
    folds: int | None = None,
) -> Path:
    """Write the run; ``alarm`` and ``names`` have a truth. Folds, of data sets without one, differ
    in their number of test rows and in how hard these are."""
    rng = np.random.default_rng(7)
    asked, references, facts = [], [], []
    for name in datasets:
        schema, rows, base = _data(name, rng)
        _npz(folder / "datasets" / f"{name}.npz", rows=rows[:64])
        (folder / "datasets" / f"{name}.schema.json").write_text(schema.to_json())
        n_test = 30 if name == "flowers" else 300
        known = name in ("alarm", "names") and folds is None
        facts.append(_facts(name, schema, rows, n_test, -base if known else None, folds))
        for fold in [None] if folds is None else range(folds):
            n, harder = n_test + 9 * (fold or 0), 1.5 * (fold or 0)
            truth = base - harder + _scale(base) * rng.standard_normal(n)
            if known:
                key = _truth(folder, name, schema, rows, truth)
                asked.append(Asked(key, "truth", name, None, None))
            for reference in REFERENCES:
                key = key_of(reference, name, None, fold)
                record = _record(key, reference, name, None, n) | {
                    "fold": fold,
                    "status": "ok",
                    "metrics": _sample_metrics(harder, schema, copies=reference == "copycat"),
                    "metrics_left_out": _left_out(schema),
                }
                _json(folder / "cells" / f"{key}.json", record)
                references.append(Asked(key, reference, name, None, fold))
            for model, behind in zip(MODELS, BEHIND[name], strict=True):
                for seed in seeds:
                    key = key_of(model, name, seed, fold)
                    record = _record(key, model, name, seed, n) | {"fold": fold}
                    if behind is None:
                        record |= _failure(model)
                    else:
                        values = truth - behind - 0.05 + 0.3 * rng.standard_normal(n)
                        values -= 0.1 * seed
                        drawn = _perturbed(schema, rows, behind / 12, rng)
                        record |= _success(
                            model, name, schema, values, truth if known else None, drawn
                        )
                        record["train_seconds"] += harder
                        record["metrics"] |= _sample_metrics(behind + harder + seed, schema)
                        record["metrics_left_out"] = _left_out(schema)
                        _npz(
                            folder / "cells" / f"{key}.npz",
                            log_prob=values,
                            stderr=np.zeros(n),
                            rows=drawn[:64],
                            **_explained(model, schema, values, rows, drawn),
                        )
                    _json(folder / "cells" / f"{key}.json", record)
                    asked.append(Asked(key, model, name, seed, fold))
    plan = Plan(
        seeds=seeds,
        started="2026-01-02T03:04:05+00:00",
        versions={"genzoo": "0.1.0", "numpy": np.__version__},
        machine={"system": "Linux", "cores": 2, "memory_gib": 7.8},
        judge=judging_code().digest,
        models=tuple(_model(m) for m in MODELS),
        datasets=tuple(facts),
        cells=tuple(asked),
        references=tuple(references),
    )
    _json(folder / "plan.json", plan.to_json())
    return folder


def _model(key: str) -> ModelFacts:
    code = family_code(key)
    asked = "2026-01-02T03:04:05+00:00"
    return ModelFacts(key, key, key, code=code.digest, modules=code.modules, asked=asked)


def key_of(model: str, dataset: str, seed: int | None = 0, fold: int | None = None) -> str:
    """The key of a cell, or of a reference, whose seed is None."""
    return "-".join(str(part) for part in (model, dataset, seed, fold) if part is not None)


def edit(folder: Path, key: str, **changes: Any) -> None:
    """Change fields of a cell's record."""
    file = folder / "cells" / f"{key}.json"
    _json(file, json.loads(file.read_text()) | changes)


def edit_plan(folder: Path, **changes: Any) -> None:
    """Change fields of the plan."""
    file = folder / "plan.json"
    _json(file, json.loads(file.read_text()) | changes)


def _scale(base: float) -> float:
    return 0.15 * abs(base)


def _data(name: str, rng: np.random.Generator) -> tuple[Schema, np.ndarray, float]:
    """Schema, 2,000 rows, mean nats per row of the best."""
    if name == "alarm":
        levels = ("LOW", "NORMAL", "HIGH")
        variables = tuple(
            Variable(f"SENSOR{d}", categories=levels if d % 3 else ("FALSE", "TRUE"))
            for d in range(20)
        )
        schema = Schema(variables, "table", (20,))
        state = rng.random((2000, 1)) ** 2
        rows = (rng.random((2000, 20)) < 0.2 + 0.7 * state).astype(np.int64)
        rows += (schema.cards > 2) * (rng.random((2000, 20)) < 0.3 * state)
        return schema, rows, -10.4
    if name == "digits_binary":
        from sklearn.datasets import load_digits

        pixel = {"kind": "ordinal", "cardinality": 2, "offset": 0.0, "step": 255.0}
        schema = Schema(tuple(Variable(d, **pixel) for d in range(64)), "image", (8, 8))
        rows = (load_digits().data > 7).astype(np.int64)
        return schema, rows, -19.8
    if name == "names":
        alphabet = (*"abcdefghijklmnopqrstuvwxyz", "END")
        variables = tuple(Variable(t, categories=alphabet) for t in range(12))
        schema = Schema(variables, "sequence", (12,), end=26)
        return schema, schema.encode([NAMES[i] for i in rng.integers(0, 15, 2000)]), -18.0
    if name == "flowers":
        grid = {"kind": "ordinal", "cardinality": 40, "step": 0.1}
        variables = (
            Variable("length", offset=4.3, **grid),
            Variable("width", offset=2.0, missing=True, **grid),
            Variable("mass", "ordinal", edges=tuple(np.geomspace(1, 90, 25).round(1)), step=0.1),
            Variable("species", categories=("setosa", "versicolor", "virginica")),
        )
        schema = Schema(variables, "table", (4,))
        kind = rng.integers(0, 3, 2000)
        shape = 8 * kind[:, None] + rng.normal(8, 3, (2000, 3))
        rows = np.column_stack([np.clip(shape, 0, [39, 39, 23]), kind]).astype(np.int64)
        rows[:, 1] = np.clip(rows[:, 1], 0, 39)
        return schema, rows, -7.9
    alphabet = tuple(sorted(set(PLAY)))
    variables = tuple(Variable(t, categories=alphabet) for t in range(128))
    schema = Schema(variables, "sequence", (128,))
    starts = rng.integers(0, len(PLAY) - 128, 2000)
    return schema, schema.encode([PLAY[s : s + 128] for s in starts]), -200.0


def _perturbed(
    schema: Schema, rows: np.ndarray, amount: float, rng: np.random.Generator
) -> np.ndarray:
    """Rows with a share of their entries drawn from the column's marginal."""
    rows = rows[rng.permutation(len(rows))].copy()
    if schema.end is None:
        other = np.column_stack([rng.permutation(column) for column in rows.T])
        swap = rng.random(rows.shape) < min(0.9, amount)
        rows[swap] = other[swap]
    return rows


def _facts(
    name: str,
    schema: Schema,
    rows: np.ndarray,
    n_test: int,
    entropy: float | None,
    folds: int | None,
) -> DatasetFacts:
    cards = schema.cards
    return DatasetFacts(
        name=name,
        key=name,
        layout=schema.layout,
        event_shape=tuple(schema.event_shape),
        D=schema.D,
        cards=Cards(int(cards.min()), float(np.median(cards)), int(cards.max())),
        end=schema.end,
        n_train=len(rows),
        n_valid=200,
        n_test=n_test,
        has_text=name == "play",
        units=Units("blocks", 15, 15, 8) if name == "play" else None,
        folds=folds,
        source=f"invented for this test, after {name}",
        licence="CC0-1.0",
        fingerprint="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        budget="15s",
        entropy=None if entropy is None else Measured(entropy, 0.02),
        marginals=_marginals(schema, rows) if schema.layout == "table" else None,
    )


def _marginals(schema: Schema, rows: np.ndarray) -> list[list[float]]:
    return [
        (np.bincount(rows[:, d], minlength=card) / len(rows)).tolist()
        for d, card in enumerate(schema.cards.tolist())
    ]


def _record(key: str, model: str, dataset: str, seed: int | None, n_test: int) -> dict[str, Any]:
    return CellRecord(
        key, model=model, family=model, dataset=dataset, seed=seed, n_test=n_test
    ).to_json()


def _failure(model: str) -> dict[str, Any]:
    return {
        "reason": f"FloatingPointError: the loss of {model} was not finite at step 412",
        "traceback": 'Traceback (most recent call last):\n  File "x.py", line 1, in <module>\n'
        "FloatingPointError: the loss was not finite at step 412",
    }


def _score(values: np.ndarray, kind: str, schema: Schema) -> dict[str, Any]:
    return {
        "status": "ok",
        "test_log_prob": float(values.mean()),
        "kind": kind,
        "stderr": float(values.std(ddof=1) / math.sqrt(len(values))),
        "bits_per_dim": -float(values.mean()) / (schema.D * math.log(2)),
        "evaluate_seconds": 1.3,
        "sample_seconds": 0.2,
    }


def _sample_metrics(
    behind: float, schema: Schema, *, copies: bool = False
) -> dict[str, dict[str, Any]]:
    """What samples of a model ``behind`` nats worse than the best may give."""
    worse = min(1.0, behind / 12)
    found = {
        "c2st": (0.5 + 0.45 * worse, 0.01, "accuracy", False),
        "recall": (0.9 - 0.6 * worse, 0.015, "share of rows", True),
        "density": (1 - 0.5 * worse, 0.02, "ratio of counts", True),
        "memorisation": (0.8 if copies else 0.5 - 0.1 * worse, 0.012, "probability", False),
    }
    if schema.layout == "sequence":
        found["ngram_tv"] = (0.4 * worse, 0.006, "total variation", False)
    return {key: MetricRecord(*values, "estimate").to_json() for key, values in found.items()}


def _left_out(schema: Schema) -> dict[str, str]:
    if schema.layout == "sequence":
        return {}
    return {"ngram_tv": f"n-grams are of sequences; these rows are of {schema.layout}"}


def _bound(model: str) -> dict[str, Any]:
    gap = {
        "value": 0.214,
        "stderr": 0.061,
        "n": 50,
        "estimator": "iwae",
        "lower": -11.4,
        "upper": -11.2,
    }
    return {
        "estimator": "iwae" if model == "vae" else "ais",
        "ess_median": 41.3 if model == "vae" else 5.2,
        "ess_low": 9.7 if model == "vae" else 1.3,
        "gap": gap if model == "vae" else None,
        "gap_refused": None if model == "vae" else "no simulation of partly observed rows",
        "gap_seconds": 0.4,
    }


def _truth(folder: Path, name: str, schema: Schema, rows: np.ndarray, truth: np.ndarray) -> str:
    key = f"truth-{name}"
    record = _record(key, "truth", name, None, len(truth)) | _score(truth, "exact", schema)
    _json(folder / "cells" / f"{key}.json", record)
    found = {"log_prob": truth, "rows": rows[-64:]}
    if name == "alarm":
        found |= _graph(schema, seed=1)
    _npz(folder / "cells" / f"{key}.npz", **found)
    return key


def _success(
    model: str,
    name: str,
    schema: Schema,
    values: np.ndarray,
    truth: np.ndarray | None,
    drawn: np.ndarray,
) -> dict[str, Any]:
    neural = model in ("vae", "gan", "transformer")
    steps = np.arange(0, 20 if neural else 4)
    start = 40 if neural else 6
    curve = [
        {
            "step": int(50 * s),
            "seconds": float(0.05 + s * (0.7 if neural else 0.05)),
            "train": None,
            "valid": float(values.mean() + 0.1 - start * math.exp(-0.35 * s)),
        }
        for s in steps
    ]
    if model == "independent":
        curve = []
    late = neural and name in ("play", "digits_binary")
    record = _score(values, KINDS.get(model, "exact"), schema) | {
        "training": {
            "steps": int(50 * len(steps)),
            "seconds": 15.0,
            "stopped_by": "budget" if late else "converged",
            "converged": not late,
            "curve": curve,
            "notes": [],
        },
        "train_seconds": 14.9 if neural else 0.8,
        "n_parameters": 120_000 if neural else 540,
        "peak_memory_mb": 612.4,
        "n_sampled": 2000 if schema.layout == "table" else 64,
    }
    record["validation"] = Validation(
        log_prob=float(values.mean()), stderr=0.1, kind=record["kind"], n=200,
        c2st=MetricRecord(0.6, 0.02, "accuracy", False, "estimate"),
        query=record["kind"], query_seconds=0.002, seconds=1.0,
    ).to_json()  # fmt: skip
    if model in KINDS:
        record["bound"] = _bound(model)
    slow = {"by variable": "8 blocks of variables would take 99 s or more"}
    record["explained"] = ExplainRecord(
        None if model == "gan" else "estimate" if model == "vae" else "exact",
        NearRecord(2000, 120, 300, 15),
        slow if model == "gan" else {},
        1.5,
    ).to_json()
    if model == "gan":
        record["calibration"] = {
            "temperature": 1.0, "marginal_weight": 0.3, "before": -13.24, "after": -11.61
        }  # fmt: skip
        record["notes"] = ["calibrated on validation rows: temperature 1, marginal weight 0.3"]
    if schema.layout == "table":
        record["marginals"] = _marginals(schema, drawn)
    if truth is not None:
        total = float((values - truth).sum())
        record["alarm"] = {"raised": total > 6.9, "statistic": total, "threshold": 6.9}
    if name == "play" and model == "transformer":
        record["text_score"] = {
            "value": -1.71, "stderr": 0.02, "kind": "exact", "n_characters": 20000
        }  # fmt: skip
        record["completions"] = {"ROMEO:": PLAY[:300]}
    return record


def _explained(
    model: str, schema: Schema, values: np.ndarray, rows: np.ndarray, drawn: np.ndarray
) -> dict[str, np.ndarray]:
    """What explains the numbers of a cell, as far as its family offers it; gan was too slow."""
    rng = np.random.default_rng(len(model))
    least = np.argsort(values)[:4]
    found = {
        "near_samples": drawn[:3],
        "near_train": rows[:3],
        "near_distance": np.arange(3.0),
    }
    if model != "gan":
        n_blocks = min(schema.D, 8 if model == "vae" else 64)
        at = np.arange(min(len(values), 40))
        weights = rng.dirichlet(np.full(n_blocks, 3.0), len(at) + 4)
        terms = (values[np.append(at, least)][:, None] * weights).astype(np.float32)
        starts = np.ceil(np.arange(n_blocks) * schema.D / n_blocks).astype(int)
        found |= {"terms": terms[:-4], "terms_at": at, "term_starts": starts}
        found |= {"least_at": least, "least_rows": rows[:4], "least_terms": terms[-4:]}
    if model == "bayesian_network":
        found |= _graph(schema, seed=0)
    if model == "hmm" and schema.layout == "sequence":
        found |= {"path_rows": rows[:3], "paths": rng.integers(0, 12, rows[:3].shape)}
    if model in ("vae", "gan"):
        found |= {"strips": drawn[:24].reshape(3, 8, -1), "strip_ends": rows[:6]}
    return found


def _graph(schema: Schema, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    edges = np.array([[rng.integers(0, d), d] for d in range(1, schema.D)])
    return {"edges": edges, "edge_strengths": rng.random(len(edges))}


def _json(file: Path, value: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(value, allow_nan=False))


def _npz(file: Path, **arrays: np.ndarray) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(file, **arrays)
