"""Blocks of rows that follow each other: as long as training rows remember, never torn, enough.

Seeds are fixed; false proofs are counted in 1,000 series, whose share of 5 % has an error of
0.7 %: the bound of 7 % is exceeded by chance in about one of 500 seeds.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.signal import lfilter

import genzoo
from genzoo import Dataset, Schema, Variable
from genzoo.datasets.blocks import (
    LENGTHS,
    MOST_BLOCKS,
    autocorrelation_time,
    block_length,
    blocks,
)
from genzoo.results.statistics import paired_difference


def autoregression(rng, n, rho):
    steps = rng.standard_normal(n + 200) * np.sqrt(1 - rho**2)
    return lfilter([1.0], [1.0, -rho], steps)[200:]


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.8])
def test_the_time_of_an_autoregression(rho):
    rng = np.random.default_rng(0)
    found = np.mean([autocorrelation_time(autoregression(rng, 4000, rho)) for _ in range(20)])
    assert found == pytest.approx((1 + rho) / (1 - rho), rel=0.15)


def test_a_trend_a_constant_and_a_short_series_have_none():
    assert autocorrelation_time(np.arange(1000.0)) == 1.0
    assert autocorrelation_time(np.full(1000, 3.0)) == 1.0
    assert autocorrelation_time(np.array([1.0, 2.0, 1.0])) == 1.0
    noise = np.random.default_rng(1).standard_normal(1000)
    assert autocorrelation_time(0.01 * np.arange(1000.0) + noise) < 1.3


@pytest.mark.parametrize("rho", [0.5, 0.8])
def test_false_proofs_over_blocks(rho):
    """Differences of two equally good models that follow an autoregression, judged over blocks of
    the length that a training series of its own gives."""
    rng = np.random.default_rng(2)
    schema = Schema((Variable("x", "ordinal", 64, offset=0.0, step=1.0),), "table", (1,))
    n, proofs, rows_alone = 600, 0, 0
    for _ in range(1000):
        series = autoregression(rng, 3 * n, rho)
        codes = np.clip(32 + 10 * series, 0, 63).astype(np.int64)[:, None]
        parts = {"train": codes, "valid": codes[: n // 2], "test": codes[:n]}
        found, _ = blocks(schema, parts, {p: np.arange(len(r)) for p, r in parts.items()})
        delta = autoregression(rng, n, rho)
        proofs += paired_difference(delta, np.zeros(n), found["test"]).p_value() < 0.05
        rows_alone += paired_difference(delta, np.zeros(n)).p_value() < 0.05
    assert proofs <= 70
    assert rows_alone > 200


def test_blocks_are_long_enough_few_and_in_no_two_parts():
    rng = np.random.default_rng(3)
    schema = Schema((Variable("x", "ordinal", 64, offset=0.0, step=1.0),), "table", (1,))
    codes = np.clip(32 + 10 * autoregression(rng, 3000, 0.8), 0, 63).astype(np.int64)[:, None]
    length = block_length(schema, codes)
    assert length == pytest.approx(LENGTHS * 9, rel=0.3)
    parts = {"train": codes[:2100], "valid": codes[2100:2400], "test": codes[2400:]}
    found, least = blocks(schema, parts, {p: np.arange(len(r)) for p, r in parts.items()})
    for part, groups in found.items():
        sizes = np.bincount(groups - groups.min())
        assert (np.diff(groups) >= 0).all()
        assert len(sizes) <= MOST_BLOCKS
        assert sizes.min() >= least or part == "valid"
    assert len(np.unique(np.concatenate(list(found.values())))) == sum(
        len(np.unique(g)) for g in found.values()
    )


def test_rows_of_one_time_stay_together():
    schema = Schema((Variable("x", "nominal", 2),), "table", (1,))
    rows = np.random.default_rng(0).integers(0, 2, (400, 1))
    times = np.repeat(np.arange(40), 10)
    found, _ = blocks(schema, dict.fromkeys(("train", "valid", "test"), rows),
                      dict.fromkeys(("train", "valid", "test"), times))  # fmt: skip
    for groups in found.values():
        assert all(len(np.unique(groups[times == t])) == 1 for t in range(40))


def test_a_split_by_time_has_blocks():
    n = 1000
    frame = pd.DataFrame({"x": np.random.default_rng(0).integers(0, 5, n)})
    order = np.random.default_rng(1).permutation(n)  # rows come in no order
    data = Dataset.from_data(frame, "t", time=order)
    assert data.block == 1
    assert len(np.unique(data.groups["test"])) == MOST_BLOCKS
    # the latest rows, in order of time within
    assert data.groups["test"].min() > data.groups["valid"].max()


def test_running_text_has_blocks():
    data = genzoo.load_dataset("tinyshakespeare")
    assert {part: len(np.unique(g)) for part, g in data.groups.items()} == dict.fromkeys(
        ("train", "valid", "test"), MOST_BLOCKS
    )
    assert (np.diff(data.groups["test"]) >= 0).all()
    # any Dataset with a text has them; names have none
    some = Dataset("t", data.schema, data.train[:300], data.valid[:100], data.test[:100],
                   text={p: ["abc"] for p in ("train", "valid", "test")})  # fmt: skip
    assert some.block is not None
    assert genzoo.load_dataset("names").groups is None
