# What is done with this project, day by day. `make` alone lists it.

PYTHON ?= python3
VENV ?= .venv
PORT ?= 10800
ARGS ?=

BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install run test lint format coverage bench profile chaos docs build clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

install: $(STAMP) ## set up .venv with the project and what its tests need (PYTHON=python3.12 to choose another)

# Editable, in setuptools' compat mode: any other editable install hides the twistd plugin (CONTRIBUTING.md).
$(STAMP): setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "ocpp_tw needs Python 3.11 or later, and $(PYTHON) is $$($(PYTHON) --version 2>&1): name another, as in 'make install PYTHON=python3.12'" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input --config-settings editable_mode=compat --editable '.[test]'
	@touch $@

run: $(STAMP) ## run a gateway in the foreground (PORT=10800, ARGS="--base-url http://...")
	@exec $(BIN)/twistd --pidfile= -n ocpp --port $(PORT) $(ARGS)

test: $(STAMP) ## run the whole test suite (ARGS="-k boot" for a part)
	@$(BIN)/python -m pytest $(ARGS)

lint: $(STAMP) ## check style (ruff), types (mypy, strict, for the package; tests are not type-checked) and which package imports which (import-linter)
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy --no-error-summary -p ocpp_tw
	@report=$$($(BIN)/lint-imports --no-logo --no-cache) || { echo "$$report" >&2; exit 1; }

format: $(STAMP) ## format the code and sort its imports
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format .

coverage: $(STAMP) ## run the test suite and say which lines it never reached (those in processes of their own do not count)
	@$(BIN)/coverage run --branch --source=ocpp_tw -m pytest
	@$(BIN)/coverage report --show-missing --skip-covered

# What only the Python peer needs, to be as fast as it can be; without them it is measured all the same.
$(VENV)/.bench: $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input --config-settings editable_mode=compat --editable '.[bench]' || \
	  echo "uvloop and libvalkey cannot be had: the peer does without" >&2
	@touch $@

bench: $(VENV)/.bench ## measure what messages and chargers cost, beside others (ARGS="--quick", ARGS="--markdown docs/performance.md")
	@$(BIN)/python benchmarks/bench.py $(ARGS)

chaos: $(STAMP) ## break everything around a gateway for ten minutes and prove that nothing is lost (ARGS="--seed 7 --faults 1000 --duration 600")
	@PYTHONPATH=.:tests $(BIN)/python -m chaos $(ARGS)

profile: $(STAMP) ## show where the gateway's time goes, by library, module and function (ARGS="--chargers 1000 --top 50"), or its memory (ARGS=--memory)
	@$(BIN)/python benchmarks/where.py $(ARGS)

docs: $(STAMP) ## write the tables of docs/ anew from the code
	@$(BIN)/python docs/tables.py

build: $(STAMP) ## build the wheel into dist/
	@rm -rf build dist
	@$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .
	@rm -rf build && ls dist

clean: ## remove whatever these targets made, .venv included
	@rm -rf $(VENV) build dist *.egg-info htmlcov .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find ocpp_tw twisted tests benchmarks -name __pycache__ -prune -exec rm -rf {} +
	@find twisted -name dropin.cache -delete
