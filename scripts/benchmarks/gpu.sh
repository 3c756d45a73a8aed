#!/usr/bin/env bash
# All that is to be measured on a GPU, in slices that each leave a result and go on where they stopped.
#
#   bash scripts/benchmarks/gpu.sh [OUT] [KEY=VALUE ...]
#   bash scripts/benchmarks/gpu.sh gpu-results DATA=datasets          # again until it exits with 0
#
# Slices: environment doctor tests throughput parts loaders cifar10. What is done is skipped, and what
# failed before comes last. OUT/gpu.md has what there is after each call, OUT/logs all output.
# Exit code: 0 all is done; 75 something is left, run it again; 1 something failed; 2 a wrong argument.
#
#   BUDGET=510    seconds of this call, for machines that end a command after ten minutes; 0: no end
#   LIMIT=510     seconds of a slice
#   DATA=DIR      CIFAR-10 as torchvision has it (DIR/cifar-10-batches-py), or images in
#                 DIR/train/CLASS and DIR/val/CLASS; without it the slice cifar10 fails, and says so
#   EPOCHS=auto   of CIFAR-10: a number, or what MINUTES of training of each run give, as measured;
#                 validation comes on top
#   MINUTES=20
#   SLICES="..."  these alone        METHODS="..."  of throughput and parts
#   DEVICE=cuda   or cpu             VENV=DIR       an environment that is there, instead of .venv
#   TINY=0        1: a trial of this script with sizes that mean nothing
set -u
HERE=$PWD
cd "$(dirname "$0")/../.." || exit

OUT=gpu-results BUDGET=510 LIMIT=510 DATA="" EPOCHS=auto MINUTES=20 DEVICE=cuda TINY=0
VENV=.venv METHODS="cueco rcl self_classifier mocov2plus byol simclr"
SLICES="environment doctor tests throughput parts loaders cifar10"
KNOWN="BUDGET LIMIT DATA EPOCHS MINUTES SLICES METHODS DEVICE VENV TINY"

wrong() {
  echo "error: $1" >&2
  exit 2
}

