"""One set of circumstances under which a layer is measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ldjcheck.records.asked import Domain
from ldjcheck.records.words import Region, Shape

Turned = Literal["scales", "all"]
"""`scales`: the first entry of each vector of one sign; `all`: numbers and matrices too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One set of circumstances under which the layer is measured.

    `draw` numbers the draw of parameters (0: as built), `region` says which part of the
    domain the inputs come from.
    """

    shape: Shape
    batch: int
    domain: Domain
    region: Region = "usual"
    draw: int = 0
    scale: float = 0.3
    shrunk: float = 1.0  # how many times as large the moved parameters are
    seed: int = 0
    nudged: bool = False  # the layer's own numbers are moved as well
    reflected: bool = False  # one row of every parameter is turned around as well
    turned: Turned | None = None  # what is turned around although it has one sign
    same_context: bool = False  # of all samples, which each have their own otherwise
    reach: float = 1.0  # how many times as far as the region inputs reach
