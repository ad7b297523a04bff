"""Data of no form: the error says what came, where, and a way that works; the way is tried."""

import datetime
import io
import re
import warnings
from collections import deque
from pathlib import Path

import numpy as np
import pandas
import polars
import pyarrow
import pytest
import torch
from PIL import Image
from scipy.sparse import csr_matrix
from sklearn.datasets import load_iris
from torch.utils.data import DataLoader, TensorDataset

from genzoo import Independent, Schema

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (6, 8, 9))
PIXELS[0, 0, :2] = 0, 255
NAMES = {"numpy": np, "np": np, "pandas": pandas, "torch": torch}


def refused(data):
    with pytest.raises(ValueError, match=r"^data: expected a DataFrame, ") as caught:
        Independent().fit(data)
    return str(caught.value).split("; got ", 1)[1]


def passed(data, code):
    """What ``code`` gives, which must be part of the message."""
    assert code in refused(data)
    return eval(code, NAMES | {"data": data})


def picture(size=(4, 5), mode="RGB"):
    return Image.new(mode, size)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (["ab", float("nan"), "c"], "entry 1 is nan"),
        (["ab", "c", None], "entry 2 is None"),
        (("ab", pandas.NA), "entry 1 is <NA>"),
        (np.array(["ab", np.nan], object), "entry 1 is nan"),
        (pandas.Series(["ab", None]), "entry 1 is nan"),
        (polars.Series(["ab", None]), "entry 1 is None"),
        (pyarrow.array(["ab", None]), "entry 1 is None"),
    ],
)
def test_a_hole_among_texts_is_named_by_its_place(data, says):
    message = refused(data)
    assert says in message
    code = re.search(r"\[s for s in \S+ if isinstance\(s, str\)\]", message).group(0)
    kept = eval(code, {"data": data})
    assert kept == [s for s in ["ab", "c"] if s in kept]
    Independent().fit(kept)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (["a", b"b"], "entry 1 is b'b', of type bytes: decode"),
        (["a", 3], r"entry 1 is 3, of type int: write it as text, [str(s) for s in data]"),
        (["a", ["b", "c"]], "entry 1 is ['b', 'c'], of type list"),
        ([[1, 2], None], "entry 1 is None, of type NoneType, among lists"),
        ([[1, 2], [1, None]], "entry 1 holds None at place 1"),
        ([None, None], "a list of nothing but None"),
        (Path("x.csv"), "a path, 'x.csv': read it first"),
        (np.array(3), "a single value"),
        (object(), "object"),
        ([picture(), picture((5, 4))], "entry 1 is 5 x 4 RGB, entry 0 4 x 5 RGB"),
        ([picture(), picture(mode="L")], "entry 1 is 4 x 5 L, entry 0 4 x 5 RGB"),
        ([np.zeros((4, 4)), np.zeros((5, 4))], "entry 1 has shape (5, 4), entry 0 (4, 4)"),
        (np.where(PIXELS > 250, np.nan, PIXELS), "numbers are not finite"),
        ([datetime.date(2020, 1, 1)], "a list of date"),
        (pandas.DataFrame, "a class, not an object of it"),
        (torch.zeros(3, 2, dtype=torch.bfloat16), "a torch tensor of torch.bfloat16"),
    ],
)
def test_what_is_wrong_is_said_with_its_place_and_kind(data, says):
    assert says in refused(data)


def test_a_file_is_told_from_a_text(tmp_path):
    (tmp_path / "a.csv").write_text("a\n1\n")
    assert "a path, " in refused(str(tmp_path / "a.csv"))
    assert refused("no file") == "a single str: for one row pass [data]"


