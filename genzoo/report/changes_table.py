"""Every number of a comparison of runs, one a line: ``changes.csv``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from genzoo.results.change import Change, Comparison, Shift, Side
from genzoo.results.numbers import number, seconds
from genzoo.results.record import CellRecord

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "before", "after", "dataset", "model", "quantity", "unit", "verdict",
    "value_before", "stderr_before", "kind_before", "seeds_before", "status_before",
    "value_after", "stderr_after", "kind_after", "seeds_after", "status_after",
    "difference", "stderr", "stderr_refits", "low", "high", "p_value", "p_adjusted",
)  # fmt: skip


@dataclass(frozen=True)
class Cost:
    """What a fit takes: measured once, so without an error.

    Attributes:
        total: what the sum over cells is called, or the largest.
        unit: of the number.
        of: of a cell's record.
        over_cells: the sum, or the largest.
        text: the number for people.
    """

    total: str
    unit: str
    of: Callable[[CellRecord], float | None]
    over_cells: Callable[[Sequence[float]], float]
    text: Callable[[float], str]

    def of_side(self, side: Side) -> float | None:
        """The mean over seeds, and over folds."""
        return side.mean(lambda fit: fit.mean(self.of))


def _whole(value: float) -> str:
    return number(value, 0)


COSTS = {
    "train_seconds": Cost("training", "s", lambda r: r.train_seconds, sum, seconds),
    "evaluate_seconds": Cost("scoring test rows", "s", lambda r: r.evaluate_seconds, sum, seconds),
    "sample_seconds": Cost("drawing samples", "s", lambda r: r.sample_seconds, sum, seconds),
    "peak_memory_mb": Cost("largest memory, MiB", "MiB", lambda r: r.peak_memory_mb, max, _whole),
    "n_parameters": Cost("parameters", "", lambda r: r.n_parameters, sum, _whole),
}


def table(comparisons: Sequence[Comparison], names: Sequence[str]) -> pd.DataFrame:
    """One row for each score, metric and cost of each family on each data set that two runs share.

    Args:
        comparisons: of the later runs with the first.
        names: what the runs are called, the first one's first.
    """
    import pandas as pd

    first, *others = names
    lines = [
        {"before": first, "after": name, "dataset": change.dataset, "model": change.model} | line
        for comparison, name in zip(comparisons, others, strict=True)
        for change in comparison.changes
        for line in _lines(change)
    ]
    found = pd.DataFrame(lines, columns=list(COLUMNS))
    return found.astype({"seeds_before": "Int64", "seeds_after": "Int64"})


def _lines(change: Change) -> Iterator[dict[str, Any]]:
    sides = {"before": change.before, "after": change.after}
    same: dict[str, Any] = {f"seeds_{when}": len(side.fits) for when, side in sides.items()}
    same |= {f"status_{when}": side.status for when, side in sides.items()}
    yield same | _score(change) | {"quantity": "test_log_prob", "unit": "nats per row"}
    for m in change.metrics:
        yield same | {
            "quantity": m.key,
            "verdict": "beyond noise" if m.shown else "can't tell",
            "value_before": m.before.value,
            "stderr_before": m.before.stderr,
            "value_after": m.after.value,
            "stderr_after": m.after.stderr,
            "p_adjusted": m.p_adjusted,
            **_of_shift(m.shift),
        }
    for name, cost in COSTS.items():
        before, after = (cost.of_side(side) for side in sides.values())
        if before is not None or after is not None:
            known = before is not None and after is not None
            yield same | {
                "quantity": name,
                "unit": cost.unit,
                "value_before": before,
                "value_after": after,
                "difference": after - before if known else None,  # type: ignore[operator]
            }


def _score(change: Change) -> dict[str, Any]:
    found: dict[str, Any] = {"verdict": change.verdict}
    for when, side in (("before", change.before), ("after", change.after)):
        score = side.score
        if score is not None:
            found |= {
                f"value_{when}": score.value,
                f"stderr_{when}": score.stderr,
                f"kind_{when}": score.kind,
            }
    if change.shift is None:
        return found
    return found | _of_shift(change.shift) | {"p_adjusted": change.p_adjusted}


def _of_shift(shift: Shift) -> dict[str, Any]:
    low, high = shift.interval()
    return {
        "difference": shift.value,
        "stderr": shift.stderr,
        "stderr_refits": shift.refits,
        "low": low,
        "high": high,
        "p_value": shift.p_value,
    }
