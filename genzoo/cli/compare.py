"""``genzoo compare`` and ``genzoo report``: a comparison, and its report again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Argument, Option

from genzoo import benchmark
from genzoo.benchmark.plan import check_without_data
from genzoo.benchmark.run import Run
from genzoo.cli.options import (
    EncodingOption,
    FitsBudgetOption,
    HeaderOption,
    JsonOption,
    QuietOption,
    SchemaOption,
    check_file,
    check_output,
    tell,
)
from genzoo.datasets import own
from genzoo.datasets.own.show import as_text
from genzoo.keys import DATASETS
from genzoo.report.advice import advise, in_words
from genzoo.results.choice import choose_likelihood
from genzoo.results.numbers import ascii_marks
from genzoo.results.run import read_run
from genzoo.spelling import near, near_path
from genzoo.store import check_place, check_target


def _column(help_: str) -> Any:
    return Option(metavar="COLUMN", help=help_)


def compare(
    files: Annotated[
        list[str] | None,
        Argument(
            metavar="[FILE]...",
            help="Your own data: .csv, .tsv, .parquet, .jsonl, .txt (a string a line), or a folder "
            "of images of one size.",
        ),
    ] = None,
    label: Annotated[str | None, _column("The class of each row.")] = None,
    group: Annotated[str | None, _column("No value of this column is in two parts.")] = None,
    time: Annotated[str | None, _column("Test rows are the latest by this column.")] = None,
    stratify: Annotated[str | None, _column("Each part has its share of each value.")] = None,
    schema: SchemaOption = None,
    keep: Annotated[
        list[str] | None, _column("Neither leave out nor fold; may be given several times.")
    ] = None,
    encoding: EncodingOption = None,
    header: HeaderOption = None,
    only_schema: Annotated[
        bool, Option("--only-schema", help="Show how the columns are treated, then stop.")
    ] = False,
    save_best: Annotated[
        Path | None,
        Option(
            metavar="DIR",
            help="Save the model that is recommended for likelihoods, or chosen where none is; "
            "implies --save-models.",
        ),
    ] = None,
    models: Annotated[
        str | None,
        Option(
            metavar="KEYS",
            help="Families, with commas ('genzoo list models').  [default: all]",
        ),
    ] = None,
    datasets: Annotated[
        str | None,
        Option(
            metavar="KEYS",
            help="Data sets, with commas ('genzoo list datasets'); they may stand beside FILEs.",
        ),
    ] = None,
    seeds: Annotated[int | None, Option(help="How many seeds.  [default: 1]")] = None,
    folds: Annotated[
        int | None, Option(metavar="K", help="Judge every row of a FILE once, in K folds.")
    ] = None,
    budget: FitsBudgetOption = None,
    profile: Annotated[
        str | None,
        Option(
            metavar="NAME",
            help='A named comparison: "quick" (some 15 minutes on two cores), or "full" (every '
            "family, text in tokens, hidden entries).",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        Option(help="The run's folder.  [default: runs/PROFILE, runs/FILE or runs/compare]"),
    ] = None,
    jobs: Annotated[
        int | None, Option(help="Worker processes.  [default: one for each core]")
    ] = None,
    save_models: Annotated[
        bool, Option(help="Keep the fitted models; cells finished without are run anew.")
    ] = False,
    imputation: Annotated[
        bool | None,
        Option(
            "--imputation/--no-imputation",
            help="Let every model fill in hidden entries of test rows.  [default: as the profile]",
            show_default=False,
        ),
    ] = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train families on data sets and compare them; write a report.

    Models are judged on rows that they have not seen, in nats on one common space.

    Of a file of your own it shows what each column is taken for, and writes that to
    OUT/schema_NAME.json: correct it there, and give it with --schema. 70 % of the rows are to train
    on, 10 % to select on, 20 % to be judged on. Without --budget each fit gets seconds by the size
    of the file (20 s for 6,000 rows of 15 columns): a first answer in about three minutes on two
    cores, and the report says which families were still improving.

    The same folder given again resumes: cells that are finished are not run again unless their
    code, data, budget or library versions changed, and what is new is added to the comparison.

    With --json the lines are what progress= of genzoo.compare is told ("event": "plan", "note",
    "start", "progress", "finish"), and at last the "report" with its files.

    Examples: genzoo compare my.csv --label income --out runs/mine; genzoo compare --models
    independent,vae --datasets digits,alarm --budget 60s
    """
    check_output(quiet, as_json)
    columns = {"label": label, "group": group, "time": time, "stratify": stratify}
    reading = {"encoding": encoding, "header": header}
    given: dict[str, Any] = {**columns, "schema": schema, "keep": keep or None, **reading}
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
    check_without_data(_split(models), seeds, budget, profile, folds)
    if files:
        out = Path("runs") / (profile or own.name_of(files[0])) if out is None else out
        say = _say(quiet, as_json)
        shown = [_show_file(file, options, out, say) for file in files]
        asked = [*(asked or []), *shown]
        _write_schemas(shown, out, say)
        if only_schema:
            return
    run = benchmark.compare(
        _split(models),
        asked,
        seeds=seeds,
        budget=budget,
        folds=folds,
        profile=profile,
        out=out,
        n_jobs=jobs,
        save_models=save_models or save_best is not None,
        imputation=imputation,
        progress=tell if as_json else not quiet,
    )
    _show(run, quiet=quiet, as_json=as_json)
    say = _say(quiet, as_json)
    if files:
        say("\n" + in_words(run.folder, [data.name for data in shown]))
    if save_best is not None:
        best = run.save_best(names[0], save_best)
        say(f"\n{_what_is_saved(run, names[0], best, save_best)}")


