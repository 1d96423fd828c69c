# All verbs of the project; `make help` lists them.

AIRFLOW_VERSION ?= 3.3.1
REQUIREMENTS ?= requirements/requirements.txt
# The first Python on PATH that is new enough; .venv is created with it.
PYTHON ?= $(firstword $(foreach python,python3 python3.12 python3.11 python3.13,\
	$(shell $(python) -c 'import sys; print("$(python)" if sys.version_info >= (3, 11) else "")' 2>/dev/null)))

export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PYTHONPATH := $(CURDIR)/plugins:$(CURDIR)
RUN := .venv/bin/python -m
AIRFLOW := .local/airflow-$(AIRFLOW_VERSION)/bin/python
CODE := plugins dags infra examples tests
XDIST := -n 2 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help setup path tools local demo demo-celery demo-releases acceptance acceptance-local mutate test test-long test-tools test-airflow test-matrix test-browser coverage screenshots bench simulate generate check format build dist preflight deploy publish status refresh release release-requirements release-plugins rollback destroy lock clean

help: ## List the verbs
	@sed -n 's/^__version__ = "\(.*\)"/mwaa-codeartifact \1/p' plugins/mwaa_codeartifact/__init__.py
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-20s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: path tools ## Install the tools and Airflow in this folder; the other verbs do the part that they need
	@$(RUN) infra.setup airflow $(AIRFLOW_VERSION)

tools: .venv/bin/uv
	@$(RUN) infra.setup tools

# The local containers are in this folder, and their requirements.txt names files as ${AIRFLOW_HOME}/…
path:
	@case "$(CURDIR)" in *[[:space:]]*) \
		echo "The path of this folder contains a space ($(CURDIR)), and pip cannot follow such a path from a" \
			"requirements file: move the folder to a path without spaces" >&2; exit 1;; esac

.venv/bin/uv:
	@test -w . || { echo "This folder is not writable ($(CURDIR)): copy it to a folder that you may write to, or change its owner" >&2; exit 1; }
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or newer was found: install one, or give its path (make PYTHON=/path/to/python3.11 …)" >&2; exit 1; }
	@echo "setup: creating .venv with $(PYTHON)"
	@$(PYTHON) -m venv .venv
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check "$$(grep '^uv==' requirements/dev.txt)" || \
		{ echo "Could not install uv, see above; if no index answered, check the index that pip uses (pip config list)" >&2; exit 1; }

local: setup ## Run everything on this machine: stacks, Lambda, Airflow; until Ctrl-C
	@$(RUN) infra.local

demo: setup ## Prove the main function on this machine, step by step
	@$(RUN) infra.local demo

demo-celery: setup ## Run the demo with Celery over SQS and PostgreSQL, as MWAA runs tasks (needs PostgreSQL installed)
	@LOCAL_EXECUTOR=celery $(RUN) infra.local demo

acceptance: tools ## Prove the project on real AWS under a temporary name, for about 1.30 USD; asks first (YES=1: does not ask)
	@$(RUN) infra.acceptance $(if $(YES),--yes)

acceptance-local: setup ## Run the steps of the acceptance on this machine
	@$(RUN) infra.local acceptance

demo-releases: setup ## Prove the releases and rollback on this machine, step by step
	@$(RUN) infra.local releases

test: setup ## Run the tests, the demo included (TESTARGS='-k faults': some of them)
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target test-airflow test-tools

# Slow tests have the marker `long`.
test-long: setup ## Run the slow tests, which `make test` skips
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target test-airflow test-tools WHICH=long

WHICH := not long
# pytest exits with 5 if TESTARGS selects no test in this half; the other half may have some.
OR_NONE := $(if $(TESTARGS),|| test $$? -eq 5)

test-tools: ## Run the half of the tests that needs no Airflow; run `make setup` first
	$(RUN) pytest tests --ignore=tests/airflow --ignore=tests/browser -m "$(WHICH)" $(XDIST) $(TESTARGS) $(OR_NONE)

test-airflow: ## Run the tests on AIRFLOW_VERSION; run `make setup` first
	$(AIRFLOW) -m pytest tests/airflow -m "$(WHICH)" -o filterwarnings=default $(TESTARGS) $(OR_NONE)

# WITHOUT names versions that are tested elsewhere: `make test` and `make test-long` test one of them.
test-matrix: path tools ## Run Airflow's tests on every version (WITHOUT=3.3.1: except this one)
	@$(RUN) infra.lab.matrix --without "$(WITHOUT)" --pytest="$(TESTARGS)"

# The default version, one Airflow 2, and the version whose navigation shows no plugin pages.
BROWSER_VERSIONS := 3.3.1 2.10.3 3.0.6

test-browser: path tools ## Test the status page with Chromium on three versions (SCREENSHOTS=folder: keep the pictures)
	@for version in $(BROWSER_VERSIONS); do \
		$(RUN) infra.setup airflow $$version && AIRFLOW_VERSION=$$version $(RUN) pytest tests/browser || exit 1; done

coverage: setup ## Run the tests of `make test`, and list the branches of the code that none of them takes
	@$(RUN) coverage erase
	@$(MAKE) --no-print-directory test-tools TESTARGS="--cov --cov-report= $(TESTARGS)"
	@$(MAKE) --no-print-directory test-airflow AIRFLOW="$(AIRFLOW) -m coverage run"
	@$(RUN) coverage combine --append --quiet && $(RUN) coverage report

