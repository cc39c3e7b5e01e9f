# The development tasks of this project. `make` alone lists them.

PYTHON ?= python3
VENV ?= .venv
PORT ?= 10800
ARGS ?=
JOBS ?= 2

BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install run test large lint format coverage bench profile chaos hostile fuzz sanitized docs screenshots build clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

install: $(STAMP) ## set up .venv with the project and its test dependencies (PYTHON=python3.12 to choose another Python)

# Editable, in setuptools' compat mode: any other editable install hides the twistd plugin (CONTRIBUTING.md).
$(STAMP): setup.cfg setup.py pyproject.toml fetch_libraries.py $(wildcard ocpp_tw/ocpp/compiled/*.p*)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "ocpp_tw needs Python 3.11 or later, and $(PYTHON) is $$($(PYTHON) --version 2>&1): name another, as in 'make install PYTHON=python3.12'" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input --config-settings editable_mode=compat --editable '.[test]'
	@$(BIN)/python fetch_libraries.py || echo "the gateway works without its pages" >&2
	@$(BIN)/python -c 'from ocpp_tw.ocpp import compiled as c; c.IS_USED or print(f"the gateway works without compiled modules ({c.WHY_NOT}); install gcc and the headers of Python to have them, and make -B install")'
	@touch $@

run: $(STAMP) ## run a gateway in the foreground (PORT=10800, ARGS="--base-url http://...")
	@exec $(BIN)/twistd --pidfile= -n ocpp --port $(PORT) $(ARGS)

test: $(STAMP) ## run the whole test suite, two tests at a time (ARGS="-k boot" for a part, JOBS=0 for one process without workers)
	@$(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(ARGS)

large: $(STAMP) ## look at every page with ten thousand chargers, in a browser, in some two minutes (needs one: apt-get install chromium)
	@$(BIN)/python -m pytest -m large -s $(ARGS)

lint: $(STAMP) ## check style (ruff), types (mypy, strict, for the package; tests are not type-checked) and which package imports which (import-linter)
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy --no-error-summary -p ocpp_tw
	@report=$$($(BIN)/lint-imports --no-logo --no-cache) || { echo "$$report" >&2; exit 1; }

format: $(STAMP) ## format the code and sort its imports
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format .

coverage: $(STAMP) ## run the test suite and list the lines it did not execute (code run in subprocesses is not counted)
	@$(BIN)/coverage run --branch --source=ocpp_tw -m pytest
	@$(BIN)/coverage report --show-missing --skip-covered

# uvloop and libvalkey, which make the Python peer as fast as possible; without them it is measured all the same.
$(VENV)/.bench: $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input --config-settings editable_mode=compat --editable '.[bench]' || \
	  echo "uvloop and libvalkey cannot be installed: the peer runs without them" >&2
	@touch $@

bench: $(VENV)/.bench ## measure the cost of messages and chargers, compared with other servers (ARGS="--quick", ARGS="--markdown docs/performance.md")
	@$(BIN)/python benchmarks/bench.py $(ARGS)

chaos: $(STAMP) ## inject faults around a gateway for ten minutes and check that nothing is lost (ARGS="--seed 7 --faults 1000 --duration 600")
	@PYTHONPATH=.:tests:tests/support $(BIN)/python -m chaos $(ARGS)

hostile: $(STAMP) ## attack a gateway in some sixty ways and measure what that costs it and an innocent charger (ARGS="--only pongs --seconds 5", ARGS=--list)
	@PYTHONPATH=.:tests:tests/support $(BIN)/python -m hostile $(ARGS)

fuzz: $(STAMP) ## feed a gateway in memory with messages grown to 1 MB and random mutations for five minutes (ARGS="--seed 7 --seconds 600")
	@PYTHONPATH=.:tests:tests/support $(BIN)/python -m fuzz $(ARGS)

sanitized: $(STAMP) ## feed the compiled modules, built with gcc's sanitizers, with mutated messages (ARGS="--seed 7 --inputs 1000000")
	@cd tests && PYTHONPATH=..:.:support ../$(BIN)/python -m fuzz.sanitized $(ARGS)

profile: $(STAMP) ## show where the gateway spends time, by library, module and function (ARGS="--chargers 1000 --top 50"), or memory (ARGS=--memory)
	@$(BIN)/python benchmarks/profile_gateway.py $(ARGS)

docs: $(STAMP) ## regenerate the tables of docs/ from the code
	@$(BIN)/python docs/tables.py

screenshots: $(STAMP) ## make the README's pictures of the pages (needs a browser: apt-get install chromium)
	@PYTHONPATH=.:tests:tests/support $(BIN)/python docs/screenshots.py

build: $(STAMP) ## build the wheel into dist/
	@rm -rf build dist
	@$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .
	@rm -rf build && ls dist

clean: ## remove everything that these targets created, including .venv
	@rm -rf $(VENV) build dist ocpp_tw/pages/vendor *.egg-info htmlcov .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find ocpp_tw -name '*.so' -delete
	@find ocpp_tw twisted tests benchmarks examples -name __pycache__ -prune -exec rm -rf {} +
	@find twisted -name dropin.cache -delete
