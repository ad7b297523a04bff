"""The transformer: exact against enumeration, prefixes, sampling, text, and what it reaches."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp

import genzoo
from genzoo import MISSING, Dataset, Schema, TransformerLM, Unsupported, Variable
from genzoo.fitting import Budget
from genzoo.model import GenerativeModel
from genzoo.models.shared import particles
from genzoo.models.transformer import generation, network, sizing

TINY = {"d_model": 16, "n_layers": 1, "device": "cpu"}
TEXT = "the cat sat on the mat. the dog ate the rat. a cat and a dog had a hat. " * 40


@cache
def table() -> tuple[TransformerLM, np.ndarray]:
    """A fitted model of mixed variables and all rows of their space."""
    schema = Schema(
        (
            Variable("a", cardinality=2),
            Variable("b", cardinality=1),
            Variable("c", "ordinal", 41, missing=True),
            Variable("d", cardinality=3),
        ),
        "table",
        (4,),
    )
    rng = np.random.default_rng(0)
    a = rng.integers(0, 2, 300)
    c = np.where(rng.random(300) < 0.1, 40, np.clip(10 + 20 * a + rng.normal(0, 3, 300), 0, 39))
    rows = np.stack([a, 0 * a, c.astype(int), np.where(c > 20, 2, rng.integers(0, 3, 300))], axis=1)
    model = TransformerLM(**TINY).fit(rows, schema=schema, budget="150 steps")
    return model, schema.enumerate()


@cache
def strings() -> tuple[TransformerLM, np.ndarray]:
    """A fitted model of short strings with END, and all of them."""
    words = ["ab", "abab", "b", "ba", "", "aab"] * 30
    model = TransformerLM(**TINY).fit(words, budget="150 steps")
    return model, model.schema_.enumerate()


@cache
def windowed() -> tuple[TransformerLM, np.ndarray]:
    """The same of strings so long that tokens attend to two of them and training cuts the rows."""
    words = ["abbab", "abb", "bbbbbb", "ba", "", "aabaab"] * 30
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sizing, "WINDOW", 2)
        patch.setattr(sizing, "LONGEST_PIECE", 4)
        model = TransformerLM(**TINY).fit(words, budget="150 steps")
    return model, model.schema_.enumerate()


@cache
def windowed_steps() -> tuple[TransformerLM, np.ndarray]:
    """The same of sequences whose steps are two variables of different size."""
    variables = tuple(Variable(f"{t}{c}", cardinality=2 + c) for t in range(5) for c in range(2))
    schema = Schema(variables, "sequence", (5, 2))
    rng = np.random.default_rng(0)
    rows = np.minimum(rng.integers(0, 3, (200, 10)), schema.cards - 1)
    rows[:, 2:] = np.where(rng.random((200, 8)) < 0.7, rows[:, :-2], rows[:, 2:])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sizing, "WINDOW", 1)
        patch.setattr(sizing, "LONGEST_PIECE", 2)
        model = TransformerLM(**TINY).fit(rows, schema=schema, budget="100 steps")
    return model, schema.enumerate()


@cache
def text_model() -> TransformerLM:
    return TransformerLM(**TINY).fit(text_data(TEXT, 16), budget="400 steps")


def text_data(text: str, T: int) -> Dataset:
    parts = {"train": [text], "valid": [text[5 : 5 + 20 * T]], "test": [text[3 : 3 + 4 * T]]}
    alphabet = tuple(sorted(set(text)))
    schema = Schema(tuple(Variable(t, categories=alphabet) for t in range(T)), "sequence", (T,))
    windows = {
        part: schema.encode([s[i : i + T] for s in stretches for i in range(0, len(s) - T + 1, T)])
        for part, stretches in parts.items()
    }
    return Dataset("text", schema, **windows, text=parts)


@pytest.mark.parametrize("fitted", [table, strings, windowed, windowed_steps])
def test_sums_to_one(fitted) -> None:
    model, rows = fitted()
    lp = model.log_prob(rows)
    assert lp.kind == "exact"
    assert (lp.stderr == 0).all()
    assert np.exp(lp.value).sum() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("group", [1, 2, 3])
@pytest.mark.parametrize("cards", [(1, 2), (2, 2, 2)])
def test_tokens_of_a_long_sequence_need_not_be_whole_steps(cards, group, monkeypatch) -> None:
    """Nor alike: then no weights are shared, and neither a window nor a cut would do."""
    monkeypatch.setattr(sizing, "WINDOW", 2)
    monkeypatch.setattr(sizing, "LONGEST_PIECE", 3)
    T, C = 12 // len(cards), len(cards)
    variables = tuple(Variable(f"{t}{c}", cardinality=cards[c]) for t in range(T) for c in range(C))
    schema = Schema(variables, "sequence", (T, C))
    rows = np.random.default_rng(0).integers(0, schema.cards, (80, T * C))
    model = TransformerLM(**TINY, group_size=group).fit(rows, schema=schema, budget="5 steps")
    alike = schema.alike(np.arange(T * C) % group)
    assert (model.network_.window is not None) == alike
    assert np.exp(model.log_prob(schema.enumerate()).value).sum() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("fitted", [table, strings, windowed, windowed_steps])
@pytest.mark.parametrize("apart", [False, True])
def test_samples_follow_log_prob(fitted, apart, monkeypatch) -> None:
    """Eight chi-square tests at 1e-6, through one cache and through many, one after the other."""
    if apart:
        monkeypatch.setattr(generation, "CACHE_FLOATS", 1)
    model, rows = fitted()
    n = 1000 if apart else 20_000
    drawn = model.schema_.encode(model.sample(n, seed=1))
    index = {tuple(r): i for i, r in enumerate(rows.tolist())}
    counts = np.bincount([index[tuple(r)] for r in drawn.tolist()], minlength=len(rows))
    expected = n * np.exp(model.log_prob(rows).value)
    rare = expected < 5
    counts = np.append(counts[~rare], counts[rare].sum())
    expected = np.append(expected[~rare], expected[rare].sum())
    assert stats.chisquare(counts, expected * n / expected.sum()).pvalue > 1e-6


@pytest.mark.parametrize("fitted", [table, strings, windowed])
def test_prefixes_are_summed_exactly(fitted) -> None:
    model, rows = fitted()
    lp = model.log_prob(rows).value
    for row in rows[:: len(rows) // 7]:
        for k in range(len(row)):
            prefix = np.where(np.arange(len(row)) < k, row, MISSING)
            if fitted is not table and (row[:k] == model.schema_.end).any():
                continue  # nothing is open after an END
            total = logsumexp(lp[(rows[:, :k] == row[:k]).all(axis=1)])
            assert model.log_prob(prefix[None]).value[0] == pytest.approx(total, abs=1e-4)


def test_completions_follow_the_conditional() -> None:
    model, rows = table()
    given = np.array([1, 0, MISSING, MISSING])
    drawn = model.sample(5000, given=given, seed=2)
    assert (drawn[:, :2] == [1, 0]).all()
    lp = model.log_prob(rows).value
    open_rows = rows[:, 0] == 1
    open_rows &= rows[:, 2] != 40  # what is filled in is never the missing mark
    p = np.exp(lp[open_rows] - logsumexp(lp[open_rows]))
    last = rows[open_rows][:, 3]
    expected = 5000 * np.bincount(last, weights=p, minlength=3)
    counts = np.bincount(drawn[:, 3], minlength=3)
    assert stats.chisquare(counts, expected * 5000 / expected.sum()).pvalue > 1e-6


def test_prefixes_of_different_length_in_one_call() -> None:
    model, _ = strings()
    drawn = model.sample(3, given=["a", "ab", ""], seed=0)
    assert drawn[0].startswith("a")
    assert drawn[1].startswith("ab")
    assert all(len(s) <= 4 for s in drawn)


def holes(fitted) -> list[np.ndarray]:
    """Rows of which something is missing before an observed entry."""
    M = MISSING
    if fitted is table:
        return [np.array(q) for q in ([M, M, M, 2], [M, 0, 12, M], [1, M, M, 0], [M, M, 40, M])]
    return [np.array(q) for q in ([M, M, 0, M], [M, 1, M, 2], [0, M, 1, M], [M, M, M, 2])]


def agreeing(rows: np.ndarray, queried: np.ndarray) -> np.ndarray:
    return ((rows == queried) | (queried == MISSING)).all(axis=1)


@pytest.mark.parametrize("fitted", [table, strings])
def test_any_pattern_with_few_completions_is_summed_exactly(fitted) -> None:
    model, rows = fitted()
    value = model.log_prob(rows).value
    queried = np.stack(holes(fitted))
    found = model.log_prob(queried)
    assert found.kind == "exact"
    truth = [logsumexp(value[agreeing(rows, q)]) for q in queried]
    np.testing.assert_allclose(found.value, truth, atol=1e-4)


@pytest.mark.parametrize(("fitted", "which"), [(table, 0), (table, 2), (strings, 3)])
def test_particles_are_unbiased_where_completions_are_many(fitted, which, monkeypatch) -> None:
    """Three tests at 4 standard errors (and float32): one false alarm in 5000 runs."""
    monkeypatch.setattr(particles, "LIMITS", particles.Limits(8))
    model, rows = fitted()
    queried = holes(fitted)[which]
    value = model.log_prob(rows).value
    truth = logsumexp(value[agreeing(rows, queried)])
    found = model.log_prob(np.repeat(queried[None], 1000, axis=0), seed=5)
    ratio = np.exp(found.value - truth)
    assert abs(ratio.mean() - 1) < 4 * ratio.std() / np.sqrt(len(ratio)) + 1e-4
    assert (found.kind, found.estimator) == ("lower_bound", "smc")
    assert (found.ess <= 8 * (1 + 1e-12)).all()
    prefix = np.where(np.arange(4) < 2, rows[5], MISSING)
    mixed = model.log_prob(np.stack([rows[5], queried, prefix]), seed=5)
    assert mixed.kind == "lower_bound"
    assert (mixed.stderr[[0, 2]] == 0).all()
    np.testing.assert_allclose(mixed.value[0], value[5], atol=1e-4)


@pytest.mark.parametrize("fitted", [table, strings])
@pytest.mark.parametrize("which", [0, 1, 2, 3])
@pytest.mark.parametrize("few", [False, True])
def test_completions_of_any_pattern_follow_the_conditional(fitted, which, few, monkeypatch) -> None:
    """Sixteen chi-square tests at 1e-6, through the exact sum and through particles."""
    if few:
        limits = particles.Limits(64 if fitted is table else 16, trusted=0.0)
        monkeypatch.setattr(particles, "LIMITS", limits)
    model, rows = fitted()
    queried, n = holes(fitted)[which], 2000
    drawn = model.sample(n, given=queried, seed=3)
    drawn = drawn if fitted is table else model.schema_.encode(drawn)
    agree = agreeing(rows, queried)
    if fitted is table and queried[2] == MISSING:
        agree &= rows[:, 2] != 40  # what is filled in is never the missing mark
    value = model.log_prob(rows[agree]).value
    index = {tuple(r): i for i, r in enumerate(rows[agree].tolist())}
    counts = np.bincount([index[tuple(r)] for r in drawn.tolist()], minlength=len(index))
    expected = n * np.exp(value - logsumexp(value))
    rare = expected < 5
    counts = np.append(counts[~rare], counts[rare].sum())
    expected = np.append(expected[~rare], max(expected[rare].sum(), 1e-9))
    assert stats.chisquare(counts, expected * n / expected.sum()).pvalue > 1e-6


def test_completions_on_few_effective_particles_warn(monkeypatch) -> None:
    monkeypatch.setattr(particles, "LIMITS", particles.Limits(8))
    model, _ = table()
    with pytest.warns(UserWarning, match="3 of 3 completions rest on fewer than 10 effective"):
        model.sample(3, given=holes(table)[0])


def test_the_cache_agrees_with_whole_rows() -> None:
    """log_prob from conditionals one position at a time equals the single pass."""
    import torch

    model, rows = table()
    fitted_network, x = model.network_, torch.as_tensor(rows[::9])
    cache, total = fitted_network.new_cache(len(x)), 0
    with torch.no_grad():
        for d in range(4):
            log_p = fitted_network.next_log_probs(d, x[:, d - 1] if d else None, cache)
            total = total + log_p.gather(1, x[:, d : d + 1]).squeeze(1)
    np.testing.assert_allclose(total.numpy(), model.log_prob(x.numpy()).value, atol=1e-4)


@pytest.mark.parametrize("fitted", [windowed, windowed_steps])
def test_the_cache_of_a_window_agrees_with_whole_rows(fitted) -> None:
    import torch

    model, rows = fitted()
    fitted_network, group = model.network_, 1 if fitted is windowed else 2
    x = torch.as_tensor(rows[:: len(rows) // 50])
    cache, parts = fitted_network.new_cache(len(x)), []
    with torch.no_grad():
        for d in range(0, x.shape[1], group):
            previous = x[:, d - 1] if d else None
            parts.append(fitted_network.seen_log_probs(d, x[:, d : d + group], previous, cache))
        whole = fitted_network(x)
    np.testing.assert_allclose(torch.cat(parts, dim=1).numpy(), whole.numpy(), atol=1e-4)


def test_a_token_attends_to_its_window_alone() -> None:
    """In one block of a window of two, x_5 is told by x_4 and x_3."""
    model, _ = windowed()
    early, late = np.array([[0, 1, 0, 1, 1, 0]]), np.array([[1, 0, 1, 1, 1, 0]])
    terms = [model._terms(row)[0] for row in (early, late)]
    assert terms[0][3] != terms[1][3]
    np.testing.assert_allclose(terms[0][5], terms[1][5], atol=1e-6)


def test_weights_follow_the_sum_of_widths() -> None:
    """One column of 2,000 values beside eight of three: 2,024 outputs, and not 9 times 2,000."""
    rows = np.random.default_rng(0).integers(0, 3, (60, 9))
    cards = [3, 3, 3, 3, 2000, 3, 3, 3, 3]
    variables = tuple(Variable(f"x{d}", cardinality=card) for d, card in enumerate(cards))
    schema = Schema(variables, "table", (9,))
    model = TransformerLM(**TINY).fit(rows, schema=schema, budget="3 steps")
    width, blocks = model.sizes_["width"], 50_000
    assert model.n_parameters_ < blocks + 2024 * (2 * width + 1)
    first = np.full((2000, 9), MISSING)
    first[:, :5] = 0
    first[:, 4] = np.arange(2000)
    before = np.where(np.arange(9) < 4, 0, MISSING)
    total = logsumexp(model.log_prob(first).value)
    assert total == pytest.approx(model.log_prob(before[None]).value[0], abs=1e-4)


def test_a_budget_is_kept_where_one_string_is_long(clock, monkeypatch) -> None:
    """On a clock that goes by the tokens that pass through the blocks, 10,000 a second."""
    forward = network._Block.forward

    def counted(block, h, *args):
        clock.at += h.shape[0] * h.shape[1] / 10_000
        return forward(block, h, *args)

    monkeypatch.setattr(network._Block, "forward", counted)
    words = ["ab", "ba", "abc", "cab"] * 50
    words[7] = "abc" * 500
    record = TransformerLM(**TINY).fit(words, budget="2s").training_
    assert record.steps > 20
    assert record.seconds < 2.4


def test_rows_that_begin_alike_ask_once() -> None:
    model, _ = table()
    asked = 0
    next_log_probs = model.network_.next_log_probs

    def counted(d, previous, cache):
        nonlocal asked
        asked += len(cache)
        return next_log_probs(d, previous, cache)

    model.network_.next_log_probs = counted
    try:
        model.sample(5000, seed=0)
    finally:
        del model.network_.next_log_probs
    assert asked <= 1 + 2 + 2 + 2 * 41


@pytest.mark.parametrize("fitted", [table, strings, windowed])
def test_all_codes_of_a_variable_are_told_as_one_by_one(fitted, monkeypatch) -> None:
    model, rows = fitted()
    rows = rows[:: len(rows) // 12]
    D = rows.shape[1]
    for d in range(D):
        prefix = np.where(np.arange(D) > d, MISSING, rows)
        for queried in (rows, prefix):
            expected = GenerativeModel._log_prob_each(model, queried, d, seed=0)
            found = model._log_prob_each(queried, d, seed=0)
            np.testing.assert_allclose(found, expected, atol=1e-4)
    # the last one takes no pass for each code
    monkeypatch.setattr(model, "_log_prob", None)
    running = rows[model.schema_.reached(rows).all(axis=1)]
    assert model._log_prob_each(running, D - 1, seed=0).shape[0] == len(running) > 0


def test_sampling_parameters_change_samples_and_never_log_prob() -> None:
    model, rows = strings()
    before = model.log_prob(rows).value
    probable = model.sample(200, seed=0)
    greedy = TransformerLM(**TINY, top_k=1)
    try:
        for params in ({"top_k": 1}, {"top_p": 1e-9}, {"temperature": 1e-3}):
            model.set_params(**params)
            assert (model.log_prob(rows).value == before).all()
            assert len(set(model.sample(200, seed=0))) == 1
            hole = np.array([MISSING, MISSING, 0, MISSING])
            assert len(set(model.sample(50, given=hole, seed=0))) == 1
            model.set_params(top_k=None, top_p=None, temperature=1.0)
    finally:
        model.set_params(top_k=None, top_p=None, temperature=1.0)
    assert model.sample(200, seed=0) == probable
    assert len(set(probable)) > 3
    assert greedy.get_params()["top_k"] == 1


@pytest.mark.parametrize(
    "params",
    [{"d_model": 0}, {"d_model": 15}, {"d_model": 20, "n_heads": 3}, {"n_layers": 1.5},
     {"dropout": 1.0}, {"temperature": 0.0}, {"top_k": 0}, {"top_p": 1.5}, {"device": 3}],
)  # fmt: skip
def test_bad_parameters_are_named(params: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(params))):
        genzoo.make_model("transformer", **params)


def test_a_budget_in_seconds_is_kept_and_replayed(ticking) -> None:
    rows = np.random.default_rng(0).integers(0, 3, (100, 4))
    ticking(0.003)  # too few steps for a plateau
    record = TransformerLM(**TINY).fit(rows, budget="1s").training_
    assert record.stopped_by == "budget"
    assert 0.9 < record.seconds < 1.1
    assert record.stops == [("steps", record.steps)]
    again = []
    for tick in (1e-6, 0.1):
        ticking(tick)
        again.append(TransformerLM(**TINY).fit(rows, budget=Budget.replay(record, "1s")))
        assert again[-1].training_.work == record.work == {"steps": record.steps}
    values = [twin.log_prob(rows[:20]).value for twin in again]
    assert (values[0] == values[1]).all()


def test_constant_single_variable_and_image() -> None:
    one = TransformerLM(**TINY).fit(np.zeros((20, 1), dtype=int), budget="5 steps")
    assert np.exp(one.log_prob(np.array([[0], [1]])).value).sum() == pytest.approx(1, abs=1e-5)
    rng = np.random.default_rng(0)
    images = np.repeat(rng.integers(0, 2, (40, 1, 2)), 2, axis=1).astype(np.uint8)
    model = TransformerLM(**TINY).fit(images, budget="100 steps")
    assert model.sample(3).shape == (3, 2, 2)
    assert np.exp(model.log_prob(model.schema_.enumerate()).value).sum() == pytest.approx(
        1, abs=1e-4
    )


def test_long_ordinals_shared_by_all_pixels() -> None:
    rng = np.random.default_rng(0)
    images = np.clip(rng.normal(100, 20, (60, 3, 3)), 0, 255).astype(np.uint8)
    model = TransformerLM(**TINY).fit(images, budget="30 steps")
    assert np.isfinite(model.log_prob(images).value).all()
    first = np.full((256, 9), MISSING)
    first[:, 0] = np.arange(256)
    codes = first[: model.schema_.cards[0]]
    assert np.exp(model.log_prob(codes).value).sum() == pytest.approx(1, abs=1e-4)


def test_text_training_sees_windows_from_anywhere() -> None:
    """Rows alone begin at every 16th character; windows from anywhere fit others as well."""
    model = text_model()
    shifted = model.schema_.encode([TEXT[i : i + 16] for i in (3, 7, 11, 100)])
    assert (model.log_prob(shifted).value > -2.2 * 16).all()


def test_score_text_of_a_window_is_its_log_prob() -> None:
    model = text_model()
    window = TEXT[9:25]
    assert model.score_text(window).value == pytest.approx(
        model.log_prob([window]).value[0] / 16, abs=1e-5
    )
    prefix = model.schema_.encode(["the d"], given=True)
    assert model.score_text("the d").value == pytest.approx(
        model.log_prob(prefix).value[0] / 5, abs=1e-5
    )


@pytest.mark.parametrize(("context", "stride"), [(16, 8), (16, 1), (10, 3), (7, 7), (1, 1)])
def test_score_text_slides_as_stated(context: int, stride: int) -> None:
    """Against conditionals taken one by one from masses of prefixes."""
    model, text = text_model(), TEXT[5:50]

    def mass(window: str) -> float:
        if not window:
            return 0.0
        return model.log_prob(model.schema_.encode([window], given=True)).value[0]

    total, end = 0.0, 0
    while end < len(text):
        new = min(len(text), end + (stride if end else context))
        start = max(0, new - context)
        total += mass(text[start:new]) - mass(text[start:end])
        end = new
    score = model.score_text(text, context, stride)
    assert score.value == pytest.approx(total / len(text), abs=1e-4)
    assert score.kind == "exact"
    assert np.isnan(score.stderr)  # 45 characters make no six blocks


def test_complete_goes_on_past_the_window() -> None:
    model = text_model()
    text = model.complete("the c", 60, seed=0)
    assert text.startswith("the c")
    assert len(text) == 65
    assert text == model.complete("the c", 60, seed=0) != model.complete("the c", 60, seed=1)
    assert len(model.complete(TEXT[:50], n_chars=5)) == 55
    assert len(model.complete("", n_chars=3)) == 3
    assert model.complete("the", n_chars=0) == "the"


def test_complete_stops_at_end() -> None:
    model, _ = strings()
    assert all(len(model.complete("a", 50, seed=s)) <= 4 for s in range(20))
    assert len({model.complete("", 50, seed=s) for s in range(20)}) > 3


def test_text_errors_are_named() -> None:
    model = text_model()
    with pytest.raises(ValueError, match="prompt: expected characters of the alphabet"):
        model.complete("Z")
    with pytest.raises(ValueError, match="text"):
        model.score_text("")
    with pytest.raises(ValueError, match="context"):
        model.score_text("the", context=17)
    with pytest.raises(ValueError, match="stride"):
        model.score_text("the", context=4, stride=5)
    with pytest.raises(Unsupported, match="strings"):
        table()[0].complete("a")


def test_a_space_of_few_cells_is_soon_learned() -> None:
    """Two columns of 3 values, one mostly a copy: within 0.02 nats of the rows' entropy."""
    rng = np.random.default_rng(0)
    a = rng.integers(0, 3, 900)
    rows = np.stack([a, np.where(rng.random(900) < 0.7, a, rng.integers(0, 3, 900))], axis=1)
    model = TransformerLM(device="cpu").fit(rows)
    assert model.training_.steps <= sizing.FEWEST_STEPS
    counts = np.unique(rows, axis=0, return_counts=True)[1] / len(rows)
    assert model.log_prob(rows).mean().value > (counts * np.log(counts)).sum() - 0.02


