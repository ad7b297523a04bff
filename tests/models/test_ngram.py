"""The n-gram: masses against slow dictionaries, contexts, queries, text.

Seeds are fixed. The comparisons of sampled shares have a margin of more than four standard errors,
a false alarm in fewer than one of 10,000 seeds; all else is exact.
"""

from __future__ import annotations

import math
import tracemalloc
from collections import Counter, defaultdict

import numpy as np
import pytest

import genzoo
from genzoo import MISSING, Dataset, NGram, Schema, Unsupported, Variable
from genzoo.fitting import Budget
from genzoo.model import GenerativeModel
from genzoo.models.ngram import model as ngram_model
from genzoo.models.ngram import search as ngram_search
from genzoo.models.shared.column_order import column_order
from genzoo.space import blocks

WORDS = ["aab", "ab", "abab", "b", "ba", "aabb", "", "abb", "bbab", "aab", "ab", "a", "cab", "aac"]


def nominal(*cards, layout="table", shape=None, end=None):
    variables = tuple(Variable(f"x{d}", "nominal", c) for d, c in enumerate(cards))
    return Schema(variables, layout, shape or (len(cards),), end)


def total(model):
    return float(np.exp(model.log_prob(model.schema_.enumerate()).value).sum())


def text_set(seed=0, n=4000, T=16):
    """Windows of a text in which each symbol mostly follows the one before it in the alphabet."""
    rng = np.random.default_rng(seed)
    codes = np.cumsum(rng.choice([1, 1, 1, 2, 3], n)) % 4
    text = "".join("abcd"[c] for c in codes)
    parts = {
        "train": text[: n // 2],
        "valid": text[n // 2 : 3 * n // 4],
        "test": text[3 * n // 4 :],
    }
    variables = tuple(Variable(f"t{t}", "nominal", categories=tuple("abcde")) for t in range(T))
    schema = Schema(variables, "sequence", (T,))

    def windows(part):
        symbols = np.array(["abcde".index(s) for s in part])
        return symbols[: len(symbols) // T * T].reshape(-1, T)

    rows = {name: windows(part) for name, part in parts.items()}
    return Dataset("toy", schema, **rows, text={name: [part] for name, part in parts.items()})


# -------------------------------------------------------------------- against dictionaries


def spelled(word, T):
    """The symbols of a word with its END, each with what stands before it, nearest first."""
    symbols = [*word, "$"][:T]
    return [(s, [*reversed(word[:t]), "^"]) for t, s in enumerate(symbols)]


def counts_of(words, T, k):
    """Per length of the context: Counter of (context, symbol); contexts end at the mark ^."""
    counts = [Counter() for _ in range(k + 1)]
    for word in words:
        for symbol, before in spelled(word, T):
            for j in range(min(k, len(before)) + 1):
                counts[j][tuple(before[:j]), symbol] += 1
    return counts


def witten_bell(counts, symbol, before, M, s):
    p = 1 / M
    for j in range(min(len(counts) - 1, len(before)) + 1):
        after = {x: c for (h, x), c in counts[j].items() if h == tuple(before[:j])}
        if not after:
            return p
        c, n = sum(after.values()), len(after)
        p = (after.get(symbol, 0) + s * n * p) / (c + s * n)
    return p


def discounts(values):
    n = [sum(v == c for v in values) for c in range(5)]
    single = n[1] / (n[1] + 2 * n[2]) if n[1] else 0.5
    single = single if 0 < single < 1 else 0.5
    found = [0.0]
    for c in (1, 2, 3):
        d = c - (c + 1) * single * n[c + 1] / n[c] if n[c] else 0.0
        found.append(d if 0 < d < c else single)
    return found


def kneser_ney(counts, symbol, before, M):
    p, full = 1 / M, min(len(counts) - 1, len(before))
    for j in range(full + 1):
        used = counts[j]
        if j < full:
            longer = defaultdict(set)
            for h, x in counts[j + 1]:
                longer[h[:-1], x].add(h)
            # those that reach the beginning have no longer ones, and keep their counts
            used = {key: len(longer[key]) if key in longer else c for key, c in used.items()}
            D = discounts([used[key] for key in used if key in longer])
        else:
            D = discounts(list(used.values()))
        after = {x: c for (h, x), c in used.items() if h == tuple(before[:j])}
        if not after:
            return p
        taken = {x: D[min(c, 3)] for x, c in after.items()}
        own = after.get(symbol, 0) - taken.get(symbol, 0.0)
        p = (own + sum(taken.values()) * p) / sum(after.values())
    return p


@pytest.mark.parametrize("k", [0, 1, 2, 3])
@pytest.mark.parametrize("smoothing", ["witten_bell", "kneser_ney"])
def test_masses_are_those_of_the_formulas(smoothing, k):
    schema = Schema.infer([*WORDS, "abcb"])
    T, M = schema.D, len(schema.variables[0].categories)
    model = NGram(context=k, smoothing=smoothing, strength=1.5)
    model.fit(WORDS, schema=schema, valid=["ab", "ccc"])
    counts = counts_of(WORDS, T, k)

    def mass(symbol, before):
        if smoothing == "witten_bell":
            return witten_bell(counts, symbol, before, M, 1.5)
        return kneser_ney(counts, symbol, before, M)

    asked = ["", "a", "ab", "abcb", "cccc", "bab", "aabb", "caca"]
    found = model.log_prob(asked).value
    expected = [sum(math.log(mass(s, h)) for s, h in spelled(word, T)) for word in asked]
    assert np.allclose(found, expected, atol=1e-12)


def test_columns_of_a_table_have_counts_of_their_own():
    rows = np.array([[0, 1], [0, 1], [0, 0], [1, 2], [1, 2]])
    model = NGram(context=1, smoothing="witten_bell", strength=1.0)
    model.fit(rows, schema=nominal(2, 3), valid=rows)
    # by hand, whichever column is read first
    first, second = model.contexts_.order.tolist()
    M = [2, 3]

    def step(of, p, s):
        c = Counter(of)
        n = len(c)
        return (c[s] + n * p) / (len(of) + n)

    for x in model.schema_.enumerate():
        p = step(rows[:, first].tolist(), 1 / M[first], x[first])
        alone = step(rows[:, second].tolist(), 1 / M[second], x[second])
        after = rows[rows[:, first] == x[first], second].tolist()
        p *= step(after, alone, x[second])
        assert model.log_prob(x[None]).value[0] == pytest.approx(math.log(p), abs=1e-12)


@pytest.mark.slow
def test_reference_values_on_tinyshakespeare():
    """Witten-Bell with four characters: 1.673 nats per character; the defaults are better."""
    data = genzoo.load_dataset("tinyshakespeare")
    text = data.text["test"][0]
    plain = NGram(context=4, smoothing="witten_bell", strength=1.0).fit(data)
    assert plain.score_text(text).value == pytest.approx(-1.673, abs=0.005)
    assert NGram().fit(data).score_text(text).value > -1.56


# -------------------------------------------------------------------- sums to one, and choices

ROWS = np.random.default_rng(0).integers(0, 2, (200, 8))
SPACES = {
    "constant columns": (nominal(1, 2, 1, 3), ROWS[:, :4] * [0, 1, 0, 2]),
    "one constant column": (nominal(1), ROWS[:, :1] * 0),
    "a sequence of numbers": (nominal(2, 2, 2, layout="sequence"), ROWS[:, :3]),
    "channels": (nominal(*[2] * 8, layout="sequence", shape=(4, 2)), np.repeat(ROWS[:, :4], 2, 1)),
    "unlike steps": (nominal(2, 3, layout="sequence"), ROWS[:, :2]),
    "a colour image": (nominal(*[2] * 8, layout="image", shape=(2, 2, 2)), ROWS),
    "only END": (nominal(1, 1, layout="sequence", end=0), ROWS[:, :2] * 0),
    "END": (nominal(3, 3, 3, layout="sequence", end=1), np.array([[0, 2, 1], [2, 1, 1]] * 9)),
}


@pytest.mark.parametrize("smoothing", ["witten_bell", "kneser_ney"])
@pytest.mark.parametrize("space", SPACES)
def test_masses_sum_to_one(space, smoothing):
    schema, rows = SPACES[space]
    model = NGram(smoothing=smoothing).fit(rows, schema=schema, valid=rows[:9])
    assert total(model) == pytest.approx(1.0, abs=1e-12)
    drawn = model.sample(40, seed=1)
    assert np.isfinite(model.log_prob(drawn).value).all()


def test_contexts_that_were_never_seen_are_the_shorter_ones():
    schema = Schema.infer(["abc", "cba", ""])
    model = NGram(context=3).fit(["ab", "abb"] * 5, schema=schema, valid=["ab"])
    assert total(model) == pytest.approx(1.0, abs=1e-12)
    assert np.isfinite(model.log_prob(["ccc", "cab"]).value).all()


def test_validation_rows_are_not_counted():
    rng = np.random.default_rng(3)
    rows = rng.integers(0, 3, (300, 5))
    settings = {"context": 2, "smoothing": "witten_bell", "strength": 1.0}
    schema = nominal(*[3] * 5)
    one = NGram(**settings).fit(rows, schema=schema, valid=rows[:50])
    two = NGram(**settings).fit(rows, schema=schema, valid=np.full((50, 5), 2))
    asked = rng.integers(0, 3, (50, 5))
    assert (one.log_prob(asked).value == two.log_prob(asked).value).all()


def test_length_and_smoothing_are_chosen_where_they_pay():
    rng = np.random.default_rng(4)
    rows = np.zeros((3000, 12), dtype=np.int64)
    rows[:, :2] = rng.integers(0, 2, (3000, 2))
    for t in range(2, 12):  # the symbol two steps before, in nine of ten
        rows[:, t] = np.where(rng.random(3000) < 0.9, rows[:, t - 2], rng.integers(0, 2, 3000))
    schema = nominal(*[2] * 12, layout="sequence")
    model = NGram().fit(rows[:2500], schema=schema, valid=rows[2500:])
    truth = 2 * math.log(0.5) + 10 * (0.95 * math.log(0.95) + 0.05 * math.log(0.05))
    assert model.log_prob(rows[2500:]).mean().value == pytest.approx(truth, abs=0.25)
    assert model.lengths_[0] >= 1
    nothing = NGram().fit(rng.integers(0, 2, (500, 4)), schema=nominal(2, 2, 2, 2))
    assert nothing.log_prob(nothing.schema_.enumerate()).mean().value == pytest.approx(
        4 * math.log(0.5), abs=0.1
    )


@pytest.mark.parametrize("D", [30, 60])
def test_chance_lengthens_no_context(D):
    """The best of each column's own sums would lose 0.3 and 0.9 nats."""
    rng = np.random.default_rng(D)
    rows = (rng.random((20_700, D)) < rng.uniform(0.05, 0.95, D)).astype(np.int64)
    model = NGram().fit(rows[:630], schema=nominal(*[2] * D), valid=rows[630:700])
    baseline = NGram(context=0).fit(rows[:630], schema=nominal(*[2] * D), valid=rows[630:700])
    lost = baseline.log_prob(rows[700:]).value - model.log_prob(rows[700:]).value
    assert lost.mean() < 0.02
    assert np.mean(model.lengths_ == 0) > 0.95


def test_columns_learn_from_each_other_how_long_contexts_pay():
    """20 validation rows tell little of a column, and much of all 60."""
    rng = np.random.default_rng(1)
    rows = rng.integers(0, 2, (1520, 60))
    for d in range(1, 60):
        rows[:, d] = np.where(rng.random(1520) < 0.85, rows[:, d - 1], 1 - rows[:, d - 1])
    model = NGram().fit(rows[:500], schema=nominal(*[2] * 60), valid=rows[500:520])
    assert np.mean(model.lengths_ >= 1) > 0.95
    truth = math.log(0.5) + 59 * (0.85 * math.log(0.85) + 0.15 * math.log(0.15))
    assert model.log_prob(rows[520:]).mean().value > truth - 0.8


def test_a_budget_stops_the_search():
    rows = np.random.default_rng(5).integers(0, 2, (200, 10))
    model = NGram().fit(rows, schema=nominal(*[2] * 10), budget=Budget(seconds=1e-9))
    assert model.training_.stopped_by == "budget"
    assert not model.training_.converged
    assert model.lengths_.max() == 0


def chain(n, D, seed=0):
    """Each column is the one before it, in nine of ten rows."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, 2, (n, D))
    for d in range(1, D):
        rows[:, d] = np.where(rng.random(n) < 0.9, rows[:, d - 1], rows[:, d])
    return rows


def test_what_a_budget_leaves_of_the_choice_are_the_nearest_columns(ticking):
    """All columns have a context, and the fit is repeated by its record."""
    rows = chain(900, 60)
    schema = nominal(*[2] * 60)
    ticking(0.01)
    model = NGram().fit(rows[:800], schema=schema, valid=rows[800:], budget=Budget(seconds=2.0))
    work = model.training_.work
    assert 0 < work["places"] < 60  # columns
    assert work["lengths"] > 1
    assert ("places", work["places"]) in model.training_.stops
    assert model.training_.seconds < 2.4
    truth = math.log(0.5) + 59 * (0.95 * math.log(0.95) + 0.05 * math.log(0.05))
    assert model.log_prob(chain(900, 60, seed=1)).mean().value > truth - 2.0
    ticking(1.0)
    budget = Budget.replay(model.training_, Budget(seconds=2.0))
    again = NGram().fit(rows[:800], schema=schema, valid=rows[800:], budget=budget)
    assert (again.log_prob(rows).value == model.log_prob(rows).value).all()


def test_a_budget_counts_no_more_rows_than_it_has_time_for(clock):
    """However fast they are counted: a column that is a number for each row shows how many."""
    rows = np.stack([np.arange(400), np.arange(400) % 2], axis=1)
    schema, seconds = nominal(400, 2), 100 / ngram_model.EVENTS_A_SECOND
    model = NGram(context=0).fit(rows, schema=schema, valid=rows, budget=Budget(seconds=seconds))
    assert model.n_parameters_ == 50 + 2
    assert NGram(context=0).fit(rows, schema=schema, valid=rows).n_parameters_ == 402


def test_too_many_pairs_end_the_search_and_it_says_so(monkeypatch):
    rows = np.random.default_rng(5).integers(0, 4, (500, 6))
    schema = nominal(*[4] * 6)
    whole = NGram(context=3).fit(rows, schema=schema, valid=rows[:50])
    assert whole.training_.converged
    counted = [len(level.pairs) for level in whole.tree_.levels]
    monkeypatch.setattr(ngram_search, "MOST_PAIRS", sum(counted[:3]))
    model = NGram(context=3).fit(rows, schema=schema, valid=rows[:50])
    assert model.lengths_.max() == 2
    assert (model.training_.converged, model.training_.stopped_by) == (False, "steps")


def peak(work):
    """MiB that some work asks for at most."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


def test_memory_follows_the_data_whatever_the_number_of_codes():
    """A column for each of 20,000 codes would be 230 MiB."""
    rng = np.random.default_rng(0)
    rows = np.stack([rng.integers(0, 20_000, 3000), *rng.integers(0, 3, (4, 3000))], axis=1)
    schema = nominal(20_000, 3, 3, 3, 3)
    model = NGram(context=2, smoothing="kneser_ney")
    assert peak(lambda: model.fit(rows, schema=schema)) < 40
    assert peak(lambda: model.log_prob(rows)) < 10
    assert peak(lambda: model.sample(300)) < 110  # the masses of so many codes are 46


def test_memory_follows_the_data_whatever_the_number_of_rows(monkeypatch):
    """Beside what is computed of a block of rows at a time."""
    monkeypatch.setattr(blocks, "NUMBERS", 2**13)
    monkeypatch.setattr(ngram_model, "STRETCH_EVENTS", 2**13)
    rows = np.random.default_rng(0).integers(0, 4, (10_000, 12))
    mib, schema = rows.nbytes / 2**20, nominal(*[4] * 12)
    shared = peak(lambda: column_order(rows, schema.cards))  # of some rows, whatever their number
    model = NGram(context=1, smoothing="kneser_ney")
    assert peak(lambda: model.fit(rows, schema=schema, valid=rows[:99])) < shared + 3 * mib
    assert peak(lambda: model.log_prob(rows)) < 3 * mib
    assert peak(lambda: model.sample(len(rows))) < 4 * mib


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"context": -1}, r"context: expected an integer in \[0, 16\] or None; got -1"),
        ({"context": 99}, r"context: expected an integer in \[0, 16\] or None; got 99"),
        (
            {"smoothing": "laplace"},
            "smoothing: expected one of 'witten_bell', 'kneser_ney', None; got 'laplace'",
        ),
        ({"strength": 0}, "strength: expected a positive number or None; got 0"),
        ({"strength": True}, "strength: expected a positive number or None; got True"),
    ],
)
def test_bad_parameters(params, message):
    with pytest.raises(ValueError, match=message):
        genzoo.make_model("ngram", **params)


