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
from genzoo.datasets.entry import Entry
from genzoo.datasets.synthetic import from_truth
from genzoo.datasets.truth import TrueNetwork

CREDITS = {
    "alarm": "ALARM, monitoring of patients (Beinlich et al. 1989)",
    "asia": "ASIA, chest clinic (Lauritzen and Spiegelhalter 1988)",
    "child": "CHILD, birth asphyxia (Spiegelhalter and Cowell 1992)",
    "insurance": "INSURANCE, car insurance risk (Binder et al. 1997)",
    "sachs": "SACHS, protein signalling (Sachs et al. 2005)",
}


def load(name: str) -> Dataset:
    """The data set of that key."""
    source = (
        f"{CREDITS[name]}: the network of the bnlearn repository, as pgmpy ships it, sampled with "
        f"a fixed seed"
    )
    return from_truth(network(name), name, ENTRIES[name], source=source)


def network(name: str) -> TrueNetwork:
    """The network itself."""
    # found without importing pgmpy, which takes seconds
    spec = importlib.util.find_spec("pgmpy")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{name}: needs pgmpy (pip install pgmpy), which ships it")
    path = Path(spec.origin).parent / "utils" / "example_models" / f"{name}.bif.gz"
    return bif.read(gzip.decompress(path.read_bytes()).decode())


def _entry(name: str, D: int) -> Entry:
    licence = "CC BY-SA 3.0 (bnlearn's Bayesian network repository)"
    return Entry(load, (D,), (10_000, 2_000, 2_000), licence, about=CREDITS[name], truth=True)


COLUMNS = {"alarm": 37, "asia": 8, "child": 20, "insurance": 27, "sachs": 11}
ENTRIES = {name: _entry(name, D) for name, D in COLUMNS.items()}
