"""What a right layer is, and the shapes that cases are built for.

A case's expression is a template: `{d}` is the number of features or channels, `{h}`
and `{w}` are the height and width of an image, `{half}` is half of `{d}`. Filled in for
a shape it is plain source that runs in the namespace of `builders`, literals and all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Shape = tuple[int, ...]

VECTORS: tuple[Shape, ...] = ((5,), (4,), (7,))
EVEN_VECTORS: tuple[Shape, ...] = ((4,), (6,), (8,))
IMAGES: tuple[Shape, ...] = ((2, 4, 5), (4, 2, 5), (2, 5, 6))
EVEN_IMAGES: tuple[Shape, ...] = ((4, 2, 6), (2, 4, 6), (8, 2, 4))
MATRICES: tuple[Shape, ...] = ((4, 5), (2, 6), (7, 2))


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One right layer.

    `style` says how it is called; `domain` is written like the option of that name.
    `scale` is how far parameters are moved, 0 where moving them would make the layer
    wrong. `spread` widens or narrows the inputs. `inverse` is true where the library
    has ldj code of its own for the way back. `forward_only` marks layers whose way
    back does not work at all, or is known to be wrong.
    """

    id: str
    library: str
    expression: str
    shapes: tuple[Shape, ...]
    style: str
    domain: str = "real"
    scale: float = 0.3
    spread: float = 1.0
    inverse: bool = False
    forward_only: bool = False
    elementwise: bool = False
    warm_up: bool = False
    tolerance: float = 1e-8

    def source(self, shape: Shape) -> str:
        """Return the expression for `shape`, ready to be evaluated."""
        fields = {"d": shape[0], "half": shape[0] // 2, "shape": str(tuple(shape))}
        if len(shape) == 3:
            fields |= {"h": shape[1], "w": shape[2]}
        text = self.expression
        for name, value in fields.items():
            text = text.replace("{" + name + "}", str(value))
        return text

    def build(self, shape: Shape) -> Any:
        """Return a fresh layer for events of `shape`."""
        from . import builders

        return eval(self.source(shape), vars(builders))
