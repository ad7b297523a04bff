"""The table of who fills in hidden entries how well: the same entries for every model."""

from __future__ import annotations

from dataclasses import dataclass

from genzoo.report.wording import in_percent
from genzoo.results.contender import Contender, of_hidden
from genzoo.results.numbers import DASH, with_error
from genzoo.results.ranking import Ranking
from genzoo.results.statistics import weakest


@dataclass(frozen=True)
class Told:
    """A share of hidden entries, as text: nats an entry, and how many were filled in right."""

    nats: str
    right: str


@dataclass(frozen=True)
class Line:
    """A model's line; ``told`` has one entry for each share of the table."""

    model: str
    seed: int | None
    told: list[Told]


@dataclass(frozen=True)
class Table:
    """The shares that were hidden, the lines in the order of the ranking, how many test rows were
    asked, and what was left out of whom, with the reason."""

    shares: list[str]
    lines: list[Line]
    n_rows: int
    left_out: list[tuple[str, str]]


def table(ranking: Ranking) -> Table | None:
    """How well the fits that validation chose fill in; None where none was asked."""
    fits = [entry.fit for entry in ranking.entries if entry.fit is not None]
    records = [record.imputation for fit in fits for record in fit.records]
    found = {share for record in records if record is not None for share in record.hidden}
    shares = sorted(found, key=lambda share: float(share.split()[0]))  # "10 %", "50 %", ...
    if not shares:
        return None
    asked = [fit for fit in fits if any(fit.count(of_hidden(share)) for share in shares)]
    parts = map(of_hidden(shares[0]), asked[0].records)
    left_out = {
        f"{fit.model}, {share}": reason
        for fit in fits
        for record in fit.records
        if record.imputation is not None
        for share, reason in record.imputation.left_out.items()
    }
    n_rows = sum(part.n_rows for part in parts if part is not None)
    return Table(shares, [_line(fit, shares) for fit in asked], n_rows, [*left_out.items()])


def _line(fit: Contender, shares: list[str]) -> Line:
    return Line(fit.model, fit.seed, [_told(fit, share) for share in shares])


def _told(fit: Contender, share: str) -> Told:
    part = of_hidden(share)
    nats = fit.weighed(part, lambda p: p.nats)
    right = fit.weighed(part, lambda p: p.right)
    if nats is None:
        return Told(DASH, DASH)
    kind = weakest([p.nats.kind for p in map(part, fit.records) if p is not None])
    return Told(with_error(*nats, kind), DASH if right is None else in_percent(right))
