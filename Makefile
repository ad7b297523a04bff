# `make compare` and `make test` need nothing but git, make and Python 3.11 with venv.
PYTHON ?= python3
BIN := .venv/bin
# each file's tests run in one process, which makes their fixtures once
WORKERS ?= 2
PYTEST := $(BIN)/pytest -n $(WORKERS) --dist loadfile

.PHONY: compare gallery test fast-test doctest coverage lint generated docs clean

compare: .venv/installed
	$(BIN)/genzoo compare --profile quick --out runs/quick

# a page of reports, in runs/gallery
gallery: .venv/installed
	$(BIN)/python benchmarks/gallery.py

test: doctest
	$(PYTEST)

fast-test: doctest
	$(PYTEST) -m "not slow"

# the examples in docstrings
doctest: .venv/installed
	$(BIN)/pytest --doctest-modules genzoo

# which lines the quick tests run
coverage: .venv/installed
	$(PYTEST) -m "not slow" --cov --cov-report=term:skip-covered

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# what follows from genzoo/keys.py and benchmarks/results: the stub of the package, parts of docs
generated: .venv/installed
	$(BIN)/python -m docs.generate

# the documentation's site, into site/; a broken link is an error
docs: .venv/installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

.venv/installed: setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@

clean:
	rm -rf .venv build dist site *.egg-info
