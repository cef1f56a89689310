#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# clang-format 14 would change nothing. Exits 77 (skipped) where it is not installed.
#
#     check_format.sh [ROOT]
set -eu
cd "${1:-.}"
format=$(command -v clang-format-14 || command -v clang-format) || exit 77
"$format" --version | grep -q 'version 14\.' || exit 77
find src include cli tests bench fuzz examples tools -name '*.[ch]' -print0 | xargs -0 "$format" --dry-run -Werror
