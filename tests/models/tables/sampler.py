from __future__ import annotations

from typing import Any

import torch

from ..truth import log_abs_det, most, normal, under_seed
from ..whole import Twin, Whole


def off(model: Any) -> float:
    eps = under_seed(lambda: torch.randn(3, 4, dtype=torch.float64))
    theta, log_q = under_seed(lambda: model.rsample_and_log_prob(3))

    def sample(noise: Any) -> Any:
        x = model.loc + model.log_scale.exp() * noise
        for flow in model.flows:
            x = flow(x)[0].flip(1)
        return torch.cat([x[:, :1].exp(), x[:, 1:2].sigmoid(), x[:, 2:]], 1)

    exact = normal(eps) - log_abs_det(sample, eps)
    return most([(theta, sample(eps)), (log_q, exact)])


TWINS = (
    Twin(
        "the flows are added",
        "log_q = log_q - ldj",
        "log_q = log_q + ldj",
        ("LDJ104",),
    ),
    Twin(
        "the support's Jacobian is forgotten",
        "return theta, log_q - log_jac",
        "return theta, log_q",
        ("LDJ110",),
    ),
    Twin(
        "the support's Jacobian has the wrong sign",
        "return theta, log_q - log_jac",
        "return theta, log_q + log_jac",
        ("LDJ104",),
    ),
    Twin(
        "the scale of the base is forgotten",
        ".sum(1) - self.log_scale.sum()",
        ".sum(1)",
        ("LDJ110",),
    ),
    Twin(
        "the base has no constant",
        "(eps**2 + math.log(2 * math.pi)).sum(1)",
        "(eps**2).sum(1)",
        ("LDJ110", "LDJ501"),
    ),
    Twin(
        "the scale of the base is averaged",
        ".sum(1) - self.log_scale.sum()",
        ".sum(1) - self.log_scale.mean()",
        ("LDJ105",),
    ),
    Twin(
        "half of the sigmoid's derivative",
        "(F.logsigmoid(unit) + F.logsigmoid(-unit)).sum(1)",
        "F.logsigmoid(unit).sum(1)",
        ("LDJ110", "LDJ120"),
    ),
    Twin(
        "the batch is summed too",
        "log_q = log_q - ldj",
        "log_q = log_q - ldj.sum()",
        ("LDJ106",),
    ),
)
WHOLES = (Whole("sampler", "Guide()", off, TWINS),)
