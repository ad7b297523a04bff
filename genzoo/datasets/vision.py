"""What torchvision knows of its data sets' files: addresses and checksums."""

from __future__ import annotations

from functools import cache
from typing import Any

_operators: Any = None  # the operators' names last as long as this object


def address_and_md5(upstream: str) -> tuple[str, str]:
    """The address and the MD5 of the file that ``torchvision:CLASS:FILE`` names."""
    _, cls, name = upstream.split(":")
    known = getattr(_datasets(), cls)
    return known.mirrors[0] + name, dict(known.resources)[name]


@cache
def _datasets() -> Any:
    """``torchvision.datasets``.

    A torchvision built for CUDA can't load its operators beside a torch without CUDA, and its
    import fails on two that it takes for granted. Nothing here calls them: their names will do.
    """
    try:
        from torchvision import datasets
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        from torch import library

        global _operators
        _operators = library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            _operators.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        from torchvision import datasets
    return datasets
