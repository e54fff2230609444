# make run: the site on a fresh machine. make test: everything a change must pass. README tells the rest.

PORT ?= 8000
HOST ?= 127.0.0.1
PYTHON ?= python3
BIN = .venv/bin
MESSAGES = locale/ja/LC_MESSAGES/django.mo

.PHONY: run serve test bench lock format messages setup develop

run: setup
	@DEBUG=$${DEBUG:-true} $(BIN)/python manage.py prepare --address http://$(HOST):$(PORT)/
	@exec $(BIN)/python manage.py runserver $(HOST):$(PORT)

serve: setup
	@$(BIN)/python manage.py prepare --collect-static --address http://$(HOST):$(PORT)/
	@exec $(BIN)/uvicorn chatsite.asgi:application --host $(HOST) --port $(PORT) \
		--ws-max-size 2500000 --timeout-graceful-shutdown 20

test: develop
	@$(BIN)/python -m tests.everything

bench: develop
	@$(BIN)/python -m bench $(ARGS)

format: develop
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: develop
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --upgrade requirements.in -o requirements.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --upgrade requirements-dev.in -o requirements-dev.txt

messages: develop
	$(BIN)/python -m tests.messages

setup: .venv/runs static/vendor/made $(MESSAGES)
develop: .venv/develops static/vendor/made $(MESSAGES)

.venv/bin/python:
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Python 3.11 or newer is needed."'
	$(PYTHON) -m venv .venv

.venv/runs: requirements.txt | .venv/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/develops: requirements-dev.txt .venv/runs
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

%.mo: %.po .venv/runs
	$(BIN)/pybabel --quiet compile --locale ja --input-file $< --output-file $@

node_modules/made: package.json package-lock.json
	npm ci --silent --no-audit --no-fund
	@touch $@

static/vendor/made: node_modules/made vendor.js
	npm run --silent vendor
	@touch $@
