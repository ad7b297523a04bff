"""Interpolated n-grams: each variable given the few before it that tell most of it.

    p(x) = prod_d p(x_d | h_d),   p(x | h) = own(h, x) + left(h) p(x | h less its last place)

Counts of long contexts are sharp where there are many and useless where there are few, so each
context hands a part of its mass to the one shorter, down to the uniform distribution: by
Witten-Bell or by modified Kneser-Ney (``smoothing.py``). Every value has mass, and a
context that was never seen is the one shorter.

A context of a string is the characters before, whatever their position. On tables each column has
its own counts and its own context, chosen among the columns before it; on images all pixels share
their counts, and a context is filled from the pixels around that come before
(``contexts.py``). Smoothing, and the length of the context of each group of variables
that share counts, are chosen on validation rows; their counts never enter. Groups learn from each
other how long contexts pay, so that chance lengthens none where nothing depends
(``smoothing.py``). Witten-Bell, whose strength is fitted at each length, is taken where
it beats Kneser-Ney by two standard errors.

Numbers with many levels are modelled in bins, and each bin's mass is spread over its values
(``space/coarsen.py``).

``log_prob`` is exact for complete rows and for prefixes (in the order of reading). Other patterns
of ``MISSING`` are summed out exactly while few combinations of missing values have to be held at a
time (``elimination.py``), else bounded by sequential Monte Carlo (``shared/particles.py``).

Training rows may have ``MISSING`` entries: a symbol is counted in contexts as far as they are
observed (available cases). That is consistent where holes come completely at random, or depend on
what stands in every context; otherwise biased. In strings with END a position is counted only where
the one before it is observed, since a hole may hide that the string ended there.

Where a ``Dataset`` has its text, windows are counted in the whole of it, and ``score_text`` gives
every character its full context.

References:
    Chen & Goodman (1999), An empirical study of smoothing techniques for language modeling,
        Computer Speech and Language 13.
    Witten & Bell (1991), The zero-frequency problem, IEEE Trans. Inf. Theory 37.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from genzoo import draws
from genzoo.fitting import Fit
from genzoo.model import GenerativeModel
from genzoo.models.ngram.adaptation import Adapted, adapted, from_state
from genzoo.models.ngram.contexts import MOST_LENGTH, UNKNOWN, Contexts, choose, groups
from genzoo.models.ngram.elimination import Conditionals, Plan
from genzoo.models.ngram.search import STRENGTHS, Search, Settings
from genzoo.models.ngram.smoothing import Events, Tree
from genzoo.models.shared import particles
from genzoo.models.shared.distinct import by_pattern
from genzoo.models.shared.text import ScoresText
from genzoo.parameters import Interval, Options
from genzoo.seeding import numpy_rng
from genzoo.space.blocks import blocks
from genzoo.space.coarsen import Coarsening
from genzoo.space.schema import MISSING
from genzoo.values import LogProb, Score

VALIDATION_EVENTS = 2_000_000  # symbols of the validation rows that lengths are chosen on: time
# Symbols of a second of the budget: as many as leave time for some ten lengths of contexts (of
# training rows), on one core of 2020. More rows with shorter contexts are worth less.
EVENTS_A_SECOND, VALIDATION_EVENTS_A_SECOND = 1_000_000, 40_000
# Of a budget, for the choice of contexts; the search for lengths takes what the least of it leaves
# where there are as many symbols as there is time for, and less where there are fewer.
LEAST_CHOICE, MOST_CHOICE = 0.5, 0.8
STRETCH_EVENTS = 2**20  # symbols that are counted at a time: memory
SMOOTHINGS = ("witten_bell", "kneser_ney")


class NGram(GenerativeModel, ScoresText):
    """An interpolated n-gram over the variables of a row.

    Args:
        context: places of the context, at most 16 (fewer are used where there are no more
            variables); None chooses on validation, for each group of variables that share counts.
        smoothing: ``"witten_bell"``, ``"kneser_ney"``, or None: chosen on validation.
        strength: of Witten-Bell's backing off: 1 is the original, more gives more mass to shorter
            contexts; None: chosen on validation, for each length, from 1/4 to 128. Kneser-Ney has
            none.

    ``fit`` takes rows with ``MISSING`` entries (code -1): available cases, for entries missing
    completely at random. With ``warm_start`` bins and contexts stay as they were, the new rows are
    counted by themselves, and the masses of the old counts and the new are interpolated with the
    weights that are best on validation rows (``adaptation.py``).

    Attributes:
        smoothing_: the chosen one.
        strengths_: (K + 1,) of Witten-Bell, by the length of the context; ones for Kneser-Ney.
        lengths_: the length of the context of each group.

    ``training_`` counts lengths of contexts as steps; its curve is the validation value with the
    contexts chosen among those up to that length. A budget in seconds says how many rows are
    counted, how many places are chosen with care, and how long contexts grow. Where they would
    have too many pairs of a context and a symbol they stop to grow, and ``training_`` says so.

    >>> model = NGram(context=1, smoothing="kneser_ney").fit(["abab", "baba"] * 5)
    >>> model.complete("b", 2, seed=1)
    'bab'
    """

    parameters = {
        "context": Interval(int, 0, MOST_LENGTH, optional=True),
        "smoothing": Options(*SMOOTHINGS, None),
        "strength": Interval(float, 0, closed="neither", optional=True),
    }
    fits_missing = True
    warm_starts = True

    def __init__(
        self,
        *,
        context: int | None = None,
        smoothing: str | None = None,
        strength: float | None = None,
    ) -> None:
        self.context = context
        self.smoothing = smoothing
        self.strength = strength

    # ---------------------------------------------------------------- fitting

    def _fit(self, rows: np.ndarray, valid: np.ndarray | None, fit: Fit) -> None:
        assert valid is not None  # the class selects
        rows = self._affordable(rows, fit, "train", EVENTS_A_SECOND)
        earlier: NGram | None = fit.earlier
        if earlier is None:
            self.coarsening_ = Coarsening.pooled(self.schema_, rows, groups(self.schema_))
        else:
            self.coarsening_ = earlier.coarsening_
        codes, cards = self.coarsening_.to_bins(rows), self.coarsening_.cards
        if earlier is None:
            share = MOST_CHOICE
            if fit.budget.seconds is not None:
                full = min(1.0, codes.size / (EVENTS_A_SECOND * fit.budget.seconds))
                share -= (MOST_CHOICE - LEAST_CHOICE) * full
            self.contexts_ = choose(self.schema_, codes, cards, fit, share)
        else:
            self.contexts_ = earlier.contexts_
        contexts = self.contexts_
        fit.report(0.1, "contexts chosen")
        a_second = VALIDATION_EVENTS_A_SECOND
        some = self._affordable(valid, fit, "valid", a_second, VALIDATION_EVENTS)
        train = self._text_events(fit, "train", EVENTS_A_SECOND)
        held_out = self._text_events(fit, "valid", a_second)
        if held_out is None:
            chosen = self.coarsening_.to_bins(some)
            table, every = contexts.by_variable(chosen), np.arange(self.schema_.D)
            held_out = contexts.events(table, self._answerable(table, chosen), every)
        most = contexts.sources.shape[1]
        if self.context is not None:
            most = min(most, int(self.context))
        search = Search(
            self._stretches(codes) if train is None else [train],
            held_out,
            cards[np.unique(contexts.group, return_index=True)[1]],
            contexts.B,
            contexts.edge,
            Settings(most, self._smoothings(), fixed=self.context is not None),
        )
        tree, rules = search.run(fit, per_row=self.schema_.D)
        self.tree_: Tree | Adapted = tree
        if earlier is not None:
            self.tree_ = adapted(earlier.tree_, tree, held_out)
        self.smoothing_ = rules[0].name
        self.strengths_ = np.array([rule.strength for rule in rules])
        fit.training.curve = self.coarsening_.curve_of_codes(fit.training.curve, rows, valid)

    def _affordable(
        self, rows: np.ndarray, fit: Fit, part: str, a_second: int, most: float = math.inf
    ) -> np.ndarray:
        """As many of rows (n, D), in the smallest type of codes, as a budget in seconds leaves time
        for, and have no more than ``most`` symbols."""
        if fit.budget.seconds is not None:
            most = min(most, a_second * fit.budget.seconds)
        a_row = self.schema_.reached(rows).sum() / len(rows)
        n = max(1, int(most / a_row)) if most < math.inf else len(rows)
        if n < len(rows):
            rows = rows[np.sort(fit.rng("ngram", part).permutation(len(rows))[:n])]
        return rows.astype(self.schema_.code_type)

    def _stretches(self, codes: np.ndarray) -> Iterator[Events]:
        """The countable entries of training rows (n, D) of bins, some variables at a time."""
        contexts = self.contexts_
        table, countable = contexts.by_variable(codes), self._countable(codes).T
        variables = np.argsort(contexts.group, kind="stable")
        for part in np.array_split(variables, -(-codes.size // STRETCH_EVENTS)):
            if len(part):
                yield contexts.events(table, countable, part)

    def _smoothings(self) -> dict[str, tuple[float, ...]]:
        """What to choose from: smoothings, and the strengths of each."""
        strengths = STRENGTHS if self.strength is None else (float(self.strength),)
        both = {"kneser_ney": (1.0,), "witten_bell": strengths}
        return both if self.smoothing is None else {self.smoothing: both[self.smoothing]}

    def _countable(self, rows: np.ndarray) -> np.ndarray:
        """(n, D) the entries that are observed, and reached beyond doubt."""
        countable = self.schema_.reached(rows) & (rows != MISSING)
        if self.schema_.end is not None:
            countable[:, 1:] &= rows[:, :-1] != MISSING
        return countable

    def _answerable(self, table: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """(D, n) the countable entries of rows (n, D), also ``by_variable``, with no ``MISSING``
        entry in their context."""
        whole, hidden = self._countable(rows).T.copy(), table == MISSING
        for column in self.contexts_.sources.T if hidden.any() else []:
            inside = column < len(table)
            whole[inside] &= ~hidden[column[inside]]
        return whole

    def _text_events(self, fit: Fit, part: str, a_second: int) -> Events | None:
        """The beginnings of all stretches, as long as a budget in seconds leaves time for."""
        stretches = self._text_codes(fit, part)
        if stretches is None:
            return None
        share = 1.0
        if fit.budget.seconds is not None:
            share = min(1.0, a_second * fit.budget.seconds / sum(map(len, stretches)))
        return _of_text([codes[: math.ceil(share * len(codes))] for codes in stretches], UNKNOWN)

    # ---------------------------------------------------------------- queries

    def _log_prob(self, rows: np.ndarray, *, seed: int) -> LogProb:
        of_prefixes, holes = np.zeros(len(rows)), np.zeros(len(rows), dtype=bool)
        for part in blocks(len(rows), self.schema_.D):
            codes = self.coarsening_.to_bins(rows[part])
            holes[part] = particles.has_holes(codes[:, self.contexts_.order])
            whole = ~holes[part]
            of_prefixes[part][whole] = self._terms(codes[whole]).sum(axis=1)
        prefix, other = np.flatnonzero(~holes), np.flatnonzero(holes)
        parts = [(prefix, LogProb.exact(of_prefixes[prefix]))] if len(prefix) else []
        small, large = self._planned(rows, other)
        parts += [
            (index, LogProb.exact(plan.run(self.coarsening_.to_bins(rows[index]))[0]))
            for index, plan in small
        ]
        if len(large):
            codes = self.coarsening_.to_bins(rows[large])
            parts.append((large, particles.log_prob(self._process(), codes, large, seed=seed)))
        result = particles.joined(parts, len(rows))
        return replace(result, value=result.value + self.coarsening_.log_shares(rows))

    def _log_prob_each(self, rows: np.ndarray, d: int, *, seed: int) -> np.ndarray:
        """Of rows that are complete but for d, only the terms that look at d are taken anew for
        each of its bins."""
        whole = (np.delete(rows, d, axis=1) != MISSING).all(axis=1)
        if self.schema_.end is not None or not whole.all():
            return super()._log_prob_each(rows, d, seed=seed)
        looks_at = self._conditionals().looks_at
        joint = np.empty((len(rows), int(self.schema_.cards[d])))
        others = [v for v in range(self.schema_.D) if v != d and d in looks_at[v]]
        bin_of = self.coarsening_.bin_of[d, : joint.shape[1]]
        for part in blocks(len(rows), self.schema_.D + joint.shape[1]):
            block = rows[part].copy()
            block[:, d] = MISSING
            shares = self.coarsening_.log_shares(block)
            codes = self.coarsening_.to_bins(block)
            fixed = self._terms(codes)
            fixed[:, [d, *others]] = 0.0
            of_bins = np.log(self._masses(d, codes)) + (fixed.sum(axis=1) + shares)[:, None]
            for b in range(of_bins.shape[1]) if others else []:
                codes[:, d] = b
                of_bins[:, b] += self._terms(codes, np.array(others)).sum(axis=1)
            joint[part] = of_bins[:, bin_of] + self.coarsening_.log_share[d, : joint.shape[1]]
        return joint

    def _planned(
        self, rows: np.ndarray, holes: np.ndarray
    ) -> tuple[list[tuple[np.ndarray, Plan]], np.ndarray]:
        """Rows ``holes`` of a pattern that few combinations complete, with its plan; all others."""
        conditionals = self._conditionals()
        small, large = [], [np.arange(0)]
        for at, pattern in by_pattern(rows[holes] == MISSING):
            plan = Plan(conditionals, pattern)
            if plan.is_small:
                small.append((holes[at], plan))
            else:
                large.append(holes[at])
        return small, np.sort(np.concatenate(large))

    def _terms(self, rows: np.ndarray, of: np.ndarray | None = None) -> np.ndarray:
        """(n, D) log mass of each bin given its context; 0 for ``MISSING`` and after an END.

        With variables ``of``, of these alone, (n, len(of)).
        """
        variables = np.arange(self.schema_.D) if of is None else of
        counted = (self.schema_.reached(rows) & (rows != MISSING)).T
        table, terms = self.contexts_.by_variable(rows), np.zeros((len(variables), len(rows)))
        events = self.contexts_.events(table, counted, variables)
        terms[counted[variables]] = np.log(self.tree_.mass(events))
        return np.ascontiguousarray(terms.T)

    def _masses(self, v: int, rows: np.ndarray, at: np.ndarray | None = None) -> np.ndarray:
        """(n, cards[v]) masses of the bins of v, given those that it looks at in rows (n, D), or in
        those ``at`` some indices."""
        contexts, end = self.contexts_, self.schema_.end
        at = np.arange(len(rows)) if at is None else at
        group = int(contexts.group[v])
        masses = self.tree_.masses(group, len(at), lambda j: contexts.value(rows, v, j)[at])
        if end is not None and v:
            ended = rows[at, v - 1] == end
            masses[ended] = 0.0
            masses[ended, end] = 1.0
        return masses

    def _conditionals(self) -> Conditionals:
        contexts, D = self.contexts_, self.schema_.D
        looks_at = []
        for v, sources in enumerate(contexts.sources):
            used = sources[: self.tree_.lengths[contexts.group[v]]]
            if self.schema_.end is not None and v:
                used = np.append(used, v - 1)
            looks_at.append(np.unique(used[used < D]))

        return Conditionals(contexts.order, self.coarsening_.cards, looks_at, self._masses)

    def _process(self) -> particles.Process:
        def log_probs(v: int, codes: np.ndarray) -> np.ndarray:
            with np.errstate(divide="ignore"):
                return np.log(self._masses(v, codes))

        return particles.Process(
            order=self.contexts_.order.tolist(),
            cards=self.coarsening_.cards,
            walk=lambda n: particles.Memoryless(log_probs),
            numbers=self.schema_.D + self.tree_.K + self.tree_.M,
            end=self.schema_.end,
        )

    def _sample(self, n: int, given: np.ndarray | None, *, seed: int) -> np.ndarray:
        rng, (D, end) = numpy_rng(seed, "ngram", "sample"), (self.schema_.D, self.schema_.end)
        if given is None:
            rows = np.full((n, D), MISSING, dtype=self.schema_.code_type)
        else:
            bins = self.coarsening_.to_bins(given)
            rows = self._without_holes(bins, seed).astype(self.schema_.code_type)
        for part in blocks(n, D + int(self.coarsening_.cards.max())):
            drawn = self.contexts_.by_variable(rows[part]).T
            uniform = rng.random(drawn.shape)
            for v in self.contexts_.order.tolist():
                if end is not None and v:
                    drawn[drawn[:, v - 1] == end, v] = end
                open_ = np.flatnonzero(drawn[:, v] == MISSING)
                if len(open_):
                    masses = self._masses(v, drawn, open_)
                    drawn[open_, v] = draws.inverted(masses, uniform[open_, v])
            rows[part] = drawn
        codes = self.coarsening_.to_codes(rows, rng)
        return codes if given is None else np.where(given == MISSING, codes, given)

    def _without_holes(self, given: np.ndarray, seed: int) -> np.ndarray:
        """Rows of bins whose observed entries are a prefix: what is missing before the last of them
        drawn, given all of them."""
        holes = np.flatnonzero(particles.has_holes(given[:, self.contexts_.order]))
        if len(holes) == 0:
            return given
        filled, barred = given.copy(), self.coarsening_.marks(self.schema_)
        rng = numpy_rng(seed, "ngram", "holes")
        small, large = self._planned(given, holes)
        for index, plan in small:
            filled[index] = plan.run(given[index], barred, rng)[1]
        if len(large):
            filled[large], ess = particles.complete(
                self._process(), given[large], large, seed=seed, barred=barred
            )
            particles.warn_if_few(ess)
        return filled

    # ---------------------------------------------------------------- text

    def score_text(self, text: str, context: int | None = None, stride: int | None = None) -> Score:
        """Nats per character of a text of any length.

        As ``ScoresText.score_text``, but where neither ``context`` nor ``stride`` is given there
        is no window: every character is given all the context that the model uses.
        """
        if context is not None or stride is not None:
            return super().score_text(text, context, stride)
        codes = self._text_to_score(text)
        first = UNKNOWN if self.schema_.end is None else self.contexts_.edge
        terms = np.log(self.tree_.mass(_of_text([codes], first)))
        starts = np.arange(0, len(codes), max(1, self.schema_.D // 2))
        return self._per_character(codes, np.add.reduceat(terms, starts), starts)

    def _next_log_masses(self, codes: list[int]) -> Iterator[np.ndarray]:
        """Each code is given its full context, however long the text is."""
        before = [UNKNOWN if self.schema_.end is None else self.contexts_.edge]
        while True:
            known = np.full((self.tree_.K, 1), UNKNOWN)
            nearest = (before + codes)[: -self.tree_.K - 1 : -1]
            known[: len(nearest), 0] = nearest
            yield np.log(self.tree_.masses(0, 1, known.__getitem__)[0])

    # ---------------------------------------------------------------- state

    def _state(self) -> dict[str, np.ndarray]:
        contexts = self.contexts_
        return {
            **self.coarsening_.state(),
            **self.tree_.state(),
            "order": contexts.order,
            "group": contexts.group,
            "sources": contexts.sources,
            "edge_and_B": np.array([contexts.edge, contexts.B]),
            "smoothing": np.array(SMOOTHINGS.index(self.smoothing_)),
            "strengths": self.strengths_,
        }

    def _restore(self, arrays: dict[str, np.ndarray]) -> None:
        self.coarsening_ = Coarsening.from_state(arrays)
        self.tree_ = from_state(arrays)
        edge, B = arrays["edge_and_B"].tolist()
        self.contexts_ = Contexts(arrays["order"], arrays["group"], arrays["sources"], edge, B)
        self.smoothing_ = SMOOTHINGS[int(arrays["smoothing"])]
        self.strengths_ = arrays["strengths"]

    @property
    def lengths_(self) -> np.ndarray:
        """(G,) the length of the full context of each group of variables."""
        return self.tree_.lengths

    @property
    def n_parameters_(self) -> int:
        """Distinct pairs of a context and a symbol that were counted, and the shares in bins."""
        return self.tree_.n_pairs + self.coarsening_.n_parameters


def _of_text(stretches: list[np.ndarray], first: int) -> Events:
    """Every character of some stretches after those before it.

    Args:
        stretches: codes.
        first: stands before the first of a stretch; before that nothing is known.
    """

    def values(j: int) -> np.ndarray:
        parts = []
        for codes in stretches:
            before = np.concatenate([np.full(j, UNKNOWN), [first], codes[:-1]])
            parts.append(before[: len(codes)])
        return np.concatenate(parts)

    x = np.concatenate(stretches)
    return Events(x, np.zeros(len(x), dtype=np.int64), values)
