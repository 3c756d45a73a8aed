#!/usr/bin/env bash
# CueCo with 100, 500 and 1000 clusters on CIFAR-100.
#   bash scripts/reproduce/cueco/clusters.sh [DATASETS] [ARGUMENTS OF compare] [KEY=VALUE ...]
# SMOKE=1 and the rest: scripts/reproduce/common.sh.
set -euo pipefail
. "$(dirname "$0")/../common.sh"
reproduce cueco/clusters "$@"
