"""Right layers of zuko."""

from __future__ import annotations

from typing import Any

from ..case import MATRICES, VECTORS, Case, Shape


def layers() -> tuple[Case, ...]:
    """Return the cases, in the order in which they are listed."""

    def case(
        name: str, expression: str, shapes: tuple[Shape, ...], **more: Any
    ) -> Case:
        more.setdefault("elementwise", True)
        return Case(
            id=f"zuko-{name}",
            library="zuko",
            expression=expression,
            shapes=shapes,
            style="transform",
            **more,
        )

    rqs = "zt.MonotonicRQSTransform"
    return (
        case("cos", "zt.CosTransform()", VECTORS, domain="interval:0:3.1415926"),
        case(
            "sin",
            "zt.SinTransform()",
            MATRICES,
            domain="interval:-1.5707963:1.5707963",
        ),
        case("softclip", "zt.SoftclipTransform(bound=3.0)", VECTORS),
        case("signed-power", "zt.SignedPowerTransform(0.4 * spread({d}))", VECTORS),
        case("additive", "zt.AdditiveTransform(spread({d}))", VECTORS),
        case(
            "monotonic-affine",
            "zt.MonotonicAffineTransform(spread({d}), spread({d}))",
            VECTORS,
        ),
        case(
            "monotonic-affine-dependent",
            "zt.DependentTransform(zt.MonotonicAffineTransform(spread({d}), "
            "spread({d})), 1)",
            VECTORS,
        ),
        case(
            "rqs",
            f"{rqs}(randn({{d}}, 4), randn({{d}}, 4), randn({{d}}, 3), bound=1.5)",
            VECTORS,
        ),
        case(
            "rqs-dependent",
            f"zt.DependentTransform({rqs}(randn({{d}}, 5), randn({{d}}, 5), "
            "randn({d}, 4), bound=2.0), 1)",
            VECTORS,
        ),
        case("bernstein", "zt.BernsteinTransform(randn({d}, 6))", VECTORS),
        case(
            "bounded-bernstein", "zt.BoundedBernsteinTransform(randn({d}, 6))", VECTORS
        ),
        case(
            "gaussianization",
            "zt.GaussianizationTransform(spread({d}, 4), 0.2 * spread({d}, 4))",
            VECTORS,
        ),
        case("sos", "zt.SOSPolynomialTransform(randn({d}, 2, 4))", VECTORS),
        case("lu", "zt.LULinearTransform(spread({d}, {d}) + torch.eye({d}))", VECTORS),
        case(
            "lu-batch-of-rows",
            "zt.LULinearTransform(torch.eye({d}) * spread({d}) + 0.3)",
            VECTORS,
        ),
        case("rotation", "zt.RotationTransform(randn({d}, {d}))", VECTORS),
        case(
            "permutation",
            "zt.PermutationTransform(torch.arange({d} - 1, -1, -1))",
            VECTORS,
        ),
        case(
            "maf",
            "zfa.MaskedAutoregressiveTransform({d}, hidden_features=(12,))()",
            VECTORS,
        ),
        case(
            "nsf",
            "zfa.MaskedAutoregressiveTransform({d}, univariate=partial("
            f"{rqs}, bound=2.0), shapes=[(4,), (4,), (3,)], hidden_features=(12,))()",
            VECTORS,
        ),
        case(
            "coupling",
            "zfc.GeneralCouplingTransform({d}, hidden_features=(12,))()",
            VECTORS,
        ),
        case(
            "coupling-rqs",
            "zfc.GeneralCouplingTransform({d}, univariate=partial("
            f"{rqs}, bound=2.0), shapes=[(4,), (4,), (3,)], hidden_features=(12,))()",
            VECTORS,
        ),
        case(
            "composed",
            "zt.ComposedTransform(zt.LULinearTransform(spread({d}, {d}) + "
            "torch.eye({d})), zt.SoftclipTransform(4.0))",
            VECTORS,
        ),
        case(
            "composed-three",
            "zt.ComposedTransform(zt.MonotonicAffineTransform(spread({d}), "
            "spread({d})), zt.SignedPowerTransform(torch.tensor(0.4)), "
            "zt.SoftclipTransform(2.0))",
            VECTORS,
        ),
        case(
            "composed-mixed",
            "zt.ComposedTransform(zt.DependentTransform(zt.SoftclipTransform(3.0), 1), "
            "zt.RotationTransform(randn({d}, {d})), zt.MonotonicAffineTransform("
            "spread({d}), spread({d})))",
            VECTORS,
        ),
    )
