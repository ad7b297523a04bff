"""A folder of images of one size."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

IMAGES = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff")
GREY = ("1", "L", "LA")
BESIDE = ("thumbs.db", "desktop.ini")  # what systems put into folders, beside hidden files


def of_images(path: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    """uint8 images, (n, H, W) or (n, 3, H, W), and what the reader should know.

    Raises:
        ValueError: naming the file.
    """
    entries = [
        p
        for p in sorted(path.iterdir())
        if not p.name.startswith(".") and p.name.lower() not in BESIDE
    ]
    files = [p for p in entries if _is_image(p)]
    if not files:
        raise ValueError(f"file: {path}: {_none(entries)}")
    others = [p.name for p in entries if not _is_image(p)]
    remarks = []
    if others:
        shown = ", ".join(others[:3]) + (", ..." if len(others) > 3 else "")
        remarks.append(f"not read, as they are no images: {shown} ({len(others)})")
    notes: Counter[str] = Counter()
    pictures = [_pixels(p, notes) for p in files]
    _check_sizes(path, files, pictures)
    remarks += [f"{note}: {n} of {len(files)} images" for note, n in notes.items()]
    if any(p.ndim == 3 for p in pictures):
        grey = sum(p.ndim == 2 for p in pictures)
        if grey:
            remarks.append(f"{grey} grey images among those in colour: read as colour")
        full = [p if p.ndim == 3 else np.repeat(p[..., None], 3, axis=2) for p in pictures]
        return np.stack(full).transpose(0, 3, 1, 2).copy(), tuple(remarks)
    return np.stack(pictures), tuple(remarks)


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGES and path.is_file()


def _none(entries: list[Path]) -> str:
    """Why a folder holds no images, and what to do."""
    full = [p for p in entries if p.is_dir() and any(map(_is_image, p.iterdir()))]
    if full:
        names = ", ".join(p.name for p in full[:3]) + (", ..." if len(full) > 3 else "")
        return (
            f"expected images in the folder itself; they lie in {len(full)} folders within "
            f"({names}): give one of these, or put the images of all into one folder (folders are "
            f"not read as classes)"
        )
    tables = [p.name for p in entries if p.suffix.lower() in (".csv", ".tsv", ".parquet", ".jsonl")]
    if tables:
        shown = ", ".join(tables[:3]) + (", ..." if len(tables) > 3 else "")
        return (
            f"expected a folder of {', '.join(IMAGES)} files; it holds tables ({shown}): name one"
        )
    return f"expected a folder of {', '.join(IMAGES)} files; it holds none"


def _check_sizes(path: Path, files: list[Path], pictures: list[np.ndarray]) -> None:
    sizes = [(p.shape[1], p.shape[0]) for p in pictures]
    usual, n = Counter(sizes).most_common(1)[0]
    other = [i for i, size in enumerate(sizes) if size != usual]
    if other:
        i = other[0]
        raise ValueError(
            f"file: {path}: expected images of one size; {n} of {len(files)} are {usual[0]} x "
            f"{usual[1]}; others (images: {len(other)}) are not, such as {files[i].name}, "
            f"{sizes[i][0]} x {sizes[i][1]}: resize or crop them first"
        )


def _pixels(file: Path, notes: Counter[str]) -> np.ndarray:
    """(H, W) grey or (H, W, 3) uint8; ``notes`` counts what was done to images."""
    try:
        from PIL import Image
    except ImportError:
        raise ValueError("file: reading images needs Pillow: pip install pillow") from None
    try:
        with Image.open(file) as image:
            mode = image.mode
            deep = mode.startswith(("I", "F"))
            found = None if deep else _in_8_bits(image, notes)
    except Exception as error:  # of many kinds: each format's reader has its own
        raise ValueError(f"file: {file} is no image that can be read: {error}") from None
    if found is None:
        raise ValueError(
            f"file: {file}: expected 8 bits a channel; got mode {mode}, 16 bits or more: convert "
            f"it first, as image.point(lambda v: v / 256).convert('L') does for 16 bits in Pillow"
        )
    return found


def _in_8_bits(image: Any, notes: Counter[str]) -> np.ndarray:
    from PIL import ImageOps

    if getattr(image, "n_frames", 1) > 1:
        notes["of several frames the first is read"] += 1
    if image.getexif().get(0x0112, 1) != 1:  # orientation
        notes["turned upright, as their EXIF data say"] += 1
        image = ImageOps.exif_transpose(image)
    if image.mode in ("LA", "La", "RGBA", "RGBa", "PA") or "transparency" in image.info:
        notes["transparency is not read"] += 1
    if image.mode not in (*GREY, "RGB", "RGBA", "P", "PA"):
        notes[f"colours are converted from {image.mode} to RGB"] += 1
    return np.asarray(image.convert("L" if image.mode in GREY else "RGB"))
