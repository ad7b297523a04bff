"""The report says what the records say, and no more."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from demo_run import edit, edit_plan, write_demo
from reading import html_of, markdown_of, section, table_of

from genzoo.report import build


def finding(folder: Path, dataset: str) -> str:
    """The line of the Markdown's findings about a data set."""
    return next(
        line for line in markdown_of(folder).splitlines() if line.startswith(f"- **{dataset}**")
    )


def metric(value: float, stderr: float) -> dict[str, Any]:
    return {
        "value": value, "stderr": stderr, "unit": "u", "higher_is_better": False, "kind": "estimate"
    }  # fmt: skip


class Checker(HTMLParser):
    """Collects tags; open tags that don't match are errors."""

    VOID = frozenset(("meta", "input", "img", "br", "link", "hr"))

    def __init__(self) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def parsed(folder: Path) -> Checker:
    checker = Checker()
    checker.feed(html_of(folder))
    assert checker.stack == []
    return checker


def test_writes_two_files_into_the_run(demo: Path) -> None:
    paths = build(demo)
    assert paths == {"html": demo / "report.html", "md": demo / "report.md"}
    assert paths["html"].stat().st_size < 3e6


def test_a_folder_without_a_run_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"plan\.json"):
        build(tmp_path)


def test_the_html_is_whole_self_contained_and_accessible(demo: Path) -> None:
    page = parsed(demo)
    tags = [tag for tag, _ in page.seen]
    assert "script" not in tags
    assert "link" not in tags
    for tag, attributes in page.seen:
        for name in ("src", "href"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:image/png;base64,"))
        if tag == "img":
            assert attributes["alt"]
        if tag == "svg":
            assert attributes["aria-label"]
        if tag == "th":
            assert attributes["scope"] in ("col", "row", "rowgroup")
    ids = [a["id"] for _, a in page.seen if "id" in a]
    assert len(ids) == len(set(ids))
    targets = {a["href"][1:] for t, a in page.seen if t == "a" and a.get("href")}
    assert targets <= set(ids)


def test_the_matrix_marks_kinds_and_errors(demo: Path) -> None:
    record = json.loads((demo / "cells" / "vae-alarm-0.json").read_text())
    html, markdown = html_of(demo), markdown_of(demo)
    value = f"{-record['test_log_prob']:.2f}"
    assert f"≥ −{value} ± " in html
    assert f">= -{value} +- " in markdown
    bits = f"{record['bits_per_dim']:.4f}"
    # more likelihood is fewer bits: the bound turns round
    assert f"≤ {bits}" in html
    assert f"<= {bits}".replace("<", "\\<") in markdown
    row = next(line for line in markdown.splitlines() if line.startswith("| bayesian_network |"))
    assert row.count("(chosen, highest)") == 2  # alarm and flowers


def test_the_truth_is_a_row_and_the_gap_is_paired(demo: Path) -> None:
    truth = np.load(demo / "cells" / "truth-alarm.npz")["log_prob"]
    model = np.load(demo / "cells" / "transformer-alarm-0.npz")["log_prob"]
    gap, error = np.mean(truth - model), np.std(truth - model, ddof=1) / np.sqrt(len(truth))
    section = markdown_of(demo).split("## alarm\n")[1].split("## digits")[0]
    assert "|  | truth | " in section
    assert f"{gap:.3f} +- {error:.3f}" in section
    assert "| truth |" not in markdown_of(demo).split("## flowers\n")[1].split("##")[0]


def test_findings_say_what_is_proven_and_what_is_open(demo: Path) -> None:
    alarm = finding(demo, "alarm")
    assert "bayesian_network -10." in alarm
    assert "(best of the exact values)" in alarm
    assert "It is proven better than transformer, hmm and independent" in alarm
    assert "vae and gan give only a lower bound that lies below" in alarm
    assert "nothing is proven" in alarm
    flowers = finding(demo, "flowers")
    assert "(not told from all)" in flowers
    assert "Nothing that is worth a choice is shown between" in flowers
    assert "could have gone unseen" in flowers


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
    line = finding(demo, "digits_binary")
    assert "vae >= " in line
    assert "(proven best)" in line
    assert "has a lower bound that lies above the exact values of" in line
    assert "proven better than every rival on digits_binary" in markdown_of(demo)


def test_an_estimate_is_no_choice_beside_others_and_proves_nothing(demo: Path) -> None:
    for file in (demo / "cells").glob("*-alarm-0.json"):
        validation = json.loads(file.read_text())["validation"]
        if file.stem == "bayesian_network-alarm-0":
            edit(demo, file.stem, kind="estimate", validation=validation | {"kind": "estimate"})
    assert "Estimates prove nothing: bayesian_network" in finding(demo, "alarm")
    for file in (demo / "cells").glob("*-alarm-0.json"):
        validation = json.loads(file.read_text())["validation"]
        edit(demo, file.stem, kind="estimate", validation=validation | {"kind": "estimate"})
    line = finding(demo, "alarm")
    assert "bayesian_network ~ -10." in line
    assert "(open)" in line
    assert "Its value is an estimate, which proves nothing." in line
    assert "proven better" not in line


def test_a_bound_below_the_baseline_is_not_called_worse(demo: Path) -> None:
    for model in ("gan", "hmm"):
        path = demo / "cells" / f"{model}-alarm-0.npz"
        with np.load(path) as stored:
            arrays = dict(stored)
        np.savez(path, **(arrays | {"log_prob": arrays["log_prob"] - 50}))
    line = finding(demo, "alarm")
    assert "gan can't be shown to beat independent." in line
    assert "hmm has no higher value than independent." in line


def test_still_improving_cells_are_marked_and_named(demo: Path) -> None:
    markdown = markdown_of(demo)
    assert "transformer, vae and gan were still improving" in finding(demo, "digits_binary")
    assert "Still improving when training stopped: transformer on digits_binary" in markdown
    assert " \\* |" in markdown
    assert "↗" in html_of(demo)
    for model in ("transformer", "vae", "gan"):
        for dataset in ("digits_binary", "play"):
            edit(demo, f"{model}-{dataset}-0", training={"converged": True, "curve": []})
    assert "Still improving when training stopped:" not in markdown_of(demo)


def test_failures_are_shown_with_reason_and_traceback(demo: Path) -> None:
    edit(demo, "hmm-play-0", status="unsupported", reason="more than 100 symbols")
    (demo / "cells" / "vae-play-0.json").unlink()
    html, markdown = html_of(demo), markdown_of(demo)
    assert "the loss of gan was not finite at step 412" in html
    assert "<details><summary>Traceback</summary><pre>Traceback (most recent call last)" in html
    assert "- gan on names, seed 0: failed: FloatingPointError" in markdown
    assert "- hmm on play, seed 0: unsupported: more than 100 symbols" in markdown
    assert "- vae on play, seed 0: not run" in markdown
    assert "27 of 30 cells gave a result" in markdown


def test_a_run_in_which_everything_failed_still_has_a_report(tmp_path: Path) -> None:
    demo = write_demo(tmp_path / "run", datasets=("flowers",))
    for file in (demo / "cells").glob("*.json"):
        edit(demo, file.stem, status="failed", test_log_prob=None, reason="out of memory")
    assert "No family gave a result" in markdown_of(demo)
    assert "out of memory" in html_of(demo)


def test_an_alarm_is_prominent_and_its_cell_wins_nothing(demo: Path) -> None:
    assert "No alarm: in all 11 cells" in html_of(demo)
    raised = {"raised": True, "statistic": 123.4, "threshold": 6.9}
    edit(demo, "bayesian_network-alarm-0", alarm=raised)
    html, markdown = html_of(demo), markdown_of(demo)
    assert html.index('role="alert"') < html.index('<ul class="findings')
    assert "123.4 nats above the truth" in html
    assert "**ALARM.**" in markdown
    line = finding(demo, "alarm")
    assert "(alarm)" in line
    assert "**alarm**: transformer" in line
    assert "which take no part in the choice" in line
    assert "Validation chose transformer on alarm" in markdown


def test_an_alarm_stands_at_the_model_too(demo: Path) -> None:
    raised = {"raised": True, "statistic": 123.4, "threshold": 6.9}
    edit(demo, "hmm-alarm-0", alarm=raised)
    row = next(w for w in section(demo, "alarm").splitlines() if "| hmm |" in w)
    assert "| ALARM, " in row
    assert html_of(demo).count('href="#alarms">alarm</a><br>') == 1


def test_the_divergence_of_a_bound_is_an_upper_bound(demo: Path) -> None:
    rows = section(demo, "alarm").splitlines()
    assert "| KL(truth, model) |" in next(w for w in rows if w.startswith("| rank"))
    for model, mark in (("vae", "\\<= "), ("hmm", "")):
        truth = np.load(demo / "cells" / "truth-alarm.npz")["log_prob"]
        lost = truth - np.load(demo / "cells" / f"{model}-alarm-0.npz")["log_prob"]
        error = lost.std(ddof=1) / np.sqrt(len(lost))
        row = next(w for w in rows if f"| {model} |" in w)
        assert f"| {mark}{lost.mean():.3f} +- {error:.3f} |" in row
    assert "KL(truth" not in section(demo, "flowers")


def test_bounds_say_where_they_come_from(demo: Path) -> None:
    text = section(demo, "alarm")
    rows = [w for w in text.splitlines() if w.startswith(("| vae | importance", "| gan | anneal"))]
    vae, gan = rows
    assert "importance-weighted bound (IWAE) | 41.3 | 9.7 | 0.21 +- 0.06" in vae
    assert "(on 50 of its own samples) | - | - |" in vae
    assert "annealed importance sampling (AIS) | 5.2 | 1.3 (few) |" in gan
    assert "no simulation of partly observed rows" in gan
    assert "| -13.24 to -11.61 | 0.30 (much) |" in gan
    assert "not on test rows" in text
    assert "- note on gan: calibrated on validation rows" in text
    assert "gan on alarm (0.30)" in markdown_of(demo).split("## What can't")[1].split("##")[0]
    for model in ("vae", "gan"):
        edit(demo, f"{model}-alarm-0", kind="exact", bound=None)
    assert "certified gap" not in section(demo, "alarm")


def test_samples_are_judged_beside_references(demo: Path) -> None:
    rows = table_of(section(demo, "alarm"), "| samples of |")
    assert list(rows) == [
        "bayesian_network", "transformer", "vae", "hmm", "gan", "independent", "held-out", "copycat"
    ]  # fmt: skip
    assert rows["bayesian_network"][0] == "**0.500 +- 0.010**"
    assert rows["transformer"][0].startswith("**0.515")  # within two errors of it
    assert not rows["independent"][0].startswith("**")
    assert not any("**" in row[2] for row in rows.values())  # density is best at 1
    assert rows["copycat"][3] == "0.800 +- 0.012"
    text = "".join(parsed(demo).text)
    assert "gradient-boosted trees tell samples from test rows" in text
    assert "n-grams, TV (n-grams are of sequences; these rows are of table)" in text
    assert "copycat" not in markdown_of(demo).split("## Nats per row")[1].split("## alarm")[0]
    assert "29 of 30 cells gave a result" in markdown_of(demo)


def test_where_all_are_near_the_best_none_is_marked(tmp_path: Path) -> None:
    demo = write_demo(tmp_path / "run", datasets=("flowers",))
    for file in (demo / "cells").glob("*-flowers-0.json"):
        metrics = json.loads(file.read_text())["metrics"]
        edit(demo, file.stem, metrics=metrics | {"c2st": metric(0.51, 0.02)})
    rows = table_of(section(demo, "flowers"), "| samples of |")
    assert not any("**" in row[0] for row in rows.values())


def test_who_memorises_is_named(demo: Path) -> None:
    assert "nearer to training rows" not in section(demo, "alarm")
    for model, value in (("hmm", 0.72), ("vae", 0.62)):
        file = demo / "cells" / f"{model}-alarm-0.json"
        metrics = json.loads(file.read_text())["metrics"]
        edit(demo, file.stem, metrics=metrics | {"memorisation": metric(value, 0.012)})
    text = section(demo, "alarm")
    assert "The samples of hmm (0.720 +- 0.012) lie nearer to training rows" in text
    assert "vae (0.62" not in text  # less than half way
    # where a copycat is like fresh rows nobody can be caught
    edit(demo, "copycat-alarm", metrics={"memorisation": metric(0.51, 0.012)})
    text = section(demo, "alarm")
    assert "lie nearer to training rows" not in text
    assert "Copies can't be told from fresh rows here" in text


def test_features_of_their_own_are_said_to_be_so(demo: Path) -> None:
    assert "no FID elsewhere" not in section(demo, "flowers")
    edit(demo, "hmm-flowers-0", metrics={"frechet": metric(0.4, 0.1), "mine": metric(2.0, 0.1)})
    text = section(demo, "flowers")
    assert "no FID elsewhere" in text
    assert "| mine (lower is better) |" in text  # a metric that the report has no words for


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
    markdown = markdown_of(demo)
    line = next(w for w in markdown.split("## alarm\n")[1].splitlines() if "| hmm |" in w)
    assert f"| {values[1]:.2f} +- {error:.2f} |" in line
    spread = np.std(values, ddof=1)
    assert f"| {np.mean(values):.2f}, sd {spread:.2f} | 3 of 3 |" in line
    assert "trained once" not in markdown
    edit(demo, "hmm-alarm-1", status="failed", test_log_prob=None, reason="killed")
    assert "| 2 of 3 |" in markdown_of(demo)


def test_samples_are_shown_in_the_form_of_the_data(demo: Path) -> None:
    page = parsed(demo)
    text = "".join(page.text)
    html = html_of(demo)
    assert html.count('<img src="data:image/png;base64,') == 7  # real rows and six models
    assert "<li>olive</li>" in html
    assert "<mark>ROMEO:</mark>\nBut soft" in html
    assert "−1.710 ± 0.020" in text
    assert "setosa" in text
    assert "a perfect model would show about" in text


def test_everything_from_the_records_is_escaped(demo: Path) -> None:
    evil = "<script>alert('1')</script>"
    plan = json.loads((demo / "plan.json").read_text())
    plan["datasets"][0] |= {"source": evil, "licence": evil}
    plan["models"][1]["params"] = {"structure": evil}
    edit_plan(demo, **plan)
    edit(demo, "gan-names-0", reason=evil, traceback=evil)
    edit(demo, "hmm-alarm-0", notes=[evil])
    edit(demo, "transformer-play-0", completions={evil: evil})
    page = parsed(demo)
    assert "script" not in [tag for tag, _ in page.seen]
    assert "<script" not in markdown_of(demo).replace("\\<script", "")
    # source, licence, parameter, note, traceback, completion, reason in four views and in the list
    assert "".join(page.text).count("alert(") == 11


def test_the_command_repeats_the_run(demo: Path) -> None:
    assert "genzoo compare --models independent,bayesian_network,hmm" in markdown_of(demo)
    assert "--budget 15s" in markdown_of(demo)
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
    assert "Mine(width=3),  # your own class" in text
    assert "'alarm': alarm,  # your own data" in text
    assert "budget={'alarm': '15s', 'digits_binary': None," in text


def test_a_leading_bound_is_not_called_exact(demo: Path) -> None:
    edit(demo, "gan-digits_binary-0", kind="lower_bound")
    edit(demo, "transformer-digits_binary-0", kind="lower_bound")
    line = finding(demo, "digits_binary")
    assert "(beats every exact value)" in line
    assert "best of the exact values" not in line


def test_a_report_of_the_same_records_is_the_same(demo: Path) -> None:
    def undated() -> str:
        return re.sub(r"report written [^.]*\.", "", html_of(demo))

    assert undated() == undated()


def test_a_run_without_samples_curves_or_schema_is_reported(demo: Path) -> None:
    for file in [*(demo / "datasets").iterdir(), *(demo / "cells").glob("*.npz")]:
        file.unlink()
    for file in (demo / "cells").glob("*.json"):
        edit(demo, file.stem, training=None, marginals=None)
    line = finding(demo, "alarm")
    assert "bayesian_network -10." in line
    assert "left no values of the same test rows to compare" in line
