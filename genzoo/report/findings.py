"""What a run found, in words, and what can't be concluded from it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from genzoo.benchmark.plan_file import code_changed
from genzoo.report.bounds import MUCH_MARGINAL, marginal_weight
from genzoo.report.numbers import count, listing, number, with_error
from genzoo.report.records import TRUTH, RunRecord
from genzoo.report.summary import BASELINE, Entry, Ranking

FEW_ROWS = 100


@dataclass(frozen=True)
class Finding:
    """A data set's result: the leader, a verdict of a few words, and sentences."""

    dataset: str
    best: str | None
    value: str
    verdict: str
    style: str
    sentences: list[str]


def finding(ranking: Ranking) -> Finding:
    """Who is best on a data set, whether that is proven, and how far it is from the truth."""
    name, best = ranking.dataset.name, ranking.best
    if best is None:
        return Finding(name, None, "", "no result", "open", ["No family gave a result."])
    verdict, style = _verdict(ranking)
    sentences = _alarm(ranking)
    if verdict != "alarm":
        sentences += _lead(ranking) + _against_truth(ranking)
    sentences += _against_baseline(ranking) + _improving(ranking)
    value = with_error(best.value, best.stderr, best.kind)
    return Finding(name, best.model, value, verdict, style, sentences)


def _verdict(ranking: Ranking) -> tuple[str, str]:
    rivals = ranking.rivals[1:]
    verdicts = {r.verdict for r in rivals}
    if any(ranking.best and c.model == ranking.best.model for c in ranking.alarms):
        return "alarm", "alarm"
    if not rivals:
        return "no rival", "open"
    if verdicts == {"proven"}:
        return "proven best", "proven"
    if "not proven" in verdicts or "not comparable" in verdicts:
        return "lead not proven", "tie"
    if "proven" in verdicts:
        # a leading bound is none of the exact values
        exact = ranking.best is not None and ranking.best.kind == "exact"
        return "best of the exact values" if exact else "beats every exact value", "partly"
    return "open", "open"


def _alarm(ranking: Ranking) -> list[str]:
    models = list(dict.fromkeys(c.model for c in ranking.alarms))
    if not models:
        return []
    verb = "claims" if len(models) == 1 else "claim"
    return [f"ALARM: {listing(models)} {verb} more than the truth allows; don't trust the numbers."]


def _names(entries: list[Entry]) -> str:
    return listing([e.model for e in entries])


def _lead(ranking: Ranking) -> list[str]:
    best = ranking.best
    assert best is not None
    sentences = []
    proven = [r for r in ranking.rivals[1:] if r.verdict == "proven" and r.difference]
    ties = [r for r in ranking.rivals[1:] if r.verdict == "not proven" and r.difference]
    opened = ranking.with_verdict("open")
    if proven:
        near = min(proven, key=lambda r: r.difference.value if r.difference else math.inf)
        assert near.difference is not None
        above = " Its bound lies above their exact values." if best.kind == "lower_bound" else ""
        sentences.append(
            f"It beats {_names([r.entry for r in proven])} for certain (the nearest, "
            f"{near.entry.model}, by {with_error(near.difference.value, near.difference.stderr)} "
            f"nats a row).{above}"
        )
    if ties:
        gaps = listing(
            [f"{r.entry.model} {_of(r.difference.value, r.difference.stderr)}" for r in ties]  # type: ignore[union-attr]
        )
        sentences.append(f"Its lead over {gaps} may be luck of the test rows.")
    if opened:
        models = _names([r.entry for r in opened])
        if best.kind == "estimate":
            sentences.append("Its value is an estimate without a promise, so nothing is proven.")
        elif len(opened) == 1:
            sentences.append(
                f"{models} gives only {_kind_words(opened[0].entry.kind)}, which lies lower: "
                f"its true value may be higher, so nothing is proven against it."
            )
        else:
            bounds = all(r.entry.kind == "lower_bound" for r in opened)
            sentences.append(
                f"{models} give only {'lower bounds' if bounds else 'bounds or estimates'}, which "
                f"lie lower: their true values may be higher, so nothing is proven against them."
            )
    for rival in ranking.with_verdict("not comparable"):
        sentences.append(f"{rival.entry.model} left no values of the same test rows to compare.")
    return sentences


def _of(value: float, stderr: float) -> str:
    return f"({with_error(value, stderr)})"


def _kind_words(kind: str) -> str:
    return {"exact": "an exact value", "lower_bound": "a lower bound", "estimate": "an estimate"}[
        kind
    ]


def _against_truth(ranking: Ranking) -> list[str]:
    best = ranking.best
    if best is None or best.gap is None or not math.isfinite(best.gap.value):
        return []
    gap = with_error(best.gap.value, best.gap.stderr)
    low, high = best.gap.interval()
    if low <= 0:
        return [f"The truth is not seen to be better (KL divergence {gap} nats a row)."]
    most = "at most " if best.kind == "lower_bound" else ""
    words = f"The truth is {most}{gap} nats a row away in KL divergence"
    if best.kind == "exact" and ranking.with_verdict("open") and high > 0:
        words += (
            f"; no model can beat it, so no true value lies more than about "
            f"{number(high, 2 if high >= 0.1 else 3)} above this one"
        )
    return [f"{words}."]


