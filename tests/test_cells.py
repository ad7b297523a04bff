"""Cells are quantiles of the values themselves, whatever their range and whatever stands apart.

``off`` is the largest distance between the distribution of 20,000 draws and that of the training
rows (Kolmogorov-Smirnov). Sampling alone gives above 0.016 once in 10,000 columns; a cell holds up
to 1/256 of the rows, and smoothing may move what rows of a few hundred say by some 0.02.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp

from genzoo import Independent, Schema, Variable

pytestmark = pytest.mark.filterwarnings("ignore:data. values that stand apart")
FARTHEST = 0.05
r = np.random.default_rng(0)
SLOPES = r.normal(12, 4, 398)
ORDERS = np.exp(r.normal(0, 11.5, 400))
ZEROS = np.where(r.random(400) < 0.7, 0.0, 1.0)


def off(frame):
    drawn = Independent().fit(frame).sample(20_000, seed=1)
    assert drawn.dtypes.to_dict() == frame.dtypes.to_dict()
    return ks_2samp(frame["v"].astype(float), drawn["v"].astype(float)).statistic


def survives(frame):
    """Encoding inverts decoding, for the rows and for every code; the schema, JSON."""
    schema = Schema.infer(frame)
    rows, every = schema.encode(frame), schema.enumerate()
    for codes in (rows, every):
        assert (schema.encode(schema.decode(codes, seed=3)) == codes).all()
    assert Schema.from_json(schema.to_json()) == schema
    assert schema.variables[0].n_values <= 256
    model = Independent().fit(frame, schema=schema)
    assert np.isfinite(model.log_density(frame).value).all()
    assert model.log_prob(every).value.max() <= 0
    assert np.exp(model.log_prob(every).value).sum() == pytest.approx(1, abs=1e-9)
    return schema


@pytest.mark.parametrize(
    "fill", [-3.4028235e38, 9.96921e36, 1e15, 99_999_999, 1e20, -1e30, -9999, 32_767, -8e298]
)
@pytest.mark.parametrize("rows", [1, 2, 20])
def test_a_fill_value_has_a_cell_of_its_own_and_takes_none_from_the_rest(fill, rows):
    frame = pd.DataFrame({"v": np.append(SLOPES, [float(fill)] * rows)})
    schema = survives(frame)
    codes = schema.encode(frame)[:, 0]
    own = codes[-1]
    assert (codes == own).sum() == rows
    assert len(np.unique(codes)) > 200
    assert set(schema.decode(np.full((99, 1), own))["v"]) == {fill}
    assert off(frame) < FARTHEST
    drawn = Independent().fit(frame).sample(20_000, seed=2)["v"]
    # beside its rows, what lies beyond the rest is a draw in 100,000
    beyond = (drawn < SLOPES.min() - 1) | (drawn > SLOPES.max() + 1)
    assert ((drawn == fill) | ~beyond).mean() > 0.9998


COLUMNS = {
    "30 orders of size": ORDERS,
    "30 orders and zeros": ZEROS * ORDERS,
    "30 orders, both signs": r.choice([-1, 1], 400) * ORDERS,
    "a very heavy tail": r.pareto(0.2, 1000),
    "small": 1e-12 * r.normal(size=400),
    "small beside a fill value": np.append(1e-12 * r.normal(size=400), 1e20),
    "a large offset": 1e9 + 1e-3 * r.normal(size=400),
    "a large offset beside a fill value": np.append(1e9 + 1e-3 * r.normal(size=400), [-9999] * 3),
    "smaller than a spread may be": np.append(1e-305 * r.normal(size=400), 1.0),
    "zeros beside a fill value": np.append(ZEROS * r.normal(12, 4, 400), [1e20] * 2),
    "mostly the fill value": np.append(SLOPES[:100], [-3.4028235e38] * 300),
    "two fill values": np.append(SLOPES, [-3.4028235e38, 1e20, 1e20]),
    "one value and a fill value": np.append(np.full(398, 12.5), [-3.4e38] * 2),
    "six decimals": np.append(np.round(SLOPES, 6), [1e15] * 2),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_samples_are_those_of_the_rows_at_any_range(name):
    frame = pd.DataFrame({"v": COLUMNS[name]})
    survives(frame)
    assert off(frame) < FARTHEST


@pytest.mark.parametrize("dtype", ["float32", "Float64", "double[pyarrow]"])
def test_so_do_columns_of_other_dtypes(dtype):
    frame = pd.DataFrame({"v": np.append(SLOPES, [-3.4028235e38] * 2)}).astype(dtype)
    survives(frame)
    assert off(frame) < FARTHEST


@pytest.mark.parametrize("dtype", ["int64", "Int32", "int32"])
def test_whole_numbers_beside_a_fill_value_stay_themselves(dtype):
    ages = np.append(np.random.default_rng(1).integers(17, 90, 398), [-9999] * 2)
    frame = pd.DataFrame({"v": pd.Series(ages).astype(dtype)})
    survives(frame)
    drawn = Independent().fit(frame).sample(20_000, seed=1)["v"]
    assert np.isin(drawn, ages).mean() > 0.9998


def test_heavy_zeros_among_values_of_many_orders_are_drawn_as_zeros():
    frame = pd.DataFrame({"v": ZEROS * ORDERS})
    drawn = Independent().fit(frame).sample(20_000, seed=1)["v"]
    share = (frame["v"] == 0).mean()
    # 4.5 standard errors: a false alarm in 100,000 seeds, and what smoothing moves
    assert abs((drawn == 0).mean() - share) < 4.5 * np.sqrt(share * (1 - share) / 20_000) + 0.005


def test_dates_beside_one_that_stands_apart_keep_their_days():
    end = pd.Series(pd.to_datetime("1990-01-01") + pd.to_timedelta(r.integers(0, 9000, 400), "D"))
    end[:30] = pd.Timestamp("9999-12-31")
    frame = pd.DataFrame({"v": end})
    schema = survives(frame)
    rows = schema.encode(frame)
    assert (schema.decode(rows)["v"][:30] == pd.Timestamp("9999-12-31")).all()
    drawn = Independent().fit(frame).sample(20_000, seed=1)["v"]
    # what is drawn beyond the rest but is not the date itself: a row in 100,000
    assert ((drawn > end[30:].max()) & (drawn != end[0])).mean() < 0.0002


def test_what_stands_apart_moves_no_edge_of_a_grid():
    """Ages and 999 have a grid of a thousand levels, as they had before."""
    ages = pd.DataFrame({"v": np.append(np.arange(17, 90), [999, 999])})
    assert Schema.infer(ages).variables[0].meaning[2:6] == (False, None, 17.0, 1.0)


def test_a_grid_must_be_one_that_float64_holds_in_some_cell():
    Variable("v", "ordinal", edges=(-3.4e38, 0, 1, 2), offset=0.0, step=0.5)
    with pytest.raises(ValueError, match="step: expected a grid"):
        Variable("v", "ordinal", edges=(-3.4e38, 1e17, 2e17), offset=1e17, step=0.5)


def test_numbers_too_large_for_a_schema_may_be_marks_of_missing_values():
    with pytest.raises(ValueError, match=r"up to 1e\+299 .*a mark of missing values\? make it NaN"):
        Schema.infer(pd.DataFrame({"v": [1.0, 2.0, -1.7976931348623157e308]}))
