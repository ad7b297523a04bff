"""Table-wide q-values: all pairs of families on all data sets of a run in one list.

``genzoo.results.pairs`` holds the chance of any false win on a data set at 5 %, each data set for
itself; of many data sets some then show one. Here all pairs of all of them are looked at together,
and what is held is the expected *share* of false ones among those that are called different: of the
pairs with a q-value below 5 % about one in twenty is not one, however many there are (Benjamini &
Hochberg 1995, J. R. Stat. Soc. B 57). It says that a pair differs, not that this is worth a choice:
leaving out the small ones afterwards would spoil the share.

Pairs of a data set share rows and models, so they depend on each other. Benjamini and Yekutieli's
(2001, Ann. Stat. 29) correction for whatever dependence costs a factor of sum 1/i (6 for 252
pairs); for pairwise comparisons such as these Benjamini and Hochberg's keeps its level without it
(Reiner-Benaim 2007, Biometrical J. 49), as ``benchmarks/rates/discoveries.py`` measures on shared
rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from genzoo.results.pairs import Pair
from genzoo.results.statistics import LEVEL


@dataclass(frozen=True)
class Discovery:
    """A pair on a data set, with its table-wide q-value."""

    dataset: str
    pair: Pair
    q_value: float

    @property
    def found(self) -> bool:
        return self.q_value < LEVEL


def discoveries(pairs: Sequence[tuple[str, Pair]]) -> list[Discovery]:
    """The pairs that could be told apart at all, of all data sets together, in their order.

    Args:
        pairs: each with its data set.
    """
    from scipy.stats import false_discovery_control

    asked = [(dataset, pair) for dataset, pair in pairs if not math.isnan(pair.p_value)]
    if not asked:
        return []
    q_values = false_discovery_control([pair.p_value for _, pair in asked], method="bh")
    found = zip(asked, q_values, strict=True)
    return [Discovery(dataset, pair, float(q)) for (dataset, pair), q in found]
