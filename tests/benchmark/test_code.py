"""The hash of code: a change of a source changes exactly what it decides."""

from __future__ import annotations

import ast
import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import genzoo
from genzoo.benchmark.code import code_of, family_code, judging_code
from genzoo.benchmark.sources import ROOT
from genzoo.keys import MODELS

FAMILIES = set(MODELS)
JUDGE = "judge"
NEURAL = {"vae", "gan", "transformer", "masked_transformer", "diffusion"}


def digests(root: Path = ROOT) -> dict[str, str]:
    found = {key: family_code(key, root).digest for key in MODELS}
    return {**found, JUDGE: judging_code(root).digest}


def changed_by(package: Path, edits: dict[str, tuple[str, str]]) -> set[str]:
    """What has another hash after these edits of files: {path: (old, new)}, at the end where the
    old text is empty."""
    before = digests(package.parent)
    for name, (old, new) in edits.items():
        path = package / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1) if old else text + new)
    after = digests(package.parent)
    return {name for name in before if before[name] != after[name]}


@pytest.fixture
def package(tmp_path) -> Path:
    """A copy of the package that may be edited."""
    ignored = shutil.ignore_patterns("__pycache__", "data")
    return Path(shutil.copytree(ROOT / "genzoo", tmp_path / "genzoo", ignore=ignored))


@pytest.mark.parametrize(
    ("path", "changed"),
    [
        ("models/hmm/model.py", {"hmm"}),
        ("models/hmm/em.py", {"hmm"}),
        ("models/shared/column_order.py", {"hmm", "ngram", "circuit"}),
        ("models/independent.py", {"independent", "bayesian_network", "gan"}),
        ("models/neural/muon.py", NEURAL),
        ("models/neural/__init__.py", NEURAL),
        (
            "models/shared/particles.py",
            {"bayesian_network", "transformer", "ngram", "masked_transformer", "diffusion"},
        ),
        ("metrics/frechet.py", {JUDGE}),
        ("queries.py", {JUDGE}),
        ("benchmark/validation.py", {JUDGE}),
        ("benchmark/cell.py", {JUDGE}),
        ("space/schema.py", {*FAMILIES, JUDGE}),
        ("seeding.py", {*FAMILIES, JUDGE}),
        ("keys.py", {*FAMILIES, JUDGE}),
        ("registry.py", {JUDGE}),
        ("datasets/uci.py", set()),
        ("cli/app.py", set()),
        ("report/build.py", set()),
        ("benchmark/pool.py", set()),
        ("benchmark/progress.py", set()),
        ("benchmark/runner.py", set()),
        ("benchmark/plan.py", set()),
    ],
)
def test_a_changed_file_changes_what_it_decides(package, path, changed):
    assert changed_by(package, {path: ("", "\n# another line\n")}) == changed


def test_imports_in_functions_count_and_those_for_type_checkers_do_not(package):
    inside = "\n\ndef _later():\n    from genzoo.report import png\n"
    typed = "\nif TYPE_CHECKING:\n    from genzoo.report import figures\nelse:\n    "
    typed += "import genzoo.datasets.debd\n"
    (package / "models/hmm/model.py").write_text(
        (package / "models/hmm/model.py").read_text() + inside + typed
    )
    for path, changed in (
        ("report/png.py", {"hmm"}),
        ("report/figures.py", set()),
        ("datasets/debd.py", {"hmm"}),
    ):
        assert changed_by(package, {path: ("", "\n# another line\n")}) == changed


@pytest.mark.parametrize("table", ["DATASETS", "MODELS", "FACE"])
def test_a_line_for_what_is_new_changes_nothing(package, table):
    line = '    "new": "genzoo.queries:new",\n'
    assert changed_by(package, {"keys.py": (f"{table} = {{\n", f"{table} = {{\n{line}")}) == set()


def test_a_new_metric_changes_what_judges(monkeypatch):
    before = digests()
    monkeypatch.setitem(genzoo.keys.METRICS, "mine", "troublemakers:FIRST_SAMPLE")
    after = digests()
    assert {name for name in before if before[name] != after[name]} == {JUDGE}


def test_a_module_that_is_gone_changes_what_had_it(package):
    before = digests(package.parent)
    (package / "models/hmm/model.py").unlink()
    after = digests(package.parent)
    assert {name for name in before if before[name] != after[name]} == {"hmm"}


