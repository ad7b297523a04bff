"""The small images that scikit-learn ships: ``digits`` and ``digits_binary``.

1,797 handwritten digits of 8 x 8 pixels with 17 levels; split 1297/200/300 with a fixed seed,
stratified by the digit. Writers are not known in this copy, so a writer may occur in all parts.
"""

from __future__ import annotations

import numpy as np

from genzoo.datasets.dataset import Dataset, split
from genzoo.schema import Schema

N_VALID, N_TEST = 200, 300
INK = 8  # of 16: a pixel with at least half of its ink is set in digits_binary


def load(name: str) -> Dataset:
    """The data set of that key."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = bunch.images.astype(np.uint8)  # (n, 8, 8), levels 0 .. 16
    levels = "17 levels of grey"
    if name == "digits_binary":
        images = (images >= INK).astype(np.uint8)
        levels = f"two levels (at least {INK} of 16)"
    n = len(images)
    index = split(n, valid=N_VALID / n, test=N_TEST / n, seed=0, classes=bunch.target)
    schema = Schema.infer(images)
    train, valid, test = (schema.encode(images[i]) for i in index)
    return Dataset(
        name,
        schema,
        train,
        valid,
        test,
        source=f"Handwritten digits, 8 x 8 pixels of {levels} (Alpaydin and Kaynak 1998, UCI), as "
        f"scikit-learn ships them; split 1297/200/300 with a fixed seed",
        licence="CC BY 4.0 (UCI)",
    )
