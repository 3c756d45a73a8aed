#!/usr/bin/env bash
# Table 2 of CueCo's paper: K-means on the features of CIFAR-10 and CIFAR-100.
#   bash scripts/reproduce/cueco/table2.sh [DATASETS] [ARGUMENTS OF compare] [KEY=VALUE ...]
# SMOKE=1 and the rest: scripts/reproduce/common.sh.
set -euo pipefail
. "$(dirname "$0")/../common.sh"
reproduce cueco/table2 "$@"
