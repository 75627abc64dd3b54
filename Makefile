# `make help` lists what can be wished for; it is the same here and in CI.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test check fix bench run setup requirements clean

BIN := .venv/bin
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 $$HOME/.pyenv/versions/3.1[2-9]*/bin/python3; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null && { echo "$$p"; break; }; done)
# Keys that let the tools load the settings; nothing is ever encrypted with them.
TOOL_ENV := SECRET_KEY=only-for-tools-that-load-the-settings-0000 \
	FIELD_ENCRYPTION_KEY=MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA= \
	DATABASE_URL=postgresql:///tools REDIS_URL=redis://127.0.0.1:1/0 PYTHONPATH=secrets

help: ## list the wishes
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.venv/bin/uv: requirements-tools.txt
	@[ -n "$(PYTHON)" ] || { echo "Keyhaven needs Python 3.12 or newer on PATH (or PYTHON=/path/to/python3)."; exit 1; }
	@[ -x $(BIN)/python ] || { echo "Making .venv with $(PYTHON)"; $(PYTHON) -m venv .venv; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-tools.txt
	@touch $@

# uv is fast; pip, which knows the machine's own package index, is the second try.
.venv/%.installed: requirements-%.txt .venv/bin/uv
	@echo "Installing $<"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r $< 2>/dev/null \
		|| $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

setup: .venv/dev.installed ## install everything for development

demo: .venv/demo.installed ## start the whole console with a sandbox instead of clouds and clusters (PORT=8000)
	@exec $(BIN)/python -m sandbox.demo

run: .venv/demo.installed ## start the console and a worker with DATABASE_URL and REDIS_URL, or embedded ones kept in .dev/
	@exec $(BIN)/python -m sandbox.run

test: .venv/dev.installed ## run every ring of tests
	@echo "== unit and sandbox"; $(BIN)/python -m pytest -q -n 2 -m "not browser and not worker and not survival" $(ARGS)
	@echo "== worker, survival and browser"; $(BIN)/python -m pytest -q -m "browser or worker or survival" $(ARGS)

check: .venv/dev.installed ## lint, types, layers, templates, migrations, deployment settings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/djlint --quiet --lint templates
	$(TOOL_ENV) $(BIN)/lint-imports
	$(TOOL_ENV) $(BIN)/mypy .
	$(BIN)/python -m sandbox.engines -- $(BIN)/python manage.py makemigrations --check --dry-run
	BASE_URL=https://keyhaven.example $(BIN)/python -m sandbox.engines -- $(BIN)/python manage.py check --deploy --fail-level WARNING

fix: .venv/dev.installed ## repair what the linters can repair
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/dev.installed ## measure, as ratios within one run
	@$(BIN)/python -m tests.bench

requirements: .venv/dev.installed ## resolve the dependencies of pyproject.toml anew, with hashes
	@compile() { $(BIN)/uv pip compile --quiet --universal --python-version 3.12 --generate-hashes --no-annotate --no-header \
		--no-emit-index-url --no-emit-find-links pyproject.toml "$$@"; }; \
	compile -o requirements.txt; \
	compile --extra sandbox -o requirements-demo.txt; \
	compile --extra sandbox --extra dev -o requirements-dev.txt; \
	grep -A 30 -E '^uv==' requirements-dev.txt | awk '/^uv==/{on=1} on&&/^[a-z]/&&!/^uv==/{exit} on' > requirements-tools.txt

clean: ## remove what the demo and the tools keep here
	rm -rf .demo .dev .mypy_cache .ruff_cache .pytest_cache .import_linter_cache staticfiles
