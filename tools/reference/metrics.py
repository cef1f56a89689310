#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reference values of the metrics, for tests/golden/metrics_golden.c.

    python3 tools/reference/metrics.py

Writes to tests/golden/reference: metrics_clip.npy, the demo clip in 28 x 28 pixels, uint8
[16][28][28][3]; metrics_map.npy, what the demo network's probability falls by when one of 4 x 14 x
14 cells of the clip is blackened, in 24 levels, float32; and metrics.txt, the values on two maps of
every metric that does not explain again.

Clip and map grow to 16 x 112 x 112 by repetition, so the map is full of ties, as occlusion maps are;
the other map is noise in [-1/2, 1/2) without ties. Forward passes are float64 (networks.py).

The definitions are those of the papers and their code, written here with numpy and scipy alone: the
causal metric of RISE, Quantus' AOPC (region perturbation), faithfulness correlation, infidelity and
Gini index, TorchRay's pointing game, REVEX' average drop, IoU, minimal mask and unique-value steps.

Requires what networks.py does, scipy and opencv-python (PyPI).
"""
import networks  # first: sets how threads wait

import cv2
import numpy as np
import scipy.ndimage
import scipy.stats
import torch

OUT = networks.ROOT / "tests" / "golden" / "reference"
T, H, W = 16, 112, 112
SEED = 5
BOX_PX = 224  # frames of the demo's video, which its boxes are in


class Case:
    """A map on the demo clip."""

    def __init__(self, net, frames, heat, boxes):
        self.net, self.heat, self.boxes = net, heat, boxes
        pixels = frames.repeat(4, 1).repeat(4, 2).astype(np.float64)
        self.x = ((pixels / 255 - 0.5) / 0.25).astype(np.float32).transpose(3, 0, 1, 2)
        self.target = int(self.logits(self.x[None])[0].argmax())

    def logits(self, clips):
        with torch.no_grad():
            return self.net(torch.from_numpy(clips.astype(np.float64)))

    def score(self, clip):
        return float(self.logits(clip[None]).softmax(1)[0, self.target])

    def base(self, name):
        if name == "zero":
            return np.zeros_like(self.x)
        if name == "mean":
            mean = self.x.astype(np.float64).mean(axis=(1, 2, 3), keepdims=True)
            return np.broadcast_to(mean.astype(np.float32), self.x.shape)
        if name == "blur":  # 8 pixels at 112, in y and x
            return scipy.ndimage.gaussian_filter(self.x.astype(np.float64), (0, 0, 8, 8),
                                                 mode="nearest", truncate=4).astype(np.float32)
        return np.full_like(self.x, float(name))


def blocks(heat, side):
    """Means of side x side blocks, [T][rows][columns]."""
    return heat.astype(np.float64).reshape(T, H // side, side, W // side, side).mean(axis=(2, 4))


def grow(mask, side):
    return mask.repeat(side, 1).repeat(side, 2)


def removal(case, start, finish, masks):
    """Scores while more and more of `start` becomes `finish`."""
    return np.array([case.score(np.where(m, finish, start)) for m in masks])


def equal_steps(value, n, least_first=False):
    """Masks of the first floor(k V / n) units, ties in reading order."""
    flat = value.ravel()
    order = np.argsort(flat if least_first else -flat, kind="stable")
    for k in range(n + 1):
        mask = np.zeros(flat.size, bool)
        mask[order[: k * flat.size // n]] = True
        yield mask.reshape(value.shape)


def auc_of_rise(scores):
    return (scores.sum() - scores[0] / 2 - scores[-1] / 2) / (len(scores) - 1)


def curves(case, unit, n, deletion_base, insertion_base):
    """Deletion and insertion, both orders."""
    value = case.heat if unit == 1 else blocks(case.heat, unit)
    answer = {}
    for metric, base in (("deletion", deletion_base), ("insertion", insertion_base)):
        ends = [case.x, case.base(base)]
        if metric == "insertion":
            ends.reverse()
        area = []
        for least in (False, True):
            masks = [grow(m, unit) for m in equal_steps(value, n, least)]
            scores = removal(case, *ends, masks)
            tail = "_lerf" if least else ""
            area.append(auc_of_rise(scores))
            whole = scores[0] if metric == "deletion" else scores[-1]
            answer[f"{metric}.auc{tail}"] = area[-1]
            answer[f"{metric}.auc{tail}_normalised"] = area[-1] / whole
            for k in range(0, n + 1, max(1, n // 10)):
                answer[f"{metric}{tail}[{k}]"] = scores[k]
            if metric == "deletion" and not least:
                answer["aopc"] = float(np.mean(scores[0] - scores))
            if not least:
                answer.update(minimal_mask(metric, np.arange(n + 1) / n, scores))
        answer[f"{metric}.abpc"] = area[1] - area[0] if metric == "deletion" else area[0] - area[1]
    return answer


def minimal_mask(metric, fractions, scores):
    answer = {}
    for level in (0.8, 0.9, 0.95, 0.99):
        met = fractions[scores <= level if metric == "deletion" else scores >= level]
        answer[f"minimal_mask.{metric}_{100 * level:.0f}"] = met.min() if met.size else np.nan
    return answer


def unique_steps(case, base):
    """REVEX: a step for every distinct value of the map, area over the fraction changed."""
    masks = [np.zeros_like(case.heat, bool)]
    masks += [case.heat >= v for v in np.unique(case.heat)[::-1]]
    fractions = np.array([m.mean() for m in masks])
    scores = removal(case, case.x, case.base(base), masks)
    return {"deletion.auc": np.trapezoid(scores, fractions), "deletion[7]": scores[7]}


def seen_through(case, base):
    seen = np.maximum(case.heat, 0) / case.heat.max()
    y, o = case.score(case.x), case.score(seen * case.x + (1 - seen) * case.base(base))
    return {"average_drop.drop": 100 * max(0, y - o) / y,
            "average_drop.increase": 100 * (o > y),
            "average_drop.gain": 100 * max(0, o - y) / (1 - y)}


def faithfulness(case, side, base):
    """Pearson's correlation over all single blocks."""
    value = blocks(case.heat, side)
    clean, removed = case.score(case.x), case.base(base)
    drops = []
    for unit in range(value.size):
        mask = np.zeros(value.size, bool)
        mask[unit] = True
        mask = grow(mask.reshape(value.shape), side)
        drops.append(clean - case.score(np.where(mask, removed, case.x)))
    return {"faithfulness": scipy.stats.pearsonr(value.ravel(), drops).statistic}


