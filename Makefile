# Every target installs what it lacks. PYTHON may name any interpreter from 3.11 to 3.13.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
NPM = PATH=$(CURDIR)/$(BIN):$$PATH $(CURDIR)/$(BIN)/npm --prefix dashboard --silent
PAGE := canary/server/static/.built
# Each takes about as long as the others, by what `make durations` measured.
PARTS := test-1 test-2 test-3 test-4 test-5 test-6 test-7 test-8
HALVES := check-1 check-2

# Where Python may not keep what it compiled, a program takes 2.3 s of a processor to start, not 0.9;
# and the tests start hundreds.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup lint unit check $(HALVES) integration browser test test-all test-faults test-others test-browser test-page check-kindly \
	test-cassandra $(PARTS) \
	faults soak mutants coverage durations bench demo lock conf metrics types clean

help:  ## Show the targets.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

setup: $(VENV)/.installed $(PAGE)  ## Install what is locked and Canary itself into .venv, and build the dashboard.

$(VENV)/.installed: requirements/dev.lock pyproject.toml setup.py
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
		|| { echo "Canary needs Python 3.11 to 3.13; '$(PYTHON)' is $$($(PYTHON) --version). Say which one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "setup: $(VENV) with $$($(PYTHON) --version) (the first time this fetches about 260 MB)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.13,<0.14'
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

# Node comes with the rest of .venv.
$(PAGE): $(VENV)/.installed setup.py $(wildcard dashboard/*.* dashboard/public/* dashboard/src/* dashboard/src/*/*)
	@$(BIN)/python setup.py --quiet build_dashboard
	@touch $@

lint: setup  ## Check style, types and the direction of imports.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(NPM) run check

unit: setup  ## Run the tests that need no server.
	$(BIN)/python -m pytest tests/unit
	$(NPM) test

integration: setup  ## Run the tests that need a real ZooKeeper, MongoDB and Cassandra.
	$(BIN)/python -m devstack run -- $(BIN)/python -m pytest tests/integration

browser: setup  ## Run the dashboard's tests in Chromium. Screenshots go to tmp/screenshots.
	$(BIN)/python -m devstack run --services zookeeper,mongodb -- $(BIN)/python -m pytest tests/browser

check: setup  ## Run this before each commit: lint, and the tests that need no server.
	@$(MAKE) --no-print-directory --jobs=3 --output-sync=target --keep-going lint $(HALVES) test-page

test-page: setup
	$(NPM) test

$(HALVES): check-%: setup
	CI=1 $(BIN)/python -m pytest tests/unit -q --splits $(words $(HALVES)) --group $*

# The faults mostly wait, and it is their times that a crowd would spoil: what runs beside them needs no server, and
# leaves them the processor whenever they ask for it.
test: setup  ## Run everything that CI runs.
	@status=0; \
	$(MAKE) --no-print-directory --jobs=2 --output-sync=target --keep-going test-faults check-kindly || status=1; \
	$(MAKE) --no-print-directory test-others || status=1; \
	exit $$status

check-kindly: setup
	@nice -n 10 $(MAKE) --no-print-directory check

test-all: setup  ## Run the same, and also the tests of tools that have not changed since they last passed.
	TEST_ALL=1 $(MAKE) --no-print-directory test
	$(BIN)/python -m tests.unchanged

test-faults: setup  # three of them
	$(BIN)/python -m devstack run --services zookeeper,mongodb -- \
		$(BIN)/python -m pytest --durations=10 tests/faults

# Four at once, since all mostly wait; in small parts, for the last lane not to run alone for long. Each has servers of
# its own: some stop theirs.
test-others: setup
	@echo "test: four parts beside each other; each prints when it ends"
	@$(MAKE) --no-print-directory --jobs=4 --output-sync=target --keep-going \
		test-browser $(PARTS) test-cassandra

test-browser: setup
	$(BIN)/python -m devstack run --services zookeeper,mongodb -- \
		$(BIN)/python -m pytest --durations=10 tests/browser

$(PARTS): test-%: setup
	$(BIN)/python -m devstack run --services zookeeper,mongodb -- \
		$(BIN)/python -m pytest tests/integration -m "not cassandra" \
		--splits $(words $(PARTS)) --group $* --durations=25

test-cassandra: setup
	$(BIN)/python -m devstack run -- $(BIN)/python -m pytest tests/integration -m cassandra --durations=10

faults: setup  ## Run every fault for as long as it lasts, with FAULT_SEEDS=3 seeds. Writes the table in docs/reliability.md.
	@rm -f .faults.jsonl
	FAULT_SEEDS=$${FAULT_SEEDS:-3} FAULT_RESULTS=$(CURDIR)/.faults.jsonl $(BIN)/python -m devstack run -- \
		$(BIN)/python -m pytest tests/faults
	$(BIN)/python -m tests.faults.results .faults.jsonl docs/reliability.md

soak: setup  ## Create and delete a million znodes on one session: memory and ZooKeeper's watches must not grow.
	SOAK_OPERATIONS=$${SOAK_OPERATIONS:-1000000} $(BIN)/python -m devstack run --services zookeeper,mongodb -- \
		$(BIN)/python -m pytest --capture=no tests/faults/test_soak.py

mutants: setup  ## Change the model in a few thousand ways, one at a time, and count the changes that unit tests notice.
	@rm -rf mutants
	$(BIN)/mutmut run
	$(BIN)/mutmut results
	$(BIN)/mutmut export-cicd-stats
	@cat mutants/mutmut-cicd-stats.json

# Tests of what something costs fail while they are traced, and are no reason to show nothing.
coverage: setup  ## Measure which lines and branches of canary/ the tests reach, in all processes that they start.
	@rm -f .coverage .coverage.*
	-CI=1 $(BIN)/python -m pytest tests/unit --cov --cov-report=
	-$(BIN)/python -m devstack run -- $(BIN)/python -m pytest tests/integration --cov --cov-append --cov-report=
	$(BIN)/coverage report

durations: setup  ## Measure how long each integration test takes; make test divides its parts by that.
	$(BIN)/python -m devstack run -- $(BIN)/python -m pytest tests/integration --store-durations --clean-durations

bench: setup  ## Measure Canary beside a rival, and print the figures.
	$(BIN)/python -m devstack run -- $(BIN)/python -m bench

demo: setup  ## Start servers, a load on two boards, and Canary. DEMO_SECONDS=30 makes it end and report.
	$(BIN)/python -m devstack run -- $(BIN)/python -m demo

lock: setup  ## Lock the newest versions that pyproject.toml allows.
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 \
		--no-emit-index-url --generate-hashes --upgrade --quiet --output-file requirements/dev.lock

conf: setup  ## Generate etc/canary.conf from canary/config/.
	$(BIN)/python -m canary.config > etc/canary.conf

metrics: setup  ## Generate docs/metrics.md from canary/metrics/.
	$(BIN)/python -m canary.metrics > docs/metrics.md

types: setup  ## Generate the dashboard's types from the API's own description.
	$(BIN)/python -m canary.server.v2 > dashboard/openapi.json
	$(NPM) run types

clean:  ## Remove everything that was built.
	rm -rf $(VENV) canary/server/static dashboard/node_modules build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
