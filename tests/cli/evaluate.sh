#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# An evaluation over rendered clips: stopped, killed and cut into shards it gives the same table,
# byte for byte; failed items are recorded and counted; wrong input is refused.
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
    --target label --stride 28 --cuts 10)
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
    for file in table.csv table.md table.json curves.csv; do
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

since=$(date +%s%N)
code 3 "one video is missing" evaluate whole
whole_ms=$((($(date +%s%N) - since) / 1000000))
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
for i in 1 2 3; do
    evaluate shards --shard $i/3 -t 2
done
code 0 "merge of 3 shards" merge shards
same shards
mv "$work/shards/shard-2-of-3.db" "$work/away.db"
code 5 "a shard is missing" merge shards --force
expect "and named" grep -q "1 of 3 shards are missing (2)" "$work/err"
code 0 "unless told" merge shards --force --allow-missing

# Done work is not done again; what failed is tried again when asked for.
"$aosa" evaluate "${options[@]}" -o "$work/whole" --json >"$work/json"
expect "nothing is done twice" grep -q '"items": 15, "skipped": 15, "done": 0, "failed": 0' "$work/json"
code 3 "--retry-failed" evaluate whole --retry-failed
code 2 "another run is refused" evaluate whole --cuts 11
expect "and the difference named" grep -q "'metric_options.cuts'" "$work/log"

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

# kill -9 at random moments of the first half of the work: nothing is lost or doubled.
RANDOM=7
for _ in 1 2 3 4 5 6 7 8 9 10; do
    start killed
    delay=$((RANDOM % (whole_ms / 2 + 1)))
    sleep $((delay / 1000)).$(printf %03d $((delay % 1000)))
    kill -9 $pid 2>/dev/null
    wait $pid 2>/dev/null
done
evaluate killed
code 0 "merge after kill -9" merge killed
same killed

# Wrong use.
code 2 "no --root" "$aosa" evaluate -m "$model" -o "$work/x" 2>/dev/null
code 2 "unknown metric" evaluate x --metrics luck
code 2 "several targets" evaluate x --target top2
code 2 "an option no metric reads" evaluate x --metrics deletion --tolerance 3
code 5 "nothing to merge" merge data
expect "no partial result" test ! -e "$work/data.table"
expect "nothing was written" test ! -e "$work/x"
exit $failed
