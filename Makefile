# make chat      the chat page on 127.0.0.1 (installs what running needs first, indexes when the index is missing or older than its files)
# make install   the environment in .venv with everything: extras, tests, checks
# make test      the tests
# make gate      answers of the bundled questions against the stored baseline; make baseline stores what is measured now
# make lint      style, types and limits
# make docs      docs/python.md from the docstrings
# make screenshots  pictures of every state of the page, in screenshots/ (needs chromium)
# make clean     removes what was built; the index and your reports stay

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := $(VENV)/.runs
ALL := $(VENV)/.installed
TORCH := $(shell sed -n '/^torch==/p' constraints.txt)
# PyTorch's own CPU wheels are a tenth of the size of the ordinary ones; where they cannot be had, the ordinary ones do as well.
TORCH_CPU := --index-url https://download.pytorch.org/whl/cpu --no-deps --retries 0 --timeout 5
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# What everything needs is also what running needs.
READY := $(if $(wildcard $(ALL)),$(ALL),$(RUN))

.PHONY: chat install test gate baseline lint docs screenshots clean
.DEFAULT_GOAL := install

chat: $(READY)
	@echo "The page opens on http://127.0.0.1:7860, or the next free port as shown below; Ctrl-C stops it."
	@$(BIN)/rag serve

install: $(ALL)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "error: $(PYTHON) is missing or older than 3.11: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "error: $(PYTHON) cannot make environments: install its venv package (Debian: apt-get install python3-venv)" >&2; exit 1; }
	@echo "Making an environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(RUN): pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing what running needs (once, some 700 MB on disk)"
	@$(PIP) install -c constraints.txt -e .
	@touch $@

$(ALL): pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing PyTorch for the extra encoders (once)"
	@$(BIN)/python -c 'import importlib.util, sys; sys.exit(importlib.util.find_spec("torch") is None)' || \
		$(PIP) install $(TORCH_CPU) "$(TORCH)" 2>/dev/null || \
		$(PIP) install -c constraints.txt "$(TORCH)"
	@echo "Installing everything: extras, tests, checks (once, some 2 GB on disk)"
	@$(PIP) install -c constraints.txt -e '.[encoders,mcp,dev]'
	@touch $(RUN) $@

test: install
	$(BIN)/python -m pytest

gate: install
	$(BIN)/rag eval gate

baseline: install
	$(BIN)/rag eval gate --refresh

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python docs/make_reference.py --check

docs: install
	$(BIN)/python docs/make_reference.py

screenshots: install
	$(BIN)/python tests/screenshots.py screenshots

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis runs
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
