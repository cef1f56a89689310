#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A full disk (a tmpfs of 4 MB): evaluate and merge say so, keep what is done, and go on afterwards.

    disk_full.py AOSA MODEL

Skips where no tmpfs can be mounted, which takes root.
"""
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

AOSA, MODEL = sys.argv[1:3]


def evaluation(data, run):
    return [AOSA, "evaluate", "-m", MODEL, "--dataset", "ucf101", "--root", data, "--lists", data / "ucfTrainTestlist",
            "--boxes", data / "boxes.csv", "--methods", "gradcam,centre,random", "--metrics", "deletion,pointing",
            "--cuts", "20", "-t", "1", "-q", "-o", run]


def call(command, *codes):
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
    assert done.returncode in codes, f"{command[1]}: {done.returncode}, not {codes}: {done.stderr}"
    return done


def bytes_of(table):
    return {path.name: path.read_bytes() for path in table.iterdir() if path.name != "cost.csv"}


def leave_room(disk, room):
    """Fills the disk but for `room` bytes."""
    free = os.statvfs(disk)
    size = free.f_bavail * free.f_frsize - room
    with open(disk / "filler", "wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)


def check_full(done):
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1 and ("disk is full" in lines[0] or "No space left" in lines[0]), done.stderr


def main(work, disk):
    data, run, table = work / "data", disk / "run", disk / "table"
    subprocess.run([AOSA, "demo-bench", "-q", "-o", data, "--clips", "4", "--seed", "7"], check=True)
    call(evaluation(data, work / "whole"), 0)
    call([AOSA, "merge", "-q", work / "whole", "-o", work / "whole.table"], 0)
    want = bytes_of(work / "whole.table")
    size = (work / "whole/shard-1-of-1.db").stat().st_size
    full = 0
    for share in (0, 0.4, 0.8, 0.9, 1.0):
        leave_room(disk, int(share * size))
        done = call(evaluation(data, run), 0, 1)
        full += done.returncode
        if done.returncode:
            check_full(done)
        (disk / "filler").unlink()
        call(evaluation(data, run), 0)
        leave_room(disk, int(0.2 * share * sum(map(len, want.values()))))
        done = call([AOSA, "merge", "-q", run, "-o", table], 1)
        check_full(done)
        assert not table.exists(), sorted(table.iterdir())
        (disk / "filler").unlink()
        call([AOSA, "merge", "-q", run, "-o", table], 0)
        assert bytes_of(table) == want, f"room for {share} of the journal: another table"
        shutil.rmtree(run)
        shutil.rmtree(table)
    assert full >= 3, f"{full} of 5 disks were full"
    print(f"{full} of 5 evaluations and 5 of 5 merges met a full disk, and went on to the same table")


with tempfile.TemporaryDirectory(prefix="aosa-disk-") as folder:
    disk = Path(folder) / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], stderr=subprocess.PIPE, text=True)
    if mounted.returncode != 0:
        print(f"skipped: a tmpfs cannot be mounted here: {mounted.stderr.strip()}")
        sys.exit(77)
    try:
        main(Path(folder), disk)
    finally:
        subprocess.run(["umount", "-l", disk], check=True)
