# The two set-up commands and the checks. PYTHON picks the interpreter the virtual environment is made with.
PYTHON ?= python3
VENV ?= .venv
ARGS ?=
BIN := $(VENV)/bin
# llama.cpp is compiled for the tests: without its image part, which nothing here uses, that takes half as long.
export CMAKE_ARGS ?= -DLLAVA_BUILD=OFF
SOURCES := pyproject.toml $(shell find recommender probes knowledge -name '*.py' -o -name '*.toml' -o -name '*.csv' -o -name '*.json')

.PHONY: recommend test check scorecard soak clean

recommend: $(VENV)/.base
	@$(BIN)/recommend --target this-machine $(ARGS)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make recommend PYTHON=python3.12" >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV)

# Not editable: an installed copy has its bytecode compiled and starts faster. It is made anew when a source changes.
$(VENV)/.base: $(VENV)/bin/python $(SOURCES)
	@echo "installing the base package into $(VENV) ..." >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary=:all: . >&2
	@touch $@

$(VENV)/.all: $(VENV)/bin/python $(SOURCES)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check '.[all,test]'
	@touch $@ $(VENV)/.base

test: $(VENV)/.all
	$(BIN)/python -m pytest -n auto $(ARGS)

check: $(VENV)/.all
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# How far predictions are off on devices and models that were left out, ten minutes: benchmarks/SCORECARD.md.
scorecard: $(VENV)/.all
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.scorecard $(ARGS)

# Long trials, an hour or more in all: the protocol's false winners, two processes on one store, kills, our numbers against the frameworks' own.
soak: $(VENV)/.all
	$(BIN)/python -m benchmarks.soak $(ARGS)

clean:
	rm -rf $(VENV) build *.egg-info
