"""All tables of library layers, under `library: name`."""

from __future__ import annotations

import pytest

for library in (
    "nflows", "normflows", "zuko", "FrEIA", "pyro", "torchflows", "flowtorch"
):  # fmt: skip
    pytest.importorskip(library, reason="the libraries of the test extra are missing")

from field import (  # noqa: E402  # only where the libraries are there
    of_flowtorch,
    of_freia,
    of_nflows,
    of_normflows,
    of_pyro,
    of_torch,
    of_torchflows,
    of_zuko,
)
from field.entry import Entry  # noqa: E402  # as above

TABLES = {
    "torch": of_torch.LAYERS,
    "nflows": of_nflows.LAYERS,
    "normflows": of_normflows.LAYERS,
    "zuko": of_zuko.LAYERS,
    "FrEIA": of_freia.LAYERS,
    "pyro": of_pyro.LAYERS,
    "torchflows": of_torchflows.LAYERS,
    "flowtorch": of_flowtorch.LAYERS,
}
LAYERS: dict[str, Entry] = {
    f"{library}: {name}": entry
    for library, table in TABLES.items()
    for name, entry in table.items()
}
CROSS_SECTION = (
    "torch: compose",
    "torch: transformed",
    "normflows: glow_block",
    "normflows: normalizing_flow",
    "normflows: batchnorm",
    "zuko: softclip",
    "FrEIA: rnvp_condition",
    "FrEIA: sequence",
    "pyro: planar",
    "pyro: conditional_planar",
    "pyro: matrix_exponential",
    "pyro: conditional_matrix_exponential",
    "pyro: batchnorm",
    "nflows: rq_coupling_image_context",
    "torchflows: elementwise_affine_image",
    "flowtorch: compose",
)
