"""What a layer counts with is worked out for the sizes that it was typed with."""

from __future__ import annotations

from pathlib import Path

import pytest

import ldjcheck

SOURCE = """
import math
import torch
from torch import nn

class Haar(nn.Module):
    def __init__(self, shape, per_block=4):
        super().__init__()
        c, h, w = shape
        self.blocks = nn.Parameter(torch.tensor(0.3))
        self.total = per_block * (c * h * w // 4) * 0.5

    def forward(self, x):
        return x * (0.5 * self.blocks).exp(), (self.total * self.blocks).expand(len(x))

class Squared(Haar):
    '''Right as long as images are as high as they are wide.'''

    def __init__(self, shape):
        super().__init__((shape[0], shape[2], shape[2]))

class OfImages(Haar):
    def __init__(self, image_shape=(3, 8, 8), per_block=4):
        super().__init__(image_shape, per_block)

class OfOthers(OfImages):
    '''Its count is that of the largest images, whatever it is built for.'''

    def __init__(self, image_shape=(3, 8, 8)):
        super().__init__(image_shape)
        self.total = 4 * (3 * 8 * 8 // 4) * 0.5

class Blocks(nn.Module):
    '''One matrix in four blocks: it is run on images too, whose rows nobody counts.'''

    def __init__(self, dims, counted=True):
        super().__init__()
        self.k, self.counted = dims // 2, counted
        eye = torch.eye(self.k)
        self.a = nn.Parameter(eye + 0.2 * torch.randn(self.k, self.k))
        self.b = nn.Parameter(0.2 * torch.randn(self.k, self.k))
        self.d = nn.Parameter(eye + 0.2 * torch.randn(self.k, self.k))

    def forward(self, x):
        u, v = x.split(self.k, dim=-1)
        y = torch.cat([u @ self.a.T + v @ self.b.T, v @ self.d.T], -1)
        ldj = self.a.slogdet()[1] + self.counted * self.d.slogdet()[1]
        return y, ldj.expand(len(x))

class Square(nn.Module):
    def __init__(self, channels=3, size=4, times=1):
        super().__init__()
        self.dims = times * channels * size * size
        self.log_s = nn.Parameter(torch.zeros(1))
        self.shift = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x):
        y = (x + self.shift) * self.log_s.exp()
        return y, (self.log_s * self.dims).expand(len(x))

class OfPlaces(Square):
    def __init__(self, channels=3, size=4):
        super().__init__(channels, size)
        self.dims = size * size

class OfArguments(nn.Module):
    '''Takes no other size, and holds it as a word.'''

    def __init__(self, c, h, w):
        super().__init__()
        self.log_s = nn.Parameter(0.3 * torch.randn(c * h * w))
        self.size = f"{c}x{h}x{w}"

    def forward(self, x):
        assert "x".join(map(str, x.shape[1:])) == self.size
        y = x.flatten(1) * self.log_s.exp()
        return y.view_as(x), self.log_s.sum().expand(len(x))
"""


@pytest.fixture
def status(tmp_path: Path) -> object:
    (tmp_path / "typed.py").write_text(SOURCE)
    return lambda what: ldjcheck.check(f"{tmp_path / 'typed.py'}:{what}").status


@pytest.mark.slow
def test_it_is_judged_at_these_where_built_for_others_it_is_right_at_others(
    status: object,
) -> None:
    assert callable(status)
    assert status("Haar((3, 4, 6))") == "pass"
    assert status("Haar((3, 4, 6), per_block=1)") == "fail"
    assert status("Haar(shape=(3, 4, 6), per_block=4)") == "pass"


def test_one_number_may_be_the_size_of_a_vector(status: object) -> None:
    assert callable(status)
    assert status("Blocks(6)") == "pass"
    assert status("Blocks(6, counted=False)") == "fail"


def test_one_size_alone_shows_nothing(status: object) -> None:
    assert callable(status)
    assert status("Squared((3, 4, 4))") == "fail"


def test_what_takes_no_other_size_is_fed_with_these(status: object) -> None:
    assert callable(status)
    assert status("OfArguments(3, 5, 7)") == "pass"
    assert status("Blocks(6, counted=1)") == "pass"


@pytest.mark.slow
def test_so_it_is_where_its_class_has_these_by_default(status: object) -> None:
    assert callable(status)
    assert status("OfImages") == "pass"
    assert status("OfImages(per_block=1)") == "fail"
    assert status("OfOthers") == "fail"


@pytest.mark.slow
@pytest.mark.parametrize("typed", ["2, 4", "3, 8", "3, 32", "channels=3, size=8"])
def test_two_numbers_may_be_channels_and_the_side_of_an_image(
    typed: str, status: object
) -> None:
    assert callable(status)
    assert status(f"Square({typed})") == "pass"
    assert status(f"Square({typed}, times=2)") == "fail"
    assert status(f"OfPlaces({typed})") == "fail"
