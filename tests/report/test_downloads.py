"""Log masses of test rows, taken from the page."""

from __future__ import annotations

import io
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest
from demo_run import write_demo
from reading import Element, page_of

from genzoo.report import downloads


def link_of(page: Element, dataset: str) -> Element:
    (link,) = (a for a in page.all("a", dataset=dataset) if "download" in a.attributes)
    return link


def frame_of(address: str) -> pd.DataFrame:
    head, _, text = address.partition(",")
    assert head == "data:text/csv;charset=utf-8"
    return pd.read_csv(io.StringIO(unquote(text)))


def test_the_page_holds_every_fits_log_masses(tmp_path: Path) -> None:
    demo = write_demo(tmp_path / "run", seeds=(0, 1), datasets=("alarm", "flowers"))
    page = page_of(demo)
    frame = frame_of(link_of(page, "alarm")["href"])
    assert list(frame)[:4] == [
        "row", "log_prob truth [nats, exact]", "log_prob independent seed 0 [nats, exact]",
        "log_prob independent seed 1 [nats, exact]",
    ]  # fmt: skip
    assert frame["row"].tolist() == list(range(300))
    for seed in (0, 1):
        kept = np.load(demo / "cells" / f"vae-alarm-{seed}.npz")["log_prob"]
        column = frame[f"log_prob vae seed {seed} [nats, lower bound]"]
        np.testing.assert_allclose(column, kept, rtol=1e-4)
    assert not (demo / downloads.FOLDER).exists()


def test_folds_and_groups_are_columns(tmp_path: Path) -> None:
    demo = write_demo(tmp_path / "run", datasets=("flowers",), folds=3)
    for file in (demo / "cells").glob("*-flowers-0-*.npz"):
        kept = dict(np.load(file))
        np.savez(file, **kept, groups=np.arange(len(kept["log_prob"])) // 5)
    frame = frame_of(link_of(page_of(demo), "flowers")["href"])
    assert frame.groupby("fold")["row"].agg(["min", "size"]).to_numpy().tolist() == [
        [0, 30], [0, 39], [0, 48]
    ]  # fmt: skip
    assert (frame["group"] == frame["row"] // 5).all()
    kept = [np.load(demo / "cells" / f"hmm-flowers-0-{i}.npz")["log_prob"] for i in range(3)]
    np.testing.assert_allclose(frame["log_prob hmm [nats, exact]"], np.concatenate(kept), rtol=1e-4)


def test_what_a_page_has_no_room_for_lies_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    demo = write_demo(tmp_path / "run", datasets=("alarm", "flowers"))
    small = len(link_of(page_of(demo), "flowers")["href"])
    monkeypatch.setattr(downloads, "MOST_BYTES", small)
    page = page_of(demo)
    assert link_of(page, "flowers")["href"].startswith("data:")
    assert link_of(page, "alarm")["href"] == "log_probs/alarm.csv"
    frame = pd.read_csv(demo / "log_probs" / "alarm.csv")
    kept = np.load(demo / "cells" / "hmm-alarm-0.npz")["log_prob"]
    np.testing.assert_allclose(frame["log_prob hmm [nats, exact]"], kept, rtol=1e-4)


def test_names_stay_names(tmp_path: Path) -> None:
    demo = write_demo(tmp_path / "run", datasets=("flowers",))
    name = '=1,"x" <b>'
    for file in (demo / "cells").glob("hmm-*.json"):
        file.write_text(file.read_text().replace('"model": "hmm"', '"model": "=1,\\"x\\" <b>"'))
    plan = (demo / "plan.json").read_text()
    hostile = plan.replace('"model": "hmm"', '"model": "=1,\\"x\\" <b>"')
    (demo / "plan.json").write_text(hostile.replace('"label": "hmm"', '"label": "=1,\\"x\\" <b>"'))
    page = page_of(demo)
    frame = frame_of(link_of(page, "flowers")["href"])
    assert f"log_prob {name} [nats, exact]" in frame
