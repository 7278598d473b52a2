from __future__ import annotations

from typing import Any

from ..truth import draws, off_both_ways
from ..whole import Twin, Whole


def off(model: Any) -> float:
    return off_both_ways(model, draws(1, 4, 4))


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
