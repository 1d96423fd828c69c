# Every verb of the project; `make help` lists them.

AIRFLOW_VERSION ?= 3.0.6
# The first Python that is new enough; the environments are made with it.
PYTHON ?= $(firstword $(foreach python,python3 python3.12 python3.11 python3.13,\
	$(shell $(python) -c 'import sys; print("$(python)" if sys.version_info >= (3, 11) else "")' 2>/dev/null)))

export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PYTHONPATH := $(CURDIR)/plugins:$(CURDIR)
RUN := .venv/bin/python -m
AIRFLOW := .local/airflow-$(AIRFLOW_VERSION)/bin/python
CODE := plugins dags infra tests
XDIST := -n 2 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help setup tools local demo test test-tools test-airflow simulate docs check format build deploy status refresh destroy lock clean

help: ## List the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: tools ## Install the tools and Airflow below this folder; the other verbs do what they need of it
	@$(RUN) infra.setup airflow $(AIRFLOW_VERSION)

tools: .venv/bin/uv
	@$(RUN) infra.setup tools

.venv/bin/uv:
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or newer was found: install one, or name it (make PYTHON=/path/to/python3.11 …)" >&2; exit 1; }
	@echo "setup: making .venv with $(PYTHON)"
	@$(PYTHON) -m venv .venv
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check "$$(grep '^uv==' requirements/dev.txt)" || \
		{ echo "Could not install uv: check the network to the package index that pip is set up with (pip config list)" >&2; exit 1; }

local: setup ## Run all of it on this machine: stacks, Lambda, Airflow; stay until Ctrl-C
	@$(RUN) infra.local

demo: setup ## Prove the main job on this machine, step by step, and end
	@$(RUN) infra.local demo

test: setup ## Run the tests, the demo among them (TESTARGS='-k faults': some of them)
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target test-airflow test-tools

# Pytest's status 5 says that TESTARGS selects no test here: there may be some in the other half.
test-tools:
	$(RUN) pytest tests --ignore=tests/airflow $(XDIST) $(TESTARGS) $(if $(TESTARGS),|| test $$? -eq 5)

test-airflow:
	$(AIRFLOW) -m pytest tests/airflow -o filterwarnings=default $(TESTARGS) $(if $(TESTARGS),|| test $$? -eq 5)

simulate: tools ## Simulate years of operation, and draw the picture in docs/
	@$(RUN) infra.simulate

docs: tools ## Write docs/faults.md and docs/simulation.svg anew
	@$(RUN) tests.faults
	@$(RUN) infra.simulate

check: setup ## Check style, types and templates
	$(RUN) ruff check $(CODE)
	$(RUN) ruff format --check $(CODE)
	$(RUN) mypy --python-executable $(AIRFLOW) plugins dags tests/airflow
	$(RUN) mypy infra tests --exclude tests/airflow
	.venv/bin/cfn-lint --non-zero-exit-code informational --include-checks I -- infra/cloudformation/*.yaml

format: tools ## Put the code into its one format
	$(RUN) ruff check --fix $(CODE)
	$(RUN) ruff format $(CODE)

build: tools ## Build build/plugins.zip and build/refresher.zip, the same bytes everywhere
	@$(RUN) infra.build

deploy: tools ## Deploy to AWS what .env describes; safe to repeat
	@$(RUN) infra.deploy deploy

status: tools ## Tell how the stacks, the environment and the index-url are
	@$(RUN) infra.deploy status

refresh: tools ## Let the Lambda refresh the index-url now, if it is due
	@$(RUN) infra.deploy refresh

destroy: tools ## Delete all that deploy made, after asking (YES=1: without)
	@$(RUN) infra.deploy destroy $(if $(YES),--yes)

# MWAA_CONSTRAINTS names a folder with VERSION/*constraints.txt, taken from MWAA's public image sources.
lock: tools ## Pin all requirements anew (needs MWAA_CONSTRAINTS)
	uv pip compile --quiet --universal --python-version 3.11 --no-annotate --custom-compile-command "make lock" \
		requirements/dev.in --output-file requirements/dev.txt
	mkdir -p build
	# numpy left Python 3.11 before Airflow did: there the image's pin cannot hold.
	sed -E 's/^numpy==.*/&; python_version >= "3.12"/' $(MWAA_CONSTRAINTS)/$(AIRFLOW_VERSION)/*constraints.txt >build/constraints.txt
	echo numpy | uv pip compile --quiet --universal --python-version 3.11 --no-annotate --custom-compile-command "make lock" \
		--constraints build/constraints.txt requirements/airflow-test.in - \
		--output-file requirements/constraints-$(AIRFLOW_VERSION).txt

clean: ## Remove everything that was built or installed below this folder
	rm -rf .venv .local build .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find $(CODE) -name __pycache__ -prune -exec rm -rf {} +
