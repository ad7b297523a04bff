"""The rule by which a model is chosen, and what test rows prove of it.

Validation chooses: of each family the seed, then the family, for each purpose by its own score.
What it has chosen never saw the test rows, so these can prove something of it:

- that it is better, or worse, than each of the others (two-sided);
- that a lighter one, which trains in half the time, or no slower with half the parameters, or is
  one model where the stack of all was chosen, is not worse by more than a margin (non-inferiority,
  one-sided);
- of labels, that it knows more than their shares in training.

All of these tests of a purpose together are one family, with Holm's correction at 5 %. With folds
the rows that choose are test rows of other folds: then the tests of every choice that there could
have been are the family. The margin is the larger of ``LEAST`` nats a row and ``SHARE`` of what the
chosen one gains over ``independent`` on validation rows; ``POINT`` of accuracy for labels. A
difference of less than ``LEAST`` nats on test rows is not worth a choice, however sure.

What is recommended: the chosen one; a lighter one that is shown to be within the margin (then only
that is claimed of it); or one that test rows show to be better than the chosen one (then nothing
else is claimed of it, since test rows chose it). "Proven" speaks of these fitted models. How often
it would be wrong is simulated by ``benchmarks/error_rates.py``.

Had the test rows chosen the best as well, all pairs would have to be tested: the choice by other
rows leaves k - 1. Holm (1979), A simple sequentially rejective multiple test procedure, Scand. J.
Statist. 6. Tests against a margin: Schuirmann (1987), A comparison of the two one-sided tests
procedure and the power approach, J. Pharmacokinet. Biopharm. 15.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from genzoo.results.contender import (
    Contender,
    Counted,
    at,
    of_test_labels,
    of_valid_labels,
)
from genzoo.results.record import BASELINE, STACK, CellRecord, Validation
from genzoo.results.run import RunRecord
from genzoo.results.statistics import (
    FEWEST_UNITS,
    LEVEL,
    Difference,
    can_prove,
    effective_units,
    holm,
    paired_difference,
)

LEAST = 0.01  # nats a row: a smaller difference is not worth a sentence
SHARE = 0.01  # of the chosen one's gain over the baseline
POINT = 0.01  # of accuracy: one row in a hundred
LIGHTER = 0.5  # of the seconds of training, or of the parameters
SECOND = 1.0  # of training: less is not worth a comparison
FEWEST_TO_CHOOSE_BY = 30  # validation rows
FEWEST_RARER = 10  # test rows (or groups) with another label than the commonest, for a proof
Verdict = Literal["worse", "better", "within", "alike", "open", "not comparable"]
VERDICTS: dict[Verdict, str] = {  # of another against the chosen one, and in a reader's words
    "worse": "worse, proven",
    "better": "better, proven",
    "within": "within the margin",
    "alike": "not told apart",
    "open": "open: only a bound",
    "not comparable": "other test rows",
}


@dataclass(frozen=True)
class Against:
    """The chosen model against another, on test rows.

    Attributes:
        other: the other one.
        difference: the chosen one's score less the other's; None where they have no rows in common.
        verdict: of the other: proven ``worse`` or ``better``, by more than ``LEAST``; ``within``:
            lighter, and shown to be within the margin; ``alike``: nothing is shown that is worth a
            choice; ``open``: nothing can be shown against a bound that lies lower, or by an
            estimate; ``not comparable``.
        within: whether it is shown to be within the margin; asked of lighter ones alone.
        loss: the difference that the margin is about: ``difference``, or that of cases told right.
        differs: whether the difference is proven, however small it may be.
        rare: whether it would be, were it not for rows of a kind that may be missing.
    """

    other: Contender
    difference: Difference | None
    verdict: Verdict
    within: bool
    loss: Difference | None
    differs: bool = False
    rare: bool = False


@dataclass(frozen=True)
class Choice:
    """What validation chose for a purpose, and what test rows say of it.

    Attributes:
        chosen: validation's choice.
        against: the others, in the order of their validation scores.
        margin: within which a lighter one may take its place, in nats a row or as a share of cases.
        units: rows, groups or blocks behind the tests; 0 where no rows were kept.
        effective: how many of equal size tell as much (``statistics.effective_units``).
        n_tests: how many tests were made, for which Holm corrects; with folds, how many there would
            be of any choice.
        skill: of labels: the recommended one's score less that of their shares in training.
        skilled: whether it is proven to know more.
        rarer: of labels: how many test rows (groups) have another than the commonest.
    """

    chosen: Contender
    against: list[Against]
    margin: float
    units: int
    effective: float
    n_tests: int
    skill: Difference | None = None
    skilled: bool = False
    rarer: int = 0

    @property
    def too_short(self) -> bool:
        """Whether the test rows make too few independent units to prove anything."""
        return 0 < round(self.effective) < FEWEST_UNITS

    def with_verdict(self, *verdicts: str) -> list[Against]:
        return [a for a in self.against if a.verdict in verdicts]

    @property
    def better(self) -> Against | None:
        """Of those that test rows show to be better, validation's favourite."""
        return next(iter(self.with_verdict("better")), None)

    @property
    def substitute(self) -> Against | None:
        """The lighter one that may take the chosen one's place: of several the fastest."""
        if self.better is not None:
            return None
        return min((a for a in self.against if a.within), key=lambda a: a.other.cost, default=None)

    @property
    def recommended(self) -> Contender:
        for found in (self.better, self.substitute):
            if found is not None:
                return found.other
        return self.chosen

    @property
    def unseen(self) -> float | None:
        """How large a difference to those of which nothing is shown may be and still go unseen in
        one case of five (``Difference.visible``, at Holm's first step); None where there is no
        such model."""
        level = LEVEL / max(1, self.n_tests)
        alike = [a for a in self.with_verdict("alike") if not a.differs]
        found = [a.difference.visible(level) for a in alike if a.difference]
        return max((value for value in found if not math.isnan(value)), default=None)


