"""Which family to use for what, in words: what validation chose, and what test rows prove of it.

The rule is in ``genzoo.results.choice``; here it is said. Nothing is called better that is not
proven so, and nothing is called equal for want of a proof.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from genzoo.benchmark.fits import score_of
from genzoo.results.choice import (
    BASELINE,
    FEWEST_RARER,
    FEWEST_TO_CHOOSE_BY,
    LEAST,
    Against,
    Choice,
    by_label,
    by_likelihood,
    choose_label,
    choose_likelihood,
    choose_samples,
    contenders,
    is_faster,
    n_valid,
)
from genzoo.results.numbers import DASH, ascii_marks, listing, number, seconds, with_error
from genzoo.results.record import Fit, RunRecord, read_run
from genzoo.results.statistics import FEWEST_UNITS, Difference

FEW_TEST_ROWS = 300  # below: what could not have been seen is said, and folds are offered
FEW_TO_CHOOSE_BY = 50  # validation rows; below: a word of caution
PURPOSES = {
    "none": "Too few rows to choose",
    "likelihood": "Likelihoods, anomaly scores",
    "queries": "Exact queries, holes",
    "samples": "Samples that look real",
    "label": "Telling the label",
    "speed": "Speed and size",
}


@dataclass(frozen=True)
class Advice:
    """What to use for a purpose and why; ``model`` is None where nothing can be recommended."""

    purpose: str
    model: str | None
    words: str

    @property
    def title(self) -> str:
        return PURPOSES[self.purpose]


def advise(run: RunRecord, dataset: str) -> list[Advice]:
    """A line for each purpose; one that says why not where validation rows are too few; none where
    no model has validation figures."""
    ranked = _ranked(run, dataset)
    choice = choose_likelihood(run, dataset)
    if choice is None:
        return []
    if few := too_few(run, dataset):
        return [Advice("none", None, f"{few} {_way_out(run, dataset, n_valid(ranked[0]))}")]
    found = [_likelihood(run, dataset, choice, ranked), _queries(ranked)]
    found.append(_samples(run, dataset))
    if any(c.at("label") for fit in ranked for c in fit.cells):
        found.append(_label(run, dataset))
    return [*found, _speed(choice, ranked)]


def basis(run: RunRecord, dataset: str) -> str:
    """What the choice rests on, in a few sentences."""
    choice = choose_likelihood(run, dataset)
    if choice is None:
        return "No model has figures on validation rows: nothing is recommended."
    if few := too_few(run, dataset):
        return f"{few} are too few to choose by: nothing is recommended."
    n = n_valid(choice.chosen)
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
    words += " What is proven is about these fitted models."
    units = run.facts(dataset).get("units") or {}
    if n < FEW_TO_CHOOSE_BY:
        words += " So few rows choose almost by chance."
    elif 0 < units.get("n_valid", 0) * len(choice.chosen.cells) < FEWEST_UNITS:
        words += f" So few {units['what']} choose almost by chance."
    if (n := n_test(choice.chosen)) < FEW_TEST_ROWS:
        words += f" {n} test rows are few: only large differences can be seen"
        words += (
            "; --folds 5 judges every row of the file once."
            if _is_foldable(run, dataset)
            else "."
        )  # fmt: skip
    return words


def too_few(run: RunRecord, dataset: str) -> str | None:
    """How many validation rows there are, if that is too few to choose by: ``"12 validation
    rows"``."""
    ranked = _ranked(run, dataset)
    if not ranked or n_valid(ranked[0]) >= FEWEST_TO_CHOOSE_BY:
        return None
    return _number_of(n_valid(ranked[0]), "validation rows")


def _number_of(n: int, what: str) -> str:
    """``1 group``, ``30 validation rows``; ``what`` is the plural."""
    return f"{n} {what.removesuffix('s') if n == 1 else what}"


def _way_out(run: RunRecord, dataset: str, n: int) -> str:
    """Why ``n`` validation rows recommend nothing, and what would help."""
    words = (
        f"can't tell families apart: differences may be luck. At least {FEWEST_TO_CHOOSE_BY} are "
        f"needed to recommend anything"
    )
    if not _is_foldable(run, dataset):
        return f"{words}."
    facts = run.facts(dataset)
    total = sum(facts[f"n_{part}"] for part in ("train", "valid", "test"))
    more = total * FEWEST_TO_CHOOSE_BY / max(1, n)
    words += f": about {100 * math.ceil(more / 100)} rows instead of {total}"
    if 5 * n >= FEWEST_TO_CHOOSE_BY:  # each fold has as many
        words += f", or --folds 5, which chooses by about {5 * n} and makes every row a test row"
    return f"{words}."


