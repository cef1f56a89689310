#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Small files of boxes in the forms that UCF101-24 comes in, with values of our own.

    python3 tools/reference/annotations.py

Writes fuzz/corpus/boxes_mat/*.mat (annot.mat as finalAnnots.mat is, compressed; plain.mat the same
without compression, for a fuzzer to work on; others with one thing wrong each) and
tests/cli/pyannot.pkl, which hold the same boxes. Requires numpy and scipy.
"""
import io
import pathlib
import pickle

import numpy as np
import scipy.io

ROOT = pathlib.Path(__file__).parents[2]
CLASSES = ["Basketball", "CliffDiving"]  # numbers 1 and 4 of 24
# Video, then tubes: first and last frame from 1, class from 1, type of the boxes.
VIDEOS = [
    ("Basketball/v_Basketball_g01_c01", 20, [(9, 12, 1, "u1"), (2, 3, 1, "u2")]),
    ("CliffDiving/v_CliffDiving_g01_c01", 8, [(3, 6, 4, "f8")]),
    ("CliffDiving/v_CliffDiving_g01_c02", 5, []),
]


def boxes(first, last, dtype):
    """x, y, w, h of frame f: f, 2 f, 250 (x + w is over 255), 100 - f."""
    return np.array([[f, 2 * f, 250, 100 - f] for f in range(first, last + 1)], dtype)


def struct(fields, rows):
    """A 1 x n array of structs."""
    array = np.empty((1, len(rows)), [(name, object) for name in fields])
    for i, row in enumerate(rows):
        array[0, i] = row
    return array


def annot(change=lambda tube: tube):
    videos = []
    for name, frames, tubes in VIDEOS:
        rows = [change((float(a), float(b), float(k), boxes(a, b, t))) for a, b, k, t in tubes]
        videos.append((float(frames), name, struct(["sf", "ef", "class", "boxes"], rows)))
    return struct(["num_imgs", "name", "tubes"], videos)


def save(name, value, compress=False):
    file = io.BytesIO()
    scipy.io.savemat(file, {"annot": value}, do_compression=compress, oned_as="row")
    data = bytearray(file.getvalue())
    data[:116] = b"MATLAB 5.0 MAT-file, made by tools/reference/annotations.py".ljust(116)
    folder = ROOT / "fuzz/corpus/boxes_mat"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def pyannot():
    """The same as pyannot.pkl has it: frames and labels from 0, ends excluded."""
    return {
        name: {
            "numf": frames,
            "label": CLASSES.index(name.split("/")[0]),
            "annotations": [{
                "label": CLASSES.index(name.split("/")[0]),
                "sf": a - 1,
                "ef": b,
                "boxes": np.asarray(boxes(a, b, "u1" if t == "u1" else "u2"),
                                    order="F" if t == "f8" else "C"),
            } for a, b, _, t in tubes],
        }
        for name, frames, tubes in VIDEOS
    }


def main():
    save("annot.mat", annot(), compress=True)
    save("plain.mat", annot())
    save("few_boxes.mat", annot(lambda tube: (*tube[:3], tube[3][1:])))
    save("class.mat", annot(lambda tube: (tube[0], tube[1], 25.0, tube[3])))
    save("fraction.mat", annot(lambda tube: (tube[0] + 0.5, *tube[1:])))
    save("nan.mat", annot(lambda tube: (*tube[:3], tube[3] * np.nan)))
    save("complex.mat", annot(lambda tube: (*tube[:3], tube[3] * 1j)))
    save("cell.mat", np.array([["a", 1]], object))
    save("numbers.mat", np.arange(6.0).reshape(2, 3))
    save("deep.mat", annot(lambda tube: (struct(["a"], [(struct(["b"], [(1.0,)]),)]), *tube[1:])))
    with open(ROOT / "tests/cli/pyannot.pkl", "wb") as file:
        pickle.dump(pyannot(), file, protocol=2)


if __name__ == "__main__":
    main()
