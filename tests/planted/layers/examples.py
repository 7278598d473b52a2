"""Right layers of the project's own examples."""

from __future__ import annotations

from typing import Any

from ..case import EVEN_VECTORS, IMAGES, MATRICES, VECTORS, Case, Shape


def layers() -> tuple[Case, ...]:
    """Return the cases, in the order in which they are listed."""

    def case(
        name: str, expression: str, shapes: tuple[Shape, ...], **more: Any
    ) -> Case:
        more.setdefault("inverse", True)
        return Case(
            id=f"examples-{name}",
            library="examples",
            expression=expression,
            shapes=shapes,
            **more,
        )

    return (
        case(
            "dequantization",
            "ex_dequantization.Dequantization(alpha=0.05, quants=8)",
            IMAGES,
            style="accumulate",
            domain="int:0:7",
            tolerance=1e-3,
        ),
        case(
            "dequantization-8-bit",
            "ex_dequantization.Dequantization(alpha=0.2)",
            MATRICES,
            style="accumulate",
            domain="int:0:255",
            tolerance=1e-3,
        ),
        case(
            "masked-coupling",
            "ex_coupling.make_masked_coupling({d}, {h}, {w})",
            IMAGES,
            style="accumulate",
        ),
        case(
            "chunk-coupling",
            "ex_coupling.make_chunk_coupling({d})",
            EVEN_VECTORS,
            style="accumulate",
        ),
        case("actnorm", "ex_actnorm.ActNorm({d})", IMAGES, style="pair", warm_up=True),
        case(
            "convolution",
            "ex_convolution.InvertibleConvolution({d})",
            IMAGES,
            style="pair-reverse",
        ),
        case(
            "increasing",
            "ex_transforms.Increasing()",
            VECTORS,
            style="transform",
            inverse=False,
        ),
    )
