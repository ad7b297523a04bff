"""Where nobody says what a fit may take: a budget that suits data of one's own, and is told."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest

import genzoo
from genzoo import Dataset, Independent
from genzoo.benchmark import cell as cells
from genzoo.benchmark.plan import make_plan
from genzoo.benchmark.suited import suited
from genzoo.fitting import Budget
from genzoo.report.reproduce import command
from genzoo.results.run import read_run


def table(n: int, n_columns: int) -> Dataset:
    rows = np.arange(n * n_columns).reshape(n, n_columns) % 2
    return Dataset.from_data(rows, "mine")


def budgets(datasets, budget=None, *, models=("independent",), seeds=1, folds=None):
    made = make_plan(list(models), datasets, seeds, budget, None, folds)
    return {entry.label: (str(entry.budget), entry.suited) for entry in made.datasets}


def test_a_table_of_6000_rows_and_15_columns_gets_20_seconds():
    """Families that use all of it leave a third of three minutes on two cores to the rest."""
    assert suited(table(6000, 15)) == Budget(seconds=20.0)
    assert len(genzoo.list_models()) * 20 <= 2 / 3 * 2 * 180


def test_more_data_get_more_time_within_limits():
    found = [suited(table(n, d)).seconds for n, d in ((20, 2), (6000, 15), (20_000, 40))]
    assert found == sorted(found)
    assert found[0] == 10
    assert suited(table(200_000, 200)).seconds == 300
    assert suited(table(3000, 30)) == suited(table(6000, 15)) == suited(table(15, 6000))


def test_what_lies_behind_an_end_counts_for_nothing():
    words = ["ab", "b", "abba", "bab"] * 500
    long = [*words[:-1], "ab" * 2000]
    assert suited(Dataset.from_data(long, "mine")) == suited(Dataset.from_data(words, "mine"))


def test_none_suits_data_of_ones_own_and_leaves_keys_alone(coin):
    assert budgets({"mine": table(6000, 15), "iris": "iris"}) == {
        "mine": ("20s", True),
        "iris": ("default", False),
    }
    given = {"mine": "default", "iris": "auto"}
    assert budgets({"mine": table(6000, 15), "iris": "iris"}, given) == {
        "mine": ("default", False),
        "iris": ("10s", True),
    }
    assert budgets({"coin": coin}, "7s") == {"coin": ("7s", False)}
    assert budgets({"coin": coin}, Budget()) == {"coin": ("default", False)}
    for wrong in ("much", "60", 60):
        with pytest.raises(ValueError, match='expected "60s", "2000 steps", "auto", "default" or'):
            budgets({"coin": coin}, wrong)


def test_it_follows_from_the_data_alone(coin):
    """A later call that adds models or seeds finds the same cells."""
    alone = make_plan(["independent"], {"x": coin}, 1, None, None)
    more = make_plan(["ngram", "independent"], {"x": coin}, 3, None, None)
    assert {c.key for c in alone.cells} <= {c.key for c in more.cells}
    words = {"words": ["ab", "b", "abb"] * 30}
    assert budgets(words) == budgets(words, folds=3)


@pytest.mark.usefixtures("cells_run_here")
def test_it_is_said_before_and_stated_after(tmp_path, capsys):
    arguments = {"out": tmp_path / "run", "n_jobs": 2}
    data = {"mine": table(100, 3)}
    genzoo.compare({"a": Independent(), "b": Independent(), "c": Independent()}, data, **arguments)
    said = [s for s in capsys.readouterr().err.splitlines() if s.startswith("each fit on mine")]
    assert len(said) == 1
    for words in ("may take 10s", "100 rows x 3 columns", "three fits", "20 s", '"30s"'):
        assert words in said[0]
    plan = json.loads((tmp_path / "run" / "plan.json").read_text())
    assert plan["datasets"][0]["budget"] == "10s"
    assert plan["datasets"][0]["suited"] is True
    again = genzoo.compare(["independent"], data, **arguments)
    assert "may take" in capsys.readouterr().err  # one cell is new
    assert again.records()[-1]["budget"] == "10s"
    genzoo.compare(["independent"], data, **(arguments | {"n_jobs": 1}))
    assert "may take" not in capsys.readouterr().err  # none is
    run = read_run(tmp_path / "run")
    assert "budget='10s'" in command(run)
    paths = again.report()
    assert "10s, chosen for 100 rows x 3 columns" in paths["md"].read_text()


def test_the_families_own_default_is_repeated_as_such(tmp_path):
    rows = np.arange(60).reshape(30, 2) % 3
    arguments = {"progress": False, "n_jobs": 1, "out": tmp_path / "run", "budget": "default"}
    genzoo.compare(["independent"], {"mine": rows}, **arguments)
    assert "budget='default'" in command(read_run(tmp_path / "run"))


@pytest.mark.usefixtures("cells_run_here")
def test_different_budgets_that_were_chosen_are_repeated_by_a_command_line(tmp_path):
    """The same budgets are chosen again; those that were given must be given again."""
    file = tmp_path / "mine.txt"
    file.write_text("\n".join(["ab", "b", "abb"] * 30))
    data, arguments = [str(file), "iris"], {"progress": False, "n_jobs": 1, "out": tmp_path / "run"}
    genzoo.compare(["independent"], data, **arguments)
    words = command(read_run(tmp_path / "run"))
    assert words.startswith("genzoo compare")
    assert "--budget" not in words
    genzoo.compare(["independent"], data, budget={"mine": "10s"}, **arguments)
    assert "budget={'mine': '10s', 'iris': None}" in command(read_run(tmp_path / "run"))


class Ticking(Independent):
    """A fit of 3 s, a second for each call of ``log_prob``, 7 s for ``sample``, on ``clock``."""

    clock = SimpleNamespace(now=0.0)

    def _fit(self, rows, valid, fit):
        self.clock.now += 3.0
        super()._fit(rows, valid, fit)

    def _log_prob(self, rows, *, seed):
        self.clock.now += 1.0
        return super()._log_prob(rows, seed=seed)

    def _sample(self, n, given, *, seed):
        self.clock.now += 7.0
        return super()._sample(n, given, seed=seed)


def test_what_follows_a_fit_is_no_part_of_its_time(coin, monkeypatch):
    clock = SimpleNamespace(perf_counter=lambda: Ticking.clock.now)
    for module in (cells, cells.validation):
        monkeypatch.setattr(module, "time", clock)
    cell = make_plan([Ticking()], [coin], 1, "60s", None).cells[-1]
    record = cells.run_cell(cell, lambda done, message: None).record
    assert record.status == "ok"
    assert (record.train_seconds, record.evaluate_seconds, record.sample_seconds) == (3, 1, 7)
    assert record.validation.seconds >= 1


def test_the_first_fit_of_a_worker_has_as_much_time_as_the_next(coin, monkeypatch):
    """Its libraries are imported before its time begins, once for each family of ours."""
    made = []
    monkeypatch.setattr(cells, "make_model", lambda key: made.append(key) or genzoo.make_model(key))
    cells.load_libraries.cache_clear()
    for cell in make_plan(["independent", Ticking()], [coin], 2, "1s", None).cells:
        cells.run_cell(cell, lambda done, message: None)
    assert made == ["independent"]
