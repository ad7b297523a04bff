"""Explanations in the report: their figures and tables, from an invented run."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest
from demo_run import edit, key_of, write_demo
from reading import article, page_of

from genzoo.report import explain_graph
from genzoo.report.build import build
from genzoo.report.explain import times
from genzoo.report.explain_wins import wins
from genzoo.results.contender import Result
from genzoo.results.explained import Explained, calibration, gains
from genzoo.results.numbers import with_error
from genzoo.results.ranking import rank
from genzoo.results.record import CellRecord, ExplainRecord
from genzoo.results.run import read_run
from genzoo.space.schema import Schema, Variable


def html_of(folder: Path) -> str:
    return build(folder)["html"].read_text()


def section(folder: Path, dataset: str) -> str:
    """The markup of a data set's explanations."""
    page = html_of(folder)
    own = page[page.index(f'data-dataset="{dataset}">\n<h3') :]
    own = own[own.index("data-explain>") :]
    return own[: own.index("</section>")]


def test_each_data_set_is_explained_in_its_own_way(demo: Path) -> None:
    page = page_of(demo)
    parts = {
        name: {e.attributes.get("data-explain", "") for e in article(page, name)} - {""}
        for name in ("alarm", "digits_binary", "names", "flowers")
    }
    everywhere = {"in-words", "wins", "unlikely", "near", "graph", "strips", "left-out"}
    assert parts["alarm"] == everywhere | {"calibration"}
    assert parts["names"] == everywhere - {"left-out"} | {"paths", "calibration"}
    assert parts["digits_binary"] == everywhere
    assert parts["flowers"] == everywhere


def test_the_gains_of_a_figure_sum_to_the_difference_of_the_rows(demo: Path) -> None:
    run = read_run(demo)
    dataset = run.dataset("alarm")
    cells = {c.model: c for c in run.cells if c.dataset == "alarm"}
    one, other = cells["bayesian_network"], cells["independent"]
    found = gains(one.explained, other.explained)
    assert found is not None
    wanted = (one.log_prob - other.log_prob)[one.explained.terms_at]
    assert found.total.value == pytest.approx(wanted.mean(), abs=1e-4)
    assert found.value.sum() == pytest.approx(wanted.mean(), abs=1e-4)
    error = wanted.std(ddof=1) / math.sqrt(len(wanted))
    assert found.total.stderr == pytest.approx(error, rel=1e-3)
    # one asked for in fewer blocks is compared in these
    coarse = gains(one.explained, cells["vae"].explained)
    assert coarse.starts.tolist() == cells["vae"].explained.term_starts.tolist()
    wanted = (one.log_prob - cells["vae"].log_prob)[one.explained.terms_at]
    assert coarse.total.value == pytest.approx(wanted.mean(), abs=1e-4)
    assert rank(run, dataset).chosen is not None


def test_other_rows_are_not_compared() -> None:
    terms, starts = np.zeros((3, 2)), np.array([0, 1])
    a = Explained(terms=terms, terms_at=np.array([0, 1, 2]), term_starts=starts)
    b = Explained(terms=terms, terms_at=np.array([0, 1, 3]), term_starts=starts)
    assert gains(a, b) is None
    assert gains(a, Explained()) is None


def test_rows_that_belong_together_count_as_one() -> None:
    rng = np.random.default_rng(0)
    terms = np.repeat(rng.normal(size=(20, 1)), 5, axis=0)
    at, starts = np.arange(100), np.array([0])
    a = Explained(terms=terms, terms_at=at, term_starts=starts)
    b = Explained(terms=np.zeros((100, 1)), terms_at=at, term_starts=starts)
    alone, grouped = gains(a, b), gains(a, b, np.repeat(np.arange(20), 5))
    assert grouped.value == pytest.approx(alone.value)
    assert grouped.stderr[0] == pytest.approx(math.sqrt(5) * alone.stderr[0], rel=0.1)


def test_a_table_shows_the_largest_gains_and_the_rest_as_one(demo: Path) -> None:
    own = section(demo, "alarm")
    figure = own[own.index("<svg") : own.index("</svg>")]
    assert "the other 8" in figure
    assert len(re.findall(r"<title>", figure)) == 13


def test_calibration_is_by_tenths_of_the_truth() -> None:
    truth = np.linspace(-9, 0, 100)
    found = calibration(truth - np.where(truth < -4.5, 1.0, 0.0), truth)
    assert found.value.tolist() == pytest.approx([-1.0] * 5 + [0.0] * 5)
    assert (np.diff(found.truth) > 0).all()
    assert calibration(truth[:19], truth[:19]) is None


