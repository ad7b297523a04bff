"""What all data sets say together: mean ranks, signed ranks, probabilities and q-values."""

from __future__ import annotations

import math
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pytest
from demo_run import write_demo
from reading import page_of
from scipy import stats

from genzoo.results.discoveries import discoveries
from genzoo.results.pairs import Pair
from genzoo.results.ranks import Compared, ranks
from genzoo.results.signed_rank import beliefs, posterior
from genzoo.results.statistics import LEVEL, holm


def compared(
    exact: dict[str, list[float]], bounds: dict[str, list[float]] | None = None
) -> Compared:
    """Values in nats that are shares of the way as well."""
    of = {m: np.array(v, dtype=float) for m, v in exact.items()}
    low = {m: np.array(v, dtype=float) for m, v in (bounds or {}).items()}
    n = len(next(iter(of.values())))
    return Compared([f"d{i}" for i in range(n)], of, low, of | low, {}, {})


def some(rng: np.random.Generator, k: int, n: int) -> dict[str, list[float]]:
    return {f"m{i}": rng.standard_normal(n).tolist() for i in range(k)}


def test_mean_ranks_and_their_tests_are_those_of_scipy() -> None:
    rng = np.random.default_rng(1)
    exact = some(rng, 4, 9)
    found = ranks(compared(exact))
    assert found is not None
    values = np.array(list(exact.values()))
    expected = stats.rankdata(-values, axis=0).mean(axis=1)
    assert [found.mean[m] for m in exact] == pytest.approx(expected.tolist())
    assert list(found.mean.values()) == sorted(found.mean.values())
    assert found.friedman == pytest.approx(stats.friedmanchisquare(*values).pvalue)
    raw = [stats.wilcoxon(np.subtract(exact[a], exact[b])).pvalue
           for a, b in (t.models for t in found.pairs)]  # fmt: skip
    assert [t.p_value for t in found.pairs] == pytest.approx(raw)
    assert [t.adjusted for t in found.pairs] == pytest.approx(holm(raw).tolist())
    assert {frozenset(t.models) for t in found.pairs} == {
        frozenset(p) for p in combinations(exact, 2)
    }


def test_the_least_p_value_is_said() -> None:
    """Five data sets can't tell any of ten pairs apart, however clear: 2^-4 is above 0.005."""
    clear = {f"m{i}": [-float(i) - d / 100 for d in range(5)] for i in range(5)}
    few = ranks(compared(clear))
    assert few is not None
    assert few.smallest == min(t.p_value for t in few.pairs) == 2**-4
    assert not few.can_tell
    assert not [t for t in few.pairs if t.winner]
    n = few.needed
    more = {f"m{i}": [-float(i) - d / 100 for d in range(n)] for i in range(5)}
    able = ranks(compared(more))
    assert able is not None
    assert able.can_tell
    assert any(t.winner for t in able.pairs)
    fewer = ranks(compared({m: v[:-1] for m, v in more.items()}))
    assert fewer is not None
    assert not fewer.can_tell


def test_a_bound_wins_and_never_loses() -> None:
    low = [float(i) for i in range(12)]
    exact = {"a": low, "b": [v - 0.3 for v in low]}
    above, below = [v + 1 + v / 50 for v in low], [v - 1 - v / 50 for v in low]
    found = ranks(compared(exact, {"high": above, "low": below}))
    assert found is not None
    assert {t.models[0] for t in found.of_bounds if t.winner} == {"high"}
    assert all(t.winner in (None, "high") for t in found.of_bounds)
    assert all("high" not in t.models and "low" not in t.models for t in found.pairs)
    assert found.at_most == {"high": 1.0, "low": 3.0}
    # a bound that were higher would rank as well or better
    raised = ranks(compared(exact, {"high": above, "low": [v + 0.8 for v in low]}))
    assert raised is not None
    assert raised.at_most["low"] <= found.at_most["low"]


def test_groups_are_all_pairs_that_are_not_told_apart() -> None:
    """A family in between may be told apart from both of which the outer ones are not."""
    rng = np.random.default_rng(3)
    exact = some(rng, 3, 20) | {"far": (rng.standard_normal(20) - 8).tolist()}
    found = ranks(compared(exact))
    assert found is not None
    together = {frozenset(p) for g in found.groups for p in combinations(g, 2)}
    assert together == {frozenset(t.models) for t in found.pairs if t.winner is None}
    assert not any("far" in g for g in found.groups)


