"""Images of 28 x 28: ``mnist``, ``mnist_binary``, and those whose checksums torchvision knows."""

from __future__ import annotations

import gzip
import hashlib

import numpy as np
import pytest

import genzoo
from genzoo.datasets import images, vision
from genzoo.registry import dataset_entry

SIZES = [50_000, 10_000, 10_000]


@pytest.fixture(scope="module")
def mnist(data_folder):
    return genzoo.load_dataset("mnist")


def idx(pixels: np.ndarray) -> bytes:
    """An idx file of images."""
    sizes = np.array(pixels.shape, dtype=">u4")
    return bytes([0, 0, 8, 3]) + sizes.tobytes() + pixels.tobytes()


def parts(data):
    return data.train, data.valid, data.test


def test_mnist(mnist, data_folder):
    assert (mnist.schema.layout, mnist.schema.event_shape) == ("image", (28, 28))
    assert [len(part) for part in parts(mnist)] == SIZES
    assert mnist.label is None
    assert {(v.kind, v.cardinality, v.offset, v.step) for v in mnist.schema.variables} == {
        ("ordinal", 256, 0, 1)
    }
    packed = (data_folder / "mnist" / "train-images-idx3-ubyte.gz").read_bytes()
    pixels = np.frombuffer(gzip.decompress(packed), np.uint8, offset=16).reshape(-1, 784)
    assert (mnist.train == pixels[:50_000]).all()
    assert (mnist.valid == pixels[50_000:]).all()  # the last ones
    assert (mnist.schema.decode(mnist.test[:3]).reshape(3, -1) == mnist.test[:3]).all()
    # 0.1307: the mean intensity that everybody normalises the 60,000 training images by
    assert pixels.mean() / 255 == pytest.approx(0.1307, abs=5e-5)


@pytest.mark.slow
def test_binary_pixels_are_draws_from_the_intensities(mnist):
    binary = genzoo.load_dataset("mnist_binary")
    assert set(binary.schema.cards.tolist()) == {2}
    assert {v.kind for v in binary.schema.variables} == {"nominal"}
    for grey, drawn in zip(parts(mnist), parts(binary), strict=True):
        assert grey.shape == drawn.shape
        assert not drawn[grey == 0].any()
        assert drawn[grey == 255].all()
    # the draws are fixed; under other seeds one of the 254 ratios below would lie beyond 5 standard
    # errors once in 7,000 times
    levels = np.arange(1, 255)
    n = np.bincount(mnist.test.ravel(), minlength=256)[levels]
    ones = np.bincount(mnist.test[binary.test == 1], minlength=256)[levels]
    p = levels / 255
    assert (np.abs(ones / n - p) < 5 * np.sqrt(p * (1 - p) / n)).all()
    digest = hashlib.sha256(np.concatenate([np.packbits(part) for part in parts(binary)]))
    assert digest.hexdigest()[:12] == "05f87f24eec2"


@pytest.mark.parametrize(
    "raw",
    [
        idx(np.zeros((3, 28, 27), np.uint8)),
        idx(np.zeros((3, 28, 28), np.uint8))[:-1],
        b"\0\0\x08\x01" + idx(np.zeros((3, 28, 28), np.uint8))[4:],
    ],
)
def test_what_is_no_file_of_images_is_refused(raw):
    source = dataset_entry("mnist").files[0]
    with pytest.raises(ValueError, match="expected an idx file of 28 x 28 images"):
        images.read_idx(raw, source)


# -------------------------------------------------------------------------------- torchvision


@pytest.fixture(scope="module")
def clothes():
    """Files of the right size by name, packed."""
    pixels = np.zeros((70_000, 28, 28), np.uint8)
    pixels[:, 3, 4] = np.arange(70_000) % 251
    train, test = (idx(part) for part in (pixels[:60_000], pixels[60_000:]))
    names = [f"{name}.gz" for name in images.FILES]
    return dict(zip(names, (gzip.compress(raw, 1) for raw in (train, test)), strict=True))


def check_clothes(data):
    assert [len(part) for part in parts(data)] == SIZES
    assert data.schema.event_shape == (28, 28)
    marked = np.concatenate([part[:, 3 * 28 + 4] for part in parts(data)])
    assert (marked == np.arange(70_000) % 251).all()


def test_unpacked_files_are_taken_as_torchvision_takes_them(
    no_network, tmp_path, monkeypatch, clothes
):
    folder = tmp_path / "data" / "FashionMNIST" / "raw"
    folder.mkdir(parents=True)
    for name, packed in clothes.items():
        (folder / name.removesuffix(".gz")).write_bytes(gzip.decompress(packed))
    monkeypatch.setenv("GENZOO_DATA", str(tmp_path / "data"))
    data = genzoo.load_dataset("fashion_mnist")
    check_clothes(data)
    assert data.licence.startswith("MIT")


def test_packed_files_are_checked_by_the_sums_of_torchvision(
    server, no_network, monkeypatch, clothes
):
    """Downloaded, kept packed, checked on each use."""
    with pytest.raises(FileNotFoundError, match="HTTP status 404"):  # imports torchvision
        genzoo.load_dataset("fashion_mnist")
    from torchvision.datasets import FashionMNIST

    sums = {name: hashlib.md5(packed).hexdigest() for name, packed in clothes.items()}
    monkeypatch.setattr(FashionMNIST, "resources", list(sums.items()))
    host = FashionMNIST.mirrors[0].split("://")[1]
    server.files = {f"{host}{name}": packed for name, packed in clothes.items()}
    check_clothes(genzoo.load_dataset("fashion_mnist"))
    path = no_network / "FashionMNIST" / "raw" / "t10k-images-idx3-ubyte.gz"
    assert path.read_bytes() == clothes[path.name]
    path.write_bytes(gzip.compress(b"x"))
    with pytest.raises(ValueError, match=rf"expected MD5 {sums[path.name]}.*the file is not used"):
        genzoo.load_dataset("fashion_mnist")


def test_wrong_bytes_are_not_kept(server, no_network, clothes):
    """Against torchvision's own sums."""
    source = dataset_entry("kmnist").files[0]
    address, md5 = vision.address_and_md5(source.upstream)
    server.files = {address.split("://")[1]: clothes["train-images-idx3-ubyte.gz"]}
    with pytest.raises(ValueError, match=f"expected MD5 {md5}"):
        genzoo.load_dataset("kmnist")
    assert not list(no_network.rglob("*ubyte*gz")) + list(no_network.rglob("*.part"))


@pytest.mark.parametrize("name", ["fashion_mnist", "kmnist"])
def test_offline(no_network, name):
    with pytest.raises(FileNotFoundError, match=f"{name}: no file .*refused.*licence: ") as error:
        genzoo.load_dataset(name)
    assert "/raw/train-images-idx3-ubyte" in str(error.value)
