"""Images: digits of 8 x 8 that scikit-learn ships; digits, clothing and kana of 28 x 28.

``digits`` and ``digits_binary``: 1,797 handwritten digits of 8 x 8 pixels with 17 levels; split
1297/200/300 with a fixed seed, stratified by the digit. Writers are not known in this copy, so a
writer may occur in all parts.

``mnist``, ``fashion_mnist`` and ``kmnist``: 28 x 28 pixels with 256 levels, 60,000 to train on, of
which the last 10,000 are validation, and 10,000 to test on. ``mnist_binary``: each pixel of
``mnist`` drawn once, with a fixed seed, as Bernoulli(intensity / 255), after Salakhutdinov and
Murray (2008). Published figures rest on other draws: under a mixture of 100 prototypes the mean of
the test rows moves by 0.05 nats from draw to draw, an eighth of its standard error.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from genzoo.datasets.dataset import Dataset, in_parts, split
from genzoo.datasets.download import read
from genzoo.datasets.entry import Entry
from genzoo.datasets.files import Source, sources
from genzoo.seeding import numpy_rng
from genzoo.space.schema import Schema, Variable

N_VALID, N_TEST = 200, 300
INK = 8  # of 16: a pixel with at least half of its ink is set in digits_binary

SIDE = 28
N_HELD_OUT = 10_000  # the last training images of mnist and its kin, which are validation
FILES = ("train-images-idx3-ubyte", "t10k-images-idx3-ubyte")  # no loader reads the labels
IDX_IMAGES = bytes([0, 0, 8, 3])  # two zeros, unsigned bytes, three dimensions

CREDITS = {
    "mnist": "Handwritten digits (LeCun, Cortes and Burges 1998), 256 levels of grey",
    "mnist_binary": "Handwritten digits (LeCun, Cortes and Burges 1998), each pixel drawn once as "
    "Bernoulli(intensity / 255) with a fixed seed",
    "fashion_mnist": "Articles of clothing (Xiao, Rasul and Vollgraf 2017), 256 levels of grey",
    "kmnist": "Cursive Japanese characters (Clanuwat et al. 2018), 256 levels of grey",
}


def load(name: str) -> Dataset:
    """The small digits of that key."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = bunch.images.astype(np.uint8)  # (n, 8, 8), levels 0 .. 16
    if name == "digits_binary":
        images = (images >= INK).astype(np.uint8)
    n = len(images)
    index = split(n, valid=N_VALID / n, test=N_TEST / n, seed=0, classes=bunch.target)
    schema = Schema.infer(images)
    return Dataset(
        name,
        schema,
        *in_parts(schema.encode(images), index),
        source=f"{ENTRIES[name].about}, as scikit-learn ships them; split 1297/200/300 with a "
        f"fixed seed",
        licence=ENTRIES[name].licence,
    )


def load_28(name: str) -> Dataset:
    """``mnist``, ``mnist_binary``, ``fashion_mnist`` or ``kmnist``."""
    files = ENTRIES[name].files
    training, test = (read_idx(read(file), file) for file in files)  # (n, 28 * 28) uint8
    if name == "mnist_binary":
        rng = numpy_rng(0, "mnist_binary")
        training, test = _drawn(training, rng), _drawn(test, rng)
        pixel = Variable("", "nominal", 2)
    else:
        pixel = Variable("", "ordinal", 256, offset=0, step=1, dtype="uint8")
    names = (f"p{i}_{j}" for i in range(SIDE) for j in range(SIDE))
    return Dataset(
        name,
        Schema(tuple(replace(pixel, name=at) for at in names), "image", (SIDE, SIDE)),
        training[:-N_HELD_OUT],
        training[-N_HELD_OUT:],
        test,
        source=f"{CREDITS[name]}; given test set, the last 10,000 training images are validation",
        licence=ENTRIES[name].licence,
    )


def _drawn(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Ones with probability intensity / 255: a draw from 0 .. 254 lies below the intensity."""
    return (rng.integers(0, 255, size=images.shape, dtype=np.uint8) < images).astype(np.uint8)


def read_idx(raw: bytes, source: Source) -> np.ndarray:
    """(n, 28 * 28) uint8 from an idx file of images: four big-endian integers, then the pixels."""
    n, height, width = np.frombuffer(raw, dtype=">u4", count=3, offset=4).tolist()
    pixels = np.frombuffer(raw, dtype=np.uint8, offset=16)
    if raw[:4] != IDX_IMAGES or (height, width) != (SIDE, SIDE) or len(pixels) != n * SIDE**2:
        raise ValueError(
            f"{source.cache_path}: expected an idx file of {SIDE} x {SIDE} images; got "
            f"{n} of {height} x {width} in {len(pixels)} bytes"
        )
    return pixels.reshape(n, SIDE**2)


def _of_torchvision(name: str, cls: str, licence: str) -> tuple[Source, ...]:
    """The files of a data set whose addresses and checksums torchvision knows."""
    return tuple(
        Source(
            name,
            split,
            f"{cls}/raw/{image}",  # where torchvision looks for it, too
            f"torchvision:{cls}:{image}.gz",
            sources()[f"mnist/{image}"].raw_bytes,  # made to be as large as those of MNIST
            "",
            licence,
        )
        for split, image in zip(("train", "test"), FILES, strict=True)
    )


def _of_8(levels: str) -> Entry:
    return Entry(
        load,
        (8, 8),
        (1297, N_VALID, N_TEST),
        "CC BY 4.0 (UCI)",
        about=f"Handwritten digits, 8 x 8 pixels of {levels} (Alpaydin and Kaynak 1998, UCI)",
        layout="image",
    )


def _of_28(name: str, files: tuple[Source, ...]) -> Entry:
    rows = (60_000 - N_HELD_OUT, N_HELD_OUT, 10_000)
    return Entry(load_28, (SIDE, SIDE), rows, files=files, about=CREDITS[name], layout="image")


MNIST = tuple(sources()[f"mnist/{image}"] for image in FILES)
FASHION = _of_torchvision("fashion_mnist", "FashionMNIST", "MIT (Zalando SE)")
KMNIST = _of_torchvision(
    "kmnist", "KMNIST", "CC BY-SA 4.0 (ROIS-DS Center for Open Data in the Humanities)"
)
ENTRIES = {
    "digits": _of_8("17 levels of grey"),
    "digits_binary": _of_8(f"two levels (at least {INK} of 16)"),
    "mnist": _of_28("mnist", MNIST),
    "mnist_binary": _of_28("mnist_binary", MNIST),
    "fashion_mnist": _of_28("fashion_mnist", FASHION),
    "kmnist": _of_28("kmnist", KMNIST),
}
