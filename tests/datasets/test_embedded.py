"""The data sets that come with genzoo: fixed rows, right shapes, told sources."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

import genzoo
from genzoo.keys import DATASETS
from genzoo.registry import dataset_entry

# name: layout, D, smallest and largest cardinality, rows of train, valid and test
EMBEDDED = {
    "alarm": ("table", 37, (2, 4), (10000, 2000, 2000)),
    "asia": ("table", 8, (2, 2), (10000, 2000, 2000)),
    "breast_cancer": ("table", 31, (2, 256), (341, 114, 114)),
    "casino": ("sequence", 40, (6, 6), (4000, 1000, 2000)),
    "child": ("table", 20, (2, 6), (10000, 2000, 2000)),
    "diabetes": ("table", 11, (2, 1024), (266, 88, 88)),
    "digits": ("image", 64, (17, 17), (1297, 200, 300)),
    "digits_binary": ("image", 64, (2, 2), (1297, 200, 300)),
    "grammar": ("sequence", 25, (9, 9), (10000, 2000, 2000)),
    "insurance": ("table", 27, (2, 5), (10000, 2000, 2000)),
    "iris": ("table", 5, (3, 60), (90, 30, 30)),
    "names": ("sequence", 15, (27, 27), (25627, 3203, 3203)),
    "names_bpe": ("sequence", 8, (1025, 1025), (25627, 3203, 3203)),
    "rings": ("table", 2, (64, 64), (5000, 1000, 2000)),
    "sachs": ("table", 11, (3, 3), (10000, 2000, 2000)),
    "tinyshakespeare": ("sequence", 64, (65, 65), (14813, 871, 1742)),
    "tinyshakespeare_bpe": ("sequence", 64, (1024, 1024), (6058, 369, 772)),
    "wine": ("table", 14, (3, 1024), (106, 36, 36)),
}

# The first 12 digits of the SHA-256 of all rows: published figures rest on these very splits.
ROWS = {
    "alarm": "d497c374d3be",
    "asia": "66de901d82ee",
    "breast_cancer": "84df9ded27ac",
    "casino": "78d9ca36468f",
    "child": "9d665401d739",
    "diabetes": "6f0d626ae13e",
    "digits": "b2ad9a5048cb",
    "digits_binary": "fde8a409b660",
    "grammar": "d563bb64ff53",
    "insurance": "0afc91dcf95a",
    "iris": "27bcd15cff19",
    "names": "3b15c755a2d9",
    "names_bpe": "647fb350dd76",
    "rings": "9889f186992d",
    "sachs": "87056e889b99",
    "tinyshakespeare": "dcec7fc63d62",
    "tinyshakespeare_bpe": "41e2a02dc913",
    "wine": "08df6ddbd4df",
}


NO_FILES = [name for name in DATASETS if not dataset_entry(name).files]


@pytest.fixture(scope="module")
def loaded():
    return {name: genzoo.load_dataset(name) for name in NO_FILES}


@pytest.mark.parametrize("name", EMBEDDED)
def test_shapes(loaded, name):
    data = loaded[name]
    layout, D, (low, high), sizes = EMBEDDED[name]
    assert (data.name, data.schema.layout, data.schema.D) == (name, layout, D)
    assert low <= data.schema.cards.min() <= data.schema.cards.max() <= high
    assert tuple(len(p) for p in (data.train, data.valid, data.test)) == sizes


@pytest.mark.parametrize("name", DATASETS)
def test_every_data_set_has_an_entry_with_all_that_is_listed(name):
    entry = dataset_entry(name)
    assert len(entry.rows) == 3
    assert min(*entry.rows, *entry.shape) > 0
    assert entry.licence
    assert all(file.licence for file in entry.files)
    assert 10 < len(entry.about) < 130


def test_those_that_are_embedded_have_no_files():
    assert set(EMBEDDED) <= set(NO_FILES)


@pytest.mark.parametrize("name", NO_FILES)
def test_the_entry_tells_the_shape_and_the_licence(loaded, name):
    data, entry = loaded[name], dataset_entry(name)
    assert entry.shape == data.schema.event_shape
    assert entry.rows == tuple(len(part) for part in (data.train, data.valid, data.test))
    assert entry.licence == data.licence
    assert entry.layout == ("text" if data.schema.alphabet is not None else data.schema.layout)
    assert entry.label == data.label
    assert entry.truth == (data.truth is not None)


@pytest.mark.parametrize("name", NO_FILES)
def test_source_and_licence_are_told(loaded, name):
    assert len(loaded[name].source) > 30
    assert loaded[name].licence


@pytest.mark.parametrize("name", EMBEDDED)
def test_rows_are_fixed(loaded, name):
    digest = hashlib.sha256()
    for part in (loaded[name].train, loaded[name].valid, loaded[name].test):
        digest.update(part.astype("<i8").tobytes())
    assert digest.hexdigest()[:12] == ROWS[name]


def test_fingerprints_are_the_same_in_every_process(loaded):
    code = (
        "import genzoo, sys\nfor name in sys.argv[1:]: print(genzoo.load_dataset(name).fingerprint)"
    )
    out = subprocess.run(
        [sys.executable, "-c", code, *NO_FILES],
        env={**os.environ, "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert out == [loaded[name].fingerprint for name in NO_FILES]
    assert len(set(out)) == len(NO_FILES)


def test_networks_load_without_pgmpy_being_imported():
    code = "import genzoo, sys; genzoo.load_dataset('alarm'); print('pgmpy' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"


# -------------------------------------------------------------------------------- tables


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer"])
def test_labels_are_last_nominal_and_stratified(loaded, name):
    data = loaded[name]
    assert data.label == data.schema.names[-1] == "label"
    assert data.schema.variables[-1].kind == "nominal"
    parts = (data.train, data.valid, data.test)
    share = np.bincount(np.concatenate(parts)[:, -1]) / sum(map(len, parts))
    for part in parts:
        assert (np.abs(np.bincount(part[:, -1]) - share * len(part)) <= 1.5).all()


def test_tables_decode_to_their_values(loaded):
    from sklearn.datasets import load_iris

    data = loaded["iris"]
    back = data.schema.decode(np.concatenate([data.train, data.valid, data.test]))
    original = load_iris(as_frame=True).data
    columns = list(original.columns)
    ours = back[columns].sort_values(columns).to_numpy()
    np.testing.assert_allclose(ours, original.sort_values(columns).to_numpy(), atol=1e-12)
    assert set(back["label"]) == {"setosa", "versicolor", "virginica"}


def test_diabetes_is_unscaled_and_has_no_label(loaded):
    data = loaded["diabetes"]
    assert data.label is None
    assert data.schema.names[-1] == "target"
    assert data.schema.decode(data.train)["age"].between(19, 79).all()


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "diabetes"])
def test_no_training_value_is_clamped(loaded, name):
    """Cells end where the training rows end; the other parts' counts are few and told."""
    data = loaded[name]
    assert data.clamped["train"] == 0
    assert data.clamped["valid"] + data.clamped["test"] < 0.01 * data.test.size


