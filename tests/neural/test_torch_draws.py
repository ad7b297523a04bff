"""Draws in torch follow their masses; each chi-square test is at 1e-6."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

from genzoo.models.neural.draws import categorical, gumbelled, uniform

P = torch.tensor([0.1, 0.0, 0.6, 0.3])
N = 20_000


def by_gumbel(generator: torch.Generator) -> torch.Tensor:
    return gumbelled((3 + P.log()).expand(N, -1), generator).argmax(dim=-1)


def by_inversion(generator: torch.Generator) -> torch.Tensor:
    return categorical(P.expand(N, -1), generator)


@pytest.mark.parametrize("draw", [by_gumbel, by_inversion])
def test_draws_follow_the_masses_and_nothing_without_mass_is_drawn(draw) -> None:
    counts = np.bincount(draw(torch.Generator().manual_seed(0)), minlength=4)
    assert counts[1] == 0
    expected = N * P[[0, 2, 3]].double().numpy() / P.double().sum().item()
    assert stats.chisquare(counts[[0, 2, 3]], expected).pvalue > 1e-6


def test_leading_dimensions_are_kept() -> None:
    p = P.expand(5, 2, 4)
    assert categorical(p, None).shape == (5, 2)
    assert gumbelled(p.log(), None).shape == (5, 2, 4)


def test_uniform_numbers_have_finite_logarithms() -> None:
    class Ends(torch.overrides.TorchFunctionMode):
        """The generator's smallest and largest number, which are rare."""

        def __torch_function__(self, function, types, args=(), kwargs=None):
            if function is torch.rand:
                return torch.tensor([0.0, 1 - 2.0**-24])
            return function(*args, **(kwargs or {}))

    with Ends():
        drawn = uniform((2,), None, P)
    assert torch.isfinite(drawn.log()).all()
    assert torch.isfinite(torch.log(-drawn.log())).all()
    assert torch.isfinite(torch.logit(drawn)).all()
    assert math.isclose(drawn[1], 1, abs_tol=1e-6)
