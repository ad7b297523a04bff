"""Checks of the masses of whole rows, and of samples against them."""

from __future__ import annotations

import numpy as np

from genzoo.conformance.spaces import Space
from genzoo.conformance.subject import FLOAT_TOLERANCE, N_SAMPLES, Masses, Subject, require, rows_of

LEAST_BOUND_MASS = 0.9


def normalised(subject: Subject, name: str) -> str:
    """The masses of all rows sum to one; those of a bound to at most one, and not much less."""
    masses = subject.masses(name)
    everything = np.ones(len(masses.mass), dtype=bool)
    log_total, relative = masses.summed(everything)
    total = float(np.exp(log_total))
    if masses.exact:
        require(
            abs(total - 1) < FLOAT_TOLERANCE, f"the masses of all rows sum to {total:.6f}, not 1"
        )
        return f"sum {total:.7f}"
    error = total * relative + FLOAT_TOLERANCE
    found = f"a bound's masses sum to {total:.4f} +- {error:.4f}, over 1"
    subject.alarm_beyond((total - 1) / error, found, sides=1)
    require(total >= LEAST_BOUND_MASS, f"a bound's masses sum to {total:.4f}, under 0.9")
    return f"sum {total:.4f} +- {error:.4f}"


def samples_follow(subject: Subject, name: str) -> str:
    """A goodness-of-fit test of samples against ``log_prob``."""
    space = subject.spaces[name]
    p = agreement(space, subject.drawn(name), subject.masses(name))
    subject.alarm_below(p, f"{N_SAMPLES} samples do not follow log_prob")
    return f"p = {p:.3f}"


def agreement(
    space: Space, drawn: np.ndarray, masses: Masses, chosen: np.ndarray | None = None
) -> float:
    """The p-value of sampled rows under the masses of a space.

    A G-test where the masses are exact, cells with an expectation under 5 merged. For Monte Carlo
    masses Pearson's statistic with their error added to each cell's variance.

    Args:
        space: whose rows the masses are of.
        drawn: (n, D) rows of the space.
        masses: of all rows.
        chosen: (N,) which rows the samples were to come from; None: all.
    """
    from scipy.stats import chi2

    if chosen is None:
        chosen = np.ones(len(space.rows), dtype=bool)
    counts = np.bincount(space.index(drawn), minlength=len(space.rows)).astype(float)
    if counts[~chosen].sum() > 0:
        return 0.0
    observed, mass, error = counts[chosen], masses.mass[chosen], masses.error[chosen]
    expected = len(drawn) * mass / mass.sum()
    noise = (expected * error) ** 2
    small = expected < 5
    if small.any():
        observed, expected, noise = (
            np.append(a[~small], a[small].sum()) for a in (observed, expected, noise)
        )
    keep = expected > 1e-9
    if observed[~keep].sum() > 0:
        return 0.0
    observed, expected, noise = observed[keep], expected[keep], noise[keep]
    if masses.exact:
        seen = observed > 0
        statistic = 2 * np.sum(observed[seen] * np.log(observed[seen] / expected[seen]))
    else:
        statistic = np.sum((observed - expected) ** 2 / (expected + noise))
    return float(chi2.sf(statistic, max(1, len(expected) - 1)))


def entropy_identity(subject: Subject, name: str) -> str:
    """The mean log mass of samples is minus the entropy that the masses have."""
    space, masses = subject.spaces[name], subject.masses(name)
    shares = np.bincount(space.index(subject.drawn(name)), minlength=len(space.rows)) / N_SAMPLES
    known = masses.mass > 0
    require(shares[~known].sum() == 0, "a row of mass 0 was drawn")
    shares, log_mass = shares[known], masses.log_mass[known]
    p = masses.mass[known] / masses.mass.sum()
    mean, negative_entropy = float(shares @ log_mass), float(p @ log_mass)
    sampling = shares @ (log_mass - mean) ** 2 / N_SAMPLES
    # a mass that is off moves both sides: what is left is its share times the distance to the mean
    noise = np.sum((p * masses.error[known] * (log_mass - negative_entropy)) ** 2)
    z = (mean - negative_entropy) / (np.sqrt(sampling + noise) + 1e-6)
    subject.alarm_beyond(float(z), "the mean log_prob of samples is not minus the entropy")
    return f"z = {z:.2f}"