def contenders(
    run: RunRecord, dataset: str, score: Callable[[Contender], float | None]
) -> list[tuple[Contender, float]]:
    """Of each family the contender that validation chose, with its validation score, best first.

    Those without a score are left out, and those that raised an alarm are no choice, nor is a stack
    of one model. An estimate may lie above the true value: it comes after all others.
    """
    found = []
    for model in run.asked(dataset):
        able = [c for c in run.contenders(model, dataset) if not (c.alarming or c.alone)]
        scored = [(fit, value) for fit in able for value in [score(fit)] if value is not None]
        if scored:
            found.append(max(scored, key=lambda pair: pair[1]))
    # of equal scores the likelier
    return sorted(found, key=lambda p: (_is_estimate(p[0]), -p[1], -(by_likelihood(p[0]) or 0.0)))


def ranked(run: RunRecord, dataset: str) -> list[Contender]:
    """Of each family the contender that validation chose, by validation likelihood; the stack,
    which is made of these, is none of them."""
    found = contenders(run, dataset, by_likelihood)
    return [fit for fit, _ in found if fit.model != STACK]


def _is_estimate(fit: Contender) -> bool:
    return any(r.validation is not None and r.validation.kind == "estimate" for r in fit.records)


def by_likelihood(fit: Contender) -> float | None:
    """Mean log mass of validation rows, in nats."""
    return fit.pooled(of_validation, lambda v: v.log_prob)


def by_label(fit: Contender) -> float | None:
    """Mean log p(label | the rest) of validation rows, in nats."""
    return fit.pooled(of_valid_labels, lambda p: p.log_prob)


def by_samples(fit: Contender) -> float | None:
    """How rarely trees tell its samples from validation rows; below a half is luck."""
    found = fit.mean(at(at(of_validation, lambda v: v.c2st), lambda metric: metric.value))
    return None if found is None else -max(found, 0.5)


def of_validation(record: CellRecord) -> Validation | None:
    return record.validation


def n_valid(fit: Contender, part: Callable[[CellRecord], Counted | None] = of_validation) -> int:
    """The validation rows that a part of the records is about, of all folds together. Those of many
    folds are all rows, each several times."""
    n = fit.count(part)
    return n if len(fit.cells) == 1 else min(n, sum(r.n_test for r in fit.records))


def n_test(fit: Contender) -> int:
    """The test rows that a contender was judged on, over all folds."""
    values = fit.array("log_prob")
    return 0 if values is None else len(values)


