#!/usr/bin/env bash
# solo-learn's DALI pipelines on a CPU: installs NVIDIA DALI beside this environment's packages and runs the
# tests that need it, with solo-learn main; writes what came of it, with the versions, to RESULT.
#
#   SOLO_LEARN_MAIN=CHECKOUT bash scripts/checks/dali.sh [RESULT]
#
# RESULT: dali.txt. DALI=DIR: where DALI goes or is (default: a temporary folder); its packages take 1 GB.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
result=${1:-dali.txt}
if [ ! -f "${SOLO_LEARN_MAIN:-}/solo/args/pretrain.py" ]; then
  echo "error: SOLO_LEARN_MAIN=${SOLO_LEARN_MAIN:-} must be a checkout of solo-learn's main" >&2
  exit 2
fi
python=$root/.venv/bin/python # what scripts/quickstart.sh has installed
[ -x "$python" ] || python=python
if [ -z "${DALI:-}" ]; then
  DALI=$(mktemp -d)
  trap 'rm -rf "$DALI"' EXIT
fi
if [ ! -d "$DALI/nvidia/dali" ]; then
  pip=("$python" -m pip)
  "${pip[@]}" --version >/dev/null 2>&1 || pip=(pip)
  "${pip[@]}" install --quiet --target "$DALI" nvidia-dali-cuda130
fi
export PYTHONPATH=$root:$SOLO_LEARN_MAIN:$DALI
status=0
{
  "$python" -c 'import nvidia.dali, platform, torch
print(f"DALI {nvidia.dali.__version__}, torch {torch.__version__}, Python {platform.python_version()}")'
  "$python" -m pytest -v --tb=short "$root/tests/data/test_dali.py" "$root/tests/host/test_stock_programs.py" \
    -k "dali or test_dali" -p no:cacheprovider
} 2>&1 | tee "$result" || status=$?
exit "$status"
