# SPDX-License-Identifier: GPL-3.0-or-later
# `make help` lists what there is. Everything is installed into .venv beside this file; nothing else is touched.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin/python
STAMP  := $(VENV)/.installed
LIMIT  ?= 1800

# The figures of a test run, so that those in figures/ stay as they are committed.
TRIAL  := DOFKIT_FIGURES="$(CURDIR)/build/figures"

.DEFAULT_GOAL := help
.PHONY: help install reproduce test test-unit test-notebooks fuzz lab lint bench weights clean distclean

help: ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1	\2/p' Makefile | expand -t 22

install: $(STAMP) ## set up .venv (two minutes, 2 GB), nothing else

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

test: lint test-unit test-notebooks ## everything that CI runs

test-unit: $(STAMP) ## the tests of the package, without running notebooks
	@$(TRIAL) $(BIN) -m pytest -q -m 'not notebooks'

test-notebooks: $(STAMP) ## run every notebook and compare with what is committed
	@$(TRIAL) $(BIN) -m pytest -q -m notebooks
	@$(TRIAL) $(BIN) -m pytest -q --nbval-lax --nbval-cell-timeout=$(LIMIT) notebooks

fuzz: $(STAMP) ## more than 10,000 spoilt files and command lines, 50 kills, bombs, full disks (half an hour)
	@$(TRIAL) DOFKIT_FUZZ=nightly OMP_NUM_THREADS=1 $(BIN) -m pytest -q tests/faults

lab: $(STAMP) ## open the first notebook in JupyterLab
	@$(BIN) -m jupyter lab --ServerApp.ip=127.0.0.1 notebooks/00_see_the_whole_pipeline.ipynb

lint: $(STAMP) ## check style and types
	@$(BIN) -m ruff check
	@$(BIN) -m mypy

bench: $(STAMP) ## measure speed and memory against the plain version (minutes)
	@$(BIN) -m tests.benchmarks

weights: $(STAMP) ## train the shipped weights, Tables 1 and 2 anew (hours): make weights DATA=/path/to/data
	@$(BIN) -m dofkit train segmentation --profile full --data-root "$(DATA)" --out trained/segmentation
	@cp trained/segmentation/segmentation* dofkit/weights/
	@$(BIN) -m dofkit train depth --profile full --data-root "$(DATA)" --out trained/depth
	@$(BIN) -m dofkit train table1 --profile full --data-root "$(DATA)" --out trained/table1
	@cp trained/depth/depth* trained/table1/table1.json dofkit/weights/
	@$(BIN) -m dofkit train rnn --profile full --data-root "$(DATA)" --out trained/rnn
	@cp trained/rnn/filter* dofkit/weights/

clean: ## remove what tests and runs have made, but not .venv
	rm -rf build dist dofkit.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage htmlcov
	find dofkit tests notebooks \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} +

distclean: clean ## also remove .venv
	rm -rf $(VENV)
