"""The command line. Heavy imports are inside the commands, so that ``--help`` is quick."""

from __future__ import annotations

import signal
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from genzoo.cli.data import app as data_app
from genzoo.space import forms

if TYPE_CHECKING:
    from genzoo.benchmark.run import Run
    from genzoo.conformance import CheckResult
    from genzoo.datasets.own import Column, OwnDataset
    from genzoo.model import GenerativeModel

CHECK_FAILED = 1
BAD_INPUT = 2
INTERRUPTED = 130
TERMINATED = 143
KEPT = {  # after Ctrl-C
    "compare": "; finished cells are kept: the same command goes on with the others",
    "fit": "; nothing is saved",
    "data": "; what was downloaded is kept: the same command goes on from there",
}


class _Group(TyperGroup):
    """Errors as one line on standard error; ``--debug``, anywhere, shows the traceback."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if "--debug" in args:
            args = ["--debug", *(a for a in args if a != "--debug")]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        try:
            with warnings.catch_warnings():
                warnings.showwarning = _show_warning
                return super().invoke(ctx)
        except KeyboardInterrupt:
            typer.echo(f"genzoo: interrupted{KEPT.get(ctx.invoked_subcommand, '')}", err=True)
            raise typer.Exit(INTERRUPTED) from None
        except Exception as error:
            if _is_for_typer(error):
                raise
            # a ValueError says what is wrong in its own words; of others the type says much
            kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
            if ctx.params.get("debug"):
                import traceback

                typer.echo(traceback.format_exc(), err=True)
            typer.echo(f"genzoo: {kind}{error}", err=True)
            if not ctx.params.get("debug"):
                typer.echo("(--debug shows where)", err=True)
            raise typer.Exit(BAD_INPUT) from None


def _show_warning(message: Any, category: type[Warning], *where: Any, **rest: Any) -> None:
    """What is meant for the user as one line; for the place in the code there is ``--debug``."""
    kind = "" if category is UserWarning else f"{category.__name__}: "
    typer.echo(f"genzoo: {kind}{message}", err=True)


def _is_for_typer(error: Exception) -> bool:
    """Whether typer raised it for itself: the end, or a usage error that it words well."""
    return isinstance(error, (typer.Exit, typer.Abort)) or hasattr(error, "format_message")


app = typer.Typer(
    cls=_Group,
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(data_app, name="data")


def _show_version(wanted: bool) -> None:
    from importlib.metadata import version

    if wanted:
        typer.echo(f"genzoo {version('genzoo')}")
        raise typer.Exit


@app.callback()
def genzoo(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", is_eager=True, callback=_show_version),
    ] = False,
) -> None:
    """Which kind of generative model suits my data, and how do I know?

    Train families of generative models, compare their likelihoods in common units, draw samples.
    """


DatasetArgument = Annotated[
    str,
    typer.Argument(
        metavar="DATASET", help="A key of 'genzoo list datasets', or a file or folder of your own."
    ),
]
SchemaOption = Annotated[
    Path | None,
    typer.Option(help="How to treat the columns of your file; 'genzoo compare' writes such files."),
]
ModelFolder = Annotated[
    Path, typer.Argument(metavar="DIR", help="The folder of a saved model ('genzoo fit --out').")
]
BudgetOption = Annotated[
    str | None,
    typer.Option(help='What a fit may take: "60s" or "2000 steps".  [default: the family\'s own]'),
]


@app.command("list")
def list_(
    what: Annotated[
        str | None, typer.Argument(metavar="[models|datasets|metrics]", help="Only these.")
    ] = None,
) -> None:
    """List the model families, data sets and metrics by their keys."""
    from genzoo import registry

    known = {
        "models": registry.list_models(),
        "datasets": registry.list_datasets(),
        "metrics": registry.list_metrics(),
    }
    if what is not None and what not in known:
        raise ValueError(f"list: expected models, datasets or metrics; got {what!r}")
    for name, keys in known.items():
        if what is None:
            typer.echo(f"{name}:")
        if what in (None, name):
            typer.echo("\n".join(keys if what else [f"  {key}" for key in keys]))


@app.command()
def compare(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FILE]...",
            help="Your own data: .csv, .tsv, .parquet, .jsonl, .txt (a string a line), or a folder "
            "of images of one size.",
        ),
    ] = None,
    label: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="The class of each row.")
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="No value of this column is in two parts."),
    ] = None,
    time: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Test rows are the latest by this column."),
    ] = None,
    stratify: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Each part has its share of each value."),
    ] = None,
    schema: SchemaOption = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN", help="Neither leave out nor fold; may be given several times."
        ),
    ] = None,
    only_schema: Annotated[
        bool, typer.Option("--only-schema", help="Show how the columns are treated, then stop.")
    ] = False,
    save_best: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Save the model that is recommended for likelihoods, or chosen where none is; "
            "implies --save-models.",
        ),
    ] = None,
    models: Annotated[
        str | None, typer.Option(help="Keys of families, with commas.  [default: all]")
    ] = None,
    datasets: Annotated[
        str | None,
        typer.Option(help="Keys of data sets, with commas; they may stand beside FILEs."),
    ] = None,
    seeds: Annotated[int | None, typer.Option(help="How many seeds.  [default: 1]")] = None,
    folds: Annotated[
        int | None,
        typer.Option(metavar="K", help="Judge every row of a FILE once, in K folds."),
    ] = None,
    budget: BudgetOption = None,
    profile: Annotated[
        str | None,
        typer.Option(help='A named comparison: "quick" (some 15 minutes on two cores).'),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The run's folder.  [default: runs/PROFILE]")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(help="Worker processes.  [default: one for each core]")
    ] = None,
    save_models: Annotated[
        bool,
        typer.Option(help="Keep the fitted models; cells finished without are run anew."),
    ] = False,
) -> None:
    """Train families on data sets and compare them; write a report.

    Models are judged on rows that they have not seen, in nats on one common space.

    Of a file of your own it shows what each column is taken for, and writes that to
    OUT/schema_NAME.json: correct it there, and give it with --schema. 70 % of the rows are to train
    on, 10 % to select on, 20 % to be judged on.

    The same folder given again resumes: cells that are finished are not run again unless their
    code, data, budget or library versions changed, and what is new is added to the comparison.

    Examples: genzoo compare my.csv --label income --out runs/mine; genzoo compare --models
    independent,vae --datasets digits,alarm --budget 60s
    """
    from genzoo.benchmark import compare
    from genzoo.store import check_target

    given: dict[str, Any] = {
        "label": label,
        "group": group,
        "time": time,
        "stratify": stratify,
        "schema": schema,
        "keep": keep or None,
    }
    options = {name: value for name, value in given.items() if value is not None}
    if not files and (options or only_schema):
        first = next(iter(options), "only-schema")
        raise ValueError(f"--{first}: expected a FILE of your own beside it; got none")
    if folds is not None and not files:
        raise ValueError("--folds: expected a FILE of your own beside it; got none")
    if files and len(files) > 1 and options:
        raise ValueError(
            f"--{next(iter(options))}: holds for one file; got {len(files)}: compare them one by "
            f"one, into the same --out if you like"
        )
    asked: list[Any] | None = _split(datasets)
    names = _names(files or [], asked or [])
    if save_best is not None:
        check_target(save_best, "--save-best")
        if len(names) != 1:
            raise ValueError(f"--save-best: expected one data set; got {len(names) or 'a profile'}")
    if files:
        own = [_show_file(file, options) for file in files]
        asked = [*(asked or []), *own]
        out = Path("runs") / (profile or own[0].name) if out is None else out
        _write_schemas(own, out)
        if only_schema:
            return
    run = compare(
        _split(models),
        asked,
        seeds=seeds,
        budget=budget,
        folds=folds,
        profile=profile,
        out=out,
        n_jobs=jobs,
        save_models=save_models or save_best is not None,
    )
    _show(run)
    if files:
        from genzoo.report.advice import in_words

        typer.echo("\n" + in_words(run.folder, [data.name for data in own]))
    if save_best is not None:
        best = run.save_best(names[0], save_best)
        typer.echo(f"\n{_what_is_saved(run, names[0], best, save_best)}")


def _what_is_saved(run: Run, dataset: str, best: str, place: Path) -> str:
    """As what the model in ``place`` is saved; where the report recommends none, in its words why.

    A file in hand looks like advice: that there is none must be said beside it.
    """
    from genzoo.report.advice import advise
    from genzoo.results.choice import choose_likelihood
    from genzoo.results.numbers import ascii_marks
    from genzoo.results.run import read_run

    record = read_run(run.folder)
    advice = next(a for a in advise(record, dataset) if a.purpose in ("none", "likelihood"))
    k = record.facts(dataset).folds
    of_folds = "" if k is None else f": the fit of the first of {k} folds"
    if advice.model is not None:
        return f"{best}, for likelihoods on {dataset}, is saved in {place}{of_folds}"
    choice = choose_likelihood(record, dataset)
    assert choice is not None  # or nothing would be saved
    chosen = "validation's choice"
    if choice.recommended is not choice.chosen:
        chosen = f"put by test rows in the place of {choice.chosen.model}, {chosen}"
    return (
        f"Nothing is recommended for likelihoods on {dataset}: {ascii_marks(advice.words)}\n"
        f"What is saved in {place} is {best}, {chosen}{of_folds}."
    )


def _names(files: list[str], keys: list[str]) -> list[str]:
    """What the data sets will be called, files first.

    Raises:
        ValueError: where two would be called the same.
    """
    from genzoo.datasets.own import name_of

    found: dict[str, str] = {}
    named = [(name_of(file), file) for file in files] + [(key, f"--datasets {key}") for key in keys]
    for name, given in named:
        if name in found:
            raise ValueError(
                f"FILE: expected data of different names; {found[name]} and {given} would both be "
                f"called {name}: rename a file, or compare them into different --out"
            )
        found[name] = given
    return list(found)


def _show_file(file: str, options: dict[str, Any]) -> OwnDataset:
    """Read a file of the user's own and show what its columns are taken for."""
    from genzoo.datasets import own
    from genzoo.datasets.own.show import as_text
    from genzoo.keys import DATASETS

    if file in DATASETS and not Path(file).exists():
        raise ValueError(f"FILE: {file} is a data set of genzoo's: give it as --datasets {file}")
    prepared = own.prepare(file, **options)
    data = own.split_of(prepared)
    typer.echo(as_text(prepared, data))
    return data


