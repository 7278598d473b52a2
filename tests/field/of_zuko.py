"""Transforms, lazy transforms and flows of zuko."""

from __future__ import annotations

import torch
import zuko
from zuko import flows as zf
from zuko import transforms as zt

from field.entry import Entry, entries

LAYERS = entries(
    additive=lambda: zt.AdditiveTransform(torch.randn(4)),
    bernstein=lambda: zt.BernsteinTransform(torch.randn(4, 6)),
    bounded_bernstein=lambda: zt.BoundedBernsteinTransform(torch.randn(4, 6)),
    circular_shift=lambda: zt.CircularShiftTransform(bound=3.0),
    composed=lambda: zt.ComposedTransform(
        zt.AdditiveTransform(torch.randn(4)), zt.SoftclipTransform(bound=5.0)
    ),
    cos=lambda: zt.CosTransform(),
    dependent=lambda: zt.DependentTransform(zt.SoftclipTransform(bound=5.0), 1),
    gaussianization=lambda: zt.GaussianizationTransform(
        torch.randn(4, 3), torch.randn(4, 3)
    ),
    identity=Entry(
        lambda: zt.IdentityTransform(),
        known="LDJ401",
        why="nothing could have shown a mistake",
    ),
    lu=lambda: zt.LULinearTransform(torch.randn(4, 4) + 2 * torch.eye(4)),
    monotonic_affine=lambda: zt.MonotonicAffineTransform(
        torch.randn(4), torch.randn(4)
    ),
    rq_spline=lambda: zt.MonotonicRQSTransform(
        torch.randn(4, 5), torch.randn(4, 5), torch.randn(4, 4)
    ),
    permutation=lambda: zt.PermutationTransform(torch.tensor([2, 0, 3, 1])),
    rotation=lambda: zt.RotationTransform(torch.randn(4, 4)),
    sos_polynomial=lambda: zt.SOSPolynomialTransform(torch.randn(4, 2, 3)),
    signed_power=lambda: zt.SignedPowerTransform(torch.randn(4) / 3),
    sin=lambda: zt.SinTransform(),
    softclip=lambda: zt.SoftclipTransform(bound=5.0),
    element_wise=lambda: zf.ElementWiseTransform(4),
    element_wise_context=lambda: zf.ElementWiseTransform(4, 3),
    coupling=lambda: zf.GeneralCouplingTransform(4, hidden_features=(8,)),
    coupling_context=lambda: zf.GeneralCouplingTransform(4, 3, hidden_features=(8,)),
    coupling_spline=lambda: zf.GeneralCouplingTransform(
        4,
        univariate=zt.MonotonicRQSTransform,
        shapes=[(5,), (5,), (4,)],
        hidden_features=(8,),
    ),
    autoregressive=lambda: zf.MaskedAutoregressiveTransform(4, hidden_features=(8,)),
    autoregressive_context=lambda: zf.MaskedAutoregressiveTransform(
        4, 3, hidden_features=(8,)
    ),
    unconditional=lambda: zf.UnconditionalTransform(
        zt.RotationTransform, torch.randn(4, 4)
    ),
    maf=lambda: zf.MAF(4, transforms=2, hidden_features=(8,)),
    maf_context=lambda: zf.MAF(4, 3, transforms=2, hidden_features=(8,)),
    nsf=lambda: zf.NSF(4, transforms=1, bins=4, hidden_features=(8,)),
    nice=lambda: zf.NICE(4, transforms=2, hidden_features=(8,)),
    realnvp=lambda: zf.RealNVP(4, transforms=2, hidden_features=(8,)),
    gf=lambda: zf.GF(4, transforms=1, components=3),
    bpf=lambda: zf.BPF(2, degree=4, transforms=1, hidden_features=(8,)),
    sospf=lambda: zf.SOSPF(
        2, degree=2, polynomials=2, transforms=1, hidden_features=(8,)
    ),
    autoregressive_order=lambda: zf.MaskedAutoregressiveTransform(
        4, order=torch.tensor([2, 0, 3, 1]), hidden_features=(8,)
    ),
    autoregressive_passes=lambda: zf.MaskedAutoregressiveTransform(
        6, passes=3, hidden_features=(8,)
    ),
    coupling_by_hand=lambda: zt.CouplingTransform(
        lambda x: zt.DependentTransform(
            zt.MonotonicAffineTransform(
                x.sum(-1, keepdim=True), x.mean(-1, keepdim=True)
            ),
            1,
        ),
        torch.tensor([True, False, True]),
    ),
    monotonic=lambda: zt.MonotonicTransform(lambda x: x**3 + x),
    ncsf=lambda: zf.NCSF(3, transforms=1, bins=4, hidden_features=(8,)),
    realnvp_context=lambda: zf.RealNVP(
        5, 3, transforms=2, randmask=True, hidden_features=(8,)
    ),
    maf_given=lambda: zf.MAF(3, 2, transforms=1, hidden_features=(8,))(torch.randn(2)),
    maf_transform=lambda: zf.MAF(3, transforms=1, hidden_features=(8,))().transform,
    maf_inverse=lambda: zf.MAF(3, transforms=1, hidden_features=(8,))().transform.inv,
    maf_distribution=lambda: zf.MAF(4, transforms=1, hidden_features=(8,))(),
    logit=lambda: zuko.transforms.ComposedTransform(
        torch.distributions.transforms.SigmoidTransform(),
        zt.AdditiveTransform(torch.tensor(1.0)),
    ),
)
