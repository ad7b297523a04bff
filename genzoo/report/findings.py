"""What a run found, in words, and what can't be concluded from it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from genzoo.report.advice import FEW_TEST_ROWS
from genzoo.report.bounds import MUCH_MARGINAL, marginal_weight
from genzoo.report.wording import NATS, learned, margin_of, shown, too_short
from genzoo.results.advice import too_few
from genzoo.results.choice import Choice, n_test
from genzoo.results.numbers import count, listing, number, with_error
from genzoo.results.ranking import Entry, Ranking
from genzoo.results.record import BASELINE, TRUTH
from genzoo.results.run import RunRecord


@dataclass(frozen=True)
class Finding:
    """A data set's result: whom validation chose, a verdict of a few words, and sentences by
    the kind of what they say."""

    dataset: str
    chosen: str | None
    value: str
    verdict: str
    style: str
    sentences: dict[str, list[str]]


def finding(run: RunRecord, ranking: Ranking) -> Finding:
    """Whom validation chose on a data set, what is proven of it, how far it is from the truth."""
    name, entry = ranking.dataset.name, ranking.chosen or ranking.best
    if entry is None:
        return Finding(
            name, None, "", "no result", "open", {"no-result": ["No family gave a result."]}
        )
    verdict, style = _verdict(run, ranking)
    sentences, choice = {"alarm": _alarm(ranking)}, ranking.choice
    if choice is None:
        words = "No model has figures on validation rows, so nothing is chosen or proven."
        sentences["not-chosen"] = [words]
    else:
        sentences["shown"] = _shown(run, ranking, choice)
        sentences["truth"] = _against_truth(ranking, entry)
        sentences["no-skill"] = learned(choice) if choice.better is None else []
    sentences["below-baseline"] = _below_baseline(ranking)
    sentences["improving"] = _improving(ranking)
    value = with_error(entry.value, entry.stderr, entry.kind)
    return Finding(name, entry.model, value, verdict, style, sentences)


def _verdict(run: RunRecord, ranking: Ranking) -> tuple[str, str]:
    choice = ranking.choice
    if ranking.alarms:
        return "alarm", "alarm"
    if choice is None:
        return "not chosen", "open"
    if choice.too_short or too_few(run, ranking.dataset.name) is not None:
        return "too few to say", "open"
    verdicts = {a.verdict for a in choice.against}
    if not verdicts:
        return "no rival", "open"
    if "better" in verdicts:
        return "another is better", "tie"
    if verdicts == {"worse"}:
        return "proven best", "proven"
    if verdicts & {"alike", "not comparable"}:
        return "not told from all", "tie"
    if "within" in verdicts:
        return "a lighter one is within the margin", "tie"
    if "worse" in verdicts:
        # a chosen bound is none of the exact values
        exact = choice.chosen.kind == "exact"
        return "best of the exact values" if exact else "beats every exact value", "partly"
    return "open", "open"


def _alarm(ranking: Ranking) -> list[str]:
    models = list(dict.fromkeys(c.model for c in ranking.alarms))
    if not models:
        return []
    verb = "claims" if len(models) == 1 else "claim"
    return [
        f"ALARM: {listing(models)} {verb} more than the truth allows; don't trust the numbers, "
        f"which take no part in the choice."
    ]


def _names(entries: list[Entry]) -> str:
    return listing([e.model for e in entries])


def _shown(run: RunRecord, ranking: Ranking, choice: Choice) -> list[str]:
    if choice.too_short:
        words = too_short(run, ranking.dataset.name, choice)
        return [f"{words[0].upper()}{words[1:]}."]
    sentences = []
    for against in choice.with_verdict("better"):
        d = against.difference
        assert d is not None
        sentences.append(
            f"Test rows show {against.other.model} to be better than validation's choice, by "
            f"{with_error(-d.value, d.stderr)} nats a row."
        )
    sentences += shown(choice, NATS, margin_of(choice, NATS))
    for against in choice.with_verdict("not comparable"):
        sentences.append(f"{against.other.model} left no values of the same test rows to compare.")
    return sentences


def _against_truth(ranking: Ranking, best: Entry) -> list[str]:
    if best.gap is None or not math.isfinite(best.gap.value):
        return []
    gap = with_error(best.gap.value, best.gap.stderr)
    low, high = best.gap.interval()
    if low <= 0:
        return [f"The truth is not seen to be better (KL divergence {gap} nats a row)."]
    most = "at most " if best.kind == "lower_bound" else ""
    words = f"The truth is {most}{gap} nats a row away in KL divergence"
    opened = ranking.choice is not None and ranking.choice.with_verdict("open")
    if best.kind == "exact" and opened and high > 0:
        words += (
            f"; no model can beat it, so no true value lies more than about "
            f"{number(high, 2 if high >= 0.1 else 3)} above this one"
        )
    return [f"{words}."]


def _below_baseline(ranking: Ranking) -> list[str]:
    baseline = ranking.baseline
    if baseline is None or baseline.value is None or baseline is ranking.chosen:
        return []
    below = [e for e in ranking.entries if e is not baseline and e.value < baseline.value]  # type: ignore[operator]
    exact = [e for e in below if e.kind == "exact"]
    bounds = [e for e in below if e.kind != "exact"]
    sentences = []
    if exact:
        verb = "has" if len(exact) == 1 else "have"
        sentences.append(f"{_names(exact)} {verb} no higher value than {BASELINE}.")
    if bounds:
        sentences.append(f"{_names(bounds)} can't be shown to beat {BASELINE}.")
    return sentences


def _improving(ranking: Ranking) -> list[str]:
    improving = [e for e in ranking.entries if e.improving]
    if not improving:
        return []
    verb = "was" if len(improving) == 1 else "were"
    return [f"{_names(improving)} {verb} still improving when training stopped."]


def _blocks(ranking: Ranking) -> str:
    return count(ranking.choice.units, "block") if ranking.choice is not None else "blocks"


def headline(run: RunRecord, rankings: list[Ranking]) -> list[str]:
    """A few sentences about the whole run."""
    planned = sum(asked.model != TRUTH for asked in run.plan.cells)
    ok = sum(c.ok for c in run.cells if c.model != TRUTH)
    seeds = count(len(run.seeds), "seed")
    sentences = [
        f"{count(len(run.models), 'model')} on {count(len(run.datasets), 'data set')} with "
        f"{seeds}: {ok} of {planned} cells gave a result."
    ]
    sentences[0] = sentences[0][0].upper() + sentences[0][1:]
    wins: dict[str, list[str]] = {}
    few = [r.dataset.name for r in rankings if too_few(run, r.dataset.name) is not None]
    for ranking in rankings:
        if ranking.chosen is not None and ranking.dataset.name not in few:
            wins.setdefault(ranking.chosen.model, []).append(ranking.dataset.name)
    if wins:
        ordered = sorted(wins.items(), key=lambda item: -len(item[1]))
        chosen = [f"{model} on {listing(names)}" for model, names in ordered]
        sentences.append(f"Validation chose {'; '.join(chosen)}.")
    if few:
        sentences.append(f"On {listing(few)} there are too few validation rows to choose by.")
    verdicts: dict[str, list[str]] = {}
    for ranking in rankings:
        verdicts.setdefault(_verdict(run, ranking)[1], []).append(ranking.dataset.name)
    if where := verdicts.get("proven"):
        sentences.append(f"Its choice is proven better than every rival on {listing(where)}.")
    if where := verdicts.get("partly"):
        sentences.append(
            f"On {listing(where)} it is proven better than every rival with an exact value; of "
            f"those with a bound nothing is proven."
        )
    if wins and not {"proven", "partly"} & set(verdicts):
        sentences.append("On no data set is it proven better than all others.")
    return sentences


def cautions(run: RunRecord, rankings: list[Ranking], old_code: Sequence[str]) -> dict[str, str]:
    """What can't be concluded, and why, by kind."""
    entries = [e for ranking in rankings for e in ranking.entries]
    found: dict[str, str] = {}
    if old_code:
        found["old-code"] = (
            f"The code of {listing(old_code)} changed since these cells were run: their figures "
            f"are those of older code, and the same comparison runs them anew."
        )
    found |= _of_models(run, entries) | _of_rows(rankings)
    missing = [e for ranking in rankings for e in ranking.failed]
    if missing:
        where = listing([f"{e.model} on {e.dataset} ({e.status})" for e in missing])
        found["missing"] = f"Cells without a result take no rank: {where}."
    return found