# -------------------------------------------------------------------- queries


def test_every_pattern_of_missing_entries_is_summed_out():
    rng = np.random.default_rng(6)
    rows = np.cumsum(rng.integers(0, 2, (300, 5)), axis=1) % 3
    model = NGram(context=2).fit(rows, schema=nominal(*[3] * 5), valid=rows[:50])
    everything = model.schema_.enumerate()
    log_mass = model.log_prob(everything).value
    for mask in range(32):
        hidden = np.array([mask >> d & 1 for d in range(5)], dtype=bool)
        asked = np.where(hidden, MISSING, rows[0])
        agreeing = ((everything == asked) | hidden).all(axis=1)
        found = model.log_prob(asked[None])
        assert found.kind == "exact"
        assert found.value[0] == pytest.approx(np.logaddexp.reduce(log_mass[agreeing]), abs=1e-10)


def test_long_holes_are_exact_where_few_values_are_held():
    words = ["ab" * 6, "ba" * 6, "aab" * 4] * 20
    model = NGram(context=2).fit(words, valid=words[:9])
    T = model.schema_.D
    asked = np.full((1, T), MISSING)
    asked[0, -1] = 0
    found = model.log_prob(asked)  # of 3^11 completions
    assert found.kind == "exact"
    shares = model.sample(20_000, seed=1)
    ends = np.mean([len(word) == T and word[-1] == "a" for word in shares])
    mass = float(np.exp(found.value[0]))
    assert abs(ends - mass) < 4.5 * math.sqrt(mass / 20_000)
    filled = model.sample(50, given=asked, seed=2)
    assert all(len(word) == T and word[-1] == "a" for word in filled)


