"""Windows of chorales and folk tunes against the pieces in the files."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest
from scipy.io import loadmat

import genzoo
from genzoo.datasets import files
from genzoo.datasets.music import windows
from genzoo.registry import dataset_entry
from genzoo.space.schema import MISSING

PARTS = ("train", "valid", "test")
PIECES = {"jsb_chorales": (229, 76, 77), "jsb_voices": (229, 76, 77), "nottingham": (694, 173, 170)}
STEPS = {
    "jsb_chorales": (13_807, 4_602, 4_725),
    "jsb_voices": (55_228, 18_408, 18_900),
    "nottingham": (176_561, 45_513, 44_463),
}
FINGERPRINTS = {
    "jsb_chorales": "42d8066141bf",
    "jsb_voices": "b3600efa5d32",
    "nottingham": "471e73bf916d",
}


def pieces_of(path) -> dict[str, list[np.ndarray]]:
    """The pieces of a file, (steps, channels) each, read anew."""
    if "json" not in path.name:
        cells = loadmat(path)
        return {part: list(cells[f"{part}data"][0]) for part in PARTS}
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return {part: [np.array(p) for p in pieces] for part, pieces in json.loads(text).items()}


@pytest.fixture(scope="module", params=PIECES)
def music(request, data_folder):
    """The data set, and its pieces."""
    (source,) = dataset_entry(request.param).files
    path = files.find(source)
    if path is None:
        pytest.skip(f"{source.cache_path} is neither in GENZOO_DATA nor in the cache")
    return genzoo.load_dataset(request.param), pieces_of(path)


def values(data, rows):
    """(n, 16, channels) as in the file: 0 or 1, or pitches with -1 for silence."""
    if data.name != "jsb_voices":
        return rows.reshape(-1, 16, 88)
    meaning = [
        [-1 if category == "silence" else int(category) for category in v.categories]
        for v in data.schema.variables
    ]
    decoded = [np.array(meaning[d])[rows[:, d]] for d in range(data.schema.D)]
    return np.stack(decoded, axis=1).reshape(-1, 16, 4)


def test_schema(music):
    data, pieces = music
    entry = dataset_entry(data.name)
    assert entry.rows == tuple(len(getattr(data, part)) for part in PARTS)
    assert entry.shape == data.schema.event_shape
    channels = pieces["test"][0].shape[1]
    assert (data.schema.layout, data.schema.event_shape) == ("sequence", (16, channels))
    assert {v.kind for v in data.schema.variables} == {"nominal"}
    if channels == 88:
        assert set(data.schema.cards.tolist()) == {2}
    else:
        for v in data.schema.variables:
            assert v.categories[-1] == "silence"
            pitches = [int(c) for c in v.categories[:-1]]
            assert pitches == list(range(pitches[0], pitches[-1] + 1))
    assert data.fingerprint.startswith(FINGERPRINTS[data.name])


def test_given_split(music):
    data, pieces = music
    assert tuple(len(pieces[part]) for part in PARTS) == PIECES[data.name]
    assert tuple(sum(map(len, pieces[part])) for part in PARTS) == STEPS[data.name]
    first = 0
    for part in PARTS:  # every piece is long enough for a window
        n = len(pieces[part])
        assert (np.unique(data.groups[part]) == np.arange(first, first + n)).all()
        first += n


@pytest.mark.parametrize("part", ["valid", "test"])
def test_every_step_is_scored_once(music, part):
    """The windows of a piece, one after the other without the padding, are the piece."""
    data, pieces = music
    rows, groups = getattr(data, part), data.groups[part] - data.groups[part][0]
    held = (rows.reshape(len(rows), 16, -1) != MISSING).all(axis=2)
    assert (held == (rows.reshape(len(rows), 16, -1) != MISSING).any(axis=2)).all()
    assert held.sum() == STEPS[data.name][PARTS.index(part)]
    assert held[:, 0].all()  # no window is all padding
    steps = values(data, np.where(rows == MISSING, 0, rows))
    for i, piece in enumerate(pieces[part]):
        of_it = groups == i
        assert (steps[of_it][held[of_it]] == piece).all()


def test_training_windows_overlap_and_are_complete(music):
    data, pieces = music
    assert (data.train >= 0).all()
    steps, at = values(data, data.train), 0
    for i, piece in enumerate(pieces["train"]):
        starts = range(0, len(piece) - 15, 4)
        of_it = slice(at, at + len(starts))
        assert (data.groups["train"][of_it] == i).all()
        assert (steps[of_it] == [piece[s : s + 16] for s in starts]).all()
        at += len(starts)
    assert at == len(data.train)


def test_independent_keys_take_as_many_nats_as_published(data_folder):
    """Each key by its share of the training steps: 11.06 nats a step of the test pieces."""
    data = genzoo.load_dataset("jsb_chorales")
    pieces = pieces_of(files.find(dataset_entry("jsb_chorales").files[0]))
    steps = np.concatenate(pieces["train"])
    p = (steps.sum(axis=0) + 0.5) / (len(steps) + 1)
    log_p = np.log(np.stack([1 - p, p]))
    rows = data.test.reshape(-1, 88)
    rows = rows[rows[:, 0] != MISSING]
    assert len(rows) == 4_725
    nats = -log_p[rows, np.arange(88)].sum(axis=1).mean()
    assert nats == pytest.approx(11.06, abs=0.01)


def test_short_pieces():
    """Shorter than a window: left out where windows overlap, else one padded window."""
    pieces = [np.zeros((3, 2), np.int16), np.ones((21, 2), np.int16)]
    rows, piece = windows(pieces, overlap=True)
    assert piece.tolist() == [1, 1]
    assert (rows == 1).all()
    rows, piece = windows(pieces, overlap=False)
    assert piece.tolist() == [0, 1, 1]
    assert (rows != MISSING).sum(axis=1).tolist() == [6, 32, 10]
    assert (windows([pieces[1][:16]], overlap=False)[0] == 1).all()
