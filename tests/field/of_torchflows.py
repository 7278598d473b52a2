"""Bijections and flows of torchflows."""

from __future__ import annotations

from torchflows.bijections.finite import matrix as tm
from torchflows.bijections.finite.autoregressive import architectures as ta
from torchflows.bijections.finite.autoregressive import layers as tl
from torchflows.bijections.finite.multiscale import architectures as ts
from torchflows.bijections.finite.residual import architectures as tr
from torchflows.bijections.finite.residual.planar import Planar
from torchflows.bijections.finite.residual.radial import Radial
from torchflows.bijections.finite.residual.sylvester import Sylvester
from torchflows.flows import Flow

from field.entry import Entry, entries

LAYERS = entries(
    elementwise_affine=lambda: tl.ElementwiseAffine((4,)),
    elementwise_inverse_affine=lambda: tl.ElementwiseInverseAffine((4,)),
    elementwise_affine_image=lambda: tl.ElementwiseAffine((2, 4, 3)),
    elementwise_scale=lambda: tl.ElementwiseScale((4,)),
    elementwise_shift=lambda: tl.ElementwiseShift((4,)),
    elementwise_rqs=lambda: tl.ElementwiseRQSpline((4,)),
    actnorm=lambda: tl.ActNorm((4,)),
    affine_coupling=lambda: tl.AffineCoupling((4,)),
    affine_coupling_context=lambda: tl.AffineCoupling((4,), context_shape=(3,)),
    inverse_affine_coupling=lambda: tl.InverseAffineCoupling((4,)),
    shift_coupling=lambda: tl.ShiftCoupling((4,)),
    lrs_coupling=lambda: tl.LRSCoupling((4,)),
    deep_sigmoid_coupling=Entry(
        lambda: tl.DeepSigmoidalCoupling((4,)),
        known="LDJ199",
        why="adds up the logs over its hidden units, for the log of their sum",
    ),
    rqs_coupling=lambda: tl.RQSCoupling((4,)),
    linear_affine_coupling=lambda: tl.LinearAffineCoupling((4,)),
    linear_rqs_coupling=lambda: tl.LinearRQSCoupling((4,)),
    maf_affine=lambda: tl.AffineForwardMaskedAutoregressive((4,)),
    maf_affine_context=lambda: tl.AffineForwardMaskedAutoregressive(
        (4,), context_shape=(3,)
    ),
    iaf_affine=lambda: tl.AffineInverseMaskedAutoregressive((4,)),
    maf_rqs=Entry(
        lambda: tl.RQSForwardMaskedAutoregressive((4,)),
        known="LDJ199",
        why="the way back takes the log-slopes of all dims but the last at x, not z",
    ),
    maf_lrs=Entry(
        lambda: tl.LRSForwardMaskedAutoregressive((4,)),
        known="LDJ199",
        why="the way back takes the log-slopes of all dims but the last at x, not z",
    ),
    identity_matrix=Entry(
        lambda: tm.IdentityMatrix((4,)),
        known="LDJ401",
        why="nothing could have shown a mistake",
    ),
    lu_matrix=lambda: tm.LUMatrix((4,)),
    qr_matrix=lambda: tm.QRMatrix((4,)),
    householder_matrix=lambda: tm.HouseholderProductMatrix((4,)),
    reverse_matrix=lambda: tm.ReversePermutationMatrix((4,)),
    random_matrix=lambda: tm.RandomPermutationMatrix((5,)),
    upper_matrix=lambda: tm.UpperTriangularInvertibleMatrix((4,)),
    lower_matrix=lambda: tm.LowerTriangularInvertibleMatrix((4,)),
    planar=lambda: Planar((4,)),
    radial=Entry(
        lambda: Radial((4,)),
        known="LDJ111",
        why="its distance is taken entry by entry, its log-det is that of a norm",
    ),
    sylvester=lambda: Sylvester((4,)),  # its way back alone; forward says it has none
    nice=lambda: ta.NICE((4,), n_layers=2),
    realnvp=lambda: ta.RealNVP((4,), n_layers=2),
    realnvp_context=lambda: ta.RealNVP((4,), n_layers=2, context_shape=(3,)),
    inverse_realnvp=lambda: ta.InverseRealNVP((4,), n_layers=2),
    maf=lambda: ta.MAF((4,), n_layers=2),
    iaf=lambda: ta.IAF((4,), n_layers=2),
    coupling_rqnsf=lambda: ta.CouplingRQNSF((4,), n_layers=1),
    coupling_lrs=lambda: ta.CouplingLRS((4,), n_layers=1),
    planar_flow=lambda: tr.PlanarBijection((4,), n_layers=2),
    multiscale_realnvp=lambda: ts.MultiscaleRealNVP((1, 4, 8), n_layers=1),
    maf_affine_odd=lambda: tl.AffineForwardMaskedAutoregressive((5,)),
    actnorm_image=lambda: tl.ActNorm((2, 4, 3)),
    realnvp_image=lambda: ta.RealNVP((2, 3, 4), n_layers=1),
    flow=Entry(
        lambda: Flow(ta.RealNVP((4,), n_layers=2)),
        known="LDJ104",
        why="the log-density of its samples grows by the ldj, and its log_prob falls by it",
    ),
)
