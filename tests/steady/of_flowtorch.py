"""Whole flows of flowtorch."""

from __future__ import annotations

import flowtorch.bijectors as fb
import flowtorch.distributions as fd
import flowtorch.parameters as fp
import torch

from .subject import Whole

V = torch.Size([5])


class MeanAutoregressive(fb.AffineAutoregressive):
    def _forward(self, x, params):
        mean, log_scale = params
        return log_scale.exp() * x + mean, log_scale.mean(dim=-1)  # wrong

    def _inverse(self, y, params):
        mean, log_scale = params
        return (y - mean) * (-log_scale).exp(), log_scale.sum(dim=-1)


class TwiceAutoregressive(fb.AffineAutoregressive):
    def _forward(self, x, params):
        mean, log_scale = params
        return log_scale.exp() * x + mean, 2 * log_scale.sum(dim=-1)  # wrong

    def _inverse(self, y, params):
        mean, log_scale = params
        return (y - mean) * (-log_scale).exp(), log_scale.sum(dim=-1)


def dense():
    return fp.DenseAutoregressive(hidden_dims=(32, 32))


def affine(*between):
    layers = [fb.AffineAutoregressive(dense()) for _ in range(3)]
    return fb.Compose([layers[0], *between, *layers[1:]])(shape=V)


def spline(*between):
    layers = [fb.SplineAutoregressive(dense()) for _ in range(2)]
    base = torch.distributions.Independent(
        torch.distributions.Normal(torch.zeros(5), torch.ones(5)), 1
    )
    return fd.Flow(base, fb.Compose([layers[0], *between, layers[1]]))


FLOWS = {
    "affine_autoregressive": Whole(
        affine, lambda: MeanAutoregressive(dense()), MeanAutoregressive, "LDJ105"
    ),
    "spline_autoregressive": Whole(
        spline, lambda: TwiceAutoregressive(dense()), TwiceAutoregressive, "LDJ114"
    ),
}
