#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A real Slurm on this machine (munge, slurmctld, slurmd) runs the batch script of doc/clusters.md as
# an array of four. One task is killed by a requeue, one gets the scheduler's signal, stops with 75
# and requeues itself. The merged table has the bytes of a single process.
#
#     slurm.sh AOSA MODEL
#
# Skips, with the reason and the daemons' last words, where Slurm cannot run: it needs root, Debian's
# packages slurmctld, slurmd, slurm-client and munge, and a machine that lets them start. Everything
# lives in a temporary folder, on free ports, and ends with the script.
set -u
aosa=$(realpath "$1") model=$(realpath "$2")
source=$(realpath "$(dirname "$0")/../..")

skip() {
    echo "skipped: $1"
    exit 77
}
[ "$(id -u)" -eq 0 ] || skip "Slurm's daemons need root"
for program in munged slurmctld slurmd sbatch squeue scontrol scancel setpriv; do
    command -v $program >/dev/null || [ -x /usr/sbin/$program ] || skip "$program is not installed"
done
id munge >/dev/null 2>&1 || skip "there is no user munge"
PATH=$PATH:/usr/sbin

work=$(mktemp -d)
chmod 755 "$work" # munge reads below it
host=$(hostname -s)
daemons=()
export SLURM_CONF=$work/slurm.conf

