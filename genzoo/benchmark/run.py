"""``Run``: what ``compare`` gives, with its table, its matrix, its report and its models."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genzoo.benchmark import locks
from genzoo.benchmark.matrix import matrix
from genzoo.benchmark.merging import old_code
from genzoo.models.stack import Stack
from genzoo.registry import load_model
from genzoo.report.build import build
from genzoo.report.tidy import every_number
from genzoo.results.choice import choose_likelihood
from genzoo.results.contender import at, of_test_labels
from genzoo.results.plan import Plan, read_plan
from genzoo.results.record import STACK, CellRecord
from genzoo.results.run import RunRecord, read_records, read_run
from genzoo.space.forms import Form
from genzoo.spelling import did_you_mean
from genzoo.store import COLUMNS_FILE, check_target, give_back, replaced, write_atomically

if TYPE_CHECKING:
    import pandas as pd

    from genzoo.model import GenerativeModel


def _of(name: str) -> Callable[[CellRecord], Any]:
    return lambda record: getattr(record, name)


# the columns of results.csv: their types and what they hold
COLUMNS: dict[str, tuple[str, Callable[[CellRecord], Any]]] = {
    "model": ("str", _of("model")),
    "dataset": ("str", _of("dataset")),
    "seed": ("Int64", _of("seed")),
    "fold": ("Int64", _of("fold")),
    "status": ("str", _of("status")),
    "reason": ("str", _of("reason")),
    "test_log_prob": ("float64", _of("test_log_prob")),
    "kind": ("str", _of("kind")),
    "stderr": ("float64", _of("stderr")),
    "estimator": ("str", at(lambda r: r.bound, lambda b: b.estimator)),
    "bits_per_dim": ("float64", _of("bits_per_dim")),
    "valid_log_prob": ("float64", at(lambda r: r.validation, lambda v: v.log_prob)),
    "valid_kind": ("str", at(lambda r: r.validation, lambda v: v.kind)),
    "valid_stderr": ("float64", at(lambda r: r.validation, lambda v: v.stderr)),
    "label_log_prob": ("float64", at(of_test_labels, lambda p: p.log_prob)),
    "label_accuracy": ("float64", at(of_test_labels, lambda p: p.accuracy.value)),
    "label_auc": ("float64", at(at(of_test_labels, lambda p: p.auc), lambda a: a.value)),
    "truth_log_prob": ("float64", _of("truth_log_prob")),
    "truth_gap": ("float64", at(lambda r: r.truth_gap, lambda g: g.value)),
    "truth_gap_stderr": ("float64", at(lambda r: r.truth_gap, lambda g: g.stderr)),
    "converged": ("boolean", at(lambda r: r.training, lambda t: t.converged)),
    "train_seconds": ("float64", _of("train_seconds")),
    "evaluate_seconds": ("float64", _of("evaluate_seconds")),
    "n_parameters": ("Int64", _of("n_parameters")),
    "peak_memory_mb": ("float64", _of("peak_memory_mb")),
    "key": ("str", _of("key")),
}


class Run:
    """The results of ``compare``.

    Attributes:
        folder: where they lie.
        plan: what was to be done: models, data sets, seeds, budgets, cells, versions, machine; and
            the references that sample metrics are compared with.
        reused: of the call of ``compare`` that gave this run, the cells that it found answered:
            (model, dataset, seed) each. Empty where the run was loaded.
    """

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.folder = folder
        self._plan = plan
        self.reused: list[tuple[str, str, int | None]] = []

    @cached_property
    def plan(self) -> dict[str, Any]:
        return self._plan.to_json()

    def records(self) -> list[dict[str, Any]]:
        """The record of each cell that has one, in the order of the plan."""
        return [record.to_json() for record in self._records()]

    def stacks(self) -> list[dict[str, Any]]:
        """The records of the stacks, the mixtures of all models on a data set, one for each seed
        and fold. They follow from those of the cells (``genzoo.results.stack``); what each model is
        to its stack stands under ``stack``, by label."""
        return [record.to_json() for record in self._with_stacks() if record.model == STACK]

    def references(self) -> list[dict[str, Any]]:
        """The records of what sample metrics are compared with, in the order of the data sets:
        ``held-out`` (validation rows as if a model had drawn them) and ``copycat`` (training rows
        drawn with replacement). They have metrics and no likelihood."""
        return [r.to_json() for r in read_records(self.folder, self._plan.references)]

    def _with_stacks(self) -> list[CellRecord]:
        return [cell.record for cell in read_run(self.folder, self._plan).cells]

    def _records(self) -> list[CellRecord]:
        return list(read_records(self.folder, self._plan.cells))

    def table(self) -> pd.DataFrame:
        """One row for each cell, with the columns of results.csv; nats per row, missing values
        where there are none. The true model, where it is known, is a row ``model=truth``, the
        mixture of all models a row ``model=stack``, whose seconds are those of all its parts;
        ``truth_gap`` is KL(truth || model), an upper bound where the likelihood is a lower one."""
        import pandas as pd

        records = self._with_stacks()
        columns = {
            name: pd.Series([of(record) for record in records], dtype=dtype)
            for name, (dtype, of) in COLUMNS.items()
        }
        return pd.DataFrame(columns)

    def report(self) -> dict[str, Path]:
        """Write report.html, report.md, results.csv (a line for each cell) and numbers.csv (a line
        for each number of the report's tables) into the folder; their paths by kind.

        All are of the plan and the cells that are in the folder at this moment.
        """
        with locks.files(self.folder):
            record = read_run(self.folder)
            tables = {
                "csv": ("results.csv", load_run(self.folder).table()),
                "numbers": ("numbers.csv", every_number(record)),
            }
            paths = build(self.folder, old_code(record.plan))
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
            model, dataset: their labels in the run; ``"stack"`` is made of its parts.
            seed: the cell's seed; with folds, the fit of the first.
            cls: the class, for a model that is not in the registry.

        Raises:
            ValueError: if there is no such cell, or it left no model.
        """
        records = self._with_stacks() if model == STACK else self._records()
        cells = [r for r in records if r.model == model and r.dataset == dataset]
        for record in cells:
            if record.seed == seed and record.stack is not None:
                weights = _weights(record)
                parts = {label: self.load_model(label, dataset, seed=seed) for label in weights}
                return Stack.weighted(parts, weights)
            if record.seed == seed:
                folder = self.folder / "models" / record.key
                if not folder.is_dir():
                    raise ValueError(
                        f"load_model: {model} on {dataset} (status {record.status}) was not "
                        f"saved; run compare with save_models=True"
                    )
                return load_model(folder, cls=cls)
        seeds = ", ".join(str(r.seed) for r in cells) or "none"
        hint = did_you_mean(model, [*(m.label for m in self._plan.models), STACK])
        hint += did_you_mean(dataset, [d.name for d in self._plan.datasets])
        raise ValueError(
            f"load_model: {self.folder} has no {model!r} on {dataset!r} with seed {seed} "
            f"(seeds there: {seeds}){hint}"
        )

    def save_best(self, dataset: str, folder: str | Path) -> str:
        """Save the model that is recommended for likelihoods on a data set: validation's choice,
        or what test rows put in its place (``genzoo.results.choice``). The stack is saved with its
        parts; where one of them is of a class of your own, which no file can name, the best single
        model is saved in its place.

        Its samples are data, as ``schema_.decode`` gives them (the columns of a file, strings,
        images), where those of a model fitted to a ``Dataset`` are rows of codes.

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
        target = check_target(folder, "folder")
        with locks.reading(self.folder):
            run = read_run(self.folder)
            record = _best(run, dataset)
            file = run.facts(dataset).file
            with replaced(target) as draft:
                if record.model == STACK:
                    self.load_model(STACK, dataset, seed=record.seed or 0).save(draft)
                else:
                    shutil.copytree(run.folder / "models" / record.key, draft, dirs_exist_ok=True)
                give_back(draft, Form.key)
                if file is not None and file.schema is not None:
                    write_atomically(draft / COLUMNS_FILE, file.schema.encode())
            return record.model

    def matrix(self, width: int | None = None) -> str:
        """Models against data sets as text: mean test log-likelihood, failures with reasons.

        Args:
            width: of the screen, in characters; more columns than fit go into further blocks.
        """
        width = shutil.get_terminal_size((100, 24)).columns if width is None else width
        return matrix(read_run(self.folder, self._plan), width)

    def __str__(self) -> str:
        return self.matrix()

    def __repr__(self) -> str:
        done = len(self._records())
        return f"Run({str(self.folder)!r}: {done} of {len(self._plan.cells)} cells)"


def load_run(folder: str | Path) -> Run:
    """The run in a folder that ``compare`` wrote.

    Raises:
        ValueError: if there is none, or one of another format.

    >>> import genzoo, tempfile
    >>> folder = tempfile.mkdtemp()
    >>> _ = genzoo.compare(["independent"], {"coin": ["a", "b"] * 20}, out=folder, progress=False)
    >>> genzoo.load_run(folder).table()[["model", "kind"]].values.tolist()
    [['independent', 'exact']]
    """
    return Run(Path(folder), read_plan(folder))


def _best(run: RunRecord, dataset: str) -> CellRecord:
    """The record of what ``save_best`` saves."""
    names = [d.name for d in run.datasets]
    if dataset not in names:
        hint = did_you_mean(dataset, names)
        raise ValueError(f"dataset: expected one of {', '.join(names)}; got {dataset!r}{hint}")
    own = {m.label for m in run.plan.models if m.key is None}
    choice = choose_likelihood(run, dataset)
    if choice is not None and own & set(_weights(choice.recommended.records[0])):
        choice = choose_likelihood(run.without_stack(), dataset)
    if choice is None:
        raise ValueError(f"save_best: no model has a result on {dataset!r}")
    record = choice.recommended.records[0]  # with folds, the fit of the first
    for label in _weights(record) or [record.model]:
        fits = (c.record for c in run.of(label, dataset))
        fit = next(r for r in fits if (r.seed, r.fold) == (record.seed, record.fold))
        if not (run.folder / "models" / fit.key / "model.json").is_file():
            why = fit.save_error or "the run was made without save_models=True"
            whose = "" if label == record.model else f", a part of {record.model}"
            raise ValueError(
                f"save_best: {label}{whose}, recommended on {dataset}, was not saved: {why}; the "
                f"results are kept in {run.folder}"
            )
    return record


def _weights(record: CellRecord) -> dict[str, float]:
    """Of a stack its weights that are not 0; nothing of all others."""
    return {label: p.weight for label, p in (record.stack or {}).items() if p.weight > 0}