@pytest.mark.slow
def test_small_tables_beat_independent_columns() -> None:
    for name in ("iris", "wine"):
        data = genzoo.load_dataset(name)
        ours = TransformerLM().fit(data).score(data.test)
        independent = genzoo.make_model("independent").fit(data).score(data.test)
        assert ours > independent + 0.5


@pytest.mark.slow
def test_alarm_is_near_its_truth() -> None:
    data = genzoo.load_dataset("alarm")
    model = TransformerLM().fit(data, budget="400 steps")
    gap = np.mean(data.truth.log_prob(data.test) - model.log_prob(data.test).value)
    assert -0.1 < gap < 0.5


@pytest.mark.slow
def test_grammar_is_near_its_truth() -> None:
    data = genzoo.load_dataset("grammar")
    model = TransformerLM().fit(data, budget="500 steps")
    gap = np.asarray(data.truth.log_prob(data.test)) - model.log_prob(data.test).value
    symbols = data.schema.reached(data.test).sum(axis=1)
    assert gap.mean() / symbols.mean() < 0.05


@pytest.mark.slow
def test_digits_are_inpainted() -> None:
    """Twelve pixels in the middle: 4096 completions by particles, against the exact sum."""
    data = genzoo.load_dataset("digits_binary")
    model = TransformerLM(**TINY).fit(data, budget="400 steps")
    pixels = np.arange(64).reshape(8, 8)
    hidden = np.isin(pixels, pixels[3:6, 2:6]).ravel()
    queried = np.where(hidden, MISSING, data.test[:2])
    found = model.log_prob(queried)
    assert found.kind == "lower_bound"
    every = np.array(list(np.ndindex(*[2] * 6)))
    for row, value, error in zip(queried, found.value, found.stderr, strict=True):
        parts = np.repeat(row[None], len(every), axis=0)
        parts[:, np.flatnonzero(hidden)[:6]] = every
        exact = model.log_prob(parts)
        assert exact.kind == "exact"
        assert abs(value - logsumexp(exact.value)) < 6 * error + 0.02
    filled = model.sample(2, given=queried)
    assert (filled[:, ~hidden] == data.test[:2, ~hidden]).all()
