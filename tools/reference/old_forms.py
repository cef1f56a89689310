#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints what ONNX Runtime makes of forms that newer opsets do not have, for tests/unit/opset_test.c.

Needs numpy, onnx and onnxruntime from PyPI.
"""
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper


def run(op, opset, inputs, **attributes):
    names = [f"in{k}" for k in range(len(inputs))]
    graph = helper.make_graph(
        [helper.make_node(op, names, ["y"], **attributes)],
        "graph",
        [helper.make_tensor_value_info(names[0], TensorProto.FLOAT, inputs[0].shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(v, n) for n, v in zip(names[1:], inputs[1:])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=7)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {names[0]: inputs[0]})[0]


def main():
    x = np.arange(1, 9, dtype=np.float32).reshape(1, 1, 2, 4)
    for mode in "nearest", "linear":
        scales = np.array([1, 1, 1.5, 0.6], np.float32)
        y = run("Resize", 10, [x, scales], mode=mode)
        print("Resize 10", mode, y.shape, y.ravel().tolist())
    x = np.array([1, 2, 4, 8, 3, 3, 5, 9], np.float32).reshape(1, 4, 2)
    scale, bias = np.array([2, -1], np.float32), np.array([0.5, 1], np.float32)
    y = run("GroupNormalization", 18, [x, scale, bias], num_groups=2, epsilon=0.25)
    print("GroupNormalization 18", y.shape, y.ravel().tolist())


if __name__ == "__main__":
    main()
