"""Near matches of a name that is not known: "did you mean", for all errors that name what is."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

MOST_NAMES = 10_000  # that are compared: an error must not take seconds
FEWEST_LETTERS = 3  # of a part of a name that stands for the whole


def did_you_mean(given: Any, known: Iterable[Any], path: str | None = None) -> str:
    """``; did you mean 'digits'?``, the end of an error; "" where no known name is near.

    Args:
        given: what came.
        known: what could have come.
        path: what may be meant as well, as ``near_path`` found it.

    >>> did_you_mean("digts", ["adult", "digits"])
    "; did you mean 'digits'?"
    >>> did_you_mean("Bayes", ["vae", "bayesian_network"])
    "; did you mean 'bayesian_network'?"
    >>> did_you_mean("xyz", ["vae"])
    ''
    """
    found = near(given, known)
    meant = [] if found is None or found == given else [repr(found)]
    meant += [] if path is None else [path]
    return f"; did you mean {' or '.join(meant)}?" if meant else ""


def near(given: Any, known: Iterable[Any]) -> Any:
    """The known name (text or an integer) that is nearest to what was given; None where none is.

    Capitals, blanks and hyphens don't count. Behind a slip of some letters (``difflib``) comes a
    part of a name, of which the shortest is taken.
    """
    if not isinstance(given, (str, int)) or isinstance(given, bool):
        return None
    folded: dict[str, Any] = {}
    for name in islice(known, MOST_NAMES):
        if isinstance(name, (str, int)):
            folded.setdefault(_folded(name), name)
    asked = _folded(given)
    close = difflib.get_close_matches(asked, folded, n=1)
    if not close and len(asked) >= FEWEST_LETTERS:
        close = sorted((name for name in folded if asked in name), key=len)
    return folded[close[0]] if close else None


def _folded(name: str | int) -> str:
    return str(name).strip().casefold().replace("-", "_").replace(" ", "_")


def did_you_mean_path(path: str | os.PathLike[str], *, folder: bool = False) -> str:
    """The same of a path, as ``near_path`` finds it."""
    return did_you_mean(None, (), near_path(path, folder=folder))


def near_path(path: str | os.PathLike[str], *, folder: bool = False) -> str | None:
    """What is there under nearly that path, if it is to be one a folder; None where nothing is."""
    found = Path()
    if not Path(path).parts:
        return None
    for part in Path(path).parts:
        try:
            is_there = (found / part).exists()
            there = [] if is_there else sorted(os.listdir(found))
        except OSError:  # unreadable, or a name that is too long
            return None
        if not is_there:
            part = near(part, [name for name in there if not name.startswith(".")])
            if part is None:
                return None
        found /= part
    return str(found) if (found.is_dir() if folder else found.exists()) else None
