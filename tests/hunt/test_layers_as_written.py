"""Layers as papers and tutorials write them, right and with one slip."""

from __future__ import annotations

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


def test_a_written_count_is_blamed_even_where_one_size_fits() -> None:
    assert ldjcheck.check(Radial()).status == "pass"
    report = ldjcheck.check(Radial(sides=lambda d: d))
    assert [f.code for f in report.findings] == ["LDJ103"]
