#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes doc/evidence.md: every method and the settings of AOSA, scored on clips with known truth.

    python3 tools/evidence.py --aosa build/cli/aosa --work WORK

renders clips (aosa demo-bench), keeps those that the bundled network names rightly, evaluates every
row of RUNS below on them, and writes doc/evidence.md and doc/images/evidence.png. Every row is a
run folder of its own below WORK: what is done already is not done again. --reference FOLDER adds
the real clips of the reference data. Needs numpy and matplotlib.

Intervals are percentile bootstraps of 95 % over clips; p is of a two-sided sign-flip test on the
mean difference to `aosa` over the same clips, Holm-corrected over the rows of a table.
"""
import argparse
import concurrent.futures
import csv
import json
import pathlib
import shutil
import sqlite3
import subprocess

import numpy as np

# Seeds: the network was trained on 1000000 to 1008799; settings were chosen on TUNE, never on TEST.
TEST, TUNE = 60_000_000, 1_010_000
METRICS = "deletion,insertion,pointing,energy"
CUTS = 32
IN_PLACE = ("zoom_in", "zoom_out", "shake", "still")  # classes whose target stays where it is
VALUES = {
    "pointing": "pointing.spatial",
    "clip": "pointing.clip",
    "energy": "energy",
    "deletion": "deletion.auc",
    "insertion": "insertion.auc",
}
LOWER = {"deletion"}


class Run:
    """One row: a method with options."""

    def __init__(self, name, *options, method=None):
        self.name, self.options, self.method = name, list(options), method or name


METHODS = [Run(name) for name in (
    "aosa osa aosa-refine first_order "
    "lime kernelshap shap_sampling rise loco univariate extremal_2d extremal_3d step "
    "gradient gradient_x_input guided_backprop deconvnet smoothgrad smoothgrad_sq vargrad "
    "integrated_gradients blur_ig deeplift "
    "gradcam gradcam_time gradcam_pp layercam hirescam xgradcam scorecam saliency_tubes "
    "random centre frame_difference flow_magnitude").split()]
MOTION = [  # does the mask have to follow, with everything else equal?
    Run("the authors' map", "--accumulate", "visible", "--smooth", 0, method="aosa"),
    Run("cuboids 16 frames long", "--mask", "cuboid", "--time-size", 16, method="aosa"),
    Run("no flow", "--flow", "none", method="aosa"),
    Run("DIS flow", "--flow", "dis", method="aosa"),
    Run("1 partner", "--partners", 1, method="aosa"),
    Run("3 partners", "--partners", 3, method="aosa"),
    Run("8 partners", "--partners", 8, method="aosa"),
]
CUTS_OF_COST = [  # between one pass and exact
    Run("aosa-refine 20", "--budget", 20, method="aosa-refine"),
    Run("aosa-refine 32", "--budget", 32, method="aosa-refine"),
    Run("aosa-refine 128", "--budget", 128, method="aosa-refine"),
    Run("first_order unsmoothed", "--smooth", 0, method="first_order"),
    Run("first_order 2 x 2", "--splits", 2, method="first_order"),
    Run("first_order 4 x 4", "--splits", 4, method="first_order"),
    Run("first_order local fill", "--fill", "local", method="first_order"),
    Run("stride 16", "--stride", 16, method="aosa"),
    Run("size 32 stride 16", "--size", 32, "--stride", 16, method="aosa"),
    Run("size 32 stride 32", "--size", 32, "--stride", 32, method="aosa"),
]
ABLATIONS = [
    Run("size 8", "--size", 8, method="aosa"),
    Run("size 24", "--size", 24, method="aosa"),
    Run("size 32", "--size", 32, method="aosa"),
    Run("stride 4", "--stride", 4, method="aosa"),
    Run("black fill", "--fill", "black", method="aosa"),
    Run("mean fill", "--fill", "mean", method="aosa"),
    Run("blur fill", "--fill", "blur", method="aosa"),
    Run("logit", "--score", "logit", method="aosa"),
    Run("log-odds", "--score", "log-odds", method="aosa"),
]


def call(command, **keywords):
    return subprocess.run([str(word) for word in command], check=True, text=True, **keywords)


# --- the dataset ------------------------------------------------------------------------------------


def make_bench(aosa, model, folder, seed, clips):
    """Renders the bench and lists the clips that the network names rightly; answers how many."""
    lists = folder / "right"
    if not (folder / "boxes.csv").exists():
        call([aosa, "demo-bench", "-q", "-o", folder, "--clips", clips, "--seed", seed])
    if not (lists / "testlist01.txt").exists():
        lists.mkdir(exist_ok=True)
        names = (folder / "ucfTrainTestlist" / "testlist01.txt").read_text().split()
        text = call([aosa, "predict", "-q", "--json", "-m", model] + [folder / n for n in names],
                    stdout=subprocess.PIPE).stdout
        tops = [answer["top5"][0]["label"] for answer in objects(text)]
        right = [n for n, top in zip(names, tops, strict=True) if n.split("/")[0] == top]
        shutil.copy(folder / "ucfTrainTestlist" / "classInd.txt", lists)
        (lists / "testlist01.txt").write_text("\n".join(right) + "\n")
    return len((lists / "testlist01.txt").read_text().split())


def objects(text):
    """JSON objects that stand one after the other."""
    decoder, at = json.JSONDecoder(), 0
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        value, at = decoder.raw_decode(text, at)
        yield value


# --- the runs ---------------------------------------------------------------------------------------


def evaluate(args, dataset, run, folder):
    command = [args.aosa, "evaluate", "-q", "-t", 1, *dataset, "--cuts", CUTS,
               "--metrics", METRICS, "--methods", run.method, *run.options, "-o", folder]
    done = subprocess.run([str(word) for word in command], text=True, capture_output=True,
                          check=False)
    if done.returncode not in (0, 3):
        raise SystemExit(f"{run.name}: {done.stderr.strip()}\n{' '.join(map(str, command))}")
    print(f"{run.name}: done", flush=True)


def evaluate_all(args, dataset, runs, work):
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        futures = [pool.submit(evaluate, args, dataset, run, work / run.name.replace(" ", "_"))
                   for run in runs]
        for future in futures:
            future.result()


def folder_of(run):
    return run.name.replace(" ", "_").replace("'", "").replace(",", "")


def read_run(folder):
    """{clip: {value: number}} of what is done, with the label, passes and seconds of each."""
    clips = {}
    for path in sorted(folder.glob("shard-*.db")):
        with sqlite3.connect(path) as db:
            rows = db.execute("select id, clip, label, seconds, forwards, backwards from item "
                              "where reason is null").fetchall()
            for number, clip, label, seconds, forwards, backwards in rows:
                values = dict(db.execute("select name, value from value where item = ?", (number,)))
                clips[clip] = {"label": label, "seconds": seconds, "forwards": forwards,
                               "backwards": backwards,
                               **{key: values.get(name) for key, name in VALUES.items()}}
    return clips


# --- statistics -------------------------------------------------------------------------------------


def column(clips, key, keep=lambda label: True):
    return {clip: row[key] for clip, row in clips.items()
            if row[key] is not None and np.isfinite(row[key]) and keep(row["label"])}


def interval(values):
    """Mean and its 95 % bootstrap interval."""
    x = np.array(list(values.values()))
    if x.size == 0:
        return np.nan, np.nan, np.nan
    draws = np.random.default_rng(1).integers(0, x.size, (2000, x.size))
    low, high = np.percentile(x[draws].mean(1), [2.5, 97.5])
    return x.mean(), low, high


def sign_flip(a, b):
    """p of the mean difference of two runs over the clips that both have."""
    shared = sorted(set(a) & set(b))
    d = np.array([a[c] - b[c] for c in shared])
    if d.size == 0 or not d.any():
        return 1.0
    signs = np.random.default_rng(2).choice([-1.0, 1.0], (10000, d.size))
    return (1 + (np.abs(signs @ d) >= abs(d.sum()) - 1e-12).sum()) / 10001


def holm(ps):
    order = sorted(ps, key=ps.get)
    out, worst = {}, 0.0
    for rank, name in enumerate(order):
        worst = max(worst, min(1.0, ps[name] * (len(order) - rank)))
        out[name] = worst
    return out


# --- the page ---------------------------------------------------------------------------------------


def cell(values):
    mean, low, high = interval(values)
    return "-" if np.isnan(mean) else f"{mean:.3f} ({low:.3f}-{high:.3f})"


def table(runs, results, base="aosa"):
    keys = list(VALUES)
    base_clips = results[base]
    ps = {key: holm({r.name: sign_flip(column(results[r.name], key), column(base_clips, key))
                     for r in runs if r.name != base}) for key in keys}
    arrow = {key: "down" if key in LOWER else "up" for key in keys}
    lines = ["| setting | n | " + " | ".join(f"{k} ({arrow[k]})" for k in keys) +
             " | forwards | backwards | seconds |", "|---" * (len(keys) + 5) + "|"]
    for run in runs:
        clips = results[run.name]
        cells = []
        for key in keys:
            mark = ""
            if run.name != base and ps[key][run.name] < 0.05:
                better = np.mean(list(column(clips, key).values())) > np.mean(
                    [v for c, v in column(base_clips, key).items() if c in clips])
                mark = " +" if better != (key in LOWER) else " -"
            cells.append(cell(column(clips, key)) + mark)
        cost = [np.mean([row[k] for row in clips.values()]) for k in
                ("forwards", "backwards", "seconds")]
        lines.append(f"| {run.name} | {len(clips)} | " + " | ".join(cells) +
                     f" | {cost[0]:.0f} | {cost[1]:.0f} | {cost[2]:.2f} |")
    return "\n".join(lines)


def split_table(runs, results):
    moves = lambda label: label not in IN_PLACE
    stays = lambda label: label in IN_PLACE
    lines = ["| setting | pointing, moving | pointing, in place | energy, moving | "
             "energy, in place | deletion, moving | deletion, in place |", "|---" * 7 + "|"]
    for run in runs:
        cells = [cell(column(results[run.name], key, keep))
                 for key in ("pointing", "energy", "deletion") for keep in (moves, stays)]
        lines.append(f"| {run.name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def figure(runs, results, path):
    """Dots with numbers, told apart by a step to the side where several cost the same."""
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    fig, axes = plt.subplots(1, 2, figsize=(15, 6.5))
    at_cost = {}
    for number, run in enumerate(runs, 1):
        clips = results[run.name]
        cost = max(1, np.mean([row["forwards"] + 2 * row["backwards"] for row in clips.values()]))
        beside = at_cost[round(cost)] = at_cost.get(round(cost), -1) + 1
        ours = run.method.startswith(("aosa", "first"))
        for ax, key in zip(axes, ("pointing", "deletion"), strict=True):
            mean, low, high = interval(column(clips, key))
            x = cost * 1.13 ** beside
            ax.errorbar(x, mean, [[mean - low], [high - mean]], fmt="o", ms=4, lw=1,
                        color="tab:red" if ours else "tab:blue",
                        label=f"{number} {run.name}" if key == "deletion" else None)
            ax.annotate(number, (x, high), fontsize=8, ha="center", xytext=(0, 2),
                        textcoords="offset points")
    for ax, key in zip(axes, ("pointing", "deletion"), strict=True):
        ax.set_xscale("log")
        ax.set_xlabel("passes a clip (a backward counts as two forwards)")
        ax.set_ylabel(f"{key} ({'lower' if key in LOWER else 'higher'} is better)")
        ax.grid(alpha=0.3)
    axes[1].legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False)
    fig.tight_layout()
    fig.savefig(path, dpi=100)


# --- the whole ---------------------------------------------------------------------------------------

PAGE = """# Evidence

