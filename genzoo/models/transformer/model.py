"""An autoregressive transformer: each variable given those before it, in order.

    log p(x) = sum_d log p(x_d | x_0 .. x_{d-1})

One network computes all conditionals of a row in a single pass, each masked to the variable's own
codes, so ``log_prob`` is exact. Sampling draws one variable after the other and keeps the keys and
values of earlier positions. In strings with END the product stops at the first END.

A symbol of a string is a token. Elsewhere a token is a group of variables, a step of a sequence, a
row of pixels or some columns of a table, with a small autoregressive network within it: on two
cores that reaches more in the same time (plants: as good as single columns in a quarter of it).

The mass of a prefix is its own product, and its completions are exact draws. Any other pattern of
``MISSING`` needs a sum over what is missing before the last observed variable: exact where there
are few such completions, else a lower bound by sequential Monte Carlo (``shared/particles.py``).

Text: rows are windows of T characters. Where the whole text is at hand, training windows start
anywhere in it. ``score_text`` scores a text of any length and ``complete`` goes on from a prompt,
both with a sliding window.

Vaswani et al. (2017), Attention is all you need, arXiv:1706.03762. Larochelle & Murray (2011), The
neural autoregressive distribution estimator. Hoffmann et al. (2022), Training compute-optimal large
language models, arXiv:2203.15556. The networks: ``network.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from genzoo.fitting import Fit
from genzoo.models.neural.batches import epochs, windows
from genzoo.models.neural.family import OnDevice
from genzoo.models.neural.modules import Drawn, load_weights, n_weights, weights_of
from genzoo.models.neural.training import Player, fit_network
from genzoo.models.shared import particles
from genzoo.models.shared.text import ScoresText
from genzoo.models.transformer.generation import Tempering, Walk
from genzoo.models.transformer.network import GPT, Autoregressive, GroupedGPT
from genzoo.models.transformer.sizing import SIZES, Sizing
from genzoo.parameters import POSITIVE, Interval
from genzoo.seeding import torch_generator
from genzoo.space.coarsen import marks
from genzoo.space.schema import MISSING
from genzoo.store import pack_json, unpack_json
from genzoo.values import LogProb

BATCH_FLOATS = 2**22  # of a layer's activations in one batch of inference
MOST_VALID_ROWS = 512  # that tell the best weights: more are surer, and take longer each time


class TransformerLM(OnDevice, ScoresText):
    """A decoder-only transformer over the variables of a row.

    >>> model = TransformerLM(device="cpu").fit(["ab", "ba", "abab"] * 20, budget="20 steps")
    >>> model.log_prob(["ab"]).kind
    'exact'

    ``temperature``, ``top_k`` and ``top_p`` change the distribution that ``sample`` and
    ``complete`` draw from: with other values than the defaults samples do *not* follow
    ``log_prob``, which never uses them. They apply to the conditionals of what is drawn; entries
    that are given keep the model's own masses.

    Args:
        d_model: width, a multiple of ``2 * n_heads``; None: 32, 64, 96 or 128, as far as data and
            budget are large enough for it.
        n_layers: blocks; None: 2 or 3, with the width.
        n_heads: attention heads; None: one for each 16 of the width (32 in sequences).
        group_size: variables a token; None: a step of a sequence (a symbol of a string), a row of
            pixels, or some sqrt(D) of a table's D columns (one where there are numbers).
        dropout: in [0, 1); None: 0, 0.1 or 0.2, the more often training passes over the rows.
        temperature: each conditional is raised to the power 1 / temperature; positive. One so small
            that all but the likeliest codes lose their mass is greedy: it draws these alone.
        top_k: draw only among the k likeliest codes; None for all.
        top_p: draw only among the likeliest codes that together hold this mass, in (0, 1]; None
            for all.
        device: ``"auto"`` (an accelerator where there is one), ``"cpu"``, ``"cuda"``, ...
    """

    parameters = {
        "d_model": Interval(int, optional=True),
        "n_layers": Interval(int, optional=True),
        "n_heads": Interval(int, optional=True),
        "group_size": Interval(int, optional=True),
        "dropout": Interval(float, 0, 1, closed="left", optional=True),
        "temperature": POSITIVE,
        "top_k": Interval(int, optional=True),
        "top_p": Interval(float, 0, 1, closed="right", optional=True),
        **OnDevice.parameters,
    }

    def __init__(
        self,
        *,
        d_model: int | None = None,
        n_layers: int | None = None,
        n_heads: int | None = None,
        group_size: int | None = None,
        dropout: float | None = None,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        device: str = "auto",
    ) -> None:
        self.d_model = d_model
        self.n_layers = n_layers
        self.n_heads = n_heads
        self.group_size = group_size
        self.dropout = dropout
        self.temperature = temperature
        self.top_k = top_k
        self.top_p = top_p
        self.device = device

    def _check_params(self) -> None:
        super()._check_params()
        least = 2 * (self.n_heads or 1)
        if self.d_model is not None and self.d_model % least:
            raise ValueError(
                f"d_model: expected a multiple of 2 * n_heads = {least}; got {self.d_model}"
            )
        smallest = SIZES[0][0]
        if self.d_model is None and self.n_heads is not None and smallest % least:
            raise ValueError(
                f"n_heads: expected a power of two up to {smallest // 2} where d_model is None; "
                f"got {self.n_heads}"
            )

    # ---------------------------------------------------------------- fitting

    def _fit(self, rows: np.ndarray, valid: np.ndarray | None, fit: Fit) -> None:
        assert valid is not None  # the class selects
        T = self.schema_.D
        text = [codes for codes in self._text_codes(fit, "train") or () if len(codes) >= T]
        n = max(len(rows), sum(map(len, text)) // T)
        chosen = fit.rng("transformer", "valid").permutation(len(valid))
        held_out = valid[np.sort(chosen[:MOST_VALID_ROWS])]
        sizing = Sizing(
            self.schema_, self.d_model, self.n_layers, self.n_heads, self.group_size, self.dropout
        )
        sizes, recipe = sizing.plan(n, len(held_out), fit.budget)
        self._build(sizes, seed=fit.seed)
        network = self.network_
        network.start_at_marginals(rows)
        if text:
            draw_batch = windows(text, T, recipe.batch_size)
        else:
            draw_batch = epochs(torch.as_tensor(rows), recipe.batch_size)

        def loss(x: Tensor, generator: torch.Generator) -> Tensor:
            return -network.heads.row_log_prob(network(x), x).mean()

        fit_network(
            [Player(network, loss, outer=network.outer())],
            draw_batch=draw_batch,
            evaluate=lambda: self._terms(held_out).sum(axis=1),
            recipe=recipe,
            fit=fit,
            device=self.device,
        )

    def _networks(self) -> list[nn.Module]:
        return [self.network_]

    def _build(self, sizes: dict[str, Any], seed: int = 0) -> None:
        self.sizes_ = sizes
        kind = GroupedGPT if "group" in sizes else GPT
        with Drawn(torch_generator(seed, "transformer", "init")):
            self.network_: Autoregressive = kind(self.schema_, **sizes)

    # ---------------------------------------------------------------- queries

    def _log_prob(self, rows: np.ndarray, *, seed: int) -> LogProb:
        observed = rows != MISSING
        holes = particles.has_holes(rows)
        prefix, other = np.flatnonzero(~holes), np.flatnonzero(holes)
        parts = []
        if len(prefix):
            terms = self._terms(np.where(observed, rows, 0)[prefix])
            exact = LogProb.exact(np.where(observed[prefix], terms, 0.0).sum(axis=1))
            parts.append((prefix, exact))
        if len(other):
            parts.append(
                (other, particles.log_prob(self._process(), rows[other], other, seed=seed))
            )
        return particles.joined(parts, len(rows))

    def _process(self) -> particles.Process:
        network, schema = self.network_, self.schema_
        cached = sum(t[0].numel() for t in network.new_cache(1).tensors)
        return particles.Process(
            order=range(schema.D),
            cards=schema.cards,
            walk=lambda n: Walk(network, n),
            numbers=cached + int(schema.cards.max()),
            end=schema.end,
        )

    @torch.no_grad()
    def _terms(self, rows: np.ndarray) -> np.ndarray:
        """(n, D) float64 log mass of each code given those before it; 0 after an END."""
        network = self.network_
        device = network.start.device
        parts = []
        for x in torch.as_tensor(rows).split(self._inference_batch()):
            x = x.to(device)
            terms = network.heads.log_prob(network(x), x)
            parts.append((terms * network.heads.reached(x)).double().cpu())
        return torch.cat(parts).numpy()

    def _inference_batch(self) -> int:
        network = self.network_
        tokens = network.n_tokens * 4 * network.d_model
        variables = self.schema_.D * max(network.embed.embedding_dim, *network.heads.widths)
        return max(1, BATCH_FLOATS // max(tokens, variables))

    @torch.no_grad()
    def _sample(self, n: int, given: np.ndarray | None, *, seed: int) -> np.ndarray:
        if given is None:
            given = np.full((n, self.schema_.D), MISSING)
        given = self._without_holes(given, seed)
        network, tempering = self.network_, self._tempering()
        device = network.start.device
        generator = torch_generator(seed, "transformer", "sample", device=device)
        parts = []
        for x in torch.as_tensor(given).split(self._inference_batch()):
            x = x.to(device, copy=True)
            cache = network.new_cache(len(x))
            for d in range(self.schema_.D):
                log_p = network.next_log_probs(d, x[:, d - 1] if d else None, cache)
                drawn = tempering.draw(log_p, generator)
                x[:, d] = torch.where(x[:, d] == MISSING, drawn, x[:, d])
            parts.append(network.heads.settled(x).cpu())
        return torch.cat(parts).numpy()

    def _without_holes(self, given: np.ndarray, seed: int) -> np.ndarray:
        """Rows whose observed entries are a prefix: what is missing before the last of them drawn,
        given all of them."""
        holes = np.flatnonzero(particles.has_holes(given))
        if len(holes) == 0:
            return given
        tempering = self._tempering()

        def changed(log_p: np.ndarray) -> np.ndarray:
            return tempering.changed(torch.as_tensor(log_p)).numpy()

        filled = given.copy()
        filled[holes], ess = particles.complete(
            self._process(),
            given[holes],
            holes,
            seed=seed,
            barred=marks(self.schema_),
            change=None if tempering == Tempering() else changed,
        )
        particles.warn_if_few(ess)
        return filled

    def _tempering(self) -> Tempering:
        return Tempering(self.temperature, self.top_k, self.top_p)

    # ---------------------------------------------------------------- text

    @torch.no_grad()
    def _continued(self, codes: list[int], seed: int) -> Iterator[int]:
        """Up to T codes in all are a draw of the model given the first ones; beyond, the window
        slides: it starts anew from the last half of it."""
        T, network, tempering = self.schema_.D, self.network_, self._tempering()
        generator = torch_generator(seed, "transformer", "complete", device=network.start.device)
        start = len(codes) - T // 2 if len(codes) >= T else 0  # where the window begins
        while True:
            cache = network.new_cache(1)
            for d in range(T):
                previous = network.low.new_tensor([codes[start + d - 1]]) if d else None
                log_p = network.next_log_probs(d, previous, cache)
                if start + d == len(codes):
                    yield int(tempering.draw(log_p, generator))
            start = len(codes) - T // 2

    # ---------------------------------------------------------------- state

    def _state(self) -> dict[str, np.ndarray]:
        return {"sizes": pack_json(self.sizes_), **weights_of(self.network_)}

    def _restore(self, arrays: dict[str, np.ndarray]) -> None:
        self._build(unpack_json(arrays["sizes"]))
        load_weights(self.network_, arrays, self.device)

    @property
    def n_parameters_(self) -> int:
        """The number of trained weights."""
        return n_weights(self.network_)
