from __future__ import annotations

from typing import Any

from ..truth import draws, log_abs_det, most, normal
from ..whole import Twin, Whole


def off(model: Any) -> float:
    """Take many more steps: then the trace's integral is the ldj of the steps taken."""
    model.n_steps = 60
    return _off(model)


def off_of_euler(model: Any) -> float:
    model.n_steps = 400
    return _off(model)


def _off(model: Any) -> float:
    x = draws(2)
    z, ldj = model(x)
    exact = log_abs_det(lambda v: model(v)[0], x)
    _, ldj_back = model(z, reverse=True)
    return most(
        [(ldj, exact), (ldj_back, -exact), (model.log_prob(x), normal(z) + exact)]
    )


def off_on_average(model: Any) -> float:
    model.n_steps = 10
    x = draws(2)
    exact = log_abs_det(lambda v: model(v)[0], x)
    many = x.repeat_interleave(4000, 0)
    z, ldj = model(many)
    density = (model.log_prob(many) - normal(z)).reshape(3, -1).mean(1)
    return most([(ldj.reshape(3, -1).mean(1), exact), (density, exact)])


TWINS = (
    Twin(
        "the change has the other sign in log_prob",
        "return logpz + logdet",
        "return logpz - logdet",
        ("LDJ104",),
    ),
    Twin(
        "dt is forgotten for the trace",
        "        s + h / 6 * (a + 2 * b + 2 * c + d)\n"
        "        for s, a, b, c, d in zip(state, k1, k2, k3, k4)\n",
        "        s + g / 6 * (a + 2 * b + 2 * c + d)\n"
        "        for s, g, a, b, c, d in zip(state, (h, 1.0), k1, k2, k3, k4)\n",
        ("LDJ114", "LDJ120"),
    ),
    Twin(
        "the dynamics return minus the trace",
        "return dy, div",
        "return dy, -div",
        ("LDJ104",),
    ),
    Twin(
        "the trace has the diagonal of the first dim only",
        "for i in range(y.shape[1]):",
        "for i in range(1):",
        ("LDJ120", "LDJ110", "LDJ199"),
    ),
    Twin(
        "the trace sums all entries",
        "create_graph=True)[0][:, i]",
        "create_graph=True)[0].sum(1)",
        ("LDJ120", "LDJ199"),
    ),
    Twin(
        "the base has the constant of one dim",
        "- 0.5 * self.dim * math.log(2 * math.pi)",
        "- 0.5 * math.log(2 * math.pi)",
        ("LDJ101", "LDJ501"),
    ),
    Twin(
        "the way back reports the forward change",
        "        z, logdet = state\n        return z, logdet",
        "        z, logdet = state\n        return z, -logdet if reverse else logdet",
        ("LDJ302",),
    ),
)
EULER = (
    Twin(
        "the change has the other sign",
        "        z, logdet = state\n        return z, logdet",
        "        z, logdet = state\n        return z, -logdet",
        ("LDJ104",),
    ),
    Twin(
        "dt is forgotten for the trace",
        "return tuple(s + h * ds for s, ds in zip(state, func(t, state)))",
        "dy, div = func(t, state)\n    return state[0] + h * dy, state[1] + div",
        ("LDJ114", "LDJ120"),
    ),
    Twin(
        "the trace is averaged over dims",
        "return dy, div",
        "return dy, div / self.dim",
        ("LDJ105", "LDJ114", "LDJ103"),
    ),
    Twin(
        "log_prob counts the base on average",
        "logpz = -0.5 * (z**2).sum(dim=1) - 0.5 * self.dim * math.log(2 * math.pi)",
        "logpz = -0.5 * (z**2).mean(dim=1) - 0.5 * math.log(2 * math.pi)",
        ("LDJ105", "LDJ501"),
    ),
)
HUTCHINSON = (
    Twin(
        "the change has the other sign in log_prob",
        "return logpz + logdet",
        "return logpz - logdet",
        ("LDJ104",),
    ),
    Twin(
        "the products are averaged over dims",
        "return (e_dydx * e).sum(dim=1)",
        "return (e_dydx * e).mean(dim=1)",
        ("LDJ105",),
    ),
    Twin(
        "the product with the noise is forgotten",
        "return (e_dydx * e).sum(dim=1)",
        "return e_dydx.sum(dim=1)",
        ("LDJ120", "LDJ199"),
    ),
    Twin(
        "noise of another variance",
        "self._e = torch.randn_like(x)",
        "self._e = torch.rand_like(x)",
        ("LDJ120", "LDJ199"),
    ),
)
WHOLES = (
    Whole("cnf", "CNF()", off, TWINS),
    Whole("cnf", "EulerCNF()", off_of_euler, EULER, close=0.01),
    Whole("cnf", "HutchinsonCNF()", off_on_average, HUTCHINSON, close=0.04),
)
