"""Which family to use for what, in words; the decisions are those of ``genzoo.results.advice``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from genzoo.report.stack import shares
from genzoo.report.wording import (
    NATS,
    NATS_OF_LABEL,
    POINTS,
    in_percent,
    lead,
    learned,
    margin_of,
    more_time,
    names,
    nats,
    number_of,
    percent,
    seed,
    shown,
    told,
    too_short,
    units_of,
)
from genzoo.results import advice
from genzoo.results.advice import Decision, Purpose, Queries, too_few
from genzoo.results.choice import (
    FEWEST_RARER,
    FEWEST_TO_CHOOSE_BY,
    Choice,
    choose_likelihood,
    n_test,
    n_valid,
    of_validation,
    ranked,
)
from genzoo.results.contender import Contender, at, of_test_labels, of_valid_labels
from genzoo.results.numbers import DASH, ascii_marks, number, seconds, with_error
from genzoo.results.record import BASELINE, STACK
from genzoo.results.run import RunRecord, read_run
from genzoo.results.statistics import FEWEST_UNITS

FEW_TEST_ROWS = 300  # below: what could not have been seen is said, and folds are offered
FEW_TO_CHOOSE_BY = 50  # validation rows; below: a word of caution
PURPOSES: dict[Purpose, str] = {
    "none": "Too few rows to choose",
    "likelihood": "Likelihoods, anomaly scores",
    "queries": "Exact queries, holes",
    "samples": "Samples that look real",
    "label": "Telling the label",
    "speed": "Speed and size",
}


@dataclass(frozen=True)
class Advice:
    """What to use for a purpose and why; ``model`` is None where nothing can be recommended.

    ``why`` is the case of the rule (``results.advice``), ``words`` say it; ``number`` is the one
    that decides, "" where there is no model.
    """

    purpose: Purpose
    model: str | None
    why: str
    words: str
    number: str

    @property
    def title(self) -> str:
        return PURPOSES[self.purpose]


def advise(run: RunRecord, dataset: str) -> list[Advice]:
    """A line for each purpose; one that says why not where validation rows are too few; none where
    no model has validation figures."""
    return [
        Advice(d.purpose, _model(d), d.why, _words(run, dataset, d), _number(d))
        for d in advice.decide(run, dataset)
    ]


def _model(decision: Decision) -> str | None:
    return None if decision.best is None else decision.best.model


def _words(run: RunRecord, dataset: str, decision: Decision) -> str:
    match decision.purpose:
        case "none":
            n = too_few(run, dataset) or 0
            return f"{number_of(n, 'validation rows')} {_way_out(run, dataset, n)}"
        case "likelihood":
            return _likelihood(run, dataset, decision)
        case "queries":
            assert isinstance(decision, Queries)
            return _queries(decision, ranked(run, dataset))
        case "samples":
            return _samples(run, dataset, decision)
        case "label":
            return _label(run, dataset, decision)
        case "speed":
            return _speed(decision)


def _number(decision: Decision) -> str:
    """What decides for a purpose, in a few words."""
    best = decision.best
    if best is None:
        return ""
    match decision.purpose:
        case "queries":
            how = "by a bound or an estimate" if decision.why == "approximate" else "exactly"
            return f"{how}, {_cost_of_query(best)}"
        case "samples":
            return f"told from real in {in_percent(best.metric('c2st'))}"
        case "label":
            return told(best, of_rows=False)
        case "speed":
            size = best.mean(lambda r: r.n_parameters)
            return seconds(best.cost) + (f", {number(size, 0)} parameters" if size else "")
    return f"{nats(best)} nats a row"


def in_words(folder: str | Path, datasets: Sequence[str]) -> str:
    """The recommendations for some data sets of a run, as text for a terminal."""
    run = read_run(folder)
    blocks = []
    for dataset in datasets:
        lines = [f"What to use on {dataset}", f"  {ascii_marks(basis(run, dataset))}"]
        lines += [f"- {a.title}: {ascii_marks(a.words)}" for a in advise(run, dataset)]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


# -------------------------------------------------------------------------------- what it rests on


def basis(run: RunRecord, dataset: str) -> str:
    """What the choice rests on, in a few sentences."""
    choice = choose_likelihood(run, dataset)
    if choice is None:
        return "No model has figures on validation rows: nothing is recommended."
    few = too_few(run, dataset)
    if few is not None:
        rows = number_of(few, "validation rows")
        return f"{rows} are too few to choose by: nothing is recommended."
    rows = _judged_on(run, dataset, choice)
    words = f"Chosen on {_chosen_on(run, dataset, choice)}, "
    if choice.too_short:
        return words + f"and nothing can be proven on {rows}."
    words += (
        f"proven on {rows}, which chose nothing: at 5 % for all comparisons of a purpose together."
        if len(choice.chosen.cells) == 1
        else f"proven on {rows}. A row that chooses in one fold is a test row of another, so the "
        f"5 % is for the comparisons of every choice of a purpose that there could have been."
    )
    return f"{words} What is proven is about these fitted models.{_doubts(run, dataset, choice)}"


def _doubts(run: RunRecord, dataset: str, choice: Choice) -> str:
    """What few rows mean, in sentences."""
    words, units = "", run.facts(dataset).units
    if n_valid(choice.chosen) < FEW_TO_CHOOSE_BY:
        words += " So few rows choose almost by chance."
    elif units and 0 < (units.n_valid or 0) * len(choice.chosen.cells) < FEWEST_UNITS:
        words += f" So few {units.what} choose almost by chance."
    if (n := n_test(choice.chosen)) < FEW_TEST_ROWS:
        words += f" {n} test rows are few: only large differences can be seen"
        way_out = "; --folds 5 judges every row of the file once."
        words += way_out if _is_foldable(run, dataset) else "."
    return words


def _way_out(run: RunRecord, dataset: str, n: int) -> str:
    """Why ``n`` validation rows recommend nothing, and what would help."""
    words = (
        f"can't tell families apart: differences may be luck. At least {FEWEST_TO_CHOOSE_BY} are "
        f"needed to recommend anything"
    )
    if not _is_foldable(run, dataset):
        return f"{words}."
    facts = run.facts(dataset)
    total = facts.n_train + facts.n_valid + facts.n_test
    more = total * FEWEST_TO_CHOOSE_BY / max(1, n)
    words += f": about {100 * math.ceil(more / 100)} rows instead of {total}"
    if 5 * n >= FEWEST_TO_CHOOSE_BY:  # each fold has as many
        words += f", or --folds 5, which chooses by about {5 * n} and makes every row a test row"
    return f"{words}."


def _is_foldable(run: RunRecord, dataset: str) -> bool:
    """Whether ``--folds`` would do what it was not asked to do."""
    return run.facts(dataset).foldable and not run.facts(dataset).folds


def _chosen_on(run: RunRecord, dataset: str, choice: Choice) -> str:
    """``300 validation rows``, ``48 validation rows in 1 group``."""
    rows, facts = number_of(n_valid(choice.chosen), "validation rows"), run.facts(dataset)
    if facts.units is None or facts.units.n_valid is None or facts.folds:
        return rows
    return f"{rows} in {number_of(facts.units.n_valid, facts.units.what)}"


def _judged_on(run: RunRecord, dataset: str, choice: Choice) -> str:
    """``1200 test rows``, ``870 test rows in 15 blocks``."""
    facts = run.facts(dataset)
    rows = number_of(n_test(choice.chosen), "test rows")
    if facts.folds:
        rows += f" of {facts.folds} folds"
    return rows if facts.units is None else f"{rows} in {number_of(choice.units, facts.units.what)}"


# -------------------------------------------------------------------------------- by purpose


def _likelihood(run: RunRecord, dataset: str, decision: Decision) -> str:
    choice = decision.choice
    assert choice is not None
    if decision.best is None:
        return (
            f"{too_short(run, dataset, choice)}. Validation's choice is {choice.chosen.model}, "
            f"with {nats(choice.chosen)} nats a row on test rows."
        )
    best, margin, fits = decision.best, margin_of(choice, NATS), ranked(run, dataset)
    words = lead(choice, f"{nats(best)} nats a row on test rows{seed(run, best)}", NATS, margin)
    if best.model == STACK:
        words.append(f"It is a mixture: {shares(best)}.")
        words += [f"Of single models validation chose {f.model} ({nats(f)})." for f in fits[:1]]
    if choice.better is None:
        words += shown(choice, NATS, margin) + learned(choice)
    exact = next((fit for fit in fits if fit.kind == "exact"), None)
    if best.kind != "exact" and exact is not None:
        words.append(
            f"For scores of single rows, where a bound is loose by a different amount in each, "
            f"take {exact.model} ({nats(exact)}, exact)."
        )
    words += more_time(run.facts(dataset), fits)
    if _has_ranges(run, dataset):
        words.append(
            "This holds for numbers within the range seen in training: one beyond it is scored as "
            "the end of the range, so that an impossible value may look likely; 'genzoo score' "
            "counts such rows, and in Python model.schema_.out_of_range(rows) tells how far each "
            "lies."
        )
    return " ".join(words)


def _has_ranges(run: RunRecord, dataset: str) -> bool:
    """Whether a table has numbers, of which the schema knows those within its range."""
    schema = run.dataset(dataset).schema
    if schema is None or schema.layout != "table":
        return False
    return any(v.is_numeric for v in schema.variables)


def _queries(found: Queries, fits: list[Contender]) -> str:
    best = found.best
    if best is None:
        return "no family can sum out hidden entries here."
    exactly = f"{best.model} sums out hidden entries exactly ({_cost_of_query(best)})"
    match found.why:
        case "baseline":
            verb = "has" if len(found.behind) == 1 else "have"
            words = (
                f"{exactly}; it knows no dependence, but {names(found.behind)} {verb} no higher "
                f"likelihood on validation rows."
            )
        case "exact":
            words, is_likeliest = exactly, best.model == fits[0].model
            if not is_likeliest and len(found.exact) > 1:
                words += f", and validation chose it among {names(found.exact)}"
            words += "." if is_likeliest else f"; it has {nats(best)} nats a row on test rows."
            words += f" {names(found.rest)} can do no more than approximate." if found.rest else ""
        case "approximate":
            words = (
                f"{best.model} sums out hidden entries by a bound or an estimate "
                f"({_cost_of_query(best)}); no family that learns dependence does so exactly here."
            )
        case _:
            words = f"only {best.model} can do it, which knows no dependence."
    return words + (f" {names(found.refused)} can't do it." if found.refused else "")


def _cost_of_query(fit: Contender) -> str:
    cost = fit.mean(at(of_validation, lambda v: v.query_seconds)) or 0.0
    return f"{seconds(cost) if cost >= 0.095 else f'{1000 * cost:.2g} ms'} a row"


def _samples(run: RunRecord, dataset: str, decision: Decision) -> str:
    choice = decision.choice
    if choice is None:  # they could not be compared with validation rows
        records = [r for fit in ranked(run, dataset) for r in fit.records]
        reasons = [r.validation.c2st_refused for r in records if r.validation is not None]
        return _nothing(reasons)
    found = choice.recommended.metric("c2st")
    if found is None:  # nor with test rows
        return _nothing([r.metrics_left_out.get("c2st") for r in choice.recommended.records])
    if decision.best is None:
        return f"{too_short(run, dataset, choice)}."
    share, error = (100 * part for part in found)
    value = (
        f"trees tell its samples from test rows in {number(share, 0)} ± {number(error, 0)} % of "
        f"cases (50 %: not at all){seed(run, decision.best)}"
    )
    margin = margin_of(choice, POINTS)
    words = lead(choice, value, POINTS, margin)
    if choice.better is None:
        words += shown(choice, POINTS, margin)
    if share - 2 * error > 60:
        words.append("Even these are easily told apart.")
    return " ".join(words)


def _nothing(reasons: Sequence[str | None]) -> str:
    why = next((f": {reason}" for reason in reasons if reason), "")
    return f"nothing can be said{why}."


def _label(run: RunRecord, dataset: str, decision: Decision) -> str:
    choice = decision.choice
    if choice is None:
        return "no family could be asked for the label."
    chosen, best, n = choice.chosen, choice.recommended, n_valid(choice.chosen, of_valid_labels)
    share = chosen.pooled(of_test_labels, lambda p: p.majority)
    by_chance = f"Always the commonest label: {percent(share)} % of the same rows, AUC 0.5."
    match decision.why:
        case "too few rows":
            rows = number_of(n, "validation rows")
            return f"{rows} with a label {_way_out(run, dataset, n)}"
        case "no skill":
            return (
                f"none: on validation rows no family tells it better than its shares in training "
                f"do. {by_chance}"
            )
        case "too short":
            return f"{too_short(run, dataset, choice)}."
        case "too few rarer":
            return (
                f"too few to say: {choice.rarer} test {units_of(run, dataset)} have another label "
                f"than the commonest, of at least {FEWEST_RARER} that a proof needs. Validation's "
                f"choice is {chosen.model}."
            )
        case "baseline is better":
            return (
                f"none: test rows show {BASELINE}, which knows no more than its shares, to be "
                f"better than {chosen.model}, which validation chose. {by_chance}"
            )
        case "not skilled":
            gain = choice.skill and NATS_OF_LABEL.error(choice.skill.value, choice.skill.stderr)
            who = "Validation chose" if best is chosen else f"Better than {chosen.model} is"
            return (
                f"none is shown to know more of it than its shares in training do. {who} "
                f"{best.model}, {told(best)}, which gains {gain or DASH}. {by_chance}"
            )
    return _label_told(run, dataset, choice, by_chance)


def _label_told(run: RunRecord, dataset: str, choice: Choice, by_chance: str) -> str:
    margin, best, chosen = "one point of accuracy", choice.recommended, choice.chosen
    words = [*lead(choice, f"{told(best)}{seed(run, best)}", NATS_OF_LABEL, margin), by_chance]
    if choice.better is None:
        words += shown(choice, NATS_OF_LABEL, margin, same_score=False)
    if any(fit.model == BASELINE for fit in (chosen, *(a.other for a in choice.against))):
        words.append(f"{BASELINE} says the commonest label every time.")
    if (n := n_valid(chosen, of_valid_labels)) < n_valid(chosen):
        words.append(f"Chosen on {number_of(n, 'validation rows')} with a label.")
    return " ".join([*words, *_not_asked(run, dataset, choice)])


def _not_asked(run: RunRecord, dataset: str, choice: Choice) -> list[str]:
    asked = {choice.chosen.model, *(a.other.model for a in choice.against)}
    reasons = {
        fit.model: record.label.left_out
        for fit in ranked(run, dataset)
        if fit.model not in asked
        for record in fit.records
        if record.label and record.label.left_out
    }
    return [f"{model} was not asked: {why}." for model, why in reasons.items()]


def _speed(decision: Decision) -> str:
    quick, choice = decision.best, decision.choice
    assert quick is not None
    assert choice is not None
    size = quick.mean(lambda r: r.n_parameters)
    words = f"{quick.model} trains in {seconds(quick.cost)}"
    words += f" and has {number(size, 0)} parameters" if size is not None else ""
    if quick.model == choice.chosen.model:
        return f"{words}; validation chose it for likelihoods too."
    against = next((a for a in choice.against if a.other.model == quick.model), None)
    if against is None or against.difference is None:
        return f"{words}; what it loses by that is not known."
    d, best = against.difference, choice.chosen
    side = "below" if d.value >= 0 else "above"
    how = "proven" if against.differs else "not proven"
    return (
        f"{words}; on test rows it lies {with_error(abs(d.value), d.stderr)} nats a row {side} "
        f"{best.model}, which takes {seconds(best.cost)} ({how})."
    )
