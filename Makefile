# The two commands of this project are `make book` and `make test`. Both need make and Python 3.11 or
# newer, and install the rest into .venv. `make help` lists what else there is.

VENV  := .venv
BIN   := $(VENV)/bin
STAMP := $(VENV)/installed-for
RECENT = import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3; do \
            $$python -c "$(RECENT)" 2>/dev/null && { echo $$python; break; }; done)

# Chapters that only read the ledger: all their outputs are compared, and not just those of marked cells.
TABLES := $(wildcard notebooks/08_* notebooks/09_* notebooks/10_* notebooks/11_*)
NBVAL  := $(BIN)/python -m pytest -o addopts= -p no:cacheprovider --nbval-current-env \
            --nbval-sanitize-with tests/notebooks/sanitize.cfg

# Kernels come from $(VENV), whatever kernels the user has registered, and figures go into the notebook.
export JUPYTER_PREFER_ENV_PATH := 1
unexport MPLBACKEND

.DEFAULT_GOAL := help
.PHONY: help book test test-slow bench faults mutants notebooks lint env install clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 14

book: env  ## execute every notebook, render the book, check that nothing is missing
	$(BIN)/python book/build.py render

test: lint  ## all that should hold before a change is shared: lint, types, tests, doctests, notebooks
	$(BIN)/python -m pytest -m "not slow"
	$(NBVAL) --nbval-lax $(filter-out $(TABLES),$(wildcard notebooks/*.ipynb))
	$(NBVAL) --nbval $(TABLES)

# The frameworks of the recipes are installed where they can be; a test without its own says what it lacks.
test-slow: env  ## the tests that take minutes
	$(BIN)/python -m pip install -q --disable-pip-version-check -e ".[test,integrations]" || \
	  echo "the extra integrations could not be installed: tests of what it brings are skipped, each by name"
	$(BIN)/python -m pytest -m slow -rs

# Large tensors come from one arena that is not given back, so that no page faults are timed.
ARENA := MALLOC_ARENA_MAX=1 MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=17179869184

bench: env  ## time and memory of the losses and of training
	$(ARENA) $(BIN)/python -m pytest -o addopts="--strict-markers -p no:nbval" --benchmark-only tests/bench

mutants: env  ## change losses, noise, theory and metrics at random and count what the tests notice, 20 minutes
	$(BIN)/python tests/mutants/mutants.py

faults: env  ## disturb runs in all ways that are known of and count what is lost, ten minutes
	PYTHONPATH=book:tests/data:tests/experiments/reliability $(BIN)/python tests/experiments/reliability/faults.py

notebooks: env  ## execute every notebook and store the outputs in it, after the ledger has grown
	$(BIN)/python book/build.py store

lint: env  ## style, types, and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

# The stamp says what was installed and where: a copied or moved checkout installs anew.
env:  ## make the virtual environment, or bring it up to date
	@{ pwd; cat pyproject.toml; } | cmp -s - $(STAMP) || $(MAKE) --no-print-directory install

install:
	@"$(PYTHON)" -c "$(RECENT)" || { echo "Python 3.11 or newer is needed; name one: make PYTHON=/path/to/python3.11"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check -e ".[test]"
	@{ pwd; cat pyproject.toml; } > $(STAMP)

clean:  ## remove the built book and the caches of the tools, not .venv and not the data
	rm -rf _build .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks *.egg-info
	find book notebooks sce_lib tests -name __pycache__ -prune -exec rm -rf {} +
