#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An evaluation's memory does not grow with its items.

    memory.py AOSA MODEL

AOSA_ITEMS (default 240) items by cheap methods. Resident memory goes up and down within an item, so
what is compared is the least of each of 20 spans of the run, from the fourth on: the first ones hold
what is made once.
"""
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

AOSA, MODEL = sys.argv[1:3]
ITEMS = int(os.environ.get("AOSA_ITEMS", "240"))
METHODS = "gradient,centre,random,frame_difference"
SPANS, FIRST = 20, 3
CLIPS = ITEMS // 4
# A leak of one item's smallest object of note, a struct with a few texts, is 1 KiB; a page or two
# that the allocator did not need before are not a leak.
MOST_PER_ITEM, SLACK = 1024, 64 * 1024


def main():
    with tempfile.TemporaryDirectory(prefix="aosa-memory-") as folder:
        work = Path(folder)
        subprocess.run([AOSA, "demo-bench", "-q", "-o", work / "data", "--clips", "4", "--seed", "7"], check=True)
        videos = sorted((work / "data").glob("*/*.mp4"))
        rows = ["path,label"]
        for i in range(CLIPS):
            video = videos[i % len(videos)]
            link = work / "data" / f"clip{i:05}.mp4"
            link.symlink_to(video)
            rows.append(f"{link.name},{video.parent.name}")
        (work / "data/list.csv").write_text("\n".join(rows) + "\n")
        process = subprocess.Popen([AOSA, "evaluate", "-m", MODEL, "--root", work / "data", "--methods", METHODS,
                                    "--metrics", "sparsity", "-t", "1", "-q", "-o", work / "run"])
        samples = []
        while process.poll() is None:
            try:
                pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
                samples.append(pages * os.sysconf("SC_PAGE_SIZE"))
            except (OSError, IndexError):
                pass
            time.sleep(0.005)
        assert process.returncode == 0, process.returncode
    n = len(samples)
    least = [min(samples[n * i // SPANS:n * (i + 1) // SPANS]) for i in range(SPANS)][FIRST:SPANS - 1]
    x = [i - (len(least) - 1) / 2 for i in range(len(least))]
    slope = sum(a * b for a, b in zip(x, least)) / sum(a * a for a in x) * SPANS / (4 * CLIPS)
    growth = least[-1] - least[0]
    print(f"{4 * CLIPS} items: {least[0] / 1e6:.2f} MB after {100 * FIRST // SPANS} %, {least[-1] / 1e6:.2f} MB near the end,"
          f" slope {slope:.0f} bytes an item, most {max(samples) / 1e6:.1f} MB, {n} samples")
    assert growth <= MOST_PER_ITEM * 4 * CLIPS + SLACK, f"{growth} bytes more: {least}"


main()