def in_words(folder: str | Path, datasets: Sequence[str]) -> str:
    """The recommendations for some data sets of a run, as text for a terminal."""
    run = read_run(folder)
    blocks = []
    for dataset in datasets:
        lines = [f"What to use on {dataset}", f"  {ascii_marks(basis(run, dataset))}"]
        for advice in advise(run, dataset):
            lines.append(f"- {advice.title}: {ascii_marks(advice.words)}")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _ranked(run: RunRecord, dataset: str) -> list[Fit]:
    """Of each family the fit that validation chose, by validation likelihood."""
    return [fit for fit, _ in contenders(run, dataset, by_likelihood)]


def n_test(fit: Fit) -> int:
    """The test rows that a fit was judged on, over all folds."""
    values = fit.array("log_prob")
    return 0 if values is None else len(values)


def _is_foldable(run: RunRecord, dataset: str) -> bool:
    """Whether ``--folds`` would do what it was not asked to do."""
    facts = run.facts(dataset)
    return bool(facts.get("foldable")) and not facts.get("folds")


def _chosen_on(run: RunRecord, dataset: str, choice: Choice) -> str:
    """``300 validation rows``, ``48 validation rows in 1 group``."""
    units = run.facts(dataset).get("units") or {}
    rows = _number_of(n_valid(choice.chosen), "validation rows")
    n = None if run.facts(dataset).get("folds") else units.get("n_valid")
    return rows if n is None else f"{rows} in {_number_of(n, units['what'])}"


def _judged_on(run: RunRecord, dataset: str, choice: Choice) -> str:
    """``1200 test rows``, ``870 test rows in 15 blocks``."""
    units = run.facts(dataset).get("units")
    rows = _number_of(n_test(choice.chosen), "test rows")
    if run.facts(dataset).get("folds"):
        rows += f" of {run.facts(dataset)['folds']} folds"
    if units is None:
        return rows
    return f"{rows} in {_number_of(choice.units, units['what'])}"


# -------------------------------------------------------------------------------- what is shown


@dataclass(frozen=True)
class Unit:
    """How differences of a purpose are said: times ``scale``, with ``name`` behind."""

    name: str
    scale: float = 1.0

    def error(self, value: float, stderr: float) -> str:
        return f"{with_error(self.scale * value, self.scale * stderr)}{self.name}"

    def about(self, value: float) -> str:
        """To two digits."""
        size = abs(self.scale * value)
        return number(self.scale * value, max(0, 1 - math.floor(math.log10(size))) if size else 0)


NATS = Unit(" nats a row")
NATS_OF_LABEL = Unit(" nats of log p(label | the rest)")
POINTS = Unit(" points", 100.0)


def margin_of(choice: Choice, unit: Unit) -> str:
    """``0.03 nats a row``."""
    return f"{unit.about(choice.margin)}{unit.name}"


def _names(found: Sequence[Against | Fit]) -> str:
    return listing([(f.other if isinstance(f, Against) else f).model for f in found])


def too_short(run: RunRecord, dataset: str, choice: Choice) -> str:
    """Why nothing can be proven where test rows make too few groups or blocks."""
    facts, what = run.facts(dataset), _what(run, dataset)
    if what == "rows":
        rows = _number_of(choice.units, "test rows")
        return f"too few rows to say: {rows}, of at least {FEWEST_UNITS} that a proof needs"
    subject = "text" if facts.get("has_text") else "stretch of time"
    start = f"too short a {subject} to say" if what == "blocks" else f"too few {what} to say"
    weigh = ""
    if choice.units >= FEWEST_UNITS:
        weigh = f", which differ so much in size that they tell as much as {choice.effective:.1f}"
    made = _number_of(choice.units, what)
    return (
        f"{start}: the test rows make {made}{weigh}, of at least {FEWEST_UNITS} that a proof needs"
    )


