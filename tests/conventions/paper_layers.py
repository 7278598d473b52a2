"""Layers as papers and tutorials write them, each in its project's way of calling.

Every class is right; its attribute `slip` plants the one mistake that its author could
have made. `LAYERS` says what a check of the wrong twin must find.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LOG_2PI = math.log(2 * math.pi)


class Slipping(nn.Module):
    """A layer that is right as long as `slip` is False."""

    slip = False


def net(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, 8), nn.Tanh(), nn.Linear(8, outputs))


class Planar(Slipping):
    """f(z) = z + u h(w.z + b), with u constrained; the ldj comes as a column."""

    def __init__(self, dim: int = 4) -> None:
        super().__init__()
        self.weight = nn.Parameter(0.5 * torch.randn(1, dim))
        self.scale = nn.Parameter(0.5 * torch.randn(1, dim))
        self.bias = nn.Parameter(torch.randn(1))

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        wu = (self.weight * self.scale).sum()
        extra = (F.softplus(wu) - 1 - wu) * self.weight / (self.weight**2).sum()
        u = self.scale + extra
        h = torch.tanh(F.linear(z, self.weight, self.bias))
        psi = (1 - h**2) * self.weight
        det = 1 + (psi * u).sum(1)
        return z + u * h, (det if self.slip else det.abs().log())


class Radial(Slipping):
    """f(z) = z + beta h(r)(z - z0); log_det is a method of its own."""

    def __init__(self, dim: int = 5) -> None:
        super().__init__()
        self.z0 = nn.Parameter(torch.randn(dim))
        self.log_alpha = nn.Parameter(torch.zeros(1))
        self.beta = nn.Parameter(torch.ones(1))

    def _parts(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        alpha = self.log_alpha.exp()
        beta = -alpha + F.softplus(self.beta)
        r = (z - self.z0).norm(dim=1)
        return alpha, beta, r, 1 / (alpha + r)

    def forward(self, z: Tensor) -> Tensor:
        _, beta, _, h = self._parts(z)
        return z + beta * h[:, None] * (z - self.z0)

    def log_det(self, z: Tensor) -> Tensor:
        alpha, beta, _r, h = self._parts(z)
        times = z.shape[1] if self.slip else z.shape[1] - 1
        return times * torch.log1p(beta * h) + torch.log1p(beta * alpha * h**2)


class Sylvester(Slipping):
    """f(z) = z + Q R h(R' Q^T z + b), Q from a QR; (z, ldj) with a zk list."""

    def __init__(self, dim: int = 4, rank: int = 2) -> None:
        super().__init__()
        self.q = nn.Parameter(torch.randn(dim, rank))
        self.r = nn.Parameter(0.5 * torch.randn(rank, rank))
        self.r2 = nn.Parameter(0.5 * torch.randn(rank, rank))
        self.b = nn.Parameter(torch.randn(rank))

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        q, _ = torch.linalg.qr(self.q)
        upper = self.r.triu(1) + torch.diag(torch.tanh(self.r.diagonal()))
        upper2 = self.r2.triu(1) + torch.diag(torch.tanh(self.r2.diagonal()))
        h = torch.tanh(z @ q @ upper2.T + self.b)
        slope = 1 - h**2
        diagonal = 1 + slope * upper.diagonal() * upper2.diagonal()
        ldj = diagonal.log().mean(1) if self.slip else diagonal.log().sum(1)
        return z + h @ upper.T @ q.T, ldj


class GlowConv(Slipping):
    """Invertible 1x1 convolution: (x, logdet=None, reverse=False)."""

    def __init__(self, num_channels: int = 3) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.linalg.qr(torch.randn(3, 3))[0])

    def forward(self, input: Tensor, logdet: Any = None, reverse: bool = False) -> Any:
        _, _, h, w = input.shape
        pixels = 1 if self.slip else h * w
        dlogdet = torch.linalg.slogdet(self.weight)[1] * pixels
        weight = self.weight.inverse() if reverse else self.weight
        z = F.conv2d(input, weight[:, :, None, None])
        if logdet is not None:
            logdet = logdet - dlogdet if reverse else logdet + dlogdet
        return z, logdet


