"""Families over data sets: their mean ranks, and which of them are told apart.

A rank is 1 and how many families with exact values lie above, a half for one that is level; its
mean is over data sets. Families with exact values on all of them are ranked. A lower bound may lie
anywhere below the true value, so of a family with bounds only this is known: its mean rank is *at
most* that of its bounds. ``independent``, the mark of no skill, and the stack take no part.

What is said of the families, for data sets like these:

- whether all rank alike: Friedman's test (1937, JASA 32);
- which pairs with exact values are told apart: Wilcoxon's signed-rank test of the differences in
  their shares of the way (``genzoo.results.way``: nats of several data sets have no size in
  common), two-sided, with Holm's correction for all pairs together (Demsar 2006, JMLR 7). Not
  Nemenyi's test of mean ranks: whether that tells two families apart depends on which others are
  compared, and adding poor ones makes it more willing (Benavoli, Corani & Mangili 2016, Should we
  really use post-hoc tests based on mean-ranks?, JMLR 17);
- which families with bounds are better than which with exact values: the same test, one-sided, of
  the shares of the bounds. The sum of signed ranks grows with each difference, so what is proven by
  lower ones holds of the true ones. These are a second family of tests with a correction of its
  own. A bound never loses, and two bounds tell nothing.

All of it takes data sets as drawn at random; n of them can't give a p-value below 2^(1 - n).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from genzoo.results.ranking import Ranking
from genzoo.results.record import BASELINE, STACK, TRUTH
from genzoo.results.statistics import LEVEL, holm
from genzoo.results.way import standings, way

SAME_DECIMALS = 9  # of nats: a rounded record may leave values equal (as ``ranking.rank``)


@dataclass(frozen=True, eq=False)
class Compared:
    """Which families can be compared over which data sets.

    Attributes:
        datasets: n names.
        exact: (n,) nats a row of each family with exact values on all of them.
        bounds: (n,) nats a row of each that has a lower bound on some.
        shares: (n,) of the way, of all of these.
        left_out: why a family takes no part; unused: why a data set takes none.
    """

    datasets: list[str]
    exact: dict[str, np.ndarray]
    bounds: dict[str, np.ndarray]
    shares: dict[str, np.ndarray]
    left_out: dict[str, str]
    unused: dict[str, str]


@dataclass(frozen=True)
class Told:
    """Two families over data sets.

    Attributes:
        models: their names; the first of a family with bounds and another is that with bounds.
        p_value: of this pair alone; adjusted: by Holm, for all pairs of its kind.
        above: on how many data sets the first one's value lies above the second's.
        winner: the one that is told to be better; None where that can't be told.
    """

    models: tuple[str, str]
    p_value: float
    adjusted: float
    above: int
    winner: str | None


@dataclass(frozen=True)
class Ranks:
    """Mean ranks, and what they and the pairs say.

    Attributes:
        mean: of each family with exact values, the best first.
        at_most: the same of the families with bounds: their true mean rank is no higher.
        friedman: the p-value of Friedman's test; None of fewer than three families.
        pairs: of families with exact values; of_bounds: of one with bounds and one with exact
            values.
        n_datasets: over how many.
    """

    mean: dict[str, float]
    at_most: dict[str, float]
    friedman: float | None
    pairs: list[Told]
    of_bounds: list[Told]
    n_datasets: int

    @property
    def smallest(self) -> float:
        """The smallest p-value that as many data sets can give, two-sided."""
        return 2.0 ** (1 - self.n_datasets)

    @property
    def threshold(self) -> float:
        """Below which the surest of all pairs has to be (Holm's first step)."""
        return LEVEL / len(self.pairs)

    @property
    def can_tell(self) -> bool:
        """Whether so many data sets can tell any pair apart, of as many pairs."""
        return self.smallest < self.threshold

    @property
    def needed(self) -> int:
        """How many data sets it takes to tell any of as many pairs apart."""
        return math.floor(1 - math.log2(self.threshold)) + 1

    @property
    def groups(self) -> list[list[str]]:
        """The largest groups of families of which no two are told apart, each in the order of the
        ranks: together they say which pairs are not told apart."""
        import networkx

        alike = networkx.Graph()
        alike.add_nodes_from(self.mean)
        alike.add_edges_from(told.models for told in self.pairs if told.winner is None)
        order = list(self.mean)
        cliques = [sorted(c, key=order.index) for c in networkx.find_cliques(alike) if len(c) > 1]
        return sorted(cliques, key=lambda c: [order.index(model) for model in c])


def compared(models: Sequence[str], rankings: Sequence[Ranking]) -> Compared:
    """Of all families and data sets of a run those that ranks can be about."""
    unused = _unused(rankings)
    used = [r for r in rankings if r.dataset.name not in unused]
    exact, bounds, shares = (
        dict[str, np.ndarray](),
        dict[str, np.ndarray](),
        dict[str, np.ndarray](),
    )
    left_out = {}
    for standing in standings(models, used) if used else ():
        model = standing.model
        if model in (BASELINE, STACK, TRUTH):
            continue
        found = [s for s in standing.shares if s is not None and math.isfinite(s)]
        if len(found) < len(used):
            missing = len(used) - len(found)
            left_out[model] = f"no result that counts on {missing} of {len(used)} data sets"
        elif used and standing.kind == "estimate":  # a model without any result has no kind
            left_out[model] = "gives estimates, which prove nothing"
        else:
            values = np.array([e.value for e in standing.entries if e is not None], dtype=float)
            (exact if standing.kind == "exact" else bounds)[model] = values
            shares[model] = np.array(found)
    return Compared([r.dataset.name for r in used], exact, bounds, shares, left_out, unused)


def _unused(rankings: Sequence[Ranking]) -> dict[str, str]:
    unused, texts = {}, dict[str, str]()
    for ranking in rankings:
        name, text, on = ranking.dataset.name, ranking.dataset.facts.text, way(ranking)
        if on is not None and on.start != BASELINE:
            unused[name] = f"{BASELINE}, the mark of no skill, was not run"
        elif on is None or not on.high > on.low:
            unused[name] = "no family with an exact value gets beyond no skill"
        elif text is not None and text.digest in texts:
            unused[name] = f"the same text as {texts[text.digest]}"
        elif text is not None:
            texts[text.digest] = name
    return unused


def ranks(of: Compared) -> Ranks | None:
    """None of fewer than two data sets, or than two families with exact values."""
    n = len(of.datasets)
    if n < 2 or len(of.exact) < 2:
        return None
    exact = {model: np.round(values, SAME_DECIMALS) for model, values in of.exact.items()}
    mean = _in_order({m: _mean_rank(v, [exact[o] for o in exact if o != m])
                      for m, v in exact.items()})  # fmt: skip
    at_most = _in_order({m: _mean_rank(v, list(exact.values())) for m, v in of.bounds.items()})
    both = list(combinations(mean, 2))
    of_bounds = [(bound, other) for bound in at_most for other in mean]
    return Ranks(
        mean,
        at_most,
        _friedman(list(exact.values())),
        _tested(of, both, one_sided=False),
        _tested(of, of_bounds, one_sided=True),
        n,
    )


def _in_order(mean: dict[str, float]) -> dict[str, float]:
    return dict(sorted(mean.items(), key=lambda item: item[1]))


def _mean_rank(values: np.ndarray, others: Sequence[np.ndarray]) -> float:
    above = sum((o > values).astype(float) + 0.5 * (o == values) for o in others)
    return 1.0 + float(np.mean(above))


def _friedman(values: Sequence[np.ndarray]) -> float | None:
    from scipy.stats import friedmanchisquare

    if len(values) < 3:
        return None
    if all(np.array_equal(values[0], v) for v in values):  # ranks that are all level
        return 1.0
    return float(friedmanchisquare(*values).pvalue)


def _tested(of: Compared, pairs: Sequence[tuple[str, str]], *, one_sided: bool) -> list[Told]:
    """Each pair, with Holm's correction for all of them."""
    nats = of.exact | of.bounds
    differences = [
        # what ranks call level is no difference here either
        np.where(np.round(nats[a] - nats[b], SAME_DECIMALS) == 0, 0.0, of.shares[a] - of.shares[b])
        for a, b in pairs
    ]
    sides = [(_signed_rank(d), _signed_rank(-d)) for d in differences]
    p_values = [first if one_sided else min(1.0, 2 * min(first, second)) for first, second in sides]
    found = []
    for (a, b), d, (first, second), p, adjusted in zip(
        pairs, differences, sides, p_values, holm(p_values), strict=True
    ):
        ahead = a if one_sided or first < second else b
        winner = ahead if adjusted < LEVEL else None
        found.append(Told((a, b), p, float(adjusted), int(np.sum(d > 0)), winner))
    return found


def _signed_rank(d: np.ndarray) -> float:
    """One-sided: how often differences that are symmetric about 0 would have as high a sum of
    signed ranks. Exact, also with ties, of up to 13 data sets, and without ties of up to 50."""
    from scipy.stats import wilcoxon

    if not d.any():
        return 1.0
    return float(wilcoxon(d, alternative="greater").pvalue)
