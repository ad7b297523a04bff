"""Writes what follows from code and results: ``genzoo/__init__.pyi``, ``genzoo/families.json``, and
parts of README and docs.

    make generated

A part stands between ``<!-- NAME -->`` and ``<!-- end of NAME -->``. A test compares. What
families, data sets and metrics say of themselves is written here, what was measured in
``evidence.py``.
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

import genzoo
from docs import evidence
from genzoo import MISSING, GenerativeModel, Unsupported
from genzoo.catalogue import FAMILIES, best, first_line, looks_at
from genzoo.keys import COMPOSED, DATASETS, FACE, MODELS
from genzoo.metrics import registered
from genzoo.parameters import Options, Rule, Text
from genzoo.protocols import Certifies, ScoresText
from genzoo.registry import dataset_entry, load_dataset, make_model, model_class

ROOT = Path(__file__).resolve().parents[1]
STUB = '''"""What ``genzoo`` gives, for type checkers and editors (written by docs/generate.py)."""

{imports}

__version__: str
__all__ = [
{names}
]
'''
TRAINS_ON_HOLES = "training on holes"
MOST_KEYS = 8  # of one kind that are written out


def generated() -> Iterator[tuple[Path, str]]:
    """Every file that is written, and what it is to hold."""
    yield ROOT / "genzoo" / "__init__.pyi", stub()
    yield FAMILIES, json.dumps(facts(), indent=1) + "\n"
    for name, parts in PARTS.items():
        yield ROOT / name, renewed(name, parts)


def renewed(name: str, parts: dict[str, Callable[[], str]]) -> str:
    """The text of a file, with these parts of it written anew."""
    text = (ROOT / name).read_text(encoding="utf-8")
    for what, write in parts.items():
        before, mark, rest = text.partition(f"<!-- {what} -->\n")
        _, end, after = rest.partition(f"<!-- end of {what} -->\n")
        if not (mark and end):
            raise ValueError(f"{name}: expected the marks of a part {what!r}")
        text = f"{before}{mark}{write()}\n{end}{after}"
    return text


def stub() -> str:
    """The face of the package as plain imports."""
    places = sorted((place.split(":")[0], name) for name, place in FACE.items())
    imports = "\n".join(f"from {module} import {name} as {name}" for module, name in places)
    # constants, classes, functions, as ruff would have it
    ordered = sorted(genzoo.__all__, key=lambda n: (not n.isupper(), not n[0].isupper(), n))
    names = "\n".join(f'    "{name}",' for name in ordered)
    return STUB.format(imports=imports, names=names)


@cache
def facts() -> dict[str, dict[str, Any]]:
    """What each family says of itself, and of what kind its log masses turn out to be: what
    ``genzoo.catalogue`` reads."""
    found = {}
    for key in MODELS:
        whole, few_holes, many_holes = kinds(key)
        found[key] = {
            "about": first_line(model_class(key)),
            "log_prob": whole,
            "with_holes": " or ".join(dict.fromkeys((few_holes, many_holes))),
            "offers": offers(model_class(key)),
        }
    return found


def offers(family: type[GenerativeModel]) -> list[str]:
    """What a family can do beyond what all can, by the protocols; strings that it draws one
    character after the other it completes with temperature, top-k and top-p."""
    each = {
        TRAINS_ON_HOLES: family.fits_missing,
        "certified bounds": issubclass(family, Certifies),
        "text scores": issubclass(family, ScoresText),
        "tempered text": family._next_log_masses is not GenerativeModel._next_log_masses,
        "a choice of steps": hasattr(family, "in_steps"),
        "warm starts": family.warm_starts,
    }
    return [what for what, has in each.items() if has]


def families() -> str:
    """The facts of each family as a table."""
    lines = []
    for key, of in facts().items():
        trains = "yes" if TRAINS_ON_HOLES in of["offers"] else "no"
        name = f"[`{key}`]({key}.md)"
        lines.append([name, of["about"], of["log_prob"], of["with_holes"], trains])
    titles = ["key", "what it is", "log-likelihood", "of a row with holes", "trains on such rows"]
    return as_table(titles, lines)


def kinds(family: str) -> tuple[str, str, str]:
    """The kind of ``log_prob`` of whole rows, of small ones with a hole, of long ones with many."""
    few = np.random.default_rng(0).integers(0, 2, (60, 4))
    model = make_model(family).fit(few, budget="3 steps")
    found = [kind(model, few[:3]), kind(model, np.array([[0, MISSING, 1, 1]]))]
    rows, queried, edges = many_causes()
    params: dict[str, dict[str, Any]] = {
        "bayesian_network": {"structure": edges},
        "ngram": {"context": 16},
    }
    model = make_model(family, **params.get(family, {})).fit(rows, budget="3 steps")
    whole, few_holes, many_holes = [*found, kind(model, queried)]
    return whole, few_holes, many_holes


def kind(model: GenerativeModel, rows: np.ndarray) -> str:
    """Of the log mass of rows; "none" where the family can't sum out what is missing."""
    try:
        return model.log_prob(rows).kind.replace("_", " ")
    except Unsupported:
        return "none"


