#!/usr/bin/env bash
# Table 3 of RCL's paper: predictors and levels, on ImageNet.
#   bash scripts/reproduce/rcl/table3.sh [DATASETS] [ARGUMENTS OF compare] [KEY=VALUE ...]
# SMOKE=1 and the rest: scripts/reproduce/common.sh.
set -euo pipefail
. "$(dirname "$0")/../common.sh"
reproduce rcl/table3 "$@"
