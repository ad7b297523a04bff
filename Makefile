# `make compare` and `make test` need nothing but git, make and Python 3.11 with venv.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: compare test fast-test lint generated clean

compare: .venv/installed
	$(BIN)/genzoo compare --profile quick --out runs/quick

test: .venv/installed
	$(BIN)/pytest

fast-test: .venv/installed
	$(BIN)/pytest -m "not slow"

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# what follows from genzoo/keys.py: the stub of the package, tables in README and docs
generated: .venv/installed
	$(BIN)/python docs/generate.py

.venv/installed: setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@

clean:
	rm -rf .venv build dist *.egg-info
