"""Where networks compute: saved models on machines without their device, fitted ones that move."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import genzoo
from genzoo.cli.app import app
from genzoo.models.neural import family
from genzoo.parameters import NoDeviceError
from genzoo.registry import make_model

ROWS = np.random.default_rng(0).integers(0, 3, (60, 4))
NETWORKS = ("vae", "gan", "transformer")


@pytest.fixture(scope="module")
def fitted() -> dict[str, genzoo.GenerativeModel]:
    return {
        key: make_model(key, device="cpu").fit(ROWS, seed=0, budget="3 steps") for key in NETWORKS
    }


def saved_for(device: str, model: genzoo.GenerativeModel, folder: Path) -> Path:
    """A folder as a machine with this device would have written it."""
    model.save(folder)
    record = json.loads((folder / "model.json").read_text())
    record["params"]["device"] = device
    (folder / "model.json").write_text(json.dumps(record))
    return folder


@pytest.mark.parametrize("key", NETWORKS)
@pytest.mark.parametrize("device", ["cuda", "cuda:3", "mps"])
def test_a_model_of_a_device_that_is_not_there_is_loaded_on_the_cpu(key, device, fitted, tmp_path):
    model, folder = fitted[key], saved_for(device, fitted[key], tmp_path / "model")
    with pytest.warns(UserWarning, match=f"no '{device}', .* loaded on the CPU") as caught:
        loaded = genzoo.load_model(folder)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert loaded.device == "cpu"
    value = model.log_prob(ROWS, seed=1).value
    assert np.array_equal(loaded.log_prob(ROWS, seed=1).value, value)
    chosen = genzoo.load_model(folder, device="cpu")  # a warning would be an error here
    assert np.array_equal(chosen.log_prob(ROWS, seed=1).value, value)
    chosen.save(folder)
    assert genzoo.load_model(folder).device == "cpu"


def test_a_device_that_was_asked_for_must_be_there(fitted, tmp_path):
    fitted["vae"].save(tmp_path / "model")
    for device in ("cuda:7", "gpu of mine"):
        with pytest.raises(NoDeviceError, match=f"device: expected .* got {device!r}"):
            genzoo.load_model(tmp_path / "model", device=device)
    assert genzoo.load_model(tmp_path / "model", device="auto").device == "auto"


def test_damage_is_no_missing_device(fitted, tmp_path):
    folder = saved_for("cuda", fitted["vae"], tmp_path / "model")
    (folder / "arrays.safetensors").write_bytes(b"")
    with pytest.raises(ValueError, match="damaged model"):
        genzoo.load_model(folder)


def test_families_without_networks_have_no_device(tmp_path):
    genzoo.Independent().fit(ROWS).save(tmp_path / "model")
    with pytest.raises(ValueError, match="device: Independent computes on the CPU alone"):
        genzoo.load_model(tmp_path / "model", device="cuda")
    genzoo.load_model(tmp_path / "model", device="cpu")  # as a winner of any family is loaded


@pytest.mark.parametrize("key", NETWORKS)
def test_another_device_takes_a_fitted_model_there(key, fitted, monkeypatch):
    """``meta`` stands for an accelerator: a device without numbers that any machine has."""
    model = make_model(key, device="cpu").fit(ROWS, seed=0, budget="3 steps")
    value = model.log_prob(ROWS, seed=1).value
    with pytest.raises(NoDeviceError):
        model.set_params(device="cuda:7")
    assert model.device == "cpu"
    assert np.array_equal(model.log_prob(ROWS, seed=1).value, value)
    monkeypatch.setattr(family, "pick_device", torch.device)
    model.set_params(device="meta")
    held = [
        tensor
        for network in model._networks()
        for tensor in (*network.parameters(), *network.buffers())
    ]
    assert {tensor.device.type for tensor in held} == {"meta"}


def test_a_device_is_not_looked_for_before_there_is_a_fit():
    model = genzoo.VAE().set_params(device="cuda:7")
    with pytest.raises(NoDeviceError, match="device: expected"):
        model.fit(ROWS, budget="1 steps")
    assert not hasattr(model, "schema_")


@pytest.mark.filterwarnings("default")
def test_commands_take_a_device(fitted, tmp_path):
    folder = str(saved_for("cuda", fitted["vae"], tmp_path / "model"))
    done = CliRunner().invoke(app, ["sample", folder, "-n", "2", "--device", "cpu"])
    assert (done.exit_code, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 3
    warned = CliRunner().invoke(app, ["sample", folder, "-n", "2"])
    assert warned.exit_code == 0
    assert warned.stdout == done.stdout
    assert "genzoo: device: this machine has no 'cuda'" in warned.stderr
