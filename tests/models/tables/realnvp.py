from __future__ import annotations

from typing import Any

from ..truth import draws, log_abs_det, most, normal
from ..whole import Twin, Whole


def off(model: Any) -> float:
    x = draws(1, 4, 4)
    z, ldj = model(x)
    exact = log_abs_det(lambda v: model(v)[0], x)
    back, ldj_back = model.inverse(z)
    return most(
        [
            (ldj, exact),
            (ldj_back, -exact),
            (back, x),
            (model.log_prob(x), normal(z) + exact),
        ]
    )


TWINS = (
    Twin(
        "the mask is not applied to the ldj",
        "log_det = ((1 - mask) * s).sum(dim=[1, 2, 3])\n        return z, log_det",
        "log_det = s.sum(dim=[1, 2, 3])\n        return z, log_det",
        ("LDJ113",),
    ),
    Twin(
        "mean over dims in a channel coupling",
        "return self.join(a, b), log_scale.flatten(1).sum(dim=1)\n",
        "return self.join(a, b), log_scale.flatten(1).mean(dim=1)\n",
        ("LDJ105",),
    ),
    Twin(
        "the way back reports the forward ldj",
        "log_det = -((1 - mask) * s).sum(dim=[1, 2, 3])",
        "log_det = ((1 - mask) * s).sum(dim=[1, 2, 3])",
        ("LDJ302",),
    ),
    Twin(
        "the learned scale is not in the ldj",
        "return self.join(a, b), log_scale.flatten(1).sum(dim=1)\n",
        "return self.join(a, b), torch.tanh(raw).flatten(1).sum(dim=1)\n",
        ("LDJ120", "LDJ110"),
    ),
    Twin(
        "log_prob subtracts the ldj",
        "return log_pz + log_det",
        "return log_pz - log_det",
        ("LDJ104",),
    ),
    Twin(
        "the base is averaged over dims",
        "(z**2 + math.log(2 * math.pi)).flatten(1).sum(dim=1)",
        "(z**2 + math.log(2 * math.pi)).flatten(1).mean(dim=1)",
        ("LDJ105", "LDJ501"),
    ),
    Twin(
        "only the last layer is counted",
        "x, ld = layer(x)\n            log_det = log_det + ld",
        "x, ld = layer(x)\n            log_det = ld",
        ("LDJ110",),
    ),
)
WHOLES = (Whole("realnvp", "RealNVP()", off, TWINS, {"shape": (1, 4, 4)}),)
