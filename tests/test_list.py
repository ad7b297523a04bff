"""``genzoo list``: what there is, with what helps to choose."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from typing import Any

import pytest

import genzoo
from genzoo import catalogue
from genzoo.protocols import Certifies, ScoresText
from genzoo.registry import dataset_entry, model_class

KEYS = {
    "models": genzoo.list_models(),
    "datasets": genzoo.list_datasets(),
    "metrics": genzoo.list_metrics(),
}


def run(*arguments: str, code: int = 0) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "genzoo", "list", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done


def on_terminal(columns: int, *arguments: str) -> str:
    """What is shown on a terminal so wide, without its colours."""
    main, side = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "genzoo", "list", *arguments],
        stdout=side,
        env={**os.environ, "COLUMNS": str(columns), "NO_COLOR": "1", "TERM": "dumb"},
    ) as process:
        os.close(side)
        shown = b""
        while True:
            try:
                part = os.read(main, 4096)
            except OSError:  # closed
                break
            if not part:
                break
            shown += part
    os.close(main)
    assert process.returncode == 0
    return shown.decode().replace("\r", "").replace("\x1b[1m", "").replace("\x1b[0m", "")


@pytest.mark.parametrize("what", KEYS)
def test_a_line_each_that_is_not_cut_off(what):
    lines = run(what).stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["key", *KEYS[what]]
    descriptions = {
        "models": lambda key: str(model_class(key).__doc__).splitlines()[0],
        "datasets": lambda key: dataset_entry(key).about,
        "metrics": lambda key: catalogue.metrics()[key].meaning.partition(". ")[0],
    }
    at = lines[0].index("what it is")
    for line, key in zip(lines[1:], KEYS[what], strict=True):
        assert line[at - 2 : at] == "  "
        assert line[at:] == descriptions[what](key).rstrip(".")


def test_everything_under_headings():
    text = run().stdout
    assert [line for line in text.splitlines() if line.endswith(":")] == [f"{k}:" for k in KEYS]
    for keys in KEYS.values():
        assert all(f"\n{key} " in text for key in keys)


def test_json():
    tables = json.loads(run("--json").stdout)
    assert {what: [line["key"] for line in table] for what, table in tables.items()} == KEYS
    adult = next(line for line in tables["datasets"] if line["key"] == "adult")
    assert adult["rows"] == [29305, 3256, 16281]
    assert adult["label"] == "income"
    assert adult["truth"] is False
    assert adult["size"] == dataset_entry("adult").raw_bytes
    assert adult["files"] in ("here", "download")
    density = next(line for line in tables["metrics"] if line["key"] == "density")
    assert density["good"] == "1"
    assert json.loads(run("models", "--json").stdout) == {"models": tables["models"]}


def test_what_families_offer_is_what_their_classes_have():
    """The file is written by ``make generated``; a slow test holds it to fits."""
    for key, facts in catalogue.families().items():
        family = model_class(key)
        assert facts["about"] == str(family.__doc__).splitlines()[0]
        assert ("certified bounds" in facts["offers"]) == issubclass(family, Certifies)
        assert ("text scores" in facts["offers"]) == issubclass(family, ScoresText)
        assert ("training on holes" in facts["offers"]) == family.fits_missing
        assert ("warm starts" in facts["offers"]) == family.warm_starts


def test_a_family_that_was_not_generated_is_listed_with_blanks():
    assert catalogue.families({"mine": "mine:Mine"}) == {"mine": {}}


def test_filters():
    text = json.loads(run("--layout", "text", "--json").stdout)
    assert [line["key"] for line in text["datasets"]] == [
        key for key in KEYS["datasets"] if dataset_entry(key).layout == "text"
    ]
    known = run("datasets", "--search", "KNOWN text").stdout.splitlines()
    assert [line.split()[0] for line in known] == ["key", "casino", "grammar"]
    assert "text scores" in run("--search", "text scores").stdout
    nothing = run("--search", "nosuchword")
    assert nothing.stdout == ""
    assert "nothing found" in nothing.stderr
    assert json.loads(run("models", "--search", "nosuchword", "--json").stdout) == {"models": []}


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["families"], "expected models, datasets or metrics"),
        (["modles"], "did you mean 'models'"),
        (["--layout", "tabel"], "did you mean 'table'"),
        (["models", "--layout", "text"], "--layout: holds for datasets"),
    ],
)
def test_bad_input(arguments, reason):
    done = run(*arguments, code=2)
    assert reason in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
def test_on_a_terminal_nothing_is_wider_and_nothing_is_lost(columns):
    shown = on_terminal(columns, "models")
    lines = shown.splitlines()
    assert max(map(len, lines)) <= columns
    assert [line.split()[0] for line in lines if line[:1].isalpha()] == ["key", *KEYS["models"]]
    words = set(shown.replace(",", " ").split())
    for facts in catalogue.families().values():
        wanted = f"{facts['about'].rstrip('.')} {' '.join(facts['offers'])}"
        assert set(wanted.replace(",", " ").split()) <= words


def test_it_does_not_load_torch():
    code = (
        "import sys; sys.argv = ['genzoo', 'list']\n"
        "from genzoo.cli.app import main\n"
        "try: main()\n"
        "finally: print('loaded:', 'torch' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "loaded: False\n"


def test_who_has_seen_enough_gets_no_error():
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "genzoo", "list"],
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")
