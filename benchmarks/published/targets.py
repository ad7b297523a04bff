"""What the families are to reach, and what they did: sums over the records.

The best family of a data set is the one with the best *validation* score; only its test figure
counts; where the families' records were not made under equal conditions, that is said beside it.
Doubtful published figures count for nothing. Where a figure is a lower bound it counts as
it stands: the truth can only be better. What the best family has not reached is open, not failed,
while a family has no record.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from typing import Any

from genzoo import list_models
from published.conditions import inequalities
from published.figures import Published
from published.records import CHOW_LIU

Record = dict[str, Any]

AGREEMENT = 0.02  # nats between the measured targets and ours
ROUNDING = 0.005  # published figures have two decimals
WINMINE, TREE, PRODUCT = "BN (WinMine)", "CLT alpha=1", "Independent Bernoulli"
COMPARED = ("debd/nltcs", "debd/msnbc", "debd/plants", "debd/tretail")
WIDE = ("debd/cwebkb", "debd/cr52", "debd/c20ng", "debd/ad")
MEMORY_MB = 8 * 1024


@dataclass(frozen=True)
class Comparison:
    """A test figure of ours beside a published one, both log-likelihoods in nats per row."""

    model: str
    kind: str
    value: float
    stderr: float
    method: str
    published: float

    @property
    def behind(self) -> float:
        """By how many per cent of the published figure ours is worse; negative: better."""
        return 100 * (self.published - self.value) / abs(self.published)


@dataclass(frozen=True)
class BinarySummary:
    """A binary table in one line; None for what was not run or not published. ``unequal`` says in
    which conditions the families' records differ."""

    dataset: str
    best: Comparison | None
    unequal: str
    network: Comparison | None
    network_and_own_tree: float | None  # nats by which the network is better
    tree: Comparison | None
    product: Comparison | None


@dataclass(frozen=True)
class Target:
    """What is to be reached, what was found, and whether that is enough (None: not all was run)."""

    what: str
    reach: str
    found: str
    reached: bool | None


def best_on_validation(
    records: Sequence[Record], dataset: str, suits: Callable[[Record], bool] = lambda record: True
) -> Record | None:
    """The record of the family with the best validation score."""
    found = [r for r in _of_families(records, dataset) if suits(r)]
    return max(found, key=lambda r: r["validation"]["value"], default=None)


def _of_families(records: Sequence[Record], dataset: str) -> list[Record]:
    """The answers among which the best is chosen."""
    return [r for r in _answers(records, dataset) if r["model"] != CHOW_LIU]


def _said(found: str, records: Sequence[Record]) -> str:
    """What was found among these records, with the conditions in which they differ."""
    unequal = inequalities(records)
    return f"{found} (unequal conditions: {unequal})" if found and unequal else found


def _answers(records: Sequence[Record], dataset: str) -> list[Record]:
    return [r for r in records if r["dataset"] == dataset and r["status"] == "ok"]


def _missing(records: Sequence[Record], dataset: str) -> set[str]:
    """The families that have no record, not even of a failure."""
    return set(list_models()) - {r["model"] for r in records if r["dataset"] == dataset}


def _of_model(records: Sequence[Record], dataset: str, model: str) -> Record | None:
    """The record of a family's first seed."""
    found = [r for r in _answers(records, dataset) if r["model"] == model]
    return min(found, key=lambda r: r["seed"], default=None)


def _compare(record: Record | None, row: Published | None) -> Comparison | None:
    if record is None or row is None:
        return None
    figure = record["test"]["test"]
    return Comparison(
        record["model"], figure["kind"], figure["value"], figure["stderr"], row.method, row.value
    )


def summarise_binary(
    records: Sequence[Record], published: Sequence[Published]
) -> list[BinarySummary]:
    """A line for each binary table of which there are records."""
    names = dict.fromkeys(r["dataset"] for r in records if r["dataset"].startswith("debd/"))
    return [_summary(records, published, name) for name in names]


