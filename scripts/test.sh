#!/usr/bin/env bash
# Linters, types, layers and tests; makes .venv if need be.
#
#     bash scripts/test.sh [PYTEST ARGUMENTS]
set -eu
cd "$(dirname "$0")/.."
. scripts/venv.sh dev
.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy
.venv/bin/lint-imports
# Two processes of one thread each: most tests are too small to share out over threads. A file's
# tests stay together, they have expensive things in common. -n 0 is as without this.
OMP_NUM_THREADS=1 .venv/bin/python -m pytest -n 2 --dist loadfile "$@"
