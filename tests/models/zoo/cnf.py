"""Continuous normalizing flows: fixed-step solvers, exact or stochastic trace."""

import math

import torch
import torch.nn as nn


class ODEFunc(nn.Module):
    def __init__(self, dim, hidden=12):
        super().__init__()
        self.fc1 = nn.Linear(dim + 1, hidden)
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, t, y):
        tt = torch.full_like(y[:, :1], t)
        return self.fc2(torch.tanh(self.fc1(torch.cat([y, tt], dim=1))))


def divergence_exact(dy, y):
    div = 0.0
    for i in range(y.shape[1]):
        div = div + torch.autograd.grad(dy[:, i].sum(), y, create_graph=True)[0][:, i]
    return div


def divergence_approx(dy, y, e):
    e_dydx = torch.autograd.grad(dy, y, e, create_graph=True)[0]
    return (e_dydx * e).sum(dim=1)


def euler_step(func, t, h, state):
    return tuple(s + h * ds for s, ds in zip(state, func(t, state)))


def rk4_step(func, t, h, state):
    def add(k, c):
        return tuple(s + c * ds for s, ds in zip(state, k))

    k1 = func(t, state)
    k2 = func(t + h / 2, add(k1, h / 2))
    k3 = func(t + h / 2, add(k2, h / 2))
    k4 = func(t + h, add(k3, h))
    return tuple(
        s + h / 6 * (a + 2 * b + 2 * c + d)
        for s, a, b, c, d in zip(state, k1, k2, k3, k4)
    )


class CNF(nn.Module):
    def __init__(self, dim=2, n_steps=8, solver="rk4", trace="exact"):
        super().__init__()
        self.dim = dim
        self.odefunc = ODEFunc(dim)
        self.n_steps = n_steps
        self.step = rk4_step if solver == "rk4" else euler_step
        self.trace = trace

    def dynamics(self, t, state):
        y, _ = state
        with torch.enable_grad():
            y = y if y.requires_grad else y.detach().requires_grad_(True)
            dy = self.odefunc(t, y)
            if self.trace == "exact":
                div = divergence_exact(dy, y)
            else:
                div = divergence_approx(dy, y, self._e)
        return dy, div

    def forward(self, x, reverse=False):
        if self.trace != "exact":
            self._e = torch.randn_like(x)  # one draw for all steps of this call
        t, h = (1.0, -1.0 / self.n_steps) if reverse else (0.0, 1.0 / self.n_steps)
        state = (x, torch.zeros_like(x[:, 0]))
        for _ in range(self.n_steps):
            state = self.step(self.dynamics, t, h, state)
            t = t + h
        z, logdet = state
        return z, logdet

    def log_prob(self, x):
        z, logdet = self(x)
        logpz = -0.5 * (z**2).sum(dim=1) - 0.5 * self.dim * math.log(2 * math.pi)
        return logpz + logdet

    def sample(self, n):
        return self(torch.randn(n, self.dim), reverse=True)[0]


def EulerCNF():
    return CNF(solver="euler", n_steps=20)


def HutchinsonCNF():
    return CNF(trace="hutchinson")
