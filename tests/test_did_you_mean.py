"""What is misspelt is answered by what was meant, wherever a user gives a name."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import genzoo
from genzoo.datasets import own
from genzoo.spelling import did_you_mean, did_you_mean_path, near, near_path

FRAME = pd.DataFrame({"colour": ["red", "blue"] * 10, "length": [1.0, 2.0] * 10})


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("digts", "digits"),
        ("DIGITS", "digits"),
        ("digits-binary", "digits_binary"),
        ("nltcs", "debd/nltcs"),
        ("breast", "breast_cancer"),
        ("zzz", None),
        ("", None),
        (None, None),
        (["digits"], None),
    ],
)
def test_the_nearest_name_is_found(given: Any, meant: str | None) -> None:
    assert near(given, genzoo.list_datasets()) == meant


def test_what_is_known_is_not_suggested_to_itself() -> None:
    assert did_you_mean("vae", ["vae", "gan"]) == ""
    assert did_you_mean("3", [3, 4]) == "; did you mean 3?"  # the column 3, not "3"


def test_names_by_the_million_take_no_time() -> None:
    assert near("x", (f"value {i}" for i in range(10**12))) is None


def test_a_path_that_is_nearly_right(tmp_path: Path) -> None:
    (tmp_path / "runs" / "first").mkdir(parents=True)
    (tmp_path / "runs" / "mine.csv").touch()
    assert f"did you mean {tmp_path / 'runs' / 'mine.csv'}?" in did_you_mean_path(
        tmp_path / "run" / "mine.cvs"
    )
    assert did_you_mean_path(tmp_path / "runs" / "mine", folder=True) == ""
    assert str(tmp_path / "runs" / "first") in did_you_mean_path(
        tmp_path / "runs" / "frist", folder=True
    )
    assert did_you_mean_path(tmp_path / "runs" / "quite another") == ""


def _frame_model() -> genzoo.GenerativeModel:
    return genzoo.Independent().fit(FRAME)


CALLS: dict[str, tuple[Callable[[], Any], str]] = {
    "a family": (lambda: genzoo.make_model("transfomer"), "transformer"),
    "a data set": (lambda: genzoo.load_dataset("iriss"), "iris"),
    "a parameter": (lambda: genzoo.make_model("vae", latentdim=2), "latent_dim"),
    "a parameter's value": (lambda: genzoo.make_model("vae", estimator="elb"), "elbo"),
    "a profile": (lambda: genzoo.compare(profile="quik"), "quick"),
    "the data set of a budget": (
        lambda: genzoo.compare(["independent"], ["iris"], budget={"irsi": "2s"}),
        "iris",
    ),
    "a column": (lambda: _frame_model().log_prob(FRAME.rename(columns={"colour": "color"})),
                 "colour"),
    "a column that is given": (lambda: _frame_model().sample(1, given={"lenght": 1.0}), "length"),
    "a value": (lambda: _frame_model().sample(1, given={"colour": "bleu"}), "blue"),
    "a target": (lambda: genzoo.classify(_frame_model(), FRAME, target="color"), "colour"),
    "a label": (lambda: genzoo.Dataset.from_data(FRAME, "mine", label="colr"), "colour"),
    "an edge": (
        lambda: genzoo.BayesianNetwork(structure=[("color", "length")]).fit(FRAME),
        "colour",
    ),
    "a kind of variable": (lambda: genzoo.Variable("x", "nominl", 2), "nominal"),
    "a layout": (
        lambda: genzoo.Schema((genzoo.Variable("x", "nominal", 2),), "tabel", (1,)),
        "table",
    ),
}  # fmt: skip


@pytest.mark.parametrize("call", CALLS)
def test_python_names_what_was_meant(call: str) -> None:
    made, meant = CALLS[call]
    with pytest.raises(ValueError, match=f"did you mean '{meant}'"):
        made()


def test_models_of_a_run(tmp_path: Path) -> None:
    data = {"coin": ["a", "b"] * 20}
    run = genzoo.compare(["independent"], data, out=tmp_path / "run", progress=False)
    with pytest.raises(ValueError, match="did you mean 'independent'"):
        run.load_model("independant", "coin")
    with pytest.raises(ValueError, match="did you mean 'coin'"):
        run.save_best("coins", tmp_path / "best")
    with pytest.raises(ValueError, match="seeds there: 0") as known:
        run.load_model("independent", "coin", seed=7)
    assert "did you mean" not in str(known.value)


@pytest.mark.parametrize("option", ["label", "group", "time", "stratify"])
def test_columns_of_a_file(option: str, tmp_path: Path) -> None:
    FRAME.to_csv(tmp_path / "mine.csv", index=False)
    with pytest.raises(ValueError, match=f"{option}: .*did you mean 'colour'"):
        own.load(tmp_path / "mine.csv", **{option: "colur"})
    with pytest.raises(ValueError, match=r"keep: .*did you mean 'length'"):
        own.load(tmp_path / "mine.csv", keep=["lenght"])


@pytest.mark.parametrize(
    ("key", "value", "meant"),
    [("treat", "nominl", "nominal"), ("treet", "nominal", "treat"), ("name", "color", "colour")],
)
def test_schema_files(key: str, value: str, meant: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    FRAME.to_csv(path, index=False)
    written = own.load(path).write_schema(tmp_path)
    assert written is not None
    schema = json.loads(written.read_text())
    column = next(c for c in schema["columns"] if c["name"] == "colour")
    column[key] = value
    written.write_text(json.dumps(schema))
    with pytest.raises(ValueError, match=f"did you mean '{meant}'"):
        own.load(path, schema=written)


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        ("comapre", "compare"),
        ("compare --modles vae", "--models"),
        ("data fech", "fetch"),
        ("data fetch mnits", "mnist"),
        ("compare digts", "--datasets digits"),
        ("compare mine.cvs", "mine.csv"),
        ("compare --datasets mine", "'wine' or mine.csv"),
        ("compare mine.csv --schema mein.csv", "mine.csv"),
        ("compare mine.csv --label color", "colour"),
        ("fit independent mine --out m", "mine.csv"),
        ("fit independent iris --out m --set pseudocount=1", "pseudo_count"),
        ("report rusn", "runs"),
        ("list modles", "models"),
        ("check independant", "independent"),
    ],
)
def test_the_command_line(arguments: str, meant: str, tmp_path: Path) -> None:
    FRAME.to_csv(tmp_path / "mine.csv", index=False)
    (tmp_path / "runs").mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "genzoo", *arguments.split()],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    # behind the last of these words stands nothing but what was meant
    asked = re.split("did you mean|possible options", done.stderr, flags=re.IGNORECASE)
    assert meant in asked[-1]
    assert len(asked) > 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine.csv", "runs"]


@pytest.mark.parametrize("path", ["", "x" * 5000])
def test_a_path_that_can_be_none_has_no_near_one(path):
    assert near_path(path) is None