def _what(run: RunRecord, dataset: str) -> str:
    """What the independent units of a data set are: ``rows``, ``groups`` or ``blocks``."""
    return str((run.facts(dataset).get("units") or {"what": "rows"})["what"])


def shown(choice: Choice, unit: Unit, margin: str, *, same_score: bool = True) -> list[str]:
    """What test rows show of the chosen one against the others, in sentences.

    Args:
        unit: of the scores.
        margin: within which a lighter one may take its place.
        same_score: whether the margin is one of the scores; else of cases told right.
    """
    name = "It" if choice.recommended is choice.chosen else choice.chosen.model
    words = []
    worse, within, alike, opened = (
        choice.with_verdict(v) for v in ("worse", "within", "alike", "open")
    )
    if worse:
        words.append(f"{name} is proven better than {_names(worse)}{_nearest(worse, unit)}.")
        if unit is NATS and choice.chosen.kind == "lower_bound":
            words.append(
                f"{choice.chosen.model} has a lower bound that lies above the exact "
                f"{'value' if len(worse) == 1 else 'values'} of {_names(worse)}."
            )
    if within:
        words.append(
            f"Shown to lose less than {margin} to {choice.chosen.model}: "
            f"{listing([_loss(a, unit if same_score else POINTS) for a in within])}."
        )
    if alike:
        largest = choice.unseen
        words.append(
            f"Nothing that is worth a choice is shown between {choice.chosen.model} and "
            f"{listing([_gap(a, unit) for a in alike])}"
            + (
                f": differences of up to {unit.about(max(largest, LEAST))}{unit.name} could have "
                f"gone unseen."
                if largest is not None
                else "."
            )
        )
    if opened and choice.chosen.kind == "estimate":
        words.append("Its value is an estimate, which proves nothing.")
    elif opened:
        words += _about_bounds(choice, opened)
    return words


def _nearest(worse: list[Against], unit: Unit) -> str:
    near = min(worse, key=lambda a: a.difference.value if a.difference else 0.0)
    if near.difference is None:
        return ""
    value = unit.error(near.difference.value, near.difference.stderr)
    return (
        f" (by {value})" if len(worse) == 1 else f" (the nearest, {near.other.model}, by {value})"
    )


def _gap(against: Against, unit: Unit) -> str:
    remark = ", if rare rows don't make up for it" if against.rare else ""
    return _beside(against.other, against.difference, unit, remark)


def _loss(against: Against, unit: Unit) -> str:
    return _beside(against.other, against.loss, unit)


def _beside(other: Fit, d: Difference | None, unit: Unit, remark: str = "") -> str:
    if d is None:
        return other.model
    side = "behind" if d.value >= 0 else "ahead"
    return f"{other.model} ({unit.error(abs(d.value), d.stderr)} {side}{remark})"


def _about_bounds(choice: Choice, opened: list[Against]) -> list[str]:
    words = []
    estimates = [a for a in opened if a.other.kind == "estimate"]
    below = [a for a in opened if a not in estimates and a.difference and a.difference.value > 0]
    above = [a for a in opened if a not in estimates and a not in below]
    if below:
        verb = "gives" if len(below) == 1 else "give"
        words.append(
            f"{_names(below)} {verb} only a lower bound that lies below: the true value may be "
            f"higher, nothing is proven."
        )
    if above:
        verb = "lies" if len(above) == 1 else "lie"
        words.append(
            f"{_names(above)} {verb} above {choice.chosen.model}, which gives only a lower bound: "
            f"its true value may be higher, nothing is proven."
        )
    if estimates:
        words.append(f"Estimates prove nothing: {_names(estimates)}.")
    return words


def lead(choice: Choice, value: str, unit: Unit, margin: str) -> list[str]:
    """Who is recommended and as what: validation's choice, its substitute, or a better one."""
    chosen = choice.chosen
    if choice.better is not None:
        other, d = choice.better.other, choice.better.difference
        assert d is not None
        return [
            f"{other.model}: {value}. Validation chose {chosen.model}, but test rows show "
            f"{other.model} to be better, by {unit.error(-d.value, d.stderr)}; nothing else is "
            f"claimed of it."
        ]
    if choice.substitute is not None:
        other = choice.substitute.other
        return [
            f"{other.model}: {value}. It is lighter than {chosen.model}, which validation chose "
            f"({_lighter(other, chosen)}), and shown to lose less than {margin} to it; nothing "
            f"else is claimed of it."
        ]
    return [f"{chosen.model}: {value}."]


