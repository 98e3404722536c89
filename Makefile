# make demo, make test: see README.md. Everything is set up in .venv; beyond it, `make test` installs what Debian packages
# it lacks (PostgreSQL, RabbitMQ, Redis, Docker, Chromium …), and starts none of them as a service.
PYTHON ?= python3
BIN := .venv/bin
# Our pins alone decide what is installed.
PIP := PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: install demo demo-containers test chaos check bench constraints clean

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv 2>/dev/null || { rm -rf .venv; apt-get update -qq && apt-get install -y -qq python3-venv && $(PYTHON) -m venv .venv; }
	$(PIP) install hatchling editables
	$(PIP) install --no-build-isolation --editable '.[all,dev]'
	touch $@

demo: install
	$(BIN)/python examples/anagrams/demo.py

# With the machine's own Docker engine and Apptainer, or those of the tests.
demo-containers: install
	$(BIN)/python -m tests.services.install
	$(BIN)/python examples/anagrams/demo_containers.py

# Tests wait more than they compute: hence more processes than one has cores. A file's tests stay in one of them, and the
# slow ones, which come first, are begun first.
TESTS := -n 3 --dist loadfile --no-loadscope-reorder
# The second run is what speaks to the database, on PostgreSQL. Each names what it had no program for.
test: install
	$(BIN)/python -m tests.services.install
	$(BIN)/pytest $(TESTS)
	$(BIN)/python -m tests.services.on_postgresql $(TESTS) tests/integration

# A small run of it is part of `make test`. SEED=17 repeats what was random in an earlier run, but not its moments.
chaos: install
	$(BIN)/python -m tests.services.install
	$(BIN)/python -m tests.chaos $(if $(SEED),--seed $(SEED))

check: install
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: install
	$(BIN)/python bench/embedded.py
	$(BIN)/python bench/many.py
	$(BIN)/python bench/waiting.py
	$(BIN)/python bench/lists.py
	$(BIN)/python bench/pages.py
	$(BIN)/python bench/sdk.py
	$(BIN)/python bench/shipping.py
	$(BIN)/python bench/containers.py
	$(BIN)/python bench/cli.py

constraints: install
	$(BIN)/uv pip compile --quiet --upgrade --python-version 3.11 --all-extras --no-header --no-annotate \
	  --no-emit-index-url --no-emit-find-links --output-file constraints.txt pyproject.toml

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
