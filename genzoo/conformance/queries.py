"""Checks of questions about a part of a row: marginals, conditionals, completions, strings."""

from __future__ import annotations

import warnings

import numpy as np

from genzoo.conformance.masses import LEAST_BOUND_MASS, agreement
from genzoo.conformance.subject import FLOAT_TOLERANCE, Subject, pooled, require, rows_of
from genzoo.queries import classify, impute
from genzoo.space.schema import MISSING
from genzoo.values import Unsupported

N_COMPLETIONS = 4000
FEW_COMPLETIONS = 150  # of a Monte Carlo kind, where one may cost a hundred draws


def marginals(subject: Subject, name: str) -> str:
    """The mass of a partly observed row is the sum of the masses of its completions."""
    space, model = subject.fitted(name)
    masses = subject.masses(name)
    done = 0
    for queried in space.patterns(subject.seed):
        try:
            marginal = pooled(model, queried[None], subject.seed, most=4)
        except Unsupported:
            continue
        summed, error = masses.summed(space.agreeing(queried))
        gap = float(marginal.log_mass[0]) - summed
        found = (
            f"log_prob of {queried.tolist()} is {marginal.log_mass[0]:.5f}, "
            f"the sum over its completions {summed:.5f}"
        )
        if marginal.exact and masses.exact:
            require(abs(gap) < FLOAT_TOLERANCE, found)
        else:
            error = float(np.hypot(error, marginal.error[0])) + FLOAT_TOLERANCE
            # both are lower bounds, so either may be the looser one
            slack = -np.log(LEAST_BOUND_MASS)
            subject.alarm_beyond(max(0.0, abs(gap) - slack) / error, found)
        done += 1
    return f"{done} patterns" if done else "Unsupported"


def conditionals(subject: Subject, name: str) -> str:
    """The conditional mass of a row is its mass less the log of its part's."""
    space, model = subject.fitted(name)
    masses = subject.masses(name)
    done = 0
    for queried in space.patterns(subject.seed)[:3]:
        at = np.flatnonzero(space.agreeing(queried))
        if not masses.exact:
            at = at[[masses.log_mass[at].argmax()]]  # the likeliest, whose bound is the tightest
        try:
            result = model.conditional_log_prob(space.rows[at], queried, seed=subject.seed)
        except Unsupported:
            continue
        summed, error = masses.summed(space.agreeing(queried))
        gaps = result.value - (masses.log_mass[at] - summed)
        worst = int(np.argmax(np.abs(gaps)))
        found = (
            f"log_prob of {space.rows[at[worst]].tolist()} given {queried.tolist()} is off by "
            f"{gaps[worst]:.5f} from joint less marginal"
        )
        if result.kind == "exact":
            require(masses.exact, "a difference of bounds is called exact")
            require(np.abs(gaps).max() < FLOAT_TOLERANCE, found)
        else:
            errors = np.sqrt(result.stderr**2 + masses.error[at] ** 2 + error**2)
            slack = -np.log(LEAST_BOUND_MASS)
            z = np.maximum(0.0, np.abs(gaps) - slack) / (errors + FLOAT_TOLERANCE)
            subject.alarm_beyond(float(z[0]), found)
        done += 1
    return f"{done} patterns" if done else "Unsupported"


def completions(subject: Subject, name: str) -> str:
    """Completions keep what was given, and follow the masses of the rows that agree with it."""
    space, model = subject.fitted(name)
    masses = subject.masses(name)
    n = N_COMPLETIONS if masses.exact else FEW_COMPLETIONS
    done = distrusted = 0
    for queried in space.patterns(subject.seed):
        seed = subject.seed + 5
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                drawn = rows_of(model, model.sample(n, given=queried, seed=seed))
        except Unsupported:
            continue
        observed = queried != MISSING
        require((drawn[:, observed] == queried[observed]).all(), "observed entries were changed")
        allowed = space.completing(queried)
        outside = ~allowed[space.index(drawn)]
        require(not outside.any(), f"a completion of {queried.tolist()} contradicts it")
        if any(issubclass(warning.category, UserWarning) for warning in caught):
            distrusted += 1  # the model itself says that these draws are poor
            continue
        p = agreement(space, drawn, masses, allowed)
        subject.alarm_below(p, f"completions of {queried.tolist()} do not follow log_prob")
        done += 1
    if done + distrusted == 0:
        return "Unsupported"
    return f"{done} patterns" + f", {distrusted} with a warning" * (distrusted > 0)


def classes(subject: Subject) -> str:
    """Bayes' rule on the joint: classes are as probable as the rows that have them."""
    space, model = subject.fitted("table")
    masses = subject.masses("table")
    rows = space.some_rows(10)
    alternatives = np.repeat(rows[:, None], space.schema.cards[0], axis=1)  # (n, labels, D)
    alternatives[..., 0] = np.arange(space.schema.cards[0])
    at = space.index(alternatives.reshape(-1, space.schema.D)).reshape(alternatives.shape[:2])
    expected = masses.mass[at] / masses.mass[at].sum(axis=1, keepdims=True)
    target = space.schema.names[0]
    told = np.asarray(classify(model, rows, target, proba=True, seed=subject.seed))
    # one call has a larger error than the mean of several, and its log a bias of half the variance
    relative = np.sqrt(1 + masses.calls) * masses.error[at].max(axis=1, keepdims=True)
    z = np.abs(told - expected) / (expected * (1 - expected) * 2 * relative + FLOAT_TOLERANCE)
    worst = np.unravel_index(np.argmax(z), z.shape)
    found = (
        f"{target!r} of {rows[worst[0]].tolist()} is {worst[1]} by {told[worst]:.4f}, by the "
        f"masses {expected[worst]:.4f}"
    )
    if masses.exact:
        require(z.max() < 1, found)
    else:
        for value in z[:, 1:].ravel():  # the shares of a row sum to one
            subject.alarm_beyond(float(value), found)
    return f"{len(rows)} rows"


def imputed(subject: Subject) -> str:
    """Imputation fills each hole, with what the model says, and keeps the rest."""
    space, model = subject.fitted("table")
    queried = space.patterns(subject.seed)[0]
    n = N_COMPLETIONS if subject.masses("table").exact else FEW_COMPLETIONS
    try:
        filled = impute(model, np.repeat(queried[None], n, axis=0), seed=subject.seed)
    except Unsupported:
        return "Unsupported"
    drawn = space.schema.check_rows(filled)
    require(((drawn == queried) | (queried == MISSING)).all(), "observed entries were changed")
    allowed = space.completing(queried)
    p = agreement(space, drawn, subject.masses("table"), allowed)
    subject.alarm_below(p, f"imputations of {queried.tolist()} do not follow log_prob")
    return f"p = {p:.3f}"


def strings_end(subject: Subject) -> str:
    """An END ends: nothing that comes after it is open, and a string is worth its codes."""
    _, model = subject.fitted("strings")
    end, D = model.schema_.end, model.schema_.D
    texts = ["", "a", "ab", "a" * D]
    rows = model.schema_.encode(texts)
    after = np.cumsum(rows == end, axis=1) > 1
    opened = np.where(after, MISSING, rows)
    value = model.log_prob(rows, seed=subject.seed).value
    for what, same in (("a string", texts), ("a row with MISSING after its END", opened)):
        gap = np.abs(model.log_prob(same, seed=subject.seed).value - value).max()
        require(gap < FLOAT_TOLERANCE, f"{what} and its codes differ by {gap:.2g} nats")
    drawn = rows_of(model, model.sample(20, given=opened[:1], seed=subject.seed))
    require((drawn == end).all(), "a completion goes on after END")
    return "END ends"
