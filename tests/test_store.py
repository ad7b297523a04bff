"""Saved models: no pickle, no code run, damage and strangers refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

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
