#!/usr/bin/env bash
# Table 2 of Self-Classifier's paper: its own labels on CIFAR-10, CIFAR-100-20 and ImageNet.
#   bash scripts/reproduce/self_classifier/table2.sh [DATASETS] [ARGUMENTS OF compare] [KEY=VALUE ...]
# SMOKE=1 and the rest: scripts/reproduce/common.sh.
set -euo pipefail
. "$(dirname "$0")/../common.sh"
reproduce self_classifier/table2 "$@"
