# Needs Python 3.11 or newer and make; everything else comes into .venv.
#
#   make setup      prepare .venv (every other target does it too, when needed)
#   make demo       the running product with the alliance's data
#   make test       the tests of every day, under five minutes
#   make test-long  the long ones
#   make test-all   both
#   make lint       style, types, direction of imports
#   make bench      the figures of the README
#   make soak       everything fails at once for SECONDS (1800); SEED repeats a run, ONLY names faults
#   make faults     each fault of the promises as often as they say, hours; SEED, ONLY="F2 F4", MINUTES each
#   make dev        pages and worker on your own data under ./var, with logs to read
#
# PYTHON=... chooses another Python, VENV=... another folder for it.

PYTHON ?=
VENV ?= .venv
BIN = $(VENV)/bin
STAMP = $(VENV)/.synced
# Tests wait for mail, browsers and databases more than they compute.
JOBS ?= 3
# Tests and demo start many programs: without kept bytecode each compiles everything anew.
export PYTHONDONTWRITEBYTECODE =

.PHONY: setup demo test test-long test-all lint bench soak faults dev vendor clean

setup: $(STAMP)

# Programs of a folder that was copied or moved still name the old one.
ifeq ($(shell [ ! -e "$(BIN)/activate" ] || grep -qF "$(abspath $(VENV))" "$(BIN)/activate" || echo moved),moved)
.PHONY: $(STAMP)
MOVED = moved
endif

# A Python counts only when it runs: version managers leave stubs that fail.
$(STAMP): pyproject.toml uv.lock
	@set -eu; \
	python='$(PYTHON)'; \
	if [ -z "$$python" ]; then \
	  for each in python3.14 python3.13 python3.12 python3.11; do \
	    if "$$each" -c '' >/dev/null 2>&1; then python=$$each; break; fi; \
	  done; \
	fi; \
	if [ -z "$$python" ]; then \
	  echo "No Python from 3.11 to 3.14 runs here. On Debian: apt install python3 python3-venv." >&2; \
	  echo "Or name one: make $(or $(MAKECMDGOALS),setup) PYTHON=/path/to/python3" >&2; exit 1; \
	fi; \
	if ! "$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2])' 2>/dev/null; then \
	  echo "$$python does not run or is older than Python 3.11." >&2; exit 1; \
	fi; \
	version='import sys; print("%d.%d" % sys.version_info[:2])'; \
	have=$$("$(BIN)/python" -c "$$version" 2>/dev/null || true); \
	want=$$("$$python" -c "$$version"); \
	if [ -z '$(PYTHON)' ]; then case "$$have" in 3.1[1-9]) want=$$have;; esac; fi; \
	if [ -n '$(MOVED)' ] || [ "$$have" != "$$want" ] || ! "$(BIN)/python" -m pip --version >/dev/null 2>&1; then \
	  if ! "$$python" -c 'import venv, ensurepip' >/dev/null 2>&1; then \
	    echo "The module venv of $$python is missing. On Debian: apt install python$$want-venv" >&2; \
	    exit 1; \
	  fi; \
	  rm -rf "$(VENV)"; \
	  "$$python" -m venv "$(VENV)"; \
	  echo '*' >"$(VENV)/.gitignore"; \
	fi; \
	if ! "$(BIN)/uv" --version >/dev/null 2>&1; then \
	  "$(BIN)/python" -m pip install --quiet --disable-pip-version-check 'uv>=0.9'; \
	fi; \
	UV_PYTHON_DOWNLOADS=never UV_COMPILE_BYTECODE=1 UV_PROJECT_ENVIRONMENT="$(VENV)" \
	  "$(BIN)/uv" sync --quiet --locked --python "$(BIN)/python"; \
	touch "$(STAMP)"

demo: setup
	@$(BIN)/terminbuch demo

test: setup
	$(BIN)/pytest -q -n $(JOBS) --dist loadgroup

test-long: setup
	$(BIN)/pytest -q -n 2 --dist loadgroup -m long

test-all: test
	@$(MAKE) --no-print-directory test-long

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup
	$(BIN)/python -m tests.benchmarks

SECONDS ?= 1800
soak: setup
	$(BIN)/python -m tests.faults.soak --seconds $(SECONDS) $(if $(SEED),--seed $(SEED)) $(if $(ONLY),--only $(ONLY))

faults: setup
	$(BIN)/python -m tests.faults.programme $(if $(SEED),--seed $(SEED)) $(if $(ONLY),--only $(ONLY)) $(if $(MINUTES),--minutes $(MINUTES))

dev: setup
	TERMINBUCH_LOG_FORMAT=text TERMINBUCH_LOG_LEVEL=debug $(BIN)/terminbuch serve

# Fetches the pinned design system, htmx and the font anew, and checks their sums.
vendor: setup
	$(BIN)/python deploy/vendor.py

clean:
	rm -rf $(VENV) .venv-* .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis dist test-results
