from __future__ import annotations

from typing import Any

from ..truth import draws, log_abs_det, most, normal, off_both_ways
from ..whole import Twin, Whole


def off(model: Any) -> float:
    return off_both_ways(model, 1.5 * draws(4, batch=8))


def off_given_context(model: Any) -> float:
    x, context = 1.5 * draws(3, batch=8), draws(2, batch=8)
    z, ldj = model(x, context)
    exact = log_abs_det(lambda v: model(v, context)[0], x)
    back, ldj_back = model.inverse(z, context)
    seen = model.embed(context)
    density = normal(model(x, seen)[0])
    density = density + log_abs_det(lambda v: model(v, seen)[0], x)
    return most(
        [
            (ldj, exact),
            (ldj_back, -exact),
            (back, x),
            (model.log_prob(x, context), density),
        ]
    )


TWINS = (
    Twin(
        "the denominator counts once, not squared",
        "torch.log(slope) - 2 * torch.log(denominator)",
        "torch.log(slope) - torch.log(denominator)",
        ("LDJ114", "LDJ120"),
    ),
    Twin(
        "delta is not squared",
        "logdet = 2 * torch.log(delta) + torch.log(slope)",
        "logdet = torch.log(delta) + torch.log(slope)",
        ("LDJ114", "LDJ120"),
    ),
    Twin(
        "the inverse is not negated",
        "        logdet = -logdet\n",
        "        logdet = logdet.clone()\n",
        ("LDJ302",),
    ),
    Twin(
        "eps in a log",
        "torch.log(slope) - 2",
        "torch.log(slope + 1e-4) - 2",
        ("LDJ117",),
    ),
    Twin(
        "a slope of the other knot",
        "2 * delta * xi1 + d0 * (1 - xi).pow(2)",
        "2 * delta * xi1 + d1 * (1 - xi).pow(2)",
        ("LDJ120",),
    ),
    Twin(
        "mean over the moved dims",
        "return torch.cat([a, b], dim=1), logdet.sum(dim=-1)",
        "return torch.cat([a, b], dim=1), logdet.mean(dim=-1)",
        ("LDJ105",),
    ),
    Twin(
        "the base has the constant of one dim",
        "0.5 * self.dim * math.log(2 * math.pi)",
        "0.5 * math.log(2 * math.pi)",
        ("LDJ101", "LDJ501"),
    ),
)
CONDITIONAL = (
    Twin(
        "the last layer overwrites the total",
        "            x = x.flip(1)\n            total += logdet",
        "            x = x.flip(1)\n            total = logdet",
        ("LDJ110",),
    ),
    Twin(
        "log_prob subtracts the ldj",
        "return base + logdet",
        "return base - logdet",
        ("LDJ104",),
    ),
    Twin(
        "the batch is summed too",
        "return torch.cat([a, b], dim=1), logdet.sum(dim=-1)",
        "return torch.cat([a, b], dim=1), logdet.sum()",
        ("LDJ106",),
    ),
    Twin(
        "the inverse subtracts what its layers say",
        "z, logdet = layer.inverse(z.flip(1), context)\n            total += logdet",
        "z, logdet = layer.inverse(z.flip(1), context)\n            total -= logdet",
        ("LDJ302", "LDJ104"),
    ),
)
WHOLES = (
    Whole("spline_coupling", "NeuralSplineFlow()", off, TWINS),
    Whole("spline_coupling", "ConditionalSplineFlow()", off_given_context, CONDITIONAL),
)
