from __future__ import annotations

from typing import Any

from ..truth import draws, log_abs_det, most, normal
from ..whole import Twin, Whole


def off(model: Any) -> float:
    x = draws(3)
    z, ldj = model(x)
    exact = log_abs_det(lambda v: model(v)[0], x)
    back, ldj_back = model(z, mode="inverse")
    return most(
        [
            (ldj[:, 0], exact),
            (ldj_back[:, 0], -exact),
            (back, x),
            (model.log_probs(x)[:, 0], normal(z) + exact),
        ]
    )


TWINS = (
    Twin(
        "batch norm's ldj with the variance, not its root",
        "(self.log_gamma - 0.5 * torch.log(var)).sum()",
        "(self.log_gamma - torch.log(var)).sum()",
        ("LDJ114",),
    ),
    Twin(
        "batch norm's gamma is not counted",
        "(self.log_gamma - 0.5 * torch.log(var)).sum()",
        "(-0.5 * torch.log(var)).sum()",
        ("LDJ110",),
    ),
    Twin(
        "MADE reports the other direction's sign",
        "return u, -a.sum(-1, keepdim=True)",
        "return u, a.sum(-1, keepdim=True)",
        ("LDJ104",),
    ),
    Twin(
        "the way back of batch norm is not negated",
        "return x_hat * var.sqrt() + mean, -log_det",
        "return x_hat * var.sqrt() + mean, log_det",
        ("LDJ302",),
    ),
    Twin(
        "mean over dims in MADE",
        "return u, -a.sum(-1, keepdim=True)",
        "return u, -a.mean(-1, keepdim=True)",
        ("LDJ105",),
    ),
    Twin(
        "the base has no constant",
        "(-0.5 * u.pow(2) - 0.5 * math.log(2 * math.pi)).sum(",
        "(-0.5 * u.pow(2)).sum(",
        ("LDJ501",),
    ),
    Twin(
        "batch norm counts the mean of its dims",
        "(self.log_gamma - 0.5 * torch.log(var)).sum()",
        "(self.log_gamma - 0.5 * torch.log(var)).mean()",
        ("LDJ105",),
    ),
)
WHOLES = (Whole("maf", "MAF()", off, TWINS),)