# Only what was started here: jobs through this controller, daemons by number, step managers by the
# configuration that they were started with.
clean() {
    if [ ${#daemons[@]} -gt 1 ]; then
        timeout 10 scancel -u root 2>/dev/null
        sleep 1
    fi
    for ((i = ${#daemons[@]} - 1; i >= 0; i--)); do
        kill "${daemons[i]}" 2>/dev/null
    done
    sleep 1
    for pid in "${daemons[@]}"; do
        kill -9 "$pid" 2>/dev/null
    done
    for process in /proc/[0-9]*; do
        [ "$(cat "$process/comm" 2>/dev/null)" = slurmstepd ] || continue
        tr '\0' '\n' 2>/dev/null <"$process/environ" | grep -qx "SLURM_CONF=$SLURM_CONF" && kill -9 "${process#/proc/}"
    done
    wait 2>/dev/null
    rm -rf "$work"
}
trap clean EXIT
trap 'exit 1' INT TERM HUP

fail() {
    echo "failed: $1"
    shift
    for file in "$@"; do
        [ -s "$file" ] && echo "--- $file" && tail -n 20 "$file"
    done
    exit 1
}
# unavailable REASON LOG...: the machine's Slurm is at fault, not what is tested.
unavailable() {
    (fail "$@")
    skip "$1"
}
# wait_for SECONDS COMMAND...: until it succeeds.
wait_for() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.2
    done
}

# --- munge, with a key and a socket of its own
mkdir "$work/munge"
head -c 1024 /dev/urandom >"$work/munge/key"
chown -R munge:munge "$work/munge"
chmod 711 "$work/munge"
chmod 600 "$work/munge/key"
setpriv --reuid=munge --regid=munge --clear-groups munged -F --key-file="$work/munge/key" --socket="$work/munge/socket" \
    --pid-file="$work/munge/pid" --log-file="$work/munge/log" --seed-file="$work/munge/seed" \
    >"$work/munge.out" 2>&1 &
daemons+=($!)
wait_for 20 test -S "$work/munge/socket" || unavailable "munged does not start" "$work/munge.out" "$work/munge/log"

# --- Slurm, without accounting and cgroups
read -r port1 port2 <<<"$(python3 -c '
import socket
sockets = [socket.socket() for _ in range(2)]
for s in sockets:
    s.bind(("127.0.0.1", 0))
print(*(s.getsockname()[1] for s in sockets))')"
mkdir "$work/state" "$work/spool" "$work/jobs"
cat >"$SLURM_CONF" <<END
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
AuthType=auth/munge
AuthInfo=socket=$work/munge/socket
CryptoType=crypto/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
SlurmctldPort=$port1
SlurmdPort=$port2
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
KillWait=5
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=p Nodes=ALL Default=YES MaxTime=INFINITE State=UP
END
slurmctld -D >"$work/slurmctld.log" 2>&1 &
daemons+=($!)
slurmd -D -N "$host" >"$work/slurmd.log" 2>&1 &
daemons+=($!)
node_is_up() {
    timeout 5 sinfo -h -o %t 2>/dev/null | grep -qxE 'idle|mix|alloc'
}
wait_for 60 node_is_up || unavailable "the node does not come up" "$work/slurmctld.log" "$work/slurmd.log"

# --- the recipe of doc/clusters.md, with this machine's program, model and data
"$aosa" demo-bench -q -o "$work/data" --clips 8 --seed 3 || fail "demo-bench"
options=(--dataset ucf101 --root "$work/data" --lists "$work/data/ucfTrainTestlist"
    --boxes "$work/data/boxes.csv" --methods aosa,gradcam,random --metrics deletion,pointing
    --stride 14 --cuts 20 -t 1)
"$aosa" evaluate -q -m "$model" "${options[@]}" -o "$work/whole" || fail "evaluate"
"$aosa" merge -q "$work/whole" -o "$work/whole.table" || fail "merge"

awk '/^```/ { if (text ~ /run.sbatch/) printf "%s", text; text = ""; inside = !inside; next }
    inside { text = text $0 "\n" }' "$source/doc/clusters.md" |
    sed -e "s|^aosa evaluate.*|$(printf '%q ' "$aosa" evaluate -q -m "$model" "${options[@]}") --shard auto -o $work/run \&|" \
        -e 's/--array=[0-9-]*/--array=1-4/' >"$work/run.sbatch"
grep -q -- '--shard auto' "$work/run.sbatch" || fail "doc/clusters.md has no run.sbatch"
# The two largest shards are those that are interrupted: they last longest.
read -r killed signalled <<<"$(for task in 1 2 3 4; do
    "$aosa" evaluate -n --json -m "$model" "${options[@]}" --shard $task/4 |
        python3 -c "import json, sys; print(-json.load(sys.stdin)['clips_of_shard'], $task)"
done | sort -n | awk '{ print $2 }' | head -2 | tr '\n' ' ')"
job=$(cd "$work/jobs" && sbatch --parsable "$work/run.sbatch") || fail "sbatch" "$work/run.sbatch"

state() { # TASK
    timeout 5 scontrol show job "${job}_$1" 2>/dev/null | sed -n 's/.*JobState=\([A-Z]*\).*/\1/p' | head -1
}
runs() { # TASK: it has done an item and is at work
    [ "$(state "$1")" = RUNNING ] && python3 - "$work/run/shard-$1-of-4.db" <<'END'
import pathlib
import sys

# The journal grows with its first item; its lock keeps others from reading it.
path = pathlib.Path(sys.argv[1])
sys.exit(not (path.exists() and path.stat().st_size > 0))
END
}
restarts() { # TASK
    timeout 5 scontrol show job "${job}_$1" 2>/dev/null | sed -n 's/.*Restarts=\([0-9]*\).*/\1/p' | head -1
}
all_ended() {
    ! timeout 5 squeue -h -r -j "$job" -o %T 2>/dev/null | grep -qvE 'COMPLETED|FAILED|CANCELLED'
}
start_now() { # a requeued task waits for two minutes unless told
    timeout 5 scontrol update jobid="${job}_$1" StartTime=now 2>/dev/null
}

wait_for 90 runs "$signalled" || fail "task $signalled does not run" "$work"/jobs/* "$work/slurmctld.log" "$work/slurmd.log"
scancel --signal=USR1 --batch "${job}_$signalled" || fail "signal"
wait_for 90 runs "$killed" || fail "task $killed does not run" "$work"/jobs/* "$work/slurmctld.log"
scontrol requeue "${job}_$killed" || fail "requeue"
is_restarted() {
    [ "$(restarts "$1")" -ge 1 ] 2>/dev/null
}
for task in $killed $signalled; do
    wait_for 60 is_restarted "$task" || fail "task $task is not requeued" "$work"/jobs/* "$work/slurmctld.log"
done
end=$((SECONDS + 240))
until all_ended; do
    [ $SECONDS -lt $end ] || fail "the array does not end: $(squeue -h -r -j "$job")" "$work"/jobs/*
    start_now "$killed"
    start_now "$signalled"
    sleep 1
done
cat "$work"/jobs/* >"$work/output"
grep -q "stopped after" "$work/output" || fail "no task stopped by the signal" "$work/output"

"$aosa" merge -q "$work/run" -o "$work/table" || fail "merge of the array" "$work/output"
for file in "$work"/whole.table/*; do
    name=$(basename "$file")
    [ "$name" = cost.csv ] || cmp "$file" "$work/table/$name" || fail "$name differs"
done
echo "four tasks, $killed killed and requeued, $signalled stopped by a signal: the table is the same"
