# Everything below works on a machine with only python3 (3.11 to 3.14) and make: the first target
# that needs it makes the environment in $(VENV) from the exact lock, later ones start at once.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip --disable-pip-version-check --no-input -qq
# An install is good for one state of the locks and of pyproject.toml, whatever the file times say.
STATE := $(shell cat requirements.lock requirements-dev.lock pyproject.toml | cksum | cut -d ' ' -f 1)
RUN = $(VENV)/.run-$(STATE)
DEV = $(VENV)/.dev-$(STATE)

# One version a package for every Python we support, with its hashes and without any index's address.
COMPILE = $(BIN)/uv pip compile pyproject.toml --universal --fork-strategy fewest --upgrade --quiet \
	--python-version 3.11 --generate-hashes --custom-compile-command 'make lock'

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test check bench docs lock clean

help: ## Show what there is to make
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS='	' read -r name text; do \
		printf '  make %-6s %s\n' "$$name" "$$text"; done

demo: $(RUN) ## Run a burst day in the terminal, from the first reading to the report
	@$(BIN)/tocsin demo

test: check ## Run the checks, then every test; the last lines are the result
	@$(BIN)/python -m pytest -n 2 --dist loadfile

check: $(DEV) ## Lint, format, types and import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

bench: $(RUN) ## Measure the figures of the README; prints JSON and a table
	@$(BIN)/python -m benchmarks

docs: $(RUN) ## Write the module map of ARCHITECTURE.md anew from the docstrings
	@$(BIN)/python docs/map.py --write

lock: $(VENV)/bin/python ## Choose exact versions anew (asks the package index)
	@$(PIP) install uv
	@$(COMPILE) --group build -o requirements.lock
	@$(COMPILE) --group dev -c requirements.lock -o requirements-dev.lock

clean: ## Remove the environment and what the tools left (never the runs)
	@rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(not (3, 11) <= v < (3, 15) and \
		"Tocsin needs Python 3.11 to 3.14, this is %d.%d: make PYTHON=python3.12" % v)'
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "no venv: install your system's python3-venv package, then make again"; exit 1; }

$(RUN): $(VENV)/bin/python
	@echo "Installing Tocsin into $(VENV) (once, about half a minute)"
	@rm -f $(VENV)/.run-* $(VENV)/.dev-*
	@$(PIP) install --no-deps --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV): $(RUN)
	@echo "Installing the tools for development"
	@$(PIP) install --no-deps --require-hashes -r requirements-dev.lock
	@touch $@
