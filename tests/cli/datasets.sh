#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Datasets in the layouts that the field has them in, made of the bundled clip and rendered ones:
# the same videos and boxes by every layout, several clips of a video, and what is wrong in lists,
# boxes and videos told with its place.
#
#     datasets.sh AOSA MODEL CLIP SCENE_DUMP
set -u
aosa=$1 model=$2 clip=$3 dump=$4
here=${AOSA_SOURCE_ROOT:-.}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

expect() { # WORDS CONDITION...
    local words=$1
    shift
    "$@" || { echo "failed: $words" && failed=1; }
}
evaluate() { # RUN OPTIONS...: one cheap method, whose map has nothing to do with the layout
    "$aosa" evaluate -q -m "$model" -o "$work/$1" --methods random --metrics pointing "${@:2}" \
        >"$work/out" 2>"$work/err"
}
code() { # CODE WORDS COMMAND...
    local want=$1 words=$2
    shift 2
    "$@"
    local got=$?
    test $got -eq "$want" || { echo "failed: $words: exit code $got, not $want: $(cat "$work/err")" && failed=1; }
}
says() { # WORDS TEXT: on standard error
    grep -qF -- "$2" "$work/err" || { echo "failed: $1: $(cat "$work/err")" && failed=1; }
}
merge() { # RUN
    "$aosa" merge -q "$work/$1" -o "$work/$1.table" --force 2>>"$work/err" || failed=1
}
check() { # WORDS RUN CONDITION: in Python, on `table`, and on `row` of the only method
    merge "$2"
    python3 - "$work/$2.table/table.json" "$3" <<'EOF2' || { echo "failed: $1" && failed=1; }
import json
import sys

table = json.load(open(sys.argv[1]))
row = table["methods"][0]
if not eval(sys.argv[2]):
    sys.exit(str(row))
EOF2
}
reasons() { # RUN: of the failures, one a line
    merge "$1"
    python3 -c 'import json, sys
print(*(f["reason"] for f in json.load(open(sys.argv[1]))["failures"]), sep="\n")' "$work/$1.table/table.json"
}

# The same two videos of one class of UCF-101 in three layouts, and boxes in two forms.
videos=$work/videos lists=$work/lists
mkdir -p "$videos/CliffDiving" "$videos/Basketball" "$lists"
cp "$clip" "$videos/CliffDiving/v_CliffDiving_g01_c01.mp4"
cp "$clip" "$videos/Basketball/v_Basketball_g01_c01.mp4"
printf '1 Basketball\n2 CliffDiving\n' >"$lists/classInd.txt"
printf 'CliffDiving/v_CliffDiving_g01_c01.avi\nBasketball/v_Basketball_g01_c01.avi\n' >"$lists/testlist01.txt"
printf 'path,label\nCliffDiving/v_CliffDiving_g01_c01.mp4,CliffDiving\nBasketball/v_Basketball_g01_c01.mp4,Basketball\n' \
    >"$work/list.csv"
cat >"$work/list.json" <<'EOF2'
{"labels": ["Basketball", "CliffDiving"], "database": {
 "v_Basketball_g01_c01": {"subset": "validation", "annotations": {"label": "Basketball", "segment": [1, 17]}},
 "v_CliffDiving_g01_c01": {"subset": "validation", "annotations": {"label": "CliffDiving", "segment": [1, 17]}},
 "v_Empty_g01_c01": {"subset": "validation", "annotations": {"label": "CliffDiving", "segment": [1, 1]}}}}
EOF2
mat=$here/fuzz/corpus/boxes_mat/annot.mat
python3 "$here/tools/pyannot_to_csv.py" "$here/tests/cli/pyannot.pkl" "$work/pyannot.csv" || failed=1
expect "a converted box is not cut to 8 bits" grep -q '^Basketball/v_Basketball_g01_c01,1,Basketball,2,2,4,250,98$' \
    "$work/pyannot.csv"

ucf101=(--dataset ucf101 --root "$videos" --lists "$lists")
code 0 "UCF-101 with MATLAB's boxes" evaluate ucf101 "${ucf101[@]}" --boxes "$mat"
"$aosa" evaluate -m "$model" -o "$work/ucf101" --methods random --metrics pointing "${ucf101[@]}" \
    --boxes "$work/pyannot.csv" --json >"$work/json" 2>"$work/err"
expect "Python's boxes are the same: nothing is left to do" grep -q '"items": 2, "skipped": 2' "$work/json"
check "both videos have boxes" ucf101 'row["values"]["pointing.spatial"]["n"] == 2'
code 0 "kenshohara's JSON" evaluate kenshohara --dataset kenshohara --root "$videos" --lists "$work/list.json" \
    --boxes "$mat"
merge kenshohara
expect "with the same numbers" cmp "$work/ucf101.table/table.csv" "$work/kenshohara.table/table.csv"
code 0 "a list of one's own" evaluate csv --dataset csv --root "$videos" --lists "$work/list.csv" --boxes "$mat"

# Kinetics.
mkdir -p "$work/kinetics/air drumming" "$work/k"
cp "$clip" "$work/kinetics/air drumming/-AbC_dEf_01_000002_000012.mp4"
printf 'label,youtube_id,time_start,time_end,split\nair drumming,x,0,10,train\n' >"$work/k/train.csv"
printf 'label,youtube_id,time_start,time_end,split\nair drumming,-AbC_dEf_01,2,12,val\n' >"$work/k/val.csv"
code 0 "Kinetics" evaluate kinetics --dataset kinetics --root "$work/kinetics" --lists "$work/k"

