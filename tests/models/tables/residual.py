from __future__ import annotations

from typing import Any

import torch

from ..truth import draws, log_abs_det, most, normal
from ..whole import Twin, Whole


def off(model: Any) -> float:
    x = draws(2)
    z, ldj = model(x)
    exact = log_abs_det(lambda v: model(v)[0], x)
    return most(
        [(ldj, exact), (model.log_prob(x), normal(z) + exact), (model.inverse(z), x)]
    )


def off_on_average(model: Any) -> float:
    """Average many draws: an estimate's own spread is about 1, so this tells 0.02."""
    x = draws(2)
    exact = log_abs_det(lambda v: model(v)[0], x)
    many = x.repeat_interleave(400, 0)
    means = torch.stack([model(many)[1].detach() for _ in range(60)]).mean(0)
    said = means.reshape(len(x), 400).mean(1)
    z, _ = model(x)
    density = torch.stack([model.log_prob(many).detach() for _ in range(60)]).mean(0)
    return most(
        [(said, exact), (density.reshape(len(x), 400).mean(1), normal(z) + exact)]
    )


TWINS = (
    Twin(
        "no 1 / k in the series",
        "(-1) ** (k + 1) * batch_trace(power) / k",
        "(-1) ** (k + 1) * batch_trace(power)",
        ("LDJ120", "LDJ199"),
    ),
    Twin(
        "the sign does not alternate",
        "logdet + (-1) ** (k + 1) * batch_trace(power) / k",
        "logdet + batch_trace(power) / k",
        ("LDJ104", "LDJ120"),
    ),
    Twin(
        "the series begins at the second power",
        "logdet = batch_trace(jac)\n",
        "logdet = torch.zeros_like(jac[:, 0, 0])\n",
        ("LDJ110",),
    ),
    Twin(
        "two terms only",
        "n_terms=25",
        "n_terms=2",
        ("LDJ120", "LDJ199", "LDJ110"),
        "for k in range(2, self.n_terms + 1)",
    ),
    Twin(
        "the diagonal is averaged",
        "return m.diagonal(dim1=1, dim2=2).sum(dim=1)",
        "return m.diagonal(dim1=1, dim2=2).mean(dim=1)",
        ("LDJ105",),
    ),
    Twin(
        "the last scale has the wrong sign",
        "logdet + self.log_scale.sum()",
        "logdet - self.log_scale.sum()",
        ("LDJ104",),
    ),
    Twin(
        "log_prob subtracts the ldj",
        "z, logdet = self.forward(x)\n"
        "        logpz = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(dim=1)\n"
        "        return logpz + logdet\n\n\nclass RouletteBlock",
        "z, logdet = self.forward(x)\n"
        "        logpz = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(dim=1)\n"
        "        return logpz - logdet\n\n\nclass RouletteBlock",
        ("LDJ104",),
    ),
)
ROULETTE = (
    Twin(
        "the roulette's weights are forgotten",
        "coeff = (-1) ** (k + 1) / k / self.survival(k)",
        "coeff = (-1) ** (k + 1) / k",
        ("LDJ120", "LDJ199"),
    ),
    Twin(
        "no 1 / k in the series",
        "coeff = (-1) ** (k + 1) / k / self.survival(k)",
        "coeff = (-1) ** (k + 1) / self.survival(k)",
        ("LDJ120", "LDJ199"),
    ),
    Twin(
        "the sign does not alternate",
        "coeff = (-1) ** (k + 1) / k / self.survival(k)",
        "coeff = 1 / k / self.survival(k)",
        ("LDJ120", "LDJ104", "LDJ199"),
    ),
    Twin(
        "the products are averaged over dims",
        "coeff * (w * v).sum(dim=1)",
        "coeff * (w * v).mean(dim=1)",
        ("LDJ105",),
    ),
    Twin(
        "the whole series has the wrong sign",
        "coeff = (-1) ** (k + 1) / k / self.survival(k)",
        "coeff = (-1) ** k / k / self.survival(k)",
        ("LDJ104",),
    ),
)
WHOLES = (
    Whole("residual", "ResidualFlow()", off, TWINS),
    Whole("residual", "StochasticResidualFlow()", off_on_average, ROULETTE, close=0.02),
)
