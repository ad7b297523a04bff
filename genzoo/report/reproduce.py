"""How to repeat a run: a command line, or Python where no command line can."""

from __future__ import annotations

import keyword
import shlex
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from genzoo.report.wording import budget_of
from genzoo.results.plan import DatasetFacts, ModelFacts, Plan
from genzoo.results.record import TRUTH, CellRecord
from genzoo.results.run import RunRecord

AGAIN = "again"  # the folder that a cell is run into once more


def command(run: RunRecord) -> str:
    """A command line that repeats the comparison, or Python where no command line can."""
    asks = not run.plan.profile and any(c.record.imputation is not None for c in run.cells)
    return _call(run.plan, str(run.folder), imputation=asks)


def command_of(run: RunRecord, record: CellRecord) -> str:
    """The same of one cell alone: its model, its data set in all folds, its seed; into a folder of
    its own, where the cell has the same key."""
    plan = run.plan
    own = [c for c in plan.cells if (c.model, c.dataset) == (record.model, record.dataset)]
    narrowed = replace(
        plan,
        profile=None,
        models=tuple(m for m in plan.models if m.label == record.model),
        datasets=tuple(d for d in plan.datasets if d.name == record.dataset),
        seeds=() if record.seed is None else (record.seed,),
        cells=tuple(c for c in own if c.seed == record.seed),
    )
    return _call(narrowed, AGAIN, imputation=record.imputation is not None)


def _call(plan: Plan, out: str, *, imputation: bool) -> str:
    words = ["genzoo", "compare"]
    budgets = _asked(plan.datasets)
    folds = {d.folds for d in plan.datasets}
    files = [d.file for d in plan.datasets if d.file]
    if plan.profile:
        words += ["--profile", plan.profile]
    elif (
        all(m.label == m.key and not m.changed for m in plan.models)
        and all(d.name == d.key or d.file for d in plan.datasets)
        and (len(files) < 2 or not any(file.options for file in files))
        and list(plan.seeds) == list(range(len(plan.seeds)))
        and len(budgets) == len(folds) == 1
    ):
        for file in files:
            words += [file.path, *_file_options(file.options)]
        words += ["--models", ",".join(m.label for m in plan.models)]
        keys = [d.name for d in plan.datasets if not d.file]
        words += ["--datasets", ",".join(keys)] if keys else []
        words += ["--seeds", str(len(plan.seeds))]
        budget = budgets.pop()
        words += [] if budget is None else ["--budget", budget]
        k = folds.pop()
        words += [] if k is None else ["--folds", str(k)]
        words += ["--imputation"] if imputation else []
    else:
        return _remark(plan) + _sketch(plan, out, imputation=imputation)
    return _remark(plan) + shlex.join([*words, "--out", out])


def _file_options(options: dict[str, Any]) -> list[str]:
    words = []
    for name, value in options.items():
        if isinstance(value, bool):
            words.append(f"--{name}" if value else f"--no-{name}")
            continue
        for item in value if isinstance(value, list) else [value]:
            words += [f"--{name}", str(item)]
    return words


def _remark(plan: Plan) -> str:
    """What the shell and Python read as a remark, where several calls made the run."""
    asked = sum(cell.model != TRUTH for cell in plan.cells)
    n_fits = sum(d.n_folds for d in plan.datasets)
    whole = len(plan.models) * n_fits * len(plan.seeds)
    return "" if asked == whole else f"# several calls asked for {asked} of these {whole} cells\n"


def _budget(facts: DatasetFacts) -> str | None:
    """As ``compare`` must be told it; None where that is what it does anyway."""
    return None if facts.key is not None and facts.budget == "default" else facts.budget


def _asked(datasets: Sequence[DatasetFacts]) -> set[str | None]:
    """The budgets that ``compare`` must be told. Where they differ, those that it chooses for data
    of one's own are none of them: it chooses the same again."""
    found = {_budget(d) for d in datasets}
    if len(found) == 1:
        return found
    return {None if d.suited and d.key is None else _budget(d) for d in datasets}


def _sketch(plan: Plan, out: str, *, imputation: bool) -> str:
    """A call of ``compare``; objects that only the user has stand under a name, with a remark."""
    models = [f"        {m.label!r}: {_as_python(m)}" for m in plan.models]
    datasets = [f"        {d.name!r}: {_data_as_python(d)}" for d in plan.datasets]
    budgets = {d.name: _budget(d) for d in plan.datasets}
    same = len(set(budgets.values())) == 1
    # data sets of one call have as many folds
    k = {d.folds for d in plan.datasets} - {None}
    folds = [f"    folds={k.pop()},"] if k else []
    own = any(d.file and d.file.options for d in plan.datasets)
    lines = [
        "import genzoo.datasets.own" if own else "import genzoo",
        "",
        "genzoo.compare(",
        "    models={",
        *models,
        "    },",
        "    datasets={",
        *datasets,
        "    },",
        f"    seeds={list(plan.seeds)!r},",
        f"    budget={(next(iter(budgets.values())) if same else budgets)!r},",
        *folds,
        *(["    imputation=True,"] if imputation else []),
        f"    out={out!r},",
        ")",
    ]
    return "\n".join(lines)


def _as_python(model: ModelFacts) -> str:
    arguments = [f"{name}={value!r}" for name, value in model.changed.items()]
    if model.key is None:
        name = model.family.rpartition(".")[2]
        return f"{name}({', '.join(arguments)}),  # your own class"
    if not arguments:
        return f"{model.key!r},"
    return f"genzoo.make_model({', '.join([repr(model.key), *arguments])}),"


def _data_as_python(facts: DatasetFacts) -> str:
    name, file = facts.name, facts.file
    if facts.key is not None:
        return f"{facts.key!r},"
    if file and not file.options:
        return f"{file.path!r},"
    if file:
        options = ", ".join(f"{option}={value!r}" for option, value in file.options.items())
        return f"genzoo.datasets.own.load({file.path!r}, {options}),"
    fits = name.isidentifier() and not keyword.iskeyword(name)
    return f"{name if fits else 'my_data'},  # your own data"


def budgets(run: RunRecord) -> list[tuple[str, str]]:
    return [(d.name, budget_of(d)) for d in run.plan.datasets]


def params(run: RunRecord) -> list[tuple[str, str, str]]:
    """Of each model its label, its family and its parameters."""
    return [
        (m.label, m.family, ", ".join(f"{k}={v!r}" for k, v in m.params.items()) or "defaults")
        for m in run.plan.models
    ]
