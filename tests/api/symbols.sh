#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The library exports exactly the functions of tests/api/symbols.txt.
#
#     symbols.sh LIBRARY SYMBOLS.txt
set -eu
nm -D --defined-only "$1" | awk '$2 ~ /[TDBR]/ { print $3 }' | grep -vx '_edata\|_end\|__bss_start' |
    LC_ALL=C sort | diff -u "$2" -
