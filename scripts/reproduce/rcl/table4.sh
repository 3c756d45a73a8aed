#!/usr/bin/env bash
# Table 4 of RCL's paper: clusterings and their time, on ImageNet.
#   bash scripts/reproduce/rcl/table4.sh [DATASETS] [ARGUMENTS OF compare] [KEY=VALUE ...]
# SMOKE=1 and the rest: scripts/reproduce/common.sh.
set -euo pipefail
. "$(dirname "$0")/../common.sh"
reproduce rcl/table4 "$@"