def test_hashes_are_those_of_every_process_and_place(package):
    """No path, no order of a set, no line ending is in them."""
    for path in package.rglob("*.py"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert digests(package.parent) == digests()
    script = (
        "from genzoo.benchmark.code import family_code, judging_code\n"
        "from genzoo.registry import MODELS\n"
        "print(*[family_code(key).digest for key in MODELS], judging_code().digest)"
    )
    out = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=package.parent,
        env={**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(package.parent)},
    ).stdout
    assert out.split() == [*digests().values()]


def test_a_file_that_has_not_changed_is_parsed_once(monkeypatch):
    first = digests()
    monkeypatch.setattr(ast, "parse", lambda *arguments, **options: pytest.fail("parsed again"))
    assert digests() == first


# -------------------------------------------------------------------- classes of one's own

MINE = {
    "mine.py": """
import functools
import math

import genzoo
import genzoo.results.choice
import parts.inner.deepest
import tools
from genzoo.models.hmm.model import HMM
from parts import base
from parts.more import TABLE, decorated, scaled

RATE = 2
UNUSED = 3
KINDS = {"one": scaled, "two": abs}
SIGNS = {"plus": lambda x: x, "minus": lambda x: -x}


def times(n):
    return lambda x: n * x


TIMES = {"once": times(1), "twice": times(2)}


def helper(x):
    return scaled(x) * RATE


def unused(x):
    return x


@functools.lru_cache
def cached(x):
    return tools.used_by_dots(x)


class Other:
    attribute = 1


class Held:
    depth = 1


HELD = Held()


class Mine(base.Base):
    computed = math.floor(2.5) + TABLE[0]

    def _fit(self, rows, valid, fit):
        from late import when_called

        super()._fit(rows, valid, fit)

    @property
    def asked(self):
        numbers = SIGNS["plus"](1) + TIMES["once"](1) + parts.more.inner.deepest.least(1)
        return helper(1) + cached(2) + HELD.depth + numbers

    @decorated
    def _log_prob(self, rows, *, seed):
        return [kind(1) for kind in KINDS.values()] and super()._log_prob(rows, seed=seed)


def main():
    genzoo.compare([Mine()], ["iris"])
""",
    "tools.py": "import deep\n\n\ndef used_by_dots(x):\n    return deep.f(x)\n\n\nNOTHING = 0\n",
    "deep.py": "def f(x):\n    return x\n",
    "late.py": "def when_called(x):\n    return x\n",
    "parts/__init__.py": "",
    "parts/base.py": "import genzoo\n\n\nclass Base(genzoo.Independent):\n    level = 1\n",
    "parts/more.py": """
from . import inner

TABLE = (1, 2)


def scaled(x):
    return inner.half(x)


def decorated(method):
    def wrapper(self, rows, *, seed):
        return method(self, rows, seed=seed)

    return wrapper
""",
    "parts/inner/__init__.py": "def half(x):\n    return x / 2\n",
    "parts/inner/deepest.py": "def least(x):\n    return x\n",
}


