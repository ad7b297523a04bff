"""Is this really a generative model? Checks that any ``GenerativeModel`` must pass.

``check_model("vae")`` fits a family on four spaces that are small enough to enumerate (a table of
mixed cardinalities, short strings with END, a binary image, a DataFrame with numeric cells and a
missing mark) and compares what the model says with what it does. It works for a model of your own
as well: ``check_model(MyModel(width=8))``.

Statistical checks draw ``N_SAMPLES`` rows and raise an alarm at p < ``ALPHA`` (or beyond
``SIGMAS`` standard errors), so that all of them together raise a false alarm in fewer than one run
in ten thousand. A family that answers a query with ``Unsupported`` passes the check of that query.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from genzoo.model import GenerativeModel, LogProb, Unsupported
from genzoo.registry import key_of, make_model
from genzoo.schema import MISSING, Schema, Variable
from genzoo.seeding import numpy_rng

ALPHA = 1e-6  # about 20 tests of this level and as many at SIGMAS: under 1e-4 in all
SIGMAS = 5.0
N_SAMPLES = 20_000
FLOAT_TOLERANCE = 1e-4  # of float32 arithmetic: on a sum of masses, and on one log mass
LEAST_BOUND_MASS = 0.9
BUDGET = "60 steps"  # enough to leave the initial weights; the checks ask for no quality


class ConformanceError(AssertionError):
    """Some checks failed; ``failures`` lists them as (check, what was found)."""

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


@dataclass(frozen=True)
class Space:
    """A data set whose space can be enumerated."""

    name: str
    data: Any
    schema: Schema

    @cached_property
    def rows(self) -> np.ndarray:
        return self.schema.enumerate()


def spaces(seed: int = 0) -> list[Space]:
    """The four spaces, each with rows in which the variables depend on each other."""
    rng = numpy_rng(seed, "conformance")
    return [_table(rng), _strings(rng), _image(rng), _frame(rng)]


def _table(rng: np.random.Generator) -> Space:
    cards = (2, 3, 5, 2)
    first = rng.integers(0, 2, 400)
    second = np.where(rng.random(400) < 0.7, first * 2, rng.integers(0, 3, 400))
    third = np.where(rng.random(400) < 0.6, second * 2, rng.integers(0, 5, 400))
    fourth = np.where(rng.random(400) < 0.8, (first + third) % 2, rng.integers(0, 2, 400))
    variables = tuple(Variable(f"x{d}", "nominal", c) for d, c in enumerate(cards))
    return Space(
        "table", np.stack([first, second, third, fourth], 1), Schema(variables, "table", (4,))
    )


def _strings(rng: np.random.Generator) -> Space:
    data = []
    for length in rng.choice(5, 400, p=[0.1, 0.2, 0.3, 0.2, 0.2]):
        text = rng.choice(["a", "b"])
        while len(text) < length:
            same = rng.random() < 0.8
            text += text[-1] if same else ("b" if text[-1] == "a" else "a")
        data.append(text[:length])
    return Space("strings", data, Schema.infer(data))


def _image(rng: np.random.Generator) -> Space:
    stripes = rng.integers(0, 2, (400, 1, 3))
    data = np.where(rng.random((400, 3, 3)) < 0.85, stripes, rng.integers(0, 2, (400, 3, 3)))
    data = data.astype(np.uint8)
    return Space("image", data, Schema.infer(data))


def _frame(rng: np.random.Generator) -> Space:
    import pandas as pd

    n = 400
    group = rng.choice(["x", "y", "z"], n, p=[0.5, 0.3, 0.2])
    level = rng.integers(0, 4, n)
    amount = np.where(rng.random(n) < 0.3, 0.0, np.round(rng.gamma(2.0, 50.0, n) + 40 * level, 2))
    amount[rng.random(n) < 0.1] = np.nan
    data = pd.DataFrame({"group": group, "level": level, "amount": amount})
    edges = (-0.005, 0.005, *np.linspace(10, 600, 39).tolist())
    text = str(data["group"].dtype)  # it differs between versions of pandas
    schema = Schema(
        (
            Variable("group", "nominal", categories=("x", "y", "z"), dtype=text),
            Variable("level", "ordinal", 4, offset=0, step=1, dtype="int64"),
            Variable(
                "amount", "ordinal", offset=0.0, step=0.01, edges=edges, missing=True,
                dtype="float64",
            ),
        ),
        "table",
        (3,),
    )  # fmt: skip
    return Space("frame", data, schema)


class Subject:
    """The model under test: fresh copies, and one fit per space that the checks share."""

    def __init__(self, model: GenerativeModel, seed: int) -> None:
        self.model, self.seed = model, seed
        self.spaces = {space.name: space for space in spaces(seed)}
        self._fits: dict[str, GenerativeModel] = {}
        self._drawn: dict[str, np.ndarray] = {}

    def fresh(self) -> GenerativeModel:
        return type(self.model)(**self.model.get_params(deep=False))

    def fit(self, space: Space, **options: Any) -> GenerativeModel:
        options = {"seed": self.seed, "budget": BUDGET, **options}
        return self.fresh().fit(space.data, schema=space.schema, **options)

    def fitted(self, name: str) -> tuple[Space, GenerativeModel]:
        space = self.spaces[name]
        if name not in self._fits:
            self._fits[name] = self.fit(space)
        return space, self._fits[name]

    def drawn(self, name: str) -> np.ndarray:
        """``N_SAMPLES`` rows drawn from the fitted model."""
        if name not in self._drawn:
            _, model = self.fitted(name)
            self._drawn[name] = rows_of(model, model.sample(N_SAMPLES, seed=self.seed + 1))
        return self._drawn[name]


def rows_of(model: GenerativeModel, sampled: Any) -> np.ndarray:
    """Samples, in whatever form they came, as rows of codes."""
    schema = model.schema_
    if isinstance(sampled, np.ndarray) and sampled.ndim == 2:
        return schema.check_rows(sampled)
    return schema.encode(sampled)


def _normalised(subject: Subject, name: str) -> str:
    space, model = subject.fitted(name)
    result = model.log_prob(space.rows, seed=subject.seed)
    masses = np.exp(result.value)
    total = float(masses.sum())
    if result.kind == "exact":
        assert abs(total - 1) < FLOAT_TOLERANCE, f"the masses of all rows sum to {total:.6f}, not 1"
        return f"sum {total:.7f}"
    error = float(np.sqrt(np.sum((masses * result.stderr) ** 2)))
    assert total <= 1 + SIGMAS * error, (
        f"a bound's masses sum to {total:.4f} +- {error:.4f}, over 1"
    )
    assert total >= LEAST_BOUND_MASS, f"a bound's masses sum to {total:.4f}, under 0.9"
    return f"sum {total:.4f} +- {error:.4f}"


def _samples_follow(subject: Subject, name: str) -> str:
    space, model = subject.fitted(name)
    result = model.log_prob(space.rows, seed=subject.seed + 2)
    p = agreement(space, subject.drawn(name), result)
    assert p > ALPHA, f"{N_SAMPLES} samples do not follow log_prob: p = {p:.1e}"
    return f"p = {p:.3f}"


def agreement(space: Space, drawn: np.ndarray, result: LogProb) -> float:
    """The p-value of sampled rows under the masses that ``log_prob`` gave for ``space.rows``.

    A G-test where the masses are exact, cells with an expectation under 5 merged. For Monte Carlo
    masses Pearson's statistic with their error added to each cell's variance.
    """
    from scipy.stats import chi2

    observed = _counts(space, drawn).astype(float)
    masses = np.exp(result.value)
    expected = len(drawn) * masses / masses.sum()
    noise = (expected * result.stderr) ** 2
    small = expected < 5
    if small.any():
        observed, expected, noise = (
            np.append(a[~small], a[small].sum()) for a in (observed, expected, noise)
        )
    keep = expected > 1e-9
    if observed[~keep].sum() > 0:
        return 0.0
    observed, expected, noise = observed[keep], expected[keep], noise[keep]
    if result.kind == "exact":
        seen = observed > 0
        statistic = 2 * np.sum(observed[seen] * np.log(observed[seen] / expected[seen]))
    else:
        statistic = np.sum((observed - expected) ** 2 / (expected + noise))
    return float(chi2.sf(statistic, max(1, len(expected) - 1)))


def _counts(space: Space, drawn: np.ndarray) -> np.ndarray:
    """How often each row of the space was drawn."""
    known = space.rows @ _radix(space)
    order = np.argsort(known)
    found = order[np.searchsorted(known[order], drawn @ _radix(space))]
    return np.bincount(found, minlength=len(known))


def _radix(space: Space) -> np.ndarray:
    """(D,) place values, so that ``rows @ place`` numbers the rows of the space."""
    return np.cumprod([1, *space.schema.cards[::-1]])[-2::-1]


def _entropy_identity(subject: Subject, name: str) -> str:
    space, model = subject.fitted(name)
    result = model.log_prob(space.rows, seed=subject.seed)
    if result.kind != "exact":
        return "only for exact masses"
    shares = _counts(space, subject.drawn(name)) / N_SAMPLES
    mean = float(np.sum(shares * result.value))
    negative_entropy = float(np.sum(np.exp(result.value) * result.value))
    error = float(np.sqrt(np.sum(shares * (result.value - mean) ** 2) / N_SAMPLES)) + 1e-6
    z = (mean - negative_entropy) / error
    assert abs(z) < SIGMAS, f"mean log_prob of samples is {z:.1f} standard errors from -entropy"
    return f"z = {z:.2f}"


def _form(subject: Subject, name: str) -> str:
    space, model = subject.fitted(name)
    sampled = model.sample(7, seed=subject.seed)
    if name == "table":
        assert isinstance(sampled, np.ndarray), f"expected codes; got {type(sampled).__name__}"
        assert sampled.shape == (7, space.schema.D), f"shape {sampled.shape}"
    elif name == "strings":
        assert isinstance(sampled, list), f"expected a list of str; got {type(sampled).__name__}"
        assert all(isinstance(s, str) for s in sampled), "expected a list of str"
    elif name == "image":
        assert sampled.dtype == np.uint8, f"expected uint8 images; got {sampled.dtype}"
        assert sampled.shape == (7, 3, 3), f"shape {sampled.shape}"
    else:
        columns, wanted = list(sampled.columns), list(space.data.columns)
        assert columns == wanted, f"columns {columns}, not {wanted}"
        dtypes = sampled.dtypes.astype(str).to_dict()
        assert dtypes == space.data.dtypes.astype(str).to_dict(), f"dtypes {dtypes}"
    rows_of(model, sampled)
    return "same form"


def _marginals(subject: Subject, name: str) -> str:
    space, model = subject.fitted(name)
    result = model.log_prob(space.rows, seed=subject.seed)
    done = 0
    for queried in _patterns(space, subject.seed):
        try:
            marginal = model.log_prob(queried[None], seed=subject.seed)
        except Unsupported:
            continue
        agree = _agreeing(space, queried)
        summed = float(np.logaddexp.reduce(result.value[agree]))
        error = float(marginal.stderr[0]) + float(result.stderr[agree].max(initial=0.0))
        gap = abs(float(marginal.value[0]) - summed)
        assert gap < FLOAT_TOLERANCE + SIGMAS * error, (
            f"log_prob of {queried.tolist()} is {marginal.value[0]:.5f}; "
            f"its completions sum to {summed:.5f}"
        )
        done += 1
    return f"{done} patterns" if done else "Unsupported"


def _completions(subject: Subject, name: str) -> str:
    space, model = subject.fitted(name)
    result = model.log_prob(space.rows, seed=subject.seed)
    done = 0
    for queried in _patterns(space, subject.seed):
        try:
            drawn = rows_of(model, model.sample(4000, given=queried, seed=subject.seed + 5))
        except Unsupported:
            continue
        agree = _agreeing(space, queried)
        marks = [v.n_values if v.missing else -2 for v in space.schema.variables]
        agree &= ~((space.rows == np.array(marks)) & (queried == MISSING)).any(axis=1)
        observed = queried != MISSING
        assert (drawn[:, observed] == queried[observed]).all(), "observed entries were changed"
        of = Space(space.name, space.data, space.schema)
        of.__dict__["rows"] = space.rows[agree]
        outside = ~np.isin(drawn @ _radix(space), of.rows @ _radix(space))
        assert not outside.any(), f"a completion of {queried.tolist()} contradicts it"
        chosen = LogProb(result.value[agree], result.kind, result.stderr[agree])
        p = agreement(of, drawn, chosen)
        assert p > ALPHA, f"completions of {queried.tolist()} do not follow log_prob: p = {p:.1e}"
        done += 1
    return f"{done} patterns" if done else "Unsupported"


def _patterns(space: Space, seed: int) -> list[np.ndarray]:
    """Partly observed rows: a prefix, a suffix, one entry in the middle, nothing at all."""
    rng = numpy_rng(seed, "patterns", space.name)
    reached = space.schema.reached(space.rows).all(axis=1)
    row = space.rows[rng.choice(np.flatnonzero(reached))]
    D = space.schema.D
    masks = [np.arange(D) >= D // 2, np.arange(D) < D // 2, np.arange(D) != D // 2]
    return [np.where(m, MISSING, row) for m in [*masks, np.ones(D, dtype=bool)]]


def _agreeing(space: Space, queried: np.ndarray) -> np.ndarray:
    return ((space.rows == queried) | (queried == MISSING)).all(axis=1)


def _seeds_repeat(subject: Subject) -> str:
    space, model = subject.fitted("table")
    again = subject.fit(space)
    a, b = model.log_prob(space.rows, seed=3).value, again.log_prob(space.rows, seed=3).value
    assert (a == b).all(), f"two fits with one seed differ by up to {np.abs(a - b).max():.2g} nats"
    first, second = model.sample(50, seed=4), model.sample(50, seed=4)
    assert (first == second).all(), "two samples with one seed differ"
    assert (first != model.sample(50, seed=5)).any(), "samples with two seeds are the same"
    return "bit for bit"


def _batch_invariance(subject: Subject, name: str) -> str:
    space, model = subject.fitted(name)
    rows = space.rows[:: max(1, len(space.rows) // 24)]
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
            assert worst < FLOAT_TOLERANCE, f"a row scored {how} changes by {worst:.2g} nats"
        else:
            errors = np.sqrt(error**2 + together.stderr**2 + 1e-10)
            z = float(np.sum(gaps / errors) / np.sqrt(len(gaps)))
            assert abs(z) < SIGMAS, f"rows scored {how} change by {z:.1f} standard errors"
    return "same alone, together, reversed"


def _global_state(subject: Subject) -> str:
    import torch

    space = subject.spaces["table"]
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()
    model = subject.fit(space, budget="10 steps")
    model.sample(5, seed=1)
    model.log_prob(space.rows, seed=1)
    after = random.getstate(), np.random.get_state(), torch.get_rng_state()
    assert before[0] == after[0], "the state of `random` was changed"
    same = all(np.array_equal(a, b) for a, b in zip(before[1], after[1], strict=True))
    assert same, "NumPy's global random state was changed"
    assert torch.equal(before[2], after[2]), "torch's global random state was changed"
    return "untouched"


def _refit_forgets(subject: Subject) -> str:
    space = subject.spaces["table"]
    other = Space("other", space.schema.cards - 1 - space.data, space.schema)
    used = subject.fit(other)
    used.fit(space.data, schema=space.schema, seed=subject.seed, budget=BUDGET)
    _, fresh = subject.fitted("table")
    a, b = used.log_prob(space.rows, seed=1).value, fresh.log_prob(space.rows, seed=1).value
    assert (a == b).all(), f"an earlier fit changes log_prob by {np.abs(a - b).max():.2g} nats"
    return "equal to a fresh fit"


def _validation_not_trained_on(subject: Subject) -> str:
    variables = tuple(Variable(f"x{d}", "nominal", 2) for d in range(8))
    schema = Schema(variables, "table", (8,))
    train, valid = np.zeros((200, 8), dtype=np.int64), np.ones((200, 8), dtype=np.int64)
    model = subject.fresh()
    model.fit(train, schema=schema, valid=valid, seed=subject.seed, budget=BUDGET)
    mass = float(np.exp(model.log_prob(valid[:1], seed=1).value[0]))
    assert mass <= 0.1, f"a row of the validation data alone has mass {mass:.3f}"
    return f"mass {mass:.1e}"


def _bad_input(subject: Subject) -> str:
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
        "MISSING in fit": lambda: model.fit(np.where(good == 1, MISSING, good)),
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
        assert said, f"{what}: the error says nothing"
    after = model.log_prob(space.rows, seed=1).value
    assert (before == after).all(), "bad input changed the fitted model"
    return f"{len(attempts)} kinds rejected"


def _unseen_value(subject: Subject) -> str:
    space = subject.spaces["table"]
    seen = space.data[space.data[:, 2] != 3]
    model = subject.fit(Space("seen", seen, space.schema))
    unseen = space.rows[space.rows[:, 2] == 3]
    value = model.log_prob(unseen, seed=1).value
    assert np.isfinite(value).all(), "a value never seen in training has mass 0"
    return f"least log mass {value.min():.1f}"


def _progress(subject: Subject) -> str:
    calls: list[tuple[float, str]] = []
    subject.fit(
        subject.spaces["table"],
        progress=lambda fraction, message: calls.append((fraction, message)),
        budget="30 steps",
    )
    assert len(calls) >= 2, "fit reported no progress of its own"
    assert all(0 <= fraction <= 1 for fraction, _ in calls), "a fraction lies outside [0, 1]"
    return f"{len(calls)} calls"


def _training_record(subject: Subject) -> str:
    _, model = subject.fitted("table")
    record = model.training_
    assert record.stopped_by in ("converged", "budget", "steps"), (
        f"stopped_by {record.stopped_by!r}"
    )
    assert record.steps > 0, "no steps"
    assert record.seconds > 0, "no seconds"
    return f"{record.steps} steps"


_LOADER = """
import importlib, sys
import numpy as np
from genzoo.store import load_model
folder, module, name = sys.argv[1:4]
cls = None
if module:
    cls = importlib.import_module(module)
    for part in name.split("."):
        cls = getattr(cls, part)
