"""What a run found, in words, and what can't be concluded from it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from genzoo.report.advice import FEW_TEST_ROWS
from genzoo.report.bounds import MUCH_MARGINAL, marginal_weight
from genzoo.report.wording import (
    NATS,
    learned,
    margin_of,
    more_time,
    of_all,
    shown,
    too_short,
)
from genzoo.results.advice import too_few
from genzoo.results.choice import Choice, n_test
from genzoo.results.numbers import count, listing, number, with_error
from genzoo.results.ranking import Entry, Ranking
from genzoo.results.record import BASELINE, STACK, TRUTH
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
    fits = [e.fit for e in ranking.entries if e.fit is not None]
    sentences["improving"] = more_time(ranking.dataset.facts, fits)
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
    # of a chosen bound that lies below an exact value nothing is shown, whatever it beats else
    unbeaten = any(against.other.kind == "exact" for against in choice.with_verdict("open"))
    if unbeaten or verdicts & {"alike", "not comparable"}:
        return "not told from all", "tie"
    if "within" in verdicts:
        return "lighter one within margin", "tie"
    if "worse" in verdicts:
        # a chosen bound is none of the exact values
        exact = choice.chosen.kind == "exact"
        return "best of the exact values" if exact else "beats every exact value", "partly"
    return "open", "open"


def _alarm(ranking: Ranking) -> list[str]:
    models = dict.fromkeys(c.model for c in ranking.alarms)
    verb = "claims" if len(models) == 1 else "claim"
    return of_all(
        models,
        f"ALARM: {{}} {verb} more than the truth allows; don't trust the numbers, which take no "
        f"part in the choice.",
    )


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
    exact = [e.model for e in below if e.kind == "exact"]
    bounds = [e.model for e in below if e.kind != "exact"]
    verb = "has" if len(exact) == 1 else "have"
    return [
        *of_all(exact, f"{{}} {verb} no higher value than {BASELINE}."),
        *of_all(bounds, f"{{}} can't be shown to beat {BASELINE}."),
    ]


def headline(run: RunRecord, rankings: list[Ranking]) -> list[str]:
    """A few sentences about the whole run."""
    planned = sum(asked.model != TRUTH for asked in run.plan.cells)
    ok = sum(c.ok for c in run.cells if c.model not in (STACK, TRUTH))
    seeds = count(len(run.seeds), "seed")
    sentences = [
        f"{count(len(run.fitted), 'model')} on {count(len(run.datasets), 'data set')} with "
        f"{seeds}: {ok} of {planned} cells gave a result."
    ]
    sentences[0] = sentences[0][0].upper() + sentences[0][1:]
    wins: dict[str, list[str]] = {}
    few = [r.dataset.name for r in rankings if too_few(run, r.dataset.name) is not None]
    for ranking in rankings:
        if ranking.chosen is not None and ranking.dataset.name not in few:
            wins.setdefault(ranking.chosen.model, []).append(ranking.dataset.name)
    ordered = sorted(wins.items(), key=lambda item: -len(item[1]))
    if ordered:
        chosen = [f"{model} on {listing(names)}" for model, names in ordered]
        sentences.append(f"Validation chose {'; '.join(chosen)}.")
    sentences += of_all(few, "On {} there are too few validation rows to choose by.")
    verdicts: dict[str, list[str]] = {"proven": [], "partly": []}
    for ranking in rankings:
        verdicts.setdefault(_verdict(run, ranking)[1], []).append(ranking.dataset.name)
    proven, partly = verdicts["proven"], verdicts["partly"]
    sentences += of_all(proven, "Its choice is proven better than every rival on {}.")
    sentences += of_all(
        partly,
        "On {} it is proven better than every rival with an exact value; of those with a bound "
        "nothing is proven.",
    )
    if wins and not proven and not partly:
        sentences.append("On no data set is it proven better than all others.")
    return sentences


def cautions(run: RunRecord, rankings: list[Ranking], old_code: Sequence[str]) -> dict[str, str]:
    """What can't be concluded, and why, by kind."""
    entries = [e for ranking in rankings for e in ranking.entries]
    missing = [f"{e.model} on {e.dataset} ({e.status})" for r in rankings for e in r.failed]
    found = {
        "old-code": of_all(
            old_code,
            "The code of {} changed since these cells were run: their figures are those of older "
            "code, and the same comparison runs them anew.",
        ),
        **_of_models(run, entries),
        **_of_rows(rankings),
        "missing": of_all(missing, "Cells without a result take no rank: {}."),
    }
    return {kind: words for kind, said in found.items() for words in said}


def _of_models(run: RunRecord, entries: list[Entry]) -> dict[str, list[str]]:
    weights = [(e, w) for e in entries for w in [marginal_weight(e)] if w and w > MUCH_MARGINAL]
    found = {
        "bounds": of_all(
            [e.model for e in entries if e.kind == "lower_bound"],
            "{}: a lower bound says how good a model is at least. One below an exact value does "
            "not mean that the model is worse.",
        ),
        "marginals": of_all(
            [f"{e.model} on {e.dataset} ({number(w)})" for e, w in weights],
            "{}: the training marginals have more than a tenth of the weight in the calibrated "
            "model, so much of its likelihood is theirs, not the generator's.",
        ),
        "estimates": of_all(
            [e.model for e in entries if e.kind == "estimate"],
            "{}: estimates may lie on either side of the true value.",
        ),
    }
    if len(run.seeds) == 1:
        found["one-seed"] = [
            "Each cell was trained once. The errors here are those of the test rows; how much "
            "another seed would change is not known, and what is proven is a difference between "
            "fitted models, not yet between their families."
        ]
    late: dict[str, list[str]] = {}
    for e in entries:
        if e.improving:
            late.setdefault(e.dataset, []).append(e.model)
    named = "; ".join(f"on {dataset} {listing(models)}" for dataset, models in late.items())
    found["improving"] = of_all(
        [named] if named else [],
        "Still improving when training stopped: {}. More training may raise these values, so "
        "their ranks belong to this budget.",
    )
    return found


def _of_rows(rankings: list[Ranking]) -> dict[str, list[str]]:
    names = {r.dataset.name: r.choice for r in rankings if r.choice}
    short = sorted(name for name, choice in names.items() if choice.too_short)
    rows = {name: n_test(c.chosen) for name, c in names.items() if name not in short}
    blocks = [
        f"{r.dataset.name} ({count(r.choice.units, 'block') if r.choice else 'blocks'})"
        for r in rankings
        if (units := r.dataset.facts.units) and units.what == "blocks"
    ]
    return {
        "few-test-rows": of_all(
            [f"{name} ({n})" for name, n in rows.items() if 0 < n < FEW_TEST_ROWS],
            "Few test rows: {}. Only large differences can be proven there, and the errors "
            "themselves are rough.",
        ),
        "too-few-units": of_all(short, "Too few independent test rows to prove anything: {}."),
        "blocks": of_all(
            blocks,
            "The rows of {} follow each other in a text or in time, so neighbours are alike: "
            "errors are those of blocks of rows, and say nothing of other texts or other times.",
        ),
        "truth-unknown": of_all(
            [r.dataset.name for r in rankings if r.truth is None],
            "On {} the truth is not known: no gap to it, and no alarm could be raised.",
        ),
    }
