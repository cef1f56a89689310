#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reference maps of the CAM family, for tests/golden/cam_golden.c.

    python3 tools/reference/cams.py [CASE ...]

Writes tests/golden/reference/cam_CASE.npy, float32 [rows][samples]: a row for each method of the
case, every STEP-th voxel of its raw map, upsampled to the clip, before any min-max. All in float64,
the score is the logit of the class with the largest one.

Grad-CAM, LayerCAM and HiResCAM are pytorch-grad-cam's own (its maps before scaling; HiResCAM without
the ReLU that the library puts on everything). Grad-CAM++ and XGrad-CAM are plain autograd: the
library adds 1e-6 and 1e-7 to their denominators, which is not small beside the square of a gradient,
so the formulas below are compared with it with that number in, and written without. The per-time
Grad-CAM, Score-CAM and saliency tubes are plain PyTorch (the library's Score-CAM is for images).

Requires what networks.py does, and grad-cam 1.5 (PyPI).
"""
import pathlib
import sys

import networks  # first: sets how threads wait

import numpy as np
import torch
import torch.nn.functional as F
from pytorch_grad_cam import GradCAM, GradCAMPlusPlus, HiResCAM, LayerCAM, XGradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

OUT = networks.ROOT / "tests" / "golden" / "reference"
STEP = 251  # prime, so that samples fall on all columns and rows

GRADIENT = ["gradcam", "gradcam_time", "gradcam_pp", "layercam", "hirescam", "xgradcam"]

# Case: network, node of the layer, methods in the order of the rows. Where average pooling and one
# fully connected layer follow at once ("demo"), gradients are the same in all cells.
CASES = {
    "demo": ("demo", "/block3/Relu_1", [*GRADIENT, "scorecam", "saliency_tubes"]),
    "demo_block2": ("demo", "/block2/Relu_1", [*GRADIENT, "scorecam"]),
    "r3d_18": ("r3d_18.ts18", "/layer3/layer3.1/relu/Relu", GRADIENT),
    "k3d_resnet50": ("k3d_resnet50_B.ts18", "/layer3/layer3.5/relu_2/Relu", GRADIENT),
    "c3d": ("c3d.tsdyn17", "/f/f.11/f.11.1/Relu", GRADIENT),
}

LIBRARY = {"gradcam": GradCAM, "gradcam_pp": GradCAMPlusPlus, "layercam": LayerCAM,
           "hirescam": HiResCAM, "xgradcam": XGradCAM}
ADDED = {"gradcam_pp": 1e-6, "xgradcam": 1e-7}  # by the library, to denominators


class Case:
    """A network on its clip: features A and gradient G of the layer, [C][t][h][w]."""

    def __init__(self, network, node):
        self.net = networks.load(network)
        self.x = networks.clip(network, 0)
        self.layer = self.net.get_submodule(node.lstrip("/").replace(".", "/"))
        kept = []
        hook = self.layer.register_forward_hook(lambda module, x, y: kept.append(y))
        logits = self.net(self.x.clone().requires_grad_())[0]
        hook.remove()
        self.target = int(logits.argmax())
        self.A = kept[0][0].detach()
        self.G = torch.autograd.grad(logits[self.target], kept[0])[0][0]

    def score(self, x):
        with torch.no_grad():
            return self.net(x)[0, self.target]

    def upsample(self, maps):
        """[K][t][h][w] to [K][T][H][W]."""
        return F.interpolate(maps[None], self.x.shape[2:], mode="trilinear", align_corners=False)[0]


def weigh(weights, A):
    return torch.einsum("k,ktyx->tyx", weights, A).relu()


def gradcam(case, _):
    return weigh(case.G.mean(dim=(1, 2, 3)), case.A)


def gradcam_time(case, _):
    return torch.einsum("kt,ktyx->tyx", case.G.mean(dim=(2, 3)), case.A).relu()


def gradcam_pp(case, added):
    A, G = case.A, case.G
    below = 2 * G**2 + A.sum(dim=(1, 2, 3), keepdim=True) * G**3 + added
    alpha = torch.where((G != 0) & (below != 0), G**2 / below, torch.zeros_like(G))
    return weigh((alpha * G.relu()).sum(dim=(1, 2, 3)), A)


def layercam(case, _):
    return (case.G.relu() * case.A).sum(dim=0).relu()


def hirescam(case, _):
    return (case.G * case.A).sum(dim=0)


def xgradcam(case, added):
    total = case.A.sum(dim=(1, 2, 3)) + added
    weights = (case.G * case.A).sum(dim=(1, 2, 3)) / total
    return weigh(torch.where(total != 0, weights, torch.zeros_like(weights)), case.A)


def scorecam(case, _):
    scores = []
    for k in range(len(case.A)):
        seen = case.upsample(case.A[k : k + 1])[0]
        spread = seen.max() - seen.min()
        mask = (seen - seen.min()) / spread if spread > 0 else torch.zeros_like(seen)
        scores.append(case.score(case.x * mask))
    return weigh(torch.stack(scores).softmax(dim=0), case.A)


def saliency_tubes(case, _):
    weights = case.net.get_submodule("head/Gemm").weight[case.target]
    return torch.einsum("k,ktyx->tyx", weights, case.A)


def library(method, case):
    """The library's map before it is scaled."""
    maps = []
    with LIBRARY[method](model=case.net, target_layers=[case.layer]) as cam:
        scaled = cam.get_cam_image

        def keep(*args):
            maps.append(scaled(*args))
            return maps[0]

        cam.get_cam_image = keep
        cam(case.x.clone().requires_grad_(), [ClassifierOutputTarget(case.target)])
    image = torch.from_numpy(maps[0][0])
    return image if method == "hirescam" else image.relu()


def checked(name, method, case):
    formula = globals()[method]
    if method in LIBRARY:
        want = library(method, case)
        error = float((formula(case, ADDED.get(method, 0)) - want).abs().max() / want.abs().max())
        if not error < 1e-9:  # both in float64
            raise SystemExit(f"{name} {method}: formula and library differ by {error:.2g}")
    image = formula(case, 0)
    if not float(image.abs().max()) > 0:
        raise SystemExit(f"{name} {method}: the map is empty and tests nothing")
    return image


def main():
    OUT.mkdir(exist_ok=True)
    for name in sys.argv[1:] or CASES:
        network, node, methods = CASES[name]
        case = Case(network, node)
        maps = torch.stack([checked(name, method, case) for method in methods])
        samples = case.upsample(maps).flatten(1)[:, ::STEP].float().numpy()
        np.save(OUT / f"cam_{name}.npy", samples)
        print(f"{name}: class {case.target}, layer {list(case.A.shape)}, {samples.shape}")
        for row, method in zip(samples, methods):
            print(f"  {method:15} {row.min():12.5g} to {row.max():12.5g}")


if __name__ == "__main__":
    main()
