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

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from genzoo import draws
from genzoo.fitting import Fit
from genzoo.model import GenerativeModel
from genzoo.models.ngram.contexts import MOST_LENGTH, UNKNOWN, Contexts, choose, groups
from genzoo.models.ngram.elimination import Conditionals, Plan
from genzoo.models.ngram.search import STRENGTHS, Search, Settings
from genzoo.models.ngram.smoothing import Events, Tree
from genzoo.models.shared import particles
from genzoo.models.shared.distinct import by_pattern
from genzoo.models.shared.text import ScoresText, per_character
from genzoo.parameters import Interval, Options
from genzoo.seeding import numpy_rng
from genzoo.space.coarsen import Coarsening
from genzoo.space.schema import MISSING
from genzoo.values import LogProb, Score

VALIDATION_EVENTS = 2_000_000  # symbols of the validation rows that lengths are chosen on: time
CHUNK_NUMBERS = 2**23  # context values of a batch of rows: memory
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
    completely at random.

    Attributes:
        smoothing_: the chosen one.
        strengths_: (K + 1,) of Witten-Bell, by the length of the context; ones for Kneser-Ney.
        lengths_: the length of the context of each group.

    ``training_`` counts lengths of contexts as steps; its curve is the validation value with the
    contexts chosen among those up to that length.

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
        self.coarsening_ = Coarsening.pooled(self.schema_, rows, groups(self.schema_))
        codes, cards = self.coarsening_.to_bins(rows), self.coarsening_.cards
        self.contexts_ = contexts = choose(self.schema_, codes, cards, seed=fit.seed)
        fit.report(0.1, "contexts chosen")
        train = self._text_events(fit, "train") or contexts.events(codes, self._countable(codes))
        held_out = self._text_events(fit, "valid")
        if held_out is None:
            n = max(1, VALIDATION_EVENTS // self.schema_.D)
            some = fit.rng("ngram", "valid").permutation(len(valid))[:n]
            chosen = self.coarsening_.to_bins(valid[np.sort(some)])
            held_out = contexts.events(chosen, self._answerable(chosen))
        most = contexts.sources.shape[1]
        if self.context is not None:
            most = min(most, int(self.context))
        search = Search(
            train,
            held_out,
            cards[np.unique(contexts.group, return_index=True)[1]],
            contexts.B,
            contexts.edge,
            Settings(most, self._smoothings(), fixed=self.context is not None),
        )
        self.tree_, rules = search.run(fit, per_row=self.schema_.D)
        self.smoothing_ = rules[0].name
        self.strengths_ = np.array([rule.strength for rule in rules])
        fit.training.curve = self.coarsening_.curve_of_codes(fit.training.curve, rows, valid)

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

    def _answerable(self, rows: np.ndarray) -> np.ndarray:
        """(n, D) the countable entries with no ``MISSING`` entry in their context."""
        padded, sources = self.contexts_.padded(rows), self.contexts_.sources
        whole = np.ones(rows.shape, dtype=bool)
        for column in sources.T:
            whole &= padded[:, column] != MISSING
        return self._countable(rows) & whole

    def _text_events(self, fit: Fit, part: str) -> Events | None:
        stretches = self._text_codes(fit, part)
        return None if stretches is None else _of_text(stretches, UNKNOWN)

    # ---------------------------------------------------------------- queries

    def _log_prob(self, rows: np.ndarray, *, seed: int) -> LogProb:
        codes = self.coarsening_.to_bins(rows)
        shares = self.coarsening_.log_shares(rows)
        holes = particles.has_holes(codes[:, self.contexts_.order])
        prefix, other = np.flatnonzero(~holes), np.flatnonzero(holes)
        parts = []
        if len(prefix):
            parts.append((prefix, LogProb.exact(self._terms(codes[prefix]).sum(axis=1))))
        small, large = self._planned(codes, other)
        parts += [(index, LogProb.exact(plan.run(codes[index])[0])) for index, plan in small]
        if len(large):
            bound = particles.log_prob(self._process(), codes[large], large, seed=seed)
            parts.append((large, bound))
        result = particles.joined(parts, len(rows))
        return replace(result, value=result.value + shares)

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

    def _terms(self, rows: np.ndarray) -> np.ndarray:
        """(n, D) log mass of each bin given its context; 0 for ``MISSING`` and after an END."""
        terms = np.zeros(rows.shape)
        counted = self.schema_.reached(rows) & (rows != MISSING)
        step = max(1, CHUNK_NUMBERS // (self.schema_.D * max(1, self.tree_.K)))
        for i in range(0, len(rows), step):
            part = slice(i, i + step)
            terms[part][counted[part]] = self._log_masses(
                self.contexts_.events(rows[part], counted[part])
            )
        return terms

    def _log_masses(self, events: Events) -> np.ndarray:
        """(E,) log mass of each event's symbol."""
        values = np.empty((len(events.x), self.tree_.K), dtype=np.int64)
        for j in range(self.tree_.K):
            values[:, j] = events.values(j)
        return np.log(self.tree_.mass(events.group, values, events.x))

    def _masses(self, v: int, rows: np.ndarray) -> np.ndarray:
        """(n, cards[v]) masses of the bins of v, given those that it looks at in rows (n, D)."""
        padded, contexts = self.contexts_.padded(rows), self.contexts_
        values = padded[:, contexts.sources[v, : self.tree_.K]].astype(np.int64)
        masses = self.tree_.masses(np.full(len(rows), contexts.group[v]), values)
        end = self.schema_.end
        if end is not None and v:
            ended = rows[:, v - 1] == end
            masses[ended] = 0.0
            masses[ended, end] = 1.0
        return masses[:, : int(self.coarsening_.cards[v])]

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
            numbers=self.schema_.D + self.contexts_.B + self.tree_.M,
            end=self.schema_.end,
        )

    def _sample(self, n: int, given: np.ndarray | None, *, seed: int) -> np.ndarray:
        rng = numpy_rng(seed, "ngram", "sample")
        if given is None:
            given = np.full((n, self.schema_.D), MISSING)
        rows = self._without_holes(self.coarsening_.to_bins(given), seed)
        uniform = rng.random(rows.shape)
        for v in self.contexts_.order.tolist():
            open_ = np.flatnonzero(rows[:, v] == MISSING)
            for part in np.array_split(open_, 1 + len(open_) * self.contexts_.B // CHUNK_NUMBERS):
                rows[part, v] = draws.inverted(self._masses(v, rows[part]), uniform[part, v])
        return np.where(given == MISSING, self.coarsening_.to_codes(rows, rng), given)

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
        terms = self._log_masses(_of_text([codes], first))
        starts = np.arange(0, len(codes), max(1, self.schema_.D // 2))
        return per_character(np.add.reduceat(terms, starts), np.diff(np.append(starts, len(codes))))

    def _continued(self, codes: list[int], seed: int) -> Iterator[int]:
        """Each code is given its full context, however long the text is."""
        rng = numpy_rng(seed, "ngram", "complete")
        before = [UNKNOWN if self.schema_.end is None else self.contexts_.edge]
        while True:
            known = (before + codes)[: -self.tree_.K - 1 : -1]
            values = np.full((1, self.tree_.K), UNKNOWN)
            values[0, : len(known)] = known
            masses = self.tree_.masses(np.zeros(1, dtype=np.int64), values)
            yield int(draws.categorical(masses, rng)[0])

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
        self.tree_ = Tree.from_state(arrays)
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
        pairs = sum(len(level.pairs) for level in self.tree_.levels)
        return pairs + self.coarsening_.n_parameters


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
