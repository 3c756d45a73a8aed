# Sourced by the scripts beside it and below: trains and evaluates each of ROWS, whose words are a
# name and its overrides; on the images of VAL_PATH, if that is set.

run_rows() {
  if [ $# -eq 0 ]; then
    sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" >&2
    exit 2
  fi
  local config=$1 row words folder where
  shift
  for row in "${ROWS[@]}"; do
    read -r -a words <<<"$row"
    echo "== $config ${words[0]}" >&2
    folder=$(train "$config" "${words[@]}" "$@")
    [ "${EVALUATE:-1}" = 1 ] || continue
    [ "${COMMAND:-}" = echo ] && folder=RUN
    if [ -z "$folder" ]; then
      echo "error: $config ${words[0]} named no run folder" >&2
      exit 1
    fi
    where=("$folder" ${VAL_PATH:+--val-path "$VAL_PATH"})
    cueco_solo linear "${where[@]}" --cached
    cueco_solo knn "${where[@]}"
    cueco_solo cluster "${where[@]}"
  done
}

cueco_solo() {
  if [ -n "${COMMAND:-}" ]; then
    $COMMAND "$@"
  elif command -v cueco-solo >/dev/null; then
    cueco-solo "$@"
  else # what scripts/quickstart.sh has installed
    "$(dirname "${BASH_SOURCE[0]}")/../.venv/bin/cueco-solo" "$@"
  fi
}

# Train one row and print its run folder, which is the last line that cueco-solo prints. All that it
# prints goes to stderr, which tee must not open as /dev/stderr: that truncates a redirected file.
train() {
  local config=$1 name=$2 log status=0
  shift 2
  log=$(mktemp)
  cueco_solo pretrain --config-name "$config" "name=$config-$name" auto_resume.enabled=True "$@" |
    tee "$log" >&2 || status=$?
  sed -n 's/^.*run folder: //p' "$log"
  rm -f "$log"
  return "$status"
}
