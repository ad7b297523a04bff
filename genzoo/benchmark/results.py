"""A run's folder, read: ``Run`` with its table, its matrix, its report and its models."""

from __future__ import annotations

import json
import math
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genzoo.benchmark import locks
from genzoo.benchmark.fits import Cell, cell_files, likeliest, read_cells, score_of, whole_fits
from genzoo.registry import load_model
from genzoo.store import COLUMNS_FILE, check_target, write_atomically

if TYPE_CHECKING:
    import pandas as pd

    from genzoo.model import GenerativeModel

COLUMNS = {
    "model": "str",
    "dataset": "str",
    "seed": "Int64",
    "fold": "Int64",
    "status": "str",
    "reason": "str",
    "test_log_prob": "float64",
    "kind": "str",
    "stderr": "float64",
    "estimator": "str",
    "bits_per_dim": "float64",
    "valid_log_prob": "float64",
    "valid_kind": "str",
    "valid_stderr": "float64",
    "label_log_prob": "float64",
    "label_accuracy": "float64",
    "label_auc": "float64",
    "truth_log_prob": "float64",
    "truth_gap": "float64",
    "truth_gap_stderr": "float64",
    "converged": "boolean",
    "train_seconds": "float64",
    "evaluate_seconds": "float64",
    "n_parameters": "Int64",
    "peak_memory_mb": "float64",
    "key": "str",
}
PLAN_FORMAT = 5
MARKS = {"exact": "", "lower_bound": ">= ", "estimate": "~ "}
SHORT_REASON = 60


