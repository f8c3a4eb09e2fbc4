# Everything a fresh clone needs is Python 3.11 or newer, make and a package index.

VENV := .venv
RUN := $(VENV)/bin/python
NEWEST_FIRST := python3 python3.15 python3.14 python3.13 python3.12 python3.11 python
PYTHON ?= $(shell for name in $(NEWEST_FIRST); do \
	$$name -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 \
	&& echo $$name && break; done)
PIP_INSTALL := $(RUN) -m pip install --quiet --disable-pip-version-check
PYTEST := $(RUN) -m pytest $(ARGS)
ALL_CORES := --numprocesses=auto --dist=loadgroup

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-slow check format bench bench-peers coverage-table regen gpu-record clean

help:
	@echo "make demo       set up what is needed and show a routed mixture-of-experts layer run"
	@echo "make test       the tests, without the slow ones (ARGS='-k name' goes to pytest)"
	@echo "make test-slow  the slow ones"
	@echo "make check      formatting, lint, types, layers"
	@echo "make format     format the code and mend what lint can mend"
	@echo "make bench      the benchmarks (ARGS=--write puts them into docs/benchmarks.md)"
	@echo "make bench-peers  two kernels beside Numba's simulator and Triton's interpreter, in an environment of their own"
	@echo "make coverage-table  write docs/coverage.md again (ARGS=--count counts operand sets first: minutes)"
	@echo "make regen      compile the tests' CUDA and Triton kernels again (needs nvcc 13.0, Triton 3.9)"
	@echo "make gpu-record write down what this machine's GPU answers (H100 or H200; GPU_PYTHON=python3 takes that Python)"
	@echo "make clean      remove the environment and all caches"

$(RUN):
	@test -n "$(PYTHON)" || { echo "make: no Python 3.11 or newer with venv and ensurepip (Debian: python3-venv) found; install one, or name it: make PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "make: setting up $(VENV) with $(PYTHON)"
	@$(PYTHON) -m venv $(VENV)

# One stamp a kind of set-up; the development set-up holds all that the demo needs.
$(VENV)/runtime.stamp: pyproject.toml | $(RUN)
	@test $(VENV)/dev.stamp -nt pyproject.toml || $(PIP_INSTALL) --editable .
	@touch $@

$(VENV)/dev.stamp: pyproject.toml | $(RUN)
	@$(PIP_INSTALL) --editable '.[dev]'
	@touch $@

demo: $(VENV)/runtime.stamp
	@$(RUN) -m ptx_samples.moe.demo

test: $(VENV)/dev.stamp
	$(PYTEST) $(ALL_CORES) -m "not slow"

test-slow: $(VENV)/dev.stamp
	$(PYTEST) $(ALL_CORES) -m slow

check: $(VENV)/dev.stamp
	$(RUN) -m ruff format --check .
	$(RUN) -m ruff check .
	$(RUN) -m mypy --strict emulator
	$(PYTEST) --durations=0 --quiet tests/test_layering.py tests/test_style.py

format: $(VENV)/dev.stamp
	$(RUN) -m ruff format .
	$(RUN) -m ruff check --fix .

bench: $(VENV)/dev.stamp
	$(RUN) tests/benchmarks/bench_parse.py
	$(RUN) tests/benchmarks/bench_native.py $(ARGS)
	$(RUN) tests/benchmarks/bench_debug.py $(ARGS)

PEERS := $(VENV)/peers

$(PEERS)/peers.stamp: pyproject.toml | $(RUN)
	@$(RUN) -m venv $(PEERS)
	@$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --editable . numba
	-@$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check triton
	@touch $@

bench-peers: $(PEERS)/peers.stamp
	PYTHONPATH=. $(PEERS)/bin/python tests/benchmarks/bench_peers.py

coverage-table: $(VENV)/dev.stamp
	$(RUN) -m tests.coverage_table $(ARGS)

regen: $(VENV)/dev.stamp
	$(RUN) -m tests.kernels.regenerate $(ARGS)

# RECORD='--stand-in --rows 16' RECORDINGS=FOLDER is a dry run without a GPU.
RECORDINGS := tests/recordings/sm_90
GPU_PYTHON :=
RECORD :=
CROSSCHECK = $(or $(GPU_PYTHON),$(RUN)) -m emulator crosscheck

$(VENV)/gpu.stamp: pyproject.toml | $(RUN)
	@$(PIP_INSTALL) --editable '.[gpu]'
	@touch $@

gpu-record: $(if $(GPU_PYTHON),,$(VENV)/gpu.stamp)
	$(CROSSCHECK) record all --out $(RECORDINGS) $(RECORD)
	$(if $(findstring --stand-in,$(RECORD)),,-$(CROSSCHECK) verify $(RECORDINGS) --engine native --rows 32)

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
