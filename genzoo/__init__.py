"""genzoo: which kind of generative model suits my data, and how do I know?

One interface (``fit``, ``sample``, ``log_prob``) over very different families, likelihoods in
common units on a common space, and a harness that compares them.
"""

from __future__ import annotations

import importlib
from typing import Any

from genzoo.keys import FACE

__version__ = "0.1.0"
__all__ = ["__version__", *FACE]


def __getattr__(name: str) -> Any:
    """What FACE names is imported when it is first used: torch alone takes seconds."""
    if name not in FACE:
        raise AttributeError(f"module 'genzoo' has no attribute {name!r}")
    module, attribute = FACE[name].split(":")
    return getattr(importlib.import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted({*globals(), *FACE})
