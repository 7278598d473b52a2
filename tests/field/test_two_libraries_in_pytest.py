"""Twenty layers of nflows and zuko, as a library's own tests would check them."""

import pytest
import torch
from nflows import transforms as nf
from zuko import transforms as zu

import ldjcheck

pytestmark = pytest.mark.slow


@ldjcheck.parametrize(
    [
        nf.ReversePermutation(4), nf.RandomPermutation(4), nf.LULinear(4),
        nf.QRLinear(4, num_householder=3), nf.SVDLinear(4, num_householder=4),
        nf.HouseholderSequence(4, 3), nf.BatchNorm(4), nf.ActNorm(4), nf.LeakyReLU(),
        nf.Tanh(), nf.PointwiseAffineTransform(1.0, 2.0),
        nf.MaskedAffineAutoregressiveTransform(4, 8),
        nf.CompositeTransform([nf.LULinear(4), nf.ReversePermutation(4)]),
    ],
    shape=(4,),
)  # fmt: skip
def test_nflows() -> None: ...


# torch has no torch.qr any more either, by which it would be made orthogonal
OLD = nf.NaiveLinear(4, orthogonal_initialization=False)


@ldjcheck.parametrize([OLD], expected={"layer-raised": "torch.solve"})
def test_an_old_layer_of_nflows() -> None: ...


@ldjcheck.parametrize(
    [
        zu.MonotonicAffineTransform(torch.ones(4), torch.ones(4)), zu.SoftclipTransform(),
        zu.MonotonicRQSTransform(*torch.randn(2, 4, 8), torch.randn(4, 7)),
        zu.LULinearTransform(torch.eye(4) + 0.1), zu.SignedPowerTransform(torch.rand(4)),
        zu.PermutationTransform(torch.tensor([2, 0, 3, 1])),
    ],
    shape=(4,),
)  # fmt: skip
def test_zuko() -> None: ...
