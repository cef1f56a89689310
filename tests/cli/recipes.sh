#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The recipes of doc/clusters.md, as they stand there, on a small dataset with 4 shards for 64: GNU
# parallel, MPI (Open MPI and MPICH) and the container of the Kubernetes job, which also gets its
# SIGTERM. Launchers that are not installed are named and left out. slurm.sh does Slurm's.
#
#     recipes.sh AOSA MODEL
set -u
aosa=$(realpath "$1") model=$(realpath "$2")
source=$(realpath "$(dirname "$0")/../..")
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$work"' EXIT
failed=0

expect() { # WORDS CONDITION...
    local words=$1
    shift
    "$@" || { echo "failed: $words" && failed=1; }
}

"$aosa" demo-bench -q -o "$work/data" --clips 4 --seed 3 || exit 1
options=(-m "$model" --dataset ucf101 --root "$work/data" --lists "$work/data/ucfTrainTestlist"
    --boxes "$work/data/boxes.csv" --methods gradcam,random --metrics deletion,pointing --cuts 4 -t 1 -q)
"$aosa" evaluate "${options[@]}" -o "$work/whole" && "$aosa" merge -q "$work/whole" -o "$work/whole.table" || exit 1

# An aosa in front of the path that knows this machine's data: of a recipe's options it takes those
# of shards. /run is the volume of the Kubernetes job.
mkdir "$work/bin"
cat >"$work/bin/aosa" <<END
#!/bin/bash
[ "\$1" = evaluate ] || exec "$aosa" "\$@"
shards=()
while [ \$# -gt 0 ]; do
    case \$1 in
    --shard | --shards) shards+=("\$1" "\$2") ;;
    -o) run=\${2#/} ;;
    esac
    shift
done
exec "$aosa" evaluate $(printf '%q ' "${options[@]}") "\${shards[@]}" -o "\$run"
END
chmod +x "$work/bin/aosa"
export PATH=$work/bin:$PATH

recipe() { # NAME: the block with that word, of 4 instead of 64
    awk -v name="$1" '/^```/ { if (index(text, "# " name "\n")) printf "%s", text; text = ""; next }
        { text = text $0 "\n" }' "$source/doc/clusters.md" | sed 's/\b64\b/4/g'
}
check() { # NAME: the table of the folder that the recipe has run in
    for file in "$work"/whole.table/*; do
        file=$(basename "$file")
        [ "$file" = cost.csv ] || expect "$1: the same $file" cmp "$work/whole.table/$file" "$work/$1/table/$file"
    done
    echo "$1: the table is the same"
}
in_folder() { # NAME COMMAND...
    mkdir -p "$work/$1"
    (cd "$work/$1" && "${@:2}") >"$work/$1.log" 2>&1 || { echo "failed: $1" && tail -n 5 "$work/$1.log" && failed=1; }
}

if command -v parallel >/dev/null; then
    in_folder parallel bash -c "$(recipe run.parallel)"
    check parallel
else
    echo "left out: GNU parallel is not installed"
fi

export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
for mpi in openmpi mpich; do
    if command -v mpirun.$mpi >/dev/null; then
        in_folder $mpi bash -c "$(recipe run.mpi | sed "s/^mpirun /mpirun.$mpi /")"
        check $mpi
    else
        echo "left out: mpirun.$mpi is not installed"
    fi
done

# The container's script, and a pod that has to go while its first item runs.
recipe run.yaml | sed -n '/- |/,/resources:/p' | sed '1d;$d' >"$work/container.sh"
mkdir "$work/kubernetes"
cd "$work/kubernetes" || exit 1
for index in 0 1 2 3; do
    JOB_COMPLETION_INDEX=$index sh "$work/container.sh" 2>>"$work/kubernetes.log" &
    pod=$!
    if [ $index -eq 3 ]; then
        until [ -s run/shard-4-of-4.db ] || ! kill -0 $pod 2>/dev/null; do sleep 0.02; done
        kill -TERM $pod
    fi
    wait $pod
    code=$?
    if [ $code -eq 75 ]; then
        echo "kubernetes: pod $index was stopped and is started again"
        JOB_COMPLETION_INDEX=$index sh "$work/container.sh" 2>>"$work/kubernetes.log"
        code=$?
    fi
    expect "kubernetes: pod $index ends with $code, not 0" test $code -eq 0
done
aosa merge -q run -o table
check kubernetes
exit $failed
