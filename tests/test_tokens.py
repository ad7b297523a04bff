"""Text in tokens: what they are, data sets of them, and models that read and write text in them."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import genzoo
from genzoo import HMM, Independent, NGram, Schema, TransformerLM, Unsupported
from genzoo.models.shared.text import per_character
from genzoo.report import tokens
from genzoo.results.numbers import with_error
from genzoo.results.ranking import rank
from genzoo.results.run import read_run
from genzoo.space import characters
from genzoo.space.infer import sequence_of
from genzoo.space.tokenizer import Tokenizer

TEXT = "the cat sat on the mat, and the naïve dog sat on the café's log.\n" * 40
PARTS = {"train": [TEXT[:900], TEXT[1100:2000]], "valid": [TEXT[900:1100]], "test": [TEXT[2000:]]}
NAMES = ["anna", "hanna", "joanna", "ann", "jo", "johanna", "annabel", "bel"] * 10
TOKENIZER = Tokenizer.train([TEXT], 280)


def running_text(parts: dict[str, list[str]] = PARTS) -> genzoo.Dataset:
    symbols, T = tuple(sorted(set(TEXT))), 8
    schema = Schema(*sequence_of(symbols, T))
    cut = {p: [s[i : i + T] for s in parts[p] for i in range(0, len(s) - T, T)] for p in parts}
    rows = {part: schema.encode(cut[part]) for part in parts}
    return genzoo.Dataset("plays", schema, **rows, text=parts)


@pytest.fixture(scope="module")
def plays() -> genzoo.Dataset:
    return genzoo.in_tokens(running_text(), 280)


@pytest.fixture(scope="module")
def names() -> genzoo.Dataset:
    return genzoo.in_tokens(genzoo.Dataset.from_data(NAMES, "names"), 262)


def text_of(data: genzoo.Dataset, part: str) -> list[str]:
    return characters.texts(data.schema, getattr(data, part))


# -------------------------------------------------------------------------------- tokens


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_every_text_comes_back(text: str) -> None:
    symbols = TOKENIZER.encode(text)
    assert TOKENIZER.decode(symbols) == text
    at = [TOKENIZER.symbols.index(s) for s in symbols]
    assert TOKENIZER.n_begun[at].sum() == len(text)
    assert sum(len(TOKENIZER.tokens[i]) for i in at) == len(text.encode())


def test_pairs_are_merged_by_how_often_they_stand_there() -> None:
    learned = Tokenizer.train(["ab ab ab xy"], 257)
    assert learned.merges == (("a", "b"),)
    assert Tokenizer.train(["ab ab ab xy"], 1000).vocab_size == 258  # "ab" and " ab"; once: no pair
    assert Tokenizer.train([TEXT], 280) == TOKENIZER
    assert Tokenizer.train([], 300).vocab_size == 256


@pytest.mark.parametrize("size", [255, 10**6, 300.0, True, "300"])
def test_a_wrong_number_of_tokens_is_refused(size: object) -> None:
    with pytest.raises(ValueError, match=r"vocab_size: expected an integer in \[256, 65000\]"):
        Tokenizer.train([TEXT], size)  # type: ignore[arg-type]


def test_what_are_no_tokens_is_refused() -> None:
    with pytest.raises(ValueError, match=r"merges: expected pairs of earlier tokens; got \('ab'"):
        Tokenizer((("ab", "c"),))
    with pytest.raises(ValueError, match="merges: expected a tuple of pairs; got list"):
        Tokenizer([("a", "b")])
    with pytest.raises(ValueError, match=r"texts: expected a list of str; got a str"):
        Tokenizer.train("the the the", 300)
    with pytest.raises(ValueError, match="text: expected whole characters"):
        Tokenizer.train(["\ud83d"], 300)
    with pytest.raises(ValueError, match="text: expected a str; got int"):
        TOKENIZER.encode(5)
    with pytest.raises(ValueError, match="symbols: expected the symbols of tokens; got 'x'"):
        TOKENIZER.decode("x")
    with pytest.raises(ValueError, match="text: expected whole characters"):
        TOKENIZER.encode("\ud83d")


# -------------------------------------------------------------------------------- spaces


def test_a_schema_keeps_its_tokens(plays: genzoo.Dataset) -> None:
    schema = plays.schema
    again = Schema.from_json(schema.to_json())
    assert again == schema
    assert again.tokenizer == schema.tokenizer
    plain = json.loads(schema.to_json())
    del plain["merges"]
    without = Schema.from_json(json.dumps(plain))
    assert schema.difference(without) == "the tokens are not the same"
    with pytest.raises(ValueError, match="tokenizer: expected strings over its 280 symbols"):
        Schema(*sequence_of("ab", 3), tokenizer=TOKENIZER)
    for text in ("the cat ", "the cat sat on the mat"):
        with pytest.raises(ValueError, match=r"as schema\.tokenizer\.encode"):
            schema.encode([text])
    with pytest.raises(ValueError, match="expected exactly 8 tokens; row 0 has 9"):
        schema.encode(["\U000f0000" * 9])


def test_running_text_is_cut_into_rows_of_tokens(plays: genzoo.Dataset) -> None:
    assert plays.schema.D == running_text().schema.D
    for part, stretches in PARTS.items():
        tokens = [characters.codes_of(plays.schema, s, "text") for s in stretches]
        whole = [codes[: len(codes) // 8 * 8] for codes in tokens]
        np.testing.assert_array_equal(getattr(plays, part).ravel(), np.concatenate(whole))
    assert plays.text == PARTS
    assert plays.groups is not None


def test_strings_stay_rows(names: genzoo.Dataset) -> None:
    whole = genzoo.Dataset.from_data(NAMES, "names")
    for part in PARTS:
        assert text_of(names, part) == whole.schema.decode(getattr(whole, part))
    assert names.name == "names_bpe"
    assert names.schema.D < whole.schema.D
    n_bytes = characters.n_bytes(names.schema, names.test, lines=True)
    of_whole = characters.n_bytes(whole.schema, whole.test, lines=True)
    np.testing.assert_array_equal(n_bytes, of_whole)
    assert n_bytes.tolist() == [len(s) + 1 for s in text_of(names, "test")]


def test_tokens_are_learned_from_the_training_part_alone() -> None:
    parts = PARTS | {"test": [PARTS["test"][0] + "zq" * 500]}
    symbols = tuple(sorted(set(TEXT) | {"z", "q"}))
    schema = Schema(*sequence_of(symbols, 8))
    rows = {p: schema.encode([parts[p][0][:8]] * 3) for p in parts}
    data = genzoo.in_tokens(genzoo.Dataset("mine", schema, **rows, text=parts), 400)
    assert not any("zq" in token for token in data.schema.tokenizer.tokens)


def test_what_is_no_text_of_characters_is_refused(plays: genzoo.Dataset) -> None:
    with pytest.raises(ValueError, match="data: expected rows of characters; those of iris are no"):
        genzoo.in_tokens(genzoo.load_dataset("iris"))
    with pytest.raises(ValueError, match="those of plays_bpe are already in tokens"):
        genzoo.in_tokens(plays)
    with pytest.raises(ValueError, match="vocab_size"):
        genzoo.in_tokens(running_text(), 3)
    with pytest.raises(ValueError, match="data: expected a Dataset; got list"):
        genzoo.in_tokens(["the cat"])
    short = running_text(PARTS | {"valid": ["the cat sat on"]})
    with pytest.raises(ValueError, match=r"text of at least 8 tokens in a stretch .* in valid"):
        genzoo.in_tokens(short, 280)


# -------------------------------------------------------------------------------- models


@pytest.mark.parametrize("model", [Independent(), NGram(context=2), HMM(n_states=3, n_restarts=1)])
def test_canonical_tokens_are_a_bound_on_the_mass_of_the_text(model, names) -> None:
    """All rows of tokens that spell a name, enumerated."""
    model.fit(names, seed=0)
    schema, tokenizer = names.schema, names.schema.tokenizer
    for name in ("anna", "jo", "bel"):
        pieces = [
            [name[i:j] for i, j in itertools.pairwise((0, *cut, len(name)))]
            for r in range(len(name))
            for cut in itertools.combinations(range(1, len(name)), r)
        ]
        spelled = [
            "".join(tokenizer.symbols[tokenizer.tokens.index(piece)] for piece in row)
            for row in pieces
            if set(row) <= set(tokenizer.tokens) and len(row) <= schema.D
        ]
        assert len(spelled) > 1
        canonical = tokenizer.encode(name)
        assert canonical in spelled
        masses = np.exp(model.log_prob(schema.encode(spelled)).value)
        of_canonical = np.exp(model.log_prob(schema.encode([canonical])).value[0])
        assert of_canonical < masses.sum() <= 1
        assert {characters.texts(schema, schema.encode([s]))[0] for s in spelled} == {name}


@pytest.mark.parametrize(
    "model",
    [NGram(context=3), HMM(n_states=4, n_restarts=1), TransformerLM(d_model=16, n_layers=1)],
)
def test_text_is_scored_by_the_character_as_a_bound(model, plays) -> None:
    model.fit(plays, seed=0, budget="20 steps" if isinstance(model, TransformerLM) else None)
    starts = [TEXT[:n] for n in range(200)]
    encode = plays.schema.tokenizer.encode
    for text in ("the naïve", next(text for text in starts if len(encode(text)) == 24)):
        codes = characters.codes_of(plays.schema, text, "text")
        rows = np.full((-(-len(codes) // 8), 8), genzoo.MISSING)
        rows.ravel()[: len(codes)] = codes
        score = model.score_text(text, context=8, stride=8)
        assert score.kind == "lower_bound"
        assert score.value * len(text) == pytest.approx(model.log_prob(rows).value.sum(), rel=1e-4)


def test_blocks_of_text_are_the_same_where_the_last_stretch_begins_no_character() -> None:
    terms = -np.random.default_rng(0).exponential(size=24_000)
    n_begun = np.ones(24_000, dtype=np.int64)
    whole = per_character(terms, n_begun)
    split = per_character(np.append(terms, 0.0), np.append(n_begun, 0))  # half of a character
    assert split.stderr == pytest.approx(whole.stderr, rel=1e-12)


def test_a_model_of_tokens_writes_text(plays, names, tmp_path) -> None:
    model = NGram(context=3).fit(plays, seed=0)
    model.save(tmp_path / "model")
    for one in (model, genzoo.load_model(tmp_path / "model")):
        written = one.complete("the naï", 50, seed=1)
        assert written.startswith("the naï")
        assert len(written) == 57
        assert "\ufffd" not in written
        assert set(written) <= set(TEXT)
        assert one.complete("", 30, seed=2) == one.complete("", 30, seed=2)
    filled = model.complete("the __ sat on", hole="__", seed=1)
    assert filled.startswith("the ")
    assert filled.endswith(" sat on")
    of_names = NGram().fit(names, seed=0)
    assert of_names.complete("an", seed=3).startswith("an")
    assert of_names.complete("j_a", hole="_", seed=3)[0] == "j"
    rows = Independent().fit(plays, seed=0)
    assert rows.complete("the", 3, seed=1)[:3] == "the"
    with pytest.raises(Unsupported, match="8 tokens, and no further: with this seed"):
        rows.complete("the", 500)
    with pytest.raises(ValueError, match=r"prompt: expected at most \d+ tokens"):
        of_names.complete("an" * 50)


@pytest.mark.filterwarnings("ignore:.*effective")
@pytest.mark.parametrize("key", genzoo.list_models())
def test_every_family_reads_and_writes_tokens(key, plays, names) -> None:
    for data, prompt in ((plays, "the cat"), (names, "an")):
        model = genzoo.make_model(key).fit(data, seed=0, budget="20 steps")
        assert np.isfinite(model.log_prob(data.test).value).all()
        assert model.sample(3, seed=1).shape == (3, data.schema.D)
        assert model.complete(prompt, 1, seed=2).startswith(prompt)


@pytest.mark.parametrize("model", [NGram(context=1), HMM(n_states=3, n_restarts=1)])
@pytest.mark.parametrize("prompt", ["an", "jo"])
def test_a_prompt_within_a_token_goes_on_as_texts_do_that_begin_with_it(model, prompt, names):
    """Against the texts of free draws that begin so; seeds are fixed, one false alarm in 10**6."""
    model.fit(names, seed=0)
    drawn = characters.texts(names.schema, model.sample(12_000, seed=1))
    free = [text for text in drawn if text.startswith(prompt)]
    went_on = [model.complete(prompt, seed=seed) for seed in range(1200)]
    assert len(free) > 200
    assert all(text.startswith(prompt) for text in went_on)
    often = {text for text in free if free.count(text) > 15}
    assert len(often) > 1
    counts = [
        [*(found.count(text) for text in sorted(often)), sum(t not in often for t in found) + 1]
        for found in (free, went_on)
    ]
    assert stats.chi2_contingency(counts).pvalue > 1e-6


def test_guesses_are_filled_in_as_text(plays) -> None:
    model = genzoo.MaskedTransformer(d_model=16, n_layers=1).fit(plays, budget="20 steps")
    filled = model.fill("the cat_")
    assert filled.startswith("the cat")
    assert "_" not in filled
    assert model.fill("the cat") == "the cat"
    with pytest.raises(ValueError, match="not of the symbols of tokens; got '__'"):
        model.fill("the __", hole="__")


# -------------------------------------------------------------------------------- comparisons


@pytest.mark.parametrize("kind", ["running text", "names", "names of one length"])
def test_the_report_compares_both_views_in_nats_per_byte(kind: str, tmp_path) -> None:
    running = kind == "running text"
    parts = PARTS | {"test": [TEXT * 12]}  # of less no error is known
    lines = NAMES if kind == "names" else ["anna", "hann", "joan", "anbe"] * 20
    whole = running_text(parts) if running else genzoo.Dataset.from_data(lines, "names")
    data = {"letters": whole, "pieces": genzoo.in_tokens(whole, 270)}
    budget = {"letters": "60s", "pieces": "60s" if running else "30s"}
    run = genzoo.compare(
        ["independent", "ngram"], data, budget=budget, out=tmp_path, progress=False, n_jobs=1
    )
    records = {(r["model"], r["dataset"]): r for r in run.records()}
    if not running:
        counted = [characters.n_bytes(d.schema, d.test, lines=True) for d in data.values()]
        np.testing.assert_array_equal(*counted)
    for (model, name), record in records.items():
        found = genzoo.make_model(model).fit(data[name]).log_prob(data[name].test).value
        rows = data[name].test
        n_bytes = characters.n_bytes(data[name].schema, rows, lines=not running).sum()
        assert record["per_byte"]["value"] == pytest.approx(found.sum() / n_bytes, rel=1e-6)
        if running and model == "ngram":
            score = record["text_score"]
            assert score["n_characters"] == len(parts["test"][0])
            assert score["n_bytes"] == len(parts["test"][0].encode())
            assert score["kind"] == ("exact" if name == "letters" else "lower_bound")
    read = read_run(tmp_path)
    found = tokens.table(read, rank(read, next(d for d in read.datasets if d.name == "pieces")))
    assert found is not None
    line = next(ln for ln in (found.running if running else found.by_row) if ln.model == "ngram")
    assert line.gain == with_error(*paired_gain(data, records, running), "lower_bound")
    page = run.report()["html"].read_text()
    assert page.count("Characters against tokens") == 1
    assert ("Running text" in page) == running
    assert ("part of what tokens gain here is the longer row" in page) == running
    markdown = run.report()["md"].read_text()
    assert f"| in {data['pieces'].schema.tokenizer.vocab_size} tokens |" in markdown
    learned = "the same budget (60s)" if running else "unequal budgets (60s and 30s)"
    assert f"the same text as in letters, learned with {learned}" in markdown


def paired_gain(data, records, running: bool) -> tuple[float, float]:
    """What the n-gram gains by tokens, in nats per byte, and the error over blocks or rows."""
    if running:
        scores = [records["ngram", name]["text_score"] for name in ("pieces", "letters")]
        n_bytes = scores[0]["n_bytes"]
        assert len(scores[0]["blocks"]) == len(scores[1]["blocks"]) > 5
        d = np.subtract(*(score["blocks"] for score in scores))
        total = [score["value"] * score["n_characters"] for score in scores]
        assert d.sum() == pytest.approx(total[0] - total[1], rel=1e-6)
    else:
        n_bytes = characters.n_bytes(data["letters"].schema, data["letters"].test, lines=True).sum()
        fitted = [NGram().fit(data[name]) for name in ("pieces", "letters")]
        rows = [data[name].test for name in ("pieces", "letters")]
        d = np.subtract(*(m.log_prob(r).value for m, r in zip(fitted, rows, strict=True)))
    return d.sum() / n_bytes, d.std(ddof=1) * np.sqrt(len(d)) / n_bytes


def test_no_table_of_tokens_without_the_same_text_by_the_character(tmp_path) -> None:
    whole = genzoo.Dataset.from_data(NAMES, "n")
    other = genzoo.Dataset.from_data(NAMES[:60], "others")
    fewer = genzoo.Dataset("fewer", whole.schema, whole.train[:9], whole.valid, whole.test)
    data = {"letters": other, "fewer": fewer, "pieces": genzoo.in_tokens(whole, 270)}
    run = genzoo.compare(["independent"], data, out=tmp_path, progress=False, n_jobs=1)
    assert "Characters against tokens" not in run.report()["html"].read_text()
