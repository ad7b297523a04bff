"""The bound that trains a decoder and its proposal together.

    log (1/k) sum_i w_i,    w_i = p(x | z_i) (p(z_i) / q(z_i | x))^b,    z_i ~ q(z | x)

is the importance-weighted bound of a few draws (Burda, Grosse & Salakhutdinov 2016); b rises from 0
to 1 in the first part of training (KL warm-up, Bowman et al. 2016), so that the decoder learns to
use z before z has a price; else it may never (posterior collapse). The proposal's gradient is the
doubly reparameterised one, whose noise does not drown it as k grows (Tucker et al. 2019), which at
b < 1 is

    E sum_i (b u_i^2 + (1 - b) u_i) dlog w_i/dz_i dz_i/dphi,    u_i = w_i / sum_j w_j

for the parameters phi of q. For by reparameterisation it is the mean of
sum_i u_i (dlog w_i/dz_i dz_i/dphi - b dlog q(z_i | x)/dphi), and by reparameterisation again the
score's part, of u_i dlog q(z_i | x)/dphi, has the mean of du_i/dz_i dz_i/dphi, in which
du_i/dz_i = u_i (1 - u_i) dlog w_i/dz_i.

Burda, Grosse & Salakhutdinov (2016), arXiv:1509.00519. Bowman et al. (2016), arXiv:1511.06349.
Tucker, Lawson, Gu & Maddison (2019), arXiv:1810.04152.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from genzoo.models.neural.importance import LogLikelihood, Propose, log_prior_ratio


def training_bound(
    propose: Propose,
    log_likelihood: LogLikelihood,
    x: Tensor,
    k: int,
    b: float,
    generator: torch.Generator,
) -> Tensor:
    """(B,) the bound of codes x (B, D) in nats, by k draws each, with the gradient above."""
    mean, log_sd = propose(x)
    shape = (k, *mean.shape)
    noise = torch.randn(shape, generator=generator, device=mean.device)
    z = mean + noise * torch.exp(log_sd)  # (k, B, Z)
    # q's own parameters are held fixed in log q: their score has mean 0, and noise
    log_ratio = log_prior_ratio(z, mean.detach(), log_sd.detach())
    log_w = log_likelihood(z, x) + b * log_ratio  # (k, B)
    share = log_w.detach().softmax(dim=0)
    # each draw has its share once by the surrogate; the proposal's gradient, all of which flows
    # through z, wants b share^2 + (1 - b) share
    if z.requires_grad:
        z.register_hook(lambda gradient: gradient * (b * share + (1 - b)).unsqueeze(-1))
    surrogate = (share * log_w).sum(dim=0)  # its gradient is the bound's, its value is not
    bound = log_w.detach().logsumexp(dim=0) - math.log(k)
    return surrogate + (bound - surrogate.detach())
