from __future__ import annotations

from typing import Any

import torch

from ..truth import draws, jacobians, log_abs_det, most, normal
from ..whole import Twin, Whole


def off(model: Any) -> float:
    x = draws(3, 3)
    z, ldj = model(x)
    exact = log_abs_det(lambda v: model(v)[0], x)
    return most([(ldj, exact), (model.log_prob(x), normal(z) + exact)])


def off_centred(model: Any) -> float:
    """Take the Jacobian in an orthonormal basis of what has its centre at 0: 6 of 9 dims."""
    x = draws(3, 3)
    x = x - x.mean(1, keepdim=True)
    turned = torch.linalg.qr(
        torch.cat([torch.ones(3, 1), torch.randn(3, 2)], 1).double()
    )[0]
    basis = torch.kron(turned[:, 1:].contiguous(), torch.eye(3).double())
    full = jacobians(lambda v: model(v)[0], x)
    inner = torch.einsum("ia,bij,jc->bac", basis, full, basis)
    exact = torch.linalg.slogdet(inner)[1]
    z, ldj = model(x)
    density = normal(z.flatten(1) @ basis) + exact
    return most([(ldj, exact), (model.log_prob(x), density)])


def off_integrated(model: Any) -> float:
    model.n_steps = 60
    x = draws(3, 3)
    return most([(model(x)[1], log_abs_det(lambda v: model(v)[0], x))])


TWINS = (
    Twin(
        "the scale counts for all dims, the radius too",
        "(self.dof - 1) * torch.log(scale)",
        "self.dof * torch.log(scale)",
        ("LDJ103",),
    ),
    Twin(
        "the scale counts once",
        "(self.dof - 1) * torch.log(scale)",
        "torch.log(scale)",
        ("LDJ101", "LDJ103"),
    ),
    Twin(
        "the inner derivative is forgotten",
        "1 + k * (1 - torch.tanh(r / self.c.exp()) ** 2) / self.c.exp()",
        "1 + k * (1 - torch.tanh(r / self.c.exp()) ** 2)",
        ("LDJ120",),
    ),
    Twin(
        "the slope is not logged",
        "torch.log(df) + (self.dof - 1)",
        "df + (self.dof - 1)",
        ("LDJ108",),
    ),
    Twin(
        "log_prob subtracts the ldj",
        "return log_pz + delta_logp",
        "return log_pz - delta_logp",
        ("LDJ104",),
    ),
)
CENTRED = (
    Twin(
        "the layers count N D dims, not (N - 1) D",
        "        self.dof = (n_particles - 1) * n_dims\n"
        "        self.layers = nn.ModuleList(RadialScaling(self.dof)",
        "        self.dof = (n_particles - 1) * n_dims\n"
        "        self.layers = nn.ModuleList(RadialScaling(n_particles * n_dims)",
        ("LDJ103",),
        "(self.dof - 1) * torch.log(scale)",
    ),
    Twin(
        "the constant of the base is that of N D dims",
        "        self.dof = (n_particles - 1) * n_dims\n"
        "        self.layers = nn.ModuleList(RadialScaling(self.dof)",
        "        self.layers = nn.ModuleList(RadialScaling(self.dof - n_dims)",
        ("LDJ501", "LDJ103"),
        "log_pz = -0.5 * z.square().sum(dim=(1, 2))",
    ),
    Twin(
        "log_prob subtracts the ldj",
        "return log_pz + delta_logp",
        "return log_pz - delta_logp",
        ("LDJ104",),
    ),
    Twin(
        "the slope is not logged",
        "torch.log(df) + (self.dof - 1)",
        "df + (self.dof - 1)",
        ("LDJ108",),
    ),
)
INTEGRATED = (
    Twin(
        "the divergence lacks the dims' factor",
        "(dims * phi + d * dphi)",
        "(phi + d * dphi)",
        ("LDJ101", "LDJ103", "LDJ120"),
    ),
    Twin(
        "the divergence lacks the derivative of phi",
        "(dims * phi + d * dphi)",
        "(dims * phi)",
        ("LDJ110", "LDJ120"),
    ),
    Twin(
        "the last stage counts twice",
        "dt / 6 * (d1 + 2 * d2 + 2 * d3 + d4)",
        "dt / 6 * (d1 + 2 * d2 + 2 * d3 + 2 * d4)",
        ("LDJ114",),
    ),
    Twin(
        "minus the divergence",
        "return force, divergence",
        "return force, -divergence",
        ("LDJ104",),
    ),
    Twin(
        "dt is forgotten",
        "dt / 6 * (d1 + 2 * d2 + 2 * d3 + d4)",
        "(d1 + 2 * d2 + 2 * d3 + d4) / 6",
        ("LDJ114",),
    ),
)
SHAPE = {"shape": (3, 3)}
WHOLES = (
    Whole("particles", "ParticleFlow()", off, TWINS, SHAPE),
    Whole("particles", "CentredParticleFlow()", off_centred, CENTRED, SHAPE),
    Whole("particles", "EquivariantCNF()", off_integrated, INTEGRATED, SHAPE),
)
