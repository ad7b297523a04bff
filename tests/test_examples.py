"""The examples and the README's Python snippets run as they stand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SNIPPETS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


def run(arguments, folder):
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "error"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("quickstart.py", "bits per dim"),
        ("your_own_table.py", "report.html"),
        ("complete_text.py", "nats per character"),
        ("add_a_family.py", "checks passed"),
        ("warm_start.py", "pre-training buys"),
    ],
)
def test_example(script, says, tmp_path):
    assert says in run([str(ROOT / "examples" / script)], tmp_path)


@pytest.mark.slow
def test_readme_snippets(tmp_path):
    assert SNIPPETS
    script = tmp_path / "readme.py"
    script.write_text("\n".join(SNIPPETS))
    run([str(script)], tmp_path)
