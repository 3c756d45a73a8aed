#!/usr/bin/env bash
# The rows of RCL's Tables 3 and 4, and what its paper leaves open, on CIFAR-100.
#   bash scripts/reproduce/rcl/readings.sh [DATASETS] [ARGUMENTS OF compare] [KEY=VALUE ...]
# SMOKE=1 and the rest: scripts/reproduce/common.sh.
set -euo pipefail
. "$(dirname "$0")/../common.sh"
reproduce rcl/readings "$@"
