"""What docs/generate.py writes is as code and results have it: else ``make generated``."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import pytest

import genzoo
from genzoo.keys import COMPOSED, FACE, MODELS

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from docs import evidence, generate  # noqa: E402 - found by the line above


def test_the_face_is_that_of_the_registry():
    names = {place.partition(":")[2] for place in MODELS.values()}
    assert names < set(FACE)
    assert sorted(genzoo.__all__) == sorted({"__version__", *FACE})
    for name in genzoo.__all__:
        assert getattr(genzoo, name) is not None
        assert name in dir(genzoo)
    with pytest.raises(AttributeError, match="no attribute 'Vae'"):
        genzoo.Vae  # noqa: B018


def test_the_stub_is_current():
    path, text = next(generate.generated())
    assert path.read_text(encoding="utf-8") == text


@pytest.mark.slow
def test_the_kinds_of_the_families_are_current():
    name = "docs/families/index.md"
    assert generate.renewed(name, generate.PARTS[name]) == (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(set(generate.PARTS) - {"docs/families/index.md"}))
def test_the_parts_that_need_no_training_are_current(name):
    assert generate.renewed(name, generate.PARTS[name]) == (ROOT / name).read_text(encoding="utf-8")


def test_every_family_has_a_page_and_every_argument_is_explained():
    for key in [*MODELS, *COMPOSED]:
        assert (ROOT / f"docs/families/{key}.md").exists()
        cls = getattr(genzoo, (MODELS | COMPOSED)[key].partition(":")[2])
        assert set(generate.arguments(cls)) == set(cls._param_names()), key


def test_figures_are_those_of_the_results_with_their_marks():
    titles, *lines = evidence.matrix()
    shown = {(row[0].strip("`"), d.strip("`")): cell for row in lines
             for d, cell in zip(titles[1:], row[1:], strict=True)}  # fmt: skip
    with (ROOT / "benchmarks/results/quick.csv").open(newline="", encoding="utf-8") as file:
        results = list(csv.DictReader(file))
    assert len(results) == sum(cell != "" for cell in shown.values())
    for row in results:
        bound = "≥ " if row["kind"] == "lower_bound" else ""
        wanted = f"{bound}{float(row['test_log_prob']):.2f}"
        assert shown[row["model"], row["dataset"]] == wanted


def test_what_is_chosen_is_chosen_by_validation_and_what_comes_near_does():
    _, *lines = evidence.chosen()
    for line in lines:
        rows = evidence.families(line[0].strip("`"))
        best = max(rows, key=lambda m: float(rows[m]["valid_log_prob"]))
        assert f"[`{best}`]" in line[2]
        start = float(rows["independent"]["test_log_prob"])
        gain = float(rows[best]["test_log_prob"]) - start
        quickest = next(m for m in rows if line[6].startswith(f"[`{m}`]"))
        for family, row in rows.items():
            if float(row["test_log_prob"]) - start >= 0.95 * gain:
                least = float(rows[quickest]["train_seconds"])
                assert least <= float(row["train_seconds"]), family
        assert float(rows[quickest]["test_log_prob"]) - start >= 0.95 * gain
