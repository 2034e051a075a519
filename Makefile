# SPDX-License-Identifier: GPL-3.0-or-later
# `make help` lists what there is. Packages go into .venv beside this file, drawn scenes into the cache (DOFKIT_CACHE).
# One part of `make test` uses Chromium: as root on Debian it installs that with apt-get, elsewhere it asks for it;
# CHROMIUM=none leaves that part out.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin/python
STAMP  := $(VENV)/.installed
LIMIT  ?= 1800

# `make test` runs two lanes beside each other, each with one thread; what a part says is printed when it is done.
THREADS := $(foreach name,OMP OPENBLAS MKL NUMBA,$(name)_NUM_THREADS=1)
TOGETHER := $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)
test-unit test-nbval fuzz: LANE = one
test-notebooks test-browser: LANE = two
# Tests have figures of their own, so that those in figures/ stay as they are committed, and in each lane a cache of
# their own, so that neither the other lane nor what you did before (answers to a study) changes anything.
TRIAL    = DOFKIT_FIGURES="$(CURDIR)/build/$@" DOFKIT_CACHE="$(CURDIR)/build/cache-$(LANE)" \
           DOFKIT_STUDIES="$(CURDIR)/build/studies-$(LANE)" NUMBA_CACHE_DIR="$(CURDIR)/build/numba"
PYTEST   = $(TRIAL) $(BIN) -m pytest -q
FAILED  := build/failed
comma   := ,

# Jupyter's own limit, 10 MB, is less than a photograph may have; over it the page loses its kernel without a word.
# Without the last two, JupyterLab asks for its news and whether there is a newer one.
LAB := --ServerApp.tornado_settings='{"websocket_max_message_size": 200000000}' \
       --LabApp.news_url=None --LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate

# Weights made anew replace the shipped ones if they do what those do; with ACCEPT=yes whatever they do.
DATA ?= $(DOFKIT_DATA)
REMADE := $(BIN) -m dofkit.recipes.remade $(if $(ACCEPT),--accept)

.DEFAULT_GOAL := help
.PHONY: help install reproduce test test-unit test-notebooks test-nbval test-browser chromium fuzz lab book lint bench weights clean distclean

help: ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1	\2/p' Makefile | expand -t 22

install: $(STAMP) ## set up .venv, nothing else (two minutes, 2 GB, by torch's CPU build: see README.md)

$(STAMP): pyproject.toml constraints.txt
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "make: Python 3.11 or newer is needed; name one with: make PYTHON=/path/to/python3 ..." >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "make: Python's venv is missing; on Debian and Ubuntu: sudo apt install python3-venv" >&2; exit 1; }
	"$(PYTHON)" -m venv $(VENV)
	$(BIN) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@$(BIN) -c 'import dofkit' && touch $(STAMP)

reproduce: $(STAMP) ## run all notebooks in the quick profile and write figures/
	@$(BIN) -m dofkit reproduce --time-limit $(LIMIT)

test: lint chromium ## everything that CI runs (about 20 minutes on two cores; with Chromium, or CHROMIUM=none)
	@mkdir -p build && rm -f $(FAILED)
	@echo "make test: two lanes; what a part says is printed when it is done"
	@$(THREADS) $(MAKE) --no-print-directory --jobs=2 --keep-going $(TOGETHER) LANES=2 test-nbval test-browser || \
	  { echo "make test: failed, see above:" $$(cat $(FAILED)) >&2; exit 1; }
	@echo "make test: all passed$(if $(filter none,$(CHROMIUM)),$(comma) without the tests in the browser)"

# In each lane one part after the other; a failure ends its lane, and the other one goes on.
ifdef LANES
test-nbval: test-unit
test-browser: test-notebooks
NOTE = || { echo "$@" >> $(FAILED); exit 1; }
endif

test-unit: $(STAMP) ## the tests of the package, without notebooks and browser
	@$(PYTEST) -m 'not notebooks and not browser' $(NOTE)

test-notebooks: $(STAMP) ## run every notebook and compare with what is committed
	@$(PYTEST) -m notebooks $(NOTE)

test-nbval: $(STAMP) ## run every notebook with nbval and compare the marked texts
	@ONEDNN_MAX_CPU_ISA=AVX2 $(PYTEST) --nbval-lax --nbval-cell-timeout=$(LIMIT) notebooks $(NOTE)

test-browser: chromium ## open notebooks in Chromium and use them; pictures of it in build/browser
	@$(if $(filter none,$(CHROMIUM)),echo "make test-browser: left out",$(PYTEST) -m browser tests/browser $(NOTE))

# Before all else: who waits for 20 minutes should not be told at their end.
chromium: $(STAMP) ## look for the browser of the tests; as root on Debian, install it
	@$(if $(filter none,$(CHROMIUM)),true,$(BIN) -m tests.browser)

fuzz: $(STAMP) ## more than 10,000 spoilt files and command lines, 50 kills, bombs, full disks (a quarter of an hour)
	@DOFKIT_FUZZ=nightly $(THREADS) $(PYTEST) tests/faults

lab: $(STAMP) ## open the first notebook in JupyterLab
	@$(BIN) -m jupyter lab --ServerApp.ip=127.0.0.1 $(LAB) notebooks/00_see_the_whole_pipeline.ipynb

book: $(STAMP) ## write the whole tutorial as static HTML, to build/book
	@$(BIN) -m dofkit book

lint: $(STAMP) ## check style and types
	@$(BIN) -m ruff check
	@$(BIN) -m mypy

bench: $(STAMP) ## measure speed and memory against the plain version (minutes)
	@$(BIN) -m tests.benchmarks

weights: $(STAMP) ## train the shipped weights, Tables 1 and 2 anew (hours): make weights DATA=/path/to/data
	@test -d "$(DATA)" || { echo "make: there is no folder '$(DATA)' with the real data sets; name it:" \
	  "make weights DATA=/path/to/data" >&2; exit 1; }
	@$(BIN) -m dofkit train segmentation --profile full --data-root "$(DATA)" --out trained/segmentation
	@$(REMADE) trained/segmentation
	@cp trained/segmentation/segmentation* dofkit/weights/
	@$(BIN) -m dofkit train depth --profile full --data-root "$(DATA)" --out trained/depth
	@$(REMADE) trained/depth
	@$(BIN) -m dofkit train table1 --profile full --data-root "$(DATA)" --out trained/table1
	@$(REMADE) trained/table1
	@cp trained/depth/depth* trained/table1/table1.json dofkit/weights/
	@$(BIN) -m dofkit train rnn --profile full --data-root "$(DATA)" --out trained/rnn
	@$(REMADE) trained/rnn
	@cp trained/rnn/filter* dofkit/weights/

clean: ## remove what tests and runs have made, but not .venv
	rm -rf build dist dofkit.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage htmlcov
	find dofkit tests notebooks \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} +

distclean: clean ## also remove .venv
	rm -rf $(VENV)
