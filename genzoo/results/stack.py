"""The stack of a comparison: a mixture of all models on a data set, derived from what their cells
left, with nothing fitted, drawn or waited for.

    p(x) = sum_k w_k p_k(x)

The cells keep the log mass that each model gave to every validation and every test row. The weights
follow from the former (``genzoo/stacking.py``), the stack's masses of test rows from both. As its
weights have seen the validation rows, what it is chosen by is cross-fitted: each of these rows is
scored with weights that the rows of other folds chose. So it goes through the same choice and the
same proofs as all others (``choice.py``). ``genzoo.Stack`` is the same mixture as a model.

There is one stack for each seed (and fold), of the models with an answer in every fold. Estimates
take no part, since they may claim anything, nor do models that raised an alarm.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np

from genzoo import stacking
from genzoo.results.contender import Contender, Result, whole
from genzoo.results.plan import DatasetFacts
from genzoo.results.record import (
    STACK,
    TRUTH,
    CellRecord,
    LabelRecord,
    Measured,
    StackPart,
    Validation,
)
from genzoo.results.statistics import weakest
from genzoo.store import sha256
from genzoo.values import LogProb

FEWEST_PARTS = 2
KEY_LENGTH = 20
NO_LABELS = (
    "it is derived from log masses of whole rows, which don't tell how likely other labels are"
)


def stacks(cells: Sequence[Result], facts: DatasetFacts) -> list[Result]:
    """The stacks of a data set, one for each seed and fold; none where fewer than two models can
    take part.

    Args:
        cells: all results on the data set, that of the truth among them.
    """
    fits: dict[int | None, list[Contender]] = {}
    for model in dict.fromkeys(c.model for c in cells if c.model != TRUTH):
        for fit in whole([c for c in cells if c.model == model], facts.n_folds):
            if _takes_part(fit):
                fits.setdefault(fit.seed, []).append(fit)
    truths = {c.record.fold: c for c in cells if c.model == TRUTH and c.ok}
    found = []
    for parts in fits.values():
        for fold in [c.record.fold for c in parts[0].cells] if len(parts) >= FEWEST_PARTS else []:
            own = [cell for fit in parts for cell in fit.cells if cell.record.fold == fold]
            found.append(_stack(own, truths.get(fold), facts))
    return found


def _takes_part(fit: Contender) -> bool:
    if fit.alarming or fit.kind == "estimate":
        return False
    return all(
        c.log_prob is not None
        and c.valid_log_prob is not None
        and c.record.validation is not None
        and c.record.validation.kind != "estimate"
        for c in fit.cells
    )


def _stack(parts: list[Result], truth: Result | None, facts: DatasetFacts) -> Result:
    """The stack of some cells of one seed and fold."""
    first, records = parts[0], [part.record for part in parts]
    valid = _columns(part.valid_log_prob for part in parts)
    test = _columns(part.log_prob for part in parts)
    weights, worth, fair_masses = _figures(valid, first.valid_groups)
    used = [r for r, weight in zip(records, weights, strict=True) if weight > 0]
    log_prob = stacking.mixed(test, weights)
    score = LogProb.exact(log_prob).mean(first.groups)
    fair = LogProb.exact(fair_masses).mean(first.valid_groups)
    validations = [r.validation for r in used if r.validation is not None]
    record = CellRecord(
        key=sha256("/".join([STACK, *(r.key for r in records)]).encode())[:KEY_LENGTH],
        model=STACK,
        family=STACK,
        dataset=first.dataset,
        seed=first.seed,
        fold=first.record.fold,
        budget=first.record.budget,
        status="ok",
        test_log_prob=score.value,
        kind=weakest([r.kind or "exact" for r in used]),
        stderr=score.stderr,
        bits_per_dim=-score.value / (facts.D * math.log(2)),
        n_test=len(log_prob),
        validation=Validation(
            fair.value, fair.stderr, weakest([v.kind for v in validations]), len(valid)
        ),
        label=LabelRecord(NO_LABELS) if any(r.label is not None for r in records) else None,
        truth_log_prob=first.record.truth_log_prob,
        truth_gap=_gap(truth, log_prob, first.groups),
        train_seconds=_total(r.train_seconds for r in records),
        evaluate_seconds=_total(r.evaluate_seconds for r in used),
        n_parameters=_count(used),
        versions=first.record.versions,
        machine=first.record.machine,
        finished=max((r.finished for r in records if r.finished), default=None),
        stack={
            r.model: StackPart(float(weight), float(lost), float(values.mean()))
            for r, weight, lost, values in zip(records, weights, worth, valid.T, strict=True)
        },
    )
    return Result(
        CellRecord.from_json(record.to_json(), "record"),
        log_prob=log_prob,
        groups=first.groups,
        valid_log_prob=fair_masses,
        valid_groups=first.valid_groups,
    )


Figures = tuple[np.ndarray, np.ndarray, np.ndarray]


def _figures(valid: np.ndarray, groups: np.ndarray | None) -> Figures:
    """The weights (K,), what each model is worth (K,) and the cross-fitted log masses (n,) of
    validation rows with log masses (n, K)."""
    number = None if groups is None else np.unique(groups, return_inverse=True)[1].reshape(-1)
    return _remembered(valid.tobytes(), valid.shape[1], None if number is None else tuple(number))


@lru_cache(maxsize=64)
def _remembered(masses: bytes, n_models: int, groups: tuple[int, ...] | None) -> Figures:
    """A report reads its run several times."""
    valid = np.frombuffer(masses).reshape(-1, n_models)
    number = None if groups is None else np.array(groups)
    return (
        stacking.fit_weights(valid),
        stacking.worth(valid),
        stacking.cross_fitted(valid, number),
    )


def _columns(values: Iterable[np.ndarray | None]) -> np.ndarray:
    """(n, K) of K arrays (n,)."""
    return np.stack([v for v in values if v is not None], axis=1).astype(np.float64)


def _gap(truth: Result | None, log_prob: np.ndarray, groups: np.ndarray | None) -> Measured | None:
    """The truth's advantage, paired over test rows."""
    if truth is None or truth.log_prob is None:
        return None
    found = LogProb.exact(truth.log_prob - log_prob).mean(groups)
    return Measured(found.value, found.stderr)


def _total(seconds: Iterable[float | None]) -> float | None:
    known = list(seconds)
    return None if None in known else float(sum(s for s in known if s is not None))


def _count(used: Sequence[CellRecord]) -> int | None:
    """The parameters of the parts that have a weight, and the weights but one."""
    known = [r.n_parameters for r in used]
    return None if None in known else sum(n for n in known if n is not None) + len(used) - 1
