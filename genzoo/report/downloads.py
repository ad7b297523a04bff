"""The log masses of test rows, row by row, as CSV files that a reader can take from the page.

A page carries at most ``MOST_BYTES`` of them in itself, as links that need neither network nor
scripts; what is more lies beside the report.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import numpy as np

from genzoo import store
from genzoo.results.contender import Contender
from genzoo.results.numbers import number
from genzoo.results.record import TRUTH
from genzoo.results.run import RunRecord

MOST_BYTES = 1_500_000  # of one page
DIGITS = 5
FOLDER = "log_probs"


@dataclass(frozen=True)
class Download:
    """A file that a page hands out.

    Attributes:
        name: what it is called where it is saved.
        address: a ``data:`` address that holds all of it, or where it lies beside the page.
        lies_beside: whether the latter.
    """

    name: str
    address: str
    size: str
    lies_beside: bool


def downloads(run: RunRecord) -> dict[str, Download]:
    """One for each data set that has log masses; those that the page has no room for, the largest
    ones, are written into the run's folder."""
    files = {facts.name: log_masses(run, facts.name) for facts in run.plan.datasets}
    addresses = {name: _address(text) for name, text in files.items() if text}
    found, room = {}, MOST_BYTES
    for name, address in sorted(addresses.items(), key=lambda item: len(item[1])):
        room -= len(address)
        if lies_beside := room < 0:
            path = f"{FOLDER}/{name}.csv"
            store.write_atomically(run.folder / path, files[name].encode())
            address = quote(path)
        size = f"{number(len(files[name]) / 1000, 0)} kB"
        saved_as = f"{FOLDER}_{name.replace('/', '_')}.csv"
        found[name] = Download(saved_as, address, size, lies_beside)
    return found


def _address(text: str) -> str:
    return "data:text/csv;charset=utf-8," + quote(text, safe=",")


def log_masses(run: RunRecord, dataset: str) -> str:
    """A line a test row, a column for each fit, the truth first; empty where no masses were kept.

    Columns: the fold (from 1) where there are several, the row's place in the test part (from 0),
    its group where rows belong together, and log masses in nats, of which the head says the kind.
    """
    fits = [f for model in (TRUTH, *run.models) for f in run.contenders(model, dataset)]
    known = [(f, values) for f in fits for values in [f.array("log_prob")] if values is not None]
    if not known:
        return ""
    first, of_first = known[0]
    known = [(fit, values) for fit, values in known if values.shape == of_first.shape]
    columns: dict[str, Any] = {}
    sizes = [len(c.log_prob) for c in first.cells if c.log_prob is not None]
    if len(sizes) > 1:
        columns["fold"] = np.repeat(np.arange(len(sizes)) + 1, sizes)
    columns["row"] = np.concatenate([np.arange(n) for n in sizes])
    if (groups := first.array("groups")) is not None:
        columns["group"] = groups
    several = len(run.seeds) > 1
    columns |= {_head(f, several=several): np.char.mod(f"%.{DIGITS}g", v) for f, v in known}
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(columns)
    lines.writerows(zip(*(values.tolist() for values in columns.values()), strict=True))
    return text.getvalue()


def _head(fit: Contender, *, several: bool) -> str:
    # a name that a spreadsheet would take for a formula does not come first
    seed = f" seed {fit.seed}" if several and fit.seed is not None else ""
    return f"log_prob {fit.model}{seed} [nats, {fit.kind.replace('_', ' ')}]"
