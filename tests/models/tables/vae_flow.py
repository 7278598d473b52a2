from __future__ import annotations

from typing import Any

import torch

from ..truth import draws, log_abs_det, most, normal, under_seed
from ..whole import Twin, Whole


def off(model: Any) -> float:
    """Hold q(z | x) against the map from the noise, and the ELBO against its parts."""
    x = draws(5)
    z, log_q = under_seed(lambda: model.encode(x))
    eps = under_seed(lambda: torch.randn(3, 2, dtype=torch.float64))

    def sample(noise: Any) -> Any:
        h = model.encoder(x)
        value = model.to_mu(h) + (0.5 * model.to_log_var(h)).exp() * noise
        for flow in model.flows:
            value = flow(value)[0]
        return value

    exact = normal(eps) - log_abs_det(sample, eps)
    mean, log_var = model.decoder(sample(eps)).chunk(2, -1)
    elbo = normal(x, mean, log_var / 2) + normal(sample(eps)) - exact
    return most(
        [
            (z, sample(eps)),
            (log_q, exact),
            (under_seed(lambda: model.elbo(x)), elbo),
            (under_seed(lambda: model(x)), -elbo.mean()),
        ]
    )


TWINS = (
    Twin(
        "log q adds the ldj",
        "log_q = log_q - log_det",
        "log_q = log_q + log_det",
        ("LDJ104",),
    ),
    Twin(
        "psi has tanh, not its square",
        "psi = (1 - torch.tanh(lin) ** 2)",
        "psi = (1 - torch.tanh(lin))",
        ("LDJ120",),
    ),
    Twin(
        "the normal has no log-variance",
        "(math.log(2 * math.pi) + log_var + (z - mean) ** 2",
        "(math.log(2 * math.pi) + (z - mean) ** 2",
        ("LDJ110",),
    ),
    Twin(
        "the density is taken of the variance as a deviation",
        "log_q = log_normal(z, mu, log_var)",
        "log_q = log_normal(z, mu, 0.5 * log_var)",
        ("LDJ112", "LDJ120", "LDJ114"),
    ),
    Twin(
        "the ldj takes u as it is, not u_hat",
        "torch.log(torch.abs(1 + psi @ u))",
        "torch.log(torch.abs(1 + psi @ self.u))",
        ("LDJ112", "LDJ120"),
    ),
    Twin(
        "the flows are not counted",
        "            log_q = log_q - log_det\n        return z, log_q",
        "        return z, log_q",
        ("LDJ110",),
        "log_q = log_normal(z, mu, log_var)",
    ),
    Twin(
        "the ELBO adds log q",
        "return log_px + log_pz - log_q",
        "return log_px + log_pz + log_q",
        ("LDJ104",),
    ),
)
WHOLES = (Whole("vae_flow", "FlowVAE()", off, TWINS),)
