"""Which family offers what beyond the five methods."""

from __future__ import annotations

import numpy as np
import pytest

import genzoo
from genzoo import GAN, BayesianNetwork, Independent
from genzoo.protocols import (
    Calibrates,
    Certifies,
    DecodesStates,
    HasGraph,
    Interpolates,
    ScoresText,
)

OFFERS = {
    Certifies: {"vae", "gan"},
    ScoresText: {"hmm", "ngram", "transformer"},
    DecodesStates: {"hmm"},
    Interpolates: {"vae", "gan"},
}


@pytest.mark.parametrize("protocol", OFFERS)
def test_families_are_told_by_what_they_have(protocol) -> None:
    made = {key: genzoo.make_model(key) for key in genzoo.list_models()}
    assert {key for key, model in made.items() if isinstance(model, protocol)} == OFFERS[protocol]


def test_calibration_is_there_once_a_model_is_fitted() -> None:
    rows = np.random.default_rng(0).integers(0, 2, (40, 3))
    model = GAN(width=8, device="cpu")
    assert not isinstance(model, Calibrates)
    assert isinstance(model.fit(rows, budget="3 steps"), Calibrates)
    assert model.calibration_.keys() >= {"before", "after", "marginal_weight"}
    assert not isinstance(Independent().fit(rows), Calibrates)


def test_a_network_has_a_graph_by_the_names_of_the_variables() -> None:
    rows = np.random.default_rng(0).integers(0, 2, (40, 3))
    edges = [["x0", "x2"], ["x1", "x2"]]
    model = BayesianNetwork(structure=edges).fit(rows)
    assert isinstance(model, HasGraph)
    assert sorted(model.edges_) == [("x0", "x2"), ("x1", "x2")]
    assert not isinstance(Independent().fit(rows), HasGraph)
