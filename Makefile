# `make compare` and `make test` need nothing but git, make and Python 3.11 with venv.
PYTHON ?= python3
BIN := .venv/bin
# each file's tests run in one process, which makes their fixtures once
WORKERS ?= 2
PYTEST := $(BIN)/pytest -n $(WORKERS) --dist loadfile

.PHONY: compare test fast-test doctest coverage lint clean

compare: .venv/installed
	$(BIN)/genzoo compare --profile quick --out runs/quick

# the tests, and the examples in docstrings
test: .venv/installed
	$(PYTEST)

fast-test: .venv/installed
	$(PYTEST) -m "not slow"

doctest: .venv/installed
	$(BIN)/pytest genzoo

# which lines the quick tests run
coverage: .venv/installed
	$(PYTEST) -m "not slow" --cov --cov-report=term:skip-covered

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