def _write_schemas(files: list[OwnDataset], out: Path) -> None:
    """Write what the columns are treated as, to be corrected."""
    from genzoo.benchmark import load_run
    from genzoo.store import check_place

    check_place(out, "--out")
    if (out / "plan.json").is_file():
        load_run(out)  # what can't be read is refused before anything is written beside it
    for data in files:
        data.schema_place(out)  # if one of them is refused, none is written
    for data in files:
        written = data.write_schema(out)
        if written is not None:
            typer.echo(f"\nto correct this, edit {written} and give it with --schema")


def _split(names: str | None) -> list[str] | None:
    return None if names is None else [name.strip() for name in names.split(",") if name.strip()]


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a comparison.")],
) -> None:
    """Write the report of a comparison again.

    Four files: report.html, report.md, results.csv (a line for each cell) and numbers.csv (a line
    for each number of the tables).
    """
    from genzoo.benchmark import load_run

    _show(load_run(folder))


def _show(run: Run) -> None:
    typer.echo(str(run))
    paths = run.report()
    typer.echo("\nwritten: " + ", ".join(str(path) for path in paths.values()))


@app.command()
def fit(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A key of 'genzoo list models'.")],
    dataset: DatasetArgument,
    out: Annotated[Path, typer.Option(help="The folder in which to save the fitted model.")],
    budget: BudgetOption = None,
    seed: Annotated[int, typer.Option(help="Of everything that is drawn at random.")] = 0,
    schema: SchemaOption = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A parameter; may be given several times."),
    ] = None,
) -> None:
    """Train a family on a data set and save the fitted model.

    Of a data set with a key, the test rows are left for 'genzoo score'.

    Example: genzoo fit vae digits --out models/vae --budget 60s --set latent_dim=16
    """
    from genzoo.datasets import own
    from genzoo.keys import DATASETS
    from genzoo.registry import load_dataset, make_model
    from genzoo.store import COLUMNS_FILE, check_target, write_atomically

    check_target(out, "--out")
    params = dict(_read_setting(text) for text in set_ or [])
    made = make_model(model, **params)
    data: Any
    columns = None
    if own.names_a_path(dataset) and dataset not in DATASETS:
        prepared = own.prepare(dataset, schema=schema)
        data, columns = prepared.data(), prepared.schema_file
        for remark in prepared.remarks():
            typer.echo(f"note: {remark}", err=True)
    elif schema is not None:
        raise ValueError(f"--schema: expected a file of your own beside it; got {dataset!r}")
    else:
        data = load_dataset(dataset)
    made.fit(data, seed=seed, budget=budget, progress=sys.stderr.isatty())
    made.save(out)
    if columns is not None:
        write_atomically(out / COLUMNS_FILE, columns.encode())
    done = made.training_
    typer.echo(
        f"{made}: {done.steps} steps in {done.seconds:.1f} s, stopped by {done.stopped_by}; "
        f"{made.n_parameters_} parameters; saved in {out}"
    )


