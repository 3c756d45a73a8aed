#!/usr/bin/env bash
# Table 1 of RCL's paper: linear accuracy on ImageNet after 200, 400 and 800 epochs.
#   bash scripts/reproduce/rcl/table1.sh [DATASETS] [ARGUMENTS OF compare] [KEY=VALUE ...]
# SMOKE=1 and the rest: scripts/reproduce/common.sh.
set -euo pipefail
. "$(dirname "$0")/../common.sh"
reproduce rcl/table1 "$@"
