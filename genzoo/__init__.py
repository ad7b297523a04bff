"""genzoo: which kind of generative model suits my data, and how do I know?

One interface (``fit``, ``sample``, ``log_prob``) over very different families, likelihoods in
common units on a common space, and a harness that compares them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from genzoo.space.schema import MISSING, Schema, Variable

if TYPE_CHECKING:
    from genzoo.benchmark import compare, load_run
    from genzoo.conformance import ConformanceError, check_model
    from genzoo.datasets.dataset import Dataset
    from genzoo.model import GenerativeModel
    from genzoo.models.bayesian_network.model import BayesianNetwork
    from genzoo.models.gan.model import GAN
    from genzoo.models.hmm.model import HMM
    from genzoo.models.independent import Independent
    from genzoo.models.mixture.model import Mixture
    from genzoo.models.ngram.model import NGram
    from genzoo.models.transformer.model import TransformerLM
    from genzoo.models.vae import VAE
    from genzoo.queries import classify, impute
    from genzoo.registry import (
        list_datasets,
        list_metrics,
        list_models,
        load_dataset,
        load_model,
        make_model,
    )
    from genzoo.values import LogProb, Score, Unsupported

__version__ = "0.1.0"

# name: module that holds it, imported when the name is first used (torch alone takes seconds)
_HOME = {
    "BayesianNetwork": "genzoo.models.bayesian_network.model",
    "ConformanceError": "genzoo.conformance",
    "Dataset": "genzoo.datasets.dataset",
    "GAN": "genzoo.models.gan.model",
    "GenerativeModel": "genzoo.model",
    "HMM": "genzoo.models.hmm.model",
    "Independent": "genzoo.models.independent",
    "LogProb": "genzoo.values",
    "Mixture": "genzoo.models.mixture.model",
    "NGram": "genzoo.models.ngram.model",
    "Score": "genzoo.values",
    "TransformerLM": "genzoo.models.transformer.model",
    "Unsupported": "genzoo.values",
    "VAE": "genzoo.models.vae",
    "classify": "genzoo.queries",
    "check_model": "genzoo.conformance",
    "compare": "genzoo.benchmark",
    "impute": "genzoo.queries",
    "list_datasets": "genzoo.registry",
    "list_metrics": "genzoo.registry",
    "list_models": "genzoo.registry",
    "load_dataset": "genzoo.registry",
    "load_model": "genzoo.registry",
    "load_run": "genzoo.benchmark",
    "make_model": "genzoo.registry",
}

__all__ = [
    "GAN",
    "HMM",
    "MISSING",
    "VAE",
    "BayesianNetwork",
    "ConformanceError",
    "Dataset",
    "GenerativeModel",
    "Independent",
    "LogProb",
    "Mixture",
    "NGram",
    "Schema",
    "Score",
    "TransformerLM",
    "Unsupported",
    "Variable",
    "__version__",
    "check_model",
    "classify",
    "compare",
    "impute",
    "list_datasets",
    "list_metrics",
    "list_models",
    "load_dataset",
    "load_model",
    "load_run",
    "make_model",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'genzoo' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(_HOME))
