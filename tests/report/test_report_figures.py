"""Figures, pictures and numbers."""

from __future__ import annotations

import base64
from io import BytesIO

import numpy as np
import pytest

from genzoo.report import figures, png
from genzoo.results import numbers
from genzoo.space.schema import Variable


def test_a_png_holds_the_pixels() -> None:
    from PIL import Image

    rng = np.random.default_rng(0)
    for channels in (1, 3):
        pixels = rng.integers(0, 256, (channels, 5, 7), dtype=np.uint8)
        content = base64.b64decode(png.data_uri(pixels).split(",")[1])
        with Image.open(BytesIO(content)) as image:
            shown = np.asarray(image)
        expected = pixels[0] if channels == 1 else pixels.transpose(1, 2, 0)
        assert np.array_equal(shown, expected)


def test_a_gallery_places_images_in_reading_order() -> None:
    from PIL import Image

    rows = np.zeros((10, 4), dtype=np.int64)
    rows[1] = 2
    uri, n = png.gallery(rows, (2, 2), np.full(4, 3))
    assert n == 8  # one full line of eight
    with Image.open(BytesIO(base64.b64decode(uri.split(",")[1]))) as image:
        shown = np.asarray(image)
    assert (shown[1:3, 1:3] == 0).all()
    assert (shown[1:3, 4:6] == 255).all()
    assert shown.shape == (4, 25)


def test_small_images_are_drawn_large() -> None:
    uri, n = png.gallery(np.zeros((64, 64), dtype=np.int64), (8, 8), np.full(64, 2))
    assert n == 30
    header = base64.b64decode(uri.split(",")[1])[16:24]
    width = int.from_bytes(header[:4])
    assert 240 / width > 5  # a card is at least 240 pixels wide inside


def test_large_images_are_few() -> None:
    rows = np.random.default_rng(0).integers(0, 256, (64, 3 * 64 * 64))
    uri, n = png.gallery(rows, (3, 64, 64), np.full(3 * 64 * 64, 256))
    assert 1 <= n <= 4
    assert len(uri) < 100_000


def test_wide_variables_are_grouped_without_losing_mass() -> None:
    rng = np.random.default_rng(0)
    scale = Variable("x", "ordinal", 101, offset=0.0, step=0.5, missing=True)
    nominal = Variable("y", categories=tuple("abcdefghijklmnopqrstuvwxyz"))
    for variable in (scale, nominal):
        shares = rng.dirichlet(np.ones(variable.cardinality), 3)
        grouped, labels = figures.grouped(shares, variable, shares[0])
        assert grouped.shape == (3, len(labels))
        assert len(labels) <= figures.MOST_BARS
        assert grouped.sum(axis=1) == pytest.approx(np.ones(3))
    shares = np.zeros((1, 101))
    shares[0, 100] = 1.0  # the missing mark keeps a bar of its own
    grouped, labels = figures.grouped(shares, scale, shares[0])
    assert labels[-1] == "missing"
    assert grouped[0, -1] == 1.0


def test_cells_are_labelled_by_their_values() -> None:
    assert figures.code_labels(Variable("x", "ordinal", edges=(0.0, 1.5, 4.0), missing=True)) == [
        "0 to 1.5",
        "1.5 to 4",
        "missing",
    ]
    assert figures.code_labels(Variable("x", "ordinal", 3, offset=4.3, step=0.1)) == [
        "4.3",
        "4.4",
        "4.5",
    ]
    assert figures.code_labels(Variable("x", cardinality=2)) == ["0", "1"]


def test_numbers_are_rounded_by_their_error() -> None:
    assert numbers.with_error(-105.6234, 0.21, "lower_bound") == "≥ −105.62 ± 0.21"
    assert numbers.with_error(-105.6234, 0.41) == "−105.6 ± 0.4"
    assert numbers.with_error(-10.0, 0.0982) == "−10.00 ± 0.10"
    assert numbers.with_error(-10.5, None) == "−10.50"
    assert numbers.with_error(None, None) == "—"
    assert numbers.number(-0.001, 2) == "0.00"
    assert numbers.number(float("-inf")) == "−∞"
    assert numbers.ascii_marks("≥ −1\u202f234.5 ± 0.1") == ">= -1,234.5 +- 0.1"
