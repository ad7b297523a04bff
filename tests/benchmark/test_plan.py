"""What ``compare`` is asked for is checked before any work is done."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from troublemakers import Learner

import genzoo
from genzoo.benchmark.arguments import read_models
from genzoo.benchmark.plan import make_plan
from genzoo.benchmark.profiles import PROFILES
from genzoo.fitting import Budget
from genzoo.keys import DATASETS, MODELS


def plan(models=("independent",), datasets=("asia",), seeds=1, budget=None, profile=None):
    return make_plan(list(models), list(datasets), seeds, budget, profile)


def keys(made):
    return [cell.key for cell in made.cells]


def test_cells_are_models_times_datasets_times_seeds_and_the_truth(coin):
    made = make_plan(["independent", Learner()], ["iris", coin], 3, None, None)
    titles = [cell.title for cell in made.cells]
    assert len(titles) == len(set(titles)) == len(set(keys(made))) == 2 * 2 * 3 + 1
    assert "truth on coin" in titles
    assert "Learner on iris, seed 2" in titles


@pytest.mark.parametrize(
    "change",
    [
        {"models": [genzoo.Independent(pseudo_count=2.0)]},
        {"seeds": [1]},
        {"budget": "5s"},
        {"datasets": ["iris"]},
    ],
)
def test_key_depends_on_what_determines_a_cell(change):
    before, after = plan().cells[-1], plan(**change).cells[-1]
    assert before.key == plan().cells[-1].key
    assert before.key != after.key


def test_key_depends_on_the_rows_and_on_the_version(coin, monkeypatch):
    before = keys(make_plan(["independent"], [coin], 1, None, None))
    other = genzoo.Dataset("coin", coin.schema, coin.train[1:], coin.valid, coin.test)
    assert keys(make_plan(["independent"], [other], 1, None, None))[-1] not in before
    monkeypatch.setattr("genzoo.benchmark.plan.versions", lambda: {"genzoo": "99"})
    assert not set(keys(make_plan(["independent"], [coin], 1, None, None))) & set(before)


def test_key_depends_on_the_code_of_a_class_of_ones_own(coin, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    found = []
    for name, value in (("first_mine", 1), ("second_mine", 2)):
        (tmp_path / f"{name}.py").write_text(
            f"from genzoo import Independent\nclass Mine(Independent):\n    x = {value}\n"
        )
        module = __import__(name)
        found.append(keys(make_plan([module.Mine()], [coin], 1, None, None))[-1])
    assert found[0] != found[1]


def test_models_of_one_family_are_told_apart():
    entries = read_models(["independent", genzoo.Independent(pseudo_count=2.0)])
    assert [e.label for e in entries] == ["Independent()", "Independent(pseudo_count=2.0)"]
    assert [e.label for e in read_models({"a": genzoo.Independent(), "b": "independent"})] == [
        "a",
        "b",
    ]


def test_a_models_copy_is_planned_not_the_model():
    mine = genzoo.Independent()
    assert read_models([mine])[0].model is not mine


def test_raw_data_gets_a_split():
    frame = pd.DataFrame({"x": list("ab") * 20, "y": np.arange(40) % 3})
    data = {"frame": frame, "codes": np.arange(40).reshape(20, 2) % 3, "words": ["ab", "b"] * 20}
    made = make_plan(["independent"], data, 1, None, None)
    assert [entry.label for entry in made.datasets] == ["frame", "codes", "words"]
    assert len(made.datasets[0].dataset.train) == 28


def test_budgets_by_data_set():
    made = make_plan(["independent"], ["asia", "iris"], 1, {"iris": "5 steps"}, None)
    assert [str(entry.budget) for entry in made.datasets] == ["default", "5 steps"]


def test_quick_profile_names_what_there_is():
    quick = PROFILES["quick"]
    assert set(quick.models) <= set(MODELS)
    assert len(quick.models) == len(set(quick.models)) == 8
    assert set(quick.budgets) <= set(DATASETS)
    assert len(quick.budgets) == 9
    made = make_plan(["independent"], ["asia"], None, None, "quick")
    assert str(made.datasets[0].budget) == quick.budgets["asia"]
    assert [cell.label for cell in made.cells] == ["truth", "independent"]
    assert [cell.label for cell in made.references] == ["held-out", "copycat"]
    assert made.profile is None  # it is not the profile any more


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"models": ["independnet"]}, "did you mean 'independent'"),
        ({"models": []}, "models: expected"),
        ({"models": "independent"}, "models: expected a list"),
        ({"models": [3]}, "models: expected registry keys"),
        ({"models": ["independent", "independent"]}, "twice"),
        ({"models": {"": genzoo.Independent()}}, "models: expected a label"),
        ({"datasets": {" ": "iris"}}, "datasets: expected a label"),
        ({"models": {"truth": genzoo.Independent()}}, "true model"),
        ({"models": {"copycat": genzoo.Independent()}}, "kept for rows of the data"),
        ({"models": [genzoo.Independent(pseudo_count=-1)]}, "pseudo_count"),
        ({"datasets": ["irsi"]}, "did you mean 'iris'"),
        ({"datasets": None}, "datasets: expected"),
        ({"datasets": pd.DataFrame({"a": [1]})}, "needs a label"),
        ({"datasets": [pd.DataFrame({"a": [1]})]}, "dict"),
        ({"datasets": {"../x": "iris"}}, "name a file"),
        ({"datasets": ["iris", "iris"]}, "twice"),
        ({"seeds": 0}, "seeds: expected at least 1"),
        ({"seeds": [1, 1]}, "seeds: expected different"),
        ({"seeds": [-1]}, "seed: expected"),
        ({"seeds": "3"}, "seeds: expected"),
        ({"budget": "soon"}, "budget: expected"),
        ({"budget": {"irsi": "5s"}}, "budget: expected labels"),
        ({"profile": "fast"}, "profile: expected one of quick"),
    ],
)
def test_bad_arguments(arguments, says):
    good = {"models": ["independent"], "datasets": ["iris"], "seeds": 1, "budget": None}
    with pytest.raises(ValueError, match=says):
        make_plan(**{"profile": None, **good, **arguments})


def test_a_replay_of_one_fit_is_no_budget_of_a_comparison():
    replay = Budget(seconds=2.0, stops=(("steps", 2),))
    with pytest.raises(ValueError, match="budget: expected seconds, steps or None; got a Budget"):
        make_plan(["independent"], ["asia"], 1, replay, None)
