"""Rows drawn from published Bayesian networks, which pgmpy ships as BIF files.

The truth is the network of the file with each distribution normalised (the files round to about
seven digits). Rows are drawn by ancestral sampling with a fixed seed; the columns stand in the
order of the file, which is no topological order.
"""

from __future__ import annotations

import gzip
import importlib.util
from pathlib import Path

from genzoo.datasets import bif
from genzoo.datasets.dataset import Dataset
from genzoo.datasets.synthetic import from_truth
from genzoo.datasets.truth import TrueNetwork
from genzoo.space.schema import Schema, Variable

SIZES = (10_000, 2_000, 2_000)

SOURCES = {
    "alarm": "ALARM, monitoring of patients (Beinlich et al. 1989)",
    "asia": "ASIA, chest clinic (Lauritzen and Spiegelhalter 1988)",
    "child": "CHILD, birth asphyxia (Spiegelhalter and Cowell 1992)",
    "insurance": "INSURANCE, car insurance risk (Binder et al. 1997)",
    "sachs": "SACHS, protein signalling (Sachs et al. 2005)",
}


def load(name: str) -> Dataset:
    """The data set of that key."""
    source = (
        f"{SOURCES[name]}: the network of the bnlearn repository, as pgmpy ships it, sampled with "
        f"a fixed seed"
    )
    licence = "CC BY-SA 3.0 (bnlearn's Bayesian network repository)"
    return from_truth(network(name), name, SIZES, source=source, licence=licence)


def network(name: str) -> TrueNetwork:
    """The network itself."""
    # found without importing pgmpy, which takes seconds
    spec = importlib.util.find_spec("pgmpy")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{name}: needs pgmpy (pip install pgmpy), which ships it")
    path = Path(spec.origin).parent / "utils" / "example_models" / f"{name}.bif.gz"
    return read_bif(gzip.decompress(path.read_bytes()).decode())


def read_bif(text: str) -> TrueNetwork:
    """A discrete Bayesian network from the text of a BIF file, its distributions normalised.

    Raises:
        ValueError: if a distribution is missing or has the wrong number of entries.
    """
    found = bif.read(text)
    variables = tuple(
        Variable(name, "nominal", categories=states, dtype="category")
        for name, states in zip(found.names, found.states, strict=True)
    )
    return TrueNetwork(Schema(variables, "table", (len(variables),)), found.parents, found.tables)
