"""Randomness: explicit seeds in, the global random state left as it was found.

Every stream is named. ``numpy_rng(seed, "vae", "noise")`` and ``numpy_rng(seed, "vae", "split")``
are independent of each other, so drawing more from one never shifts the other.
"""

from __future__ import annotations

import contextlib
import hashlib
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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


@dataclass(frozen=True, eq=False)
class GlobalState:
    """The state of the global generators of ``random``, NumPy and torch (of the CPU).

    ``of_torch`` is None where torch is not loaded.
    """

    of_random: Any
    of_numpy: Any
    of_torch: Any

    @classmethod
    def now(cls) -> GlobalState:
        torch = sys.modules.get("torch")
        state = None if torch is None else torch.get_rng_state()
        return cls(random.getstate(), np.random.get_state(), state)

    def restore(self) -> None:
        random.setstate(self.of_random)
        np.random.set_state(self.of_numpy)
        if self.of_torch is not None:
            sys.modules["torch"].set_rng_state(self.of_torch)

    def changed(self) -> list[str]:
        """The names of the generators that have another state by now."""
        now, found = GlobalState.now(), []
        if now.of_random != self.of_random:
            found.append("random")
        if not all(map(np.array_equal, now.of_numpy, self.of_numpy)):
            found.append("NumPy")
        if self.of_torch is not None and not now.of_torch.equal(self.of_torch):
            found.append("torch")
        return found


@contextlib.contextmanager
def global_rng_untouched() -> Iterator[None]:
    """Restore the global state of ``random``, NumPy and torch after third-party code ran."""
    state = GlobalState.now()
    try:
        yield
    finally:
        state.restore()


@contextlib.contextmanager
def global_rng_seeded(seed: int, *keys: Key) -> Iterator[GlobalState]:
    """Seed the global generators inside the block, which gets their state, then restore them."""
    import torch

    with global_rng_untouched():
        own = derive(seed, "global", *keys)
        random.seed(own)
        np.random.seed(own % 2**32)
        torch.default_generator.manual_seed(own)  # ``torch.manual_seed`` seeds accelerators too
        yield GlobalState.now()
