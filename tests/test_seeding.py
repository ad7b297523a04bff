"""Named streams, and a global random state that nobody touches."""

from __future__ import annotations

import contextlib
import random
import subprocess
import sys

import numpy as np
import pytest
import torch

from genzoo.seeding import (
    GlobalState,
    check_seed,
    global_rng_seeded,
    global_rng_untouched,
    numpy_rng,
    torch_generator,
)


def test_streams_repeat_and_differ_by_name():
    a, b = numpy_rng(1, "x").random(4), numpy_rng(1, "x").random(4)
    assert (a == b).all()
    assert (a != numpy_rng(1, "y").random(4)).all()
    assert (a != numpy_rng(2, "x").random(4)).all()
    assert (numpy_rng(1, "1").random(4) != numpy_rng(1, 1).random(4)).all()
    one, two = (torch.rand(3, generator=torch_generator(1, "x")) for _ in range(2))
    assert torch.equal(one, two)


def test_global_state_is_restored():
    random.seed(0)
    before = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()
    with global_rng_untouched():
        random.random(), np.random.random(), torch.rand(3)
    assert random.getstate() == before[0]
    assert (np.random.get_state()[1] == before[1]).all()
    assert torch.equal(torch.get_rng_state(), before[2])


@pytest.mark.parametrize(
    ("draw", "name"),
    [(random.random, "random"), (np.random.random, "NumPy"), (lambda: torch.rand(1), "torch")],
)
def test_a_seeded_global_state_repeats_tells_what_moved_it_and_ends(draw, name):
    before, found = GlobalState.now(), []
    for key in ("a", "a", "b"):
        with global_rng_seeded(3, key) as state:
            assert state.changed() == []
            found.append(float(draw()))
            assert state.changed() == [name]
    assert found[0] == found[1] != found[2]
    with contextlib.suppress(KeyError), global_rng_seeded(3, "a"):
        draw()
        raise KeyError
    assert before.changed() == []


@pytest.mark.parametrize("seed", [-1, 1.5, True, "0", None])
def test_bad_seeds_are_refused(seed):
    with pytest.raises(ValueError, match="seed: expected a non-negative integer"):
        check_seed(seed)


def test_import_is_light():
    heavy = ["torch", "pandas", "sklearn", "pgmpy", "hmmlearn", "scipy", "matplotlib"]
    code = f"import sys, genzoo; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
