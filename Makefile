# `make run` and `make test` need nothing but Python 3.11 or 3.12 with its venv module.

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
REQUIREMENTS := deploy/requirements
RUN_STAMP := $(VENV)/installed-lock
DEV_STAMP := $(VENV)/installed-dev
COVERAGE_FLOOR := 86
TEMPLATES := templates lepton_platform/staff/templates

.PHONY: run env env-dev test lint types format bench test-faults test-defects

run: env
	@exec $(BIN)/python manage.py up

env: $(RUN_STAMP)

env-dev: $(DEV_STAMP)

$(BIN)/python:
	@./deploy/make-venv $(VENV)

$(RUN_STAMP): $(REQUIREMENTS)/lock.txt $(REQUIREMENTS)/no-deps.txt | $(BIN)/python
	@echo "Installing the packages of $<; the first time takes some minutes."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement $(REQUIREMENTS)/no-deps.txt
	@touch $@

$(DEV_STAMP): $(REQUIREMENTS)/dev.txt $(REQUIREMENTS)/no-deps.txt | $(BIN)/python
	@echo "Installing the packages of $<; the first time takes some minutes."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement $(REQUIREMENTS)/no-deps.txt
	@touch $@ $(RUN_STAMP)

test: lint types browser
	$(BIN)/python -m pytest --cov --cov-report=term:skip-covered --cov-fail-under=$(COVERAGE_FLOOR)

lint: env-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/djlint --check --lint --quiet $(TEMPLATES)
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run

types: env-dev
	LEPTON_ROLE=build $(BIN)/mypy

format: env-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/djlint --reformat --quiet $(TEMPLATES)

.PHONY: browser
browser: env-dev
	@$(BIN)/python -m tests.quality.chromium

# Rates of this machine, one file each below build/.
bench: env
	@mkdir -p build
	$(BIN)/python manage.py bench ingest --json build/bench-ingest.json
	$(BIN)/python manage.py bench recommend --json build/bench-recommend.json
	$(BIN)/python manage.py bench scan --json build/bench-scan.json

# The libraries of `python -m recommender.benchmarks compare-libraries`. Without dependencies: they are in the lock file, in versions rectools does not ask for.
.PHONY: env-peers
env-peers: env
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement $(REQUIREMENTS)/peers.txt

# Every proof with its full counts, and SIGKILL of every process in turn, while events are sent; takes the better part of an hour.
test-faults: env-dev
	@mkdir -p build
	$(BIN)/python -m pytest -m "faults or proof" --full --figures build/faults.json tests

# The training loop on a cluster of two nodes of this machine; installs the extra `ray` (240 MB), which nothing else needs.
.PHONY: test-ray
test-ray: env-dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement $(REQUIREMENTS)/ray.txt
	$(BIN)/python -m pytest tests/recommender/algorithms/test_ray_backend.py

# Does each guard catch the defect it is there for? Applies each to a copy; the last line counts.
test-defects: env-dev
	@mkdir -p build
	$(BIN)/python -m tests.defects --json build/defects.json
