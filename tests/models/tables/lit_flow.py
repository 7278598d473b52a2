from __future__ import annotations

import math
from typing import Any

from ..truth import draws, log_abs_det, most, normal
from ..whole import Twin, Whole


def off(model: Any) -> float:
    x = draws(1, 4, 4)
    z, ldj = model(x)
    exact = log_abs_det(lambda v: model(v)[0], x)
    nll = -(normal(z) + exact)
    bits = model.validation_step((x, None), 0)
    return most(
        [
            (ldj, exact),
            (model.nll(x), nll),
            (bits * 16 * math.log(2), nll.mean()),
            (model.training_step((x, None), 0), nll.mean()),
        ]
    )


TWINS = (
    Twin(
        "actnorm forgets the pixels",
        "self.logs.sum() * h * w",
        "self.logs.sum()",
        ("LDJ102",),
    ),
    Twin(
        "the 1x1 convolution forgets the pixels",
        "torch.slogdet(self.weight)[1] * pixels",
        "torch.slogdet(self.weight)[1]",
        ("LDJ102",),
    ),
    Twin(
        "nll adds the ldj",
        "return prior - logdet",
        "return prior + logdet",
        ("LDJ104",),
    ),
    Twin(
        "the prior is averaged, the ldj is summed",
        "(z**2 + math.log(2 * math.pi)).sum(dim=(1, 2, 3))",
        "(z**2 + math.log(2 * math.pi)).mean(dim=(1, 2, 3))",
        ("LDJ105", "LDJ501"),
    ),
    Twin(
        "the coupling averages over pixels",
        "logdet = logdet + torch.log(scale).sum(dim=(1, 2, 3))",
        "logdet = logdet + torch.log(scale).sum(dim=1).mean(dim=(1, 2))",
        ("LDJ105",),
    ),
    Twin(
        "the determinant is not logged",
        "torch.slogdet(self.weight)[1] * pixels",
        "torch.det(self.weight).abs() * pixels",
        ("LDJ108",),
    ),
    Twin(
        "the coupling loses the ldj before it",
        "logdet = logdet + torch.log(scale).sum(dim=(1, 2, 3))",
        "logdet = torch.log(scale).sum(dim=(1, 2, 3))",
        ("LDJ204", "LDJ110"),
    ),
)
SQUARE = {"shape": (1, 4, 4)}
LOSS = (
    Twin(
        "bits per dim of the validation without log 2",
        "bpd = self.nll(x).mean() / (math.log(2) * x[0].numel())",
        "bpd = self.nll(x).mean() / x[0].numel()",
        ("LDJ107", "LDJ114"),
    ),
)
WHOLES = (Whole("lit_flow", "LitFlow()", off, (*TWINS, *LOSS), SQUARE),)
