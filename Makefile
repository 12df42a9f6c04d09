# `make run` and `make test` do all their set-up; nothing else is needed but python3.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PORT ?= 8000

.PHONY: run serve test bench soak readers

run: $(VENV)/.service
	@$(BIN)/python -m feedsvc welcome
	@exec $(BIN)/gunicorn -c python:feedsvc.gunicorn_conf wsgi:app

serve: $(VENV)/.service
	@exec $(BIN)/gunicorn -c python:feedsvc.gunicorn_conf wsgi:app

test: $(VENV)/.tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest

bench: $(VENV)/.tests
	@exec $(BIN)/python -m bench

soak: $(VENV)/.tests
	API_EXAMPLES=1000 $(BIN)/pytest tests/ingest/test_answers.py
	@exec $(BIN)/pytest -m soak -s

readers: $(VENV)/.tests
	npm ci --prefix tests/readers/npm --silent --no-audit --no-fund || echo "without npm's packages"
	$(BIN)/pytest -m readers -rs tests/readers

$(VENV)/.service: requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.tests: $(VENV)/.service tests/requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -r tests/requirements.txt
	@touch $@
