"""A folder of images of one size."""

from __future__ import annotations

from pathlib import Path

import numpy as np

IMAGES = (".png", ".jpg", ".jpeg")


def of_images(path: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    """uint8 images, (n, H, W) or (n, 3, H, W), and what the reader should know.

    Raises:
        ValueError: naming the file.
    """
    entries = sorted(path.iterdir())
    files = [p for p in entries if p.suffix.lower() in IMAGES and p.is_file()]
    if not files:
        raise ValueError(f"file: expected a folder of {', '.join(IMAGES)} files; {path} holds none")
    others = [p.name for p in entries if p not in set(files)]
    remarks = []
    if others:
        shown = ", ".join(others[:3]) + (", ..." if len(others) > 3 else "")
        remarks.append(f"not read, as they are no images: {shown} ({len(others)})")
    pictures = [_pixels(p, remarks) for p in files]
    size = pictures[0].shape[:2]
    for file, picture in zip(files, pictures, strict=True):
        if picture.shape[:2] != size:
            raise ValueError(
                f"file: {path}: expected images of one size, {size[1]} x {size[0]} as "
                f"{files[0].name}; {file.name} is {picture.shape[1]} x {picture.shape[0]}"
            )
    if any(p.ndim == 3 for p in pictures):
        grey = sum(p.ndim == 2 for p in pictures)
        if grey:
            remarks.append(f"{grey} grey images among those in colour: read as colour")
        full = [p if p.ndim == 3 else np.repeat(p[..., None], 3, axis=2) for p in pictures]
        return np.stack(full).transpose(0, 3, 1, 2).copy(), tuple(remarks)
    return np.stack(pictures), tuple(remarks)


def _pixels(file: Path, remarks: list[str]) -> np.ndarray:
    """(H, W) grey or (H, W, 3) uint8."""
    try:
        from PIL import Image
    except ImportError:
        raise ValueError("file: reading images needs Pillow: pip install pillow") from None
    try:
        with Image.open(file) as image:
            if image.mode in ("1", "L"):
                return np.asarray(image.convert("L"))
            if image.mode.startswith(("I", "F")):
                raise ValueError(f"file: {file}: expected 8 bits a channel; got mode {image.mode}")
            if image.mode in ("LA", "RGBA", "PA"):
                remark = "transparency is not read"
                if remark not in remarks:
                    remarks.append(remark)
            return np.asarray(image.convert("L" if image.mode == "LA" else "RGB"))
    except OSError as error:
        raise ValueError(f"file: {file} is no image that can be read: {error}") from None
