# SPDX-License-Identifier: Apache-2.0
"""Reference maps of the gradient family for tests/golden/attribution_golden.c.

    python3 tools/reference/gradients.py [NETWORK ...]      # default: all below

Captum computes what it offers (gradient, gradient x input, guided backprop, deconvnet, integrated
gradients, DeepLIFT), plain autograd the rest: noise and path are loops over it, and Captum's own
noise cannot be repeated, its trapezoid has other points. All in float64, of the class with the
largest logit. Into tests/golden/reference/NETWORK.CASE.npy, float32: every 61st voxel of the map
[T][H][W] in row-major order, then its sum, its sum of absolute values, its largest absolute value,
and the error that the same computation by PyTorch in float32 has at these voxels, as a fraction of
the largest value. That error is of the order of 1e-3 in deep networks: among millions of values
some lie so near a ReLU's corner that rounding decides whether their gradient counts.

Requires what networks.py does, captum and scipy (PyPI).
"""
import sys
import warnings

import captum.attr
import numpy as np
import scipy.ndimage
import torch

import networks

STRIDE = 61
FOLDER = networks.ROOT / "tests" / "golden" / "reference"
MEAN, STD = 0.5, 0.25  # of the clip that the C test makes; only the black baseline depends on them


def saved(values, in_float32):
    """[T][H][W] float64 and what float32 makes of it, as the file holds them."""
    flat, other = values.ravel(), in_float32.ravel()
    largest = np.abs(flat).max()
    error = np.abs(other - flat)[::STRIDE].max() / largest
    return np.concatenate([flat[::STRIDE], [flat.sum(), np.abs(flat).sum(), largest,
                                            error]]).astype(np.float32)


class Subject:
    """A network with its clip; `score` maps logits [1][classes] to a number."""

    def __init__(self, name, score="logit"):
        self.net = networks.load(name)
        self.x = networks.clip(name, 0)
        self.target = int(self.net(self.x).argmax())
        self.score = score

    def to(self, dtype):
        self.net.to(dtype)
        self.x = self.x.to(dtype)

    def forward(self, x):
        logits = self.net(x)
        c = self.target
        if self.score == "prob":
            return logits.softmax(1)[:, c]
        if self.score == "log-odds":
            others = [k for k in range(logits.shape[1]) if k != c]
            return logits[:, c] - logits[:, others].logsumexp(1)
        if self.score == "contrast":  # this class rather than class 0
            return logits[:, c] - logits[:, 0]
        return logits[:, c]

    def gradient(self, x):
        x = x.clone().requires_grad_()
        return torch.autograd.grad(self.forward(x).sum(), x)[0]


def absolute(values):
    return values.abs().sum(1)


def signed(values):
    return values.sum(1)


def gradient(subject):
    return absolute(captum.attr.Saliency(subject.forward).attribute(subject.x, abs=False))


def positive_gradient(subject):
    return subject.gradient(subject.x).clamp(min=0).sum(1)


def gradient_x_input(subject):
    return signed(captum.attr.InputXGradient(subject.forward).attribute(subject.x))


def guided_backprop(subject):
    return absolute(captum.attr.GuidedBackprop(subject.net).attribute(subject.x, subject.target))


def deconvnet(subject):
    return absolute(captum.attr.Deconvolution(subject.net).attribute(subject.x, subject.target))


def noisy_gradients(subject, samples=3, noise=0.15):
    """[samples][3][T][H][W]; the noise is what zoo_input(0, "noise") gives in C."""
    x = subject.x
    z = networks.bell("input0:noise", samples * x.numel()).astype(np.float32)
    z = torch.from_numpy(z.reshape(samples, *x.shape[1:])).to(x.dtype)
    sigma = noise * (x.max() - x.min())
    return torch.cat([subject.gradient(x + sigma * z[i]) for i in range(samples)])


def smoothgrad(subject):
    return absolute(noisy_gradients(subject).mean(0, keepdim=True))


