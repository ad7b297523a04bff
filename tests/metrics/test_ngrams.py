"""n-grams of sequences."""

from __future__ import annotations

import numpy as np
import pytest

from genzoo.metrics.ngrams import unseen_ngrams, variation_of_ngrams
from genzoo.metrics.sides import Comparison
from genzoo.space.schema import Schema, Variable


def strings(words, T=6, seed=0, n=60):
    """Rows of the alphabet abc, then END: words drawn at random."""
    codes = [[*map("abc".index, w)] + [3] * (T - len(w)) for w in words]
    return np.array(codes)[np.random.default_rng(seed).integers(len(words), size=n)]


SCHEMA = Schema(tuple(Variable(i, cardinality=4) for i in range(6)), "sequence", (6,), end=3)


def test_unseen_ngrams_are_counted_up_to_the_first_end():
    train = strings(["abc"])
    # of "abc" END: abc, bc-END; of "abb" END: abb and bb-END, both new; nothing after END counts
    half_new = np.concatenate([strings(["abc"], n=30), strings(["abb"], n=30)])
    found = unseen_ngrams(Comparison(train, half_new, SCHEMA, train=train))
    assert found.value == pytest.approx(0.5)
    assert found.stderr == pytest.approx(0.5 / np.sqrt(59))
    assert unseen_ngrams(Comparison(half_new, half_new, SCHEMA, train=train)).value == 0
    assert unseen_ngrams(Comparison(half_new, train, SCHEMA, train=train)).value == pytest.approx(
        -0.5
    )


def test_variation_sees_order():
    real, fake = strings(["abcabc"]), strings(["cbacba"])
    found = variation_of_ngrams(Comparison(real, fake, SCHEMA))
    # the same letters, no pair or triple alike; what chance would give is taken off
    assert 0.6 < found.value <= 2 / 3
    assert not found.higher_is_better


def test_channels_of_a_step_belong_together():
    # two channels that agree, against two that don't: each channel alone is the same
    variables = tuple(Variable(i, cardinality=50) for i in range(16))
    schema = Schema(variables, "sequence", (8, 2))
    rng = np.random.default_rng(0)
    one = rng.integers(0, 50, (300, 8, 1))
    agree = np.repeat(one, 2, axis=2).reshape(300, 16)
    differ = np.concatenate([one, rng.integers(0, 50, (300, 8, 1))], axis=2).reshape(300, 16)
    assert variation_of_ngrams(Comparison(agree, differ, schema)).value > 0.9
    assert unseen_ngrams(Comparison(agree, differ, schema, train=agree)).value > 0.9


def test_sequences_shorter_than_three_steps():
    schema = Schema((Variable(0, cardinality=3), Variable(1, cardinality=3)), "sequence", (2,))
    rng = np.random.default_rng(1)
    real, fake = rng.integers(0, 3, (2, 100, 2))
    found = variation_of_ngrams(Comparison(real, fake, schema))
    assert abs(found.value) < 4.5 * found.stderr
    assert unseen_ngrams(Comparison(real, fake, schema, train=real)).value == 0


def test_samples_too_short_for_any_ngram_have_nothing_in_common():
    empty = np.full((60, 6), 3)
    found = variation_of_ngrams(Comparison(strings(["abcabc"]), empty, SCHEMA))
    assert found.value == pytest.approx(1)
    assert unseen_ngrams(Comparison(empty, empty, SCHEMA, train=empty)).value == 0
