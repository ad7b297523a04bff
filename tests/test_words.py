"""What README, the site's pages, docstrings and help texts say of the package is so."""

from __future__ import annotations

import csv
import importlib.util
import re
import shlex
import subprocess
import sys
from itertools import dropwhile
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import typer
from torch.overrides import TorchFunctionMode

import genzoo
from genzoo.benchmark.profiles import PROFILES
from genzoo.cli.app import app
from genzoo.conformance.subject import N_SAMPLES
from genzoo.keys import DATASETS, MODELS
from genzoo.models.transformer import network as gpt
from genzoo.registry import dataset_entry, model_class
from genzoo.report.across import SURE_BUT_WRONG

ROOT = Path(__file__).parent.parent
PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    *(str(p.relative_to(ROOT)) for p in ROOT.glob("docs/**/*.md")),
]


def text_of(document: str) -> str:
    """With all white space made blanks."""
    return " ".join((ROOT / document).read_text(encoding="utf-8").split())


README, CHANGELOG = text_of("README.md"), text_of("CHANGELOG.md")
RESULTS = text_of("docs/results.md")
NUMBERS = (
    *("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen"),
)
FAMILIES = genzoo.list_models()


def keys(text: str) -> list[str]:
    """What stands in backticks."""
    return re.findall(r"`([\w/]+)`", text)


def found(pattern: str, text: str) -> tuple[str, ...]:
    match = re.search(pattern, text, re.IGNORECASE)
    assert match, f"expected a text with {pattern!r}"
    return match.groups()


def table(document: str, *titles: str) -> list[list[str]]:
    """The rows of a document's table whose first titles these are, cell by cell, titles first."""
    lines = iter((ROOT / document).read_text(encoding="utf-8").splitlines())
    rows = []
    for line in dropwhile(lambda line: not line.startswith(f"| {' | '.join(titles)}"), lines):
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    assert rows, f"no table with {titles}"
    return [rows[0], *rows[2:]]


# ------------------------------------------------------------------------- the network's text

ACTIVATIONS = {
    "GELU": {F.gelu},
    "ReLU": {F.relu, torch.relu, torch.Tensor.relu},
    "SiLU": {F.silu},
    "tanh": {torch.tanh, torch.Tensor.tanh},
    "softplus": {F.softplus},
}


class Called(TorchFunctionMode):
    """Which functions of torch are called inside the block."""

    def __enter__(self):
        self.functions = set()
        return super().__enter__()

    def __torch_function__(self, function, types, args=(), kwargs=None):
        self.functions.add(function)
        return function(*args, **(kwargs or {}))


def test_the_transformers_text_names_the_activation_in_use():
    rows = np.random.default_rng(0).integers(0, 2, (40, 9))
    for group_size in (1, 3):
        model = genzoo.TransformerLM(group_size=group_size, device="cpu")
        model.fit(rows, budget="2 steps")
        with Called() as called:
            model.log_prob(rows)
        used = {name for name, them in ACTIVATIONS.items() if them & called.functions}
        assert used == {name for name in ACTIVATIONS if name in gpt.__doc__}
        assert len(used) == 1


# ------------------------------------------------------------------------- families


def test_every_family_that_trains_on_rows_with_holes_says_how_it_takes_them():
    ((_, says),) = [
        row
        for row in table("docs/footguns.md", "awkward thing", "what")
        if row[0] == "code -1 in training rows"
    ]
    assert " as missing completely at random, by the families" in says
    # each as the family itself says
    for key in MODELS:
        text = " ".join(model_class(key).__doc__.split())
        if model_class(key).fits_missing:
            assert ("missing completely at random" in text) == (key in keys(says)), key
            assert ("missing at random" in text) != (key in keys(says)), key
        else:
            assert key not in keys(says)


# ------------------------------------------------------------------------- numbers


def test_the_quick_profile_is_as_large_as_the_readme_says():
    families, datasets = found(r"trains (\w+) families on (\w+) data sets", README)
    (all_,) = found(r"profile full[^.]*? trains all (\w+)", README)
    quick = PROFILES["quick"]
    assert set(quick.models) <= set(MODELS)
    assert NUMBERS.index(families) == len(quick.models)
    assert NUMBERS.index(all_) == len(PROFILES["full"].models) == len(MODELS)
    assert NUMBERS.index(datasets) == len(quick.budgets)


