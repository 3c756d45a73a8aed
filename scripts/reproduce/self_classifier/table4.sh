#!/usr/bin/env bash
# Table 4 of Self-Classifier's paper: numbers of classifiers and of classes, on ImageNet.
#   bash scripts/reproduce/self_classifier/table4.sh [DATASETS] [ARGUMENTS OF compare] [KEY=VALUE ...]
# SMOKE=1 and the rest: scripts/reproduce/common.sh.
set -euo pipefail
. "$(dirname "$0")/../common.sh"
reproduce self_classifier/table4 "$@"
