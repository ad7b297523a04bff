"""The words of the report that stand in one place: all that a test asks of wording is here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from demo_run import write_demo
from judged import judged, with_scores

from genzoo.report.advice import advise
from genzoo.report.build import build
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


def with_masses(folder: Path, *, apart: float) -> None:
    """Two models that know different rows of ``flowers``, by ``apart`` nats; the others nothing."""
    rng = np.random.default_rng(0)
    for model in ("hmm", "vae", "gan", "transformer", "bayesian_network", "independent"):
        knows = {"hmm": 0, "bayesian_network": 1}.get(model)
        below = 12.0 if knows is None else 0.0
        masses = {}
        for name, n in (("log_prob", 400), ("valid_log_prob", 200)):
            own = knows == np.arange(n) % 2
            masses[name] = -8 - below - apart * ~own + 0.1 * rng.standard_normal(n)
        valid = float(masses["valid_log_prob"].mean())
        judged(folder, model, valid=valid, test=masses["log_prob"], kind="exact", query="exact")
        keep(folder, model, valid_log_prob=masses["valid_log_prob"])


def keep(folder: Path, model: str, **arrays: np.ndarray) -> None:
    """Put arrays beside those of a cell of ``flowers``."""
    path = folder / "cells" / f"{model}-flowers-0.npz"
    with np.load(path) as stored:
        known = dict(stored)
    np.savez(path, **(known | arrays))


def report_of(folder: Path) -> str:
    return build(folder)["md"].read_text()


def test_what_the_stack_is_said_to_be(tmp_path: Path) -> None:
    folder = write_demo(tmp_path / "run", datasets=("flowers",))
    with_masses(folder, apart=4.0)
    said = {a.purpose: a.words for a in advise(read_run(folder), "flowers")}
    assert said["likelihood"].startswith("stack: ")
    assert "It is a mixture: 0.50 " in said["likelihood"]
    assert "Of single models validation chose " in said["likelihood"]
    assert "stack" not in said["queries"]
    assert "stack" not in said["speed"].split(" trains in ")[0]
    text = report_of(folder)
    assert "What each model knows that the others don't" in text
    assert "On validation rows, cross-fitted, it lies 1." in text
    assert "stack (derived)" in text
    assert "one model on" not in text
    assert "Six models on one data set" in text  # which cells fitted


def test_what_is_said_where_one_model_is_all_of_the_stack(tmp_path: Path) -> None:
    folder = write_demo(tmp_path / "run", datasets=("flowers",))
    with_masses(folder, apart=0.0)
    rows = np.linspace(-9, -7, 200)
    judged(folder, "hmm", valid=float(rows.mean()) + 5)
    keep(folder, "hmm", valid_log_prob=rows + 5)
    text = report_of(folder)
    assert "All weight is on hmm: on validation rows no mixture is worth more." in text
    assert "hmm alone" in text
    assert not [a for a in advise(read_run(folder), "flowers") if a.model == "stack"]


def test_a_single_model_that_loses_next_to_nothing_is_recommended_over_the_stack(
    tmp_path: Path,
) -> None:
    folder = write_demo(tmp_path / "run", datasets=("flowers",))
    with_masses(folder, apart=0.5)
    said = next(a for a in advise(read_run(folder), "flowers") if a.purpose == "likelihood")
    assert said.model in ("hmm", "bayesian_network")
    assert "It is lighter than stack, which validation chose (one model instead of a mixture)" in (
        said.words
    )


def test_words() -> None:
    assert numbers.seconds(0.01) == "under 0.1 s"
    assert numbers.seconds(75) == "75 s"
    assert numbers.seconds(600) == "10.0 min"
    assert numbers.listing(["a"]) == "a"
    assert numbers.listing(["a", "b", "c"]) == "a, b and c"
    assert numbers.count(1, "seed") == "one seed"
    assert numbers.count(12, "family") == "12 families"
