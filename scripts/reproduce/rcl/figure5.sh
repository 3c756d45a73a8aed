#!/usr/bin/env bash
# Figure 5(b) of RCL's paper: sizes of the queue, on ImageNet.
#   bash scripts/reproduce/rcl/figure5.sh [DATASETS] [ARGUMENTS OF compare] [KEY=VALUE ...]
# SMOKE=1 and the rest: scripts/reproduce/common.sh.
set -euo pipefail
. "$(dirname "$0")/../common.sh"
reproduce rcl/figure5 "$@"