@pytest.mark.parametrize("d", range(4))
def test_all_labels_at_once_are_those_of_one_after_the_other(d):
    rng = np.random.default_rng(11)
    rows = np.cumsum(rng.integers(0, 9, (900, 4)), axis=1)
    wide = tuple(Variable(f"x{d}", "ordinal", 40, offset=0, step=1) for d in range(4))
    model = NGram(context=2).fit(rows, schema=Schema(wide, "table", (4,)))
    asked = rows[:60].copy()
    asked[:20, (d + 1) % 4] = MISSING
    for part in (asked, asked[20:]):
        found = model._log_prob_each(part, d, seed=0)
        expected = GenerativeModel._log_prob_each(model, part, d, seed=0)
        np.testing.assert_allclose(found, expected, atol=1e-10)


def test_completions_follow_the_conditional():
    rng = np.random.default_rng(7)
    rows = np.cumsum(rng.integers(0, 2, (400, 4)), axis=1) % 3
    model = NGram(context=2).fit(rows, schema=nominal(*[3] * 4), valid=rows[:50])
    given = np.array([MISSING, 1, MISSING, 2])
    drawn = model.sample(20_000, given=given, seed=1)
    everything = model.schema_.enumerate()
    agreeing = everything[((everything == given) | (given == MISSING)).all(axis=1)]
    mass = np.exp(model.log_prob(agreeing).value - model.log_prob(given[None]).value[0])
    assert mass.sum() == pytest.approx(1.0, abs=1e-10)
    for row, p in zip(agreeing, mass, strict=True):
        share = np.mean((drawn == row).all(axis=1))
        assert abs(share - p) < 4.5 * math.sqrt(p * (1 - p) / 20_000) + 1e-4


