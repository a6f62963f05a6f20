PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: demo test faults lint lock clean

# The main job on the embedded sample: plan, five folds, hard vote, a checked submission.
demo: $(STAMP)
	$(BIN)/comp folds make
	$(BIN)/comp train --fold 0..4
	$(BIN)/comp ensemble --vote hard

test: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist loadfile

# Every fault there is, hours of it; MINUTES=20 for a part. It goes on where it stopped.
faults: $(STAMP)
	$(BIN)/python tests/faults/fault_run.py $(if $(MINUTES),--minutes $(MINUTES))

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Everything comes from the lock file; uv installs it in seconds.
$(STAMP): requirements.lock setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	VIRTUAL_ENV=.venv $(BIN)/uv pip install --quiet -r requirements.lock
	VIRTUAL_ENV=.venv $(BIN)/uv pip install --quiet --no-deps -e .
	touch $(STAMP)

lock:
	$(BIN)/uv pip compile setup.cfg --extra dev --python-version 3.11 --no-header --upgrade --quiet -o requirements.lock

clean:
	rm -rf .venv build *.egg-info .mypy_cache .pytest_cache .ruff_cache