if [ $# -gt 0 ] && [[ $1 != [A-Z]*=* ]]; then
  [[ $1 == -* ]] && { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"; exit 0; }
  OUT=$1
  shift
fi
for word in "$@"; do
  [[ " $KNOWN " == *" ${word%%=*} "* && $word == *=* ]] ||
    wrong "$word: must be KEY=VALUE with a key of: $KNOWN"
  printf -v "${word%%=*}" %s "${word#*=}"
done
[[ $OUT == /* ]] || OUT=$HERE/$OUT
[[ -z $DATA || $DATA == /* ]] || DATA=$HERE/$DATA
[[ $VENV == .venv || $VENV == /* ]] || VENV=$HERE/$VENV
[[ $DATA != *[[:space:]]* ]] || wrong "DATA=$DATA must have no spaces; give a link without"
for key in BUDGET LIMIT MINUTES; do
  [[ ${!key} =~ ^[0-9]+$ ]] || wrong "$key=${!key} must be a whole number"
done
[[ $EPOCHS =~ ^(auto|[1-9][0-9]*)$ ]] || wrong "EPOCHS=$EPOCHS must be a positive number or auto"
[[ $DEVICE =~ ^(cpu|cuda)$ ]] || wrong "DEVICE=$DEVICE must be cuda or cpu"
[[ $TINY =~ ^[01]$ ]] || wrong "TINY=$TINY must be 0 or 1"
for slice in $SLICES; do
  [[ " environment doctor tests throughput parts loaders cifar10 " == *" $slice "* ]] ||
    wrong "SLICES: no slice is called $slice; they are environment doctor tests throughput parts loaders cifar10"
done

mkdir -p "$OUT/done" "$OUT/logs" || wrong "OUT=$OUT can't be written"
PYTHON_BIN=$VENV/bin/python
START=$SECONDS
TRIAL=()
[ "$TINY" = 1 ] && TRIAL=(--tiny)

# Each slice_NAME is run in a process of its own. It ends with 143 if SIGTERM stopped it.
slice_environment() {
  if [ "$VENV" = .venv ]; then
    . scripts/venv.sh dev
  elif [ ! -x "$PYTHON_BIN" ]; then
    echo "error: VENV=$VENV must hold bin/python" >&2
    return 2
  fi
}

slice_doctor() {
  "$PYTHON_BIN" scripts/benchmarks/gpu_page.py machine "$OUT" && need_device
}

# A CPU's figures must not stand where a GPU's were asked for.
need_device() {
  [ "$DEVICE" = cpu ] && return
  "$PYTHON_BIN" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' && return
  echo "error: torch sees no GPU; mend the driver, or measure the CPU by DEVICE=cpu" >&2
  return 1
}

slice_tests() {
  need_device || return
  "$PYTHON_BIN" -m pytest -m gpu tests/gpu -p no:cacheprovider -rs >"$OUT/.tests.txt" 2>&1 &
  local status=0
  trap 'kill -TERM $!; exit 143' TERM
  wait $! || status=$?
  cat "$OUT/.tests.txt"
  mv "$OUT/.tests.txt" "$OUT/tests.txt"
  return "$status"
}

slice_throughput() {
  need_device || return
  exec "$PYTHON_BIN" scripts/benchmarks/gpu_steps.py throughput "$OUT" --device "$DEVICE" \
    --methods $METHODS "${TRIAL[@]}"
}

slice_parts() {
  need_device || return
  exec "$PYTHON_BIN" scripts/benchmarks/gpu_steps.py parts "$OUT" --device "$DEVICE" \
    --methods $METHODS "${TRIAL[@]}"
}

slice_loaders() {
  need_device || return
  exec "$PYTHON_BIN" scripts/benchmarks/gpu_loaders.py "$OUT" --device "$DEVICE" \
    --workers "$(workers)" "${TRIAL[@]}"
}

workers() {
  local cpus
  cpus=$(nproc)
  echo $((TINY == 1 ? 0 : cpus > 16 ? 16 : cpus))
}

slice_cifar10() {
  need_device || return
  local words epochs=$EPOCHS
  words=$("$PYTHON_BIN" scripts/benchmarks/gpu_page.py data "$DATA" "$DEVICE") || return
  if [ "$epochs" = auto ]; then
    # fixed once: the learning rate's schedule hangs on it
    [ -f "$OUT/epochs" ] ||
      "$PYTHON_BIN" scripts/benchmarks/gpu_page.py epochs "$OUT" "$MINUTES" || return
    epochs=$(cat "$OUT/epochs")
  fi
  local short=() grid=scripts/benchmarks/gpu_cifar10.yaml
  if [ "$TINY" = 1 ]; then
    short=(
      optimizer.batch_size=8 method_kwargs.proj_hidden_dim=16 method_kwargs.pred_hidden_dim=16
      method_kwargs.queue_size=32 method_kwargs.num_clusters=4 method_kwargs.cluster_warmup_steps=2
    )
    # the others need more images
    sed '/- linear/d; /- knn/d' "$grid" >"$OUT/trial.yaml"
    grid=$OUT/trial.yaml
  fi
  exec "$PYTHON_BIN" -m cueco_solo.cli compare "$grid" --out "$OUT/cifar10" \
    $words "max_epochs=$epochs" "data.num_workers=$(workers)" "checkpoint.dir=$OUT/runs" \
    checkpoint.every_n_minutes=2 enable_progress_bar=False "${short[@]}"
}

left() { # seconds that the next slice may take
  local rest=$LIMIT
  if [ "$BUDGET" -gt 0 ]; then
    rest=$((BUDGET - (SECONDS - START)))
    [ "$rest" -gt "$LIMIT" ] && rest=$LIMIT
  fi
  echo "$rest"
}

CHILD="" STOPPED=0
trap 'STOPPED=1; [ -n "$CHILD" ] && kill -TERM "$CHILD"' TERM INT

progress() { # whether the slice at hand has left anything
  [ -n "$(find "$OUT" \( -name '*.json' -o -name '*.ckpt' \) -newer "$OUT/logs/.begun" -print -quit)" ]
}

run_slice() {
  local name=$1 seconds=$2 log=$OUT/logs/$1.txt status=0 began=$SECONDS
  touch "$OUT/logs/.begun"
  echo "== $name (at most $seconds s)"
  export -f "slice_$name" workers need_device
  export OUT DATA EPOCHS MINUTES METHODS DEVICE VENV TINY PYTHON_BIN
  timeout --signal=TERM --kill-after=30 --preserve-status "$seconds" \
    bash -c 'TRIAL=(); [ "$TINY" = 1 ] && TRIAL=(--tiny); slice_'"$name" >>"$log" 2>&1 &
  CHILD=$!
  wait "$CHILD" || status=$?
  while kill -0 "$CHILD" 2>/dev/null; do # a signal ends a wait before the child has ended
    status=0
    wait "$CHILD" || status=$?
  done
  CHILD=""
  # killed before its time was up, as for want of memory; or the whole time was too short for anything
  if [ "$STOPPED" = 0 ]; then
    case $status in
      137) [ $((SECONDS - began)) -lt "$seconds" ] && status=1 ;;
      143) [ "$seconds" -ge $((LIMIT - 10)) ] && ! progress && status=1 ;;
    esac
  fi
  case $status in
    0)
      rm -f "$OUT/logs/$name.failed"
      echo $((SECONDS - began)) >"$OUT/done/.$name" && mv "$OUT/done/.$name" "$OUT/done/$name"
      echo "   done in $((SECONDS - began)) s"
      ;;
    130 | 137 | 143) echo "   stopped after $((SECONDS - began)) s; the next call goes on" ;;
    *)
      tail -n 15 "$log" >"$OUT/logs/$name.failed"
      echo "   failed with exit code $status; the end of $log:"
      sed 's/^/   | /' "$OUT/logs/$name.failed"
      ;;
  esac
}

fresh=() failed=()
for name in $SLICES; do
  [ -f "$OUT/done/$name" ] && continue
  if [ -f "$OUT/logs/$name.failed" ]; then failed+=("$name"); else fresh+=("$name"); fi
done
# without it nothing else goes
[[ " ${failed[*]-} " == *" environment "* ]] && fresh=(environment "${fresh[@]}")
for name in "${fresh[@]}" "${failed[@]}"; do
  [ "$STOPPED" = 1 ] && break
  [ -f "$OUT/done/$name" ] && continue
  seconds=$(left)
  [ "$seconds" -lt 5 ] && break
  run_slice "$name" "$seconds"
  [ "$name" = environment ] && [ ! -f "$OUT/done/environment" ] && break
done

[ -x "$PYTHON_BIN" ] && "$PYTHON_BIN" scripts/benchmarks/gpu_page.py page "$OUT"
missing=() broken=()
for name in $SLICES; do
  [ -f "$OUT/done/$name" ] && continue
  if [ -f "$OUT/logs/$name.failed" ]; then broken+=("$name"); else missing+=("$name"); fi
done
if [[ " ${broken[*]-} " == *" environment "* ]]; then # nothing else goes without it
  echo "failed: environment; see $OUT/logs"
  exit 1
fi
if [ ${#missing[@]} -gt 0 ]; then
  echo "left: ${missing[*]}${broken:+; failed: ${broken[*]}}; run this again"
  exit 75
fi
if [ ${#broken[@]} -gt 0 ]; then
  echo "failed: ${broken[*]}; see $OUT/logs"
  exit 1
fi
echo "all is done: $OUT/gpu.md"
