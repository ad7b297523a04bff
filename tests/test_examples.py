"""The examples, and the Python snippets of README and docs, run as they stand and print what stands
below them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# a snippet, and what it prints where that stands below it
SNIPPET = re.compile(
    r"^```python\n(.*?)^```\n(?:(?:\nIt prints\n)?\n```text\n(.*?)^```)?", re.M | re.S
)
DOCUMENTS = [
    path
    for path in (ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md")))
    if "```python\n" in path.read_text(encoding="utf-8")
]
BORDER = "=" * 20


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
@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_snippets(document, tmp_path):
    """Those of a document, one after the other, in one process."""
    snippets = SNIPPET.findall(document.read_text(encoding="utf-8"))
    script = tmp_path / "snippets.py"
    border = f"\nprint({BORDER!r}, flush=True)\n"
    script.write_text(border.join(code for code, _ in snippets), encoding="utf-8")
    printed = run([str(script)], tmp_path).split(f"{BORDER}\n")
    for (code, says), found in zip(snippets, printed, strict=True):
        assert not says or found == says, code