# Several clips of a video: 40 frames, clips of 16 at 0, 12 and 24, a box in frames 2 to 11 only.
"$dump" "$work/scene" 1 7 112 40 || exit 1
mkdir -p "$work/long"
python3 - "$work" <<'EOF2' || exit 1
import struct
import sys
from pathlib import Path

work = Path(sys.argv[1])
header = "{'descr': '|u1', 'fortran_order': False, 'shape': (40, 112, 112, 3), }"
header += " " * (63 - (len(header) + 10) % 64) + "\n"
head = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode()
(work / "long/a.npy").write_bytes(head + (work / "scene.rgb").read_bytes())
(work / "long/list.csv").write_text("path,label\na.npy,up\n")
(work / "long/boxes.csv").write_text(
    "video,frame,x,y,w,h\n" + "".join(f"a,{f},10,20,30,40\n" for f in range(2, 12)))
EOF2
long=(--root "$work/long" --boxes "$work/long/boxes.csv" --first-frame 0 --clips 3)
code 0 "three clips of a video" evaluate clips "${long[@]}"
check "three clips, of which one has boxes" clips 'row["done"] == 3 and row["values"]["pointing.spatial"]["n"] == 1'
for i in 1 2; do
    evaluate clips2 "${long[@]}" --shard $i/2
done
merge clips2
expect "two shards have the same table" cmp "$work/clips.table/table.csv" "$work/clips2.table/table.csv"
code 2 "another number of clips is another run" evaluate clips "${long[@]}" --clips 2
code 3 "windows behind the end fail, the others do not" evaluate windows "${long[@]}" --start 0
expect "and say so" test "$(reasons windows)" = \
    "list.csv:2: $work/long/a.npy: needs 16 frames from 32 by 1, that is 48, and has 40: use --start 24 --step 1"

# Videos and labels that are wrong: the item fails, with the line that names it.
printf 'not a video' >"$videos/Basketball/v_Basketball_g02_c01.avi"
printf 'Basketball/v_Basketball_g02_c01.avi\nBasketball/v_Basketball_g03_c01.avi\n' >>"$lists/testlist01.txt"
code 3 "one video is damaged, one is missing" evaluate videos "${ucf101[@]}"
reasons videos >"$work/reasons"
expect "2 reasons" test "$(wc -l <"$work/reasons")" -eq 2
expect "the damaged one" grep -q "^testlist01.txt:3: .*v_Basketball_g02_c01.avi: " "$work/reasons"
expect "the missing one" grep -q "^testlist01.txt:4: .*v_Basketball_g03_c01.avi: No such file" "$work/reasons"
code 3 "labels that the model does not have" evaluate labels --dataset csv --root "$videos" \
    --lists "$work/list.csv" --target label
expect "each is named" test "$(reasons labels | sort | head -1)" = \
    "list.csv:2: CliffDiving/v_CliffDiving_g01_c01.mp4: the label 'CliffDiving' is no class of the model"

# Lists and boxes that are wrong: nothing runs.
code 0 "boxes of other videos" evaluate other --dataset csv --root "$videos" --lists "$work/list.csv" \
    --boxes "$work/long/boxes.csv" --first-frame 0
says "are counted" "10 boxes are of other videos or classes"
refuse() { # WORDS TEXT OPTIONS...
    code 5 "$1" evaluate refused "${@:3}"
    says "$1" "$2"
}
refuse "no classInd.txt" "classInd.txt" --dataset ucf101 --root "$videos" --lists "$work/k"
refuse "no such split" "testlist03.txt" "${ucf101[@]}" --split 3
printf 'Basketball/v_X.avi 2\n' >"$lists/testlist02.txt"
refuse "a list with other numbers" "testlist02.txt:1: class 2, but Basketball is 1" "${ucf101[@]}" --split 2
refuse "JSON of another part" "none of its 3 videos is of that part" --dataset kenshohara --root "$videos" \
    --lists "$work/list.json" --subset train
head -c 400 "$mat" >"$work/cut.mat"
refuse "a MAT-file that is cut off" "cut.mat: byte 128: an element is longer than what holds it" "${ucf101[@]}" \
    --boxes "$work/cut.mat"
printf 'youtube_id,time_start,time_end,split\nx,0,10,test\n' >"$work/k/test.csv"
refuse "a test list without labels" "no column 'label'" --dataset kinetics --root "$work/kinetics" \
    --lists "$work/k" --subset test
expect "nothing was written" test ! -e "$work/refused"

# A pickle that would run a program.
python3 -c 'import os, pickle, sys; C = type("C", (), {"__reduce__": lambda s: (os.system, ("touch " + sys.argv[2],))})
pickle.dump({"A/v": C()}, open(sys.argv[1], "wb"))' "$work/evil.pkl" "$work/ran"
python3 "$here/tools/pyannot_to_csv.py" "$work/evil.pkl" "$work/evil.csv" 2>"$work/err" && failed=1
says "a pickle that names a program" "refused: it names posix.system"
expect "and it did not run" test ! -e "$work/ran" -a ! -e "$work/evil.csv"
exit $failed
