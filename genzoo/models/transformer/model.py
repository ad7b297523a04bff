"""An autoregressive transformer: each variable given those before it, in order.

    log p(x) = sum_d log p(x_d | x_0 .. x_{d-1})

One network computes all conditionals of a row in a single pass, each masked to the variable's own
codes, so ``log_prob`` is exact. Sampling draws one variable after the other and keeps the keys and
values of earlier positions. In strings with END the product stops at the first END.

A symbol of a string is a token. Elsewhere a token is a group of variables, a step of a sequence, a
row of pixels or some columns of a table, with a small autoregressive network within it: on two
cores that reaches more in the same time (plants: as good as single columns in a quarter of it).

In sequences of more than 256 tokens each attends to the last 256 (``network.py``), and training
goes by pieces of 512 (``pieces.py``): a row costs what its length is, and strings what they hold up
to their END.

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
import torch.nn.functional as F
from torch import Tensor

from genzoo.fitting import Fit
from genzoo.models.neural.batches import epochs, windows
from genzoo.models.neural.family import OneTransformer
from genzoo.models.neural.modules import load_weights
from genzoo.models.neural.training import Player, fit_network
from genzoo.models.shared import particles
from genzoo.models.shared.text import ScoresText
from genzoo.models.transformer.generation import Walk, draw, numbers_of, rows_at_once
from genzoo.models.transformer.network import GPT, Autoregressive, GroupedGPT
from genzoo.models.transformer.pieces import Pieces, log_mass
from genzoo.models.transformer.sizing import Sizing
from genzoo.parameters import Interval
from genzoo.seeding import numpy_rng
from genzoo.space import strings
from genzoo.space.coarsen import marks
from genzoo.space.schema import MISSING
from genzoo.store import unpack_json
from genzoo.tempering import PARAMETERS, Tempering
from genzoo.values import LogProb


class TransformerLM(OneTransformer, ScoresText):
    """A decoder-only transformer over the variables of a row.

    >>> model = TransformerLM(device="cpu").fit(["ab", "ba", "abab"] * 20, budget="20 steps")
    >>> model.log_prob(["ab"]).kind
    'exact'

    ``temperature``, ``top_k`` and ``top_p`` change the distribution that ``sample`` and
    ``complete`` draw from: with other values than the defaults samples do *not* follow
    ``log_prob``, which never uses them. They apply to the conditionals of what is drawn; entries
    that are given keep the model's own masses. Those of a call of ``complete`` come on top.

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
        "group_size": Interval(int, optional=True),
        **PARAMETERS,
        **OneTransformer.parameters,
    }
    _stream = "transformer"

    network_: Autoregressive

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
        Sizing.check_heads(self.d_model, self.n_heads)

    # ---------------------------------------------------------------- fitting

    def _fit(self, rows: np.ndarray, valid: np.ndarray | None, fit: Fit) -> None:
        assert valid is not None  # the class selects
        schema = self.schema_
        T = schema.D
        text = [codes for codes in self._text_codes(fit, "train") or () if len(codes) >= T]
        n = max(len(rows), sum(map(len, text)) // T)
        lengths = strings.lengths(rows, schema.end)
        earlier: TransformerLM | None = fit.earlier
        asked = self.get_params() if earlier is None else {**self.get_params(), **earlier._kept()}
        sizes = (
            asked[name] for name in ("d_model", "n_layers", "n_heads", "dropout", "group_size")
        )
        plan = Sizing(schema, *sizes).plan(n, lengths, len(valid), fit.budget)
        chosen = fit.rng("transformer", "valid").permutation(len(valid))
        held_out = valid[np.sort(chosen[: plan.n_valid])]
        kept = {} if earlier is None else earlier.sizes_
        # of what the network is, dropout alone is no size
        self._build(plan.sizes | kept | {"dropout": plan.sizes["dropout"]}, seed=fit.seed)
        network, recipe = self.network_, plan.recipe
        if earlier is None:
            network.start_at_marginals(rows, lengths)
        else:
            network.load_state_dict(earlier.network_.state_dict())
            recipe = recipe.fine_tuning()
        pieces = Pieces(rows.astype(schema.code_type), lengths, plan.length, network.group)
        if text:
            draw_codes = windows(text, plan.length, recipe.batch_size)
        else:
            draw_piece = epochs(torch.arange(len(pieces)), recipe.batch_size)

        def draw_batch(generator: torch.Generator) -> Tensor:
            if text:  # windows begin anywhere
                return F.pad(draw_codes(generator), (network.group, 0), value=-1)
            return pieces.codes(draw_piece(generator))

        def loss(batch: Tensor, generator: torch.Generator) -> Tensor:
            return -log_mass(network, batch) * (plan.pieces_a_row / len(batch))

        fit_network(
            [Player(network, loss, outer=network.outer())],
            draw_batch=draw_batch,
            evaluate=lambda: self._row_log_prob(held_out),
            recipe=recipe,
            fit=fit,
            device=self.device,
        )

    def _network(self, sizes: dict[str, Any]) -> Autoregressive:
        kind = GroupedGPT if "group" in sizes else GPT
        return kind(self.schema_, **sizes)

    def _kept(self) -> dict[str, Any]:
        return {**super()._kept(), "group_size": self.sizes_.get("group", 1)}

    # ---------------------------------------------------------------- queries

    def _log_prob(self, rows: np.ndarray, *, seed: int) -> LogProb:
        holes = particles.has_holes(rows)
        prefix, other = np.flatnonzero(~holes), np.flatnonzero(holes)
        parts = []
        if len(prefix):
            parts.append((prefix, LogProb.exact(self._row_log_prob(rows[prefix]))))
        if len(other):
            parts.append(
                (other, particles.log_prob(self._process(), rows[other], other, seed=seed))
            )
        return particles.joined(parts, len(rows))

    @torch.no_grad()
    def _log_prob_each(self, rows: np.ndarray, d: int, *, seed: int) -> np.ndarray:
        """From one pass where all before d is observed and nothing after it."""
        schema, network = self.schema_, self.network_
        rows = rows.copy()
        rows[:, d] = MISSING
        rows = strings.settled(rows, schema.end)
        asked = (rows[:, :d] != MISSING).all(axis=1) & (rows[:, d:] == MISSING).all(axis=1)
        joint = np.empty((len(rows), int(schema.cards[d])))
        left = np.flatnonzero(asked)
        while len(left):
            at, left = np.split(left, [rows_at_once(network, d + 1)])
            x = torch.as_tensor(rows[at, :d]).to(network.start.device)
            terms, last = network.log_probs_all(x)
            joint[at] = (terms.double().sum(dim=1, keepdim=True) + last.double()).cpu().numpy()
        if not asked.all():
            joint[~asked] = super()._log_prob_each(rows[~asked], d, seed=seed)
        return joint

    def _process(self) -> particles.Process:
        network, schema = self.network_, self.schema_
        return particles.Process(
            order=range(schema.D),
            cards=schema.cards,
            walk=lambda n: Walk(network, n),
            numbers=numbers_of(network),
            end=schema.end,
        )

    def _terms(self, rows: np.ndarray) -> np.ndarray:
        """(n, D) float64 log mass of each code given those before it; 0 after an END, and where
        codes are ``MISSING``."""
        terms = np.zeros(rows.shape)
        for at, part in self._parts(rows):
            terms[at, : part.shape[1]] = part
        return terms

    def _row_log_prob(self, rows: np.ndarray) -> np.ndarray:
        """(n,) log mass of the observed prefix of each row."""
        value = np.zeros(len(rows))
        for at, part in self._parts(rows):
            value[at] = part.sum(axis=1)
        return value

    @torch.no_grad()
    def _parts(self, rows: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Indices of some rows (B,), and float64 log masses (B, V) of their first V codes; there is
        nothing in the other variables, or END after END."""
        network = self.network_
        counts = (rows != MISSING) & strings.reached(rows, self.schema_.end)
        lengths = counts.sum(axis=1)
        left = np.argsort(-lengths, kind="stable")  # rows as long go together
        while len(left):
            V = max(1, int(lengths[left[0]]))
            at, left = np.split(left, [rows_at_once(network, V)])
            x = torch.as_tensor(rows[at, :V]).to(network.start.device)
            terms = network(x.clamp(min=0)).double().cpu().numpy()
            yield at, np.where(counts[at, :V], terms, 0.0)

    def _sample(self, n: int, given: np.ndarray | None, *, seed: int) -> np.ndarray:
        if given is None:
            given = np.full((n, self.schema_.D), MISSING)
        codes = self._without_holes(given, seed)
        codes = codes.copy() if codes is given else codes
        draw(self.network_, codes, self._tempering(), numpy_rng(seed, "transformer", "sample"))
        return codes

    def _without_holes(self, given: np.ndarray, seed: int) -> np.ndarray:
        """Rows whose observed entries are a prefix: what is missing before the last of them drawn,
        given all of them."""
        holes = np.flatnonzero(particles.has_holes(given))
        if len(holes) == 0:
            return given
        tempering = self._tempering()

        filled = given.copy()
        filled[holes], ess = particles.complete(
            self._process(),
            given[holes],
            holes,
            seed=seed,
            barred=marks(self.schema_),
            change=None if tempering.is_none else tempering.changed,
        )
        particles.warn_if_few(ess)
        return filled

    def _tempering(self) -> Tempering:
        return Tempering(self.temperature, self.top_k, self.top_p)

    # ---------------------------------------------------------------- text

    @torch.no_grad()
    def _next_log_masses(self, codes: list[int]) -> Iterator[np.ndarray]:
        """Up to T codes in all are a draw of the model given the first ones; beyond, the window
        slides: it starts anew from the last half of it."""
        T, network, tempering = self.schema_.D, self.network_, self._tempering()
        start = len(codes) - T // 2 if len(codes) >= T else 0  # where the window begins
        while True:
            cache = network.new_cache(1)
            for d in range(T):
                previous = network.embed.low.new_tensor([codes[start + d - 1]]) if d else None
                log_p = network.next_log_probs(d, previous, cache)
                if start + d == len(codes):
                    yield tempering.changed(log_p.double().cpu().numpy())[0]
            start = len(codes) - T // 2

    # ---------------------------------------------------------------- state

    def _restore(self, arrays: dict[str, np.ndarray]) -> None:
        self._build(unpack_json(arrays["sizes"]))
        load_weights(self.network_, self.network_.of_before(arrays), self.device)
