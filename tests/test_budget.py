"""When a run counts as converged."""

from __future__ import annotations

import numpy as np
import pytest

from genzoo.fitting import LEAST_GAIN, PATIENCE, at_rest, converged

VALUES = np.random.default_rng(0).normal(0.0, 1.5, 400)


@pytest.mark.parametrize("level", [-2.0, -100.0, -1e4])
@pytest.mark.parametrize(("gain", "verdict"), [(0.02, False), (0.005, True), (-0.3, True)])
def test_the_gain_in_nats_a_row_decides_whatever_the_values_size(level, gain, verdict):
    rng = np.random.default_rng(1)
    before = level + VALUES
    after = before + gain + rng.normal(0.0, 0.01, 400)  # an error of 0.0005
    assert converged(before, after) is verdict


def test_what_all_estimates_share_changes_nothing():
    """A constant, and columns that every estimate gives the same mass."""
    rng = np.random.default_rng(2)
    shared = rng.normal(-50.0, 20.0, 400)
    for gain in (0.002, 0.009, 0.011, 0.05):
        after = VALUES + gain + rng.normal(0.0, 0.01, 400)
        verdict = converged(VALUES, after)
        assert verdict is (gain < LEAST_GAIN)
        assert converged(VALUES - 77.0, after - 77.0) is verdict
        assert converged(VALUES + shared, after + shared) is verdict


def test_a_gain_below_its_error_is_none():
    rng = np.random.default_rng(3)
    noise = rng.normal(0.0, 1.0, 400)
    noise -= noise.mean()  # its error is 0.05
    assert converged(VALUES, VALUES + 0.04 + noise)
    assert not converged(VALUES, VALUES + 0.06 + noise)
    assert not converged(VALUES, VALUES + 0.04 + 0.1 * noise)


def test_a_single_row_has_no_error_and_a_value_that_is_not_finite_no_gain():
    assert converged(np.array([-3.0]), np.array([-2.995]))
    assert not converged(np.array([-3.0]), np.array([-2.9]))
    for bad in (-np.inf, np.nan):
        assert not converged(np.array([-3.0, bad]), np.array([-3.0, -2.0]))
        assert not converged(np.array([-3.0, bad]), np.array([-3.0, bad]))


def test_single_precision_will_do():
    assert converged(VALUES.astype(np.float32), (VALUES + 0.005).astype(np.float32))


@pytest.mark.parametrize("level", [-2.0, -1000.0])
def test_em_rests_after_a_little_gain_or_without_a_new_best(level):
    climbs = [level + value for value in (0.0, 0.5, 0.6, 0.61)]
    assert not any(at_rest(climbs[:n], 0.005) for n in range(5))
    assert at_rest([*climbs, climbs[-1] + 0.004], 0.005)
    assert not at_rest([*climbs, climbs[-1] + 0.006], 0.005)
    falls = [*climbs, *(climbs[-1] - 0.1 * i for i in range(1, PATIENCE + 1))]
    assert [at_rest(falls[:n], 0.005) for n in range(len(falls) + 1)] == [False] * len(falls) + [
        True
    ]
    dip = [*climbs, climbs[-1] - 0.2, climbs[-1] - 0.1, climbs[-1] + 0.1]
    assert not at_rest(dip, 0.005)
