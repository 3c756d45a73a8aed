#!/usr/bin/env bash
# A grid's jobs under a real SLURM on this machine, which the script starts and ends in a temporary
# folder; as root.
#
#     apt-get install -y slurm-wlm munge
#     bash scripts/checks/slurm.sh [PART ...]
#
# PART: preempted, an array of four, one preempted amid an epoch; limit, a run that hits its time
# limit; cancelled, one that is cancelled and goes on; several, a run of two processes, preempted;
# srun, cueco-solo pretrain of two processes, under torchrun too, as one node and as two. Default:
# all, half an hour on two busy cores. KEEP=DIR keeps logs and runs, PYTHON=... chooses the
# interpreter, by default that of .venv.
set -eu
cd "$(dirname "$0")/../.."
root=$PWD
python=${PYTHON:-$root/.venv/bin/python}
kept=${KEEP:-}
parts=${*:-preempted limit cancelled several srun}
work=$(mktemp -d)
for tool in munged slurmctld slurmd sbatch; do
    PATH=$PATH:/usr/sbin command -v $tool >/dev/null ||
        { echo "error: $tool is missing; apt-get install -y slurm-wlm munge" >&2; exit 1; }
done
[ "$(id -u)" = 0 ] || { echo "error: slurmctld and slurmd must be started by root" >&2; exit 1; }
export PATH=$PATH:/usr/sbin OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE
export SLURM_CONF=$work/slurm.conf PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH}

started=()
finish() {
    code=$?
    scancel --user=root 2>/dev/null || true
    sleep 2
    for process in "${started[@]}"; do kill "$process" 2>/dev/null || true; done
    sleep 1
    for process in "${started[@]}"; do kill -9 "$process" 2>/dev/null || true; done
    if [ -n "$kept" ]; then mkdir -p "$kept" && cp -r "$work/." "$kept"; fi
    rm -rf "$work"
    exit $code
}
trap finish EXIT

# the scheduler: two cores, and a partition whose jobs give way to another's
host=$(hostname -s)
mkdir -p "$work"/{state,spool,munge,logs}
chmod 700 "$work/munge"
dd if=/dev/urandom of="$work/munge/key" bs=1024 count=1 status=none
chmod 400 "$work/munge/key"
chmod 755 "$work"
mkdir "$work/socket"
munged --foreground --force --key-file="$work/munge/key" --socket="$work/socket/munge" \
    --pid-file="$work/munge/pid" --seed-file="$work/munge/seed" --log-file="$work/munge/log" \
    >"$work/logs/munged" 2>&1 &
started+=($!)
cat > "$SLURM_CONF" <<CONF
ClusterName=check
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmctldPort=26817
SlurmdPort=26818
AuthType=auth/munge
CryptoType=crypto/munge
AuthInfo=socket=$work/socket/munge,cred_expire=5
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
SlurmctldLogFile=$work/logs/slurmctld
SlurmdLogFile=$work/logs/slurmd
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
SlurmctldParameters=preempt_send_user_signal
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
KillWait=20
SchedulerParameters=sched_interval=5
SlurmdParameters=config_overrides
NodeName=$host NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=low Nodes=$host Default=YES MaxTime=INFINITE State=UP PriorityTier=1 GraceTime=60 PreemptMode=REQUEUE
PartitionName=high Nodes=$host MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF
CONF
sleep 2
slurmctld -D -f "$SLURM_CONF" >"$work/logs/slurmctld.out" 2>&1 &
started+=($!)
slurmd -D -f "$SLURM_CONF" >"$work/logs/slurmd.out" 2>&1 &
started+=($!)
for _ in $(seq 60); do
    [ "$(sinfo --noheader --format=%T 2>/dev/null | head -1)" = idle ] && break
    sleep 1
