"""The model under test, what the checks share of it, and the levels that they spend."""

from __future__ import annotations

import contextlib
import copy
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from genzoo.conformance.spaces import Space, copies, spaces
from genzoo.model import GenerativeModel
from genzoo.values import Kind

ALPHA = 2e-6  # of a test with a p-value
SIGMAS = 5.0  # of a comparison with a standard error
TAIL = 2.9e-7  # of a normal variable beyond SIGMAS, on one side
LEVELS = {"p": ALPHA, "two sides": 2 * TAIL, "one side": TAIL}
N_SAMPLES = 40_000
FLOAT_TOLERANCE = 1e-4  # of float32 arithmetic: on a sum of masses, and on one log mass
REPEATS = 5  # calls of ``log_prob`` over which the masses of a Monte Carlo kind are averaged
BUDGET = "60 steps"  # enough to leave the initial weights; the checks ask for no quality


def require(holds: object, found: str) -> None:
    """AssertionError with what was found, unless it holds; ``python -O`` changes nothing here."""
    if not holds:
        raise AssertionError(found)


@dataclass(frozen=True, eq=False)
class Masses:
    """What ``log_prob`` says of every row of a space.

    Attributes:
        log_mass: (N,) nats; of a Monte Carlo kind the log of the mean mass over ``REPEATS`` calls,
            which keeps the promise of a lower bound.
        error: (N,) relative standard error of the masses, zero where exact.
        kind: as in ``LogProb``.
        calls: of ``log_prob``, whose mean the masses are.
    """

    log_mass: np.ndarray
    error: np.ndarray
    kind: Kind
    calls: int

    @property
    def mass(self) -> np.ndarray:
        mass: np.ndarray = np.exp(self.log_mass)
        return mass

    @property
    def exact(self) -> bool:
        return self.kind == "exact"

    def summed(self, chosen: np.ndarray) -> tuple[float, float]:
        """The log of the chosen rows' total mass, and its relative standard error."""
        log_total = float(np.logaddexp.reduce(self.log_mass[chosen]))
        shares = np.exp(self.log_mass[chosen] - log_total)
        return log_total, float(np.sqrt(np.sum((shares * self.error[chosen]) ** 2)))


class Subject:
    """The model under test: fresh copies, and one fit per space that the checks share.

    Attributes:
        model: unfitted.
        seed: of the draws; ``again`` gives the same fits another one.
        fit_seed: of the data and the fits.
        names: of the spaces in which the checks of a space are run.
        n_tests: statistical tests so far: those with a ``"p"`` value, and comparisons to
            ``"two sides"`` and to ``"one side"``.
    """

    def __init__(self, model: GenerativeModel, seed: int) -> None:
        self.model, self.seed, self.fit_seed = model, seed, seed
        self.spaces = {space.name: space for space in spaces(seed)}
        self.names = tuple(self.spaces)
        self.n_tests: Counter[str] = Counter()
        self._fits: dict[str, GenerativeModel] = {}
        self._drawn: dict[str, np.ndarray] = {}
        self._masses: dict[str, Masses] = {}

    def again(self, seed: int) -> Subject:
        """The same fitted models, to be tested with draws of another seed."""
        other = copy.copy(self)
        other.seed, other.n_tests, other._drawn, other._masses = seed, Counter(), {}, {}
        return other

    def fresh(self) -> GenerativeModel:
        return type(self.model)(**self.model.get_params(deep=False))

    def fit(self, space: Space, **options: Any) -> GenerativeModel:
        options = {"seed": self.fit_seed, "budget": BUDGET, **options}
        return self.fresh().fit(space.data, schema=space.schema, **options)

    def fitted(self, name: str) -> tuple[Space, GenerativeModel]:
        space = self.spaces[name]
        if name not in self._fits:
            self._fits[name] = self.fit(space)
        return space, self._fits[name]

    def fitted_to_copies(self) -> tuple[Space, GenerativeModel]:
        """A longer fit, to rows that a latent variable explains well."""
        if "copies" not in self.spaces:
            self.spaces["copies"] = copies(self.fit_seed)
            self._fits["copies"] = self.fit(self.spaces["copies"], budget="300 steps")
        return self.spaces["copies"], self._fits["copies"]

    def drawn(self, name: str) -> np.ndarray:
        """``N_SAMPLES`` rows drawn from the fitted model, one half each with two seeds."""
        if name not in self._drawn:
            _, model = self.fitted(name)
            halves = [
                rows_of(model, model.sample(N_SAMPLES // 2, seed=self.seed + i)) for i in (1, 2)
            ]
            self._drawn[name] = np.concatenate(halves)
        return self._drawn[name]

    def masses(self, name: str) -> Masses:
        """The masses of all rows of a space, with errors."""
        if name not in self._masses:
            space, model = self.fitted(name)
            self._masses[name] = pooled(model, space.rows, self.seed)
        return self._masses[name]

    # ---------------------------------------------------------------- tests with a level

    @property
    def level(self) -> float:
        """The sum of the levels of the tests: the chance, at most, of one false alarm."""
        return sum(n * LEVELS[kind] for kind, n in self.n_tests.items())

    def alarm_below(self, p: float, found: str) -> None:
        """A test of level ``ALPHA``."""
        self.n_tests["p"] += 1
        require(p > ALPHA, f"{found}: p = {p:.1e}")

    def alarm_beyond(self, z: float, found: str, *, sides: int = 2) -> None:
        """A comparison in standard errors; with one side only large values of z are alarms."""
        self.n_tests["two sides" if sides == 2 else "one side"] += 1
        require((abs(z) if sides == 2 else z) < SIGMAS, f"{found}: {z:.1f} standard errors")


def pooled(model: GenerativeModel, rows: np.ndarray, seed: int, *, most: int = REPEATS) -> Masses:
    """The masses of rows; those of a Monte Carlo kind as the mean over several calls.

    The error is that of the mean, by the stated errors.
    """
    first = model.log_prob(rows, seed=seed)
    if first.kind == "exact":
        return Masses(first.value, first.stderr, first.kind, 1)
    # annealing costs hundreds of times an importance bound
    n = 2 if first.estimator == "ais" else most
    others = [model.log_prob(rows, seed=seed + 1000 * r) for r in range(1, n)]
    masses = np.exp([call.value for call in (first, *others)])  # (R, N)
    stated = np.array([call.stderr for call in (first, *others)])
    mean = masses.mean(axis=0)
    errors = np.sqrt(np.mean((masses * stated) ** 2, axis=0) / len(masses))
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.where(mean > 0, errors / mean, 0.0)
        return Masses(np.log(mean), relative, first.kind, len(masses))


@contextlib.contextmanager
def parameters(model: GenerativeModel, **changed: Any) -> Iterator[None]:
    """Parameters that hold within the block only."""
    before = model.get_params(deep=False)
    model.set_params(**changed)
    try:
        yield
    finally:
        model.set_params(**{name: before[name] for name in changed})


def rows_of(model: GenerativeModel, sampled: Any) -> np.ndarray:
    """Samples, in whatever form they came, as rows of codes."""
    schema = model.schema_
    if isinstance(sampled, np.ndarray) and sampled.ndim == 2:
        return schema.check_rows(sampled)
    return schema.encode(sampled)
