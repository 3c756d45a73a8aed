#!/usr/bin/env bash
# Table 3 of the paper and the readings that it leaves open: one run per row, then its figures.
#
#   bash scripts/ablations.sh CONFIG [KEY=VALUE ...]
#   bash scripts/ablations.sh cueco-cifar100 data.train_path=datasets
#   bash scripts/ablations.sh cueco-digits-placed hardware=cpu seed=6
#
# Every row goes on where it was interrupted, and is skipped where it is finished. The figures are
# in the run folders, <checkpoint.dir>/cueco/<config>-<row>-seed.../eval-*.json.
# COMMAND=echo shows what would be run; EVALUATE=0 trains only.
set -euo pipefail

ROWS=(
  # Table 3: lambda_1, lambda_2, lambda_3
  "contrastive method_kwargs.centroid_weight=0 method_kwargs.variance_weight=0"
  "contrastive-centroid method_kwargs.variance_weight=0"
  "contrastive-variance method_kwargs.centroid_weight=0"
  "all"
  # what the paper promises or describes in two ways
  "soft method_kwargs.assignment=soft"
  "offline method_kwargs.clustering=offline"
  "centroid-gradient method_kwargs.centroid_gradient=True"
  "one-sided method_kwargs.symmetric=False"
  "no-output-bn method_kwargs.proj_output_bn=False"
)

. "$(dirname "$0")/rows.sh"
run_rows "$@"
