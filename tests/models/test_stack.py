"""A mixture of fitted models against its parts: by enumeration, and by what it says of itself."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import genzoo
from genzoo import HMM, MISSING, Dataset, Independent, LogProb, NGram, Schema, Stack, Unsupported
from genzoo.space.infer import table_of

TABLE = Schema(*table_of([2, 3, 2]))


def rows_of(n: int, seed: int) -> np.ndarray:
    """Rows in which columns depend on each other."""
    rng = np.random.default_rng(seed)
    a = rng.integers(0, 2, n)
    b = np.where(rng.random(n) < 0.7, a * 2, rng.integers(0, 3, n))
    return np.stack([a, b, (a + b + (rng.random(n) < 0.2)) % 2], 1)


def two_parts() -> dict[str, genzoo.GenerativeModel]:
    return {
        "shares": Independent().fit(rows_of(300, 0), schema=TABLE),
        "order": NGram().fit(rows_of(300, 1), schema=TABLE),
    }


def mixture(parts=None, weight: float = 0.4) -> Stack:
    parts = parts or two_parts()
    return Stack.weighted(parts, dict(zip(parts, (weight, 1 - weight), strict=True)))


class Noisy(Independent):
    """A bound with an error, as of a model that samples its masses."""

    def _log_prob(self, rows, *, seed):
        value = super()._log_prob(rows, seed=seed).value - 0.1
        return LogProb(value, "lower_bound", np.full(len(rows), 0.2), "iwae")


class WholeRows(Independent):
    """No holes in training rows."""

    fits_missing = False


class NoMarginals(Independent):
    """Whole rows alone."""

    def _log_prob(self, rows, *, seed):
        if (rows == MISSING).any():
            raise Unsupported("it sums nothing out")
        return super()._log_prob(rows, seed=seed)


def test_a_stack_of_families_passes_the_checks():
    genzoo.check_model(Stack([Independent(), NGram()]))


def test_masses_are_those_of_the_mixture_and_sum_to_one():
    parts, rows = two_parts(), TABLE.enumerate()
    found = mixture(parts).log_prob(rows)
    masses = [np.exp(p.log_prob(rows).value) for p in parts.values()]
    assert np.exp(found.value) == pytest.approx(0.4 * masses[0] + 0.6 * masses[1])
    assert np.exp(found.value).sum() == pytest.approx(1)
    assert found.kind == "exact"


def test_marginals_and_single_columns_follow_from_the_parts():
    stack, rows = mixture(), TABLE.enumerate()
    joint = np.exp(stack.log_prob(rows).value)
    known = np.array([[1, MISSING, 0]])
    agree = (rows[:, 0] == 1) & (rows[:, 2] == 0)
    assert np.exp(stack.log_prob(known).value[0]) == pytest.approx(joint[agree].sum())
    shares = genzoo.classify(stack, known, 1, proba=True).to_numpy()[0]
    assert shares == pytest.approx(joint[agree] / joint[agree].sum())


def test_completions_choose_the_part_by_what_is_given():
    """Of 40,000 completions the shares lie within 5 standard errors, in 1 of 10^6 seeds not."""
    stack, rows = mixture(), TABLE.enumerate()
    joint = np.exp(stack.log_prob(rows).value)
    given = np.array([1, MISSING, MISSING])
    drawn = stack.sample(40_000, given=given, seed=3)
    agree = rows[:, 0] == 1
    expected = joint[agree] / joint[agree].sum()
    shares = np.array([(drawn == row).all(axis=1).mean() for row in rows[agree]])
    assert (np.abs(shares - expected) < 5 * np.sqrt(expected / len(drawn))).all()


def test_completions_without_marks_speak_for_parts_that_rarely_have_them():
    """As above; the part that has a mark in most rows explains fewer of those without."""
    data = pd.DataFrame({"a": [0, 1] * 50, "b": [1.0, np.nan] * 50})
    schema = Schema.infer(data)

    def part(share_of_ones: float, share_of_marks: float) -> Independent:
        n = 1000
        a = (np.arange(n) < share_of_ones * n).astype(int)
        b = np.where(np.arange(n) < share_of_marks * n, 1, 0)
        return Independent().fit(np.stack([a, b], 1), schema=schema)

    stack = mixture({"many": part(0.9, 0.9), "few": part(0.1, 0.1)}, 0.5)
    rows = schema.enumerate()
    joint = np.exp(stack.log_prob(rows).value)
    unmarked = rows[:, 1] == 0
    expected = joint[unmarked & (rows[:, 0] == 1)].sum() / joint[unmarked].sum()
    drawn = stack.sample(20_000, given=np.full(2, MISSING), seed=0)
    assert (drawn[:, 1] == 0).all()
    assert abs((drawn[:, 0] == 1).mean() - expected) < 5 * np.sqrt(expected / len(drawn))
    assert expected < 0.2  # a half, were the parts drawn by their weights


def test_weights_are_chosen_on_validation_rows_and_parts_are_left_alone():
    parts = two_parts()
    before = {label: part.log_prob(TABLE.enumerate()).value for label, part in parts.items()}
    valid = parts["order"].sample(400, seed=5)
    stack = Stack(parts).fit(rows_of(50, 9), valid=valid)
    assert stack.weights_["order"] > 0.9
    assert stack.training_.curve[-1].valid == pytest.approx(
        parts["order"].log_prob(valid).mean().value, abs=0.05
    )
    for label, part in parts.items():
        assert (part.log_prob(TABLE.enumerate()).value == before[label]).all()
    mass = stack.log_prob(valid).value
    parts["order"].fit(rows_of(50, 2)[::-1] % 2, schema=Schema(*table_of([2, 2, 2])))
    assert (stack.log_prob(valid).value == mass).all()  # a later fit of the caller's is his own


def test_models_that_are_not_fitted_are_fitted_first_as_copies():
    data = Dataset.from_data(rows_of(400, 0), "t", schema=TABLE)
    fitted, template = Independent().fit(data), NGram()
    stack = Stack({"a": fitted, "b": template}).fit(data, seed=3, budget="9 steps")
    alone = NGram().fit(data, seed=3, budget="9 steps")
    rows = TABLE.enumerate()
    assert not template.__sklearn_is_fitted__()
    assert (stack.parts_["b"].log_prob(rows).value == alone.log_prob(rows).value).all()
    assert stack.training_.steps <= 9
    assert not Stack([Independent(), WholeRows()]).fits_missing
    assert Stack([Independent(), WholeRows().fit(data)]).fits_missing


def test_what_is_a_bound_is_said_with_its_error():
    parts = {"exact": Independent().fit(rows_of(300, 0), schema=TABLE),
             "noisy": Noisy().fit(rows_of(300, 1), schema=TABLE)}  # fmt: skip
    rows = TABLE.enumerate()
    found = mixture(parts, 0.4).log_prob(rows)
    masses = np.exp([p.log_prob(rows).value for p in parts.values()])
    share = 0.6 * masses[1] / (0.4 * masses[0] + 0.6 * masses[1])
    assert (found.kind, found.estimator) == ("lower_bound", "iwae")
    assert found.stderr == pytest.approx(0.2 * share)
    assert mixture(parts, 1.0).log_prob(rows).kind == "exact"  # a part without weight is not asked


def test_what_a_part_can_not_do_is_said_of_the_part():
    parts = {"whole": NoMarginals().fit(rows_of(300, 0), schema=TABLE), **two_parts()}
    stack = Stack.weighted(parts, {"whole": 0.5, "shares": 0.25, "order": 0.25})
    with pytest.raises(Unsupported, match="whole, a part of the stack: it sums nothing out"):
        stack.log_prob(np.array([[1, MISSING, 0]]))
    assert np.isfinite(stack.log_prob(TABLE.enumerate()).value).all()


def test_a_saved_stack_comes_back_in_a_fresh_process(tmp_path):
    inner = mixture(weight=0.3)
    vae = genzoo.VAE(device="cpu").fit(rows_of(200, 4), schema=TABLE, budget="3 steps")
    stack = Stack.weighted({"inner": inner, "net": vae}, {"inner": 0.5, "net": 0.5})
    stack.save(tmp_path / "model")
    np.save(tmp_path / "rows.npy", TABLE.enumerate())
    script = (
        "import sys, numpy as np, genzoo\n"
        "model = genzoo.load_model(sys.argv[1] + '/model', device='cpu')\n"
        "rows = np.load(sys.argv[1] + '/rows.npy')\n"
        "np.savez(sys.argv[1] + '/answer', value=model.log_prob(rows, seed=3).value,\n"
        "         drawn=model.sample(9, seed=4))\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True)
    with np.load(tmp_path / "answer.npz") as answer:
        assert answer["value"] == pytest.approx(stack.log_prob(TABLE.enumerate(), seed=3).value)
        assert (answer["drawn"] == stack.sample(9, seed=4)).all()
    assert sorted(p.name for p in (tmp_path / "model").iterdir()) == [
        "arrays.safetensors",
        "model.json",
    ]
    again = genzoo.load_model(tmp_path / "model")
    assert again.weights_ == stack.weights_
    assert again.parts_["inner"].weights_ == inner.weights_


def test_a_part_of_a_class_that_no_file_can_name_is_not_saved(tmp_path):
    mine = Noisy().fit(rows_of(99, 0), schema=TABLE)
    with pytest.raises(ValueError, match=r"registered families.*'mine' is of the class Noisy"):
        Stack.weighted({"mine": mine}, {"mine": 1.0}).save(tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_scikit_learn_copies_a_stack():
    from sklearn.base import clone

    stack = clone(Stack([Independent().fit(rows_of(50, 0)), NGram()]))
    assert repr(stack) == "Stack(models=[Independent(), NGram()])"
    stack.fit(rows_of(200, 0), schema=TABLE)
    assert list(stack.weights_) == ["independent", "ngram"]
    twice = Stack([NGram(), Independent(), NGram()]).fit(rows_of(200, 0), schema=TABLE)
    assert list(twice.weights_) == ["ngram 1", "independent", "ngram 2"]


@pytest.mark.parametrize(
    ("models", "said"),
    [
        ([], "at least one; got none"),
        ("ngram", "expected a list of models or a dict"),
        (["ngram"], "expected a list of models or a dict"),
        ({"a/b": Independent()}, "labels of text without '/'; got 'a/b'"),
    ],
)
def test_what_is_no_list_of_models_is_refused(models, said):
    with pytest.raises(ValueError, match=said):
        Stack(models).fit(rows_of(50, 0))


def test_fitted_models_must_have_the_schema():
    other = Independent().fit(rows_of(50, 0) % 2)
    with pytest.raises(ValueError, match="'b' has another: fit all to one data set"):
        Stack({"a": two_parts()["order"], "b": other}).fit(rows_of(50, 0))
    with pytest.raises(ValueError, match="'b' has another"):
        Stack.weighted({"a": two_parts()["order"], "b": other}, {"a": 0.5, "b": 0.5})


@pytest.mark.parametrize(
    "weights", [{}, {"a": 1.0, "c": 0.0}, {"a": 0.7, "b": 0.7}, {"a": 2, "b": -1}]
)
def test_weights_that_are_none_are_refused(weights):
    a, b = two_parts().values()
    with pytest.raises(ValueError, match="weights: expected numbers with a sum of one"):
        Stack.weighted({"a": a, "b": b}, weights)
    with pytest.raises(ValueError, match="'b' is not fitted"):
        Stack.weighted({"a": a, "b": NGram()}, {"a": 0.5, "b": 0.5})


def test_errors_of_equal_parts_are_independent():
    """Twice the same bound: by independent draws the error is smaller by the root of two."""
    part = genzoo.Diffusion(device="cpu").fit(rows_of(200, 0), budget="20 steps")
    stack = Stack.weighted({"a": part, "b": part}, {"a": 0.5, "b": 0.5})
    values = np.stack([stack.log_prob(rows_of(6, 1), seed=s).value for s in range(200)])
    stated = np.stack([stack.log_prob(rows_of(6, 1), seed=s).stderr for s in range(200)])
    ratio = values.std(axis=0).mean() / np.sqrt(np.square(stated).mean(axis=0)).mean()
    assert 0.8 < ratio < 1.25


@pytest.mark.parametrize("weights", [[0.5, 0.5], {"shares": "x", "order": 1.0}])
def test_weights_of_another_type_are_refused_by_name(weights):
    with pytest.raises(ValueError, match="weights: expected numbers"):
        Stack.weighted(two_parts(), weights)


def test_a_step_for_each_model_is_the_least():
    with pytest.raises(ValueError, match="budget: expected a step at least for each of the 2"):
        Stack([NGram(), genzoo.HMM()]).fit(rows_of(60, 0), budget="1 steps")


def test_a_stack_is_no_part_of_itself():
    stack = Stack([NGram()])
    with pytest.raises(ValueError, match="the stack itself"):
        stack.set_params(models=[stack])
    assert not hasattr(Stack([NGram()]), "weights_")


@pytest.mark.parametrize("of", [list, tuple, lambda parts: {"one": parts[0]}])
def test_a_comparison_takes_parts_unfitted(of):
    from genzoo.benchmark.entries import fresh

    part = NGram().fit(rows_of(60, 0), schema=TABLE)
    copy = fresh(Stack(of([part])))
    assert not any(model.__sklearn_is_fitted__() for model in copy._labelled().values())
    assert part.__sklearn_is_fitted__()


def test_text_is_scored_by_the_character_where_all_parts_do():
    text = "the cat sat on the mat and the dog sat on the log. " * 8
    windows = [text[i : i + 8] for i in range(0, len(text) - 8, 3)]
    first = NGram(context=1).fit(windows, seed=0)
    other = HMM(n_states=3, n_restarts=1).fit(windows, schema=first.schema_, seed=0)
    stack = Stack.weighted({"a": first, "b": other}, {"a": 0.3, "b": 0.7})
    window = text[5:13]
    assert stack.score_text(window).value == pytest.approx(stack.log_prob([window]).value[0] / 8)
    # the second window scores its last four given its first four
    last, begun = (
        stack.log_prob(_rows(first.schema_, t)).value[0] for t in (text[4:12], text[4:8])
    )
    both = stack.log_prob([text[:8]]).value[0] + last - begun
    assert stack.score_text(text[:12]).value == pytest.approx(both / 12)
    names = ["ab", "b", "aab"] * 9
    ending = [NGram(context=0).fit(names), HMM(n_states=2, n_restarts=1).fit(names)]
    strings = Stack(ending).fit(names)
    prefix = strings.log_prob(_rows(strings.schema_, "ab")).value[0]
    assert strings.score_text("ab").value == pytest.approx(prefix / 2)
    parts = {"a": ending[0], "b": Independent().fit(names)}
    with pytest.raises(Unsupported, match="b, a part of the stack, does not score text"):
        Stack.weighted(parts, {"a": 0.3, "b": 0.7}).score_text("ab")
    assert Stack.weighted(parts, {"a": 1.0, "b": 0.0}).score_text("ab").kind == "exact"


def _rows(schema: genzoo.Schema, prefix: str) -> np.ndarray:
    return schema.encode([prefix], given=True)
