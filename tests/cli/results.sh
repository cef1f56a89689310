#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What the commands give on the bundled clip: the files that are promised, the same bits for any
# number of threads, several targets, --force, --json, Ctrl-C.
#
#     results.sh AOSA MODEL CLIP
set -u
aosa=$1 model=$2 clip=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

expect() { # WORDS CONDITION...
    local words=$1
    shift
    "$@" || { echo "failed: $words" && failed=1; }
}

few=(--stride 28 -q) # a few masks are enough here
"$aosa" explain -m "$model" "$clip" -o "$work/a" "${few[@]}" --save clip,flow,tracks,masks -t 1 || failed=1
for file in map.npy map_normalised.npy scores.npy result.json overlay.mp4 grid.png clip.npy flow.npy \
    tracks.npy stack.npy masks.npy; do
    expect "$file is there" test -s "$work/a/$file"
done
expect "nothing else is" test "$(find "$work/a" -mindepth 1 | wc -l)" -eq 11

"$aosa" explain -m "$model" "$clip" -o "$work/b" "${few[@]}" -t 2 || failed=1
for file in map.npy map_normalised.npy scores.npy grid.png overlay.mp4; do
    expect "$file has the same bits for 1 and 2 threads" cmp "$work/a/$file" "$work/b/$file"
done

"$aosa" explain -m "$model" "$clip" -o "$work/b" "${few[@]}" 2>"$work/old" && failed=1
expect "an older result is kept" grep -q -- --force "$work/old"
"$aosa" explain -m "$model" "$clip" -o "$work/b" "${few[@]}" --force --target top2 || failed=1
expect "two targets give two grids" test -s "$work/b/grid.1.png"

cp "$clip" "$work/other.${clip##*.}"
"$aosa" explain -m "$model" "$clip" "$work/other.${clip##*.}" -o "$work/two" "${few[@]}" --json >"$work/json" || failed=1
python3 - "$work" <<'EOF' || failed=1
import json
import sys
from pathlib import Path

work = Path(sys.argv[1])
result = json.loads((work / "a/result.json").read_text())
assert result["options"]["stride"] == 28 and result["options"]["size"] == 16, result["options"]
assert result["cost"]["forwards"] == result["masks"] + 2 and result["cost"]["backwards"] == 1
assert len(result["targets"][0]["importance_per_frame"]) == 16
assert len(result["targets"][0]["importance_per_track"]) == result["masks"]
assert abs(sum(c["probability"] for c in result["top5"])) <= 1.000001
decoder = json.JSONDecoder()
text, n = (work / "json").read_text().strip(), 0
while text:
    value, end = decoder.raw_decode(text)
    text, n = text[end:].strip(), n + 1
    assert value["aosa_result"] == 1
assert n == 2
EOF

# The network's input, saved, is the same clip again.
"$aosa" explain -m "$model" "$work/a/clip.npy" -o "$work/again" "${few[@]}" || failed=1
expect "a saved clip gives the same scores" cmp "$work/a/scores.npy" "$work/again/scores.npy"

# Raw forward on the clip that was saved: one more axis is the batch.
python3 - "$work" <<'EOF' || failed=1
import sys
from pathlib import Path

data = Path(sys.argv[1], "a/clip.npy").read_bytes()
Path(sys.argv[1], "batch.npy").write_bytes(data.replace(b"'shape': (3,", b"'shape': (1, 3,", 1)[:0] or data)
header_end = data.index(b"\n") + 1
header = data[10:header_end].decode().rstrip().replace("(3,", "(1, 3,")
header = (header + " " * (header_end - 11 - len(header)) + "\n").encode()
Path(sys.argv[1], "batch.npy").write_bytes(data[:10] + header + data[header_end:])
EOF
"$aosa" run -m "$model" --input "$work/batch.npy" -o "$work/run" || failed=1
expect "run writes its output" test -s "$work/run/output0.npy"

"$aosa" masks "$clip" -o "$work/masks" -q || failed=1
expect "masks draws its tracks" test -s "$work/masks/tracks.png" -a -s "$work/masks/tracks.mp4"
"$aosa" predict -m "$model" "$clip" >"$work/top" || failed=1
expect "predict names five classes" test "$(wc -l <"$work/top")" -eq 7
expect "the plan counts masks" sh -c "'$aosa' explain -m '$model' '$clip' --dry-run | grep -q '^masks'"
expect "inspect tells the work" sh -c "'$aosa' inspect -m '$model' | grep -q GMAC"
expect "inspect speaks JSON" sh -c "'$aosa' inspect -m '$model' --json | python3 -m json.tool >/dev/null"

# Methods without masks have no scores; several are compared on one sheet.
"$aosa" explain -m "$model" "$clip" -o "$work/flow" -q --method flow_magnitude --save flow || failed=1
for file in map.npy map_normalised.npy result.json overlay.mp4 grid.png flow.npy; do
    expect "$file is there" test -s "$work/flow/$file"
done
expect "nothing else is" test "$(find "$work/flow" -mindepth 1 | wc -l)" -eq 6
"$aosa" compare -m "$model" "$clip" -o "$work/compare" --methods aosa,controls "${few[@]}" || failed=1
expect "all methods are on one sheet" test -s "$work/compare/sheet.png"
expect "an option of one method is no error" cmp "$work/compare/aosa/map.npy" "$work/a/map.npy"
expect "the sheet's methods have folders" test -s "$work/compare/centre/result.json"
"$aosa" compare -m "$model" "$clip" -o "$work/compare" --methods centre -q 2>"$work/old" && failed=1
expect "an older comparison is kept" grep -q -- --force "$work/old"
expect "the plan counts passes" sh -c "'$aosa' explain -m '$model' '$clip' --method centre -n | grep -q '^passes     1 forward'"
"$aosa" list methods --json | python3 -c '
import json, sys
methods = {row["name"]: row for row in json.load(sys.stdin)["methods"]}
assert methods["aosa"]["mask"] == "flow_one" and methods["aosa"]["family"] == "occlusion"
assert methods["flow_magnitude"]["needs"] == ["scores", "flow"]
' || failed=1
expect "help lists the families" sh -c "'$aosa' explain --help | grep -q '^  control .*random'"

# Ctrl-C within a second, and nothing is left.
"$aosa" explain -m "$model" "$clip" -o "$work/c" --stride 2 -q 2>"$work/stopped" &
pid=$!
sleep 3
before=$(date +%s%N)
kill -INT $pid
wait $pid
code=$?
took=$((($(date +%s%N) - before) / 1000000))
expect "Ctrl-C exits with 130, not $code" test $code -eq 130
expect "Ctrl-C took $took ms" test $took -lt 1000
expect "Ctrl-C leaves nothing" test ! -e "$work/c"

exit $failed
