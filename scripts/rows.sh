# Sourced by ablations.sh and sensitivity.sh: trains and evaluates each of ROWS, whose words are a
# name and its overrides.

run_rows() {
  if [ $# -eq 0 ]; then
    sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" >&2
    exit 2
  fi
  local config=$1 row words folder
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
    cueco_solo linear "$folder" --cached
    cueco_solo knn "$folder"
    cueco_solo cluster "$folder"
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
