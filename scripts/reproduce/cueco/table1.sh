#!/usr/bin/env bash
# Table 1 of CueCo's paper: linear accuracy of eleven methods on CIFAR-10, CIFAR-100 and ImageNet-100.
# MoCo v3 and SwAV need solo-learn main; on the release name the others: --only BYOL --only CueCo ...
#   bash scripts/reproduce/cueco/table1.sh [DATASETS] [ARGUMENTS OF compare] [KEY=VALUE ...]
# SMOKE=1 and the rest: scripts/reproduce/common.sh.
set -euo pipefail
. "$(dirname "$0")/../common.sh"
reproduce cueco/table1 "$@"
