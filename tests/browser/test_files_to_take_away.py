"""What the page hands out: figures as SVG that stand by themselves, tables and figures as CSV."""

from __future__ import annotations

import csv
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from opening import opened

pytestmark = pytest.mark.slow

SVG = "{http://www.w3.org/2000/svg}"
FORMULA = "=HYPERLINK(1)"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with names that a spreadsheet would take for formulas, and one with a quote."""
    from demo_run import edit, write_demo

    folder: Path = write_demo(tmp_path_factory.mktemp("taken") / "run")
    plan = json.loads((folder / "plan.json").read_text())
    renamed = {"hmm": FORMULA, "gan": 'a "b", c'}
    for model in plan["models"]:
        model["label"] = renamed.get(model["label"], model["label"])
    for cell in plan["cells"]:
        cell["model"] = renamed.get(cell["model"], cell["model"])
    (folder / "plan.json").write_text(json.dumps(plan))
    for old, new in renamed.items():
        for file in (folder / "cells").glob(f"{old}-*.json"):
            edit(folder, file.stem, model=new)
    return folder


@pytest.fixture
def page(browser: Any, run: Path) -> Iterator[Any]:
    from genzoo.report import build

    page, complaints, foreign = opened(browser, build(run)["html"].as_uri())
    # one data set is shown at a time; here all are asked
    page.evaluate("document.querySelectorAll('[hidden]').forEach(e => { e.hidden = false; })")
    yield page
    assert (complaints, [url for url in foreign if not url.startswith("blob:")]) == ([], [])
    page.close()


def taken(page: Any, button: Any) -> tuple[str, str]:
    """The name and the text of the file that a button hands out."""
    with page.expect_download() as found:
        button.click()
    download = found.value
    return download.suggested_filename, Path(download.path()).read_bytes().decode()


def button_of(page: Any, name: str, form: str) -> Any:
    return page.locator(f"button.take[aria-label='Download {name} as {form}']")


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


def test_every_figure_and_every_table_can_be_taken(page: Any) -> None:
    counts = page.evaluate(
        """() => ({
          figures: document.querySelectorAll('main svg[role=img]').length,
          numbered: document.querySelectorAll('main svg[data-numbers]').length,
          tables: document.querySelectorAll('main table').length,
          svg: [...document.querySelectorAll('.take')].filter(b => b.textContent == 'SVG').length,
          csv: [...document.querySelectorAll('.take')].filter(b => b.textContent == 'CSV').length,
        })"""
    )
    assert counts["figures"] == counts["svg"] >= counts["numbered"] > 5
    assert counts["csv"] == counts["tables"] + counts["numbered"]


def test_a_table_is_taken_as_numbers(page: Any, run: Path) -> None:
    name, text = taken(page, button_of(page, "Nats per row, all results", "CSV"))
    assert name == "genzoo-run-nats-per-row-all-results.csv"
    rows = {row["Model"]: row for row in rows_of(text)}
    assert set(rows) == {
        "independent", "bayesian_network", f"'{FORMULA}", "vae", 'a "b", c', "transformer", "truth"
    }  # fmt: skip
    for model, key in (("vae", "vae"), (f"'{FORMULA}", "hmm"), ("transformer", "transformer")):
        record = json.loads((run / "cells" / f"{key}-flowers-0.json").read_text())
        assert float(rows[model]["flowers"]) == pytest.approx(record["test_log_prob"], rel=1e-6)
        assert float(rows[model]["flowers ±"]) == pytest.approx(record["stderr"], rel=0.1)
        assert rows[model]["flowers kind"] == ("≥" if key == "vae" else "")
    assert rows['a "b", c']["names"] == "failed"
    # no field that a spreadsheet would run
    for field in csv.reader(text.splitlines()):
        for value in field:
            assert not re.match(r"[=+@]|-(?![\d.])", value)


def test_what_is_filtered_away_or_sorted_is_so_in_the_file(page: Any) -> None:
    box = page.locator(".explorer .choices[data-choice='dataset']")
    box.locator("summary").click()
    box.locator("[data-none]").click()
    box.locator("input[value='flowers']").check()
    page.locator(".view-nats th[data-sort='flowers'] button").click()
    rows = rows_of(taken(page, button_of(page, "Nats per row, all results", "CSV"))[1])
    assert {title.split(" ")[0] for title in rows[0]} == {"Model", "flowers"}
    values = [float(row["flowers"]) for row in rows if row["Model"] != "truth"]
    assert values == sorted(values, reverse=True)


def test_seconds_are_seconds_and_counts_have_columns_of_their_own(page: Any, run: Path) -> None:
    page.click("label[for='view-cost']")
    rows = rows_of(taken(page, button_of(page, "Training time, all results", "CSV"))[1])
    record = json.loads((run / "cells" / "vae-play-0.json").read_text())
    (vae,) = (row for row in rows if row["Model"] == "vae")
    assert float(vae["play"]) == pytest.approx(record["train_seconds"], rel=1e-6)
    assert vae["play note"].startswith("15 s")
    rows = rows_of(taken(page, button_of(page, "Who beats whom", "CSV"))[1])
    row = next(r for r in rows if r["Family"] == "vae")
    shown = page.locator(".duels tr[data-model='vae'] td.all .counts").inner_text()
    assert [row[f"all {part}"] for part in ("better", "can't tell", "worse")] == shown.split(" · ")


def test_a_cell_that_spans_rows_stands_in_each(page: Any) -> None:
    _, text = taken(page, button_of(page, "Sample rows of flowers", "CSV"))
    rows = rows_of(text)
    assert len({len(row) for row in rows}) == 1
    assert [row["Source"] for row in rows].count("vae") == 3
    assert {row["species"] for row in rows} <= {"setosa", "versicolor", "virginica"}


def test_a_figures_numbers_are_those_it_is_drawn_from(page: Any, run: Path) -> None:
    name = "Validation log-likelihood on alarm over training seconds, for each model"
    rows = list(csv.reader(taken(page, button_of(page, name, "CSV"))[1].splitlines()))
    assert rows[0] == ["model", "seconds", "nats"]
    record = json.loads((run / "cells" / "vae-alarm-0.json").read_text())
    wanted = [(p["seconds"], p["valid"]) for p in record["training"]["curve"]]
    found = [tuple(map(float, row[1:])) for row in rows[1:] if row[0] == "vae"]
    assert np.array(found) == pytest.approx(np.array(wanted), rel=1e-5)
    name = "Shares of the values of species: real rows and models"
    rows = list(csv.reader(taken(page, button_of(page, name, "CSV"))[1].splitlines()))
    assert rows[0] == ["source", "setosa", "versicolor", "virginica"]
    for row in rows[1:]:
        assert sum(map(float, row[1:])) == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_figure_stands_by_itself(page: Any, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    label = "Validation log-likelihood on alarm over training seconds, for each model"
    name, text = taken(page, button_of(page, label, "SVG"))
    assert name.endswith(".svg")
    root = ET.fromstring(text)
    assert root.tag == f"{SVG}svg"
    assert "class=" not in text
    assert "data-" not in text
    assert "var(" not in text
    assert "href" not in text
    ground = root.find(f"{SVG}rect")
    assert ground is not None
    assert ground.get("fill") == ("#ffffff" if scheme == "light" else "#1c1f25")
    line = root.find(f".//{SVG}polyline")
    assert line is not None
    assert "fill: none" in line.attrib["style"]
    # a picture in a viewer that knows nothing of the page: not of one colour
    drawn = page.context.browser.new_page(viewport={"width": 760, "height": 340})
    drawn.set_content(f"<body style='margin:0'>{''}<img id='x'></body>")
    n_colours = drawn.evaluate(
        """async text => {
          const image = document.getElementById('x');
          image.src = 'data:image/svg+xml;base64,' +
            btoa(String.fromCharCode(...new TextEncoder().encode(text)));
          await image.decode();
          const canvas = document.createElement('canvas');
          [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
          const context = canvas.getContext('2d');
          context.drawImage(image, 0, 0);
          const {data} = context.getImageData(0, 0, canvas.width, canvas.height);
          const seen = new Map();
          for (let i = 0; i < data.length; i += 4) {
            const key = [data[i], data[i + 1], data[i + 2], data[i + 3]].join();
            seen.set(key, (seen.get(key) ?? 0) + 1);
          }
          return [...seen.values()].filter(n => n > 50).length;
        }""",
        text,
    )
    assert n_colours > 5
    drawn.close()
