"""The source files behind modules and what these import, read and never run."""

from __future__ import annotations

import ast
import hashlib
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from genzoo.keys import FACE

PACKAGE = "genzoo"
ROOT = Path(__file__).resolve().parents[2]
# one's own scripts call them, and no number of a cell depends on them
FRONT_END = tuple(
    f"{PACKAGE}.{name}" for name in ("benchmark", "cli", "conformance", "report", "results")
)
# its tables name code by key: whoever looks something up takes the code that it finds into account
REGISTRY, TABLES = (
    f"{PACKAGE}.keys",
    ("COMPOSED", "DATASETS", "FACE", "METRICS", "MODELS"),
)
INSTALLED = ("site-packages", "dist-packages")


@lru_cache(maxsize=1024)
def owner(module: str) -> str:
    """Whose a module is: ``"genzoo"``, ``"installed"`` (Python's own, libraries) or ``"own"``."""
    top = module.partition(".")[0]
    if top == PACKAGE:
        return "genzoo"
    if module == "__main__":  # whatever started Python: what is defined there is one's own
        return "own"
    path = _file(module)
    if path is None:  # built in, or made by hand
        return "installed" if top in sys.stdlib_module_names else "own"
    library = Path(sysconfig.get_path("stdlib")).resolve()
    installed = set(path.parts) & set(INSTALLED) or path.is_relative_to(library)
    return "installed" if installed else "own"


def locate(module: str, root: Path = ROOT) -> Path | None:
    """The file of a module that is not installed; None where there is none.

    Args:
        module: its full name.
        root: the folder that holds the package genzoo.
    """
    if module.partition(".")[0] == PACKAGE:
        place = root.joinpath(*module.split("."))
        paths = (place.with_suffix(".py"), place / "__init__.py")
        return next((path for path in paths if path.is_file()), None)
    path = _file(module)
    return path if path is not None and path.is_file() and owner(module) == "own" else None


def _file(module: str) -> Path | None:
    loaded = getattr(sys.modules.get(module), "__file__", None)
    if loaded is None and module not in sys.modules:
        spec = _spec(module)
        loaded = spec.origin if spec is not None and spec.has_location else None
    return None if loaded is None else Path(loaded).resolve()


def _spec(module: str) -> ModuleSpec | None:
    """Where a module that is not loaded would come from; no package is run to find out."""
    parent = module.rpartition(".")[0]
    if not parent:
        return PathFinder.find_spec(module)
    above = sys.modules.get(parent) or _spec(parent)
    places = getattr(above, "__path__", None) or getattr(above, "submodule_search_locations", None)
    return None if places is None else PathFinder.find_spec(module, list(places))


def closure(modules: Iterable[str], root: Path = ROOT) -> dict[str, Path]:
    """The files, by module, of these modules, of all that they import and of their packages.

    Imports inside functions count, those for type checkers don't. Installed modules have no part
    in it. A package that is imported from counts as a module; one that a module only lies in gives
    its ``__init__`` and not what that imports.
    """
    found: dict[str, Path] = {}
    todo, followed = list(modules), set[str]()
    while todo:
        module = todo.pop()
        path = None if module in followed else locate(module, root)
        followed.add(module)
        if path is None:
            continue
        found[module] = path
        for parent in _packages_of(module):
            package = locate(parent, root)
            if package is not None:
                found[parent] = package
        todo += imported(module, path, root)
    return found


def _packages_of(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[:n]) for n in range(1, len(parts))]


def imported(module: str, path: Path, root: Path = ROOT) -> Iterator[str]:
    """The modules, installed ones left out, that a module's file imports.

    Raises:
        ValueError: where the file is not Python.
    """
    if path.suffix != ".py":
        return
    try:
        text = path.read_text(encoding="utf-8")
        names = _imported_names(text, module, path.name == "__init__.py")
    except (SyntaxError, ValueError) as error:
        raise ValueError(f"{path}: expected Python in UTF-8; {error}") from error
    ours = module.partition(".")[0] == PACKAGE
    for dotted in names:
        for target in modules_named(dotted, root):
            if ours or not target.startswith(FRONT_END):
                yield target


def modules_named(dotted: str, root: Path = ROOT) -> Iterator[str]:
    """``hmm/em.py`` of ``genzoo.models.hmm.em.fit``: the longest part that is a module; and where a
    name of the package's face lives."""
    parts = dotted.split(".")
    if owner(parts[0]) == "installed":
        return
    for n in range(len(parts), 0, -1):
        module = ".".join(parts[:n])
        if locate(module, root) is not None:
            yield module
            if module == PACKAGE and n < len(parts) and parts[n] in FACE:
                yield FACE[parts[n]].partition(":")[0]
            return


@lru_cache(maxsize=256)
def _imported_names(text: str, module: str, is_package: bool) -> tuple[str, ...]:
    """Dotted names that a module imports, or reaches by dots from a module that it imports."""
    tree = ast.parse(text)
    package = (module if is_package else module.rpartition(".")[0]).split(".")
    names, bound = list[str](), dict[str, str]()
    for node in _imports_in(tree.body):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
            tops = [alias.name.partition(".")[0] for alias in node.names]
            for alias, top in zip(node.names, tops, strict=True):
                if owner(top) != "installed":
                    bound[alias.asname or top] = alias.name if alias.asname else top
        else:
            above = package[: len(package) - node.level + 1] if node.level else []
            base = [part for part in (*above, node.module) if part]
            for alias in node.names:
                names.append(".".join([*base, alias.name]))
                if package[0] != PACKAGE and owner(names[-1].partition(".")[0]) != "installed":
                    bound[alias.asname or alias.name] = names[-1]
    chains = map(_chain, ast.walk(tree)) if bound else ()
    names += [".".join([bound[c[0]], *c[1:]]) for c in chains if c and c[0] in bound]
    return tuple(dict.fromkeys(names))


def _imports_in(body: list[ast.stmt]) -> Iterator[ast.Import | ast.ImportFrom]:
    """The imports among statements and inside them, but for those that only type checkers see."""
    todo: list[ast.AST] = [*body]
    while todo:
        node = todo.pop()
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield node
        elif isinstance(node, ast.If) and _is_for_type_checkers(node.test):
            todo += node.orelse
        else:
            for part in ("body", "orelse", "finalbody", "handlers", "cases"):
                todo += getattr(node, part, ())


def _is_for_type_checkers(test: ast.expr) -> bool:
    """``TYPE_CHECKING`` or ``typing.TYPE_CHECKING``."""
    name = test.id if isinstance(test, ast.Name) else getattr(test, "attr", None)
    return name == "TYPE_CHECKING"


def _chain(node: ast.AST) -> list[str]:
    """``a.b.c`` as its parts; none where it doesn't begin with a name."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return [node.id, *reversed(parts)] if parts and isinstance(node, ast.Name) else []


def digest(module: str, path: Path) -> str:
    """SHA-256 of a module's file, whatever ends its lines; of the registry without its tables, so
    that a line for a new data set changes no cell."""
    content = path.read_bytes().replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if module == REGISTRY:
        content = _without_tables(content.decode())
    return hashlib.sha256(content).hexdigest()


@lru_cache(maxsize=4)
def _without_tables(text: str) -> bytes:
    lines = text.splitlines()
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in TABLES:
            end = node.end_lineno or node.lineno
            lines[node.lineno - 1 : end] = [""] * (end - node.lineno + 1)
    return "\n".join(line for line in lines if line).encode()
