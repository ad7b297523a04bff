"""Telling the label: the same rows for everyone, errors over groups, against independent sums.

Seeds are fixed. Coverage is that of 300 simulated sets: a bound of 90 to 98 % is missed by chance,
if it is 95 % in truth, in fewer than one of 1,000 seeds.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

import genzoo
from genzoo import BayesianNetwork, Dataset, Independent, Schema, Unsupported, Variable
from genzoo.benchmark import labels


def table(rows, label="y", **more):
    cards = [2, 3, 3]
    variables = tuple(
        Variable(n, "nominal", c) for n, c in zip(("a", "b", label), cards, strict=True)
    )
    thirds = np.array_split(rows, 3)
    return Dataset("t", Schema(variables, "table", (3,)), *thirds, label=label, **more)


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 900)
    a, b = (y == 1) ^ (rng.random(900) < 0.2), np.where(rng.random(900) < 0.6, y, 0)
    return table(np.stack([a, b, y], axis=1).astype(np.int64))


def test_the_score_is_bayes_rule_on_the_joint(data):
    model = BayesianNetwork().fit(data)
    found, arrays = labels.tell(model, data, seed=0)
    rows = data.test
    joint = np.stack(
        [model.log_prob(np.c_[rows[:, :2], np.full(len(rows), y)]).value for y in range(3)], axis=1
    )
    chosen = labels.labelled_rows(data, "test", 10_000)
    expected = joint[np.arange(len(rows)), rows[:, 2]] - np.logaddexp.reduce(joint, axis=1)
    assert arrays["label_log_prob"] == pytest.approx(expected[chosen])
    assert (arrays["label_right"] == (joint.argmax(axis=1) == rows[:, 2])[chosen]).all()
    test = found.test
    assert test.n == 300
    assert test.log_prob == pytest.approx(expected.mean())
    assert test.accuracy.value == pytest.approx(arrays["label_right"].mean())
    shares = np.exp(joint - np.logaddexp.reduce(joint, axis=1, keepdims=True))
    area = np.mean([roc_auc_score(rows[:, 2] == y, shares[:, y]) for y in range(3)])
    assert test.auc.value == pytest.approx(area)


def test_without_skill(data):
    found, _ = labels.tell(Independent(pseudo_count=1.0).fit(data), data, seed=0)
    test = found.test
    assert test.log_prob == pytest.approx(test.no_skill_log_prob, abs=1e-3)
    assert test.accuracy.value == test.majority
    assert test.auc.value == 0.5


def test_which_rows_are_asked_depends_on_the_data_alone(data, monkeypatch):
    monkeypatch.setattr(labels, "MOST_ROWS", {"valid": 50, "test": 60})
    asked = []
    for model in (Independent(), BayesianNetwork()):
        found, _arrays = labels.tell(model.fit(data), data, seed=3)
        assert (found.valid.n, found.test.n) == (50, 60)
        asked.append(labels.labelled_rows(data, "test", 60))
    assert (asked[0] == asked[1]).all()


def test_a_family_that_would_take_too_long_is_not_judged_on_fewer_rows(data, monkeypatch):
    model, asked, ticks = Independent().fit(data), [], itertools.count()
    told = labels.label_log_probs

    def watched(model, rows, d, *, seed):
        asked.append(len(rows))
        return told(model, rows, d, seed=seed)

    monkeypatch.setattr(labels, "label_log_probs", watched)
    # 16 s pass between two looks at the clock, in which so many rows were told
    monkeypatch.setattr(labels.time, "perf_counter", lambda: 16.0 * next(ticks))
    with pytest.raises(Unsupported, match="300 rows with 3 labels each would take about 150 s"):
        labels.tell(model, data, seed=0)
    assert asked == [32]


@pytest.mark.usefixtures("cells_run_here")
def test_in_a_run_it_is_left_out_with_the_reason(data, tmp_path, monkeypatch):
    monkeypatch.setattr(labels, "MOST_SECONDS", -1.0)
    run = genzoo.compare([Independent()], [data], out=tmp_path, progress=False)
    record = run.records()[0]
    assert record["status"] == "ok"
    assert record["label"]["test"] is None
    assert "would take about" in record["label"]["left_out"]


def test_rows_without_a_label_or_with_holes_are_not_asked():
    rng = np.random.default_rng(1)
    rows = rng.integers(0, 2, (90, 3))
    schema = Schema(
        (Variable("a", "nominal", 2), Variable("b", "nominal", 3),
         Variable("y", "nominal", 3, missing=True)), "table", (3,),
    )  # fmt: skip
    test = rows[60:].copy()
    test[:5, 2], test[5:9, 0] = 2, genzoo.MISSING
    data = Dataset("t", schema, rows[:30], rows[30:60], test, label="y")
    assert labels.labelled_rows(data, "test", 100).tolist() == list(range(9, 30))
    found, _ = labels.tell(Independent().fit(data), data, seed=0)
    assert found.test.n == 21


# ------------------------------------------------------------------------- errors


def test_the_error_of_the_area_is_delongs():
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 2, 80)
    score = truth + rng.standard_normal(80)
    shares = np.stack([-np.logaddexp(0, score), -np.logaddexp(0, -score)], axis=1)
    found = labels.auc(shares, truth, None)
    up, down = score[truth == 1], score[truth == 0]
    wins = (up[:, None] > down) + 0.5 * (up[:, None] == down)
    variance = (wins.mean(1).var(ddof=1) / len(up)) + (wins.mean(0).var(ddof=1) / len(down))
    assert found.value == pytest.approx(wins.mean())
    assert found.value == pytest.approx(stats.mannwhitneyu(up, down).statistic / wins.size)
    # one factor n / (n - 1) for both kinds in place of one for each
    assert found.stderr == pytest.approx(np.sqrt(variance), rel=0.02)


def test_one_class_has_no_area_and_a_perfect_score_an_error():
    shares = np.log(np.full((10, 2), 0.5))
    assert labels.auc(shares, np.zeros(10, dtype=int), None) is None
    perfect = labels.accuracy(np.ones(98, dtype=bool), None)
    assert perfect.value == 1.0
    assert perfect.stderr == pytest.approx(np.sqrt(0.99 * 0.01 / 98))
    by_group = labels.accuracy(np.ones(98, dtype=bool), np.arange(98) // 10)
    assert by_group.stderr > 3 * perfect.stderr


@pytest.mark.parametrize("sizes", [np.full(20, 50), np.linspace(20, 80, 20).astype(int)])
def test_errors_over_groups_cover(sizes):
    """20 groups whose rows are right, and score, together: rows taken as independent cover in
    about 46 %."""
    rng = np.random.default_rng(4)
    group = np.repeat(np.arange(len(sizes)), sizes)
    covered, naive, areas = [], [], []
    for _ in range(300):
        skill = rng.normal(1.0, 0.7, len(sizes))[group]
        truth = rng.integers(0, 2, len(group))
        score = (2 * truth - 1) * skill + rng.standard_normal(len(group))
        right = (score > 0) == truth
        for found, groups in ((covered, group), (naive, None)):
            share = labels.accuracy(right, groups)
            # P(N(1, 0.7^2 + 1) > 0)
            expected = stats.norm.cdf(1 / np.sqrt(1.49))
            found.append(abs(share.value - expected) < 1.96 * share.stderr)
        shares = np.stack([-np.logaddexp(0, score), -np.logaddexp(0, -score)], axis=1)
        area = labels.auc(shares, truth, group)
        areas.append((area.value, area.stderr))
    assert 0.90 <= np.mean(covered) <= 0.98
    assert np.mean(naive) < 0.75
    # an area near 1 is skewed, so normal intervals cover a little less; its error is right
    values, errors = np.array(areas).T
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(values.std(), rel=0.12)
    assert np.mean(np.abs(values - values.mean()) < 1.96 * errors) >= 0.86
