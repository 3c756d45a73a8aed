#!/usr/bin/env bash
# Table 3 of CueCo's paper: its losses one by one, on CIFAR-100.
#   bash scripts/reproduce/cueco/table3.sh [DATASETS] [ARGUMENTS OF compare] [KEY=VALUE ...]
# SMOKE=1 and the rest: scripts/reproduce/common.sh.
set -euo pipefail
. "$(dirname "$0")/../common.sh"
reproduce cueco/table3 "$@"