def choose_likelihood(run: RunRecord, dataset: str) -> Choice | None:
    """By the log mass of rows; None where no model has a result on validation rows."""
    found = contenders(run, dataset, by_likelihood)
    if not found:
        return None
    (chosen, value), *rest = found
    baseline = next((v for fit, v in found if fit.model == BASELINE), None)
    margin = LEAST if baseline is None else max(LEAST, SHARE * (value - baseline))

    def provable(winner: Contender, loser: Contender) -> bool:
        return can_prove(winner.kind, loser.kind)

    def difference(other: Contender, name: str = "log_prob") -> Difference | None:
        return paired(chosen, other, name, "groups")

    def within(other: Contender) -> tuple[Difference | None, float]:
        d = difference(other)
        return d, math.nan if d is None or not provable(other, chosen) else d.p_below(margin)

    others = [fit for fit, _ in rest]
    return _judged(
        chosen, others, difference, within, LEAST, margin, provable, "groups", len(run.seeds)
    )  # fmt: skip


def choose_label(run: RunRecord, dataset: str) -> Choice | None:
    """By log p(label | the rest), on the same rows for every model; None where no model was asked.

    A lighter one may take the place that is shown to lose less than a point of accuracy and to know
    more than the shares in training, and is not shown to have worse probabilities: where one label
    is rare, no skill at all costs little accuracy. Nothing is shown by rows of which hardly one has
    another label than the commonest.

    What is scored is the prediction of ``genzoo.classify``, whose probabilities sum to one by
    construction: such scores are what they are, whatever kind the masses behind them have.
    """
    told = [fit for fit, _ in contenders(run, dataset, by_label)]
    if not told:
        return None
    chosen, *others = told
    rarer = sum(p.rarer for r in chosen.records for p in [of_test_labels(r)] if p is not None)
    tellable = rarer >= FEWEST_RARER

    def difference(other: Contender) -> Difference | None:
        return paired(chosen, other, "label_log_prob", "label_groups") if tellable else None

    def skill(fit: Contender) -> Difference | None:
        scores, shares = fit.array("label_log_prob"), fit.array("label_no_skill")
        if not tellable or scores is None or shares is None:
            return None
        return paired_difference(scores, shares, fit.groups_of("label_groups"))

    def within(other: Contender) -> tuple[Difference | None, float]:
        loss, gain = paired(chosen, other, "label_right", "label_groups"), skill(other)
        if loss is None or gain is None:
            return loss, math.nan
        # both must be shown: the larger of two p-values
        return loss, max(loss.p_below_in_cases(POINT), gain.p_value() if gain.value > 0 else 1.0)

    found = _judged(
        chosen, others, difference, within, LEAST, POINT, lambda *_: True, "label_groups",
        len(run.seeds), skill=skill(chosen), same_score=False,
    )  # fmt: skip
    best = found.recommended
    if best is not chosen:
        gain = skill(best)
        # of a lighter one that is part of being within the margin; a better one was chosen by test
        # rows, of all that there are
        proven = found.substitute is not None or (
            gain is not None and gain.value > 0 and gain.p_value() * len(told) < LEVEL
        )
        found = replace(found, skill=gain, skilled=proven)
    return replace(found, rarer=rarer)


def choose_samples(run: RunRecord, dataset: str) -> Choice | None:
    """By the classifier two-sample test; None where there is none.

    The two errors are taken as independent. The models share the real rows, so the error of their
    difference is rather smaller.
    """
    sampled = [fit for fit, _ in contenders(run, dataset, by_samples)]
    if not sampled:
        return None
    chosen, *others = sampled

    def difference(other: Contender) -> Difference | None:
        ours, theirs = chosen.metric("c2st"), other.metric("c2st")
        if ours is None or theirs is None:
            return None
        error = math.hypot(ours[1], theirs[1])
        return Difference(theirs[0] - ours[0], error, _units(chosen, "groups")[1])

    def within(other: Contender) -> tuple[Difference | None, float]:
        d = difference(other)
        return d, math.nan if d is None else d.p_below(POINT)

    return _judged(
        chosen, others, difference, within, POINT, POINT, lambda *_: True, "groups", len(run.seeds)
    )  # fmt: skip


def paired(
    a: Contender, b: Contender, name: str = "log_prob", groups: str = "groups"
) -> Difference | None:
    """a - b over the test rows of an array; None where they have no rows in common."""
    x, y = a.array(name), b.array(name)
    if x is None or y is None or x.shape != y.shape:
        return None
    return paired_difference(x, y, a.groups_of(groups))


