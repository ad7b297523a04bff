"""Muon, all matrices of one shape at once.

The step of ``torch.optim.Muon`` (tests compare the two), which works matrix by matrix; on the CPU
and for the small networks here that costs as much as the rest of a training step. Matrices of one
shape, up to transposition, are stacked, and their momentum is made orthogonal together.

Jordan et al. (2024), Muon: an optimizer for hidden layers, kellerjordan.github.io/posts/muon.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

MOMENTUM = 0.95
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
NEWTON_SCHULZ_STEPS = 5
SMALL = 32  # float32 took 0.6 of the time there, and 1.2 times as long at 64 (on one core)
# Processors without instructions for bfloat16 took 20 times as long with it.
CPU_HAS_BFLOAT16 = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


class Muon(torch.optim.Optimizer):
    """Args:
    params: matrices.
    lr: learning rate; a matrix with more rows than columns moves sqrt(rows / columns) times more.
    weight_decay: decoupled, times ``lr``.
    """

    def __init__(self, params: Iterable[nn.Parameter], *, lr: float, weight_decay: float) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]  # no closure here
        for group in self.param_groups:
            stacks: dict[tuple[int, int], list[Tensor]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    stacks.setdefault((min(p.shape), max(p.shape)), []).append(p)
            for matrices in stacks.values():
                self._move(matrices, group["lr"], group["weight_decay"])

    def _move(self, matrices: list[Tensor], lr: float, weight_decay: float) -> None:
        grads = [p.grad for p in matrices if p.grad is not None]
        momenta = [self.state[p].setdefault("momentum", torch.zeros_like(p)) for p in matrices]
        torch._foreach_lerp_(momenta, grads, 1 - MOMENTUM)
        ahead = torch._foreach_lerp(grads, momenta, MOMENTUM)  # Nesterov
        tall = [len(p) > p.shape[1] for p in matrices]
        stack = torch.stack([u.T if t else u for u, t in zip(ahead, tall, strict=True)])
        flat = orthogonal(stack).to(matrices[0].dtype).unbind()
        updates = [u.T if t else u for u, t in zip(flat, tall, strict=True)]
        torch._foreach_mul_(matrices, 1 - lr * weight_decay)
        for p, update in zip(matrices, updates, strict=True):
            p.add_(update, alpha=-lr * math.sqrt(max(1.0, len(p) / p.shape[1])))


def orthogonal(x: Tensor) -> Tensor:
    """(n, a, b) wide matrices with their singular values moved near 1, in bfloat16 where that is
    fast: of small ones there is more to convert than to compute."""
    a, b, c = NEWTON_SCHULZ
    if x.shape[1] > SMALL and (CPU_HAS_BFLOAT16 or x.device.type != "cpu"):
        x = x.bfloat16()
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    for _ in range(NEWTON_SCHULZ_STEPS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x
