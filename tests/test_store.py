"""Saved models: no pickle, no code run, damage and strangers refused."""

from __future__ import annotations

import dataclasses
import hashlib
import json

import numpy as np
import pytest
from safetensors.numpy import load as from_bytes
from safetensors.numpy import save as to_bytes

import genzoo
from genzoo.fitting import CurvePoint, Training
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
        ("form", "xx", "form: expected one of frame, polars, arrow, rows, data"),
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


class Holder(genzoo.Independent):
    """Saves whatever ``extra_`` holds beside the baseline's table."""

    extra_: dict = {}

    def _state(self):
        return {**super()._state(), **self.extra_}


class NoWayBack(genzoo.Independent):
    def _restore(self, arrays):
        self.log_table_ = arrays["table"]


@dataclasses.dataclass
class LongTraining(Training):
    temperature: float = 0.0


def holding(**extra):
    return lambda model: setattr(model, "extra_", extra)


REFUSED = {
    "a NaN": (holding(weights=np.array([1.0, np.nan])), "weights: expected numbers or -inf; got"),
    "an inf": (holding(weights=np.float32("inf")), "weights: expected numbers or -inf; got NaN"),
    "objects": (
        holding(names=np.array([{}])),
        "names: expected numbers of at most 8 bytes; got",
    ),
    "text": (holding(names=np.array(["a"])), "names: expected numbers of at most 8 bytes; got <U1"),
    "long numbers": (
        holding(x=np.ones(2, complex)),
        "x: expected numbers of at most 8 bytes",
    ),
    "a name of the format's own": (holding(__metadata__=np.ones(2)), "model: expected .* loaded"),
    "a name that is none": (lambda model: setattr(model, "extra_", {1: np.ones(2)}), "model: .*"),
    "a parameter NaN": (
        lambda model: setattr(model, "pseudo_count", np.nan),
        "pseudo_count: expected what has a JSON form, without NaN and inf; got nan",
    ),
    "a parameter out of range": (
        lambda model: setattr(model, "pseudo_count", -1.0),
        "model: expected one that can be loaded again; .* pseudo_count: expected",
    ),
    "NaN in the record": (
        lambda model: setattr(model.training_, "seconds", np.nan),
        "training_: expected what has a JSON form, without NaN and inf; got {",
    ),
    "an object in the record": (
        lambda model: model.training_.notes.append(object()),
        "training_: expected what has a JSON form",
    ),
    "a record of another class": (
        lambda model: setattr(model, "training_", LongTraining()),
        "model: expected one that can be loaded again; .* 'temperature'",
    ),
    "another form": (lambda model: setattr(model, "_form", "csv"), "model: .* form: expected one"),
}


@pytest.mark.parametrize(("spoil", "says"), REFUSED.values(), ids=REFUSED)
def test_what_could_not_be_loaded_is_not_saved_and_an_earlier_model_stays(spoil, says, tmp_path):
    model = Holder().fit(["ab", "a"])
    model.save(tmp_path / "model")
    before = {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()}
    spoil(model)
    with pytest.raises(ValueError, match=says):
        model.save(tmp_path / "model")
    with pytest.raises(ValueError, match=says):
        model.save(tmp_path / "other")
    assert {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_family_that_does_not_read_its_own_state_is_told_so_when_it_saves(tmp_path):
    with pytest.raises(ValueError, match=r"NoWayBack.*, for which load_model says KeyError"):
        NoWayBack().fit(["ab", "a"]).save(tmp_path / "model")


def test_the_logarithm_of_zero_is_saved(tmp_path):
    model = Holder().fit(["ab", "a"])
    model.extra_ = {"log_zero": np.array([-np.inf, 0.0])}
    model.save(tmp_path)
    genzoo.load_model(tmp_path, cls=Holder)


def test_a_point_of_the_curve_without_a_value_is_saved_as_none(tmp_path):
    model = genzoo.Independent().fit(["ab", "a"])
    model.training_.curve.append(CurvePoint(1, 0.5, np.nan, -np.inf))
    model.save(tmp_path)
    assert genzoo.load_model(tmp_path).training_.curve == [CurvePoint(1, 0.5, None, None)]


def test_json_as_array():
    value = {"a": [1, 2.5, "x"], "b": None}
    assert unpack_json(pack_json(value)) == value
    with pytest.raises(ValueError, match="value: expected what has a JSON form, without NaN"):
        pack_json([np.nan])


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "record.json"
    write_atomically(path, b"old")
    monkeypatch.setattr("os.replace", lambda *a: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
