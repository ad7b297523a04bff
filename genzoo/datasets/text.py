"""Text that ships with the package, compressed: names, and plays in windows of 64 characters."""

from __future__ import annotations

import bz2
import lzma

import numpy as np

from genzoo.datasets.dataset import SPLITS, Dataset, Parts, in_parts, split
from genzoo.datasets.entry import Entry
from genzoo.datasets.files import checked, packaged, sources
from genzoo.space.infer import sequence_of
from genzoo.space.schema import Schema

WINDOW = 64
# what the packed files hold
NAMES = sources()["names/names.txt"]
SHAKESPEARE = sources()["tinyshakespeare/input.txt"]


def names(name: str) -> Dataset:
    """32,033 first names of at most 15 letters, split 80/10/10.

    2,539 names stand twice in the list, so about a tenth of the test names also occur in training.
    """
    raw = checked(lzma.decompress(packaged("names.txt.xz")), NAMES, "names.txt.xz")
    listed = raw.decode().split()
    schema = Schema.infer(listed)
    index = split(len(listed), valid=0.1, test=0.1, seed=0)
    return Dataset(
        name,
        schema,
        *in_parts(schema.encode(listed), index),
        source=f"{ENTRIES[name].about}, split 80/10/10 with a fixed seed; about a tenth of the "
        f"test names also occur in training",
        licence=ENTRIES[name].licence,
    )


def tinyshakespeare(name: str) -> Dataset:
    """1.1 million characters of plays; rows are windows of 64 that do not overlap.

    Test: the last tenth (what nanoGPT calls validation). Valid: from 45 % to 50 % of the file.
    Train: the rest of the first nine tenths, two stretches that no window crosses.
    """
    packed = packaged("tinyshakespeare.txt.bz2")
    text = checked(bz2.decompress(packed), SHAKESPEARE, "tinyshakespeare.txt.bz2").decode()
    n = len(text)
    a, b, c = int(0.45 * n), int(0.5 * n), int(0.9 * n)
    stretches = {"train": [text[:a], text[b:c]], "valid": [text[a:b]], "test": [text[c:]]}
    symbols = tuple(sorted(set(text)))
    return Dataset(
        name,
        Schema(*sequence_of(symbols, WINDOW)),
        *Parts(*(windows(stretches[part], symbols, WINDOW) for part in SPLITS)),
        text=stretches,
        source=f"Plays by Shakespeare (Karpathy's tinyshakespeare); rows are windows of {WINDOW} "
        f"characters; test the last 10 % of the file, valid from 45 % to 50 %",
        licence=ENTRIES[name].licence,
    )


def windows(stretches: list[str], symbols: tuple[str, ...], length: int) -> np.ndarray:
    """(n, length) codes of stretches of text, by the place of each character among the symbols,
    which are sorted; the rest of a stretch that fills no window is left out.

    >>> windows(["abcab", "cb"], ("a", "b", "c"), 2).tolist()
    [[0, 1], [2, 0], [2, 1]]
    """
    points = np.array([ord(s) for s in symbols])
    parts = []
    for stretch in stretches:
        codes = np.searchsorted(points, np.frombuffer(stretch.encode("utf-32-le"), dtype="<u4"))
        whole = len(codes) // length * length
        parts.append(codes[:whole].reshape(-1, length))
    return np.concatenate(parts).astype(np.int64)


ENTRIES = {
    "names": Entry(
        names,
        (15,),
        (25627, 3203, 3203),
        NAMES.licence,
        about="First names in the United States (makemore's list)",
        layout="text",
    ),
    "tinyshakespeare": Entry(
        tinyshakespeare,
        (WINDOW,),
        (14813, 871, 1742),
        SHAKESPEARE.licence,
        about=f"Plays by Shakespeare (Karpathy's tinyshakespeare) in windows of {WINDOW}",
        layout="text",
    ),
}
