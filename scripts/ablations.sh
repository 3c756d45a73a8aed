#!/usr/bin/env bash
# The paper's ablations and the readings that it leaves open: one run per row, then its figures.
#
#   bash scripts/ablations.sh CONFIG [KEY=VALUE ...]
#   bash scripts/ablations.sh cueco-cifar100 data.train_path=datasets
#   bash scripts/ablations.sh rcl-digits-placed hardware=cpu seed=6
#
# CONFIG is one of ours of cueco-* (Table 3) or rcl-* (Tables 3 and 4). Every row goes on where it
# was interrupted, and is skipped where it is finished. The figures are in the run folders,
# <checkpoint.dir>/<method>/<config>-<row>-seed.../eval-*.json.
# COMMAND=echo shows what would be run; EVALUATE=0 trains only.
set -euo pipefail

CUECO=(
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
  # ours: starts of the predictor, sizes of the variance, and readings of what is left open
  "identity-start method_kwargs.proj_output_bn=True method_kwargs.predictor_init=identity"
  "residual-predictor method_kwargs.predictor=residual"
  "no-predictor method_kwargs.predictor=none"
  "predictor-output-bn method_kwargs.pred_output_bn=True"
  "no-predictor-bias method_kwargs.pred_output_bias=False"
  "variance-mean method_kwargs.variance=mean"
  "variance-per-dimension method_kwargs.variance=per_dimension"
  "frozen-random method_kwargs.before_clustering=frozen"
  "frozen-kmeans method_kwargs.before_clustering=frozen method_kwargs.frozen_start=kmeans"
  "soft-sharp method_kwargs.assignment=soft method_kwargs.assignment_temperature=0.05"
)

RCL=(
  # Table 3: predictors, levels, each with the first radii of dbscan_eps; where a configuration has
  # other radii than the paper's, give method_kwargs.dbscan_eps with three of them, which goes for all
  "predictors1-levels1 method_kwargs.num_predictors=1 method_kwargs.num_levels=1"
  "predictors1-levels2 method_kwargs.num_predictors=1 method_kwargs.num_levels=2"
  "predictors1-levels3 method_kwargs.num_predictors=1 method_kwargs.num_levels=3"
  "predictors1-levels4 method_kwargs.num_predictors=1 method_kwargs.num_levels=4 method_kwargs.dbscan_eps=[0.8,0.7,0.6] method_kwargs.merge_threshold=null"
  # three predictors and levels, which Table 4 has too: its hierarchies
  "online method_kwargs.hierarchy=online"
  "none method_kwargs.hierarchy=none method_kwargs.num_predictors=1 method_kwargs.num_levels=1"
  "kmeans method_kwargs.hierarchy=kmeans"
  "dbscan method_kwargs.hierarchy=dbscan"
  # ours
  "one-sided method_kwargs.symmetric=False"
  "identity-start method_kwargs.predictor_init=identity"
  "residual-predictor method_kwargs.predictor=residual"
)

case "${1:-}" in
  "") ROWS=() ;; # run_rows shows the usage
  cueco-*) ROWS=("${CUECO[@]}") ;;
  rcl-*) ROWS=("${RCL[@]}") ;;
  *)
    echo "error: CONFIG=$1 must be a configuration of ours of cueco-* or rcl-*" >&2
    exit 2
    ;;
esac

. "$(dirname "$0")/rows.sh"
run_rows "$@"
