"""What a file was taken for, as text for a terminal."""

from __future__ import annotations

from genzoo.datasets.own.columns import Column
from genzoo.datasets.own.dataset import OwnDataset, Prepared
from genzoo.space.forms import Form
from genzoo.space.schema import Schema, Variable

N_EXAMPLES = 3
WIDEST = 28  # characters of an example
LONGEST_NAME = 40
LONGEST_LINE = 176  # characters, as many as a window 1440 pixels wide shows
N_LOOKED_AT = 10_000  # rows at the top from which the examples are
MOST_COLUMNS = 100  # more are counted, not shown


def as_text(prepared: Prepared, dataset: OwnDataset) -> str:
    """A table of the columns and what they are taken for, remarks, and the split."""
    sizes = [len(part) for part in (dataset.train, dataset.valid, dataset.test)]
    lines = _described(prepared, dataset.schema, sum(sizes))
    lines += [f"- {remark}" for remark in dataset.remarks]
    rule = dataset.source.rpartition(" rows, ")[2]
    lines.append(f"- {rule}: {sizes[0]} rows to train on, {sizes[1]} to select on, {sizes[2]} to "
                 f"be judged on")  # fmt: skip
    return "\n".join(lines)


def to_fit(prepared: Prepared, form: Form) -> str:
    """The same of data that are not split: ``prepared.form()``."""
    lines = _described(prepared, Schema.infer(form), len(form))
    return "\n".join(lines + [f"- {remark}" for remark in prepared.remarks()])


def _described(prepared: Prepared, schema: Schema, n: int) -> list[str]:
    lines = []
    if prepared.columns:
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


def _table(prepared: Prepared, schema: Schema) -> list[str]:
    shown = prepared.columns[:MOST_COLUMNS]
    variables = {str(v.name): v for v in schema.variables}
    frame = prepared.content.data
    rows = [("column", "treated as", "holes", "for example")]
    for column in shown:
        values = frame[column.name]
        hole = column.holes_in(values)
        examples = values[~hole].head(N_LOOKED_AT).drop_duplicates().head(N_EXAMPLES)
        treatment = _treatment(column, variables.get(column.name))
        shown_examples = ", ".join(_cut(str(value)) for value in examples.tolist())
        rows.append((_name(column.name), treatment, str(int(hole.sum()) or ""), shown_examples))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
    lines = [
        f"  {name:<{widths[0]}}  {treatment:<{widths[1]}}  {holes:>{widths[2]}}  {examples}"[
            :LONGEST_LINE
        ].rstrip()
        for name, treatment, holes, examples in rows
    ]
    if len(prepared.columns) > len(shown):
        lines.append(f"  ... and {len(prepared.columns) - len(shown)} more columns")
    return lines


def _treatment(column: Column, variable: Variable | None) -> str:
    if variable is None or variable.n_values == 0 or column.treat in ("nominal", "ordinal"):
        return column.in_words()
    if variable.is_grid:
        what = f"grid of {variable.n_values}, step {variable.step:g}"
    elif variable.edges is not None:
        what = f"{variable.n_values} cells"
    else:  # the label: classes, not quantities
        return f"nominal, {variable.n_values} values"
    return f"{column.treat} by {variable.unit}s, {what}" if variable.unit else f"number, {what}"


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
