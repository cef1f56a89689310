#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that includes form the drawing of doc/architecture.md.

    check_layers.py [ROOT]

Reads tools/layers.txt. A file of src/X may include headers of X and of the folders before X;
video, flow and mask never see each other; a third-party header belongs to one folder; cli/ and
examples/ include public headers only. Exits 1 and names every line that breaks this.
"""
import re
import sys
from pathlib import Path

STANDARD = set(
    """assert ctype dirent errno fcntl fenv float ftw getopt inttypes limits locale math poll sched
    setjmp signal stdarg stdatomic stdbool stddef stdint stdio stdlib string strings time unistd
    exception vector pthread cstring new""".split()
)
SIBLINGS = {"video", "flow", "mask"}
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]')


def read_layers(path):
    order, owners = [], {}
    for line in path.read_text().splitlines():
        line = line.split("#")[0].strip()
        if line:
            folder, _, headers = line.partition(":")
            order.append(folder)
            owners.update({header: folder for header in headers.split()})
    return order, owners


def is_standard(header):
    stem = header.removesuffix(".h")
    return header.startswith("sys/") or stem in STANDARD or header.endswith("intrin.h")


def problem(folder, header, order, owners):
    """Why a file of src/<folder> may not include `header`, or None."""
    for prefix, owner in owners.items():
        if header == prefix or (prefix.endswith("/") and header.startswith(prefix)):
            return None if owner == folder else f"{header} belongs to src/{owner}"
    target = header.split("/")[0]
    if target == "aosa" or is_standard(header):
        return None
    if target not in order:
        return f"{header} is in no folder of tools/layers.txt"
    if target != folder and {folder, target} <= SIBLINGS:
        return f"{folder} and {target} are siblings"
    if order.index(target) > order.index(folder):
        return f"{target} stands above {folder}"
    return None


def check(path, rule):
    bad = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        match = INCLUDE.match(line)
        reason = rule(match.group(2)) if match else None
        if reason:
            bad.append(f"{path}:{number}: {reason}")
    return bad


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    order, owners = read_layers(root / "tools/layers.txt")
    bad = []
    for path in sorted(root.glob("src/*/**/*.[ch]")) + sorted(root.glob("src/*/**/*.cpp")):
        folder = path.relative_to(root / "src").parts[0]
        bad += check(path, lambda header, f=folder: problem(f, header, order, owners))
    for path in sorted(root.glob("cli/*.[ch]")) + sorted(root.glob("examples/*.c")):
        private = {p.name for p in path.parent.glob("*.h")} | {p.name for p in path.parent.glob("*.def")}
        bad += check(
            path,
            lambda header, own=private: None
            if header.startswith("aosa/") or is_standard(header) or header in own
            else f"{header} is no public header",
        )
    print("\n".join(bad) or f"{len(order)} folders, every include points down")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
