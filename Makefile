# One short target a daily chore. `make setup` once, `make check` before each commit.

# The tools of .venv if it is there, else those on the path.
BIN := $(if $(wildcard .venv/bin),.venv/bin/)

.PHONY: setup format lint check test notebooks gallery bench ci clean

setup:            ## a virtual environment with everything, and the git hooks
	python3 -m venv .venv
	.venv/bin/pip install --editable '.[dev]'
	.venv/bin/pre-commit install

format:           ## let ruff mend what it can
	$(BIN)ruff check --fix
	$(BIN)ruff format

lint:             ## ruff and mypy
	$(BIN)ruff check
	$(BIN)ruff format --check
	$(BIN)mypy

check: lint       ## all that takes less than a minute
	$(BIN)pytest -q -m "not slow"

test:             ## every test
	$(BIN)pytest

notebooks:        ## run them from top to bottom
	$(BIN)pytest --nbmake notebooks/

gallery:          ## draw docs/gallery anew
	$(BIN)python docs/gallery.py

bench:            ## the figures; never part of the tests
	for script in benchmarks/*.py; do $(BIN)python $$script || exit 1; done

ci:               ## all that CI does
	.ci/run </dev/null

clean:            ## what tools leave behind; case stores stay
	rm -rf build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
