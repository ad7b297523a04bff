"""Checks of values that are not exact: their errors, their growth with effort, annealing."""

from __future__ import annotations

import numpy as np

from genzoo.conformance.subject import FLOAT_TOLERANCE, Subject, parameters, pooled, require
from genzoo.model import GenerativeModel
from genzoo.protocols import Certifies

ERROR_SEEDS = 30
LEAST_RATIO, MOST_RATIO = 0.45, 1.9
EFFORTS = {"iwae": ("n_importance", (32, 320, 3200)), "ais": ("n_temperatures", (4, 16, 64))}
EFFORT_CALLS = (24, 6, 3)  # the less effort, the larger is a call's error
ANNEALED_SPACE = "table"
ORDER_TEMPERATURES, ORDER_CHAINS = (2, 10), 128
REVERSED_ROWS = 20


def honest_errors(subject: Subject, name: str) -> str:
    """The stated standard errors are those that ``log_prob`` has from seed to seed.

    The median over rows of the ratio of spread to statement: one row with a heavy tail counts for
    no more than another. With normal errors half of twelve rows of true ratio 1
    leave the limits at once less than once in 10^15 runs.
    """
    space, model = subject.fitted(name)
    rows = space.some_rows(12)
    first = model.log_prob(rows, seed=subject.seed)
    if first.kind == "exact":
        return "exact"
    n = ERROR_SEEDS if first.estimator != "ais" else ERROR_SEEDS // 2
    calls = [first] + [model.log_prob(rows, seed=subject.seed + 77 * i) for i in range(1, n)]
    # a value is cut at 0, where a mass of nearly 1 leaves no room for noise
    free = np.all([call.value < 0 for call in calls], axis=0)
    if not free.any():
        return "all values are cut at 0"
    spread = np.std([call.value for call in calls], axis=0, ddof=1)[free]
    stated = np.sqrt(np.mean([call.stderr**2 for call in calls], axis=0))[free]
    ratio = float(np.median((spread + FLOAT_TOLERANCE) / (stated + FLOAT_TOLERANCE)))
    require(
        LEAST_RATIO <= ratio <= MOST_RATIO,
        f"values spread over {n} seeds {ratio:.2f} times as far as their standard errors say",
    )
    return f"ratio {ratio:.2f}"


def tightens(subject: Subject, name: str) -> str:
    """The mean bound over a few rows does not fall when the effort grows."""
    space, model = subject.fitted(name)
    rows = space.some_rows(6)
    found = []
    for estimator, (parameter, efforts) in EFFORTS.items():
        if parameter not in model.get_params() or not has_estimator(model, estimator):
            continue
        if estimator == "ais" and name != ANNEALED_SPACE:
            continue  # a hundred times the cost
        means = []
        for effort, calls in zip(efforts, EFFORT_CALLS, strict=True):
            with parameters(model, estimator=estimator, **{parameter: effort}):
                means.append(_mean_bound(model, rows, calls, subject.seed))
        for (less, error), (more, its), effort in zip(means, means[1:], efforts[1:], strict=False):
            z = (less - more) / np.hypot(np.hypot(error, its), FLOAT_TOLERANCE)
            subject.alarm_beyond(
                float(z), f"the {estimator} bound falls at {parameter} = {effort}", sides=1
            )
        found.append(f"{estimator} " + " ".join(f"{mean:.3f}" for mean, _ in means))
    return "; ".join(found) or "no effort to vary"


def _mean_bound(
    model: GenerativeModel, rows: np.ndarray, n_calls: int, seed: int
) -> tuple[float, float]:
    """The mean over rows and calls with several seeds, and its standard error.

    The error is the stated one or, where larger, that of the spread over the calls.
    """
    calls = [model.log_prob(rows, seed=seed + 31 * r) for r in range(n_calls)]
    means = [float(call.value.mean()) for call in calls]
    stated = np.sqrt(np.mean([np.sum(call.stderr**2) for call in calls])) / len(rows)
    error = max(float(stated), float(np.std(means, ddof=1))) / np.sqrt(len(calls))
    return float(np.mean(means)), error


def annealing_order(subject: Subject) -> str:
    """With few temperatures, from the prior, annealed masses still sum to at most one.

    Where the increment is taken after the move instead of before it, or the step size adapts to the
    run that counts, few temperatures make the sum far too large; many hide the error.
    """
    if not has_estimator(subject.model, "ais"):
        return "does not anneal"
    space, model = subject.fitted_to_copies()
    sums = []
    for T in ORDER_TEMPERATURES:
        with parameters(
            model, estimator="ais", n_temperatures=T, n_chains=ORDER_CHAINS, ais_start="prior"
        ):
            masses = pooled(model, space.rows, subject.seed)
        log_total, relative = masses.summed(np.ones(len(space.rows), dtype=bool))
        total = float(np.exp(log_total))
        found = f"at {T} temperatures the masses sum to {total:.3f} +- {total * relative:.3f}"
        z = (total - 1) / (total * relative + FLOAT_TOLERANCE)
        subject.alarm_beyond(z, f"{found}, over 1", sides=1)
        sums.append(f"{total:.3f}")
    return f"sums {', '.join(sums)} at T = 2, 10"


def sandwich(subject: Subject) -> str:
    """On rows that the model drew, the upper bound lies above the lower one."""
    _, model = subject.fitted_to_copies()
    if not isinstance(model, Certifies):
        return "has no upper bound"
    gap = model.bidirectional(REVERSED_ROWS, seed=subject.seed)
    require(np.isclose(gap.upper.value - gap.lower.value, gap.gap), "gap is not upper less lower")
    subject.alarm_beyond(
        -gap.gap / (gap.stderr + FLOAT_TOLERANCE),
        f"the upper bound, {gap.upper.value:.4f}, lies below the lower, {gap.lower.value:.4f}",
        sides=1,
    )
    return f"gap {gap.gap:.4f} +- {gap.stderr:.4f}"


def has_estimator(model: GenerativeModel, estimator: str) -> bool:
    """Whether the model's parameter ``estimator`` can be set to this."""
    if "estimator" not in model.get_params():
        return False
    try:
        with parameters(model, estimator=estimator):
            return True
    except ValueError:
        return False
