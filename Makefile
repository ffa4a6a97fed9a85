# Every target does its own set-up; a fresh machine needs Python 3.11 or later, make and a network.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo demo-served plugin test test-latest lint docs bench helps crash crash-served setup

PYTHON := .venv/bin/python
NEEDS_MAVEN := command -v mvn >/dev/null && command -v java >/dev/null \
	|| { echo 'The procedures for Neo4j are built with Maven and Java 17 or later: install both.' >&2; exit 1; }
PLUGIN := aesg_graph/stores/neo4j/plugin
LATEST_NEO4J := 2026.08.1
READY := .venv/.ready

# uv from the path, or as a module, or (made below) in a place of its own.
UV := $(shell \
	if uv --version >/dev/null 2>&1; then echo uv; \
	elif python3 -m uv --version >/dev/null 2>&1; then echo python3 -m uv; \
	else echo .uv/bin/uv; fi)

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

demo: $(READY) ## watch a network stop forgetting because it has a memory (under three minutes)
	$(PYTHON) examples/digits.py

demo-served: $(READY) ## the same memory in a real Neo4j, asked in Cypher what it has learned (Java 17 and Maven)
	$(PYTHON) examples/digits_served.py

plugin: $(READY) ## build the procedures for Neo4j, and say where they go (Java 17 and Maven)
	@$(NEEDS_MAVEN)
	cd schema/procedures && mvn -q -B clean package -DskipTests
	mkdir -p $(PLUGIN) && rm -f $(PLUGIN)/*.jar && cp schema/procedures/target/aesg-procedures-*.jar $(PLUGIN)
	.venv/bin/aesg plugin

test: lint ## check style and types, run all tests, print the coverage
	@$(NEEDS_MAVEN)
	cd schema/procedures && mvn -q -B verify
	$(PYTHON) -m pytest -n 2 --dist loadgroup --no-loadscope-reorder --cov=aesg_graph --cov-report=term

test-latest: $(READY) ## run the tests of the served engine on the newest Neo4j (needs Java 21 or later)
	AESG_TEST_NEO4J_VERSION=$(LATEST_NEO4J) $(PYTHON) -m pytest tests/served tests/stores tests/procedures tests/docs \
		-k 'neo4j or served or procedures or docs' -q

lint: $(READY) ## check style and types alone
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy --strict

docs: $(READY) ## write the reference, docs/api, from the docstrings
	$(PYTHON) docs/reference.py

bench: $(READY) ## measure speed beside other libraries, and print the ratios
	$(PYTHON) benchmarks/run.py

helps: $(READY) ## measure where memory helps and where it does not (some 15 minutes; gets a sentence encoder, 90 MB)
	$(UV) pip install --python $(PYTHON) -e '.[dev,bench]' -c constraints.txt
	$(PYTHON) benchmarks/where_memory_helps.py

crash: $(READY) ## kill a learning process 1,000 times and look for anything lost
	$(PYTHON) -m pytest tests/crash/test_crash.py --kills=1000 -q

crash-served: $(READY) ## the same on servers: kill the writer, Neo4j and Qdrant 1,000 times
	$(PYTHON) -m pytest tests/crash/test_crash_served.py --served-kills=1000 -q -rP

setup: $(READY) ## make .venv and install everything that the other commands need

# Done once, and again when what is to be installed has changed.
$(READY): pyproject.toml constraints.txt $(filter .uv/bin/uv,$(UV))
	test -x $(PYTHON) || $(UV) venv --python '>=3.11' .venv
	$(UV) pip install --python $(PYTHON) -e '.[dev]' -c constraints.txt
	touch $@

# A folder that holds uv alone: by a virtual environment, or by pip where Python comes without the venv module.
.uv/bin/uv:
	{ python3 -m venv .uv && .uv/bin/python -m pip install --quiet uv; } \
		|| { rm -rf .uv && python3 -m pip install --quiet --target .uv uv; }
