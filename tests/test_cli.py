"""The command line, as a user types it."""

from __future__ import annotations

import io
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import genzoo
from genzoo.cli.app import app
from genzoo.datasets import own

pytestmark = pytest.mark.usefixtures("cells_run_here")


def invoke(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A saved model of iris; beside it, a folder with the name of a table."""
    path = tmp_path_factory.mktemp("models") / "iris"
    done = invoke("fit", "independent", "iris", "--out", path, "--set", "pseudo_count=0.5")
    assert done.exit_code == 0, done.stderr
    assert "pseudo_count=0.5" in done.stdout
    path.with_suffix(".csv").mkdir()
    return path


def test_help_lists_the_commands():
    text = invoke("--help").stdout
    for command in ("list", "compare", "report", "fit", "sample", "score", "check"):
        assert f"  {command} " in text
        assert "Usage" in invoke(command, "--help").stdout
        assert "Usage" in invoke(command, "-h").stdout


def test_score(folder):
    model, data = genzoo.load_model(folder), genzoo.load_dataset("iris")
    done = invoke("score", folder, "iris")
    assert done.exit_code == 0
    assert f"{model.log_prob(data.test).mean().value:.4f}" in done.stdout
    valid = invoke("score", folder, "iris", "--split", "valid").stdout
    assert f"{model.log_prob(data.valid).mean().value:.4f}" in valid


def test_sample(folder, tmp_path):
    first = invoke("sample", folder, "-n", 3, "--seed", 1)
    assert first.exit_code == 0
    assert len(first.stdout.splitlines()) == 4
    assert first.stdout.splitlines()[0].startswith("sepal length")
    assert first.stdout == invoke("sample", folder, "-n", 3, "--seed", 1).stdout
    done = invoke("sample", folder, "-n", 3, "--seed", 1, "--out", tmp_path / "drawn.csv")
    assert done.exit_code == 0
    assert (tmp_path / "drawn.csv").read_text() == first.stdout


def test_models_of_tokens_write_and_score_text(tmp_path):
    model, lines, drawn = (tmp_path / name for name in ("model", "lines.txt", "drawn.csv"))
    assert invoke("fit", "ngram", "names_bpe", "--out", model).exit_code == 0
    assert invoke("sample", model, "-n", 20, "--out", drawn).exit_code == 0
    assert drawn.read_text().isascii()
    assert (
        invoke("sample", model, "-n", 20).stdout.splitlines()
        == drawn.read_text().replace('""', "").splitlines()[1:]
    )
    lines.write_text("anna\nzoé\n", encoding="utf-8")
    for file in (lines, drawn):
        done = invoke("score", model, file)
        assert done.exit_code == 0, done.stderr
        assert done.stdout.startswith(">= ")
        assert "(lower_bound)" in done.stdout
    assert "(exact)" in invoke("score", model, "names_bpe").stdout


def test_text_and_images(tmp_path):
    for name in ("names", "digits"):
        assert invoke("fit", "independent", name, "--out", tmp_path / name).exit_code == 0
    assert len(invoke("sample", tmp_path / "names", "-n", 7).stdout.splitlines()) == 7
    pixels = invoke("sample", tmp_path / "digits", "-n", 2).stdout.splitlines()
    assert len(pixels) == 3
    assert len(pixels[1].split(",")) == 64


def test_csv_files(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"size": rng.integers(1, 9, 60), "kind": rng.choice(["a", "b"], 60)})
    frame.to_csv(tmp_path / "mine.csv", index=False)
    done = invoke("fit", "independent", tmp_path / "mine.csv", "--out", tmp_path / "model")
    assert done.exit_code == 0, done.stderr
    assert invoke("sample", tmp_path / "model", "-n", 2).stdout.splitlines()[0] == "size,kind"
    value = genzoo.load_model(tmp_path / "model").log_prob(frame).mean().value
    assert f"{value:.4f}" in invoke("score", tmp_path / "model", tmp_path / "mine.csv").stdout


def test_compare_and_report(tmp_path):
    out = tmp_path / "run"
    done = invoke("compare", "--models", "independent", "--datasets", "asia,iris", "--out", out)
    assert done.exit_code == 0, done.stderr
    assert "independent" in done.stdout
    for name in ("report.html", "report.md", "results.csv"):
        assert (out / name).is_file()
        assert str(out / name) in done.stdout
    table = pd.read_csv(out / "results.csv")
    assert list(table.model) == ["truth", "independent", "independent"]
    assert table.status.eq("ok").all()
    (out / "report.html").unlink()
    assert invoke("report", out).exit_code == 0
    assert (out / "report.html").is_file()


def test_interrupt(monkeypatch, tmp_path):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("genzoo.benchmark.compare", interrupted)
    done = invoke("compare", "--datasets", "iris")
    assert done.exit_code == 130
    assert "finished cells are kept" in done.stderr
    monkeypatch.setattr("genzoo.Independent.fit", interrupted)
    done = invoke("fit", "independent", "iris", "--out", tmp_path / "model")
    assert done.exit_code == 130
    assert "nothing is saved" in done.stderr


def test_fit_looks_at_its_place_before_it_trains(monkeypatch, tmp_path):
    monkeypatch.setattr("genzoo.Independent.fit", lambda *a, **k: pytest.fail("trained"))
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "draft.txt").write_text("precious")
    for place in ("thesis", "thesis/draft.txt", "thesis/draft.txt/model"):
        done = invoke("fit", "independent", "iris", "--out", tmp_path / place)
        assert done.exit_code == 2
        assert "--out: expected a" in done.stderr


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """A table of 120 rows with a date, an identifier and a label."""
    rng = np.random.default_rng(0)
    old = rng.integers(0, 2, 120)
    when = pd.Timestamp("2021-03-01") + pd.to_timedelta(rng.integers(0, 300, 120), unit="D")
    frame = pd.DataFrame(
        {
            "key": [f"k{i:04d}x" for i in rng.permutation(120)],
            "age": 20 + 30 * old + rng.integers(0, 9, 120),
            "joined": when.strftime("%d.%m.%Y"),
            "class": np.where(old, "old", "young"),
        }
    )
    path = tmp_path_factory.mktemp("people") / "people.csv"
    frame.to_csv(path, index=False)
    return path


FAST = ("--models", "independent,bayesian_network")


def test_compare_a_file(people, tmp_path):
    out, best = tmp_path / "run", tmp_path / "best"
    arguments = ("compare", people, "--label", "class", *FAST, "--out", out, "--save-best", best)
    done = invoke(*arguments)
    assert done.exit_code == 0, done.stderr
    assert "people.csv: 120 rows, 4 columns, 3 in use" in done.stdout
    assert "date by days" in done.stdout
    assert "column 'key' is left out: like an identifier" in done.stdout
    assert "84 rows to train on, 12 to select on, 24 to be judged on" in done.stdout
    assert f"edit {out / 'schema_people.json'}" in done.stdout
    assert "What to use on people\n  12 validation rows are too few to choose by" in done.stdout
    assert "about 300 rows instead of 120, or --folds 5, which chooses by about 60" in done.stdout
    assert "Nothing is recommended for likelihoods on people: 12 validation rows" in done.stdout
    assert f"saved in {best} is bayesian_network, validation's choice.\n" in done.stdout
    assert "for likelihoods on people, is saved in" not in done.stdout
    table = pd.read_csv(out / "results.csv")
    assert table.status.eq("ok").all()
    assert table.valid_log_prob.notna().all()
    assert table.valid_kind.eq("exact").all()
    report = (out / "report.md").read_text()
    assert "is left out: like an identifier" in report
    assert "What to use for what" in report
    assert f"genzoo compare {people} --label class --models" in report

    drawn = pd.read_csv(io.StringIO(invoke("sample", best, "-n", 30).stdout))
    assert list(drawn.columns) == ["age", "joined", "class"]
    assert pd.to_datetime(drawn.joined, format="%d.%m.%Y").dt.year.eq(2021).all()
    scored = invoke("score", best, people)
    assert scored.exit_code == 0, scored.stderr
    assert "nats per row (exact)" in scored.stdout

    again = invoke(*arguments).stderr
    assert again.startswith("2 cells of ")
    assert again.endswith(" are reused\n")
    changed = tmp_path / "people.csv"
    changed.write_text("".join(people.read_text().splitlines(keepends=True)[:101]))
    done = invoke("compare", changed, "--label", "class", *FAST[:1], "independent", "--out", out)
    assert done.exit_code == 0, done.stderr
    assert "run anew, since the rows of people changed: 1 cell\n" in done.stderr
    assert "earlier run" not in done.stdout
    table = pd.read_csv(out / "results.csv")
    assert list(table.model) == ["independent"]


def test_what_is_saved_where_groups_are_too_few_to_prove_anything(tmp_path):
    rng = np.random.default_rng(0)
    customer = rng.integers(0, 12, 400)
    frame = pd.DataFrame({"who": customer, "x": customer % 3, "y": rng.integers(0, 2, 400)})
    frame.to_csv(tmp_path / "few.csv", index=False)
    best = tmp_path / "best"
    arguments = ("--group", "who", "--models", "independent", "--jobs", 1, "--save-best", best)
    done = invoke("compare", tmp_path / "few.csv", *arguments, "--out", tmp_path / "run")
    assert done.exit_code == 0, done.stderr
    words = "Nothing is recommended for likelihoods on few: too few groups to say: the test rows"
    assert words in done.stdout
    assert f"What is saved in {best} is independent, validation's choice.\n" in done.stdout
    assert "for likelihoods on few, is saved in" not in done.stdout


def test_compare_says_of_which_fold_the_fit_is_that_is_saved(people, tmp_path):
    best, out = tmp_path / "best", tmp_path / "run"
    arguments = ("--models", "independent", "--folds", 2, "--jobs", 1, "--out", out)
    done = invoke("compare", people, *arguments, "--save-best", best)
    assert done.exit_code == 0, done.stderr
    words = "is independent, validation's choice: the fit of the first of 2 folds.\n"
    assert f"What is saved in {best} {words}" in done.stdout


def test_compare_says_so_too_of_a_fit_that_is_recommended(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 3, 900)
    frame = pd.DataFrame({"x": x, "y": np.where(rng.random(900) < 0.9, x, 0)})
    frame.to_csv(tmp_path / "many.csv", index=False)
    best = tmp_path / "best"
    arguments = (*FAST, "--folds", 5, "--jobs", 1, "--out", tmp_path / "run", "--save-best", best)
    done = invoke("compare", tmp_path / "many.csv", *arguments)
    assert done.exit_code == 0, done.stderr
    words = "bayesian_network, for likelihoods on many, is saved in"
    assert f"{words} {best}: the fit of the first of 5 folds\n" in done.stdout


def test_what_test_rows_put_in_the_place_of_a_choice_is_not_called_validations(
    people, tmp_path, monkeypatch
):
    arguments = ("compare", people, "--label", "class", *FAST, "--save-best", tmp_path / "best")
    monkeypatch.setattr("genzoo.results.choice.Choice.better", property(lambda c: c.against[0]))
    done = invoke(*arguments, "--jobs", 1, "--out", tmp_path / "run")
    assert done.exit_code == 0, done.stderr
    words = "put by test rows in the place of bayesian_network, validation's choice."
    assert f"is independent, {words}\n" in done.stdout


def test_only_the_schema(people, tmp_path, monkeypatch):
    monkeypatch.setattr("genzoo.benchmark.compare", lambda *a, **k: pytest.fail("trained"))
    out = tmp_path / "run"
    done = invoke("compare", people, "--only-schema", "--out", out)
    assert done.exit_code == 0, done.stderr
    assert [path.name for path in out.iterdir()] == ["schema_people.json"]
    monkeypatch.undo()
    schema = out / "schema_people.json"
    schema.write_text(schema.read_text().replace('"number"', '"leave out"'))
    done = invoke("compare", people, "--schema", schema, *FAST[:1], "independent", "--out", out)
    assert done.exit_code == 0, done.stderr
    assert f"column 'age' is left out: {schema} says so" in done.stdout
    assert "to correct this, edit" not in done.stdout
    edited = schema.read_text()
    for more in ((), ("--only-schema",)):
        done = invoke("compare", people, *FAST[:1], "independent", "--out", out, *more)
        assert done.exit_code == 2
        assert f"schema: {schema} was edited" in done.stderr
        assert "give it with --schema to use it, or move it away" in done.stderr
    assert schema.read_text() == edited
    assert pd.read_csv(out / "results.csv").status.eq("ok").all()


def test_fit_and_score_a_file_with_dates(people, tmp_path):
    done = invoke("fit", "independent", people, "--out", tmp_path / "m")
    assert done.exit_code == 0, done.stderr
    assert "column 'key' is left out" in done.stderr
    assert invoke("score", tmp_path / "m", people).exit_code == 0
    header, first = invoke("sample", tmp_path / "m", "-n", 1).stdout.split()
    assert header == "age,joined,class"
    assert first.split(",")[1].endswith(".2021")
    again = invoke("fit", "independent", "iris", "--out", tmp_path / "m")
    assert again.exit_code == 0, again.stderr
    assert sorted(p.name for p in (tmp_path / "m").iterdir()) == [
        "arrays.safetensors", "model.json"
    ]  # fmt: skip
    strange = tmp_path / "strange.csv"
    strange.write_text("age,joined,class\n20,soon,old\n")
    invoke("fit", "independent", people, "--out", tmp_path / "m")
    done = invoke("score", tmp_path / "m", strange)
    assert done.exit_code == 2
    assert "column 'joined': expected dates as %d.%m.%Y; got 'soon'" in done.stderr


def test_two_files_of_one_name_are_refused_before_any_work(people, tmp_path):
    other = tmp_path / "other" / people.name
    other.parent.mkdir()
    other.write_text(people.read_text())
    done = invoke("compare", people, other, "--out", tmp_path / "run")
    assert done.exit_code == 2
    assert f"{people} and {other} would both be called people" in done.stderr
    assert not (tmp_path / "run").exists()


def test_score_counts_rows_beyond_the_range(people, tmp_path):
    assert invoke("fit", "independent", people, "--out", tmp_path / "m").exit_code == 0
    assert "beyond" not in invoke("score", tmp_path / "m", people).stderr
    frame = pd.read_csv(people)[:20]
    frame.assign(age=[999] * 7 + [25] * 13).to_csv(tmp_path / "far.csv", index=False)
    done = invoke("score", tmp_path / "m", tmp_path / "far.csv")
    assert done.exit_code == 0, done.stderr
    assert "7 of 20 rows hold numbers beyond the range that the model knows" in done.stderr
    assert "(age)" in done.stderr
    assert "nats per row" in done.stdout
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.filterwarnings("always")
def test_warnings_are_one_line(monkeypatch, tmp_path):
    fit = genzoo.Independent.fit

    def warning(self, *arguments, **options):
        warnings.warn("the sky is grey", UserWarning, stacklevel=2)
        return fit(self, *arguments, **options)

    monkeypatch.setattr("genzoo.Independent.fit", warning)
    done = invoke("fit", "independent", "iris", "--out", tmp_path / "m")
    assert done.exit_code == 0
    assert done.stderr == "genzoo: the sky is grey\n"


def test_a_winner_that_can_not_be_saved(people, tmp_path, monkeypatch):
    def refuse(self, folder):
        raise ValueError("no form on disk")

    monkeypatch.setattr("genzoo.model.GenerativeModel.save", refuse)
    out, data = tmp_path / "run", own.load(people)
    run = genzoo.compare(
        {"m": genzoo.Independent()}, [data], out=out, save_models=True, n_jobs=1, progress=False
    )
    assert run.table().status.eq("ok").all()
    with pytest.raises(
        ValueError, match=r"m, recommended on people, was not saved: .*no form on disk"
    ):
        run.save_best("people", tmp_path / "best")
    assert not (tmp_path / "best").exists()
    with pytest.raises(ValueError, match="dataset: expected one of people; got 'x'"):
        run.save_best("x", tmp_path / "best")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compare", "--budget", "soon"], "budget: expected"),
        (["compare", "--models", "vea"], "vea"),
        (["compare", "--folds", 1], "folds: expected"),
        (["compare", "--seeds", 0], "seeds: expected"),
        (["compare", "--profile", "x"], "profile: expected"),
        (["fit", "vae", "--out", "m", "--budget", "soon"], "budget: expected"),
        (["fit", "vae", "--out", "m", "--seed", -1], "seed: expected"),
        (["fit", "vae", "--out", "m", "--set", "width=0"], "width: expected"),
    ],
)
def test_bad_arguments_are_refused_before_a_file_is_read(
    people, tmp_path, monkeypatch, arguments, message
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("genzoo.datasets.own.prepare", lambda *a, **k: pytest.fail("read"))
    done = invoke(*arguments, people)
    assert done.exit_code == 2
    assert message in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--label", "class"], "--label: expected a FILE"),
        (["--only-schema"], "--only-schema: expected a FILE"),
        (["PEOPLE", "PEOPLE", "--label", "class"], "--label: holds for one file; got 2"),
        (["PEOPLE", "PEOPLE"], "would both be called people: rename a file"),
        (["iris.csv", "--datasets", "iris"], "iris.csv and --datasets iris would both be called"),
        (["PEOPLE", "--label", "class", "--group", "class"], "label: expected another column than"),
        (["PEOPLE", "--label", "x"], "label: expected a column of"),
        (["PEOPLE", "--datasets", "iris", "--save-best", "b"], "--save-best: expected one data"),
        (["PEOPLE", "--save-best", "FOLDER"], "--save-best: expected a new folder"),
        (["none.csv"], "there is no none.csv"),
        (["iris"], "give it as --datasets iris"),
    ],
)
def test_bad_options_of_compare(people, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    places = {"PEOPLE": people, "FOLDER": people.parent}
    done = invoke("compare", *[places.get(a, a) for a in arguments])
    assert done.exit_code == 2
    assert message in done.stderr


@pytest.mark.parametrize("text", ["a,b\n1,2,3\n", "a,b\n1,2\n\n1\n", "a,b\n1,2,,3\n"])
def test_ragged_csv_files_are_refused(text, tmp_path):
    (tmp_path / "ragged.csv").write_text(text)
    done = invoke("fit", "independent", tmp_path / "ragged.csv", "--out", tmp_path / "model")
    assert done.exit_code == 2
    assert "expected 2 values, as in the header; got" in done.stderr


def test_a_single_row_has_no_error(tmp_path):
    frame = pd.DataFrame({"kind": list("aab")})
    genzoo.Independent().fit(frame).save(tmp_path / "model")
    frame[:1].to_csv(tmp_path / "one.csv", index=False)
    done = invoke("score", tmp_path / "model", tmp_path / "one.csv")
    assert done.exit_code == 0, done.stderr
    assert "nan" not in done.stdout
    assert " per row (exact)" in done.stdout


def test_version():
    from importlib.metadata import version

    assert invoke("--version").stdout == f"genzoo {version('genzoo')}\n"


def test_check_says_what_failed(monkeypatch):
    from genzoo.conformance import CheckResult, ConformanceError

    def failing(name, *, report):
        report(CheckResult("normalised", False, "the sum is 1.2", 0.1))
        raise ConformanceError(name, [("normalised", "the sum is 1.2")])

    monkeypatch.setattr("genzoo.conformance.check_model", failing)
    done = invoke("check", "independent")
    assert done.exit_code == 1
    assert "FAIL normalised: the sum is 1.2" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["fit", "vea", "iris", "--out", "x"], "did you mean 'vae'"),
        (["fit", "independent", "irsi", "--out", "x"], "did you mean 'iris'"),
        (["fit", "independent", "none.csv", "--out", "x"], "there is no none.csv"),
        (["fit", "independent", "FOLDER.csv", "--out", "x"], "FOLDER.csv is a folder"),
        (["sample", "FOLDER", "--out", "none/s.csv"], "--out: expected a folder that is there"),
        (["sample", "FOLDER", "--out", "."], "--out: expected a file"),
        (["fit", "independent", "iris", "--out", "x", "--set", "size=3"], "no such parameter"),
        (["fit", "independent", "iris", "--out", "x", "--set", "size"], "KEY=VALUE"),
        (["fit", "independent", "iris", "--out", "x", "--budget", "soon"], "budget: expected"),
        (["fit", "independent"], "Missing argument"),
        (["comprae"], "No such command"),
        (["compare"], "datasets: expected"),
        (["compare", "--models", "hmn", "--datasets", "iris"], "did you mean 'hmm'"),
        (["compare", "--profile", "fast"], "expected one of quick"),
        (["report", "nowhere"], "no plan.json"),
        (["sample", "nowhere"], "expected a saved model"),
        (["score", "FOLDER", "alarm"], "other variables"),
        (["score", "FOLDER", "iris", "--split", "tset"], "expected one of train, valid, test"),
        (["sample", "FOLDER", "-n", "0"], "n: expected a positive integer"),
        (["check", "vea"], "did you mean 'vae'"),
        (["list", "families"], "expected models, datasets or metrics"),
    ],
)
def test_errors_are_one_line_and_exit_code_2(arguments, says, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = invoke(*(a.replace("FOLDER", str(folder)) for a in arguments))
    assert done.exit_code == 2
    assert says.replace("FOLDER", str(folder)) in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_debug_shows_the_traceback():
    for arguments in (["--debug", "check", "vea"], ["check", "vea", "--debug"]):
        done = invoke(*arguments)
        assert done.exit_code == 2
        assert "Traceback (most recent call last)" in done.stderr
        assert "did you mean 'vae'" in done.stderr


def test_help_imports_no_heavy_library():
    code = """
import sys
before = set(sys.modules)
from genzoo.cli.app import main
sys.argv = ["genzoo", "--help"]
try:
    main()
finally:
    print(*{name.partition(".")[0] for name in set(sys.modules) - before})
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0
    loaded = {name for name in done.stdout.splitlines()[-1].split() if not name.startswith("_")}
    light = {"numpy", "filelock", "safetensors", "cloudpickle", "markupsafe"}
    of_typer = {"typer", "shellingham", "annotated_doc"}
    assert loaded - sys.stdlib_module_names <= {"genzoo"} | light | of_typer


def test_encoding_and_header_of_a_file(tmp_path):
    rows = "".join(f"{i % 7},труба{i % 3},{i % 4}.5\n" for i in range(60))
    path = tmp_path / "pipes.csv"
    path.write_bytes(rows.encode("cp1251"))
    reading = ("--encoding", "cp1251", "--no-header")
    done = invoke("compare", path, *FAST[:1], "independent", *reading, "--out", tmp_path / "run")
    assert done.exit_code == 0, done.stderr
    assert "column 2" in done.stdout
    assert "60 rows, 3 columns" in done.stdout
    assert "--encoding cp1251 --no-header" in (tmp_path / "run" / "report.md").read_text()
    done = invoke("fit", "independent", path, *reading, "--out", tmp_path / "model")
    assert done.exit_code == 0, done.stderr
    done = invoke("score", tmp_path / "model", path, *reading)
    assert done.exit_code == 0, done.stderr
    done = invoke("score", tmp_path / "model", path)
    assert done.exit_code == 2
    assert "--encoding cp1251" in done.stderr
    for command in (("compare",), ("fit", "independent", "iris", "--out", tmp_path / "x")):
        done = invoke(*command, "--no-header")
        assert done.exit_code == 2
        assert "--header: expected a" in done.stderr
