# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: demo test test-train check lint types imports test-slow test-engines mutate docs site paper rebuild bad-input fuzz \
	chaos clean

$(VENV)/.ready: Makefile pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,measure,cpu,plot,llm]' torch==2.13.0
	touch $@

demo: $(VENV)/.ready  ## set up, answer the question, train on a generated task and answer from that, in a store of its own
	home=$$(mktemp -d) && export BUDGETSIM_STORE=$$home/budgetsim.duckdb BUDGETSIM_CACHE_DIR=$$home/cache && \
	$(BIN)/budgetsim optimize --budget 2000 --rates rates.yaml && \
	$(BIN)/budgetsim measure --grid demo && \
	$(BIN)/budgetsim store query "select task, strategy, student, n_labels, n_unlabeled, score from points where task = 'toy_requests' order by all" && \
	rm -rf $$home

test-train: $(VENV)/.ready  ## the tests that train a tiny T5
	$(BIN)/python -m pytest -m train

test: $(VENV)/.ready  ## set up and run the tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto

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

test-engines: $(VENV)/.ready  ## a real Ray cluster and, as root where Slurm is installed, a real Slurm on this machine
	$(BIN)/python -m pip install --quiet --constraint constraints.txt ray submitit
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m engines tests/measure

mutate: $(VENV)/.ready  ## change one thing at a time in a copy: which of the kept mutations does no test notice?
	$(BIN)/python tools/mutate.py

docs: $(VENV)/.ready  ## refresh docs/cli.md and what commands print in README.md and docs/*.md; other-*.md anew
	$(BIN)/python tools/docs/refresh.py
	$(BIN)/python tools/docs/other_models.py
	$(BIN)/python tools/docs/other_prices.py

site: $(VENV)/.ready  ## the documentation site into build/site; a dead link stops it
	$(BIN)/python -m pip install --quiet --constraint constraints.txt zensical
	$(BIN)/python tools/docs/website.py

paper: $(VENV)/.ready  ## docs/paper.md anew: 200 fits, 5 minutes
	$(BIN)/python tools/docs/paper.py

rebuild: $(VENV)/.ready  ## the database and the fits anew from the text files
	$(BIN)/budgetsim store rebuild
	$(BIN)/budgetsim fit

bad-input: $(VENV)/.ready  ## the table of bad inputs with messages and exit codes
	$(BIN)/python tests/bad_input.py

fuzz: $(VENV)/.ready  ## seeded attacks on every door, 15,000 each: CASES=..., SEED=...
	$(BIN)/python tests/fuzzing.py --cases $(or $(CASES),15000) --seed $(or $(SEED),0) --keep build/fuzz

chaos: $(VENV)/.ready  ## kills, full disks, crowds, clocks and flipped bits, an hour or two: CHAOS='--only kill --kills 100'
	cd tests && $(abspath $(BIN))/python -m chaos.run $(CHAOS)
	OMP_NUM_THREADS=1 $(BIN)/python bench/crash.py

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist
