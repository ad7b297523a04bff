"""The words of the report that stand in one place: all that a test asks of wording is here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from demo_run import write_demo
from judged import judged, with_scores

from genzoo.report.advice import advise
from genzoo.report.findings import headline
from genzoo.results import numbers
from genzoo.results.ranking import rank
from genzoo.results.run import read_run


def headline_of(folder: Path) -> str:
    run = read_run(folder)
    return " ".join(headline(run, [rank(run, dataset) for dataset in run.datasets]))


def test_the_headline_claims_what_is_proven_and_no_more(tmp_path: Path) -> None:
    folder = write_demo(tmp_path / "run", datasets=("flowers",))
    with_scores(folder)
    nothing, best = (
        "On no data set is it proven better",
        "proven better than every rival on flowers",
    )
    assert nothing in headline_of(folder)
    assert best not in headline_of(folder)
    judged(folder, "hmm", valid=-1.0, test=-1 + 0.1 * np.random.default_rng(0).normal(size=400))
    partly = "proven better than every rival with an exact value"
    assert partly in headline_of(folder)
    for model in ("vae", "gan"):
        judged(folder, model, kind="exact")
    assert best in headline_of(folder)
    for model in ("hmm", "vae", "gan", "transformer", "bayesian_network", "independent"):
        judged(folder, model, n_valid=29)
    text = headline_of(folder)
    assert "On flowers there are too few validation rows to choose by." in text
    assert best not in text
    assert "Validation chose" not in text


def test_what_is_not_told_apart_is_not_called_equal(tmp_path: Path) -> None:
    folder = write_demo(tmp_path / "run", datasets=("flowers",))
    with_scores(folder)
    said = " ".join(a.words for a in advise(read_run(folder), "flowers"))
    assert not [word for word in ("equal", "no difference", "as good") if word in said]


def test_words() -> None:
    assert numbers.seconds(0.01) == "under 0.1 s"
    assert numbers.seconds(75) == "75 s"
    assert numbers.seconds(600) == "10.0 min"
    assert numbers.listing(["a"]) == "a"
    assert numbers.listing(["a", "b", "c"]) == "a, b and c"
    assert numbers.count(1, "seed") == "one seed"
    assert numbers.count(12, "family") == "12 families"
