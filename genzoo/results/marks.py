"""What a metric of samples can see on a data set: its value between two marks.

The marks are what has no skill (``independent``; of memorisation, a copycat) and held-out rows,
which are as good as it gets. A metric sees something here where the first is worse than the second
by at least ``SURE`` standard errors of their difference. Both are compared with the same test rows,
which makes the error of the difference rather smaller than stated. Where a metric sees nothing,
what it says of models that lie between says nothing either.
"""

from __future__ import annotations

from dataclasses import dataclass

from genzoo.results.numbers import Value

SURE = 3.0  # standard errors of a difference


@dataclass(frozen=True)
class Marks:
    """The marks of a metric on a data set.

    Attributes:
        worst, best: what has no skill, and held-out rows; None where that has no value.
        higher_is_better: the direction; None where neither more nor less is better.
    """

    worst: Value | None
    best: Value | None
    higher_is_better: bool | None

    @property
    def sees(self) -> bool | None:
        """Whether it tells the marks apart, the right way round; None where it lacks one."""
        if self.worst is None or self.best is None:
            return None
        gap = self.best.above(self.worst)
        if self.higher_is_better is None:
            return bool(abs(gap) >= SURE)
        return bool((gap if self.higher_is_better else -gap) >= SURE)

    def share(self, value: float) -> float | None:
        """Where a value lies: 0 at the worst mark, 1 at the best; None unless the metric sees."""
        if not self.sees or self.worst is None or self.best is None:
            return None
        return (value - self.worst.value) / (self.best.value - self.worst.value)
