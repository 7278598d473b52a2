"""Functions of each entry alone: `torch.distributions` transforms."""

import math

import torch
import torch.nn.functional as F
from torch.distributions import Transform, constraints

from ldjcheck.classroom.animal import family, right, wrong

REALS = constraints.independent(constraints.real, 1)
POSITIVE = constraints.independent(constraints.positive, 1)
UNIT = constraints.independent(constraints.unit_interval, 1)


class Exponential(Transform):
    """exp; its log-derivative is the input."""

    domain, codomain, bijective = REALS, POSITIVE, True

    def _call(self, x):
        return torch.exp(x)

    def _inverse(self, y):
        return torch.log(y)

    def log_abs_det_jacobian(self, x, y):
        return x.sum(-1)


class ExponentialTurned(Exponential):
    """The minus of the logarithm's derivative slipped in."""

    def log_abs_det_jacobian(self, x, y):
        return -x.sum(-1)


class ExponentialMean(Exponential):
    """The mean of the inputs."""

    def log_abs_det_jacobian(self, x, y):
        return x.mean(-1)


class ExponentialTwice(Exponential):
    """The inputs are counted twice."""

    def log_abs_det_jacobian(self, x, y):
        return 2 * x.sum(-1)


class ExponentialEps(Exponential):
    """The output is logged with a small number that is not so small."""

    def log_abs_det_jacobian(self, x, y):
        return torch.log(y + 1e-2).sum(-1)


class ExponentialInBits(Exponential):
    """The output is logged to base 2."""

    def log_abs_det_jacobian(self, x, y):
        return torch.log2(y).sum(-1)


class ExponentialUnlogged(Exponential):
    """The derivative, which is the output, is summed without a log."""

    def log_abs_det_jacobian(self, x, y):
        return y.sum(-1)


class Elementwise(Transform):
    """exp of single numbers: one ldj per entry is the promise."""

    domain, codomain, bijective = constraints.real, constraints.positive, True

    def _call(self, x):
        return torch.exp(x)

    def _inverse(self, y):
        return torch.log(y)

    def log_abs_det_jacobian(self, x, y):
        return x


class Softplus(Exponential):
    """softplus; its derivative is a sigmoid."""

    def _call(self, x):
        return F.softplus(x)

    def _inverse(self, y):
        return y + torch.log(-torch.expm1(-y))

    def log_abs_det_jacobian(self, x, y):
        return -F.softplus(-x).sum(-1)


class SoftplusTurned(Softplus):
    """The sign of the log-sigmoid is lost."""

    def log_abs_det_jacobian(self, x, y):
        return F.softplus(-x).sum(-1)


class SoftplusOfTheOutput(Softplus):
    """The derivative is taken at the output."""

    def log_abs_det_jacobian(self, x, y):
        return -F.softplus(-y).sum(-1)


class Sinh(Exponential):
    """sinh; its derivative is cosh."""

    codomain = REALS

    def _call(self, x):
        return torch.sinh(x)

    def _inverse(self, y):
        return torch.asinh(y)

    def log_abs_det_jacobian(self, x, y):
        return torch.log(torch.cosh(x)).sum(-1)


class SinhOfTheOutput(Sinh):
    """cosh is taken of the output."""

    def log_abs_det_jacobian(self, x, y):
        return torch.log(torch.cosh(y)).sum(-1)


class SinhByTheOutput(Sinh):
    """The same derivative, written in terms of the output: right."""

    def log_abs_det_jacobian(self, x, y):
        return 0.5 * torch.log1p(y**2).sum(-1)


class SinhUnlogged(Sinh):
    """The derivatives are summed, not their logs."""

    def log_abs_det_jacobian(self, x, y):
        return torch.cosh(x).sum(-1)


class SinhGuessed(Sinh):
    """The derivative of another function."""

    def log_abs_det_jacobian(self, x, y):
        return torch.log(1.3 + torch.cos(x)).sum(-1)


class SinhUnsummed(Sinh):
    """One number per entry, where one per vector is promised."""

    def log_abs_det_jacobian(self, x, y):
        return torch.log(torch.cosh(x))


