"""What families, data sets and metrics say of themselves, without torch and without their data.

A family's class loads torch, and of what kind its log masses are only a fit can tell, so families
are read from ``families.json``, which ``make generated`` writes; data sets from their ``Entry``;
metrics from their ``MetricSpec``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from genzoo.datasets.entry import Entry
from genzoo.keys import DATASETS, METRICS, MODELS
from genzoo.metrics import MetricSpec, registered
from genzoo.registry import dataset_entry

FAMILIES = Path(__file__).parent / "families.json"


def families(keys: Mapping[str, str] = MODELS) -> dict[str, dict[str, Any]]:
    """Of each family, by key: what it is (``about``), of what kind the log masses of whole rows are
    (``log_prob``) and of rows with holes (``with_holes``), and what else it can do (``offers``).

    Empty for a family that ``make generated`` has not seen.

    >>> families()["independent"]["log_prob"]
    'exact'
    """
    known = json.loads(FAMILIES.read_text(encoding="utf-8"))
    return {key: known.get(key, {}) for key in keys}


def datasets() -> dict[str, Entry]:
    """The entry of each data set, by key."""
    return {key: dataset_entry(key) for key in sorted(DATASETS)}


def n_variables(entry: Entry) -> int:
    """D, the number of variables of a row."""
    return math.prod(entry.shape)


def metrics() -> dict[str, MetricSpec]:
    """Each metric, by key."""
    return registered(METRICS)


def first_line(of: object) -> str:
    """Of a docstring: what a family, or a file of data sets, is."""
    return str(of.__doc__).split("\n")[0].replace("``", "`")


def best(metric: MetricSpec) -> str:
    """Which values are good: "higher", "lower", or the ideal one."""
    if metric.ideal is not None:
        return f"{metric.ideal:g}"
    return "higher" if metric.higher_is_better else "lower"


def looks_at(metric: MetricSpec) -> str:
    """What a metric is found from."""
    return "samples" if metric.of_samples else "log masses"
