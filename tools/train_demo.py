#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains the bundled demo network and writes it, with its card and report, to demo/.

Needed only to retrain: the result is in the repository. Everything is seeded; the same machine,
thread count and versions give the same weights.

    cc -O2 -ffp-contract=off -Isrc tools/scene_dump.c src/dataset/scene*.c src/core/rng.c -lm \\
        -o scene_dump
    python3 tools/train_demo.py --scene-dump ./scene_dump --work train-demo --out demo

Requires Python 3.11, torch >= 2.4, numpy, onnx and onnxruntime; 8 GB of memory and 8 GB of disk
under --work. A run that was stopped goes on from its last checkpoint when started again.

The clips come from the renderer (src/dataset/scene.h), which also says where the target is in
each frame. That truth is used twice: to check the explanations later on, and here, in auxiliary
losses that shorten the time until the network looks at the target at all. They fade out before
the end, so the delivered network is trained on labels alone in its last steps.
"""
import argparse
import csv
import json
import math
import os
import pathlib
import subprocess
import time

# Threads that wait for each other give their core away: on a shared machine spinning made a step
# ten times slower. OpenMP reads this once, when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

LABELS = ["left", "right", "up", "down", "clockwise", "counterclockwise", "zoom_in", "zoom_out",
          "shake", "still", "none"]
NONE = LABELS.index("none")
LEVELS = ["flat", "textured", "one distractor", "two distractors"]
T, SIZE = 16, 112
MEAN, STD = 0.5, 0.25

# Name, number of clips, first seed. The sets share no seed. `watch` is for the log while training;
# `held` is looked at once, after the last step.
TRAIN_SETS = [("train0", 4400, 1_000_000), ("train1", 4400, 1_004_400)]
WATCH_SET = ("watch", 176, 5_000_000)
HELD_SET = ("held", 1320, 9_000_000)

BATCH = 32
PEAK_RATE = 2e-3
WEIGHT_DECAY = 0.02
GRADIENT_CLIP = 5.0


def relabel(**pairs):
    """Label map that swaps each given pair of labels."""
    table = list(range(len(LABELS)))
    for a, b in pairs.items():
        i, j = LABELS.index(a), LABELS.index(b)
        table[i], table[j] = j, i
    return table


# What a symmetry of the clip does to its label; each is exact, none and still stay what they are.
MAP_FLIP_X = relabel(left="right", clockwise="counterclockwise")
MAP_FLIP_Y = relabel(up="down", clockwise="counterclockwise")
MAP_TRANSPOSE = relabel(left="up", right="down", clockwise="counterclockwise")
MAP_REVERSE = relabel(left="right", up="down", clockwise="counterclockwise", zoom_in="zoom_out")


# ---------------------------------------------------------------------------------- clips


def render(scene_dump, folder, sets):
    """Writes the raw clips that are not there yet, two programs at a time."""
    missing = [s for s in sets if not (folder / f"{s[0]}.done").exists()]
    for i in range(0, len(missing), 2):
        running = [(s, subprocess.Popen([scene_dump, folder / s[0], str(s[1]), str(s[2]),
                                         str(SIZE), str(T)])) for s in missing[i:i + 2]]
        for (name, _, _), process in running:
            if process.wait() != 0:
                raise SystemExit(f"scene_dump failed on {name}")
            (folder / f"{name}.done").touch()


def rows(folder, name):
    """Labels and levels of a set, int64 [N] each."""
    with open(folder / f"{name}.csv", newline="") as file:
        table = [(int(row["motion"]), int(row["level"])) for row in csv.DictReader(file)]
    return np.array(table, np.int64).T


def raw_clips(folder, name):
    """uint8 [N][T][H][W][3], left on disk."""
    return np.memmap(folder / f"{name}.rgb", np.uint8, "r").reshape(-1, T, SIZE, SIZE, 3)


def pool_2x2(rgb):
    """Rounded mean over 2x2 pixels, uint8: [T][H][W][3] to [3][T][H/2][W/2]."""
    wide = rgb.astype(np.uint16)
    total = (wide[:, 0::2, 0::2] + wide[:, 0::2, 1::2] + wide[:, 1::2, 0::2] +
             wide[:, 1::2, 1::2])
    return ((total + 2) >> 2).astype(np.uint8).transpose(3, 0, 1, 2)


def cover_8x8(mask):
    """Covered part of each 8x8 cell, float32: [T][H][W] to [T][H/8][W/8]."""
    cells = mask.reshape(T, SIZE // 8, 8, SIZE // 8, 8)
    return cells.sum(axis=4, dtype=np.uint8).sum(axis=2, dtype=np.uint8) / np.float32(64)


class Clips:
    """Training clips, already through the network's first layer, which has nothing to learn.

    The 2x2 pooling in front cuts memory by four; rounding its result to 8 bits adds noise of
    1/900 of the range. Masks are kept at the resolution of the first block, as the covered
    part of each 8x8 cell.
    """

    def __init__(self, folder, sets):
        parts = [self._load(folder, name) for name, _, _ in sets]
        self.x, self.mask, self.label, self.level = (np.concatenate(p) for p in zip(*parts))
        self.by_level = [np.flatnonzero(self.level == level) for level in range(len(LEVELS))]

    @staticmethod
    def _load(folder, name):
        rgb = raw_clips(folder, name)
        mask = np.memmap(folder / f"{name}.mask", np.uint8, "r").reshape(-1, T, SIZE, SIZE)
        x = np.empty((len(rgb), 3, T, SIZE // 2, SIZE // 2), np.uint8)
        cover = np.empty((len(rgb), T, SIZE // 8, SIZE // 8), np.float32)
        for i in range(len(rgb)):
            x[i] = pool_2x2(rgb[i])
            cover[i] = cover_8x8(mask[i])
        return x, cover, *rows(folder, name)


def augment(x, mask, label, rng):
    """A random symmetry of space, time and colour, with the label that goes with it.

    x is [3][T][H][W], mask is [T][h][w]; the results are views.
    """
    flip_x, flip_y, transpose, reverse = rng.random(4) < 0.5
    if flip_x:
        x, mask, label = x[..., ::-1], mask[..., ::-1], MAP_FLIP_X[label]
    if flip_y:
        x, mask, label = x[..., ::-1, :], mask[..., ::-1, :], MAP_FLIP_Y[label]
    if transpose:
        x, mask, label = x.swapaxes(-1, -2), mask.swapaxes(-1, -2), MAP_TRANSPOSE[label]
    if reverse:
        x, mask, label = x[:, ::-1], mask[::-1], MAP_REVERSE[label]
    return x[rng.permutation(3)], mask, label


def batch(clips, level_shares, rng):
    """An augmented batch: x [N][3][T][H][W] normalised, mask [N][T][h][w], label [N]."""
    levels = rng.choice(len(LEVELS), size=BATCH, p=level_shares)
    x = np.empty((BATCH, *clips.x.shape[1:]), np.uint8)
    mask = np.empty((BATCH, *clips.mask.shape[1:]), np.float32)
    label = np.empty(BATCH, np.int64)
    for n, level in enumerate(levels):
        i = rng.choice(clips.by_level[level])
        x[n], mask[n], label[n] = augment(clips.x[i], clips.mask[i], clips.label[i], rng)
    gain = rng.uniform(0.8, 1.2, (BATCH, 1, 1, 1, 1)).astype(np.float32)
    offset = rng.uniform(-0.2, 0.2, (BATCH, 1, 1, 1, 1)).astype(np.float32)
    x = normalise(torch.from_numpy(x)) * torch.from_numpy(gain) + torch.from_numpy(offset)
    return x, torch.from_numpy(mask), torch.from_numpy(label)


def normalise(x):
    """uint8 to the network's range; mid-grey becomes 0."""
    return (x.float() / 255.0 - MEAN) / STD


