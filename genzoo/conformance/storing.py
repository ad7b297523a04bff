"""The check of saved models: no pickle, and a fresh process reads back the same model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from genzoo.conformance.subject import Subject, require
from genzoo.model import registered_key
from genzoo.registry import load_model

EXECUTABLE_HEADS = (b"\x80", b"PK", b"\x93NUMPY")  # pickle, zip (torch.save, npz), npy

_LOADER = """
import importlib, sys
import numpy as np
from genzoo.registry import load_model
folder, module, name = sys.argv[1:4]
cls = None
if module:
    cls = importlib.import_module(module)
    for part in name.split("."):
        cls = getattr(cls, part)
model = load_model(folder, cls=cls)
rows = np.load(folder + "/../rows.npy")
value = model.log_prob(rows, seed=7).value
np.savez(folder + "/../answer.npz", value=value, drawn=model.sample(30, seed=8))
"""


def save_and_load(subject: Subject) -> str:
    """A saved model holds no pickle and comes back the same, in a fresh process where possible."""
    space, model = subject.fitted("table")
    cls = type(model)
    registered = registered_key(cls) is not None
    importable = "<locals>" not in cls.__qualname__ and cls.__module__ != "__main__"
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "model")
        _only_data(Path(folder))
        if registered or importable:
            np.save(Path(folder) / "rows.npy", space.rows)
            names = ["", ""] if registered else [cls.__module__, cls.__qualname__]
            path = {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
            done = subprocess.run(
                [sys.executable, "-c", _LOADER, f"{folder}/model", *names],
                capture_output=True,
                text=True,
                env={**os.environ, **path},
            )
            require(
                done.returncode == 0, f"loading in a fresh process failed: {done.stderr[-400:]}"
            )
            with np.load(Path(folder) / "answer.npz") as answer:
                value, drawn = answer["value"], answer["drawn"]
            where = "in a fresh process"
        else:
            loaded = load_model(Path(folder) / "model", cls=cls)
            value, drawn = loaded.log_prob(space.rows, seed=7).value, loaded.sample(30, seed=8)
            where = "in this process (no other can import the class)"
    gap = np.abs(value - model.log_prob(space.rows, seed=7).value).max()
    require(gap == 0, f"log_prob differs by {gap:.2g} nats after loading {where}")
    require((drawn == model.sample(30, seed=8)).all(), f"samples differ after loading {where}")
    return f"equal {where}"


def _only_data(folder: Path) -> None:
    """Whatever the names of the files say, none may hold what would run when it is read."""
    for path in (p for p in folder.rglob("*") if p.is_file()):
        require(
            path.suffix in (".json", ".safetensors"),
            f"expected JSON and safetensors; got {path.name}",
        )
        content = path.read_bytes()
        require(
            not content.startswith(EXECUTABLE_HEADS), f"{path.name} starts as a pickle or a zip"
        )
        if path.suffix == ".json":
            json.loads(content)
