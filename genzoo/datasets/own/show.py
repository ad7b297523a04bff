"""What a file was taken for, as text for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genzoo.datasets.dataset import Dataset
from genzoo.datasets.own.columns import Column
from genzoo.datasets.own.dataset import OwnDataset, Prepared
from genzoo.space import forms, times
from genzoo.space.forms import Data, Form
from genzoo.space.schema import Schema, Variable
from genzoo.space.variable import Unit

if TYPE_CHECKING:
    import pandas as pd

N_EXAMPLES = 3
WIDEST = 28  # characters of an example
LONGEST_NAME = 40
LONGEST_LINE = 176  # characters, as many as a window 1440 pixels wide shows
N_LOOKED_AT = 10_000  # rows at the top from which the examples are
MOST_COLUMNS = 100  # more are counted, not shown


def as_text(prepared: Prepared, dataset: OwnDataset) -> str:
    """A table of the columns and what they are taken for, remarks, and the split."""
    n = len(dataset.train) + len(dataset.valid) + len(dataset.test)
    lines = _described(prepared, dataset.schema, n)
    lines += [f"- {remark}" for remark in dataset.remarks]
    rule = dataset.source.rpartition(" rows, ")[2]
    return "\n".join([*lines, f"- {rule}: {_sizes(dataset)}"])


def _sizes(dataset: Dataset) -> str:
    train, valid, test = (len(part) for part in (dataset.train, dataset.valid, dataset.test))
    return f"{train} rows to train on, {valid} to select on, {test} to be judged on"


def to_fit(prepared: Prepared, form: Form) -> str:
    """The same of data that are not split, ``prepared.form()``; cells and grids are found by the
    fit."""
    schema = None if prepared.columns else Schema.infer(form)
    lines = _described(prepared, schema, len(form))
    return "\n".join(lines + [f"- {remark}" for remark in prepared.remarks()])


def of_frame(label: str, data: Data, dataset: Dataset) -> str | None:
    """The same of a table that is no file, and the data set that it became; None of other data."""
    form = forms.read(data)
    if not isinstance(form, forms.Frame):
        return None
    variables = dataset.schema.variables
    rows = [
        _row(str(v.name), _of_variable(v), form.data[v.name], form.data[v.name].isna(), v.unit)
        for v in variables[:MOST_COLUMNS]
    ]
    lines = [f"{label}: {len(form)} rows, {len(variables)} columns"]
    return "\n".join([*lines, *_laid_out(rows, len(variables)), f"- {_sizes(dataset)}"])


def _described(prepared: Prepared, schema: Schema | None, n: int) -> list[str]:
    lines = []
    if prepared.columns or schema is None:
        used = sum(c.is_used for c in prepared.columns)
        lines.append(
            f"{prepared.content.path}: {n} rows, {len(prepared.columns)} columns, {used} in use"
        )
        lines += _table(prepared, schema)
    else:
        shape = " x ".join(map(str, schema.event_shape))
        what = "images" if schema.layout == "image" else "strings, longest"
        codes = int(schema.cards.max())
        lines.append(f"{prepared.content.path}: {n} {what} {shape}, {codes} values each")
    return lines


def _table(prepared: Prepared, schema: Schema | None) -> list[str]:
    variables = {} if schema is None else {str(v.name): v for v in schema.variables}
    frame, rows = prepared.content.data, []
    for column in prepared.columns[:MOST_COLUMNS]:
        values = frame[column.name]
        variable = variables.get(column.name)
        treatment, hole = _treatment(column, variable), column.holes_in(values)
        unit = None if variable is None else variable.unit
        rows.append(_row(column.name, treatment, values, hole, unit))
    return _laid_out(rows, len(prepared.columns))


Row = tuple[str, str, str, str]  # of a table of columns


def _row(name: str, treatment: str, values: pd.Series, hole: pd.Series, unit: Unit | None) -> Row:
    examples = values[~hole].head(N_LOOKED_AT).drop_duplicates().head(N_EXAMPLES)
    shown = ", ".join(_cut(times.text_of(value, unit)) for value in examples.tolist())
    return _name(name), treatment, str(int(hole.sum()) or ""), shown


def _laid_out(rows: list[Row], n_columns: int) -> list[str]:
    """The lines of a table of columns, and how many it doesn't show."""
    table = [("column", "treated as", "holes", "for example"), *rows]
    widths = [max(len(row[i]) for row in table) for i in range(3)]
    lines = [
        f"  {name:<{widths[0]}}  {treatment:<{widths[1]}}  {holes:>{widths[2]}}  {examples}"[
            :LONGEST_LINE
        ].rstrip()
        for name, treatment, holes, examples in table
    ]
    more = n_columns - len(rows)
    return [*lines, f"  ... and {more} more columns"] if more else lines


def _treatment(column: Column, variable: Variable | None) -> str:
    if variable is None or variable.n_values == 0 or column.treat in ("nominal", "ordinal"):
        return column.in_words()
    return _of_variable(variable)


def _of_variable(variable: Variable) -> str:
    if variable.is_grid:
        what = f"grid of {variable.n_values}, step {variable.step:g}"
    elif variable.edges is not None:
        what = f"{variable.n_values} cells"
    else:  # a label's numbers too: classes, not quantities
        return f"{variable.kind}, {variable.n_values} value{'' if variable.n_values == 1 else 's'}"
    unit = f" by {variable.unit}s" if variable.unit else ""
    return f"{variable.quantity}{unit}, {what}"


def _name(text: str) -> str:
    """A name as far as it can stand in a table: long ones often differ at their ends alone."""
    text = " ".join(text.split())
    if len(text) <= LONGEST_NAME:
        return text
    half = (LONGEST_NAME - 3) // 2
    return f"{text[: LONGEST_NAME - 3 - half]}...{text[-half:]}"


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= WIDEST else text[: WIDEST - 3] + "..."
