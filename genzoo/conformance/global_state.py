"""The check of the global random state, which every public call leaves as it was found."""

from __future__ import annotations

import contextlib
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from genzoo.conformance.subject import Subject, require
from genzoo.queries import classify, impute
from genzoo.registry import load_model
from genzoo.seeding import global_rng_seeded
from genzoo.values import Unsupported

BUDGET = "10 steps"  # what touches the state does so in the first of them


def global_state(subject: Subject) -> str:
    """Each call by itself leaves the states of ``random``, NumPy and torch as they were found; and
    a fit doesn't change them for a time, in which other threads may draw.

    Each begins in a state of its own: a model that seeds a generator with the same number in every
    call would find the state as it leaves it from the second call on.
    """
    found = []
    with tempfile.TemporaryDirectory() as place, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a short fit completes poorly, and says so
        calls = _calls(subject, Path(place) / "model")
        for name, call in calls.items():
            with global_rng_seeded(subject.seed, "conformance", name) as before:
                with contextlib.suppress(Unsupported):
                    call()
                found += [f"{name} changed that of {which}" for which in before.changed()]
    found += [f"fit changed that of {which} for a time" for which in _changed_meanwhile(subject)]
    require(not found, f"global random states: {', '.join(found)}")
    return f"{len(calls)} calls leave it"


def _changed_meanwhile(subject: Subject) -> list[str]:
    """The generators whose state is another while a fit reports its progress, but not after it."""
    changed: set[str] = set()
    with global_rng_seeded(subject.seed, "conformance", "meanwhile") as before:

        def look(done: float, message: str) -> None:
            changed.update(before.changed())

        subject.fit(subject.spaces["table"], budget=BUDGET, progress=look)
        return sorted(changed.difference(before.changed()))


def _calls(subject: Subject, folder: Path) -> dict[str, Callable[[], Any]]:
    space, model = subject.spaces["table"], subject.fresh()
    rows, target, holey = space.some_rows(5), space.schema.names[0], space.patterns(0)[0]
    agreeing = space.rows[space.agreeing(holey)]
    return {
        "fit": lambda: model.fit(
            space.data, schema=space.schema, seed=subject.fit_seed, budget=BUDGET
        ),
        "sample": lambda: model.sample(5, seed=1),
        "sample(given=...)": lambda: model.sample(5, given=holey, seed=1),
        "log_prob": lambda: model.log_prob(rows, seed=1),
        "conditional_log_prob": lambda: model.conditional_log_prob(agreeing, holey, seed=1),
        "impute": lambda: impute(model, holey[None], seed=1),
        "classify": lambda: classify(model, rows, target, seed=1),
        "save": lambda: model.save(folder),
        "load_model": lambda: load_model(folder, cls=type(model)),
    }
