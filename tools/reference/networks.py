# SPDX-License-Identifier: Apache-2.0
"""Networks and inputs of the attribution references, as PyTorch modules.

The modules are made from the very ONNX files that the C tests open, by onnx2torch, and checked
against ONNX Runtime. Inputs are the pseudo-random numbers of tests/support/zoo.h.

    net = networks.load("r3d_18.ts18")          # float64, eval mode, no weight wants a gradient
    x = networks.clip("r3d_18.ts18", 0)         # value set 0, [1][3][T][H][W]

"demo" is demo/model.onnx and needs nothing else; any other name is a skeleton of the model zoo in
$AOSA_SHARED/zoo (default: ../shared beside the repository). Every ReLU and pooling of a module is a
torch.nn module of its own, used once, as Captum's hooks want it; `modules_of` finds them by the
name of their node in the ONNX file.

Requires Python 3.11, torch, numpy, onnx, onnxruntime and onnx2torch (PyPI).
"""
import functools
import os
import pathlib
import sys
import zlib

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # spinning threads starve a shared machine

import numpy as np
import onnx
import onnx2torch
import torch

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARED = pathlib.Path(os.environ.get("AOSA_SHARED") or ROOT.parent / "shared")

# Networks that references are made for.
NAMES = ["demo", "r3d_18.ts18", "k3d_resnet50_B.ts18", "c3d.tsdyn17"]

GOLDEN = 0x9E3779B97F4A7C15


def words(seed, n):
    """uint64 [n] of splitmix64, as src/core/rng.h."""
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(GOLDEN)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def uniforms(seed, n):
    """float64 [n] in [0, 1): their top 53 bits."""
    return (words(seed, n) >> np.uint64(11)).astype(np.float64) / float(1 << 53)


def bell(name, n):
    """float64 [n], mean 0, variance 1: four uniforms summed; the seed is the CRC-32 of the name."""
    terms = uniforms(zlib.crc32(name.encode()), 4 * n).reshape(4, n)
    return (terms[0] + terms[1] + terms[2] + terms[3] - 2.0) * np.sqrt(3.0)


@functools.cache
def onnx_model(name):
    if name == "demo":
        return onnx.load(ROOT / "demo" / "model.onnx")
    sys.path.insert(0, str(SHARED / "zoo"))
    import zoo
    return zoo.load_filled(SHARED / "zoo" / f"{name}.skeleton.onnx")


def input_of(name):
    """Name and shape (batch 1) of the clip input."""
    graph = onnx_model(name).graph
    constants = {t.name for t in graph.initializer}
    value = next(v for v in graph.input if v.name not in constants)
    return value.name, [d.dim_value or 1 for d in value.type.tensor_type.shape.dim]


def clip(name, k):
    """Value set k of a network, rounded to float32 as the C tests feed it, then float64."""
    value, shape = input_of(name)
    numbers = bell(f"input{k}:{value}", int(np.prod(shape))).astype(np.float32)
    return torch.from_numpy(numbers.reshape(shape)).double()


def load(name):
    """The network as a float64 module; raises unless it computes what ONNX Runtime computes."""
    net = onnx2torch.convert(onnx_model(name)).double().eval().requires_grad_(False)
    for module in net.modules():
        if hasattr(module, "inplace"):
            module.inplace = False
    _check(name, net)
    return net


def _check(name, net):
    import onnxruntime
    session = onnxruntime.InferenceSession(onnx_model(name).SerializeToString(),
                                           providers=["CPUExecutionProvider"])
    x = clip(name, 0)
    want = session.run(None, {input_of(name)[0]: x.float().numpy()})[0]
    error = np.abs(net(x).numpy() - want).max() / np.abs(want).max()
    if not error < 1e-5:  # float32 rounding of up to 14,000 terms through up to 50 layers
        raise SystemExit(f"{name}: the module is off by {error:.2g} of the largest output")
    print(f"{name}: agrees with ONNX Runtime to {error:.1e}")


def modules_of(net, *types):
    """Names of the modules of those types, such as torch.nn.ReLU, in the order of the file."""
    return [n for n, m in net.named_modules() if isinstance(m, types)]


if __name__ == "__main__":
    for network in sys.argv[1:] or NAMES:
        module = load(network)
        logits = module(clip(network, 0))
        print(f"  {len(modules_of(module, torch.nn.ReLU))} ReLU, top class {int(logits.argmax())}, "
              f"softmax {float(logits.softmax(1).max()):.4f}")
