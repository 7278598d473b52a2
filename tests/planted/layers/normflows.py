"""Right layers of normflows."""

from __future__ import annotations

from typing import Any

from ..case import EVEN_IMAGES, EVEN_VECTORS, IMAGES, VECTORS, Case, Shape


def layers() -> tuple[Case, ...]:
    """Return the cases, in the order in which they are listed."""

    def case(
        name: str, expression: str, shapes: tuple[Shape, ...], **more: Any
    ) -> Case:
        more.setdefault("inverse", True)
        return Case(
            id=f"normflows-{name}",
            library="normflows",
            expression=expression,
            shapes=shapes,
            style="pair",
            **more,
        )

    flows = "nfl.flows"
    return (
        case("planar", f"{flows}.Planar({{shape}})", VECTORS, inverse=False),
        case("planar-image", f"{flows}.Planar({{shape}})", IMAGES, inverse=False),
        case(
            "planar-leaky",
            f"{flows}.Planar({{shape}}, act='leaky_relu')",
            VECTORS,
        ),
        case("radial", f"{flows}.Radial({{shape}})", VECTORS, inverse=False),
        case("affine-const", f"{flows}.AffineConstFlow({{shape}})", VECTORS),
        case("affine-const-image", f"{flows}.AffineConstFlow(({{d}}, 1, 1))", IMAGES),
        case("actnorm", f"{flows}.ActNorm({{shape}})", VECTORS, warm_up=True),
        case("actnorm-image", f"{flows}.ActNorm(({{d}}, 1, 1))", IMAGES, warm_up=True),
        case(
            "affine-coupling",
            f"{flows}.AffineCouplingBlock(mlp({{half}}, {{d}}))",
            EVEN_VECTORS,
        ),
        case(
            "affine-coupling-sigmoid",
            f"{flows}.AffineCouplingBlock(mlp({{half}}, {{d}}), scale_map='sigmoid')",
            EVEN_VECTORS,
        ),
        case(
            "affine-coupling-sigmoid-inv",
            f"{flows}.AffineCouplingBlock(mlp({{half}}, {{d}}), "
            f"scale_map='sigmoid_inv')",
            EVEN_VECTORS,
        ),
        case(
            "affine-coupling-image",
            f"{flows}.AffineCouplingBlock(conv({{half}}, {{d}}), scale_map='sigmoid')",
            EVEN_IMAGES,
        ),
        case(
            "affine-coupling-checkerboard",
            f"{flows}.AffineCouplingBlock(conv({{d}}, 2 * {{d}}), "
            f"split_mode='checkerboard')",
            EVEN_IMAGES,
        ),
        case(
            "additive-coupling",
            f"{flows}.AffineCouplingBlock(mlp({{half}}, {{half}}), scale=False)",
            EVEN_VECTORS,
        ),
        case(
            "masked-affine",
            f"{flows}.MaskedAffineFlow(torch.tensor([float(i % 2) for i in "
            f"range({{d}})]), "
            "mlp({d}, {d}), mlp({d}, {d}))",
            VECTORS,
        ),
        case(
            "masked-affine-image",
            f"{flows}.MaskedAffineFlow((torch.arange({{d}} * {{h}} * {{w}}) % 2.0)"
            ".reshape({d}, {h}, {w}), conv({d}, {d}), conv({d}, {d}))",
            IMAGES,
        ),
        case("conv-1x1", f"{flows}.Invertible1x1Conv({{d}})", IMAGES),
        case("conv-1x1-lu", f"{flows}.Invertible1x1Conv({{d}}, use_lu=True)", IMAGES),
        case("affine", f"{flows}.InvertibleAffine({{d}}, use_lu=False)", VECTORS),
        case("affine-lu", f"{flows}.InvertibleAffine({{d}})", VECTORS),
        case(
            "lu-permute",
            f"{flows}.LULinearPermute({{d}}, identity_init=False)",
            VECTORS,
        ),
        case("maf", f"{flows}.MaskedAffineAutoregressive({{d}}, 16)", VECTORS),
        case(
            "rq-spline-coupling",
            f"{flows}.CoupledRationalQuadraticSpline({{d}}, 1, 12, num_bins=4, "
            f"tail_bound=2.5)",
            VECTORS,
        ),
        case(
            "rq-spline-maf",
            f"{flows}.AutoregressiveRationalQuadraticSpline({{d}}, 1, 12, num_bins=4)",
            VECTORS,
        ),
        case(
            "rq-spline-circular",
            f"{flows}.CircularCoupledRationalQuadraticSpline({{d}}, 1, 12, "
            f"ind_circ=[0, 2], "
            "num_bins=4)",
            VECTORS,
            domain="interval:-3:3",
        ),
        case(
            "rq-spline-cdf",
            "NflCDF({shape}, num_bins=4, tails='linear', tail_bound=2.5)",
            VECTORS,
        ),
        case(
            "glow-block",
            f"{flows}.GlowBlock({{d}}, 6, split_mode='channel')",
            EVEN_IMAGES,
            warm_up=True,
        ),
        case(
            "reverse-actnorm",
            f"{flows}.Reverse({flows}.AffineConstFlow({{shape}}))",
            VECTORS,
        ),
        case("permute", f"{flows}.Permute({{d}}, mode='swap')", VECTORS),
        case("squeeze", f"{flows}.Squeeze()", ((8, 2, 4), (4, 2, 6))),
    )
