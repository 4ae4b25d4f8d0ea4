# make chat      the chat page on 127.0.0.1 (installs first, indexes when the index is missing or older than its files)
# make install   the environment in .venv
# make test      the tests
# make gate      answers of the bundled questions against the stored baseline; make baseline stores what is measured now
# make lint      style checks
# make screenshots  pictures of every state of the page, in screenshots/ (needs chromium)
# make clean     removes what was built; the index and your reports stay

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TORCH := $(shell sed -n '/^torch==/p' constraints.txt)
# PyTorch's own CPU wheels are a tenth of the size of the ordinary ones; where they cannot be had, the ordinary ones do as well.
TORCH_CPU := --index-url https://download.pytorch.org/whl/cpu --no-deps --retries 0 --timeout 5

.PHONY: chat install test gate baseline lint screenshots clean
.DEFAULT_GOAL := install

chat: install
	@$(BIN)/rag serve

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "error: $(PYTHON) is missing or older than 3.11: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "error: $(PYTHON) cannot make environments: install its venv package (Debian: apt-get install python3-venv)" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -c 'import importlib.util, sys; sys.exit(importlib.util.find_spec("torch") is None)' || \
		$(BIN)/python -m pip install $(TORCH_CPU) "$(TORCH)" || \
		$(BIN)/python -m pip install -c constraints.txt "$(TORCH)"
	$(BIN)/python -m pip install -c constraints.txt -e '.[dev]'
	@touch $@

test: install
	$(BIN)/python -m pytest

gate: install
	$(BIN)/rag eval gate

baseline: install
	$(BIN)/rag eval gate --refresh

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

screenshots: install
	$(BIN)/python tests/screenshots.py screenshots

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache .hypothesis runs
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
