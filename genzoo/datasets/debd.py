"""Binary tables on which tractable density estimators are compared, in their given splits.

Twenty were introduced by Lowd and Davis (2010) and Van Haaren and Davis (2012); ``nips`` (few rows,
many columns) by Larochelle and Murray (2011). Published results are in mean nats per test row.
"""

from __future__ import annotations

import numpy as np

from genzoo.datasets.dataset import Dataset
from genzoo.datasets.download import read
from genzoo.datasets.entry import Entry
from genzoo.datasets.files import listed
from genzoo.space.infer import table_of
from genzoo.space.schema import Schema


def load(name: str) -> Dataset:
    """The table of that key, such as ``debd/nltcs``."""
    files = ENTRIES[name].files
    train, valid, test = (read_binary(read(file)) for file in files)
    return Dataset(
        name,
        Schema(*table_of([2] * train.shape[1])),
        train,
        valid,
        test,
        source=f"Density estimation benchmark, given split ({files[0].upstream.split(':')[1]})",
        licence=ENTRIES[name].licence,
    )


def read_binary(raw: bytes) -> np.ndarray:
    """(n, D) int64 from lines of comma-separated 0 and 1."""
    characters = np.frombuffer(raw, dtype=np.uint8)
    digits = characters[(characters == ord("0")) | (characters == ord("1"))] - ord("0")
    D = raw.split(b"\n", 1)[0].count(b",") + 1
    return digits.reshape(-1, D).astype(np.int64)


TABLES = {  # columns; rows of train, valid and test; what they are about
    "debd/accidents": (111, (12758, 1700, 2551), "traffic accidents"),
    "debd/ad": (1556, (2461, 327, 491), "advertisements on web pages"),
    "debd/baudio": (100, (15000, 2000, 3000), "music that people listen to"),
    "debd/bbc": (1058, (1670, 225, 330), "words of BBC news"),
    "debd/bnetflix": (100, (15000, 2000, 3000), "film ratings of Netflix"),
    "debd/book": (500, (8700, 1159, 1739), "book ratings"),
    "debd/c20ng": (910, (11293, 3764, 3764), "words of 20 newsgroups"),
    "debd/cr52": (889, (6532, 1028, 1540), "words of Reuters news in 52 classes"),
    "debd/cwebkb": (839, (2803, 558, 838), "words of university web pages"),
    "debd/dna": (180, (1600, 400, 1186), "splice junctions of genes"),
    "debd/jester": (100, (9000, 1000, 4116), "ratings of jokes"),
    "debd/kdd": (64, (180092, 19907, 34955), "clicks in a web shop (KDD Cup 2000)"),
    "debd/kosarek": (190, (33375, 4450, 6675), "clicks on a news portal"),
    "debd/msnbc": (17, (291326, 38843, 58265), "page categories visited on msnbc.com"),
    "debd/msweb": (294, (29441, 3270, 5000), "areas visited on microsoft.com"),
    "debd/nips": (500, (400, 100, 1240), "words of NIPS papers"),
    "debd/nltcs": (16, (16181, 2157, 3236), "disabilities in the National Long Term Care Survey"),
    "debd/plants": (69, (17412, 2321, 3482), "states in which plants grow"),
    "debd/pumsb_star": (163, (12262, 1635, 2452), "census answers"),
    "debd/tmovie": (500, (4524, 1002, 591), "words of film reviews"),
    "debd/tretail": (135, (22041, 2938, 4408), "shopping baskets"),
}
ENTRIES = {
    name: Entry(
        load, (D,), rows, files=listed(name), about=f"Density estimation benchmark: {subject}"
    )
    for name, (D, rows, subject) in TABLES.items()
}
