"""Saved models: no pickle, no code run, damage and strangers refused."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
from safetensors.numpy import load as from_bytes
from safetensors.numpy import save as to_bytes

import genzoo
from genzoo.store import pack_json, unpack_json, write_atomically


@pytest.fixture
def saved(tmp_path):
    model = genzoo.Independent(pseudo_count=0.5).fit(["ab", "a", "bba"])
    model.save(tmp_path / "model")
    return model, tmp_path / "model"


def test_a_loaded_model_is_the_model(saved):
    model, folder = saved
    loaded = genzoo.load_model(folder)
    assert type(loaded) is genzoo.Independent
    assert loaded.pseudo_count == 0.5
    assert loaded.schema_ == model.schema_
    assert loaded.sample(9, seed=2) == model.sample(9, seed=2)
    assert loaded.training_.steps == model.training_.steps
    assert sorted(p.name for p in folder.iterdir()) == ["arrays.safetensors", "model.json"]


def test_saving_again_replaces_a_model_but_nothing_else(saved, tmp_path):
    model, folder = saved
    model.save(folder)
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "draft.txt").write_text("do not delete")
    with pytest.raises(ValueError, match="expected a new folder or a saved model's"):
        model.save(tmp_path / "thesis")
    assert (tmp_path / "thesis" / "draft.txt").exists()


class Stranger(genzoo.Independent):
    pass


def test_a_class_in_a_file_is_never_imported(tmp_path):
    Stranger().fit(np.array([[0, 1], [1, 0]])).save(tmp_path / "model")
    with pytest.raises(ValueError, match="not a registered family; pass its class"):
        genzoo.load_model(tmp_path / "model")
    assert type(genzoo.load_model(tmp_path / "model", cls=Stranger)) is Stranger
    with pytest.raises(ValueError, match="expected a GenerativeModel class"):
        genzoo.load_model(tmp_path / "model", cls=dict)


def test_damage_is_refused_with_the_folder_named(saved, tmp_path):
    _, folder = saved
    with pytest.raises(ValueError, match=r"lacks model\.json, arrays\.safetensors"):
        genzoo.load_model(tmp_path)
    record = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**record, "format_version": 99}))
    with pytest.raises(ValueError, match=r"has format 99.*update genzoo"):
        genzoo.load_model(folder)
    (folder / "model.json").write_text(json.dumps({**record, "params": {"width": 2}}))
    with pytest.raises(ValueError, match="does not take the saved parameters"):
        genzoo.load_model(folder)
    (folder / "model.json").write_text("{")
    with pytest.raises(ValueError, match="holds a damaged model"):
        genzoo.load_model(folder)
    (folder / "model.json").write_text(json.dumps(record))
    (folder / "arrays.safetensors").write_bytes(b"\x00" * 50)
    with pytest.raises(ValueError, match="holds a damaged model"):
        genzoo.load_model(folder)


def resaved(folder, arrays=None, **changes):
    """Write changed arrays or fields of the record, with sums that fit them."""
    record = json.loads((folder / "model.json").read_text()) | changes
    content = (folder / "arrays.safetensors").read_bytes()
    if arrays is not None:
        content = to_bytes(arrays)
        (folder / "arrays.safetensors").write_bytes(content)
    record["sha256"] = {
        "arrays": hashlib.sha256(content).hexdigest(),
        "schema": hashlib.sha256(json.dumps(record["schema"], sort_keys=True).encode()).hexdigest(),
    }
    (folder / "model.json").write_text(json.dumps(record))


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("format_version", "1", "format_version: expected int; got '1'"),
        ("format_version", None, "format_version: expected int"),
        ("family", ["a"], "family: expected str"),
        ("registered", 1, "registered: expected bool"),
        ("params", None, "params: expected dict"),
        ("params", {"pseudo_count": -1.0}, "pseudo_count"),
        ("form", "xx", "form: expected one of rows, frame, data"),
        ("training", {"speed": 2}, "training|curve"),
    ],
)
def test_fields_are_checked(field, value, says, saved):
    _, folder = saved
    resaved(folder)
    genzoo.load_model(folder)  # the helper itself does no damage
    resaved(folder, **{field: value})
    with pytest.raises(ValueError, match=rf"{folder} holds a damaged model: .*({says})"):
        genzoo.load_model(folder)


def test_other_arrays_or_another_schema_than_those_saved(saved, tmp_path):
    model, folder = saved
    genzoo.Independent(pseudo_count=3.0).fit(["ab", "a", "bba"]).save(tmp_path / "other")
    (tmp_path / "other" / "arrays.safetensors").rename(folder / "arrays.safetensors")
    with pytest.raises(ValueError, match=r"arrays: expected SHA-256 \w{64}; got \w{64}"):
        genzoo.load_model(folder)
    model.save(folder)
    text = (folder / "model.json").read_text()
    (folder / "model.json").write_text(text.replace('"b"', '"c"'))
    with pytest.raises(ValueError, match=r"schema: expected SHA-256 \w{64}; got \w{64}"):
        genzoo.load_model(folder)


@pytest.mark.parametrize("family", genzoo.list_models())
def test_arrays_that_lack_something_or_hold_no_numbers(family, tmp_path):
    rows = np.random.default_rng(0).integers(0, 2, (60, 4))
    genzoo.make_model(family).fit(rows, budget="3 steps").save(tmp_path)
    genzoo.load_model(tmp_path)
    arrays = from_bytes((tmp_path / "arrays.safetensors").read_bytes())
    name = next(name for name, a in arrays.items() if a.dtype.kind == "f" and a.size)
    for bad in (np.nan, np.inf):
        resaved(tmp_path, {**arrays, name: np.full_like(arrays[name], bad)})
        with pytest.raises(ValueError, match=f"{name}: expected numbers or -inf"):
            genzoo.load_model(tmp_path)
    resaved(tmp_path, {})
    with pytest.raises(ValueError, match="holds a damaged model: "):
        genzoo.load_model(tmp_path)


def test_a_place_that_is_none_is_refused(saved, tmp_path):
    model, _ = saved
    (tmp_path / "file.py").write_text("")
    for place in (None, 3, tmp_path / "file.py", tmp_path / "file.py" / "x"):
        with pytest.raises(ValueError, match="folder: expected a"):
            model.save(place)
    with pytest.raises(ValueError, match="folder: expected a path; got None"):
        genzoo.load_model(None)


def test_a_link_is_followed(saved, tmp_path):
    model, folder = saved
    (tmp_path / "latest").symlink_to(folder)
    (folder / "model.json").unlink()
    model.save(tmp_path / "latest")
    assert (tmp_path / "latest").is_symlink()
    assert type(genzoo.load_model(folder)) is genzoo.Independent


def test_an_unfitted_model_is_not_saved(tmp_path):
    with pytest.raises(ValueError, match="not fitted"):
        genzoo.Independent().save(tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_json_as_array():
    value = {"a": [1, 2.5, "x"], "b": None}
    assert unpack_json(pack_json(value)) == value


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "record.json"
    write_atomically(path, b"old")
    monkeypatch.setattr("os.replace", lambda *a: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
