PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
# Without bytecode each process would compile torch anew, which takes longer than most of its work.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test coverage faults gpu lint docs pictures notebooks lock clean

# The three commands on the embedded sample: a fold plan, five folds, a hard vote, a checked submission.
demo: $(STAMP)
	$(BIN)/comp folds make
	$(BIN)/comp train --fold 0..4
	$(BIN)/comp ensemble --vote hard

test: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist loadgroup --no-loadscope-reorder

# The suite again, with the lines that it runs: the total on the terminal, each file in htmlcov/.
coverage: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist loadgroup --no-loadscope-reorder --cov=comp --cov-report=term:skip-covered --cov-report=html

# All fault cases take hours; MINUTES=20 runs a sample of them. It continues where it stopped.
# ONLY="kills at random moments" runs the cases of this name.
faults: $(STAMP)
	$(BIN)/python tests/faults/fault_run.py $(if $(MINUTES),--minutes $(MINUTES)) $(if $(ONLY),--only "$(ONLY)")

# What needs a card: its figures and its tests, in ten minutes at most. What matters most comes first
# and is written as soon as it is there; it fails at the end where something failed.
gpu: $(STAMP)
	timeout 598 $(BIN)/python benchmarks/gpu.py

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The manual in site/. A broken link or a page that is not in the menu fails.
docs: $(STAMP)
	$(BIN)/python -m comp.config.reference docs/configuration.md
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# The pictures of the manual, from two runs on the sample; needs chromium on the path.
pictures: $(STAMP)
	$(BIN)/python docs/pictures/draw.py

# The notebooks of examples/, run in a kernel and kept with their outputs.
notebooks: $(STAMP)
	$(BIN)/python examples/execute.py

# Everything comes from the lock file; uv installs it in seconds.
$(STAMP): requirements.lock setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	VIRTUAL_ENV=.venv $(BIN)/uv pip install --quiet -r requirements.lock
	VIRTUAL_ENV=.venv $(BIN)/uv pip install --quiet --no-deps -e .
	touch $(STAMP)

# UPGRADE=1 takes the newest versions; without it, only what setup.cfg asks for changes.
lock:
	$(BIN)/uv pip compile setup.cfg --extra dev --extra docs --python-version 3.11 --no-header --quiet $(if $(UPGRADE),--upgrade) -o requirements.lock

clean:
	rm -rf .venv build site htmlcov .coverage* *.egg-info .mypy_cache .pytest_cache .ruff_cache