def _summary(
    records: Sequence[Record], published: Sequence[Published], dataset: str
) -> BinarySummary:
    rows = {row.method: row for row in published if row.dataset == dataset and not row.doubtful}
    best = max(rows.values(), key=lambda row: row.value, default=None)
    network, tree = (_of_model(records, dataset, m) for m in ("bayesian_network", CHOW_LIU))
    gain = None
    if network is not None and tree is not None:
        gain = network["test"]["test"]["value"] - tree["test"]["test"]["value"]
    return BinarySummary(
        dataset,
        _compare(best_on_validation(records, dataset), best),
        inequalities(_of_families(records, dataset)),
        _compare(network, rows.get(WINMINE)),
        gain,
        _compare(tree, rows.get(TREE)),
        _compare(_of_model(records, dataset, "independent"), rows.get(PRODUCT)),
    )


def disagreements(summaries: Sequence[BinarySummary]) -> list[str]:
    """Where ours differs from what was measured on the same files, in words."""
    pairs = [(s.dataset, c) for s in summaries for c in (s.tree, s.product) if c is not None]
    return [
        f"{name}: {c.model} {c.value:.4f}, measured {c.published:.4f}"
        for name, c in pairs
        if abs(c.value - c.published) > AGREEMENT
    ]


# -------------------------------------------------------------------- the list


def all_targets(records: Sequence[Record], published: Sequence[Published]) -> list[Target]:
    """Every target, in the order of the tables."""
    return [
        *_of_tables(records, summarise_binary(records, published)),
        *_of_compared(records, published),
        _of_wide_tables(records),
        _at_most(
            "mnist_binary, best exact family", 105,
            best_on_validation(records, "mnist_binary", lambda r: _kind(r) == "exact"), "test",
            _missing(records, "mnist_binary"), _of_families(records, "mnist_binary"),
        ),
        _at_most(
            "mnist_binary, vae (bound)", 93, _of_model(records, "mnist_binary", "vae"), "test"
        ),
        *(
            _at_most(
                f"tinyshakespeare, {model}, whole text", limit,
                _of_model(records, "tinyshakespeare", model), "sliding",
            )
            for model, limit in (("transformer", 1.58), ("ngram", 1.68))
        ),
        _at_most(
            "jsb_chorales, best family, windows", 7.5,
            best_on_validation(records, "jsb_chorales"), "windows",
            _missing(records, "jsb_chorales"), _of_families(records, "jsb_chorales"),
        ),
        _at_most(
            "jsb_chorales, hmm, windows", 8.6,
            _of_model(records, "jsb_chorales", "hmm"), "windows",
        ),
        _at_most(
            "names, best family", 1.95,
            best_on_validation(records, "names"), "test", _missing(records, "names"),
            _of_families(records, "names"),
        ),
        _of_adult(records),
    ]  # fmt: skip


def _kind(record: Record) -> str:
    return next(iter(record["test"].values()))["kind"]


def _of_tables(records: Sequence[Record], summaries: Sequence[BinarySummary]) -> list[Target]:
    networks = [s.network for s in summaries if s.network is not None]
    level = sum(c.value >= c.published - ROUNDING for c in networks)
    near = all(c.value >= c.published - ROUNDING or c.behind <= 1 for c in networks)
    gains = [s.network_and_own_tree for s in summaries if s.network_and_own_tree is not None]
    behind = [s.best.behind for s in summaries if s.best is not None]
    agreed = [c for s in summaries for c in (s.tree, s.product) if c is not None]
    wrong = disagreements(summaries)
    within = {share: sum(b <= share for b in behind) for share in (1, 2)}
    missing = {model for s in summaries for model in _missing(records, s.dataset)}
    families = [r for s in summaries for r in _of_families(records, s.dataset)]
    return [
        Target(
            "binary tables, bayesian_network at WinMine's level (to its two decimals)",
            "8 of 10, within 1 % on the others",
            _share(level, networks) + (", all others within 1 %" if networks and near else ""),
            _enough(len(networks), level >= 8 and near),
        ),
        Target(
            "binary tables, bayesian_network never worse than its own Chow-Liu tree",
            "all",
            _share(sum(g >= 0 for g in gains), gains),
            _enough(len(gains), all(g >= 0 for g in gains)),
        ),
        *(
            Target(
                f"binary tables, best family within {share} % of the best published figure",
                f"{least} of 10",
                _said(_share(within[share], behind), families),
                _enough(len(behind), _unless_open(within[share] >= least, missing)),
            )
            for share, least in ((1, 5), (2, 7))
        ),
        Target(
            f"binary tables, chow_liu and independent within {AGREEMENT} nats of the measured",
            "all",
            _share(len(agreed) - len(wrong), agreed),
            _enough(len(agreed) / 2, not wrong),
        ),
    ]


