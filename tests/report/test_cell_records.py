"""Every cell opens: each number leads to the cell that it is from, and each cell says all of it."""

from __future__ import annotations

import json
from pathlib import Path

from demo_run import edit, edit_plan, write_demo
from reading import Element, article, names, numbers_in, page_of

from genzoo.report.cells import cell_id
from genzoo.results.run import read_run


def cells_of(page: Element, dataset: str) -> dict[str, Element]:
    """What is said of each cell of a data set, by its id."""
    bodies = article(page, dataset).one("details", cls="cells").all(cls="cell-body")
    return {body["id"]: body for body in bodies}


def facts_of(body: Element) -> dict[str, str]:
    pairs = zip(body.all("dt"), body.all("dd"), strict=True)
    return {name.text: words.text for name, words in pairs}


def test_every_cell_of_the_run_has_one_place_and_rankings_lead_there(tmp_path: Path) -> None:
    demo = write_demo(tmp_path / "run", seeds=(0, 1), datasets=("alarm", "names"))
    run, page = read_run(demo), page_of(demo)
    for dataset in ("alarm", "names"):
        found = cells_of(page, dataset)
        asked = [cell_id(c.record) for c in run.cells if c.dataset == dataset]
        assert sorted(found) == sorted(asked)
        links = article(page, dataset).one("table", cls="ranking").all("a", cls="cell-link")
        assert links
        assert {link["href"] for link in links} <= {f"#{id_}" for id_ in found}
    ids = [e["id"] for e in page if "id" in e.attributes]
    assert len(ids) == len(set(ids))


def test_a_cell_says_what_it_was_given_and_how_it_went(tmp_path: Path) -> None:
    demo = write_demo(tmp_path / "run", seeds=(0, 1), datasets=("flowers",))
    edit(demo, "vae-flowers-1", params={"width": 32, "ais_start": "proposal"}, budget="15s",
         notes=["something <b>odd</b>"], versions={"genzoo": "0.1.0", "torch": "2.0"},
         machine={"system": "Linux", "cores": 64})  # fmt: skip
    body = cells_of(page_of(demo), "flowers")["cell-vae-flowers-1"]
    facts = facts_of(body)
    assert facts["Seed"] == "1"
    assert facts["Budget"] == "15s"
    assert names(facts["Parameters"], "width=32", "ais_start='proposal'")
    assert facts["Test rows"].startswith("≥ −")
    assert names(facts["Estimator"], "lower bound", "IWAE", "41.3", "0.21 ± 0.06", "50")
    assert names(facts["Seconds"], "training 15 s", "scoring test rows 1.3 s")
    assert facts["Peak memory"] == "612 MiB"
    assert facts["Record"] == "cells/vae-flowers-1.json"
    # what the run's other cells share is not said again
    assert facts["Other versions"] == "torch 2.0"
    assert facts["Another machine"] == "cores 64"
    assert "something <b>odd</b>" in body.text
    assert numbers_in(facts["Training"].replace("\u202f", ",")) == ["1,000"]
    exact = facts_of(cells_of(page_of(demo), "flowers")["cell-hmm-flowers-0"])
    assert "exact" in exact["Estimator"]
    assert not {"Other versions", "Another machine", "Model not saved"} & set(exact)


def test_what_failed_or_was_not_reached_says_why(demo: Path) -> None:
    (demo / "cells" / "hmm-names-0.json").unlink()
    found = cells_of(page_of(demo), "names")
    failed, missing = found["cell-gan-names-0"], found["cell-hmm-names-0"]
    record = json.loads((demo / "cells" / "gan-names-0.json").read_text())
    assert record["reason"] in failed.text
    assert record["traceback"] in failed.text
    assert names(failed.text, "failed")
    assert names(missing.text, "not run")
    for body in (failed, missing):
        assert "--datasets names" in body.one("pre", cls="command").text


def test_the_command_is_of_the_cell_alone(tmp_path: Path) -> None:
    demo = write_demo(tmp_path / "run", seeds=(0, 3), datasets=("alarm", "flowers"))
    edit_plan(demo, profile="quick")
    found = cells_of(page_of(demo), "flowers")
    assert found["cell-hmm-flowers-0"].one("pre", cls="command").text == (
        "genzoo compare --models hmm --datasets flowers --seeds 1 --budget 15s --out again"
    )
    python = found["cell-hmm-flowers-3"].one("pre", cls="command").text
    for words in ("seeds=[3]", "'hmm': 'hmm'", "'flowers': 'flowers'", "budget='15s'"):
        assert words in python
    assert "alarm" not in python
    truth = cells_of(page_of(demo), "alarm")["cell-truth-alarm"]
    assert not truth.all("pre", cls="command")  # it is scored beside every fit
