"""The one interface: ``GenerativeModel`` (``fit``, ``sample``, ``log_prob``)."""

from __future__ import annotations

import abc
import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from genzoo import fitting, store, threads
from genzoo.completion import Writer
from genzoo.datasets.dataset import Dataset
from genzoo.fitting import Budget, Fit, Progress, Training, check_signature, reporting
from genzoo.keys import COMPOSED, MODELS
from genzoo.parameters import Parametrised
from genzoo.seeding import check_seed, derive, numpy_rng
from genzoo.space import forms, strings
from genzoo.space.coarsen import marks
from genzoo.space.forms import Codes, Data, Form, Given
from genzoo.space.schema import Schema
from genzoo.space.variable import MISSING
from genzoo.tempering import Tempering
from genzoo.values import LogDensity, LogProb, Unsupported

HOLD_OUT = 0.1
MOST_REDRAWS = 100


class GenerativeModel(Parametrised, abc.ABC):
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
    - Before a unit of work ask ``fit.goes_on("steps")``, which notes where a limit ended it; after
      it say ``fit.did("steps")``. Set ``fit.training.converged`` honestly.
    - Randomness comes from ``fit.rng("name")`` in ``_fit`` and from ``seed`` elsewhere. What is
      learned lives in attributes that end with an underscore: the next ``fit`` deletes them, and
      puts them back where it doesn't come to its end. So never change one of them in place.
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
        warm_starts: whether ``fit`` can go on from what an earlier one learned: ``fit.earlier`` is
            then the model as it was, or None.
    """

    selects: ClassVar[bool] = True
    fits_missing: ClassVar[bool] = False
    warm_starts: ClassVar[bool] = False

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

    # ---------------------------------------------------------------- what a family may write

    def _log_prob_each(self, rows: np.ndarray, d: int, *, seed: int) -> np.ndarray:
        """(n, card_d) log p(variable d is the code, the rest of the row), in nats, for each code.

        What rows (n, D) hold in variable d is not looked at; other ``MISSING`` entries are summed
        out. A family that can tell all of them from one pass overrides this, which takes a pass
        for each code.
        """
        rows = rows.copy()
        joint = np.empty((len(rows), int(self.schema_.cards[d])))
        for code in range(joint.shape[1]):
            rows[:, d] = code
            joint[:, code] = self._log_prob_of(rows, seed).value
        return joint

    def _next_log_masses(self, codes: list[int]) -> Iterator[np.ndarray] | None:
        """(M,) log masses of the code that follows ``codes``, in strings, one after the other and
        without end: the caller appends a code before it asks for the next.

        None where the family draws whole rows; then ``complete`` goes on to the end of a row.
        """
        return None

    def _kept(self) -> dict[str, Any]:
        """Of what was learned, the values of those constructor arguments that it can't do without,
        such as sizes of networks: a warm start keeps them, and refuses to begin with others."""
        return {}

    def _known_schema(self) -> Schema | None:
        """That of data that are fitted without one; None: it is inferred from them."""
        return None

    # ---------------------------------------------------------------- what users call

    def fit(
        self,
        data: Data | Dataset,
        y: object = None,
        *,
        schema: Schema | None = None,
        valid: Data | None = None,
        seed: int = 0,
        budget: str | Budget | None = None,
        progress: Progress | bool | None = None,
        warm_start: bool = False,
    ) -> Self:
        """Learn from data; what an earlier ``fit`` learned is forgotten once this one is done, or
        is where a warm start begins.

        A fit that fails, or that Ctrl-C or an exception of ``progress`` ends, leaves the model as
        it was: with what the earlier fit learned, or not fitted. To keep what was reached by some
        time, give a budget.

        Fits in several threads don't touch each other: each has its randomness to itself, and none
        draws from, or seeds, the generators that all share.

        Args:
            data: a ``Dataset`` (trains on ``train``, selects on the complete rows of ``valid``,
                never reads ``test``), a DataFrame of pandas or polars, an Arrow table, an integer
                array of codes (n, D), a list of str, or uint8 images (n, H, W), (n, C, H, W) or
                (n, H, W, C).
            y: ignored; scikit-learn passes it.
            schema: what the codes mean; inferred from the data where None. With scikit-learn's
                ``cross_val_score(..., params={"schema": Schema.infer(data)})`` or
                ``GridSearchCV(...).fit(data, schema=...)`` folds know what only others hold.
            valid: data to select on, in any of these forms. Where None, families that select
                anything hold out a tenth of the rows.
            seed: same seed, data, version, step budget and number of threads: same model, on the
                same machine. ``training_.threads`` is that number, and ``Budget.replay(training_)``
                repeats the fit with it; set it by ``torch.set_num_threads`` for networks, by the
                environment's ``OMP_NUM_THREADS`` for all.
            budget: ``"60s"``, ``"2000 steps"`` (of the optimiser; a family without steps runs to
                its own convergence), or None, the family's own default.
            progress: True for a bar, or a function of (fraction done, message).
            warm_start: go on from what an earlier ``fit`` learned, in its schema: networks keep
                their sizes and begin with its weights, so that they are no worse on the validation
                rows afterwards; counts are weighed against the new ones. Sizes that are None are
                those of the earlier fit; what says how to learn (dropout, smoothing, ...) may have
                changed. To learn from a large text first and from a small one then, give the large
                one the schema of both, ``schema=Schema.infer(large + small)``.

        Raises:
            ValueError: for bad data or parameters, before any work is done; with ``warm_start``
                for a model that is not fitted, for another schema, and for a parameter that asks
                for other sizes than the fitted model has.
            Unsupported: for a family without warm starts.
            FloatingPointError: where what was learned holds NaN or inf.

        >>> import genzoo
        >>> model = genzoo.NGram().fit(["ab", "ba", "abab"], valid=["aba"], seed=1)
        >>> model.schema_.alphabet, model.training_.converged
        (('a', 'b'), True)
        """
        check_signature(self._fit, type(self).__name__)
        self._check_params()
        seed, budget = check_seed(seed), Budget.parse(budget)
        if not (progress is None or isinstance(progress, bool) or callable(progress)):
            raise ValueError(
                f"progress: expected True, None or a function of (fraction, message); "
                f"got {progress!r}"
            )
        if schema is not None and not isinstance(schema, Schema):
            raise ValueError(f"schema: expected a Schema; got {type(schema).__name__}")
        self._check_warm_start(warm_start, data.schema if isinstance(data, Dataset) else schema)
        began, earlier = fitting.now(), copy.copy(self) if warm_start else None
        learn = partial(
            self._learn, seed=seed, budget=budget, progress=progress, began=began, earlier=earlier
        )
        if isinstance(data, Dataset):
            if schema is not None or valid is not None:
                raise ValueError(
                    "fit: a Dataset brings its own schema and valid rows; give neither"
                )
            to_select = data.complete("valid")
            return learn(data.schema, data.train, to_select, Codes.key, text=data.text)
        form = forms.read(data)
        train = chosen = np.arange(len(form))  # a single row is all there is to select on
        if valid is None and self.selects and len(form) > 1:
            order = numpy_rng(seed, "hold out").permutation(len(form))
            n_valid = max(1, round(HOLD_OUT * len(form)))
            train, chosen = np.sort(order[n_valid:]), np.sort(order[:n_valid])
        if earlier is not None:
            schema = earlier.schema_
        elif schema is None:
            schema = self._known_schema()
        given, schema = schema, schema or Schema.infer(form, train=train)
        # beyond the range of a schema that came from them lie only rows that are held out
        rows = self._rows_to_fit(schema, form, warn=given is not None)
        held_out = rows[chosen] if self.selects else None
        if valid is not None:
            held_out = self._rows_to_fit(schema, forms.read(valid, "valid"))
        if len(train) < len(rows):
            rows = rows[train]  # the others are held once, not twice
        return learn(schema, rows, held_out, form.key)

    def sample(self, n: int, *, given: Given | None = None, seed: int = 0) -> Any:
        """Draw n rows, in the form of the data that was fitted.

        Args:
            n: how many.
            given: what to complete: one row (repeated n times) or n rows, with ``MISSING`` (codes)
                or NaN (DataFrame) in the places to fill in; a prefix or a list of prefixes
                (strings); a dict {column: value}. Observed entries come back as they were given,
                and what is filled in is never a missing mark.
            seed: the same seed draws the same rows.

        Returns:
            A table, a list of str or images, as was fitted; rows of codes (n, D) where a
            ``Dataset`` or codes were fitted.

        Raises:
            Unsupported: if the family can't complete this pattern.
            ValueError: for bad input.

        >>> import genzoo
        >>> model = genzoo.Independent().fit(["anna", "bob", "eve"])
        >>> [name[:2] for name in model.sample(3, given="an", seed=1)]
        ['an', 'an', 'an']
        """
        self._check_fitted("sample")
        seed = check_seed(seed)
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
            raise ValueError(f"n: expected a positive integer; got {n!r}")
        n, home = int(n), forms.named(self._form, self.schema_)
        if given is None:
            return home.handed(home.decode(self.schema_, self._drawn(n, None, seed), seed=seed))
        form = forms.read_given(given, self.schema_.event_shape)
        rows = self._filled(self._known(form, n), seed)
        return home.handed(form.kept_in(home.decode(self.schema_, rows, seed=seed)))

    def complete(
        self,
        prompt: str,
        n_chars: int | None = None,
        *,
        hole: str | None = None,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int = 0,
    ) -> str:
        """The prompt and what the model writes after it, or into its holes.

        Strings with END stop there, or at T characters. Other text goes on for ``n_chars``: beyond
        the T of a row where the family draws one character after the other, else to its end.

        With ``hole`` every occurrence of that mark is filled with as many characters as it has, by
        ``sample(given=...)``, and nothing else changes. In strings with END the text ends where the
        prompt does. Other text of at most T characters is a row whose rest is open; in longer text
        holes are filled from the left, each given the T characters around it (as much before it as
        behind it, more on one side where the other is short), with later holes summed out.

        In a space of tokens T, the marks of holes and the draws that temperature, top_k and top_p
        change are tokens; ``n_chars`` counts characters. A prompt may stop within a token: families
        that draw one after the other read its last word by all tokens that spell it or more, others
        go on as if a token ended there. A hole, and a row at its end, may hold part of a character,
        written �.

        Args:
            prompt: characters of the alphabet; may be empty.
            n_chars: how many to add (fewer where an END comes); None: 200, or what a row leaves.
            hole: a mark such as ``"___"``; None: go on from the prompt.
            temperature: masses of the next character are raised to the power 1 / temperature.
            top_k: draw only among the k likeliest next characters; None for all.
            top_p: draw only among the likeliest ones that together hold this mass, in (0, 1].
            seed: the same seed writes the same text.

        The three change the distribution, in this order (``genzoo.tempering``): with other values
        than the defaults texts do not follow ``log_prob``.

        Raises:
            Unsupported: if the rows are not strings; where a family that draws whole rows is to go
                beyond one, or is given a temperature, top_k or top_p; if it can't complete this
                pattern.
            ValueError: for a character outside the alphabet, for a prompt of over T characters
                where strings have an END, and for other bad input.

        >>> import genzoo
        >>> model = genzoo.NGram(context=1).fit(["abab", "baba"] * 9)
        >>> model.complete("b", 3, temperature=0.1), model.complete("a?ab", hole="?")
        ('baba', 'abab')
        """
        self._check_fitted("complete")
        tempering, seed = Tempering(temperature, top_k, top_p), check_seed(seed)
        if self.schema_.alphabet is None:
            raise Unsupported("complete needs strings; this model was fitted to other data")
        writer = Writer(
            type(self).__name__,
            self.schema_,
            self._next_log_masses,
            self._filled,
            self._log_prob_of,
        )
        if hole is None:
            return writer.go_on(prompt, n_chars, tempering, seed)
        if n_chars is not None:
            raise ValueError(f"n_chars: expected None where holes are filled; got {n_chars!r}")
        if not tempering.is_none:
            raise ValueError(
                f"temperature, top_k, top_p: expected 1.0, None, None where holes are filled, by "
                f"draws of the model itself; got {temperature}, {top_k}, {top_p}"
            )
        return writer.fill_in(prompt, hole, seed)

    def log_prob(self, data: Data, *, seed: int = 0) -> LogProb:
        """Log mass of each row, in nats.

        Args:
            data: as in ``fit``, but no Dataset. An entry that is ``MISSING`` (code -1; a NaN in a
                column that had none in ``fit``) is summed out.
            seed: for families whose value is a Monte Carlo bound.

        Raises:
            Unsupported: if the family can't sum out this pattern.
            ValueError: for bad data.

        >>> import genzoo
        >>> model = genzoo.Independent().fit(np.array([[0, 1], [1, 1], [0, 0], [1, 0]]))
        >>> model.log_prob(np.array([[0, 1], [0, -1]])).value.round(3)
        array([-1.386, -0.693])
        """
        self._check_fitted("log_prob")
        return self._log_prob_of(self._read_rows(data), check_seed(seed))

    def conditional_log_prob(self, data: Data, given: Given, *, seed: int = 0) -> LogProb:
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

        >>> import genzoo
        >>> model = genzoo.Independent().fit(np.array([[0, 1], [1, 1], [0, 0], [1, 0]]))
        >>> model.conditional_log_prob(np.array([[0, 1]]), given=np.array([0, -1])).value.round(3)
        array([-0.693])
        """
        self._check_fitted("conditional_log_prob")
        seed, rows = check_seed(seed), self._read_rows(data)
        if given is None:
            raise ValueError("given: expected one row or as many as data; got None")
        known = self._known(forms.read_given(given, self.schema_.event_shape), len(rows))
        clash = (rows != MISSING) & (known != MISSING) & (rows != known)
        if clash.any():
            i, d = (int(v) for v in np.argwhere(clash)[0])
            raise ValueError(
                f"data: row {i} contradicts given in variable {self.schema_.names[d]!r}; such an "
                f"event has no mass"
            )
        rows = np.where(rows == MISSING, known, rows)
        joint, marginal = self._log_prob_of(rows, seed), self._log_prob_of(known, seed)
        # where all is given there is no noise about it
        return joint.less(marginal, sure=(rows == known).all(axis=1))

    def log_density(self, data: Data, *, seed: int = 0) -> LogDensity:
        """Log density of each complete row: log mass less ``schema_.log_volume``.

        Raises:
            ValueError: for bad data, and for entries that are ``MISSING``.

        >>> import genzoo, pandas as pd
        >>> data = pd.DataFrame({"height": [1.5, 2.0]})
        >>> genzoo.Independent().fit(data).log_density(data).value.round(3)  # 1 / 2 over 0.5 m
        array([0., 0.])
        """
        self._check_fitted("log_density")
        form = self._form_of(data)
        rows = self._read_rows(form)
        self.schema_.check_complete(rows, form.name, "a density is that of a complete row")
        mass = self._log_prob_of(rows, check_seed(seed))
        comparable = np.logical_not(form.off_grid(self.schema_).any(axis=1))
        density = mass.value - self.schema_.log_volume(rows)
        return LogDensity(density, mass.kind, mass.stderr, comparable)

    def score(self, data: Data, y: object = None) -> float:
        """Mean log mass in nats per row (higher is better), as scikit-learn wants it.

        >>> import genzoo
        >>> round(genzoo.Independent().fit(["a", "b"]).score(["a", "b"]), 3)
        -0.693
        """
        return self.log_prob(data).mean().value

    def save(self, folder: str | Path) -> None:
        """Write the fitted model to a folder: JSON and safetensors, no pickle.

        The folder is made, or replaced where it holds a model. Before anything is written the model
        is read back from what is to be written: what can be saved can be loaded.

        Raises:
            ValueError: if the model is not fitted; if ``load_model`` would refuse it (NaN or inf in
                an array of its state, a parameter without a JSON form, ...); if ``folder`` can't be
                made or holds something that is not a saved model.

        >>> import genzoo, tempfile
        >>> folder = tempfile.mkdtemp() + "/model"
        >>> genzoo.Independent().fit(["ab", "a"]).save(folder)
        >>> genzoo.load_model(folder).sample(1, given="ab")
        ['ab']
        """
        self._check_fitted("save")
        place = store.check_target(folder, "folder")
        content = self._saved().packed()
        try:
            self._read_back(store.Saved.unpacked(*content))
        except Exception as error:
            raise ValueError(
                f"model: expected one that can be loaded again; got {self!r}, for which load_model "
                f"says {type(error).__name__}: {error}"
            ) from error
        store.write_model(place, *content)

    @property
    def n_parameters_(self) -> int:
        """The number of fitted numbers; families with a better count override this.

        >>> import genzoo
        >>> genzoo.Independent().fit(np.array([[0, 1], [1, 0]])).n_parameters_
        2
        """
        return sum(int(np.size(a)) for a in self._state().values())

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "training_")

    # ---------------------------------------------------------------- below the public methods

    def _check_warm_start(self, warm_start: bool, schema: Schema | None) -> None:
        """Whether a fit can begin as it is asked to, with data of this schema."""
        if not isinstance(warm_start, bool):
            raise ValueError(f"warm_start: expected True or False; got {warm_start!r}")
        if not warm_start:
            return
        family = type(self).__name__
        if not self.warm_starts:
            raise Unsupported(
                f"{family} can't go on from an earlier fit: it has no warm start; fit it anew"
            )
        if not self.__sklearn_is_fitted__():
            raise ValueError(f"warm_start: this {family} is not fitted; call fit without it first")
        difference = None if schema is None else self.schema_.difference(schema)
        if difference is not None:
            raise ValueError(
                f"warm_start: expected data of the schema that was fitted; {difference}"
            )
        for name, has in self._kept().items():
            asked = getattr(self, name)
            if asked is not None and asked != has:
                raise ValueError(
                    f"{name}: a warm start keeps the fitted model's, {has!r}; got {asked!r}: set "
                    f"it back, or fit anew"
                )

    def _rows_to_fit(self, schema: Schema, form: Form, *, warn: bool = True) -> np.ndarray:
        """Rows to fit on: complete, or with holes where the family can take them; with a warning of
        numbers beyond the range, or without."""
        rows = schema.encode(form) if warn else schema.encode_quietly(form)
        if not self.fits_missing:
            family = type(self).__name__
            settled = strings.settled(rows, schema.end)
            schema.check_complete(settled, form.name, f"{family} is fitted to complete rows")
        return rows

    def _learn(
        self,
        schema: Schema,
        rows: np.ndarray,
        valid: np.ndarray | None,
        form: str,
        *,
        seed: int,
        budget: Budget,
        progress: Progress | bool | None,
        began: float,
        earlier: GenerativeModel | None,
        text: Mapping[str, list[str]] | None = None,
    ) -> Self:
        """Learn from checked rows, whose samples go back in the form of this key."""
        rows = strings.settled(rows, schema.end)
        valid = None if valid is None else strings.settled(valid, schema.end)
        before = dict(vars(self))
        try:
            for name in [name for name in vars(self) if name.endswith("_")]:
                delattr(self, name)
            self.schema_, self._form = schema, form
            with reporting(progress, type(self).__name__) as report, threads.using(budget.threads):
                run = Fit(seed, budget, report, text=text, began=began, earlier=earlier)
                self._fit(rows, valid, run)
                run.training.threads = run.training.threads or threads.of_blas()
                run.report(1.0, "done")
            try:
                store.check_arrays(self._state())
            except ValueError as error:
                raise type(error)(f"{type(self).__name__} fit: {error}") from None
            run.training.seconds = run.clock.spent
            self.training_ = run.training
        except BaseException:  # Ctrl-C among them: half a fit is none, and an earlier one is whole
            self.__dict__ = before
            raise
        return self

    def _form_of(self, data: Data) -> Form:
        if isinstance(data, Dataset):
            raise ValueError(
                "data: expected rows; got a Dataset: write data.train, data.valid or data.test"
            )
        return forms.read(data)

    def _read_rows(self, data: Data) -> np.ndarray:
        """(n, D) checked rows; an entry that is not known is ``MISSING``, none after an END."""
        return strings.settled(self.schema_.encode(self._form_of(data)), self.schema_.end)

    def _known(self, given: Form, n: int) -> np.ndarray:
        """(n, D) what is given of n rows."""
        rows = self.schema_.encode(given, given=True)
        if len(rows) not in (1, n):
            raise ValueError(f"given: expected 1 row or n = {n} rows; got {len(rows)}")
        return strings.settled(np.repeat(rows, n // len(rows), axis=0), self.schema_.end)

    def _drawn(self, n: int, given: np.ndarray | None, seed: int) -> np.ndarray:
        """What ``_sample`` draws, checked."""
        family = type(self).__name__
        drawn = self._sample(n, given, seed=seed)
        rows = self.schema_.check_rows(drawn, name=f"{family} sample")
        if len(rows) != n:
            raise RuntimeError(f"{family} drew {len(rows)} rows; expected {n}")
        if given is not None and (rows != given)[given != MISSING].any():
            raise RuntimeError(f"{family} changed observed entries")
        return rows

    def _filled(self, known: np.ndarray, seed: int) -> np.ndarray:
        """Rows (n, D) with what is ``MISSING`` in ``known`` drawn, never as a missing mark.

        Completions are drawn anew while they hold a mark: exact, by rejection. Families with exact
        completions draw none in the first place. In a column that has no values, only the mark, it
        is all that can be filled in.
        """
        if (known != MISSING).all():
            return known
        rows = self._drawn(len(known), known, seed)
        mark = marks(self.schema_)
        barred = (known == MISSING) & (mark >= 0)
        bad = np.arange(0)
        for attempt in range(MOST_REDRAWS):
            bad = np.flatnonzero((barred & (rows == mark)).any(axis=1))
            if len(bad) == 0:
                return rows
            again = derive(seed, "without marks", attempt)
            rows[bad] = self._drawn(len(bad), known[bad], again)
        raise Unsupported(
            f"{MOST_REDRAWS} draws left {len(bad)} of {len(rows)} rows with a missing mark in a "
            f"place to fill in: under this model complete rows are too rare to find by drawing"
        )

    def _log_prob_of(self, rows: np.ndarray, seed: int) -> LogProb:
        """The log mass of checked rows (n, D), checked itself."""
        result = self._log_prob(strings.settled(rows, self.schema_.end), seed=seed)
        if not isinstance(result, LogProb):
            raise TypeError(
                f"{type(self).__name__}._log_prob: expected a LogProb, such as "
                f"LogProb.exact(values); got {type(result).__name__}"
            )
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

    def _saved(self) -> store.Saved:
        """What the fitted model is saved as."""
        key = registered_key(type(self), MODELS | COMPOSED)
        return store.Saved(
            family=key or type(self).__qualname__,
            registered=key is not None,
            params=self.get_params(deep=False),
            form=self._form,
            schema=json.loads(self.schema_.to_json()),
            training=self.training_.to_json(),
            arrays=self._state(),
        )

    def _read_back(self, saved: store.Saved) -> Self:
        """The model that was saved of this one."""
        model = type(self)(**saved.params)
        model._put(saved)
        return model

    def _put(self, saved: store.Saved) -> None:
        """Become the model that was saved; its parameters are this one's already."""
        self._check_params()
        self.schema_ = Schema.from_json(json.dumps(saved.schema))
        forms.named(saved.form, self.schema_)
        self.training_, self._form = Training.from_json(saved.training), saved.form
        self._restore(saved.arrays)

    def _check_fitted(self, method: str) -> None:
        if not self.__sklearn_is_fitted__():
            raise ValueError(f"{method}: this {type(self).__name__} is not fitted; call fit first")


def registered_key(cls: type, registry: Mapping[str, str] = MODELS) -> str | None:
    """The key under which a class is registered, by default as a family, or None.

    >>> import genzoo
    >>> registered_key(genzoo.Independent)
    'independent'
    """
    path = f"{cls.__module__}:{cls.__qualname__}"
    return next((key for key, value in registry.items() if value == path), None)