def _lighter(other: Fit, chosen: Fit) -> str:
    if is_faster(other, chosen):
        return f"{seconds(other.cost)} of training instead of {seconds(chosen.cost)}"
    sizes = (number(fit.mean("n_parameters"), 0) for fit in (other, chosen))
    return "{} parameters instead of {}".format(*sizes)


# -------------------------------------------------------------------------------- by purpose


def _likelihood(run: RunRecord, dataset: str, choice: Choice, ranked: list[Fit]) -> Advice:
    best = choice.recommended
    if choice.too_short:
        words = [
            f"{too_short(run, dataset, choice)}. Validation's choice is {choice.chosen.model}, "
            f"with {nats(choice.chosen)} nats a row on test rows."
        ]
        return Advice("likelihood", None, " ".join(words))
    margin = margin_of(choice, NATS)
    words = lead(choice, f"{nats(best)} nats a row on test rows{seed(run, best)}", NATS, margin)
    if choice.better is None:
        words += shown(choice, NATS, margin) + learned(choice)
    if best.kind != "exact":
        exact = next((fit for fit in ranked if fit.kind == "exact"), None)
        if exact is not None:
            words.append(
                f"For scores of single rows, where a bound is loose by a different amount in each, "
                f"take {exact.model} ({nats(exact)}, exact)."
            )
    words += _still_improving(ranked)
    if _has_ranges(run, dataset):
        words.append(
            "This holds for numbers within the range seen in training: one beyond it is scored as "
            "the end of the range, so that an impossible value may look likely; 'genzoo score' "
            "counts such rows."
        )
    return Advice("likelihood", best.model, " ".join(words))


def learned(choice: Choice) -> list[str]:
    """A sentence where the chosen one is not shown to know more than the baseline."""
    if choice.chosen.model == BASELINE:
        return [
            f"{BASELINE} gives every column its own shares and nothing else: no family is shown to "
            f"have learned how columns depend on each other."
        ]
    against = next((a for a in choice.against if a.other.model == BASELINE), None)
    if against is None or against.verdict == "worse":
        return []
    return [f"{choice.chosen.model} is not shown to have learned how columns depend on each other."]


def seed(run: RunRecord, fit: Fit) -> str:
    """``, seed 2``, where there are several: each purpose may have its own."""
    return f", seed {fit.seed}" if len(run.seeds) > 1 else ""


def nats(fit: Fit) -> str:
    """Mean log mass of a fit's test rows, with error and the mark of its kind."""
    score = score_of(fit)
    return with_error(score.value, score.stderr, score.kind)


def _still_improving(ranked: list[Fit]) -> list[str]:
    improving = [fit for fit in ranked if fit.improving]
    if not improving:
        return []
    verb = "was" if len(improving) == 1 else "were"
    return [
        f"{_names(improving)} {verb} still improving when training stopped: a longer budget may "
        f"change this."
    ]


def _has_ranges(run: RunRecord, dataset: str) -> bool:
    """Whether a table has numbers, of which the schema knows those within its range."""
    schema = next((d.schema for d in run.datasets if d.name == dataset), None)
    if schema is None or schema.layout != "table":
        return False
    return any(v.is_numeric for v in schema.variables)


