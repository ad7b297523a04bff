"""What a schema file decides: the order of --time, and files that can't be read as they are."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from genzoo.cli.app import app
from genzoo.datasets import own


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def visits(tmp_path, rng, form):
    """A hundred rows in any order, with their place in it."""
    dates = pd.date_range("2021-01-02 03:04:05", periods=100, freq="41h7min13s").strftime(form)
    order = rng.permutation(100)
    path = tmp_path / "visits.csv"
    pd.DataFrame({"when": dates[order], "place": order, "y": rng.integers(0, 3, 100)}).to_csv(
        path, index=False
    )
    return path


def is_ordered(path, **options):
    data = own.load(path, time="when", keep=["place"], **options)
    test = data.schema.decode(data.test).place
    return sorted(test) == list(range(80, 100))


@pytest.mark.parametrize("form", ["%m/%d/%Y %I:%M:%S %p", "%d-%b-%Y %H:%M:%S", "%d.%m.%y %H:%M"])
def test_the_order_of_dates_as_they_are_recognised(tmp_path, rng, form):
    assert is_ordered(visits(tmp_path, rng, form))


def schema(tmp_path, path, **keys):
    record = json.loads(own.load(path, keep=["place"]).schema_file)
    record["columns"] = [
        {"name": "when", **keys} if c["name"] == "when" else c for c in record["columns"]
    ]
    file = tmp_path / "schema.json"
    file.write_text(json.dumps(record))
    return file


@pytest.mark.parametrize("treat", ["date", "leave out"])
def test_the_order_of_dates_as_a_schema_says(tmp_path, rng, treat):
    path = visits(tmp_path, rng, "on day %d of %m in %Y")
    with pytest.raises(
        ValueError, match=r'time: expected a column of dates .* "format" in a schema'
    ):
        own.load(path, time="when")
    file = schema(tmp_path, path, treat=treat, format="on day %d of %m in %Y")
    assert is_ordered(path, schema=file)


def test_a_schema_that_does_not_fit_is_named(tmp_path, rng):
    path = visits(tmp_path, rng, "%d.%m.%Y")
    file = schema(tmp_path, path, treat="date", format="%m.%d.%Y")
    with pytest.raises(ValueError, match=r"column 'when': expected dates as .*schema.json"):
        own.load(path, schema=file)


def test_a_file_that_can_not_be_used_still_gets_a_schema_file(tmp_path, rng):
    path, out = tmp_path / "a.csv", tmp_path / "run"
    columns = {"a": rng.normal(0, 1, 60), "b": ["inf" if i == 3 else str(i / 7) for i in range(60)],
               "c": ["1e305" if i % 2 else str(i) for i in range(60)],
               "y": rng.integers(0, 3, 60)}  # fmt: skip
    pd.DataFrame(columns).to_csv(path, index=False)
    with pytest.raises(ValueError, match="column 'b': expected finite numbers; got infinity"):
        own.load(path)
    arguments = ["compare", str(path), "--only-schema", "--out", str(out)]
    result = CliRunner().invoke(app, arguments)
    said = result.output if result.exception is None else f"{result.output}{result.exception}"
    assert result.exit_code != 0
    assert "schema_a.json says how each column would be treated" in said
    file = out / "schema_a.json"
    found = {c["name"]: c for c in json.loads(file.read_text())["columns"]}
    assert found["b"]["treat"] == found["c"]["treat"] == "leave out"
    assert "infinity" in found["b"]["reason"]
    assert "numbers up to" in found["c"]["reason"]
    assert own.load(path, schema=file).schema.names == ["a", "y"]
    record = json.loads(file.read_text())
    record["columns"][1] = {"name": "b", "treat": "number", "holes": ["inf"]}
    mine = json.dumps(record)
    file.write_text(mine)
    assert own.load(path, schema=file).schema.names == ["a", "b", "y"]
    assert CliRunner().invoke(app, arguments).exit_code != 0
    assert file.read_text() == mine  # corrections are never overwritten


def test_a_schema_file_of_an_earlier_version_is_read(tmp_path, rng):
    path = visits(tmp_path, rng, "%d.%m.%Y")
    file = schema(tmp_path, path, treat="date", format="%d.%m.%Y", unit="day", first="2021-01-02")
    assert own.load(path, schema=file).schema.variables[0].quantity == "date"
