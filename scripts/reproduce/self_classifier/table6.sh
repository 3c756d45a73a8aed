#!/usr/bin/env bash
# Table 6 of Self-Classifier's paper: base learning rates, on ImageNet.
#   bash scripts/reproduce/self_classifier/table6.sh [DATASETS] [ARGUMENTS OF compare] [KEY=VALUE ...]
# SMOKE=1 and the rest: scripts/reproduce/common.sh.
set -euo pipefail
. "$(dirname "$0")/../common.sh"
reproduce self_classifier/table6 "$@"
