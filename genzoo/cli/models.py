"""``genzoo fit``, ``sample``, ``score`` and ``check``: one model."""

from __future__ import annotations

import contextlib
import csv
import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Argument, Option

from genzoo import conformance
from genzoo.cli.options import (
    BudgetOption,
    DatasetArgument,
    EncodingOption,
    HeaderOption,
    JsonOption,
    QuietOption,
    SchemaOption,
    check_file,
    check_output,
    tell,
)
from genzoo.cli.watching import Telling, watching
from genzoo.conformance import CheckResult, ConformanceError
from genzoo.datasets import own
from genzoo.datasets.dataset import SPLITS
from genzoo.datasets.own.show import to_fit
from genzoo.fitting import Budget
from genzoo.keys import DATASETS
from genzoo.model import GenerativeModel
from genzoo.registry import check_key, load_dataset, load_model, make_model
from genzoo.seeding import check_seed
from genzoo.space import characters, forms
from genzoo.spelling import did_you_mean, near_path
from genzoo.store import COLUMNS_FILE, check_place, check_target, give_back, write_atomically

CHECK_FAILED = 1

ModelFolder = Annotated[
    Path, Argument(metavar="DIR", help="The folder of a saved model ('genzoo fit --out').")
]
DeviceOption = Annotated[
    str | None,
    Option(
        help='Where a network computes: "cpu", "cuda", ...  [default: where it was fitted, or the '
        "CPU]"
    ),
]


