"""The one interface: ``GenerativeModel`` (``fit``, ``sample``, ``log_prob``)."""

from __future__ import annotations

import abc
import contextlib
import inspect
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from genzoo import store
from genzoo.datasets.dataset import Dataset
from genzoo.fitting import Budget, Fit, Progress, Training
from genzoo.keys import MODELS
from genzoo.parameters import Rule
from genzoo.seeding import check_seed, derive, numpy_rng
from genzoo.space import forms, strings
from genzoo.space.schema import MISSING, Schema
from genzoo.values import LogDensity, LogProb, Unsupported

HOLD_OUT = 0.1
MOST_REDRAWS = 100


class GenerativeModel(abc.ABC):
    """A distribution over rows of a finite product space, learned from rows.

    How to write a family (``genzoo.models.independent`` is the template): subclass, keep each
    constructor argument unchanged under its own name, say in ``parameters`` what values it may
    have, and write five methods on checked rows of codes:

        _fit(rows, valid, fit)            learn; ``fit`` (``genzoo.fitting.Fit``) has the seed, the
                                          clock, progress, the learning curve and the record
        _sample(n, given, *, seed)        -> rows (n, D)
        _log_prob(rows, *, seed)          -> LogProb
        _state()                          -> dict of arrays: all that was learned
        _restore(arrays)                  the inverse

    - The public methods check and encode once, so these five trust their input: ``rows`` is int64
      of shape (n, D) with legal codes, END fills every place after the first END, and
      ``self.schema_`` is set. ``valid`` holds rows to select on; None where ``selects`` is False.
    - ``MISSING`` in ``_log_prob`` means "sum this variable out", in ``given`` "fill this in";
      ``given`` is None or (n, D). What the family can't do raises ``Unsupported(reason)``.
    - ``sample`` and ``log_prob`` describe one distribution: smoothing belongs to the model. Every
      legal row has mass, and no other row has any: a string's product stops at its first END
      (``self.schema_.reached``).
    - ``LogProb.kind`` says what a value is: ``exact``, ``lower_bound`` or ``estimate``.
    - Before a unit of work ask ``fit.may("steps")``, after it say ``fit.did("steps")``, and
      ``fit.stop("steps")`` where a limit ended it. Set ``fit.training.converged`` honestly.
    - Randomness comes from ``fit.rng("name")`` in ``_fit`` and from ``seed`` elsewhere. What is
      learned lives in attributes that end with an underscore (the next ``fit`` deletes them).
    - ``genzoo.check_model(MyFamily())`` then says whether the promises hold.

    >>> import genzoo
    >>> model = genzoo.Independent().fit(["ab", "a", "abb"], seed=0)
    >>> model.sample(2, seed=1)
    ['', 'ab']
    >>> model.log_prob(["ab"]).kind
    'exact'

    Attributes:
        schema_: the ``Schema`` of the data that was fitted.
        training_: the ``Training`` record: work, seconds, learning curve, converged or not.
        parameters: the values that each constructor argument may have.
        selects: whether the family selects anything on validation rows; where it does and the
            caller gives none, ``fit`` holds out a tenth of the rows.
        fits_missing: whether ``fit`` takes rows with ``MISSING`` entries (code -1). They are taken
            as missing at random.
    """

    parameters: ClassVar[Mapping[str, Rule]] = {}
    selects: ClassVar[bool] = True
    fits_missing: ClassVar[bool] = False

    schema_: Schema
    training_: Training
    _form: str

    # ---------------------------------------------------------------- what a family writes

    @abc.abstractmethod
    def _fit(self, rows: np.ndarray, valid: np.ndarray | None, fit: Fit) -> None:
        """Learn from rows (n, D), selecting on ``valid`` (n_valid, D)."""

    @abc.abstractmethod
    def _sample(self, n: int, given: np.ndarray | None, *, seed: int) -> np.ndarray:
        """(n, D) rows; ``given`` (n, D) with what is ``MISSING`` in it filled in."""

    @abc.abstractmethod
    def _log_prob(self, rows: np.ndarray, *, seed: int) -> LogProb:
        """The log mass of each row, with what is ``MISSING`` summed out."""

    @abc.abstractmethod
    def _state(self) -> dict[str, np.ndarray]:
        """All that was learned."""

    @abc.abstractmethod
    def _restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Become what ``_state`` described."""

    def _check_params(self) -> None:
        """ValueError for an argument out of range; extend it for what no ``Rule`` can say."""
        for name, rule in self.parameters.items():
            rule.check(name, getattr(self, name))

    # ---------------------------------------------------------------- what users call

    def fit(
        self,
        data: Any,
        y: Any = None,
        *,
        schema: Schema | None = None,
        valid: Any = None,
        seed: int = 0,
        budget: str | Budget | None = None,
        progress: Progress | bool | None = None,
    ) -> Self:
        """Learn from data; what an earlier ``fit`` learned is forgotten.

        Args:
            data: a ``Dataset`` (trains on ``train``, selects on the complete rows of ``valid``,
                never reads ``test``), a DataFrame, an integer array of codes (n, D), a list of str,
                or uint8 images (n, H, W) or (n, C, H, W).
            y: ignored; scikit-learn passes it.
            schema: what the codes mean; inferred from the data where None.
            valid: data to select on, in any of these forms. Where None, families that select
                anything hold out a tenth of the rows.
            seed: same seed, data, version and step budget: same model, on the same machine.
            budget: ``"60s"``, ``"2000 steps"`` (of the optimiser; a family without steps runs to
                its own convergence), or None, the family's own default.
            progress: True for a bar, or a function of (fraction done, message).

        Raises:
            ValueError: for bad data or parameters, before any work is done.
        """
        self._check_contract()
        self._check_params()
        seed, budget = check_seed(seed), Budget.parse(budget)
        if not (progress is None or isinstance(progress, bool) or callable(progress)):
            raise ValueError(
                f"progress: expected True, None or a function of (fraction, message); "
                f"got {progress!r}"
            )
        held_out: np.ndarray | None
        text = None
        if isinstance(data, Dataset):
            if schema is not None or valid is not None:
                raise ValueError(
                    "fit: a Dataset brings its own schema and valid rows; give neither"
                )
            schema, rows, form, text = data.schema, data.train, "rows", data.text
            held_out = data.complete("valid")
        else:
            schema, rows, held_out, form = self._read(data, schema, valid, seed)
        for name in [name for name in vars(self) if name.endswith("_")]:
            delattr(self, name)
        self.schema_, self._form = schema, form
        rows = strings.settled(rows, schema.end)
        held_out = None if held_out is None else strings.settled(held_out, schema.end)
        with _reporter(progress, type(self).__name__) as report:
            run = Fit(seed, budget, report, text=text)
            self._fit(rows, held_out, run)
            run.report(1.0, "done")
        try:
            store.check_arrays(self._state())
        except ValueError as error:
            raise FloatingPointError(f"{type(self).__name__} fit: {error}") from None
        run.training.seconds = run.clock.spent
        self.training_ = run.training
        return self

    def _check_contract(self) -> None:
        """TypeError for a family that was written for an older interface."""
        signature = inspect.signature(self._fit)
        try:
            signature.bind("rows", "valid", "fit")
        except TypeError:
            raise TypeError(
                f"{type(self).__name__}._fit: expected _fit(self, rows, valid, fit) -> None, where "
                f"fit.seed, fit.budget, fit.report and fit.training are what used to be passed and "
                f"returned; got _fit{signature}"
            ) from None

    def _read(
        self, data: Any, schema: Schema | None, valid: Any, seed: int
    ) -> tuple[Schema, np.ndarray, np.ndarray | None, str]:
        """Schema, training rows, rows to select on, and the form in which samples go back."""
        form = {"codes": "rows", "frame": "frame"}.get(forms.form_of(data), "data")
        if schema is not None and not isinstance(schema, Schema):
            raise ValueError(f"schema: expected a Schema; got {type(schema).__name__}")
        n, train, held_out = len(data), None, None
        if valid is None and self.selects:
            order = numpy_rng(seed, "hold out").permutation(n)
            n_valid = max(1, round(HOLD_OUT * n)) if n > 1 else 0
            held_out, train = np.sort(order[:n_valid]), np.sort(order[n_valid:])
        schema = schema or Schema.infer(data, train=train)
        rows = schema.encode(data)
        self._check_holes(schema, rows, "data")
        if valid is not None:
            valid_rows = forms.encode(schema, valid, given=False, name="valid")
            self._check_holes(schema, valid_rows, "valid")
            return schema, rows, valid_rows, form
        if held_out is None:
            return schema, rows, None, form
        # a single row is all there is to select on
        return schema, rows[train], rows[held_out] if len(held_out) else rows, form

    def _check_holes(self, schema: Schema, rows: np.ndarray, name: str) -> None:
        """Rows to fit on: complete, or with holes where the family can take them."""
        if not self.fits_missing:
            _refuse_missing(schema, rows, name, f"{type(self).__name__} is fitted to complete rows")

    def sample(self, n: int, *, given: Any = None, seed: int = 0) -> Any:
        """Draw n rows, in the form of the data that was fitted.

        Args:
            n: how many.
            given: what to complete: one row (repeated n times) or n rows, with ``MISSING`` (codes)
                or NaN (DataFrame) in the places to fill in; a prefix or a list of prefixes
                (strings); a dict {column: value}. Observed entries come back as they were given,
                and what is filled in is never a missing mark.
            seed: the same seed draws the same rows.

        Returns:
            A DataFrame, a list of str or images, as was fitted; rows of codes (n, D) where a
            ``Dataset`` or codes were fitted.

        Raises:
            Unsupported: if the family can't complete this pattern.
            ValueError: for bad input.
        """
        self._check_fitted("sample")
        seed = check_seed(seed)
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
            raise ValueError(f"n: expected a positive integer; got {n!r}")
        n = int(n)
        observed = self._read_given(given, n)
        if observed is None:
            rows = self._checked_rows(self._sample(n, None, seed=seed), n, None)
        else:
            rows = self._filled(observed, seed)
        if self._form == "rows":
            return rows
        if self._form == "frame":
            frame = forms.decode_frame(self.schema_, rows, seed=seed)
            return frame if given is None else _paste(frame, given, n)
        return self.schema_.decode(rows, seed=seed)

    def _filled(self, observed: np.ndarray, seed: int) -> np.ndarray:
        """Rows of codes (n, D) with what is ``MISSING`` in ``observed`` drawn, never as a mark."""
        if (observed != MISSING).all():
            return observed
        n = len(observed)
        rows = self._checked_rows(self._sample(n, observed, seed=seed), n, observed)
        return self._without_marks(rows, observed, seed)

    def _completed(self, data: Any, *, seed: int) -> Any:
        """See ``genzoo.impute``."""
        self._check_fitted("impute")
        observed = self._settled(forms.encode(self.schema_, data, given=True, name="data"))
        rows = self._filled(observed, seed)
        form = forms.form_of(data)
        if form == "codes":
            return rows
        if form != "frame":
            return self.schema_.decode(rows, seed=seed)
        filled = _paste(forms.decode_frame(self.schema_, rows, seed=seed), data, len(rows))
        return filled.set_index(data.index)[list(data.columns)]

    def _read_given(self, given: Any, n: int) -> np.ndarray | None:
        if given is None:
            return None
        if isinstance(given, str):
            given = [given]
        if isinstance(given, np.ndarray) and (
            given.ndim == 1 or (given.dtype == np.uint8 and given.shape == self.schema_.event_shape)
        ):
            given = given[None]
        observed = self.schema_.encode(given, given=True)
        if len(observed) not in (1, n):
            raise ValueError(f"given: expected 1 row or n = {n} rows; got {len(observed)}")
        return self._settled(np.repeat(observed, n // len(observed), axis=0))

    def _settled(self, rows: np.ndarray) -> np.ndarray:
        return strings.settled(rows, self.schema_.end)

    def _checked_rows(self, rows: np.ndarray, n: int, observed: np.ndarray | None) -> np.ndarray:
        rows = self.schema_.check_rows(rows, name=f"{type(self).__name__} sample")
        if len(rows) != n:
            raise RuntimeError(f"{type(self).__name__} drew {len(rows)} rows; expected {n}")
        if observed is not None and (rows != observed)[observed != MISSING].any():
            raise RuntimeError(f"{type(self).__name__} changed observed entries")
        return rows

    def _without_marks(self, rows: np.ndarray, observed: np.ndarray, seed: int) -> np.ndarray:
        """Draw completions anew while they hold the missing mark: exact, by rejection.

        Families with exact completions draw none in the first place. In a column that has no
        values, only the mark, it is all that can be filled in.
        """
        variables = self.schema_.variables
        marks = np.array([v.n_values if v.missing and v.n_values > 0 else -2 for v in variables])
        bad = np.arange(0)
        for attempt in range(MOST_REDRAWS):
            bad = np.flatnonzero(((rows == marks) & (observed == MISSING)).any(axis=1))
            if len(bad) == 0:
                return rows
            again = self._sample(
                len(bad), observed[bad], seed=derive(seed, "without marks", attempt)
            )
            rows[bad] = self._checked_rows(again, len(bad), observed[bad])
        raise Unsupported(
            f"{MOST_REDRAWS} draws left {len(bad)} of {len(rows)} rows with a missing mark in a "
            f"place to fill in: under this model complete rows are too rare to find by drawing"
        )

    def log_prob(self, data: Any, *, seed: int = 0) -> LogProb:
        """Log mass of each row, in nats.

        Args:
            data: as in ``fit``, but no Dataset. An entry that is ``MISSING`` (code -1; a NaN in a
                column that had none in ``fit``) is summed out.
            seed: for families whose value is a Monte Carlo bound.

        Raises:
            Unsupported: if the family can't sum out this pattern.
            ValueError: for bad data.
        """
        self._check_fitted("log_prob")
        return self._log_prob_of(self._read_rows(data), seed)

    def conditional_log_prob(self, data: Any, given: Any, *, seed: int = 0) -> LogProb:
        """log p(data | the entries of given), in nats: the joint less the marginal of ``given``.

        Args:
            data: n rows, in any form that ``log_prob`` takes; entries that are ``MISSING`` are
                summed out, or are those of ``given`` where it has them.
            given: one row or n rows, in any form that ``sample`` takes; ``MISSING`` entries are no
                condition.
            seed: as in ``log_prob``.

        Returns:
            LogProb: exact where both masses are; else an ``"estimate"``, a difference of bounds,
            whose noise may lift it above 0.

        Raises:
            Unsupported: if the family can't sum out this pattern, or bounds by ELBO: two of them
                are loose by different amounts, which no error tells.
            ValueError: for bad input, and where an entry of ``data`` contradicts ``given``: such
                an event has no mass.
        """
        self._check_fitted("conditional_log_prob")
        rows = self._read_rows(data)
        known = self._read_given(given, len(rows))
        if known is None:
            raise ValueError("given: expected one row or as many as data; got None")
        clash = (rows != MISSING) & (known != MISSING) & (rows != known)
        if clash.any():
            i, d = (int(v) for v in np.argwhere(clash)[0])
            raise ValueError(
                f"data: row {i} contradicts given in variable {self.schema_.names[d]!r}; such an "
                f"event has no mass"
            )
        joint_rows = self.schema_.check_rows(
            np.where(rows == MISSING, known, rows), allow_missing=True, name="data with given"
        )
        joint, marginal = self._log_prob_of(joint_rows, seed), self._log_prob_of(known, seed)
        value = joint.value - marginal.value
        if joint.kind == marginal.kind == "exact":
            return LogProb.exact(value)
        if "elbo" in (joint.estimator, marginal.estimator):
            raise Unsupported(
                "two ELBOs are loose by different amounts, so their difference says little: set "
                'estimator to "iwae" or "ais"'
            )
        sure = (joint_rows == known).all(axis=1)  # all is given: no noise about it
        parts = [part.ess for part in (joint, marginal) if part.ess is not None]
        return LogProb(
            np.where(sure, 0.0, value),
            "estimate",
            np.where(sure, 0.0, np.hypot(joint.stderr, marginal.stderr)),
            joint.estimator or marginal.estimator,
            np.minimum.reduce(parts) if parts else None,
        )

    def _log_prob_of(self, rows: np.ndarray, seed: int) -> LogProb:
        result = self._log_prob(self._settled(rows), seed=check_seed(seed))
        if result.value.shape != (len(rows),) or result.stderr.shape != (len(rows),):
            raise RuntimeError(
                f"{type(self).__name__} log_prob: expected shape ({len(rows)},); "
                f"got {result.value.shape} and stderr {result.stderr.shape}"
            )
        if not (np.isfinite(result.value).all() and np.isfinite(result.stderr).all()):
            raise FloatingPointError(
                f"{type(self).__name__} log_prob: {int((~np.isfinite(result.value)).sum())} of "
                f"{len(rows)} values are not finite"
            )
        if result.kind == "exact":
            return result
        # no mass exceeds one: where noise lifts a bound above 0, 0 is a lower bound as well
        return replace(result, value=np.minimum(result.value, 0.0))

    def _read_rows(self, data: Any) -> np.ndarray:
        if isinstance(data, Dataset):
            raise ValueError(
                "data: expected rows; got a Dataset: write data.train, data.valid or data.test"
            )
        return self.schema_.encode(data)

    def log_density(self, data: Any, *, seed: int = 0) -> LogDensity:
        """Log density of each complete row: log mass less ``schema_.log_volume``.

        Raises:
            ValueError: for bad data, and for entries that are ``MISSING``.
        """
        self._check_fitted("log_density")
        rows = self._read_rows(data)
        _refuse_missing(self.schema_, rows, "data", "a density is that of a complete row")
        mass = self._log_prob_of(rows, seed)
        comparable = np.logical_not(forms.off_grid(self.schema_, data).any(axis=1))
        density = mass.value - self.schema_.log_volume(rows)
        return LogDensity(density, mass.kind, mass.stderr, comparable)

    def score(self, data: Any, y: Any = None) -> float:
        """Mean log mass in nats per row (higher is better), as scikit-learn wants it."""
        return self.log_prob(data).mean().value

    def save(self, folder: str | Path) -> None:
        """Write the fitted model to a folder: JSON and safetensors, no pickle.

        The folder is made, or replaced where it holds a model. Before anything is written the model
        is read back from what is to be written: what can be saved can be loaded.

        Raises:
            ValueError: if the model is not fitted; if ``load_model`` would refuse it (NaN or inf in
                an array of its state, a parameter without a JSON form, ...); if ``folder`` can't be
                made or holds something that is not a saved model.
        """
        self._check_fitted("save")
        place = store.check_target(folder, "folder")
        key = registered_key(type(self))
        saved = store.Saved(
            family=key or type(self).__qualname__,
            registered=key is not None,
            params=self.get_params(deep=False),
            form=self._form,
            schema=json.loads(self.schema_.to_json()),
            training=self.training_.to_json(),
            arrays=self._state(),
        )
        content = saved.packed()
        try:
            again = store.Saved.unpacked(*content)
            type(self)(**again.params)._put(again)
        except Exception as error:
            raise ValueError(
                f"model: expected one that can be loaded again; got {self!r}, for which load_model "
                f"says {type(error).__name__}: {error}"
            ) from error
        store.write_model(place, *content)

    def _put(self, saved: store.Saved) -> None:
        """Become the model that was saved; its parameters are this one's already."""
        if saved.form not in ("rows", "frame", "data"):
            raise ValueError(f"form: expected one of rows, frame, data; got {saved.form!r}")
        self._check_params()
        self.schema_ = Schema.from_json(json.dumps(saved.schema))
        self.training_, self._form = Training.from_json(saved.training), saved.form
        self._restore(saved.arrays)

    @property
    def n_parameters_(self) -> int:
        """The number of fitted numbers; families with a better count override this."""
        return sum(int(np.size(a)) for a in self._state().values())

    # ---------------------------------------------------------------- scikit-learn's conventions

    @classmethod
    def _param_names(cls) -> list[str]:
        if cls.__init__ is object.__init__:
            return []
        return [n for n in inspect.signature(cls.__init__).parameters if n != "self"]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The constructor's arguments by name."""
        return {name: getattr(self, name) for name in self._param_names()}

    def set_params(self, **params: Any) -> Self:
        """Change constructor arguments; those of the estimator take effect without a new fit.

        Raises:
            ValueError: for an unknown name or a value out of range; then nothing is changed.
        """
        known = self._param_names()
        for name in params:
            if name not in known:
                raise ValueError(
                    f"{name}: {type(self).__name__} has no such parameter; "
                    f"it has {', '.join(known)}"
                )
        before = self.get_params()
        try:
            for name, value in params.items():
                setattr(self, name, value)
            self._check_params()
        except ValueError:
            for name, value in before.items():
                setattr(self, name, value)
            raise
        return self

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import Tags, TargetTags

        return Tags(estimator_type=None, target_tags=TargetTags(required=False))

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "training_")

    def __repr__(self) -> str:
        signature = inspect.signature(type(self).__init__).parameters
        changed = [
            f"{k}={v!r}" for k, v in self.get_params().items() if not _same(v, signature[k].default)
        ]
        return f"{type(self).__name__}({', '.join(changed)})"

    def _check_fitted(self, method: str) -> None:
        if not self.__sklearn_is_fitted__():
            raise ValueError(f"{method}: this {type(self).__name__} is not fitted; call fit first")


