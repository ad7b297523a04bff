"""A page of reports: the quick profile, a file of one's own, text, images.

    python benchmarks/gallery.py [--out runs/gallery] [--small]

About forty minutes on two cores. The same command resumes: finished cells are kept. Pictures of the
reports need Debian's chromium and playwright; without them a card has its words alone.
"""

from __future__ import annotations

import argparse
import base64
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
from sklearn.datasets import load_breast_cancer

import genzoo

STYLES = Path(genzoo.__file__).parent / "report" / "templates" / "styles" / "base.css"
SMALL = {"models": ["independent", "mixture"], "budget": "2 steps"}  # of what a test looks at
WIDTH, HEIGHT = 1280, 800  # pixels of a report that its picture shows

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Reports by genzoo</title>
<link rel="icon" href="data:,">
<style>
{{ styles | safe }}
main { max-width: 72rem; margin: 0 auto; padding: 1.5rem 1.2rem 4rem; }
.cards { display: grid; gap: 1.2rem; margin: 1.5rem 0 0; padding: 0; list-style: none;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 26rem), 1fr)); }
.cards li { overflow: hidden; }
.cards img { display: block; width: 100%; height: auto; border-bottom: 1px solid var(--line); }
.cards div { padding: .4rem 1.1rem 1rem; }
.cards h2 { font-size: 1.15rem; margin: .6rem 0 .3rem; padding: 0; border: 0; }
.cards code { overflow-wrap: anywhere; }
</style>
</head>
<body>
<main>
<h1>Reports by genzoo</h1>
<p class="lead">Which kind of generative model suits these data, and how is it known? Each report is
one file that needs no network.</p>
<ul class="cards">
{% for card in cards %}
<li class="panel" data-report="{{ card.name }}">
{% if card.picture %}<img src="{{ card.picture }}" width="{{ width }}" height="{{ height }}"
 alt="The first screen of the report: {{ card.title }}">{% endif %}
<div>
<h2><a href="{{ card.name }}/report.html">{{ card.title }}</a></h2>
<p class="soft small">{{ card.about }}</p>
<p data-headline>{{ card.headline }}</p>
<p class="small"><code>{{ card.command }}</code></p>
</div>
</li>
{% endfor %}
</ul>
</main>
</body>
</html>
"""


class Show(NamedTuple):
    """A report of the gallery: its folder, what is said of it, the arguments of ``compare``, and
    the command that does the same."""

    name: str
    title: str
    about: str
    arguments: dict[str, Any]
    command: str


def shows(out: Path, *, small: bool) -> Iterator[Show]:
    """Every report, with a small comparison in place of each if it is only to be looked at."""
    profile: dict[str, Any] = {"profile": "quick"}
    yield Show(
        "quick",
        "The quick profile",
        "Eight families on nine embedded data sets: tables, sequences, text and images.",
        {"datasets": ["asia", "iris"]} | SMALL if small else profile,
        "genzoo compare --profile quick",
    )
    yield Show(
        "own_file",
        "A file of one's own",
        "Numbers and a class in a .csv file: cell nuclei of 569 tumours.",
        {"datasets": [own_file(out)]} | (SMALL if small else {}),
        "genzoo compare tumours.csv",
    )
    yield Show(
        "text",
        "Text",
        "First names, and plays by Shakespeare in windows of 64 characters.",
        {"datasets": ["names"]} | SMALL
        if small
        else {"datasets": ["names", "tinyshakespeare"], "budget": "60s"},
        "genzoo compare --datasets names,tinyshakespeare --budget 60s",
    )
    yield Show(
        "images",
        "Images",
        "Handwritten digits of 8 x 8 pixels, in grey and in black and white.",
        {"datasets": ["digits_binary"]} | SMALL
        if small
        else {"datasets": ["digits", "digits_binary"], "budget": "60s"},
        "genzoo compare --datasets digits,digits_binary --budget 60s",
    )


def own_file(out: Path) -> Path:
    """scikit-learn's breast cancer data as a user would have them."""
    tumours = load_breast_cancer(as_frame=True)
    names = [str(tumours.target_names[code]) for code in tumours.target]
    frame = tumours.data.assign(diagnosis=names)
    path = out / "tumours.csv"
    frame.to_csv(path, index=False)
    return path


def headline(report: Path) -> str:
    """What a report says first: the last paragraph before its first chapter."""
    opening = report.read_text(encoding="utf-8").partition("\n## ")[0]
    return opening.strip().split("\n\n")[-1]


def pictures(reports: dict[str, Path]) -> dict[str, str]:
    """The first screen of each report as a data address; of none where there is no browser."""
    browser = shutil.which("chromium")
    if browser is None:
        return {}
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return {}
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    found = {}
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=arguments)
        page = chromium.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        for name, path in reports.items():
            page.goto(path.resolve().as_uri())
            picture = base64.b64encode(page.screenshot(type="jpeg", quality=70)).decode()
            found[name] = f"data:image/jpeg;base64,{picture}"
        chromium.close()
    return found


def build(out: Path, *, small: bool = False) -> Path:
    """Run what is not finished, write the reports and the page; the page's path."""
    out.mkdir(parents=True, exist_ok=True)
    reports, cards = {}, []
    for show in shows(out, small=small):
        print(f"{show.title}: {show.command}", flush=True)
        paths = genzoo.compare(**show.arguments, out=out / show.name).report()
        reports[show.name] = paths["html"]
        cards.append(show._asdict() | {"headline": headline(paths["md"])})
    shown = pictures(reports)
    cards = [card | {"picture": shown.get(card["name"])} for card in cards]
    template = jinja2.Environment(autoescape=True).from_string(PAGE)
    page = out / "index.html"
    styles = STYLES.read_text(encoding="utf-8")
    text = template.render(styles=styles, cards=cards, width=WIDTH, height=HEIGHT)
    page.write_text(text, encoding="utf-8")
    return page


def main() -> None:
    parser = argparse.ArgumentParser(description="A page of reports.")
    parser.add_argument("--out", type=Path, default=Path("runs/gallery"), help="its folder")
    parser.add_argument(
        "--small", action="store_true", help="two families and two steps, to look at the page"
    )
    arguments = parser.parse_args()
    print(f"written: {build(arguments.out, small=arguments.small)}")


if __name__ == "__main__":
    main()
