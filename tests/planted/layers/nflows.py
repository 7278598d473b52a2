"""Right layers of nflows."""

from __future__ import annotations

from typing import Any

from ..case import EVEN_IMAGES, IMAGES, VECTORS, Case, Shape


def layers() -> tuple[Case, ...]:
    """Return the cases, in the order in which they are listed."""

    def case(
        name: str, expression: str, shapes: tuple[Shape, ...], **more: Any
    ) -> Case:
        more.setdefault("inverse", True)
        return Case(
            id=f"nflows-{name}",
            library="nflows",
            expression=expression,
            shapes=shapes,
            style="pair",
            **more,
        )

    alternating = "[i % 2 for i in range({d})]"
    rest = "[(i + 1) % 2 for i in range({d})]"
    linear = "num_bins=4, tails='linear', tail_bound=2.5"
    return (
        case(
            "affine-coupling",
            f"nf.AffineCouplingTransform({alternating}, nf_net)",
            VECTORS,
        ),
        case(
            "affine-coupling-image",
            f"nf.AffineCouplingTransform({rest}, nf_conv_net)",
            IMAGES,
        ),
        case(
            "additive-coupling",
            f"nf.AdditiveCouplingTransform({alternating}, nf_net)",
            VECTORS,
        ),
        case(
            "linear-spline-coupling",
            f"nf.PiecewiseLinearCouplingTransform({alternating}, nf_net, {linear})",
            VECTORS,
        ),
        case(
            "linear-spline-coupling-unit",
            f"nf.PiecewiseLinearCouplingTransform({rest}, nf_net, num_bins=5)",
            VECTORS,
            domain="unit",
        ),
        case(
            "quadratic-spline-coupling",
            f"nf.PiecewiseQuadraticCouplingTransform({alternating}, nf_net, {linear})",
            VECTORS,
        ),
        case(
            "quadratic-spline-coupling-unit",
            f"nf.PiecewiseQuadraticCouplingTransform({alternating}, nf_net, "
            f"num_bins=4)",
            VECTORS,
            domain="unit",
        ),
        case(
            "cubic-spline-coupling",
            f"nf.PiecewiseCubicCouplingTransform({alternating}, nf_net, num_bins=4)",
            VECTORS,
            domain="unit",
            scale=0.1,
            forward_only=True,
        ),
        case(
            "rq-spline-coupling",
            f"nf.PiecewiseRationalQuadraticCouplingTransform({alternating}, nf_net, "
            f"{linear})",
            VECTORS,
        ),
        case(
            "rq-spline-coupling-unit",
            f"nf.PiecewiseRationalQuadraticCouplingTransform({rest}, nf_net, "
            f"num_bins=4)",
            VECTORS,
            domain="unit",
        ),
        case(
            "rq-spline-coupling-unconditional",
            f"nf.PiecewiseRationalQuadraticCouplingTransform({alternating}, nf_net, "
            f"{linear}, apply_unconditional_transform=True)",
            VECTORS,
        ),
        case(
            "rq-spline-coupling-image",
            f"nf.PiecewiseRationalQuadraticCouplingTransform({alternating}, "
            f"nf_conv_net, "
            f"{linear}, img_shape=[{{h}}, {{w}}])",
            IMAGES,
        ),
        case(
            "maf",
            "nf.MaskedAffineAutoregressiveTransform({d}, hidden_features=16)",
            VECTORS,
        ),
        case(
            "linear-spline-maf",
            "nf.MaskedPiecewiseLinearAutoregressiveTransform(num_bins=5, features={d}, "
            "hidden_features=16)",
            VECTORS,
            domain="unit",
        ),
        case(
            "quadratic-spline-maf",
            "nf.MaskedPiecewiseQuadraticAutoregressiveTransform(features={d}, "
            f"hidden_features=16, {linear})",
            VECTORS,
        ),
        case(
            "cubic-spline-maf",
            "nf.MaskedPiecewiseCubicAutoregressiveTransform(num_bins=4, features={d}, "
            "hidden_features=16)",
            VECTORS,
            domain="unit",
            scale=0.1,
            forward_only=True,
        ),
        case(
            "rq-spline-maf",
            "nf.MaskedPiecewiseRationalQuadraticAutoregressiveTransform(features={d}, "
            f"hidden_features=16, {linear})",
            VECTORS,
        ),
        case("lu-linear", "nf.LULinear({d}, identity_init=False)", VECTORS),
        case("qr-linear", "nf.QRLinear({d}, num_householder=3)", VECTORS),
        case(
            "svd-linear",
            "nf.SVDLinear({d}, num_householder=4, identity_init=False)",
            VECTORS,
        ),
        case(
            "naive-linear",
            "nf.NaiveLinear({d}, orthogonal_initialization=False)",
            VECTORS,
            forward_only=True,
        ),
        case("householder", "nf.HouseholderSequence({d}, num_transforms=3)", VECTORS),
        case(
            "conv-1x1",
            "nf.OneByOneConvolution({d}, identity_init=False)",
            IMAGES,
        ),
        case("actnorm", "nf.ActNorm({d})", VECTORS),
        case("actnorm-image", "nf.ActNorm({d})", IMAGES),
        case("batchnorm", "nf.BatchNorm({d}, eps=0.01)", VECTORS),
        case("pointwise-scalar", "nf.PointwiseAffineTransform(0.5, 1.7)", IMAGES),
        case(
            "pointwise-vector",
            "nf.PointwiseAffineTransform(randn({d}), 0.3 + randn({d}).abs())",
            VECTORS,
        ),
        case("tanh", "nf.Tanh()", VECTORS),
        case("tanh-image", "nf.Tanh()", IMAGES),
        case("logtanh", "nf.LogTanh(cut_point=0.8)", VECTORS),
        case("leaky-relu", "nf.LeakyReLU(negative_slope=0.2)", IMAGES, tolerance=1e-5),
        case("sigmoid", "nf.Sigmoid(temperature=1.5)", VECTORS, tolerance=1e-5),
        case(
            "sigmoid-learned",
            "nf.Sigmoid(temperature=2, learn_temperature=True)",
            IMAGES,
            tolerance=1e-5,
        ),
        case("logit", "nf.Logit()", VECTORS, domain="unit", tolerance=1e-5),
        case("cauchy-cdf", "nf_nonlinear.CauchyCDF()", VECTORS),
        case(
            "cauchy-cdf-inverse",
            "nf_nonlinear.CauchyCDFInverse()",
            VECTORS,
            domain="unit",
        ),
        case(
            "linear-spline-cdf",
            f"nf.PiecewiseLinearCDF([{{d}}], {linear})",
            VECTORS,
        ),
        case(
            "quadratic-spline-cdf",
            "nf.PiecewiseQuadraticCDF([{d}], num_bins=4)",
            VECTORS,
            domain="unit",
        ),
        case(
            "rq-spline-cdf",
            f"nf.PiecewiseRationalQuadraticCDF([{{d}}], {linear})",
            VECTORS,
        ),
        case(
            "composite",
            "nf.CompositeTransform([nf.ActNorm({d}), nf.LULinear({d}, "
            f"identity_init=False), nf.AffineCouplingTransform({alternating}, "
            f"nf_net)])",
            VECTORS,
        ),
        case(
            "composite-image",
            "nf.CompositeTransform([nf.ActNorm({d}), nf.OneByOneConvolution({d}), "
            f"nf.AffineCouplingTransform({alternating}, nf_conv_net)])",
            IMAGES,
        ),
        case(
            "composite-squashed",
            "nf.CompositeCDFTransform(nf.Sigmoid(), "
            "nf.PiecewiseRationalQuadraticCDF([{d}], num_bins=4))",
            VECTORS,
            tolerance=1e-4,
        ),
        case(
            "inverse-of-maf",
            "nf.InverseTransform(nf.MaskedAffineAutoregressiveTransform({d}, 16))",
            VECTORS,
        ),
        case("squeeze", "nf.SqueezeTransform()", EVEN_IMAGES),
        case("reverse-permutation", "nf.ReversePermutation({d})", VECTORS),
    )
