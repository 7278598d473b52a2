from __future__ import annotations

import math
from typing import Any

import torch

from ..truth import draws, log_abs_det, most, normal
from ..whole import Twin, Whole


def off(model: Any) -> float:
    x = draws(4)

    def latent(v: Any) -> Any:
        return model.flow(model.preprocess(v)[0])[0]

    exact = log_abs_det(latent, x)
    return most([(model.log_prob(x), normal(latent(x)) + exact)])


def off_of_pixels(model: Any) -> float:
    x = 255 * torch.rand(3, 1, 2, 3, dtype=torch.float64) + 0.5

    def latent(v: Any) -> Any:
        return model.flow(model.logit_transform(v)[0].flatten(1))[0]

    exact = normal(latent(x)) + log_abs_det(latent, x)
    nats = 6 * math.log(2)
    return most(
        [
            (model.log_prob(x), exact),
            (model.bits_per_dim(x) * nats, -exact),
            (model(x) * nats, -exact.mean()),
        ]
    )


TWINS = (
    Twin(
        "the standardisation is not counted",
        "        ldj = ldj - self.std.log().sum()\n",
        "",
        ("LDJ110",),
        "return x, ldj",
    ),
    Twin(
        "the standardisation has the wrong sign",
        "ldj = ldj - self.std.log().sum()",
        "ldj = ldj + self.std.log().sum()",
        ("LDJ104",),
    ),
    Twin(
        "the standard deviations are averaged",
        "ldj = ldj - self.std.log().sum()",
        "ldj = ldj - self.std.log().mean()",
        ("LDJ105",),
    ),
    Twin(
        "all of the preprocessing is forgotten",
        "return std_normal_logprob(z).sum(1) + ldj + ldj_pre",
        "return std_normal_logprob(z).sum(1) + ldj",
        ("LDJ110",),
    ),
    Twin(
        "the slope of softplus is forgotten",
        "ldj = -F.softplus(x[:, :k]).log().sum(1) + F.logsigmoid(x[:, :k]).sum(1)",
        "ldj = -F.softplus(x[:, :k]).log().sum(1)",
        ("LDJ110",),
    ),
    Twin(
        "standardisation is by the variance in the ldj",
        "ldj = ldj - self.std.log().sum()",
        "ldj = ldj - self.std.pow(2).log().sum()",
        ("LDJ114",),
    ),
)
PIXELS = (
    Twin(
        "bits per dim without log 2",
        "return -self.log_prob(x) / (self.dim * math.log(2))",
        "return -self.log_prob(x) / self.dim",
        ("LDJ107", "LDJ114"),
    ),
    Twin(
        "bits per dim without the number of dims",
        "return -self.log_prob(x) / (self.dim * math.log(2))",
        "return -self.log_prob(x) / math.log(2)",
        ("LDJ103", "LDJ114", "LDJ101"),
    ),
    Twin(
        "the logit is not counted",
        "return std_normal_logprob(z).sum(1) + logdet + logdet_pre",
        "return std_normal_logprob(z).sum(1) + logdet",
        ("LDJ110",),
    ),
    Twin(
        "the squeeze by alpha is not counted",
        " + math.log(1 - 2 * self.alpha) - math.log(256)",
        " - math.log(256)",
        ("LDJ110",),
    ),
    Twin(
        "the derivative of the logit at x, not at s",
        "logdet = -torch.log(s - s * s)",
        "logdet = -torch.log(x - x * x)",
        ("LDJ112",),
    ),
    Twin(
        "256 counts once, not per dim",
        " + math.log(1 - 2 * self.alpha) - math.log(256)\n"
        "        return y, logdet.flatten(1).sum(1)",
        " + math.log(1 - 2 * self.alpha)\n"
        "        return y, logdet.flatten(1).sum(1) - math.log(256)",
        ("LDJ101",),
    ),
    Twin(
        "the base is averaged in the likelihood",
        "return std_normal_logprob(z).sum(1) + logdet + logdet_pre",
        "return std_normal_logprob(z).mean(1) + logdet + logdet_pre",
        ("LDJ105", "LDJ501"),
    ),
)
WHOLES = (
    Whole("preprocessing", "TabularFlow()", off, TWINS),
    Whole(
        "preprocessing",
        "LogitImageFlow()",
        off_of_pixels,
        PIXELS,
        {"shape": (1, 2, 3), "domain": "interval:0:256"},
    ),
)
