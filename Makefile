# Every verb of the project; `make help` lists them.

AIRFLOW_VERSION ?= 3.3.1
REQUIREMENTS ?= requirements/requirements.txt
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
.PHONY: help setup path tools local demo demo-celery demo-releases acceptance acceptance-local mutate test test-long test-tools test-airflow test-matrix test-browser coverage screenshots bench simulate docs check format build preflight deploy publish status refresh release requirements plugins rollback destroy lock clean

help: ## List the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: path tools ## Install the tools and Airflow below this folder; the other verbs do what they need of it
	@$(RUN) infra.setup airflow $(AIRFLOW_VERSION)

tools: .venv/bin/uv
	@$(RUN) infra.setup tools

# Containers run below this folder, and their requirements.txt names files as ${AIRFLOW_HOME}/…
path:
	@case "$(CURDIR)" in *[[:space:]]*) \
		echo "The path of this folder holds a space ($(CURDIR)), and pip cannot follow such a path from a requirements" \
			"file: move the folder to where no name on the way holds one" >&2; exit 1;; esac

.venv/bin/uv:
	@test -w . || { echo "This folder cannot be written ($(CURDIR)): copy it to where you may write, or become its owner" >&2; exit 1; }
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or newer was found: install one, or name it (make PYTHON=/path/to/python3.11 …)" >&2; exit 1; }
	@echo "setup: making .venv with $(PYTHON)"
	@$(PYTHON) -m venv .venv
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check "$$(grep '^uv==' requirements/dev.txt)" || \
		{ echo "Could not install uv, see above; if no index answered, check the one that pip is set up with (pip config list)" >&2; exit 1; }

local: setup ## Run all of it on this machine: stacks, Lambda, Airflow; stay until Ctrl-C
	@$(RUN) infra.local

demo: setup ## Prove the main job on this machine, step by step, and end
	@$(RUN) infra.local demo

demo-celery: setup ## The demo with Celery over SQS, on PostgreSQL, as MWAA runs tasks (needs PostgreSQL's programs)
	@LOCAL_EXECUTOR=celery $(RUN) infra.local demo

acceptance: tools ## Prove the project on real AWS under a temporary name, for about 1.30 USD; asks first (YES=1: does not)
	@$(RUN) infra.acceptance $(if $(YES),--yes)

acceptance-local: setup ## Take the steps of the acceptance on this machine
	@$(RUN) infra.local acceptance

demo-releases: setup ## Prove requirements, plugins and rollback on this machine, step by step, and end
	@$(RUN) infra.local releases

test: setup ## Run the tests, the demo among them (TESTARGS='-k faults': some of them)
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target test-airflow test-tools

# What takes its time is marked so, and left to this.
test-long: setup ## Run the tests that `make test` has no time for
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target test-airflow test-tools WHICH=long

# Pytest's status 5 says that TESTARGS selects no test here: there may be some in the other half.
WHICH := not long
test-tools:
	$(RUN) pytest tests --ignore=tests/airflow --ignore=tests/browser -m "$(WHICH)" $(XDIST) $(TESTARGS) \
		$(if $(TESTARGS),|| test $$? -eq 5)

test-airflow:
	$(AIRFLOW) -m pytest tests/airflow -m "$(WHICH)" -o filterwarnings=default $(TESTARGS) \
		$(if $(TESTARGS),|| test $$? -eq 5)

# What is in WITHOUT is tested elsewhere: `make test` and `make test-long` have one of the versions.
test-matrix: path tools ## Run Airflow's tests on every version (WITHOUT=3.3.1: but this one)
	@$(RUN) infra.lab.matrix --without "$(WITHOUT)" --pytest "$(TESTARGS)"

# The default version, one of Airflow 2, and the one whose navigation has no pages of plugins.
BROWSER_VERSIONS := 3.3.1 2.10.3 3.0.6

test-browser: path tools ## Look at the status page with Chromium on three versions (SCREENSHOTS=folder: keep the pictures)
	@for version in $(BROWSER_VERSIONS); do \
		$(RUN) infra.setup airflow $$version && AIRFLOW_VERSION=$$version $(RUN) pytest tests/browser || exit 1; done

coverage: setup ## Run all tests, and list the branches of the code that none of them takes
	@$(RUN) coverage erase
	@$(MAKE) --no-print-directory test-tools RUN="$(RUN) coverage run -m"
	@$(MAKE) --no-print-directory test-airflow AIRFLOW="$(AIRFLOW) -m coverage run"
	@$(RUN) coverage combine --quiet && $(RUN) coverage report