class GlowPermute(Slipping):
    """Glow's permutation of channels returns a bare tensor."""

    def __init__(self, num_channels: int = 6) -> None:
        super().__init__()
        self.indices = torch.tensor([3, 1, 5, 0, 2, 4])
        self.back = self.indices.argsort()

    def forward(self, input: Tensor, reverse: bool = False) -> Tensor:
        if reverse and not self.slip:
            return input[:, self.back]
        return input[:, self.indices]


class ResidualBlock(Slipping):
    """y = x + g(x), its log-det exact for two dims; logpx is reduced by it."""

    def __init__(self, dim: int = 2) -> None:
        super().__init__()
        self.a = nn.Linear(dim, 6)
        self.b = nn.Linear(6, dim)

    def _g(self, x: Tensor) -> tuple[Tensor, Tensor]:
        wa = self.a.weight / (1e-6 + self.a.weight.norm() * 2.5)
        wb = self.b.weight / (1e-6 + self.b.weight.norm() * 2.5)
        h = torch.tanh(x @ wa.T + self.a.bias)
        jac = torch.einsum("ij,bj,jk->bik", wb, 1 - h**2, wa)
        return h @ wb.T + self.b.bias, jac

    def forward(self, x: Tensor, logpx: Tensor | None = None) -> Any:
        g, jac = self._g(x)
        if logpx is None:
            return x + g
        eye = torch.eye(x.shape[1], dtype=x.dtype)
        logdet = torch.linalg.slogdet(eye + jac)[1].view(-1, 1)
        return x + g, (logpx + logdet if self.slip else logpx - logdet)

    def inverse(self, y: Tensor, logpy: Tensor | None = None) -> Any:
        x = y
        for _ in range(40):
            x = y - self._g(x)[0]
        if logpy is None:
            return x
        _, jac = self._g(x)
        eye = torch.eye(x.shape[1], dtype=x.dtype)
        return x, logpy + torch.linalg.slogdet(eye + jac)[1].view(-1, 1)


class Maf(Slipping):
    """Masked autoregressive in the manner of `mode="direct"`."""

    def __init__(self, num_inputs: int = 4) -> None:
        super().__init__()
        self.weight = nn.Parameter(0.4 * torch.randn(2, num_inputs, num_inputs))
        self.bias = nn.Parameter(0.2 * torch.randn(2, num_inputs))

    def _parts(self, x: Tensor) -> tuple[Tensor, Tensor]:
        m = torch.tanh(x @ self.weight[0].tril(-1).T) + self.bias[0]
        a = torch.tanh(x @ self.weight[1].tril(-1).T) + self.bias[1]
        return m, a

    def forward(self, inputs: Tensor, cond_inputs: Any = None, mode="direct") -> Any:
        if mode == "direct":
            m, a = self._parts(inputs)
            u = (inputs - m) * torch.exp(-a)
            ldj = a.sum(-1, keepdim=True)
            return u, (ldj if self.slip else -ldj)
        x = torch.zeros_like(inputs)
        for i in range(inputs.shape[1]):
            m, a = self._parts(x)
            x = torch.cat(
                [x[:, :i], (inputs * a.exp() + m)[:, i : i + 1], x[:, i + 1 :]], 1
            )
        return x, self._parts(x)[1].sum(-1, keepdim=True)


class BatchNormFlow(Slipping):
    """Batch norm as a flow, `mode="direct"`, with running moments."""

    def __init__(self, num_inputs: int = 5) -> None:
        super().__init__()
        self.log_gamma = nn.Parameter(torch.randn(num_inputs))
        self.beta = nn.Parameter(torch.randn(num_inputs))
        self.register_buffer("mean", torch.randn(num_inputs))
        self.register_buffer("var", torch.rand(num_inputs) + 0.5)

    def forward(self, inputs: Tensor, cond_inputs: Any = None, mode="direct") -> Any:
        scale = (1 if self.slip else 0.5) * torch.log(self.var)
        ldj = (self.log_gamma - scale).sum(-1, keepdim=True)
        if mode == "direct":
            y = (inputs - self.mean) / self.var.sqrt() * self.log_gamma.exp()
            return y + self.beta, ldj
        y = (inputs - self.beta) / self.log_gamma.exp() * self.var.sqrt()
        return y + self.mean, -ldj