@pytest.mark.filterwarnings("ignore:sample")
def test_patterns_that_hold_too_much_are_bounded():
    text = text_set()
    model = NGram(context=6).fit(text)
    row = np.where(np.arange(16) == 15, text.test[0], MISSING)
    found = model.log_prob(np.stack([row, text.test[1]]))
    assert found.kind == "lower_bound"
    assert found.stderr[1] == 0
    assert -3 < found.value[0] < -0.5
    filled = model.sample(2, given=row, seed=1)
    assert (filled[:, 15] == row[15]).all()


def test_available_cases_are_counted():
    rng = np.random.default_rng(9)
    first = rng.integers(0, 2, 6000)
    rows = np.stack([first, np.where(rng.random(6000) < 0.9, first, 1 - first)], axis=1)
    holed = np.where(rng.random(rows.shape) < 0.3, MISSING, rows)
    model = NGram().fit(holed, schema=nominal(2, 2))
    p = np.exp(model.log_prob(np.array([[0, 0], [0, 1], [1, 0], [1, 1]])).value)
    # about 3,000 rows have both: four standard errors are 0.04
    assert np.allclose(p, [0.45, 0.05, 0.05, 0.45], atol=0.04)


def test_long_ordinals_and_the_missing_mark():
    rng = np.random.default_rng(10)
    values = np.minimum(rng.gamma(2, 20, (900, 2)).astype(np.int64), 199)
    values[:, 1] = (values[:, 0] + rng.integers(0, 9, 900)) % 200
    values[rng.random(900) < 0.2, 0] = 200
    wide = tuple(
        Variable(name, "ordinal", 200 + mark, offset=0, step=1, missing=mark)
        for name, mark in (("a", True), ("b", False))
    )
    schema = Schema(wide, "table", (2,))
    model = NGram().fit(values, schema=schema)
    assert total(model) == pytest.approx(1.0, abs=1e-10)
    drawn = model.sample(300, given=np.array([MISSING, 30]), seed=1)
    assert (drawn[:, 0] < 200).all()
    assert (drawn[:, 1] == 30).all()