class Run:
    """The results of ``compare``.

    Attributes:
        folder: where they lie.
        plan: what was to be done: models, data sets, seeds, budgets, cells, versions, machine; and
            the references that sample metrics are compared with.
        reused: of the call of ``compare`` that gave this run, the cells that it found answered:
            (model, dataset, seed) each. Empty where the run was loaded.
    """

    def __init__(self, folder: Path, plan: dict[str, Any]) -> None:
        self.folder = folder
        self.plan = plan
        self.reused: list[tuple[str, str, int | None]] = []

    def records(self) -> list[dict[str, Any]]:
        """The record of each cell that has one, in the order of the plan."""
        return self._read("cells")

    def references(self) -> list[dict[str, Any]]:
        """The records of what sample metrics are compared with, in the order of the data sets:
        ``held-out`` (validation rows as if a model had drawn them) and ``copycat`` (training rows
        drawn with replacement). They have metrics and no likelihood."""
        return self._read("references")

    def _read(self, part: str) -> list[dict[str, Any]]:
        files = cell_files(self.folder, _keys(self.plan, part))
        return [json.loads(file.read_text(encoding="utf-8")) for file in files]

    def table(self) -> pd.DataFrame:
        """One row for each cell, with the columns of results.csv; nats per row, missing values
        where there are none. The true model, where it is known, is a row ``model=truth``;
        ``truth_gap`` is KL(truth || model), an upper bound where the likelihood is a lower one."""
        import pandas as pd

        rows = []
        for record in self.records():
            gap = record["truth_gap"] or {}
            valid = record["validation"] or {}
            label = (record["label"] or {}).get("test") or {}
            flat = {
                "valid_log_prob": valid.get("log_prob"),
                "valid_kind": valid.get("kind"),
                "valid_stderr": valid.get("stderr"),
                "label_log_prob": label.get("log_prob"),
                "label_accuracy": (label.get("accuracy") or {}).get("value"),
                "label_auc": (label.get("auc") or {}).get("value"),
                "converged": (record["training"] or {}).get("converged"),
                "estimator": (record["bound"] or {}).get("estimator"),
                "truth_gap": gap.get("value"),
                "truth_gap_stderr": gap.get("stderr"),
            }
            rows.append(record | flat)
        columns = {
            name: pd.Series([row[name] for row in rows], dtype=dtype)
            for name, dtype in COLUMNS.items()
        }
        return pd.DataFrame(columns)

    def report(self) -> dict[str, Path]:
        """Write report.html, report.md, results.csv (a line for each cell) and numbers.csv (a line
        for each number of the report's tables) into the folder; their paths by kind.

        All are of the plan and the cells that are in the folder at this moment.
        """
        from genzoo.report.build import build
        from genzoo.report.tidy import every_number
        from genzoo.results.record import read_run

        with locks.files(self.folder):
            tables = {
                "csv": ("results.csv", load_run(self.folder).table()),
                "numbers": ("numbers.csv", every_number(read_run(self.folder))),
            }
            paths = build(self.folder)
            for kind, (name, table) in tables.items():
                paths[kind] = self.folder / name
                write_atomically(paths[kind], table.to_csv(index=False).encode())
            return paths

    def load_model(
        self,
        model: str,
        dataset: str,
        *,
        seed: int = 0,
        cls: type[GenerativeModel] | None = None,
    ) -> GenerativeModel:
        """The fitted model of a cell, where the run was made with ``save_models=True``.

        Args:
            model, dataset: their labels in the run.
            seed: the cell's seed; with folds, the fit of the first.
            cls: the class, for a model that is not in the registry.

        Raises:
            ValueError: if there is no such cell, or it left no model.
        """
        cells = [r for r in self.records() if r["model"] == model and r["dataset"] == dataset]
        for record in cells:
            if record["seed"] == seed:
                folder = self.folder / "models" / record["key"]
                if not folder.is_dir():
                    raise ValueError(
                        f"load_model: {model} on {dataset} (status {record['status']}) was not "
                        f"saved; run compare with save_models=True"
                    )
                return load_model(folder, cls=cls)
        seeds = ", ".join(str(r["seed"]) for r in cells) or "none"
        raise ValueError(
            f"load_model: {self.folder} has no {model!r} on {dataset!r} with seed {seed} "
            f"(seeds there: {seeds})"
        )

    def save_best(self, dataset: str, folder: str | Path) -> str:
        """Save the model that is recommended for likelihoods on a data set: validation's choice,
        or what test rows put in its place (``genzoo.results.choice``).

        Args:
            dataset: its label in the run, which must have been made with ``save_models=True``.
            folder: where to save it, as ``model.save`` does. For data that were read from a file,
                what its columns are treated as lies beside the model.

        Returns:
            The label of the model.

        Raises:
            ValueError: if no model has a result, or the one that is recommended was not saved; the
                run's folder is left as it is.
        """
        check_target(folder, "folder")
        with locks.reading(self.folder):
            return load_run(self.folder)._copy_best(dataset, Path(folder))

    def _copy_best(self, dataset: str, target: Path) -> str:
        from genzoo.results.choice import choose_likelihood
        from genzoo.results.record import read_run

        names = [d["name"] for d in self.plan["datasets"]]
        if dataset not in names:
            raise ValueError(f"dataset: expected one of {', '.join(names)}; got {dataset!r}")
        choice = choose_likelihood(read_run(self.folder), dataset)
        if choice is None:
            raise ValueError(f"save_best: no model has a result on {dataset!r}")
        cell = choice.recommended.cells[0]  # with folds, the fit of the first
        saved = self.folder / "models" / cell.record["key"]
        if not (saved / "model.json").is_file():
            why = cell.record["save_error"] or "the run was made without save_models=True"
            raise ValueError(
                f"save_best: {cell.model}, recommended on {dataset}, was not saved: {why}; the "
                f"results are kept in {self.folder}"
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
        shutil.copytree(saved, draft, dirs_exist_ok=True)
        facts = self.plan["datasets"][names.index(dataset)]
        schema = (facts.get("file") or {}).get("schema")
        if schema is not None:
            write_atomically(draft / COLUMNS_FILE, schema.encode())
        draft.chmod(0o755)
        if target.exists():
            shutil.rmtree(target)
        os.replace(draft, target)
        return cell.model

    def matrix(self, width: int | None = None) -> str:
        """Models against data sets as text: mean test log-likelihood, failures with reasons.

        Args:
            width: of the screen, in characters; more columns than fit go into further blocks.
        """
        width = shutil.get_terminal_size((100, 24)).columns if width is None else width
        return _matrix(read_cells(self.folder, _keys(self.plan, "cells")), self.plan, width)

    def __str__(self) -> str:
        return self.matrix()

    def __repr__(self) -> str:
        done = len(self.records())
        return f"Run({str(self.folder)!r}: {done} of {len(self.plan['cells'])} cells)"


def load_run(folder: str | Path) -> Run:
    """The run in a folder that ``compare`` wrote.

    Raises:
        ValueError: if there is none, or one of another format.
    """
    if not isinstance(folder, (str, os.PathLike)):
        raise ValueError(f"folder: expected a path; got {folder!r}")
    folder = Path(folder)
    try:
        plan = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError(f"folder: expected a run's folder; {folder} has no plan.json") from None
    except OSError as error:
        raise ValueError(f"folder: {folder} can't be read: {error.strerror}") from None
    except ValueError as error:
        raise ValueError(f"folder: {folder} holds a damaged plan.json: {error}") from error
    if not isinstance(plan, dict) or plan.get("format_version") != PLAN_FORMAT:
        raise ValueError(
            f"folder: {folder} holds a run of another format than this version's, {PLAN_FORMAT}; "
            f"run compare into a new folder"
        )
    return Run(folder, plan)


def _keys(plan: dict[str, Any], part: str) -> list[str]:
    return [asked["key"] for asked in plan[part]]


# -------------------------------------------------------------------------------- as text


def outcome_text(record: dict[str, Any]) -> str:
    """A cell's result in a few words."""
    if record["status"] != "ok":
        return f"{record['status']}: {_short(record['reason'])}"
    error = "" if record["stderr"] is None else f" +- {record['stderr']:.2f}"
    return f"{MARKS[record['kind']]}{record['test_log_prob']:.2f}{error} nats"


def _short(reason: str) -> str:
    line = " ".join(str(reason).split())
    return line if len(line) <= SHORT_REASON else line[: SHORT_REASON - 3] + "..."


def _matrix(cells: list[Cell], plan: dict[str, Any], width: int) -> str:
    n_folds = {d["name"]: d["folds"] or 1 for d in plan["datasets"]}
    models = [m["label"] for m in plan["models"]]
    by_cell: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        by_cell.setdefault((cell.model, cell.dataset), []).append(cell)
    if any(model == "truth" for model, _ in by_cell):
        models.append("truth")
    asked = {(cell["model"], cell["dataset"]) for cell in plan["cells"]}
    columns = [
        [dataset]
        + [
            _entry(by_cell.get((model, dataset), []), n, asked=(model, dataset) in asked)
            for model in models
        ]
        for dataset, n in n_folds.items()
    ]
    labels = ["", *models]
    blocks, block, used = [], [labels], max(map(len, labels))
    for column in columns:
        needs = max(map(len, column)) + 2
        if len(block) > 1 and used + needs > width:
            blocks.append(_aligned(block))
            block, used = [labels], max(map(len, labels))
        block.append(column)
        used += needs
    blocks.append(_aligned(block))
    seeds = len(plan["seeds"])
    legend = "mean log-likelihood of the test rows in nats (standard error"
    legend += f"; of {seeds} seeds the one that validation chose)" if seeds > 1 else ")"
    for mark, meaning in (
        (MARKS["lower_bound"], "a lower bound"),
        (MARKS["estimate"], "an estimate"),
        ("*", "still improving when its budget ended"),
    ):
        if any(mark in entry for column in columns for entry in column[1:]):
            legend += f"; {mark.strip()} {meaning}"
    bad = [cell.record for cell in cells if not cell.ok]
    reasons = [
        f"{r['model']} on {r['dataset']}, seed {r['seed']}{_fold_text(r)}: {r['status']}: "
        f"{_short(r['reason'])}"
        for r in bad
    ]
    return "\n\n".join([*blocks, "\n".join([legend, *reasons])])


def _fold_text(record: dict[str, Any]) -> str:
    return "" if record["fold"] is None else f", fold {record['fold'] + 1}"


def _entry(cells: list[Cell], n_folds: int, *, asked: bool) -> str:
    """One cell of the matrix: of the seeds with an answer in every fold the one that validation
    chose, as in the report; what went wrong only where there is none."""
    fits = whole_fits(cells, n_folds)
    if not fits:
        bad = [cell for cell in cells if not cell.ok]
        return str(bad[0].record["status"]) if bad else "not run" if asked else ""
    chosen = likeliest(fits)
    score = score_of(chosen)
    error = "" if math.isnan(score.stderr) else f" ({score.stderr:.2f})"
    improving = "*" if chosen.improving else ""
    return f"{MARKS[score.kind]}{score.value:.2f}{error}{improving}"


def _aligned(columns: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in columns]
    lines = []
    for row in zip(*columns, strict=True):
        first = row[0].ljust(widths[0])
        rest = [cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join([first, *rest]).rstrip())
    return "\n".join(lines)