done
[ "$(sinfo --noheader --format=%T | head -1)" = idle ] || {
    sinfo; tail -5 "$work"/logs/*; echo "error: SLURM doesn't come up" >&2; exit 1
}
slurmd -V

cd "$work"
solo() { "$python" -m cueco_solo.cli "$@"; }
compare() { solo compare "$1.yaml" --launcher slurm --no-report; }
fail() { echo "FAILED: $*" >&2; exit 1; }
# until a line is in a file of logs, at most this many seconds
wait_for() {
    local end=$((SECONDS + $3))
    until grep -qs "$1" $2; do
        [ $SECONDS -lt $end ] || fail "no line '$1' in $2 after $3 s"
        sleep 1
    done
}
wait_until_done() {
    local end=$((SECONDS + $2))
    # squeue first: a job that ends in between is done
    while queue=$(squeue --noheader) && solo compare "$1.yaml" --status | grep -v '^  ' | grep -qv ': done$'; do
        if [ $SECONDS -gt $end ] || [ -z "$queue" ]; then
            solo compare "$1.yaml" --status
            fail "$1 isn't done, after $2 s or with an empty queue"
        fi
        sleep 5
    done
}
grid() { # name, seeds, epochs, time, further lines
    cat > "$1.yaml" <<YAML
methods: {$6}
seeds: [$2]
overrides: [hardware=cpu, data.num_workers=0, limit_train_batches=6, max_epochs=$3, ${7:-log_every_n_steps=1}]
evaluations: [knn --device cpu]
slurm: {partition: low, time: "$4", cpus_per_task: 1, array_parallelism: $5, signal_seconds: 40}
YAML
}
# a run's numbers are those of the same run that nothing has stopped
check_equal() {
    local words
    words=$("$python" - "$1" <<'PY'
import json, shlex, sys
command = json.load(open(sys.argv[1] + "/environment.json"))["command"][1:]
print(shlex.join([*command, "checkpoint.dir=whole"]))
PY
    )
    eval "solo $words" > logs/whole.txt 2>&1 || fail "the run that nothing stops: $(tail -3 logs/whole.txt)"
    same "$1" "whole/$(basename "$(dirname "$1")")/$(basename "$1")"
}
same() { # two runs
    PYTHONPATH=$root/tests:$PYTHONPATH "$python" - "$1" "$2" <<'PY' || fail "$1 isn't equal to $2"
import sys
from pathlib import Path
from equal_runs import check_same
check_same(*map(Path, sys.argv[1:]))
PY
}
events() { "$python" -c 'import json, sys; print(*(e["event"] + (":" + e["by"] if "by" in e else "") for e in json.load(open(sys.argv[1] + "/history.json"))))' "$1"; }
run_of() { ls -d trained_models/*/*"$1"*; }

for part in $parts; do
rm -rf trained_models whole comparisons
case $part in
preempted)
echo "== an array of four, one preempted amid an epoch"
grid four "5, 6" 4 01:00:00 2 "CueCo: cueco-digits-placed, SimCLR: simclr-digits-placed"
compare four
wait_for "^epoch 2/4" "comparisons/four/jobs/slurm/*_log.out" 600
sleep 1
sbatch --quiet --partition=high --cpus-per-task=1 --output=/dev/null --wrap "sleep 20"
solo compare four.yaml --status | grep -v '^  '
wait_until_done four 900
grep -l "stopped by SIGUSR1" comparisons/four/jobs/slurm/*_log.out > preempted || fail "none was preempted"
echo "preempted: $(wc -l < preempted); $(grep -h "stopped by SIGUSR1\|requeued" comparisons/four/jobs/slurm/*_log.out)"
for run in trained_models/*/*; do echo "$run: $(events "$run")"; done
for run in $(grep -l SIGUSR1 trained_models/*/*/history.json); do
    check_equal "$(dirname "$run")" && echo "equal to the bit: $(dirname "$run")"
done
[ -f comparisons/four/table.md ] || fail "the last job has written no tables"
echo "the last job has written: $(ls comparisons/four | tr '\n' ' ')"
;;

