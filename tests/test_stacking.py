"""The weights of a mixture of fitted models, and a figure for it that has not looked."""

from __future__ import annotations

import numpy as np
import pytest

from genzoo.stacking import cross_fitted, fit_weights, mixed, worth


def of_kinds(counts: list[int], masses: list[list[float]]) -> np.ndarray:
    """Log masses of rows of several kinds, each kind with its masses under the models."""
    return np.log(np.repeat(masses, counts, axis=0))


def test_the_optimum_of_two_kinds_of_rows():
    """max .6 log(.2 + .6 w) + .4 log(.8 - .6 w) is where .6 (.8 - .6 w) = .4 (.2 + .6 w)."""
    found = fit_weights(of_kinds([6000, 4000], [[0.8, 0.2], [0.2, 0.8]]))
    assert found == pytest.approx([2 / 3, 1 / 3], abs=1e-3)


def test_no_other_weights_are_much_better():
    rng = np.random.default_rng(0)
    rows = rng.normal(-20, 1, (3000, 1)) + rng.normal(0, 1.5, (3000, 6)) - np.arange(6) / 3
    best = mixed(rows, fit_weights(rows)).mean()
    tried = [*rng.dirichlet(np.ones(6), 300), *rng.dirichlet(np.full(6, 0.2), 300), *np.eye(6)]
    assert max(mixed(rows, np.asarray(w)).mean() for w in tried) < best + 1e-3


def test_what_is_not_worth_a_nat_has_no_weight():
    rows = of_kinds([50, 50], [[0.9, 0.1, 0.1, 0.9], [0.1, 0.9, 0.1, 0.9 - 1e-12]])
    copies = fit_weights(rows[:, [0, 1, 0, 2]])
    assert copies[3] == 0
    assert (copies > 0).tolist().count(True) == 2  # one of the two copies is enough
    assert copies.sum() == pytest.approx(1)
    assert fit_weights(rows).tolist() == [0, 0, 0, 1]


def test_rows_may_have_any_scale_and_there_may_be_none():
    rows = of_kinds([60, 40], [[0.8, 0.2], [0.2, 0.8]])
    far = rows - np.linspace(0, 5000, 100)[:, None]
    assert fit_weights(far) == pytest.approx(fit_weights(rows))
    assert np.isfinite(mixed(far, fit_weights(far))).all()
    assert fit_weights(np.empty((0, 4))) == pytest.approx(np.full(4, 0.25))
    assert fit_weights(rows[:, :1]).tolist() == [1.0]


def lucky(n_groups: int = 10, of_each: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """An honest model, and for each group one that knows the rows of this group by heart."""
    groups = np.repeat(np.arange(n_groups), of_each)
    knows = groups[:, None] == np.arange(n_groups)
    by_heart = np.log(np.where(knows, 0.9, 1e-3))
    return np.column_stack([np.full(len(groups), np.log(0.01)), by_heart]), groups


def test_the_cross_fitted_figure_gains_nothing_by_having_looked():
    rows, groups = lucky()
    honest = rows[:, 0].mean()
    assert mixed(rows, fit_weights(rows)).mean() > honest + 2  # the figure that looks
    assert cross_fitted(rows, groups).mean() <= honest + 1e-9
    # the rows of a group in two folds would be looking as well
    assert cross_fitted(rows).mean() > honest + 1


def test_the_cross_fitted_figure_of_one_group_is_that_of_equal_weights():
    rows, _ = lucky()
    equal = np.full(rows.shape[1], 1 / rows.shape[1])
    assert cross_fitted(rows, np.zeros(len(rows))) == pytest.approx(mixed(rows, equal))


def test_a_gain_that_holds_is_seen_by_the_cross_fitted_figure():
    rng = np.random.default_rng(1)
    kinds = rng.integers(0, 2, 2000)
    rows = np.log(np.where(kinds[:, None] == np.arange(2), 0.9, 0.01))
    assert cross_fitted(rows).mean() > rows.mean(axis=0).max() + 1


def test_what_a_model_knows_that_the_others_do_not():
    rows = of_kinds([50, 50], [[0.9, 0.1, 0.09], [0.1, 0.9, 0.09]])
    lost = worth(rows)
    assert lost[:2] == pytest.approx([np.log(0.5) - np.log(0.3)] * 2, abs=0.01)
    assert lost[2] == pytest.approx(0, abs=1e-3)
    assert np.isnan(worth(rows[:, :1])).all()
