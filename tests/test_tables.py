"""Tables of polars and Arrow: taken everywhere, and given back as they came."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import genzoo
from genzoo import Dataset, Schema

N = 120


def values() -> dict[str, list]:
    k = np.random.default_rng(0).integers(0, 4, N).tolist()
    return {
        "i": k,
        "x": [None if i % 7 == 0 else i % 9 / 2 for i in range(N)],
        "s": [["a", "b", None, "c"][i] for i in k],
        "day": [dt.date(2020, 1, 1) + dt.timedelta(i) for i in k],
        "at": [dt.datetime(2020, 1, 1, i) for i in k],
        "time": [dt.time(i) for i in k],
        "took": [dt.timedelta(hours=i) for i in k],
        "ok": [i % 2 == 0 for i in k],
        "price": [Decimal(i) / 2 for i in k],
    }


def polars() -> pl.DataFrame:
    text = pl.col("s").fill_null("z")
    return pl.DataFrame(values()).with_columns(
        text.cast(pl.Categorical).alias("category"),
        text.cast(pl.Enum(["c", "b", "a", "z", "q"])).alias("enum"),
        pl.col("at").dt.replace_time_zone("Europe/Berlin").alias("zoned"),
        pl.col("i").cast(pl.UInt8).alias("small"),
        pl.col("x").cast(pl.Float32).alias("single"),
        pl.lit(None).alias("nothing"),
    )


def arrow() -> pa.Table:
    table = pa.table(values())
    return table.append_column("dictionary", table["s"].dictionary_encode())


TABLES = {"polars": polars(), "arrow": arrow()}


@pytest.fixture(scope="module", params=TABLES)
def fitted(request):
    table = TABLES[request.param]
    return table, genzoo.BayesianNetwork().fit(table)


def listed(column) -> list:
    return column.to_pylist() if isinstance(column, pa.ChunkedArray) else column.to_list()


def test_samples_are_of_the_same_library_and_types(fitted, tmp_path):
    table, model = fitted
    model.save(tmp_path / "model")
    for found in (model, genzoo.load_model(tmp_path / "model")):
        drawn = found.sample(20, seed=1)
        assert type(drawn) is type(table)
        assert drawn.schema == table.schema
        assert np.isfinite(found.log_prob(drawn).value).all()


def test_what_is_given_comes_back(fitted):
    table, model = fitted
    some = table.slice(0, 5)
    drawn = model.sample(5, given=some)
    for name in table.schema.names if isinstance(table, pa.Table) else table.columns:
        for before, after in zip(listed(some[name]), listed(drawn[name]), strict=True):
            assert before is None or after == before
    one = model.sample(3, given={"day": "2020-01-02", "i": 1})
    assert listed(one["i"]) == [1, 1, 1]


def test_holes_are_filled_in(fitted):
    table, model = fitted
    full = genzoo.impute(model, table)
    assert type(full) is type(table)
    assert full.schema == table.schema
    assert None not in listed(full["x"])


def test_labels_scores_and_parts(fitted):
    table, model = fitted
    assert genzoo.classify(model, table, "i").shape == (N,)
    assert np.isfinite(model.score(table))
    assert Dataset.from_data(table, "mine", label="ok").schema.names[-1] == "ok"
    other = genzoo.Independent().fit(table, valid=table)
    assert type(other.sample(2)) is type(table)


def test_a_comparison_takes_them(tmp_path):
    names = ["i", "s", "day"]
    tables = {"polars": polars().select(names), "arrow": arrow().select(names)}
    run = genzoo.compare(["independent"], tables, out=tmp_path / "run", progress=False)
    assert run.table()["status"].tolist() == ["ok", "ok"]


def test_every_library_gives_the_same_rows():
    plain = {name: values()[name] for name in ("i", "s")}
    frame = pd.DataFrame(plain)
    schema = Schema.infer(frame)
    rows = schema.encode(frame)
    for table in (pl.DataFrame(plain), pa.table(plain)):
        assert np.array_equal(schema.encode(table), rows)
        assert np.array_equal(Schema.infer(table).cards, schema.cards)
    batch = pa.table(plain).to_batches()[0]
    assert np.array_equal(schema.encode(batch), rows)


@pytest.mark.parametrize(
    ("data", "way"),
    [
        (polars().lazy(), r"a polars LazyFrame: pass data\.collect\(\)"),
        (polars().group_by("s"), "a GroupBy: pass the table that was grouped"),
        (pd.DataFrame({"s": [1]}).groupby("s"), "a DataFrameGroupBy: pass the table"),
        (polars()["i"], "a polars Series, a single column"),
        (pa.RecordBatchReader.from_batches(arrow().schema, []), r"pass data\.read_all\(\)"),
        (pl.DataFrame({"o": [object()]}), "column 'o': .* got dtype Object"),
        (pl.DataFrame({"o": [[1, 2], [3]]}), "column 'o': .* .nested values"),
        (pa.table([pa.array([1]), pa.array([2])], names=["a", "a"]), "distinct columns"),
    ],
)
def test_what_is_nearly_a_table_is_told_the_way(data, way):
    with pytest.raises(ValueError, match=way):
        genzoo.Independent().fit(data)
