#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Time per occluded clip: our oneDNN backend beside PyTorch on the CPU, in one go on the same cores.

    bench_peer.py --bench BUILD/bench/bench-occluded [--threads N] [--pairs N] MODEL.onnx ...
    bench_peer.py --delta BUILD/bench/bench-delta --clip VIDEO [--masks N] [--pairs N] MODEL.onnx ...

The second form compares the delta engine's processor time per mask, on one thread.

PyTorch gets the same weights: the ONNX graph is rebuilt from its own modules, in channels_last_3d,
BatchNorm folded as the file has it, with the best batch of 1, 2, 4, 8 and 16. Runs alternate, so
that whatever else the machine does hits both alike; a ratio is the median over pairs of PyTorch's
time by ours (above 1: we are faster), for wall time and for processor time.

Needs torch, onnx and numpy; with onnxruntime the rebuilt network is checked against it.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import numpy
import onnx
import torch
from onnx import helper, numpy_helper

LAYOUT = {4: torch.channels_last, 5: torch.channels_last_3d}


def layout(x):
    """x in the channels-last order of its rank."""
    return x.contiguous(memory_format=LAYOUT[x.dim()]) if x.dim() in LAYOUT else x.contiguous()


def halves(pads, rank):
    """Symmetric ONNX pads as one number per axis."""
    pads = pads or [0] * (2 * rank)
    if pads[:rank] != pads[rank:]:
        raise SystemExit(f"asymmetric pads {pads}: put them into a Pad node")
    return pads[:rank]


class Rebuilt(torch.nn.Module):
    """The nodes of an ONNX graph in order, each one PyTorch call."""

    def __init__(self, model):
        super().__init__()
        graph = model.graph
        self.constants = {t.name: torch.from_numpy(numpy_helper.to_array(t).copy())
                          for t in graph.initializer}
        self.input = next(i.name for i in graph.input if i.name not in self.constants)
        self.output = graph.output[0].name
        self.steps = [self.step(node) for node in graph.node]
        self.steps = [step for step in self.steps if step]

    def step(self, node):
        attrs = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        if node.op_type == "Constant":
            array = numpy_helper.to_array(attrs["value"]).copy()
            self.constants[node.output[0]] = torch.from_numpy(array)
            return None
        if node.op_type == "Conv":
            weight = self.constants[node.input[1]]
            self.constants[node.input[1]] = layout(weight)
        make = getattr(self, "make_" + node.op_type.lower(), None)
        if not make:
            raise SystemExit(f"node {node.name}: no PyTorch form of {node.op_type} here")
        return make(attrs), list(node.input), node.output[0]

    @staticmethod
    def make_conv(a):
        rank = len(a["kernel_shape"])
        conv = getattr(torch.nn.functional, f"conv{rank}d")
        pads = halves(a.get("pads"), rank)
        return lambda x, w, b=None: conv(x, w, b, a.get("strides", 1), pads,
                                         a.get("dilations", 1), a.get("group", 1))

    @staticmethod
    def make_batchnormalization(a):
        return lambda x, scale, bias, mean, var: torch.nn.functional.batch_norm(
            x, mean, var, scale, bias, False, 0.0, a.get("epsilon", 1e-5))

    @staticmethod
    def make_relu(_):
        return torch.nn.functional.relu_

    @staticmethod
    def make_add(_):
        return torch.add

    @staticmethod
    def make_mul(_):
        return torch.mul

    @staticmethod
    def make_sigmoid(_):
        return torch.sigmoid

    @staticmethod
    def make_maxpool(a):
        rank = len(a["kernel_shape"])
        pool = getattr(torch.nn.functional, f"max_pool{rank}d")
        pads = halves(a.get("pads"), rank)
        return lambda x: pool(x, a["kernel_shape"], a.get("strides"), pads,
                              ceil_mode=bool(a.get("ceil_mode", 0)))

    @staticmethod
    def make_averagepool(a):
        rank = len(a["kernel_shape"])
        pool = getattr(torch.nn.functional, f"avg_pool{rank}d")
        pads = halves(a.get("pads"), rank)
        return lambda x: pool(x, a["kernel_shape"], a.get("strides"), pads,
                              bool(a.get("ceil_mode", 0)), bool(a.get("count_include_pad", 0)))

    @staticmethod
    def make_globalaveragepool(_):
        return lambda x: x.mean(tuple(range(2, x.dim())), keepdim=True)

    @staticmethod
    def make_reducemean(a):
        return lambda x, axes=None: x.mean(
            tuple(axes.tolist() if axes is not None else a["axes"]), bool(a.get("keepdims", 1)))

    @staticmethod
    def make_flatten(a):
        return lambda x: x.flatten(a.get("axis", 1))

    @staticmethod
    def make_reshape(_):
        return lambda x, shape: x.reshape([x.shape[0]] + shape.tolist()[1:])

    @staticmethod
    def make_concat(a):
        return lambda *xs: torch.cat(xs, a["axis"])

    @staticmethod
    def make_identity(_):
        return lambda x: x

    @staticmethod
    def make_gemm(a):
        if a.get("alpha", 1.0) != 1.0 or a.get("beta", 1.0) != 1.0 or a.get("transA", 0):
            raise SystemExit("Gemm with alpha, beta or transA")
        turn = (lambda w: w) if a.get("transB", 0) else (lambda w: w.t())
        return lambda x, w, b=None: torch.nn.functional.linear(x, turn(w), b)

    def forward(self, x):
        values = {self.input: layout(x)}
        for call, inputs, output in self.steps:
            args = [values[i] if i in values else self.constants[i] for i in inputs if i]
            values[output] = call(*args)
        return values[self.output]