def normals(seed, n):
    """Box and Muller's cosine, two uniform numbers each."""
    u = networks.uniforms(seed, 2 * n).reshape(n, 2)
    return np.sqrt(-2 * np.log(1 - u[:, 0])) * np.cos(2 * np.pi * u[:, 1])


def infidelity(case, changes):
    """`changes` gives what the map says of a change, and the changed clip."""
    clean = case.score(case.x)
    said, drops = np.array([(s, clean - case.score(z)) for s, z in changes]).T
    scale = (said @ drops) / (said @ said)
    return {"infidelity.raw": np.mean((said - drops) ** 2),
            "infidelity.scaled": np.mean((scale * said - drops) ** 2)}


def noise_changes(case, n, share):
    sigma = share * (float(case.x.max()) - float(case.x.min()))
    for i in range(n):
        noise = sigma * normals(SEED + i, T * H * W).reshape(T, H, W)
        yield np.sum(noise * case.heat), (case.x - noise).astype(np.float32)


def cuboid_changes(case, n, share, base):
    extent = [round(share * length) for length in (T, H, W)]
    # Below 2^20 places a draw is thrown away once in 2^44: the remainder is what the C side takes.
    draws = networks.words(SEED, 3 * n).reshape(n, 3)
    removed = case.base(base)
    for row in draws:
        start = [int(w) % (length - e + 1) for w, length, e in zip(row, (T, H, W), extent)]
        mask = np.zeros((T, H, W), bool)
        mask[tuple(slice(s, s + e) for s, e in zip(start, extent))] = True
        yield np.sum(case.heat[mask].astype(np.float64)), np.where(mask, removed, case.x)


def pointing(case, centroid, euclidean, tolerance):
    def hits(volume, first):
        top = np.argwhere(volume == volume.max())
        place = np.floor(top.mean(axis=0) + 0.5).astype(int) if centroid else top[0]
        t, y, x = place + [first, 0, 0]
        y0, x0, y1, x1 = case.boxes[t]
        if not euclidean:
            return (y0 - tolerance <= y <= y1 - 1 + tolerance
                    and x0 - tolerance <= x <= x1 - 1 + tolerance)
        ys, xs = np.mgrid[y0:y1, x0:x1]
        return np.hypot(ys - y, xs - x).min() <= tolerance

    frames = [hits(case.heat[t:t + 1], t) for t in range(T)]
    return {"pointing.spatial": np.mean(frames), "pointing.clip": float(hits(case.heat, 0))}


def box_mask(case):
    inside = np.zeros((T, H, W), bool)
    for t, (y0, x0, y1, x1) in enumerate(case.boxes):
        inside[t, y0:y1, x0:x1] = True
    return inside


def energy(case):
    positive = np.maximum(case.heat.astype(np.float64), 0)
    return {"energy": positive[box_mask(case)].sum() / positive.sum()}


def iou(case, threshold, opening=0, to_box=False, whole_range=False):
    heat = case.heat.astype(np.float64)
    low = heat.min() if whole_range else 0
    mask = (np.maximum(heat - low, 0) / (heat.max() - low)).astype(np.float32)
    mask = mask.astype(np.float64) > threshold
    if opening:  # cv2's border, which takes nothing away
        square = np.ones((1, 2 * opening + 1, 2 * opening + 1), bool)
        mask = scipy.ndimage.binary_erosion(mask, square, border_value=1)
        mask = scipy.ndimage.binary_dilation(mask, square)
    for t in range(T):
        if to_box and mask[t].any():
            ys, xs = np.nonzero(mask[t])
            mask[t, ys.min():ys.max() + 1, xs.min():xs.max() + 1] = True
    inside = box_mask(case)
    value = (mask & inside).sum() / (mask | inside).sum()
    return {"iou": value, "iou.hit": float(value >= 0.5)}


