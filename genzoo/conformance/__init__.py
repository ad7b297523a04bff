"""Is this really a generative model? Checks that any ``GenerativeModel`` must pass.

``check_model("vae")`` fits a family on four spaces that are small enough to enumerate (a table of
mixed cardinalities, short strings with END, a binary image, a DataFrame with numeric cells and a
missing mark) and compares what the model says with what it does. It works for a model of your own
as well: ``check_model(MyModel(width=8))``. A family that answers a query with ``Unsupported``
passes the check of that query.

Statistical checks raise an alarm at p < 2e-6 or beyond 5 standard errors. One run has at most 21
tests of the first kind (samples of each space, four patterns of completions each, imputations) and
58 comparisons of the second to both sides and 17 to one: their levels sum to 8.1e-5, so a sound
model fails fewer than one run in ten thousand, as far as Monte Carlo errors are normal. A
``Subject`` counts the tests of its run and sums their levels. ``benchmarks/conformance_power.py``
measures how often sound models raise an alarm, and how often broken ones do.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from genzoo.conformance import behaviour, bounds, global_state, masses, queries, storing
from genzoo.conformance.spaces import Space, spaces
from genzoo.conformance.subject import Subject
from genzoo.fitting import check_signature
from genzoo.model import GenerativeModel
from genzoo.registry import make_model
from genzoo.seeding import global_rng_seeded

__all__ = [
    "BEHAVIOUR",
    "ONCE",
    "PER_SPACE",
    "CheckResult",
    "ConformanceError",
    "Space",
    "Subject",
    "check_model",
    "run_checks",
    "spaces",
]


class ConformanceError(AssertionError):
    """Some checks failed; ``failures`` lists them as (check, what was found).

    >>> import genzoo
    >>> class Careless(genzoo.Independent):
    ...     def _log_prob(self, rows, *, seed):
    ...         return genzoo.LogProb.exact(super()._log_prob(rows, seed=seed).value + 0.01)
    >>> try:
    ...     genzoo.check_model(Careless())
    ... except genzoo.ConformanceError as error:
    ...     print(dict(error.failures)["normalised (table)"])
    the masses of all rows sum to 1.010050, not 1
    """

    def __init__(self, model: str, failures: list[tuple[str, str]]) -> None:
        lines = "\n".join(f"  {check}: {found}" for check, found in failures)
        super().__init__(f"{model} failed {len(failures)} checks:\n{lines}")
        self.failures = failures


@dataclass(frozen=True)
class CheckResult:
    """One check: whether it passed, what was found, and the seconds that it took."""

    check: str
    passed: bool
    found: str
    seconds: float


# checks of fitted models under a seed of draws; each returns what it found, or raises
# AssertionError
PER_SPACE: dict[str, Callable[[Subject, str], str]] = {
    "values": masses.values,
    "normalised": masses.normalised,
    "samples follow log_prob": masses.samples_follow,
    "entropy identity": masses.entropy_identity,
    "rows independent": masses.rows_independent,
    "form of samples": masses.form,
    "marginals": queries.marginals,
    "conditionals": queries.conditionals,
    "completions": queries.completions,
    "batch invariance": behaviour.batch_invariance,
    "evaluation mode": behaviour.evaluation_mode,
    "honest errors": bounds.honest_errors,
    "bound tightens": bounds.tightens,
}

ONCE: dict[str, Callable[[Subject], str]] = {
    "annealing order": bounds.annealing_order,
    "sandwich": bounds.sandwich,
    "classes": queries.classes,
    "imputation": queries.imputed,
    "END ends": queries.strings_end,
}

# checks that fit models of their own, or in which no seed matters
BEHAVIOUR: dict[str, Callable[[Subject], str]] = {
    "seeds repeat": behaviour.seeds_repeat,
    "global random state": global_state.global_state,
    "refit forgets": behaviour.refit_forgets,
    "interrupted fit": behaviour.interrupted_fit,
    "validation not trained on": behaviour.validation_not_trained_on,
    "holes in fit": behaviour.holes_in_fit,
    "END settles": behaviour.end_settles,
    "replay": behaviour.replays,
    "bad input": behaviour.bad_input,
    "unseen value": behaviour.unseen_value,
    "progress": behaviour.progress,
    "training record": behaviour.training_record,
    "save and load": storing.save_and_load,
}


def check_model(
    model: str | GenerativeModel,
    *,
    seed: int = 0,
    report: Callable[[CheckResult], None] | None = None,
) -> list[CheckResult]:
    """Run every check on a model.

    Args:
        model: a registry key, or an unfitted model (a copy with its parameters is tested).
        seed: of the data, the fits and the draws.
        report: called with each result as it comes.

    Returns:
        The results; all passed.

    Raises:
        ConformanceError: with every failed check and what was found.
        TypeError: for a class that was written for an older interface, naming the new one.
        ValueError: for an unknown key, or something that is no ``GenerativeModel``.

    >>> import genzoo
    >>> results = genzoo.check_model("independent")
    >>> [result.found for result in results if result.check == "normalised (table)"]
    ['sum 1.0000000']
    """
    subject_model = make_model(model) if isinstance(model, str) else model
    if not isinstance(subject_model, GenerativeModel):
        raise ValueError(f"model: expected a registry key or a GenerativeModel; got {model!r}")
    check_signature(subject_model._fit, type(subject_model).__name__)
    results = run_checks(Subject(subject_model, seed), report=report)
    failures = [(r.check, r.found) for r in results if not r.passed]
    if failures:
        raise ConformanceError(type(subject_model).__name__, failures)
    return results


def run_checks(
    subject: Subject,
    *,
    refits: bool = True,
    report: Callable[[CheckResult], None] | None = None,
) -> list[CheckResult]:
    """The results of the checks, failed ones among them.

    Each check begins in a global random state of its own, so that what an earlier one left there
    hides nothing, and ends in the one that the caller had.

    Args:
        subject: the model, with what is fitted already; ``subject.again(seed)`` has the same fits.
        refits: whether the checks of ``BEHAVIOUR``, which fit models of their own, are run too.
        report: called with each result as it comes.
    """
    jobs: list[tuple[str, Callable[[], str]]] = [
        (f"{check} ({name})", partial(function, subject, name))
        for name in subject.names
        for check, function in PER_SPACE.items()
    ]
    once = ONCE | BEHAVIOUR if refits else ONCE
    jobs += [(check, partial(function, subject)) for check, function in once.items()]
    results = []
    for check, job in jobs:
        start = time.perf_counter()
        with global_rng_seeded(subject.seed, "check", check):
            try:
                passed, found = True, job()
            except AssertionError as error:
                passed, found = False, str(error)
            except Exception as error:
                passed, found = False, f"{type(error).__name__}: {error}"
        results.append(CheckResult(check, passed, found, time.perf_counter() - start))
        if report is not None:
            report(results[-1])
    return results
