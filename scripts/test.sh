#!/usr/bin/env bash
# Linters, types and tests; makes .venv if need be.
#
#     bash scripts/test.sh [PYTEST ARGUMENTS]
set -eu
cd "$(dirname "$0")/.."
. scripts/venv.sh dev
.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy
.venv/bin/python -m pytest "$@"
