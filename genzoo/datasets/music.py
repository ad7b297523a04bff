"""Polyphonic music in windows of 16 steps.

``jsb_chorales`` (chorales by J. S. Bach) and ``nottingham`` (folk tunes) are piano rolls: 88 keys,
A0 to C8, that sound (1) or don't (0), as Boulanger-Lewandowski, Bengio and Vincent (2012) used
them, in their split. Published figures are in nats per step. ``jsb_voices`` holds the chorales as
four voices, soprano first, at sixteenth notes: one pitch for each, or silence, in the same split.

Training windows overlap: one starts every 4 steps of a piece, as long as it fits whole. The windows
of validation and test don't overlap and hold each step once; the last of a piece is filled up with
``MISSING``, which ``log_prob`` sums out, so that the log-probabilities of a part's rows sum to one
term for each step. A window knows nothing of the steps before it. ``Dataset.groups`` says which
piece a row is from: pieces are counted through train, valid and test, from 0.
"""

from __future__ import annotations

import io
import json

import numpy as np

from genzoo.datasets.dataset import SPLITS, Dataset, Parts
from genzoo.datasets.download import read
from genzoo.datasets.entry import Entry
from genzoo.datasets.files import listed
from genzoo.space.schema import MISSING, Schema, Variable

WINDOW = 16
STRIDE = 4  # between the starts of training windows
LOWEST_KEY = 21  # MIDI pitch of A0
KEYS = 88
VOICES = ("soprano", "alto", "tenor", "bass")
SILENCE = "silence"
SILENT = -1  # in the file; in genzoo that is the code of MISSING

CREDITS = {
    "jsb_chorales": "Chorales by J. S. Bach as piano rolls (Boulanger-Lewandowski et al. 2012)",
    "jsb_voices": "Chorales by J. S. Bach in four voices at sixteenths (czhuang's "
    "JSB-Chorales-dataset)",
    "nottingham": "Folk tunes as piano rolls (Boulanger-Lewandowski et al. 2012)",
}

Pieces = dict[str, list[np.ndarray]]  # per part, (steps, channels) int16 each


def load(name: str) -> Dataset:
    """The data set of that key."""
    (file,) = ENTRIES[name].files
    channels: dict[str, tuple[str, ...] | None]  # by name: what the codes stand for
    if name == "jsb_voices":
        pieces, known = _voices(read(file))
        channels = dict(zip(VOICES, known, strict=True))
    else:
        pieces = _rolls(read(file))
        channels = dict.fromkeys(f"key{LOWEST_KEY + k}" for k in range(KEYS))
    variables = tuple(
        Variable(f"t{t}_{channel}", "nominal", len(categories or (0, 1)), categories=categories)
        for t in range(WINDOW)
        for channel, categories in channels.items()
    )
    rows, groups, first = {}, {}, 0
    for part in SPLITS:
        rows[part], piece = windows(pieces[part], overlap=part == "train")
        groups[part] = first + piece
        first += len(pieces[part])
    return Dataset(
        name,
        Schema(variables, "sequence", (WINDOW, len(channels))),
        *Parts(**rows),
        groups=groups,
        source=f"{CREDITS[name]}, given split; rows are windows of {WINDOW} steps, those of valid "
        f"and test padded with MISSING at the end of a piece",
        licence=ENTRIES[name].licence,
    )


def windows(pieces: list[np.ndarray], *, overlap: bool) -> tuple[np.ndarray, np.ndarray]:
    """Rows (n, WINDOW * channels) of the pieces, and the piece (n,) that each is from.

    With ``overlap``, whole windows that start every STRIDE steps (a piece without one is left out);
    else windows that hold each step once, the last filled up with ``MISSING``.
    """
    found, index = [], []
    for i, piece in enumerate(pieces):
        if overlap:
            starts = np.arange(0, len(piece) - WINDOW + 1, STRIDE)
        else:
            starts = np.arange(0, len(piece), WINDOW)
            padding = ((0, -len(piece) % WINDOW), (0, 0))
            piece = np.pad(piece, padding, constant_values=MISSING)
        steps = starts[:, None] + np.arange(WINDOW)
        found.append(piece[steps].reshape(len(starts), WINDOW * piece.shape[1]))
        index.append(np.full(len(starts), i))
    return np.concatenate(found), np.concatenate(index)


def _rolls(raw: bytes) -> Pieces:
    """Piano rolls from a MATLAB file with a cell array of pieces for each part."""
    from scipy.io import loadmat

    cells = loadmat(io.BytesIO(raw))
    return {
        part: [piece.astype(np.int16) for piece in cells[f"{part}data"].ravel()] for part in SPLITS
    }


def _voices(raw: bytes) -> tuple[Pieces, list[tuple[str, ...]]]:
    """Codes of pieces, and the categories of each voice: its range in the file, and silence last.

    A pitch in a voice's range that the file leaves out is a category all the same.
    """
    pitches = {
        part: [np.array(piece, dtype=np.int16) for piece in pieces]
        for part, pieces in json.loads(raw).items()
    }
    every = np.concatenate([piece for part in SPLITS for piece in pitches[part]])
    low = np.where(every == SILENT, every.max(), every).min(axis=0)
    high = every.max(axis=0)
    categories = [
        (*map(str, range(first, last + 1)), SILENCE)
        for first, last in zip(low.tolist(), high.tolist(), strict=True)
    ]
    codes = {
        part: [np.where(piece == SILENT, high - low + 1, piece - low) for piece in pitches[part]]
        for part in SPLITS
    }
    return codes, categories


def _entry(name: str, channels: int, rows: tuple[int, int, int]) -> Entry:
    return Entry(
        load,
        (WINDOW, channels),
        rows,
        files=listed(name),
        about=CREDITS[name],
        layout="sequence",
    )


ENTRIES = {
    "jsb_chorales": _entry("jsb_chorales", KEYS, (2718, 329, 337)),
    "jsb_voices": _entry("jsb_voices", len(VOICES), (13120, 1191, 1221)),
    "nottingham": _entry("nottingham", KEYS, (41841, 2929, 2852)),
}
