"""Declared values of a constructor's arguments."""

from __future__ import annotations

import math

import numpy as np
import pytest

from genzoo.models.independent import Independent
from genzoo.parameters import POSITIVE, Interval, Options, Text, check_integer

NUMBERS = {
    "a positive integer": (Interval(int), [1, np.int64(7)], [0, -1, 1.0, True, None, "1"]),
    "a positive integer or None": (Interval(int, 1, optional=True), [1, None], [0, math.nan]),
    "an integer of at least 2": (Interval(int, 2), [2, 10**9], [1, np.bool_(True), [2]]),
    "an integer in [0, 5]": (Interval(int, 0, 5), [0, 5], [-1, 6, 2.5]),
    "a positive number": (POSITIVE, [1, 1e-300, np.float32(2)], [0, 0.0, math.inf, math.nan]),
    "a number in [0, 1]": (Interval(float, 0, 1), [0, 1, 0.5], [-1e-9, 1.1, False, "0.5"]),
    "a number in [0, 1)": (Interval(float, 0, 1, closed="left"), [0, 0.99], [1, 1.0, -0.1]),
    "a number in (0, 1]": (Interval(float, 0, 1, closed="right"), [1, 0.01], [0, 0.0]),
    "a number in (0, 1)": (Interval(float, 0, 1, closed="neither"), [0.5], [0, 1]),
    "a number in [0, 1) or None": (
        Interval(float, 0, 1, closed="left", optional=True),
        [None, 0],
        [1, np.array([0.5])],
    ),
}
OTHERS = {
    "one of 'iwae', 'ais'": (Options("iwae", "ais"), ["iwae", "ais"], ["elbow", None, 1]),
    "one of True, 'auto', None": (
        Options(True, "auto", None),
        [True, "auto", None],
        [1, False, np.array([1, 2]), 1.0],
    ),
    '"auto", "cpu", ...': (Text('"auto", "cpu", ...'), ["cpu", "cuda:1"], ["", None, 3, b"cpu"]),
}


@pytest.mark.parametrize("expected", [*NUMBERS, *OTHERS])
def test_a_rule_takes_what_it_says_and_names_what_came(expected):
    rule, good, bad = (NUMBERS | OTHERS)[expected]
    for value in good:
        rule.check("width", value)
    for value in bad:
        with pytest.raises(ValueError) as error:
            rule.check("width", value)
        assert str(error.value) == f"width: expected {expected}; got {value!r}"


def test_check_integer_is_an_interval():
    check_integer("n", 3, least=3)
    check_integer("n", None, optional=True)
    with pytest.raises(ValueError, match="n: expected an integer of at least 3; got 2"):
        check_integer("n", 2, least=3)


def test_what_a_class_declares_is_checked_wherever_parameters_come_from():
    class Wide(Independent):
        parameters = {"width": Interval(int, 2), "mode": Options("a", "b")}

        def __init__(self, *, width=2, mode="a"):
            super().__init__()
            self.width, self.mode = width, mode

    with pytest.raises(ValueError, match="width: expected an integer of at least 2; got 1"):
        Wide(width=1).fit(["a"])
    model = Wide()
    with pytest.raises(ValueError, match="mode: expected one of 'a', 'b'; got 'c'"):
        model.set_params(width=3, mode="c")
    assert (model.width, model.mode) == (2, "a")
    assert model.set_params(width=3).width == 3
