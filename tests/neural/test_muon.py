"""Muon takes the same steps as the one in torch, which works matrix by matrix."""

from __future__ import annotations

import torch

from genzoo.models.neural.muon import Muon


def matrices() -> list[torch.nn.Parameter]:
    generator = torch.Generator().manual_seed(0)
    shapes = [(8, 8), (8, 8), (32, 8), (8, 32), (5, 3)]
    return [torch.nn.Parameter(torch.randn(s, generator=generator)) for s in shapes]


def test_steps_equal_those_of_torch() -> None:
    ours, theirs = matrices(), matrices()
    a = Muon(ours, lr=0.02, weight_decay=0.1)
    b = torch.optim.Muon(theirs, lr=0.02, weight_decay=0.1)
    generator = torch.Generator().manual_seed(1)
    for _ in range(10):
        for p, q in zip(ours, theirs, strict=True):
            p.grad = torch.randn(p.shape, generator=generator)
            q.grad = p.grad.clone()
        a.step()
        b.step()
    for p, q, before in zip(ours, theirs, matrices(), strict=True):
        assert (p - before).abs().max() > 0.01
        torch.testing.assert_close(p, q, atol=2e-3, rtol=0)  # bfloat16 inside


def test_a_matrix_without_gradient_stays() -> None:
    a, b = matrices()[:2]
    b.grad = torch.ones_like(b)
    before = a.detach().clone()
    Muon([a, b], lr=0.1, weight_decay=0.1).step()
    assert torch.equal(a, before)
