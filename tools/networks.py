#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes doc/networks.md: every network of the model zoo against ONNX Runtime.

    networks.py AOSA SHARED [--out doc/networks.md] [--only NAME]

AOSA is the command line tool, SHARED the folder of reference data. Each skeleton is filled with its
pseudo-random weights (SHARED/zoo/zoo.py), run on both inputs with oneDNN and, below 3 GMAC, with the
reference backend, and compared with what ONNX Runtime gave. Needs numpy and onnx from PyPI.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

LIMIT = 1e-4
REFERENCE_GMACS = 3


def error(got, want):
    """Largest difference as a fraction of the largest wanted value."""
    return float(np.abs(got.astype(np.float64) - want).max() / np.abs(want).max())


def run(aosa, model, backend, arrays, folder):
    bindings = [word for name, path in arrays for word in ("--input", f"{name}={path}")]
    subprocess.run([aosa, "run", "-m", model, "--backend", backend, "-o", folder, "--force", *bindings],
                   check=True, stdout=subprocess.DEVNULL)
    return np.load(folder / "output0.npy")


def check(args, zoo, name, work):
    """One row: what inspect says and the worst error of each backend."""
    model = work / "m.onnx"
    tool = [sys.executable, zoo / "zoo.py"]
    subprocess.run([*tool, "fill", zoo / f"{name}.skeleton.onnx", model], check=True,
                   stdout=subprocess.DEVNULL)
    page = json.loads(subprocess.run([args.aosa, "inspect", "-m", model, "--json"], check=True,
                                     capture_output=True, text=True).stdout)
    gmacs = page["model"]["gmacs"]
    subprocess.run([*tool, "inputs", model, work / "x"], check=True)
    worst = {}
    for k in range(2):
        want = np.load(zoo / f"{name}.expected.input{k}.output0.npy")
        arrays = [(entry["name"], work / f"x.input{k}.{i}.npy")
                  for i, entry in enumerate(page["file_inputs"])]
        for backend in ["onednn"] + ["reference"] * (gmacs < REFERENCE_GMACS):
            got = run(args.aosa, model, backend, arrays, work / "out")
            worst[backend] = max(worst.get(backend, 0), error(got, want))
    return page, gmacs, worst


def row(name, page, gmacs, worst):
    how = ", ".join(sorted({entry["layout"] for entry in page["file_inputs"]}))
    if len(page["file_inputs"]) > 1:
        how = f"{len(page['file_inputs'])} x {how}"
    engine = page.get("engine", {}).get("name", "-")
    note = []
    if page["traced_constants"]:
        note.append("traced: refused without `--allow-traced`")
    if not page["batchable"]:
        note.append("clip by clip")
    if page["model"]["ends_in_softmax"]:
        note.append("ends in Softmax")
    reference = f"{worst['reference']:.1e}" if "reference" in worst else ""
    passes = page["passes"]
    return (f"| {name} | {how} | {passes['nodes_before']} | {passes['nodes_after']} | {gmacs:.2f} | "
            f"{worst['onednn']:.1e} | {reference} | {engine} | {', '.join(note)} |")


HEAD = f"""# Networks

Real exports of real architectures, each on two inputs, against ONNX Runtime. An error is the largest difference as a fraction of the largest output;
{LIMIT:g} is allowed. In a name `ts` is the TorchScript exporter, `dy` the dynamo one, `dyn` a free batch axis, and the number the opset. `tools/networks.py` made
this page.

| network | inputs | nodes in the file | to run | GMAC a clip | oneDNN | reference | engine of `explain` | |
|---|---|---|---|---|---|---|---|---|
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("aosa")
    parser.add_argument("shared", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("doc/networks.md"))
    parser.add_argument("--only", default="")
    args = parser.parse_args()
    zoo, rows, failed = args.shared / "zoo", [], []
    names = sorted(p.name.removesuffix(".skeleton.onnx") for p in zoo.glob("*.skeleton.onnx"))
    with tempfile.TemporaryDirectory() as folder:
        for name in (n for n in names if args.only in n):
            page, gmacs, worst = check(args, zoo, name, pathlib.Path(folder))
            rows.append(row(name, page, gmacs, worst))
            print(rows[-1], flush=True)
            if max(worst.values()) > LIMIT:
                failed.append(name)
    args.out.write_text(HEAD + "\n".join(rows) + f"\n\n{len(rows) - len(failed)} of {len(rows)} agree.\n",
                        encoding="utf-8")
    return f"over the limit: {', '.join(failed)}" if failed else 0


if __name__ == "__main__":
    sys.exit(main())