def code_of_mine(folder: Path, files: dict[str, str], name: str = "Mine"):
    """The code of a class in fresh modules from these files."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        return code_of(getattr(importlib.import_module("mine"), name))
    finally:
        sys.path.remove(str(folder))
        for module in ("mine", "tools", "deep", "late", "parts"):
            for loaded in [m for m in sys.modules if m == module or m.startswith(f"{module}.")]:
                del sys.modules[loaded]


@pytest.mark.parametrize(
    ("path", "old", "new", "changes"),
    [
        ("mine.py", "RATE = 2", "RATE = 4", True),
        ("mine.py", "* RATE", "+ RATE", True),
        ("mine.py", "depth = 1", "depth = 2", True),
        ("mine.py", "floor(2.5)", "floor(3.5)", True),
        ("mine.py", '"two": abs', '"two": len', True),
        ("mine.py", "tools.used_by_dots(x)", "tools.used_by_dots(x + 1)", True),
        ("mine.py", "helper(1)", "helper(7)", True),
        ("mine.py", "UNUSED = 3", "UNUSED = 4", False),
        ("mine.py", "def unused(x):\n    return x", "def unused(x):\n    return -x", False),
        ("mine.py", "attribute = 1", "attribute = 2", False),
        ("mine.py", '["iris"]', '["wine"]', False),
        ("tools.py", "deep.f(x)", "deep.f(-x)", True),
        ("tools.py", "NOTHING = 0", "NOTHING = 1", True),  # a module that is used as a whole
        ("deep.py", "return x", "return -x", True),
        ("late.py", "return x", "return -x", True),
        ("parts/base.py", "level = 1", "level = 2", True),
        ("parts/more.py", "(1, 2)", "(5, 2)", True),
        ("parts/more.py", "inner.half(x)", "inner.half(-x)", True),
        ("parts/more.py", "rows, seed=seed", "rows[:], seed=seed", True),
        ("parts/inner/__init__.py", "x / 2", "x / 3", True),
        ("parts/inner/deepest.py", "return x", "return -x", True),
        (
            "mine.py",
            '"plus": lambda x: x, "minus": lambda x: -x',
            '"plus": lambda x: -x, "minus": lambda x: x',
            True,
        ),
        (
            "mine.py",
            '"once": times(1), "twice": times(2)',
            '"once": times(2), "twice": times(1)',
            True,
        ),
    ],
)
def test_what_a_class_of_ones_own_reaches_is_in_its_hash(tmp_path, path, old, new, changes):
    before = code_of_mine(tmp_path / "before", MINE)
    same = code_of_mine(tmp_path / "same", MINE)
    assert MINE[path].count(old) == 1
    edited = {**MINE, path: MINE[path].replace(old, new)}
    after = code_of_mine(tmp_path / "after", edited)
    assert before.digest == same.digest
    assert (before.digest != after.digest) is changes


def test_genzoos_modules_are_in_it_but_not_the_front_end(tmp_path):
    code = code_of_mine(tmp_path, MINE)
    modules = {name for name, _, _ in code.files}
    assert {
        "genzoo.models.hmm.model",
        "genzoo.models.hmm.em",
        "genzoo.models.independent",
    } <= modules
    assert not {"genzoo.benchmark.runner", "genzoo.report.build", "genzoo.results.choice"} & modules
    assert code.modules is None
    assert {"mine", "parts.base", "tools", "deep"} <= modules


TYPED = """
import sys
import genzoo
from genzoo.benchmark.code import code_of

FACTOR = {factor}
NAMES = {{"b", "a", "c"}}


class Typed(genzoo.Independent):
    limit = {limit}

    def _sample(self, n, given, *, seed):
        return [x for x in NAMES if x in {{"x", "y", "z"}}] and FACTOR * {number}


print(code_of(Typed).digest)
"""


def typed(seed: int = 0, **values: int) -> str:
    """The hash of a class that has no source: typed at a prompt."""
    text = TYPED.format(**{"factor": 1, "limit": 1, "number": 1, **values})
    return subprocess.run(
        [sys.executable, "-c", text],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": str(ROOT)},
    ).stdout


def test_a_class_without_a_source_is_known_by_its_bytecode():
    first = typed()
    assert first == typed(seed=1)
    others = [typed(factor=2), typed(limit=2), typed(number=2)]
    assert len({first, *others}) == 4


def test_code_in_a_parameter_counts(tmp_path):
    class Wrapper(genzoo.Independent):
        pass

    def of(value):
        return code_of(genzoo.Independent, {"part": value})

    assert of(3).digest == of("text").digest == family_code("independent").digest
    assert of(genzoo.HMM()).digest != of(genzoo.HMM(n_states=3)).digest
    assert "genzoo.models.hmm.model" in {name for name, _, _ in of(genzoo.HMM()).files}
    assert of(Wrapper()).digest != of(genzoo.Independent()).digest
    assert of(lambda x: x + 1).digest != of(lambda x: x + 2).digest


def test_code_knows_whether_its_files_changed(package, tmp_path):
    family = family_code("hmm", package.parent)
    mine = code_of_mine(tmp_path, MINE)
    assert family.is_current()
    assert mine.is_current()
    (package / "models/hmm/em.py").write_text("# nothing\n")
    (tmp_path / "tools.py").unlink()
    assert not family.is_current()
    assert not mine.is_current()
    assert family_code("vae", package.parent).is_current()


def test_a_file_that_is_no_python_is_named(package):
    (package / "models/hmm/em.py").write_text("def broken(:\n")
    with pytest.raises(ValueError, match=r"em\.py: expected Python"):
        family_code("hmm", package.parent)
