"""Randomness: explicit seeds in, the global random state left as it was found.

Every stream is named. ``numpy_rng(seed, "vae", "noise")`` and ``numpy_rng(seed, "vae", "split")``
are independent of each other, so drawing more from one never shifts the other.
"""

from __future__ import annotations

import contextlib
import hashlib
import random
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

Key = str | int


def check_seed(seed: object) -> int:
    """The seed as an int; ValueError unless it is a non-negative integer."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ValueError(f"seed: expected a non-negative integer; got {seed!r}")
    return int(seed)


def derive(seed: int, *keys: Key) -> int:
    """A 63-bit seed for the stream that ``keys`` name, by SHA-256."""
    text = "\x1f".join([str(int(seed)), *(f"{type(k).__name__}:{k}" for k in keys)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def numpy_rng(seed: int, *keys: Key) -> np.random.Generator:
    """A NumPy generator for the stream that ``keys`` name."""
    return np.random.default_rng(derive(seed, *keys))


def torch_generator(seed: int, *keys: Key, device: str | torch.device = "cpu") -> torch.Generator:
    """A torch generator on ``device`` for the stream that ``keys`` name."""
    import torch

    return torch.Generator(device=device).manual_seed(derive(seed, *keys))


@contextlib.contextmanager
def torch_seeded(seed: int, *keys: Key) -> Iterator[None]:
    """Seed torch's global generators inside the block (weight init, dropout), then restore them."""
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(derive(seed, *keys))
        yield


@contextlib.contextmanager
def global_rng_untouched() -> Iterator[None]:
    """Restore the global state of ``random``, NumPy and torch after third-party code ran."""
    import sys

    python_state, numpy_state = random.getstate(), np.random.get_state()
    torch = sys.modules.get("torch")
    torch_state = torch.get_rng_state() if torch is not None else None
    try:
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)
        if torch is not None:
            torch.set_rng_state(torch_state)