CHR = "[''.join(map(chr, row)) for row in {}]"
SYMBOLS = "[''.join(chr(256 + symbols.index(s)) for s in row) for row in data]"
STACK = "numpy.stack([numpy.asarray(image) for image in data])"
ALIKE = "numpy.stack([numpy.asarray(image.convert('RGB').resize((4, 5))) for image in data])"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ("abc", "[data]"),
        ("ab\nc\nabc", "data.splitlines()"),
        ("abc " * 50, "[data[i:i + 64] for i in range(0, len(data), 64)]"),
        (b"ab\nc", "data.decode('utf-8').splitlines()"),
        ({"a": [1, 2], "b": ["x", "y"]}, "pandas.DataFrame(data)"),
        ({"ab", "c"}, "sorted(data)"),
        (range(4), "pandas.DataFrame({'value': data})"),
        ({"ab": 1}.keys(), "list(data)"),
        (deque(["ab", "c"]), "list(data)"),
        (np.array(["ab", "c"], np.dtypes.StringDType()), "data.tolist()"),
        (load_iris(as_frame=True), "data.frame"),
        (csr_matrix(np.eye(3)), "pandas.DataFrame(data.toarray())"),
        (
            TensorDataset(torch.tensor(PIXELS, dtype=torch.uint8)),
            "numpy.stack([numpy.asarray(data[i][0]) for i in range(len(data))])",
        ),
        (
            DataLoader(TensorDataset(torch.tensor(PIXELS, dtype=torch.uint8))),
            "numpy.concatenate([batch[0].numpy() for batch in data])",
        ),
        (pandas.Series({"age": 3, "city": "Rome"}), "data.to_frame().T"),
        ([b"ab", b"c"], "[s.decode('utf-8') for s in data]"),
        ([1, 2.5, 3], "pandas.DataFrame({'value': data})"),
        ([1, None, 3], "pandas.DataFrame({'value': data})"),
        ([{"a": 1}, {"a": 2}], "pandas.DataFrame(data)"),
        ([[1, 2], [0, 1]], "numpy.array(data)"),
        ([[1, 2], [0, 1]], "pandas.DataFrame(data)"),
        ([[1.5, 2], [0, 1]], "pandas.DataFrame(data)"),
        ([["x", "yy"], ["z", "yy"]], "pandas.DataFrame(data)"),
        ([[1, 2], [3]], CHR.format("data")),
        ([(1, 2), (3,), ()], CHR.format("data")),
        ([["a", "b"], ["c"]], "[''.join(row) for row in data]"),
        (np.array(["ab", "c"]), "data.tolist()"),
        (np.array(["ab", "c"]), "pandas.DataFrame({'name': data})"),
        (np.array(["ab", "c"], object), "data.tolist()"),
        (np.array([b"ab", b"c"]), "numpy.char.decode(data, 'utf-8').tolist()"),
        (np.array([["ab", "c"]]), "pandas.DataFrame(data)"),
        (np.array([[1, 2], [3]], object), CHR.format("data.tolist()")),
        (np.array([np.array([1, 2]), np.array([3])], object), CHR.format("data.tolist()")),
        (np.arange(4), "data[:, None]"),
        (np.arange(4), "data[None]"),
        (np.arange(4.0), "pandas.DataFrame(data[:, None])"),
        (np.ones((3, 2)), "pandas.DataFrame(data)"),
        (np.ones((3, 2), bool), "data.astype(int)"),
        (np.array([(1, 2.0), (3, 4.0)], [("a", int), ("b", float)]), "pandas.DataFrame(data)"),
        (np.zeros((2, 3, 4, 5, 6), np.uint8), "data.reshape(len(data), -1)"),
        (pandas.Series(["ab", "c"]), "data.tolist()"),
        (pandas.Series(["ab", "c"]), "data.to_frame()"),
        (pandas.Series(["ab", "c"], dtype="category"), "data.to_frame()"),
        (pandas.Series([1, 2]), "data.to_frame()"),
        (pandas.Series([[1, 2], [3]]), CHR.format("data.tolist()")),
        (pandas.Index(["ab", "c"]), "data.tolist()"),
        (pandas.array(["ab", "c"]), "list(data)"),
        (polars.Series(["ab", "c"]), "data.to_list()"),
        (polars.Series(["ab", "c"]), "data.to_frame().to_pandas()"),
        (pyarrow.array(["ab", "c"]), "data.to_pylist()"),
        (pyarrow.chunked_array([["ab"], ["c"]]), "data.to_pylist()"),
        (pyarrow.array(["ab", "c"]), "pandas.DataFrame({'value': data.to_pylist()})"),
        (torch.ones((3, 2), dtype=torch.long), "data.detach().cpu().numpy()"),
        (torch.zeros((3, 3, 8, 9), dtype=torch.uint8), "data.detach().cpu().numpy()"),
        (torch.zeros(3, 2, requires_grad=True), "pandas.DataFrame(data.detach().cpu().numpy())"),
        (picture(), "numpy.asarray(data)[None]"),
        ([picture(), picture()], STACK),
        ([picture(mode="L"), picture(mode="L")], STACK),
        ([picture(mode="P"), picture(mode="P")], ALIKE),
        ([picture(), picture((5, 4))], ALIKE),
        ([picture(mode="RGBA"), picture(mode="L")], ALIKE),
        ([PIXELS[0].astype(np.uint8)] * 2, "numpy.stack(data)"),
        ([torch.zeros(3, 4, 4, dtype=torch.uint8)] * 2, "torch.stack(data).numpy()"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
@pytest.mark.filterwarnings("ignore:data. images")
def test_the_way_that_an_error_names_works(data, code):
    assert len(Independent().fit(passed(data, code)).sample(3)) == 3


@pytest.mark.parametrize(
    ("data", "expected"),
    [((s for s in ["ab", "c"]), ["ab", "c"]), (map(str, [1, 2]), ["1", "2"])],
    ids=["generator", "map"],
)
def test_what_can_be_read_once_is_left_unread(data, expected):
    assert "pass list(data)" in refused(data)
    assert list(data) == expected


def test_an_open_file_is_left_unread():
    data = io.StringIO("ab\nc")
    assert passed(data, "data.read().splitlines()") == ["ab", "c"]


@pytest.mark.parametrize("data", [[[70000, 1], [2]], [[-1, 1], [2]], [["the", "cat"], ["a"]]])
def test_sequences_of_any_symbols_become_texts_and_come_back(data):
    message = refused(data)
    code = "sorted({s for row in data for s in row})"
    assert f"symbols = {code} and {SYMBOLS}" in message
    symbols = eval(code, {"data": data})
    texts = eval(SYMBOLS, {"data": data, "symbols": symbols})
    samples = Independent().fit(texts).sample(20)
    back = message.split("back from samples: ")[1].removesuffix(")")
    drawn = eval(back, {"samples": samples, "symbols": symbols})
    assert {s for row in drawn for s in row} == set(symbols)


def test_sequences_of_numbers_come_back_from_samples():
    data = [[3, 1, 2], [1], [2, 2]]
    samples = Independent().fit(passed(data, CHR.format("data"))).sample(20)
    back = refused(data).split("back from samples: ")[1].removesuffix(")")
    assert {s for row in eval(back, {"samples": samples}) for s in row} == {1, 2, 3}


SCALED = "numpy.rint(255 * data).astype(numpy.uint8)"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (PIXELS, "data.astype(numpy.uint8)"),
        (PIXELS.astype(np.int32), "data.astype(numpy.uint8)"),
        (PIXELS > 100, "data.astype(numpy.uint8)"),
        (PIXELS / 255, SCALED),
        ((PIXELS / 255).astype(np.float32), SCALED),
        ((PIXELS / 255).astype(np.float16), SCALED),
        (np.stack([PIXELS / 255] * 3, axis=-1), SCALED),
        (PIXELS.astype(float), "data.astype(numpy.uint8)"),
        ((PIXELS // 16).astype(float), "data.astype(numpy.uint8)"),
        (PIXELS / 127.5 - 1, "numpy.rint(127.5 * (data + 1)).astype(numpy.uint8)"),
        ((PIXELS * 257).astype(np.uint16), "(data // 257).astype(numpy.uint8)"),
        (torch.as_tensor(PIXELS / 255), SCALED.replace("data", "data.detach().cpu().numpy()")),
    ],
    ids=lambda v: v if isinstance(v, str) else str(v.dtype),
)
def test_images_of_other_dtypes_become_uint8_without_loss(data, code):
    found = passed(data, code)
    assert found.dtype == np.uint8
    assert found.shape == tuple(data.shape)
    assert len(np.unique(found)) == len(np.unique(np.asarray(data)))
    Independent().fit(found)


@pytest.mark.parametrize(
    ("data", "span"),
    [
        (RNG.random((3, 8, 8)), "0.0"),
        (255 * RNG.random((3, 8, 8)), ""),
        (RNG.normal(size=(3, 8, 8)), "-"),
        (10 * PIXELS - 1000, "-1000 .. 1550"),
    ],
)
def test_images_that_lose_something_are_told_so(data, span):
    message = refused(data)
    assert f"images hold levels 0 .. 255; got numbers {span}" in message
    code = message.split(": ")[-1].removesuffix(" rounds them to 256 levels")
    found = eval(code, NAMES | {"data": data})
    assert found.dtype == np.uint8
    assert np.ptp(found) > 240


def test_more_levels_than_256_may_stay_as_codes():
    found = passed((16 * PIXELS).astype(np.uint16), "data.reshape(len(data), -1)")
    assert len(Independent().fit(found).sample(2)) == 2


# ---------------------------------------------------------------------------- text


@pytest.mark.parametrize(
    "texts",
    [
        ["Zoë", "Zoë", "z"],  # composed, and with a combining mark
        ["👩‍👩‍👧 ok", "🇨🇭"],
        ["a\0b", "c"],
        ["a\r\nb", "c\n", "\n"],
        ["", "a"],
        ["日本", "語"],
        ["\ufeffab", "c\u200b"],
        [chr(0x10FFFF), "a"],
    ],
)
def test_any_text_comes_back(texts, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = Independent().fit(texts)
    assert model.schema_.decode(model.schema_.encode(texts)) == texts
    model.save(tmp_path / "m")
    assert Schema.from_json(model.schema_.to_json()) == model.schema_
    assert np.isfinite(model.log_prob(texts + model.sample(3)).value).all()


def test_half_a_character_is_refused_by_its_entry():
    with pytest.raises(ValueError, match=r"data: expected text; entry 1 holds half a character"):
        Independent().fit(["ab", "a\ud83d"])


def test_one_empty_string_is_nothing_to_learn_from():
    with pytest.raises(ValueError, match="at least one string that is not empty"):
        Independent().fit([""])
