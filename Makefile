# Two commands: `make demo` and `make test`. Everything else is for people who change the code.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.DEFAULT_GOAL := help
.PHONY: help demo test test-fast nightly lint types bench docs requirements clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.run  ## set up, then go from a model to a calibrated report on real data (no server, no account)
	@$(BIN)/python scripts/demo.py

test: $(VENV)/.dev lint types  ## set up, then lint, type-check and run all tests
	$(BIN)/python -m pytest -n 2 --dist worksteal

test-fast: $(VENV)/.dev  ## the tests without the slow ones
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow and not nightly"

nightly: $(VENV)/.dev  ## the long campaigns that `make test` runs in a short form (hours)
	$(BIN)/python -m pytest -m nightly --timeout 14400

lint: $(VENV)/.dev  ## ruff and the rules of the house
	$(BIN)/ruff check src tests benchmarks examples scripts
	$(BIN)/ruff format --check src tests benchmarks examples scripts
	$(BIN)/lint-imports

types: $(VENV)/.dev  ## mypy --strict
	$(BIN)/mypy

bench: $(VENV)/.dev  ## run every benchmark; each prints ratios against a peer in the same run
	$(BIN)/python benchmarks/run_all.py

docs: $(VENV)/.dev  ## regenerate the reference pages that are made from the code
	$(BIN)/python scripts/generate_reference.py

requirements:  ## pin requirements/*.txt anew (needs uv)
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header pyproject.toml --group build -o requirements/run.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header pyproject.toml --group dev -o requirements/dev.txt

clean:  ## remove the environment and what the demo left
	rm -rf $(VENV) demo

# Copied or moved with its folder, an environment runs the other folder's code: setup.sh makes it anew.
MADE_FOR := $(shell sed -n 's/^command = .* -m venv //p' $(VENV)/pyvenv.cfg 2>/dev/null)
ifneq ($(MADE_FOR),)
ifneq ($(MADE_FOR),$(CURDIR)/$(VENV))
.PHONY: $(VENV)/.run $(VENV)/.dev
endif
endif

$(VENV)/.run: requirements/run.txt pyproject.toml
	@PYTHON="$(PYTHON)" sh scripts/setup.sh $(VENV) run
	@touch $@

$(VENV)/.dev: requirements/dev.txt pyproject.toml
	@PYTHON="$(PYTHON)" sh scripts/setup.sh $(VENV) dev
	@touch $@ $(VENV)/.run
