#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Random small 3-D networks and what ONNX Runtime computes for them.

    random_graphs.py OUT [--count 2000] [--seed 1]

OUT is a file of ONNX models, each behind its size (4 bytes, little-endian). A model has no weights:
a tensor's values are uniform random numbers that follow from its name and the number of the case,
and so are the values of its input, for two clips. Its metadata holds what ONNX Runtime answers:
"shape" of the output and "sums", for either clip SUMS sums of the output weighted by random
numbers of the same kind. tests/golden/random_graphs_golden.c repeats all this. Needs numpy, onnx
and onnxruntime from PyPI.
"""
import argparse
import random
import struct
import zlib

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

SUMS = 4
MASK = (1 << 64) - 1


def uniform(key, n, lo, hi):
    """n numbers of splitmix64 seeded by the CRC-32 of key, as core/rng.h makes them."""
    with np.errstate(over="ignore"):
        state = np.uint64(zlib.crc32(key.encode())) + np.uint64(0x9E3779B97F4A7C15) * np.arange(
            1, n + 1, dtype=np.uint64)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        state ^= state >> np.uint64(31)
    return lo + (hi - lo) * ((state >> np.uint64(11)).astype(np.float64) * 2.0**-53)


class Net:
    """A network of random layers; `at` is the value the next layer reads, with its shape."""

    def __init__(self, number, rng):
        self.number, self.rng = number, rng
        self.nodes, self.tensors, self.data = [], [], {}
        self.opset = rng.choice([11, 13, 17, 18, 19, 21])
        self.rank = rng.choice([5, 5, 5, 5, 4])
        spatial = [rng.randint(1, 7) for _ in range(self.rank - 2)]
        self.shape = [1, rng.choice([1, 2, 3, 4, 6, 8])] + spatial
        self.at, self.rows = "x", False
        self.input_shape = list(self.shape)

    def pick(self, lo, hi):
        return self.rng.randint(lo, hi)

    def name(self, kind):
        return f"{kind}{len(self.nodes)}_{len(self.tensors)}"

    def weight(self, shape, positive=False):
        """A tensor without data; names that begin with p hold numbers in [0.5, 1.5)."""
        name = self.name("p" if positive else "w")
        self.data[name] = weights(self.number, name, shape)
        self.tensors.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
        return name

    def ints(self, values):
        name = self.name("i")
        self.tensors.append(helper.make_tensor(name, TensorProto.INT64, [len(values)], values))
        return name

    def node(self, kind, inputs, **attributes):
        out = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [out], **attributes))
        return out

    def measure(self):
        """Shape of the value a layer just made, by ONNX Runtime itself."""
        self.shape = list(run(self.model(), clip(self, 0)).shape)

    def model(self, metadata=None):
        output = helper.make_empty_tensor_value_info(self.at)
        output.type.tensor_type.elem_type = TensorProto.FLOAT
        graph = helper.make_graph(
            self.nodes, "g", [helper.make_tensor_value_info(
                "x", TensorProto.FLOAT, ["N"] + self.input_shape[1:])], [output],
            [t if isinstance(t, TensorProto) else helper.make_tensor(
                t.name, TensorProto.FLOAT, self.data[t.name].shape, self.data[t.name].tobytes(), raw=True)
             for t in self.tensors])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)])
        model.ir_version, model.producer_name = 8, ""
        for key, value in (metadata or {}).items():
            helper.set_model_props(model, {**{p.key: p.value for p in model.metadata_props}, key: value})
        return model


def weights(number, name, shape):
    lo, hi = (0.5, 1.5) if name[0] == "p" else (-1, 1)
    n = int(np.prod(shape))
    return uniform(f"{number}:{name}", n, lo, hi).astype(np.float32).reshape(shape)


def clip(net, k):
    n = int(np.prod(net.input_shape))
    return uniform(f"{net.number}:x{k}", n, -1, 1).astype(np.float32).reshape(net.input_shape)


def run(model, x):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options,
                                           providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def window(net, kernels, dilated=True):
    """Attributes of a sliding window that fits the extents, with pads smaller than the kernel."""
    rng, spatial = net.rng, net.shape[2:]
    kernel = [rng.choice(kernels) for _ in spatial]
    dilation = [rng.choice([1, 1, 1, 2, 3]) if dilated else 1 for _ in spatial]
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation)]
    stride = [rng.choice([1, 1, 1, 2, 2, 3]) for _ in spatial]
    attributes = {"kernel_shape": kernel, "strides": stride}
    if max(dilation) > 1:
        attributes["dilations"] = dilation
    auto = rng.choice(["", "", "", "", "SAME_UPPER", "SAME_LOWER", "VALID"])
    if auto and (max(dilation) == 1 or auto == "VALID"):
        attributes["auto_pad"] = auto
        pads = [0] * (2 * len(kernel))
        if auto != "VALID":
            # Where that would crop, ONNX Runtime sometimes refuses and sometimes does.
            return attributes, all((-s % t) < k for s, t, k in zip(spatial, stride, kernel))
    else:
        pads = [rng.randint(0, max(0, min(k - 1, 3))) for k in kernel + kernel]
        attributes["pads"] = pads
    n = len(kernel)
    fits = all(s + pads[i] + pads[n + i] >= r for i, (s, r) in enumerate(zip(spatial, reach)))
    return attributes, fits


def conv(net, kernels=(1, 1, 2, 3, 3, 5), same=False):
    c = net.shape[1]
    group = net.rng.choice([g for g in (1, 1, 1, 2, 3, 4, c) if c % g == 0])
    out = c if same else group * net.pick(1, max(1, 8 // group))
    if same:
        kernel = [3] * (net.rank - 2)
        attributes, fits = {"kernel_shape": kernel, "pads": [1] * (2 * len(kernel))}, True
    else:
        attributes, fits = window(net, kernels)
    if not fits:
        return
    if group > 1:
        attributes["group"] = group
    inputs = [net.at, net.weight([out, c // group] + attributes["kernel_shape"])]
    if net.rng.random() < 0.6:
        inputs.append(net.weight([out]))
    net.at = net.node("Conv", inputs, **attributes)


def pool(net):
    kind = net.rng.choice(["MaxPool", "AveragePool"])
    attributes, fits = window(net, (1, 2, 2, 3, 3), kind == "MaxPool" or net.opset >= 19)
    if not fits:
        return
    if net.rng.random() < 0.5 and "auto_pad" not in attributes:
        attributes["ceil_mode"] = 1
    if kind == "AveragePool" and net.rng.random() < 0.5:
        attributes["count_include_pad"] = 1
    net.at = net.node(kind, [net.at], **attributes)


def activation(net):
    kind = net.rng.choice(["Relu", "Sigmoid", "Tanh", "LeakyRelu", "Elu", "HardSigmoid", "Clip",
                           "HardSwish", "Swish", "Softplus", "Abs", "Erf"])
    if kind == "Swish":
        net.at = net.node("Mul", [net.at, net.node("Sigmoid", [net.at])])
    elif kind == "Clip":
        lo, hi = net.weight([]), net.weight([], True)
        net.at = net.node("Clip", [net.at, lo, hi])
    elif kind != "HardSwish" or net.opset >= 14:
        net.at = net.node(kind, [net.at])


def norm(net):
    c = net.shape[1]
    kind = net.rng.choice(["BatchNormalization", "BatchNormalization", "InstanceNormalization",
                           "GroupNormalization", "LayerNormalization"])
    if kind == "BatchNormalization":
        net.at = net.node(kind, [net.at, net.weight([c]), net.weight([c]), net.weight([c]),
                                 net.weight([c], True)])
    elif kind == "InstanceNormalization":
        net.at = net.node(kind, [net.at, net.weight([c]), net.weight([c])], epsilon=1e-3)
    elif kind == "GroupNormalization" and net.opset >= 21:
        groups = net.rng.choice([g for g in (1, 2, 3, c) if c % g == 0])
        net.at = net.node(kind, [net.at, net.weight([c]), net.weight([c])], num_groups=groups,
                          epsilon=1e-3)
    elif kind == "LayerNormalization" and net.opset >= 17:
        axis = net.pick(1, net.rank - 1)
        net.at = net.node(kind, [net.at, net.weight(net.shape[axis:]), net.weight(net.shape[axis:])],
                          axis=axis, epsilon=1e-3)


def pad(net):
    mode = net.rng.choice(["constant", "constant", "reflect", "edge"] + ["wrap"] * (net.opset >= 19))
    amounts = []
    for extent in net.shape[2:] * 2:
        most = {"constant": 2, "edge": 2, "reflect": min(2, extent - 1), "wrap": min(2, extent)}[mode]
        least = -1 if mode == "constant" and extent > 2 else 0
        amounts.append(net.pick(least, most))
    lead, n = [0, 0], net.rank - 2
    inputs = [net.at, net.ints(lead + amounts[:n] + lead + amounts[n:])]
    if mode == "constant" and net.rng.random() < 0.5:
        inputs.append(net.weight([]))
    net.at = net.node("Pad", inputs, mode=mode)


def reduce(net):
    kind = net.rng.choice(["ReduceMean", "ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin",
                           "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceProd"])
    axes = net.rng.sample(range(1, net.rank), net.pick(1, 2))
    axes = [a if net.rng.random() < 0.5 else a - net.rank for a in sorted(axes)]
    if net.opset >= 18 or (kind == "ReduceSum" and net.opset >= 13):
        net.at = net.node(kind, [net.at, net.ints(axes)], keepdims=1)
    else:
        net.at = net.node(kind, [net.at], axes=axes, keepdims=1)


def excite(net):
    """The channel gate of SE blocks: a factor per channel from the mean over positions."""
    mean = net.node("GlobalAveragePool", [net.at])
    c, ones = net.shape[1], [1] * (net.rank - 2)
    factor = net.node("Conv", [mean, net.weight([c, c] + ones)], kernel_shape=ones)
    net.at = net.node("Mul", [net.at, net.node("Sigmoid", [factor])])


def residual(net):
    before = net.at
    conv(net, same=True)
    net.at = net.node(net.rng.choice(["Add", "Add", "Sub", "Mul", "Max"]), [before, net.at])


def concat(net):
    before = net.at
    conv(net, same=True)
    net.at = net.node("Concat", [before, net.node("Relu", [net.at])], axis=1)


def cut(net):
    axis = net.pick(1, net.rank - 1)
    extent = net.shape[axis]
    if extent < 2:
        return
    first, step = net.pick(0, extent // 2), net.rng.choice([1, 1, 2, -1])
    starts, ends = ([first], [extent]) if step > 0 else ([extent - 1], [first - extent - 1])
    net.at = net.node("Slice", [net.at, net.ints(starts), net.ints(ends), net.ints([axis]),
                                net.ints([step])])


def turn(net):
    order = list(range(2, net.rank))
    net.rng.shuffle(order)
    net.at = net.node("Transpose", [net.at], perm=[0, 1] + order)


def scale(net):
    c = net.shape[1]
    net.at = net.node(net.rng.choice(["Mul", "Add", "Sub", "Div"]),
                      [net.at, net.weight([c] + [1] * (net.rank - 2), True)])


def head(net):
    mean = net.node(net.rng.choice(["GlobalAveragePool", "GlobalMaxPool"]), [net.at])
    flat = net.node("Flatten", [mean], axis=1)
    logits = net.node("Gemm", [flat, net.weight([5, net.shape[1]]), net.weight([5])], transB=1)
    net.at = net.node("Softmax", [logits], axis=1) if net.rng.random() < 0.5 else logits


LAYERS = [conv] * 6 + [pool] * 4 + [activation] * 2 + [norm] * 3 + [pad] * 2 + [
    reduce, excite, residual, residual, concat, cut, turn, scale]


def make(number, seed):
    net = Net(number, random.Random(f"{seed}:{number}"))
    while not net.nodes:
        for _ in range(net.pick(1, 4)):
            before, count = net.at, len(net.nodes)
            net.rng.choice(LAYERS)(net)
            if len(net.nodes) > count and net.at != before:
                net.measure()
    if net.rng.random() < 0.3:
        head(net)
    return net


def is_sound(net, model, y):
    """Finite, and no network that magnifies a rounding of its input more than 30-fold."""
    if not np.isfinite(y).all() or np.abs(y).max() > 1e6:
        return False
    moved = run(model, clip(net, 0) * np.float32(1 + 1e-4)).ravel()
    return np.abs(moved - y).max() <= 30 * 1e-4 * np.abs(y).max()


def case_of(net):
    model, sums = net.model(), []
    if not is_sound(net, model, run(model, clip(net, 0)).ravel()):
        return None
    for k in range(2):
        y = run(model, clip(net, k)).astype(np.float64).ravel()
        if not np.isfinite(y).all():
            return None
        for s in range(SUMS):
            sums.append(float(y @ uniform(f"{net.number}:y{s}", y.size, -1, 1)))
        shape = run(model, clip(net, k)).shape
    final = net.model({"case": str(net.number), "shape": ",".join(map(str, shape)),
                       "sums": " ".join(f"{v:.9g}" for v in sums)})
    for tensor in final.graph.initializer:
        if tensor.name in net.data:
            tensor.ClearField("raw_data")
    return final.SerializeToString()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    made = refused = number = 0
    with open(args.out, "wb") as file:
        while made < args.count:
            number += 1
            try:
                case = case_of(make(number, args.seed))
            except (onnxruntime.capi.onnxruntime_pybind11_state.Fail,
                    onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument,
                    onnxruntime.capi.onnxruntime_pybind11_state.InvalidGraph,
                    onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented,
                    onnxruntime.capi.onnxruntime_pybind11_state.RuntimeException) as error:
                refused += 1
                print(f"case {number}: {str(error).splitlines()[0][:150]}")
                continue
            if case:
                file.write(struct.pack("<I", len(case)) + case)
                made += 1
    print(f"{made} cases, {refused} refused by ONNX Runtime {onnxruntime.__version__}")


if __name__ == "__main__":
    main()