class Stretch(Exponential):
    """Multiply by a number."""

    codomain = REALS

    def __init__(self, scale=2.5):
        super().__init__()
        self.scale = scale

    def _call(self, x):
        return self.scale * x

    def _inverse(self, y):
        return y / self.scale

    def log_abs_det_jacobian(self, x, y):
        return torch.full(x.shape[:-1], math.log(self.scale)) * x.shape[-1]


class StretchOnce(Stretch):
    """log(scale) is counted once."""

    def log_abs_det_jacobian(self, x, y):
        return torch.full(x.shape[:-1], math.log(self.scale))


class StretchOneLess(Stretch):
    """One dimension too few is counted."""

    def log_abs_det_jacobian(self, x, y):
        return torch.full(x.shape[:-1], math.log(self.scale)) * (x.shape[-1] - 1)


class StretchedExponential(Stretch):
    """exp(scale * x): two steps, two terms."""

    codomain = POSITIVE

    def _call(self, x):
        return torch.exp(self.scale * x)

    def _inverse(self, y):
        return torch.log(y) / self.scale

    def log_abs_det_jacobian(self, x, y):
        return (self.scale * x + math.log(self.scale)).sum(-1)


class StretchedExponentialInner(StretchedExponential):
    """The inner step has no term."""

    def log_abs_det_jacobian(self, x, y):
        return (self.scale * x).sum(-1)


class Logistic(Exponential):
    """The sigmoid."""

    codomain = UNIT

    def _call(self, x):
        return torch.sigmoid(x)

    def _inverse(self, y):
        return torch.log(y) - torch.log1p(-y)

    def log_abs_det_jacobian(self, x, y):
        return (F.logsigmoid(x) + F.logsigmoid(-x)).sum(-1)


class LogisticHalf(Logistic):
    """Of sigmoid times one minus sigmoid, only the first is logged."""

    def log_abs_det_jacobian(self, x, y):
        return F.logsigmoid(x).sum(-1)


class LogisticTurned(Logistic):
    """The derivative of the logit in its place."""

    def log_abs_det_jacobian(self, x, y):
        return -(F.logsigmoid(x) + F.logsigmoid(-x)).sum(-1)


class LogisticByTheOutput(Logistic):
    """The derivative in terms of the output: right."""

    def log_abs_det_jacobian(self, x, y):
        return (torch.log(y) + torch.log1p(-y)).sum(-1)


class PowerOfTwo(Exponential):
    """2**x: the base has its own logarithm."""

    def _call(self, x):
        return torch.exp2(x)

    def _inverse(self, y):
        return torch.log2(y)

    def log_abs_det_jacobian(self, x, y):
        return (x * math.log(2) + math.log(math.log(2))).sum(-1)


ANIMALS = family(
    "elementwise",
    (3,),
    right(Exponential, "LDJ108"),
    wrong("LDJ104", ExponentialTurned),
    wrong("LDJ105", ExponentialMean),
    wrong("LDJ114", ExponentialTwice),
    wrong("LDJ117", ExponentialEps),
    wrong("LDJ107", ExponentialInBits),
    wrong("LDJ108", ExponentialUnlogged),
    right(Elementwise, "LDJ202"),
    right(Softplus),
    wrong("LDJ104", SoftplusTurned),
    wrong("LDJ112", SoftplusOfTheOutput),
    right(Sinh, "LDJ112"),
    right(SinhByTheOutput, "LDJ120"),
    wrong("LDJ112", SinhOfTheOutput),
    wrong("LDJ108", SinhUnlogged),
    wrong("LDJ120", SinhGuessed),
    wrong("LDJ202", SinhUnsummed),
    right(Stretch, "LDJ101"),
    wrong("LDJ101", StretchOnce),
    wrong("LDJ103", StretchOneLess),
    right(StretchedExponential, "LDJ110"),
    wrong("LDJ110", StretchedExponentialInner),
    right(Logistic, "LDJ104"),
    right(LogisticByTheOutput, "LDJ112"),
    wrong("LDJ110", LogisticHalf),
    wrong("LDJ104", LogisticTurned),
    right(PowerOfTwo, "LDJ107"),
)
