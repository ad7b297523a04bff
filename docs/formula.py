"""Formulas of the site: LaTeX in a fence of `math` becomes a drawing (SVG), which every browser
shows alike, without a script or a font from elsewhere."""

from __future__ import annotations

from html import escape
from typing import Any

import ziamath

ziamath.config.svg2 = False  # no symbols with ids, which several drawings of a page would share
SIZE = 18


def shown(source: str, *_: Any, **__: Any) -> str:
    """LaTeX, a line a formula, as drawings one below the other; screen readers get the LaTeX."""
    drawings = "".join(
        f'<span role="img" aria-label="{escape(line)}">'
        f"{ziamath.Latex(line, size=SIZE, color='currentColor').svg()}</span>"
        for line in source.splitlines()
        if line.strip()
    )
    label = "Formula" if source.count("\n") == 0 else "Formulas"
    return f'<div class="formula" role="region" aria-label="{label}" tabindex="0">{drawings}</div>'