def registered_key(cls: type) -> str | None:
    """The key under which a class is registered, or None."""
    path = f"{cls.__module__}:{cls.__qualname__}"
    return next((key for key, value in MODELS.items() if value == path), None)


def _same(a: Any, b: Any) -> bool:
    return a is b or (type(a) is type(b) and bool(np.all(a == b)))


def _refuse_missing(schema: Schema, rows: np.ndarray, name: str, why: str) -> None:
    if (rows == MISSING).any():
        i, d = (int(v) for v in np.argwhere(rows == MISSING)[0])
        raise ValueError(
            f"{name}: row {i}, variable {schema.names[d]!r} is MISSING (code -1 or a NaN in a "
            f"column without a missing mark); expected complete rows: {why}"
        )


def _paste(decoded: Any, given: Any, n: int) -> Any:
    """Observed numbers of a DataFrame exactly as given, not as some value of the same cell."""
    if isinstance(given, dict):
        given = forms._frame_of(given)
    if not forms.is_frame(given):
        return decoded
    for name in given.columns:
        raw = given[name].reset_index(drop=True)
        if len(raw) == 1 and n > 1:
            raw = raw.repeat(n).reset_index(drop=True)
        if raw.notna().any() and decoded[name].dtype.kind in "iuf":
            fits = decoded[name].dtype.kind == "f" or bool((raw.dropna() % 1 == 0).all())
            column = decoded[name] if fits else decoded[name].astype(float)
            decoded[name] = column.where(raw.isna(), raw.fillna(0).astype(column.dtype))
    return decoded


@contextlib.contextmanager
def _reporter(progress: Progress | bool | None, title: str) -> Iterator[Progress]:
    """``progress`` as a function that is always there: the caller's, a bar, or silence."""
    if callable(progress):
        yield progress
    elif not progress:
        yield lambda fraction, message: None
    else:
        from rich.progress import Progress as Bar

        with Bar() as bar:
            task = bar.add_task(title, total=1.0)
            yield lambda fraction, message: bar.update(
                task, completed=fraction, description=f"{title}: {message}"
            )