# -------------------------------------------------------------------------------- network


class Block(nn.Module):
    """Two 3x3x3 convolutions beside a 1x1x1 one, all with batch normalisation."""

    def __init__(self, c_in, c_out, stride):
        super().__init__()
        self.conv1 = nn.Conv3d(c_in, c_out, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm3d(c_out)
        self.conv2 = nn.Conv3d(c_out, c_out, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm3d(c_out)
        self.skip = nn.Conv3d(c_in, c_out, 1, stride, bias=False)
        self.norm_skip = nn.BatchNorm3d(c_out)

    def forward(self, x):
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(y + self.norm_skip(self.skip(x)))


class Net(nn.Module):
    """[N][3][16][112][112] to [N][11] logits; sizes after each stage as [C][T][H][W]."""

    def __init__(self):
        super().__init__()
        self.pool = nn.AvgPool3d((1, 2, 2))                                # 3 16 56 56
        self.stem = nn.Sequential(                                         # 16 16 28 28
            nn.Conv3d(3, 16, (3, 5, 5), (1, 2, 2), (1, 2, 2), bias=False),
            nn.BatchNorm3d(16), nn.ReLU())
        self.block1 = Block(16, 24, (1, 2, 2))                             # 24 16 14 14
        self.block2 = Block(24, 48, (2, 2, 2))                             # 48 8 7 7
        self.block3 = Block(48, 80, (2, 1, 1))                             # 80 4 7 7
        self.head = nn.Linear(80, len(LABELS))

    def features(self, pooled):
        """Outputs of the first and the last block."""
        first = self.block1(self.stem(pooled))
        return first, self.block3(self.block2(first))

    def classify(self, last):
        return self.head(torch.flatten(F.adaptive_avg_pool3d(last, 1), 1))

    def forward(self, x):
        return self.classify(self.features(self.pool(x))[1])


class Truth(nn.Module):
    """Auxiliary losses: where the target is and how it moves, from features along the way."""

    def __init__(self):
        super().__init__()
        self.mask1 = nn.Conv3d(24, 1, 1)
        self.motion1 = nn.Conv3d(24, 3, 1)
        self.mask3 = nn.Conv3d(80, 1, 1)

    def forward(self, net, first, last, mask, label):
        """mask is [N][16][14][14], the covered part of each cell of the first block."""
        mask3 = F.avg_pool3d(mask[:, None], (4, 2, 2))
        share = mask[:, None] / mask.sum(dim=(1, 2, 3)).clamp(min=1e-6)[:, None, None, None, None]
        moves = motion_of(mask)[..., None, None]
        error = F.smooth_l1_loss(self.motion1(first), moves.expand(-1, -1, -1, 14, 14),
                                 reduction="none")
        weight3 = mask3 / mask3.sum(dim=(2, 3, 4), keepdim=True).clamp(min=1e-6)
        on_target = (last * weight3).sum(dim=(2, 3, 4))
        seen = label != NONE
        return (mask_loss(self.mask1(first), mask[:, None]) + mask_loss(self.mask3(last), mask3) +
                (error * share).sum() / len(label) +
                F.cross_entropy(net.head(on_target)[seen], label[seen]))


def mask_loss(logits, mask):
    """Cross-entropy in which the few covered cells weigh more."""
    return F.binary_cross_entropy_with_logits(logits, mask, pos_weight=torch.tensor(4.0))


def motion_of(mask):
    """Per-frame motion of a mask, [N][3][T]: velocity x and y, and growth, each about unit size.

    Forward differences, the last one repeated; zero where there is no target.
    """
    area = mask.sum(dim=(2, 3)).clamp(min=1e-6)
    axis = torch.arange(mask.shape[-1], dtype=torch.float32) / mask.shape[-1]
    x = (mask.sum(dim=2) * axis).sum(dim=-1) / area
    y = (mask.sum(dim=3) * axis).sum(dim=-1) / area
    state = torch.stack([x / 0.02, y / 0.02, 0.5 * area.log() / 0.05], dim=1)
    step = state[..., 1:] - state[..., :-1]
    step = torch.cat([step, step[..., -1:]], dim=-1)
    return step * (area.min(dim=1).values > 1e-3)[:, None, None]


# ------------------------------------------------------------------------------- training


def level_shares(progress):
    """Curriculum: no distractors in the first 8 %, the final mixture from 33 % on."""
    easy, final = np.array([0.5, 0.5, 0.0, 0.0]), np.array([0.1, 0.2, 0.3, 0.4])
    k = min(max((progress - 0.08) / 0.25, 0.0), 1.0)
    return (1.0 - k) * easy + k * final


def truth_weight(progress):
    """Full until half-time, none in the last 15 %."""
    return min(max((0.85 - progress) / 0.35, 0.0), 1.0)


def learning_rate(progress):
    """One cycle: half a cosine up over a quarter of the steps, half a cosine down to 0."""
    if progress < 0.25:
        return PEAK_RATE * (0.04 + 0.96 * (0.5 - 0.5 * math.cos(math.pi * progress / 0.25)))
    return PEAK_RATE * (0.5 + 0.5 * math.cos(math.pi * (progress - 0.25) / 0.75))


class Training:
    """Everything a checkpoint holds."""

    def __init__(self, seed, n_steps):
        torch.manual_seed(seed)
        self.rng = np.random.default_rng(seed)
        self.n_steps = n_steps
        self.step, self.seconds = 0, 0.0
        # Channels last is a quarter faster on AVX2 (oneDNN's own layout for 3D convolutions).
        self.net = Net().to(memory_format=torch.channels_last_3d)
        self.truth = Truth()
        self.parameters = [*self.net.parameters(), *self.truth.parameters()]
        self.optimizer = torch.optim.AdamW(self.parameters, PEAK_RATE, weight_decay=WEIGHT_DECAY)

    def save(self, path):
        part = path.with_suffix(".part")
        torch.save({"step": self.step, "seconds": self.seconds, "net": self.net.state_dict(),
                    "truth": self.truth.state_dict(), "optimizer": self.optimizer.state_dict(),
                    "rng": self.rng.bit_generator.state}, part)
        part.replace(path)

    def load(self, path):
        state = torch.load(path, weights_only=False)
        self.step, self.seconds = state["step"], state["seconds"]
        self.net.load_state_dict(state["net"])
        self.truth.load_state_dict(state["truth"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.rng.bit_generator.state = state["rng"]

    def advance(self, clips):
        """One optimiser step; returns the loss on labels and the number of right answers."""
        progress = self.step / self.n_steps
        x, mask, label = batch(clips, level_shares(progress), self.rng)
        self.optimizer.param_groups[0]["lr"] = learning_rate(progress)
        first, last = self.net.features(x.contiguous(memory_format=torch.channels_last_3d))
        logits = self.net.classify(last)
        loss = label_loss = F.cross_entropy(logits, label)
        if truth_weight(progress) > 0.0:
            truth_loss = self.truth(self.net, first, last, mask, label)
            loss = loss + 0.5 * truth_weight(progress) * truth_loss
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, GRADIENT_CLIP)
        self.optimizer.step()
        self.step += 1
        return label_loss.item(), (logits.argmax(1) == label).sum().item()


def train(training, clips, watch, checkpoint):
    started, recent = time.monotonic() - training.seconds, []
    training.net.train()
    while training.step < training.n_steps:
        recent.append(training.advance(clips))
        training.seconds = time.monotonic() - started
        if training.step % 50 == 0:
            loss, right = np.mean(recent, axis=0)
            print(f"step {training.step:5d}  {training.seconds:6.0f} s  loss {loss:.3f}  "
                  f"train {right / BATCH:.3f}", flush=True)
            recent = []
        if training.step % 250 == 0 or training.step == training.n_steps:
            training.save(checkpoint)
            print(f"step {training.step:5d}  watch {watch_accuracy(training.net, watch):.3f}",
                  flush=True)


@torch.no_grad()
def watch_accuracy(net, clips):
    net.eval()
    logits = [net.classify(net.features(normalise(torch.from_numpy(clips.x[i:i + BATCH])))[1])
              for i in range(0, len(clips.x), BATCH)]
    net.train()
    return np.mean(torch.cat(logits).argmax(1).numpy() == clips.label)


# ------------------------------------------------------------------------------ delivery


def export(net, path):
    net.eval()
    torch.onnx.export(net, torch.zeros(1, 3, T, SIZE, SIZE), str(path), opset_version=17,
                      input_names=["input"], output_names=["logits"], dynamo=False,
                      dynamic_axes={"input": {0: "N"}, "logits": {0: "N"}})


def onnx_predictions(path, folder, name):
    """Answers of the exported file, on whole clips: what a user of the file gets."""
    import onnxruntime
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    rgb, answers = raw_clips(folder, name), []
    for i in range(0, len(rgb), BATCH):
        x = rgb[i:i + BATCH].transpose(0, 4, 1, 2, 3).astype(np.float32)
        logits, = session.run(None, {"input": (x / np.float32(255) - MEAN) / np.float32(STD)})
        answers.append(logits.argmax(1))
    return np.concatenate(answers)


def accuracy_table(label, level, answer):
    """Markdown, one row a class and one column a level, the last of each over all."""
    right = answer == label
    lines = ["| class | " + " | ".join(LEVELS) + " | all |", "|---" * (len(LEVELS) + 2) + "|"]
    groups = [(name, label == k) for k, name in enumerate(LABELS)]
    for name, chosen in [*groups, ("all", np.ones_like(right))]:
        cells = [right[chosen & (level == k)].mean() for k in range(len(LEVELS))]
        lines.append(f"| {name} | " + " | ".join(f"{v:.3f}" for v in cells) +
                     f" | {right[chosen].mean():.3f} |")
    return "\n".join(lines)


def macs(net):
    """Multiply-accumulates of one clip's convolutions and the final layer."""
    total = 0

    def count(module, _, out):
        nonlocal total
        total += out[0].numel() * module.weight[0].numel()
    hooks = [m.register_forward_hook(count) for m in net.modules()
             if isinstance(m, (nn.Conv3d, nn.Linear))]
    with torch.no_grad():
        net(torch.zeros(1, 3, T, SIZE, SIZE))
    for hook in hooks:
        hook.remove()
    return total


COMMAND = "python3 tools/train_demo.py --scene-dump ./scene_dump --work train-demo --out demo"


def write_card(path, accuracy, command):
    card = {
        "aosa_model_card": 1, "mean": [MEAN] * 3, "std": [STD] * 3, "step": 1,
        "resize": str(SIZE), "labels": "labels.txt",
        "trained_on": f"{sum(s[1] for s in TRAIN_SETS)} clips of src/dataset/scene.h, seeds "
                      f"{TRAIN_SETS[0][2]} to {TRAIN_SETS[-1][2] + TRAIN_SETS[-1][1] - 1}",
        "accuracy": round(float(accuracy), 4), "command": command,
    }
    path.write_text(json.dumps(card, indent=2) + "\n")


REPORT = """# The demo network

A small 3D CNN that names the motion of a textured disc among distractors. This project rendered
its clips (`src/dataset/scene.h`) and trained it (`tools/train_demo.py`); no other data went in.

- {n_parameters} parameters, {gmac:.3f} GMAC a clip, {n_bytes} bytes of ONNX (opset 17).
- Trained on {n_train} clips for {n_steps} steps of {batch}, fp32, {threads} threads: {minutes:.0f}
  minutes of wall time on a shared machine. Seed {seed}; torch {torch}.
- **Held-out accuracy {accuracy:.2%}** on {n_held} clips of seeds never trained on, measured with
  ONNX Runtime on the delivered file, once, after the last step.

{table}

To retrain, from the root of the repository (header of the script for what it needs):

    cc -O2 -ffp-contract=off -Isrc tools/scene_dump.c src/dataset/scene*.c src/core/rng.c -lm \\
        -o scene_dump
    {command}
"""


def deliver(training, arguments):
    out, folder = arguments.out, arguments.work
    out.mkdir(parents=True, exist_ok=True)
    model = out / "model.onnx"
    export(training.net, model)
    label, level = rows(folder, HELD_SET[0])
    answer = onnx_predictions(model, folder, HELD_SET[0])
    accuracy, table = np.mean(answer == label), accuracy_table(label, level, answer)
    print(f"held-out accuracy {accuracy:.4f} on {len(label)} clips\n\n{table}")
    command = COMMAND + (f" --steps {arguments.steps}" if arguments.steps != DEFAULT_STEPS else "")
    (out / "labels.txt").write_text("\n".join(LABELS) + "\n")
    write_card(out / "model.onnx.json", accuracy, command)
    (out / "TRAINING.md").write_text(REPORT.format(
        n_parameters=sum(p.numel() for p in training.net.parameters()),
        gmac=macs(training.net) / 1e9, n_bytes=model.stat().st_size,
        n_train=sum(s[1] for s in TRAIN_SETS), n_steps=training.n_steps, batch=BATCH,
        threads=arguments.threads, minutes=training.seconds / 60, seed=arguments.seed,
        torch=torch.__version__, accuracy=accuracy, n_held=len(label), table=table,
        command=command))


DEFAULT_STEPS = 1300


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scene-dump", required=True, help="program built from scene_dump.c")
    parser.add_argument("--work", required=True, type=pathlib.Path, help="clips, checkpoint")
    parser.add_argument("--out", required=True, type=pathlib.Path, help="what is delivered")
    parser.add_argument("--steps", type=int, default=DEFAULT_STEPS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    torch.use_deterministic_algorithms(True)
    arguments.work.mkdir(parents=True, exist_ok=True)
    render(arguments.scene_dump, arguments.work, [*TRAIN_SETS, WATCH_SET, HELD_SET])
    training = Training(arguments.seed, arguments.steps)
    checkpoint = arguments.work / "checkpoint.pt"
    if checkpoint.exists():
        training.load(checkpoint)
    if training.step < training.n_steps:
        train(training, Clips(arguments.work, TRAIN_SETS), Clips(arguments.work, [WATCH_SET]),
              checkpoint)
    deliver(training, arguments)


if __name__ == "__main__":
    main()
