#!/usr/bin/env bash
# The table of docs/rcl.md: RCL, its own warm-up alone, NNCLR, MoCo V2+ and CueCo on digits-placed,
# three seeds each; some 75 minutes on two cores.
#
#   cueco-solo data digits-placed --out datasets/digits-placed
#   bash scripts/benchmarks/digits_table.sh [KEY=VALUE ...]
#
# SEEDS="5 6 7" chooses the seeds. Interrupted and finished rows, COMMAND and EVALUATE: as in
# ablations.sh.
set -euo pipefail
. "$(dirname "$0")/../rows.sh"

for seed in ${SEEDS:-5 6 7}; do
  ROWS=("all-seed$seed" "warm-up-seed$seed method_kwargs.hierarchy_warmup_epochs=24")
  run_rows rcl-digits-placed max_epochs=24 "seed=$seed" "$@"
  ROWS=("seed$seed")
  for method in nnclr mocov2plus cueco; do
    run_rows "$method-digits-placed" max_epochs=24 "seed=$seed" "$@"
  done
done
