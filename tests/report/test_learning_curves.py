"""Learning curves: over seconds and steps, with the best point and how each training ended."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from demo_run import write_demo

from genzoo.fitting import CurvePoint, Training
from genzoo.report import build
from genzoo.report.curves import Curve, curve, learning_curves


def of(label: str, nats: list[float], seconds: list[float], **ends: float) -> Curve:
    steps = np.arange(1.0, 1.0 + len(nats))
    across = {"seconds": np.array(seconds), "steps": steps}
    whole = {"seconds": ends.get("seconds", seconds[-1]), "steps": float(steps[-1])}
    return Curve(label, 1, across, np.array(nats), whole, "converged")


def drawn(curves: list[Curve], axis: str = "seconds", reference: object = None) -> ET.Element:
    return ET.fromstring(learning_curves(curves, axis, "title", "1", reference))


def test_curves_are_drawn_once_per_cell_and_labelled_once_per_model() -> None:
    seconds = [0.0, 1.0, 10.0]
    curves = [
        of("<vae>", [-9.0, -5.0, -4.0], seconds),
        of("<vae>", [-9.0, np.nan, -4.5], seconds),
        of("silent", [np.nan] * 3, seconds),
    ]
    svg = drawn(curves, reference=("truth", -3.0))
    lines = [g for g in svg.iter("g") if g.get("class", "").startswith("line")]
    assert [g.get("data-model") for g in lines] == ["<vae>", "<vae>"]
    texts = [t.text for t in svg.iter("text")]
    assert texts.count("<vae>") == 1
    assert "truth" in texts
    assert "silent" not in texts


def test_no_curve_no_figure() -> None:
    assert learning_curves([], "seconds", "title", "1") is None


@pytest.mark.parametrize("axis", ["seconds", "steps"])
@pytest.mark.parametrize("value", [-0.5, -12345.0, 0.0])
def test_a_flat_curve_of_one_point_is_drawn(value: float, axis: str) -> None:
    assert "nan" not in str(learning_curves([of("x", [value], [0.0])], axis, "title", "1"))


@pytest.mark.parametrize(
    ("converged", "stopped_by", "end"),
    [
        (True, "converged", "converged"),
        (True, "budget", "at-rest"),
        (False, "budget", "improving"),
        (False, "steps", "improving"),
    ],
)
def test_the_mark_says_how_the_training_ended(converged: bool, stopped_by: str, end: str) -> None:
    points = [CurvePoint(0, 0.1, None, -3.0), CurvePoint(9, 2.0, None, -2.0)]
    training = Training(20, 4.0, points, converged=converged, stopped_by=stopped_by)  # type: ignore[arg-type]
    for axis in ("seconds", "steps"):
        svg = drawn([curve("vae", 0, training)], axis)
        (mark,) = (e for e in svg.iter() if e.get("data-end"))
        assert mark.get("data-end") == end
        # at the end of the training, which is after the last point
        (dot,) = svg.iter("circle")
        x = np.mean([float(p.split(",")[0]) for p in mark.get("points", "").split()])
        assert x > float(dot.get("cx", "nan"))
        share = (x - 64) / (590 - 64)
        assert share == pytest.approx(1 / 1.03, abs=0.02)


def test_the_axis_is_logarithmic_where_trainings_differ_much() -> None:
    def words(ends: list[float]) -> str:
        curves = [of(f"m{e}", [-2.0, -1.0], [e / 10, e]) for e in ends]
        return " ".join(t.text or "" for t in drawn(curves).iter("text"))

    assert "logarithmic" not in words([5.0, 20.0])
    assert "logarithmic" in words([0.05, 20.0])


def test_a_family_far_below_the_others_leaves_them_their_room() -> None:
    near = [of(f"near{i}", [-12.0, -10.0 - 0.1 * i], [0.1, 1.0]) for i in range(4)]
    svg = drawn([*near, of("far", [-60.0, -50.0], [0.1, 1.0])])
    texts = {t.get("data-model"): t for t in svg.iter("text") if t.get("data-model")}
    assert "−50" in (texts["far"].text or "")
    dots = [float(c.get("cy", "nan")) for c in svg.iter("circle")]
    assert len(dots) == 4  # that of far lies outside
    assert max(dots) - min(dots) > 60


def test_the_report_has_both_axes_and_a_mark_for_each_fit(tmp_path: Path) -> None:
    html = build(write_demo(tmp_path / "run", datasets=("digits_binary",)))["html"].read_text()
    for pane in ("seconds", "steps"):
        assert html.count(f'data-pane="{pane}"') == 1
    # five families have curves; those of networks were still improving on this data set
    assert html.count('data-end="improving"') == 2 * 3
    assert html.count('data-end="converged"') == 2 * 2
