#!/usr/bin/env bash
# Table 2 of RCL's paper: fine-tuned on 1 % and 10 % of ImageNet's labels.
#   bash scripts/reproduce/rcl/table2.sh [DATASETS] [ARGUMENTS OF compare] [KEY=VALUE ...]
# SUBSETS=DIR has SimCLR's lists of images, 1percent.txt and 10percent.txt, see docs/reproducing.md.
# SMOKE=1 and the rest: scripts/reproduce/common.sh.
set -euo pipefail
. "$(dirname "$0")/../common.sh"
if [ -n "${SUBSETS:-}" ]; then
  for list in 1percent.txt 10percent.txt; do
    if [ ! -f "$SUBSETS/$list" ]; then
      echo "error: SUBSETS=$SUBSETS holds no $list; give the folder of SimCLR's lists" >&2
      exit 2
    fi
  done
  export SUBSET_1PCT="--subset '$SUBSETS/1percent.txt'" SUBSET_10PCT="--subset '$SUBSETS/10percent.txt'"
fi
reproduce rcl/table2 "$@"
