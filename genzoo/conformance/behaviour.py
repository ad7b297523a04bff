"""Checks of how a model behaves: seeds, batches, refits, bad input, records."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import numpy as np

from genzoo.conformance.spaces import Space
from genzoo.conformance.subject import BUDGET, FLOAT_TOLERANCE, Subject, require
from genzoo.fitting import Budget, StoppedBy
from genzoo.model import GenerativeModel
from genzoo.space import strings
from genzoo.space.infer import table_of
from genzoo.space.schema import MISSING, Schema


def batch_invariance(subject: Subject, name: str) -> str:
    """A row's value does not depend on the rows beside it."""
    space, model = subject.fitted(name)
    rows = space.some_rows(24)
    together = model.log_prob(rows, seed=subject.seed)
    if together.estimator == "ais":
        rows = rows[::6]
        together = model.log_prob(rows, seed=subject.seed)
    alone = [model.log_prob(row[None], seed=subject.seed) for row in rows]
    backwards = model.log_prob(rows[::-1], seed=subject.seed)
    for how, value, error in (
        ("alone", np.array([a.value[0] for a in alone]), np.array([a.stderr[0] for a in alone])),
        ("in another order", backwards.value[::-1], backwards.stderr[::-1]),
    ):
        gaps = value - together.value
        if together.kind == "exact":
            worst = float(np.abs(gaps).max())
            require(worst < FLOAT_TOLERANCE, f"a row scored {how} changes by {worst:.2g} nats")
        else:
            errors = np.sqrt(error**2 + together.stderr**2 + FLOAT_TOLERANCE**2)
            z = float(np.sum(gaps / errors) / np.sqrt(len(gaps)))
            subject.alarm_beyond(z, f"rows scored {how} change")
    within = "" if together.kind == "exact" else ", within Monte Carlo error"
    return f"same alone, together, reversed{within}"


def evaluation_mode(subject: Subject, name: str) -> str:
    """Scoring and sampling leave no trace, and no noise of training is left on."""
    space, model = subject.fitted(name)
    rows = space.some_rows(24)
    before, drawn = model.log_prob(rows, seed=subject.seed), model._sample(9, None, seed=3)
    after, again = model.log_prob(rows, seed=subject.seed), model._sample(9, None, seed=3)
    gap = np.abs(after.value - before.value).max()
    require(gap == 0, f"log_prob with one seed changes by {gap:.2g} nats after other calls")
    require((drawn == again).all(), "samples with one seed change after other calls")
    if before.kind == "exact":
        repeated = model.log_prob(np.repeat(rows[:1], 8, axis=0), seed=subject.seed + 1).value
        spread = np.abs(repeated - before.value[0]).max()
        require(spread < FLOAT_TOLERANCE, f"an exact value varies by {spread:.2g} nats")
    return "no trace"


def _require_same(a: GenerativeModel, b: GenerativeModel, rows: np.ndarray, what: str) -> None:
    """Two models value rows alike, bit for bit; ``what`` words by how many nats they don't."""
    gap = np.abs(a.log_prob(rows, seed=1).value - b.log_prob(rows, seed=1).value).max()
    require(gap == 0, f"{what} {gap:.2g} nats")


def seeds_repeat(subject: Subject) -> str:
    """The same seed gives the same model and the same draws; another seed gives others."""
    space, model = subject.fitted("table")
    _require_same(model, subject.fit(space), space.rows, "two fits with one seed differ by up to")
    first, second = model.sample(50, seed=4), model.sample(50, seed=4)
    require((first == second).all(), "two samples with one seed differ")
    require((first != model.sample(50, seed=5)).any(), "samples with two seeds are the same")
    return "bit for bit"