def input_shape(model):
    names = {t.name for t in model.graph.initializer}
    value = next(i for i in model.graph.input if i.name not in names)
    return [d.dim_value or 1 for d in value.type.tensor_type.shape.dim][1:]


def check(path, net, shape):
    """Largest difference from ONNX Runtime as a fraction of the largest output, None without it."""
    try:
        import onnxruntime
    except ImportError:
        return None
    x = torch.randn(1, *shape, generator=torch.Generator().manual_seed(1))
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    want = session.run(None, {net.input: x.numpy()})[0]
    got = net(x).numpy()
    return float(numpy.abs(got - want).max() / numpy.abs(want).max())


def torch_run(net, x, rounds):
    """Seconds per clip: wall, processor."""
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(rounds):
        net(x)
    clips = rounds * x.shape[0]
    return (time.perf_counter() - wall) / clips, (time.process_time() - cpu) / clips


def best_batch(net, shape, by_cpu):
    """The batch with the least time per clip, by processor time on one thread, else by wall."""
    times = {}
    for batch in (1, 2, 4, 8, 16):
        x = layout(torch.randn(batch, *shape))
        rounds = max(1, 4 // batch)
        if batch == 1:
            net(x)
        times[batch] = torch_run(net, x, rounds)[by_cpu]
    return min(times, key=times.get), times


class Ours:
    """bench-occluded, one run per line written to it."""

    def __init__(self, bench, path, threads, batch, pairs, rounds):
        command = [bench, "--paced", "--threads", str(threads), "--batch", str(batch),
                   "--runs", str(pairs), "--rounds", str(rounds), path]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("bench-occluded ended early")
        return json.loads(line)

    def run(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        result = self.read()
        return result["wall_s_per_clip"], result["cpu_s_per_clip"]

    def close(self):
        summary = self.read()
        self.process.stdin.close()
        self.process.wait()
        return summary


def compare(options, path):
    model = onnx.load(path)
    shape = input_shape(model)
    net = Rebuilt(model).eval()
    difference = check(path, net, shape)
    batch, times = best_batch(net, shape, options.threads == 1)
    x = layout(torch.randn(batch, *shape))
    # Runs of about the same length on both sides.
    rounds = max(1, round(max(4, batch) / (options.batch * options.threads)))
    ours = Ours(options.bench, path, options.threads, options.batch, options.pairs, rounds)
    pairs = [(ours.run(), torch_run(net, x, max(1, 4 // batch))) for _ in range(options.pairs)]
    summary = ours.close()
    ratios = [statistics.median(p[1][k] / p[0][k] for p in pairs) for k in (0, 1)]
    seconds = [[statistics.median(p[side][k] for p in pairs) for k in (0, 1)] for side in (0, 1)]
    print(json.dumps({
        "bench": "peer", "model": path, "torch": torch.__version__, "threads": options.threads,
        "torch_batch": batch, "torch_s_by_batch": {b: round(t, 4) for b, t in times.items()},
        "torch_difference": difference, "pairs": options.pairs, "ours": summary,
        "torch_wall_s_per_clip": seconds[1][0], "torch_cpu_s_per_clip": seconds[1][1],
        "ratio_wall": ratios[0], "ratio_cpu": ratios[1]}), flush=True)
    return [path.rsplit("/", 1)[-1], options.threads, options.batch, batch, *seconds[0],
            *seconds[1], *ratios]


def delta_run(options, path):
    """bench-delta once, on one thread: its JSON line."""
    command = [options.delta, "--masks", str(options.masks), "--clip", options.clip, path]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True,
                          env={**os.environ, "OMP_NUM_THREADS": "1"})
    return json.loads(done.stdout.splitlines()[-1])


def compare_delta(options, path):
    """The delta engine's processor time per mask beside PyTorch's per occluded clip, in turn."""
    model = onnx.load(path)
    shape = input_shape(model)
    net = Rebuilt(model).eval()
    check(path, net, shape)
    batch, _ = best_batch(net, shape, True)
    x = layout(torch.randn(batch, *shape))
    pairs = []
    for _ in range(options.pairs):
        ours = delta_run(options, path)
        pairs.append((ours["cpu_ms_per_mask"] / 1e3, torch_run(net, x, max(1, 4 // batch))[1]))
    ratio = statistics.median(torch_s / ours_s for ours_s, torch_s in pairs)
    print(json.dumps({
        "bench": "peer-delta", "model": path, "torch": torch.__version__, "torch_batch": batch,
        "masks": ours["masks"], "gmacs_dense": ours["gmacs_dense"], "gmacs_done": ours["gmacs_done"],
        "cpu_s_per_mask": statistics.median(p[0] for p in pairs),
        "torch_cpu_s_per_clip": statistics.median(p[1] for p in pairs), "ratio_cpu": ratio}),
        flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bench", help="the bench-occluded program: compare the dense engine")
    parser.add_argument("--delta", help="the bench-delta program: compare the delta engine")
    parser.add_argument("--clip", help="video for --delta")
    parser.add_argument("--masks", type=int, default=168, help="of --delta")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=1, help="our batch per thread")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("models", nargs="+")
    options = parser.parse_args()
    if bool(options.bench) == bool(options.delta) or bool(options.delta) != bool(options.clip):
        parser.error("give --bench, or --delta with --clip")
    torch.set_num_threads(1 if options.delta else options.threads)
    if options.delta:
        with torch.inference_mode():
            for path in options.models:
                compare_delta(options, path)
        return
    with torch.inference_mode():
        rows = [compare(options, path) for path in options.models]
    head = ("model", "threads", "our batch", "torch batch", "our wall", "our cpu", "torch wall",
            "torch cpu", "ratio wall", "ratio cpu")
    print(("{:26}" + "{:>12}" * 9).format(*head), file=sys.stderr)
    for row in rows:
        print(("{:26}" + "{:12d}" * 3 + "{:12.3f}" * 4 + "{:12.2f}" * 2).format(*row),
              file=sys.stderr)


if __name__ == "__main__":
    main()
