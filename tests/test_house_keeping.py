"""Files beside the package say the same as the package and as each other."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import pytest

import genzoo

ROOT = Path(__file__).parent.parent
WORKFLOW = (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")
SETUP = configparser.ConfigParser()
SETUP.read(ROOT / "setup.cfg", encoding="utf-8")


def commands(target: str) -> list[str]:
    """The commands of a target of the Makefile, with its variables put in."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    values = dict(re.findall(r"^(\w+) [:?]= (.*)$", text, re.MULTILINE))
    (body,) = re.findall(rf"^{re.escape(target)}:.*\n((?:\t.*\n)+)", text, re.MULTILINE)
    lines = [line.strip() for line in body.splitlines()]
    for _ in range(2):
        lines = [re.sub(r"\$\((\w+)\)", lambda m: values[m[1]], line) for line in lines]
    return lines


def test_the_citation_names_this_version_and_licence():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    said = dict(re.findall(r"^(version|license): (.*)$", citation, re.MULTILINE))
    assert said == {"version": genzoo.__version__, "license": SETUP["metadata"]["license"]}


def test_every_supported_python_on_three_systems():
    oldest = SETUP["options"]["python_requires"].removeprefix(">=")
    assert re.search(r"python: \[(.*)\]", WORKFLOW)[1].split(", ")[0] == f'"{oldest}"'
    assert re.search(r"os: \[(.*)\]", WORKFLOW)[1].count("-latest") == 3
    assert SETUP["mypy"]["python_version"] == oldest


def test_continuous_integration_runs_what_make_runs():
    ci = (ROOT / ".ci/run").read_text(encoding="utf-8")
    for target in ("make lint", "make test"):
        assert f"\n{target}\n" in ci
        assert f"run: {target}" in WORKFLOW
    windows = WORKFLOW.replace(".venv/Scripts/python -m ", ".venv/bin/").replace("$WORKERS", "2")
    for target in ("doctest", "test", ".venv/installed"):
        for command in commands(target):
            if command.startswith(".venv/bin/"):
                assert command in windows, f"the workflow on Windows lacks: {command}"


@pytest.mark.parametrize("tool", ["ruff check", "ruff format", "mypy"])
def test_what_runs_before_a_commit_is_what_lint_runs(tool):
    assert any(f".venv/bin/{tool}" in command for command in commands("lint"))
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    assert f"entry: .venv/bin/{tool}" in hooks
