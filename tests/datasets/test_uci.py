"""Tables of the UCI repository against their files."""

from __future__ import annotations

import gzip
from collections import Counter

import numpy as np
import pytest

import genzoo
from genzoo.datasets import files
from genzoo.registry import dataset_entry
from genzoo.space.schema import MISSING

FINGERPRINTS = {"adult": "d6d77d0da79a", "promoters": "9247a911fdf1", "splice": "ce7c2525febd"}


def lines_of(name: str, i: int = 0) -> list[list[str]]:
    """The fields of a file's lines, read anew."""
    source = dataset_entry(name).files[i]
    path = files.find(source)
    if path is None:
        pytest.skip(f"{source.cache_path} is neither in GENZOO_DATA nor in the cache")
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()
    return [[f.strip() for f in line.split(",")] for line in text.splitlines() if line.strip()]


def parts(data):
    return data.train, data.valid, data.test


# -------------------------------------------------------------------------------- adult


@pytest.fixture(scope="module")
def adult(data_folder):
    return genzoo.load_dataset("adult")


def test_adult_has_its_given_split(adult):
    assert [len(part) for part in parts(adult)] == [32_561 - 3_256, 3_256, 16_281]
    assert (adult.schema.layout, adult.schema.D) == ("table", 15)
    assert adult.label == adult.schema.names[-1] == "income"
    assert adult.schema.variables[-1].categories == ("<=50K", ">50K")
    assert adult.fingerprint.startswith(FINGERPRINTS["adult"])
    shares = [part[:, -1].mean() for part in parts(adult)]
    assert shares[2] == 3_846 / 16_281
    assert (np.array([len(adult.train), len(adult.valid)]) @ shares[:2]).round() == 7_841


def test_adult_decodes_to_its_file(adult):
    """Test rows in the order of the file; numbers in cells lie in the cell of what was written."""
    frame = adult.schema.decode(adult.test)
    written = lines_of("adult", 1)[1:]
    assert len(written) == len(frame)
    for d, variable in enumerate(adult.schema.variables):
        column = [row[d].rstrip(".") for row in written]
        decoded = frame[variable.name]
        if not variable.is_numeric:
            assert ["?" if v is None or v != v else v for v in decoded] == column
        elif variable.edges is None:
            assert (decoded == np.array(column, int)).all()
    missing = {v.name for v in adult.schema.variables if v.missing}
    assert missing == {"workclass", "occupation", "native-country"}
    cells = {v.name for v in adult.schema.variables if v.edges is not None}
    assert cells == {"fnlwgt", "capital-gain", "capital-loss"}


def test_cells_of_adult_come_from_training_rows(adult):
    numbers = np.array([int(row[2]) for row in lines_of("adult")])
    variable = adult.schema.variables[2]
    both = np.concatenate([adult.train[:, 2], adult.valid[:, 2]])
    codes = np.searchsorted(variable.edges, numbers, side="right") - 1
    inside = np.clip(codes, 0, variable.n_values - 1)
    assert Counter(both.tolist()) == Counter(inside.tolist())
    assert adult.clamped["train"] == 0
    counts = np.bincount(adult.train[:, 2], minlength=variable.cardinality)
    assert counts.max() < 3 * counts.mean()  # quantiles of them
    # 92 % of the people have no capital gain: a narrow cell of its own
    gain = adult.schema.variables[10]
    zero = np.searchsorted(gain.edges, 0, side="right") - 1
    assert gain.edges[zero : zero + 2] == (-0.5, 0.5)


# -------------------------------------------------------------------------------- bases


@pytest.mark.parametrize(
    ("name", "before", "sizes", "classes", "letters"),
    [
        ("promoters", 50, [84, 11, 11], {"+": 53, "-": 53}, "ACGT"),
        ("splice", 30, [2552, 319, 319], {"EI": 767, "IE": 768, "N": 1655}, "ACDGNRST"),
    ],
)
def test_bases(data_folder, name, before, sizes, classes, letters):
    written = [(c, s.upper()) for c, _, s in lines_of(name) if c in classes]
    data = genzoo.load_dataset(name)
    assert [len(part) for part in parts(data)] == sizes
    assert data.schema.layout == "table"
    assert data.label == data.schema.names[-1] == "class"
    names = [f"p{p}" for p in range(-before, data.schema.D - before) if p != 0]
    assert data.schema.names == [*names, "class"]
    assert {v.categories for v in data.schema.variables[:-1]} == {tuple(letters)}
    assert not any(v.missing for v in data.schema.variables)
    assert all((part != MISSING).all() for part in parts(data))
    frame = data.schema.decode(np.concatenate(parts(data)))
    rows = [(row[-1], "".join(row[:-1])) for row in frame.itertuples(index=False)]
    assert Counter(rows) == Counter(written)  # every line once, in one of the parts
    assert Counter(c for c, _ in rows) == classes
    for part in parts(data):  # stratified, but for rounding
        share = np.array(list(classes.values())) / sum(classes.values())
        assert (np.abs(np.bincount(part[:, -1]) - share * len(part)) <= 2).all()
    assert data.fingerprint.startswith(FINGERPRINTS[name])


def test_first_promoter(data_folder):
    data = genzoo.load_dataset("promoters")
    first = "tactagcaatacgcttgcgttcggtggttaagtatgtataatgcgcgggcttgtcgt".upper()
    frame = data.schema.decode(np.concatenate(parts(data)))
    (found,) = [row for row in frame.itertuples(index=False) if "".join(row[:-1]) == first]
    assert found[-1] == "+"