def many_causes(n: int = 60) -> tuple[np.ndarray, np.ndarray, list[list[str]]]:
    """Rows of n hidden causes and twice as many effects, each of three of the causes; a row in
    which the causes are missing; the edges. No order of elimination keeps the tables small."""
    rng = np.random.default_rng(0)
    causes = rng.integers(0, 2, (300, n))
    parents = np.array([rng.choice(n, 3, replace=False) for _ in range(2 * n)])
    effects = (causes[:, parents].sum(axis=2) >= 2) ^ (rng.random((300, 2 * n)) < 0.1)
    rows = np.column_stack([causes, effects]).astype(np.int64)
    queried = np.where(np.arange(3 * n) < n, MISSING, rows[0])
    edges = [[f"x{p}", f"x{n + c}"] for c, three in enumerate(parents) for p in three]
    return rows, queried[None], edges


def datasets() -> str:
    """The data sets by the module that reads them."""
    kinds: dict[tuple[str, bool], list[str]] = {}
    for key, place in DATASETS.items():
        kinds.setdefault((place.split(":")[0], bool(dataset_entry(key).files)), []).append(key)
    lines = []
    for (module, has_files), keys in sorted(kinds.items(), key=lambda kind: (kind[0][1], kind[1])):
        files, truth = "downloaded", ""  # what needs a network is not asked for its truth
        if not has_files:
            known = all(load_dataset(key).truth is not None for key in keys)
            files, truth = "embedded", "known" if known else ""
        shown = ", ".join(f"`{key}`" for key in keys)
        if len(keys) > MOST_KEYS:
            shown = f"`{keys[0]}` ... `{keys[-1]}` ({len(keys)} of them)"
        about = first_line(importlib.import_module(module))
        lines.append([shown, about, files, truth])
    return as_table(["keys", "what they are", "files", "truth"], lines)


def metrics() -> str:
    """What each metric says of itself."""
    lines = []
    for key, metric in registered().items():
        of = looks_at(metric)
        lines.append([f"`{key}`", metric.title, of, metric.unit, best(metric), metric.meaning])
    return as_table(["key", "title", "of", "unit", "best", "what it means"], lines)


def parameters(family: str) -> str:
    """What a family's constructor takes: defaults, allowed values, and what its docstring says."""
    cls = getattr(genzoo, (MODELS | COMPOSED)[family].partition(":")[2])
    said = arguments(cls)
    lines = []
    for name, argument in list(inspect.signature(cls.__init__).parameters.items())[1:]:
        default = "" if argument.default is argument.empty else f"`{argument.default!r}`"
        rule = getattr(cls, "parameters", {}).get(name)
        allowed = "" if rule is None else values(rule)
        lines.append([f"`{name}`", default, allowed, said.get(name, "")])
    return as_table(["parameter", "default", "allowed", "what it is"], lines)


def arguments(cls: type) -> dict[str, str]:
    """What the section "Args" of a class's docstring says of each argument."""
    doc = inspect.getdoc(cls) or ""
    section = re.search(r"^Args:\n((?:(?: .*)?\n?)+)", doc, re.MULTILINE)
    if section is None:
        return {}
    items = re.findall(r"^    (\w[\w, ]*): ((?:.*\n?)(?:^     .*\n?)*)", section[1], re.MULTILINE)
    return {
        name: " ".join(text.replace("``", "`").split()).replace("|", "\\|")
        for names, text in items
        for name in names.split(", ")
    }


def values(rule: Rule) -> str:
    """What a rule allows, in words."""
    if isinstance(rule, Options):
        return ", ".join(f"`{value!r}`" for value in rule.values)
    return rule.example if isinstance(rule, Text) else str(rule)


def results(family: str) -> str:
    """What a family reached in the quick profile."""
    lines = evidence.of_family(family)
    if lines:
        return f"{evidence.chosen_on(family)}\n\n{table(lines)}\n\n{evidence.LEGEND}"
    return (
        "The quick profile leaves this family out, since it takes longer to judge, so no figure of "
        "it stands here. `genzoo compare --profile full` fits it beside all others."
    )


def as_table(titles: list[str], lines: list[list[str]]) -> str:
    cells = [titles, ["---"] * len(titles), *lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def table(lines: list[list[str]]) -> str:
    """Of numbers, in lines whose first has the titles."""
    return f'<div class="numbers" markdown>\n\n{as_table(lines[0], lines[1:])}\n\n</div>'


PARTS: dict[str, dict[str, Callable[[], str]]] = {
    "docs/families/index.md": {"families": families},
    "docs/datasets.md": {"datasets": datasets},
    "docs/metrics.md": {"metrics": metrics},
    "docs/checked.md": {"power": evidence.power},
    "docs/choose.md": {"chosen": lambda: table(evidence.chosen())},
    "docs/results.md": {
        "matrix": lambda: table(evidence.matrix()),
        "times": lambda: table(evidence.times()),
        "labels": lambda: table(evidence.labels()),
        "tokens": lambda: table(evidence.in_tokens()),
    },
    **{
        f"docs/families/{key}.md": {
            "parameters": partial(parameters, key),
            "results": partial(results, key),
        }
        for key in MODELS
    },
    **{
        f"docs/families/{key}.md": {
            "parameters": partial(parameters, key),
            "results": lambda: table(evidence.of_stack()),
        }
        for key in COMPOSED
    },
}

if __name__ == "__main__":
    for path, text in generated():
        path.write_text(text, encoding="utf-8")
        print(f"written: {path.relative_to(ROOT)}")