def test_a_saved_model_is_the_same(tmp_path):
    for number, (smoothing, data) in enumerate([("kneser_ney", WORDS), ("witten_bell", ROWS)]):
        model = NGram(smoothing=smoothing).fit(data)
        model.save(tmp_path / str(number))
        again = genzoo.load_model(tmp_path / str(number))
        assert (again.log_prob(data).value == model.log_prob(data).value).all()
        assert np.array_equal(again.sample(20, seed=1), model.sample(20, seed=1))
        assert again.smoothing_ == model.smoothing_
        assert (again.strengths_ == model.strengths_).all()
        assert again.n_parameters_ == model.n_parameters_


# -------------------------------------------------------------------- text


def test_score_text_gives_every_character_its_context():
    data = text_set()
    model = NGram(context=2).fit(data)
    text = data.text["test"][0][:200]
    codes = np.array(["abcde".index(s) for s in text])
    terms = []
    for t in range(len(codes)):  # by differences of prefixes of a window
        start = max(0, t - 2)
        row = np.full((2, data.schema.D), MISSING)
        row[:, : t - start + 1] = codes[start : t + 1]
        row[1, t - start] = MISSING
        terms.append(np.subtract(*model.log_prob(row).value))
    score = model.score_text(text)
    assert score.value == pytest.approx(np.mean(terms), abs=1e-12)
    assert np.isnan(score.stderr)  # 200 characters make no six blocks
    # a window of T characters that has slid by one has all that two characters need
    assert model.score_text(text, context=16, stride=1).value == pytest.approx(score.value)


