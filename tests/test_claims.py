"""What README and docs claim is held by tests that exist, and by commands that work."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from genzoo.cli.app import app

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "checked.md").read_text(encoding="utf-8")
CLAIMS = dict(re.findall(r"^\| (.+?) \| (`.+`) \|$", PAGE.partition("| claim |")[2], re.MULTILINE))
CHECKS = sorted({check for cell in CLAIMS.values() for check in re.findall(r"`(.+?)`", cell)})
COMMANDS = [check for check in CHECKS if check.startswith("genzoo ")]
TESTS = [check for check in CHECKS if check.startswith("tests/")]


def test_every_claim_names_what_holds_it():
    lines = PAGE.partition("| claim |")[2].splitlines()[2:]
    assert len(CLAIMS) == sum(line.startswith("| ") for line in lines)
    assert set(COMMANDS) | set(TESTS) == set(CHECKS)
    assert COMMANDS


@pytest.mark.parametrize("name", TESTS)
def test_a_test_that_is_named_exists(name):
    file, _, function = name.partition("::")
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    tests = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    tests = {test for test in tests if test.startswith("test_")}
    assert tests if not function else function in tests


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_is_named_succeeds(command):
    result = CliRunner().invoke(app, shlex.split(command)[1:])
    assert result.exit_code == 0, result.output
    assert result.output