def _queries(ranked: list[Fit]) -> Advice:
    def kind(fit: Fit) -> str:
        kinds = {c.at("validation", "query") for c in fit.cells}
        return str(kinds.pop()) if len(kinds) == 1 else "mixed"

    def value(fit: Fit) -> float:
        return by_likelihood(fit) or 0.0

    exact = [f for f in ranked if kind(f) == "exact" and f.model != BASELINE]
    rest = [f for f in ranked if kind(f) in ("lower_bound", "estimate", "mixed")]
    refused = [f for f in ranked if kind(f) == "unsupported"]
    baseline = [f for f in ranked if kind(f) == "exact" and f.model == BASELINE]
    able = exact or rest
    if baseline and able and value(able[0]) <= value(baseline[0]):
        best = baseline[0]
        behind = [f for f in able if value(f) <= value(best)]
        words = (
            f"{best.model} sums out hidden entries exactly ({_cost_of_query(best)}); it knows no "
            f"dependence, but {_names(behind)} {'has' if len(behind) == 1 else 'have'} no higher "
            f"likelihood on validation rows."
        )
    elif exact:
        best = exact[0]
        words = f"{best.model} sums out hidden entries exactly ({_cost_of_query(best)})"
        if best is not ranked[0] and len(exact) > 1:
            words += f", and validation chose it among {_names(exact)}"
        words += "." if best is ranked[0] else f"; it has {nats(best)} nats a row on test rows."
        words += f" {_names(rest)} can do no more than approximate." if rest else ""
    elif rest:
        best = rest[0]
        words = (
            f"{best.model} sums out hidden entries by a bound or an estimate "
            f"({_cost_of_query(best)}); no family that learns dependence does so exactly here."
        )
    elif baseline:
        best = baseline[0]
        words = f"only {best.model} can do it, which knows no dependence."
    else:
        return Advice("queries", None, "no family can sum out hidden entries here.")
    words += f" {_names(refused)} can't do it." if refused else ""
    return Advice("queries", best.model, words)


def _cost_of_query(fit: Fit) -> str:
    cost = fit.mean("validation", "query_seconds") or 0.0
    return f"{seconds(cost) if cost >= 0.095 else f'{1000 * cost:.2g} ms'} a row"


def _samples(run: RunRecord, dataset: str) -> Advice:
    choice = choose_samples(run, dataset)
    if choice is None:
        return Advice("samples", None, f"nothing can be said{_refusal(run, dataset)}.")
    found = choice.recommended.metric("c2st")
    if found is None:
        why = _left_out(choice.recommended)
        return Advice("samples", None, f"nothing can be said{why}.")
    if choice.too_short:
        return Advice("samples", None, f"{too_short(run, dataset, choice)}.")
    share, error = (100 * part for part in found)
    value = (
        f"trees tell its samples from test rows in {number(share, 0)} ± {number(error, 0)} % of "
        f"cases (50 %: not at all){seed(run, choice.recommended)}"
    )
    margin = margin_of(choice, POINTS)
    words = lead(choice, value, POINTS, margin)
    if choice.better is None:
        words += shown(choice, POINTS, margin)
    if share - 2 * error > 60:
        words.append("Even these are easily told apart.")
    return Advice("samples", choice.recommended.model, " ".join(words))


def _refusal(run: RunRecord, dataset: str) -> str:
    """Why samples could not be compared with validation rows."""
    reasons = [c.at("validation", "c2st_refused") for f in _ranked(run, dataset) for c in f.cells]
    return next((f": {reason}" for reason in reasons if reason), "")


def _left_out(fit: Fit) -> str:
    """Why samples could not be compared with test rows."""
    reasons = [c.at("metrics_left_out", "c2st") for c in fit.cells]
    return next((f": {reason}" for reason in reasons if reason), "")


