"""Data of your own: a file or folder as a ``Dataset``, its columns recognised by stated rules."""

from genzoo.datasets.own.columns import Column, read_schema
from genzoo.datasets.own.dataset import (
    SCHEMA_FILES,
    OwnDataset,
    Prepared,
    folds_of,
    load,
    name_of,
    prepare,
    split_of,
)
from genzoo.datasets.own.read import names_a_path, read
from genzoo.datasets.own.scoring import as_typed
from genzoo.datasets.own.treat import as_fitted, treat, untreat

__all__ = [
    "SCHEMA_FILES",
    "Column",
    "OwnDataset",
    "Prepared",
    "as_fitted",
    "as_typed",
    "folds_of",
    "load",
    "name_of",
    "names_a_path",
    "prepare",
    "read",
    "read_schema",
    "split_of",
    "treat",
    "untreat",
]
