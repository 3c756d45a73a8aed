#!/usr/bin/env bash
# CueCo, with and without its cluster losses, beside MoCo V2+ and SimCLR, from nothing to a table: on
# a fresh machine with Python 3.10 or newer that reaches the package index. 32 minutes on two busy
# cores, after the installation; run again, it reuses what is there.
#
#     bash scripts/quickstart.sh                  # everything
#     bash scripts/quickstart.sh max_epochs=2     # a glimpse: overrides go to every pre-training
set -eu
cd "$(dirname "$0")/.."
. scripts/venv.sh "" # no extras; without an argument it would see this script's own
exec .venv/bin/cueco-solo quickstart "$@"
