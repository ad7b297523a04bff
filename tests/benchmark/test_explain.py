"""What explains a cell's numbers, from the fit to the report, on data of which it is known."""

from __future__ import annotations

import numpy as np
import pytest

import genzoo
from genzoo import HMM, VAE, BayesianNetwork, Dataset, Independent, Unsupported
from genzoo.benchmark import explain
from genzoo.results.explained import Explained, gains, usual
from genzoo.results.run import read_run
from genzoo.values import LogProb

ODD = [0, 1, 0, 1]  # the only row whose second column is not its first


def coins(n: int = 900) -> Dataset:
    """A coin, the same again, and two others; the last test row breaks the rule."""
    rows = np.random.default_rng(0).integers(0, 2, (n, 4))
    rows[:, 1] = rows[:, 0]
    data = Dataset.from_data(rows, "coins")
    test = np.concatenate([data.test[:-1], [ODD]])
    return Dataset("coins", data.schema, data.train, data.valid, test)


def explained(model: object, data: Dataset) -> tuple[Explained, object]:
    notes: list[str] = []
    test, rows = model.log_prob(data.test).value, model.sample(300, seed=1)
    record, arrays = explain.explain(model, data, test, rows, seed=0, notes=notes)
    assert notes == []
    return Explained.of(arrays), record


@pytest.fixture(scope="module")
def data() -> Dataset:
    return coins()


@pytest.fixture(scope="module")
def network(data):
    return explained(BayesianNetwork(structure=[["x0", "x1"]]).fit(data), data)


def test_a_family_wins_where_it_knows_more(data, network):
    own, record = network
    base, _ = explained(Independent().fit(data), data)
    np.testing.assert_array_equal(own.terms_at, base.terms_at)
    found = gains(own, base)
    # over rows that keep to the rule the second column costs nothing instead of log 2
    assert found.value[1] == pytest.approx(np.log(2), abs=0.15)
    assert np.abs(found.value[[0, 2, 3]]).max() < 0.05
    assert found.value.sum() == pytest.approx(found.total.value)
    assert found.of(np.array([0, 1])).value == pytest.approx(found.value[:2].sum())
    models = [BayesianNetwork(structure=[["x0", "x1"]]).fit(data), Independent().fit(data)]
    one, other = (m.log_prob(data.test[own.terms_at]).value for m in models)
    assert found.total.value == pytest.approx((one - other).mean(), abs=1e-5)
    assert record.terms == "exact"
    assert record.left_out == {}


def test_the_least_likely_row_and_the_column_to_blame(data, network):
    own, _ = network
    assert own.least_rows[0].tolist() == ODD
    assert own.least_at[0] == len(data.test) - 1
    below = usual(own, ends=False) - own.least_terms
    assert below[0].argmax() == 1


def test_the_graph_and_what_its_variables_tell_of_each_other(network):
    own, _ = network
    assert own.edges.tolist() == [[0, 1]]
    assert own.edge_strengths[0] == pytest.approx(np.log(2), abs=0.01)


def test_copies_are_counted_and_near_rows_are_no_copies():
    rng = np.random.default_rng(0)
    data = Dataset.from_data(rng.integers(0, 5, (600, 8)), "wide")
    model = Independent().fit(data)
    test = model.log_prob(data.test).value
    samples = np.concatenate([data.train[:70], data.train[:30]])
    changed = data.train[:30].copy()
    changed[:, 0] = (changed[:, 0] + 1) % 5
    drawn = np.concatenate([samples, changed])
    record, arrays = explain.explain(model, data, test, drawn, seed=0, notes=[])
    assert (record.near.n, record.near.copies) == (130, 100)
    assert record.near.test_copies == 0
    found = Explained.of(arrays)
    assert ((found.near_samples != found.near_train).sum(axis=1) == 1).all()
    assert (found.near_distance == 1).all()


def test_hidden_states_and_ways_between_rows():
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice([*"ab"], n)) for n in rng.integers(1, 6, 200)]
    data = Dataset.from_data(words, "words")
    own, _ = explained(HMM(n_states=2, n_restarts=1).fit(data, budget="5 steps"), data)
    assert own.paths.shape == own.path_rows.shape == (4, data.schema.D)
    assert own.strips is None
    vae = VAE(latent_dim=2, width=8, device="cpu").fit(data, budget="20 steps")
    own, record = explained(vae, data)
    assert own.strips.shape == (explain.N_STRIPS, explain.STRIP_STEPS, data.schema.D)
    assert own.strip_ends.shape == (2 * explain.N_STRIPS, data.schema.D)
    assert own.paths is None
    assert record.terms == "estimate"
    data.schema.check_rows(own.strips.reshape(-1, data.schema.D))


class Slow(Independent):
    """Sums what is missing out in ages, as its clock has it."""

    def _log_prob(self, rows: np.ndarray, *, seed: int) -> LogProb:
        if (rows < 0).any():
            Slow.clock += 100.0
        return super()._log_prob(rows, seed=seed)

    clock = 0.0


class Refuses(Independent):
    def _log_prob(self, rows: np.ndarray, *, seed: int) -> LogProb:
        if (rows < 0).any():
            raise Unsupported("no holes here")
        return super()._log_prob(rows, seed=seed)


def test_what_takes_too_long_or_can_not_be_is_left_out(data, monkeypatch):
    own, record = explained(Refuses().fit(data), data)
    assert record.left_out == {"by variable": "no holes here"}
    assert record.terms is None
    assert own.terms is None
    monkeypatch.setattr(explain.time, "process_time", lambda: Slow.clock)
    _, record = explained(Slow().fit(data), data)
    assert "would take 400 s or more" in record.left_out["by variable"]


def test_the_report_shows_it(data, tmp_path):
    run = genzoo.compare(
        ["independent", "bayesian_network"], [data], out=tmp_path, progress=False, n_jobs=1,
        budget="20 steps",
    )  # fmt: skip
    cells = read_run(tmp_path).cells
    assert all(c.explained.terms is not None for c in cells if c.model != "stack")
    page = run.report()["html"].read_text()
    for part in ("in-words", "wins", "unlikely", "graph"):
        assert f'data-explain="{part}"' in page
    assert "explained.near.copies" in run.report()["numbers"].read_text()