def _label(run: RunRecord, dataset: str) -> Advice:
    choice = choose_label(run, dataset)
    if choice is None:
        return Advice("label", None, "no family could be asked for the label.")
    chosen = choice.chosen
    if (n := n_valid(chosen, "label", "valid")) < FEWEST_TO_CHOOSE_BY:
        rows = _number_of(n, "validation rows")
        return Advice("label", None, f"{rows} with a label {_way_out(run, dataset, n)}")
    by_chance = (
        f"Always the commonest label: {_percent(chosen.pooled('label', 'test', 'majority'))} % of "
        f"the same rows, AUC 0.5."
    )
    skill = chosen.pooled("label", "valid", "no_skill_log_prob") or 0.0
    if chosen.model == BASELINE or (by_label(chosen) or 0.0) <= skill:
        words = (
            f"none: on validation rows no family tells it better than its shares in training do. "
            f"{by_chance}"
        )
        return Advice("label", None, words)
    if choice.too_short:
        return Advice("label", None, f"{too_short(run, dataset, choice)}.")
    if choice.rarer < FEWEST_RARER:
        return Advice(
            "label", None,
            f"too few to say: {choice.rarer} test {_what(run, dataset)} have another label than "
            f"the commonest, of at least {FEWEST_RARER} that a proof needs. Validation's choice is "
            f"{chosen.model}.",
        )  # fmt: skip
    if choice.recommended.model == BASELINE:
        words = (
            f"none: test rows show {BASELINE}, which knows no more than its shares, to be better "
            f"than {chosen.model}, which validation chose. {by_chance}"
        )
        return Advice("label", None, words)
    if not choice.skilled:
        gain = choice.skill and NATS_OF_LABEL.error(choice.skill.value, choice.skill.stderr)
        best = choice.recommended
        who = "Validation chose" if best is chosen else f"Better than {chosen.model} is"
        words = (
            f"none is shown to know more of it than its shares in training do. {who} "
            f"{best.model}, {told(best)}, which gains {gain or DASH}. {by_chance}"
        )
        return Advice("label", None, words)
    margin = "one point of accuracy"
    best = choice.recommended
    value = f"{told(best)}{seed(run, best)}"
    lines = [*lead(choice, value, NATS_OF_LABEL, margin), by_chance]
    if choice.better is None:
        lines += shown(choice, NATS_OF_LABEL, margin, same_score=False)
    if any(f.model == BASELINE for f in (chosen, *(a.other for a in choice.against))):
        lines.append(f"{BASELINE} says the commonest label every time.")
    if n < n_valid(chosen, "validation"):
        lines.append(f"Chosen on {_number_of(n, 'validation rows')} with a label.")
    silent = _not_asked(run, dataset, choice)
    lines += [silent] if silent else []
    return Advice("label", choice.recommended.model, " ".join(lines))


def told(fit: Fit) -> str:
    """How well a fit tells the label of its test rows."""
    (share, error), (auc, auc_error) = fit.told("accuracy"), fit.told("auc")
    n = sum(int(c.at("label", "test", "n") or 0) for c in fit.cells)
    words = f"right in {in_percent(share, error)} of {n} test rows"
    return words if auc is None else f"{words}, AUC {area(auc, auc_error)}"


def area(value: float | None, error: float | None) -> str:
    """An area under the ROC curve; of one who tells all rows the same it is half, without error."""
    return with_error(value, error) if error else number(value, 1)


def in_percent(share: float | None, error: float | None) -> str:
    """``86.9 ± 1.0 %``."""
    return f"{_percent(share)} ± {_percent(error)} %"


def _percent(share: float | None) -> str:
    return number(None if share is None else 100 * share, 1)


def _not_asked(run: RunRecord, dataset: str, choice: Choice) -> str:
    asked = {choice.chosen.model, *(a.other.model for a in choice.against)}
    reasons = {
        fit.model: str(cell.at("label", "left_out"))
        for fit in _ranked(run, dataset)
        if fit.model not in asked
        for cell in fit.cells
        if cell.at("label", "left_out")
    }
    return " ".join(f"{model} was not asked: {why}." for model, why in reasons.items())


def _speed(choice: Choice, ranked: list[Fit]) -> Advice:
    baseline = next((f for f in ranked if f.model == BASELINE), None)
    # a family that loses to the baseline is recommended for nothing, however fast
    able = [
        f
        for f in ranked
        if baseline is None or (by_likelihood(f) or 0.0) > (by_likelihood(baseline) or 0.0)
    ]
    quick = min(able, key=lambda f: f.cost) if able else ranked[0]
    if choice.recommended.model == BASELINE:
        quick = choice.recommended
    size = quick.mean("n_parameters")
    words = f"{quick.model} trains in {seconds(quick.cost)}"
    words += f" and has {number(size, 0)} parameters" if size is not None else ""
    if quick.model == choice.chosen.model:
        return Advice("speed", quick.model, f"{words}; validation chose it for likelihoods too.")
    against = next((a for a in choice.against if a.other.model == quick.model), None)
    if against is None or against.difference is None:
        return Advice("speed", quick.model, f"{words}; what it loses by that is not known.")
    d, best = against.difference, choice.chosen
    side = "below" if d.value >= 0 else "above"
    how = "proven" if against.differs else "not proven"
    words += (
        f"; on test rows it lies {with_error(abs(d.value), d.stderr)} nats a row {side} "
        f"{best.model}, which takes {seconds(best.cost)} ({how})."
    )
    return Advice("speed", quick.model, words)