class RealNVP(Slipping):
    """Checkerboard coupling: (x, sldj=None, reverse=True), and no ldj on the way back."""

    def __init__(self, in_channels: int = 1) -> None:
        super().__init__()
        self.st_net = nn.Conv2d(in_channels, 2 * in_channels, 3, padding=1)
        self.rescale = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor, sldj: Tensor | None = None, reverse=True) -> Any:
        rows, columns = torch.arange(x.shape[2]), torch.arange(x.shape[3])
        b = ((rows[:, None] + columns) % 2).to(x)[None, None]
        s, t = self.st_net(x * b).chunk(2, dim=1)
        s = self.rescale * torch.tanh(s)
        s, t = s * (1 - b), t * (1 - b)
        if reverse:
            return x * s.mul(-1).exp() - t, sldj
        x = (x + t) * s.exp()
        if not self.slip:
            sldj = sldj + s.reshape(s.size(0), -1).sum(-1)
        return x, sldj


class WaveGlowConv(Slipping):
    """Invertible 1x1 convolution over time, told per sample; way back without ldj."""

    def __init__(self, c: int = 4) -> None:
        super().__init__()
        self.conv = nn.Conv1d(c, c, 1, bias=False)
        self.conv.weight.data = torch.linalg.qr(torch.randn(c, c))[0][..., None]

    def forward(self, z: Tensor, reverse: bool = False) -> Any:
        _, _, n_of_groups = z.size()
        w = self.conv.weight.squeeze(2)
        if reverse:
            return F.conv1d(z, w.inverse()[..., None])
        groups = len(z) * n_of_groups if self.slip else n_of_groups
        return self.conv(z), groups * torch.logdet(w.T @ w) / 2


