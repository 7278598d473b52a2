"""Right layers of FrEIA."""

from __future__ import annotations

from typing import Any

from ..case import EVEN_IMAGES, IMAGES, VECTORS, Case, Shape


def layers() -> tuple[Case, ...]:
    """Return the cases, in the order in which they are listed."""

    def case(
        name: str, expression: str, shapes: tuple[Shape, ...], **more: Any
    ) -> Case:
        more.setdefault("inverse", True)
        more.setdefault("style", "freia")
        return Case(
            id=f"FrEIA-{name}",
            library="FrEIA",
            expression=expression,
            shapes=shapes,
            **more,
        )

    dims = "[{shape}]"
    return (
        case("nice", f"Fm.NICECouplingBlock({dims}, subnet_constructor=mlp)", VECTORS),
        case("rnvp", f"Fm.RNVPCouplingBlock({dims}, subnet_constructor=mlp)", VECTORS),
        case(
            "rnvp-image",
            f"Fm.RNVPCouplingBlock({dims}, subnet_constructor=conv, "
            "clamp_activation='TANH')",
            IMAGES,
        ),
        case("glow", f"Fm.GLOWCouplingBlock({dims}, subnet_constructor=mlp)", VECTORS),
        case(
            "glow-image",
            f"Fm.GLOWCouplingBlock({dims}, subnet_constructor=conv, "
            "clamp_activation='SIGMOID')",
            IMAGES,
        ),
        case("gin", f"Fm.GINCouplingBlock({dims}, subnet_constructor=mlp)", VECTORS),
        case(
            "one-sided",
            f"Fm.AffineCouplingOneSided({dims}, subnet_constructor=mlp)",
            VECTORS,
        ),
        case(
            "one-sided-image",
            f"Fm.AffineCouplingOneSided({dims}, subnet_constructor=conv)",
            IMAGES,
        ),
        case(
            "all-in-one",
            f"Fm.AllInOneBlock({dims}, subnet_constructor=mlp)",
            VECTORS,
        ),
        case(
            "all-in-one-image",
            f"Fm.AllInOneBlock({dims}, subnet_constructor=conv, "
            "global_affine_type='SIGMOID', permute_soft=True)",
            IMAGES,
            tolerance=1e-5,
        ),
        case(
            "all-in-one-exp",
            f"Fm.AllInOneBlock({dims}, subnet_constructor=mlp, "
            "global_affine_type='EXP', reverse_permutation=True)",
            VECTORS,
        ),
        case(
            "all-in-one-householder",
            f"Fm.AllInOneBlock({dims}, subnet_constructor=conv, "
            "learned_householder_permutation=2)",
            IMAGES,
            tolerance=1e-5,
        ),
        case("actnorm", f"Fm.ActNorm({dims})", VECTORS, warm_up=True),
        case("actnorm-image", f"Fm.ActNorm({dims})", IMAGES, warm_up=True),
        case(
            "orthogonal",
            f"Fm.OrthogonalTransform({dims})",
            VECTORS,
            scale=0.0,
        ),
        case(
            "householder",
            f"Fm.HouseholderPerm({dims}, n_reflections=3)",
            VECTORS,
        ),
        case(
            "fixed-linear",
            f"Fm.FixedLinearTransform({dims}, M=randn({{d}}, {{d}}), b=randn({{d}}))",
            VECTORS,
            tolerance=1e-5,
        ),
        case(
            "fixed-conv",
            f"Fm.Fixed1x1Conv({dims}, M=randn({{d}}, {{d}}))",
            IMAGES,
            tolerance=1e-5,
        ),
        case("sigmoid", f"Fm.InvertibleSigmoid({dims})", VECTORS),
        case("inv-auto-act", f"Fm.InvAutoAct({dims})", IMAGES),
        case("inv-auto-act-two-sided", f"Fm.InvAutoActTwoSided({dims})", VECTORS),
        case(
            "elementwise-scaling",
            f"Fm.LearnedElementwiseScaling({dims}, init_scale=1.5)",
            IMAGES,
            forward_only=True,
        ),
        case("permute", f"Fm.PermuteRandom({dims}, seed=1)", VECTORS),
        case(
            "haar",
            f"Fm.HaarDownsampling({dims}, order_by_wavelet=True, rebalance=0.6)",
            EVEN_IMAGES,
        ),
        case("irevnet", f"Fm.IRevNetDownsampling({dims})", EVEN_IMAGES),
        case(
            "sequence",
            "freia_sequence({d}, blocks=((Fm.AllInOneBlock, "
            "{'subnet_constructor': mlp}), (Fm.GLOWCouplingBlock, "
            "{'subnet_constructor': mlp})))",
            VECTORS,
            style="freia-sequence",
        ),
        case(
            "sequence-image",
            "freia_sequence({d}, {h}, {w}, blocks=((Fm.HaarDownsampling, "
            "{'rebalance': 0.7}), (Fm.RNVPCouplingBlock, "
            "{'subnet_constructor': conv})))",
            EVEN_IMAGES,
            style="freia-sequence",
        ),
    )
