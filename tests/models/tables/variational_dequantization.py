from __future__ import annotations

import math
from typing import Any

import torch

from ..truth import draws, log_abs_det, most, normal, under_seed
from ..whole import Twin, Whole


def off(model: Any) -> float:
    """Hold the bound against x + u of noise that is mapped from eps: all by Jacobians.

    With u = u(eps), log q(u) = log N(eps) - log|det du/deps|, and z as a function of u.
    """
    imgs = torch.randint(0, 256, (3, 1, 4, 4)).double()
    eps = under_seed(lambda: torch.randn_like(imgs))
    dequantize, *rest = model.layers
    img = imgs / 255 * 2 - 1

    def noise(value: Any) -> Any:
        for flow in dequantize.flows:
            value = flow(value, torch.zeros(3), img)[0]
        return torch.sigmoid(value)

    def z_of(u: Any) -> Any:
        z = (imgs + u) / 256
        for layer in rest:
            z = layer(z, torch.zeros(3))[0]
        return z

    u = noise(eps)
    log_q = normal(eps) - log_abs_det(noise, eps)
    ldj = log_abs_det(z_of, u) - log_q
    z, said = under_seed(lambda: model.encode(imgs))
    bits = -(normal(z_of(u)) + ldj) / math.log(2) / 16
    reported = under_seed(lambda: model.bits_per_dim(imgs))
    x = draws(1, 4, 4).sigmoid()
    _, of_logit = rest[0](x, torch.zeros(3))
    return most(
        [
            (z, z_of(u)),
            (said, ldj),
            (16 * math.log(2) * reported, 16 * math.log(2) * bits),
            (of_logit, log_abs_det(lambda v: rest[0](v, torch.zeros(3))[0], x)),
        ]
    )


TWINS = (
    Twin(
        "log q of the noise has the wrong sign",
        "        ldj = ldj - log_q\n",
        "        ldj = ldj + log_q\n",
        ("LDJ104",),
    ),
    Twin(
        "the quants count once, not per dim",
        "ldj - np.log(self.quants) * np.prod(z.shape[1:])",
        "ldj - np.log(self.quants)",
        ("LDJ101",),
    ),
    Twin(
        "bits per dim without log 2",
        "return nll * np.log2(np.exp(1)) / np.prod(imgs.shape[1:])",
        "return nll / np.prod(imgs.shape[1:])",
        ("LDJ107", "LDJ114"),
    ),
    Twin(
        "the noise's sigmoid is not counted",
        "        ldj = ldj + (nn.functional.logsigmoid(u)"
        " + nn.functional.logsigmoid(-u)).sum(\n            dim=[1, 2, 3]\n        )\n",
        "",
        ("LDJ110",),
        "return torch.sigmoid(u), log_q - ldj",
    ),
    Twin(
        "log q adds the ldj of the noise's flow",
        "return torch.sigmoid(u), log_q - ldj",
        "return torch.sigmoid(u), log_q + ldj",
        ("LDJ104",),
    ),
    Twin(
        "the logit's scale is forgotten",
        "        ldj = ldj + np.log(1 - self.alpha) * np.prod(z.shape[1:])\n",
        "",
        ("LDJ110",),
        "ldj = ldj + (-torch.log(z) - torch.log(1 - z)).sum(dim=[1, 2, 3])",
    ),
    Twin(
        "the prior is averaged",
        "log_pz = self.prior.log_prob(z).sum(dim=[1, 2, 3])",
        "log_pz = self.prior.log_prob(z).mean(dim=[1, 2, 3])",
        ("LDJ105", "LDJ501"),
    ),
)
WHOLES = (
    Whole(
        "variational_dequantization",
        "ImageFlow()",
        off,
        TWINS,
        {"shape": (1, 4, 4), "domain": "int:0:255"},
        close=1e-5,  # its totals begin in single precision
    ),
)
