# Everything a newcomer or CI does. Each target installs what it needs, by name, once.

PORT ?= 4545
SOURCE ?= test:
ONLY ?=
MINUTES ?= 30
DRIFT_MINUTES ?= 10
SCHEDULES ?= 100000
SECONDS ?= 600
BIN := .venv/bin
SETUP := deploy/setup

.DEFAULT_GOAL := test
.PHONY: help demo test lint format unit player integration e2e lab bench chaos soak clean

help: ## show this list
	@echo "usage: make [target] [NAME=value]"; echo
	@sed -n 's/^\([a-z0-9]*\):.*## /  \1\t/p' Makefile | expand -t 16

demo: .venv/.run ## watch the test camera, or SOURCE=rtsp://…, at PORT=4545
	@$(BIN)/python deploy/demo.py --port "$(PORT)" --source "$(SOURCE)"

# Tests wait for what they claim, so they run side by side; what claims a speed has the machine to
# itself.
test: lint player ## everything that CI runs (the default)
	$(BIN)/python -m pytest -n 4 -m "not alone"
	$(BIN)/python -m pytest -m alone

lint: .venv/.test ## style, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/.test ## let ruff write the code's layout
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix-only .

player: .venv/.test ## types and unit tests of the page
	.tools/node_modules/.bin/tsc -p player/jsconfig.json
	node --test tests/player/*.test.mjs

unit integration: .venv/.test ## one level of the Python tests
	$(BIN)/python -m pytest -n 4 tests/$@

e2e: .venv/.test ## the tests that look at pictures
	$(BIN)/python -m pytest tests/$@

lab: .venv/.test ## the tests behind NATs of every kind; they need root
	$(BIN)/python -m pytest tests/$@

bench: .venv/.test ## figures against their targets; ONLY=name runs one
	@$(BIN)/python -m tests.bench $(ONLY)

chaos: .venv/.test ## SCHEDULES=100000 of the simulation, then real processes for SECONDS=600
	@$(BIN)/python -m tests.chaos --schedules "$(SCHEDULES)" --seconds "$(SECONDS)"

soak: .venv/.test ## long runs: ten minutes of delays, then joins and leaves for MINUTES=30
	@$(BIN)/python -m tests.drift --minutes "$(DRIFT_MINUTES)"
	@$(BIN)/python -m tests.soak --minutes "$(MINUTES)"

clean: ## remove what the other targets made
	rm -rf .venv .tools .state

.venv/.run: pyproject.toml $(SETUP)
	@$(SETUP) run
	@touch $@

.venv/.test: pyproject.toml $(SETUP)
	@$(SETUP) test
	@touch $@ .venv/.run
