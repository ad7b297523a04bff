"""The report says what the records say, and no more."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from demo_run import edit, edit_plan, write_demo
from judged import judged, with_scores
from reading import (
    Element,
    added,
    article,
    finding,
    kinds,
    likelihood,
    line_with,
    markdown_of,
    matrix_of,
    names,
    numbers_in,
    page_of,
    ranking_of,
    row_of,
    said,
    section,
    sentences,
    table_of,
    verdicts,
)

from genzoo.metrics import registered
from genzoo.report import build


def metric(value: float, stderr: float) -> dict[str, Any]:
    return {
        "value": value, "stderr": stderr, "unit": "u", "higher_is_better": False, "kind": "estimate"
    }  # fmt: skip


def record_of(folder: Path, key: str) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((folder / "cells" / f"{key}.json").read_text())
    return record


def quality_of(folder: Path, dataset: str) -> Element:
    return article(page_of(folder), dataset).one("table", cls="quality")


def test_writes_two_files_into_the_run(demo: Path) -> None:
    paths = build(demo)
    assert paths == {"html": demo / "report.html", "md": demo / "report.md"}
    assert paths["html"].stat().st_size < 3e6


def test_a_folder_without_a_run_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"plan\.json"):
        build(tmp_path)


def test_the_html_is_whole_self_contained_and_accessible(demo: Path) -> None:
    page = page_of(demo)
    assert all("src" not in e.attributes for e in page.all("script"))
    assert not page.all("link")
    for element in page:
        for name in ("src", "href"):
            value = element.attributes.get(name)
            held = ("#", "data:image/png;base64,", "data:text/csv;charset=utf-8,")
            assert value is None or value.startswith(held)
        if element.tag == "img":
            assert element["alt"]
        if element.tag == "svg":
            assert element["aria-label"]
        if element.tag == "th":
            assert element["scope"] in ("col", "row", "rowgroup")
    ids = [e["id"] for e in page if "id" in e.attributes]
    assert len(ids) == len(set(ids))
    links = [e["href"] for e in page.all("a") if e.attributes.get("href")]
    assert {link[1:] for link in links if link.startswith("#")} <= set(ids)


def test_the_matrix_marks_kinds_and_errors(demo: Path) -> None:
    record, page = record_of(demo, "vae-alarm-0"), page_of(demo)
    value, bits = f"{-record['test_log_prob']:.2f}", f"{record['bits_per_dim']:.4f}"
    # more likelihood is fewer bits: the bound turns round
    for view, html, text in (
        ("nats", f"≥ −{value} ± ", f">= -{value} +- "),
        ("bits", f"≤ {bits}", f"\\<= {bits}"),
    ):
        matrix = page.one("div", cls=f"view-{view}").one("table")
        cell = matrix.one("tr", model="vae").one("td", dataset="alarm")
        assert cell.one(cls="v").text.startswith(html)
        assert matrix_of(demo, view)["vae"]["alarm"].startswith(text)
    network = page.one("div", cls="view-nats").one("tr", model="bayesian_network")
    assert [e["data-dataset"] for e in network.all("td", marks="chosen, highest")] == [
        "alarm", "flowers"
    ]  # fmt: skip
    assert [e["data-dataset"] for e in network.all("td", cls="chosen")] == ["alarm", "flowers"]


def test_the_truth_is_a_row_and_the_gap_is_paired(demo: Path) -> None:
    truth = np.load(demo / "cells" / "truth-alarm.npz")["log_prob"]
    model = np.load(demo / "cells" / "transformer-alarm-0.npz")["log_prob"]
    gap, error = np.mean(truth - model), np.std(truth - model, ddof=1) / np.sqrt(len(truth))
    rows = ranking_of(demo, "alarm")
    assert rows["truth"]["rank"] == ""
    assert f"{gap:.3f} +- {error:.3f}" in rows["transformer"].values()
    assert "truth" not in ranking_of(demo, "flowers")


def test_findings_say_what_is_proven_and_what_is_open(demo: Path) -> None:
    page = page_of(demo)
    alarm, choice = finding(page, "alarm"), likelihood(demo, "alarm")
    assert (alarm["data-model"], alarm["data-verdict"]) == ("bayesian_network", "partly")
    assert alarm.one(cls="value").text.startswith("−10.")
    assert verdicts(choice) == {
        "transformer": "worse", "vae": "open", "hmm": "worse", "gan": "open",
        "independent": "worse",
    }  # fmt: skip
    shown = sentences(alarm.one(finding="shown").text)
    proven = next(w for w in shown if names(w, "transformer", "hmm", "independent"))
    opened = next(w for w in shown if names(w, "vae", "gan"))
    assert proven != opened
    flowers, choice = finding(page, "flowers"), likelihood(demo, "flowers")
    assert flowers["data-verdict"] == "tie"
    assert "alike" in verdicts(choice).values()
    assert choice.unseen is not None
    # how large a difference could have gone unseen
    assert f"{choice.unseen:.2g}" in numbers_in(flowers.one(finding="shown").text)


def test_a_bound_above_every_exact_value_is_a_proven_win(tmp_path: Path) -> None:
    demo = write_demo(tmp_path / "run", datasets=("digits_binary",))
    for model in ("gan", "vae"):
        values = np.load(demo / "cells" / f"{model}-digits_binary-0.npz")["log_prob"]
        values = values + (15.0 if model == "vae" else 0.0)
        np.savez(demo / "cells" / f"{model}-digits_binary-0.npz", log_prob=values)
        kind = "lower_bound" if model == "vae" else "exact"
        record = json.loads((demo / "cells" / f"{model}-digits_binary-0.json").read_text())
        valid = record["validation"] | {"log_prob": float(values.mean()), "kind": kind}
        edit(demo, f"{model}-digits_binary-0", test_log_prob=float(values.mean()), kind=kind,
             validation=valid)  # fmt: skip

    page, choice = page_of(demo), likelihood(demo, "digits_binary")
    found = finding(page, "digits_binary")
    assert (found["data-model"], found["data-verdict"]) == ("vae", "proven")
    assert found.one(cls="value").text.startswith("≥ ")
    assert choice.chosen.kind == "lower_bound"
    assert set(verdicts(choice).values()) == {"worse"}
    # that it is a bound which lies above these is said once more of all of them
    told = [w for w in sentences(found.one(finding="shown").text) if names(w, *verdicts(choice))]
    assert len(told) == 2


def test_a_chosen_bound_below_an_exact_value_is_not_told_from_all(tmp_path: Path) -> None:
    """However many others it is proven to beat."""
    demo = write_demo(tmp_path / "run", datasets=("flowers",))
    base = with_scores(demo)
    for shift, verdict in ((-0.001, "tie"), (1.0, "partly")):
        judged(demo, "vae", valid=-5.0, test=base + shift, kind="lower_bound")
        found = finding(page_of(demo), "flowers")
        assert (found["data-model"], found["data-verdict"]) == ("vae", verdict)
        assert likelihood(demo, "flowers").with_verdict("worse")


def test_an_estimate_is_no_choice_beside_others_and_proves_nothing(demo: Path) -> None:
    keys = [file.stem for file in (demo / "cells").glob("*-alarm-0.json")]

    def estimated(key: str) -> None:
        validation = record_of(demo, key)["validation"] | {"kind": "estimate"}
        edit(demo, key, kind="estimate", validation=validation)

    estimated("bayesian_network-alarm-0")
    found, choice = finding(page_of(demo), "alarm"), likelihood(demo, "alarm")
    assert found["data-model"] == choice.chosen.model != "bayesian_network"
    assert verdicts(choice)["bayesian_network"] == "open"
    beaten = [a.other.model for a in choice.with_verdict("worse")]
    (opened,) = (
        w for w in sentences(found.one(finding="shown").text) if names(w, "bayesian_network")
    )
    assert beaten
    assert not any(names(opened, model) for model in beaten)
    assert names(said(page_of(demo), "estimates"), "bayesian_network")
    for key in keys:
        estimated(key)
    found, choice = finding(page_of(demo), "alarm"), likelihood(demo, "alarm")
    assert (found["data-model"], found["data-verdict"]) == ("bayesian_network", "open")
    assert found.one(cls="value").text.startswith("≈ −10.")
    assert set(verdicts(choice).values()) == {"open"}
    # nobody is named as beaten
    assert not any(names(found.one(finding="shown").text, model) for model in verdicts(choice))


def test_a_bound_below_the_baseline_is_not_called_worse(demo: Path) -> None:
    assert "below-baseline" not in kinds(finding(page_of(demo), "alarm"))
    for model in ("gan", "hmm"):
        path = demo / "cells" / f"{model}-alarm-0.npz"
        with np.load(path) as stored:
            arrays = dict(stored)
        np.savez(path, **(arrays | {"log_prob": arrays["log_prob"] - 50}))
    exact, bound = sentences(finding(page_of(demo), "alarm").one(finding="below-baseline").text)
    assert names(exact, "hmm", "independent")
    assert not names(exact, "gan")
    assert names(bound, "gan", "independent")
    assert not names(bound, "hmm")
    assert verdicts(likelihood(demo, "alarm"))["gan"] == "open"


def test_still_improving_cells_are_marked_and_named(demo: Path) -> None:
    page, late = page_of(demo), ("transformer", "vae", "gan")
    assert names(finding(page, "digits_binary").one(finding="improving").text, *late)
    assert "improving" not in kinds(finding(page, "alarm"))
    assert names(said(page, "improving"), "digits_binary", "play", *late)
    matrix = page.one("div", cls="view-nats")
    for model in late:
        assert matrix_of(demo, "nats")[model]["digits_binary"].endswith("\\*")
        matrix.one("tr", model=model).one("td", dataset="digits_binary").one(mark="improving")
        for dataset in ("digits_binary", "play"):
            edit(demo, f"{model}-{dataset}-0", training={"converged": True, "curve": []})
    page = page_of(demo)
    assert said(page, "improving") == ""
    assert not page.one("div", cls="view-nats").all(mark="improving")
    assert not any("\\*" in c for row in matrix_of(demo, "nats").values() for c in row.values())


def test_failures_are_shown_with_reason_and_traceback(demo: Path) -> None:
    edit(demo, "hmm-play-0", status="unsupported", reason="more than 100 symbols")
    (demo / "cells" / "vae-play-0.json").unlink()
    page, markdown = page_of(demo), markdown_of(demo)
    failed = record_of(demo, "gan-names-0")
    for model, dataset, status, reason in (
        ("gan", "names", "failed", failed["reason"]),
        ("hmm", "play", "unsupported", "more than 100 symbols"),
        ("vae", "play", "not run", ""),
    ):
        item = page.one("li", model=model, dataset=dataset, status=status)
        assert reason in item.one("p").text
        line_with(markdown, model, dataset, "seed 0", status, *([reason] if reason else []))
        assert [e.text for e in item.all("pre")] == (
            [failed["traceback"]] if model == "gan" else []
        )
    assert {"27", "30"} <= set(numbers_in(page.one(id="headline").text))
    assert names(said(page, "missing"), "gan", "hmm", "names", "play")


def test_a_run_in_which_everything_failed_still_has_a_report(tmp_path: Path) -> None:
    demo = write_demo(tmp_path / "run", datasets=("flowers",))
    for file in (demo / "cells").glob("*.json"):
        edit(demo, file.stem, status="failed", test_log_prob=None, reason="out of memory")
    page = page_of(demo)
    found = finding(page, "flowers")
    assert found["data-model"] == ""
    assert kinds(found) == {"no-result"}
    items = page.all("li", dataset="flowers", status="failed")
    assert [e.one("p").text for e in items] == 6 * ["out of memory"]
    assert found.one(finding="no-result").text in markdown_of(demo)


def test_an_alarm_is_prominent_and_its_cell_wins_nothing(demo: Path) -> None:
    page = page_of(demo)
    assert "11" in numbers_in(page.one(id="no-alarm").text)  # cells
    assert not page.all(id="alarms")
    raised = {"raised": True, "statistic": 123.4, "threshold": 6.9}
    edit(demo, "bayesian_network-alarm-0", alarm=raised)
    page = page_of(demo)
    alarms = page.one(role="alert", id="alarms")
    assert not page.all(id="no-alarm")
    parts = list(page)
    assert parts.index(alarms) < parts.index(page.one(id="findings"))
    alarm = alarms.one(model="bayesian_network", dataset="alarm")
    assert {"123.4", "6.9"} <= set(numbers_in(alarm.text))
    line_with(markdown_of(demo), "bayesian_network", "alarm", "123.4", "6.9")
    found = finding(page, "alarm")
    assert (found["data-model"], found["data-verdict"]) == ("transformer", "alarm")
    assert names(found.one(finding="alarm").text, "bayesian_network")
    assert "bayesian_network" not in verdicts(likelihood(demo, "alarm"))
    won = next(w for w in sentences(page.one(id="headline").text) if names(w, "alarm"))
    assert names(won, "transformer")


def test_an_alarm_stands_at_the_model_too(demo: Path) -> None:
    raised = {"raised": True, "statistic": 123.4, "threshold": 6.9}
    edit(demo, "hmm-alarm-0", alarm=raised)
    rows = ranking_of(demo, "alarm")
    assert [m for m, row in rows.items() if "alarm" in row["verdict"].lower()] == ["hmm"]
    ranking = article(page_of(demo), "alarm").one("table", cls="ranking")
    assert [row["data-model"] for row in ranking.all("tr") if row.all("a", href="#alarms")] == [
        "hmm"
    ]


def test_the_divergence_of_a_bound_is_an_upper_bound(demo: Path) -> None:
    rows = ranking_of(demo, "alarm")
    for model, mark in (("vae", "\\<= "), ("hmm", "")):
        truth = np.load(demo / "cells" / "truth-alarm.npz")["log_prob"]
        lost = truth - np.load(demo / "cells" / f"{model}-alarm-0.npz")["log_prob"]
        error = lost.std(ddof=1) / np.sqrt(len(lost))
        shown = f"{mark}{lost.mean():.3f} +- {error:.3f}"
        assert rows[model]["KL(truth, model)"] == shown
    assert "KL(truth, model)" not in ranking_of(demo, "flowers")["hmm"]


def test_bounds_say_where_they_come_from(demo: Path) -> None:
    rows = table_of(section(demo, "alarm"), "estimator")
    estimator, draws, few, gap, *calibration = list(rows["vae"].values())[1:]
    assert names(estimator, "IWAE")
    assert (draws, few, calibration) == ("41.3", "9.7", ["-", "-"])
    assert gap.startswith("0.21 +- 0.06")
    assert numbers_in(gap)[-1] == "50"  # of its own samples
    estimator, draws, few, gap, *calibration = list(rows["gan"].values())[1:]
    assert names(estimator, "AIS")
    assert draws == "5.2"
    assert few.startswith("1.3 (")  # which is few
    assert gap == "- (no simulation of partly observed rows)"
    assert [numbers_in(text) for text in calibration] == [["-13.24", "-11.61"], ["0.30"]]
    assert "(" in calibration[1]  # which is much
    page = page_of(demo)
    table = article(page, "alarm").one("table", cls="bounds")
    assert [bool(cell.all(cls="up")) for cell in row_of(table, "gan")] == [
        False, False, True, False, False, True
    ]  # fmt: skip
    assert not any(cell.all(cls="up") for cell in row_of(table, "vae"))
    note = record_of(demo, "gan-alarm-0")["notes"][0]
    assert note in article(page, "alarm").one("ul", cls="notes").text
    line_with(section(demo, "alarm"), "gan", note)
    assert names(said(page, "marginals"), "gan", "alarm", "0.30")
    for model in ("vae", "gan"):
        edit(demo, f"{model}-alarm-0", kind="exact", bound=None)
    assert not article(page_of(demo), "alarm").all("table", cls="bounds")


def test_samples_are_judged_beside_references(demo: Path) -> None:
    of = article(page_of(demo), "alarm")
    quality = of.one("table", cls="quality")
    rows = {row["data-model"]: row.all("td") for row in quality.all("tr")[1:]}
    assert list(rows) == [
        "bayesian_network", "transformer", "vae", "hmm", "gan", "independent", "held-out", "copycat"
    ]  # fmt: skip
    assert rows["bayesian_network"][0].text == "0.500± 0.010"
    assert "lead" in rows["bayesian_network"][0].classes
    assert rows["transformer"][0].text.startswith("0.515")
    assert "lead" in rows["transformer"][0].classes  # within two errors of it
    assert "lead" not in rows["independent"][0].classes
    assert not any("lead" in row[2].classes for row in rows.values())  # density is best at 1
    assert rows["copycat"][3].text == "0.800± 0.012"
    # the Markdown says and marks the same
    twin = table_of(section(demo, "alarm"), "samples of")
    assert [
        [re.sub(r"(.*)± (.*)", r"**\1 +- \2**" if "lead" in c.classes else r"\1 +- \2", c.text)
         for c in row] for row in rows.values()
    ] == [[*row.values()][1:] for row in twin.values()]  # fmt: skip
    assert registered()["c2st"].meaning in of.text
    left_out = record_of(demo, "hmm-alarm-0")["metrics_left_out"]["ngram_tv"]
    assert f"{registered()['ngram_tv'].title} ({left_out})" in of.one(cls="left-out").text
    for view in ("nats", "bits", "gap", "cost"):
        assert not {"copycat", "held-out"} & set(matrix_of(demo, view))
    assert {"29", "30"} <= set(numbers_in(page_of(demo).one(id="headline").text))


def test_where_all_are_near_the_best_none_is_marked(tmp_path: Path) -> None:
    demo = write_demo(tmp_path / "run", datasets=("flowers",))
    for file in (demo / "cells").glob("*-flowers-0.json"):
        metrics = record_of(demo, file.stem)["metrics"]
        edit(demo, file.stem, metrics=metrics | {"c2st": metric(0.51, 0.02)})
    rows = [row.all("td") for row in quality_of(demo, "flowers").all("tr")[1:]]
    assert len(rows) == 8
    assert not any("lead" in row[0].classes for row in rows)
    twin = table_of(section(demo, "flowers"), "samples of")
    assert not any("**" in [*row.values()][1] for row in twin.values())


def test_who_memorises_is_named(demo: Path) -> None:
    assert "memorising" not in kinds(article(page_of(demo), "alarm"))
    for model, value in (("hmm", 0.72), ("vae", 0.62)):
        key = f"{model}-alarm-0"
        metrics = record_of(demo, key)["metrics"]
        edit(demo, key, metrics=metrics | {"memorisation": metric(value, 0.012)})
    of = article(page_of(demo), "alarm")
    told = of.one(finding="memorising").text
    assert names(told, "hmm", "0.720 ± 0.012")
    assert not names(told, "vae")  # less than half way
    line_with(section(demo, "alarm"), "hmm (0.720 +- 0.012)")
    before = of.one(cls="caveats").text if of.all(cls="caveats") else ""
    # where a copycat is like fresh rows nobody can be caught
    edit(demo, "copycat-alarm", metrics={"memorisation": metric(0.51, 0.012)})
    of = article(page_of(demo), "alarm")
    assert "memorising" not in kinds(of)
    caveat = added(of.one(cls="caveats").text, before)
    assert names(caveat, "copycat", "0.510 ± 0.012")
    assert not names(caveat, "hmm")


def test_features_of_their_own_are_said_to_be_so(demo: Path) -> None:
    caveat = registered()["frechet"].caveat
    assert caveat
    assert caveat not in page_of(demo).text
    edit(demo, "hmm-flowers-0", metrics={"frechet": metric(0.4, 0.1), "mine": metric(2.0, 0.1)})
    assert caveat in article(page_of(demo), "flowers").one(cls="caveats").text
    # a metric that the report has no words for
    assert table_of(section(demo, "flowers"), "samples of")["hmm"]["mine"].strip("*") == (
        "2.00 +- 0.10"
    )


def test_validations_seed_is_shown_and_tested_and_the_spread_stands_apart(tmp_path: Path) -> None:
    demo = write_demo(tmp_path / "run", seeds=(0, 1, 2), datasets=("alarm",))
    values = [
        json.loads((demo / "cells" / f"hmm-alarm-{s}.json").read_text())["test_log_prob"]
        for s in range(3)
    ]
    for seed, score in enumerate((-15.0, -14.0, -16.0)):
        record = json.loads((demo / "cells" / f"hmm-alarm-{seed}.json").read_text())
        edit(demo, f"hmm-alarm-{seed}", validation=record["validation"] | {"log_prob": score})
    rows = np.load(demo / "cells" / "hmm-alarm-1.npz")["log_prob"]
    error = np.std(rows, ddof=1) / np.sqrt(len(rows))
    row = ranking_of(demo, "alarm")["hmm"].values()
    assert f"{values[1]:.2f} +- {error:.2f}" in row
    spread = np.std(values, ddof=1)
    assert f"{np.mean(values):.2f}, sd {spread:.2f}" in row
    assert "3 of 3" in row
    assert said(page_of(demo), "one-seed") == ""
    edit(demo, "hmm-alarm-1", status="failed", test_log_prob=None, reason="killed")
    assert "2 of 3" in ranking_of(demo, "alarm")["hmm"].values()


def test_that_each_cell_was_trained_once_is_said(demo: Path) -> None:
    caution = said(page_of(demo), "one-seed")
    assert caution
    assert caution in markdown_of(demo)


def test_samples_are_shown_in_the_form_of_the_data(demo: Path) -> None:
    page = page_of(demo)
    cards = article(page, "digits_binary").all("figure", cls="card")
    assert len([e for card in cards for e in card.all("img")]) == 7  # real rows and six models
    strings = [e.text for of in article(page, "names").all(cls="strings") for e in of.all("li")]
    assert "olive" in strings
    prompt = article(page, "play").one("mark").text
    assert prompt == "ROMEO:"
    assert any(e.text.startswith(f"{prompt}\nBut soft") for e in article(page, "play").all("pre"))
    cells = [e.text for e in row_of(article(page, "play").one(cls="ranking"), "transformer")]
    assert "−1.710 ± 0.020" in cells
    assert "setosa" in [e.text for e in article(page, "flowers").one(cls="rows").all("td")]
    # each model's total variation, and what a perfect one would show
    distances = numbers_in(article(page, "flowers").one(cls="distances").text)
    assert len(distances) == 7


def test_everything_from_the_records_is_escaped(demo: Path) -> None:
    evil = "<script>alert('1')</script>"
    plan = json.loads((demo / "plan.json").read_text())
    plan["datasets"][0] |= {"source": evil, "licence": evil}
    plan["models"][1]["params"] = {"structure": evil}
    edit_plan(demo, **plan)
    edit(demo, "gan-names-0", reason=evil, traceback=evil)
    edit(demo, "hmm-alarm-0", notes=[evil])
    edit(demo, "transformer-play-0", completions={evil: evil})

    page = page_of(demo)
    assert not [e for e in page.all("script") if "alert(" in e.text and "type" not in e.attributes]
    assert "<script" not in markdown_of(demo).replace("\\<script", "")
    # source, licence, parameter, note, traceback, completion, reason in each view and in the list;
    # note, reason and traceback in their cells too
    assert page.text.count("alert(") == 10 + len(page.all("table", cls="matrix"))


def test_the_command_repeats_the_run(demo: Path) -> None:
    command = page_of(demo).one(id="command").text
    assert command.startswith("genzoo compare --models independent,bayesian_network,hmm")
    assert "--budget 15s" in command
    assert f"```\n{command}\n```" in markdown_of(demo)
    edit_plan(demo, profile="quick")
    assert f"genzoo compare --profile quick --out {demo}" in markdown_of(demo)


def test_a_run_of_ones_own_objects_is_repeated_in_python(demo: Path) -> None:
    plan = json.loads((demo / "plan.json").read_text())
    plan["models"][1]["changed"] = {"structure": "tree"}
    plan["models"][2] |= {"key": None, "family": "test.<locals>.Mine", "changed": {"width": 3}}
    plan["datasets"][0] |= {"key": None}
    plan["datasets"][1] |= {"budget": "default"}
    edit_plan(demo, **plan)
    text = markdown_of(demo).split("```\n")[1]
    compile(text, "sketch", "exec")
    assert "'independent': 'independent'," in text
    assert "genzoo.make_model('bayesian_network', structure='tree')," in text
    assert "Mine(width=3),  #" in text
    assert "'alarm': alarm,  #" in text
    assert "budget={'alarm': '15s', 'digits_binary': None," in text


def test_a_leading_bound_is_not_called_exact(demo: Path) -> None:
    edit(demo, "gan-digits_binary-0", kind="lower_bound")
    edit(demo, "transformer-digits_binary-0", kind="lower_bound")
    page = page_of(demo)
    bound, exact = finding(page, "digits_binary"), finding(page, "alarm")
    assert likelihood(demo, "digits_binary").chosen.kind == "lower_bound"
    assert bound["data-verdict"] == exact["data-verdict"] == "partly"
    assert bound.one(cls="chip").text != exact.one(cls="chip").text


def test_a_report_of_the_same_records_is_the_same(demo: Path) -> None:
    def undated() -> str:
        return re.sub(r"\d+ \w+ \d{4}, \d\d:\d\d UTC", "", build(demo)["html"].read_text())

    assert undated() == undated()


def test_a_run_without_samples_curves_or_schema_is_reported(demo: Path) -> None:
    for file in [*(demo / "datasets").iterdir(), *(demo / "cells").glob("*.npz")]:
        file.unlink()
    for file in (demo / "cells").glob("*.json"):
        edit(demo, file.stem, training=None, marginals=None)
    found = finding(page_of(demo), "alarm")
    assert found["data-model"] == "bayesian_network"
    assert found.one(cls="value").text.startswith("−10.")
    others = verdicts(likelihood(demo, "alarm"))
    assert set(others.values()) == {"not comparable"}
    assert names(found.one(finding="shown").text, *others)