model = load_model(folder, cls=cls)
rows = np.load(folder + "/../rows.npy")
value = model.log_prob(rows, seed=7).value
np.savez(folder + "/../answer.npz", value=value, drawn=model.sample(30, seed=8))
"""


def _save_and_load(subject: Subject) -> str:
    from genzoo.store import load_model

    space, model = subject.fitted("table")
    cls = type(model)
    registered = key_of(cls) is not None
    importable = "<locals>" not in cls.__qualname__ and cls.__module__ != "__main__"
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "model")
        pickles = [p.name for p in Path(folder).rglob("*") if p.suffix in (".pkl", ".pt", ".npy")]
        assert not pickles, f"expected JSON and safetensors; got {pickles}"
        if registered or importable:
            np.save(Path(folder) / "rows.npy", space.rows)
            names = ["", ""] if registered else [cls.__module__, cls.__qualname__]
            path = {"PYTHONPATH": ":".join(p for p in sys.path if p)}
            done = subprocess.run(
                [sys.executable, "-c", _LOADER, f"{folder}/model", *names],
                capture_output=True,
                text=True,
                env={**os.environ, **path},
            )
            assert done.returncode == 0, f"loading in a fresh process failed: {done.stderr[-400:]}"
            with np.load(Path(folder) / "answer.npz") as answer:
                value, drawn = answer["value"], answer["drawn"]
            where = "in a fresh process"
        else:
            loaded = load_model(Path(folder) / "model", cls=cls)
            value, drawn = loaded.log_prob(space.rows, seed=7).value, loaded.sample(30, seed=8)
            where = "in this process (no other can import the class)"
    gap = np.abs(value - model.log_prob(space.rows, seed=7).value).max()
    assert gap == 0, f"log_prob differs by {gap:.2g} nats after loading {where}"
    assert (drawn == model.sample(30, seed=8)).all(), f"samples differ after loading {where}"
    return f"equal {where}"


PER_SPACE: dict[str, Callable[[Subject, str], str]] = {
    "normalised": _normalised,
    "samples follow log_prob": _samples_follow,
    "entropy identity": _entropy_identity,
    "form of samples": _form,
    "marginals": _marginals,
    "completions": _completions,
    "batch invariance": _batch_invariance,
}

ONCE: dict[str, Callable[[Subject], str]] = {
    "seeds repeat": _seeds_repeat,
    "global random state": _global_state,
    "refit forgets": _refit_forgets,
    "validation not trained on": _validation_not_trained_on,
    "bad input": _bad_input,
    "unseen value": _unseen_value,
    "progress": _progress,
    "training record": _training_record,
    "save and load": _save_and_load,
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
        ValueError: for an unknown key, or something that is no ``GenerativeModel``.
    """
    subject_model = make_model(model) if isinstance(model, str) else model
    if not isinstance(subject_model, GenerativeModel):
        raise ValueError(f"model: expected a registry key or a GenerativeModel; got {model!r}")
    subject = Subject(subject_model, seed)
    results = []
    jobs: list[tuple[str, Callable[[], str]]] = []
    for name in subject.spaces:
        for check, function in PER_SPACE.items():
            jobs.append((f"{check} ({name})", lambda f=function, s=name: f(subject, s)))  # type: ignore[misc]
    for check, once in ONCE.items():
        jobs.append((check, lambda f=once: f(subject)))  # type: ignore[misc]
    for check, job in jobs:
        start = time.perf_counter()
        try:
            passed, found = True, job()
        except AssertionError as error:
            passed, found = False, str(error)
        except Exception as error:
            passed, found = False, f"{type(error).__name__}: {error}"
        results.append(CheckResult(check, passed, found, time.perf_counter() - start))
        if report is not None:
            report(results[-1])
    failures = [(r.check, r.found) for r in results if not r.passed]
    if failures:
        raise ConformanceError(type(subject_model).__name__, failures)
    return results
