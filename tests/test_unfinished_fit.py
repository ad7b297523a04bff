"""A fit that doesn't come to its end leaves the model as it was; fitted models as copies."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

import genzoo
from genzoo.fitting import Budget
from genzoo.registry import list_models, make_model

ROWS = np.random.default_rng(0).integers(0, 3, (80, 4))
FRAME = pd.DataFrame({"a": list("xyz") * 20, "b": np.arange(60) % 7})


class EnoughError(Exception):
    """Of the caller's own."""


def fitted(key: str) -> genzoo.GenerativeModel:
    return make_model(key).fit(ROWS, seed=0, budget="5 steps")


def assert_as_before(model: genzoo.GenerativeModel, other: genzoo.GenerativeModel) -> None:
    assert model.schema_ == other.schema_
    assert model.training_.work == other.training_.work
    assert np.array_equal(model.log_prob(ROWS, seed=1).value, other.log_prob(ROWS, seed=1).value)
    assert np.array_equal(model.sample(5, seed=2), other.sample(5, seed=2))


@pytest.mark.parametrize("key", list_models())
@pytest.mark.parametrize("error", [KeyboardInterrupt, EnoughError, SystemExit])
def test_an_interrupted_fit_leaves_the_earlier_one(key, error):
    model = fitted(key)

    def stop(fraction: float, message: str) -> None:
        raise error

    for data in (FRAME, ["ab", "b"] * 20, ROWS[:, :2]):
        with pytest.raises(error):
            model.fit(data, budget="5 steps", progress=stop)
    assert_as_before(model, fitted(key))
    unfitted = make_model(key)
    with pytest.raises(error):
        unfitted.fit(FRAME, budget="5 steps", progress=stop)
    assert vars(unfitted) == vars(make_model(key))
    with pytest.raises(ValueError, match="not fitted"):
        unfitted.sample(1)
    assert_as_before(unfitted.fit(ROWS, seed=0, budget="5 steps"), model)


@pytest.mark.parametrize("key", list_models())
def test_a_fit_that_is_refused_leaves_the_earlier_one(key):
    model = fitted(key)
    bad: list[tuple[Any, dict[str, Any]]] = [
        (np.array([[0.5, 1.0]]), {}),
        (pd.DataFrame({"a": []}), {}),
        (ROWS + 5, {"schema": model.schema_}),
        (ROWS, {"valid": ["ab"]}),
        (ROWS, {"budget": "soon"}),
    ]
    for data, options in bad:
        with pytest.raises(ValueError):
            model.fit(data, **options)
    assert_as_before(model, fitted(key))


class NotFinite(genzoo.Independent):
    finite = True

    def _fit(self, rows, valid, fit):
        super()._fit(rows, valid, fit)
        if not self.finite:
            self.log_table_ = self.log_table_ * np.nan


def test_what_is_not_finite_is_no_fit():
    model = NotFinite().fit(ROWS)
    value = model.log_prob(ROWS).value
    model.finite = False
    with pytest.raises(FloatingPointError):
        model.fit(ROWS[:, :2])
    assert np.array_equal(model.log_prob(ROWS).value, value)


def test_parameters_changed_meanwhile_are_those_of_before_an_interrupted_fit():
    """What ``progress`` does to the model is undone with all else."""
    model = genzoo.Independent(pseudo_count=2.0).fit(ROWS)

    def meddle(fraction: float, message: str) -> None:
        model.set_params(pseudo_count=9.0)
        raise EnoughError

    with pytest.raises(EnoughError):
        model.fit(FRAME, progress=meddle)
    assert model.pseudo_count == 2.0
    assert_as_before(model, genzoo.Independent(pseudo_count=2.0).fit(ROWS))


@pytest.mark.parametrize("key", list_models())
def test_copies_of_a_fitted_model(key):
    model = fitted(key)
    assert_as_before(pickle.loads(pickle.dumps(model)), model)
    other = copy.deepcopy(model)
    assert_as_before(other, model)
    other.fit(ROWS[::-1, ::-1], seed=3, budget=Budget(steps=5))
    assert_as_before(model, fitted(key))
    again = clone(model)
    assert not again.__sklearn_is_fitted__()
    assert_as_before(again.fit(ROWS, seed=0, budget="5 steps"), model)
