from __future__ import annotations

from typing import Any

from ..truth import draws, log_abs_det, most, normal
from ..whole import Twin, Whole


def off(model: Any) -> float:
    x = draws(1, 4, 4)
    z, ldj = model(x)
    exact = log_abs_det(lambda v: model(v)[0], x)
    density = normal(z, log_std=model.var.abs().log()) + exact
    return most(
        [
            (ldj, exact),
            (model.reverse(z), x),
            (model.log_prob(x), density),
            (model.get_loss(x), -density.mean()),
        ]
    )


TWINS = (
    Twin(
        "the ldj of a block is averaged",
        "-xa.sum(dim=[1, 2])",
        "-xa.mean(dim=[1, 2])",
        ("LDJ105",),
    ),
    Twin(
        "the ldj of a block has the wrong sign",
        "-xa.sum(dim=[1, 2])",
        "xa.sum(dim=[1, 2])",
        ("LDJ104",),
    ),
    Twin(
        "outputs are not shifted: a patch sees itself",
        "h = torch.cat([torch.zeros_like(h[:, :1]), h[:, :-1]], dim=1)",
        "h = h * 1.0",
        ("LDJ120",),
        "return self.permute(x), -xa.sum(dim=[1, 2])",
    ),
    Twin(
        "the mask lets all patches through",
        "dtype=torch.bool, device=x.device).tril()",
        "dtype=torch.bool, device=x.device)",
        ("LDJ120",),
        "return self.permute(x), -xa.sum(dim=[1, 2])",
    ),
    Twin(
        "the prior's variance is not in its constant",
        "torch.log(2 * math.pi * var)",
        "math.log(2 * math.pi)",
        ("LDJ501",),
    ),
    Twin(
        "the prior is averaged, the ldj is summed",
        "return log_pz.sum(dim=[1, 2]) + logdets",
        "return log_pz.mean(dim=[1, 2]) + logdets",
        ("LDJ105", "LDJ501"),
    ),
    Twin(
        "a block's ldj is counted twice",
        "            x, logdet = block(x)\n            logdets = logdets + logdet",
        "            x, logdet = block(x)\n            logdets = logdets + 2 * logdet",
        ("LDJ114",),
    ),
)
WHOLES = (Whole("tarflow", "TarFlow()", off, TWINS, {"shape": (1, 4, 4)}),)
