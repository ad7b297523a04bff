"""What holds of every family on every small space: random schemas, rows, holes and seeds.

Hypothesis draws the cases, always the same ones (``derandomize``), and shrinks what fails. Exact
families are compared to within float32 arithmetic. A Monte Carlo kind is only asked whether its
masses sum to more than one, beyond ``SIGMAS`` standard errors: 1e-9 a case as far as errors are
normal, so a run of 10,000 cases raises a false alarm once in 100,000; all else is equality.
"""

from __future__ import annotations

import inspect
import tempfile
import warnings
from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import genzoo
from genzoo.keys import MODELS
from genzoo.registry import model_class
from genzoo.space import strings
from genzoo.space.schema import MISSING, Schema, Variable
from genzoo.values import Unsupported

FEW, MANY = 8, 40  # cases of each family, in the fast part and in the slow one
SIGMAS = 6.0
TOLERANCE = 1e-4  # of float32 arithmetic, on a sum of masses and on a log mass
LARGEST_SPACE = 120
# what makes a family small, where its constructor has an argument of this name
TINY = {
    "width": 8, "d_model": 8, "n_layers": 1, "n_heads": 1, "latent_dim": 2, "n_restarts": 1,
    "n_iter": 5, "n_trees": 2, "n_states": 2, "n_components": 2, "n_importance": 32,
    "n_temperatures": 10, "n_chains": 4,
}  # fmt: skip
BUDGET = "3 steps"


@dataclass(frozen=True)
class Case:
    """A small space and rows of it; ``holey`` has ``MISSING`` in some places, never after END."""

    schema: Schema
    rows: np.ndarray
    holey: np.ndarray
    seed: int

    def __repr__(self) -> str:
        kinds = [
            f"{v.kind}{'/cells' if v.edges else ''} {v.n_values}{'+mark' if v.missing else ''}"
            for v in self.schema.variables
        ]
        rows = self.holey.tolist()
        return f"Case({', '.join(kinds)}; END {self.schema.end}; seed {self.seed}; {rows})"


@st.composite
def variables(draw: st.DrawFn, name: str) -> Variable:
    n = draw(st.integers(1, 4))
    missing = draw(st.booleans())
    form = draw(st.sampled_from(["nominal", "ordinal", "grid", "cells", "text", "times"]))
    if form == "text":
        return Variable(name, "nominal", categories=tuple("pqrs"[:n]), missing=missing)
    if form == "times":
        quantity = draw(st.sampled_from(["date", "duration", "time"]))
        unit = draw(st.sampled_from(["month", "day", "second"] if quantity == "date" else ["hour"]))
        made = partial(Variable, name, "ordinal", missing=missing, quantity=quantity, unit=unit)
        if draw(st.booleans()):
            return made(edges=tuple(np.cumsum([0.5, 1.0, 5.0, 2.0, 4.0][: n + 1]).tolist()))
        return made(cardinality=n + missing, offset=2.0, step=3.0)
    if form == "grid":
        return Variable(name, "ordinal", n + missing, offset=-1.0, step=0.5, missing=missing)
    if form == "cells":
        edges = tuple(np.cumsum([0.0, 1.0, 0.5, 2.0, 4.0][: n + 1]).tolist())
        return Variable(name, "ordinal", edges=edges, missing=missing)
    return Variable(name, form, n + missing, missing=missing)


@st.composite
def schemas(draw: st.DrawFn) -> Schema:
    D = draw(st.integers(1, 4))
    if draw(st.booleans()):
        n = draw(st.integers(1, 3))
        positions = tuple(Variable(f"p{d}", "nominal", n + 1) for d in range(D))
        return Schema(positions, "sequence", (D,), end=draw(st.integers(0, n)))
    columns = tuple(draw(variables(f"x{d}")) for d in range(D))
    return Schema(columns, "table", (D,))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    schema = draw(schemas().filter(lambda schema: len(schema.enumerate()) <= LARGEST_SPACE))
    n, seed = draw(st.integers(2, 24)), draw(st.integers(0, 2**16))
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, schema.cards, (n, schema.D))
    if draw(st.booleans()):  # columns that depend on the first
        rows = np.where(rng.random(rows.shape) < 0.7, rows[:, :1] % schema.cards, rows)
    rows = strings.settled(rows, schema.end)
    after = strings.ended(rows, schema.end)
    holes = (rng.random(rows.shape) < draw(st.sampled_from([0.1, 0.4]))) & ~after
    return Case(schema, rows, np.where(holes, MISSING, rows), seed)


def fitted(family: str, case: Case, rows: np.ndarray) -> genzoo.GenerativeModel:
    taken = inspect.signature(model_class(family)).parameters
    tiny = {name: value for name, value in TINY.items() if name in taken}
    model = genzoo.make_model(family, **tiny)
    return model.fit(rows, schema=case.schema, seed=case.seed, budget=BUDGET)


def opened(rows: np.ndarray, end: int | None) -> np.ndarray:
    """``MISSING`` in every place after the first END."""
    after = strings.ended(rows, end)
    return np.where(after & np.roll(after, 1, axis=1) & (np.arange(rows.shape[1]) > 0), -1, rows)


