"""What a class must have to be a ``GenerativeModel``, and what ``fit`` and ``save`` ask of it."""

from __future__ import annotations

import numpy as np
import pytest

from genzoo.model import GenerativeModel
from genzoo.models.independent import Independent

ROWS = ["ab", "a", "b", "ba"]
METHODS = ("_fit", "_sample", "_log_prob", "_state", "_restore")


@pytest.mark.parametrize("left_out", METHODS)
def test_a_class_that_lacks_a_method_is_made_by_nobody(left_out):
    methods = {name: getattr(Independent, name) for name in METHODS if name != left_out}
    with pytest.raises(TypeError, match=rf"Partial .*{left_out}"):
        type("Partial", (GenerativeModel,), methods)()


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
