"""What is said of a choice, in sentences: who is better or worse, and who is not told apart.

Nothing is called better that is not proven so, and nothing is called equal for want of a proof.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from genzoo.fitting import LEAST_GAIN, Budget
from genzoo.results.choice import LEAST, Against, Choice, is_faster
from genzoo.results.contender import Contender, of_test_labels
from genzoo.results.numbers import listing, number, seconds, with_error
from genzoo.results.plan import DatasetFacts
from genzoo.results.record import BASELINE, STACK, Measured
from genzoo.results.run import RunRecord
from genzoo.results.statistics import FEWEST_UNITS, Difference


def of_all(found: Iterable[str], sentence: str) -> list[str]:
    """A sentence about what was found, which is named in place of ``{}``; none of nothing."""
    names = listing(found)
    return [sentence.format(names)] if names else []


def more_time(facts: DatasetFacts, fits: Sequence[Contender]) -> list[str]:
    """What more training might bring to those that were still improving, in sentences: what they
    gained last, by their learning curves. What they would gain is not known, and not said."""
    improving = [fit for fit in fits if fit.improving]
    if not improving:
        return []
    was, its = ("was", "its") if len(improving) == 1 else ("were", "their")
    words = [f"{names(improving)} {was} still improving when training stopped."]
    late = [(fit.model, fit.late_gain) for fit in improving]
    gained = [
        f"{model} gained {_of_late(found)}"
        for model, found in late
        if found is not None and found.value is not None and found.value >= LEAST_GAIN
    ]
    say = "" if facts.longer is None else f" ({facts.longer}, say)"
    longer = f"a longer budget{say} may change this"
    if not gained:
        return [*words, f"{longer[0].upper()}{longer[1:]}; how much can't be told."]
    return [
        *words,
        f"In the last quarter of {its} training {listing(gained)} nats a row on validation rows: "
        f"{longer}, by how much can't be told.",
    ]


def _of_late(found: Measured) -> str:
    value = found.value or 0.0
    return NATS.about(value) if found.stderr is None else with_error(value, found.stderr)


def budget_of(facts: DatasetFacts) -> str:
    """What each fit on a data set may take, and what that was chosen for where nobody said it."""
    if facts.budget == str(Budget()):
        return "each family's own default"
    return f"{facts.budget}, chosen for {facts.size}" if facts.suited else facts.budget


def number_of(n: int, what: str) -> str:
    """``1 group``, ``30 validation rows``; ``what`` is the plural."""
    return f"{n} {what.removesuffix('s') if n == 1 else what}"


def units_of(run: RunRecord, dataset: str) -> str:
    """What the independent units of a data set are: ``rows``, ``groups`` or ``blocks``."""
    units = run.facts(dataset).units
    return "rows" if units is None else units.what


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


def names(found: Sequence[Against | Contender]) -> str:
    return listing([(f.other if isinstance(f, Against) else f).model for f in found])


def too_short(run: RunRecord, dataset: str, choice: Choice) -> str:
    """Why nothing can be proven where test rows make too few groups or blocks."""
    facts, what = run.facts(dataset), units_of(run, dataset)
    if what == "rows":
        rows = number_of(choice.units, "test rows")
        return f"too few rows to say: {rows}, of at least {FEWEST_UNITS} that a proof needs"
    subject = "text" if facts.has_text else "stretch of time"
    start = f"too short a {subject} to say" if what == "blocks" else f"too few {what} to say"
    weigh = ""
    if choice.units >= FEWEST_UNITS:
        weigh = f", which differ so much in size that they tell as much as {choice.effective:.1f}"
    made = number_of(choice.units, what)
    return (
        f"{start}: the test rows make {made}{weigh}, of at least {FEWEST_UNITS} that a proof needs"
    )


def shown(choice: Choice, unit: Unit, margin: str, *, same_score: bool = True) -> list[str]:
    """What test rows show of the chosen one against the others, in sentences.

    Args:
        unit: of the scores.
        margin: within which a lighter one may take its place.
        same_score: whether the margin is one of the scores; else of cases told right.
    """
    of_margin = unit if same_score else POINTS
    name = "It" if choice.recommended is choice.chosen else choice.chosen.model
    words = []
    worse, within, alike, opened = (
        choice.with_verdict(v) for v in ("worse", "within", "alike", "open")
    )
    if worse:
        words.append(f"{name} is proven better than {names(worse)}{_nearest(worse, unit)}.")
        if unit is NATS and choice.chosen.kind == "lower_bound":
            words.append(
                f"{choice.chosen.model} has a lower bound that lies above the exact "
                f"{'value' if len(worse) == 1 else 'values'} of {names(worse)}."
            )
    if within:
        words.append(
            f"Shown to lose less than {margin} to {choice.chosen.model}: "
            f"{listing(_beside(a.other, a.loss, of_margin) for a in within)}."
        )
    if alike:
        largest = choice.unseen
        words.append(
            f"Nothing that is worth a choice is shown between {choice.chosen.model} and "
            f"{listing(_beside(a.other, a.difference, unit, rare=a.rare) for a in alike)}"
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


def _beside(other: Contender, d: Difference | None, unit: Unit, *, rare: bool = False) -> str:
    if d is None:
        return other.model
    remark = ", if rare rows don't make up for it" if rare else ""
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
            f"{names(below)} {verb} only a lower bound that lies below: the true value may be "
            f"higher, nothing is proven."
        )
    if above:
        verb = "lies" if len(above) == 1 else "lie"
        words.append(
            f"{names(above)} {verb} above {choice.chosen.model}, which gives only a lower bound: "
            f"its true value may be higher, nothing is proven."
        )
    if estimates:
        words.append(f"Estimates prove nothing: {names(estimates)}.")
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


def _lighter(other: Contender, chosen: Contender) -> str:
    if chosen.model == STACK:
        return "one model instead of a mixture"
    if is_faster(other, chosen):
        return f"{seconds(other.cost)} of training instead of {seconds(chosen.cost)}"
    sizes = (number(fit.mean(lambda r: r.n_parameters), 0) for fit in (other, chosen))
    return "{} parameters instead of {}".format(*sizes)


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


def seed(run: RunRecord, fit: Contender) -> str:
    """``, seed 2``, where there are several: each purpose may have its own."""
    return f", seed {fit.seed}" if len(run.seeds) > 1 else ""


def nats(fit: Contender) -> str:
    """Mean log mass of a fit's test rows, with error and the mark of its kind."""
    score = fit.score
    return with_error(score.value, score.stderr, score.kind)


def told(fit: Contender, *, of_rows: bool = True) -> str:
    """How well a fit tells the label of its test rows, and of how many unless that is clear."""
    share, auc = fit.told(lambda p: p.accuracy), fit.told(lambda p: p.auc)
    words = f"right in {in_percent(share)}"
    words += f" of {fit.count(of_test_labels)} test rows" if of_rows else ""
    return words if auc is None else f"{words}, AUC {area(auc)}"


def area(found: tuple[float, float]) -> str:
    """An area under the ROC curve; of one who tells all rows the same it is half, without error."""
    value, error = found
    return with_error(value, error) if error else number(value, 1)


def in_percent(found: tuple[float, float] | None) -> str:
    """``86.9 ± 1.0 %``."""
    share, error = found or (None, None)
    return f"{percent(share)} ± {percent(error)} %"


def percent(share: float | None) -> str:
    return number(None if share is None else 100 * share, 1)