def total_mass_is_one(model: genzoo.GenerativeModel, case: Case) -> None:
    every = case.schema.enumerate()
    found = model.log_prob(every, seed=case.seed)
    assert found.value.shape == found.stderr.shape == (len(every),)
    total = float(np.exp(found.value).sum())
    if found.kind == "exact":
        assert total == pytest.approx(1.0, abs=TOLERANCE)
    else:
        error = float(np.sqrt(np.sum((np.exp(found.value) * found.stderr) ** 2)))
        assert total <= 1.0 + SIGMAS * error + TOLERANCE


def marginals_are_sums(model: genzoo.GenerativeModel, case: Case) -> None:
    every = case.schema.enumerate()
    joint = model.log_prob(every, seed=case.seed)
    for queried in case.holey[:6]:
        try:
            found = model.log_prob(queried[None], seed=case.seed)
        except Unsupported:
            continue
        if found.kind != "exact" or joint.kind != "exact":
            continue
        agreeing = ((every == queried) | (queried == MISSING)).all(axis=1)
        summed = np.logaddexp.reduce(joint.value[agreeing])
        assert found.value[0] == pytest.approx(summed, abs=TOLERANCE), queried


def samples_are_rows(model: genzoo.GenerativeModel, case: Case) -> None:
    drawn = model._sample(12, None, seed=case.seed)
    assert drawn.shape == (12, case.schema.D)
    assert drawn.dtype == np.int64
    case.schema.check_rows(drawn)
    assert np.array_equal(model.sample(12, seed=case.seed), drawn)


def what_is_given_stays(model: genzoo.GenerativeModel, case: Case) -> None:
    marks = np.array(
        [v.n_values if v.missing and v.n_values else -2 for v in case.schema.variables]
    )
    for queried in case.holey[:4]:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # three steps complete poorly
                drawn = model.sample(3, given=queried, seed=case.seed)
        except Unsupported:
            continue
        case.schema.check_rows(drawn)
        free = queried == MISSING
        assert (drawn == queried)[:, ~free].all(), queried
        assert not ((drawn == marks) & free).any(), queried


def saved_it_says_the_same(model: genzoo.GenerativeModel, case: Case) -> None:
    rows = case.schema.enumerate()[:20]
    with tempfile.TemporaryDirectory() as folder:
        model.save(f"{folder}/model")
        again = genzoo.load_model(f"{folder}/model")
    assert again.schema_ == case.schema
    before, after = (m.log_prob(rows, seed=case.seed).value for m in (model, again))
    np.testing.assert_array_equal(before, after)
    before, after = (m.sample(5, seed=case.seed) for m in (model, again))
    np.testing.assert_array_equal(before, after)


def end_is_settled(model: genzoo.GenerativeModel, case: Case) -> None:
    end = case.schema.end
    if end is None:
        return
    rows = case.schema.enumerate()[:20]
    np.testing.assert_array_equal(
        model.log_prob(rows, seed=case.seed).value,
        model.log_prob(opened(rows, end), seed=case.seed).value,
    )


HOLDS = (
    total_mass_is_one, marginals_are_sums, samples_are_rows, what_is_given_stays,
    saved_it_says_the_same, end_is_settled,
)  # fmt: skip


def holds(family: str, n_cases: int) -> None:
    @settings(
        max_examples=n_cases, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(cases())
    def of_every_case(case: Case) -> None:
        model = fitted(family, case, case.rows)
        for check in HOLDS:
            check(model, case)
        if model.fits_missing:
            model = fitted(family, case, case.holey)
            total_mass_is_one(model, case)
            samples_are_rows(model, case)
            if case.schema.end is not None:
                same = fitted(family, case, opened(case.holey, case.schema.end))
                for a, b in zip(model._state().values(), same._state().values(), strict=True):
                    np.testing.assert_array_equal(a, b)

    of_every_case()


@pytest.mark.parametrize("family", MODELS)
def test_a_few_random_spaces(family):
    holds(family, FEW)


@pytest.mark.slow
@pytest.mark.parametrize("family", MODELS)
def test_many_random_spaces(family):
    holds(family, MANY)


def test_the_cases_are_of_every_form():
    seen = set()

    @settings(max_examples=100, deadline=None, derandomize=True, database=None)
    @given(cases())
    def look(case: Case) -> None:
        seen.add("END" if case.schema.end is not None else "table")
        seen.update(v.quantity for v in case.schema.variables)
        seen.update(v.kind for v in case.schema.variables)
        seen.update("mark" for v in case.schema.variables if v.missing)
        seen.update("cells" for v in case.schema.variables if v.edges)
        seen.update("holes" for hole in (case.holey == MISSING).ravel() if hole)

    look()
    assert seen == {
        "END", "table", "nominal", "ordinal", "mark", "cells", "holes", "number", "date",
        "duration", "time",
    }  # fmt: skip


def test_values_are_encoded_to_the_codes_that_they_were_decoded_from():
    @settings(max_examples=200, deadline=None, derandomize=True, database=None)
    @given(cases())
    def of_every_case(case: Case) -> None:
        data = case.schema.decode(case.rows, seed=case.seed)
        np.testing.assert_array_equal(case.schema.encode(data), case.rows)
        assert Schema.from_json(case.schema.to_json()) == case.schema

    of_every_case()