def test_the_changelog_counts_and_names_the_families():
    number, named = found(r"(\w+) families: (.*?)\.", CHANGELOG)
    assert NUMBERS.index(number.lower()) == len(keys(named))
    assert set(keys(named)) <= set(FAMILIES)


def test_the_results_are_of_as_many_families_as_their_page_says():
    with (ROOT / "benchmarks/results/quick.csv").open(newline="", encoding="utf-8") as file:
        models = {row["model"] for row in csv.DictReader(file)}
    (number,) = found(r"figures are of (\w+) families", RESULTS)
    assert NUMBERS.index(number) == len(models - {"truth", "stack"})
    assert models - {"truth", "stack"} == set(PROFILES["quick"].models)


def test_what_is_said_of_the_results_is_in_them():
    with (ROOT / "benchmarks/results/quick.csv").open(newline="", encoding="utf-8") as file:
        results = {(row["model"], row["dataset"]): row for row in csv.DictReader(file)}

    def gap(model: str, dataset: str) -> str:
        return f"{float(results[model, dataset]['truth_gap']):.2f}"

    assert found(
        r"the HMM is ([\d.]+) nats from the truth on `casino`, the transformer ([\d.]+) on "
        r"`grammar`, the n-gram and the Bayesian network ([\d.]+) and "
        r"([\d.]+) on `alarm`",
        RESULTS,
    ) == (gap("hmm", "casino"), gap("transformer", "grammar"), gap("ngram", "alarm"),
          gap("bayesian_network", "alarm"))  # fmt: skip
    stated = found(r"costs it ([\d.]+) \+- ([\d.]+) nats,.*?minute ([\d.]+) \+- ([\d.]+)", RESULTS)
    rows = [results[model, "tinyshakespeare"] for model in ("ngram", "transformer")]
    pairs = [(-float(row["test_log_prob"]), float(row["stderr"])) for row in rows]
    assert stated == tuple(f"{value:.1f}" for pair in pairs for value in pair)


def test_what_is_said_of_tokens_was_measured():
    with (ROOT / "benchmarks/results/tokens.csv").open(newline="", encoding="utf-8") as file:
        results = {(row["model"], row["dataset"]): row for row in csv.DictReader(file)}

    def both(model: str, text: str) -> tuple[str, ...]:
        rows = [results[model, dataset] for dataset in (text, f"{text}_bpe")]
        return tuple(f"{float(row['nats_per_byte']):.3f}" for row in rows)

    plays = "tinyshakespeare"
    number = r"(-\d\.\d+)"
    assert found(rf"transformer goes from {number} to at least {number}", RESULTS) == both(
        "transformer", plays
    )
    assert found(rf"the HMM from {number} to at least {number}", RESULTS) == both("hmm", plays)
    assert found(rf"n-gram's {number} and {number} can't be told", RESULTS) == both("ngram", plays)
    for model in ("ngram", "hmm", "transformer"):
        by_letter, in_tokens = map(float, both(model, "names"))
        assert by_letter > in_tokens
        assert results[model, f"{plays}_bpe"]["kind"] == "lower_bound"


def test_the_page_says_how_many_samples_are_checked():
    (number,) = found(r"(\d[\d,]*) samples follow", text_of("docs/checked.md"))
    assert int(number.replace(",", "")) == N_SAMPLES


