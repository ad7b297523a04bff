"""``load``: a path as a ``Dataset``, with what its reader must know beside it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from genzoo.datasets.dataset import Dataset, Index, split_form
from genzoo.datasets.own.columns import CLOCK, Column, is_as_written, read_schema, to_json
from genzoo.datasets.own.read import GZIP, Content, read
from genzoo.datasets.own.recognise import recognise
from genzoo.datasets.own.treat import fit_schema, numbers_of, treat
from genzoo.space import forms
from genzoo.spelling import did_you_mean
from genzoo.store import write_atomically

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_FILES = "schema_*.json"  # what ``OwnDataset.write_schema`` writes into a run's folder
MOST_PROBLEMS = 5  # more are counted, not shown
SPLIT_COLUMNS = ("group", "time", "stratify")


@dataclass(frozen=True, eq=False, repr=False)
class OwnDataset(Dataset):
    """A data set that was read from a path.

    Attributes:
        path: as it was given.
        options: how it was read: label, group, time, stratify, schema, keep, encoding, header;
            those that were given.
        schema_file: of a table: the text of a schema file, how each column of the file is treated.
        content: the digest of what the path holds, whatever becomes of its columns and rows.
        remarks: what the reader must know: columns left out, values folded, rows that repeat.
    """

    path: str = ""
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    schema_file: str | None = None
    content: str = ""
    remarks: tuple[str, ...] = ()

    def schema_place(self, folder: Path) -> Path | None:
        """Where ``write_schema`` would write; None for what has no columns, and for a file that
        the data were read with (``schema=``), which stays as it is.

        Raises:
            ValueError: where a file lies that was edited since it was written.
        """
        if self.schema_file is None:
            return None
        path = _schema_path(self.name, folder)
        given = self.options.get("schema")
        if given is not None and Path(given).resolve() == path.resolve():
            return None
        if path.exists() and not is_as_written(path):
            raise ValueError(
                f"schema: {path} was edited and is not what {self.path} is read with now: give it "
                f"with --schema to use it, or move it away"
            )
        return path

    def write_schema(self, folder: Path) -> Path | None:
        """Write the schema file of a table into a folder; its path, None where none is written.

        Raises:
            ValueError: as ``schema_place``: corrections by hand are never overwritten.
        """
        path = self.schema_place(folder)
        if path is not None and self.schema_file is not None:
            write_atomically(path, self.schema_file.encode())
        return path


def _schema_path(name: str, folder: Path) -> Path:
    return folder / SCHEMA_FILES.replace("*", name)


@dataclass(frozen=True)
class Prepared:
    """A path that was read, and how its columns are to be treated: nothing is split yet.

    Attributes:
        content: what the path holds.
        columns: how its columns are treated; none of strings and images.
        options: as given; see ``load``.
        order: how the column that ``time`` names is read, whether or not it is left out.
    """

    content: Content
    columns: tuple[Column, ...]
    options: dict[str, Any]
    order: Column | None = None

    @property
    def name(self) -> str:
        return name_of(self.content.path)

    @property
    def schema_file(self) -> str | None:
        """The text of a schema file with these columns, to correct and to read with."""
        return to_json(self.columns, str(self.content.path)) if self.columns else None

    def remarks(self) -> list[str]:
        """What the reader must know of the file and of how its columns are treated."""
        found = list(self.content.remarks)
        for column in self.columns:
            if not column.is_used:
                found.append(f"column {column.name!r} is left out: {column.reason}")
            else:
                found += [f"column {column.name!r}: {remark}" for remark in column.remarks]
        return found

    def data(self) -> Any:
        """The treated data: a DataFrame of the columns in use, strings or images.

        Raises:
            ValueError: naming each column that can't be used before someone decides about it.
        """
        if not self.columns:
            return self.content.data
        problems = [f"column {c.name!r}: {c.problem}" for c in self.columns if c.problem]
        if problems:
            more = len(problems) - MOST_PROBLEMS
            shown = "; ".join(problems[:MOST_PROBLEMS])
            raise ValueError(shown + (f"; and {more} more columns" if more > 0 else ""))
        if not any(c.is_used for c in self.columns):
            reasons = "; ".join(f"{c.name}: {c.reason}" for c in self.columns[:5])
            raise ValueError(
                f"file: {self.content.path}: every column is left out ({reasons}): bring one back "
                f"with --keep or a schema file"
            )
        return treat(self.columns, self.content.data)

    def form(self) -> forms.Form:
        """The treated data as a form: what there is to fold and to say of the values of a table is
        done by column.

        Raises:
            ValueError: as ``data``.
        """
        data = self.data()
        if self.columns:
            return forms.Frame(data, folds=False, advises=False)
        return forms.read(data)

    def write_proposal(self, folder: Path) -> Path | None:
        """Write a schema file to correct where the data can't be used as they are: what can't be
        used is left out in it, with the reason. Its path; None where one lies there that was edited
        or is the one that was read."""
        path = _schema_path(self.name, folder)
        edited = path.exists() and not is_as_written(path)
        if not self.columns or edited or "schema" in self.options:
            return None
        columns = [self._usable(column) for column in self.columns]
        write_atomically(path, to_json(columns, str(self.content.path)).encode())
        return path

    def _usable(self, column: Column) -> Column:
        """The column, left out where no schema can be inferred of its values."""
        if not column.is_used:
            return column
        try:
            data = treat([column], self.content.data[[column.name]])
            forms.read(data, "data").infer()
        except ValueError as error:
            return dataclasses.replace(column, treat="leave out", reason=str(error))
        return column


def name_of(path: str | Path) -> str:
    """What a data set of a path is called: the file or folder, as far as it can stand in a path."""
    whole = Path(path).resolve().name
    name = whole.removesuffix(GZIP)
    stem = name.removesuffix(Path(name).suffix) or whole
    return re.sub(r'[\\/:*?"<>|\s]+', "_", stem).lstrip(".") or "data"


def prepare(
    path: str | Path,
    *,
    label: str | None = None,
    group: str | None = None,
    time: str | None = None,
    stratify: str | None = None,
    schema: str | Path | None = None,
    keep: Sequence[str] = (),
    encoding: str | None = None,
    header: bool | None = None,
) -> Prepared:
    """Read a path and say how its columns are to be treated; see ``load``."""
    content = read(path, encoding=encoding, header=header)
    given = {"label": label, "group": group, "time": time, "stratify": stratify}
    given = {name: column for name, column in given.items() if column is not None}
    options: dict[str, Any] = dict(given)
    if keep:
        options["keep"] = list(keep)
    if schema is not None:
        options["schema"] = str(schema)
    form = forms.read(content.data, f"file: {path}")
    if not form.columns and options:
        raise ValueError(
            f"{next(iter(options))}: {path} holds {form.plural}, which have no columns"
        )
    reading = {"encoding": encoding, "header": header}
    options.update({name: value for name, value in reading.items() if value is not None})
    if not form.columns:
        return Prepared(content, (), options)
    _check_options(content, given, keep)
    if schema is None:
        # dates that all differ are no identifier where they tell the order
        kept = [*keep, time] if time is not None else keep
        columns = recognise(content.data, keep=kept, label=label)
    else:
        columns = _of_schema(schema, content)
    order = None if time is None else _order(columns, time, content)
    words = {"group": "tells the groups of the split", "time": "tells the order of the split"}
    for option, reason in words.items():
        if given.get(option) is not None and given[option] not in (*keep, label):
            columns = [
                dataclasses.replace(c, treat="leave out", reason=f"{reason} (--{option})")
                if c.name == given[option]
                else c
                for c in columns
            ]
    if label is not None and not next(c for c in columns if c.name == label).is_used:
        raise ValueError(f"label: {label!r} is left out by {schema}")
    return Prepared(content, tuple(columns), options, order)


def _of_schema(schema: str | Path, content: Content) -> list[Column]:
    columns = read_schema(schema)
    try:
        return fit_schema(columns, content.data, str(schema))
    except ValueError as error:
        raise ValueError(f"{error} (the schema file is {schema})") from None


def _order(columns: Sequence[Column], time: str, content: Content) -> Column:
    """How a column is read to sort by it: as its treatment says, or its format where it is left
    out; recognised where neither says anything."""
    column = next(c for c in columns if c.name == time)
    if column.treat == "leave out":
        if column.format is not None:
            return dataclasses.replace(column, treat="date")
        column = recognise(content.data[[time]], keep=(time,))[0]
    return column


def _check_options(content: Content, given: dict[str, Any], keep: Sequence[str]) -> None:
    names = [str(c) for c in content.data.columns]
    for option, column in [*given.items(), *(("keep", k) for k in keep)]:
        if column not in names:
            shown = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
            raise ValueError(f"{option}: expected a column of {content.path} ({shown}); got "
                             f"{column!r}{did_you_mean(column, names)}")  # fmt: skip
    rules = [option for option in SPLIT_COLUMNS if option in given]
    label = given.get("label")
    if label is not None and label == given.get("group"):
        raise ValueError(f"label: expected another column than group; got {label!r} for both: the "
                         f"label of a test row would never occur in training")  # fmt: skip
    if len(rules) > 1:
        raise ValueError(f"{rules[1]}: expected no {rules[1]} beside {rules[0]}: one rule for the "
                         f"split")  # fmt: skip


def load(path: str | Path, *, name: str | None = None, **options: Any) -> OwnDataset:
    """A file or folder as a data set: 70 % to train on, 10 % to select on, 20 % to be judged on.

    Args:
        path: ``.csv``, ``.tsv`` (also ``.tab``, ``.psv``, ``.dat``, ``.data``: the delimiter is
            found), ``.parquet``, ``.jsonl`` (one flat object a line), ``.txt`` (one string a line),
            those in text also compressed (``.csv.gz``), or a folder of equally large ``.png`` or
            ``.jpg`` images.
        name: what to call it; the file's name where None.
        label: the column that holds the class of each row.
        group: no value of this column is in two parts; standard errors are taken over its values.
            The column itself is no variable of the model.
        time: the test rows are the latest by this column, the valid rows those before them. The
            column itself is no variable of the model.
        stratify: each part has its share of each value of this column.
        schema: a schema file, which says how each column is treated; recognised where None.
        keep: columns that are not to be left out or folded.
        encoding: of a file of text: any that Python knows (``"cp1251"``); where None UTF-8, UTF-16,
            or Windows-1252.
        header: of delimited text: whether its first line holds the names of the columns; judged by
            what stands in it where None. Without, they are called "column 1" and so on.

    Raises:
        ValueError: naming the argument, what was expected and what came.
    """
    return split_of(prepare(path, **options), name)


def folds_of(dataset: OwnDataset, k: int) -> list[OwnDataset]:
    """The k folds of a data set: the same path, read anew with the same options; every row is a
    test row of one fold, and a tenth of the rows are to select on in each, in up to ten folds
    others each time.

    Raises:
        ValueError: as ``load``, and for one that is split by time.
    """
    if "time" in dataset.options:
        raise ValueError(
            f"folds: expected data that are not split by time; {dataset.path} was read with "
            f"time={dataset.options['time']!r}: its latest rows are the test rows"
        )
    prepared = prepare(dataset.path, **dataset.options)
    return [split_of(prepared, dataset.name, fold=(i, k)) for i in range(k)]


def split_of(
    prepared: Prepared, name: str | None = None, *, fold: tuple[int, int] | None = None
) -> OwnDataset:
    """The data set of a prepared path, or one of its folds (i, k); see ``load``."""
    form, options, path = prepared.form(), prepared.options, prepared.content.path
    rule: dict[str, Any] = {}
    words = "split at random"
    if "group" in options:
        rule["groups"] = _codes(prepared, "group")
        words = f"split by {options['group']!r}: no value is in two parts"
    elif "time" in options:
        rule["time"] = _times(prepared)
        words = f"split by {options['time']!r}: the latest rows are test, those before them valid"
    elif "stratify" in options:
        rule["stratify"] = _codes(prepared, "stratify")
        words += f", stratified by {options['stratify']!r}"
    elif "label" in options:
        words += f", stratified by {options['label']!r}"
    if fold is not None:
        words += f"; fold {fold[0] + 1} of {fold[1]}"
    found = split_form(form, options.get("label"), fold=fold, **rule)
    made = OwnDataset.from_split(
        found,
        name or prepared.name,
        source=f"{path}, {len(form)} rows, {words}",
        licence="your own",
    )
    return dataclasses.replace(
        made,
        path=str(path),
        options=options,
        schema_file=prepared.schema_file,
        content=prepared.content.digest,
        remarks=(*prepared.remarks(), *_repeats(prepared, made, found.places)),
    )


def _values(prepared: Prepared, option: str) -> pd.Series:
    """The values of the column that an option names; only to stratify by may it have holes."""
    name = prepared.options[option]
    values = prepared.content.data[name]
    hole = next(c for c in prepared.columns if c.name == name).holes_in(values)
    if hole.any() and option != "stratify":
        raise ValueError(
            f"{option}: expected a value in every row; column {name!r} has holes in "
            f"{int(hole.sum())} rows"
        )
    return values.where(~hole) if hole.any() else values


def _codes(prepared: Prepared, option: str) -> np.ndarray:
    """(n,) the values of a column as integers; to stratify by, holes are a value of their own."""
    codes = _values(prepared, option).factorize(use_na_sentinel=False)[0].astype(np.int64)
    n_values = int(codes.max()) + 1
    if option == "stratify" and n_values > max(2, len(codes) // 5):
        raise ValueError(
            f"stratify: expected few different values; column {prepared.options[option]!r} has "
            f"{n_values} in {len(codes)} rows"
        )
    return codes


def _times(prepared: Prepared) -> np.ndarray:
    """(n,) the column of times as numbers, whatever its treatment."""
    column = prepared.order
    assert column is not None  # or the rows would not be split by time
    values = prepared.content.data[column.name]
    hole = column.holes_in(values)
    if hole.any():
        raise ValueError(
            f"time: expected a value in every row; column {column.name!r} has holes in "
            f"{int(hole.sum())} rows"
        )
    if column.treat not in ("number", *CLOCK):
        raise ValueError(
            f"time: expected a column of dates or numbers; {column.name!r} is {column.in_words()} "
            f'(dates in a form of their own: "treat": "date" and their "format" in a schema file)'
        )
    return numbers_of(column, values)


def _repeats(prepared: Prepared, made: Dataset, index: Index) -> list[str]:
    """How many test rows occur among the training rows as the file has them, in the columns in use:
    as codes alone, different numbers may be one cell."""
    train = {row.tobytes() for row in made.train}
    again = np.array([row.tobytes() in train for row in made.test])
    if prepared.columns and again.any():
        codes = {row.tobytes() for row in made.test[again]}
        near = np.array([row.tobytes() in codes for row in made.train])
        used = [c.name for c in prepared.columns if c.is_used]
        n_near, places = int(near.sum()), np.concatenate([index[0][near], index[2][again]])
        rows = prepared.content.row_hashes(used, places)
        again[again] = np.isin(rows[n_near:], rows[:n_near])
    n = int(again.sum())
    if not n:
        return []
    share = 100 * n / len(again)
    percent = f"{share:.0f}" if share >= 9.5 else f"{share:.1f}"
    return [
        f"{n} of {len(again)} test rows ({percent} %) occur among "
        f"the training rows too: where rows are expected to repeat that is no harm, else a model "
        f"that learns rows by heart is flattered"
    ]