screenshots: path tools ## Retake the pictures in docs/
	@$(MAKE) --no-print-directory test-browser SCREENSHOTS=docs/screenshots BROWSER_VERSIONS=3.3.1

bench: path tools ## Measure what the plugin and the refresh DAG cost Airflow, on every version
	@$(RUN) infra.lab.bench

simulate: tools ## Simulate years of operation, and draw the picture in docs/
	@$(RUN) infra.lab.simulation

generate: tools ## Write docs/faults.md, docs/simulation.svg and the table of docs/security-review.md again
	@$(RUN) tests.faults
	@$(RUN) infra.checkers.page
	@$(RUN) infra.lab.simulation

mutate: setup ## Remove each element from the templates in turn: does a check notice? (SAMPLE=12: 12 of them)
	@$(RUN) infra.lab.mutation --sample $(or $(SAMPLE),0) --only "$(ONLY)"

check: setup ## Check style, types, templates and policies
	$(RUN) ruff check $(CODE)
	$(RUN) ruff format --check $(CODE)
	$(RUN) mypy --python-executable $(AIRFLOW) plugins dags examples/dags tests/airflow
	$(RUN) mypy infra examples tests --exclude '(tests/airflow|examples/dags)/'
	.venv/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	.venv/bin/check-jsonschema --builtin-schema vendor.github-issue-forms $(filter-out %/config.yml,$(wildcard .github/ISSUE_TEMPLATE/*.yml))
	.venv/bin/check-jsonschema --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	.venv/bin/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	.venv/bin/zizmor --offline --quiet --min-severity medium .github
	$(RUN) infra.checkers

format: tools ## Format the code
	$(RUN) ruff check --fix $(CODE)
	$(RUN) ruff format $(CODE)

build: tools ## Build build/plugins.zip and build/refresher.zip, reproducibly, and the program in startup.sh
	@$(RUN) infra.build

dist: tools ## Build the release files in dist/: zips, templates, wheel, SBOM, checksums
	@$(RUN) infra.dist

preflight: tools ## Check in seconds what pip would do with REQUIREMENTS in the containers
	@$(RUN) infra.preflight $(REQUIREMENTS)

deploy: tools ## Deploy the environment that .env describes to AWS; safe to repeat
	@$(RUN) infra.deploy deploy --requirements $(REQUIREMENTS)

publish: tools ## Publish an in-house package (DIST=path of a wheel, an sdist or a source tree)
	@$(RUN) infra.publish "$(DIST)"

status: tools ## Show the state of the stacks, the environment and the index-url
	@$(RUN) infra.deploy status

refresh: tools ## Run the Lambda refresher now; it refreshes the index-url if it is due
	@$(RUN) infra.deploy refresh

release: tools ## Check, upload and set all changed files, and report pip's result (FORCE=1: skip the check)
	@$(RUN) infra.deploy release --requirements $(REQUIREMENTS) $(if $(FORCE),--force) $(if $(IF_DEPLOYED),--if-deployed)

release-requirements: tools ## Release requirements.txt only (FORCE=1: skip the check)
	@$(RUN) infra.deploy release-requirements --requirements $(REQUIREMENTS) $(if $(FORCE),--force)

release-plugins: tools ## Release plugins.zip and the Lambda's copy of its code only
	@$(RUN) infra.deploy release-plugins

rollback: tools ## Set the last release that worked again; repeated: the one before it
	@$(RUN) infra.deploy rollback

destroy: tools ## Delete everything that deploy created, after asking (YES=1: without asking)
	@$(RUN) infra.deploy destroy $(if $(YES),--yes)

# MWAA_CONSTRAINTS names a folder with VERSION/*constraints.txt, copied from MWAA's public image sources.
# `make lock` pins all versions in it, or only AIRFLOW_VERSION if the user sets one.
ifdef MWAA_CONSTRAINTS
ifeq ($(origin AIRFLOW_VERSION),file)
LOCKED := $(notdir $(wildcard $(MWAA_CONSTRAINTS)/*))
else
LOCKED := $(AIRFLOW_VERSION)
endif
endif
COMPILE := uv pip compile --quiet --universal --python-version 3.11 --no-annotate --custom-compile-command "make lock"

lock: tools $(LOCKED:%=lock-%) ## Pin all requirements again, or AIRFLOW_VERSION's only (needs MWAA_CONSTRAINTS)
	@test -n "$(LOCKED)" || { echo "MWAA_CONSTRAINTS is not set: set it to a folder with VERSION/*constraints.txt" >&2; exit 1; }
	$(COMPILE) requirements/dev.in --output-file requirements/dev.txt
	$(COMPILE) requirements/checkers.in --output-file requirements/checkers.txt

# numpy dropped Python 3.11 before Airflow did, so the image's pin cannot apply there.
lock-%: tools
	@mkdir -p build
	sed -E 's/^numpy==.*/&; python_version >= "3.12"/' $(MWAA_CONSTRAINTS)/$*/*constraints.txt >build/constraints-$*.txt
	echo numpy | $(COMPILE) --constraints build/constraints-$*.txt requirements/airflow-test.in - \
		--output-file requirements/constraints-$*.txt

clean: ## Remove everything that was built or installed in this folder
	rm -rf .venv .local build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find $(CODE) -name __pycache__ -prune -exec rm -rf {} +
