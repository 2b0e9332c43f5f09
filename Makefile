# Short names for the commands of manage.py; nothing here is needed to start Polysim.
.PHONY: quickstart check fresh tests ci format lint types

quickstart:
	python3 manage.py quickstart

check:
	python3 manage.py quickstart --check

fresh:
	python3 manage.py quickstart --fresh

tests:
	python3 manage.py tests

ci:
	.ci/run

format:
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

lint:
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .

types:
	.venv/bin/mypy
