#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Time of a forward and a backward pass to the clip: ours beside PyTorch's, in one go on the same cores.

    bench_backward_peer.py --bench BUILD/bench/bench-backward [--threads N] [--pairs N] [--batch-norm] \
        MODEL.onnx ...

PyTorch gets the same weights: the ONNX graph is rebuilt from its own modules (bench_peer.py), in
eval mode, no gradient wanted of any weight. It runs with the input in its default order and in
channels_last_3d, and the faster of the two counts. Exporters fold BatchNorm into the convolutions;
--batch-norm puts one (of ones and zeros) behind each of them, as the network's own code has it.

Loading and the first clip are left out on both sides. Runs alternate, so that whatever else the
machine does hits both alike; a ratio is the median over pairs of PyTorch's time by ours (above 1: we
are faster): of processor time on one thread, of wall time too on several.

Needs torch, onnx and numpy.
"""
import argparse
import json
import statistics
import subprocess
import sys
import time

import onnx
import torch

import bench_peer


def default_layout(x):
    return x.contiguous()


class WithBatchNorm(bench_peer.Rebuilt):
    """Every convolution followed by its BatchNorm, in eval mode."""

    @staticmethod
    def make_conv(a):
        conv = bench_peer.Rebuilt.make_conv(a)
        norms = {}

        def call(x, w, b=None):
            y = conv(x, w, b)
            if not norms:
                c = y.shape[1]
                norms["ones"], norms["zeros"] = torch.ones(c), torch.zeros(c)
            return torch.nn.functional.batch_norm(y, norms["zeros"], norms["ones"], norms["ones"],
                                                  norms["zeros"], False, 0.0, 0.0)
        return call


class Peer:
    """One way of PyTorch to do it."""

    def __init__(self, model, layout, batch_norm):
        bench_peer.layout = layout  # of weights and inputs, read when the network is rebuilt
        self.layout = layout
        self.net = (WithBatchNorm if batch_norm else bench_peer.Rebuilt)(model).eval()
        shape = bench_peer.input_shape(model)
        self.x = torch.randn(1, *shape, generator=torch.Generator().manual_seed(1))

    def forward(self):
        bench_peer.layout = self.layout
        with torch.inference_mode():
            self.net(self.x)

    def both(self):
        bench_peer.layout = self.layout
        x = self.x.detach().requires_grad_(True)
        score = self.net(x).reshape(-1)[0]
        torch.autograd.grad(score, x)

    @staticmethod
    def time(call):
        wall, cpu = time.perf_counter(), time.process_time()
        call()
        return time.perf_counter() - wall, time.process_time() - cpu


class Ours:
    """bench-backward, one clip per line written to it."""

    def __init__(self, options, path):
        command = [options.bench, "--paced", "--threads", str(options.threads), "--runs",
                   str(options.pairs), path]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        self.about = self.read()

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("bench-backward ended early")
        return json.loads(line)

    def run(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        result = self.read()
        return result["wall_s_per_clip"], result["cpu_s_per_clip"]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def best_peer(model, options):
    """The faster layout, by processor time, after a first clip each."""
    peers = [Peer(model, layout, options.batch_norm)
             for layout in (bench_peer_layout, default_layout)]
    times = []
    for peer in peers:
        peer.both()
        times.append(min(Peer.time(peer.both)[1] for _ in range(2)))
    return peers[times.index(min(times))]


def compare(options, path):
    peer = best_peer(onnx.load(path), options)
    peer.forward()
    ours = Ours(options, path)
    pairs = [(ours.run(), Peer.time(peer.both), Peer.time(peer.forward))
             for _ in range(options.pairs)]
    ours.close()
    ratio = [statistics.median(p[1][k] / p[0][k] for p in pairs) for k in (0, 1)]
    middle = [[statistics.median(p[side][k] for p in pairs) for k in (0, 1)] for side in range(3)]
    print(json.dumps({
        "bench": "peer-backward", "model": path, "torch": torch.__version__,
        "threads": options.threads, "batch_norm": options.batch_norm, "pairs": options.pairs,
        "torch_layout": "default" if peer.layout is default_layout else "channels_last_3d",
        "ours": ours.about, "our_wall_s": middle[0][0], "our_cpu_s": middle[0][1],
        "torch_wall_s": middle[1][0], "torch_cpu_s": middle[1][1],
        "torch_forward_cpu_s": middle[2][1], "ratio_wall": ratio[0], "ratio_cpu": ratio[1]}),
        flush=True)
    return [path.rsplit("/", 1)[-1], options.threads, *middle[0], *middle[1], middle[2][1], *ratio]


bench_peer_layout = bench_peer.layout


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bench", required=True, help="the bench-backward program")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--batch-norm", action="store_true")
    parser.add_argument("models", nargs="+")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows = [compare(options, path) for path in options.models]
    head = ("model", "threads", "our wall", "our cpu", "torch wall", "torch cpu", "torch fwd cpu",
            "ratio wall", "ratio cpu")
    print(("{:26}" + "{:>14}" * 8).format(*head), file=sys.stderr)
    for row in rows:
        print(("{:26}" + "{:14d}" + "{:14.3f}" * 5 + "{:14.2f}" * 2).format(*row), file=sys.stderr)


if __name__ == "__main__":
    main()
