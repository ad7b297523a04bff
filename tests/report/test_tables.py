"""The tables of a report: each number is one of numbers.csv, and means what its column says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from demo_run import MODELS, REFERENCES, edit, key_of, write_demo
from judged import judge_labels, judged
from reading import (
    Element,
    article,
    line_with,
    matrix_of,
    names,
    page_of,
    parsed,
    part,
    ranking_of,
    row_of,
    section,
    table_of,
    tables_of,
)

from genzoo.benchmark import load_run
from genzoo.report.build import SEEDS_OF_SAMPLES
from genzoo.report.labels import NO_SKILL
from genzoo.report.measures import MARKS_LEGEND, TITLES
from genzoo.report.quality import LEGEND
from genzoo.results.numbers import ascii_marks, number, seconds

MATRICES = {
    "nats": "test log-probability",
    "bits": "bits_per_dim",
    "gap": "KL(truth, model)",
    "cost": "train_seconds",
}
RANKING = {
    "nats per row": "test log-probability",
    "behind the chosen": "difference to the chosen",
    "KL(truth, model)": "KL(truth, model)",
    "bits per dim.": "bits_per_dim",
    "over seeds": ("mean over seeds", "standard deviation over seeds"),
    "nats per character": "text_score",
    "training": "train_seconds",
}
LABELS = {
    "log p(label given the rest), nats": "label.test.log_prob",
    "behind the chosen": "difference in log p(label | rest) to the chosen",
    "right": "label.test.accuracy",
    "AUC": "label.test.auc",
}
BOUNDS = {
    "effective draws": "bound.ess_median",
    "lowest 5 %": "bound.ess_low",
    "certified gap": "bound.gap",
    "calibration, before to after": ("calibration.before", "calibration.after"),
    "weight of marginals": "calibration.marginal_weight",
}
SAMPLES = {
    "C2ST": "metrics.c2st",
    "Recall": "metrics.recall",
    "Density": "metrics.density",
    "Memorisation": "metrics.memorisation",
    "n-grams, TV": "metrics.ngram_tv",
}
TABLES = (RANKING, LABELS, BOUNDS, SAMPLES)
IN_WORDS = ("rank", "model", "samples of", "verdict", "seeds", "seed", "seed chosen", "estimator")
OF_ALL_SEEDS = ("mean over seeds", "standard deviation over seeds")


class Numbers:
    """numbers.csv, asked by what a number is of."""

    def __init__(self, path: Path) -> None:
        self.lines = pd.read_csv(path, dtype={"seed": "Int64", "fold": "Int64"})

    def of(self, dataset: str, model: str, seed: int | None, quantity: str) -> Any:
        """The one line of it, over all folds."""
        found = self.lines
        asked = {"dataset": dataset, "model": model, "quantity": quantity, "seed": seed}
        for column, value in (asked | {"fold": None}).items():
            found = found[found[column].isna() if value is None else found[column] == value]
        assert len(found) == 1, (asked, len(found))
        return found.iloc[0]


def check(text: str, known: list[float], scale: float = 1.0) -> None:
    """That a cell of a table shows these numbers, at the decimals that it has."""
    shown = re.findall(r"-?\d[\d,]*(?:\.\d+)?", text.partition(" (")[0])
    assert 0 < len(shown) <= len(known)
    for printed, value in zip(shown, known, strict=False):
        places = len(printed.partition(".")[2])
        assert ascii_marks(number(scale * value, places)) == printed, (text, known)


def compare_with(numbers: Numbers, text: str, dataset: str, model: str, seed: int | None,
                 quantity: str | tuple[str, str]) -> None:  # fmt: skip
    if isinstance(quantity, tuple):
        of = [None if q in OF_ALL_SEEDS else seed for q in quantity]
        lines = [numbers.of(dataset, model, s, q) for s, q in zip(of, quantity, strict=True)]
        check(text, [line.value for line in lines])
    elif quantity == "train_seconds":
        assert text.split(",")[0].removesuffix(" \\*") == seconds(
            numbers.of(dataset, model, seed, quantity).value
        )
    else:
        line = numbers.of(dataset, model, seed, quantity)
        check(text, [line.value, line.stderr], 100 if text.endswith("%") else 1)


def with_labels(folder: Path, seeds: tuple[int, ...], folds: tuple[int | None, ...]) -> None:
    """Three models tell the label of ``flowers``; the likeliest seed is not the best at it."""
    rng = np.random.default_rng(1)
    for i, model in enumerate(("hmm", "vae", "independent")):
        for seed in seeds:
            for fold in folds:
                k = fold or 0
                n = 20 + 7 * k
                test = -0.3 - 0.1 * i - 0.2 * k + 0.1 * rng.standard_normal(n)
                judge_labels(
                    folder, model, valid=-0.3 - 0.1 * i + 0.05 * seed, test=test,
                    right=rng.random(n) < 0.8 - 0.1 * k, auc=0.9 - 0.03 * i - 0.011 * k,
                    no_skill=-0.55 - 0.1 * k, majority=0.76 - 0.03 * k, seed=seed, fold=fold,
                )  # fmt: skip


@pytest.mark.parametrize(("seeds", "folds"), [((0,), None), ((0, 1), None), ((0, 1), 3)])
def test_every_number_of_the_tables_is_a_line_of_its_own(
    tmp_path: Path, seeds: tuple[int, ...], folds: int | None
) -> None:
    """Each column of each table of the Markdown shows one quantity of numbers.csv, of the row's
    model and seed, with its error, rounded as printed."""
    demo = write_demo(tmp_path / "run", seeds=seeds, folds=folds)
    with_labels(demo, seeds, (None,) if folds is None else tuple(range(folds)))
    paths = load_run(demo).report()
    numbers = Numbers(paths["numbers"])
    markdown, checked, chosen = paths["md"].read_text(), 0, {}
    for dataset in ("alarm", "digits_binary", "names", "flowers", "play"):
        for rows in tables_of(part(markdown, dataset)):
            quantities = next(
                t for t in TABLES if set(t) & set(rows[0]) == set(rows[0]) - {*IN_WORDS}
            )
            for row in rows:
                model = row.get("model") or row["samples of"]
                seed = row.get("seed") or row.get("seed chosen") or "0"
                seed = None if seed == "-" or model in ("truth", *REFERENCES) else int(seed)
                if quantities is RANKING:
                    chosen[dataset, model] = seed
                elif quantities is BOUNDS:
                    seed = chosen[dataset, model]
                elif model == NO_SKILL:
                    seed = None
                for title, quantity in quantities.items():
                    if row.get(title, "-").strip("*") != "-" and re.search(r"\d", row[title]):
                        compare_with(numbers, row[title], dataset, model, seed, quantity)
                        checked += 1
    shown = {v: q for v, q in MATRICES.items() if f"\n## {TITLES[v]}\n" in markdown}
    assert {*MATRICES} - {*shown} == (set() if folds is None else {"gap"})  # no truth with folds
    for view, quantity in shown.items():
        ((*rows,),) = tables_of(part(markdown, TITLES[view]))
        for row in rows:
            model = row.pop("model")
            for dataset, text in row.items():
                if re.search(r"\.\d", text):
                    seed = chosen[dataset, model]
                    compare_with(numbers, text, dataset, model, seed, quantity)
                    checked += 1
    assert checked > 300
    # what the HTML shows beside these
    for name in ("evaluate_seconds", "n_parameters", "peak_memory_mb", "difference to the highest"):
        numbers.of("flowers", "hmm", chosen["flowers", "hmm"], name)


WITHOUT = {
    "svg",
    "pre",
    "code",
    "style",
    "rows",
    "strings",
    "reading",
    "reproduce",
    "distances",
    "values",
}


def shown(of: Element) -> str:
    """The text of a report without figures, sample rows, parameters, and what explains it."""
    found = ""
    for piece in of.parts:
        if isinstance(piece, str):
            found += piece + " "
        elif not {piece.tag, *piece.classes, piece.attributes.get("aria-labelledby")} & WITHOUT:
            found += shown(piece)
    return found


DECIMAL = r"[\d\u202f]+\.\d+"
SCALES = {"%": 100, "points": 100, "ms": 1000, "min": 1 / 60}


@pytest.mark.parametrize(("seeds", "folds"), [((0,), None), ((0, 1), None), ((0, 1), 3)])
def test_every_number_of_the_report_is_in_the_files(
    tmp_path: Path, seeds: tuple[int, ...], folds: int | None
) -> None:
    """Whatever has decimals, in tables and in sentences, is a value or an error of numbers.csv,
    rounded as printed."""
    demo = write_demo(tmp_path / "run", seeds=seeds, folds=folds)
    with_labels(demo, seeds, (None,) if folds is None else tuple(range(folds)))
    paths = load_run(demo).report()
    lines = pd.read_csv(paths["numbers"])
    known = np.abs(np.concatenate([lines.value.dropna(), lines.stderr.dropna()]))
    page = parsed(paths["html"].read_text())
    text = shown(page)
    for marginals in page.all(cls="distances", unit="percent"):
        text += re.sub(r"(\.\d+)", r"\1 % ", marginals.text)
    missing, n = [], 0
    for found in re.finditer(
        rf"({DECIMAL})(?: ± ({DECIMAL}))?(?:\s*(%|points|ms|min)(?!\w))?", text
    ):
        value, error, unit = found.groups()
        for printed in filter(None, (value, error)):
            places, scale = len(printed.partition(".")[2]), SCALES.get(unit, 1)
            n += 1
            if not any(number(x * scale, places) == printed for x in known):
                missing.append(text[found.start() - 60 : found.end() + 10])
    assert n > 250
    assert not missing


def test_seeds_and_folds_are_whole_numbers(tmp_path: Path) -> None:
    demo = write_demo(tmp_path / "run", datasets=("flowers",), seeds=(0, 1), folds=2)
    table = pd.read_csv(load_run(demo).report()["numbers"], dtype=str, keep_default_na=False)
    assert set(table.seed) == {"", "0", "1"}
    assert set(table.fold) == {"", "0", "1"}


@pytest.mark.parametrize("folds", [None, 3])
def test_numbers_of_labels_have_their_units(tmp_path: Path, folds: int | None) -> None:
    demo = write_demo(tmp_path / "run", datasets=("flowers",), folds=folds)
    with_labels(demo, (0,), (None,) if folds is None else tuple(range(folds)))
    numbers = Numbers(load_run(demo).report()["numbers"])
    for model, seed in (("hmm", 0), (NO_SKILL, None)):
        for quantity, unit in (
            ("log_prob", "nats per row"),
            ("accuracy", "share of cases"),
            ("auc", "area"),
        ):
            assert numbers.of("flowers", model, seed, f"label.test.{quantity}").unit == unit
    lines = numbers.lines[numbers.lines.quantity.str.startswith("label.")]
    of_what = lines.quantity.str.extract(r"(log_prob|accuracy|majority|auc)$")[0]
    assert lines.unit[of_what.notna()].notna().all()


def seeds_differ(folder: Path) -> None:
    """Of the HMM on ``flowers`` validation chooses seed 0 for likelihoods and seed 1 for samples;
    of the VAE it judged no samples."""
    for seed, valid, c2st, tested in ((0, -7.0, 0.72, 0.61), (1, -7.2, 0.55, 0.523)):
        found = {"c2st": metric(tested, 0.01)}
        judged(folder, "hmm", seed=seed, valid=valid, c2st=c2st, metrics=found)
        key = key_of("vae", "flowers", seed)
        validation = json.loads((folder / "cells" / f"{key}.json").read_text())["validation"]
        edit(folder, key, validation=validation | {"c2st": None, "log_prob": -9.0 + 0.1 * seed})


def metric(value: float, stderr: float) -> dict[str, Any]:
    return {"value": value, "stderr": stderr, "unit": "u", "higher_is_better": False,
            "kind": "estimate"}  # fmt: skip


def test_samples_are_those_that_the_advice_speaks_of(tmp_path: Path) -> None:
    demo = write_demo(tmp_path / "run", datasets=("flowers",), seeds=(0, 1))
    seeds_differ(demo)
    path = demo / "cells" / "hmm-flowers-1.npz"
    with np.load(path) as stored:
        arrays = dict(stored)
    np.savez(path, **(arrays | {"rows": np.tile([39, 39, 23, 2], (64, 1))}))
    page = page_of(demo)
    of, advice = article(page, "flowers"), page.one(purpose="samples")
    assert advice["data-model"] == "hmm"
    assert "52 ± 1 %" in advice.text  # of its samples, told from test rows
    assert "seed 1" in advice.text
    rows = table_of(section(demo, "flowers"), "samples of")
    assert (rows["hmm"]["seed"], rows["hmm"]["C2ST"]) == ("1", "**0.523 +- 0.010**")
    assert rows["vae"]["seed"] == "1"  # not judged: the likelihood's
    assert rows["held-out"]["seed"] == "-"
    assert SEEDS_OF_SAMPLES in section(demo, "flowers")  # that it may be another than this
    ranked = ranking_of(demo, "flowers")["hmm"]
    assert (ranked["seeds"], ranked["seed chosen"]) == ("2 of 2", "0")
    # the gallery's rows
    assert [e.text for e in of.one("table", cls="rows").all("td")].count("8.2") == 3
    numbers = Numbers(load_run(demo).report()["numbers"])
    assert numbers.of("flowers", "hmm", 1, "marginals, mean total variation").value >= 0


def test_labels_state_the_seed_that_was_chosen_for_them(tmp_path: Path) -> None:
    demo = write_demo(tmp_path / "run", datasets=("flowers",), seeds=(0, 1))
    with_labels(demo, (0, 1), (None,))
    rows = table_of(section(demo, "flowers"), "AUC")
    assert rows["hmm"]["seed"] == "1"
    assert rows[NO_SKILL]["seed"] == "-"
    labels = article(page_of(demo), "flowers").one("table", cls="labels")
    assert labels.one("tr", model="hmm")["data-seed"] == "1"
    assert "seed 1" in labels.one("tr", model="hmm").text


def test_both_reports_mark_the_same_and_say_what_it_means(tmp_path: Path) -> None:
    demo = write_demo(tmp_path / "run", datasets=("flowers", "play"))
    judged(demo, "vae", valid=-1.0)  # chosen, while others have higher test values
    text, page = {m: row["flowers"] for m, row in matrix_of(demo, "nats").items()}, page_of(demo)
    nats = page.one("div", cls="view-nats")
    marked = {row["data-model"]: row.one("td", dataset="flowers")["data-marks"]
              for row in nats.all("tr")[1:]}  # fmt: skip
    (highest,) = (model for model, marks in marked.items() if marks == "highest")
    assert {m: marks for m, marks in marked.items() if marks} == {
        "vae": "chosen", highest: "highest"
    }  # fmt: skip
    for model, marks in marked.items():
        assert marks in row_of(nats, model)[0].one(cls="note").text
        assert text[model].endswith(f"({marks})") if marks else "(" not in text[model]
    # what they mean
    assert MARKS_LEGEND in nats.one("caption").text
    assert LEGEND in article(page, "flowers").text
    markdown = (demo / "report.md").read_text()
    assert MARKS_LEGEND in markdown
    assert LEGEND in markdown
    leading = article(page, "flowers").one("table", cls="quality").all("td", cls="lead")
    twin = table_of(section(demo, "flowers"), "samples of").values()
    assert len(leading) == sum(c.startswith("**") for row in twin for c in row.values()) > 0


def test_what_a_fold_lacks_is_not_averaged_over_the_others(tmp_path: Path) -> None:
    demo = write_demo(tmp_path / "run", datasets=("flowers",), folds=3)
    for key in ("hmm-flowers-0-1", "held-out-flowers-2"):
        metrics = json.loads((demo / "cells" / f"{key}.json").read_text())["metrics"]
        del metrics["c2st"]
        edit(
            demo,
            key,
            metrics=metrics,
            metrics_left_out={"c2st": "too few rows", "mmd": "too few rows"},
        )
    bound = json.loads((demo / "cells" / "vae-flowers-0-2.json").read_text())["bound"]
    edit(demo, "vae-flowers-0-2", bound=bound | {"gap": None, "gap_refused": "no time"})
    text = section(demo, "flowers")
    rows = {m: row["C2ST"] for m, row in table_of(text, "samples of").items()}
    assert rows["hmm"] == rows["held-out"] == "-"
    assert rows["gan"] != "-"
    line = line_with(text, "C2ST", "MMD²", "hmm", "held-out", "too few rows")
    assert not names(line, "gan")
    *_, gap, before, weight = table_of(text, "estimator")["vae"].values()
    assert (gap, before, weight) == ("- (no time)", "-", "-")


def test_the_terminal_shows_the_reports_numbers(tmp_path: Path) -> None:
    """Rows of all folds together, whose means differ; and the same seed, which validation chose
    over rows, not over folds."""
    demo = write_demo(tmp_path / "run", datasets=("flowers",), seeds=(0, 1), folds=3)
    for seed, scores in enumerate(((-8.0, -8.0, -8.0), (-9.0, -9.0, -5.0))):
        for fold, score in enumerate(scores):
            key = key_of("hmm", "flowers", seed, fold)
            validation = json.loads((demo / "cells" / f"{key}.json").read_text())["validation"]
            n = 100 if fold < 2 else 10
            edit(demo, key, validation=validation | {"log_prob": score, "n": n})
    run = load_run(demo)
    numbers = Numbers(run.report()["numbers"]).lines
    shown = dict(line.split(maxsplit=1) for line in run.matrix(200).splitlines()[1:7])
    known = numbers[numbers.quantity == "test log-probability"].set_index("model")
    assert known.seed["hmm"] == 0
    for model in MODELS:
        value, error = known.value[model], known.stderr[model]
        assert f"{value:.2f} ({error:.2f})" in shown[model]
