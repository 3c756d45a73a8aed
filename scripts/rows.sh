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
    ${COMMAND:-cueco-solo} linear "$folder" --cached
    ${COMMAND:-cueco-solo} knn "$folder"
    ${COMMAND:-cueco-solo} cluster "$folder"
  done
}

# Train one row and print its run folder, which is the last line that cueco-solo prints.
train() {
  local config=$1 name=$2
  shift 2
  ${COMMAND:-cueco-solo} pretrain --config-name "$config" "name=$config-$name" \
    auto_resume.enabled=True "$@" | tee /dev/stderr | sed -n 's/^.*run folder: //p'
}
