from __future__ import annotations

import math
from typing import Any

import torch
from torch.nn.functional import pixel_unshuffle

from ..truth import draws, log_abs_det, most, normal
from ..whole import Twin, Whole


def off(model: Any) -> float:
    x, label = draws(1, 4, 4), torch.tensor([0, 1, 2])

    def latents(v: Any) -> Any:
        out = model.block1(pixel_unshuffle(v, 2), label)[0]
        kept, dropped = out.chunk(2, 1)
        return dropped, model.block2(pixel_unshuffle(kept, 2), label)[0], kept

    exact = log_abs_det(lambda v: latents(v)[:2], x)
    z1, z2, kept = latents(x)
    mean, logs = model.split.prior(kept).chunk(2, 1)
    top_mean = model.top_mean(label)[:, :, None, None]
    top_logs = model.top_logs(label)[:, :, None, None]
    density = normal(z1, mean, logs) + normal(z2, top_mean, top_logs) + exact
    nats = 16 * math.log(2)
    return most(
        [
            (model.nll(x, label), -density),
            (model(x, label)[0], density),
            (model.bits_per_dim(x, label) * nats, -density),
        ]
    )


def off_collected(model: Any) -> float:
    x, label = draws(1, 4, 4), torch.tensor([0, 1, 2])
    exact = log_abs_det(lambda v: model(v, label)[0], x)
    zs, ldj = model(x, label)
    density = exact + sum(
        normal(
            z, prior.mean(label)[..., None, None], prior.logs(label)[..., None, None]
        )
        for z, prior in zip(zs, model.priors, strict=True)
    )
    return most([(ldj, exact), (model.log_prob(x, label), density)])


TWINS = (
    Twin(
        "the 1x1 convolution counts the width alone",
        "logdet = height * width * torch.sum(self.w_s)",
        "logdet = width * torch.sum(self.w_s)",
        ("LDJ102", "LDJ103"),
    ),
    Twin(
        "the diagonal's log is taken twice",
        "logdet = height * width * torch.sum(self.w_s)",
        "logdet = height * width * torch.sum(torch.log(torch.abs(self.w_s)))",
        ("LDJ112", "LDJ120"),
    ),
    Twin(
        "the prior of what is kept, not of what is dropped",
        "return kept, dropped, gaussian_logp(dropped, mean, logs)",
        "return kept, dropped, gaussian_logp(kept, mean, logs)",
        ("LDJ501",),
    ),
    Twin(
        "the density of the dropped half is lost",
        "log_p = log_p + gaussian_logp(out, mean, logs)",
        "log_p = gaussian_logp(out, mean, logs)",
        ("LDJ501", "LDJ110"),
    ),
    Twin(
        "the normal's scale has the wrong sign",
        "(LOG_2PI + 2 * logs + (x - mean)",
        "(LOG_2PI - 2 * logs + (x - mean)",
        ("LDJ501", "LDJ104"),
    ),
    Twin(
        "the coupling is averaged",
        "logdet = torch.sum(torch.log(s).reshape(x.shape[0], -1), 1)",
        "logdet = torch.mean(torch.log(s).reshape(x.shape[0], -1), 1)",
        ("LDJ105",),
    ),
    Twin(
        "bits per dim without log 2",
        "return self.nll(x, label) / (math.log(2) * x[0].numel())",
        "return self.nll(x, label) / x[0].numel()",
        ("LDJ107", "LDJ114"),
    ),
)
COLLECTED = (
    Twin(
        "actnorm forgets the pixels",
        "logdet = height * width * torch.sum(log_abs)",
        "logdet = torch.sum(log_abs)",
        ("LDJ102",),
    ),
    Twin(
        "the density of the first level is lost",
        "            log_p = log_p + prior.log_prob(z, label)\n",
        "            log_p = prior.log_prob(z, label)\n",
        ("LDJ501", "LDJ110"),
    ),
    Twin(
        "the last level alone is counted",
        "            logdet = logdet + det\n            if i",
        "            logdet = det\n            if i",
        ("LDJ110",),
    ),
    Twin(
        "log_prob subtracts the ldj",
        "            log_p = log_p + prior.log_prob(z, label)\n        return log_p + logdet",
        "            log_p = log_p + prior.log_prob(z, label)\n        return log_p - logdet",
        ("LDJ104",),
    ),
)
SHAPE = {"shape": {"x": (1, 4, 4)}}
WHOLES = (
    Whole("class_glow", "ClassGlow()", off, TWINS, SHAPE),
    Whole("class_glow", "CollectingGlow()", off_collected, COLLECTED, SHAPE),
)
