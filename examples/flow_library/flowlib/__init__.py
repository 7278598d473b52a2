"""A small flow library: `layer(x) -> (y, ldj)` and `layer.inverse(y) -> (x, ldj)`."""

from flowlib.affine import Affine
from flowlib.bend import Bend
from flowlib.coupling import Coupling
from flowlib.sequence import Sequence
from flowlib.shuffle import Shuffle
from flowlib.whiten import Whiten

__all__ = ["Affine", "Bend", "Coupling", "Sequence", "Shuffle", "Whiten"]