screenshots: path tools ## Take the pictures in docs/ anew
	@$(MAKE) --no-print-directory test-browser SCREENSHOTS=docs/screenshots BROWSER_VERSIONS=3.3.1

bench: path tools ## Measure what the plugin and the refresh DAG cost Airflow, on every version
	@$(RUN) infra.lab.bench

simulate: tools ## Simulate years of operation, and draw the picture in docs/
	@$(RUN) infra.lab.simulation

docs: tools ## Write docs/faults.md and docs/simulation.svg anew
	@$(RUN) tests.faults
	@$(RUN) infra.lab.simulation

mutate: setup ## Remove everything from the templates, one thing at a time: does a check notice? (SAMPLE=12: some of it)
	@$(RUN) infra.lab.mutation --sample $(or $(SAMPLE),0) --only "$(ONLY)"

check: setup ## Check style, types and templates
	$(RUN) ruff check $(CODE)
	$(RUN) ruff format --check $(CODE)
	$(RUN) mypy --python-executable $(AIRFLOW) plugins dags tests/airflow
	$(RUN) mypy infra tests --exclude tests/airflow
	.venv/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	.venv/bin/zizmor --offline --quiet --min-severity medium .github/workflows
	.venv/bin/cfn-lint --non-zero-exit-code informational --include-checks I -- infra/cloudformation/*.yaml

format: tools ## Put the code into its one format
	$(RUN) ruff check --fix $(CODE)
	$(RUN) ruff format $(CODE)

build: tools ## Build build/plugins.zip and build/refresher.zip, the same bytes everywhere
	@$(RUN) infra.build

preflight: tools ## Check in seconds what pip would do with REQUIREMENTS on the containers
	@$(RUN) infra.preflight $(REQUIREMENTS)

deploy: tools ## Deploy to AWS what .env describes; safe to repeat
	@$(RUN) infra.deploy deploy --requirements $(REQUIREMENTS)

publish: tools ## Publish an in-house package (DIST=path of a wheel, an sdist or a source tree)
	@$(RUN) infra.publish "$(DIST)"

status: tools ## Tell how the stacks, the environment and the index-url are
	@$(RUN) infra.deploy status

refresh: tools ## Let the Lambda refresh the index-url now, if it is due
	@$(RUN) infra.deploy refresh

release: tools ## Check, upload and set all that is new, and tell what pip made of it (FORCE=1: unchecked)
	@$(RUN) infra.deploy release --requirements $(REQUIREMENTS) $(if $(FORCE),--force) $(if $(IF_DEPLOYED),--if-deployed)

requirements: tools ## The same with requirements.txt only (FORCE=1: unchecked)
	@$(RUN) infra.deploy requirements --requirements $(REQUIREMENTS) $(if $(FORCE),--force)

plugins: tools ## The same with plugins.zip and the Lambda's copy of its code only
	@$(RUN) infra.deploy plugins

rollback: tools ## Set the last release again that worked; once more: the one before it that did
	@$(RUN) infra.deploy rollback

destroy: tools ## Delete all that deploy made, after asking (YES=1: without)
	@$(RUN) infra.deploy destroy $(if $(YES),--yes)

# MWAA_CONSTRAINTS names a folder with VERSION/*constraints.txt, taken from MWAA's public image sources.
LOCKED := $(if $(MWAA_CONSTRAINTS),$(if $(filter file,$(origin AIRFLOW_VERSION)),$(notdir $(wildcard $(MWAA_CONSTRAINTS)/*)),$(AIRFLOW_VERSION)))
COMPILE := uv pip compile --quiet --universal --python-version 3.11 --no-annotate --custom-compile-command "make lock"

lock: tools $(LOCKED:%=lock-%) ## Pin all requirements anew, or AIRFLOW_VERSION's (needs MWAA_CONSTRAINTS)
	@test -n "$(LOCKED)" || { echo "MWAA_CONSTRAINTS is not set: name a folder with VERSION/*constraints.txt" >&2; exit 1; }
	$(COMPILE) requirements/dev.in --output-file requirements/dev.txt

# numpy left Python 3.11 before Airflow did: there the image's pin cannot hold.
lock-%: tools
	@mkdir -p build
	sed -E 's/^numpy==.*/&; python_version >= "3.12"/' $(MWAA_CONSTRAINTS)/$*/*constraints.txt >build/constraints-$*.txt
	echo numpy | $(COMPILE) --constraints build/constraints-$*.txt requirements/airflow-test.in - \
		--output-file requirements/constraints-$*.txt

clean: ## Remove everything that was built or installed below this folder
	rm -rf .venv .local build .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find $(CODE) -name __pycache__ -prune -exec rm -rf {} +
