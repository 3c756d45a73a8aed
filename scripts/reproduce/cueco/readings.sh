#!/usr/bin/env bash
# What CueCo's paper leaves open, one row each, on CIFAR-100.
#   bash scripts/reproduce/cueco/readings.sh [DATASETS] [ARGUMENTS OF compare] [KEY=VALUE ...]
# SMOKE=1 and the rest: scripts/reproduce/common.sh.
set -euo pipefail
. "$(dirname "$0")/../common.sh"
reproduce cueco/readings "$@"
