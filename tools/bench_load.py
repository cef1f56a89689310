#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Time from a model file to a network that is ready to run, against ONNX Runtime's session.

    bench_load.py BENCH_LOAD MODEL.onnx [--turns 5]

BENCH_LOAD is build/bench/bench-load. The sides take turns, each in a process of its own with the file
already in the page cache; what is compared is processor time, the least of the turns, since other
processes only add to it. Needs onnxruntime from PyPI.
"""
import argparse
import json
import subprocess
import sys

SESSION = """
import json, resource, sys, time
import onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
wall, cpu = time.perf_counter(), time.process_time()
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(json.dumps({"wall_s": wall, "cpu_s": cpu, "peak_bytes": 1024 * peak}))
"""


def measure(command):
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bench_load")
    parser.add_argument("model")
    parser.add_argument("--turns", type=int, default=5)
    args = parser.parse_args()
    ours, theirs = [], []
    for _ in range(args.turns):
        ours.append(measure([args.bench_load, args.model]))
        theirs.append(measure([sys.executable, "-c", SESSION, args.model]))
    for key in ("cpu_s", "open_cpu_s"):
        mine = min(turn[key] for turn in ours)
        other = min(turn["cpu_s"] for turn in theirs)
        print(f"{key:12} {mine:.3f} s, session of ONNX Runtime {other:.3f} s, ratio {mine / other:.2f}")
    print(f"peak memory {ours[0]['peak_bytes'] / 1e6:.0f} MB of the process, {ours[0]['weight_bytes'] / 1e6:.0f} MB "
          f"of them prepared weights; session of ONNX Runtime {theirs[0]['peak_bytes'] / 1e6:.0f} MB more than "
          f"before it; weights in the file {ours[0]['file_bytes'] / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