def _say(quiet: bool, as_json: bool) -> Callable[[str], object]:
    """How a text is told."""
    if quiet:
        return lambda text: None
    if as_json:
        return lambda text: tell({"event": "note", "text": text.strip()})
    return typer.echo


def _what_is_saved(run: Run, dataset: str, best: str, place: Path) -> str:
    """As what the model in ``place`` is saved; where the report recommends none, in its words why.

    A file in hand looks like advice: that there is none must be said beside it.
    """
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
    found: dict[str, str] = {}
    named = [(own.name_of(file), file) for file in files]
    named += [(key, f"--datasets {key}") for key in keys]
    for name, given in named:
        if name in found:
            raise ValueError(
                f"FILE: expected data of different names; {found[name]} and {given} would both be "
                f"called {name}: rename a file, or compare them into different --out"
            )
        found[name] = given
    return list(found)


def _show_file(
    file: str, options: dict[str, Any], out: Path, say: Callable[[str], object]
) -> own.OwnDataset:
    """Read a file of the user's own and show what its columns are taken for.

    Raises:
        ValueError: where it can't be used as it is; with the schema file to correct, if it has one.
    """
    if file in DATASETS and not Path(file).exists():
        raise ValueError(f"FILE: {file} is a data set of genzoo's: give it as --datasets {file}")
    check_file(file)
    key = near(file, DATASETS)
    if key is not None and not own.names_a_path(file) and near_path(file) is None:
        raise ValueError(
            f"FILE: expected a file or a folder; there is no {file}; did you mean --datasets {key}?"
        )
    prepared = own.prepare(file, **options)
    try:
        data = own.split_of(prepared)
    except ValueError as error:
        check_place(out, "--out")
        proposal = prepared.write_proposal(out)
        if proposal is None:
            raise
        raise ValueError(
            f"{error}\n{proposal} says how each column would be treated, and leaves out those that "
            f"can't be used: edit it and give it with --schema"
        ) from None
    say(as_text(prepared, data))
    return data


def _write_schemas(files: list[own.OwnDataset], out: Path, say: Callable[[str], object]) -> None:
    """Write what the columns are treated as, to be corrected."""
    check_place(out, "--out")
    if (out / "plan.json").is_file():
        benchmark.load_run(out)  # what can't be read is refused before anything is written
    for data in files:
        data.schema_place(out)  # if one of them is refused, none is written
    for data in files:
        written = data.write_schema(out)
        if written is not None:
            say(f"\nto correct this, edit {written} and give it with --schema")


def _split(names: str | None) -> list[str] | None:
    return None if names is None else [name.strip() for name in names.split(",") if name.strip()]


def report(
    folders: Annotated[
        list[Path],
        Argument(metavar="DIR...", help="The folder of a comparison; or those of several."),
    ],
    out: Annotated[
        Path | None,
        Option(
            metavar="DIR",
            help="Of several: where to write.  [default: beside the last: a-and-b for a and b]",
        ),
    ] = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write the report of a comparison again; of several, say what changed and join them.

    Of one folder four files, into it: report.html, report.md, results.csv (a line for each cell)
    and numbers.csv (a line for each number of the tables).

    Of several folders what got better or worse, beyond noise, from the first to each of the others:
    changes.html, changes.md and changes.csv. Where no cell has two answers they are also joined
    into one comparison, with its report, in DIR/joined. The folders stay as they are.

    Examples: genzoo report runs/first; genzoo report runs/before runs/after --out runs/changes
    """
    check_output(quiet, as_json)
    if len(folders) > 1:
        found = benchmark.compare_runs(*folders, out=out)
        if not (quiet or as_json):
            typer.echo(ascii_marks(str(found)))
        _show_written(found.paths, quiet=quiet, as_json=as_json)
        return
    if out is not None:
        raise ValueError(
            "--out: expected several folders beside it; a report is written into its run"
        )
    _show(benchmark.load_run(folders[0]), quiet=quiet, as_json=as_json)


def _show(run: Run, *, quiet: bool, as_json: bool) -> None:
    """The matrix, and where the report is written to."""
    if not (quiet or as_json):
        typer.echo(str(run))
    _show_written(run.report(), quiet=quiet, as_json=as_json)


def _show_written(paths: dict[str, Path], *, quiet: bool, as_json: bool) -> None:
    files = {kind: str(path) for kind, path in paths.items()}
    if as_json:
        tell({"event": "report", "files": files})
    elif not quiet:
        typer.echo("\nwritten: " + ", ".join(files.values()))