def _judged(
    chosen: Contender,
    others: Sequence[Contender],
    difference: Callable[[Contender], Difference | None],
    within: Callable[[Contender], tuple[Difference | None, float]],
    least: float,
    margin: float,
    provable: Callable[[Contender, Contender], bool],
    groups: str,
    n_seeds: int,
    *,
    skill: Difference | None = None,
    same_score: bool = True,
) -> Choice:
    """All tests of a purpose.

    Args:
        difference: the chosen one's score less another's.
        within: what the margin is about, and how often one that loses more would look as good; nan
            where that can't be asked.
        least: a smaller difference is not worth a choice.
        provable: whether a higher value of the first can prove anything against the second.
        groups: the array that says which test rows belong together.
        n_seeds: of which validation chose one for each family.
        skill: the chosen one's score less that of no skill.
        same_score: whether the margin is one of ``difference``, so that one may be within it and
            proven worse by something less; else what is proven worse is not within it.
    """
    differences = [difference(other) for other in others]
    losses: list[Difference | None] = [None] * len(others)
    two_sided = [math.nan] * len(others)
    one_sided = [math.nan] * len(others)
    for i, (other, d) in enumerate(zip(others, differences, strict=True)):
        if d is None or not d.has_error:
            continue
        if provable(chosen, other) or provable(other, chosen):
            two_sided[i] = d.p_value()
        if _is_lighter(other, chosen):
            losses[i], one_sided[i] = within(other)
    of_skill = skill.p_value() if skill is not None and skill.has_error else math.nan
    tests = [*two_sided, *one_sided, of_skill]
    asked = [p for p in tests if not math.isnan(p)]
    n_tests = len(asked)
    adjusted = holm(asked)
    if len(chosen.cells) > 1:
        # every row that chose is a test row too: the tests of all choices there could have been, of
        # a family and of the seeds of it and of each other
        n_tests *= (len(others) + 1) * n_seeds**2
        adjusted = np.array(asked) * n_tests
    found = iter(adjusted)
    shown = [not math.isnan(p) and next(found) < LEVEL for p in tests]
    against = []
    for i, (other, d) in enumerate(zip(others, differences, strict=True)):
        verdict = _verdict(chosen, other, d, shown[i], least, provable)
        is_within = shown[len(others) + i] and (verdict != "worse" or same_score)
        if is_within and verdict != "better":
            verdict = "within"
        rare = verdict == "alike" and not shown[i] and _is_rare(d, n_tests, least)
        against.append(Against(other, d, verdict, is_within, losses[i], shown[i], rare))
    skilled = skill is not None and shown[-1] and skill.value > 0
    return Choice(chosen, against, margin, *_units(chosen, groups), n_tests, skill, skilled)


def _is_rare(d: Difference | None, n_tests: int, least: float) -> bool:
    """Whether a difference fails to be proven only by rows of a rare kind that may be missing."""
    if d is None or not d.has_error or abs(d.value) < least:
        return False
    return d.p_of_rows_at_hand() * n_tests < LEVEL


def _verdict(
    chosen: Contender,
    other: Contender,
    d: Difference | None,
    differs: bool,
    least: float,
    provable: Callable[[Contender, Contender], bool],
) -> Verdict:
    if d is None:
        return "not comparable"
    winner, loser = (chosen, other) if d.value > 0 else (other, chosen)
    if differs and provable(winner, loser) and abs(d.value) >= least:
        return "worse" if winner is chosen else "better"
    return "alike" if provable(winner, loser) else "open"


def _is_lighter(other: Contender, chosen: Contender) -> bool:
    """Whether a model trains in half the time, or no slower with half the parameters; any one model
    is lighter than the stack of all."""
    if STACK in (other.model, chosen.model):
        return chosen.model == STACK
    if is_faster(other, chosen):
        return True
    sizes = [fit.mean(lambda r: r.n_parameters) for fit in (other, chosen)]
    if None in sizes or other.cost > max(chosen.cost, SECOND):
        return False
    return bool(sizes[0] <= LIGHTER * sizes[1])  # type: ignore[operator]


def is_faster(other: Contender, chosen: Contender) -> bool:
    """Whether a model trains in half the time of one that takes a second or more."""
    return chosen.cost >= SECOND and other.cost <= LIGHTER * chosen.cost


def _units(fit: Contender, groups: str) -> tuple[int, float]:
    """The independent rows or groups of a fit's test rows, and how many of equal size tell as
    much."""
    values = fit.array("log_prob" if groups == "groups" else "label_log_prob")
    if values is None:
        return 0, 0.0
    found = fit.groups_of(groups)
    number = len(values) if found is None else len(np.unique(found))
    return number, effective_units(len(values), found)
