# Everything a contributor runs. `make help` lists it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --no-header

.DEFAULT_GOAL := help
.PHONY: help setup demo up status down check test test-large bench lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## Install everything that the other targets need into .venv

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed; set PYTHON=...")'
	@echo "installing Python packages into $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(READY) ## Run the main job on real servers, show each step, clean up
	@$(BIN)/python -m deploy.demo

up: $(READY) ## Start the whole stack in the background
	@$(BIN)/python -m deploy.local up

status: $(READY) ## Tell what runs; exits 0 only when all of it is ready
	@$(BIN)/python -m deploy.local status

down: $(READY) ## Stop the stack; its data stays
	@$(BIN)/python -m deploy.local down

check: $(READY) ## Formatting, lint, types, import contracts
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m deploy.local check-emulator

test: $(READY) ## All tests that decide whether a change may land
	@$(BIN)/python -m pytest -m "not large"

test-large: $(READY) ## Tests with 100,000 documents; wants a quiet machine
	@$(BIN)/python -m pytest -m large

bench: $(READY) ## Measure latency and cost on the local stack
	@$(BIN)/python -m tests.bench

lock: $(READY) ## Write both lock files anew from pyproject.toml
	@$(BIN)/pip install --quiet --disable-pip-version-check uv
	@$(LOCK) --all-extras --group local --group dev pyproject.toml -o requirements.lock
	@$(LOCK) --extra cli --extra consumer --extra commerce --constraint requirements.lock \
		pyproject.toml -o deploy/images/requirements.lock

clean: ## Remove what setup and the stack have made
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m deploy.local down --wipe --yes; fi
	@rm -rf $(VENV) .local
