#!/usr/bin/env bash
# Table 5 of Self-Classifier's paper: its MLP, on ImageNet.
#   bash scripts/reproduce/self_classifier/table5.sh [DATASETS] [ARGUMENTS OF compare] [KEY=VALUE ...]
# SMOKE=1 and the rest: scripts/reproduce/common.sh.
set -euo pipefail
. "$(dirname "$0")/../common.sh"
reproduce self_classifier/table5 "$@"
