#!/usr/bin/env bash
# CueCo with BYOL's views, with MoCo V2's, and with crops alone, on CIFAR-100.
#   bash scripts/reproduce/cueco/augmentations.sh [DATASETS] [ARGUMENTS OF compare] [KEY=VALUE ...]
# SMOKE=1 and the rest: scripts/reproduce/common.sh.
set -euo pipefail
. "$(dirname "$0")/../common.sh"
reproduce cueco/augmentations "$@"
