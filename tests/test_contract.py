"""What a class must have to be a ``GenerativeModel``, and what ``fit`` and ``save`` ask of it."""

from __future__ import annotations

import numpy as np
import pytest

import genzoo
from genzoo.model import GenerativeModel
from genzoo.models.independent import Independent
from genzoo.parameters import Interval
from genzoo.registry import load_model
from genzoo.space.schema import MISSING

ROWS = ["ab", "a", "b", "ba"]
METHODS = ("_fit", "_sample", "_log_prob", "_state", "_restore")


@pytest.mark.parametrize("left_out", METHODS)
def test_a_class_that_lacks_a_method_is_made_by_nobody(left_out):
    methods = {name: getattr(Independent, name) for name in METHODS if name != left_out}
    with pytest.raises(TypeError, match=rf"Partial .*{left_out}"):
        type("Partial", (GenerativeModel,), methods)()


@pytest.mark.parametrize(
    "model",
    [*map(genzoo.make_model, genzoo.list_models()), genzoo.Stack(), genzoo.Stack(5)],
    ids=lambda model: repr(model),
)
def test_what_is_not_fitted_may_be_asked_what_it_has(model):
    names = {name for cls in type(model).__mro__ for name in vars(cls)}
    has = {name for name in names if hasattr(model, name)}  # nothing but AttributeError is a no
    assert {"fit", "fits_missing", "warm_starts"} <= has
    assert not has & {"weights_", "n_states_", "edges_", "calibration_"}


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_fit_that_ends_in_what_is_no_number_is_refused_and_is_none(bad):
    class Diverges(Independent):
        def _fit(self, rows, valid, fit):
            super()._fit(rows, valid, fit)
            self.log_table_[0, 0] = bad

    model = Diverges()
    with pytest.raises(FloatingPointError, match="Diverges fit: log_table: expected numbers"):
        model.fit(ROWS)
    with pytest.raises(ValueError, match="not fitted"):
        model.sample(1)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_became_no_number_after_the_fit_is_not_saved(bad, tmp_path):
    model = Independent().fit(ROWS)
    model.log_table_[0, 0] = bad
    with pytest.raises(ValueError, match="log_table: expected numbers or -inf; got NaN or inf"):
        model.save(tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_log_masses_that_are_not_finite_are_not_given():
    codes = np.array([[0, 1], [1, 0], [1, 1]])
    model = Independent().fit(codes)
    model.log_table_[:] = np.nan
    with pytest.raises(FloatingPointError, match="Independent log_prob: 3 of 3"):
        model.log_prob(codes)


def test_both_sets_of_rows_reach_a_family_with_end_after_end():
    seen = []

    class Looks(Independent):
        selects = True

        def _fit(self, rows, valid, fit):
            seen.extend([rows, valid])
            super()._fit(rows, valid, fit)

    schema = Independent().fit(ROWS).schema_
    end = schema.end
    open_rows = np.array([[0, end], [1, 0], [end, -1], [-1, 0]])
    Looks().fit(open_rows, schema=schema, valid=open_rows[::-1])
    settled = np.array([[0, end], [1, 0], [end, end], [-1, 0]])
    assert np.array_equal(seen[0], settled)
    assert np.array_equal(seen[1], settled[::-1])


@pytest.mark.parametrize(
    ("name", "method", "says"),
    [
        ("_log_prob", lambda self, rows, *, seed: np.zeros(len(rows)), "expected a LogProb"),
        ("_state", lambda self: [np.zeros(2)], "_state: expected a dict of arrays; got list"),
        ("parameters", {"width": Interval(int)}, "parameters: expected names .* got 'width'"),
    ],
)
def test_what_a_class_gets_wrong_is_told_by_name(name, method, says):
    mine = type("Mine", (Independent,), {name: method})
    with pytest.raises((TypeError, ValueError), match=says):
        mine().fit(ROWS).log_prob(ROWS)


def test_rows_that_are_open_after_end_only_are_complete():
    class Complete(Independent):
        fits_missing = False

    schema = Independent().fit(["abc", "a", "bc"]).schema_
    rows = schema.encode(["abc", "a", "bc"])
    opened = rows.copy()
    opened[1, 2] = MISSING  # END stands before it
    settled, opened = (Complete().fit(x, schema=schema).log_table_ for x in (rows, opened))
    np.testing.assert_array_equal(settled, opened)
    with pytest.raises(ValueError, match="Complete is fitted to complete rows"):
        Complete().fit(np.array([[0, MISSING, 1]]), schema=schema)


def test_a_parameter_of_numpys_is_saved_as_the_number_that_it_is(tmp_path):
    Independent(pseudo_count=np.int64(3)).fit(ROWS).save(tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    assert (loaded.pseudo_count, type(loaded.pseudo_count)) == (3, int)
