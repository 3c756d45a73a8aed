#!/usr/bin/env bash
# CueCo with other momenta of centroids and variances, on CIFAR-100.
#   bash scripts/reproduce/cueco/momentum.sh [DATASETS] [ARGUMENTS OF compare] [KEY=VALUE ...]
# SMOKE=1 and the rest: scripts/reproduce/common.sh.
set -euo pipefail
. "$(dirname "$0")/../common.sh"
reproduce cueco/momentum "$@"
