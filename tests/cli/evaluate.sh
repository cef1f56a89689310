#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# An evaluation over rendered clips: stopped, cut into shards and put together from pieces it gives
# the same table, byte for byte (kills.py kills it); failed items are recorded and counted; wrong
# input is refused.
#
#     evaluate.sh AOSA MODEL SCENE_DUMP
set -u
aosa=$1 model=$2 dump=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

expect() { # WORDS CONDITION...
    local words=$1
    shift
    "$@" || { echo "failed: $words" && failed=1; }
}

# Four clips with their boxes, and a list that names a fifth which is not there.
"$dump" "$work/scene" 4 20021000 || exit 1
python3 - "$work" <<'EOF2' || exit 1
import csv
import struct
import sys
from pathlib import Path

work = Path(sys.argv[1])
data = work / "data"
data.mkdir()
T, S = 16, 112
rgb = (work / "scene.rgb").read_bytes()
boxes = struct.unpack(f"<{4 * T * 4}i", (work / "scene.box").read_bytes())
rows = list(csv.DictReader((work / "scene.csv").open()))
header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({T}, {S}, {S}, 3), }}"
header += " " * (63 - (len(header) + 10) % 64) + "\n"
with (data / "list.csv").open("w") as names, (data / "boxes.csv").open("w") as truth:
    print("path,label", file=names)
    print("video,frame,x,y,w,h", file=truth)
    for i, row in enumerate(rows):
        n = T * S * S * 3
        head = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode()
        (data / f"clip{i}.npy").write_bytes(head + rgb[i * n:(i + 1) * n])
        print(f"clip{i}.npy,{row['label']}", file=names)
        for t in range(T):
            x0, y0, x1, y1 = boxes[4 * (i * T + t):4 * (i * T + t) + 4]
            print(f"clip{i},{t},{x0},{y0},{x1 - x0},{y1 - y0}", file=truth)
    print("missing.npy,left", file=names)
EOF2

options=(-m "$model" --root "$work/data" --boxes "$work/data/boxes.csv" --first-frame 0
    --methods aosa,gradcam,random --metrics deletion,insertion,pointing
    --target label --stride 28 --cuts 4)
evaluate() { # RUN OPTIONS...
    "$aosa" evaluate -q "${options[@]}" -t 1 -o "$work/$1" "${@:2}" 2>>"$work/log"
}
start() { # RUN: in the background, $pid being the program itself
    "$aosa" evaluate -q "${options[@]}" -t 1 -o "$work/$1" 2>>"$work/log" &
    pid=$!
}
merge() { # RUN OPTIONS...
    "$aosa" merge -q "$work/$1" -o "$work/$1.table" "${@:2}" 2>"$work/err"
}
same() { # RUN: its table is that of `whole`, but for what it cost
    for file in table.csv table.md table.json classes.csv tests.csv curves.csv curve.deletion.png; do
        expect "$file of $1 has the same bytes" cmp "$work/whole.table/$file" "$work/$1.table/$file"
    done
}
code() { # CODE WORDS COMMAND...
    local want=$1 words=$2
    shift 2
    "$@"
    local got=$?
    expect "$words: exit code $got, not $want" test $got -eq "$want"
}

code 3 "one video is missing" evaluate whole
code 0 "merge" merge whole
python3 - "$work/whole.table" <<'EOF2' || failed=1
import csv
import json
import sys
from pathlib import Path

folder = Path(sys.argv[1])
rows = {(r["method"], r["value"]): r for r in csv.DictReader((folder / "table.csv").open())}
assert len(rows) == 3 * 6, sorted(rows)
for row in rows.values():
    assert (row["n"], row["done"], row["failed"], row["missing"]) == ("4", "4", "1", "0"), row
    assert float(row["low"]) <= float(row["mean"]) <= float(row["high"]), row
mean = {key: float(row["mean"]) for key, row in rows.items()}
assert mean["aosa", "pointing.spatial"] > mean["random", "pointing.spatial"]
assert mean["aosa", "insertion.auc"] > mean["random", "insertion.auc"]
assert mean["gradcam", "deletion.auc"] < mean["random", "deletion.auc"]
table = json.loads((folder / "table.json").read_text())
assert len(table["failures"]) == 3 and "missing.npy" in table["failures"][0]["reason"]
assert table["methods"][0]["values"]["deletion.auc"]["mean"] == mean["aosa", "deletion.auc"]
EOF2

# Shards, and another number of threads.
for n in 2 7; do
    for i in $(seq $n); do
        evaluate shards$n --shard $i/$n -t $((1 + i % 2))
    done
    code 0 "merge of $n shards" merge shards$n
    same shards$n
done
mv "$work/shards2/shard-2-of-2.db" "$work/away.db"
code 5 "a shard is missing" merge shards2 --force
expect "and named" grep -q "1 of 2 shards are missing (2)" "$work/err"
code 0 "unless told" merge shards2 --force --allow-missing
code 2 "another number of shards in the same folder" evaluate shards2 --shard 1/3
expect "and the number named" grep -q "give --shard i/2" "$work/log"

# Done work is not done again; what failed is tried again when asked for.
"$aosa" evaluate "${options[@]}" -o "$work/whole" --json >"$work/json"
expect "nothing is done twice" grep -q '"items": 15, "skipped": 15, "done": 0, "failed": 0' "$work/json"
code 3 "--retry-failed" evaluate whole --retry-failed
code 2 "another run is refused" evaluate whole --cuts 11
expect "and the difference named" grep -q "'deletion.cuts'" "$work/log"

