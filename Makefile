# The Fine-Tuning Lab. `make` lists the commands; everything is installed into .venv, nothing into the system.

PORT ?= 8501
# How many test processes share the machine.
JOBS ?= 2
# Empty: the first of python3.11, python3, ... that is 3.11 or later.
PYTHON ?=
export PYTHON

VENV := .venv/bin/python
# Named after the content, so that a second run does not call pip and an edited file does.
sum = $(shell cat $(1) | cksum | tr ' ' '.')
SETUP := .venv/.installed-$(call sum,requirements.txt tools/environment.sh)
SETUP_DEV := .venv/.installed.dev-$(call sum,requirements.txt requirements-dev.txt tools/environment.sh)
PYTEST := $(VENV) -m pytest
stage = @printf '\n=== %s ===\n' "$(1)"

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run setup demo test setup-dev lint types layers unit pages-test browser quick docs messages lock clean

help:  ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(SETUP)  ## install if needed and start the app on 127.0.0.1:8501 (PORT=... for another port)
	@echo "The Fine-Tuning Lab: http://127.0.0.1:$(PORT)   (Ctrl-C stops the pages; runs go on)"
	@exec $(VENV) -m streamlit run app.py --server.port $(PORT)

setup: $(SETUP)  ## only create .venv and install

demo: $(SETUP)  ## set up, then tune the embedded model and compare before and after, without a browser
	@$(VENV) -m lab demo

test: lint types layers unit pages-test browser  ## everything that must hold; stops at the first stage that fails
	@printf '\nEvery stage passed.\n'

setup-dev: $(SETUP_DEV)  ## install what the tests need

lint: $(SETUP_DEV)  ## ruff
	$(call stage,lint: ruff)
	@$(VENV) -m ruff check .

types: $(SETUP_DEV)  ## mypy on lab/
	$(call stage,types: mypy)
	@$(VENV) -m mypy

layers: $(SETUP_DEV)  ## import-linter: the two wings and the ground
	$(call stage,layers: import-linter)
	@$(VENV) -c 'from importlinter.cli import lint_imports_command; lint_imports_command()' --no-logo

unit: $(SETUP_DEV)  ## tests that need neither page nor browser
	$(call stage,unit tests)
	@$(PYTEST) -m "not page and not browser" -n $(JOBS) --dist loadfile

pages-test: $(SETUP_DEV)  ## every page, driven by Streamlit's AppTest
	$(call stage,page tests)
	@$(PYTEST) -m page -n $(JOBS) --dist loadfile

browser: $(SETUP_DEV)  ## the real app in a real Chromium; ends in "Error 3" when there is none
	$(call stage,browser tests)
	@CHROMIUM=$$(tools/chromium.sh) || { \
	  echo "SKIPPED: the browser tests (tests/browser) did not run, because there is no Chromium; so this is no success."; \
	  echo "Install chromium, or name one: make browser CHROMIUM=/path/to/chromium"; \
	  exit 3; }; \
	export CHROMIUM; $(PYTEST) -m browser

quick: $(SETUP_DEV)  ## the unit and page tests that take a moment, for the time between two edits
	@$(PYTEST) -m "not slow and not browser" -n $(JOBS) --dist loadfile

docs: $(SETUP)  ## regenerate the generated pages of docs/
	@$(VENV) -m lab.cli.docs

CATALOGUE := lab/ui/locale
PYBABEL := $(VENV) -m babel.messages.frontend
messages: $(SETUP_DEV)  ## collect the sentences of the pages and presets and compile the translations
	@mkdir -p build $(CATALOGUE)
	@$(PYBABEL) -q extract -F $(CATALOGUE)/babel.cfg -k _ -k N_ -k ngettext:1,2 --no-location --sort-output \
	  --project lab --version 0 -o build/lab.pot app.py pages lab \
	  presets/recipes presets/published presets/preparation presets/hardware
	@$(PYBABEL) -q update -D lab -l fr --init-missing -i build/lab.pot -d $(CATALOGUE) \
	  --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date
	@$(PYBABEL) compile -D lab -d $(CATALOGUE) --statistics

lock: $(SETUP_DEV)  ## pin again what the direct requirements bring in, at the installed versions
	@$(VENV) tools/lock.py requirements.txt requirements-dev.txt

clean:  ## remove .venv and every cache; runs and data in LAB_HOME stay
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis test-results
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.installed.dev-%:
	@tools/environment.sh requirements-dev.txt $@

.venv/.installed-%:
	@tools/environment.sh requirements.txt $@
