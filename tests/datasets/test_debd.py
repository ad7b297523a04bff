"""The binary tables, as far as their files are in GENZOO_DATA."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

import genzoo
from genzoo.datasets import debd, files
from genzoo.registry import dataset_entry

SIZES = {  # columns, rows of train, valid, test
    "debd/nltcs": (16, 16181, 2157, 3236),
    "debd/plants": (69, 17412, 2321, 3482),
    "debd/dna": (180, 1600, 400, 1186),
    "debd/tretail": (135, 22041, 2938, 4408),
    "debd/nips": (500, 400, 100, 1240),
}


@pytest.mark.parametrize("name", SIZES)
def test_given_splits(data_folder, name):
    data = genzoo.load_dataset(name)
    D, *sizes = SIZES[name]
    assert (data.name, data.schema.D) == (name, D)
    assert [len(p) for p in (data.train, data.valid, data.test)] == sizes
    assert set(data.schema.cards.tolist()) == {2}
    entry = dataset_entry(name)
    assert (entry.shape, list(entry.rows)) == ((D,), sizes)
    assert data.licence
    assert "UCLA-StarAI" in data.source


def test_every_listed_table_has_a_key():
    listed = {s.dataset for s in files.sources().values() if s.dataset.startswith("debd/")}
    assert {k for k in genzoo.list_datasets() if k.startswith("debd/")} == listed


def test_codes_are_those_of_the_file(data_folder):
    data = debd.load("debd/nltcs")
    with gzip.open(data_folder / "debd" / "nltcs.test.data.gz", "rt") as file:
        expected = np.loadtxt(file, delimiter=",", dtype=int)
    assert (data.test == expected).all()


def test_without_files_the_error_says_what_is_needed(no_network, monkeypatch, tmp_path):
    monkeypatch.setenv("GENZOO_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"debd/nltcs: no file .*nltcs\.train\.data"):
        debd.load("debd/nltcs")


def test_a_changed_table_is_refused(monkeypatch, tmp_path):
    (tmp_path / "debd").mkdir()
    (tmp_path / "debd" / "nltcs.train.data").write_text("0,1\n1,1\n")
    monkeypatch.setenv("GENZOO_DATA", str(tmp_path))
    with pytest.raises(ValueError, match=files.sources()["debd/nltcs.train.data"].raw_sha256):
        debd.load("debd/nltcs")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_line_ends(end):
    raw = f"0,1,1{end}1,0,0{end}".encode()
    assert debd.read_binary(raw).tolist() == [[0, 1, 1], [1, 0, 0]]


def test_listed_shapes_are_those_of_the_files():
    """A digit and a comma or a line end for each entry."""
    for source in files.sources().values():
        if source.dataset.startswith("debd/"):
            entry = dataset_entry(source.dataset)
            n = entry.rows[("train", "valid", "test").index(source.split)]
            assert 2 * n * entry.shape[0] == source.raw_bytes
