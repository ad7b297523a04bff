"""The package is laid out as docs/architecture.md has it: imports point down, none goes around."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = "genzoo"
# they take long to load, or may be absent: imported where they are needed
HEAVY = {
    *("torch", "torchvision", "lightning_fabric", "pandas", "sklearn", "scipy", "pgmpy"),
    *("hmmlearn", "networkx", "rich", "typer", "jinja2", "PIL", "pyarrow", "polars"),
    *("charset_normalizer", "threadpoolctl", "tokenizers"),
}


@dataclass(frozen=True)
class Import:
    """``target`` is a module of genzoo's, or the name of a library; ``typed`` says whether only
    type checkers see the import."""

    target: str
    line: int
    in_function: bool
    typed: bool


def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name."""
    found = {}
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def imports(tree: ast.AST, in_function: bool = False, typed: bool = False) -> Iterator[Import]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from imports(ast.Module(node.body, []), in_function, True)
            node = ast.Module(node.orelse, [])
        inside = in_function or isinstance(
            node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
        )
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno, in_function, typed)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: expected a full name"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                target = whole if whole in MODULES else str(node.module)
                yield Import(target, node.lineno, in_function, typed)
        else:
            yield from imports(node, inside, typed)


IMPORTS = {
    name: list(imports(ast.parse(path.read_text(encoding="utf-8"))))
    for name, path in MODULES.items()
}


def ours(name: str) -> list[Import]:
    return [i for i in IMPORTS[name] if i.target.partition(".")[0] == PACKAGE]


def plan() -> list[str]:
    """The rooms from top to bottom, as the page draws them."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    picture = page.split(f"```\n{PACKAGE}/\n")[1].split("```")[0]
    return [re.match(r"  (\S+)", line)[1] for line in picture.splitlines()]


def room(module: str) -> str:
    """Of ``genzoo.models.hmm.em``: ``models/``; of the package itself: ``__init__.py``."""
    name = [*module.split("."), "__init__"][1]
    return f"{name}/" if (ROOT / PACKAGE / name).is_dir() else f"{name}.py"


def test_the_plan_names_the_rooms_that_exist():
    rooms = plan()
    assert len(rooms) == len(set(rooms))
    assert set(rooms) == {room(module) for module in MODULES}


@pytest.mark.parametrize("name", MODULES)
def test_imports_point_down_or_stay_in_their_room(name):
    rooms = plan()
    up = [
        f"line {i.line}: {i.target}"
        for i in ours(name)
        if rooms.index(room(i.target)) < rooms.index(room(name))
    ]
    assert not up


def test_no_import_goes_around():
    graph = {name: {i.target for i in ours(name) if not i.typed} for name in MODULES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize("name", MODULES)
def test_functions_import_nothing_but_what_is_heavy(name):
    inside = [
        f"line {i.line}: {i.target}"
        for i in IMPORTS[name]
        if i.in_function and i.target.partition(".")[0] not in HEAVY
    ]
    assert not inside


def family(module: str) -> str | None:
    """Whose a module of ``models/`` is: ``hmm`` of ``genzoo.models.hmm.em``; None where shared."""
    name = [*module.split("."), "", ""][2]
    return None if name in ("", "shared", "neural") else name


@pytest.mark.parametrize("name", [name for name in MODULES if room(name) == "models/"])
def test_families_know_nothing_of_each_other(name):
    """But for the baseline, whose marginals others start from."""
    known = {family(i.target) for i in ours(name) if room(i.target) == "models/"}
    assert known <= {None, family(name), "independent" if family(name) else None}


def test_names_are_imported_by_the_face_and_the_registry_alone():
    calls = {
        name
        for name, path in MODULES.items()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in ("import_module", "__import__")
    }
    assert calls == {"genzoo", "genzoo.registry"}


def test_rooms_and_imports_are_seen():
    """The tests above look at something."""
    assert len(MODULES) > 100
    assert "genzoo.model" in {i.target for i in ours("genzoo.registry")}
    source = "if TYPE_CHECKING:\n    import csv\nelse:\n    import json\n"
    source += "def f():\n    from genzoo import store\n"
    assert list(imports(ast.parse(source))) == [
        Import("csv", 2, False, True),
        Import("json", 4, False, False),
        Import("genzoo.store", 6, True, False),
    ]
    assert room("genzoo.models.hmm.em") == "models/"
    assert (room("genzoo"), room("genzoo.keys")) == ("__init__.py", "keys.py")
