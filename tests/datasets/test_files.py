"""Files below GENZOO_DATA: found plain or compressed, checked, and clear errors."""

from __future__ import annotations

import gzip
import hashlib
import lzma

import pytest

from genzoo.datasets import files
from genzoo.datasets.download import read

PATH = "names/names.txt"
SOURCE = files.sources()[PATH]


@pytest.fixture
def raw():
    content = lzma.decompress(files.packaged("names.txt.xz"))
    assert hashlib.sha256(content).hexdigest() == SOURCE.raw_sha256
    return content


@pytest.fixture
def folder(no_network, tmp_path, monkeypatch):
    monkeypatch.setenv("GENZOO_DATA", str(tmp_path))
    (tmp_path / "names").mkdir()
    return tmp_path


def test_plain_and_compressed_files_are_read(folder, raw):
    (folder / f"{PATH}.gz").write_bytes(gzip.compress(raw))
    assert read(SOURCE) == raw
    (folder / PATH).write_bytes(raw)
    (folder / f"{PATH}.gz").unlink()
    assert read(SOURCE) == raw


@pytest.mark.parametrize("packed", [False, True])
def test_a_wrong_sum_names_both(folder, raw, packed):
    wrong = raw[:-1] + b"!"
    path = folder / (f"{PATH}.gz" if packed else PATH)
    path.write_bytes(gzip.compress(wrong) if packed else wrong)
    with pytest.raises(ValueError, match="expected SHA-256") as error:
        read(SOURCE)
    for part in (
        hashlib.sha256(raw).hexdigest(),
        hashlib.sha256(wrong).hexdigest(),
        str(path),
        "the file is not used",
    ):
        assert part in str(error.value)


@pytest.mark.parametrize(
    "content", [b"no gzip", gzip.compress(b"abc" * 1000)[:-20]], ids=["no gzip", "cut off"]
)
def test_a_broken_gzip_file_is_named(folder, content):
    (folder / f"{PATH}.gz").write_bytes(content)
    with pytest.raises(ValueError, match=r"names.txt.gz: expected a whole gzip file"):
        read(SOURCE)


def test_absence_says_what_to_put_where(folder):
    with pytest.raises(FileNotFoundError, match="put it there") as error:
        read(SOURCE)
    for part in ("names: no file", str(folder / PATH), f"{PATH}.gz", "github:karpathy/makemore"):
        assert part in str(error.value)


@pytest.mark.parametrize(
    ("made", "message"), [(False, "which does not exist"), (True, "which is no folder")]
)
def test_a_variable_that_names_no_folder_is_told(folder, monkeypatch, made, message):
    path = folder / "elsewhere"
    if made:
        path.write_text("")
    monkeypatch.setenv("GENZOO_DATA", str(path))
    with pytest.raises(ValueError, match="GENZOO_DATA: expected the path of a folder") as error:
        read(SOURCE)
    assert f"{str(path)!r}, {message}" in str(error.value)


def test_without_the_variable_the_error_names_it(no_network):
    with pytest.raises(FileNotFoundError, match="set the environment variable GENZOO_DATA"):
        read(SOURCE)


def test_sources_are_complete():
    listed = files.sources()
    assert len(listed) == 79
    assert all(len(s.raw_sha256) == 64 and s.raw_bytes > 0 for s in listed.values())
    assert all(s.licence and s.upstream for s in listed.values())
    assert len({s.dataset for s in listed.values() if s.dataset.startswith("debd/")}) == 21


def test_the_packaged_list_is_the_given_one(data_folder):
    path = data_folder / "SOURCES.csv"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    assert files.packaged("SOURCES.csv") == path.read_bytes()
