"""Formulas of the site: LaTeX in a fence of `math` becomes MathML, which browsers show by
themselves, without a script or a font from elsewhere."""

from __future__ import annotations

from typing import Any

from latex2mathml.converter import convert


def shown(source: str, *_: Any, **__: Any) -> str:
    """A block of LaTeX as MathML; an empty line begins another formula."""
    formulas = (convert(text, display="block") for text in source.split("\n\n"))
    return f'<div class="formula" tabindex="0">{"".join(formulas)}</div>'
