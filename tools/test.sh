#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs every test of a build, then the unit tests, command line and fuzz corpora once more under
# the address and undefined-behaviour sanitizers. Ends with "N passed, N failed, N skipped",
# counted from the results of both.
#
#     test.sh [BUILD]
set -u
build=${1:-build}
sanitized=$build-sanitized

[ -f "$sanitized/build.ninja" ] ||
    meson setup "$sanitized" -Db_sanitize=address,undefined -Db_lundef=false \
        --buildtype=debugoptimized || exit 1
ninja -C "$sanitized" || exit 1

rm -f "$build/meson-logs/testlog.json" "$sanitized/meson-logs/testlog.json"
meson test -C "$build" --no-rebuild --print-errorlogs
meson test -C "$sanitized" --no-rebuild --print-errorlogs --suite unit --suite fuzz --suite cli

python3 - "$build/meson-logs/testlog.json" "$sanitized/meson-logs/testlog.json" <<'EOF'
import json
import sys

results = [json.loads(line)["result"] for path in sys.argv[1:] for line in open(path, encoding="utf-8")]
passed = sum(r in ("OK", "EXPECTEDFAIL") for r in results)
skipped = results.count("SKIP")
failed = len(results) - passed - skipped
print(f"{passed} passed, {failed} failed, {skipped} skipped")
sys.exit(1 if failed or not passed else 0)
EOF