def test_the_full_comparison_is_of_the_embedded_data_sets_and_says_how_many():
    script = ROOT / "benchmarks" / "compare_all.py"
    spec = importlib.util.spec_from_file_location("compare_all", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert set(module.EMBEDDED) == {key for key in DATASETS if not dataset_entry(key).files}
    assert not set(NUMBERS[3:]) & set(module.__doc__.lower().split())
    said = subprocess.run(
        [sys.executable, script, "--help"], capture_output=True, text=True, cwd=ROOT, check=True
    ).stdout
    assert f"{len(FAMILIES)} families on {len(module.EMBEDDED)} embedded data sets" in said


# ------------------------------------------------------------------------- places


@pytest.mark.parametrize("document", PAGES)
def test_files_that_are_named_are_there(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    named = r"(?<![\w./])((?:genzoo|tests|benchmarks|examples|docs|\.ci)/[\w./-]*\w/?)"
    for name in set(re.findall(named, text)) - {"docs/families/KEY.md"}:
        assert (ROOT / name).exists(), name


COMMAND = re.compile(r"(?:^ {4}|`)(?:\.venv/bin/)?genzoo ([a-z][^`#\n]*)", re.MULTILINE)


def test_commands_that_are_shown_are_read_by_the_command_line():
    shown = {
        command.strip()
        for document in PAGES
        for command in COMMAND.findall((ROOT / document).read_text(encoding="utf-8"))
    }
    assert len(shown) > 20
    for command in sorted(shown):
        found, words = typer.main.get_command(app), shlex.split(command)
        while hasattr(found, "commands") and words:  # a group
            name = words.pop(0)
            assert name in found.commands, command
            found = found.commands[name]
        if words:  # else it is only named
            found.make_context(found.name, words)  # an option that it has not is an error
    with pytest.raises(Exception, match="No such option"):
        found.make_context(found.name, ["--no-such-option"])


RATES = ROOT / "benchmarks" / "results" / "error_rates.csv"
# by line of the table in docs/proven.md: (part, what, setting) of its rates, and of those before
PROOFS, BEFORE, FALSE = "proofs", "proofs, rule before", "repeats with a false statement"
SAMPLES, IGNORED = "metrics of samples", "metrics of samples, groups ignored"


def shown_rates() -> list[list[tuple[str, str, str]]]:
    proofs = [
        [f"k = {k}, normal, 1000 rows" for k in (4, 8, 16)],
        [f"k = 8, {noise}, 1000 rows" for noise in ("heavy tails", "skewed")],
        [f"k = 8, {noise}, 100 rows" for noise in ("normal", "heavy tails", "skewed")],
        [f"k = 8, that differ in rare rows, {n} rows" for n in (60, 300, 1000)],
        ["k = 8, lighter ones that lose just the margin"],
        [f"k = 4, labels with a skill of 0.0 nats, {n} rows" for n in (100, 1000)],
        [f"k = 4, labels with a skill of 0.2 nats, {n} rows" for n in (300, 1000)],
        [f"k = 8, {sizes} rows" for sizes in ("20 groups of 50 to 50", "20 groups of 5 to 200",
                                              "6 groups of 100 to 100")],
        [f"k = 2, autocorrelation {rho}, 1000 rows" for rho in (0.5, 0.8)],
    ]  # fmt: skip
    lines = [[(PROOFS, FALSE, setting) for setting in settings] for settings in proofs]
    old = "repeats with a false proof"
    lines[0] += [(BEFORE, old, s) for s in proofs[0]]
    lines[-1] += [(BEFORE, old, f"{s}, rows as independent") for s in proofs[-1]]
    wins, equal = "data sets with a false win", "families, 300 test rows,"
    lines[4:4] = [
        [("pairs", wins, f"{k} {equal} normal") for k in (4, 8)],
        [
            *(("pairs", wins, f"8 {equal} {noise}") for noise in ("heavy tails", "skewed")),
            ("pairs", wins, "8 families, 60 test rows, normal"),
        ],
    ]
    lines.append([("folds", FALSE, f"5 folds of 600 rows, k = {k}") for k in (4, 16)])
    sets = "data sets with a false statement"
    lines.append([("fits", sets, f"{D} independent binary columns, 700 rows")
                  for D in (10, 30, 100)])  # fmt: skip
    for what in ("told apart", "covered"):
        lines.append([(part, f"c2st: {what}", "20 groups of 50 rows")
                      for part in (SAMPLES, IGNORED)])  # fmt: skip
    return lines


def test_the_rates_in_the_docs_are_those_that_were_measured():
    page = (ROOT / "docs" / "proven.md").read_text(encoding="utf-8")
    table = page.split("| what is simulated |")[1].split("\n\n")[0].splitlines()[2:]
    with RATES.open(newline="", encoding="utf-8") as file:
        rates = {(r["part"], r["what"], r["setting"]): r for r in csv.DictReader(file)}
    assert len(table) == len(shown_rates())
    for line, keys_of_line in zip(table, shown_rates(), strict=True):
        told = " / ".join(re.sub(r"\(.*?\)", "", cell) for cell in line.split("|")[2:4])
        numbers = re.findall(r"\d+(?:\.\d+)?", told.split(" of 20")[0])
        assert len(numbers) == len(keys_of_line), line
        for text, key in zip(numbers, keys_of_line, strict=True):
            places = len(text.partition(".")[2])
            value = float(rates[key]["value"])
            scale = int(rates[key]["repeats"]) if key[0] == "fits" else 100
            assert abs(float(text) - scale * value) <= 0.5001 * 10.0**-places, (line, key)
    wanted = [(r["setting"], float(r["value"])) for r in rates.values() if r["part"] == PROOFS]
    assert max(value for setting, value in wanted if "auto" not in setting) <= 0.06
    assert max(value for setting, value in wanted if "auto" in setting) <= 0.07


def shown_over_data_sets() -> list[list[tuple[str, str, str]]]:
    """As ``shown_rates``, of the table about what is said over data sets."""
    power, told = (
        ("power", "a difference that is shown"),
        ("ranks", "a pair told apart that is not"),
    )
    q_values = ("q-values", "false ones among the pairs below 5 %")
    noises, sets = ("normal", "heavy tails", "skewed"), "data sets, normal"
    bounds = ("ranks", "a bound called better that is not")
    side = "P of a side above 0.95"
    some = "nats behind on 5 data sets, normal"
    return [
        [(*power, f"6 models, {noise}, rows by the spread of 300 rows") for noise in noises],
        [(*power, f"6 models, {noise}, the difference that 500 rows could have shown")
         for noise in noises],
        [(*told, f"5 families, {n} {sets}") for n in (9, 20)],
        [(*told, f"{k} families, 20 data sets, {noise}")
         for k, noise in ((5, "heavy tails"), (5, "skewed"), (5, "normal, 2 of them better"),
                          (8, "normal"))],
        [("ranks", "Friedman's test below 5 %", f"5 families, {n} {sets}") for n in (9, 20)],
        [(*bounds, f"5 families, {n} {sets}, 2 with bounds") for n in (9, 20)],
        [(*q_values, f"6 families {behind} {some}")
         for behind in ("0/0/0/0/0/0", "0/0/0/0/0.2/0.5")],
        [("signed rank", side, f"2 families, {n} {sets}") for n in (5, 9, 20)],
        [("signed rank", f"{side}, of any pair with the first", f"5 families, 9 {sets}")],
    ]  # fmt: skip


def test_the_rates_over_data_sets_are_those_that_were_measured():
    page = (ROOT / "docs" / "proven.md").read_text(encoding="utf-8")
    lines = page.split("| over data sets |")[1].split("\n\n")[0].splitlines()[2:]
    with RATES.open(newline="", encoding="utf-8") as file:
        rates = {(r["part"], r["what"], r["setting"]): r for r in csv.DictReader(file)}
    for line, keys_of_line in zip(lines, shown_over_data_sets(), strict=True):
        told = re.sub(r"\(.*?\)", "", line.split("|")[2])
        for text, key in zip(re.findall(r"\d+(?:\.\d+)?", told), keys_of_line, strict=True):
            places = len(text.partition(".")[2])
            assert abs(float(text) - 100 * float(rates[key]["value"])) <= 0.5001 * 10.0**-places, (
                key
            )
    for rate in rates.values():
        value, error = float(rate["value"]), float(rate["stderr"])
        if rate["part"] in ("ranks", "q-values"):
            assert value <= 0.05 + 2 * error, rate
        elif rate["part"] == "power":
            assert 0.7 <= value <= 0.85, rate


def test_the_report_says_how_often_probabilities_mislead_as_it_was_measured():
    *_, of_two, of_first = shown_over_data_sets()
    with RATES.open(newline="", encoding="utf-8") as file:
        rates = {(r["part"], r["what"], r["setting"]): float(r["value"])
                 for r in csv.DictReader(file)}  # fmt: skip
    assert "more than 95 % in about one case of eight" in SURE_BUT_WRONG
    assert "against some other in about every second" in SURE_BUT_WRONG
    assert all(1 / 10 <= rates[key] <= 1 / 6 for key in of_two)
    assert 0.4 <= rates[of_first[0]] <= 0.6
