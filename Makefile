# The shop's tasks; `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SHOP := $(BIN)/python -m shop
PACKAGES := common_lib user_service catalog_service order_service notification_service gateway shop tests
IMAGE ?= ecommerce-platform:0.1.0

# The environment is made anew exactly when the locked packages change.
LOCK_DIGEST := $(shell cksum requirements-dev.lock pyproject.toml | cksum | cut -d' ' -f1)
READY := $(VENV)/.ready-$(LOCK_DIGEST)

# Compiled beforehand, and not by each of the thirty processes that start at once.
COMPILE := $(BIN)/python -m compileall -q -j 0 $(filter-out tests,$(PACKAGES))
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --durations=20 --numprocesses=2 --dist=loadfile --no-loadscope-reorder

PIP := $(BIN)/python -m pip -qq --disable-pip-version-check --retries 5
# Up to four times what fetches: no set-up is to fail of one hiccup of a registry.
again = for pause in 1 3 9 ""; do \
	  if $(1); then break; elif test -z "$$pause"; then exit 1; fi; \
	  echo "That failed; again in $$pause s" >&2; sleep "$$pause"; done

.DEFAULT_GOAL := help
.PHONY: help up down reset status logs doctor demo seed flashsale check unit integration e2e chaos test edge-test mutate prove fuzz bench bare lock diagrams image venv

help: ## List the tasks
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

up: $(READY) ## Start the whole shop: Docker where an engine answers, else natively (STACK=native|docker, EDGE=1)
	@$(SHOP) up $(if $(EDGE),--edge)

down: $(READY) ## Stop everything; data stays
	@$(SHOP) down

reset: $(READY) ## Stop everything and delete its data
	@$(SHOP) reset

status: $(READY) ## Show what runs, where, and how much memory it takes
	@$(SHOP) status

logs: $(READY) ## Show the last lines of every log
	@$(SHOP) logs

doctor: $(READY) ## Check this machine for what the shop needs
	@$(SHOP) doctor

seed: $(READY) ## Fill the running shop with the catalogue and the dev logins (PRODUCTS=100000)
	@$(SHOP) seed $(if $(PRODUCTS),--products $(PRODUCTS))

demo: $(READY) ## Set up everything, then follow one order through its fourteen steps
	@$(SHOP) up
	@$(SHOP) seed
	@$(SHOP) demo

flashsale: $(READY) ## Hold a flash sale in the running shop and prove its result (BUYERS=1000 STOCK=100)
	@$(SHOP) flashsale $(if $(BUYERS),--buyers $(BUYERS)) $(if $(STOCK),--stock $(STOCK))

check: $(READY) ## Format, lint, types, import contracts and unit tests, in under a minute
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy $(PACKAGES)
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/unit

# One tier of the tests each; all four together are `make test`.
unit integration e2e chaos: $(READY)
	@$(COMPILE)
	$(PYTEST) tests/$@ $(ARGS)

unit: ## Rules and use cases: no I/O
integration: ## Services on real MySQL, Redis, SNS, SQS, SES and S3
e2e: ## The whole shop through the gateway
chaos: ## Processes killed, connections cut; nothing may be lost

test: $(READY) ## Everything: unit, integration, end to end and chaos, on parts of its own
	@$(COMPILE)
	$(PYTEST) $(ARGS)

prove: $(READY) ## Break each item of the mission; the tests that prove it must fail (ITEMS="107 108")
	$(BIN)/python -m tests.proofs $(ITEMS)

mutate: $(READY) ## Put small faults into the pure rules; tests must notice 90 % of them (ONLY=pricing)
	$(BIN)/python -m tests.mutation $(if $(ONLY),--only $(ONLY))

edge-test: $(READY) ## The whole end-to-end suite through the edge: TLS and the firewall
	SHOP_TEST_ENTRANCE=edge $(BIN)/python -m pytest tests/e2e $(ARGS)

fuzz: $(READY) ## Send requests made from the OpenAPI documents to a shop of its own (REQUESTS=100000 SEED=)
	$(BIN)/python -m tests.fuzz --requests $(or $(REQUESTS),100000) $(if $(SEED),--seed $(SEED))

bench: $(READY) ## Measure against the goals and write docs/benchmarks.md
	$(BIN)/python -m tests.bench

lock: ## Resolve the newest packages into the two lock files (needs uv)
	uv pip compile --quiet --universal --upgrade --generate-hashes --no-header --no-annotate \
	  --no-emit-index-url --no-emit-find-links pyproject.toml -o requirements.lock
	uv pip compile --quiet --universal --upgrade --generate-hashes --no-header --no-annotate \
	  --no-emit-index-url --no-emit-find-links --group dev -c requirements.lock pyproject.toml \
	  -o requirements-dev.lock

bare: ## Run a command on a machine that has nothing, as root (RUN="make demo" AS_USER=1)
	@.ci/bare $(if $(AS_USER),--user) bash -c '$(or $(RUN),make test)'

diagrams: ## Draw the pictures in docs/diagrams from their text sources
	docs/diagrams/render.sh

image: ## Build the container image
	docker build --tag $(IMAGE) .

venv: $(READY) ## Make the Python environment in .venv

$(READY): | .python
	@echo "Installing the locked packages into $(VENV) (once; about a minute)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(call again,$(PIP) install --require-hashes -r requirements-dev.lock)
	@$(call again,$(PIP) install --no-deps --editable .)
	@rm -f $(VENV)/.ready-*
	@touch $@

# One clear line for each thing that can be missing, before anything is made.
.PHONY: .python
.python:
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) is missing. Fix: install Python 3.11 or newer, or make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: $$($(PYTHON) --version) is too old. Fix: install Python 3.11 or newer, or make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "error: Python's venv module is missing. Fix: apt-get install python3-venv" >&2; exit 1; }
