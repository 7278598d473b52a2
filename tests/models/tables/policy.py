from __future__ import annotations

from typing import Any

import torch

from ..truth import draws, jacobians, log_abs_det, most, normal, under_seed
from ..whole import Twin, Whole


def off(model: Any) -> float:
    obs = draws(4)
    normal_of = model.distribution(obs)
    mu, log_std = normal_of.mean.detach(), normal_of.stddev.detach().log()
    action, logp = under_seed(lambda: model(obs))
    eps = under_seed(lambda: torch.randn(3, 2, dtype=torch.float64))

    def act(noise: Any) -> Any:
        return 2.0 * torch.tanh(mu + log_std.exp() * noise)

    exact = normal(eps) - log_abs_det(act, eps)
    pre = 0.5 * draws(2)
    taken = 2.0 * torch.tanh(pre)
    slope = jacobians(lambda v: 2.0 * torch.tanh(v), pre)
    density = normal(pre, mu, log_std) - torch.linalg.slogdet(slope)[1]
    return most(
        [(action, act(eps)), (logp, exact), (model.log_prob(obs, taken), density)]
    )


TWINS = (
    Twin(
        "the correction of tanh has the wrong sign",
        "logp -= (2 * (math.log(2) - u",
        "logp += (2 * (math.log(2) - u",
        ("LDJ104",),
    ),
    Twin(
        "the log 2 of the correction is missing",
        "(2 * (math.log(2) - u - F.softplus(-2 * u)))",
        "(2 * (-u - F.softplus(-2 * u)))",
        ("LDJ110", "LDJ120"),
    ),
    Twin(
        "the action's limit is not counted",
        "        logp -= self.act_dim * math.log(self.act_limit)\n",
        "",
        ("LDJ110",),
        "return self.act_limit * torch.tanh(u), logp",
    ),
    Twin(
        "the limit counts once, not per dim",
        "logp -= self.act_dim * math.log(self.act_limit)",
        "logp -= math.log(self.act_limit)",
        ("LDJ101",),
    ),
    Twin(
        "the correction with eps in the log, of the action",
        "logp -= (2 * (math.log(2) - u - F.softplus(-2 * u))).sum(dim=-1)",
        "logp -= torch.log(1 - torch.tanh(u).pow(2) + 1e-6).sum(dim=-1)",
        ("LDJ117",),
    ),
    Twin(
        "tanh is applied twice in the correction",
        "logp -= (2 * (math.log(2) - u - F.softplus(-2 * u))).sum(dim=-1)",
        "a = torch.tanh(u)\n"
        "        logp -= torch.log(1 - torch.tanh(a).pow(2)).sum(dim=-1)",
        ("LDJ112",),
    ),
    Twin(
        "the log-probability is averaged over dims",
        "logp = pi.log_prob(u).sum(dim=-1)",
        "logp = pi.log_prob(u).mean(dim=-1)",
        ("LDJ105",),
    ),
)
DENSITY = (
    Twin(
        "log_prob takes the root",
        "- torch.log(1 - a.pow(2))",
        "- 0.5 * torch.log(1 - a.pow(2))",
        ("LDJ114",),
    ),
    Twin(
        "log_prob corrects at the scaled action",
        "- torch.log(1 - a.pow(2))",
        "- torch.log(1 - (action / 4).pow(2))",
        ("LDJ112", "LDJ120"),
    ),
    Twin(
        "log_prob adds the correction",
        "- torch.log(1 - a.pow(2))",
        "+ torch.log(1 - a.pow(2))",
        ("LDJ104",),
    ),
    Twin(
        "log_prob forgets the limit",
        "return logp.sum(dim=-1) - self.act_dim * math.log(self.act_limit)",
        "return logp.sum(dim=-1)",
        ("LDJ110",),
    ),
)
WHOLES = (Whole("policy", "SquashedGaussianActor()", off, (*TWINS, *DENSITY)),)
