from __future__ import annotations

from typing import Any

from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from ..truth import draws, log_abs_det, most, normal
from ..whole import Twin, Whole


def _latent(model: Any, x: Any) -> Any:
    for flow in reversed(model.flows):
        x = flow.inverse(x)[0]
    return x


def off(model: Any) -> float:
    x = draws(3)
    base = MixtureSameFamily(
        Categorical(logits=model.q0.weight_scores),
        Independent(Normal(model.q0.loc, model.q0.log_scale.exp()), 1),
    )
    exact = log_abs_det(lambda v: _latent(model, v), x)
    density = base.log_prob(_latent(model, x)) + exact
    return most([(model.log_prob(x), density), (model.forward_kld(x), -density.mean())])


def off_given_context(model: Any) -> float:
    x, context = draws(3), draws(2)
    mean, log_std = model.base.encoder(context).chunk(2, -1)
    exact = log_abs_det(lambda v: _latent(model, v), x)
    density = normal(_latent(model, x), mean, log_std) + exact
    return most([(model.log_prob(x, context), density)])


TWINS = (
    Twin(
        "the mixture's weights are added as they are",
        "+ torch.log(weights)",
        "+ weights",
        ("LDJ501",),
        "return torch.logsumexp(log_p, 1)",
    ),
    Twin(
        "the mixture's scales are forgotten",
        "            - torch.sum(self.log_scale, 1)\n",
        "",
        ("LDJ501",),
        "return torch.logsumexp(log_p, 1)",
    ),
    Twin(
        "the mean of the components' log-densities",
        "return torch.logsumexp(log_p, 1)",
        "return torch.mean(log_p, 1)",
        ("LDJ501",),
    ),
    Twin(
        "a coupling's scale has the wrong sign",
        "log_det = -torch.sum(torch.log(scale), dim=1)",
        "log_det = torch.sum(torch.log(scale), dim=1)",
        ("LDJ104",),
    ),
    Twin(
        "the log of the diagonal before softplus",
        "log_det = diag.log().sum()",
        "log_det = self.diag.abs().log().sum()",
        ("LDJ112", "LDJ120"),
    ),
    Twin(
        "the base is counted for each flow",
        "            log_q += log_det\n        log_q += self.q0.log_prob(z)",
        "            log_q += log_det\n            log_q += self.q0.log_prob(z)",
        ("LDJ111", "LDJ501"),
    ),
)
CONDITIONAL = (
    Twin(
        "the base's scale has the wrong sign",
        "            log_scale + 0.5 * torch.pow",
        "            -log_scale + 0.5 * torch.pow",
        ("LDJ501", "LDJ104"),
    ),
    Twin(
        "the base has no factor of a half",
        "log_scale + 0.5 * torch.pow(",
        "log_scale + torch.pow(",
        ("LDJ501",),
    ),
    Twin(
        "the constant of one dim",
        "-0.5 * self.dim * math.log(2 * math.pi) - torch.sum",
        "-0.5 * math.log(2 * math.pi) - torch.sum",
        ("LDJ501", "LDJ101"),
    ),
    Twin(
        "log_prob subtracts the ldj",
        "return self.base.log_prob(noise, context) + logabsdet",
        "return self.base.log_prob(noise, context) - logabsdet",
        ("LDJ104",),
    ),
)
WHOLES = (
    Whole("learned_bases", "MixtureFlow()", off, TWINS),
    Whole("learned_bases", "ConditionalBaseFlow()", off_given_context, CONDITIONAL),
)
