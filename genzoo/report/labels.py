"""The table of who tells the label how well: the same test rows for every model."""

from __future__ import annotations

from dataclasses import dataclass

from genzoo.report.wording import area, in_percent
from genzoo.results.choice import FEWEST_RARER, VERDICTS, Choice, choose_label
from genzoo.results.contender import Contender, of_test_labels
from genzoo.results.numbers import DASH, number, with_error
from genzoo.results.run import RunRecord

NO_SKILL = "no skill: the shares in training"


@dataclass(frozen=True)
class Line:
    """A model's line, as text; ``seed`` is that of the fit that validation chose for labels."""

    model: str
    seed: int | None
    log_prob: str
    behind: str
    verdict: str
    accuracy: str
    auc: str


@dataclass(frozen=True)
class Table:
    """The lines, validation's favourite first and the line without skill last; how many test rows;
    and who was not asked, with the reason."""

    lines: list[Line]
    n: int
    left_out: list[tuple[str, str]]


def table(run: RunRecord, dataset: str) -> Table | None:
    """How well models tell the label of a data set; None where it has none, or nobody could."""
    choice = choose_label(run, dataset)
    if choice is None:
        return None
    few = choice.rarer < FEWEST_RARER
    lines = [_line(choice.chosen, DASH, "validation's choice")]
    for against in choice.against:
        d = against.difference
        behind = DASH if d is None else with_error(d.value, d.stderr)
        verdict = "too few to say" if few else VERDICTS[against.verdict]
        lines.append(_line(against.other, behind, verdict))
    n = choice.chosen.count(of_test_labels)
    return Table([*lines, _no_skill(choice)], n, _left_out(run, dataset))


def _line(fit: Contender, behind: str, verdict: str) -> Line:
    score, share, auc = (
        fit.told(of) for of in (lambda p: p.score, lambda p: p.accuracy, lambda p: p.auc)
    )
    return Line(
        fit.model,
        fit.seed,
        with_error(*(score or (None, None))),
        behind,
        verdict,
        in_percent(share),
        DASH if auc is None else area(auc),
    )


def no_skill(choice: Choice) -> dict[str, float | None]:
    """What the shares of the labels in training are worth on the same rows, by quantity."""
    chosen = choice.chosen
    log_prob = chosen.pooled(of_test_labels, lambda p: p.no_skill_log_prob)
    share = chosen.pooled(of_test_labels, lambda p: p.majority)
    return {"log_prob": log_prob, "accuracy": share, "auc": 0.5}


def _no_skill(choice: Choice) -> Line:
    found = no_skill(choice)
    share, auc = found["accuracy"], number(found["auc"], 1)
    text = DASH if share is None else f"{number(100 * share, 1)} %"
    return Line(NO_SKILL, None, number(found["log_prob"], 3), DASH, "reference", text, auc)


def _left_out(run: RunRecord, dataset: str) -> list[tuple[str, str]]:
    fits = (fit for model in run.asked(dataset) for fit in run.contenders(model, dataset))
    labels = ((fit.model, record.label) for fit in fits for record in fit.records)
    return [*{model: r.left_out for model, r in labels if r and r.left_out}.items()]