# What -n tells, what is refused, what -f replaces.
"$aosa" evaluate -n "${options[@]}" -o "$work/whole" --retry-failed >"$work/plan"
expect "-n counts" grep -q "15: 12 done before, 3 failed before, 3 to do" "$work/plan"
expect "-n tells the passes" grep -q "gradcam: 1 forward, 1 backward" "$work/plan"
"$aosa" evaluate -n --json "${options[@]}" --shard 1/2 >"$work/plan"
expect "-n --json, without a run" python3 -c '
import json, sys
plan = json.load(open(sys.argv[1]))
assert plan["items"] == plan["todo"] == 3 * plan["clips_of_shard"] and plan["done"] == 0, plan
assert plan["methods"][1] == {"name": "gradcam", "forwards": 1, "backwards": 1}, plan' "$work/plan"
code 2 "--save is refused" evaluate x --save flow
cp -r "$work/whole" "$work/forced"
code 3 "-f on a run of other options" evaluate forced -f --cuts 11
cp -r "$work/whole" "$work/kept"
"$aosa" evaluate "${options[@]}" -o "$work/kept" -f --json >"$work/json"
expect "-f keeps what fits" grep -q '"skipped": 15' "$work/json"
cp -r "$work/whole" "$work/old"
python3 -c 'import sqlite3, sys
sqlite3.connect(sys.argv[1]).execute("PRAGMA user_version=1")' "$work/old/shard-1-of-1.db"
code 5 "a journal of another version" evaluate old
expect "and both named" grep -q "a journal of version 1, this program has version 2" "$work/log"
code 5 "nor is it merged" merge old
head -c 20000 /dev/zero | tr '\0' 'x' | dd of="$work/old/shard-1-of-1.db" bs=1 seek=4096 conv=notrunc 2>/dev/null
code 5 "a damaged journal" evaluate old
expect "and said in one line" grep -q "old/shard-1-of-1.db: .*damaged.*-f begins it anew" "$work/log"
code 3 "-f begins it anew" evaluate old -f
code 0 "merge after -f" merge old
same old

# Methods and metrics that join later.
"$aosa" evaluate -q -m "$model" --root "$work/data" --boxes "$work/data/boxes.csv" --first-frame 0 \
    --target label -t 1 --methods random --metrics pointing -o "$work/later" 2>>"$work/log"
"$aosa" evaluate -q "${options[@]}" -t 1 --methods aosa -o "$work/later" 2>>"$work/log"
code 5 "random lacks metrics" merge later
evaluate later
code 0 "merge of what came in pieces" merge later -f
same later

# A video that changes is done again; --trust-mtime looks at size and time alone.
cp -r "$work/whole" "$work/touched"
cp -p "$work/data/clip0.npy" "$work/clip0.npy"
printf '\200' | dd of="$work/data/clip0.npy" bs=1 seek=5000 conv=notrunc 2>/dev/null
touch -r "$work/clip0.npy" "$work/data/clip0.npy"
"$aosa" evaluate "${options[@]}" -o "$work/touched" --trust-mtime --json >"$work/json"
expect "trusted" grep -q '"skipped": 15, "done": 0' "$work/json"
"$aosa" evaluate "${options[@]}" -o "$work/touched" --json >"$work/json"
expect "read" grep -q '"skipped": 12, "done": 3' "$work/json"
cp -p "$work/clip0.npy" "$work/data/clip0.npy"

# Another instruction set goes on with a warning; merge wants to be told; it can be done again.
if ! grep -q '"kernels_isa": "c"' "$work/whole.table/table.json"; then
    "$aosa" evaluate -q "${options[@]}" -t 1 --methods aosa -o "$work/mixed" 2>>"$work/log"
    AOSA_ISA=c evaluate mixed
    expect "a warning" grep -q "12 scores in this journal are of another version or instruction set" "$work/log"
    "$aosa" evaluate -n "${options[@]}" -o "$work/mixed" --redo-builds >"$work/plan"
    expect "-n --redo-builds" grep -q "15: 4 done before, 3 failed before, 8 to do" "$work/plan"
    code 2 "a mixture" merge mixed
    expect "and said" grep -q "results of 2 builds, of which 'kernels_isa' is" "$work/err"
    code 0 "unless told" merge mixed --allow-builds
    code 3 "--redo-builds" evaluate mixed --redo-builds --retry-failed
    code 0 "merge of one build" merge mixed -f
    same mixed
fi

# One process a shard; a scheduler's signal lets the item finish.
start stopped
while [ ! -s "$work/stopped/shard-1-of-1.db" ]; do sleep 0.02; done
code 1 "two processes on one shard" evaluate stopped
expect "and said so" grep -q "another process is writing" "$work/log"
kill -TERM $pid
code 75 "SIGTERM" wait $pid
code 5 "items are missing" merge stopped
evaluate stopped
code 0 "merge after SIGTERM" merge stopped
same stopped

# Wrong use.
code 2 "no --root" "$aosa" evaluate -m "$model" -o "$work/x" 2>/dev/null
code 2 "unknown metric" evaluate x --metrics luck
code 2 "several targets" evaluate x --target top2
code 2 "an option no metric reads" evaluate x --metrics deletion --tolerance 3
code 5 "nothing to merge" merge data
expect "no partial result" test ! -e "$work/data.table"
expect "nothing was written" test ! -e "$work/x"
exit $failed
