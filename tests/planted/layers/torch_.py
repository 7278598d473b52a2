"""Right layers of torch.distributions."""

from __future__ import annotations

from typing import Any

from ..case import MATRICES, VECTORS, Case, Shape


def layers() -> tuple[Case, ...]:
    """Return the cases, in the order in which they are listed."""

    def case(
        name: str, expression: str, shapes: tuple[Shape, ...], **more: Any
    ) -> Case:
        return Case(
            id=f"torch-{name}",
            library="torch",
            expression=expression,
            shapes=shapes,
            style="transform",
            elementwise=True,
            **more,
        )

    affine = "tt.AffineTransform"
    return (
        case("exp", "tt.ExpTransform()", VECTORS),
        case("exp-matrix", "tt.IndependentTransform(tt.ExpTransform(), 2)", MATRICES),
        case("sigmoid", "tt.SigmoidTransform()", MATRICES),
        case("softplus", "tt.SoftplusTransform()", VECTORS),
        case("tanh", "tt.TanhTransform()", VECTORS),
        case(
            "tanh-independent",
            "tt.IndependentTransform(tt.TanhTransform(), 1)",
            VECTORS,
        ),
        case(
            "power",
            "tt.PowerTransform(torch.tensor(2.5))",
            VECTORS,
            domain="positive",
        ),
        case(
            "power-vector",
            "tt.IndependentTransform(tt.PowerTransform(spread({d})), 1)",
            VECTORS,
            domain="positive",
        ),
        case("affine-number", f"{affine}(0.3, 2.5)", VECTORS),
        case("affine-number-event", f"{affine}(0.3, -0.4, event_dim=1)", VECTORS),
        case("affine-number-matrix", f"{affine}(-1.0, 3.0, event_dim=2)", MATRICES),
        case("affine-vector", f"{affine}(spread({{d}}), spread({{d}}))", VECTORS),
        case(
            "affine-vector-event",
            f"{affine}(spread({{d}}), spread({{d}}), event_dim=1)",
            VECTORS,
        ),
        case("exp-inverse", "tt.ExpTransform().inv", VECTORS, domain="positive"),
        case("sigmoid-inverse", "tt.SigmoidTransform().inv", VECTORS, domain="unit"),
        case(
            "softplus-inverse", "tt.SoftplusTransform().inv", VECTORS, domain="positive"
        ),
        case(
            "tanh-inverse",
            "tt.TanhTransform().inv",
            VECTORS,
            domain="interval:-1:1",
        ),
        case(
            "compose-two",
            f"tt.ComposeTransform([{affine}(0.2, 1.4), tt.TanhTransform()])",
            VECTORS,
        ),
        case(
            "compose-three",
            f"tt.ComposeTransform([{affine}(spread({{d}}), spread({{d}})), "
            f"tt.SigmoidTransform(), {affine}(-1.0, 2.0)])",
            VECTORS,
        ),
        case(
            "compose-event",
            f"tt.ComposeTransform([tt.SoftplusTransform(), {affine}(spread({{d}}), "
            "spread({d}), event_dim=1)])",
            VECTORS,
        ),
        case(
            "stack",
            "tt.StackTransform([tt.ExpTransform(), tt.SigmoidTransform(), "
            "tt.TanhTransform(), tt.SoftplusTransform()], dim=-1)",
            ((4,), (2, 4)),
        ),
        case(
            "cat",
            "tt.CatTransform([tt.ExpTransform(), tt.SigmoidTransform()], dim=-1, "
            "lengths=[2, 3])",
            ((5,), (2, 5)),
        ),
        case("reshape", "tt.ReshapeTransform({shape}, ({d} * 2,))", ((4, 2), (7, 2))),
        case(
            "normal-cdf",
            "tt.CumulativeDistributionTransform(td.Normal(0.2, 1.3))",
            VECTORS,
        ),
    )
