"""Draws after temperature, top-k and top-p at the ends of their ranges."""

import math

import numpy as np
import pytest

from genzoo import TransformerLM
from genzoo.tempering import Tempering

P = np.array([[0.2, 0.5, 0.3], [0.7, 0.0, 0.3]])
with np.errstate(divide="ignore"):
    LOG_P = np.log(P)
TINY = {"d_model": 16, "n_layers": 1, "n_heads": 2, "device": "cpu"}


@pytest.mark.parametrize("temperature", [1e-5, 1e-8, 1e-40, 1e-300, 5e-324, np.float64(1e-320)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_temperature_at_which_probabilities_underflow_is_greedy(temperature, dtype):
    found = np.exp(Tempering(temperature=temperature).changed(LOG_P.astype(dtype)))
    assert found.tolist() == [[0, 1, 0], [1, 0, 0]]


def test_a_cold_draw_between_codes_that_are_as_likely_is_a_fair_one():
    even = np.log([[0.4, 0.4, 0.2]])
    found = np.exp(Tempering(temperature=1e-300).changed(even))
    np.testing.assert_allclose(found, [[0.5, 0.5, 0.0]])


def test_masses_that_are_all_small_are_told_apart():
    far = np.array([[-3e4, -3e4 - 1, -math.inf]])
    found = np.exp(Tempering(temperature=1e-35).changed(far))
    assert found.tolist() == [[1, 0, 0]]


@pytest.mark.parametrize("temperature", [1e30, 1e38, 1e300, 1.7e308])
def test_a_very_high_temperature_is_uniform_on_the_legal_codes(temperature):
    found = np.exp(Tempering(temperature=temperature).changed(LOG_P))
    np.testing.assert_allclose(found, [[1 / 3, 1 / 3, 1 / 3], [0.5, 0, 0.5]])


@pytest.mark.parametrize("top_p", [1e-9, 1e-50, 1e-300, 5e-324])
def test_the_smallest_top_p_keeps_the_likeliest_code(top_p):
    found = np.exp(Tempering(top_p=top_p).changed(LOG_P))
    assert found.tolist() == [[0, 1, 0], [1, 0, 0]]


@pytest.mark.parametrize(
    ("tempering", "expected"),
    [
        (Tempering(), P[0]),
        (Tempering(temperature=0.5), P[0] ** 2 / 0.38),
        (Tempering(top_k=2), [0, 0.625, 0.375]),
        (Tempering(top_k=9), P[0]),
        (Tempering(top_p=0.5), [0, 1, 0]),
        (Tempering(top_p=0.51), [0, 0.625, 0.375]),
        (Tempering(top_p=1.0), P[0]),
        # evened out first: 0.8 is then more than two of the three hold, of 0.5 and 0.3 it is less
        (Tempering(temperature=1e30, top_p=0.8), [1 / 3, 1 / 3, 1 / 3]),
        (Tempering(top_p=0.8), [0, 0.625, 0.375]),
        # of the two that top-k leaves the first holds 0.625
        (Tempering(top_k=2, top_p=0.6), [0, 1, 0]),
    ],
)
def test_the_three_in_their_order(tempering, expected):
    np.testing.assert_allclose(np.exp(tempering.changed(LOG_P))[0], expected, atol=1e-12)


@pytest.mark.parametrize(
    "bad", [{"temperature": -1}, {"top_k": 0}, {"top_k": 1.5}, {"top_p": 0}, {"top_p": 1.1}]
)
def test_values_out_of_range_are_refused_by_name(bad):
    with pytest.raises(ValueError, match=f"{next(iter(bad))}: expected"):
        Tempering(**bad)


@pytest.fixture(scope="module")
def fitted():
    return TransformerLM(**TINY).fit(["abc", "ab", "abcabc", "abca"] * 30, budget="60 steps")


@pytest.mark.parametrize("cold", [1e-12, 1e-45, 1e-300])
def test_samples_and_completions_at_a_tiny_temperature_are_those_of_top_k_1(fitted, cold):
    fitted.set_params(temperature=1.0, top_k=1)
    greedy = fitted.sample(4, seed=1), fitted.sample(4, given="b", seed=1)
    fitted.set_params(temperature=cold, top_k=None)
    assert (fitted.sample(4, seed=2), fitted.sample(4, given="b", seed=3)) == greedy


@pytest.mark.filterwarnings("ignore:.*effective")
def test_holes_before_what_is_given_are_filled_at_a_tiny_temperature():
    rows = np.random.default_rng(0).integers(0, 3, (200, 4))
    model = TransformerLM(**TINY).fit(rows, budget="20 steps").set_params(temperature=1e-300)
    drawn = model.sample(3, given=np.array([-1, -1, 2, -1]), seed=1)
    assert (drawn[:, 2] == 2).all()
    assert len(np.unique(drawn, axis=0)) == 1


@pytest.mark.parametrize("bad", [0, 0.0, -1.0, math.nan, math.inf, "cold", None, True])
def test_other_temperatures_are_refused_by_name(bad):
    with pytest.raises(ValueError, match="temperature: expected a positive number; got"):
        TransformerLM().set_params(temperature=bad)
