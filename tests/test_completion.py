"""``complete``: on from a prompt, and into the holes of a text."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import genzoo
from genzoo import HMM, Independent, NGram, TransformerLM, Unsupported
from genzoo.space.schema import MISSING

WORDS = ["ab", "ba", "aab", "abba", "b", "bab"] * 8
TEXT = "the cat sat on the mat and the dog sat on the log. " * 20
WINDOWS = [TEXT[i : i + 8] for i in range(0, len(TEXT) - 8, 3)]
SMALL = {
    "vae": {"budget": "40 steps"},
    "gan": {"budget": "20 steps"},
    "transformer": {"budget": "40 steps"},
}
N = 3000
LEVEL = 1e-6  # of each test of frequencies


def fitted(key: str, data: list[str]) -> genzoo.GenerativeModel:
    return genzoo.make_model(key).fit(data, seed=0, **SMALL.get(key, {}))


@pytest.mark.filterwarnings("ignore:.*effective")
@pytest.mark.parametrize("key", genzoo.list_models())
def test_every_family_fills_holes_and_goes_on_in_a_row(key: str) -> None:
    names, windows = fitted(key, WORDS), fitted(key, WINDOWS)
    for model, text in ((names, "a_b_"), (windows, "t__ c_t"), (windows, f"{TEXT[:30]}____")):
        filled = model.complete(text, hole="_", seed=1)
        assert filled == model.complete(text, hole="_", seed=1)
        assert len(filled) == len(text)
        assert "_" not in filled
        assert all(a == b for a, b in zip(filled, text, strict=True) if b != "_")
    assert names.complete("ab", seed=2).startswith("ab")
    written = windows.complete("the", 5, seed=2)
    assert (written[:3], len(written)) == ("the", 8)


@pytest.mark.parametrize("model", [NGram(context=1), HMM(n_states=2, n_restarts=1)])
@pytest.mark.parametrize("text", ["a_b", "_", "ab_", "__b", "b___"])
def test_fillings_follow_the_exact_conditional(model, text: str) -> None:
    """Of strings that end where the text does, the masses of all fillings enumerated."""
    model.fit(WORDS, seed=0)
    options = [text]
    while "_" in options[0]:
        options = [o.replace("_", s, 1) for o in options for s in "ab"]
    masses = np.exp(model.log_prob(options).value)
    drawn = [model.complete(text, hole="_", seed=s) for s in range(N // 6)]
    counts = np.array([drawn.count(option) for option in options])
    assert counts.sum() == len(drawn)
    assert stats.chisquare(counts, len(drawn) * masses / masses.sum()).pvalue > LEVEL


@pytest.mark.parametrize("model", [NGram(), HMM(n_states=3, n_restarts=1)])
def test_the_next_characters_follow_the_conditionals_of_the_row(model) -> None:
    """The first drawn character, by the masses of prefixes."""
    for data, prompt in ((WORDS, "ab"), (WINDOWS, "the")):
        model.fit(data, seed=0)
        schema = model.schema_
        rows = np.full((int(schema.cards[0]), schema.D), MISSING)
        rows[:, : len(prompt)] = schema.encode([prompt], given=True)[0, : len(prompt)]
        rows[:, len(prompt)] = np.arange(len(rows))
        masses = np.exp(model.log_prob(rows).value)
        drawn = [model.complete(prompt, 1, seed=s)[len(prompt) :] for s in range(N // 3)]
        counts = np.array([drawn.count("" if s is None else s) for s in _symbols(schema)])
        expected = len(drawn) * masses / masses.sum()
        likely = expected > 4
        assert stats.chisquare(
            [*counts[likely], counts[~likely].sum() + 1e-9],
            [*expected[likely], expected[~likely].sum() + 1e-9],
        ).pvalue > LEVEL  # fmt: skip


def _symbols(schema: genzoo.Schema) -> list[str | None]:
    categories = schema.variables[0].categories or ()
    return [None if c == schema.end else str(s) for c, s in enumerate(categories)]


@pytest.mark.parametrize("key", ["ngram", "hmm", "transformer"])
def test_temperature_top_k_and_top_p_of_those_who_go_on(key: str) -> None:
    model = fitted(key, WINDOWS)
    before = model.log_prob(WINDOWS[:3]).value
    greedy = {model.complete("the ", 30, top_k=1, seed=s) for s in range(4)}
    assert len(greedy) == 1
    assert greedy == {model.complete("the ", 30, temperature=1e-9, seed=9)}
    assert greedy == {model.complete("the ", 30, top_p=1e-9, seed=9)}
    assert len({model.complete("the ", 30, seed=s) for s in range(4)}) == 4
    # all but uniform: of an alphabet of 15 the likeliest is no longer half of what is drawn
    hot = model.complete("the ", 600, temperature=1e6, seed=1)
    assert max(hot.count(s) for s in set(hot)) < 100
    np.testing.assert_array_equal(before, model.log_prob(WINDOWS[:3]).value)


def test_the_hmm_scores_text_by_the_character() -> None:
    model = HMM(n_states=3, n_restarts=1).fit(WINDOWS, seed=0)
    window = TEXT[9:17]
    assert model.score_text(window).value == pytest.approx(model.log_prob([window]).value[0] / 8)
    names = HMM(n_states=2, n_restarts=1).fit(WORDS)
    prefix = names.schema_.encode(["ab"], given=True)
    assert names.score_text("ab").value == pytest.approx(names.log_prob(prefix).value[0] / 2)


def test_an_hmm_of_its_own_steps_draws_whole_rows() -> None:
    model = HMM(n_states=2, transitions="left_right", n_restarts=1).fit(WINDOWS, budget="5 steps")
    assert len(model.complete("th", seed=0)) == 8
    with pytest.raises(Unsupported, match="HMM goes on to the end of a row, 8 characters"):
        model.complete("th", 7)


def test_a_long_text_is_filled_by_what_stands_on_both_sides_of_each_hole() -> None:
    """1 comes before x, 2 before y, and which of them is anybody's guess."""
    rng = np.random.default_rng(0)
    text = "".join(rng.choice(["1x", "2y"], 2000))
    model = NGram(context=1).fit([text[i : i + 8] for i in range(0, 3990, 7)])
    asked = "?x?x?y" * 20
    found = model.complete(asked, hole="?", seed=1)
    expected = "1x1x2y" * 20
    assert sum(a == b for a, b in zip(found, expected, strict=True)) > 0.97 * len(asked)