def _of_models(run: RunRecord, entries: list[Entry]) -> dict[str, str]:
    found: dict[str, str] = {}
    bounds = list(dict.fromkeys(e.model for e in entries if e.kind == "lower_bound"))
    if bounds:
        found["bounds"] = (
            f"{listing(bounds)}: a lower bound says how good a model is at least. One below an "
            f"exact value does not mean that the model is worse."
        )
    much = [(e, w) for e in entries for w in [marginal_weight(e)] if w and w > MUCH_MARGINAL]
    if much:
        where = listing([f"{e.model} on {e.dataset} ({number(w)})" for e, w in much])
        found["marginals"] = (
            f"{where}: the training marginals have more than a tenth of the weight in the "
            f"calibrated model, so much of its likelihood is theirs, not the generator's."
        )
    estimates = list(dict.fromkeys(e.model for e in entries if e.kind == "estimate"))
    if estimates:
        found["estimates"] = (
            f"{listing(estimates)}: estimates may lie on either side of the true value."
        )
    if len(run.seeds) == 1:
        found["one-seed"] = (
            "Each cell was trained once. The errors here are those of the test rows; how much "
            "another seed would change is not known, and what is proven is a difference between "
            "fitted models, not yet between their families."
        )
    improving = [e for e in entries if e.improving]
    if improving:
        where = listing([f"{e.model} on {e.dataset}" for e in improving])
        found["improving"] = (
            f"Still improving when training stopped: {where}. More training would "
            f"raise these values, so their ranks belong to this budget."
        )
    return found


def _of_rows(rankings: list[Ranking]) -> dict[str, str]:
    found: dict[str, str] = {}
    judged = {r.dataset.name: n_test(r.choice.chosen) for r in rankings if r.choice}
    short = {r.dataset.name for r in rankings if r.choice and r.choice.too_short}
    few = {name: n for name, n in judged.items()
           if 0 < n < FEW_TEST_ROWS and name not in short}  # fmt: skip
    if few:
        where = listing([f"{name} ({n})" for name, n in few.items()])
        found["few-test-rows"] = (
            f"Few test rows: {where}. Only large differences can be proven there, and the errors "
            f"themselves are rough."
        )
    if short:
        found["too-few-units"] = (
            f"Too few independent test rows to prove anything: {listing(sorted(short))}."
        )
    blocks = [r for r in rankings if (u := r.dataset.facts.units) and u.what == "blocks"]
    if blocks:
        where = listing([f"{r.dataset.name} ({_blocks(r)})" for r in blocks])
        found["blocks"] = (
            f"The rows of {where} follow each other in a text or in time, so neighbours are alike: "
            f"errors are those of blocks of rows, and say nothing of other texts or other times."
        )
    unknown = [r.dataset.name for r in rankings if r.truth is None]
    if unknown:
        found["truth-unknown"] = (
            f"On {listing(unknown)} the truth is not known: no gap to it, and no alarm could be "
            f"raised."
        )
    return found
