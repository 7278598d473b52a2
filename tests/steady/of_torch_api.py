"""Wrong layers in the interface of `torch.distributions`, which zuko and pyro share."""

from __future__ import annotations

import torch
from torch.distributions import Transform, constraints


class _Vector(Transform):
    domain = constraints.real_vector
    codomain = constraints.real_vector
    bijective = True


class _Gain(_Vector):
    def __init__(self, log_scale):
        super().__init__()
        self.log_scale = log_scale

    def _call(self, x):
        return x * self.log_scale.exp()

    def _inverse(self, y):
        return y * (-self.log_scale).exp()


class MeanGain(_Gain):
    def log_abs_det_jacobian(self, x, y):
        return self.log_scale.expand(x.shape).mean(-1)  # wrong


class NegativeGain(_Gain):
    def log_abs_det_jacobian(self, x, y):
        return -self.log_scale.expand(x.shape).sum(-1)  # wrong


class TwiceGain(_Gain):
    def log_abs_det_jacobian(self, x, y):
        return 2 * self.log_scale.expand(x.shape).sum(-1)  # wrong


class Temperature(_Gain):
    """One scale for all dims."""

    def log_abs_det_jacobian(self, x, y):
        return self.log_scale.expand(x.shape[:-1])  # wrong


class BitsGain(_Gain):
    def log_abs_det_jacobian(self, x, y):
        return torch.log2(self.log_scale.exp()).expand(x.shape).sum(-1)  # wrong


class UnloggedGain(_Gain):
    def log_abs_det_jacobian(self, x, y):
        return self.log_scale.exp().expand(x.shape).sum(-1)  # wrong


class Squash(_Vector):
    """The derivative is taken at the output."""

    def _call(self, x):
        return x.asinh()

    def _inverse(self, y):
        return y.sinh()

    def log_abs_det_jacobian(self, x, y):
        return -0.5 * torch.log1p(y**2).sum(-1)  # wrong


class ForgottenStep(_Vector):
    """Squashes and scales, and counts the scale alone."""

    def __init__(self, log_scale):
        super().__init__()
        self.log_scale = log_scale

    def _call(self, x):
        return x.asinh() * self.log_scale.exp()

    def _inverse(self, y):
        return (y * (-self.log_scale).exp()).sinh()

    def log_abs_det_jacobian(self, x, y):
        return self.log_scale.expand(x.shape).sum(-1)  # wrong
