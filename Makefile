# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
TOOLS = build/tools
# torch alone is not in requirements.lock: its CPU build, where that one is offered, is another file than PyPI's
TORCH = torch==2.13.0
UNLOCKED = torch triton cuda-bindings cuda-pathfinder cuda-toolkit nvidia-cublas nvidia-cuda-cupti nvidia-cuda-nvrtc \
  nvidia-cuda-runtime nvidia-cudnn-cu13 nvidia-cufft nvidia-cufile nvidia-curand nvidia-cusolver nvidia-cusparse \
  nvidia-cusparselt-cu13 nvidia-nccl-cu13 nvidia-nvjitlink nvidia-nvshmem-cu13 nvidia-nvtx

.PHONY: demo test test-train check lint types imports test-slow test-engines mutate docs site paper rebuild bad-input fuzz explore questions \
	chaos lock audit sbom lowest clean

$(VENV)/.ready: Makefile pyproject.toml constraints.txt requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --constraint constraints.txt $(TORCH)
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

$(TOOLS)/.ready: Makefile
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/python -m pip install --quiet uv==0.13.9 pip-audit==2.10.1 cyclonedx-bom==7.5.0
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
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal

check: lint types imports test  ## everything CI checks

lint: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.ready
	$(BIN)/mypy

imports: $(VENV)/.ready
	$(BIN)/lint-imports

test-slow: $(VENV)/.ready  ## the tests that take seconds to minutes each, most of which a smaller one in `make test` stands for
	$(BIN)/python -m pytest -m slow

test-engines: $(VENV)/.ready  ## a real Ray cluster and, as root where Slurm is installed, a real Slurm on this machine
	$(BIN)/python -m pip install --quiet --constraint constraints.txt ray submitit
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m engines tests/measure

mutate: $(VENV)/.ready  ## change one thing at a time in a copy: which of the kept mutations does no test notice?
	$(BIN)/python tools/mutate.py

docs: $(VENV)/.ready  ## refresh docs/reference/cli.md and what commands print in README.md and docs/; docs/paper/other-*.md anew
	$(BIN)/python tools/docs/refresh.py
	$(BIN)/python tools/docs/other_models.py
	$(BIN)/python tools/docs/other_prices.py

site: $(VENV)/.ready  ## the documentation site into build/site; a dead link stops it
	$(BIN)/python -m pip install --quiet --constraint constraints.txt zensical
	$(BIN)/python tools/docs/website.py

paper: $(VENV)/.ready  ## docs/paper/claims.md anew: 200 fits, 5 minutes
	$(BIN)/python tools/docs/paper.py

rebuild: $(VENV)/.ready  ## the database and the fits anew from the text files
	$(BIN)/budgetsim store rebuild
	$(BIN)/budgetsim fit

bad-input: $(VENV)/.ready  ## the table of bad inputs with messages and exit codes
	$(BIN)/python tests/bad_input.py

fuzz: $(VENV)/.ready  ## seeded attacks on every door, 10,000 each: CASES=..., SEED=...
	$(BIN)/python tests/fuzzing.py --cases $(or $(CASES),10000) --seed $(or $(SEED),0) --keep build/fuzz

explore: $(VENV)/.ready  ## the property tests, on examples that nobody saw
	$(BIN)/pytest -q tests --hypothesis-profile default -k "$(or $(ONLY),)"

questions: $(VENV)/.ready  ## random questions on the command line: CASES=..., SEED=...
	$(BIN)/python tests/fuzzing_questions.py --cases $(or $(CASES),500) --seed $(or $(SEED),0)

chaos: $(VENV)/.ready  ## kills, full disks, crowds, clocks and flipped bits, an hour or two: CHAOS='--only kill --kills 100'
	cd tests && $(abspath $(BIN))/python -m chaos.run $(CHAOS)
	OMP_NUM_THREADS=1 $(BIN)/python bench/crash.py

lock: $(TOOLS)/.ready  ## requirements.lock anew from pyproject.toml and constraints.txt
	$(TOOLS)/bin/uv pip compile --quiet pyproject.toml --extra dev --extra measure --extra cpu --extra plot --extra llm \
	  --group build --constraint constraints.txt --universal --python-version 3.11 --generate-hashes --no-annotate \
	  --custom-compile-command 'make lock' $(UNLOCKED:%=--no-emit-package %) --output-file requirements.lock

audit: $(TOOLS)/.ready  ## known holes in the packages of requirements.lock; fails where no database of holes is reached
	$(TOOLS)/bin/pip-audit --strict --require-hashes --no-deps --disable-pip --requirement requirements.lock

sbom: $(VENV)/.ready $(TOOLS)/.ready  ## build/sbom.json: what is installed, as CycloneDX
	$(TOOLS)/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
	  --output-file build/sbom.json $(BIN)/python

lowest: $(TOOLS)/.ready  ## the lowest versions that pyproject.toml allows, on one Python: PYTHON=python3.13
	$(TOOLS)/bin/uv venv --quiet --clear --python $(PYTHON) build/lowest
	$(TOOLS)/bin/uv pip install --quiet --python build/lowest/bin/python --resolution lowest-direct \
	  --only-binary :all: --no-binary budgetsim '.[llm,plot,prices,dev]'
	OMP_NUM_THREADS=1 PYTHONPATH=src:cli build/lowest/bin/python -m pytest -q tests/costs tests/design tests/doors/test_doors.py \
	  tests/store/test_upgrades.py tests/store/test_compact.py tests/choosing/test_moves.py tests/labelers/test_readings.py

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist
