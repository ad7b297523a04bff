"""What a class of one's own reaches: the functions, classes and constants that decide its numbers.

Names in code objects are looked up where the code runs: in the globals of its module and in what
its functions enclose. Installed libraries are told apart by their versions, genzoo's own modules
are named for ``sources.closure``, and everything else is taken in as source, or as bytecode where
there is none (a class typed at a prompt).
"""

from __future__ import annotations

import contextlib
import dis
import functools
import hashlib
import inspect
import pickle
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import resolve_name
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from genzoo.benchmark import sources
from genzoo.keys import FACE

SCALARS = (type(None), bool, int, float, complex, str, bytes, type(...))
LAMBDA = "<lambda>"
GLOBAL_LOADS = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS")


class Reach:
    """Everything that was reached.

    Attributes:
        parts: texts: sources, bytecode, constants, versions of libraries.
        modules: genzoo's modules, and one's own that are used as a whole (``mine.f``).
        homes: one's own modules in which something of ``parts`` is defined.
    """

    def __init__(self) -> None:
        self.parts: set[str] = set()
        self.modules: set[str] = set()
        self.homes: set[str] = set()
        self._seen: dict[int, Any] = {}  # by id; kept, so that no id is used twice
        self._open: set[int] = set()  # values whose text is being made

    def visit(self, thing: Any) -> None:
        """Take in a class, function or module and what it reaches."""
        if id(thing) in self._seen:
            return
        self._seen[id(thing)] = thing
        if isinstance(thing, ModuleType):
            self._module(thing)
        elif isinstance(thing, type):
            self._class(thing)
        elif isinstance(thing, FunctionType):
            self._function(thing)
        for inner in _wrapped_in(thing):
            self.visit(inner)

    def text(self, value: Any) -> str:
        """A value as a text that is equal for equal values in every process; code is visited."""
        if isinstance(value, SCALARS):
            return repr(value)
        if id(value) in self._open:
            return f"{type(value).__qualname__} around this"
        self._open.add(id(value))
        try:
            content = self._code_text(value) if _is_code(value) else self._content(value)
            return f"{type(value).__qualname__} {content}"
        finally:
            self._open.remove(id(value))

    def _code_text(self, value: Any) -> str:
        """Which code it is among others; what is in it lies in ``parts``."""
        self.visit(value)
        found = [getattr(value, name, None) for name in ("__module__", "__qualname__", "__name__")]
        if isinstance(value, FunctionType):
            # functions that were made in one place have one name, and differ in what they enclose
            found += [self.text(content) for _, content in _enclosed(value)]
            found += [_bytecode(value.__code__)] if value.__name__ == LAMBDA else []
        if isinstance(value, MethodType) and self._is_own(type(value.__self__).__module__):
            found.append(self.text(value.__self__))
        return " ".join(part for part in found if isinstance(part, str))

    def _content(self, value: Any) -> str:
        if isinstance(value, (np.ndarray, np.generic)) and value.dtype != object:
            content = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
            return f"{value.dtype} {value.shape} {content}"
        if isinstance(value, dict):
            return ", ".join(f"{self.text(k)}: {self.text(v)}" for k, v in value.items())
        if isinstance(value, (set, frozenset)):
            return str(sorted(map(self.text, value)))
        if isinstance(value, (list, tuple)):
            return str([*map(self.text, value)])
        if isinstance(value, (functools.partial, functools.partialmethod)):
            return self.text((value.func, value.args, value.keywords))
        if sources.owner(type(value).__module__) != "installed":
            self.visit(type(value))
            return self.text(getattr(value, "__dict__", None))
        try:
            return hashlib.sha256(pickle.dumps(value, protocol=4)).hexdigest()
        except Exception:  # whatever the object raises: a lock, a file, a generator
            return ""

    # ------------------------------------------------------------------------- kinds of code

    def _is_own(self, module: str) -> bool:
        """Whether a module's text is to be taken in; notes the others in their own way."""
        owner = sources.owner(module)
        if owner == "genzoo":
            self.modules.add(module)
        elif owner == "installed":
            self._installed(module.partition(".")[0])
        return owner == "own"

    def _installed(self, top: str) -> None:
        if top not in sys.stdlib_module_names:
            with contextlib.suppress(PackageNotFoundError):  # its distribution has another name
                self.parts.add(f"library {top} {version(top)}")

    def _module(self, module: ModuleType) -> None:
        if not self._is_own(module.__name__):
            return
        if sources.locate(module.__name__) is not None:
            self.modules.add(module.__name__)
            return
        for name, value in vars(module).items():  # made by hand: there is no file
            if not _is_dunder(name):
                self.parts.add(f"{module.__name__}.{name} = {self.text(value)}")

    def _class(self, cls: type) -> None:
        if not self._is_own(cls.__module__):
            return
        self.homes.add(cls.__module__)
        bases = ", ".join(base.__qualname__ for base in cls.__bases__)
        self.parts.add(f"class {cls.__qualname__}({bases})\n{_source(cls) or ''}")
        for other in (type(cls), *cls.__mro__[1:]):
            self.visit(other)
        for name, value in vars(cls).items():
            if not _is_dunder(name) or _is_code(value):
                self.parts.add(f"{cls.__qualname__}.{name} = {self.text(value)}")

    def _function(self, function: FunctionType) -> None:
        code = function.__code__
        for name, content in _enclosed(function):
            self.parts.add(f"{function.__qualname__}, {name} = {self.text(content)}")
        home = function.__globals__.get("__name__", "__main__")
        if not self._is_own(home):
            return
        self.homes.add(home)
        # a line may hold several lambdas
        text = None if function.__name__ == LAMBDA else _source(function)
        self.parts.add(f"def {function.__qualname__}\n{text or _bytecode(code)}")
        defaults = (function.__defaults__, function.__kwdefaults__)
        self.parts.add(f"{function.__qualname__} defaults {self.text(defaults)}")
        names, imports = _names(code)
        for name in sorted(names & set(function.__globals__)):
            value = function.__globals__[name]
            self.parts.add(f"{home}.{name} = {self.text(value)}")
            if isinstance(value, ModuleType):
                self._parts_of(value, set(_code_names(code)), set())
        for dotted, level in imports:
            package = function.__globals__.get("__package__") or ""
            self._imported(resolve_name("." * level + dotted, package) if level else dotted)

    def _parts_of(self, module: ModuleType, names: set[str], done: set[str]) -> None:
        """What code uses of a module by dots: its submodules, and names of genzoo's face."""
        if module.__name__ in done or sources.owner(module.__name__) == "installed":
            return
        done.add(module.__name__)
        self.visit(module)
        for name in names:
            value = vars(module).get(name)
            if module.__name__ == sources.PACKAGE and name in FACE:
                self.modules.add(FACE[name].partition(":")[0])
            elif isinstance(value, ModuleType):
                self._parts_of(value, names, done)

    def _imported(self, dotted: str) -> None:
        """A module, or a name of one, that a function imports when it is called."""
        for name in sources.modules_named(dotted):
            self.modules.add(name)
        if sources.owner(dotted) == "installed":
            self._installed(dotted.partition(".")[0])


def _is_code(value: Any) -> bool:
    kinds = (type, ModuleType, FunctionType, MethodType, BuiltinFunctionType, staticmethod,
             classmethod, property, functools.cached_property)  # fmt: skip
    return isinstance(value, kinds) or "__wrapped__" in getattr(value, "__dict__", ())


def _enclosed(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """The variables of outer functions that a function uses, with their values."""
    names = function.__code__.co_freevars
    for name, cell in zip(names, function.__closure__ or (), strict=True):
        with contextlib.suppress(ValueError):  # not filled yet
            yield name, cell.cell_contents


def _is_dunder(name: str) -> bool:
    return name == "_abc_impl" or (name.startswith("__") and name.endswith("__"))


def _wrapped_in(thing: Any) -> list[Any]:
    """The functions inside a method, a property or a decorated function."""
    match thing:
        case staticmethod() | classmethod() | MethodType():
            return [thing.__func__]
        case property():
            return [f for f in (thing.fget, thing.fset, thing.fdel) if f is not None]
        case functools.cached_property():
            return [thing.func]
    wrapped = {} if isinstance(thing, type) else getattr(thing, "__dict__", {})
    return [wrapped["__wrapped__"]] if "__wrapped__" in wrapped else []


def _source(thing: Any) -> str | None:
    try:
        return "\n".join(inspect.getsource(thing).splitlines())
    except (OSError, TypeError):  # typed at a prompt, or run from a text
        return None


def _code_names(code: CodeType) -> Iterator[str]:
    """All names in a code object and in those inside it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _code_names(constant)


def _names(code: CodeType) -> tuple[set[str], list[tuple[str, int]]]:
    """The globals that a code object and those inside it load, and what they import: dotted names
    with the level of relative ones."""
    names, imports = set[str](), list[tuple[str, int]]()
    before: list[Any] = []  # an import finds its level and its names on the stack
    for step in dis.get_instructions(code):
        if step.opname in GLOBAL_LOADS:
            names.add(step.argval)
        elif step.opname == "IMPORT_NAME":
            level, wanted = before[-2:]
            for name in wanted or [""]:
                dotted = ".".join(part for part in (step.argval, name) if part)
                imports.append((dotted, level))
        if step.opname != "EXTENDED_ARG":
            before.append(step.argval)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            inner = _names(constant)
            names |= inner[0]
            imports += inner[1]
    return names, imports


def _bytecode(code: CodeType) -> str:
    """What a code object does, without where it stands."""
    constants = [
        _bytecode(c)
        if isinstance(c, CodeType)
        else repr(sorted(map(repr, c)) if isinstance(c, frozenset) else c)
        for c in code.co_consts
    ]
    return f"{code.co_code.hex()} {code.co_names} {code.co_varnames} {constants}"