def refit_forgets(subject: Subject) -> str:
    """A second fit is that of a fresh model."""
    space = subject.spaces["table"]
    other = Space("other", space.schema.cards - 1 - space.data, space.schema)
    used = subject.fit(other)
    used.fit(space.data, schema=space.schema, seed=subject.fit_seed, budget=BUDGET)
    _, fresh = subject.fitted("table")
    _require_same(used, fresh, space.rows, "an earlier fit changes log_prob by")
    same = used.sample(50, seed=1) == fresh.sample(50, seed=1)
    require(same.all(), "an earlier fit changes samples")
    return "equal to a fresh fit"


def interrupted_fit(subject: Subject) -> str:
    """A fit that Ctrl-C ends, midway or at its very end, leaves the model as it was."""
    space, kept = subject.fitted("table")
    other = Space("other", space.schema.cards - 1 - space.data, space.schema)
    used, unfitted = subject.fit(space), subject.fresh()
    for model in (used, unfitted):
        _interrupt(model, other, subject.fit_seed, lambda done, message: done >= 0.5)
        _interrupt(model, other, subject.fit_seed, lambda done, message: message == "done")
    require(not unfitted.__sklearn_is_fitted__(), "an interrupted first fit counts as fitted")
    require(used.__sklearn_is_fitted__(), "an interrupted fit takes the earlier one away")
    _require_same(used, kept, space.rows, "an interrupted fit changes log_prob by")
    return "as if there had been none"


def _interrupt(
    model: GenerativeModel, space: Space, seed: int, is_time: Callable[[float, str], bool]
) -> None:
    """Fit a model until it reports a progress for which it ``is_time``."""

    def stop(done: float, message: str) -> None:
        if is_time(done, message):
            raise KeyboardInterrupt

    try:
        model.fit(space.data, schema=space.schema, seed=seed, budget=BUDGET, progress=stop)
    except KeyboardInterrupt:
        return
    raise AssertionError("KeyboardInterrupt does not come out of fit")


def validation_not_trained_on(subject: Subject) -> str:
    """Trained on one row alone, a model gives little mass to the row that it is selected on."""
    schema = Schema(*table_of([2] * 8))
    train, valid = np.zeros((200, 8), dtype=np.int64), np.ones((200, 8), dtype=np.int64)
    model = subject.fresh()
    model.fit(train, schema=schema, valid=valid, seed=subject.fit_seed, budget=BUDGET)
    mass = float(np.exp(model.log_prob(valid[:1], seed=1).value[0]))
    require(mass <= 0.1, f"a row of the validation data alone has mass {mass:.3f}")
    return f"mass {mass:.1e}"


def holes_in_fit(subject: Subject) -> str:
    """Training rows with MISSING are refused, or what is missing is not taken for a value."""
    schema = Schema(*table_of([2] * 4))
    rng = np.random.default_rng(subject.fit_seed)
    rows = np.where(rng.random((400, 4)) < 0.5, MISSING, 1)
    model = subject.fresh()

    try:
        model.fit(rows, schema=schema, seed=subject.fit_seed, budget=BUDGET)
    except ValueError:
        if model.fits_missing:
            raise
        return "refused"
    require(model.fits_missing, "rows with MISSING were accepted by a family that can't take them")
    share = float(np.mean(model.sample(2000, seed=subject.seed)))
    require(share > 0.75, f"of rows in which all that is seen is 1, samples are 1 by {share:.2f}")
    return f"samples are 1 by {share:.2f}"


def end_settles(subject: Subject) -> str:
    """In training rows nothing is open after END: MISSING there is END, and the row is complete."""
    space = subject.spaces["strings"]
    end, rows = space.schema.end, space.schema.encode(space.data)
    ended = strings.ended(rows, end)
    rng = np.random.default_rng(subject.fit_seed)
    settled = rows
    if subject.model.fits_missing:  # the others take rows that are open after END alone
        settled = np.where(~ended & (rng.random(rows.shape) < 0.1), MISSING, rows)
    after = np.cumsum(ended, axis=1) > 1
    opened = np.where(after & (np.arange(len(rows)) % 2 == 0)[:, None], MISSING, settled)

    a, b = (subject.fit(Space("open", data, space.schema)) for data in (opened, settled))
    what = "MISSING in the place of END after END changes log_prob by"
    _require_same(a, b, space.rows, what)
    return "bit for bit"


