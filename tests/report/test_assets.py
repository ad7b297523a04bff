"""What a page carries in itself."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

from demo_run import write_demo

from genzoo.report import build


def test_the_policy_allows_the_one_script_of_the_page_and_no_other(tmp_path: Path) -> None:
    html = build(write_demo(tmp_path / "run", datasets=("flowers",)))["html"].read_text("utf-8")
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in html
    assert not re.search(r"<[^>]*\son\w+=", html)  # a handler in a tag would not run
