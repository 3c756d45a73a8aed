#!/usr/bin/env bash
# The CIFAR-10 study of docs/results/plan.md, from torchvision's CIFAR-10 to its tables and report:
# the rows of CueCo's losses over five seeds, then other heads and methods over three. 50 runs took
# over 7 hours of one core; an interrupted one goes on where it was.
#
#   bash scripts/reproduce/evidence/cifar10.sh [DATASETS] [KEY=VALUE ...]
#
# First GRIDS=cifar10-small-pilot: its rate is to be set in configs/*-cifar10-small.yaml, where it
# isn't chosen yet.
# DATASETS holds cifar-10-batches-py (default: datasets). DOWNLOAD=1 fetches it. GRIDS="cifar10-small"
# runs the rows of losses alone. With GRIDS=cifar10 and a GPU: all 50,000 images, the CIFAR stem and
# the papers' settings; max_epochs=200 or 1000 says how long.
# COMMAND=echo shows what would be run.
set -euo pipefail
root=$(dirname "$0")/../../..
. "$root/scripts/rows.sh"

datasets=datasets
if [ $# -gt 0 ] && [[ "$1" != *=* ]]; then
  datasets=$1
  shift
fi
for grid in ${GRIDS:-cifar10-small cifar10-small-others}; do
  if [ "$grid" = cifar10 ]; then
    cueco_solo compare cifar10 "data.train_path=$datasets" "$@"
    continue
  fi
  images=$datasets/cifar10-small
  if [ -z "${COMMAND:-}" ]; then
    python=$root/.venv/bin/python # what scripts/quickstart.sh has installed
    [ -x "$python" ] || python=python
    "$python" "$(dirname "$0")/cifar10_images.py" "$datasets" "$images" ${DOWNLOAD:+--download}
  fi
  val=val
  [ "$grid" != cifar10-small-pilot ] || val=pilot
  cueco_solo compare "$grid" "data.train_path=$images/train" "data.val_path=$images/$val" "$@"
done
