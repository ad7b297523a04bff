"""The numeric tables that scikit-learn ships.

Rows are split 60/20/20 with a fixed seed, stratified by the class where there is one.
"""

from __future__ import annotations

from genzoo.datasets.dataset import Dataset
from genzoo.datasets.entry import Entry

CREDITS = {
    "iris": "Iris flowers (Fisher 1936), with the species as label",
    "wine": "Wine recognition (Aeberhard and Forina 1992), with the cultivar as label",
    "breast_cancer": "Breast cancer Wisconsin, diagnostic (Wolberg et al. 1995), with the "
    "diagnosis as label",
    "diabetes": "Diabetes progression (Efron et al. 2004), unscaled; the last column is the "
    "progression after a year, a number",
}


def load(name: str) -> Dataset:
    """The data set of that key."""
    from sklearn import datasets

    options = {"scaled": False} if name == "diabetes" else {}
    bunch = getattr(datasets, f"load_{name}")(as_frame=True, **options)
    frame, label = bunch.data.copy(), None
    if name == "diabetes":
        frame["target"] = bunch.target
    else:
        label = "label"
        frame[label] = [str(bunch.target_names[c]) for c in bunch.target]
        frame[label] = frame[label].astype("category")
    return Dataset.from_data(
        frame,
        name,
        label=label,
        valid=0.2,
        test=0.2,
        source=f"{CREDITS[name]}; as scikit-learn ships it, split 60/20/20 with a fixed seed",
        licence=ENTRIES[name].licence,
    )


UCI = "CC BY 4.0 (UCI)"
EFRON = "public data of Efron et al. (2004), as scikit-learn ships it"


def _entry(
    name: str, D: int, rows: tuple[int, int, int], licence: str = UCI, label: str | None = "label"
) -> Entry:
    return Entry(load, (D,), rows, licence, about=CREDITS[name], label=label)


ENTRIES = {
    "iris": _entry("iris", 5, (90, 30, 30)),
    "wine": _entry("wine", 14, (106, 36, 36)),
    "breast_cancer": _entry("breast_cancer", 31, (341, 114, 114)),
    "diabetes": _entry("diabetes", 11, (266, 88, 88), EFRON, None),
}
