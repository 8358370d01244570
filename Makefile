# Each target sets up what it needs, in .venv at the root. Names and what they print stay stable: others script them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo demo-once test test-kube check bench conformance goldens lock clean

demo: $(READY) ## the bookinfo example on real Envoys, until Ctrl-C
	@$(BIN)/python -m examples.demo

demo-once: $(READY) ## the same without waiting; exits 0 only if every claim was seen
	@$(BIN)/python -m examples.demo --once

test: check ## check, then the whole suite
	@$(BIN)/python -m pytest -n 2 --dist worksteal

test-kube: $(READY) ## the tests marked kube against a real kube-apiserver: KUBEBUILDER_ASSETS, else built once with Go
	@$(BIN)/python -m tests.kube.programs
	@$(BIN)/python -m pytest --kube=real -m "kube and not kube_double"

check: $(READY) ## format, lint, types, import layers
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(READY) ## the table of budgets, measured; writes benchmarks/results/latest.json
	@$(BIN)/python -m benchmarks

conformance: $(READY) ## ends with one line "AREA: N of M" per area
	@$(BIN)/python -m pytest -q -p no:randomly tests/conformance

goldens: $(READY) ## rewrite golden files from what the code does now; review the diff as code
	@$(BIN)/python -m pytest -q -p no:randomly --update-goldens tests

lock: $(READY) ## refresh requirements.lock from pyproject.toml
	@$(BIN)/python -m pip install --quiet --upgrade --upgrade-strategy eager -e '.[dev]'
	@$(BIN)/python -m pip freeze --exclude-editable > requirements.lock

clean: ## remove everything that the targets above made
	@rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(READY): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "pilot-mesh needs Python 3.11 or newer; set PYTHON=/path/to/it" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
		|| { echo "python venv is missing: apt-get install python3-venv" >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@
