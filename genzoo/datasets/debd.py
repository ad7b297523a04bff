"""Binary tables on which tractable density estimators are compared, in their given splits.

Twenty were introduced by Lowd and Davis (2010) and Van Haaren and Davis (2012); ``nips`` (few rows,
many columns) by Larochelle and Murray (2011). Published results are in mean nats per test row.
"""

from __future__ import annotations

import numpy as np

from genzoo.datasets.dataset import SPLITS, Dataset
from genzoo.datasets.files import read, sources
from genzoo.space.schema import Schema, Variable


def load(name: str) -> Dataset:
    """The table of that key, such as ``debd/nltcs``.

    Raises:
        FileNotFoundError: if a file is absent and can't be downloaded.
        ValueError: if a file has the wrong checksum.
    """
    paths = [f"{name}.{part}.data" for part in SPLITS]
    train, valid, test = (read_binary(read(sources()[path])) for path in paths)
    D = train.shape[1]
    source = sources()[paths[0]]
    return Dataset(
        name,
        Schema(tuple(Variable(f"x{d}", "nominal", 2) for d in range(D)), "table", (D,)),
        train,
        valid,
        test,
        source=f"Density estimation benchmark, given split ({source.upstream.split(':')[1]})",
        licence=source.licence,
    )


def read_binary(raw: bytes) -> np.ndarray:
    """(n, D) int64 from lines of comma-separated 0 and 1."""
    characters = np.frombuffer(raw, dtype=np.uint8)
    digits = characters[(characters == ord("0")) | (characters == ord("1"))] - ord("0")
    D = raw.split(b"\n", 1)[0].count(b",") + 1
    return digits.reshape(-1, D).astype(np.int64)