def _share(count: int, of: Sequence[object]) -> str:
    return f"{count} of {len(of)}" if of else ""


def _enough(n: float, condition: bool | None) -> bool | None:
    return condition if n >= 10 else None


def _unless_open(condition: bool, missing: Set[str]) -> bool | None:
    """What is not reached may be reached yet by a family that is missing."""
    return condition or (None if missing else False)


def _of_compared(records: Sequence[Record], published: Sequence[Published]) -> list[Target]:
    targets = []
    for model, method in (("vae", "VAE"), ("transformer", "MADE")):
        behind = []
        for name in COMPARED:
            row = next(p for p in published if p.dataset == name and p.method == method)
            pair = _compare(_of_model(records, name, model), row)
            behind += [] if pair is None else [(name, pair.behind)]
        targets.append(
            Target(
                f"binary tables, {model} beside the published {method}",
                "within 1 % on " + ", ".join(_short(name) for name in COMPARED),
                ", ".join(f"{_short(name)} {value:+.2f} %" for name, value in behind)
                + (" (+: worse)" if behind else ""),
                all(b <= 1 for _, b in behind) if len(behind) == len(COMPARED) else None,
            )
        )
    return targets


def _short(dataset: str) -> str:
    return dataset.split("/")[-1]


def _of_wide_tables(records: Sequence[Record]) -> Target:
    cells = [r for r in records if r["dataset"] in WIDE]
    counts = {s: sum(r["status"] == s for r in cells) for s in ("ok", "unsupported", "failed")}
    peak = max((r["peak_memory_mb"] or 0.0 for r in cells), default=0.0)
    found = ", ".join(f"{n} {status}" for status, n in counts.items() if n)
    # it takes all cells to reach it, and one to miss it
    reached = None if any(_missing(records, name) for name in WIDE) else True
    if counts["failed"] or peak > MEMORY_MB:
        reached = False
    return Target(
        "wide tables (" + ", ".join(_short(name) for name in WIDE) + "), every family",
        "an answer within 8 GiB",
        f"{found}; peak {peak / 1024:.1f} GiB" if cells else "",
        reached,
    )


def _at_most(
    what: str,
    limit: float,
    record: Record | None,
    score: str,
    missing: Set[str] = frozenset(),
    among: Sequence[Record] = (),
) -> Target:
    """A target in nats a unit, to which a bound counts as it stands.

    ``missing`` are the families that could still be the best, ``among`` the records that the best
    was chosen from.
    """
    if record is None or score not in record["test"]:
        return Target(what, f"<= {limit:g}", "", None)
    figure = record["test"][score]
    mark = {"exact": "", "lower_bound": "<= ", "estimate": "~ "}[figure["kind"]]
    found = f"{record['model']}: {mark}{-figure['value']:.3f} +- {figure['stderr']:.3f}"
    reached = _unless_open(-figure["value"] <= limit, missing)
    return Target(what, f"<= {limit:g}", _said(found, among), reached)


def _of_adult(records: Sequence[Record]) -> Target:
    what, reach = "adult, labels told right, best family", ">= 84 %"
    record, missing = best_on_validation(records, "adult"), _missing(records, "adult")
    if record is None:
        return Target(what, reach, "", None)
    figure = record["test"]["accuracy"]
    share, error = 100 * figure["value"], 100 * figure["stderr"]
    found = _said(
        f"{record['model']}: {share:.2f} +- {error:.2f} %", _of_families(records, "adult")
    )
    return Target(what, reach, found, _unless_open(share >= 84, missing))