def sparsity(case):
    a = np.sort(np.abs(case.heat.astype(np.float64)).ravel())
    n = a.size
    return {"sparsity.gini": np.sum((2 * np.arange(1, n + 1) - n - 1) * a) / (n * a.sum())}


def smoothness(case):
    heat = case.heat.astype(np.float64)
    spread = heat.max() - heat.min()
    space = np.concatenate([np.abs(np.diff(heat, axis=axis)).ravel() for axis in (1, 2)])
    return {"smoothness.time": np.abs(np.diff(heat, axis=0)).mean() / spread,
            "smoothness.space": space.mean() / spread}


CURVES = "deletion,insertion,aopc,minimal_mask"

# Metrics, their options on the C side, and the same here.
RUNS = [
    (CURVES, "cuts=20 order=both insertion-base=blur", lambda c: curves(c, 1, 20, "zero", "blur")),
    (CURVES, "unit=block cuts=24 order=both deletion-base=mean insertion-base=-0.5",
     lambda c: curves(c, 16, 24, "mean", "-0.5")),
    ("average_drop", "", lambda c: seen_through(c, "zero")),
    ("average_drop", "deletion-base=blur", lambda c: seen_through(c, "blur")),
    ("faithfulness", "unit=block block=56", lambda c: faithfulness(c, 56, "zero")),
    ("infidelity", "perturbations=20", lambda c: infidelity(c, cuboid_changes(c, 20, 0.25, "zero"))),
    ("infidelity", "perturbation=gauss perturbations=8",
     lambda c: infidelity(c, noise_changes(c, 8, 0.15))),
    ("pointing", "", lambda c: pointing(c, False, False, 7)),
    ("pointing", "distance=euclidean tolerance=15", lambda c: pointing(c, False, True, 15)),
    ("pointing", "peak=centroid tolerance=0", lambda c: pointing(c, True, False, 0)),
    ("energy", "", energy),
    ("iou", "", lambda c: iou(c, 0.9)),
    ("iou", "iou-threshold=0.3 iou-opening=2", lambda c: iou(c, 0.3, opening=2)),
    ("iou", "iou-threshold=0.5 iou-box=true stretch=range",
     lambda c: iou(c, 0.5, to_box=True, whole_range=True)),
    ("sparsity", "", sparsity),
    ("smoothness", "", smoothness),
]
TIES = ("deletion", "cuts=100000 ties=together", lambda c: unique_steps(c, "zero"))


def read_clip():
    capture = cv2.VideoCapture(str(networks.ROOT / "demo" / "clip.mp4"))
    frames = [cv2.cvtColor(capture.read()[1], cv2.COLOR_BGR2RGB) for _ in range(T)]
    return np.stack([cv2.resize(f, (28, 28), interpolation=cv2.INTER_AREA) for f in frames])


def read_boxes():
    """y0, x0, y1, x1 of every frame, the pixels whose centre is inside."""
    rows = np.loadtxt(networks.ROOT / "demo" / "clip.truth.csv", delimiter=",", skiprows=1)
    scale = H / BOX_PX
    edges = np.stack([rows[:, 2], rows[:, 1], rows[:, 2] + rows[:, 4], rows[:, 1] + rows[:, 3]], 1)
    return np.ceil(edges * scale - 0.5).astype(int)


def cell_map(net, frames):
    """What the probability falls by without each cell of 4 frames, 8 x 8 pixels."""
    case = Case(net, frames, None, None)
    clean = case.score(case.x)
    heat = np.zeros((4, 14, 14), np.float32)
    for t, y, x in np.ndindex(*heat.shape):
        z = case.x.copy()
        z[:, 4 * t:4 * t + 4, 8 * y:8 * y + 8, 8 * x:8 * x + 8] = -2
        heat[t, y, x] = clean - case.score(z)
    level = (heat.max() - heat.min()) / 24  # more ties, and fewer steps where ties stay together
    return np.round(heat / level) * level


def main():
    net, frames, boxes = networks.load("demo"), read_clip(), read_boxes()
    cells = cell_map(net, frames)
    np.save(OUT / "metrics_clip.npy", frames)
    np.save(OUT / "metrics_map.npy", cells)
    maps = {"cells": cells.repeat(4, 0).repeat(8, 1).repeat(8, 2),
            "noise": (networks.uniforms(7, T * H * W) - 0.5).astype(np.float32).reshape(T, H, W)}
    with (OUT / "metrics.txt").open("w") as file:
        for t, box in enumerate(boxes):
            print("box", t, *box, file=file)
        for name, heat in maps.items():
            case = Case(net, frames, heat, boxes)
            for metrics, options, run in RUNS + ([TIES] if name == "cells" else []):
                values = run(case)
                print("run", name, metrics, options, file=file)
                for value in sorted(values):
                    print(value, f"{values[value]:.12g}", file=file)
                print(name, metrics, options, {k: v for k, v in values.items() if "[" not in k})


if __name__ == "__main__":
    main()
