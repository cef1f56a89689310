#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Turns pyannot.pkl, the boxes of UCF101-24 as Python has them, into a table for --boxes.

    python3 tools/pyannot_to_csv.py pyannot.pkl boxes.csv

The pickle is {"Class/video": {"numf", "label", "annotations": [{"label", "sf", "ef", "boxes"}]}}:
frames sf <= f < ef counted from 0, labels counted from 0 in the order of the alphabet, boxes
[ef - sf][x y w h] of 8 or 16 bits, which x + w would overflow. The table has the columns video,
tube, label, frame, x, y, w, h, where frames count from 1 as those of image_00001.jpg do.

A pickle can run any program. Nothing of it is run here, and numpy is not needed: the few names that
a pickled array consists of stand for the classes below, and any other one is refused.
"""
import argparse
import array
import csv
import math
import pickle
import sys

CODES = {"u1": "B", "u2": "H", "i1": "b", "i2": "h", "i4": "i", "i8": "q", "f4": "f", "f8": "d"}


class Type:
    """numpy.dtype, as far as a pickle tells."""

    def __init__(self, code, *_):
        self.code, self.swapped = str(code), False

    def __setstate__(self, state):
        self.swapped = state[1] == (">" if sys.byteorder == "little" else "<")

    def values(self, data):
        if self.code not in CODES:
            raise pickle.UnpicklingError(f"an array of type {self.code}")
        values = array.array(CODES[self.code])
        values.frombytes(data.encode("latin1") if isinstance(data, str) else bytes(data))
        if self.swapped:
            values.byteswap()
        return values


class Array:
    """numpy.ndarray."""

    def __init__(self, *_):
        self.shape, self.by_columns, self.values = (0,), False, array.array("B")

    def __setstate__(self, state):
        _, self.shape, dtype, self.by_columns, data = state
        self.values = dtype.values(data)
        if math.prod(self.shape) != len(self.values):
            raise pickle.UnpicklingError(f"an array of shape {self.shape} with {len(self.values)} values")

    def row(self, i):
        """Row of an array of rank 2."""
        n, width = self.shape
        return self.values[i::n] if self.by_columns else self.values[width * i:width * (i + 1)]


def scalar(dtype, data):
    """A number of numpy's."""
    return dtype.values(data)[0]


def encode(text, codec):
    """What Python 3 writes for bytes in old protocols."""
    if codec != "latin1":
        raise pickle.UnpicklingError(f"text in {codec}")
    return text.encode("latin1")


NAMES = {("numpy", "dtype"): Type, ("numpy", "ndarray"): Array, ("_codecs", "encode"): encode}
for module in ("numpy.core.multiarray", "numpy._core.multiarray"):
    NAMES[module, "_reconstruct"], NAMES[module, "scalar"] = Array, scalar


class Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        if (module, name) not in NAMES:
            raise pickle.UnpicklingError(f"refused: it names {module}.{name}, which is no array")
        return NAMES[module, name]


def rows(annotations):
    """Rows of the table, by video, tube and frame."""
    labels = sorted({video.split("/")[0] for video in annotations})
    for video in sorted(annotations):
        if labels[int(annotations[video]["label"])] != video.split("/")[0]:
            raise ValueError(f"{video}: its label is not that of its folder among {len(labels)}")
        for tube, a in enumerate(annotations[video]["annotations"]):
            first, end, boxes = int(a["sf"]), int(a["ef"]), a["boxes"]
            label = int(a["label"])
            if tuple(boxes.shape) != (end - first, 4) or first < 0:
                raise ValueError(f"{video}, tube {tube}: boxes {boxes.shape} for frames {first} to {end}")
            if not 0 <= label < len(labels):
                raise ValueError(f"{video}, tube {tube}: label {label} of {len(labels)}")
            for i in range(end - first):
                yield [video, tube, labels[label], first + i + 1, *boxes.row(i)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("pickle")
    parser.add_argument("csv")
    args = parser.parse_args()
    try:
        with open(args.pickle, "rb") as file:
            table = list(rows(Unpickler(file, encoding="latin1").load()))
    except Exception as error:  # a hostile pickle can raise anything
        sys.exit(f"{args.pickle}: {type(error).__name__}: {error}")
    with open(args.csv, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["video", "tube", "label", "frame", "x", "y", "w", "h"])
        writer.writerows(table)


if __name__ == "__main__":
    main()
