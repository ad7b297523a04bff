"""The interchange format for discrete Bayesian networks (BIF), read and written.

Hulten & Domingos (2003), The interchange format for Bayesian networks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from genzoo.datasets.truth import TrueNetwork
from genzoo.space.schema import Schema, Variable


def read(text: str) -> TrueNetwork:
    """A network from the text of a file; its distributions are normalised.

    Raises:
        ValueError: if a distribution is missing or has the wrong number of entries.
    """
    states: dict[str, tuple[str, ...]] = {}
    for name, listed in re.findall(
        r"^variable\s+(\S+)\s*\{\s*type\s+discrete\s*\[\s*\d+\s*\]\s*\{(.*?)\}", text, re.M | re.S
    ):
        states[name] = tuple(s.strip() for s in listed.split(","))
    index = {name: d for d, name in enumerate(states)}
    parents: dict[str, tuple[int, ...]] = {}
    tables: dict[str, np.ndarray] = {}
    for head, body in re.findall(r"^probability\s*\((.*?)\)\s*\{(.*?)^\}", text, re.M | re.S):
        child, *given = (s.strip() for s in re.split(r"[|,]", head))
        parents[child] = tuple(index[p] for p in given)
        table = np.full((*(len(states[p]) for p in given), len(states[child])), np.nan)
        for values in re.findall(r"^\s*table\s+(.*?);", body, re.M | re.S):
            table[:] = np.array(values.split(","), dtype=float).reshape(table.shape)
        for condition, values in re.findall(r"^\s*\((.*?)\)\s*(.*?);", body, re.M | re.S):
            key = (s.strip() for s in condition.split(","))
            at = tuple(states[p].index(s) for p, s in zip(given, key, strict=True))
            table[at] = np.array(values.split(","), dtype=float)
        if np.isnan(table).any():
            raise ValueError(f"BIF: expected a distribution of {child} for each state of {given}")
        tables[child] = table / table.sum(axis=-1, keepdims=True)
    absent = [name for name in states if name not in tables]
    if absent or not states:
        raise ValueError(f"BIF: expected a distribution of each variable; absent: {absent}")
    variables = tuple(
        Variable(name, "nominal", categories=own, dtype="category") for name, own in states.items()
    )
    return TrueNetwork(
        Schema(variables, "table", (len(variables),)),
        tuple(parents[name] for name in states),
        tuple(tables[name] for name in states),
    )


def written(
    labels: Iterable[Any],
    states: Iterable[Iterable[Any]],
    parents: Iterable[tuple[int, ...]],
    tables: Iterable[np.ndarray],
) -> str:
    """The text of a file for a network.

    The format has no quotes, so labels of variables and states are spelled as words; what each
    stands for is written as a property of its variable.

    Args:
        labels: of the variables.
        states: of each variable, their labels.
        parents, tables: as in ``TrueNetwork``.
    """
    labels, states = list(labels), [list(own) for own in states]
    names, words = _words(labels, "x"), [_words(own, "s") for own in states]
    lines = ["network genzoo {", "}"]
    for name, label, own, original in zip(names, labels, words, states, strict=True):
        lines += [
            f"variable {name} {{",
            f"  type discrete [ {len(own)} ] {{ {', '.join(own)} }};",
            f"  property name = {_plain_text(label)} ;",
            f"  property states = {', '.join(_plain_text(s) for s in original)} ;",
            "}",
        ]
    for name, above, table in zip(names, parents, tables, strict=True):
        given = f" | {', '.join(names[p] for p in above)}" if above else ""
        lines.append(f"probability ( {name}{given} ) {{")
        for codes in np.ndindex(table.shape[:-1]):
            of = ", ".join(words[p][code] for p, code in zip(above, codes, strict=True))
            values = ", ".join(repr(float(mass)) for mass in table[codes])
            lines.append(f"  ({of}) {values};" if above else f"  table {values};")
        lines.append("}")
    return "\n".join(lines) + "\n"


def _words(labels: Iterable[Any], prefix: str) -> list[str]:
    """Distinct words for labels; readers may ignore case."""
    words: list[str] = []
    taken: set[str] = set()
    for label in labels:
        stem = re.sub(r"\W+", "_", str(label), flags=re.ASCII).strip("_") or prefix
        stem = stem if stem[0].isalpha() else f"{prefix}{stem}"
        word, again = stem, 1
        while word.lower() in taken:
            again += 1
            word = f"{stem}_{again}"
        taken.add(word.lower())
        words.append(word)
    return words


def _plain_text(label: Any) -> str:
    """A label without the characters that would end a property or begin a comment."""
    return re.sub(r"[^\w .,:+-]", "_", str(label))
