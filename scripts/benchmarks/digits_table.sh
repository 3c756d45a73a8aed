#!/usr/bin/env bash
# The tables of docs/rcl.md and docs/self_classifier.md: RCL, its own warm-up alone, NNCLR, MoCo V2+,
# CueCo with and without its cluster losses, SimCLR and Self-Classifier on digits-placed, three seeds
# each; some two hours on two cores.
# Evaluated on the validation digits in ten other placements, since 355 images tell little.
#
#   bash scripts/benchmarks/digits_table.sh [KEY=VALUE ...]
#
# SEEDS="5 6 7" chooses the seeds, METHODS="simclr swav" the methods; swav needs solo-learn main.
# EPOCHS=120 trains longer, RCL="method_kwargs.hierarchy=dbscan" is for RCL's own row alone, not for its
# warm-up; docs/results/rcl_digits.md has the settings that were tried. Without crops:
# SEEDS="8 9 10 11" METHODS=rcl before the command, augmentations.0.rrc.enabled=False behind it.
# Every row goes on where it was interrupted, and is skipped where it is finished. COMMAND=echo shows what
# would be run; EVALUATE=0 trains only.
set -euo pipefail
. "$(dirname "$0")/../rows.sh"

digits=datasets/digits-placed
cueco_solo data digits-placed --out $digits
export VAL_PATH=$digits-ten
for placing in {6..15}; do
  cueco_solo data digits-placed --out "$digits-$placing" --seed "$placing"
  [ "${COMMAND:-}" = echo ] && continue
  for image in "$digits-$placing"/val/*/*.png; do
    class=$(basename "$(dirname "$image")")
    mkdir -p "$VAL_PATH/$class"
    cp "$image" "$VAL_PATH/$class/$placing-$(basename "$image")"
  done
done

epochs=${EPOCHS:-24}
for seed in ${SEEDS:-5 6 7}; do
  for method in ${METHODS:-rcl nnclr mocov2plus cueco simclr self_classifier}; do
    ROWS=("seed$seed")
    if [ "$method" = rcl ]; then
      alone=method_kwargs.hierarchy_warmup_epochs=$epochs
      ROWS=("all-seed$seed ${RCL:-}" "warm-up-seed$seed $alone")
    elif [ "$method" = cueco ]; then
      alone="method_kwargs.centroid_weight=0 method_kwargs.variance_weight=0"
      ROWS+=("contrastive-only-seed$seed $alone")
    fi
    run_rows "$method-digits-placed" "max_epochs=$epochs" "seed=$seed" "$@"
  done
done