def test_what_makes_no_sense_is_refused_by_name() -> None:
    words, windows = Independent().fit(WORDS), Independent().fit(WINDOWS)
    with pytest.raises(ValueError, match="not fitted"):
        Independent().complete("a")
    with pytest.raises(Unsupported, match="complete needs strings"):
        Independent().fit(np.array([[0, 1], [1, 0]])).complete("a")
    with pytest.raises(Unsupported, match=r"8 characters.* 3 of the prompt and 6 more are 1 too m"):
        windows.complete("the", 6)
    with pytest.raises(Unsupported, match="Independent draws whole rows: temperature"):
        windows.complete("the", 2, temperature=0.5)
    with pytest.raises(ValueError, match="prompt: expected a str with the mark '_' in it; got 'a'"):
        words.complete("a", hole="_")
    with pytest.raises(ValueError, match="hole: expected a mark such as '___'; got ''"):
        words.complete("a", hole="")
    for text, left in (("a___b", "_b"), ("__a_", "a_"), ("_a__", "_a")):
        with pytest.raises(ValueError, match=f"hole: expected whole marks '__' .*; got '{left}'"):
            words.complete(text, hole="__")
    for mark in ("a", "ab"):
        with pytest.raises(ValueError, match=f"hole: .* not of the alphabet 'ab'; got '{mark}'"):
            words.complete("baba", hole=mark)
    with pytest.raises(ValueError, match=r"n_chars: expected None where holes are filled; got 3"):
        words.complete("a_", 3, hole="_")
    with pytest.raises(ValueError, match=r"temperature, top_k, top_p: expected 1\.0, None, None"):
        words.complete("a_", hole="_", top_k=2)
    with pytest.raises(ValueError, match="top_p: expected a number in"):
        words.complete("a", top_p=0)
    with pytest.raises(ValueError, match="prompt: expected characters of the alphabet"):
        words.complete("z_", hole="_")
    with pytest.raises(ValueError, match="prompt: expected at most 4 characters; got 5"):
        words.complete("abab_", hole="_")
    with pytest.raises(ValueError, match=r"holes of at most 8 characters.*got one of 9"):
        windows.complete("_________the", hole="_")


@pytest.mark.parametrize(
    "model", [Independent(), NGram(context=1, smoothing="witten_bell"), HMM(n_states=2)]
)
def test_a_text_that_is_too_rare_to_find_by_drawing_is_filled(model) -> None:
    schema = genzoo.Schema.infer(["a", "b", "a" * 12])
    model.fit(["a", "a", "a", "b"] * 500, schema=schema)
    for text in ("a" + "_" * 11, "_" * 12, "a_" + "a" * 9 + "_"):
        filled = model.complete(text, hole="_", seed=1)
        assert len(filled) == 12
        assert set(filled) <= set("ab")


def test_the_tempering_of_a_transformer_and_of_a_call_go_together() -> None:
    model = TransformerLM(d_model=16, n_layers=1, n_heads=2, top_k=1, device="cpu")
    model.fit(WINDOWS, budget="40 steps")
    assert model.complete("the", 20, seed=1) == model.complete("the", 20, temperature=9.0, seed=2)


@pytest.mark.parametrize("key", ["independent", "ngram"])
def test_nothing_more_is_the_prompt_however_long(key):
    model = genzoo.make_model(key).fit(["abcabc", "bcabca"] * 9)
    assert model.complete("abcabcabc", 0) == "abcabcabc"