def test_the_error_of_a_text_is_that_of_its_blocks():
    data = text_set()
    model = NGram(context=2).fit(data)
    text = text_set(seed=1, n=51_998).text["train"][0]
    score = model.score_text(text)  # 25,999 characters: six blocks of 4,000 or more
    ends = [-(-k * len(text) // 48) * 8 for k in range(6)] + [len(text)]  # at every eighth
    totals = [0.0, *(model.score_text(text[:end]).value * end for end in ends[1:])]
    without = (totals[-1] - np.diff(totals)) / (len(text) - np.diff(ends))
    expected = np.sqrt(5 / 6 * np.sum((without - score.value) ** 2))
    assert score.stderr == pytest.approx(expected, rel=1e-6)
    assert np.isnan(model.score_text(text[:23_999]).stderr)


def test_the_whole_text_is_counted_and_the_test_text_is_not():
    data = text_set()
    model = NGram(context=1, smoothing="witten_bell", strength=1.0).fit(data)
    pairs = len(data.text["train"][0])
    counted = sum(np.isfinite(level.own).sum() - 1 for level in model.tree_.levels)
    assert counted == model.n_parameters_
    row = np.full((1, 16), MISSING)
    row[0, 0] = "abcde".index("a")
    n = Counter(data.text["train"][0])
    expected = (n["a"] + len(n) / 5) / (pairs + len(n))
    assert model.log_prob(row).value[0] == pytest.approx(math.log(expected), abs=1e-12)


def test_complete_goes_on_from_a_prompt():
    data = text_set()
    model = NGram().fit(data)
    text = model.complete("abca", 50, seed=1)
    assert text.startswith("abca")
    assert len(text) == 54
    assert text == model.complete("abca", 50, seed=1)
    assert text != model.complete("abca", 50, seed=2)
    names = NGram().fit(WORDS)
    word = names.complete("a", 50, seed=1)
    assert word.startswith("a")
    assert len(word) <= names.schema_.D
    assert names.score_text("aab").value < 0


def test_text_that_makes_no_sense():
    model = NGram().fit(WORDS)
    with pytest.raises(ValueError, match="got 'z'"):
        model.score_text("abz")
    with pytest.raises(ValueError, match="at least one character"):
        model.score_text("")
    with pytest.raises(ValueError, match=r"stride: expected an integer in \[1, 3\]; got 4"):
        model.score_text("ab", context=3, stride=4)
    with pytest.raises(ValueError, match="prompt: expected at most 4 characters"):
        model.complete("abababab")
    with pytest.raises(Unsupported, match="score_text needs strings"):
        NGram().fit(ROWS).score_text("a")
