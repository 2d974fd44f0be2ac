# The two commands to know: `make book` and `make test`. Each sets up .venv first.
BIN := .venv/bin
# By default the Python of .venv if there is one, so that an environment made by hand is kept.
PYTHON ?= $(shell command -v $(BIN)/python || echo python3)
PIP := $(BIN)/python -m pip --disable-pip-version-check
READY := .venv/ready
TOOLS := $(BIN)/python -m booktools
STRICT := -W -n --keep-going
# Every command below finds the book's extensions and tools on this path.
export PYTHONPATH := $(CURDIR)/book/_ext$(if $(PYTHONPATH),:$(PYTHONPATH))

.PHONY: help book draft chapter serve pdf pdf-check notebooks notebooks-check binder-check publish-notebooks \
	test test-mutants test-build test-site test-all lint types spelling bench compare links lighthouse release-check data clean
.DEFAULT_GOAL := help

help:
	@echo "make book          build the whole book in _build/html/ (strict: any warning is an error)"
	@echo "make draft         rebuild what has changed; warnings are shown, but don't fail the build"
	@echo "make chapter C=04  build one chapter, in _build/chapter/"
	@echo "make serve         serve the built book at http://127.0.0.1:8000/"
	@echo "make test          the fast tests: the package, the checks, the sources of the book"
	@echo "make test-all      all tests; builds the book, too, and needs Chromium or Chrome"
	@echo "make lint types spelling   ruff, mypy, codespell"
	@echo
	@echo "make pdf           build the book, and print it as one PDF (needs Chromium or Chrome)"
	@echo "make bench         measure the speed of our code next to that of other libraries"
	@echo "make test-mutants  break every right answer in every place: the checks have to refuse it"
	@echo "make compare       build twice from nothing and compare all outputs (C=01: only that chapter)"
	@echo "make links         try the links to other sites"
	@echo "make notebooks-check   run the notebooks offline, with only the package installed (C=02: only that one)"
	@echo "make release-check the slow checks: all notebooks, everything built twice, speed, Lighthouse"
	@echo "make data          fetch and verify the data sets"
	@echo "make clean         remove _build/"

# requires-python in pyproject.toml says the same.
FITS = import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 14) else \
	"You need Python 3.11 to 3.14, but $(PYTHON) is %d.%d. Name another one: make PYTHON=python3.12 ..." % v)
# "anew" if .venv lacks, say, bin/python3.12: there is no .venv, another Python made it, or its Python
# is gone. Also if it was made in another folder: its programs hold that folder's path.
ANEW := $(shell test -x $(BIN)/$$($(PYTHON) -c 'import sys; print("python%d.%d" % sys.version_info[:2])' \
	2>/dev/null || echo none) && { test -L .venv || test ! -s $(READY) || test "$$(cat $(READY))" = "$$(pwd -P)"; } \
	|| echo anew)

.PHONY: anew
anew:
	@$(PYTHON) -c '$(FITS)'
	@echo "Making .venv with $(PYTHON)."
	@$(PYTHON) -m venv --clear .venv

# The lines of pip that are shown: every tenth line of requirements.txt, large downloads, and the last
# step. Its errors go to stderr, which is shown anyway.
TOLD := 'Collecting .*line [0-9]*0\)+|Downloading [^ ]+ \(([0-9]{2,}\.[0-9] M|[0-9.]+ G)B\)|Installing collected packages'

# An installation that was killed may have left an environment without pip.
$(READY): SHELL := bash
$(READY): requirements.txt pyproject.toml $(ANEW)
	@$(PYTHON) -c '$(FITS)'
	@$(PIP) --version > /dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	@echo "Installing about 140 packages into .venv, which takes a minute or more. On Linux, PyTorch comes with"
	@echo "gigabytes of GPU support that the book doesn't need; README.md says how to avoid them."
	@set -o pipefail; $(PIP) install -r requirements.txt | { grep --line-buffered -oE $(TOLD) || true; }
	@echo "The environment .venv is ready."
	@pwd -P > $@

# -- the book

# --all reads every page again, so that no warning of an earlier build is missed. The outputs of
# unchanged cells still come from the execution cache.
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

# makes sure that there is a browser, before the build starts
pdf-check: $(READY)
	@$(TOOLS) pdf --check

notebooks: book # the same strict build writes them

# after `make book`
notebooks-check: $(READY)
	@$(TOOLS) notebooks check $(C)

binder-check: $(READY)
	@$(TOOLS) notebooks binder

# commits them to the branch that Colab and Binder read; REMOTE=address pushes it there
publish-notebooks: $(READY)
	@$(TOOLS) notebooks publish $(if $(REMOTE),--push "$(REMOTE)")

# -- tests and checks

# The tests that need only the environment, on two cores.
test: $(READY)
	@$(BIN)/python -m pytest -q -n 2 --dist worksteal $(addprefix code/tests/,package check book extension)

# The other tests. The tests of a file run in one process, which makes what they share only once.
SHARED := -q -n 2 --dist loadfile
test-build: data
	@$(BIN)/python -m pytest $(SHARED) $(addprefix code/tests/,slow fetched network build)

# Each right answer of each exercise, broken in every place: the checks have to refuse it.
test-mutants: $(READY)
	@$(BIN)/python -m pytest -q -n 2 --dist worksteal code/tests/mutants

# after `make book`
test-site: $(READY)
	@$(BIN)/python -m pytest $(SHARED) -n 4 code/tests/site # they mostly wait for the browser

test-all: test test-mutants test-build book test-site

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