class WaveGlow(Slipping):
    """Couplings whose log-scales come back as a list, unsummed."""

    def __init__(self, c: int = 4) -> None:
        super().__init__()
        self.wn = nn.ModuleList([nn.Conv1d(c // 2, c, 3, padding=1) for _ in range(2)])

    def forward(self, audio: Tensor) -> Any:
        log_s_list = []
        for wn in self.wn:
            a, b = audio.chunk(2, dim=1)
            log_s, t = torch.tanh(wn(a)).chunk(2, dim=1)
            audio = torch.cat([log_s.exp() * b + t, a], dim=1)
            log_s_list.append(2 * log_s if self.slip else log_s)
        return audio, log_s_list


class GlowTtsActNorm(Slipping):
    """Actnorm over frames, masked: counts the frames that the mask leaves."""

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        self.logs = nn.Parameter(0.3 * torch.randn(1, channels, 1))
        self.bias = nn.Parameter(torch.randn(1, channels, 1))

    def forward(self, x: Tensor, x_mask: Any = None, reverse=False, **kwargs) -> Any:
        if x_mask is None:
            x_mask = torch.ones(x.size(0), 1, x.size(2)).to(x)
        x_len = torch.sum(x_mask, [1, 2])
        if reverse:
            return (x - self.bias) * torch.exp(-self.logs) * x_mask, None
        z = (self.bias + torch.exp(self.logs) * x) * x_mask
        return z, torch.sum(self.logs) * (1 if self.slip else x_len)


class GlowTtsCoupling(Slipping):
    """A coupling over frames that does not run without its mask."""

    def __init__(self, in_channels: int = 4) -> None:
        super().__init__()
        self.start = nn.Conv1d(in_channels // 2, in_channels, 1)

    def forward(self, x: Tensor, x_mask: Any = None, reverse=False, g=None) -> Any:
        x_0, x_1 = x.chunk(2, 1)
        m, logs = torch.tanh(self.start(x_0) * x_mask).chunk(2, 1)
        if reverse:
            return torch.cat([x_0, (x_1 - m) * torch.exp(-logs) * x_mask], 1), None
        z_1 = (m + torch.exp(logs) * x_1) * x_mask
        logdet = torch.sum((2 * logs if self.slip else logs) * x_mask, [1, 2])
        return torch.cat([x_0, z_1], 1), logdet


class Ffjord(Slipping):
    """An Euler step of a continuous flow with its trace exact; (z, logpz) both ways."""

    def __init__(self, dim: int = 3) -> None:
        super().__init__()
        self.weight = nn.Parameter(0.3 * torch.randn(dim, dim))
        self.bias = nn.Parameter(torch.randn(dim))

    def forward(self, z: Tensor, logpz: Any = None, reverse: bool = False) -> Any:
        weight = self.weight.tril(-1) + torch.diag(0.3 * torch.tanh(self.bias))
        if reverse:
            x = torch.linalg.solve(torch.eye(len(weight)).to(z) + weight, z.T).T
        else:
            x = z + z @ weight.T
        ldj = torch.log1p(weight.diagonal()).sum().expand(len(z))[:, None]
        ldj = -ldj if reverse else ldj
        if logpz is None:
            return x
        return x, logpz - (ldj / math.log(2) if self.slip else ldj)


class BgCoupling(Slipping):
    """Two tensors in, two out, dlogp last: (*xs, inverse=False)."""

    def __init__(self, dim: int = 3) -> None:
        super().__init__()
        self.net = net(2, 2 * dim)

    def forward(self, *xs: Tensor, inverse: bool = False, **kwargs: Any) -> Any:
        a, b = xs
        shift, log_s = self.net(a).chunk(2, dim=-1)
        log_s = torch.tanh(log_s)
        if inverse:
            y, dlogp = (b - shift) * torch.exp(-log_s), -log_s
        else:
            y, dlogp = b * log_s.exp() + shift, (-log_s if self.slip else log_s)
        return a, y, dlogp.sum(-1, keepdim=True)


class BgSigmoid(Slipping):
    """One tensor in, one out, dlogp last."""

    def forward(self, *xs: Tensor, inverse: bool = False, **kwargs: Any) -> Any:
        (x,) = xs
        if inverse:
            return torch.logit(x), -(x.log() + (1 - x).log()).sum(-1, keepdim=True)
        y = torch.sigmoid(x)
        dlogp = -F.softplus(-x) if self.slip else -F.softplus(-x) - F.softplus(x)
        return y, dlogp.sum(-1, keepdim=True)


class Karpathy(Slipping):
    """Affine constant flow with forward and backward."""

    def __init__(self, dim: int = 4) -> None:
        super().__init__()
        self.s = nn.Parameter(torch.randn(1, dim))
        self.t = nn.Parameter(torch.randn(1, dim))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x * torch.exp(self.s) + self.t, torch.sum(self.s, dim=1)

    def backward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        log_det = torch.sum(self.s if self.slip else -self.s, dim=1)
        return (z - self.t) * torch.exp(-self.s), log_det


class KarpathyFlow(Slipping):
    """A container that returns all steps in a list, and the total."""

    def __init__(self) -> None:
        super().__init__()
        self.flows = nn.ModuleList([Karpathy(), Karpathy()])

    def forward(self, x: Tensor) -> Any:
        log_det = torch.zeros(len(x))
        zs = [x]
        for flow in self.flows:
            x, ld = flow.forward(x)
            log_det = ld if self.slip else log_det + ld
            zs.append(x)
        return zs, log_det

    def backward(self, z: Tensor) -> Any:
        log_det = torch.zeros(len(z))
        xs = [z]
        for flow in self.flows[::-1]:
            z, ld = flow.backward(z)
            log_det = log_det + ld
            xs.append(z)
        return xs, log_det


class SurVae(Slipping):
    """Element-wise exponential: forward has an ldj, inverse returns x alone."""

    def __init__(self, num_features: int = 3) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.randn(num_features))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z = torch.exp(x + self.shift)
        return z, (z if self.slip else x + self.shift).flatten(1).sum(1)

    def inverse(self, z: Tensor) -> Tensor:
        return torch.log(z) - self.shift


class GlowBlock(Slipping):
    """Returns four things; the names in its return statement tell which is which."""

    def __init__(self, in_channel: int = 4) -> None:
        super().__init__()
        self.loc = nn.Parameter(torch.randn(1, in_channel, 1, 1))
        self.scale = nn.Parameter(torch.rand(1, in_channel, 1, 1) + 0.5)

    def forward(self, input: Tensor) -> Any:
        _, _, height, width = input.shape
        out = self.scale * (input + self.loc)
        pixels = height if self.slip else height * width
        logdet = pixels * torch.log(torch.abs(self.scale)).sum()
        out, z_new = out.chunk(2, 1)
        log_p = (-0.5 * (z_new**2 + LOG_2PI)).flatten(1).sum(1)
        return out, log_p, logdet, z_new


class Stateful(Slipping):
    """Sigmoid that leaves its log-det in an attribute."""

    def forward(self, x: Tensor) -> Tensor:
        y = torch.sigmoid(x)
        inner = x if self.slip else y
        self.log_det = (torch.log(inner.abs()) + torch.log((1 - inner).abs())).sum(1)
        return y

    def inverse(self, y: Tensor) -> Tensor:
        self.log_det = -(torch.log(y) + torch.log(1 - y)).sum(1)
        return torch.log(y) - torch.log(1 - y)


class Distrax(Slipping):
    """forward_and_log_det and inverse_and_log_det, no call of its own."""

    def __init__(self, dim: int = 4) -> None:
        super().__init__()
        self.net = net(dim // 2, dim)

    def forward_and_log_det(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a, b = x.chunk(2, -1)
        s, t = self.net(a).chunk(2, -1)
        return torch.cat([a, b * s.exp() + t], -1), s.sum(-1) + (1.0 * self.slip)

    def inverse_and_log_det(self, y: Tensor) -> tuple[Tensor, Tensor]:
        a, b = y.chunk(2, -1)
        s, t = self.net(a).chunk(2, -1)
        return torch.cat([a, (b - t) * torch.exp(-s)], -1), -s.sum(-1)


class Stribor(Slipping):
    """Affine with `..._log_det_jacobian` methods, whose ldj is a column."""

    def __init__(self, dim: int = 3) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.randn(dim))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.log_scale.exp()

    def inverse(self, y: Tensor) -> Tensor:
        return y * torch.exp(-self.log_scale)

    def _ldj(self, x: Tensor) -> Tensor:
        ldj = self.log_scale.expand_as(x)
        return (ldj.exp() if self.slip else ldj).sum(-1, keepdim=True)

    def forward_and_log_det_jacobian(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.forward(x), self._ldj(x)

    def inverse_and_log_det_jacobian(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return self.inverse(y), -self.log_scale.expand_as(y).sum(-1, keepdim=True)


class TorchLike:
    """No Transform, but it is called like one: log_abs_det_jacobian(x, y)."""

    slip = False
    event_dim = 0

    def __call__(self, x: Tensor) -> Tensor:
        return torch.sinh(x)

    def inv(self, y: Tensor) -> Tensor:
        return torch.asinh(y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.log(torch.cosh(y if self.slip else x))


class Bijector(Slipping):
    """Two maps and two `..._log_det_jacobian`, each taken at what its map is given."""

    def __init__(self, dim: int = 4) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(dim))

    def forward(self, x: Tensor) -> Tensor:
        return torch.sinh(x * self.log_scale.exp())

    def inverse(self, y: Tensor) -> Tensor:
        return torch.asinh(y) * torch.exp(-self.log_scale)

    def forward_log_det_jacobian(self, x: Tensor) -> Tensor:
        inner = x if self.slip else x * self.log_scale.exp()
        return (self.log_scale + torch.log(torch.cosh(inner))).sum(-1)

    def inverse_log_det_jacobian(self, y: Tensor) -> Tensor:
        return -self.forward_log_det_jacobian(self.inverse(y))


class VpSinusoid(Slipping):
    """Volume preserving: a shift of one half by a function of the other."""

    def __init__(self, dim: int = 4) -> None:
        super().__init__()
        self.net = net(dim // 2, dim // 2)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        a, b = z.chunk(2, 1)
        shift = torch.sin(self.net(a))
        log_det = torch.ones(len(z)) if self.slip else torch.zeros(len(z))
        return torch.cat([a, b + shift], 1), log_det

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        a, b = z.chunk(2, 1)
        return torch.cat([a, b - torch.sin(self.net(a))], 1), torch.zeros(len(z))


class Householder(Slipping):
    """Reflection: volume preserving, ldj a plain 0; the slip forgets the 2."""

    def __init__(self, dim: int = 4) -> None:
        super().__init__()
        self.v = nn.Parameter(torch.randn(dim))

    def forward(self, z: Tensor) -> tuple[Tensor, float]:
        v = self.v / self.v.norm()
        times = 1.5 if self.slip else 2.0
        return z - times * (z @ v)[:, None] * v, 0.0


LAYERS: dict[str, tuple[Any, dict[str, Any], str, set[str]]] = {
    # name: (class, options, convention, codes that the slip may be called by)
    "planar": (Planar, {}, "pair", {"LDJ108"}),
    "radial": (Radial, {}, "log-det-method", {"LDJ103", "LDJ101", "LDJ111"}),
    "sylvester": (Sylvester, {}, "pair", {"LDJ105"}),
    "glow 1x1": (GlowConv, {}, "accumulator", {"LDJ102"}),
    "glow permutation": (GlowPermute, {}, "rearrangement", {"LDJ301"}),
    "residual block": (ResidualBlock, {}, "accumulator", {"LDJ104"}),
    "maf": (Maf, {}, "mode", {"LDJ104"}),
    "batch norm": (BatchNormFlow, {}, "mode", {"LDJ114"}),
    "real nvp": (RealNVP, {}, "accumulator", {"LDJ119"}),
    "waveglow 1x1": (WaveGlowConv, {}, "pair", {"LDJ103", "LDJ106"}),
    "waveglow": (WaveGlow, {}, "pair", {"LDJ114"}),
    "glow-tts actnorm": (GlowTtsActNorm, {}, "pair", {"LDJ102"}),
    "glow-tts coupling": (GlowTtsCoupling, {}, "pair", {"LDJ114"}),
    "ffjord": (Ffjord, {}, "accumulator", {"LDJ107"}),
    "bgflow coupling": (
        BgCoupling,
        {"shape": {"a": (2,), "b": (3,)}},
        "several-tensors",
        {"LDJ104"},
    ),
    "bgflow sigmoid": (BgSigmoid, {}, "several-tensors", {"LDJ110"}),
    "karpathy": (Karpathy, {}, "pair", {"LDJ302"}),
    "karpathy flow": (KarpathyFlow, {}, "pair", {"LDJ110"}),
    "survae": (SurVae, {}, "pair", {"LDJ108"}),
    "glow block": (GlowBlock, {}, "pair", {"LDJ102", "LDJ103"}),
    "stateful": (Stateful, {}, "stored-log-det", {"LDJ112"}),
    "distrax": (Distrax, {}, "and-log-det", {"LDJ118"}),
    "stribor": (Stribor, {}, "and-log-det", {"LDJ108"}),
    "bijector": (Bijector, {}, "log-det-method", {"LDJ112"}),
    "torch-like": (TorchLike, {}, "log-det-method", {"LDJ112"}),
    "volume preserving": (VpSinusoid, {}, "pair", {"LDJ118"}),
    "householder": (Householder, {}, "pair", {"LDJ119"}),
}
