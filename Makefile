# make demo: the page on http://127.0.0.1:7860     make test: the tests     make lint: style, spelling, types
# make test-all: the long tests as well (whole runs of learning, large networks, crowds of requests), and known
# vulnerabilities of what is installed
# make docs: the API reference, from the docstrings
# make space: the tree as a Hugging Face Space, in an environment made as there
# make bench: how fast (make peers first: beside other engines)     make load: fifty visitors at once
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
SPACE := $(VENV)/space
WORKERS := --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

# What the README's front matter says under a name.
front = $(shell sed -n 's/^$(1): *"\{0,1\}\([^"]*\)"\{0,1\}$$/\1/p' README.md)

.PHONY: demo space test test-all every-test audit lint format docs bench peers load clean

demo: $(VENV)/runtime
	$(BIN)/python app.py

space: $(VENV)/development $(SPACE)/ready
	$(BIN)/python -m tests.spaces $(SPACE)/bin/python

test: $(VENV)/development
	$(BIN)/python -m pytest $(WORKERS) -m "not slow"

test-all: every-test audit

every-test: $(VENV)/development $(SPACE)/ready
	RESNET_SPACE_PYTHON=$(SPACE)/bin/python $(BIN)/python -m pytest $(WORKERS)

# Without a network there is nothing to ask: that is said, and no failure.
audit: $(VENV)/development
	@$(BIN)/python -m pip_audit --local --progress-spinner off > $(VENV)/audit.txt 2>&1 || true
	@tail -n 20 $(VENV)/audit.txt
	@! grep -q "^Found .* known " $(VENV)/audit.txt

lint: $(VENV)/development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/mypy

format: $(VENV)/development
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/development
	$(BIN)/python -m docs.reference
	@echo The API reference is in docs/reference/resnet.html

bench: $(VENV)/runtime
	$(BIN)/python -m benchmarks

peers: $(VENV)/runtime
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-peers.txt

load: $(VENV)/load
	$(BIN)/python -m benchmarks.load

$(BIN)/python:
	@$(PYTHON) -c 'import sys; v = sys.version.split()[0]; (3, 11) <= sys.version_info < (3, 14) or sys.exit( \
	  "Python 3.11, 3.12 or 3.13 is needed, for which there is TensorFlow; $(PYTHON) is " + v + \
	  ". With another one: make PYTHON=python3.12 demo")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/runtime: requirements.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/development: requirements.txt requirements-batch.txt requirements-dev.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@ $(VENV)/runtime

# Hugging Face installs the last four on top. Another Python than the front matter's serves where that is not here.
$(SPACE)/ready: requirements.txt README.md | $(BIN)/python
	for python in python$(call front,python_version) $(PYTHON); do \
	  $$python -c "" 2>/dev/null && $$python -m venv --clear $(SPACE) && break; done
	$(SPACE)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.txt \
	  "gradio[oauth,mcp]==$(call front,sdk_version)" "uvicorn>=0.14.0" "websockets>=10.4" spaces
	@touch $@

$(VENV)/load: requirements-load.txt | $(VENV)/runtime
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-load.txt
	@touch $@

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
