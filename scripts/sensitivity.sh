#!/usr/bin/env bash
# How much the number of clusters matters: one run for each, then its figures.
#
#   bash scripts/sensitivity.sh CONFIG [KEY=VALUE ...]
#   bash scripts/sensitivity.sh cueco-cifar100 data.train_path=datasets
#
# Interrupted and finished rows, COMMAND and EVALUATE: as in ablations.sh.
set -euo pipefail

ROWS=(
  "L100 method_kwargs.num_clusters=100"
  "L500 method_kwargs.num_clusters=500"
  "L1000 method_kwargs.num_clusters=1000"
)

. "$(dirname "$0")/rows.sh"
run_rows "$@"