def _read_setting(text: str) -> tuple[str, Any]:
    """``key=value``; the value is JSON where it can be (8, 0.5, true, null, [1, 2]), else text."""
    import json

    name, sign, value = text.partition("=")
    if not sign or not name:
        raise ValueError(f"--set: expected KEY=VALUE; got {text!r}")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


@app.command()
def sample(
    folder: ModelFolder,
    n: Annotated[int, typer.Option("-n", help="How many rows.")] = 5,
    seed: Annotated[int, typer.Option(help="The same seed draws the same rows.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="A .csv file to write them to.  [default: the screen]")
    ] = None,
) -> None:
    """Draw rows from a saved model.

    A table comes as CSV, text as it is, images as CSV of their pixels.

    Example: genzoo sample models/vae -n 100 --seed 1 --out samples.csv
    """
    from genzoo.datasets.own import untreat
    from genzoo.registry import load_model
    from genzoo.store import check_place

    if out is not None and out.is_dir():
        raise ValueError(f"--out: expected a file; {out} is a folder")
    if out is not None and not check_place(out.parent, "--out").exists():
        raise ValueError(f"--out: expected a folder that is there; got {out.parent}")
    model = load_model(folder)
    drawn = forms.read(model.sample(n, seed=seed))
    if isinstance(drawn, forms.Codes):  # shown as what they stand for
        drawn = forms.read(model.schema_.decode(drawn.data, seed=seed))
    lines = drawn.lines()
    if out is None and lines is not None:
        # text with line breaks of its own needs a sign between two samples
        typer.echo(("\n----\n" if any("\n" in text for text in lines) else "\n").join(lines))
        return
    columns, frame = _columns_of(folder), drawn.table(model.schema_.names)
    if columns is not None:
        frame = untreat(columns, frame)
    if out is None:
        typer.echo(frame.to_csv(index=False), nl=False)
    else:
        frame.to_csv(out, index=False)
        typer.echo(f"{n} rows in {out}")


@app.command()
def score(
    folder: ModelFolder,
    dataset: DatasetArgument,
    split: Annotated[
        str | None, typer.Option(help="train, valid or test of a data set.  [default: test]")
    ] = None,
    seed: Annotated[int, typer.Option(help="For models whose score is a random bound.")] = 0,
) -> None:
    """Score rows by a saved model.

    Prints the mean log-likelihood of the rows in nats, with its standard error; '>=' stands before
    a lower bound. Of a file of your own all rows are scored, and those with numbers that the model
    doesn't know are counted.

    Example: genzoo score models/vae digits
    """
    from genzoo.registry import load_model

    model = load_model(folder)
    rows = _rows_to_score(model, _columns_of(folder), dataset, split)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*beyond the schema's range")  # said below, by row
        result = model.log_prob(rows, seed=seed).mean()
    _count_unknown(model, rows)
    bits = result.bits_per_dim(model.schema_)
    text = str(result).replace(" +- nan", "")  # a single row has no spread
    typer.echo(f"{text} per row ({result.kind}), {bits:.4f} bits per dimension")


def _count_unknown(model: GenerativeModel, rows: Any) -> None:
    """Say how many rows hold numbers that the model's schema doesn't know."""
    form = forms.read(rows)
    unknown = form.off_grid(model.schema_)
    n = int(unknown.any(axis=1).sum())
    if n:
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


def _columns_of(folder: Path) -> list[Column] | None:
    """How the columns of the file were treated that a saved model was fitted to, if it was one."""
    from genzoo.datasets.own import read_schema
    from genzoo.store import COLUMNS_FILE

    path = folder / COLUMNS_FILE
    return read_schema(path) if path.is_file() else None


def _rows_to_score(
    model: GenerativeModel, columns: list[Column] | None, name: str, split: str | None
) -> Any:
    from genzoo.datasets import own
    from genzoo.datasets.dataset import SPLITS
    from genzoo.keys import DATASETS
    from genzoo.registry import load_dataset

    if own.names_a_path(name) and name not in DATASETS:
        if split is not None:
            raise ValueError(f"--split: {name} has no parts; leave it out")
        data = own.read(name).data
        if not forms.read(data).columns:
            return data
        return own.as_fitted(model.schema_, data) if columns is None else own.treat(columns, data)
    split = split or "test"
    if split not in SPLITS:
        raise ValueError(f"--split: expected one of {', '.join(SPLITS)}; got {split!r}")
    data = load_dataset(name)
    if data.schema.to_json() != model.schema_.to_json():
        raise ValueError(f"DATASET: the model was fitted to other variables than those of {name!r}")
    return getattr(data, split)


@app.command()
def check(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A key of 'genzoo list models'.")],
) -> None:
    """Test whether a family is a sound generative model.

    Do its probabilities sum to one, do its samples follow them, does it repeat by its seed, and so
    on. Exit code 1 if a check fails.
    """
    from genzoo.conformance import ConformanceError, check_model

    def show(result: CheckResult) -> None:
        verdict = "ok  " if result.passed else "FAIL"
        typer.echo(f"{verdict} {result.check}: {result.found} ({result.seconds:.1f} s)")

    try:
        results = check_model(name, report=show)
    except ConformanceError as error:
        typer.echo(f"{name}: {len(error.failures)} checks failed", err=True)
        raise typer.Exit(CHECK_FAILED) from None
    typer.echo(f"{name}: {len(results)} checks passed")


def main() -> None:
    """The ``genzoo`` command."""
    # so that worker processes and scratch files are cleared away
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    app()
