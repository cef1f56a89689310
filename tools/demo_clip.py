#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the bundled demo clip: a rendered scene as a video, and the true box in each frame.

Needed only when the renderer or the network changes: the result is in the repository.

    python3 tools/demo_clip.py --scene-dump ./scene_dump --work demo-clip --out demo

writes demo/clip.mp4 and demo/clip.truth.csv (frame,x,y,w,h in pixels of the video), then decodes
the video again and fails unless the network in demo/ names the motion with p > .9. Building
scene_dump is shown in tools/train_demo.py. Requires numpy, onnxruntime and the ffmpeg program
with libx264.
"""
import argparse
import csv
import json
import pathlib
import subprocess

import numpy as np
import onnxruntime

# A seed outside those of tools/train_demo.py. The last 11 of 44 clips are level 3, one a class.
FIRST_SEED, SIZE, T, RATE = 20_012_000, 224, 16, 8
LABEL = "down"
# BT.601 is what decoders assume of a small video anyway, so colours survive careless ones.
ENCODE = ["-c:v", "libx264", "-preset", "veryslow", "-crf", "16", "-threads", "1",
          "-vf", "scale=out_color_matrix=bt601:out_range=tv,format=yuv420p",
          "-colorspace", "smpte170m", "-color_primaries", "smpte170m", "-color_trc", "smpte170m",
          "-map_metadata", "-1", "-fflags", "+bitexact", "-flags:v", "+bitexact",
          "-movflags", "+faststart"]


def render(scene_dump, folder, index):
    """Clip `index` of the dump: uint8 [T][H][W][3] and its boxes [T][4], x0 y0 x1 y1."""
    folder.mkdir(parents=True, exist_ok=True)
    prefix = folder / "clip"
    subprocess.run([scene_dump, prefix, "44", str(FIRST_SEED), str(SIZE), str(T)], check=True)
    rgb = np.memmap(f"{prefix}.rgb", np.uint8, "r").reshape(-1, T, SIZE, SIZE, 3)
    boxes = np.fromfile(f"{prefix}.box", np.int32).reshape(-1, T, 4)
    return np.array(rgb[index]), boxes[index]


def encode(rgb, path):
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24",
                    "-s", f"{SIZE}x{SIZE}", "-r", str(RATE), "-i", "-", *ENCODE, path],
                   input=rgb.tobytes(), check=True)


def decode(path, size):
    """uint8 [T][size][size][3]; ffmpeg's bicubic filter also averages when it makes smaller."""
    raw = subprocess.run(["ffmpeg", "-v", "error", "-i", path, "-vf", f"scale={size}:{size}",
                          "-f", "rawvideo", "-pix_fmt", "rgb24", "-"],
                         check=True, stdout=subprocess.PIPE).stdout
    return np.frombuffer(raw, np.uint8).reshape(-1, size, size, 3)


def probabilities(model, card, rgb):
    x = rgb.transpose(3, 0, 1, 2)[None].astype(np.float32) / 255
    x = (x - np.float32(card["mean"][0])) / np.float32(card["std"][0])
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    logits = session.run(None, {"input": x})[0][0].astype(np.float64)
    e = np.exp(logits - logits.max())
    return e / e.sum()


def write_truth(boxes, path):
    with open(path, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["frame", "x", "y", "w", "h"])
        for t, (x0, y0, x1, y1) in enumerate(boxes.tolist()):
            writer.writerow([t, x0, y0, x1 - x0, y1 - y0])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scene-dump", required=True, help="program built from scene_dump.c")
    parser.add_argument("--work", required=True, type=pathlib.Path, help="raw clips")
    parser.add_argument("--out", required=True, type=pathlib.Path, help="folder of the network")
    arguments = parser.parse_args()

    out = arguments.out
    labels = (out / "labels.txt").read_text().split()
    card = json.loads((out / "model.onnx.json").read_text())
    rgb, boxes = render(arguments.scene_dump, arguments.work, 33 + labels.index(LABEL))
    encode(rgb, out / "clip.mp4")
    write_truth(boxes, out / "clip.truth.csv")
    decoded = decode(out / "clip.mp4", int(card["resize"]))
    p = probabilities(out / "model.onnx", card, decoded)
    print(f"{len(decoded)} frames, {(out / 'clip.mp4').stat().st_size} bytes, "
          f"'{labels[p.argmax()]}' with p = {p.max():.4f}")
    if len(decoded) != T or labels[p.argmax()] != LABEL or p.max() <= 0.9:
        raise SystemExit(f"the network does not see '{LABEL}' in the clip: choose another seed")


if __name__ == "__main__":
    main()