def test_a_row_without_mass_is_no_calibration() -> None:
    truth = np.linspace(-3.0, -1.0, 40)
    assert calibration(truth, truth) is not None
    assert calibration(np.where(np.arange(40) == 0, -np.inf, truth), truth) is None
    assert with_error(-math.inf, None) == "−∞"


def test_names_are_escaped_in_figures() -> None:
    names = ("<script>alert(1)</script>", 'a"b')
    schema = Schema(tuple(Variable(n, categories=("x", "y")) for n in names), "table", (2,))
    figure = explain_graph.graph([(0, 1)], schema, "<b>")
    assert "<script>" not in figure
    assert "&lt;script&gt;" in figure
    assert (
        explain_graph.graph([], Schema((schema.variables[0],) * 1, "table", (1,)), "") is not None
    )


def test_arrows_are_told_apart_by_the_truth() -> None:
    truth = [(0, 1), (2, 1)]
    found = [explain_graph.kind_of(edge, truth) for edge in [(0, 1), (1, 2), (0, 2)]]
    assert found == ["same", "turned", "extra"]
    assert explain_graph.kind_of((0, 1), None) == "plain"


def test_every_node_stands_below_its_parents() -> None:
    rng = np.random.default_rng(0)
    D = 37
    edges = [(int(rng.integers(0, d)), d) for d in range(1, 30) for _ in range(2)]
    schema = Schema(
        tuple(Variable(f"x{d}", categories=("a", "b")) for d in range(D)), "table", (D,)
    )
    figure = str(explain_graph.graph(edges, schema, "graph"))
    boxes = re.findall(r'<rect x="([-\d.]+)" y="([-\d.]+)"', figure)
    places = [(float(x), float(y)) for x, y in boxes]
    assert len(set(places)) == D
    assert all(places[a][1] < places[b][1] for a, b in edges)
    width = float(re.search(r'viewBox="0 0 ([\d.]+)', figure)[1])
    assert all(0 <= x <= width - 92 for x, _ in places)


def test_old_records_have_nothing_to_explain_but_words(tmp_path: Path) -> None:
    write_demo(tmp_path, datasets=("flowers",))
    for model in ("independent", "bayesian_network", "hmm", "vae", "gan", "transformer"):
        key = key_of(model, "flowers")
        edit(tmp_path, key, explained=None)
        file = tmp_path / "cells" / f"{key}.npz"
        with np.load(file) as stored:
            kept = {name: stored[name] for name in ("log_prob", "stderr", "rows")}
        np.savez_compressed(file, **kept)
    page = html_of(tmp_path)
    assert 'data-explain="wins"' not in page
    assert 'data-explain="in-words"' in page


def test_folds_are_explained_by_the_first(tmp_path: Path) -> None:
    write_demo(tmp_path, datasets=("flowers",), folds=3)
    assert 'data-explain="wins"' in html_of(tmp_path)


@pytest.mark.parametrize(
    ("nats", "words"),
    [(1.0, "2.72 times"), (3.0, "20 times"), (9.0, "8\u202f103 times"), (23.1, "10^10 times")],
)
def test_times_likelier(nats: float, words: str) -> None:
    assert times(nats) == words


@pytest.mark.parametrize(
    ("kinds", "value", "said"),
    [
        (("exact", "exact"), 0.5, "a has 0.500 ± 0.017 nats a row more than b"),
        (("exact", "exact"), -0.5, "a has 0.500 ± 0.017 nats a row less than b"),
        (("exact", "lower_bound"), 0.5, "a has at most 0.500"),  # b may be as good
        (("exact", "lower_bound"), -0.5, "a has at least 0.500"),
        (("lower_bound", "exact"), 0.5, "a has at least 0.500"),
        (("lower_bound", "exact"), -0.5, "a has at most 0.500"),
        (("lower_bound", "lower_bound"), 0.5, "the bound of a lies 0.500"),
    ],
)
def test_a_bound_is_not_said_to_lose(kinds: tuple[str, str], value: float, said: str) -> None:
    rng = np.random.default_rng(0)
    base, noise = -1.0 + 0.1 * rng.standard_normal((40, 2)), rng.standard_normal((40, 2))
    noise = 0.075 * (noise - noise.mean(axis=0))
    schema = Schema((Variable("x", categories=("p", "q")), Variable("y", categories=("p", "q"))),
                    "table", (2,))  # fmt: skip
    cells = [
        Result(
            CellRecord(name, model=name, status="ok", kind=kind,
                       explained=ExplainRecord(kind, None, {}, 0.0)),
            explained=Explained(terms=terms, terms_at=np.arange(40), term_starts=np.arange(2)),
        )
        for name, kind, terms in zip("ab", kinds, (base + value / 2 + noise, base), strict=True)
    ]  # fmt: skip
    (found,) = wins(cells, schema)
    assert said in found.words
