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

import itertools
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from genzoo.fitting import Budget, Fit
from genzoo.model import GenerativeModel
from genzoo.models.neural.heads import is_long
from genzoo.models.neural.training import (
    Player,
    Recipe,
    epochs,
    fit_network,
    load_weights,
    weights_of,
)
from genzoo.models.shared import particles
from genzoo.models.shared.text import ScoresText
from genzoo.models.transformer.network import GPT, Autoregressive, GroupedGPT
from genzoo.parameters import check_integer
from genzoo.seeding import check_seed, numpy_rng, torch_generator, torch_seeded
from genzoo.space.coarsen import marks
from genzoo.space.schema import MISSING, Schema
from genzoo.store import pack_json, unpack_json
from genzoo.values import LogProb

BATCH_NUMBERS = 2**22  # floats of a layer's activations in one batch of inference
MOST_VALID_ROWS = 512
# Width, blocks and, within groups, the estimator's width. A network must see some entries (rows
# times variables, repeated ones too) for each of its weights (Hoffmann et al. 2022), and the data
# must hold one or two for each.
SIZES = ((32, 2, 32), (64, 2, 96), (96, 3, 128), (128, 3, 128))
ENTRIES_PER_WEIGHT = 20
MOST_PASSES = 60  # over the rows that are still of use
# Dropout from so many passes over the rows on.
DROPOUTS = {0: 0.0, 3: 0.1, 20: 0.2}
SEQUENCE_DROPOUTS = {0: 0.0, 15: 0.1}
# What a fit without a budget may take, at this many operations a second (of one core).
DEFAULT_SECONDS, SPEED = 600.0, 2e10
FEWEST_STEPS, SHORTEST_FIT = 500, 3000
MOST_TOKENS = 2048  # a batch
WIDEST_SINGLE = 128  # columns


