"""What every page carries in itself: its styles and its script.

The page's content policy allows the one script by its hash, so that whatever a name or a value
might smuggle in is not run.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from markupsafe import Markup

TEMPLATES = Path(__file__).parent / "templates"


def assets() -> dict[str, Markup]:
    """``styles``, ``script`` and ``script_hash``, the source that a content policy is to allow."""
    script = _joined("scripts", "js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return {
        "styles": Markup(_joined("styles", "css")),
        "script": Markup(script),
        "script_hash": Markup(f"sha256-{digest}"),
    }


def _joined(folder: str, ending: str) -> str:
    """All files of a folder, in the order of their names."""
    files = sorted((TEMPLATES / folder).glob(f"*.{ending}"))
    return "\n" + "\n".join(file.read_text(encoding="utf-8") for file in files)
