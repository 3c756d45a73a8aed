#!/usr/bin/env bash
# Figures 2 to 4 of Self-Classifier's paper, of the run of its Tables 1 to 3 on ImageNet, in report.html:
# curves, clusters and features. With matplotlib also Figure 2 alone, figure2.png.
#   bash scripts/reproduce/self_classifier/figures.sh [DATASETS] [ARGUMENTS OF compare] [KEY=VALUE ...]
# SMOKE=1 and the rest: scripts/reproduce/common.sh.
set -euo pipefail
. "$(dirname "$0")/../common.sh"
reproduce self_classifier/figures "$@"
if [ -n "${COMMAND:-}" ] || [ ! -f "$RESULTS/results.json" ]; then
  exit
fi
runs=$(python_of_ours -c '
import json, sys
print(*sorted({row["run"] for row in json.load(open(sys.argv[1]))}), sep="\n")
' "$RESULTS/results.json")
mapfile -t runs <<<"$runs"
echo "Figures 2 to 4: curves, clusters and features of $RESULTS/report.html"
python_of_ours -c "import matplotlib" 2>/dev/null || exit 0
figure=$(dirname "$0")/../../benchmarks/self_classifier_figure.py
python_of_ours "$figure" "${runs[@]}" --out "$RESULTS/figure2.png"
echo "Figure 2: $RESULTS/figure2.png"
