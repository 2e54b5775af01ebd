# Every target installs what it needs into .venv in the same command and is quick the second time.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.DEFAULT_GOAL := figures
.PHONY: figures bench docs explore notebooks test test-fast durations prove mutate lint clean

figures: $(VENV)/.installed-experiments
	$(BIN)/python -m experiments

# Runs every notebook and writes what it shows beside it, as .ipynb.
notebooks: $(VENV)/.installed-notebooks
	OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(BIN)/python experiments/notebooks/export.py $(NAMES)

bench: $(VENV)/.installed-bench
	$(BIN)/python -m experiments.benchmarks

docs: $(VENV)/.installed-docs
	$(BIN)/python docs/build.py

explore: $(VENV)/.installed-explore
	$(BIN)/implicit-bias explore

# One BLAS thread for each worker: threads of several workers wait for each other on the same cores.
test: $(VENV)/.installed-test
	OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(BIN)/python -m pytest -n auto --dist worksteal $(PYTEST_ARGS)

# Without the tests that took more than 0.2 s when their durations were recorded.
test-fast: $(VENV)/.installed-test
	OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(BIN)/python -m pytest -n auto --dist worksteal --fast $(PYTEST_ARGS)

durations: $(VENV)/.installed-test
	OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(BIN)/python -m pytest -n auto --dist worksteal --record-durations

# The large campaigns, of which `make test` runs a sample; they write tests/campaigns/record.
prove: $(VENV)/.installed-test
	OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(BIN)/python -m tests.campaigns

# Changes a module a little, again and again, and tells which changes no test notices; all of them, or a sample by a seed:
# make mutate MODULE=potential/entropy.py MUTATE_ARGS="--sample 20 --seed 1"
mutate: $(VENV)/.installed-test
	OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(BIN)/python -m tests.campaigns.mutants $(MODULE) $(MUTATE_ARGS)

lint: $(VENV)/.installed-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

clean:
	rm -rf $(VENV) figures/.store

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "implicit_bias needs Python 3.11 or newer, got $$($(PYTHON) --version). Name another: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# One stamp for each extra or dependency group; touching pyproject.toml or constraints.txt reinstalls. A fresh
# environment may come with a pip that knows no groups.
EXTRAS := experiments explore
$(VENV)/.installed-%: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt \
	  $(if $(filter $*,$(EXTRAS)),-e '.[$*]',-e . --group $*)
	@touch $@