Made by `{command}`; do not edit. {n} rendered clips (`aosa demo-bench --seed {seed} --clips {clips}`), those of {clips} that the
bundled network names rightly; no setting was chosen on them. The label's class is explained; pointing is the share of annotated frames whose peak is in the
box grown by 7 pixels of 112, clip whether the map's one peak is, energy the positive part inside the boxes; curves have {cuts} cuts to the training mean.
Means with bootstrap intervals of 95 %; + and - tell a better and a worse mean than `aosa` at p < .05 (sign-flip test over the same clips, Holm-corrected in
its column). Seconds are wall clock on one thread of a machine that did other things beside.

## Methods

{methods}

![Passes a clip against pointing and deletion](images/evidence.png)

## Moving targets and targets in place

{split}

## Does following the motion pay, and do partners?

`no flow` has the same squares at the same places, standing still; the cuboids also start later and end earlier, which makes eight times as many.

{motion}

## Between one pass and exact

{cuts_of_cost}

## Ablations of aosa

{ablations}
"""


def write_page(args, n, results, groups):
    there = {name: [run for run in runs if results[run.name]] for name, runs in groups.items()}
    base = next(run for run in METHODS if run.name == "aosa")
    tables = {name: table([base] + [r for r in runs if r is not base], results)
              for name, runs in there.items()}
    missing = [run.name for runs in groups.values() for run in runs if not results[run.name]]
    page = PAGE.format(
        command=f"tools/evidence.py --clips {args.clips} --seed {args.seed}", n=n, seed=args.seed,
        clips=args.clips, cuts=CUTS, split=split_table(there["methods"], results), **tables)
    if missing:
        page += "\nNot run yet: " + ", ".join(missing) + ".\n"
    figure(there["methods"] + there["cuts_of_cost"], results, args.doc / "images" / "evidence.png")
    (args.doc / "evidence.md").write_text(page)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--aosa", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--model", type=pathlib.Path, default="demo/model.onnx")
    parser.add_argument("--doc", type=pathlib.Path, default="doc")
    parser.add_argument("--clips", type=int, default=220)
    parser.add_argument("--seed", type=int, default=TEST)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", help="evaluate these rows now, with commas; the page shows all "
                        "that are done")
    args = parser.parse_args()
    bench = args.work / f"bench-{args.seed}-{args.clips}"
    runs_folder = args.work / f"runs-{args.seed}-{args.clips}"
    args.work.mkdir(parents=True, exist_ok=True)
    n = make_bench(args.aosa, args.model, bench, args.seed, args.clips)
    print(f"{n} of {args.clips} clips are named rightly", flush=True)
    dataset = ["-m", args.model, "--dataset", "ucf101", "--root", bench, "--lists",
               bench / "right", "--boxes", bench / "boxes.csv", "--target", "label"]
    groups = {"methods": METHODS, "motion": MOTION, "cuts_of_cost": CUTS_OF_COST,
              "ablations": ABLATIONS}
    runs = [run for group in groups.values() for run in group]
    chosen = args.only.split(",") if args.only else [run.name for run in runs]
    by_name = {run.name: run for run in runs}
    evaluate_all(args, dataset, [by_name[name] for name in chosen], runs_folder)
    results = {run.name: read_run(runs_folder / folder_of(run)) for run in runs}
    results = {name: clips if len(clips) == n else {} for name, clips in results.items()}
    write_page(args, n, results, groups)


if __name__ == "__main__":
    main()