def _against_baseline(ranking: Ranking) -> list[str]:
    baseline, best = ranking.baseline, ranking.best
    if baseline is None or best is None or baseline.value is None:
        return []
    if baseline is best:
        return ["No family is seen to learn anything beyond independent columns."]
    below = [e for e in ranking.entries if e is not baseline and e.value < baseline.value]  # type: ignore[operator]
    if not below:
        return []
    bounds = [e for e in below if e.kind != "exact"]
    exact = [e for e in below if e.kind == "exact"]
    sentences = []
    if exact:
        sentences.append(f"{_names(exact)} did no better than the {BASELINE} baseline.")
    if bounds:
        sentences.append(f"{_names(bounds)} can't be shown to beat the {BASELINE} baseline.")
    return sentences


def _improving(ranking: Ranking) -> list[str]:
    improving = [e for e in ranking.entries if e.improving]
    if not improving:
        return []
    verb = "was" if len(improving) == 1 else "were"
    return [f"{_names(improving)} {verb} still improving when training stopped."]


def headline(run: RunRecord, rankings: list[Ranking]) -> list[str]:
    """A few sentences about the whole run."""
    planned = sum(asked["model"] != TRUTH for asked in run.plan["cells"])
    ok = sum(c.ok for c in run.cells if c.model != TRUTH)
    seeds = count(len(run.seeds), "seed")
    sentences = [
        f"{count(len(run.models), 'model')} on {count(len(run.datasets), 'data set')} with "
        f"{seeds}: {ok} of {planned} cells gave a result."
    ]
    sentences[0] = sentences[0][0].upper() + sentences[0][1:]
    wins: dict[str, list[str]] = {}
    for ranking in rankings:
        if ranking.best is not None and _verdict(ranking)[0] != "alarm":
            wins.setdefault(ranking.best.model, []).append(ranking.dataset.name)
    if wins:
        leads = [
            f"{model} leads on {listing(names)}"
            for model, names in sorted(wins.items(), key=lambda item: -len(item[1]))
        ]
        sentences.append(f"{'; '.join(leads)}.")
        proven = [f for f in map(finding, rankings) if f.style in ("proven", "partly")]
        whole = [f.dataset for f in proven if f.style == "proven"]
        partly = [f.dataset for f in proven if f.style == "partly"]
        if whole:
            sentences.append(f"The lead is proven against every rival on {listing(whole)}.")
        if partly:
            sentences.append(
                f"The lead on {listing(partly)} is proven against every exact value, and open "
                f"against bounds."
            )
        if not proven:
            sentences.append("No lead is proven.")
    return sentences


def cautions(run: RunRecord, rankings: list[Ranking]) -> list[str]:
    """What can't be concluded, and why."""
    found = []
    changed = code_changed(run.plan)
    if changed:
        found.append(
            f"The code of {listing(changed)} changed since these cells were run: their figures are "
            f"those of older code, and the same comparison runs them anew."
        )
    entries = [e for ranking in rankings for e in ranking.entries]
    bounds = list(dict.fromkeys(e.model for e in entries if e.kind == "lower_bound"))
    if bounds:
        found.append(
            f"{listing(bounds)}: a lower bound says how good a model is at least. One below an "
            f"exact value does not mean that the model is worse."
        )
    much = [(e, w) for e in entries for w in [marginal_weight(e)] if w and w > MUCH_MARGINAL]
    if much:
        where = listing([f"{e.model} on {e.dataset} ({number(w)})" for e, w in much])
        found.append(
            f"{where}: the training marginals have more than a tenth of the weight in the "
            f"calibrated model, so much of its likelihood is theirs, not the generator's."
        )
    estimates = list(dict.fromkeys(e.model for e in entries if e.kind == "estimate"))
    if estimates:
        found.append(f"{listing(estimates)}: estimates may lie on either side of the true value.")
    if len(run.seeds) == 1:
        found.append(
            "Each cell was trained once. The errors here are those of the test rows; how much "
            "another seed would change is not known, and a small proven difference is a difference "
            "between these two fitted models, not yet between their families."
        )
    improving = [e for e in entries if e.improving]
    if improving:
        where = listing([f"{e.model} on {e.dataset}" for e in improving])
        found.append(
            f"Still improving when training stopped: {where}. More training would "
            f"raise these values, so their ranks belong to this budget."
        )
    few = [r.dataset for r in rankings if (r.dataset.facts.get("n_test") or FEW_ROWS) < FEW_ROWS]
    if few:
        where = listing([f"{d.name} ({d.facts['n_test']})" for d in few])
        found.append(
            f"Few test rows: {where}. Only large differences can be proven there, and the errors "
            f"themselves are rough."
        )
    windows = [r.dataset.name for r in rankings if r.dataset.facts.get("has_text")]
    if windows:
        found.append(
            f"{listing(windows)}: the rows are windows of running text, so neighbouring rows are "
            f"alike and the true errors are somewhat larger than those printed."
        )
    unknown = [r.dataset.name for r in rankings if r.truth is None]
    if unknown:
        found.append(
            f"On {listing(unknown)} the truth is not known: no gap to it, and no alarm could be "
            f"raised."
        )
    missing = [e for ranking in rankings for e in ranking.failed]
    if missing:
        where = listing([f"{e.model} on {e.dataset} ({e.status})" for e in missing])
        found.append(f"Cells without a result take no rank: {where}.")
    return found
