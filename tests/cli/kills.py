#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 at random moments of an evaluation and its merge: nothing is lost, nothing is done twice,
and the final table has the same bytes.

    kills.py AOSA MODEL

AOSA_KILLS (default 25) processes are killed, AOSA_SEED (default 1) chooses when. Runs are of one
shard and of two in turn; each goes on until it is done, then the next one begins.
"""
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

AOSA, MODEL = sys.argv[1:3]
KILLS = int(os.environ.get("AOSA_KILLS", "25"))
SEED = int(os.environ.get("AOSA_SEED", "1"))
METHODS = 3


def evaluation(data, run, shard=None):
    options = ["--dataset", "ucf101", "--root", data, "--lists", data / "ucfTrainTestlist", "--boxes",
               data / "boxes.csv", "--methods", "gradcam,centre,random", "--metrics", "deletion,pointing,sparsity",
               "--cuts", "2", "-t", "1", "-q", "-o", run]
    return [AOSA, "evaluate", "-m", MODEL, *options, *(["--shard", shard] if shard else [])]


def merging(run):
    return [AOSA, "merge", "-q", "-f", run, "-o", table_of(run)]


def table_of(run):
    return run.with_suffix(".table")


def bytes_of(run):
    """All files of the table but what it cost, and what a killed merge may leave: hidden folders."""
    return {path.name: path.read_bytes() for path in table_of(run).iterdir()
            if path.name != "cost.csv" and not path.name.startswith(".")}


def rows_of(run):
    """What is committed: (clip, method) with its own number and seconds. Reading rolls back what a
    killed process left, as the next one would."""
    rows = {}
    for path in sorted(run.glob("shard-*.db")):
        journal = sqlite3.connect(path)
        if journal.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            found = journal.execute("SELECT clip, method, id, seconds, (SELECT count(*) FROM value"
                                    " WHERE item=item.id) FROM item").fetchall()
            assert journal.execute("PRAGMA integrity_check").fetchone()[0] == "ok", path
            assert len({row[:2] for row in found}) == len(found), f"{path}: an item stands twice"
            rows.update({(path.name, *row[:2]): row[2:] for row in found})
        journal.close()
    return rows


class Killer:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.killed = {"evaluate": 0, "merge": 0}
        self.usual = {}  # seconds that a process takes when it is left alone

    def count(self):
        return sum(self.killed.values())

    def run(self, command):
        """Runs it and kills it at a random moment; whether it came to its end before."""
        what = command[1]
        process = subprocess.Popen(command, stderr=subprocess.PIPE)
        spared = self.count() >= KILLS or (what == "merge" and self.random.random() < 0.4)
        deadline = time.monotonic() + self.random.uniform(0, 0.7 * self.usual.get(what, 1))
        while process.poll() is None and time.monotonic() < deadline and not spared:
            time.sleep(0.001)
        if process.poll() is None and not spared:
            process.send_signal(signal.SIGKILL)
        error = process.communicate()[1].decode()
        self.killed[what] += process.returncode == -signal.SIGKILL
        assert process.returncode in (0, -signal.SIGKILL), f"{what}: {process.returncode}: {error}"
        return process.returncode == 0


def finish(killer, command, run):
    """Kills and starts again until the command ends; committed rows never change."""
    before = rows_of(run) if run.exists() else {}
    done = False
    while not done:
        done = killer.run(command)
        after = rows_of(run) if run.exists() else {}
        changed = [key for key in before if after.get(key) != before[key]]
        assert not changed, f"lost or done again: {changed}"
        before = after
    return before


def main():
    work = Path(tempfile.mkdtemp(prefix="aosa-kills-"))
    try:
        data, whole, run = work / "data", work / "whole", work / "run"
        subprocess.run([AOSA, "demo-bench", "-q", "-o", data, "--clips", "6", "--seed", "7"], check=True)
        killer = Killer(SEED)
        for command in (evaluation(data, whole), merging(whole)):
            since = time.monotonic()
            subprocess.run(command, check=True)
            killer.usual[command[1]] = time.monotonic() - since
        want = bytes_of(whole)
        runs = 0
        while killer.count() < KILLS or runs == 0:
            shards = [None] if runs % 2 == 0 else ["1/2", "2/2"]
            for shard in shards:
                rows = finish(killer, evaluation(data, run, shard), run)
            assert len(rows) == 6 * METHODS, sorted(rows)
            finish(killer, merging(run), run)
            assert bytes_of(run) == want, f"run {runs}: another table"
            runs += 1
            shutil.rmtree(run)
            shutil.rmtree(table_of(run))
        print(f"{killer.killed['evaluate']} evaluations and {killer.killed['merge']} merges killed, {runs} runs done:"
              f" the table has the same {sum(map(len, want.values()))} bytes each time; seed {SEED}")
    finally:
        shutil.rmtree(work, ignore_errors=True)


main()