def rows_independent(subject: Subject, name: str) -> str:
    """Samples repeat each other, the one before or that of another seed, as often as chance has it.

    Of two independent rows, both from p, the chance that they are equal is sum p^2.
    """
    space, masses = subject.spaces[name], subject.masses(name)
    at = space.index(subject.drawn(name))
    p = masses.mass / masses.mass.sum()
    twice, thrice = float(np.sum(p**2)), float(np.sum(p**3))
    noise = 4 * np.sum((p**2 * masses.error) ** 2)
    zs = []
    for what, equal, pairs_share_rows in (
        ("the sample before", at[1:] == at[:-1], True),
        ("the sample of another seed", at[: N_SAMPLES // 2] == at[N_SAMPLES // 2 :], False),
    ):
        variance = twice - twice**2
        if pairs_share_rows:
            variance += 2 * (thrice - twice**2)
        z = (equal.mean() - twice) / np.sqrt(variance / len(equal) + noise + 1e-12)
        subject.alarm_beyond(float(z), f"samples equal {what} in {equal.mean():.4f} of the pairs")
        zs.append(z)
    return "z = " + ", ".join(f"{z:.2f}" for z in zs)


def values(subject: Subject, name: str) -> str:
    """``log_prob`` gives float64 on the host, of the right shape, with errors that make sense."""
    space, model = subject.fitted(name)
    rows = space.some_rows(24)
    result = model.log_prob(rows, seed=subject.seed)
    for what, array in {"value": result.value, "stderr": result.stderr, "ess": result.ess}.items():
        if array is None:
            continue
        require(isinstance(array, np.ndarray), f"{what} is a {type(array).__name__}, not an array")
        require(array.dtype == np.float64, f"{what} has dtype {array.dtype}, not float64")
        require(array.shape == (len(rows),), f"{what} has shape {array.shape}, not ({len(rows)},)")
        require(np.isfinite(array).all(), f"{what} is not finite")
    require((result.value < FLOAT_TOLERANCE).all(), "a log mass is above 0")
    require((result.stderr >= 0).all(), "a standard error is negative")
    if result.kind == "exact":
        require((result.stderr == 0).all(), "an exact value has a standard error")
        require(result.estimator is None, f"an exact value has an estimator, {result.estimator!r}")
    else:
        require(isinstance(result.estimator, str), "a value that is not exact names no estimator")
        require(result.stderr.any(), "values that are not exact have no standard error")
    if result.ess is not None:
        draws = "n_chains" if result.estimator == "ais" else "n_importance_"
        K = getattr(model, draws, np.inf)
        least, most = float(result.ess.min()), float(result.ess.max())
        require(least > 0.999, f"an effective sample size is {least:.3g}, under 1")
        require(most < 1.001 * K, f"an effective sample size is {most:.6g}, over K = {K}")
    again = model.log_prob(rows[:2], seed=subject.seed + 1)
    require(again.kind == result.kind, f"two calls have kinds {result.kind} and {again.kind}")
    drawn = model._sample(5, None, seed=subject.seed)
    require(drawn.dtype == np.int64, f"rows have dtype {drawn.dtype}, not int64")
    return f"{result.kind}, {result.estimator or 'no estimator'}"


def form(subject: Subject, name: str) -> str:
    """Samples have the form of the data that was fitted."""
    space, model = subject.fitted(name)
    sampled = model.sample(7, seed=subject.seed)
    if name == "table":
        require(isinstance(sampled, np.ndarray), f"expected codes; got {type(sampled).__name__}")
        require(sampled.shape == (7, space.schema.D), f"shape {sampled.shape}")
        require(sampled.dtype == np.int64, f"codes have dtype {sampled.dtype}, not int64")
    elif name == "strings":
        require(isinstance(sampled, list), f"expected a list of str; got {type(sampled).__name__}")
        require(all(isinstance(s, str) for s in sampled), "expected a list of str")
    elif name == "image":
        require(sampled.dtype == np.uint8, f"expected uint8 images; got {sampled.dtype}")
        require(sampled.shape == (7, 3, 3), f"shape {sampled.shape}")
    else:
        columns, wanted = list(sampled.columns), list(space.data.columns)
        require(columns == wanted, f"columns {columns}, not {wanted}")
        dtypes = sampled.dtypes.astype(str).to_dict()
        require(dtypes == space.data.dtypes.astype(str).to_dict(), f"dtypes {dtypes}")
    rows_of(model, sampled)
    return "same form"