def smoothgrad_sq(subject):
    return absolute((noisy_gradients(subject)**2).mean(0, keepdim=True))


def vargrad(subject):
    return absolute(noisy_gradients(subject).var(0, correction=0, keepdim=True))


def baseline_of(subject, baseline):
    if baseline == "mean":
        return subject.x.mean((2, 3, 4), keepdim=True).expand_as(subject.x)
    return torch.full_like(subject.x, {"zero": 0.0, "black": -MEAN / STD}[baseline])


def integrated_gradients(subject, rule="middle", baseline="zero", steps=4):
    base = baseline_of(subject, baseline)
    if rule != "trapezoid":
        method = captum.attr.IntegratedGradients(subject.forward)
        return signed(method.attribute(subject.x, base, n_steps=steps, method=f"riemann_{rule}",
                                       internal_batch_size=1))
    total = torch.zeros_like(subject.x)
    for k in range(steps + 1):
        weight = (0.5 if k in (0, steps) else 1.0) / steps
        total += weight * subject.gradient(base + k / steps * (subject.x - base))
    return signed(total * (subject.x - base))


def blur(x, sigma):
    if sigma == 0:
        return x
    values = x.numpy()
    for axis in (3, 4):
        values = scipy.ndimage.gaussian_filter1d(values, sigma, axis, mode="nearest",
                                                 radius=int(np.ceil(4 * sigma)))
    return torch.from_numpy(values)


def blur_ig(subject, sigma=12.0, steps=5):
    path = [blur(subject.x, sigma * (i / steps)**2) for i in range(steps + 1)]
    gradients = [subject.gradient(x) for x in path]
    total = torch.zeros_like(subject.x)
    for i in range(steps):
        total += (gradients[i] + gradients[i + 1]) / 2 * (path[i] - path[i + 1])
    return signed(total)


def deeplift(subject, baseline="zero"):
    method = captum.attr.DeepLift(subject.net)
    base = baseline_of(subject, baseline).contiguous()
    return signed(method.attribute(subject.x, base, subject.target))


def cases(name):
    """(case, score, function) of a network."""
    yield "gradient", "logit", gradient
    yield "gradient_x_input", "logit", gradient_x_input
    yield "guided_backprop", "logit", guided_backprop
    yield "deconvnet", "logit", deconvnet
    # Not where maxima are pooled: a constant baseline makes all of them ties, so the answer depends
    # on rounding, and Captum counts a value once that several windows share.
    if name in ("demo", "r3d_18.ts18"):
        yield "deeplift", "logit", deeplift
    if name != "demo":
        return
    for score in ("prob", "log-odds", "contrast"):
        yield f"gradient_{score}", score, gradient
    yield "gradient_positive", "logit", positive_gradient
    for function in (smoothgrad, smoothgrad_sq, vargrad, blur_ig):
        yield function.__name__, "logit", function
    for rule in ("left", "right", "middle", "trapezoid"):
        yield (f"integrated_gradients_{rule}", "logit",
               lambda s, rule=rule: integrated_gradients(s, rule))
    yield "integrated_gradients_mean", "prob", lambda s: integrated_gradients(s, baseline="mean")
    yield "deeplift_black", "logit", lambda s: deeplift(s, "black")


def main():
    warnings.filterwarnings("ignore", module="captum")  # says that it sets hooks
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[1:] or networks.NAMES:
        subject = Subject(name)
        for case, score, function in cases(name):
            subject.score = score
            maps = []
            for dtype in (torch.float64, torch.float32):
                subject.to(dtype)
                maps.append(function(subject)[0].detach().double().numpy())
            values = saved(*maps)
            np.save(FOLDER / f"{name}.{case}.npy", values)
            print(f"{name} {case}: sum {values[-4]:.4g}, largest {values[-2]:.4g}, "
                  f"float32 {values[-1]:.1e} off", flush=True)


if __name__ == "__main__":
    main()