# -------------------------------------------------------------------------------- images


def test_binary_digits_are_the_thresholded_digits(loaded):
    grey, binary = loaded["digits"], loaded["digits_binary"]
    for part in ("train", "valid", "test"):
        assert ((getattr(grey, part) >= 8) == getattr(binary, part)).all()
    assert grey.schema.decode(grey.test).shape == (300, 8, 8)


def test_no_digit_is_in_two_parts(loaded):
    data = loaded["digits"]
    parts = [{r.tobytes() for r in p} for p in (data.train, data.valid, data.test)]
    assert not parts[0] & parts[1] | parts[0] & parts[2] | parts[1] & parts[2]


# -------------------------------------------------------------------------------- text


def test_names_are_all_there(loaded):
    data = loaded["names"]
    parts = [data.schema.decode(p) for p in (data.train, data.valid, data.test)]
    assert sum(map(len, parts)) == 32_033
    assert all(name.isalpha() and name.islower() for part in parts for name in part)
    assert max(len(name) for part in parts for name in part) == 15
    seen = np.isin(parts[2], parts[0]).mean()
    assert 0.05 < seen < 0.2  # told in `source`: some names stand twice in the list


def test_windows_tile_their_stretches(loaded):
    data = loaded["tinyshakespeare"]
    assert data.schema.end is None
    assert [len(data.text[p]) for p in ("train", "valid", "test")] == [2, 1, 1]
    for part in ("train", "valid", "test"):
        tiled = "".join(s[: len(s) // 64 * 64] for s in data.text[part])
        assert "".join(data.schema.decode(getattr(data, part))) == tiled


def test_stretches_are_the_file(loaded):
    text = loaded["tinyshakespeare"].text
    whole = text["train"][0] + text["valid"][0] + text["train"][1] + text["test"][0]
    assert hashlib.sha256(whole.encode()).hexdigest() == (
        "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
    )
    assert len(text["test"][0]) == 111_540
