"""Pixels as a PNG in a data URI, so that a report is one file."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np

MOST_PIXELS = 48_000
SHEET = 48  # pixels across of small images, so that a card draws each about 5 screen pixels wide
GAP = 1


def gallery(rows: np.ndarray, event_shape: tuple[int, ...], cards: np.ndarray) -> tuple[str, int]:
    """Images side by side in a grid.

    Args:
        rows: (n, D) codes, low codes dark.
        event_shape: (H, W) or (C, H, W); with three channels the picture is in colour.
        cards: (D,) number of codes of each pixel.

    Returns:
        The data URI, and how many images it shows.
    """
    C, H, W = _shape(event_shape)
    n = max(1, min(len(rows), 32, MOST_PIXELS // (C * H * W)))
    columns = min(n, 8, max(4, SHEET // (W + GAP)))
    n -= n % columns
    return sheet(rows[:n], event_shape, cards, columns), n


def sheet(rows: np.ndarray, event_shape: tuple[int, ...], cards: np.ndarray, columns: int) -> str:
    """The data URI of images, so many in a line; rows (n, D) as in ``gallery``."""
    C, H, W = _shape(event_shape)
    light = 255 * rows / np.maximum(1, cards - 1)
    images = light.reshape(len(rows), C, H, W)
    if C != 3:
        images = images.mean(axis=1, keepdims=True)
    lines = -(-len(rows) // columns)
    pixels = np.full((images.shape[1], lines * (H + GAP) + GAP, columns * (W + GAP) + GAP), 128.0)
    for i, image in enumerate(images):
        y, x = divmod(i, columns)
        top, left = GAP + y * (H + GAP), GAP + x * (W + GAP)
        pixels[:, top : top + H, left : left + W] = image
    return data_uri(np.rint(pixels).astype(np.uint8))


def _shape(event_shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Channels, height and width."""
    H, W = event_shape[-2:]
    return (event_shape[0] if len(event_shape) == 3 else 1), H, W


def data_uri(pixels: np.ndarray) -> str:
    """(1 or 3, H, W) uint8 as the data URI of a grey or colour PNG."""
    C, H, W = pixels.shape
    lines = np.zeros((H, 1 + W * C), dtype=np.uint8)  # each line starts with filter type 0
    lines[:, 1:] = pixels.transpose(1, 2, 0).reshape(H, W * C)
    header = struct.pack(">IIBBBBB", W, H, 8, 0 if C == 1 else 2, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in (
            (b"IHDR", header),
            (b"IDAT", zlib.compress(lines.tobytes(), 9)),
            (b"IEND", b""),
        )
    )
    return "data:image/png;base64," + base64.b64encode(content).decode()
