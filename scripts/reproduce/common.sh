# Sourced by the scripts below: each runs a grid of configs/compare, whose tables go to --out DIR (default:
# comparisons/GRID) with, where it is a paper's, paper.md: the paper's table beside ours. Run folders go to
# trained_models; checkpoint.dir=DIR moves them. What is finished is reused, by other tables too.
#
# DATASETS (default: datasets) holds cifar-10-batches-py, cifar-100-python, imagenet-100/{train,val} and
# imagenet/{train,val}, as far as the grid needs them. All other arguments are those of compare:
# --only NAME, --dry-run, max_epochs=200. Before anything is trained, images and methods of all rows must
# be there. SMOKE=1 runs the same grid on digits, two epochs of 160 images with tiny heads and queues, to
# see that every row runs: its figures are no results. COMMAND=echo shows what would be run.
. "$(dirname "${BASH_SOURCE[0]}")/../rows.sh"

# reproduce GRID [DATASETS] [ARGUMENT ...]: RESULTS is then the folder of the tables
reproduce() {
  local grid=$1 word before=
  shift
  export DATASETS=datasets
  if [ $# -gt 0 ] && [[ "$1" != *=* && "$1" != -* ]]; then
    DATASETS=$1
    shift
  fi
  RESULTS=comparisons/${grid//\//-}
  if [ "${SMOKE:-}" = 1 ]; then
    RESULTS=$RESULTS-smoke
    set -- --smoke "$@"
  fi
  for word in "$@"; do
    [ "$before" != --out ] || RESULTS=$word
    [[ "$word" != --out=* ]] || RESULTS=${word#--out=}
    before=$word
  done
  cueco_solo compare "$grid" --check-all "$@"
}

python_of_ours() {
  local own
  own=$(dirname "${BASH_SOURCE[0]}")/../../.venv/bin/python # what scripts/quickstart.sh has installed
  [ -x "$own" ] || own=python
  "$own" "$@"
}
