"""``compare_runs``: runs in several folders, compared with each other and joined into one."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from genzoo.benchmark import joining, locks
from genzoo.benchmark.run import load_run
from genzoo.report.changes import FILES, build_changes, lead
from genzoo.report.changes_table import table
from genzoo.report.quality import sample_metrics
from genzoo.results.change import Comparison, compare_records, names_of
from genzoo.results.numbers import count, listing
from genzoo.results.plan import read_plan
from genzoo.results.run import read_run
from genzoo.store import check_place

if TYPE_CHECKING:
    import pandas as pd

JOINED = "joined"  # the folder of the runs as one


class ComparedRuns:
    """What ``compare_runs`` gives.

    Attributes:
        folder: where everything was written.
        said: what was done, a sentence each.
        paths: the files: ``html``, ``md`` and ``csv`` of what changed, where runs have cells in
            common; ``joined`` is the report of the runs as one, where they could be joined.
    """

    def __init__(
        self,
        folder: Path,
        said: list[str],
        paths: dict[str, Path],
        comparisons: list[Comparison],
        names: list[str],
    ) -> None:
        self.folder = folder
        self.said = said
        self.paths = paths
        self._comparisons = comparisons
        self._names = names

    def table(self) -> pd.DataFrame:
        """One row for each number of each family on each data set that two runs share, the columns
        of changes.csv: before and after, with errors; the difference, with its error, interval and
        p-value; ``verdict``. Without rows where the runs have nothing in common."""
        return table(self._comparisons, self._names)

    def __str__(self) -> str:
        return "\n".join(self.said)


def compare_runs(*folders: str | Path, out: str | Path | None = None) -> ComparedRuns:
    """Say what got better or worse from one run to another, and join runs that belong together.

    Of each family on each data set that two runs share, the mean log masses of the same test rows
    are compared pairwise, over all seeds of either run; what is called better or worse is beyond
    the noise of test rows and, where both runs have several seeds, of refitting
    (``genzoo.results.change``). With more than two folders each is compared with the first. Runs of
    which no cell has two answers are also joined into one, with its own report.

    Args:
        folders: of two runs or more, the earliest first; none of them is changed.
        out: where to write: a new folder, or that of an earlier call; beside the last run where
            None (``runs/a`` and ``runs/b``: ``runs/a-and-b``).

    Raises:
        ValueError: before anything is written: for folders that hold no run or the same, for runs
            that have nothing in common and can't be joined, and for another kind of ``out``.

    >>> import genzoo, tempfile
    >>> a, b = (tempfile.mkdtemp() for _ in range(2))
    >>> for folder, pseudo_count in ((a, 0.5), (b, 1e6)):
    ...     coin = {"coin": ["a", "a", "a", "b"] * 250}
    ...     model = {"coins": genzoo.make_model("independent", pseudo_count=pseudo_count)}
    ...     _ = genzoo.compare(model, coin, out=folder, progress=False)
    >>> found = genzoo.compare_runs(a, b, out=tempfile.mkdtemp())
    >>> found.table().verdict[0]
    'worse'
    """
    places = _places(folders)
    plans = [read_plan(place) for place in places]
    names = names_of(places)
    target = _target(places, out)
    sources = [joining.Source(*s) for s in zip(names, places, plans, strict=True)]
    with contextlib.ExitStack() as stack:
        for place in places:
            stack.enter_context(locks.reading(place))
        runs = [read_run(s.folder, s.plan, with_stacks=False) for s in sources]
        found = compare_records(runs, sample_metrics)
        why_not = joining.what_prevents(sources)
        shared = any(c.changes for c in found)
        if why_not is not None and not shared:
            raise ValueError(
                f"folders: expected runs with a family on the same rows in both, or that can be "
                f"joined; {listing(names)} have none in common, and {why_not}"
            )
        said: list[str] = []
        paths: dict[str, Path] = {}
        if why_not is None:
            _check_nothing_is_lost(sources, target / JOINED)
        if shared:
            paths |= build_changes(found, names, target)
            said += [lead(c, names[0], name) for c, name in zip(found, names[1:], strict=True)]
        else:
            said.append(f"{listing(names)} have no cell in common: there is nothing to compare.")
        if why_not is None:
            plan = joining.joined(sources)
            joining.write(sources, plan, target / JOINED)
            said.append(f"Joined: {count(len(plan.cells), 'cell')} of all runs, in one report.")
    if why_not is None:
        paths["joined"] = load_run(target / JOINED).report()["html"]
    else:
        said.append(f"Not joined into one report: {why_not}.")
    return ComparedRuns(target, said, paths, found, names)


def _places(folders: Sequence[str | Path]) -> list[Path]:
    """The folders as paths, each another."""
    for folder in folders:
        if not isinstance(folder, (str, os.PathLike)):
            raise ValueError(f"folders: expected paths of runs; got {folder!r}")
    places = [Path(folder) for folder in folders]
    if len(places) < 2:
        raise ValueError(f"folders: expected two runs or more; got {len(places)}")
    known: dict[Path, Path] = {}
    for place in places:
        if place.resolve() in known:
            raise ValueError(f"folders: expected different runs; {place} is there twice")
        known[place.resolve()] = place
    return places


def _target(places: Sequence[Path], out: str | Path | None) -> Path:
    """Where to write; nothing that is not an earlier call's stands there."""
    if out is None:
        last = places[-1].resolve()
        out = last.parent / "-and-".join(place.resolve().name for place in places)
    check_place(out, "out")
    target = Path(out)
    there = {file.name for file in target.iterdir()} if target.is_dir() else set()
    if there - {*FILES.values(), JOINED}:
        raise ValueError(
            f"out: expected a new folder, or one that an earlier comparison of runs wrote; "
            f"{target} holds {'a run' if 'plan.json' in there else min(there)}"
        )
    return target


def _check_nothing_is_lost(sources: Sequence[joining.Source], target: Path) -> None:
    """An earlier joined run gives way to the new one, unless it has grown since."""
    if not target.is_dir():
        return
    known = {cell.key for source in sources for cell in source.plan.cells}
    if {cell.key for cell in read_plan(target).cells} - known:
        raise ValueError(f"out: {target} holds cells that none of the runs has; give another")
