#!/usr/bin/env bash
# Table 3 of Self-Classifier's paper: k-NN on ImageNet.
#   bash scripts/reproduce/self_classifier/table3.sh [DATASETS] [ARGUMENTS OF compare] [KEY=VALUE ...]
# SMOKE=1 and the rest: scripts/reproduce/common.sh.
set -euo pipefail
. "$(dirname "$0")/../common.sh"
reproduce self_classifier/table3 "$@"
