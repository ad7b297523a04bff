"""How well a fitted model tells the label: the same rows for every family, or no comparison.

What is scored is log p(label | the rest) in nats, the prediction of ``genzoo.classify``: it is
proper (no one gains by saying anything but what he believes), and far more telling on few rows than
the accuracy, which stands beside it with the area under the ROC curve and a line without skill.
"""

from __future__ import annotations

import time

import numpy as np

from genzoo.datasets.dataset import Dataset
from genzoo.model import GenerativeModel
from genzoo.queries import label_log_probs
from genzoo.results.record import LabelPart, LabelRecord, Measured
from genzoo.seeding import numpy_rng
from genzoo.space.schema import MISSING
from genzoo.values import LogProb, Score, Unsupported

MOST_ROWS = {"valid": 1000, "test": 2000}
MOST_SECONDS = 120.0  # for a part; a family that would take longer is not asked
TIMED_ROWS = 32  # that tell how long all rows would take


def tell(
    model: GenerativeModel, dataset: Dataset, *, seed: int
) -> tuple[LabelRecord, dict[str, np.ndarray]]:
    """A record of how the model tells the label of validation and test rows, and arrays of these.

    Returns:
        The record, and of test rows the arrays ``label_log_prob``, ``label_no_skill``,
        ``label_right`` and ``label_groups``.

    Raises:
        Unsupported: where no row of a part has a label, or asking would take too long.
    """
    valid, _ = _tell_part(model, dataset, "valid", seed)
    test, arrays = _tell_part(model, dataset, "test", seed)
    return LabelRecord(None, valid, test), arrays


def _tell_part(
    model: GenerativeModel, dataset: Dataset, part: str, seed: int
) -> tuple[LabelPart, dict[str, np.ndarray]]:
    d = dataset.schema.D - 1
    n_labels = dataset.schema.variables[d].n_values
    chosen = labelled_rows(dataset, part, MOST_ROWS[part])
    rows = getattr(dataset, part)[chosen]
    start = time.perf_counter()
    label_log_probs(model, rows[:TIMED_ROWS], d, seed=seed)
    seconds = (time.perf_counter() - start) * len(rows) / min(TIMED_ROWS, len(rows))
    if seconds > MOST_SECONDS:
        raise Unsupported(
            f"{len(rows)} rows with {n_labels} labels each would take about {seconds:.0f} s "
            f"(at most {MOST_SECONDS:.0f} s are spent, and no family is judged on fewer rows)"
        )
    groups = None if dataset.groups is None else dataset.groups[part][chosen]
    log_shares = label_log_probs(model, rows, d, seed=seed)
    truth = rows[:, d]
    log_prob = log_shares[np.arange(len(rows)), truth]
    right = log_shares.argmax(axis=1) == truth
    known = dataset.train[:, d][dataset.train[:, d] != MISSING]
    counts = np.bincount(known, minlength=n_labels)[:n_labels]
    no_skill = np.log((counts + 1) / (counts.sum() + n_labels))[truth]
    score = LogProb.exact(log_prob).mean(groups)
    share, area = accuracy(right, groups), auc(log_shares, truth, groups)
    found = LabelPart(
        n=len(truth),
        log_prob=score.value,
        stderr=score.stderr,
        accuracy=Measured(share.value, share.stderr),
        auc=None if area is None else Measured(area.value, area.stderr),
        rarer=_n_rarer(truth, groups),
        majority=float((truth == counts.argmax()).mean()),
        no_skill_log_prob=float(no_skill.mean()),
    )
    arrays = {"label_log_prob": log_prob, "label_no_skill": no_skill, "label_right": right}
    return found, arrays if groups is None else {**arrays, "label_groups": groups}


def labelled_rows(dataset: Dataset, part: str, most: int) -> np.ndarray:
    """Indices of at most ``most`` rows of a part that are complete and have a label; which of them
    depends on the data set alone.

    Raises:
        Unsupported: where there are none.
    """
    rows = getattr(dataset, part)
    has_label = rows[:, -1] < dataset.schema.variables[-1].n_values
    able = np.flatnonzero((rows != MISSING).all(axis=1) & has_label)
    if not len(able):
        raise Unsupported(f"no {part} row has a label")
    return np.sort(numpy_rng(0, "labels", part).permutation(able)[:most])


def _n_rarer(truth: np.ndarray, groups: np.ndarray | None) -> int:
    """How many rows, or groups of rows, have another label than the commonest of them."""
    rarer = truth != np.bincount(truth).argmax()
    return int(rarer.sum()) if groups is None else len(np.unique(groups[rarer]))


def accuracy(right: np.ndarray, groups: np.ndarray | None) -> Score:
    """The share of rows (n,) that are right, and its error over rows or groups of rows.

    Where all or none are right the spread says nothing; the error is then that of a share of one in
    as many independent units and two more (Agresti & Coull 1998, Am. Stat. 52).
    """
    score = LogProb.exact(right.astype(np.float64)).mean(groups)
    if 0 < score.value < 1:
        return score
    n = len(right) if groups is None else len(np.unique(groups))
    share = (1 + n * score.value) / (n + 2)
    return Score(score.value, float(np.sqrt(share * (1 - share) / n)), score.kind)


def auc(log_shares: np.ndarray, truth: np.ndarray, groups: np.ndarray | None) -> Score | None:
    """Area under the ROC curve, of each class against the others, mean over the classes at hand.

    The error is that of the placements (DeLong et al. 1988, Biometrics 44), over groups where rows
    belong together (Obuchowski 1997, Biometrics 53).

    Args:
        log_shares: (n, L) log p(label | the rest).
        truth: (n,) labels.

    Returns:
        None where fewer than two classes occur.
    """
    n, areas, influence = len(truth), [], np.zeros(len(truth))
    classes = np.unique(truth)
    if len(classes) < 2:
        return None
    if len(classes) == 2 and log_shares.shape[1] == 2:
        classes = classes[1:]  # the other one's curve is the same
    for label in classes:
        # rounded: a model that tells all rows the same does so up to the last digits
        is_label, score = truth == label, np.round(log_shares[:, label], 9)
        above, below = score[is_label], score[~is_label]
        # (n,) how often a row is on the right side of a row of the other kind
        placement = np.empty(n)
        placement[is_label] = _shares_below(above, below)
        placement[~is_label] = 1 - _shares_below(below, above)
        area = float(placement[is_label].mean())
        areas.append(area)
        size = np.where(is_label, is_label.sum(), n - is_label.sum())
        influence += (placement - area) / size / len(classes)
    # the mean of n times the influences has the error of their sum
    error = LogProb.exact(n * influence).mean(groups).stderr
    return Score(float(np.mean(areas)), error, "exact")


def _shares_below(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    """For each value the share of the others that lie below it; equal ones count half."""
    ordered = np.sort(others)
    low, high = (np.searchsorted(ordered, values, side=side) for side in ("left", "right"))
    return (low + high) / (2 * len(others))