class TransformerLM(GenerativeModel, ScoresText):
    """A decoder-only transformer over the variables of a row.

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
        temperature: each conditional is raised to the power 1 / temperature; positive.
        top_k: draw only among the k likeliest codes; None for all.
        top_p: draw only among the likeliest codes that together hold this mass, in (0, 1]; None
            for all.
        device: ``"auto"`` (an accelerator where there is one), ``"cpu"``, ``"cuda"``, ...

    References: see the module.
    """

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
        for name in ("d_model", "n_layers", "n_heads", "group_size", "top_k"):
            check_integer(name, getattr(self, name), optional=True)
        for name, low, high in (("dropout", 0, 1), ("temperature", 0, math.inf), ("top_p", 0, 1)):
            value = getattr(self, name)
            if value is None and name != "temperature":
                continue
            if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
                raise ValueError(f"{name}: expected a number; got {value!r}")
            inside = low <= value < high if name == "dropout" else low < value <= high
            if not inside or value == math.inf:
                span = {"dropout": "[0, 1)", "temperature": "(0, inf)", "top_p": "(0, 1]"}[name]
                raise ValueError(f"{name}: expected a number in {span}; got {value!r}")
        if not isinstance(self.device, str) or not self.device:
            raise ValueError(f'device: expected "auto", "cpu", "cuda", ...; got {self.device!r}')
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
        seed, budget, progress = fit.seed, fit.budget, fit.report
        assert valid is not None  # the class selects
        text = [s for s in self._text_codes(fit, "train") or () if len(s) >= self.schema_.D] or None
        n = len(rows) if text is None else max(len(rows), sum(map(len, text)) // self.schema_.D)
        chosen = numpy_rng(seed, "transformer", "valid").permutation(len(valid))
        held_out = valid[np.sort(chosen[:MOST_VALID_ROWS])]
        sizes, recipe = self._plan(n, len(held_out), budget)
        self._build(sizes, seed=seed)
        network = self.network_
        network.start_at_marginals(rows)
        if text is None:
            draw_batch = epochs(torch.as_tensor(rows), recipe.batch_size)
        else:
            draw_batch = _Windows(text, self.schema_.D, recipe.batch_size)

        def loss(x: Tensor, generator: torch.Generator) -> Tensor:
            return -self._row_log_prob(x).mean()

        def evaluate() -> np.ndarray:
            return self._terms(held_out).sum(axis=1)

        fit.training = fit_network(
            [Player(network, loss, outer=network.outer())],
            draw_batch=draw_batch,
            evaluate=evaluate,
            recipe=recipe,
            budget=budget,
            seed=seed,
            progress=progress,
            device=self.device,
        )

    def _plan(self, n: int, n_valid: int, budget: Budget) -> tuple[dict[str, Any], Recipe]:
        """The network's arguments, and how to train it, for n training rows."""
        seconds = DEFAULT_SECONDS if budget.seconds is None else budget.seconds
        # the positions of a sequence share all weights: fewer rows will do, and less dropout
        shares = self.schema_.layout == "sequence"
        needed = 1 if shares else 2
        plans = [self._sized(*size) for size in SIZES]
        if self.d_model is not None or self.n_layers is not None:
            plans = plans[1:2]  # what is not given is of the middle size
        sizes = plans[0]
        for larger in plans[1:]:
            weights, cost = self._weights_and_cost(larger)
            seen = min(MOST_PASSES * n, seconds * SPEED / cost) * self.schema_.D
            if needed * weights <= n * self.schema_.D and weights * ENTRIES_PER_WEIGHT <= seen:
                sizes = larger
        affordable = seconds * SPEED / self._weights_and_cost(sizes)[1]
        n_tokens = -(-self.schema_.D // sizes.get("group", 1))
        # small enough for some hundreds of steps, and for many steps in a pass
        most = int(min(MOST_TOKENS / n_tokens, affordable / FEWEST_STEPS, max(16, n / 300)))
        batch_size = min(n, max(8, most))
        useful = max(SHORTEST_FIT, math.ceil(MOST_PASSES * n / batch_size))
        steps = min(useful, max(FEWEST_STEPS, int(affordable / batch_size)))
        passes = (budget.steps or steps) * batch_size / n
        if self.dropout is None:
            rates = SEQUENCE_DROPOUTS if shares else DROPOUTS
            sizes["dropout"] = max(rate for least, rate in rates.items() if passes >= least)
        # a row costs a third in validation; a tenth of the work goes there
        evaluate_every = max(10, math.ceil(10 * n_valid / (3 * batch_size)))
        return sizes, Recipe(
            steps=steps,
            most_steps=useful,
            batch_size=batch_size,
            evaluate_every=evaluate_every,
        )

    def _sized(self, d_model: int, n_layers: int, width: int) -> dict[str, Any]:
        """The network's arguments at a size, the caller's own in place of it."""
        schema = self.schema_
        d_model = int(self.d_model or d_model)
        # rotary positions want several frequencies a head
        head_size = 32 if schema.layout == "sequence" else 16
        n_heads = self.n_heads or next(
            h for h in range(max(1, d_model // head_size), 0, -1) if d_model % (2 * h) == 0
        )
        sizes = {
            "d_model": d_model,
            "n_layers": int(self.n_layers or n_layers),
            "n_heads": int(n_heads),
            "dropout": float(self.dropout or 0.0),
        }
        group = int(self.group_size or _group_size(schema))
        return sizes if group == 1 else sizes | {"group": group, "width": width}

    def _weights_and_cost(self, sizes: dict[str, Any]) -> tuple[int, float]:
        """About how many hidden weights there are, and operations to train on a row."""
        D, d_model = self.schema_.D, sizes["d_model"]
        in_blocks = 12 * sizes["n_layers"] * d_model**2
        tokens = -(-D // sizes.get("group", 1))
        width = sizes.get("width", 0)
        within = 2 * width**2
        return in_blocks + within, 6.0 * (tokens * in_blocks + D * within)

    def _build(self, sizes: dict[str, Any], seed: int = 0) -> None:
        self.sizes_ = sizes
        kind = GroupedGPT if "group" in sizes else GPT
        with torch_seeded(seed, "transformer", "init"):
            self.network_: Autoregressive = kind(self.schema_, **sizes)

    def _row_log_prob(self, x: Tensor) -> Tensor:
        return self.network_.heads.row_log_prob(self.network_(x), x)

    # ---------------------------------------------------------------- queries

    def _log_prob(self, rows: np.ndarray, *, seed: int) -> LogProb:
        observed = rows != MISSING
        holes = _has_holes(rows)
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
            walk=lambda n: _Walk(network, n),
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
            terms = network.log_prob(x)
            parts.append((terms * network.heads.reached(x)).double().cpu())
        return torch.cat(parts).numpy()

    def _inference_batch(self) -> int:
        network = self.network_
        tokens = network.n_tokens * 4 * network.d_model
        variables = self.schema_.D * max(network.embed.embedding_dim, *network.heads.widths)
        return max(1, BATCH_NUMBERS // max(tokens, variables))

    @torch.no_grad()
    def _sample(self, n: int, given: np.ndarray | None, *, seed: int) -> np.ndarray:
        if given is None:
            given = np.full((n, self.schema_.D), MISSING)
        given = self._without_holes(given, seed)
        network, D, end = self.network_, self.schema_.D, self.schema_.end
        device = network.start.device
        generator = torch_generator(seed, "transformer", "sample", device=device)
        parts = []
        for x in torch.as_tensor(given).split(self._inference_batch()):
            x = x.to(device, copy=True)
            cache = network.new_cache(len(x))
            ended = torch.zeros(len(x), dtype=torch.bool, device=device)
            for d in range(D):
                log_p = network.next_log_probs(d, x[:, d - 1] if d else None, cache)
                drawn = self._draw(log_p, generator)
                if end is not None:
                    drawn = drawn.masked_fill(ended, end)
                x[:, d] = torch.where(x[:, d] == MISSING, drawn, x[:, d])
                if end is not None:
                    ended |= x[:, d] == end
            parts.append(x.cpu())
        return torch.cat(parts).numpy()

    def _without_holes(self, given: np.ndarray, seed: int) -> np.ndarray:
        """Rows whose observed entries are a prefix: what is missing before the last of them drawn,
        given all of them."""
        holes = np.flatnonzero(_has_holes(given))
        if len(holes) == 0:
            return given
        plain = self.temperature == 1.0 and self.top_k is None and self.top_p is None
        filled = given.copy()
        filled[holes], ess = particles.complete(
            self._process(),
            given[holes],
            holes,
            seed=seed,
            barred=marks(self.schema_),
            change=None if plain else lambda p: self._changed(torch.as_tensor(p)).numpy(),
        )
        particles.warn_if_few(ess)
        return filled

    def _draw(self, log_p: Tensor, generator: torch.Generator) -> Tensor:
        """(B,) codes drawn from log masses (B, M), after temperature, top-k and top-p."""
        p = self._changed(log_p).exp()
        return torch.multinomial(p, 1, generator=generator).squeeze(-1)

    def _changed(self, log_p: Tensor) -> Tensor:
        """(B, M) log masses after temperature, top-k and top-p, summing to one."""
        if self.temperature != 1.0:
            log_p = (log_p / self.temperature).log_softmax(dim=-1)
        if self.top_k is not None and self.top_k < log_p.shape[-1]:
            least = log_p.topk(int(self.top_k), dim=-1).values[:, -1:]
            log_p = log_p.masked_fill(log_p < least, -math.inf)
        if self.top_p is not None:
            ordered, order = log_p.exp().sort(dim=-1, descending=True)
            before = ordered.cumsum(dim=-1) - ordered  # mass of what is likelier
            dropped = torch.zeros_like(log_p, dtype=torch.bool)
            dropped.scatter_(-1, order, before >= self.top_p * ordered.sum(-1, keepdim=True))
            log_p = log_p.masked_fill(dropped, -math.inf)
        return log_p.log_softmax(dim=-1)

    # ---------------------------------------------------------------- text

    @torch.no_grad()
    def complete(self, prompt: str, n_chars: int = 200, *, seed: int = 0) -> str:
        """The prompt and what the model writes after it.

        Up to T characters in all this is a draw of the model given the prompt; beyond, the window
        slides: it starts anew from the last half of it. Strings with END stop there, or at T.

        Args:
            prompt: characters of the alphabet; may be empty.
            n_chars: how many to add (fewer where an END comes).
            seed: the same seed writes the same text.

        Raises:
            Unsupported: if the rows are not strings.
            ValueError: for a character outside the alphabet, and for a prompt of over T characters
                where strings have an END.
        """
        codes, total = self._start_of(prompt, n_chars)
        T, end = self.schema_.D, self.schema_.end
        network = self.network_
        generator = torch_generator(
            check_seed(seed), "transformer", "complete", device=network.start.device
        )
        start, d = 0, 0  # where the window begins, and the next position in it
        if len(codes) >= T:
            start = len(codes) - T // 2
        cache = network.new_cache(1)
        while len(codes) < total:
            if d == T:
                start, d = len(codes) - T // 2, 0
                cache = network.new_cache(1)
            previous = network.low.new_tensor([codes[start + d - 1]]) if d else None
            log_p = network.next_log_probs(d, previous, cache)
            d += 1
            if start + d > len(codes):
                code = int(self._draw(log_p, generator))
                if code == end:
                    break
                codes.append(code)
        return self._spell(codes)

    # ---------------------------------------------------------------- state

    def _state(self) -> dict[str, np.ndarray]:
        return {"sizes": pack_json(self.sizes_), **weights_of(self.network_)}

    def _restore(self, arrays: dict[str, np.ndarray]) -> None:
        self._build(unpack_json(arrays["sizes"]))
        weights = {name: array for name, array in arrays.items() if name != "sizes"}
        load_weights(self.network_, weights, self.device)

    @property
    def n_parameters_(self) -> int:
        """The number of trained weights."""
        return sum(p.numel() for p in self.network_.parameters())


def _group_size(schema: Schema) -> int:
    """Variables a token: a step of a sequence, a row of pixels, or of D columns some sqrt(D), so
    that there are about as many tokens as columns in each. Columns of long numbers are tokens of
    their own in tables that are not wide: that was better on validation rows."""
    if schema.layout == "table":
        single = schema.D <= WIDEST_SINGLE and any(is_long(v) for v in schema.variables)
        return 1 if single else round(math.sqrt(schema.D))
    return schema.event_shape[-1] if len(schema.event_shape) > 1 else 1


class _Walk:
    """Particles on their way through the network, one position at a time.

    Args:
        network: in evaluation mode.
        n: how many particles.
    """

    def __init__(self, network: Autoregressive, n: int) -> None:
        self.network, self.cache = network, network.new_cache(n)

    @torch.no_grad()
    def log_probs(self, v: int, codes: np.ndarray) -> np.ndarray:
        """(N, M) log masses of the codes of v, given those before it in ``codes`` (N, D)."""
        previous = None
        if v:
            previous = torch.as_tensor(codes[:, v - 1]).to(self.network.start.device)
        log_p = self.network.next_log_probs(v, previous, self.cache).cpu().double().numpy()
        end = self.network.heads.end
        if end is not None and v:
            # after END nothing but END
            ended = codes[:, v - 1] == end
            log_p[ended] = -np.inf
            log_p[ended, end] = 0.0
        return log_p

    def follow(self, ancestors: np.ndarray) -> None:
        """The particles are now copies of the earlier ones ``ancestors`` (N',)."""
        index = torch.as_tensor(ancestors).to(self.network.start.device)
        self.cache = self.cache.select(index)


class _Windows:
    """``draw_batch`` for text: windows of T codes from anywhere, none across two stretches."""

    def __init__(self, stretches: list[np.ndarray], T: int, batch_size: int) -> None:
        self.codes = torch.as_tensor(np.concatenate(stretches))
        self.batch_size, self.within = batch_size, torch.arange(T)
        first = np.cumsum([0, *map(len, stretches)])
        self.starts = torch.cat([torch.arange(a, b - T + 1) for a, b in itertools.pairwise(first)])

    def __call__(self, generator: torch.Generator) -> Tensor:
        chosen = torch.randint(len(self.starts), (self.batch_size, 1), generator=generator)
        return self.codes[self.starts[chosen] + self.within]


def _has_holes(rows: np.ndarray) -> np.ndarray:
    """(n,) whether something is missing before an observed entry."""
    observed = rows != MISSING
    return (observed[:, 1:] & ~observed[:, :-1]).any(axis=1)
