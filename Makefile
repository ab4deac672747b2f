# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: demo test check lint types imports test-slow docs rebuild bad-input clean

$(VENV)/.ready: Makefile pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,measure,cpu,plot]'
	touch $@

demo: $(VENV)/.ready  ## set up and answer the question, in a store of its own
	BUDGETSIM_STORE=$$(mktemp -d)/budgetsim.duckdb $(BIN)/budgetsim optimize --budget 2000 --rates rates.yaml

test: $(VENV)/.ready  ## set up and run the tests
	$(BIN)/python -m pytest

check: lint types imports test  ## everything CI checks

lint: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.ready
	$(BIN)/mypy

imports: $(VENV)/.ready
	$(BIN)/lint-imports

test-slow: $(VENV)/.ready  ## the tests that take minutes
	$(BIN)/python -m pytest -m slow

docs: $(VENV)/.ready  ## refresh docs/cli.md and the outputs in README.md
	$(BIN)/python docs/refresh.py

rebuild: $(VENV)/.ready  ## the database and the fits anew from the text files
	$(BIN)/budgetsim store rebuild
	$(BIN)/budgetsim fit

bad-input: $(VENV)/.ready  ## the table of bad inputs with messages and exit codes
	$(BIN)/python tests/bad_input.py

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist
