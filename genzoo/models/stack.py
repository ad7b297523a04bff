"""A stack: a mixture of fitted models, of whatever families.

    p(x) = sum_k w_k p_k(x)

Families know different things of the same data: a tree of columns, clusters of rows, the order of
symbols. Their average in probability is a model as any other, never more than -log w_k nats a row
worse than part k. The weights are fitted on validation rows by EM (``genzoo/stacking.py``), on
which the mixture is as good as its best part, but for less than a nat of all these rows together
where a part is not worth having; the parts are left as they are.

All that is asked of it follows from the parts:

- **Mass.** The sum above, exact where the parts are. A part's bound that is the logarithm of an
  estimate whose mean is at most the mass (ELBO, IWAE, AIS) makes the sum's estimate such a one, and
  its logarithm a lower bound in expectation, by Jensen's inequality. The error is that of the
  logarithm by the delta method, over the shares r_k = w_k p_k(x) / p(x) of independent parts:
  se^2 = sum_k r_k^2 se_k^2.
- **Samples.** A part by its weight, then a row of it.
- **Completions.** A part by its weight given what is known, in proportion to w_k p_k(given), then
  its completion. Exact where the parts' marginals and completions are; where a marginal is a bound
  the part is drawn by that bound, as if it were the mass.
- **Text** by the character, where all parts with a weight score it: each character by the masses of
  the window up to it and before it.
- **Missing marks** are never filled in. That speaks for parts that rarely have them: the entries
  that may hold one are drawn first, each by its conditional mass, marks among them, and a row that
  gets a mark is drawn anew, part and all.

References: Wolpert (1992), Stacked generalization, Neural Networks 5. Smyth and Wolpert (1999),
Linearly combining density estimators via stacking, Machine Learning 36. Yao, Vehtari, Simpson and
Gelman (2018), Using stacking to average Bayesian predictive distributions, arXiv:1704.02030.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from numbers import Real
from typing import Any, Self, TypeVar

import numpy as np

from genzoo import draws, stacking, store
from genzoo.fitting import Fit, Training
from genzoo.model import GenerativeModel, registered_key
from genzoo.models.shared.text import ScoresText
from genzoo.seeding import derive, numpy_rng
from genzoo.space.coarsen import marks
from genzoo.space.schema import MISSING, Schema
from genzoo.values import KINDS, LogProb, Unsupported

FITS = 0.95  # of a budget, for the parts that are to be fitted; the rest is for their masses
Answer = TypeVar("Answer")


class Stack(GenerativeModel, ScoresText):
    """A mixture of models of any families; exact where they are, else a bound.

    ``fit`` chooses the weights on validation rows: those of a ``Dataset``, ``valid=``, or a tenth
    of the rows. Models that are fitted are used as they are and never fitted again, so give rows
    that none of them was trained on. Those that are not fitted are fitted first, as copies, to the
    training rows, and share the budget; they may have holes where all of these can take them.
    ``compare`` and scikit-learn's ``clone`` take unfitted copies of all; what ``load_model`` gives
    has the fitted parts, which a further ``fit`` weighs and leaves as they are.

    Args:
        models: a list of models, or a dict {label: model}. Fitted ones must have one schema, which
            ``fit`` takes where it is given none.

    Attributes:
        parts_: the fitted models by label.
        training_: its curve ends with the mean nats of the validation rows, cross-fitted (with
            weights that other rows chose), so that it may be compared with the parts'.
        weights_: their weights by label, which sum to one; 0 where a model is not worth having.

    >>> import genzoo
    >>> data = genzoo.load_dataset("iris")
    >>> parts = [genzoo.Independent().fit(data), genzoo.BayesianNetwork().fit(data)]
    >>> stack = genzoo.Stack(parts).fit(data)
    >>> list(stack.weights_), round(sum(stack.weights_.values()), 6), stack.log_prob(data.test).kind
    (['independent', 'bayesian_network'], 1.0, 'exact')
    """

    parts_: dict[str, GenerativeModel]
    mixture_: np.ndarray  # (K,) the weights

    def __init__(
        self, models: Sequence[GenerativeModel] | Mapping[str, GenerativeModel] = ()
    ) -> None:
        self.models = models

    # ---------------------------------------------------------------- the parts

    def _check_params(self) -> None:
        super()._check_params()
        self._labelled()

    def _labelled(self) -> dict[str, GenerativeModel]:
        """The models by label."""
        given: Any = self.models
        expected = "models: expected a list of models or a dict {label: model}, at least one"
        if isinstance(given, Mapping):
            labels, models = list(given), list(given.values())
        elif isinstance(given, (list, tuple)):
            models = list(given)
            labels = _labels_of(models)
        else:
            raise ValueError(f"{expected}; got {given!r}")
        if not models:
            raise ValueError(f"{expected}; got none")
        for label, model in zip(labels, models, strict=True):
            if not isinstance(model, GenerativeModel):
                raise ValueError(f"{expected}; got {model!r}")
            if model is self:
                raise ValueError("models: expected other models; got the stack itself")
            if not isinstance(label, str) or not label or "/" in label:
                raise ValueError(f"models: expected labels of text without '/'; got {label!r}")
        return dict(zip(labels, models, strict=True))

    @property
    def fits_missing(self) -> bool:  # type: ignore[override]
        """Whether all models that are still to be fitted take rows with ``MISSING`` entries."""
        try:
            models = self._labelled().values()
        except ValueError:  # ``fit`` says what is wrong with them
            return False
        return all(model.fits_missing for model in models if not model.__sklearn_is_fitted__())

    @property
    def weights_(self) -> dict[str, float]:
        return dict(zip(self.parts_, self.mixture_.tolist(), strict=True))

    def _used(self) -> list[tuple[str, float, GenerativeModel]]:
        """The parts that have a weight: label, weight, model."""
        weighted = zip(self.parts_.items(), self.mixture_.tolist(), strict=True)
        return [(label, weight, part) for (label, part), weight in weighted if weight > 0]

    @classmethod
    def weighted(cls, models: Mapping[str, GenerativeModel], weights: Mapping[str, float]) -> Stack:
        """A stack of fitted models with weights that are known.

        Args:
            models: {label: fitted model}, of one schema.
            weights: of these labels, not negative and with a sum of one.

        Raises:
            ValueError: where a model is not fitted or has another schema, or for other weights.

        >>> import genzoo
        >>> data = genzoo.load_dataset("iris")
        >>> parts = {"a": genzoo.Independent().fit(data), "b": genzoo.NGram().fit(data)}
        >>> genzoo.Stack.weighted(parts, {"a": 0.25, "b": 0.75}).weights_
        {'a': 0.25, 'b': 0.75}
        """
        stack = cls(models)
        stack._check_params()
        parts = stack._labelled()
        for label, part in parts.items():
            if not part.__sklearn_is_fitted__():
                raise ValueError(f"models: expected fitted models; {label!r} is not fitted")
        good = isinstance(weights, Mapping) and set(weights) == set(parts)
        good = good and all(isinstance(w, Real) for w in weights.values())
        given = np.array([weights[label] for label in parts], dtype=np.float64) if good else None
        if given is None or not (given >= 0).all() or abs(given.sum() - 1) > 1e-6:
            raise ValueError(
                f"weights: expected numbers with a sum of one, not negative, for "
                f"{', '.join(parts)}; got {weights!r}"
            )
        first = next(iter(parts.values()))
        stack.schema_, stack._form, stack.training_ = first.schema_, first._form, Training()
        stack._check_schemas()
        stack.parts_ = {label: copy.copy(part) for label, part in parts.items()}
        stack.mixture_ = given / given.sum()
        return stack

    # ---------------------------------------------------------------- fitting

    def _known_schema(self) -> Schema | None:
        fitted = (m for m in self._labelled().values() if m.__sklearn_is_fitted__())
        return next((model.schema_ for model in fitted), None)

    def _fit(self, rows: np.ndarray, valid: np.ndarray | None, fit: Fit) -> None:
        assert valid is not None  # this family selects
        self._check_schemas()
        models = self._labelled()
        unfitted = [label for label, m in models.items() if not m.__sklearn_is_fitted__()]
        if fit.budget.steps is not None and fit.budget.steps < len(unfitted):
            raise ValueError(
                f"budget: expected a step at least for each of the {len(unfitted)} models that are "
                f"to be fitted; got {fit.budget}"
            )
        # shallow copies: a later fit of the caller's own replaces what was learned in his alone
        parts = {label: copy.copy(m) for label, m in models.items() if label not in unfitted}
        for i, label in enumerate(unfitted):
            own = fit.part(label, FITS * (i + 1) / len(unfitted), seed=fit.seed)
            parts[label] = self._fitted(models[label], rows, valid, own)
            fit.take(label, own)
            for note in own.training.notes:
                fit.note(f"{label}: {note}")
        self.parts_ = {label: parts[label] for label in models}
        log_masses = np.empty((len(valid), len(models)))
        for k, (label, part) in enumerate(self.parts_.items()):
            fit.report(FITS + (1 - FITS) * k / len(models), f"masses under {label}")
            if len(valid):
                log_masses[:, k] = _asked(label, part._log_prob_of, valid, fit.seed).value
        self.mixture_ = stacking.fit_weights(log_masses)
        fit.did("weights", len(models))
        if not unfitted:  # else the steps are those of the parts, as a budget counts them
            fit.did("steps")
        if len(valid):
            fit.point(None, float(stacking.cross_fitted(log_masses).mean()))

    def _check_schemas(self) -> None:
        for label, model in self._labelled().items():
            if model.__sklearn_is_fitted__() and model.schema_ != self.schema_:
                raise ValueError(
                    f"models: expected models of the schema that is fitted; {label!r} has another: "
                    f"fit all to one data set, or with one schema=genzoo.Schema.infer(data)"
                )

    def _fitted(
        self, template: GenerativeModel, rows: np.ndarray, valid: np.ndarray, fit: Fit
    ) -> GenerativeModel:
        """A copy of a model, fitted to the training rows."""
        part = type(template)(**copy.deepcopy(template.get_params(deep=False)))
        part._check_params()
        part.schema_, part._form = self.schema_, self._form
        part._fit(rows, valid if part.selects else None, fit)
        store.check_arrays(part._state())
        fit.training.seconds = fit.clock.spent
        part.training_ = fit.training
        return part

    # ---------------------------------------------------------------- the distribution

    def _sample(self, n: int, given: np.ndarray | None, *, seed: int) -> np.ndarray:
        used = self._used()
        shares = np.repeat([[weight for _, weight, _ in used]], n, axis=0)
        if given is not None and len(used) > 1:
            known = self._joint(lambda part, own: part._log_prob_of(given, own).value, seed)
            shares = np.exp(known - known.max(axis=1, keepdims=True))
        chosen = draws.categorical(shares, numpy_rng(seed, "stack"))
        rows = np.empty((n, self.schema_.D), dtype=np.int64)
        for i, (label, _, part) in enumerate(used):
            here = chosen == i
            if not here.any():
                continue
            own, of_part = None if given is None else given[here], derive(seed, "stack", label)
            if own is not None and len(used) > 1:
                own = _asked(label, _with_marks, part, own, of_part)
            rows[here] = _asked(label, part._drawn, int(here.sum()), own, of_part)
        return rows

    def _log_prob(self, rows: np.ndarray, *, seed: int) -> LogProb:
        found: list[LogProb] = []

        def value(part: GenerativeModel, own: int) -> np.ndarray:
            found.append(part._log_prob_of(rows, own))
            return found[-1].value

        joint = self._joint(value, seed)
        total = np.logaddexp.reduce(joint, axis=1)
        kind = max((one.kind for one in found), key=KINDS.index)
        if kind == "exact":
            return LogProb.exact(total)
        errors = np.stack([one.stderr for one in found], axis=1)
        stderr = np.sqrt(np.sum((np.exp(joint - total[:, None]) * errors) ** 2, axis=1))
        return LogProb(total, kind, stderr, _estimator(found))

    def _log_prob_each(self, rows: np.ndarray, d: int, *, seed: int) -> np.ndarray:
        joint = self._joint(lambda part, own: part._log_prob_each(rows, d, seed=own), seed)
        return np.asarray(np.logaddexp.reduce(joint, axis=1))

    def _terms(self, rows: np.ndarray) -> np.ndarray:
        begun = []  # (n, D) of each part: the masses of what the row begins with
        for label, weight, part in self._used():
            if not isinstance(part, ScoresText):
                raise Unsupported(f"{label}, a part of the stack, does not score text")
            begun.append(np.log(weight) + np.cumsum(part._terms(rows), axis=1))
        return np.diff(np.logaddexp.reduce(begun, axis=0), axis=1, prepend=0.0)

    def _joint(
        self, log_masses: Callable[[GenerativeModel, int], np.ndarray], seed: int
    ) -> np.ndarray:
        """(n, K, ...) log w_k plus the log masses (n, ...) by each of the parts with a weight, each
        with a seed of its own: their errors are independent."""
        return np.stack(
            [
                np.log(weight)
                + _asked(label, log_masses, part, derive(seed, "stack masses", label))
                for label, weight, part in self._used()
            ],
            axis=1,
        )

    # ---------------------------------------------------------------- its file

    def _state(self) -> dict[str, np.ndarray]:
        return {"mixture": self.mixture_}

    def _restore(self, arrays: dict[str, np.ndarray]) -> None:
        self.parts_, self.mixture_ = self._labelled(), arrays["mixture"]

    def _saved(self) -> store.Saved:
        saved = super()._saved()
        parts = {label: part._saved() for label, part in self.parts_.items()}
        for label, part in parts.items():
            if not part.registered:
                raise ValueError(
                    f"models: expected registered families, which load_model finds by their key; "
                    f"{label!r} is of the class {part.family}: save it by itself"
                )
        return replace(saved, params={}, parts=parts)

    def _read_back(self, saved: store.Saved) -> Self:
        parts = {label: p._read_back(saved.parts[label]) for label, p in self.parts_.items()}
        model = type(self)(parts)
        model._put(saved)
        return model

    @property
    def n_parameters_(self) -> int:
        """Those of the parts that have a weight, and the weights but one."""
        used = self._used()
        return sum(part.n_parameters_ for _, _, part in used) + len(used) - 1


def _labels_of(models: Sequence[Any]) -> list[str]:
    """The families' keys, or the names of classes; of several of one family, numbered."""
    names = [registered_key(type(m)) or type(m).__name__ for m in models]
    several, seen, labels = Counter(names), Counter[str](), []
    for name in names:
        seen[name] += 1
        labels.append(f"{name} {seen[name]}" if several[name] > 1 else name)
    return labels


def _asked(label: str, question: Callable[..., Answer], *of: Any) -> Answer:
    """A part's answer; what it can't do the stack can't, and says whose fault it is."""
    try:
        return question(*of)
    except Unsupported as refusal:
        raise Unsupported(f"{label}, a part of the stack: {refusal.reason}") from None


def _with_marks(part: GenerativeModel, given: np.ndarray, seed: int) -> np.ndarray:
    """Rows (n, D) in which those missing entries are drawn that may hold a missing mark, marks
    among them."""
    rows = given.copy()
    for d in np.flatnonzero(marks(part.schema_) >= 0).tolist():
        here = rows[:, d] == MISSING
        if here.any():
            each = part._log_prob_each(rows[here], d, seed=seed)
            masses = np.exp(each - each.max(axis=1, keepdims=True))
            rows[here, d] = draws.categorical(masses, numpy_rng(seed, "marks", d))
    return rows


def _estimator(found: Sequence[LogProb]) -> str | None:
    """How values were found: of several ways the loosest, ELBO, or all by name."""
    ways = list(dict.fromkeys(one.estimator for one in found if one.estimator is not None))
    if "elbo" in ways:
        return "elbo"
    return "/".join(ways) or None
