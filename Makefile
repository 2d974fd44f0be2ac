# Two commands: `make book` and `make test`. Each sets up .venv first.
BIN := .venv/bin
# Where none is named, the environment's own, so that one that was made by hand is kept.
PYTHON ?= $(shell command -v $(BIN)/python || echo python3)
PIP := $(BIN)/python -m pip --disable-pip-version-check
READY := .venv/ready

.PHONY: help book pdf notebooks notebooks-check test lint types spelling bench compare links lighthouse data clean
.DEFAULT_GOAL := help

help:
	@echo "make book      build the whole book to _build/html/ (strict: any warning fails)"
	@echo "make notebooks build the book; its chapters as notebooks are in _build/html/notebooks/"
	@echo "make test      run the tests"
	@echo "make pdf       the whole book as one PDF, _build/pdf/zero-to-hero.pdf (needs Chromium or Chrome)"
	@echo "make lint      ruff: lint and format      make types   mypy"
	@echo "make spelling  codespell                  make bench   measure speed, side by side"
	@echo "make compare   build twice from nothing and compare every output (CHAPTERS=01-micrograd: only that)"
	@echo "make links     try the links to other sites"
	@echo "make notebooks-check  run every notebook where only the package is installed, offline (NOTEBOOKS=02-bigrams: only that),"
	@echo "                      and a chapter in an environment made from .binder/; takes a quarter of an hour"
	@echo "make lighthouse  measure the built pages with Lighthouse (needs node and Chromium)"
	@echo "make data      fetch and verify the data sets"
	@echo "make clean     remove _build/"

# requires-python in pyproject.toml says the same.
FITS = import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 14) else \
	"Python 3.11 to 3.14 is needed; $(PYTHON) is %d.%d. Name another one: make PYTHON=python3.12 ..." % v)
# "anew" where .venv has no .venv/bin/python3.12, say: there is none, another Python has made it, or
# its Python is gone since.
ANEW := $(shell test -x $(BIN)/$$($(PYTHON) -c 'import sys; print("python%d.%d" % sys.version_info[:2])' \
	2>/dev/null || echo none) || echo anew)

.PHONY: anew
anew:
	@$(PYTHON) -c '$(FITS)'
	@echo "Making .venv with $(PYTHON)."
	@$(PYTHON) -m venv --clear .venv

# Of what pip says: every tenth line of requirements.txt, what is large, and the last step. Its
# errors go another way.
TOLD := 'Collecting .*line [0-9]*0\)+|Downloading [^ ]+ \(([0-9]{2,}\.[0-9] M|[0-9.]+ G)B\)|Installing collected packages'

# A first try that was killed may have left no pip.
$(READY): SHELL := bash
$(READY): requirements.txt pyproject.toml $(ANEW)
	@$(PYTHON) -c '$(FITS)'
	@$(PIP) --version > /dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	@echo "Installing some 140 packages into .venv, which takes a minute or more. On Linux, PyTorch comes with"
	@echo "gigabytes of support for GPUs, which the book does not need: README.md says how to do without."
	@set -o pipefail; $(PIP) install -r requirements.txt | { grep --line-buffered -oE $(TOLD) || true; }
	@echo "The environment .venv is ready."
	@touch $@

# --all reads every page again, so that a warning of an earlier build is not missed;
# cells whose code has not changed come from the execution cache all the same.
book: $(READY)
	$(BIN)/jupyter-book build . --all -W -n --keep-going

# Prints the pages of the strict build.
pdf: book
	PYTHONPATH=book/_ext $(BIN)/python -m bookbuild.pdf
notebooks: book # the same strict build writes them

notebooks-check: notebooks
	PYTHONPATH=book/_ext $(BIN)/python -m bookbuild.notebooks check $(NOTEBOOKS)
	PYTHONPATH=book/_ext $(BIN)/python -m bookbuild.notebooks binder

test: $(READY)
	$(BIN)/python -m pytest

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

spelling: $(READY)
	$(BIN)/codespell

bench: $(READY)
	$(BIN)/python code/benchmarks/run.py

compare: $(READY)
	PYTHONPATH=book/_ext $(BIN)/python -m bookbuild.compare $(if $(CHAPTERS),--chapters $(CHAPTERS))

links: $(READY)
	PYTHONPATH=book/_ext $(BIN)/python -m bookbuild.external

# needs node and Chromium, and `make book` before
lighthouse: $(READY)
	$(BIN)/python code/benchmarks/lighthouse.py

data: $(READY)
	$(BIN)/python -m zerotohero.data --fetch all

clean:
	rm -rf _build
