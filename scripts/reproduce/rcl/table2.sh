#!/usr/bin/env bash
# Table 2 of RCL's paper: fine-tuned on 1 % and 10 % of ImageNet's labels.
#   bash scripts/reproduce/rcl/table2.sh [DATASETS] [ARGUMENTS OF compare] [KEY=VALUE ...]
# SMOKE=1 and the rest: scripts/reproduce/common.sh.
set -euo pipefail
. "$(dirname "$0")/../common.sh"
reproduce rcl/table2 "$@"
