# Two commands: `make book` and `make test`. Each sets up .venv first.
BIN := .venv/bin
# Where none is named, the environment's own, so that one that was made by hand is kept.
PYTHON ?= $(shell command -v $(BIN)/python || echo python3)
PIP := $(BIN)/python -m pip --disable-pip-version-check
READY := .venv/ready
TOOLS := $(BIN)/python -m booktools
STRICT := -W -n --keep-going
# The one path to the extensions and tools of the book, for all that is run here.
export PYTHONPATH := $(CURDIR)/book/_ext$(if $(PYTHONPATH),:$(PYTHONPATH))

.PHONY: help book draft chapter serve pdf pdf-check notebooks notebooks-check binder-check publish-notebooks \
	test test-build test-site test-all lint types spelling bench compare links lighthouse release-check data clean
.DEFAULT_GOAL := help

help:
	@echo "make book          build the whole book to _build/html/ (strict: any warning fails)"
	@echo "make draft         the same, only what changed, and warnings are just shown"
	@echo "make chapter C=04  build one chapter, to _build/chapter/"
	@echo "make serve         serve the built book at http://127.0.0.1:8000/"
	@echo "make test          a newcomer's tests: the package, the checks, the sources of the book"
	@echo "make test-all      every test; builds the book first, and needs Chromium or Chrome"
	@echo "make lint types spelling   ruff, mypy, codespell"
	@echo
	@echo "make pdf           the whole book as one PDF (needs Chromium or Chrome)"
	@echo "make bench         measure speed, side by side"
	@echo "make compare       build twice from nothing and compare every output (C=01: only that chapter)"
	@echo "make links         try the links to other sites"
	@echo "make notebooks-check   run the notebooks where only the package is installed, offline (C=02: only that)"
	@echo "make release-check what takes long: all notebooks, all built twice, speed, Lighthouse"
	@echo "make data          fetch and verify the data sets"
	@echo "make clean         remove _build/"

# requires-python in pyproject.toml says the same.
FITS = import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 14) else \
	"Python 3.11 to 3.14 is needed; $(PYTHON) is %d.%d. Name another one: make PYTHON=python3.12 ..." % v)
# "anew" where .venv has no .venv/bin/python3.12, say: there is none, another Python has made it, or
# its Python is gone since. And where it was made in another folder: its programs have paths in them.
ANEW := $(shell test -x $(BIN)/$$($(PYTHON) -c 'import sys; print("python%d.%d" % sys.version_info[:2])' \
	2>/dev/null || echo none) && { test -L .venv || test ! -s $(READY) || test "$$(cat $(READY))" = "$$(pwd -P)"; } \
	|| echo anew)

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
	@pwd -P > $@

# -- the book

# --all reads every page again, so that a warning of an earlier build is not missed;
# cells whose code has not changed come from the execution cache all the same.
book: $(READY)
	@$(BIN)/jupyter-book build . --all $(STRICT)

draft: $(READY)
	@$(BIN)/jupyter-book build .

chapter: $(READY)
	@$(if $(C),,echo "name a chapter: make chapter C=04"; exit 2;) $(TOOLS) chapter $(C)

serve: $(READY)
	@$(TOOLS) serve $(if $(PORT),--port $(PORT))

# Prints the pages of the strict build.
pdf: pdf-check book
	@$(TOOLS) pdf

# that there is a browser, before the build
pdf-check: $(READY)
	@$(TOOLS) pdf --check

notebooks: book # the same strict build writes them

# after `make book`
notebooks-check: $(READY)
	@$(TOOLS) notebooks check $(C)

binder-check: $(READY)
	@$(TOOLS) notebooks binder

# to the branch that Colab and Binder read; REMOTE=address pushes it there
publish-notebooks: $(READY)
	@$(TOOLS) notebooks publish $(if $(REMOTE),--push "$(REMOTE)")

# -- tests and checks

# The folders that need nothing but the environment, on two cores.
test: $(READY)
	@$(BIN)/python -m pytest -q -n 2 --dist worksteal $(addprefix code/tests/,package check book extension)

# The others. What the tests of a file share is made once.
SHARED := -q -n 2 --dist loadfile
test-build: data
	@$(BIN)/python -m pytest $(SHARED) $(addprefix code/tests/,slow fetched network build)

# after `make book`
test-site: $(READY)
	@$(BIN)/python -m pytest $(SHARED) code/tests/site

test-all: test test-build book test-site

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

spelling: $(READY)
	$(BIN)/codespell

bench: $(READY)
	@$(BIN)/python code/benchmarks/run.py

compare: $(READY)
	@$(TOOLS) compare $(if $(C),--chapters $(C))

links: $(READY)
	@$(TOOLS) links

# after `make book`; needs node and Chromium
lighthouse: $(READY)
	@$(TOOLS) lighthouse

release-check: book notebooks-check binder-check compare bench lighthouse

data: $(READY)
	@$(BIN)/python -m zerotohero.data --fetch all

clean:
	rm -rf _build
