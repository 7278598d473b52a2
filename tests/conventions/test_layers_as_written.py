"""Layers as papers and tutorials write them, right and with one slip."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import ldjcheck


class Planar(nn.Module):
    """The planar flow, with the small number that most implementations add."""

    def __init__(self, dim=3, small=1e-8):
        super().__init__()
        self.u = nn.Parameter(0.1 * torch.randn(1, dim))
        self.w = nn.Parameter(0.1 * torch.randn(1, dim))
        self.b = nn.Parameter(torch.zeros(1))
        self.small = small

    def forward(self, z):
        linear = F.linear(z, self.w, self.b)
        y = z + self.u * torch.tanh(linear)
        psi = (1 - torch.tanh(linear) ** 2) * self.w
        ldj = torch.log(torch.abs(1 + psi @ self.u.t()) + self.small)
        return y, ldj.squeeze(1)


def test_a_tiny_number_inside_the_logarithm_is_a_note() -> None:
    report = ldjcheck.check(Planar(), shape=(3,))
    assert report.status == "pass"
    assert [(f.code, f.severity) for f in report.findings] == [("LDJ117", "note")]


def test_a_larger_number_inside_the_logarithm_is_a_mistake() -> None:
    report = ldjcheck.check(Planar(small=1e-2), shape=(3,))
    assert report.status == "fail"
    assert [(f.code, f.severity) for f in report.findings] == [("LDJ117", "error")]


def test_without_it_there_is_nothing_to_say() -> None:
    report = ldjcheck.check(Planar(small=0.0), shape=(3,))
    assert (report.status, report.findings) == ("pass", ())


class Radial(nn.Module):
    """The radial flow, made for one size; `sides` says how many dims it stretches."""

    def __init__(self, dim=4, sides=lambda d: d - 1):
        super().__init__()
        self.centre = nn.Parameter(torch.randn(1, dim))
        self.a = nn.Parameter(torch.zeros(1))
        self.b = nn.Parameter(torch.zeros(1))
        self.sides = sides

    def forward(self, z):
        count = self.sides(z.shape[1])
        alpha = F.softplus(self.a)
        beta = F.softplus(self.b) - alpha
        r = torch.norm(z - self.centre, dim=1, keepdim=True)
        h, slope = 1 / (alpha + r), -1 / (alpha + r) ** 2
        y = z + beta * h * (z - self.centre)
        ldj = count * torch.log1p(beta * h) + torch.log1p(beta * h + beta * slope * r)
        return y, ldj[:, 0]


@pytest.mark.slow
def test_a_written_count_is_blamed_even_where_one_size_fits() -> None:
    assert ldjcheck.check(Radial()).status == "pass"
    report = ldjcheck.check(Radial(sides=lambda d: d))
    assert [f.code for f in report.findings] == ["LDJ103"]


class ChannelMix(nn.Module):
    """An invertible 1x1 convolution that multiplies by `count(x)`."""

    def __init__(self, count):
        super().__init__()
        self.weight = nn.Parameter(torch.linalg.qr(torch.randn(3, 3))[0])
        self.count = count

    def forward(self, x):
        y = F.conv2d(x, self.weight[:, :, None, None])
        ldj = torch.linalg.slogdet(self.weight)[1] * self.count(x)
        return y, ldj.expand(len(x))


def pixels(x):
    return x.shape[2] * x.shape[3]


@pytest.mark.slow
def test_a_count_of_all_dims_is_told_from_that_of_pixels() -> None:
    assert ldjcheck.check(ChannelMix(pixels)).status == "pass"
    for count in (lambda x: x[0].numel(), lambda x: x.numel() / x.shape[0]):
        report = ldjcheck.check(ChannelMix(count))
        assert [f.code for f in report.findings] == ["LDJ103"]
        assert "dims instead of H*W" in report.findings[0].message


class Frames(nn.Module):
    """A linear layer on every frame of a sequence (batch, frames, features)."""

    def __init__(self):
        super().__init__()
        self.mix = nn.Linear(4, 4)

    def ldj(self, x):
        return torch.linalg.slogdet(self.mix.weight)[1].expand(len(x)) * x.size(1)

    def forward(self, x):
        return self.mix(x), self.ldj(x)

    def inverse(self, y):
        columns = (y - self.mix.bias).transpose(1, 2)
        x = torch.linalg.solve(self.mix.weight, columns).transpose(1, 2)
        return x, -self.ldj(y)


def test_a_shape_at_which_both_ways_run_is_preferred() -> None:
    report = ldjcheck.check(Frames())
    assert report.status == "pass", report
    assert report.to_dict()["results"][0]["checks"][0]["shape"] == [8, 4]
