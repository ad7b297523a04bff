"""Folders of images as people have them."""

import numpy as np
import pytest
from PIL import Image

from genzoo.datasets import own

RNG = np.random.default_rng(0)


def picture(mode="RGB", size=(6, 4)):
    array = RNG.integers(0, 256, (size[1], size[0], 3)).astype(np.uint8)
    return Image.fromarray(array).convert(mode)


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "pics"
    place.mkdir()
    for i in range(4):
        picture().save(place / f"{i}.png")
    return place


@pytest.mark.parametrize(
    "suffix", ["png", "PNG", "jpg", "JPG", "jpeg", "gif", "webp", "bmp", "tiff", "TIF"]
)
def test_every_usual_format_is_read_whatever_the_case_of_its_suffix(folder, suffix):
    picture().save(folder / f"new.{suffix}")
    content = own.read(folder)
    assert content.data.shape == (5, 3, 4, 6)
    assert content.data.dtype == np.uint8
    assert content.remarks == ()


@pytest.mark.parametrize("name", [".DS_Store", "Thumbs.db", "thumbs.db", "desktop.ini", "._0.png"])
def test_what_systems_put_into_folders_is_passed_over(folder, name):
    (folder / name).write_bytes(b"\0")
    content = own.read(folder)
    assert len(content.data) == 4
    assert content.remarks == ()


def test_other_files_are_said(folder):
    (folder / "labels.csv").write_text("a\n1\n")
    (folder / "more").mkdir()
    remark = "not read, as they are no images: labels.csv, more (2)"
    assert own.read(folder).remarks == (remark,)


@pytest.mark.parametrize(
    ("mode", "suffix", "remark"),
    [
        ("RGBA", "png", "transparency is not read: 1 of 5 images"),
        ("CMYK", "jpg", "colours are converted from CMYK to RGB: 1 of 5 images"),
        ("YCbCr", "tif", "colours are converted from YCbCr to RGB: 1 of 5 images"),
        ("P", "png", None),
        ("L", "png", "1 grey images among those in colour: read as colour"),
        ("LA", "png", "transparency is not read: 1 of 5 images"),
    ],
)
def test_other_modes_become_colours(folder, mode, suffix, remark):
    picture().convert("L" if mode == "LA" else "RGB").convert(mode).save(folder / f"new.{suffix}")
    content = own.read(folder)
    assert content.data.shape == (5, 3, 4, 6)
    assert content.remarks[:1] == (() if remark is None else (remark,))


def test_images_are_turned_upright(folder):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees
    upright = picture(size=(6, 4))
    upright.transpose(Image.Transpose.ROTATE_90).save(folder / "new.png", exif=exif)
    content = own.read(folder)
    assert content.remarks == ("turned upright, as their EXIF data say: 1 of 5 images",)
    assert (content.data[-1] == np.asarray(upright).transpose(2, 0, 1)).all()


def test_the_first_of_several_frames_is_read(folder):
    picture().save(folder / "new.gif", save_all=True, append_images=[picture(), picture()])
    remark = "of several frames the first is read: 1 of 5 images"
    assert own.read(folder).remarks == (remark,)


def test_images_of_another_size_are_counted(folder):
    picture(size=(6, 5)).save(folder / "0a.png")
    with pytest.raises(
        ValueError,
        match=r"4 of 5 are 6 x 4; others \(images: 1\) are not, such as 0a.png, 6 x 5: resize",
    ):
        own.read(folder)


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n" + bytes(40), None])
def test_a_broken_file_is_named(folder, content):
    whole = (folder / "0.png").read_bytes()
    (folder / "2.png").write_bytes(whole[: len(whole) // 2] if content is None else content)
    with pytest.raises(ValueError, match=r"2\.png is no image that can be read"):
        own.read(folder)


def test_16_bits_are_refused_with_a_way(folder):
    Image.fromarray(np.full((4, 6), 4000, np.uint16)).save(folder / "1.png")
    with pytest.raises(
        ValueError, match=r"1\.png: expected 8 bits a channel; got mode I;16.*convert"
    ):
        own.read(folder)


def test_folders_of_classes_are_said(folder):
    (folder / "sub").mkdir()
    for file in folder.glob("*.png"):
        file.rename(folder / "sub" / file.name)
    with pytest.raises(
        ValueError, match=r"they lie in 1 folders within \(sub\): give one of these"
    ):
        own.read(folder)


def test_a_folder_of_tables_is_said(tmp_path):
    (tmp_path / "a.csv").write_text("x\n1\n")
    with pytest.raises(ValueError, match=r"it holds tables \(a.csv\): name one"):
        own.read(tmp_path)