def fit(
    model: Annotated[str, Argument(metavar="MODEL", help="A key of 'genzoo list models'.")],
    dataset: DatasetArgument,
    out: Annotated[Path, Option(help="The folder in which to save the fitted model.")],
    budget: BudgetOption = None,
    seed: Annotated[int, Option(help="Of everything that is drawn at random.")] = 0,
    schema: SchemaOption = None,
    encoding: EncodingOption = None,
    header: HeaderOption = None,
    set_: Annotated[
        list[str] | None,
        Option("--set", metavar="KEY=VALUE", help="A parameter; may be given several times."),
    ] = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train a family on a data set and save the fitted model.

    Of a data set with a key, the test rows are left for 'genzoo score'. With --json the lines are
    "event": "progress" (fraction, message, seconds_left) and at last "fitted".

    Example: genzoo fit vae digits --out models/vae --budget 60s --set latent_dim=16
    """
    check_output(quiet, as_json)
    check_target(out, "--out")
    params = dict(_read_setting(text) for text in set_ or [])
    made = make_model(model, **params)
    allowed, seed = Budget.parse(budget), check_seed(seed)  # before a long file is read
    data: Any
    columns = None
    check_file(dataset)
    if own.names_a_path(dataset) and dataset not in DATASETS:
        prepared = own.prepare(dataset, schema=schema, encoding=encoding, header=header)
        data, columns = prepared.form(), prepared.schema_file
        if as_json:
            tell({"event": "note", "text": to_fit(prepared, data)})
        elif not quiet:
            typer.echo(to_fit(prepared, data), err=True)
    else:
        _refuse_for_keys(dataset, schema=schema, encoding=encoding, header=header)
        check_key(DATASETS, dataset, "dataset", path=near_path(dataset))
        data = load_dataset(dataset)
    shown = Telling(allowed) if as_json else None if quiet else watching(made, allowed)
    with shown or contextlib.nullcontext():
        made.fit(data, seed=seed, budget=allowed, progress=shown)
    made.save(out)
    give_back(out, forms.Form.key)  # data, also of a Dataset
    if columns is not None:
        write_atomically(out / COLUMNS_FILE, columns.encode())
    done = made.training_
    if as_json:
        names = ("steps", "seconds", "stopped_by", "converged", "notes")
        found = {name: getattr(done, name) for name in names}
        found |= {"n_parameters": made.n_parameters_, "folder": str(out)}
        tell({"event": "fitted", "model": model, "dataset": dataset, **found})
    elif not quiet:
        typer.echo(
            f"{made}: {done.steps} steps in {done.seconds:.1f} s, stopped by {done.stopped_by}; "
            f"{made.n_parameters_} parameters; saved in {out}"
        )


def _refuse_for_keys(dataset: str, **options: Any) -> None:
    """Options of files beside a data set of genzoo's.

    Raises:
        ValueError: naming the first.
    """
    for name, value in options.items():
        if value is not None:
            raise ValueError(f"--{name}: expected a file of your own beside it; got {dataset!r}")


def _read_setting(text: str) -> tuple[str, Any]:
    """``key=value``; the value is JSON where it can be (8, 0.5, true, null, [1, 2]), else text."""
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise ValueError(f"--set: expected KEY=VALUE; got {text!r}")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def sample(
    folder: ModelFolder,
    n: Annotated[int, Option("-n", help="How many rows.")] = 5,
    seed: Annotated[int, Option(help="The same seed draws the same rows.")] = 0,
    out: Annotated[
        Path | None, Option(help="A .csv file to write them to.  [default: the screen]")
    ] = None,
    device: DeviceOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Draw rows from a saved model.

    A table comes as CSV, text as it is, images as CSV of their pixels; with --json each row as an
    object, of its columns, of {"text": ...} or of its pixels.

    Example: genzoo sample models/vae -n 100 --seed 1 --out samples.csv
    """
    check_output(quiet, as_json)
    if as_json and out is not None:
        raise ValueError("--json: expected no --out beside it, which names a .csv file")
    if out is not None and out.is_dir():
        raise ValueError(f"--out: expected a file; {out} is a folder")
    if out is not None and not check_place(out.parent, "--out").exists():
        raise ValueError(f"--out: expected a folder that is there; got {out.parent}")
    model = load_model(folder, device=device)
    drawn = forms.read(model.sample(n, seed=seed))
    if isinstance(drawn, forms.Codes):  # shown as what they stand for
        drawn = forms.read(model.schema_.decode(drawn.data, seed=seed))
    if model.schema_.tokenizer is not None:
        drawn = forms.read([characters.spelled(model.schema_, row) for row in drawn.data])
    lines = drawn.lines()
    if out is None and lines is not None and not as_json:
        # text with line breaks of its own needs a sign between two samples
        typer.echo(("\n----\n" if any("\n" in text for text in lines) else "\n").join(lines))
        return
    columns, frame = _columns_of(folder), drawn.table(model.schema_)
    if columns is not None:
        frame = own.untreat(columns, frame)
    if as_json:
        typer.echo(frame.to_json(orient="records", lines=True, date_format="iso"), nl=False)
    elif out is None:
        typer.echo(frame.to_csv(index=False), nl=False)
    else:
        frame.to_csv(out, index=False)
        if not quiet:
            typer.echo(f"{n} rows in {out}")


def score(
    folder: ModelFolder,
    dataset: DatasetArgument,
    split: Annotated[
        str | None, Option(help="train, valid or test of a data set.  [default: test]")
    ] = None,
    encoding: EncodingOption = None,
    header: HeaderOption = None,
    seed: Annotated[int, Option(help="For models whose score is a random bound.")] = 0,
    device: DeviceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score rows by a saved model.

    Prints the mean log-likelihood of the rows in nats, with its standard error; '>=' stands before
    a lower bound. Of a file of your own all rows are scored, and those with numbers that the model
    doesn't know are counted. With --json: log_prob and stderr (nats per row), kind, bits_per_dim,
    rows, and how many of them were off_grid.

    Example: genzoo score models/vae digits
    """
    model = load_model(folder, device=device)
    reading = {"encoding": encoding, "header": header}
    rows = _rows_to_score(model, _columns_of(folder), dataset, split, reading)
    tokenizer, is_text = model.schema_.tokenizer, isinstance(rows, list)
    if tokenizer is not None and is_text:
        rows = [tokenizer.encode(text) for text in rows]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*beyond the schema's range")  # said below, by row
        result = model.log_prob(rows, seed=seed).mean()
    if tokenizer is not None and is_text and result.kind == "exact":
        # of the text's canonical tokens, which are not the only ones that spell it
        result = replace(result, kind="lower_bound")
    off_grid = _count_unknown(model, rows, quiet=as_json)
    bits = result.bits_per_dim(model.schema_)
    if as_json:
        found = {"log_prob": result.value, "stderr": result.stderr, "kind": result.kind}
        counts = {"rows": len(rows), "off_grid": off_grid}
        tell({"event": "score", **found, "bits_per_dim": bits, **counts})
        return
    text = str(result).replace(" +- nan", "")  # a single row has no spread
    typer.echo(f"{text} per row ({result.kind}), {bits:.4f} bits per dimension")


def _count_unknown(model: GenerativeModel, rows: Any, *, quiet: bool) -> int:
    """How many rows hold numbers that the model's schema doesn't know, which is said."""
    form = forms.read(rows)
    unknown = form.off_grid(model.schema_)
    n = int(unknown.any(axis=1).sum())
    if n and not quiet:
        names = [
            str(name)
            for name, column in zip(model.schema_.names, unknown.T, strict=True)
            if column.any()
        ]
        shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
        typer.echo(
            f"genzoo: {n} of {len(rows)} rows hold numbers beyond the range that the model knows, "
            f"or between its values{f' ({shown})' if form.columns else ''}: they are scored as "
            f"the nearest that it knows, which can make impossible rows look likely",
            err=True,
        )
    return n


def _columns_of(folder: Path) -> list[own.Column] | None:
    """How the columns of the file were treated that a saved model was fitted to, if it was one."""
    path = folder / COLUMNS_FILE
    return own.read_schema(path) if path.is_file() else None


def _rows_to_score(
    model: GenerativeModel,
    columns: list[own.Column] | None,
    name: str,
    split: str | None,
    reading: dict[str, Any],
) -> Any:
    check_file(name)
    if own.names_a_path(name) and name not in DATASETS:
        if split is not None:
            raise ValueError(f"--split: {name} has no parts; leave it out")
        if model.schema_.alphabet is not None and name.lower().endswith(".csv"):
            return _texts(name)
        content = own.read(name, **reading)
        for remark in content.remarks:
            typer.echo(f"note: {remark}", err=True)
        if not forms.read(content.data).columns:
            return content.data
        if columns is None:
            return own.as_fitted(model.schema_, content.data)
        return own.treat(columns, own.as_typed(columns, content.data))
    _refuse_for_keys(name, **reading)
    split = split or "test"
    if split not in SPLITS:
        hint = did_you_mean(split, SPLITS)
        raise ValueError(f"--split: expected one of {', '.join(SPLITS)}; got {split!r}{hint}")
    check_key(DATASETS, name, "dataset", path=near_path(name))
    data = load_dataset(name)
    if data.schema.to_json() != model.schema_.to_json():
        raise ValueError(f"DATASET: the model was fitted to other variables than those of {name!r}")
    return getattr(data, split)


def _texts(name: str) -> list[str]:
    """The strings that ``sample`` wrote as CSV, which keeps line breaks and blanks."""
    try:
        with Path(name).open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
    except (OSError, UnicodeError, csv.Error) as error:
        raise ValueError(f"file: {name} can't be read: {error}") from None
    if not rows or rows[0] != ["text"]:
        got = ", ".join(rows[0][:5]) if rows else "an empty file"
        raise ValueError(
            f"file: expected strings, a .txt file with one a line or a .csv file with the one "
            f"column 'text', as the model was fitted to; {name} has {got}"
        )
    return [row[0] if row else "" for row in rows[1:]]


def check(
    name: Annotated[str, Argument(metavar="NAME", help="A key of 'genzoo list models'.")],
) -> None:
    """Test whether a family is a sound generative model.

    Do its probabilities sum to one, do its samples follow them, does it repeat by its seed, and so
    on. Exit code 1 if a check fails.
    """

    def show(result: CheckResult) -> None:
        verdict = "ok  " if result.passed else "FAIL"
        typer.echo(f"{verdict} {result.check}: {result.found} ({result.seconds:.1f} s)")

    try:
        results = conformance.check_model(name, report=show)
    except ConformanceError as error:
        typer.echo(f"{name}: {len(error.failures)} checks failed", err=True)
        raise typer.Exit(CHECK_FAILED) from None
    typer.echo(f"{name}: {len(results)} checks passed")
