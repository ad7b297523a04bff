"""What differs between two runs themselves: it stands before all numbers, since it may explain
them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from genzoo.report.build import moment
from genzoo.report.wording import budget_of
from genzoo.results.change import Comparison
from genzoo.results.numbers import DASH, listing
from genzoo.results.plan import ModelFacts, Plan

OTHER_ROWS = {"fingerprint": "other rows, split or schema", "folds": "other folds"}


@dataclass(frozen=True)
class Unlike:
    """A fact that is not the same in both runs; of code only that it is another."""

    what: str
    before: str
    after: str


def unlike(comparison: Comparison) -> list[Unlike]:
    """Everything recorded that differs and may matter; when they were started comes last."""
    before, after = comparison.before.plan, comparison.after.plan
    found = [*_code(before, after), *_parameters(before, after), *_budgets(comparison)]
    found += _facts("", before.versions, after.versions)
    found += _facts("machine: ", before.machine, after.machine)
    seeds = [", ".join(map(str, plan.seeds)) for plan in (before, after)]
    if seeds[0] != seeds[1]:
        found.append(Unlike("seeds", *seeds))
    return [*found, Unlike("started", *(moment(plan.started) for plan in (before, after)))]


def left_out(comparison: Comparison, before: str, after: str) -> list[str]:
    """What stands in both runs or in one of them and is not compared, in sentences."""
    found = [
        f"{name}: not compared, since it has {listing(OTHER_ROWS[fact] for fact in facts)}."
        for name, facts in comparison.other_rows.items()
    ]
    a, b = (
        {(a.model, a.dataset) for a in run.plan.cells if a.model in run.fitted}
        for run in (comparison.before, comparison.after)
    )
    for own, other, name in ((a, b, before), (b, a, after)):
        alone = sorted((m, d) for m, d in own - other if d not in comparison.other_rows)
        by_models: dict[tuple[str, ...], list[str]] = {}
        for dataset in dict.fromkeys(d for _, d in alone):
            by_models.setdefault(tuple(m for m, d in alone if d == dataset), []).append(dataset)
        for models, datasets in by_models.items():
            found.append(f"Only in {name}: {listing(models)} on {listing(datasets)}.")
    return found


def _code(before: Plan, after: Plan) -> Iterator[Unlike]:
    known = {m.label: m for m in before.models}
    both = [(known[m.label], m) for m in after.models if m.label in known]
    changed = [b.label for a, b in both if a.code != b.code]
    if changed:
        every = len(changed) == len(both) and len(both) > 1
        yield Unlike("code of families", "", f"another: {'all' if every else listing(changed)}")
    if before.judge != after.judge:
        yield Unlike("code that judges", "", "another")
    for a, b in both:
        if a.family != b.family:
            yield Unlike(f"class of {b.label}", a.family, b.family)


def _parameters(before: Plan, after: Plan) -> Iterator[Unlike]:
    known = {m.label: m for m in before.models}
    for model in after.models:
        if model.label in known and known[model.label].params != model.params:
            yield Unlike(f"parameters of {model.label}", *_unlike_params(known[model.label], model))


def _unlike_params(before: ModelFacts, after: ModelFacts) -> tuple[str, str]:
    names = [
        name
        for name in {**before.params, **after.params}
        if before.params.get(name) != after.params.get(name)
    ]

    def said(params: Mapping[str, Any]) -> str:
        return ", ".join(f"{n}={params[n]!r}" if n in params else f"no {n}" for n in names)

    return said(before.params), said(after.params)


def _budgets(comparison: Comparison) -> list[Unlike]:
    """Of the data sets that both runs have; those with the same change stand together."""
    before = {d.name: budget_of(d) for d in comparison.before.plan.datasets}
    after = {d.name: budget_of(d) for d in comparison.after.plan.datasets}
    both = [name for name in after if name in before]
    found: dict[tuple[str, str], list[str]] = {}
    for name in both:
        if before[name] != after[name]:
            found.setdefault((before[name], after[name]), []).append(name)
    return [
        Unlike("budget" if names == both else f"budget on {listing(names)}", *budgets)
        for budgets, names in found.items()
    ]


def _facts(prefix: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Unlike]:
    return [
        Unlike(
            f"{prefix}{name.replace('_', ' ')}",
            str(before.get(name, DASH)),
            str(after.get(name, DASH)),
        )
        for name in {**before, **after}
        if before.get(name) != after.get(name)
    ]
