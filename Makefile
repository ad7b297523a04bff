# `make compare` and `make test` need nothing but git, make and Python 3.11 with venv.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: compare test fast-test lint clean

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

.venv/installed: setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@

clean:
	rm -rf .venv build dist *.egg-info