def replays(subject: Subject) -> str:
    """A fit that a budget in steps ended is repeated by its record."""
    space, model = subject.fitted("table")
    again = subject.fit(space, budget=Budget.replay(model.training_, BUDGET))
    _require_same(model, again, space.rows, "replayed, a fit differs by up to")
    return "bit for bit"


def bad_input(subject: Subject) -> str:
    """Bad input is a ValueError that says something, and changes nothing."""
    space, model = subject.fitted("table")
    _, of_strings = subject.fitted("strings")
    good, end = space.data, of_strings.schema_.end
    before = model.log_prob(space.rows, seed=1).value
    attempts: dict[str, Callable[[], Any]] = {
        "a code out of range": lambda: model.log_prob(np.full((1, 4), 99)),
        "a wrong number of columns": lambda: model.log_prob(good[:, :3]),
        "no rows": lambda: model.log_prob(good[:0]),
        "floats": lambda: model.log_prob(good.astype(float)),
        "a symbol after END": lambda: of_strings.log_prob(np.array([[end, 0, end, end]])),
        "an unknown character": lambda: of_strings.log_prob(["q"]),
        "a string that is too long": lambda: of_strings.log_prob(["a" * 9]),
        "n = 0": lambda: model.sample(0),
        "a negative seed": lambda: model.sample(1, seed=-1),
        "a condition that is contradicted": lambda: model.conditional_log_prob(
            good[:1], (good[0] + 1) % space.schema.cards
        ),
        "an unfitted model": lambda: subject.fresh().sample(1),
        "an unknown parameter": lambda: model.set_params(no_such_parameter=1),
        "a budget that is no budget": lambda: model.fit(good, budget="soon"),
    }
    for what, attempt in attempts.items():
        try:
            attempt()
        except ValueError as error:
            said = str(error)
        except Exception as error:
            raise AssertionError(f"{what}: {type(error).__name__}, not ValueError") from error
        else:
            raise AssertionError(f"{what} was accepted")
        require(said, f"{what}: the error says nothing")
    after = model.log_prob(space.rows, seed=1).value
    require((before == after).all(), "bad input changed the fitted model")
    return f"{len(attempts)} kinds rejected"


def unseen_value(subject: Subject) -> str:
    """A value that no training row has still has mass."""
    space = subject.spaces["table"]
    seen = space.data[space.data[:, 2] != 3]
    model = subject.fit(Space("seen", seen, space.schema))
    unseen = space.rows[space.rows[:, 2] == 3]
    value = model.log_prob(unseen, seed=1).value
    require(np.isfinite(value).all(), "a value never seen in training has mass 0")
    return f"least log mass {value.min():.1f}"


def progress(subject: Subject) -> str:
    """Fitting reports how far it has come."""
    calls: list[tuple[float, str]] = []
    subject.fit(
        subject.spaces["table"],
        progress=lambda fraction, message: calls.append((fraction, message)),
        budget="30 steps",
    )
    require(len(calls) >= 2, "fit reported no progress of its own")
    require(all(0 <= fraction <= 1 for fraction, _ in calls), "a fraction lies outside [0, 1]")
    return f"{len(calls)} calls"


def training_record(subject: Subject) -> str:
    """The record of the training and the number of parameters make sense."""
    _, model = subject.fitted("table")
    record = model.training_
    require(record.stopped_by in get_args(StoppedBy), f"stopped_by {record.stopped_by!r}")
    counted = {"steps": record.steps, "work": any(record.work.values())}
    for what, count in counted.items():
        require(count > 0, f'no {what}: _fit is to call fit.did("steps") after each unit of work')
    require(record.seconds > 0, "no seconds")
    parameters = model.n_parameters_
    require(isinstance(parameters, (int, np.integer)), f"n_parameters_ is {parameters!r}")
    require(parameters > 0, f"n_parameters_ is {parameters}")
    return f"{record.steps} steps"