def test_ranks_need_two_data_sets_and_two_families() -> None:
    assert ranks(compared({"a": [1.0], "b": [2.0]})) is None
    assert ranks(compared({"a": [1.0, 2.0]})) is None
    level = ranks(compared({m: [1.0, 2.0, 3.0] for m in "abc"}))
    assert level is not None
    assert level.friedman == 1.0
    assert set(level.mean.values()) == {2.0}
    assert not [t for t in level.pairs if t.winner]


def test_what_ranks_call_level_is_not_told_apart() -> None:
    """Noise of the last digits is no difference, however often it has the same sign."""
    rng = np.random.default_rng(4)
    low = rng.standard_normal(12)
    found = ranks(compared({"a": (low + 1e-13).tolist(), "b": low.tolist()}))
    assert found is not None
    assert found.mean == {"a": 1.5, "b": 1.5}
    assert found.pairs[0].p_value == 1.0
    assert found.pairs[0].winner is None


def test_families_told_apart_by_ranks_are_rarely_equal() -> None:
    """Five equal families, 20 data sets, 400 repeats: some pair is told apart in at most 5 %, and
    three Monte Carlo errors (1.1 % each); the false-alarm rate of this test is 0.1 %."""
    rng = np.random.default_rng(0)
    hits = [
        any(t.winner for t in found.pairs)
        for _ in range(400)
        for found in [ranks(compared(some(rng, 5, 20)))]
        if found is not None
    ]
    assert len(hits) == 400
    assert np.mean(hits) <= LEVEL + 3 * math.sqrt(LEVEL * (1 - LEVEL) / 400)


def test_the_posterior_is_that_of_draws_made_by_hand() -> None:
    """Against a plain simulation of the Dirichlet process; of 4,000 draws, to four errors."""
    d, rope, n = np.array([0.03, -0.02, 0.2, 0.005, 0.11, -0.04]), 0.01, 4000
    rng = np.random.default_rng(5)
    points, counts = [0.0, *d], np.zeros(3)
    for _ in range(n):
        gammas = rng.gamma([0.5, *np.ones(len(d))])
        w = gammas / gammas.sum()
        parts = np.zeros(3)
        for (i, a), (j, b) in product(enumerate(points), repeat=2):
            mean = (a + b) / 2
            parts[0 if mean > rope else 2 if mean < -rope else 1] += w[i] * w[j]
        counts[parts.argmax()] += 1
    for said, p in zip(posterior(d, rope), counts / n, strict=True):
        assert said == pytest.approx(p, abs=4 * math.sqrt(0.25 / n) + 0.004)


def test_the_posterior_has_two_sides_and_a_rope() -> None:
    d = np.array([0.1, 0.2, 0.15, -0.05, 0.12])
    right, within, left = posterior(d)
    assert posterior(-d) == pytest.approx((left, within, right), abs=0.01)
    assert right + within + left == pytest.approx(1.0)
    assert posterior(np.full(9, 0.001))[1] > 0.99
    assert posterior(d) == posterior(d)  # the draws are always the same
    for bad in (np.array([]), np.array([np.nan, 1.0]), np.ones((2, 2))):
        with pytest.raises(ValueError, match="differences"):
            posterior(bad)
    with pytest.raises(ValueError, match="rope"):
        posterior(d, rope=0.0)


def test_beliefs_need_five_data_sets_and_exact_values() -> None:
    rng = np.random.default_rng(2)
    of = compared(some(rng, 3, 5), {"bound": rng.standard_normal(5).tolist()})
    assert {b.models for b in beliefs(of)} == {("m0", "m1"), ("m0", "m2"), ("m1", "m2")}
    assert beliefs(compared(some(rng, 3, 4))) == []


def pair(p_value: float) -> Pair:
    return Pair(("a", "b"), None, None, p_value)


def test_q_values_are_those_of_benjamini_and_hochberg() -> None:
    p = [0.001, math.nan, 0.04, 0.2, 0.03]
    found = discoveries([(f"d{i}", pair(value)) for i, value in enumerate(p)])
    assert [f.dataset for f in found] == [
        "d0",
        "d2",
        "d3",
        "d4",
    ]  # what can't be told isn't counted
    # by hand: p times 4 over its place, the least from there on
    assert [f.q_value for f in found] == pytest.approx([0.004, 0.04 * 4 / 3, 0.2, 0.04 * 4 / 3])
    assert [f.found for f in found] == [True, False, False, False]
    assert discoveries([("d", pair(math.nan))]) == []


def test_the_part_is_of_several_data_sets_alone(tmp_path: Path) -> None:
    page = page_of(write_demo(tmp_path / "many"))
    part = page.one("section", part="across")
    assert part.all("svg")
    assert not page_of(write_demo(tmp_path / "one", datasets=("flowers",))).all(part="across")
