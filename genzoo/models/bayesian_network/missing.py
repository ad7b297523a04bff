"""Stochastic EM around a search that needs complete rows.

Validation rows are completed in the same way, by networks that were learned without them.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from genzoo.fitting import Fit
from genzoo.models.bayesian_network import search
from genzoo.models.bayesian_network.completion import Completions
from genzoo.models.bayesian_network.conditionals import AverageCounts
from genzoo.models.bayesian_network.inference import Network
from genzoo.models.bayesian_network.search import DEFAULT_BINS, Search, Settings, even_part
from genzoo.models.bayesian_network.selection import Candidate
from genzoo.models.independent import Independent
from genzoo.seeding import derive
from genzoo.space.schema import MISSING

# Rounds of trees are cheap and bring the completions near; a round of searching takes the time of a
# fit to complete rows; a round of counting takes that of completing the rows.
TREE_ROUNDS = 8  # of completing rows by Chow-Liu trees before the search
SEARCH_ROUNDS = 3  # of searching, each on the completions by the network before
COUNT_ROUNDS = 30  # of counting anew with the graph that was found
BURN_IN = 15  # of these; from then on counts are averaged, which takes their noise away
START_SHARE = 0.2  # of a budget in seconds, until the rounds of trees must be over
SEARCH_SHARE = 0.8  # the same for the rounds of searching
COUNT_SHARE = 0.95  # the same for counting
ROWS_AT_ONCE = 1024  # that are filled in together at the start: memory against calls


class Rounds:
    """Learning the best network on rows with holes.

    The units of work are ``"rounds"`` in the part ``"start"``, ``"search rounds"``,
    ``"completions"`` by what they found, and ``"count rounds"``; each round of a search is a part
    of its own.

    Args:
        settings: what to look for; averages are left out.
        rows: (n, D) codes, ``MISSING`` where nothing was observed.
        valid: the same to select on, or None.
        fit: what may be spent, and the record.
    """

    def __init__(
        self, settings: Settings, rows: np.ndarray, valid: np.ndarray | None, fit: Fit
    ) -> None:
        seconds = settings.seconds * (SEARCH_SHARE - START_SHARE) / SEARCH_ROUNDS  # of a round
        self.settings = replace(settings, n_trees=1, seconds=seconds)
        self.schema = settings.schema
        rng = fit.rng("bayesian_network", "rows")
        rows = self.settings.affordable(rows, search.ENTRIES, rng)
        if valid is not None:
            valid = self.settings.affordable(valid, search.VALID_ENTRIES, rng)
        self.n = len(rows)
        self.rows = rows if valid is None else np.concatenate([rows, valid])
        # a variable that is never seen: EM would keep whatever chance made of it
        self.unseen = np.flatnonzero((rows == MISSING).all(axis=0) & (self.schema.end is None))
        self.rng = fit.rng("bayesian_network", "completions")
        self.fit = fit
        self.completing = 0.0  # seconds that it took to complete all rows

    def run(self) -> Candidate:
        found, completed = self._by_trees()
        best, best_value = found, None
        for i in range(SEARCH_ROUNDS):
            until = self.fit.clock.part(SEARCH_SHARE)
            if i and not self.fit.goes_on("search rounds", clock=until):
                break
            with even_part(self.fit, f"round {i + 1}", i, SEARCH_ROUNDS, SEARCH_SHARE) as own:
                valid = completed[self.n :] if len(completed) > self.n else None
                found = search.learn(self.settings, completed[: self.n], valid, own, self.fit)
            self.fit.did("search rounds")
            if not self.fit.goes_on("completions", expected=self.completing):
                best = found if best_value is None else best
                break
            self.fit.did("completions")
            completed, value = self._completed(found, completed)
            # without values there is no telling; the later one stands on better completions
            if value is None or best_value is None or value > best_value:
                best, best_value = found, value
        return self._settled(best, completed)

    def _by_trees(self) -> tuple[Candidate, np.ndarray]:
        """A Chow-Liu tree, and the rows as it completes them."""
        start = self.fit.part("start", START_SHARE)
        most_bins = self.settings.most_bins or DEFAULT_BINS
        completed, began = self._start(), 0.0
        for i in range(TREE_ROUNDS):
            if i and not start.goes_on("rounds", expected=start.clock.spent - began):
                break
            began = start.clock.spent
            # at first the pairs that are there: filled in, they would hide what they share
            rows = (completed if i else self.rows)[: self.n]
            with even_part(start, f"round {i + 1}", i, TREE_ROUNDS) as own:
                found = Search(self.settings, rows, None, most_bins, own).tree(own)
            start.did("rounds")
            start.report((i + 1) / TREE_ROUNDS, "completions by trees")
            completed = self._completed(found, completed)[0]
        # that trees were cut short says nothing of the network that is searched for
        self.fit.take("start", start)
        return found, completed

    def _start(self) -> np.ndarray:
        """(n, D) rows with holes filled by the variables' marginals."""
        independent = Independent().fit(self.rows[: self.n], schema=self.schema)
        completed = self.rows.copy()
        holed = np.flatnonzero((self.rows == MISSING).any(axis=1))
        for i in range(0, len(holed), ROWS_AT_ONCE):
            at = holed[i : i + ROWS_AT_ONCE]
            seed = derive(self.fit.seed, "bayesian_network", "start", i)
            completed[at] = independent.sample(len(at), given=self.rows[at], seed=seed)
        return completed

    def _completed(
        self, found: Candidate, completed: np.ndarray
    ) -> tuple[np.ndarray, float | None]:
        """New completions, and the mean log mass of what validation rows have observed.

        The latter is None without validation rows, and where it takes too much to compute.
        """
        began = self.fit.clock.spent
        coarsening, valid = found.coarsening, self.rows[self.n :]
        bins = coarsening.to_bins(self.rows)
        completions = self._completions(found)
        drawn = self._redrawn(completions, bins, coarsening.to_bins(completed))
        codes = np.where(self.rows == MISSING, coarsening.to_codes(drawn, self.rng), self.rows)
        self.completing = self.fit.clock.spent - began
        if not completions.exact or len(valid) == 0:
            return codes, None
        value = completions.log_prob_observed(bins[self.n :]) + coarsening.log_shares(valid)
        return codes, float(value.mean())

    def _settled(self, found: Candidate, completed: np.ndarray) -> Candidate:
        """The network that was found, with counts averaged over many completions."""
        bins = found.coarsening.to_bins(self.rows[: self.n])
        drawn = found.coarsening.to_bins(completed[: self.n])
        clock = self.fit.clock.part(COUNT_SHARE)
        expected = self.completing
        for k in range(1, COUNT_ROUNDS + 1):
            if not self.fit.goes_on("count rounds", clock=clock, expected=expected):
                break
            began = self.fit.clock.spent
            drawn = self._redrawn(self._completions(found), bins, drawn)
            step = 1.0 if k <= BURN_IN else 1.0 / (k - BURN_IN)
            found = _counted(found, drawn, self.schema.reached(drawn), step)
            expected = self.fit.clock.spent - began
            self.fit.did("count rounds")
            self.fit.report(SEARCH_SHARE + 0.2 * k / COUNT_ROUNDS, "counts of completions")
        how = "exact draws" if self._completions(found).exact else "Gibbs sampling"
        self.fit.note(f"missing entries: completed by {how}, held for missing at random")
        return found

    def _redrawn(
        self, completions: Completions, bins: np.ndarray, before: np.ndarray
    ) -> np.ndarray:
        """(n, D) bins, drawn anew where ``MISSING``; uniform in variables that are never seen."""
        drawn = completions.redraw(bins, before, self.rng)
        for d in self.unseen:
            uniform = self.rng.integers(0, completions.cards[d], len(drawn))
            drawn[:, d] = np.where(bins[:, d] == MISSING, uniform, drawn[:, d])
        return drawn

    def _completions(self, found: Candidate) -> Completions:
        cards, end = found.coarsening.cards, self.schema.end
        network = Network.of(found.conditionals, cards, end, self.settings.limits)
        return Completions(network, (self.rows == MISSING).any(axis=0))


def _counted(found: Candidate, rows: np.ndarray, reached: np.ndarray, step: float) -> Candidate:
    """The same graph, no average, with its counts moved by the share ``step`` towards those in rows
    (n, D) of bins; 1 forgets the present ones."""
    moved = []
    for child, counts in enumerate(found.counts):
        assert not isinstance(counts, AverageCounts)
        at = np.flatnonzero(reached[:, child])
        moved.append(counts.moved(rows[np.ix_(at, counts.parents)], rows[at, child], step))
    return replace(found, counts=moved)
