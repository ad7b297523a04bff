"""What a test set could have shown, and how many rows would show more.

A difference that is not proven says little without its other half: how large a difference these
rows could have shown. Of a comparison this is the true difference that its test would have proven
in ``POWER`` of cases (``Difference.visible``), by the spread of the paired differences at hand and
at the level of Holm's first step, so of the hardest of the tests that were made together. With s
the standard deviation of the differences and z those of the normal law it is close to

    shown = (z_{1 - level / 2} + z_{POWER}) s / sqrt(n)

and solved for n with ``choice.LEAST``, the smallest difference that is worth a choice, in its place

    n = ((z_{1 - level / 2} + z_{POWER}) s / LEAST)^2:

the rows that such a test set would need. Student's t stands for z, groups and blocks of rows for
rows, and where the test waits for rows of a rare kind (``Difference.p_value``) its price is in
both. "Shown" is that the two differ: a difference of just ``LEAST`` is as often measured below as
above.

Cohen (1988), Statistical Power Analysis for the Behavioral Sciences, 2nd ed. Dror, Baumer, Shlomov
& Reichart (2018), The hitchhiker's guide to testing statistical significance in NLP, ACL; Card et
al. (2020), With little power comes great responsibility, EMNLP.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from genzoo.results.statistics import FEWEST_UNITS, Difference

MOST_ROWS = 1e9  # nobody has more


@dataclass(frozen=True)
class Power:
    """Of a comparison of two models.

    Attributes:
        shown: the true difference in nats a row that this test set would have shown.
        rows: how many test rows would have shown ``least`` nats a row; None where ``MOST_ROWS``
            would not have.
    """

    shown: float
    rows: float | None
    least: float


def power(
    difference: Difference, least: float, level: float, most_units: float = math.inf
) -> Power | None:
    """What a comparison could have shown; None without enough units for a test, and where rows are
    all alike.

    Args:
        difference: over test rows; its spread is taken for that of other rows.
        least: the difference to find, in nats a row.
        level: of the two-sided test.
        most_units: blocks that rows may make, however many (``Difference.visible``).

    Raises:
        ValueError: where ``least`` is not above 0.
    """
    if not least > 0:
        raise ValueError(f"power: expected least above 0; got {least}")
    shown = difference.visible(level)
    if not difference.has_error or math.isnan(shown):
        return None
    return Power(shown, _rows(difference, least, level, most_units), least)


def _rows(d: Difference, least: float, level: float, most_units: float) -> float | None:
    def beyond(log_times: float) -> float:
        times = math.exp(log_times)
        return d.visible(level, times=times, most_units=most_units) - least

    from scipy.optimize import brentq

    # a test has this many units at least
    fewest, most = math.log(FEWEST_UNITS / d.n), math.log(MOST_ROWS / d.n_rows)
    if beyond(fewest) <= 0:
        return math.ceil(d.n_rows * math.exp(fewest))
    if beyond(most) > 0:
        return None
    return math.ceil(d.n_rows * math.exp(brentq(beyond, fewest, most, xtol=1e-6)))
