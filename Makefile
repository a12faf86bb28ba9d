# Two commands are all a newcomer needs: `make demo` and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
ANCHOR := .venv-bench
WORKERS ?= auto

.PHONY: demo test lint bench bench-full clean help

help:            ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "register-hub needs Python 3.11 or newer: make PYTHON=python3.11 …")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python -m pip check
	@touch $(STAMP)

demo: $(STAMP)   ## three nights of a small town over real HTTP and SFTP
	$(BIN)/hub demo $(DEMO)

test: $(STAMP)   ## every test this machine can run; says what was left out
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(PYTEST)

lint: $(STAMP)   ## ruff, mypy, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(STAMP)  ## benchmarks, by hand, in ten minutes: ratios against an anchor in the same run
	-@$(MAKE) --no-print-directory $(ANCHOR)/.installed
	$(BIN)/python -m pytest tests/benchmarks/bench_*.py -q -s

bench-full: $(STAMP) $(ANCHOR)/.installed  ## matching at 100 k three times, 1 M and 4 M: an idle machine, 24 GB, an hour
	HUB_BENCH=full $(BIN)/python -m pytest tests/benchmarks/bench_match.py -q -s

# the anchor's environment; HUB_BENCH_PYTHON names another one
$(ANCHOR)/.installed: tests/benchmarks/requirements.txt
	test -n "$(HUB_BENCH_PYTHON)" || test -x $(ANCHOR)/bin/python || $(PYTHON) -m venv $(ANCHOR)
	test -n "$(HUB_BENCH_PYTHON)" || $(ANCHOR)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@test -n "$(HUB_BENCH_PYTHON)" || touch $@

clean:           ## remove the environments, and what the benchmarks keep
	rm -rf $(VENV) $(ANCHOR) .bench