limit)
echo "== a time limit of two minutes, of which a job has 80 seconds"
grid probe "7" 2 01:00:00 1 "CueCo: cueco-digits-placed"
solo compare probe.yaml --no-report > logs/probe.txt
epochs=$("$python" - trained_models/*/*/ <<'PY'
import math, sys
from pathlib import Path
from cueco_solo.training.durations import seconds_per_epoch
print(max(4, math.ceil(120 / seconds_per_epoch(Path(sys.argv[1])))))
PY
)
rm -rf trained_models
grid limit "7" "$epochs" 00:02:00 1 "CueCo: cueco-digits-placed"
compare limit
wait_until_done limit 1800
run=$(run_of seed7)
echo "$run: $(events "$run")"
events "$run" | grep -q SIGUSR1 || fail "the time limit wasn't hit"
check_equal "$run" && echo "equal to the bit: $run"
;;

cancelled)
echo "== scancel, then the same command"
grid cancelled "8" 6 01:00:00 1 "CueCo: cueco-digits-placed"
compare cancelled
wait_for "^epoch 2/6" "comparisons/cancelled/jobs/slurm/*_log.out" 600
solo compare cancelled.yaml --cancel
sleep 25
solo compare cancelled.yaml --status | grep -v '^  '
[ -z "$(squeue --noheader)" ] || { squeue; fail "the cancelled job runs again"; }
compare cancelled
wait_until_done cancelled 600
run=$(run_of seed8)
echo "$run: $(events "$run")"
check_equal "$run" && echo "equal to the bit: $run"
;;

several)
echo "== two processes of one run, preempted"
grid two "9" 4 01:00:00 1 "CueCo: cueco-digits-placed" "devices=2, strategy=ddp"
compare two
wait_for "^epoch 2/4" "comparisons/two/jobs/slurm/*_log.out" 600
sbatch --quiet --partition=high --cpus-per-task=1 --output=/dev/null --wrap "sleep 5"
wait_until_done two 900
run=$(run_of seed9)
echo "$run: $(events "$run")"
events "$run" | grep -q SIGUSR1 || fail "it wasn't preempted"
check_equal "$run" && echo "equal to the bit: $run"
;;

srun)
echo "== cueco-solo pretrain of two processes: under srun, under torchrun, and by Lightning"
solo data digits-placed --out datasets/digits-placed > logs/data.txt
words="pretrain --config-name cueco-digits-placed hardware=cpu devices=2 strategy=ddp data.num_workers=0
    limit_train_batches=2 max_epochs=1 seed=10"
srun --partition=low --nodes=1 --ntasks-per-node=2 --cpus-per-task=1 "$python" -m cueco_solo.cli $words \
    > logs/srun.txt 2>&1 || fail "srun: $(tail -3 logs/srun.txt)"
run=$(run_of seed10) || fail "srun has left no run"
[ "$(echo "$run" | wc -l)" = 1 ] || fail "srun has left several runs: $run"
check_equal "$run" && echo "srun: equal to the bit: $run"
rm -rf trained_models
"$python" -m torch.distributed.run --nproc-per-node=2 --no-python "$python" -m cueco_solo.cli $words \
    > logs/torchrun.txt 2>&1 || fail "torchrun: $(tail -3 logs/torchrun.txt)"
[ "$(run_of seed10)" = "$run" ] || fail "torchrun has left $(run_of seed10)"
rm -rf whole
check_equal "$run" && echo "torchrun: equal to the bit: $run"
nodes=()
for rank in 0 1; do
    "$python" -m torch.distributed.run --nnodes=2 --node-rank=$rank --nproc-per-node=1 \
        --master-addr=127.0.0.1 --master-port=26819 --no-python "$python" -m cueco_solo.cli \
        ${words/devices=2/devices=1 num_nodes=2} checkpoint.dir=nodes > logs/node$rank.txt 2>&1 &
    nodes+=($!)
done
wait "${nodes[0]}" && wait "${nodes[1]}" || fail "num_nodes=2: $(tail -3 logs/node*.txt)"
same "$run" "$(ls -d nodes/*/*)" && echo "num_nodes=2: equal to the bit: $run"
;;

*) fail "PART='$part' must be one of preempted, limit, cancelled, several, srun" ;;
esac
done
echo "all passed in $SECONDS s"
