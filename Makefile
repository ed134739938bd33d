# SPDX-License-Identifier: Apache-2.0
# Each target sets up what it needs first; as root that includes Debian's packages.

VENV := .venv
BIN := $(VENV)/bin
BPF := src/fleutan/linux/bpf

.PHONY: flows test check lint types imports docs-check unit test-vm test-engines bpf golden bench fuzz docs setup setup-dev clean

flows: setup
	@$(BIN)/fleutan flows

setup: $(VENV)/.installed

setup-dev: $(VENV)/.installed-dev

$(VENV)/.installed: pyproject.toml constraints.txt tools/packages
	@tools/packages run
	@test -x $(BIN)/python || python3 -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@tools/packages test
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

$(VENV)/.installed-vm: $(VENV)/.installed-dev
	@tools/packages vm
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[vm]'
	@touch $@

$(VENV)/.installed-fuzz: $(VENV)/.installed-dev
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[fuzz]'
	@touch $@

test: lint types imports docs-check unit

check: lint types imports docs-check

lint: setup-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup-dev
	$(BIN)/mypy

imports: setup-dev
	$(BIN)/lint-imports

docs-check: setup-dev
	$(BIN)/python docs/generate.py --check

# Broken input by the hundred thousand, kills and power cuts: no line of theirs is worth the wait for being traced.
BREAKING := tests/fuzz tests/lake/test_killed.py tests/lake/test_powercut.py tests/lake/test_together.py
# What runs in namespaces mostly waits, and is not measured.
NAMESPACES := tests/namespaces tests/vm
# What asks the kernel of the whole host has it for itself.
ALONE := tests/linux tests/faces/cli/test_asking.py
MEASURED := --cov --cov-report= --cov-fail-under=0
BESIDE := -n 3 --dist loadfile
unit: setup-dev
	$(BIN)/python -m coverage erase
	$(BIN)/python -m pytest $(MEASURED) $(BESIDE) $(addprefix --ignore=,$(BREAKING) $(NAMESPACES) $(ALONE))
	$(BIN)/python -m pytest $(MEASURED) --cov-append $(ALONE)
	$(BIN)/python -m coverage report
	$(BIN)/python -m pytest $(BESIDE) $(BREAKING)
	$(BIN)/python -m pytest $(BESIDE) $(NAMESPACES)

# Each round is a process: atheris keeps the result of every comparison that it traces, whole arrays too.
fuzz: $(VENV)/.installed-fuzz
	for round in $$(seq $(or $(ROUNDS),8)); do \
	    $(BIN)/python -m tests.fuzz.target .fuzz/corpus --seed -artifact_prefix=.fuzz/ -max_len=6000 \
	        -timeout=30 -runs=8000 || exit; \
	done

$(VENV)/.installed-engines: $(VENV)/.installed-dev
	@tools/packages engines
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[clickhouse,spark]'
	@touch $@

# A gigabyte of other engines: tests of them skip where they are not.
test-engines: $(VENV)/.installed-engines
	$(BIN)/python -m pytest tests/past/engines tests/faces/cli/test_query_engine.py

test-vm: $(VENV)/.installed-vm
	@tools/test-vm $(TESTS)

bpf: setup-dev
	for source in $(BPF)/*.bpf.c; do $(BPF)/build.sh "$${source%.c}.o" || exit; done

golden: setup-dev
	FLEUTAN_GOLDEN=write $(BIN)/python -m pytest -q tests -k golden
	git diff --stat tests/golden

bench: setup-dev
	$(BIN)/python bench/run.py
	$(BIN)/python bench/tracing.py
	$(BIN)/python bench/agent_counters.py
	$(BIN)/python bench/sampling.py

docs: setup-dev
	$(BIN)/python docs/generate.py

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage*
